/* Elements, announcements, small things that every view uses. Text always becomes text nodes, never markup. */

const SECTION_NAMES = {
  chief_complaint: "Chief complaint",
  history_of_present_illness: "History of present illness",
  past_medical_history: "Past medical history",
  family_history: "Family history",
  physical_exam: "Physical exam",
  pertinent_results: "Pertinent results",
  medications: "Medications",
  allergies: "Allergies",
  discharge_instructions: "Discharge instructions",
};
const NARROW = matchMedia("(max-width: 59.99rem)");

/** Return a section's name as people write it. */
function sectionName(name) {
  return SECTION_NAMES[name] || String(name).replace(/_/g, " ");
}

/**
 * Make an element. `attributes`: `class`, `on` (event handlers by name), `style` (custom properties), `text`, anything else
 * is an attribute; false, null and undefined leave it out. Children are nodes, strings or numbers; empty ones are skipped.
 */
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "on") for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === "style") for (const [key, item] of Object.entries(value)) element.style.setProperty(key, item);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** Append nodes, strings and numbers (nested lists too) to an element. */
function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** Replace an element's children. */
function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** Say something to a screen reader without moving the focus. */
function announce(text) {
  const region = document.getElementById("announcer");
  if (region) region.textContent = text;
}

/** Return the whole percentage of a probability, honest at both ends. */
function percent(share) {
  if (share > 0 && share < 0.01) return "<1%";
  if (share < 1 && share > 0.99) return ">99%";
  return `${Math.round(share * 100)}%`;
}

/** Return "1 step" or "3 steps". */
function count(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many || one + "s"}`;
}

/** Return the colour stage (0 to 4) of place `at` on a path of `length` nodes: suspicion 0, the last one always 4. */
function stageOf(at, length) {
  if (length < 2 || at >= length - 1) return 4;
  return Math.max(0, Math.round((at * 4) / (length - 1)));
}

/** Say what the Escape key does from now on, wherever the focus is. */
function onEscape(action) {
  onEscape.action = action;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && onEscape.action) onEscape.action();
});

/** Give the user a file. */
function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Return a file name made of a case's id. */
function fileName(id, ending) {
  return `${String(id).replace(/[^\w.-]+/g, "-").slice(0, 60) || "case"}${ending}`;
}

/** Read from the browser's own storage; null where there is none (a sandboxed frame, a private window). */
function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Write to the browser's own storage, `null` to forget; nothing happens where there is none. */
function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    /* progress is then kept until the page is closed */
  }
}

/** Read what this tab keeps; null where there is nothing, or no such storage. */
function ofTab(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keep something until this tab is closed, `null` to forget it. */
function keepInTab(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, value);
  } catch {
    /* then a reload begins anew */
  }
}

/** Follow the system's light or dark until the user chooses. */
function applyTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = remembered("dxtrace.theme") || system;
}

/** Return the bar on top of every page, with the disclaimer. */
function topBar(disclaimer, home) {
  const toggle = h("button", { type: "button", class: "button small brand-tools", on: { click: switchTheme } }, "Light / dark");
  return h("header", { class: "bar" },
    home ? h("a", { class: "brand", href: home }, "dxtrace") : h("span", { class: "brand" }, "dxtrace"),
    h("span", { class: "disclaimer" }, disclaimer), toggle);
}

function switchTheme() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  remember("dxtrace.theme", next);
  document.documentElement.dataset.theme = next;
}
