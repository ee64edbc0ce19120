/* A case, with its tabs; a library of cases with search and filters. */

/** Return a case's JSON; a library holds each in a block of its own that is read when it is opened. */
function caseAt(index) {
  caseAt.read = caseAt.read || new Map();
  if (!caseAt.read.has(index)) caseAt.read.set(index, JSON.parse(document.getElementById(`dxtrace-case-${index}`).textContent));
  return caseAt.read.get(index);
}

/** Return the tabs that a case has: reading, comparing where there are several readings, learning. */
function tabsOf(found) {
  return [["read", found.readings.length > 1 ? "Answers" : "Answer"], ...(found.readings.length > 1 ? [["compare", "Compare"]] : []), ...(answerToLearn(found) ? [["learn", "Learn"]] : [])];
}

/** Return a case as a page: `go(tab)` is called when another tab is chosen. */
function casePage(found, tab, go) {
  const tabs = tabsOf(found);
  const current = tabs.some(([name]) => name === tab) ? tab : "read";
  const nav = h("nav", { class: "tabs", "aria-label": "Ways to see this case" }, tabs.map(([name, text]) =>
    h("button", { type: "button", class: "button small", "aria-current": name === current ? "page" : null, on: { click: () => go(name) } }, text)));
  if (current === "learn") return [nav, new LearnView(found).root];
  if (current === "compare") return [nav, new CompareView(found).root];
  return [nav, readings(found)];
}

/** Return one answer, or several of which one is chosen. */
function readings(found) {
  const home = h("div", {});
  const show = (at) => fill(home, found.readings.length > 1 ? chooser(at) : null, new ResultView(found, found.readings[at]).root);
  const chooser = (at) => h("div", { class: "row tools", role: "group", "aria-label": "Whose answer", style: { "margin-bottom": ".75rem" } },
    found.readings.map((reading, index) => h("button", { type: "button", class: "button small", "aria-pressed": String(index === at), on: { click: () => show(index) } }, reading.label)));
  show(0);
  return home;
}

/** A page of one case. */
function startCase(app, data) {
  const main = h("main", {});
  const found = caseAt(0);
  const go = (tab) => {
    fill(main, ...casePage(found, tab, go));
    const current = main.querySelector('.tabs [aria-current="page"]');
    if (current) current.focus();
  };
  fill(app, topBar(data.disclaimer), main, pageFoot(data));
  fill(main, ...casePage(found, data.start || "read", go));
}

/** A library: a list at `#`, a case at `#case=3&tab=learn`. */
class Library {
  constructor(app, data) {
    this.data = data;
    this.main = h("main", {});
    this.practice = remembered("dxtrace.practice") === null ? data.practice : remembered("dxtrace.practice") === "yes";
    this.query = { words: "", category: "", label: "", tag: "" };
    fill(app, topBar(data.disclaimer, "#"), this.main, pageFoot(data));
    addEventListener("hashchange", () => this.route());
    this.route();
  }

  route() {
    const where = new URLSearchParams(location.hash.slice(1));
    const index = where.has("case") ? Number(where.get("case")) : -1;
    if (this.data.cases[index]) this.showCase(index, where.get("tab") || (this.practice ? "learn" : "read"));
    else this.showList();
    scrollTo(0, 0);
  }

  showCase(index, tab) {
    const found = caseAt(index);
    const go = (name) => (location.hash = `case=${index}&tab=${name}`);
    const step = (to, text) => (this.data.cases[to] ? h("a", { class: "button small", href: `#case=${to}` }, text) : null);
    fill(this.main, h("nav", { class: "crumbs tools", "aria-label": "Library" }, h("a", { class: "button small", href: "#" }, "← All cases"),
      step(index - 1, "Previous"), step(index + 1, "Next"), h("span", { class: "muted fine" }, `${index + 1} of ${this.data.cases.length} · ${found.id}`)),
    ...casePage(found, tab, go));
    document.title = `${found.title} · dxtrace`;
  }

  showList() {
    document.title = this.data.title;
    this.status = h("p", { class: "muted fine", role: "status" });
    this.list = h("ul", { class: "cases" });
    fill(this.main, h("div", { class: "head" }, h("h1", {}, this.data.title)), this.filters(), this.status, this.list);
    this.showMatches();
  }

  filters() {
    const values = (of) => [...new Set(this.data.cases.flatMap(of).filter(Boolean))].sort();
    const select = (key, label, options) => (options.length < 2 ? null : h("div", {}, h("label", { for: `filter-${key}` }, label),
      h("select", { id: `filter-${key}`, class: "field", on: { change: (event) => this.set(key, event.target.value) } }, h("option", { value: "" }, "all"),
        options.map((option) => h("option", { value: option, selected: this.query[key] === option }, option)))));
    const search = h("input", { id: "search", type: "search", class: "field", value: this.query.words, autocomplete: "off", placeholder: "words in the note, a diagnosis, an id",
      on: { input: (event) => this.set("words", event.target.value) } });
    const practice = h("button", { type: "button", class: "button", "aria-pressed": String(this.practice), on: { click: () => this.togglePractice() } }, "Hide diagnoses");
    return h("div", { class: "filters card" }, h("div", { class: "wide" }, h("label", { for: "search" }, "Search"), search),
      this.practice ? null : select("category", "Category", values((entry) => entry.category)),
      select("label", "Read by", values((entry) => entry.labels)), select("tag", "Kind", values((entry) => entry.tags)), practice);
  }

  togglePractice() {
    this.practice = !this.practice;
    this.query.category = "";
    remember("dxtrace.practice", this.practice ? "yes" : "no");
    this.showList();
    const button = this.main.querySelector(".filters .button");
    if (button) button.focus();
  }

  set(key, value) {
    this.query[key] = value;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.showMatches(), key === "words" ? 120 : 0);
  }

  matches(entry, index, words) {
    const { category, label, tag } = this.query;
    if ((category && entry.category !== category) || (label && !entry.labels.includes(label)) || (tag && !entry.tags.includes(tag))) return false;
    if (!words.length) return true;
    const said = this.practice ? "" : `${entry.diagnosis} ${entry.category}`;
    const text = `${entry.id} ${entry.title} ${said} ${caseAt(index).note}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }

  showMatches() {
    const words = this.query.words.toLowerCase().split(/\s+/).filter(Boolean);
    const indexes = this.data.cases.map((_, index) => index).filter((index) => this.matches(this.data.cases[index], index, words));
    this.status.textContent = `${count(indexes.length, "case")}${indexes.length < this.data.cases.length ? ` of ${this.data.cases.length}` : ""}`;
    fill(this.list, indexes.map((index) => this.item(this.data.cases[index], index)));
  }

  item(entry, index) {
    const done = this.practice && this.scoreOf(index);
    return h("li", {}, h("a", { class: "card", href: `#case=${index}` },
      h("span", { class: "name", dir: "auto" }, entry.title),
      h("span", { class: "fine" }, done ? h("span", { class: "done" }, done) : this.practice ? "" : entry.diagnosis),
      h("span", { class: "fine muted" }, [entry.id, ...entry.tags, this.practice ? "" : entry.labels.join(" and ")].filter(Boolean).join(" · ")),
      h("span", { class: "fine muted" }, this.practice ? "" : entry.category)));
  }

  /** Return how a case stands with this student, from the browser's own memory. */
  scoreOf(index) {
    const progress = readProgress(caseAt(index));
    if (progress.committed) return "done";
    return progress.ranked.length || progress.marks.length || progress.revealed > 1 ? "begun" : "";
  }
}

/** Return the foot of a page: what it was made with, the disclaimer again for paper, and links. */
function pageFoot(data, ...links) {
  return h("footer", { class: "page" }, `Made with dxtrace ${data.version}. ${data.disclaimer} `, links);
}
