/* After the commitment: score, what was found, missed and over-read, why it mattered; the session as a file. */

/** True if a mark was on something that the reference does not use. */
function isOverRead(mark) {
  return ["over", "broad", "turned"].includes(mark.verdict);
}

/** Return the feedback of a learning view as nodes. */
function feedback(view) {
  const { found, reading, progress } = view;
  const result = view.result();
  if (!result) return withoutKey(view);
  const steps = new Map(reading.steps.map((step) => [step.number, step]));
  const { missed, judged } = result.evidence;
  const numbers = (list) => list.map((number) => steps.get(number));
  return [
    h("section", { class: "panel card stack" }, h("h2", {}, "The diagnosis: ", reading.diagnosis ? illness(reading.diagnosis).full : headlineOf(reading)), codesLine(reading), pathList(reading.path), undecidedNode(reading),
      progress.gaveUp ? h("p", {}, "You had it shown; no score.") : scoreCard(result), courseLine(view), sourceLine(reading), differentialOf(view), nextRow(view)),
    findingList(view, "Missed", "miss", numbers(missed), "Nothing: you marked everything that the reference cites."),
    findingList(view, "Found", "hit", numbers(result.evidence.found), "None of the reference's evidence was marked."),
    againstList(view, judged),
    negativeList(found, judged.filter((mark) => mark.verdict === "negative")),
    overList(found, judged.filter(isOverRead)),
    h("div", { class: "row no-print" }, exportButtons(view, result),
      h("button", { type: "button", class: "button", on: { click: () => view.restart() } }, "Start again")),
  ];
}

/** Return what is shown after a commitment where the file holds no answers. */
function withoutKey(view) {
  const { progress } = view;
  return [h("section", { class: "panel card stack" }, h("h2", {}, "Your answer is kept"), differentialOf(view),
    h("p", {}, `${count(progress.marks.length, "mark")} in the note. This file holds no answers: save your sessions from the list of cases and hand them in.`), nextRow(view),
    h("div", { class: "row" }, h("button", { type: "button", class: "button", on: { click: () => view.restart() } }, "Start again")))];
}

function nextRow(view) {
  const next = view.where.next;
  return next ? h("div", { class: "row no-print" }, h("a", { class: "button primary", href: next }, "Next unsolved case")) : null;
}

/** Say from which part of the note on the right diagnosis stood on the student's list. */
function courseLine(view) {
  const { progress, reading, parts } = view;
  if (!progress.course.length) return null;
  const stages = [...progress.course, { part: progress.read, ranked: progress.ranked }];
  const first = stages.find((stage) => stage.ranked.some((name) => isRight(name, reading, PAGE.diagnoses)));
  return h("p", { class: "fine" }, first ? `The right diagnosis was on your list after part ${first.part} of ${parts.length}.` : `The right diagnosis was on your list after none of the ${count(parts.length, "part")}.`);
}

function sourceLine(reading) {
  return h("p", { class: "fine muted" }, reading.reference ? `Compared with: ${reading.label}.`
    : `Compared with ${reading.label}: a model's answer, not a physician's. It may be wrong.`);
}

function differentialOf(view) {
  const { ranked, confidence, summary } = view.progress;
  const named = (name) => (typeof confidence[name] === "number" ? `${name} (${confidence[name]}%)` : name);
  return h("p", {}, ranked.length ? `Your list: ${ranked.map(named).join(", ")}.` : "You named no diagnosis.", summary ? ` Your line: ${summary}` : "");
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
      h("p", {}, "Diagnosis: 50 points for the right one in first place, 35 second, 25 third, 15 fourth or fifth; half of that for the right category. Evidence: 50 points times F1, the balance (harmonic mean) of the share of the reference that you found and the share of your marks that the reference uses. Strong evidence counts three times, supportive twice, weak once. A mark finds a quote if both share at least half of the shorter one. A mark of which less than a quarter is evidence is too broad and finds nothing. Marks on what speaks against, and on what is tellingly absent, cost nothing.")));
}

/** Return a button that lights a finding in the note. */
function quoteButton(view, number, text) {
  const show = () => {
    const mark = lightMarks(view.scroller.querySelector(".note"), number);
    if (mark) scrollInside(view.scroller, mark, false);
  };
  return h("button", { type: "button", class: "quote", dir: "auto", on: { click: show } }, text);
}

function findingList(view, title, kind, steps, empty) {
  const item = (step) => h("li", { class: `finding card ${kind}` },
    h("p", { class: "verdict" }, `${title} · step ${step.number} · ${sectionName(step.evidence.section)} `, weightNode(step), isDoubtful(step) ? h("span", { class: "doubt-text" }, ` · the reference is unsure of this: ${percent(step.probability)}`) : null),
    quoteButton(view, step.number, step.evidence.text), h("p", {}, step.rationale),
    step.premise ? h("p", { class: "fine muted" }, "Knowledge: ", step.premise.source) : null);
  return h("section", {}, h("h2", {}, `${title} (${steps.length})`), steps.length ? h("ol", {}, steps.map(item)) : h("p", { class: "muted" }, empty));
}

/** Return what speaks against, and whether the student marked it. */
function againstList(view, judged) {
  const { reading, found } = view;
  const spans = againstSpans(found.note, reading.contradictions);
  if (!spans.length) return null;
  const marked = (span) => judged.some((mark) => mark.verdict === "against" && sameEvidence(mark, span));
  return h("section", {}, h("h2", {}, `Evidence against (${spans.length})`), h("ol", {}, reading.contradictions.map((item, at) => {
    const span = spans.find((one) => one.number === letterOf(at));
    return h("li", { class: "finding card counter" },
      h("p", { class: "verdict" }, againstWords(item), span && marked(span) ? " · you marked it" : ""),
      quoteButton(view, letterOf(at), item.evidence.text), h("p", {}, item.rationale));
  })));
}

function negativeList(found, marks) {
  if (!marks.length) return null;
  return h("section", {}, h("h2", {}, `Absent or against (${marks.length})`), h("p", { class: "fine muted" }, "What is not there narrows the list. The reference does not cite these; they cost nothing."),
    h("ol", {}, marks.map((mark) => h("li", { class: "finding card" }, h("p", { class: "quote", dir: "auto" }, found.note.slice(mark.start, mark.end))))));
}

function overList(found, marks) {
  if (!marks.length) return null;
  const why = {
    broad: ["Too broad", "Less than a quarter of it is evidence. Which words decide?"],
    turned: ["The other way round", "You marked it as speaking against; the reference takes it for evidence."],
    over: ["Only yours", "The reference does not use this. It may be true, normal, or fit another illness: would the diagnosis change without it?"],
  };
  return h("section", {}, h("h2", {}, `Not in the reference (${marks.length})`), h("ol", {}, marks.map((mark) => h("li", { class: "finding card over" },
    h("p", { class: "verdict" }, why[mark.verdict][0]),
    h("p", { class: "quote", dir: "auto" }, found.note.slice(mark.start, mark.end)), h("p", {}, why[mark.verdict][1])))));
}

function exportButtons(view, result) {
  const { found } = view;
  return [
    h("button", { type: "button", class: "button", on: { click: () => download(fileName(found.id, "-session.md"), "text/markdown", sessionMarkdown(view, result)) } }, "Save as Markdown"),
    h("button", { type: "button", class: "button", on: { click: () => download(fileName(found.id, "-session.json"), "application/json", JSON.stringify(sessionData(found, view.progress, view.parts.length), null, 2)) } }, "Save as JSON"),
  ];
}

/** Return a session as Markdown; what comes from the note is escaped so that it stays text. */
function sessionMarkdown(view, result) {
  const data = sessionData(view.found, view.progress, view.parts.length);
  const plain = (text) => text.replace(/\s+/g, " ").trim().replace(/[\\`*_{}[\]<>#|!&~]/g, "\\$&");
  const steps = (numbers) => data.reference.steps.filter((step) => numbers.includes(step.number))
    .map((step) => `- “${plain(step.evidence.text)}”: ${plain(step.rationale)}${step.premise ? ` (${plain(step.premise.source)})` : ""}`);
  const over = data.marks.filter(isOverRead).map((mark) => `- “${plain(mark.text)}”${mark.verdict === "broad" ? " (too broad)" : ""}`);
  const none = (lines) => (lines.length ? lines : ["- none"]);
  return [
    `# Case ${plain(data.id)}`, "", `Score: **${data.score.total} of 100** (diagnosis ${data.score.diagnosis} of 50, evidence ${data.score.evidence} of 50)`, "",
    plain(result.diagnosis.text), "", ...(data.summary ? [plain(data.summary), ""] : []), "## My differential", "", ...data.differential.map((name, at) => `${at + 1}. ${plain(name)}`), "",
    `## Reference: ${plain(data.reference.headline)}`, "", data.reference.path.map(plain).join(" → "), "",
    "### Found", "", ...none(steps(data.found)), "", "### Missed", "", ...none(steps(data.missed)), "",
    "### Not in the reference", "", ...none(over), "", `_${data.disclaimer}_`, "",
  ].join("\n");
}
