/* Two or three chains on one note: which evidence all cite, which only one, and where the paths part. */

const LETTERS = ["A", "B", "C"];

/** Return how many characters two spans share. */
function overlap(a, b) {
  return Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
}

/** True if two quotes are the same evidence: they share at least half of the shorter one. */
function sameEvidence(a, b) {
  return 2 * overlap(a, b) >= Math.min(a.end - a.start, b.end - b.start);
}

/** Return groups of evidence in the note's order: `{start, end, cited}`; `cited[i]` are the steps of reading i in it. */
function alignEvidence(note, readings) {
  const spans = readings.flatMap((reading, who) =>
    evidenceSpans(note, reading.steps, reading.path).filter((span) => !span.also).map((span) => ({ ...span, who })));
  const groups = [];
  for (const span of spans.sort((a, b) => a.start - b.start || b.end - a.end)) {
    const home = groups.find((group) => group.spans.some((other) => sameEvidence(span, other)));
    if (home) home.spans.push(span);
    else groups.push({ spans: [span] });
  }
  return groups.map(({ spans: members }) => ({
    spans: members,
    start: Math.min(...members.map((span) => span.start)),
    end: Math.max(...members.map((span) => span.end)),
    cited: readings.map((reading, who) => reading.steps.filter((step) => members.some((span) => span.who === who && span.number === step.number))),
  }));
}

/** Return the place of the first node where not all paths agree; Infinity if they are the same. */
function partingOf(paths) {
  const length = Math.max(...paths.map((path) => path.length));
  for (let at = 0; at < length; at++) if (paths.some((path) => path[at] !== paths[0][at])) return at;
  return Infinity;
}

/** Say in one sentence where the paths part. */
function partingText(readings) {
  const paths = readings.map((reading) => reading.path);
  const at = partingOf(paths);
  const all = readings.length === 2 ? "Both" : "All three";
  if (at === Infinity && !paths[0].length) return `${all} name no illness.`;
  if (at === Infinity) return `${all} take the same path to ${paths[0][paths[0].length - 1]}.`;
  const stops = at === 0 ? "names no illness" : "stops there";
  const goes = readings.map((reading, who) => `${LETTERS[who]} ${reading.path[at] ? `goes on to ${reading.path[at]}` : stops}`).join("; ");
  return at === 0 ? `They part at the first suspicion: ${goes.replace(/goes on to/g, "begins with")}.` : `${all} reach ${paths[0][at - 1]}; then ${goes}.`;
}

/** The comparison of a case's readings. */
class CompareView {
  constructor(found) {
    this.found = found;
    this.readings = found.readings.slice(0, 3);
    this.groups = alignEvidence(found.note, this.readings);
    this.pinned = null;
    this.preview = null;
    this.root = h("div", { class: "compare" });
    onEscape(() => this.pin(null));
    this.build();
  }

  build() {
    const { pane, scroller } = notePane(this.found.sections, null);
    this.scroller = scroller;
    this.note = renderNote(this.found.note, this.found.sections, this.spans());
    scroller.append(this.note);
    scroller.addEventListener("click", (event) => {
      const mark = event.target.closest("mark.evidence");
      if (mark) this.pin(Number(mark.dataset.steps.split(" ")[0]));
    });
    this.rows = this.groups.map((group, at) => this.row(group, at + 1));
    const apart = partingOf(this.readings.map((reading) => reading.path));
    append(this.root, [
      h("h1", { class: "hidden" }, "Comparison"),
      h("div", { class: "readings" }, this.readings.map((reading, who) => this.card(reading, who, apart))),
      h("p", { class: "lead", style: { "margin-bottom": ".75rem" } }, partingText(this.readings)),
      h("div", { class: "panes" }, h("div", { class: "work" }, h("h2", { style: { "margin-bottom": ".4rem" } }, "Evidence"), this.legend(), h("ol", {}, this.rows)), pane),
    ]);
  }

  card(reading, who, apart) {
    return h("section", { class: `reading card tone-${who}` },
      h("p", { class: "eyebrow" }, h("span", { class: "letter" }, LETTERS[who]), " ", reading.label), headlineNode(reading, "h2"),
      reading.path.length ? pathList(reading.path, apart) : null, h("p", { class: "fine muted" }, count(reading.steps.length, "step"), ".", doubtText(reading)),
      undecidedNode(reading),
      (reading.contradictions || []).map((item) => h("p", { class: "fine counter" }, h("strong", { class: "verdict" }, againstWords(item), ": "), h("span", { dir: "auto" }, item.evidence.text))),
      (reading.warnings || []).map((text) => h("p", { class: "notice", role: "note" }, "Warning: ", text)));
  }

  /** Name who cites a group: `all`, `some`, or the place of the only one. */
  tone(group) {
    const citing = group.cited.map((steps, who) => (steps.length ? who : -1)).filter((who) => who >= 0);
    if (citing.length === this.readings.length) return "all";
    return citing.length === 1 ? String(citing[0]) : "some";
  }

  toneName(tone) {
    if (tone === "all") return this.readings.length === 2 ? "both" : "all three";
    return tone === "some" ? "two of them" : `${LETTERS[tone]} alone`;
  }

  spans() {
    return this.groups.flatMap((group, at) => group.spans.map((span) => ({
      ...span, number: at + 1, tone: `tone-${this.tone(group)}`, label: `${LETTERS[span.who]}${span.number}`,
    })));
  }

  legend() {
    const tones = ["all", "some", ...this.readings.map((_, who) => String(who))];
    const of = (tone) => this.groups.filter((group) => this.tone(group) === tone).length;
    const buttons = [["", `All ${this.groups.length}`], ...tones.filter((tone) => tone !== "some" || this.readings.length > 2)
      .map((tone) => [tone, `${of(tone)} by ${this.toneName(tone)}`])];
    const list = buttons.map(([tone, text]) => h("button", {
      type: "button", class: "button small", "aria-pressed": String(tone === ""),
      on: { click: (event) => this.filter(tone, event.currentTarget) },
    }, text));
    return h("div", { class: "legend", role: "group", "aria-label": "Show evidence" }, list);
  }

  filter(tone, button) {
    for (const other of button.parentNode.children) other.setAttribute("aria-pressed", String(other === button));
    this.rows.forEach((row, at) => (row.hidden = tone !== "" && this.tone(this.groups[at]) !== tone));
  }

  row(group, number) {
    const quote = this.found.note.slice(group.start, group.end);
    const tone = this.tone(group);
    const says = (steps, who) => [
      h("dt", { class: `tone-${who}` }, h("span", { class: "letter" }, LETTERS[who])),
      h("dd", { class: steps.length ? null : "absent" }, steps.length ? steps.map((step) => [`${step.number}. ${step.rationale} `, isDoubtful(step) ? h("span", { class: "doubt-text" }, `(doubtful, ${percent(step.probability)}) `) : null]) : "does not cite this")];
    return h("li", {
      class: `evidence-row card tone-${tone}`, "data-number": number,
      on: {
        mouseenter: () => this.show(number, false), mouseleave: () => this.show(null, false),
        click: () => String(getSelection()) === "" && this.pin(this.pinned === number ? null : number),
      },
    }, h("button", { type: "button", "aria-pressed": "false", on: { focus: () => this.show(number, true), blur: () => this.show(null, false) } }, h("span", { dir: "auto" }, quote)),
    h("p", { class: "who" }, `Cited by ${this.toneName(tone)}`), h("dl", {}, group.cited.map(says)));
  }

  show(number, scroll) {
    this.preview = number;
    this.light(scroll && number !== null);
  }

  pin(number) {
    this.pinned = number;
    this.preview = null;
    this.light(number !== null);
    announce(number === null ? "Nothing pinned" : `Evidence, cited by ${this.toneName(this.tone(this.groups[number - 1]))}: ${this.found.note.slice(this.groups[number - 1].start, this.groups[number - 1].end)}`);
  }

  light(scroll) {
    const number = this.preview ?? this.pinned;
    const first = lightMarks(this.note, number);
    for (const row of this.rows) {
      row.classList.toggle("active", Number(row.dataset.number) === number);
      row.classList.toggle("pinned", Number(row.dataset.number) === this.pinned);
      row.querySelector("button").setAttribute("aria-pressed", String(Number(row.dataset.number) === this.pinned));
    }
    if (first && scroll) scrollInside(this.scroller, first, false);
  }
}
