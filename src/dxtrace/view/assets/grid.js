/* Findings against diagnoses: what each piece of the note says for and against the answer and the best other categories. */

const GRID_ROWS = 12;

/** Return the diagnoses that are set against each other: `{name, category, nodes, steps}`, the answer first. */
function contenders(reading) {
  const answer = reading.path.length ? [{ name: reading.diagnosis || reading.category, category: reading.category, steps: reading.steps }] : [];
  const others = (reading.alternatives || []).map((item) => ({ name: item.diagnosis, category: item.category, steps: item.steps }));
  return [...answer, ...others];
}

/** Return the pieces of the note as rows: `{quote, start, end, cells, strong}`; a cell is "for", "against" or "". */
function gridRows(note, reading) {
  const columns = contenders(reading);
  const pieces = [];
  const place = (evidence) => {
    const known = pieces.find((piece) => sameEvidence(piece, evidence));
    if (known) return known;
    const piece = { start: evidence.start, end: evidence.end, quote: evidence.text, cells: columns.map(() => ""), strong: false };
    pieces.push(piece);
    return piece;
  };
  columns.forEach((column, at) => {
    for (const step of column.steps) {
      const piece = place(step.evidence);
      piece.cells[at] = "for";
      piece.strong = piece.strong || step.weight === "strong";
    }
  });
  (reading.contradictions || []).forEach((item) => {
    const hit = columns.map((column) => item.against.some((name) => name === column.name || isAbove(name, column)));
    if (!hit.includes(true)) return;
    const piece = place(item.evidence);
    hit.forEach((is, at) => { if (is) piece.cells[at] = "against"; });
  });
  return pieces;
}

/** True if a name that something speaks against is the category of a column, or the suspicion of it. */
function isAbove(name, column) {
  return name === column.category || name === `Suspected ${column.category}`;
}

/** Return how much a row is worth showing: what speaks against, then what the answer rests on, then what is strong for another. */
function rowWorth(row) {
  if (row.cells.includes("against")) return 3;
  if (row.cells[0] === "for") return 2;
  return row.strong ? 1 : 0;
}

/** Return the grid as a card, or null where there is nothing to set against each other. */
function findingsGrid(found, reading) {
  const columns = contenders(reading);
  if (columns.length < 2) return null;
  const rows = gridRows(found.note, reading);
  const shown = [...rows].sort((a, b) => rowWorth(b) - rowWorth(a) || a.start - b.start).slice(0, GRID_ROWS).sort((a, b) => a.start - b.start);
  if (!shown.length) return null;
  const says = { for: ["+", "for"], against: ["−", "against"], "": ["·", "says nothing"] };
  const cell = (kind) => h("td", { class: `says ${kind || "silent"}` }, h("span", { "aria-hidden": "true" }, says[kind][0]), h("span", { class: "hidden" }, says[kind][1]));
  const left = rows.length - shown.length;
  return h("section", { class: "grid card", "aria-label": "Findings against diagnoses" }, h("h2", {}, "Findings against diagnoses"),
    h("div", { class: "sideways", tabindex: "0", role: "group", "aria-label": "Findings against diagnoses, a table" }, h("table", {},
      h("thead", {}, h("tr", {}, h("td", {}), columns.map((column) => h("th", { scope: "col", title: illness(column.name).full }, column.name)))),
      h("tbody", {}, shown.map((row) => h("tr", {}, h("th", { scope: "row", dir: "auto" }, shortened(row.quote, 60)), row.cells.map(cell)))))),
    h("p", { class: "fine muted" }, "+ speaks for, − speaks against, · says nothing either way.", left > 0 ? ` ${count(left, "more piece")} that ${left === 1 ? "tells" : "tell"} less ${left === 1 ? "is" : "are"} left out.` : ""));
}
