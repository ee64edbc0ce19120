/* How the lines of a note are set on a screen: hard wraps joined, columns in one width, Markdown's marks put away. The text stays. */

/** Lines longer than this are no hard-wrapped text, shorter ones no full lines (characters). */
const WRAP_WIDTH = { most: 130, least: 60 };

/** What begins a line of its own: a bullet, a number, a heading, a label, a row of a table. */
const OWN_LINE = /^\s*(?:[-*•+#|>]|\d{1,2}[.)]\s|[A-Z][\w /()-]{0,30}:)/;

const COLUMNS = /\S(?: {2,}|\t+)\S.*(?: {2,}|\t+)\S|^\s*\|.*\|\s*$|\S {3,}\S/;

/** Return the lines of a note: `{start, end}` without the line end. */
function linesOf(note) {
  const lines = [];
  let start = 0;
  while (start <= note.length) {
    const found = note.indexOf("\n", start);
    const stop = found < 0 ? note.length : found;
    const end = stop > start && note[stop - 1] === "\r" ? stop - 1 : stop;
    lines.push({ start, end, stop, text: note.slice(start, end) });
    start = stop + 1;
  }
  return lines;
}

/**
 * Return stretches of a note that are set otherwise than plain text, in order: `{start, end, kind}`. `wrap`: a line end that
 * only a text editor needed; `columns`: rows that line up in one width; `syntax`: marks of Markdown.
 */
function textRuns(note) {
  const lines = linesOf(note);
  const columns = lines.map((line) => COLUMNS.test(line.text));
  const wrapped = wrappedLines(lines, columns);
  const runs = [];
  lines.forEach((line, at) => {
    const rows = columns[at] && (columns[at - 1] || columns[at + 1]);
    if (rows) runs.push({ start: line.start, end: line.end, kind: "columns" });
    else runs.push(...syntaxRuns(line));
    if (wrapped[at]) runs.push({ start: line.end, end: line.stop + 1, kind: "wrap" });
  });
  return runs;
}

/** Tell of each line whether it was broken only for its width. */
function wrappedLines(lines, columns) {
  const lengths = lines.filter((_, at) => !columns[at]).map((line) => line.text.length);
  const width = lengths.reduce((most, length) => Math.max(most, length), 0);
  if (width > WRAP_WIDTH.most || width < WRAP_WIDTH.least) return [];
  const follows = (at) => at + 1 < lines.length && !columns[at] && !columns[at + 1] && continues(lines[at].text, lines[at + 1].text);
  const wrapped = lines.map((line, at) => follows(at) && (isFull(line.text, lines[at + 1].text, width) || isBroken(line.text, lines[at + 1].text, width)));
  // In a paragraph with such a line a sentence may end at a line's end as well.
  return wrapped.map((is, at) => is || (follows(at) && lines[at].text.length > 0.7 * width && (wrapped[at - 1] || wrapped[at + 1]) === true));
}

/** True if the second of two lines could go on with the first. */
function continues(line, next) {
  return line.trim() !== "" && next.trim() !== "" && !OWN_LINE.test(next);
}

/** True if the next word had no room on the line. */
function isFull(line, next, width) {
  return line.length + 1 + next.trim().split(/\s/)[0].length > width;
}

/** True if a line ends inside a sentence. */
function isBroken(line, next, width) {
  return line.length > 0.6 * width && !/[.!?:;]\s*$/.test(line) && /^\s*[a-z(]/.test(next);
}

function syntaxRuns(line) {
  const runs = [];
  for (const match of line.text.matchAll(/^\s{0,3}#{1,6}\s+|\*\*|__(?=\S)(?!_)/g))
    runs.push({ start: line.start + match.index, end: line.start + match.index + match[0].length, kind: "syntax" });
  return runs;
}

/** Return a function that makes the nodes of a piece of a note: `(from, to)` gives text, with the runs in it as spans. */
function textSetter(note) {
  const runs = textRuns(note);
  if (!runs.length) return (from, to) => [document.createTextNode(note.slice(from, to))];
  return (from, to) => {
    const nodes = [];
    let at = from;
    for (let index = firstAfter(runs, from); index < runs.length && runs[index].start < to; index++) {
      const start = Math.max(from, runs[index].start);
      const end = Math.min(to, runs[index].end);
      if (start > at) nodes.push(document.createTextNode(note.slice(at, start)));
      if (end > start) nodes.push(h("span", { class: runs[index].kind }, note.slice(start, end)));
      at = Math.max(at, end);
    }
    if (at < to) nodes.push(document.createTextNode(note.slice(at, to)));
    return nodes;
  };
}

/** Return the index of the first run that ends after `at`. */
function firstAfter(runs, at) {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (runs[middle].end <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return a note in which line ends that only a text editor needed are spaces; every offset stays. */
function joinedLines(note) {
  const parts = [];
  let at = 0;
  for (const run of textRuns(note)) {
    if (run.kind !== "wrap") continue;
    parts.push(note.slice(at, run.start), " ".repeat(run.end - run.start));
    at = run.end;
  }
  return parts.join("") + note.slice(at);
}
