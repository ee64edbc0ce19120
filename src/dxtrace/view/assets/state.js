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

/** Return what the catalogue knows of a node or category: `{name, full, code, ...}`; the name alone of another. */
function illness(name) {
  return PAGE.diagnoses.find((entry) => entry.name === name) || { name, full: name, code: null };
}

/** Return the heading of an answer: the diagnosis in full and large, or smaller what stands in its place. */
function headlineNode(reading, tag = "h1") {
  const open = reading.status === "type_open" && reading.diagnosis;
  const text = reading.diagnosis ? illness(reading.diagnosis).full : headlineOf(reading);
  return h(tag, { tabindex: tag === "h1" ? "-1" : null, class: reading.diagnosis ? null : "abstains" }, text,
    open ? h("span", { class: "open-type" }, " type not stated") : null);
}

/** Return the line of names under a headline: abbreviation, code, and how sure dxtrace is. */
function codesLine(reading) {
  if (!reading.diagnosis) return null;
  const known = illness(reading.diagnosis);
  const top = (reading.differential || []).find((entry) => entry.diagnosis === reading.diagnosis);
  const parts = [
    known.full === known.name ? null : h("strong", {}, known.name),
    known.code ? h("span", { title: "ICD-10-CM 2025" }, `ICD-10-CM ${known.code}`) : null,
    top ? h("span", {}, h("span", { class: "wide-only" }, "dxtrace gives it "), h("strong", {}, percent(top.probability)), h("span", { class: "narrow-only" }, " sure")) : null,
    reading.reference ? "reference" : null,
  ].filter(Boolean);
  return h("p", { class: "codes" }, parts.map((part, at) => [at ? " · " : null, part]));
}

/** Return what would decide a type that is left open, or null. */
function undecidedNode(reading) {
  const premises = reading.undecided || [];
  if (!premises.length) return null;
  return h("div", { class: "notice", role: "note" }, h("strong", {}, "What would decide the type:"), h("ul", { class: "bullets" }, premises.map((text) => h("li", {}, text))));
}

const NONE_IS_AN_ANSWER = " The candidates below are the nearest; none of them is an answer.";

/** Return the sentence under the headline: in words of the note, what settles the diagnosis and what raised it. */
function leadLine(reading, point) {
  if (!reading.status && !reading.diagnosis) return h("p", { class: "lead" }, "Every diagnosis is ranked; now the note is searched for what bears one out.");
  if (reading.status === "not_supported") return h("p", { class: "lead" }, "Nothing in the note bears out a diagnosis.", NONE_IS_AN_ANSWER);
  if (reading.status === "out_of_scope") {
    const share = reading.out_of_scope;
    return h("p", { class: "lead" }, share === null || share === undefined ? "Probably none of them fits." : [h("strong", {}, percent(share)), " that none of them fits."], NONE_IS_AN_ANSWER);
  }
  const { settled, raised } = whatSpeaks(reading);
  const said = [];
  if (settled.length) said.push("Settled by ", quotesOf(settled, point));
  if (settled.length && raised.length) said.push("; raised by ");
  else if (raised.length) said.push("Raised by ");
  said.push(quotesOf(raised, point));
  if (!settled.length && !raised.length) said.push(count(reading.steps.length, "piece"), " of evidence in the note ", reading.steps.length === 1 ? "leads" : "lead", " to it");
  if (reading.status === "type_open") said.push("; which type it is, the note does not say");
  return h("p", { class: "lead" }, said, ".", doubtText(reading), againstText(reading));
}

/** Return the steps that settle a diagnosis (at its end, the weightiest) and those that raised it before, at most two each. */
function whatSpeaks(reading) {
  const order = { strong: 0, supportive: 1, weak: 2 };
  const sure = reading.steps.filter((step) => !isDoubtful(step));
  const best = (steps) => [...steps].sort((a, b) => (order[a.weight] ?? 1) - (order[b.weight] ?? 1)).slice(0, 2);
  const end = reading.path[reading.path.length - 1];
  const last = sure.filter((step) => step.supports === end);
  return { settled: best(last), raised: best(sure.filter((step) => step.supports !== end)) };
}

/** Return quotes in a row, each a link to its step; long ones are cut between words. On a narrow screen the first stands alone. */
function quotesOf(steps, point) {
  return steps.map((step, at) => {
    const text = shortened(step.evidence.text, NARROW.matches ? 36 : 48);
    const go = (event) => {
      event.preventDefault();
      point(String(step.number));
    };
    const link = point ? h("a", { href: "#", role: "button", class: "said", "aria-label": `${text}: step ${step.number}`, on: { click: go } }, text) : h("span", { class: "said" }, text);
    return h("span", { class: at ? "wide-only" : null }, at ? " and " : "", h("q", { dir: "auto" }, link));
  });
}

/** Return a text in one line of at most `most` characters, cut between words. */
function shortened(text, most) {
  const line = text.trim().split(/\s+/).join(" ");
  if (line.length <= most) return line;
  const cut = line.slice(0, most);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(" "), most - 15))} …`;
}

/** Return how often the model is right and on what, from its card; null where nobody has measured it. */
function trustLine(reading) {
  const trust = reading.trust || (PAGE.trust || {})[(reading.model || {}).adapter_sha256];
  if (!trust || reading.reference) return null;
  const of = (share, all) => `${Math.round(share * all)} of ${all}`;
  const types = trust.of ? `, and the diagnosis in ${of(trust.diagnosis, trust.of)}` : "";
  return h("p", { class: "fine muted trust" }, `How often it is right: of ${trust.cases} ${trust.on} this model named the right category in ${of(trust.category, trust.cases)}, had it among its first three in ${of(trust.top_3, trust.cases)}${types}.`);
}

/** Return the best other categories in one line, or null. */
function rivalsLine(reading) {
  const others = byCategory(reading).filter((group) => group.category !== reading.category).slice(0, 3);
  if (!others.length || abstains(reading)) return null;
  return h("p", { class: "rivals fine" }, h("span", { class: "muted" }, "What else: "), others.map((group, at) => [at ? ", " : "", group.category, " ", h("span", { class: "muted" }, percent(group.probability))]));
}

const WEIGHT_DOTS = { strong: "●●●", supportive: "●●○", weak: "●○○" };

const WEIGHT_MEANS = "How much a finding tells: strong, a criterion of the illness or found in it at least 15 times as often as over all illnesses that dxtrace knows; supportive, 5 times; weak, less, or who the patient is.";

/** Return the weight of a step as dots and a word, or null where nothing is known. */
function weightNode(step) {
  if (!step.weight) return null;
  return h("span", { class: `weight ${step.weight}`, title: WEIGHT_MEANS }, h("span", { "aria-hidden": "true" }, WEIGHT_DOTS[step.weight]), ` ${step.weight}`);
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

/** Return the warning of a step whose quote perhaps does not state what its reason needs, or null. */
function doubtNode(step) {
  return isDoubtful(step) ? h("p", { class: "doubt-text" }, `Doubtful: the quote states it with ${percent(step.probability)}`) : null;
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
