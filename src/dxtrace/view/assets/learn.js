/* Learning: read section by section, rank diagnoses, mark evidence, commit, then compare with the reference. */

/** Return a short key of a note, so that progress on one text is never shown on another. */
function noteKey(note) {
  let a = 0x811c9dc5;
  for (let at = 0; at < note.length; at++) a = Math.imul(a ^ note.charCodeAt(at), 0x01000193);
  return (a >>> 0).toString(36);
}

/** Return what the browser remembers of a case: `{revealed, ranked, marks, committed}`. */
function readProgress(found) {
  try {
    const kept = JSON.parse(remembered(`dxtrace.learn.${found.id}.${noteKey(found.note)}`) || "null");
    if (kept && Array.isArray(kept.ranked) && Array.isArray(kept.marks)) return kept;
  } catch {
    /* what is damaged begins anew */
  }
  return { revealed: 1, ranked: [], marks: [], committed: false };
}

/** Keep a case's progress in this browser; offsets and names only, never the note. */
function writeProgress(found, progress) {
  remember(`dxtrace.learn.${found.id}.${noteKey(found.note)}`, progress && JSON.stringify(progress));
}

/** Return what a student's answer is compared with: the first reference, else the first reading that names an illness; or null. */
function answerToLearn(found) {
  const named = found.readings.filter((reading) => !abstains(reading));
  return named.find((reading) => reading.reference) || named[0] || null;
}

/** The learning view of one case. */
class LearnView {
  constructor(found) {
    this.found = found;
    this.reading = answerToLearn(found);
    this.progress = readProgress(found);
    this.parts = revealParts(found);
    this.root = h("div", { class: "learn" });
    this.render();
  }

  save(change) {
    Object.assign(this.progress, change);
    writeProgress(this.found, this.progress);
  }

  render() {
    const { pane, scroller } = notePane(this.found.sections.slice(0, this.shownSections()), null);
    this.scroller = scroller;
    this.work = h("div", { class: "work stack" });
    fill(this.root, h("h1", { class: "hidden" }, this.found.title), h("div", { class: "panes" }, this.work, pane));
    this.showNote();
    this.showWork();
  }

  shownSections() {
    if (this.progress.committed || this.progress.revealed >= this.parts.length) return this.found.sections.length;
    return this.parts.slice(0, this.progress.revealed).reduce((sum, part) => sum + part.sections, 0);
  }

  /** Return how far the note is open, in UTF-16 units. */
  horizon() {
    const shown = this.shownSections();
    if (shown >= this.found.sections.length) return this.found.note.length;
    return unitsOf(this.found.note)(this.found.sections[shown - 1].end);
  }

  showNote() {
    const open = this.found.note.slice(0, this.horizon());
    const sections = this.found.sections.slice(0, this.shownSections());
    const top = this.scroller.scrollTop;
    if (this.progress.committed) fill(this.scroller, this.feedbackNote(open, sections));
    else fill(this.scroller, this.hint(), this.markableNote(open, sections), this.sealed());
    this.scroller.scrollTop = top;
  }

  hint() {
    return h("p", { class: "fine muted hint" }, "Mark what counts: click a sentence, or drag over words. By keyboard: arrows move from sentence to sentence, Space marks.");
  }

  sealed() {
    const next = this.parts[this.progress.revealed];
    if (!next) return null;
    const reveal = (revealed) => () => {
      this.save({ revealed });
      this.render();
      announce(`${sectionName(next.name)} shown`);
      const all = this.root.querySelectorAll(".note .section");
      if (all.length) scrollInside(this.scroller, all[all.length - 1], true);
    };
    return h("div", { class: "sealed no-print" }, h("p", {}, `Section ${this.progress.revealed} of ${this.parts.length} read`),
      h("div", { class: "row", style: { "justify-content": "center", "margin-top": ".5rem" } },
        h("button", { type: "button", class: "button primary", on: { click: reveal(this.progress.revealed + 1) } }, `Show ${sectionName(next.name).toLowerCase()}`),
        h("button", { type: "button", class: "button", on: { click: reveal(this.parts.length) } }, "Show all")));
  }

  /** Return the open part of the note, cut into clauses that can be marked. */
  markableNote(open, sections) {
    const toUnits = unitsOf(this.found.note);
    const units = sections.flatMap((section) => clausesOf(open, toUnits(section.start), toUnits(section.end)))
      .map(([start, end]) => ({ start, end, unit: true }));
    const spans = [...units, ...this.progress.marks.map(([start, end]) => ({ start, end, mine: true }))];
    const note = renderNote(open, sections, spans, (nodes, active, from) => this.paintUnit(nodes, active, from));
    note.setAttribute("role", "group");
    note.setAttribute("aria-label", "The note, sentence by sentence");
    const boxes = [...note.querySelectorAll("[data-unit]")];
    const first = boxes.find((box) => box.dataset.first);
    if (first) first.tabIndex = 0;
    note.addEventListener("keydown", (event) => this.unitKey(event, note));
    note.addEventListener("mouseup", () => setTimeout(() => this.takeSelection(note), 0));
    note.addEventListener("click", (event) => this.clickUnit(event));
    return note;
  }

  paintUnit(nodes, active, from) {
    const unit = active.find((span) => span.unit);
    const mine = active.some((span) => span.mine);
    if (!unit) return mine ? h("mark", { class: "mine" }, nodes) : nodes;
    const first = unit.start === from;
    const inner = mine ? h("mark", { class: "mine" }, nodes) : nodes;
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
    this.save({ marks: removed ? kept : [...kept, [start, end]].sort((a, b) => a[0] - b[0]) });
    announce(removed ? "Mark removed" : "Marked");
    this.afterMarks(start);
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
    const kept = this.progress.marks.filter(([from, to]) => to <= start || from >= end);
    this.save({ marks: [...kept, [start, end]].sort((a, b) => a[0] - b[0]) });
    announce("Marked");
    this.afterMarks(null);
  }

  afterMarks(focus) {
    const had = this.scroller.contains(document.activeElement) && document.activeElement !== this.scroller;
    this.showNote();
    this.showWork();
    const box = focus === null ? null : this.scroller.querySelector(`[data-first][data-unit^="${focus}-"]`);
    if (!box) return;
    const old = this.scroller.querySelector('[data-first][tabindex="0"]');
    if (old) old.tabIndex = -1;
    box.tabIndex = 0;
    if (had) box.focus({ preventScroll: true });
  }

  showWork() {
    if (this.progress.committed) return fill(this.work, feedback(this));
    return fill(this.work, this.differentialPanel(), this.marksPanel(), this.commitPanel());
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
    const item = (name, at) => h("li", { "data-rank": at }, h("span", { class: "badge" }, at + 1), h("span", {}, name), h("span", { class: "row" },
      tool("↑", `Move ${name} up`, at === 0, swap(at, at - 1)), tool("↓", `Move ${name} down`, at === ranked.length - 1, swap(at, at + 1)),
      tool("×", `Remove ${name}`, false, () => set(ranked.filter((_, index) => index !== at), "#diagnosis"))));
    const input = h("input", { id: "diagnosis", class: "field", list: "diagnoses", autocomplete: "off", maxlength: "120", placeholder: "Type a diagnosis" });
    const add = (event) => {
      event.preventDefault();
      const entry = diagnosisNamed(input.value, PAGE.diagnoses);
      const name = entry ? entry.name : input.value.trim();
      if (name && ranked.length < 5 && !ranked.includes(name)) set([...ranked, name], "#diagnosis");
    };
    const form = ranked.length >= 5 ? null : h("form", { class: "row", style: { "flex-wrap": "nowrap" }, on: { submit: add } }, input, h("button", { class: "button" }, "Add"));
    return h("section", { class: "panel card stack" }, h("h2", {}, "Your differential"),
      h("label", { for: "diagnosis", class: "fine" }, "Up to five diagnoses, the likeliest first"),
      h("ol", { class: "ranked" }, ranked.map(item)), form,
      h("datalist", { id: "diagnoses" }, PAGE.diagnoses.map((entry) => h("option", { value: entry.name }, entry.category))));
  }

  marksPanel() {
    const marks = this.progress.marks;
    const remove = (at) => () => {
      this.save({ marks: marks.filter((_, index) => index !== at) });
      this.afterMarks(null);
    };
    return h("section", { class: "panel card stack" }, h("h2", {}, `Your evidence (${marks.length})`),
      marks.length ? h("ul", { class: "marks" }, marks.map(([start, end], at) => h("li", {}, h("span", { dir: "auto" }, this.found.note.slice(start, end)),
        h("button", { type: "button", class: "button small", "aria-label": `Remove mark ${at + 1}`, on: { click: remove(at) } }, "×"))))
        : h("p", { class: "muted" }, "Nothing marked yet. Mark in the note what speaks for your diagnosis."));
  }

  commitPanel() {
    const ready = this.progress.ranked.length > 0;
    const commit = () => {
      this.save({ committed: true, read: this.progress.revealed });
      this.render();
      const title = this.work.querySelector("h2");
      title.tabIndex = -1;
      title.focus();
    };
    return h("section", { class: "panel card stack" },
      h("button", { type: "button", class: "button primary", disabled: !ready, on: { click: commit } }, "Commit and see the reference"),
      h("p", { class: "fine muted" }, ready ? "You cannot change your answer after this. Progress stays in this browser only." : "Name at least one diagnosis first. Progress stays in this browser only."));
  }

  /** Return the whole note with what both marked, what was missed, what only the student marked. */
  feedbackNote(open, sections) {
    const spans = readingSpans(this.found.note, this.reading).filter((span) => !span.also);
    const result = this.result();
    const tones = spans.map((span) => ({ ...span, tone: span.tone || (result.evidence.missed.includes(span.number) ? "missed" : "both") }));
    const mine = result.evidence.judged.filter((mark) => mark.verdict === "over" || mark.verdict === "broad").map((mark) => ({ ...mark, over: true }));
    const note = renderNote(open, sections, [...tones, ...mine], (nodes, active, from) => {
      const inner = paintEvidence(nodes, active.filter((span) => !span.over), from);
      return active.some((span) => span.over) ? h("mark", { class: "over", title: "You marked this, the reference did not" }, inner) : inner;
    });
    return note;
  }

  result() {
    const spans = evidenceSpans(this.found.note, this.reading.steps, this.reading.path);
    const diagnosis = scoreDiagnosis(this.progress.ranked, this.reading, PAGE.diagnoses);
    const evidence = scoreEvidence(this.progress.marks, spans, againstSpans(this.found.note, this.reading.contradictions));
    return { diagnosis, evidence, total: Math.round(diagnosis.points + evidence.points) };
  }

  restart() {
    this.progress = { revealed: 1, ranked: [], marks: [], committed: false };
    writeProgress(this.found, null);
    this.render();
  }
}

/** Return the parts in which a note is revealed: neighbouring sections of one name together. */
function revealParts(found) {
  const parts = [];
  for (const section of found.sections) {
    const last = parts[parts.length - 1];
    if (last && last.name === section.name) last.sections++;
    else parts.push({ name: section.name, sections: 1 });
  }
  return parts;
}
