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
    this.list = h("div", { class: "steps", on: { keydown: (event) => this.move(event) } });
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
    const work = h("div", { class: "work" },
      h("div", { class: "steps-head" }, this.stepsTitle,
        h("p", { class: "fine muted hint" }, h("span", { class: "wide-only" }, "Point at a step to see its line in the note. Click or Enter keeps it, Esc lets go, arrows move."),
          h("span", { class: "narrow-only" }, "Tap a step to see its line in the note."))),
      this.list, this.tail);
    append(this.root, [this.headBox, h("div", { class: "panes" }, work, pane)]);
    this.showHead();
    this.showSteps();
    this.showTail();
    this.showNote();
    NARROW.addEventListener("change", () => this.placeDifferential());
  }

  /** The answer is whole: show what came with it, and leave the steps that the reader is on as they are. */
  finish(reading) {
    const changed = JSON.stringify(reading.steps) !== JSON.stringify(this.reading.steps);
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
        h("p", { class: "eyebrow" }, reading.reference ? "Reference diagnosis" : "Diagnosis", ` · ${reading.category}`),
        h("h1", { tabindex: "-1" }, reading.diagnosis),
        pathList(reading.path),
        leadLine(reading),
        (reading.warnings || []).map((text) => h("p", { class: "notice", role: "note" }, "Warning: ", text))));
    this.placeDifferential();
  }

  /** The differential stands beside the diagnosis, on a narrow screen after the steps. */
  placeDifferential() {
    if (!this.bars || this.bars.reading !== this.reading) this.bars = { reading: this.reading, node: differentialCard(this.reading) };
    if (!this.bars.node) return;
    if (NARROW.matches) this.tail.prepend(this.bars.node);
    else this.headBox.append(this.bars.node);
  }

  showSteps() {
    fill(this.list);
    for (const step of this.reading.steps) this.placeStep(step);
  }

  /** Append a step to the group of the node that it supports; a new group begins where the node changes. */
  placeStep(step) {
    let group = this.list.lastElementChild;
    if (!group || group.dataset.node !== step.supports) this.list.append((group = this.stageNode(step)));
    group.querySelector("ol").append(this.stepNode(step));
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
    const button = h("button", {
      type: "button", "aria-pressed": "false", "aria-describedby": `${key}-quote`, "data-number": number,
      on: { focus: () => this.show(number), blur: () => this.show(null) },
    }, h("span", { class: "badge" }, h("span", { class: "hidden" }, "Step "), number), h("span", {}, step.rationale));
    return h("li", {
      class: "step card", "data-number": number,
      on: {
        mouseenter: () => this.show(number), mouseleave: () => this.show(this.focused()),
        click: () => String(getSelection()) === "" && this.pin(this.pinned === number ? null : number),
      },
    }, button,
    h("blockquote", { id: `${key}-quote` }, h("span", { class: "hidden" }, "Evidence: "), h("span", { class: "quote", dir: "auto" }, step.evidence.text),
      h("span", { class: "fine" }, ` — ${sectionName(step.evidence.section)}`),
      grounded ? null : h("span", { class: "ungrounded" }, " · not found at this place of the note")),
    step.premise ? h("p", { class: "source" }, "Knowledge: ", step.premise.source) : h("p", { class: "source" }, ""));
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
    this.note = renderNote(this.found.note, this.found.sections, evidenceSpans(this.found.note, this.reading.steps, this.reading.path));
    fill(this.scroller, this.note);
    this.scroller.scrollTop = top;
    this.light(false);
  }

  /** Preview a step's evidence (hover or focus); null ends the preview. */
  show(number) {
    this.preview = number;
    this.light(number !== null);
  }

  /** Keep a step's evidence lit; null lets go. */
  pin(number) {
    this.pinned = number;
    this.preview = null;
    this.light(number !== null);
    if (number === null) return announce("Nothing pinned");
    const step = this.reading.steps.find((item) => item.number === number);
    const also = this.note.querySelectorAll(`mark[data-also~="${number}"]`).length;
    const again = also ? ` The same words stand in the note again.` : "";
    return announce(`Step ${number}, evidence in ${sectionName(step.evidence.section)}: ${step.evidence.text}.${again}`);
  }

  /** Return the number of the step that has the focus, or null. */
  focused() {
    const button = document.activeElement && document.activeElement.closest(".step > button");
    return button && this.list.contains(button) && button.matches(":focus-visible") ? Number(button.dataset.number) : null;
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
    for (const item of this.list.querySelectorAll(".step")) {
      const mine = Number(item.dataset.number);
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
    const numbers = (mark.dataset.steps || mark.dataset.also).split(" ").map(Number);
    const next = numbers[(numbers.indexOf(this.pinned) + 1) % numbers.length];
    this.pin(next);
    const item = this.list.querySelector(`.step[data-number="${next}"]`);
    if (item) item.scrollIntoView({ block: "nearest" });
  }

  move(event) {
    const change = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!change) return;
    const buttons = [...this.list.querySelectorAll(".step > button")];
    const at = buttons.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    buttons[Math.min(Math.max(at + change, 0), buttons.length - 1)].focus();
  }
}

/** Return a path as a list of nodes in their colours; `apart` is the place from which it differs from another. */
function pathList(path, apart = Infinity) {
  return h("ol", { class: "path", "aria-label": "From suspicion to diagnosis" },
    path.map((node, at) => h("li", { class: `stage-${stageOf(at, path.length)}` }, h("span", { class: `node${at >= apart ? " apart" : ""}` }, node))));
}

function leadLine(reading) {
  const top = (reading.differential || []).find((entry) => entry.diagnosis === reading.diagnosis);
  const parts = [h("strong", {}, count(reading.steps.length, "piece"), " of evidence"), " in the note ", reading.steps.length === 1 ? "leads" : "lead", " to it"];
  if (top) parts.push("; the model gives it ", h("strong", {}, percent(top.probability)));
  return h("p", { class: "lead" }, ...parts, ".");
}

/** Return the differential as bars with what they mean, or null without one. */
function differentialCard(reading) {
  const all = reading.differential || [];
  if (!all.length) return null;
  const bar = (entry, at) => h("li", { class: at === 0 ? "top" : null },
    h("span", { class: "name" }, entry.diagnosis),
    h("span", { class: "track" }, h("span", { class: "fill", style: { "--p": `${Math.max(0, Math.min(1, entry.probability)) * 100}%` } })),
    h("span", { class: "value" }, percent(entry.probability)));
  const shown = all.slice(0, 4);
  const rest = all.slice(4);
  const left = Math.max(0, 1 - shown.reduce((sum, entry) => sum + entry.probability, 0));
  return h("section", { class: "differential card", "aria-label": "Differential diagnosis" },
    h("h2", {}, "Differential diagnosis"),
    h("ol", { class: "bars" }, shown.map(bar)),
    rest.length ? h("details", {}, h("summary", {}, `Next ${rest.length}; all others together ${percent(left)}`),
      h("ol", { class: "bars" }, rest.map((entry) => bar(entry, 1)))) : null,
    h("p", { class: "fine muted" }, "How the model shares its belief among the diagnoses it knows. It is not the patient's risk, and an illness outside the list cannot appear."));
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
  return [`FINAL DIAGNOSIS: ${reading.diagnosis}`, ...steps].join("\n\n");
}

function resultTools(found, reading) {
  const text = () => download(fileName(found.id, ".txt"), "text/plain", `${answerText(reading)}\n\n${PAGE.disclaimer}\n`);
  const plain = ({ label, reference, ...result }) => ({ id: found.id, note: found.note, ...result, text: answerText(reading) });
  const json = () => download(fileName(found.id, ".json"), "application/json", JSON.stringify(plain(reading)));
  return [
    h("button", { type: "button", class: "button small", on: { click: text } }, "Text"),
    h("button", { type: "button", class: "button small", on: { click: json } }, "JSON"),
    h("button", { type: "button", class: "button small", on: { click: () => print() } }, "Print"),
  ];
}
