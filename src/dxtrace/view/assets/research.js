/* Measuring answers against each other: agreement, evidence in common, where paths part; over one case and over a library. */

/** Return the readings in pairs, the first (a reference, if there is one) with each other one. */
function readingPairs(found) {
  const [first, ...others] = found.readings;
  return others.map((other) => [first, other]);
}

/**
 * Return how the evidence of `other` agrees with that of `first`: `{precision, recall, f1}`, null where one has none. A quote
 * of one is found in the other if both share at least half of the shorter one.
 */
function evidenceAgreement(note, first, other) {
  const spans = (reading) => evidenceSpans(note, reading.steps, reading.path).filter((span) => !span.also);
  const [a, b] = [spans(first), spans(other)];
  if (!a.length || !b.length) return null;
  const met = (list, others) => list.filter((span) => others.some((one) => sameEvidence(span, one))).length / list.length;
  const [precision, recall] = [met(b, a), met(a, b)];
  return { precision, recall, f1: precision + recall ? (2 * precision * recall) / (precision + recall) : 0 };
}

/** Return what two readings of a note come to: `{same, category, node, evidence}`; `node` is the first at which paths part. */
function comparePair(note, first, other) {
  const at = partingOf([first.path, other.path]);
  return {
    same: first.diagnosis === other.diagnosis && first.status === other.status,
    category: first.category === other.category,
    node: at === Infinity ? "" : `${first.path[at] || "(stops)"} / ${other.path[at] || "(stops)"}`,
    evidence: evidenceAgreement(note, first, other),
  };
}

/** Return the probability that a reading gives its own diagnosis, or null. */
function probabilityOf(reading) {
  const entry = (reading.differential || []).find((one) => one.diagnosis === reading.diagnosis);
  return entry ? entry.probability : null;
}

/** True if a case's answers are what a filter asks for. */
function agreesWith(found, asked) {
  const pairs = readingPairs(found).map(([first, other]) => comparePair(found.note, first, other));
  if (asked === "agree") return pairs.length > 0 && pairs.every((pair) => pair.same);
  if (asked === "disagree") return pairs.some((pair) => !pair.same);
  if (asked === "doubtful") return found.readings.some((reading) => reading.steps.some(isDoubtful));
  if (asked === "no diagnosis") return found.readings.some(abstains);
  const reference = found.readings.find((reading) => reading.reference);
  return !!reference && found.readings.some((reading) => !isRight(reading.diagnosis || "", reference, PAGE.diagnoses));
}

/** Return the mean of numbers; null of none. */
function meanOf(numbers) {
  return numbers.length ? numbers.reduce((sum, number) => sum + number, 0) / numbers.length : null;
}

/** Return a table of agreement, one row for each reading beside the first: over one case or many. */
function agreementTable(cases, nameOf = (reading) => reading.label) {
  const rows = new Map();
  for (const found of cases) {
    for (const [first, other] of readingPairs(found)) {
      const name = `${nameOf(other, found)} beside ${nameOf(first, found)}`;
      if (!rows.has(name)) rows.set(name, []);
      rows.get(name).push(comparePair(found.note, first, other));
    }
  }
  if (!rows.size) return null;
  const share = (pairs, key) => percent(pairs.filter((pair) => pair[key]).length / pairs.length);
  const mean = (pairs, key) => {
    const value = meanOf(pairs.filter((pair) => pair.evidence).map((pair) => pair.evidence[key]));
    return value === null ? "–" : value.toFixed(2);
  };
  const head = ["", "Cases", "Same diagnosis", "Same category", "Evidence precision", "recall", "F1"];
  return h("div", { class: "sideways", tabindex: "0", role: "group", "aria-label": "Agreement, a table" }, h("table", { class: "numbers" },
    h("thead", {}, h("tr", {}, head.map((text, at) => (at ? h("th", { scope: "col" }, text) : h("td", {}))))),
    h("tbody", {}, [...rows].map(([name, pairs]) => h("tr", {}, h("th", { scope: "row" }, name), [pairs.length, share(pairs, "same"), share(pairs, "category"), mean(pairs, "precision"), mean(pairs, "recall"), mean(pairs, "f1")].map((value) => h("td", {}, value)))))));
}

const READING_COLUMNS = ["case", "reading", "status", "diagnosis", "category", "probability", "steps", "doubtful_steps", "beside", "same_diagnosis", "same_category", "parts_at", "evidence_precision", "evidence_recall", "evidence_f1"];

/** Return one row for each reading of each case, for a spreadsheet. */
function readingRows(cases) {
  const rows = [];
  for (const found of cases) {
    found.readings.forEach((reading, at) => {
      const own = [found.id, reading.label, reading.status, reading.diagnosis, reading.category, probabilityOf(reading)?.toFixed(4), reading.steps.length, reading.steps.filter(isDoubtful).length];
      const pair = at ? comparePair(found.note, found.readings[0], reading) : null;
      const evidence = pair && pair.evidence;
      rows.push([...own, ...(pair ? [found.readings[0].label, pair.same, pair.category, pair.node, evidence?.precision.toFixed(4), evidence?.recall.toFixed(4), evidence?.f1.toFixed(4)] : Array(7).fill(""))]);
    });
  }
  return rows;
}

/** Return what a researcher takes out of a library: agreement over the cases in the list, CSV, and the votes on steps. */
function researchPanel(data, shown) {
  const cases = () => shown().map(caseAt);
  const all = () => data.cases.map((_, index) => caseAt(index));
  const voted = () => all().filter((found) => Object.keys(readVotes(found)).length);
  const table = h("div", {});
  const button = (text, make) => h("button", { type: "button", class: "button small", on: { click: make } }, text);
  return h("details", { class: "card panel", on: { toggle: () => fill(table, agreementTable(cases())) } }, h("summary", {}, "For research"),
    h("div", { class: "stack" }, table, h("p", { class: "fine muted" }, "Over the cases in the list. Evidence is the same where two quotes share at least half of the shorter one; figures are means over cases."),
      h("div", { class: "row" }, button("Save the list as CSV", () => download("answers.csv", "text/csv", csvText(READING_COLUMNS, readingRows(cases())))),
        button("Save votes (JSONL)", () => download("votes.jsonl", "application/x-ndjson", votePairs(all()))),
        button("Save voted cases (JSONL)", () => download("cases.jsonl", "application/x-ndjson", caseLines(voted()))))));
}
