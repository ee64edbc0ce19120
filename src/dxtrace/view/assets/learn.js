/* Learning: read part by part, rank diagnoses, mark what speaks for and against, commit, then compare with the reference. */

const MOST_DIAGNOSES = 5;

/**
 * The learning view of one case. `where` is `{name, next, unseal}` in a library: its case's name, a way to the next
 * one, and what opens its other tabs.
 */
class LearnView {
  constructor(found, where = {}) {
    this.found = found;
    this.where = where;
    this.reading = answerToLearn(found);
    this.progress = readProgress(found);
    this.parts = revealParts(found);
    this.side = "for";
    this.root = h("div", { class: "learn" });
    this.render();
  }

  save(change) {
    Object.assign(this.progress, change);
    writeProgress(this.found, this.progress);
  }

  render() {
    const { pane, scroller } = notePane(this.openSections(), null);
    this.scroller = scroller;
    this.work = h("div", { class: "work stack" });
    fill(this.root, h("h1", { class: "hidden", tabindex: "-1" }, this.where.name || this.found.title), h("div", { class: "panes" }, pane, this.work));
    this.showNote();
    this.showWork();
  }

  /** Return how far the note is open, in UTF-16 units. */
  horizon() {
    const { committed, revealed } = this.progress;
    if (committed || revealed >= this.parts.length) return this.found.note.length;
    return this.parts[revealed - 1].end;
  }

  openSections() {
    const toUnits = unitsOf(this.found.note);
    return this.found.sections.filter((section) => toUnits(section.start) < this.horizon());
  }

  showNote() {
    const open = this.found.note.slice(0, this.horizon());
    const top = this.scroller.scrollTop;
    if (this.progress.committed) fill(this.scroller, this.feedbackNote(open, this.openSections()));
    else fill(this.scroller, this.hint(), this.markableNote(open, this.openSections()), this.sealed());
    this.scroller.scrollTop = top;
  }

  hint() {
    const choose = (side, text) => {
      const input = h("input", { type: "radio", name: "side", id: `side-${side}`, on: { change: () => (this.side = side) } });
      input.checked = this.side === side;
      return h("label", { class: "fine", for: `side-${side}` }, input, " ", text);
    };
    return h("div", { class: "hint no-print" },
      h("div", { class: "row", role: "radiogroup", "aria-label": "What a mark says" }, h("strong", { class: "fine" }, "Mark what speaks"), choose("for", "for"), choose("against", "against, or is tellingly absent")),
      h("p", { class: "fine muted" }, h("span", { class: "wide-only" }, "Click a sentence, or drag over words. By keyboard: arrows move from sentence to sentence, Space marks."), h("span", { class: "narrow-only" }, "Tap a sentence to mark it.")));
  }

  /** Return the box under the open part of the note, with what opens more of it. */
  sealed() {
    const next = this.parts[this.progress.revealed];
    if (!next) return null;
    const reveal = (revealed) => () => this.reveal(revealed);
    return h("div", { class: "sealed no-print" }, h("p", {}, `Part ${this.progress.revealed} of ${this.parts.length} read. What do you think now? Your list is kept with each part.`),
      h("div", { class: "row", style: { "justify-content": "center", "margin-top": ".5rem" } },
        h("button", { type: "button", class: "button primary", on: { click: reveal(this.progress.revealed + 1) } }, `Show ${next.title}`),
        h("button", { type: "button", class: "button", on: { click: reveal(this.parts.length) } }, "Show all")));
  }

  /** Open more of the note; the reader goes on where the new part begins. */
  reveal(revealed) {
    const from = this.horizon();
    const title = this.parts[this.progress.revealed].title;
    this.save({ course: [...this.progress.course, { part: this.progress.revealed, ranked: [...this.progress.ranked] }], revealed });
    this.render();
    announce(`${title} shown`);
    const unit = [...this.scroller.querySelectorAll("[data-first]")].find((box) => Number(box.dataset.unit.split("-")[0]) >= from);
    if (!unit) return;
    this.focusUnit(unit);
    scrollInside(this.scroller, unit.closest(".section") && unit === unit.closest(".section").querySelector("[data-first]") ? unit.closest(".section") : unit, true);
  }

  focusUnit(unit) {
    const old = this.scroller.querySelector('[data-first][tabindex="0"]');
    if (old) old.tabIndex = -1;
    unit.tabIndex = 0;
    unit.focus({ preventScroll: true });
  }

  /** Return the open part of the note, cut into clauses that can be marked. */
  markableNote(open, sections) {
    const toUnits = unitsOf(this.found.note);
    const joined = joinedLines(open);
    this.units = sections.flatMap((section) => clausesOf(joined, toUnits(section.start), Math.min(toUnits(section.end), open.length)))
      .map(([start, end]) => ({ start, end, unit: true }));
    const note = renderNote(open, sections, this.markSpans(), (nodes, active, from) => this.paintUnit(nodes, active, from));
    note.setAttribute("role", "group");
    note.setAttribute("aria-label", "The note, sentence by sentence");
    const first = note.querySelector("[data-first]");
    if (first) first.tabIndex = 0;
    note.addEventListener("keydown", (event) => this.unitKey(event, note));
    note.addEventListener("mouseup", () => setTimeout(() => this.takeSelection(note), 0));
    note.addEventListener("click", (event) => this.clickUnit(event));
    this.note = note;
    return note;
  }

  markSpans() {
    return [...this.units, ...this.progress.marks.map(([start, end, side = "for"]) => ({ start, end, mine: side }))];
  }

  paintUnit(nodes, active, from) {
    const unit = active.find((span) => span.unit);
    const mine = active.find((span) => span.mine);
    const inner = mine ? h("mark", { class: `mine ${mine.mine}` }, nodes) : nodes;
    if (!unit) return inner;
    const first = unit.start === from;
    const checked = String(this.progress.marks.some(([start, end]) => start < unit.end && end > unit.start));
    const role = first ? { role: "checkbox", "aria-checked": checked, tabindex: "-1", "data-first": "1", "aria-label": this.found.note.slice(unit.start, unit.end) } : { "aria-hidden": "true" };
    return h("span", { class: "unit", "data-unit": `${unit.start}-${unit.end}`, ...role }, inner);
  }

  unitKey(event, note) {
    const boxes = [...note.querySelectorAll("[data-first]")];
    const at = boxes.indexOf(document.activeElement);
    if (at < 0) return;
    const change = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (change) {
      event.preventDefault();
      const next = boxes[Math.min(Math.max(at + change, 0), boxes.length - 1)];
      boxes[at].tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    } else if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      this.toggle(...boxes[at].dataset.unit.split("-").map(Number));
    }
  }

  clickUnit(event) {
    const unit = event.target.closest("[data-unit]");
    if (unit && !String(getSelection())) this.toggle(...unit.dataset.unit.split("-").map(Number));
  }

  /** Mark a clause; where a mark of the student's already is, take it away. */
  toggle(start, end) {
    const kept = this.progress.marks.filter(([from, to]) => to <= start || from >= end);
    const removed = kept.length < this.progress.marks.length;
    if (removed) this.setMarks(kept, start);
    else this.addMark(kept, start, end, start);
  }

  addMark(kept, start, end, focus) {
    this.setMarks([...kept, [start, end, this.side]].sort((a, b) => a[0] - b[0]), focus);
  }

  /** Keep marks; only the pieces of the note that change are painted anew. */
  setMarks(marks, focus) {
    const before = this.progress.marks;
    const changed = [...before, ...marks].filter((mark) => !(before.includes(mark) && marks.includes(mark)));
    announce(marks.length < before.length ? "Mark removed" : "Marked");
    this.save({ marks });
    const had = this.scroller.contains(document.activeElement) && document.activeElement !== this.scroller;
    const tabbed = this.note.querySelector('[data-first][tabindex="0"]');
    const place = tabbed && tabbed.dataset.unit;
    for (const [start, end] of changed) this.note.repaint(start, end, this.markSpans());
    const box = this.note.querySelector(focus === null ? `[data-first][data-unit="${place}"]` : `[data-first][data-unit^="${focus}-"]`) || this.note.querySelector("[data-first]");
    if (box) {
      for (const other of this.note.querySelectorAll('[data-first][tabindex="0"]')) other.tabIndex = -1;
      box.tabIndex = 0;
      if (had) box.focus({ preventScroll: true });
    }
    this.showWork();
  }

  /** Turn selected words into a mark. */
  takeSelection(note) {
    const selection = getSelection();
    if (!selection.rangeCount || selection.isCollapsed) return;
    const range = selection.getRangeAt(0);
    if (!note.contains(range.startContainer) || !note.contains(range.endContainer)) return;
    const before = document.createRange();
    before.setStart(note, 0);
    before.setEnd(range.startContainer, range.startOffset);
    let start = String(before).length;
    let end = start + String(range).length;
    while (start < end && /\s/.test(this.found.note[start])) start++;
    while (end > start && /\s/.test(this.found.note[end - 1])) end--;
    selection.removeAllRanges();
    if (end <= start) return;
    this.addMark(this.progress.marks.filter(([from, to]) => to <= start || from >= end), start, end, null);
  }

  showWork() {
    if (this.progress.committed) fill(this.work, feedback(this));
    else fill(this.work, this.differentialPanel(), this.marksPanel(), this.summaryPanel(), this.commitPanel());
  }

  differentialPanel() {
    const ranked = this.progress.ranked;
    const set = (list, focus) => {
      this.save({ ranked: list });
      this.showWork();
      const target = focus && this.work.querySelector(focus);
      if (target) target.focus();
    };
    const swap = (at, to) => () => {
      const list = [...ranked];
      [list[at], list[to]] = [list[to], list[at]];
      set(list, `[data-rank="${to}"] button:not([disabled])`);
    };
    const tool = (text, label, disabled, click) => h("button", { type: "button", class: "button small", "aria-label": label, disabled, on: { click } }, text);
    const item = (name, at) => h("li", { "data-rank": at }, h("span", { class: "badge" }, at + 1), h("span", {}, name), this.confidenceField(name), h("span", { class: "row" },
      tool("↑", `Move ${name} up`, at === 0, swap(at, at - 1)), tool("↓", `Move ${name} down`, at === ranked.length - 1, swap(at, at + 1)),
      tool("×", `Remove ${name}`, false, () => set(ranked.filter((_, index) => index !== at), "#diagnosis"))));
    return h("section", { class: "panel card stack" }, h("h2", {}, "Your differential"),
      h("label", { for: "diagnosis", class: "fine" }, `Up to ${MOST_DIAGNOSES} diagnoses, the likeliest first, and how sure you are of each`),
      h("ol", { class: "ranked" }, ranked.map(item)), ranked.length >= MOST_DIAGNOSES ? null : this.addForm(set),
      h("datalist", { id: "diagnoses" }, PAGE.diagnoses.map((entry) => h("option", { value: entry.name }, entry.full === entry.name ? entry.category : entry.full))));
  }

  confidenceField(name) {
    const said = this.progress.confidence[name];
    const input = h("input", { type: "number", class: "field percent", min: "0", max: "100", step: "5", inputmode: "numeric", "aria-label": `How sure of ${name}, in percent`, placeholder: "%",
      on: { change: () => this.save({ confidence: { ...this.progress.confidence, [name]: input.value === "" ? null : Math.max(0, Math.min(100, Number(input.value))) } }) } });
    input.value = typeof said === "number" ? said : "";
    return input;
  }

  /** Return the form that adds a diagnosis; a name that is not known is told at once, with those most like it. */
  addForm(set) {
    const ranked = this.progress.ranked;
    const input = h("input", { id: "diagnosis", class: "field", list: "diagnoses", autocomplete: "off", maxlength: "120", placeholder: "Type a diagnosis" });
    const said = h("div", { class: "fine", role: "status" });
    const put = (name) => {
      if (name && !ranked.includes(name)) set([...ranked, name], "#diagnosis");
      else input.value = "";
    };
    const add = (event) => {
      event.preventDefault();
      const name = input.value.trim();
      const entry = name && diagnosisNamed(name, PAGE.diagnoses);
      if (entry || !name) return put(entry ? entry.name : "");
      const choose = (text, value) => h("button", { type: "button", class: "button small", on: { click: () => put(value) } }, text);
      const near = nearestNames(name, PAGE.diagnoses);
      return fill(said, h("p", {}, `“${name}” is not one of the ${PAGE.diagnoses.length} names known here.`, near.length ? " Did you mean:" : ""),
        h("div", { class: "row" }, near.map((one) => choose(one.name, one.name)), choose("Add it as it is", name)));
    };
    return h("form", { class: "stack", style: { gap: ".4rem" }, on: { submit: add } }, h("div", { class: "row", style: { "flex-wrap": "nowrap" } }, input, h("button", { class: "button" }, "Add")), said);
  }

  marksPanel() {
    const marks = this.progress.marks;
    const remove = (at) => () => {
      this.setMarks(marks.filter((_, index) => index !== at), null);
      const buttons = this.work.querySelectorAll(".marks button");
      (buttons[Math.min(at, buttons.length - 1)] || this.work.querySelector("#diagnosis") || this.scroller).focus();
    };
    const item = ([start, end, side = "for"], at) => h("li", {}, h("span", { dir: "auto" }, this.found.note.slice(start, end)), h("span", { class: `fine side ${side}` }, side),
      h("button", { type: "button", class: "button small", "aria-label": `Remove mark ${at + 1}`, on: { click: remove(at) } }, "×"));
    return h("section", { class: "panel card stack" }, h("h2", {}, `Your evidence (${marks.length})`),
      marks.length ? h("ul", { class: "marks" }, marks.map(item)) : h("p", { class: "muted" }, "Nothing marked yet. Mark in the note what speaks for and against your diagnosis."));
  }

  summaryPanel() {
    const field = h("input", { id: "summary", class: "field", maxlength: "240", autocomplete: "off", placeholder: "Who, how long, what, with what", on: { input: () => this.save({ summary: field.value }) } });
    field.value = this.progress.summary;
    return h("section", { class: "panel card stack" }, h("label", { for: "summary" }, "The problem in one line"), field);
  }

  commitPanel() {
    const ready = this.progress.ranked.length > 0;
    const commit = (change) => () => {
      this.save({ committed: true, read: this.progress.revealed, ...change });
      this.render();
      if (this.where.unseal) this.where.unseal();
      const title = this.work.querySelector("h2");
      title.tabIndex = -1;
      title.focus();
    };
    return h("section", { class: "panel card stack" },
      h("div", { class: "row" }, h("button", { type: "button", class: "button primary", disabled: !ready, on: { click: commit({}) } }, this.reading ? "Commit and see the reference" : "Commit"),
        this.reading ? h("button", { type: "button", class: "button small", on: { click: commit({ gaveUp: true }) } }, "Give up and show it") : null),
      h("p", { class: "fine muted" }, ready ? "Starting again after this begins a new session. Progress stays in this browser only." : "Name at least one diagnosis first. Progress stays in this browser only."));
  }

  /** Return the whole note with what both marked, what was missed, what only the student marked. */
  feedbackNote(open, sections) {
    const result = this.result();
    if (!result) return renderNote(open, sections, this.progress.marks.map(([start, end, side]) => ({ start, end, mine: side || "for" })), (nodes, active) => (active.length ? h("mark", { class: `mine ${active[0].mine}` }, nodes) : nodes));
    const spans = readingSpans(this.found.note, this.reading).filter((span) => !span.also);
    const tones = spans.map((span) => ({ ...span, tone: span.tone || (result.evidence.missed.includes(span.number) ? "missed" : "both") }));
    const mine = result.evidence.judged.filter((mark) => isOverRead(mark)).map((mark) => ({ ...mark, over: true }));
    return renderNote(open, sections, [...tones, ...mine], (nodes, active, from) => {
      const inner = paintEvidence(nodes, active.filter((span) => !span.over), from);
      return active.some((span) => span.over) ? h("mark", { class: "over", title: "You marked this, the reference did not" }, inner) : inner;
    });
  }

  result() {
    return gradeSession(this.found, this.progress);
  }

  restart() {
    this.progress = newProgress();
    writeProgress(this.found, null);
    this.render();
    this.root.querySelector("h1").focus();
  }
}

/** Shortest paragraph that is opened by itself (characters). */
const LEAST_PART = 250;

/**
 * Return the parts in which a note is opened: `{title, end}`, the end in UTF-16 units. Neighbouring sections of one name are one
 * part; a note of one or two sections is opened paragraph by paragraph.
 */
function revealParts(found) {
  const toUnits = unitsOf(found.note);
  let parts = [];
  for (const section of found.sections) {
    const last = parts[parts.length - 1];
    if (last && last.name === section.name) last.end = toUnits(section.end);
    else parts.push({ name: section.name, title: sectionName(section.name).toLowerCase(), start: toUnits(section.start), end: toUnits(section.end) });
  }
  if (parts.length <= 2) parts = parts.flatMap((part) => paragraphsOf(found.note, part));
  if (parts.length) parts[parts.length - 1].end = found.note.length;
  return parts;
}

/** Cut a part at its paragraphs, one without any at sentences; pieces are no shorter than {@link LEAST_PART}. */
function paragraphsOf(note, part) {
  const text = note.slice(part.start, part.end);
  const cut = /\n[ \t\r]*\n/.test(text) ? /\n[ \t\r]*\n\s*/g : /[.!?]\s+(?=[A-Z"“])/g;
  const pieces = [];
  let from = 0;
  for (const match of text.matchAll(cut)) {
    const end = match.index + match[0].length;
    if (end - from < LEAST_PART || text.length - end < LEAST_PART) continue;
    pieces.push({ ...part, title: pieces.length ? "the next paragraph" : part.title, end: part.start + end });
    from = end;
  }
  return [...pieces, { ...part, title: pieces.length ? "the next paragraph" : part.title }];
}
