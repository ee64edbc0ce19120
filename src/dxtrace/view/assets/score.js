/* What a student's answer is worth against the reference, and why. Pure functions: no page, no storage. */

const PLACE_POINTS = [50, 35, 25, 15, 15];
const EVIDENCE_POINTS = 50;

/** Points of a piece of evidence by its weight; one of unknown weight counts as supportive. */
const WEIGHT_POINTS = { strong: 3, supportive: 2, weak: 1 };

/** What begins a sentence that says what is not there. */
const NEGATIVE = /^(?:[-+*•\s]*)(?:no\b|not\b|nor\b|denie[sd]|without|negative|never|absent|free of|\(-\)|neg\b|(?:he|she|the patient|pt) (?:has |had )?(?:denie[sd]|no\b|not\b|does not|did not))/i;

/** Fold case, punctuation, spaces, British spelling and plural: what makes two spellings of a name equal. */
function folded(name) {
  const plain = name.toLowerCase().replace(/\u2019/g, "'").replace(/'s/g, "").replace(/ae|oe/g, "e").replace(/our\b/g, "or").replace(/[^a-z0-9]+/g, " ");
  return plain.trim().split(" ").map((word) => (word.length > 3 ? word.replace(/s$/, "") : word)).join(" ");
}

/** Return the catalogue's entry that a name, an alias or a short form stands for, or null. */
function diagnosisNamed(name, catalogue) {
  const key = folded(name);
  const own = catalogue.find((entry) => folded(entry.name) === key || folded(entry.full || "") === key);
  return own || catalogue.find((entry) => entry.aliases.some((known) => folded(known) === key)) || null;
}

/** Return the entries whose names are most like a text, best first, at most three: by shared pairs of letters (Dice). */
function nearestNames(name, catalogue) {
  const pairs = (text) => new Set([...folded(text)].map((_, at, all) => all.slice(at, at + 2).join("")).filter((pair) => pair.length === 2));
  const wanted = pairs(name);
  const likeness = (text) => {
    const other = pairs(text);
    const shared = [...wanted].filter((pair) => other.has(pair)).length;
    return (2 * shared) / Math.max(1, wanted.size + other.size);
  };
  const scored = catalogue.map((entry) => ({ entry, score: Math.max(...[entry.name, ...entry.aliases].map(likeness)) }));
  return scored.filter(({ score }) => score > 0.35).sort((a, b) => b.score - a.score).slice(0, 3).map(({ entry }) => entry);
}

/** True if a name means the diagnosis of a reading, or with an open type any of its category. */
function isRight(name, reading, catalogue) {
  const entry = diagnosisNamed(name, catalogue);
  if (!reading.diagnosis || reading.status === "type_open") return !!entry && entry.category === reading.category;
  return folded(name) === folded(reading.diagnosis) || (!!entry && entry.name === reading.diagnosis);
}

/** Score a ranked list of diagnoses: full points for the right one at its place, half for the right category. */
function scoreDiagnosis(ranked, reading, catalogue) {
  if (!reading.diagnosis) return scoreCategory(ranked, reading, catalogue);
  let best = { points: 0, text: `${reading.diagnosis} is not on your list.` };
  ranked.slice(0, PLACE_POINTS.length).forEach((name, place) => {
    const entry = diagnosisNamed(name, catalogue);
    const same = isRight(name, reading, catalogue);
    const near = !same && entry && (entry.category === reading.category || reading.path.includes(entry.name));
    const points = same ? PLACE_POINTS[place] : near ? PLACE_POINTS[place] / 2 : 0;
    const where = place === 0 ? "first" : `number ${place + 1}`;
    const text = same ? `${name} is ${where} on your list.` : `${name}, ${where} on your list, is in the right category (${reading.category}), but the diagnosis is ${reading.diagnosis}.`;
    if (points > best.points) best = { points, text };
  });
  return best;
}

/** Score a ranked list against a reference that leaves the type open: full points for any diagnosis of its category. */
function scoreCategory(ranked, reading, catalogue) {
  const place = ranked.slice(0, PLACE_POINTS.length).findIndex((name) => isRight(name, reading, catalogue));
  if (place < 0) return { points: 0, text: `No diagnosis of ${reading.category} is on your list.` };
  return { points: PLACE_POINTS[place], text: `${ranked[place]}, ${place === 0 ? "first" : `number ${place + 1}`} on your list, is in the right category (${reading.category}); the reference leaves the type open.` };
}

/**
 * Compare marks `[start, end, side]` with the reference's evidence. A mark finds a quote if both share at least half of the
 * shorter one; a mark of which less than a quarter is evidence is too broad and finds nothing. What a mark says against
 * (`counter`, or a sentence that says what is not there) counts neither way. Found evidence counts by its weight.
 */
function scoreEvidence(marks, spans, counter = [], { note = "", weights = new Map() } = {}) {
  const numbers = [...new Set(spans.map((span) => span.number))];
  const evidence = mergedSpans(spans);
  const worth = (number) => WEIGHT_POINTS[weights.get(number)] || WEIGHT_POINTS.supportive;
  const found = new Set();
  const judged = marks.map(([start, end, side = "for"]) => {
    const mark = { start, end };
    const inside = evidence.reduce((sum, span) => sum + overlap(mark, span), 0);
    const hits = spans.filter((span) => sameEvidence(mark, span));
    const broad = hits.length > 0 && 4 * inside < end - start;
    const against = counter.some((span) => sameEvidence(mark, span));
    const negative = side === "against" || NEGATIVE.test(note.slice(start, end));
    if (!broad && side === "for") hits.forEach((span) => found.add(span.number));
    return { start, end, side, verdict: verdictOf({ broad, hit: hits.length > 0, side, against, negative }) };
  });
  const counted = judged.filter((mark) => !["against", "negative"].includes(mark.verdict)).length;
  const right = judged.filter((mark) => mark.verdict === "hit").length;
  const all = numbers.reduce((sum, number) => sum + worth(number), 0);
  const recall = all ? [...found].reduce((sum, number) => sum + worth(number), 0) / all : 0;
  const precision = counted ? right / counted : 0;
  const f1 = recall + precision ? (2 * recall * precision) / (recall + precision) : 0;
  return { judged, found: [...found], missed: numbers.filter((number) => !found.has(number)), recall, precision, points: Math.round(EVIDENCE_POINTS * f1) };
}

function verdictOf({ broad, hit, side, against, negative }) {
  if (hit && side === "against") return "turned";
  if (broad) return "broad";
  if (hit) return "hit";
  if (against) return "against";
  return negative ? "negative" : "over";
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
  const pattern = /[^\n]*?(?:[.;!?]+["”’')\]]*(?=\s)|\n|$)/y;
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
