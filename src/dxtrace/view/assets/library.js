/* A case, with its tabs; a library of cases with search and filters. */

/** Return a case's JSON; a library holds each in a block of its own that is read when it is opened. */
function caseAt(index) {
  caseAt.read = caseAt.read || new Map();
  if (!caseAt.read.has(index)) caseAt.read.set(index, JSON.parse(document.getElementById(`dxtrace-case-${index}`).textContent));
  return caseAt.read.get(index);
}

/** Return the tabs that a case has: reading, comparing where there are several readings, learning. */
function tabsOf(found) {
  const answers = found.readings.length ? [["read", found.readings.length > 1 ? "Answers" : "Answer"]] : [];
  const compare = found.readings.length > 1 ? [["compare", "Compare"]] : [];
  const learn = answerToLearn(found) || !found.readings.length ? [["learn", "Learn"]] : [];
  return [...answers, ...compare, ...learn];
}

/**
 * Return a case as a page: `go(tab)` is called when another tab is chosen. `where` is `{name, next, sealed}` in a library; what
 * is sealed shows its answer after a commitment.
 */
function casePage(found, tab, go, where = {}) {
  const tabs = tabsOf(found);
  const sealed = where.sealed && !readProgress(found).committed && tabs.some(([name]) => name === "learn");
  const wanted = sealed ? "learn" : tab;
  const current = tabs.some(([name]) => name === wanted) ? wanted : tabs[0][0];
  const nav = h("nav", { class: "tabs", "aria-label": "Ways to see this case" }, tabs.map(([name, text]) =>
    h("button", { type: "button", class: "button small", "aria-current": name === current ? "page" : null, disabled: sealed && name !== "learn",
      title: sealed && name !== "learn" ? "Shown once you have committed" : null, on: { click: () => go(name) } }, text)));
  const unseal = () => {
    for (const button of nav.children) {
      button.disabled = false;
      button.removeAttribute("title");
    }
  };
  if (current === "learn") return [nav, new LearnView(found, { ...where, unseal }).root];
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

const LEVELS = { 1: "easier", 2: "medium", 3: "harder" };

/** A library: a list at `#`, a case at `#case=3&tab=learn`. */
class Library {
  constructor(app, data) {
    this.data = data;
    this.main = h("main", {});
    this.practice = data.sealed || (remembered("dxtrace.practice") === null ? data.practice : remembered("dxtrace.practice") === "yes");
    this.query = { words: "", specialty: "", category: "", label: "", tag: "", level: "", state: "", agree: "", order: "" };
    this.shown = data.cases.map((_, index) => index);
    this.left = { index: -1, scroll: 0 };
    fill(app, topBar(data.disclaimer, "#"), this.main, pageFoot(data));
    addEventListener("hashchange", () => this.route());
    if ("scrollRestoration" in history) history.scrollRestoration = "manual";
    this.route();
  }

  route() {
    const where = new URLSearchParams(location.hash.slice(1));
    const index = where.has("case") ? Number(where.get("case")) : -1;
    if (!this.data.cases[index]) return this.showList();
    if (this.list && this.list.isConnected) this.left = { index, scroll: scrollY };
    this.left.index = index;
    return this.showCase(index, where.get("tab") || (this.practice ? "learn" : "read"));
  }

  /** Return what a case is called: in practice its number, for an id may tell. */
  nameOf(index) {
    return this.practice && !readProgress(caseAt(index)).committed ? `Case ${index + 1}` : `Case ${index + 1} · ${this.data.cases[index].id}`;
  }

  showCase(index, tab) {
    const found = caseAt(index);
    const go = (name) => {
      if (location.hash === `#case=${index}&tab=${name}`) this.showCase(index, name);
      else location.hash = `case=${index}&tab=${name}`;
    };
    const at = this.shown.indexOf(index);
    const step = (to, text) => (to === undefined ? null : h("a", { class: "button small", href: `#case=${to}` }, text));
    const place = at < 0 ? "" : ` (${at + 1} of ${this.shown.length} in the list)`;
    fill(this.main, h("nav", { class: "crumbs tools", "aria-label": "Library" }, h("a", { class: "button small", href: "#" }, "← All cases"),
      step(this.shown[at - 1], "Previous"), step(at < 0 ? undefined : this.shown[at + 1], "Next"), h("span", { class: "muted fine" }, this.nameOf(index), place)),
    ...casePage(found, tab, go, { name: this.nameOf(index), next: this.nextHref(index), sealed: this.practice }));
    document.title = `${this.practice ? `Case ${index + 1}` : found.title} · dxtrace`;
    scrollTo(0, 0);
    const title = this.main.querySelector("h1");
    if (title) {
      title.tabIndex = -1;
      title.focus({ preventScroll: true });
    }
  }

  /** Return the cases of the list that this student has not committed to. */
  unsolved() {
    return this.shown.filter((index) => !readProgress(caseAt(index)).committed);
  }

  nextHref(index) {
    const open = this.unsolved().filter((one) => one !== index);
    const next = open.find((one) => one > index) ?? open[0];
    return next === undefined ? null : `#case=${next}&tab=learn`;
  }

  showList() {
    document.title = this.data.title;
    this.status = h("p", { class: "muted fine", role: "status" });
    this.list = h("ul", { class: "cases" });
    this.tools = h("div", { class: "stack tail" });
    fill(this.main, h("div", { class: "head" }, h("h1", { tabindex: "-1" }, this.data.title), this.progressLine()), this.filters(), this.status, this.list, this.tools);
    this.showMatches();
    this.showTools();
    if (this.left.index < 0) return;
    scrollTo(0, this.left.scroll);
    const link = this.list.querySelector(`a[href="#case=${this.left.index}"]`);
    if (link) link.focus({ preventScroll: true });
  }

  /** Say how far the student is, with a way to the next and to a random unsolved case. */
  progressLine() {
    if (!this.practice) return null;
    const sessions = committedSessions(this.data.cases.length);
    const scored = sessions.filter((session) => session.result);
    const mean = scored.length ? `, mean ${Math.round(scored.reduce((sum, session) => sum + session.result.total, 0) / scored.length)} of 100` : "";
    const random = () => {
      const open = this.unsolved();
      if (open.length) location.hash = `case=${open[Math.floor(Math.random() * open.length)]}&tab=learn`;
    };
    const next = this.nextHref(-1);
    return h("div", { class: "row" }, h("p", { class: "lead" }, `${sessions.length} of ${this.data.cases.length} done${mean}.`),
      next ? [h("a", { class: "button primary", href: next }, "Next unsolved case"), h("button", { type: "button", class: "button", on: { click: random } }, "A random one")] : null);
  }

  showTools() {
    const total = this.data.cases.length;
    if (this.practice) fill(this.tools, calibrationCard(committedSessions(total)), classPanel(total));
    else fill(this.tools, researchPanel(this.data, () => this.shown));
  }

  filters() {
    const values = (of) => [...new Set(this.data.cases.flatMap(of).filter((value) => value || value === 0))].sort();
    const select = (key, label, options, text = (option) => option) => (options.length < 2 ? null : h("div", {}, h("label", { for: `filter-${key}` }, label),
      h("select", { id: `filter-${key}`, class: "field", on: { change: (event) => this.set(key, event.target.value) } }, h("option", { value: "" }, "all"),
        options.map((option) => h("option", { value: option, selected: this.query[key] === String(option) }, text(option))))));
    const search = h("input", { id: "search", type: "search", class: "field", value: this.query.words, autocomplete: "off", placeholder: this.practice ? "words in the note" : "words in the note, a diagnosis, an id",
      on: { input: (event) => this.set("words", event.target.value) } });
    const hide = h("input", { id: "practice", type: "checkbox", on: { change: () => this.togglePractice() } });
    hide.checked = this.practice;
    return h("div", { class: "filters card" }, h("div", { class: "wide" }, h("label", { for: "search" }, "Search"), search),
      select("specialty", "Specialty", values((entry) => entry.specialty)),
      this.practice ? [select("level", "Difficulty", values((entry) => entry.level), (level) => LEVELS[level]), select("state", "Yours", ["unsolved", "begun", "done"])]
        : [select("category", "Category", values((entry) => entry.category)), select("label", "Read by", values((entry) => entry.labels)), select("tag", "Kind of note", values((entry) => entry.tags)), this.agreeFilter(select), this.orderChoice()],
      this.data.sealed ? null : h("label", { class: "fine check", for: "practice" }, hide, " Diagnoses hidden"));
  }

  agreeFilter(select) {
    const options = this.data.cases.some((entry) => entry.labels.length > 1) ? ["agree", "disagree", "doubtful", "wrong"] : ["doubtful", "no diagnosis"];
    return select("agree", "Answers", options);
  }

  /** Return the choice of an order; only where some answer has a probability. */
  orderChoice() {
    if (!this.data.cases.some((entry) => typeof entry.probability === "number")) return null;
    const options = [["", "as they come"], ["rising", "least sure first"], ["falling", "surest first"]];
    return h("div", {}, h("label", { for: "order" }, "Order"), h("select", { id: "order", class: "field", on: { change: (event) => this.set("order", event.target.value) } },
      options.map(([value, text]) => h("option", { value, selected: this.query.order === value }, text))));
  }

  /** Return indexes in the order that was chosen; cases without a probability come last. */
  ordered(indexes) {
    const { order } = this.query;
    if (!order || this.practice) return indexes;
    const sign = order === "rising" ? 1 : -1;
    const value = (index) => this.data.cases[index].probability ?? sign * Infinity;
    return [...indexes].sort((a, b) => sign * (value(a) - value(b)) || a - b);
  }

  togglePractice() {
    this.practice = !this.practice;
    Object.assign(this.query, { category: "", label: "", tag: "", level: "", state: "", agree: "" });
    remember("dxtrace.practice", this.practice ? "yes" : "no");
    this.left.index = -1;
    this.showList();
    document.getElementById("practice").focus();
  }

  set(key, value) {
    this.query[key] = value;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.showMatches(), key === "words" ? 120 : 0);
  }

  matches(entry, index, words) {
    const { specialty, category, label, tag, level, state, agree } = this.query;
    if ((specialty && entry.specialty !== specialty) || (category && entry.category !== category) || (label && !entry.labels.includes(label))) return false;
    if ((tag && !entry.tags.includes(tag)) || (level && String(entry.level) !== level)) return false;
    if (state && (this.standing(index).state || "unsolved") !== state) return false;
    if (agree && !agreesWith(caseAt(index), agree)) return false;
    if (!words.length) return true;
    const said = this.practice ? "" : `${entry.id} ${entry.diagnosis} ${entry.category}`;
    const text = `${entry.title} ${said} ${caseAt(index).note}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }

  showMatches() {
    const words = this.query.words.toLowerCase().split(/\s+/).filter(Boolean);
    const found = this.data.cases.map((_, index) => index).filter((index) => this.matches(this.data.cases[index], index, words));
    this.shown = this.ordered(found);
    this.status.textContent = `${count(this.shown.length, "case")}${this.shown.length < this.data.cases.length ? ` of ${this.data.cases.length}` : ""}`;
    fill(this.list, this.shown.map((index) => this.item(this.data.cases[index], index)));
  }

  item(entry, index) {
    const { state, text } = this.practice ? this.standing(index) : { state: "", text: "" };
    const about = [`Case ${index + 1}`, entry.person, `${entry.words} words`, this.practice ? LEVELS[entry.level] : "", entry.specialty];
    return h("li", {}, h("a", { class: "card", href: `#case=${index}` },
      h("span", { class: "name", dir: "auto" }, entry.title),
      h("span", { class: "fine verdict" }, state ? h("span", { class: state }, text) : this.practice ? "" : entry.diagnosis),
      h("span", { class: "fine muted" }, [...about, this.practice ? "" : entry.id, ...(this.practice ? [] : entry.tags), this.practice ? "" : entry.labels.join(" and ")].filter(Boolean).join(" · ")),
      h("span", { class: "fine muted" }, this.practice ? "" : entry.category)));
  }

  /** Return how a case stands with this student, from the browser's own memory: `{state, text}`. */
  standing(index) {
    const found = caseAt(index);
    const progress = readProgress(found);
    if (progress.committed) {
      const result = progress.gaveUp ? null : gradeSession(found, progress);
      return { state: "done", text: result ? `${result.total} of 100` : "done" };
    }
    const begun = progress.ranked.length || progress.marks.length || progress.revealed > 1;
    return begun ? { state: "begun", text: "begun" } : { state: "", text: "" };
  }
}

/** Return the foot of a page: what it was made with, the disclaimer again for paper, and links. */
function pageFoot(data, ...links) {
  return h("footer", { class: "page" }, `Made with dxtrace ${data.version}. ${data.disclaimer} `, links);
}
