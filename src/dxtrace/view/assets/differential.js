/* The differential: categories with their diagnoses, and the two opinions whose product each probability is. */

const SHOWN_CATEGORIES = 4;
const SHOWN_TYPES = 4;

/** Return categories, most probable first: `{category, probability, model, findings, entries}`. */
function byCategory(reading) {
  const groups = new Map();
  for (const entry of reading.differential || []) {
    if (!groups.has(entry.category)) groups.set(entry.category, { category: entry.category, probability: 0, model: null, findings: null, entries: [] });
    const group = groups.get(entry.category);
    group.entries.push(entry);
    for (const key of ["probability", "model", "findings"]) if (typeof entry[key] === "number") group[key] += entry[key];
  }
  for (const total of reading.categories || []) if (groups.has(total.category)) Object.assign(groups.get(total.category), total);
  return [...groups.values()].sort((a, b) => b.probability - a.probability);
}

/** Return the differential as a card with what it means, or null without one. */
function differentialCard(reading) {
  const groups = byCategory(reading);
  if (!groups.length) return null;
  const opinions = groups.some((group) => group.model !== null || group.findings !== null);
  const shown = groups.slice(0, SHOWN_CATEGORIES);
  const others = (reading.known_categories || groups.length) - shown.length;
  const left = Math.max(1e-4, 1 - shown.reduce((sum, group) => sum + group.probability, 0));
  const title = abstains(reading) ? "Nearest candidates" : "Differential diagnosis";
  const head = ["", "", "Probability", ...(opinions ? ["Model", "Findings"] : [])];
  return h("section", { class: `differential card${abstains(reading) ? " candidates" : ""}`, "aria-label": title },
    h("h2", {}, title),
    h("table", { class: "bars" },
      h("thead", {}, h("tr", {}, head.map((text, at) => (text ? h("th", { scope: "col", class: "value" }, text) : h("td", {}))))),
      shown.map((group, at) => h("tbody", { class: group.category === reading.category ? "top" : null }, groupRows(group, at === 0, opinions, reading)))),
    others > 0 ? h("p", { class: "fine muted" }, `${count(others, "other category", "other categories")}, together ${percent(left)}`) : null,
    h("p", { class: "fine muted" }, opinions ? "The model reads the note as a whole, the findings are counted one by one; the probability is their calibrated product. " : "", "How dxtrace shares its belief among the illnesses it knows. It is not the patient's risk."));
}

/** Return the rows of a category: its sum, then its diagnoses of 1 % and more; of the first category always one. */
function groupRows(group, first, opinions, reading) {
  const answer = (entry) => entry.diagnosis === reading.diagnosis;
  const entries = group.entries.filter((entry, at) => answer(entry) || (first && at === 0) || (entry.probability >= 0.01 && entry.diagnosis !== group.category)).slice(0, first ? SHOWN_TYPES : 2);
  return [
    differentialRow(group.category, group, opinions, "category"),
    entries.map((entry) => differentialRow(entry.diagnosis, entry, opinions, answer(entry) ? "type answer" : "type")),
  ];
}

function differentialRow(name, shares, opinions, kind) {
  const width = `${Math.max(0, Math.min(1, shares.probability)) * 100}%`;
  const value = (share) => h("td", { class: "value" }, typeof share === "number" ? percent(share) : "–");
  const full = kind === "category" ? name : illness(name).full;
  return h("tr", { class: kind }, h("th", { scope: "row", class: "name", title: full === name ? null : full }, name),
    h("td", { class: "gauge" }, h("span", { class: "track" }, h("span", { class: "fill", style: { "--p": width } }))),
    value(shares.probability), opinions ? [value(shares.model), value(shares.findings)] : null);
}
