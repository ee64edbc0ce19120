/* One answer: head, path, steps, differential, beside the note. Steps may arrive one by one. */

/** One reading of one note on the page: `found` is `{id, note, sections}`, `reading` the JSON form of a result. */
class ResultView {
  constructor(found, reading, options = {}) {
    this.found = found;
    this.reading = reading;
    this.options = options;
    this.pinned = null;
    this.preview = null;
    this.resting = true;
    this.sources = new Sources();
    this.list = h("div", { class: "steps" });
    this.against = h("section", { class: "against" });
    this.reasons = h("div", { class: "stack", on: { keydown: (event) => this.move(event) } }, this.list, this.against);
    this.root = h("div", { class: "result" });
    onEscape(() => this.clear());
    this.build();
  }

  build() {
    const { pane, scroller } = notePane(this.found.sections, null);
    this.scroller = scroller;
    scroller.addEventListener("click", (event) => this.clickNote(event));
    this.headBox = h("div", { class: "head" });
    this.tail = h("div", { class: "stack tail" });
    this.stepsHead = h("div", { class: "steps-head" }, h("h2", {}, "Evidence for it"), this.stepButtons());
    const work = h("div", { class: "work" }, this.headBox, this.stepsHead, this.reasons, this.tail);
    append(this.root, [h("div", { class: "panes" }, work, pane)]);
    this.showHead();
    this.showSteps();
    this.showTail();
    this.showNote();
    requestAnimationFrame(() => this.root.isConnected && this.light(true));
  }

  stepButtons() {
    const go = (change) => () => {
      const numbers = [...this.reasons.querySelectorAll(".step")].map((item) => item.dataset.number);
      const at = numbers.indexOf(this.lit());
      this.pin(numbers[Math.min(Math.max(at + change, 0), numbers.length - 1)] || null);
      this.seeStep();
    };
    return h("div", { class: "row tools", role: "group", "aria-label": "Go through the steps" },
      h("button", { type: "button", class: "button small", "aria-label": "Previous step", on: { click: go(-1) } }, "←"),
      h("button", { type: "button", class: "button small", "aria-label": "Next step", on: { click: go(1) } }, "→"));
  }

  /** The answer is whole: show what came with it, and leave the steps that the reader is on as they are. */
  finish(reading) {
    const parts = ({ steps, path, contradictions }) => JSON.stringify([steps, path, contradictions || []]);
    const changed = parts(reading) !== parts(this.reading);
    this.reading = reading;
    this.options.pending = false;
    this.showHead();
    if (changed) this.showSteps();
    this.showTail();
    this.showNote();
  }

  /** Add one step to an answer that is being written. */
  addStep(step) {
    this.reading.steps.push(step);
    this.showHead();
    this.placeStep(step);
    this.showNote();
  }

  showHead() {
    const reading = this.reading;
    const point = (number) => { this.pin(number); this.seeStep(); };
    fill(this.headBox,
      h("p", { class: "eyebrow" }, eyebrowText(reading), reading.category ? ` · ${reading.category}` : ""),
      headlineNode(reading), codesLine(reading), leadLine(reading, point),
      (reading.warnings || []).map((text) => h("p", { class: "notice", role: "note" }, "Warning: ", text)),
      undecidedNode(reading), h("div", { class: "wide-only" }, rivalsLine(reading), trustLine(reading)));
    if (abstains(reading)) append(this.headBox, [differentialCard(reading)]);
  }

  showSteps() {
    fill(this.list);
    this.sources = new Sources();
    for (const step of this.reading.steps) this.placeStep(step);
    const items = this.reading.contradictions || [];
    fill(this.against, items.length ? [h("h2", {}, "Evidence against"), h("ol", {}, items.map((item, at) => this.againstNode(item, letterOf(at))))] : null);
    this.stepsHead.hidden = !this.reading.steps.length;
  }

  /** Append a step to the group of the node that it supports; a new group begins where the node changes. */
  placeStep(step) {
    let group = this.list.lastElementChild;
    if (!group || group.dataset.node !== step.supports) this.list.append((group = this.stageNode(step)));
    group.querySelector("ol").append(this.stepNode(step));
    this.stepsHead.hidden = false;
  }

  stageNode(step) {
    const stage = stageOf(this.reading.path.indexOf(step.supports), this.reading.path.length);
    return h("section", { class: `stage stage-${stage}`, "data-node": step.supports },
      h("h3", {}, illness(step.supports).full), h("ol", {}));
  }

  stepNode(step) {
    const number = step.number;
    const grounded = evidenceSpans(this.found.note, [step], this.reading.path).length > 0;
    return this.card(String(number), `step card${isDoubtful(step) ? " doubt" : ""}`, "Step ", step, h("span", {}, step.rationale),
      [doubtNode(step), grounded ? null : h("p", { class: "ungrounded" }, "Not found at this place of the note")]);
  }

  againstNode(item, letter) {
    const reason = [h("strong", { class: "verdict" }, againstWords(item), ". "), item.rationale];
    return this.card(letter, "step counter card", "Evidence against ", item, reason, null);
  }

  /** Return the card of a step or a contradiction: quote first, then the reason. Pointing lights the quote, a click keeps it lit. */
  card(number, kind, what, item, reason, remarks) {
    const key = `${this.options.prefix || "s"}${number}`;
    const section = sectionOf(this.found, item.evidence);
    const button = h("button", {
      type: "button", "aria-pressed": "false", "aria-describedby": `${key}-why`, "data-number": number,
      on: { focus: () => this.show(number, true), blur: () => this.show(null, false) },
    }, h("span", { class: "badge" }, h("span", { class: "hidden" }, what), number),
    h("span", { class: "quote", dir: "auto" }, item.evidence.text));
    return h("li", {
      class: kind, "data-number": number,
      on: {
        mouseenter: () => this.show(number, false), mouseleave: () => this.show(this.focused(), false),
        click: () => String(getSelection()) === "" && this.pin(this.pinned === number ? null : number),
      },
    }, button,
    h("div", { class: "why" }, h("p", { id: `${key}-why` }, reason, " ", item.premise ? this.sources.chip(item.premise.source) : null), remarks,
      h("p", { class: "meta" }, weightNode(item), section ? h("span", {}, section) : null)));
  }

  showTail() {
    const reading = this.reading;
    if (this.options.pending) {
      fill(this.tail, differentialCard(reading));
      return;
    }
    fill(this.tail, h("div", { class: "narrow-only" }, trustLine(reading)), abstains(reading) ? null : differentialCard(reading), findingsGrid(this.found, reading), pathCard(reading), this.sources.list(),
      voteCard(this.found, reading), h("div", { class: "row tools" }, resultTools(this.found, reading)), aboutCard(reading));
  }

  showNote() {
    const top = this.scroller.scrollTop;
    this.note = renderNote(this.found.note, this.found.sections, readingSpans(this.found.note, this.reading));
    fill(this.scroller, this.note);
    this.scroller.scrollTop = top;
    this.light(false);
  }

  /** Preview a step's evidence; null ends the preview. Pointing at it only lights; the keyboard's focus scrolls to it too. */
  show(number, scroll) {
    this.preview = number;
    this.light(scroll && number !== null);
  }

  /** Keep a step's evidence lit; null lets go. */
  pin(number) {
    this.pinned = number;
    this.preview = null;
    this.light(number !== null);
    if (number === null) return announce("Nothing pinned");
    const step = this.reading.steps.find((item) => String(item.number) === number) || this.reading.contradictions.find((_, at) => letterOf(at) === number);
    const name = step.number ? `Step ${number}` : `Evidence against, ${number}`;
    const also = this.note.querySelectorAll(`mark[data-also~="${number}"]`).length;
    const again = also ? ` The same words stand in the note again.` : "";
    return announce(`${name}, evidence in ${sectionOf(this.found, step.evidence) || "the note"}: ${step.evidence.text}.${again}`);
  }

  /** Return the number of the step that has the focus, or null. */
  focused() {
    const button = document.activeElement && document.activeElement.closest(".step > button");
    return button && this.reasons.contains(button) && button.matches(":focus-visible") ? button.dataset.number : null;
  }

  clear() {
    this.pinned = null;
    this.preview = null;
    this.resting = false;
    this.light(false);
    announce("Nothing pinned");
  }

  /** Return the number of what is lit: what is pointed at, else pinned, else at first the first step. */
  lit() {
    const first = this.resting && this.reading.steps.length ? String(this.reading.steps[0].number) : null;
    return this.preview ?? this.pinned ?? first;
  }

  light(scroll) {
    const number = this.lit();
    const first = lightMarks(this.note, number);
    for (const item of this.reasons.querySelectorAll(".step")) {
      const mine = item.dataset.number;
      item.classList.toggle("active", mine === number);
      item.classList.toggle("pinned", mine === this.pinned);
      item.querySelector("button").setAttribute("aria-pressed", String(mine === this.pinned));
    }
    if (first && scroll) scrollInside(this.scroller, first, false);
  }

  /** Bring the card of the pinned step into view. */
  seeStep() {
    const item = this.reasons.querySelector(`.step[data-number="${this.pinned}"]`);
    if (item) item.scrollIntoView({ block: "nearest" });
  }

  /** A click on a mark pins its step; further clicks go through the steps that share it. */
  clickNote(event) {
    const mark = event.target.closest("mark.evidence, mark.also");
    if (!mark || String(getSelection())) return;
    const numbers = (mark.dataset.steps || mark.dataset.also).split(" ");
    const next = numbers[(numbers.indexOf(this.pinned) + 1) % numbers.length];
    this.pin(next);
    this.seeStep();
  }

  move(event) {
    const change = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!change) return;
    const buttons = [...this.reasons.querySelectorAll(".step > button")];
    const at = buttons.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    buttons[Math.min(Math.max(at + change, 0), buttons.length - 1)].focus();
  }
}

function eyebrowText(reading) {
  if (abstains(reading)) return "No diagnosis";
  return reading.reference ? "Reference diagnosis" : "Diagnosis";
}

/** Return the section that evidence stands in, as people name it; null where the note gives it no heading. */
function sectionOf(found, evidence) {
  const first = found.sections[0];
  if (first && !found.note.slice(0, first.start).trim() && evidence.start < first.end) return null;
  return sectionName(evidence.section);
}

/** Return a path as a list of nodes; one that no step supports is drawn hollow. */
function pathList(path, steps = null) {
  const borne = (node) => !steps || steps.some((step) => step.supports === node);
  return h("ol", { class: "path", "aria-label": "From suspicion to diagnosis" },
    path.map((node, at) => h("li", { class: `stage-${stageOf(at, path.length)}` },
      h("span", { class: `node${borne(node) ? "" : " hollow"}`, title: borne(node) ? null : "No step supports this node by itself" }, node))));
}

function pathCard(reading) {
  if (reading.path.length < 2) return null;
  return h("section", { class: "path-card" }, h("h2", {}, "From suspicion to diagnosis"), pathList(reading.path, reading.steps));
}

/** The sources of an answer: each is named once, in a list at the end, and cited by its number. */
class Sources {
  constructor() {
    this.names = [];
  }

  /** Return the chip of a source; it names it when pointed at, and leads to its line in the list. */
  chip(name) {
    if (!this.names.includes(name)) this.names.push(name);
    const number = this.names.indexOf(name) + 1;
    const go = (event) => {
      event.stopPropagation();
      const line = this.node && this.node.querySelector(`[data-source="${number}"]`);
      if (line) line.focus();
    };
    return h("button", { type: "button", class: "chip", title: name, "aria-label": `Source ${number}: ${name}`, on: { click: go } }, number);
  }

  list() {
    if (!this.names.length) return null;
    this.node = h("section", { class: "sources" }, h("h2", {}, "Sources"),
      h("ol", {}, this.names.map((name, at) => h("li", { tabindex: "-1", "data-source": at + 1 }, name))));
    return this.node;
  }
}

function aboutCard(reading) {
  const model = reading.model || {};
  const timing = reading.timing || {};
  const rows = [
    ["Read by", reading.label],
    ["Model", model.name],
    ["Base SHA-256", model.base_sha256],
    ["Adapter SHA-256", model.adapter_sha256],
    ["Time", timing.total_s ? `${timing.total_s.toFixed(1)} s, ${count(timing.prefill_tokens, "token")} read, ${timing.decode_tokens.toLocaleString("en")} written` : null],
  ].filter(([, value]) => value);
  if (!rows.length) return null;
  return h("details", { class: "about" }, h("summary", {}, "About this answer"),
    h("dl", {}, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

/** Return the answer in its published text form. */
function answerText(reading) {
  const flat = (text) => text.trim().split(/\s+/).join(" ");
  const steps = reading.steps.map((step) => `Step ${step.number}: ${step.rationale} Supporting evidence: ${flat(step.evidence.text)}`);
  return [`FINAL DIAGNOSIS: ${reading.headline || reading.diagnosis}`, ...steps].join("\n\n");
}

function resultTools(found, reading) {
  const name = found.id === "case" && reading.diagnosis ? `case-${reading.diagnosis.toLowerCase()}` : found.id;
  const text = () => download(fileName(name, ".txt"), "text/plain", `${[answerText(reading), ...answerRemarks(reading), PAGE.disclaimer].join("\n\n")}\n`);
  const plain = ({ label, reference, categories, known_categories, trust, ...result }) => ({ id: found.id, note: found.note, ...result, text: answerText(reading) });
  const json = () => download(fileName(name, ".json"), "application/json", JSON.stringify(plain(reading)));
  return [
    h("button", { type: "button", class: "button small", on: { click: text } }, "Download .txt"),
    h("button", { type: "button", class: "button small", on: { click: json } }, "Download .json"),
    h("button", { type: "button", class: "button small", on: { click: () => savePage(found, reading) } }, "Save as HTML"),
    h("button", { type: "button", class: "button small", on: { click: () => print() } }, "Print"),
  ];
}

/** Save one answer as a page of its own: this page's style and script, which its policy knows by their hashes, with the answer's data. */
function savePage(found, reading) {
  const saved = document.implementation.createHTMLDocument("dxtrace");
  const policy = document.querySelector("meta[http-equiv]").content.replace("connect-src 'self'", "connect-src 'none'");
  const head = { mode: "case", start: "read", disclaimer: PAGE.disclaimer, version: PAGE.version, doubtful: PAGE.doubtful, diagnoses: PAGE.diagnoses, trust: PAGE.trust };
  const one = { id: found.id, title: found.title, note: found.note, sections: found.sections, readings: [reading] };
  saved.documentElement.lang = "en";
  append(saved.head, [
    h("meta", { charset: "utf-8" }), h("meta", { "http-equiv": "Content-Security-Policy", content: policy }),
    h("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }), h("meta", { name: "referrer", content: "no-referrer" }),
    h("meta", { name: "generator", content: `dxtrace ${PAGE.version}` }), h("link", { rel: "icon", href: "data:," }),
    inert("style", {}, document.querySelector("style").textContent, saved),
  ]);
  append(saved.body, [
    h("noscript", {}, h("p", {}, PAGE.disclaimer), h("pre", {}, answerText(reading))), h("div", { id: "app" }),
    inert("script", { type: "application/json", id: "dxtrace-data" }, jsonBlock(head), saved),
    inert("script", { type: "application/json", id: "dxtrace-case-0" }, jsonBlock(one), saved),
    inert("script", {}, document.querySelector("script:not([type])").textContent, saved),
  ]);
  download(fileName(found.id, ".html"), "text/html", `<!doctype html>\n${saved.documentElement.outerHTML}`);
}

/** Make a style or script element of another document: there it is only written down, never run. */
function inert(tag, attributes, text, home) {
  const element = home.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

/** Return data as JSON in which no character can end a block or begin markup. */
function jsonBlock(data) {
  return JSON.stringify(data).replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
