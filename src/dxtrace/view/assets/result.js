/* One answer: head, path, steps, differential, beside the note. Steps may arrive one by one. */

/** One reading of one note on the page: `found` is `{id, note, sections}`, `reading` the JSON form of a result. */
class ResultView {
  constructor(found, reading, options = {}) {
    this.found = found;
    this.reading = reading;
    this.options = options;
    this.pinned = null;
    this.preview = null;
    this.scroller = null;
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
    this.tail = h("div", { class: "stack" });
    this.stepsTitle = h("h2", {}, "Why");
    this.stepsHead = h("div", { class: "steps-head" }, this.stepsTitle,
        h("p", { class: "fine muted hint" }, h("span", { class: "wide-only" }, "Point at a step to see its line in the note. Click or Enter keeps it, Esc lets go, arrows move."),
          h("span", { class: "narrow-only" }, "Tap a step to see its line in the note.")));
    const work = h("div", { class: "work" }, this.stepsHead, this.reasons, this.tail);
    append(this.root, [this.headBox, h("div", { class: "panes" }, work, pane)]);
    this.showHead();
    this.showSteps();
    this.showTail();
    this.showNote();
    NARROW.addEventListener("change", () => this.placeDifferential());
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
    fill(this.headBox,
      h("div", { class: "stack", style: { gap: ".25rem" } },
        h("p", { class: "eyebrow" }, eyebrowText(reading), reading.category ? ` · ${reading.category}` : ""),
        headlineNode(reading),
        reading.status && reading.path.length ? pathList(reading.path) : null,
        leadLine(reading),
        undecidedNode(reading),
        (reading.warnings || []).map((text) => h("p", { class: "notice", role: "note" }, "Warning: ", text))));
    this.placeDifferential();
  }

  /** The differential stands beside the diagnosis, on a narrow screen and where no illness is named below it. */
  placeDifferential() {
    if (!this.bars || this.bars.reading !== this.reading) this.bars = { reading: this.reading, node: differentialCard(this.reading) };
    if (!this.bars.node) return;
    if (abstains(this.reading)) this.reasons.before(this.bars.node);
    else if (NARROW.matches) this.tail.prepend(this.bars.node);
    else this.headBox.append(this.bars.node);
  }

  showSteps() {
    fill(this.list);
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
    const path = this.reading.path;
    return h("section", { class: `stage stage-${stageOf(path.indexOf(step.supports), path.length)}`, "data-node": step.supports },
      h("h3", {}, step.supports), h("ol", {}));
  }

  stepNode(step) {
    const number = step.number;
    const key = `${this.options.prefix || "s"}${number}`;
    const grounded = evidenceSpans(this.found.note, [step], this.reading.path).length > 0;
    const label = [h("span", { class: "badge" }, h("span", { class: "hidden" }, "Step "), number), h("span", {}, step.rationale)];
    return this.card(String(number), `step card${isDoubtful(step) ? " doubt" : ""}`, key, label, step,
      [stepProbability(step), grounded ? null : h("span", { class: "ungrounded" }, " · not found at this place of the note")]);
  }

  againstNode(item, letter) {
    const key = `${this.options.prefix || "s"}${letter}`;
    const label = [h("span", { class: "badge" }, h("span", { class: "hidden" }, "Evidence against "), letter),
      h("span", {}, h("strong", { class: "verdict" }, againstWords(item), ". "), item.rationale)];
    return this.card(letter, "step counter card", key, label, item, null);
  }

  /** Return the card of a step or a contradiction: pointing at it lights its evidence, a click keeps that. */
  card(number, kind, key, label, item, remarks) {
    const button = h("button", {
      type: "button", "aria-pressed": "false", "aria-describedby": `${key}-quote`, "data-number": number,
      on: { focus: () => this.show(number, true), blur: () => this.show(null, false) },
    }, label);
    return h("li", {
      class: kind, "data-number": number,
      on: {
        mouseenter: () => this.show(number, false), mouseleave: () => this.show(this.focused(), false),
        click: () => String(getSelection()) === "" && this.pin(this.pinned === number ? null : number),
      },
    }, button,
    h("blockquote", { id: `${key}-quote` }, h("span", { class: "hidden" }, "Evidence: "), h("span", { class: "quote", dir: "auto" }, item.evidence.text),
      h("span", { class: "fine" }, ` — ${sectionName(item.evidence.section)}`), remarks),
    item.premise ? h("p", { class: "source" }, "Knowledge: ", item.premise.source) : h("p", { class: "source" }, ""));
  }

  showTail() {
    const reading = this.reading;
    fill(this.tail,
      this.options.pending ? null : h("div", { class: "row tools" }, resultTools(this.found, reading)),
      this.options.pending ? null : aboutCard(reading));
    this.placeDifferential();
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
    return announce(`${name}, evidence in ${sectionName(step.evidence.section)}: ${step.evidence.text}.${again}`);
  }

  /** Return the number of the step that has the focus, or null. */
  focused() {
    const button = document.activeElement && document.activeElement.closest(".step > button");
    return button && this.reasons.contains(button) && button.matches(":focus-visible") ? button.dataset.number : null;
  }

  clear() {
    this.pinned = null;
    this.preview = null;
    this.light(false);
    announce("Nothing pinned");
  }

  light(scroll) {
    const number = this.preview ?? this.pinned;
    const first = lightMarks(this.note, number);
    for (const item of this.reasons.querySelectorAll(".step")) {
      const mine = item.dataset.number;
      item.classList.toggle("active", mine === number);
      item.classList.toggle("pinned", mine === this.pinned);
      item.querySelector("button").setAttribute("aria-pressed", String(mine === this.pinned));
    }
    if (first && scroll) scrollInside(this.scroller, first, false);
  }

  /** A click on a mark pins its step; further clicks go through the steps that share it. */
  clickNote(event) {
    const mark = event.target.closest("mark.evidence, mark.also");
    if (!mark || String(getSelection())) return;
    const numbers = (mark.dataset.steps || mark.dataset.also).split(" ");
    const next = numbers[(numbers.indexOf(this.pinned) + 1) % numbers.length];
    this.pin(next);
    const item = this.reasons.querySelector(`.step[data-number="${next}"]`);
    if (item) item.scrollIntoView({ block: "nearest" });
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

/** Return a path as a list of nodes in their colours; `apart` is the place from which it differs from another. */
function pathList(path, apart = Infinity) {
  return h("ol", { class: "path", "aria-label": "From suspicion to diagnosis" },
    path.map((node, at) => h("li", { class: `stage-${stageOf(at, path.length)}` }, h("span", { class: `node${at >= apart ? " apart" : ""}` }, node))));
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
  const text = () => download(fileName(found.id, ".txt"), "text/plain", `${[answerText(reading), ...answerRemarks(reading), PAGE.disclaimer].join("\n\n")}\n`);
  const plain = ({ label, reference, categories, known_categories, ...result }) => ({ id: found.id, note: found.note, ...result, text: answerText(reading) });
  const json = () => download(fileName(found.id, ".json"), "application/json", JSON.stringify(plain(reading)));
  return [
    h("button", { type: "button", class: "button small", on: { click: text } }, "Text"),
    h("button", { type: "button", class: "button small", on: { click: json } }, "JSON"),
    h("button", { type: "button", class: "button small", on: { click: () => print() } }, "Print"),
  ];
}
