/* The note as elements: its text unchanged, sections found, spans marked. Offsets are UTF-16 units here. */

/** Return a function from code points (as in results) to UTF-16 units (as in JavaScript strings). */
function unitsOf(note) {
  if (!/[\ud800-\udbff]/.test(note)) return (point) => point;
  const units = new Uint32Array(note.length + 1);
  let point = 0;
  let unit = 0;
  for (const character of note) {
    units[point++] = unit;
    unit += character.length;
  }
  units[point] = unit;
  const last = point;
  return (at) => units[Math.min(Math.max(at, 0), last)];
}

/** Return the places where `text` stands in `note` as whole words, at most `most`. */
function occurrences(note, text, most) {
  const found = [];
  if (!text.trim()) return found;
  const wordy = /[\p{L}\p{N}]/u;
  for (let at = note.indexOf(text); at >= 0 && found.length < most; at = note.indexOf(text, at + 1)) {
    const end = at + text.length;
    const cutsBefore = at > 0 && wordy.test(note[at - 1]) && wordy.test(text[0]);
    const cutsAfter = end < note.length && wordy.test(note[end]) && wordy.test(text[text.length - 1]);
    if (!cutsBefore && !cutsAfter) found.push([at, end]);
  }
  return found;
}

/**
 * Return the spans of a chain's evidence: `{number, start, end, stage, also}`; `also` marks the same words at another place.
 * A step whose quote is not at its place in the note gives no span at all.
 */
function evidenceSpans(note, steps, path) {
  const toUnits = unitsOf(note);
  const spans = [];
  for (const step of steps) {
    const start = toUnits(step.evidence.start);
    const end = toUnits(step.evidence.end);
    if (!step.evidence.text || note.slice(start, end) !== step.evidence.text) continue;
    const stage = stageOf(path.indexOf(step.supports), path.length);
    spans.push({ number: step.number, start, end, stage, also: false });
    for (const [from, to] of occurrences(note, step.evidence.text, 50))
      if (from !== start) spans.push({ number: step.number, start: from, end: to, stage, also: true });
  }
  return spans;
}

/** Return the spans of what speaks against, in the form of {@link evidenceSpans}; lettered, in a tone of their own. */
function againstSpans(note, contradictions) {
  const toUnits = unitsOf(note);
  return (contradictions || []).map((item, at) => {
    const [start, end] = [toUnits(item.evidence.start), toUnits(item.evidence.end)];
    return { number: letterOf(at), start, end, tone: "counter", also: false, text: item.evidence.text };
  }).filter((span) => span.text && note.slice(span.start, span.end) === span.text);
}

/** Return the spans of a reading: evidence of its steps, doubtful ones so marked, and what speaks against. */
function readingSpans(note, reading) {
  const doubtful = new Set(reading.steps.filter(isDoubtful).map((step) => step.number));
  const steps = evidenceSpans(note, reading.steps, reading.path).map((span) => ({ ...span, doubt: doubtful.has(span.number) }));
  return [...steps, ...againstSpans(note, reading.contradictions)];
}

/** Return the note's blocks in order: headings (and other text between sections) and section bodies; together they are the note. */
function noteBlocks(note, sections) {
  const toUnits = unitsOf(note);
  const blocks = [];
  let at = 0;
  for (const section of sections) {
    const start = toUnits(section.start);
    const end = toUnits(section.end);
    if (start < at || end < start) continue;
    if (start > at) blocks.push({ heading: true, name: section.name, start: at, end: start });
    blocks.push({ heading: false, name: section.name, start, end });
    at = end;
  }
  if (at < note.length) blocks.push({ heading: !!blocks.length && !note.slice(at).trim(), name: "", start: at, end: note.length });
  return blocks;
}

/**
 * Return the note as an element. `paint(nodes, active, from)` makes one piece of `nodes`, its text, given the spans that
 * cover it; by default evidence marks. `root.repaint(start, end, spans)` paints anew only what touches a range.
 */
function renderNote(note, sections, spans, paint = paintEvidence) {
  const root = h("div", { class: "note", dir: "auto" });
  const setText = textSetter(note);
  const painted = [];
  const put = (home, start, end) => {
    painted.push({ home, start, end });
    paintPieces(home, start, end, spans, paint, setText);
    return home;
  };
  let section = null;
  for (const block of noteBlocks(note, sections)) {
    if (block.heading || !section || section.dataset.name !== block.name) {
      section = h("section", { class: "section", "data-name": block.name });
      root.append(section);
    }
    if (block.heading) putHeading(section, note, block, put);
    else for (const [start, end, alone] of chunksOf(note, block.start, block.end)) {
      const body = section.querySelector(":scope > .body") || section.appendChild(h("div", { class: "body" }));
      put(alone ? body : body.appendChild(h("div", { class: "chunk" })), start, end);
    }
  }
  root.repaint = (start, end, changed) => {
    for (const piece of painted) {
      if (piece.start >= end || piece.end <= start) continue;
      piece.home.replaceChildren();
      paintPieces(piece.home, piece.start, piece.end, changed, paint, setText);
    }
  };
  return root;
}

/** Put a heading: what stands on lines of its own above the text, and a label in its line ("ECG: ...") before it. */
function putHeading(section, note, block, put) {
  const text = note.slice(block.start, block.end);
  if (!text.trim()) {
    put(section.appendChild(h("div", { class: "hidden" })), block.start, block.end);
    return;
  }
  const cut = block.start + text.lastIndexOf("\n") + 1;
  const label = note.slice(cut, block.end).trim() !== "" && block.name;
  const end = label ? cut : block.end;
  if (note.slice(block.start, end).trim()) put(section.appendChild(h("h3", {})), block.start, end);
  else if (end > block.start) put(section.appendChild(h("div", { class: "hidden" })), block.start, end);
  if (label) put(section.appendChild(h("h3", { class: "run-in" })), end, block.end);
}

/** Cut a very long section at line ends, else at spaces, so that the browser lays out only what is seen. */
function chunksOf(note, start, end) {
  const size = 6000;
  if (end - start <= 2 * size) return [[start, end, true]];
  const chunks = [];
  for (let at = start; at < end; ) {
    const after = note.slice(at + size, Math.min(at + 2 * size, end));
    const cut = Math.max(after.indexOf("\n"), 0) || after.indexOf(" ");
    const stop = at + 2 * size >= end || cut < 0 ? Math.min(at + 2 * size, end) : at + size + cut + 1;
    chunks.push([at, stop, false]);
    at = stop;
  }
  return chunks;
}

function paintPieces(home, start, end, spans, paint, setText) {
  const near = spans.filter((span) => span.start < end && span.end > start);
  const cuts = new Set([start, end]);
  for (const span of near) cuts.add(Math.max(start, span.start)).add(Math.min(end, span.end));
  const sorted = [...cuts].sort((a, b) => a - b);
  for (let index = 0; index + 1 < sorted.length; index++) {
    const [from, to] = [sorted[index], sorted[index + 1]];
    const active = near.filter((span) => span.start <= from && span.end >= to);
    append(home, [paint(setText(from, to), active, from)]);
  }
}

/** Make the node of one piece of text: plain, or a mark with the numbers of its steps; the first piece of a span shows them. */
function paintEvidence(nodes, active, from) {
  const own = active.filter((span) => !span.also);
  const shown = own.length ? own : active;
  if (!shown.length) return nodes;
  const begins = own.filter((span) => span.start === from).map((span) => span.label || span.number);
  const kind = own.length ? `evidence${own.length > 1 ? " several" : ""}` : "also";
  const numbers = (list) => [...new Set(list.map((span) => span.number))].join(" ");
  const others = active.filter((span) => span.also);
  return h("mark", {
    class: `${kind} ${shown[0].tone || `stage-${shown[0].stage}`}${shown.every((span) => span.doubt) ? " doubt" : ""}`,
    "data-steps": own.length ? numbers(own) : null,
    "data-also": others.length ? numbers(others) : null,
    "data-label": begins.length ? begins.join("·") : null,
    title: own.length ? null : `The same words as the evidence of step ${numbers(others).replace(/ /g, ", ")}`,
  }, nodes);
}

/** Light the marks of one step, dim the others (`null`: none is lit); return the first of its own marks. */
function lightMarks(root, number) {
  root.classList.toggle("focusing", number !== null);
  let first = null;
  for (const mark of root.querySelectorAll("mark")) {
    const own = (mark.dataset.steps || "").split(" ").includes(String(number));
    const also = (mark.dataset.also || "").split(" ").includes(String(number));
    mark.classList.toggle("active", own);
    mark.classList.toggle("echo", also && !own);
    if (own && !first) first = mark;
  }
  return first;
}

/** Return the pane that holds a note: head with jumps to its sections, and a scroller. `content` fills the scroller. */
function notePane(sections, content, title) {
  const scroller = h("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": "Text of the note" }, content);
  const pane = h("section", { class: "pane-note card", "aria-label": title || "The note" });
  const names = [...new Set(sections.map((section) => section.name))];
  const jump = (name) => {
    const target = scroller.querySelector(`.section[data-name="${CSS.escape(name)}"]`);
    if (target) scrollInside(scroller, target, true);
  };
  const jumps = names.length < 2 ? null : h("div", { class: "jumps", role: "group", "aria-label": "Jump to a section of the note" },
    names.map((name) => h("button", { type: "button", on: { click: () => jump(name) } }, sectionName(name))));
  const grip = h("button", { type: "button", class: "button small grip", "aria-expanded": "false" }, "Taller");
  grip.addEventListener("click", () => {
    const tall = pane.classList.toggle("tall");
    grip.textContent = tall ? "Shorter" : "Taller";
    grip.setAttribute("aria-expanded", String(tall));
  });
  append(pane, [h("header", {}, h("h2", {}, title || "The note"), grip, jumps), scroller]);
  return { pane, scroller };
}

/** Keep every note pane as high as the window has room for, so that no part of it hides below the window's edge. */
function fitPanes() {
  for (const pane of document.querySelectorAll(".pane-note")) {
    const top = parseFloat(getComputedStyle(pane).top) || 12;
    const room = innerHeight - Math.max(pane.getBoundingClientRect().top, top) - 12;
    pane.style.setProperty("--room", `${Math.max(room, 240)}px`);
  }
}

for (const event of ["scroll", "resize"]) addEventListener(event, fitPanes, { passive: true });
new ResizeObserver(fitPanes).observe(document.documentElement);

/**
 * Scroll a pane so that `target` is seen. What lies far off, or in a note so long that it is laid out where it is seen, is
 * jumped to: its place was a guess, and is looked at again once it has been laid out.
 */
function scrollInside(scroller, target, toTop, tries = 4) {
  const view = scroller.getBoundingClientRect();
  const box = target.getBoundingClientRect();
  if (!toTop && box.top >= view.top + 8 && box.bottom <= Math.min(view.bottom, innerHeight) - 8) return;
  const room = toTop ? 8 : Math.max(8, Math.min(view.height / 3, (view.height - box.height) / 2));
  const way = box.top - view.top - room;
  if (Math.abs(way) < 1) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const jumps = calm || Math.abs(way) > view.height || scroller.querySelector(".chunk") !== null;
  scroller.scrollTo({ top: scroller.scrollTop + way, behavior: jumps ? "auto" : "smooth" });
  if (jumps && tries) requestAnimationFrame(() => scrollInside(scroller, target, toTop, tries - 1));
}
