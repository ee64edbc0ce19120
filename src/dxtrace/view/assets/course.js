/* A student's sessions over a library: scores, calibration, one file for a class. All of it stays in this browser. */

/** Return a short key of a note, so that progress on one text is never shown on another. */
function noteKey(note) {
  let a = 0x811c9dc5;
  for (let at = 0; at < note.length; at++) a = Math.imul(a ^ note.charCodeAt(at), 0x01000193);
  return (a >>> 0).toString(36);
}

function newProgress() {
  return { revealed: 1, ranked: [], confidence: {}, marks: [], summary: "", course: [], committed: false };
}

/** Return what the browser remembers of a case; offsets and names only, never the note. */
function readProgress(found) {
  try {
    const kept = JSON.parse(remembered(`dxtrace.learn.${found.id}.${noteKey(found.note)}`) || "null");
    if (kept && Array.isArray(kept.ranked) && Array.isArray(kept.marks)) return { ...newProgress(), ...kept };
  } catch {
    /* what is damaged begins anew */
  }
  return newProgress();
}

/** Keep a case's progress in this browser. */
function writeProgress(found, progress) {
  remember(`dxtrace.learn.${found.id}.${noteKey(found.note)}`, progress && JSON.stringify(progress));
}

/** Return what a student's answer is compared with: the first reference, else the first reading that names an illness; or null. */
function answerToLearn(found) {
  const named = found.readings.filter((reading) => !abstains(reading));
  return named.find((reading) => reading.reference) || named[0] || null;
}

/** Return the result of a session: `{diagnosis, evidence, total}`; null without a key to compare with. */
function gradeSession(found, progress) {
  const reading = answerToLearn(found);
  if (!reading) return null;
  const spans = evidenceSpans(found.note, reading.steps, reading.path);
  const diagnosis = scoreDiagnosis(progress.ranked, reading, PAGE.diagnoses);
  const weights = new Map(reading.steps.map((step) => [step.number, step.weight]));
  const evidence = scoreEvidence(progress.marks, spans, againstSpans(found.note, reading.contradictions), { note: found.note, weights });
  return { diagnosis, evidence, total: Math.round(diagnosis.points + evidence.points) };
}

/** Return the sessions of a library that were committed: `{index, found, progress, result}`. */
function committedSessions(number) {
  const sessions = [];
  for (let index = 0; index < number; index++) {
    const found = caseAt(index);
    const progress = readProgress(found);
    if (progress.committed) sessions.push({ index, found, progress, result: progress.gaveUp ? null : gradeSession(found, progress) });
  }
  return sessions;
}

const CONFIDENCE_BINS = [[0, 20], [20, 40], [40, 60], [60, 80], [80, 100]];

/** Return, for each range of confidence, how many diagnoses the student gave it and how many of them were right. */
function calibrationBins(sessions) {
  const bins = CONFIDENCE_BINS.map(([low, high]) => ({ low, high, given: 0, right: 0 }));
  for (const { found, progress } of sessions) {
    const reading = answerToLearn(found);
    if (!reading || progress.gaveUp) continue;
    for (const name of progress.ranked) {
      const said = progress.confidence[name];
      if (typeof said !== "number") continue;
      const bin = bins.find((one) => said < one.high) || bins[bins.length - 1];
      bin.given++;
      if (isRight(name, reading, PAGE.diagnoses)) bin.right++;
    }
  }
  return bins;
}

/** Return the student's own calibration: how often diagnoses of a stated confidence were right. */
function calibrationCard(sessions) {
  const bins = calibrationBins(sessions).filter((bin) => bin.given);
  if (!bins.length) return null;
  const row = (bin) => {
    const share = bin.right / bin.given;
    return h("tr", {}, h("th", { scope: "row" }, `${bin.low} to ${bin.high}%`),
      h("td", { class: "gauge" }, h("span", { class: "track calibration", style: { "--low": `${bin.low}%`, "--high": `${bin.high}%` } }, h("span", { class: "fill", style: { "--p": `${share * 100}%` } }))),
      h("td", {}, `right ${bin.right} of ${bin.given}`));
  };
  return h("details", { class: "card panel" }, h("summary", {}, "How well your confidence fits"),
    h("table", { class: "bars" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "You said"), h("td", {}), h("th", { scope: "col" }, "It was"))), h("tbody", {}, bins.map(row))),
    h("p", { class: "fine muted" }, "The bar should end inside the marked range. To its left you were too sure, to its right too careful."));
}

/** Return a session as data; offsets are code points of the note, as in every result. */
function sessionData(found, progress, parts) {
  const points = (unit) => [...found.note.slice(0, unit)].length;
  const result = gradeSession(found, progress);
  const reading = answerToLearn(found);
  const verdicts = result ? result.evidence.judged : progress.marks.map(([start, end, side]) => ({ start, end, side: side || "for", verdict: "not judged" }));
  const session = {
    id: found.id, note: noteKey(found.note), differential: progress.ranked, confidence: progress.confidence, summary: progress.summary, course: progress.course,
    sections_read: progress.read, sections: parts, gave_up: !!progress.gaveUp,
    marks: verdicts.map(({ start, end, side, verdict }) => ({ text: found.note.slice(start, end), start: points(start), end: points(end), side, verdict })),
    disclaimer: PAGE.disclaimer,
  };
  if (!result) return session;
  const { diagnosis, evidence, total } = result;
  return {
    ...session,
    reference: { label: reading.label, status: reading.status, headline: headlineOf(reading), diagnosis: reading.diagnosis, path: reading.path, steps: reading.steps },
    found: evidence.found, missed: evidence.missed,
    score: { total, diagnosis: diagnosis.points, evidence: evidence.points, recall: evidence.recall, precision: evidence.precision },
  };
}

/** Return rows as CSV; what begins like a formula is made text, for those who open it in a spreadsheet. */
function csvText(head, rows) {
  const cell = (value) => {
    const text = String(value ?? "").replace(/\s+/g, " ");
    const safe = /^[=+\-@]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

const SESSION_COLUMNS = ["student", "case", "total", "diagnosis_points", "evidence_points", "recall", "precision", "first_diagnosis", "first_confidence", "summary", "gave_up"];

function sessionRow(student, session) {
  const score = session.score || {};
  const first = session.differential[0];
  return [student, session.id, score.total, score.diagnosis, score.evidence, score.recall?.toFixed(3), score.precision?.toFixed(3), first, (session.confidence || {})[first], session.summary, session.gave_up];
}

/** Return the panel that takes all sessions of a class or a student out of this browser, and grades what others handed in. */
function classPanel(number) {
  const student = h("input", { id: "student", class: "field", autocomplete: "off", maxlength: "60", placeholder: "a name or number" });
  const collect = () => committedSessions(number).map(({ found, progress }) => sessionData(found, progress, revealParts(found).length));
  const json = () => download("sessions.json", "application/json", JSON.stringify({ student: student.value.trim(), sessions: collect() }, null, 2));
  const csv = () => download("sessions.csv", "text/csv", csvText(SESSION_COLUMNS, collect().map((session) => sessionRow(student.value.trim(), session))));
  const said = h("p", { class: "fine muted", role: "status" });
  const files = h("input", { id: "handed-in", type: "file", class: "field", multiple: true, accept: ".json,application/json", on: { change: async () => (said.textContent = await gradeFiles([...files.files], number)) } });
  const key = Array.from({ length: number }, (_, index) => caseAt(index)).some((found) => answerToLearn(found));
  return h("details", { class: "card panel" }, h("summary", {}, "For a class"),
    h("div", { class: "stack" }, h("div", {}, h("label", { for: "student" }, "Who you are, for the file"), student),
      h("div", { class: "row" }, h("button", { type: "button", class: "button small", on: { click: json } }, "Save all sessions as JSON"), h("button", { type: "button", class: "button small", on: { click: csv } }, "as CSV")),
      key ? h("div", {}, h("label", { for: "handed-in" }, "Grade sessions that were handed in (JSON)"), files, said) : h("p", { class: "fine muted" }, "This file holds no answers: hand your sessions in to whoever has the key.")));
}

/** Grade files of sessions with the keys of this library and save the marks as CSV; return what was done. */
async function gradeFiles(files, number) {
  const cases = new Map(Array.from({ length: number }, (_, index) => [noteKey(caseAt(index).note), caseAt(index)]));
  const rows = [];
  let unknown = 0;
  for (const file of files) {
    let handed;
    try {
      handed = JSON.parse(await file.text());
    } catch {
      return `${file.name} is not JSON.`;
    }
    for (const session of handed.sessions || []) {
      const found = cases.get(session.note);
      if (found) rows.push(sessionRow(handed.student || file.name, sessionData(found, progressOf(session, found), session.sections)));
      else unknown++;
    }
  }
  if (!rows.length) return "No session in these files is on a case of this library.";
  download("marks.csv", "text/csv", csvText(SESSION_COLUMNS, rows));
  return `${count(rows.length, "session")} graded${unknown ? `; ${unknown} on other cases left out` : ""}.`;
}

/** Return the progress that a session tells of. */
function progressOf(session, found) {
  const toUnits = unitsOf(found.note);
  const marks = (session.marks || []).map((mark) => [toUnits(mark.start), toUnits(mark.end), mark.side || "for"]);
  return { ...newProgress(), ranked: session.differential || [], confidence: session.confidence || {}, summary: session.summary || "", marks, committed: true, gaveUp: !!session.gave_up };
}
