/* What a student's answer is worth against the reference, and why. Pure functions: no page, no storage. */

const PLACE_POINTS = [50, 35, 25, 15, 15];
const EVIDENCE_POINTS = 50;

/** Fold case, punctuation and spaces: what makes two spellings of a diagnosis equal. */
function folded(name) {
  return name.toLowerCase().replace(/'s/g, "").replace(/[^a-z0-9]+/g, " ").trim();
}

/** Return the catalogue's entry that a name, an alias or a short form stands for, or null. */
function diagnosisNamed(name, catalogue) {
  const key = folded(name);
  return catalogue.find((entry) => [entry.name, ...entry.aliases].some((known) => folded(known) === key)) || null;
}

/** Score a ranked list of diagnoses: full points for the right one at its place, half for the right category. */
function scoreDiagnosis(ranked, reading, catalogue) {
  if (!reading.diagnosis) return scoreCategory(ranked, reading, catalogue);
  let best = { points: 0, text: `${reading.diagnosis} is not on your list.` };
  ranked.slice(0, PLACE_POINTS.length).forEach((name, place) => {
    const entry = diagnosisNamed(name, catalogue);
    const same = folded(name) === folded(reading.diagnosis) || (entry && entry.name === reading.diagnosis);
    const near = !same && entry && (entry.category === reading.category || reading.path.includes(entry.name));
    const points = same ? PLACE_POINTS[place] : near ? PLACE_POINTS[place] / 2 : 0;
    const where = place === 0 ? "first" : `number ${place + 1}`;
    const text = same ? `${reading.diagnosis} is ${where} on your list.` : `${name}, ${where} on your list, is in the right category (${reading.category}), but the diagnosis is ${reading.diagnosis}.`;
    if (points > best.points) best = { points, text };
  });
  return best;
}

/** Score a ranked list against a reference that leaves the type open: full points for any diagnosis of its category. */
function scoreCategory(ranked, reading, catalogue) {
  const place = ranked.slice(0, PLACE_POINTS.length).findIndex((name) => (diagnosisNamed(name, catalogue) || {}).category === reading.category);
  if (place < 0) return { points: 0, text: `No diagnosis of ${reading.category} is on your list.` };
  return { points: PLACE_POINTS[place], text: `${ranked[place]}, ${place === 0 ? "first" : `number ${place + 1}`} on your list, is in the right category (${reading.category}); the reference leaves the type open.` };
}

/**
 * Compare marks with the reference's evidence. A mark finds a quote if both share at least half of the shorter one;
 * a mark of which less than a quarter is evidence is too broad and finds nothing. A mark on what speaks against
 * (`counter`) counts neither way.
 */
function scoreEvidence(marks, spans, counter = []) {
  const numbers = [...new Set(spans.map((span) => span.number))];
  const evidence = mergedSpans(spans);
  const found = new Set();
  const judged = marks.map(([start, end]) => {
    const mark = { start, end };
    const inside = evidence.reduce((sum, span) => sum + overlap(mark, span), 0);
    const hits = spans.filter((span) => sameEvidence(mark, span));
    const broad = hits.length > 0 && 4 * inside < end - start;
    if (!broad) hits.forEach((span) => found.add(span.number));
    const against = !hits.length && counter.some((span) => sameEvidence(mark, span));
    return { start, end, verdict: broad ? "broad" : hits.length ? "hit" : against ? "against" : "over" };
  });
  const counted = judged.filter((mark) => mark.verdict !== "against").length;
  const right = judged.filter((mark) => mark.verdict === "hit").length;
  const recall = numbers.length ? found.size / numbers.length : 0;
  const precision = counted ? right / counted : 0;
  const f1 = recall + precision ? (2 * recall * precision) / (recall + precision) : 0;
  return { judged, found: [...found], missed: numbers.filter((number) => !found.has(number)), recall, precision, points: Math.round(EVIDENCE_POINTS * f1) };
}

/** Return spans joined where they touch or overlap, in order. */
function mergedSpans(spans) {
  const merged = [];
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    const last = merged[merged.length - 1];
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}

/** Cut a stretch of a note into clauses that can be marked with one key: at line ends and after `. ; ! ?`. */
function clausesOf(note, start, end) {
  const clauses = [];
  const pattern = /[^\n]*?(?:[.;!?]+(?=\s)|\n|$)/y;
  for (let at = start; at < end; ) {
    pattern.lastIndex = at;
    const match = pattern.exec(note);
    let stop = Math.min(end, match && match[0].length ? at + match[0].length : at + 1);
    let from = at;
    while (from < stop && /\s/.test(note[from])) from++;
    let to = stop;
    while (to > from && /\s/.test(note[to - 1])) to--;
    if (to > from) clauses.push([from, to]);
    at = stop;
  }
  return clauses;
}
