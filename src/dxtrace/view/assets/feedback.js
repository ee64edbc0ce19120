/* After the commitment: score, what was found, missed and over-read, why it mattered; the session as a file. */

/** Return the feedback of a learning view as nodes. */
function feedback(view) {
  const { found, reading } = view;
  const result = view.result();
  const steps = new Map(reading.steps.map((step) => [step.number, step]));
  const { missed, judged } = result.evidence;
  const over = judged.filter((mark) => mark.verdict === "over" || mark.verdict === "broad");
  return [
    h("section", { class: "panel card stack" }, h("h2", {}, "The diagnosis: ", headlineOf(reading)), pathList(reading.path), undecidedNode(reading), scoreCard(result), sourceLine(reading), differentialOf(view)),
    findingList("Missed", "miss", missed.map((number) => steps.get(number)), "Nothing: you marked everything that the reference cites."),
    findingList("Found", "hit", result.evidence.found.map((number) => steps.get(number)), "None of the reference's evidence was marked."),
    againstList(reading, judged, found),
    overList(found, over),
    h("div", { class: "row no-print" }, exportButtons(view, result),
      h("button", { type: "button", class: "button", on: { click: () => view.restart() } }, "Start again")),
  ];
}

function sourceLine(reading) {
  return h("p", { class: "fine muted" }, reading.reference ? `Compared with: ${reading.label}.`
    : `Compared with ${reading.label}: a model's answer, not a physician's. It may be wrong.`);
}

function differentialOf(view) {
  return h("p", {}, "Your list: ", view.progress.ranked.join(", "), ".");
}

function scoreCard({ diagnosis, evidence, total }) {
  const found = evidence.found.length;
  const all = found + evidence.missed.length;
  const right = evidence.judged.filter((mark) => mark.verdict === "hit").length;
  return h("div", { class: "score" },
    h("div", {}, h("span", { class: "total" }, total), h("span", { class: "muted" }, " of 100")),
    h("ul", { class: "fine" },
      h("li", {}, h("strong", {}, `Diagnosis ${diagnosis.points} of 50. `), diagnosis.text),
      h("li", {}, h("strong", {}, `Evidence ${evidence.points} of 50. `), `You found ${found} of ${all}; ${right} of ${count(evidence.judged.length, "mark")} of yours ${evidence.judged.length === 1 ? "is" : "are"} in the reference.`)),
    h("details", { class: "fine", style: { "grid-column": "1 / -1" } }, h("summary", {}, "How the score is made"),
      h("p", {}, "Diagnosis: 50 points for the right one in first place, 35 second, 25 third, 15 fourth or fifth; half of that for the right category. Evidence: 50 points times F1, the balance (harmonic mean) of the share of the reference that you found and the share of your marks that the reference uses. A mark finds a quote if both share at least half of the shorter one. A mark of which less than a quarter is evidence is too broad and finds nothing.")));
}

function findingList(title, kind, steps, empty) {
  return h("section", {}, h("h2", {}, `${title} (${steps.length})`),
    steps.length ? h("ol", {}, steps.map((step) => h("li", { class: `finding card ${kind}` },
      h("p", { class: "verdict" }, `${title} · step ${step.number} · ${sectionName(step.evidence.section)}`, isDoubtful(step) ? h("span", { class: "doubt-text" }, ` · the reference is unsure of this: ${percent(step.probability)}`) : null),
      h("p", { class: "quote", dir: "auto" }, step.evidence.text), h("p", {}, step.rationale),
      step.premise ? h("p", { class: "fine muted" }, "Knowledge: ", step.premise.source) : null))) : h("p", { class: "muted" }, empty));
}

/** Return what speaks against, and whether the student marked it. */
function againstList(reading, judged, found) {
  const spans = againstSpans(found.note, reading.contradictions);
  if (!spans.length) return null;
  const marked = (span) => judged.some((mark) => mark.verdict === "against" && sameEvidence(mark, span));
  return h("section", {}, h("h2", {}, `Evidence against (${spans.length})`), h("ol", {}, reading.contradictions.map((item, at) => {
    const span = spans.find((one) => one.number === letterOf(at));
    return h("li", { class: "finding card counter" },
      h("p", { class: "verdict" }, againstWords(item), span && marked(span) ? " · you marked it" : ""),
      h("p", { class: "quote", dir: "auto" }, item.evidence.text), h("p", {}, item.rationale));
  })));
}

function overList(found, marks) {
  if (!marks.length) return null;
  const why = (mark) => (mark.verdict === "broad" ? "Too broad: less than a quarter of it is evidence. Which words decide?"
    : "The reference does not use this. It may be true, normal, or fit another illness: would the diagnosis change without it?");
  return h("section", {}, h("h2", {}, `Over-read (${marks.length})`), h("ol", {}, marks.map((mark) => h("li", { class: "finding card over" },
    h("p", { class: "verdict" }, mark.verdict === "broad" ? "Too broad" : "Only yours"),
    h("p", { class: "quote", dir: "auto" }, found.note.slice(mark.start, mark.end)), h("p", {}, why(mark))))));
}

function exportButtons(view, result) {
  const { found } = view;
  return [
    h("button", { type: "button", class: "button", on: { click: () => download(fileName(found.id, "-session.md"), "text/markdown", sessionMarkdown(view, result)) } }, "Save as Markdown"),
    h("button", { type: "button", class: "button", on: { click: () => download(fileName(found.id, "-session.json"), "application/json", JSON.stringify(sessionData(view, result), null, 2)) } }, "Save as JSON"),
  ];
}

/** Return a session as data; offsets are code points of the note, as in every result. */
function sessionData(view, result) {
  const { found, reading, progress } = view;
  const points = (unit) => [...found.note.slice(0, unit)].length;
  return {
    id: found.id, differential: progress.ranked, sections_read: progress.read, sections: view.parts.length,
    marks: result.evidence.judged.map(({ start, end, verdict }) => ({ text: found.note.slice(start, end), start: points(start), end: points(end), verdict })),
    reference: { label: reading.label, status: reading.status, headline: headlineOf(reading), diagnosis: reading.diagnosis, path: reading.path, steps: reading.steps },
    found: result.evidence.found, missed: result.evidence.missed,
    score: { total: result.total, diagnosis: result.diagnosis.points, evidence: result.evidence.points, recall: result.evidence.recall, precision: result.evidence.precision },
    disclaimer: PAGE.disclaimer,
  };
}

/** Return a session as Markdown; what comes from the note is escaped so that it stays text. */
function sessionMarkdown(view, result) {
  const data = sessionData(view, result);
  const plain = (text) => text.replace(/\s+/g, " ").trim().replace(/[\\`*_{}[\]<>#|!&~]/g, "\\$&");
  const steps = (numbers) => data.reference.steps.filter((step) => numbers.includes(step.number))
    .map((step) => `- “${plain(step.evidence.text)}”: ${plain(step.rationale)}${step.premise ? ` (${plain(step.premise.source)})` : ""}`);
  const over = data.marks.filter((mark) => mark.verdict === "over" || mark.verdict === "broad").map((mark) => `- “${plain(mark.text)}”${mark.verdict === "broad" ? " (too broad)" : ""}`);
  const none = (lines) => (lines.length ? lines : ["- none"]);
  return [
    `# Case ${plain(data.id)}`, "", `Score: **${data.score.total} of 100** (diagnosis ${data.score.diagnosis} of 50, evidence ${data.score.evidence} of 50)`, "",
    plain(result.diagnosis.text), "", "## My differential", "", ...data.differential.map((name, at) => `${at + 1}. ${plain(name)}`), "",
    `## Reference: ${plain(data.reference.headline)}`, "", data.reference.path.map(plain).join(" → "), "",
    "### Found", "", ...none(steps(data.found)), "", "### Missed", "", ...none(steps(data.missed)), "",
    "### Over-read", "", ...none(over), "", `_${data.disclaimer}_`, "",
  ].join("\n");
}
