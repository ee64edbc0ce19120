/* What an answer decides, in words: a diagnosis, an open type, or none; what is doubtful, what speaks against. */

/** True if an answer names no illness at all. */
function abstains(reading) {
  return reading.status === "not_supported" || reading.status === "out_of_scope";
}

/** Return the headline of an answer; while it is being written nothing is decided. */
function headlineOf(reading) {
  const text = reading.headline || reading.diagnosis || "Not decided yet";
  return abstains(reading) ? text[0].toUpperCase() + text.slice(1) : text;
}

/** Return the heading of an answer: the diagnosis large, or smaller what stands in its place. */
function headlineNode(reading, tag = "h1") {
  const open = reading.status === "type_open" && reading.diagnosis;
  return h(tag, { tabindex: tag === "h1" ? "-1" : null, class: reading.diagnosis ? null : "abstains" }, headlineOf(reading),
    open ? h("span", { class: "open-type" }, " type not stated") : null);
}

/** Return what would decide a type that is left open, or null. */
function undecidedNode(reading) {
  const premises = reading.undecided || [];
  if (!premises.length) return null;
  return h("div", { class: "notice", role: "note" }, h("strong", {}, "What would decide the type:"), h("ul", { class: "bullets" }, premises.map((text) => h("li", {}, text))));
}

/** Return the sentence under the headline. */
function leadLine(reading) {
  const pieces = [h("strong", {}, count(reading.steps.length, "piece")), " of evidence in the note ", reading.steps.length === 1 ? "leads" : "lead"];
  if (!reading.status && !reading.diagnosis) return h("p", { class: "lead" }, "Every diagnosis is ranked; now the note is searched for what bears one out.");
  if (reading.status === "not_supported") return h("p", { class: "lead" }, "Nothing in the note bears out a diagnosis. The candidates below are the nearest; none of them is an answer.");
  if (reading.status === "out_of_scope") {
    const share = reading.out_of_scope;
    return h("p", { class: "lead" }, share === null || share === undefined ? "Probably none of them fits." : [h("strong", {}, percent(share)), " that none of them fits."], " The candidates below are the nearest; none of them is an answer.");
  }
  const top = (reading.differential || []).find((entry) => entry.diagnosis === reading.diagnosis);
  if (reading.diagnosis) pieces.push(" to it");
  else pieces.push(` to ${reading.category}`);
  if (reading.status === "type_open") pieces.push("; which type it is, the note does not say");
  else if (top) pieces.push("; dxtrace gives it ", h("strong", {}, percent(top.probability)));
  return h("p", { class: "lead" }, ...pieces, ".", doubtText(reading), againstText(reading));
}

function doubtText(reading) {
  const doubtful = reading.steps.filter(isDoubtful).length;
  if (!doubtful) return "";
  return ` ${doubtful === reading.steps.length ? "All" : doubtful} of them ${doubtful === 1 ? "is" : "are"} doubtful.`;
}

function againstText(reading) {
  const against = (reading.contradictions || []).filter((item) => item.against.some((node) => reading.path.includes(node))).length;
  return against ? ` ${count(against, "piece")} of the note ${against === 1 ? "speaks" : "speak"} against it.` : "";
}

/** True if the quote of a step perhaps does not state what the reason needs. */
function isDoubtful(step) {
  return typeof step.probability === "number" && step.probability < PAGE.doubtful;
}

/** Return how probably the quote of a step states what its reason needs, or null where nothing is known. */
function stepProbability(step) {
  if (typeof step.probability !== "number") return null;
  const text = `states it with ${percent(step.probability)}`;
  return isDoubtful(step) ? h("span", { class: "doubt-text" }, ` · doubtful: ${text}`) : h("span", { class: "fine" }, ` · ${text}`);
}

/** Return the letter of a contradiction: "a" for the first. */
function letterOf(at) {
  return String.fromCharCode(97 + Math.min(at, 25));
}

/** Return what a contradiction does to which diagnoses. */
function againstWords(item) {
  return `${item.strength === "veto" ? "Rules out" : "Speaks against"} ${item.against.join(", ")}`;
}

/** Return what an answer in text form cannot say, one line each: doubt, evidence against, warnings. */
function answerRemarks(reading) {
  const flat = (text) => text.trim().split(/\s+/).join(" ");
  return [
    ...(reading.undecided || []).map((text) => `Would decide the type: ${text}`),
    ...reading.steps.filter(isDoubtful).map((step) => `Doubtful: step ${step.number} states it with ${percent(step.probability)}`),
    ...(reading.contradictions || []).map((item) => `${againstWords(item)}: ${item.rationale} Evidence: ${flat(item.evidence.text)}`),
    ...(reading.warnings || []).map((text) => `Warning: ${text}`),
  ];
}
