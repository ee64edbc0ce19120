/* The web app: paste, drop or pick a case; follow the stream of its answer; cancel. Nothing is kept but in this page. */

/** Yield the events of a stream of server-sent events: `{name, data}`. */
async function* readEvents(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const field = (key) => block.split("\n").find((line) => line.startsWith(key))?.slice(key.length);
        const name = field("event: ");
        if (name) yield { name, data: JSON.parse(field("data: ")) };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Where a tab keeps its case and answer over a reload, if its user wants that; gone with the tab. */
const KEPT = "dxtrace.kept";

class App {
  constructor(home, settings) {
    this.settings = settings;
    this.token = "";
    this.client = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2).padEnd(8, "0");
    this.draft = "";
    this.given = "";
    this.keep = false;
    this.model = settings.models[0].name;
    this.main = h("main", {});
    fill(home, topBar(settings.disclaimer), this.main, pageFoot(settings, h("a", { href: "openapi.json" }, "JSON API (OpenAPI)")));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => event.preventDefault());
    this.begin();
  }

  /** Begin with what this tab kept before a reload, else with an empty box. */
  begin() {
    const kept = JSON.parse(ofTab(KEPT) || "null");
    if (!kept) return this.showIntake();
    this.keep = true;
    this.draft = kept.draft;
    if (!kept.reading) return this.showIntake();
    this.found = kept.found;
    this.showStatus("The answer kept in this tab");
    this.view = new ResultView(this.found, kept.reading);
    return this.showWhole(kept.reading);
  }

  /** Keep the case and, once there is one, its answer in this tab, or forget both. */
  remember(reading) {
    keepInTab(KEPT, this.keep ? JSON.stringify({ draft: this.draft, found: this.found, reading }) : null);
  }

  showIntake(problem, place = "case") {
    const area = h("textarea", {
      id: "case", class: "field", spellcheck: "false", autocomplete: "off", "aria-describedby": "case-help",
      placeholder: "CC: ...\nHPI: ...\nPMH: ...\nExam: ...\nResults: ...",
      on: { input: () => this.typed(area), paste: (event) => this.pasteLong(event, area), keydown: (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && this.submit() },
    });
    area.value = this.draft;
    const file = h("input", { type: "file", id: "file", class: "field", accept: ".txt,.md,.json,text/plain,application/json", on: { change: () => file.files[0] && this.takeFile(file.files[0]) } });
    this.notice = h("div", { class: "stack" }, problem ? h("p", { class: "notice bad", role: "alert" }, problem) : null);
    const form = h("form", { class: "card stack", on: { submit: (event) => { event.preventDefault(); this.submit(); } } },
      h("div", {}, h("label", { for: "case" }, "Patient case"), h("p", { id: "case-help", class: "fine muted" }, "Paste a note, or drop a text or JSON file here. Nothing is stored on the server. Use invented or de-identified cases only.")),
      this.notice, area, h("div", { class: "choices" }, h("div", {}, h("label", { for: "file" }, "From a file"), file), this.modelPicker()),
      this.settings.token ? this.tokenField() : null,
      h("div", { class: "row" }, h("button", { class: "button primary" }, "Find the diagnosis"), h("span", { class: "fine muted wide-only" }, "or Ctrl + Enter"), this.keepBox()));
    this.allowDrop(form, area);
    fill(this.main, h("div", { class: "intake stack" },
      h("h1", {}, "Read a case"), h("p", { class: "lead" }, "A diagnosis, and why: every step quotes the line of the case that supports it."),
      form, this.exampleCards(), this.scopeList()));
    if (problem) document.getElementById(place).focus();
  }

  /** The user types: what was said of the text before is past. */
  typed(area) {
    this.draft = area.value;
    this.given = "";
    fill(this.notice);
    if (this.keep) this.remember(null);
  }

  keepBox() {
    const box = h("input", { type: "checkbox", id: "keep", on: { change: () => { this.keep = box.checked; this.remember(null); } } });
    box.checked = this.keep;
    return h("label", { class: "fine keep", for: "keep" }, box, " Keep case and answer in this tab over a reload");
  }

  /** Browsers take seconds to type a very long text in as a paste does; put it there at once instead. */
  pasteLong(event, area) {
    const text = event.clipboardData.getData("text/plain");
    if (text.length < 20000) return;
    event.preventDefault();
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    this.typed(area);
  }

  exampleCards() {
    const examples = this.settings.examples;
    if (!examples.length) return null;
    return h("section", { class: "stack", "aria-label": "Invented cases to try" }, h("h2", {}, "Or try an invented case"),
      h("ul", { class: "examples" }, examples.map((example) => h("li", {},
        h("button", { type: "button", class: "card", on: { click: () => this.fillIn(example.note) } },
          h("strong", {}, example.title), example.about ? h("span", { class: "fine muted" }, example.about) : null)))));
  }

  /** Say what can be found at all: a case of another illness has no right answer here. */
  scopeList() {
    const categories = [...new Set(this.settings.diagnoses.map((entry) => entry.category))];
    return h("details", { class: "fine" }, h("summary", {}, `What it knows: ${categories.length} categories of illness`), h("p", {}, categories.join(", "), ". A case of any other illness has no right answer here."));
  }

  modelPicker() {
    if (this.settings.models.length < 2) return null;
    return h("div", {}, h("label", { for: "model" }, "Model"), h("select", { id: "model", class: "field", on: { change: (event) => (this.model = event.target.value) } },
      this.settings.models.map(({ name, label }) => h("option", { value: name, selected: name === this.model }, label))));
  }

  modelLabel() {
    return this.settings.models.find(({ name }) => name === this.model).label;
  }

  tokenField() {
    const field = h("input", { id: "token", type: "password", class: "field", autocomplete: "off", on: { input: () => (this.token = field.value) } });
    field.value = this.token;
    return h("div", {}, h("label", { for: "token" }, "Access token"), field);
  }

  allowDrop(form, area) {
    const mark = (on) => (event) => {
      event.preventDefault();
      area.classList.toggle("dropping", on);
    };
    form.addEventListener("dragover", mark(true));
    form.addEventListener("dragleave", mark(false));
    form.addEventListener("drop", (event) => {
      mark(false)(event);
      if (event.dataTransfer.files[0]) this.takeFile(event.dataTransfer.files[0]);
    });
  }

  async takeFile(file) {
    if (file.size > 4 * this.settings.characters) return this.complain("This file is too long for a case.");
    const text = await file.text();
    // eslint-disable-next-line no-control-regex
    if (/[\x00-\x08\x0e-\x1f\ufffd]/.test(text.slice(0, 4000))) return this.complain(`${file.name} is not plain text. Copy the text out of it and paste that.`);
    return this.fillIn(text);
  }

  /** Say what is wrong, and leave the text as it is. */
  complain(text) {
    fill(this.notice, h("p", { class: "notice bad", role: "alert" }, text));
  }

  /** Put a text into the box; what was typed before can be had back. */
  fillIn(text) {
    const before = this.draft;
    const area = document.getElementById("case");
    const typed = before.trim() && before !== this.given && before !== text;
    area.value = text;
    this.typed(area);
    this.given = text;
    if (typed) {
      const back = h("button", { type: "button", class: "button small", on: { click: () => this.fillIn(before) } }, "Put my text back");
      fill(this.notice, h("p", { class: "notice row", role: "status" }, "This took the place of your text. ", back));
    }
    area.focus();
    area.setSelectionRange(0, 0);
    area.scrollTop = 0;
    area.scrollIntoView({ block: "nearest" });
  }

  /** Return the body of the request: the note, or the JSON that was pasted or dropped. */
  body() {
    const common = { model: this.model, stream: true };
    if (/^\s*\{/.test(this.draft)) {
      try {
        return { ...JSON.parse(this.draft), ...common };
      } catch {
        /* a note may begin with a brace */
      }
    }
    return { note: this.draft, ...common };
  }

  async submit() {
    if (!this.draft.trim()) return this.showIntake("Paste a case first.");
    this.abort = new AbortController();
    this.showStatus("Sending the case");
    if (this.keep) this.remember(null);
    const headers = { "Content-Type": "application/json", Accept: "text/event-stream", "X-Client": this.client };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    try {
      const reply = await fetch("v1/reason", { method: "POST", headers, body: JSON.stringify(this.body()), signal: this.abort.signal });
      if (reply.status === 401) return this.showIntake(this.token ? "This access token is not the right one." : "This server asks for an access token.", "token");
      if (!reply.ok) return this.fail((await reply.json().catch(() => ({ error: { message: `the server said ${reply.status}` } }))).error.message);
      for await (const event of readEvents(reply.body)) this.take(event);
      if (!this.finished) this.fail("The connection ended before the answer was whole.");
    } catch (error) {
      if (error.name === "AbortError") {
        this.showIntake();
        document.getElementById("case").focus();
        return announce("Cancelled. The case is still in the box.");
      }
      return this.fail(this.finished ? "" : "The server cannot be reached.");
    }
    return undefined;
  }

  showStatus(text) {
    this.finished = false;
    this.view = null;
    this.now = h("span", { class: "now", role: "status" }, text);
    this.gauge = h("span", { style: { "--p": "2%" } });
    this.stop = h("button", { type: "button", class: "button small", on: { click: () => this.abort.abort() } }, "Cancel");
    this.bar = h("div", { class: "status card no-print" }, h("span", { class: "pulse" }), this.now, this.stop, h("div", { class: "progress" }, this.gauge));
    this.result = h("div", {});
    fill(this.main, h("h1", { class: "hidden" }, "The answer"), this.bar, this.result);
    this.stop.focus();
    scrollTo(0, 0);
  }

  say(text, share) {
    this.now.textContent = text;
    if (share) this.gauge.style.setProperty("--p", `${Math.round(share * 100)}%`);
  }

  take({ name, data }) {
    if (name === "accepted") this.accept(data);
    else if (name === "queue") this.say(`Place ${data.place} of ${data.waiting} in line${data.wait_s ? `, about ${Math.ceil(data.wait_s)} s` : ""}`, 0.04);
    else if (name === "start") this.say("Reading the case and weighing every diagnosis", 0.1);
    else if (name === "differential") this.showDifferential(data);
    else if (name === "step") this.addStep(data);
    else if (name === "chain") this.finish(data);
    else if (name === "error") this.fail(data.message);
  }

  accept(data) {
    this.found = { id: data.id, note: data.note, sections: data.sections, title: data.id };
    const { pane, scroller } = notePane(data.sections, null);
    scroller.append(renderNote(data.note, data.sections, []));
    fill(this.result, h("div", { class: "panes" }, h("div", { class: "work" }, h("p", { class: "lead" }, "The answer will stand here, step by step.")), pane));
  }

  showDifferential(data) {
    const reading = { label: this.modelLabel(), reference: false, diagnosis: null, category: null, steps: [], warnings: [], contradictions: [], ...data };
    this.view = new ResultView(this.found, reading, { pending: true });
    fill(this.result, this.view.root);
    this.say("Looking in the note for what bears a diagnosis out", 0.25);
  }

  addStep(step) {
    this.view.addStep(step);
    const path = this.view.reading.path;
    const at = Math.max(0, path.indexOf(step.supports));
    this.say(`Step ${step.number}: ${step.supports}`, 0.25 + (0.7 * (at + Math.min(step.number, 8) / 8)) / path.length);
  }

  finish(chain) {
    const { id, note, text, ...rest } = chain;
    const reading = { label: this.modelLabel(), reference: false, ...rest };
    this.view.finish(reading);
    this.say(`Answered in ${reading.timing.total_s.toFixed(1)} s`, 1);
    this.showWhole(reading);
  }

  /** The answer is whole: it is kept where that is wanted, and can be taken elsewhere. */
  showWhole(reading) {
    this.finished = true;
    this.found.title = this.found.id;
    this.found.readings = [reading];
    if (!this.view.root.isConnected) fill(this.result, this.view.root);
    if (this.keep) this.remember(reading);
    append(this.result, [apiCard(this.draft, this.model)]);
    this.end();
  }

  /** The stream is over: the bar offers a new case, and another model's answer beside this one. */
  end() {
    this.bar.classList.add("over");
    const focused = document.activeElement === this.stop;
    const again = (keep) => () => {
      if (!keep) this.draft = "";
      this.remember(null);
      this.showIntake();
      document.getElementById("case").focus();
    };
    const edit = h("button", { type: "button", class: "button small", on: { click: again(true) } }, "Edit this case");
    const fresh = h("button", { type: "button", class: "button small primary", on: { click: again(false) } }, "New case");
    this.stop.replaceWith(edit, this.otherModel(), fresh);
    if (focused) fresh.focus();
  }

  /** Return a button that asks another model about the same case and compares the answers; empty where there is one model. */
  otherModel() {
    const other = this.settings.models.find(({ name }) => name !== this.model);
    if (!other || !this.found || !this.found.readings) return "";
    const ask = async (event) => {
      const button = event.currentTarget;
      button.disabled = true;
      this.say(`${other.label} reads the case`);
      const headers = { "Content-Type": "application/json", "X-Client": this.client };
      if (this.token) headers.Authorization = `Bearer ${this.token}`;
      const reply = await fetch("v1/reason", { method: "POST", headers, body: JSON.stringify({ ...this.body(), model: other.name, stream: false }) }).catch(() => null);
      if (!reply || !reply.ok) return this.say("The other model gave no answer");
      const { id, note, text, ...reading } = await reply.json();
      this.found.readings = [this.found.readings[0], { label: other.label, reference: false, ...reading }];
      this.say("Two answers on one case");
      fill(this.result, new CompareView(this.found).root);
      return button.remove();
    };
    return h("button", { type: "button", class: "button small", on: { click: ask } }, `Compare with ${other.label}`);
  }

  fail(message) {
    if (!message) return;
    if (!this.view) return this.showIntake(`No answer: ${message}`);
    this.finished = true;
    this.say(`Stopped: ${message}`);
    this.result.prepend(h("p", { class: "notice bad", role: "alert", style: { "margin-bottom": ".75rem" } }, `The answer broke off and is not complete: ${message}`));
    return this.end();
  }
}

/** Return how to ask for the answer on screen by the JSON API, with curl and with Python. */
function apiCard(draft, model) {
  const address = new URL("v1/reason", location.href).href;
  const body = JSON.stringify({ note: draft, model });
  const curl = `curl -s ${address} -H 'Content-Type: application/json' -d @- <<'CASE'\n${body}\nCASE`;
  const python = `import json, urllib.request\n\ncase = json.loads(${JSON.stringify(body)})\nrequest = urllib.request.Request(\n    "${address}", json.dumps(case).encode(), {"Content-Type": "application/json"}\n)\nprint(json.load(urllib.request.urlopen(request))["headline"])`;
  const block = (name, text) => h("div", {}, h("h3", {}, name), h("pre", { class: "code", tabindex: "0", role: "group", "aria-label": name }, text));
  return h("details", { class: "about no-print" }, h("summary", {}, "Ask for this by the JSON API"), block("curl", curl), block("Python", python));
}

/** Begin the web app. */
function startApp(home, settings) {
  return new App(home, settings);
}
