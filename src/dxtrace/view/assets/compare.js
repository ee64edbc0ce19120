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

/** Say where the paths part; of three of which two go on together, also where those two part. */
function partingText(readings) {
  const named = readings.map((reading, who) => ({ letter: LETTERS[who], path: reading.path }));
  return partingSentences(named, readings.length === 2 ? "Both" : "All three").join(" ");
}

function partingSentences(group, all) {
  const paths = group.map((one) => one.path);
  const at = partingOf(paths);
  if (at === Infinity && !paths[0].length) return [`${all} name no illness.`];
  if (at === Infinity) return [`${all} take the same path to ${paths[0][paths[0].length - 1]}.`];
  const branches = new Map();
  for (const one of group) branches.set(one.path[at] || "", [...(branches.get(one.path[at] || "") || []), one]);
  const goes = [...branches].map(([node, members]) => {
    const who = members.map((one) => one.letter).join(" and ");
    const several = members.length > 1;
    if (!node) return at === 0 ? `${who} ${several ? "name" : "names"} no illness` : `${who} ${several ? "stop" : "stops"} there`;
    if (at === 0) return `${who} ${several ? "begin" : "begins"} with ${node}`;
    return `${who} ${several ? "go" : "goes"} on to ${node}`;
  }).join("; ");
  const first = at === 0 ? `They part at the first suspicion: ${goes}.` : `${all} reach ${paths[0][at - 1]}; then ${goes}.`;
  const later = [...branches.values()].filter((members) => members.length > 1 && members.length < group.length);
  return [first, ...later.flatMap((members) => partingSentences(members, members.map((one) => one.letter).join(" and ")))];
}

/** Return the paths of readings as one tree: `{node, who, below}`, `who` the places of the readings that pass. */
function pathTree(readings) {
  const roots = [];
  readings.forEach((reading, who) => {
    let level = roots;
    for (const node of reading.path) {
      let entry = level.find((one) => one.node === node);
      if (!entry) level.push((entry = { node, who: [], below: [] }));
      entry.who.push(who);
      level = entry.below;
    }
  });
  return roots;
}

/** Return a tree of paths as nested lists; nodes that all pass are plain, others carry the letters of those who do. */
function treeNode(entries, readings) {
  if (!entries.length) return null;
  return h("ul", { class: "tree" }, entries.map((entry) => h("li", {},
    h("span", { class: entry.who.length === readings.length ? "node" : "node branch" }, entry.node), " ",
    entry.who.length === readings.length ? null : entry.who.map((who) => [h("span", { class: `letter tone-${who}` }, LETTERS[who]), " "]), treeNode(entry.below, readings))));
}

/** Return the differentials of readings side by side: the best categories of any, with what each gives them. */
function differentialsTable(readings) {
  const groups = readings.map(byCategory);
  if (groups.filter((list) => list.length).length < 1) return null;
  const names = [...new Set(groups.flatMap((list) => list.slice(0, 3).map((group) => group.category)))].slice(0, 6);
  const share = (list, name) => {
    const group = list.find((one) => one.category === name);
    if (group) return percent(group.probability);
    return list.length ? "<1%" : "–";
  };
  return h("section", { class: "card panel" }, h("h2", {}, "Differentials"), h("div", { class: "sideways", tabindex: "0", role: "group", "aria-label": "Differentials side by side, a table" }, h("table", { class: "numbers" },
    h("thead", {}, h("tr", {}, h("td", {}), readings.map((reading, who) => h("th", { scope: "col" }, h("span", { class: `letter tone-${who}` }, LETTERS[who]))))),
    h("tbody", {}, names.map((name) => h("tr", {}, h("th", { scope: "row" }, name), groups.map((list) => h("td", {}, share(list, name)))))))));
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
    const tree = pathTree(this.readings);
    append(this.root, [
      h("h1", { class: "hidden", tabindex: "-1" }, "Comparison"),
      h("div", { class: "readings" }, this.readings.map((reading, who) => this.card(reading, who))),
      h("div", { class: "readings" },
        h("section", { class: "card panel" }, h("h2", {}, "Where the paths part"), h("p", {}, partingText(this.readings)), treeNode(tree, this.readings)),
        differentialsTable(this.readings),
        h("section", { class: "card panel" }, h("h2", {}, "In numbers"), agreementTable([this.found], (reading, found) => LETTERS[found.readings.indexOf(reading)]),
          h("button", { type: "button", class: "button small tools", style: { "margin-top": ".5rem" }, on: { click: () => download(fileName(this.found.id, "-answers.csv"), "text/csv", csvText(READING_COLUMNS, readingRows([this.found]))) } }, "Save as CSV"))),
      h("div", { class: "panes" }, h("div", { class: "work" }, h("h2", { style: { "margin-bottom": ".4rem" } }, "Evidence"), this.legend(), h("ol", {}, this.rows)), pane),
    ]);
  }

  card(reading, who) {
    return h("section", { class: `reading card tone-${who}` },
      h("p", { class: "eyebrow" }, h("span", { class: "letter" }, LETTERS[who]), " ", reading.label), headlineNode(reading, "h2"),
      codesLine(reading), h("p", { class: "fine muted" }, count(reading.steps.length, "step"), ".", doubtText(reading)),
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
    return h("div", { class: "legend tools", role: "group", "aria-label": "Show evidence" }, list);
  }

  filter(tone, button) {
    for (const other of button.parentNode.children) other.setAttribute("aria-pressed", String(other === button));
    this.rows.forEach((row, at) => (row.hidden = tone !== "" && this.tone(this.groups[at]) !== tone));
  }

  row(group, number) {
    const quote = this.found.note.slice(group.start, group.end);
    const tone = this.tone(group);
    const reasons = this.reasonsOf(group);
    const says = ({ who, step }) => [
      h("dt", {}, who.map((one) => h("span", { class: `letter tone-${one}` }, LETTERS[one]))),
      h("dd", {}, `${step.rationale} `, isDoubtful(step) ? h("span", { class: "doubt-text" }, `(doubtful, ${percent(step.probability)}) `) : null)];
    return h("li", {
      class: `evidence-row card tone-${tone}`, "data-number": number,
      on: {
        mouseenter: () => this.show(number, false), mouseleave: () => this.show(null, false),
        click: () => String(getSelection()) === "" && this.pin(this.pinned === number ? null : number),
      },
    }, h("button", { type: "button", "aria-pressed": "false", on: { focus: () => this.show(number, true), blur: () => this.show(null, false) } }, h("span", { dir: "auto" }, quote)),
    h("p", { class: "who" }, `Cited by ${this.toneName(tone)}`), h("dl", {}, reasons.map(says)));
  }

  /** Return the reasons given for a piece of evidence, each once with the places of those who give it: `{who, step}`. */
  reasonsOf(group) {
    const reasons = [];
    group.cited.forEach((steps, who) => {
      for (const step of steps) {
        const same = reasons.find((one) => one.step.rationale === step.rationale && isDoubtful(one.step) === isDoubtful(step));
        if (same && !same.who.includes(who)) same.who.push(who);
        else if (!same) reasons.push({ who: [who], step });
      }
    });
    return reasons;
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
