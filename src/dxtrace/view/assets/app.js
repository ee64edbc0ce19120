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

class App {
  constructor(home, settings) {
    this.settings = settings;
    this.token = "";
    this.client = crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2).padEnd(8, "0");
    this.draft = "";
    this.model = settings.models[0];
    this.main = h("main", {});
    fill(home, topBar(settings.disclaimer), this.main, pageFoot(settings));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => event.preventDefault());
    this.showIntake();
  }

  showIntake(problem) {
    const area = h("textarea", {
      id: "case", class: "field", spellcheck: "false", autocomplete: "off", "aria-describedby": "case-help",
      placeholder: "CC: ...\nHPI: ...\nPMH: ...\nExam: ...\nResults: ...",
      on: { input: () => (this.draft = area.value), paste: (event) => this.pasteLong(event, area), keydown: (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && this.submit() },
    });
    area.value = this.draft;
    const file = h("input", { type: "file", id: "file", class: "field", accept: ".txt,.md,.json,text/plain,application/json", on: { change: () => file.files[0] && this.takeFile(file.files[0]) } });
    const form = h("form", { class: "card stack", on: { submit: (event) => { event.preventDefault(); this.submit(); } } },
      h("div", {}, h("label", { for: "case" }, "Patient case"), h("p", { id: "case-help", class: "fine muted" }, "Paste a note, or drop a text or JSON file here. Nothing is stored. Use invented or de-identified cases only.")),
      area, h("div", { class: "choices" }, this.examplePicker(), h("div", {}, h("label", { for: "file" }, "From a file"), file), this.modelPicker()),
      this.settings.token ? this.tokenField() : null,
      h("div", { class: "row" }, h("button", { class: "button primary" }, "Find the diagnosis"), h("span", { class: "fine muted" }, "or Ctrl + Enter")));
    this.allowDrop(form, area);
    fill(this.main, h("div", { class: "intake stack" },
      h("h1", {}, "Read a case"), h("p", { class: "lead" }, "A diagnosis, and why: every step quotes the line of the case that supports it."),
      problem ? h("p", { class: "notice bad", role: "alert" }, problem) : null, form));
    if (problem) area.focus();
  }

  /** Browsers take seconds to type a very long text in as a paste does; put it there at once instead. */
  pasteLong(event, area) {
    const text = event.clipboardData.getData("text/plain");
    if (text.length < 20000) return;
    event.preventDefault();
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    this.draft = area.value;
  }

  examplePicker() {
    if (!this.settings.examples.length) return null;
    const pick = (event) => {
      const example = this.settings.examples[Number(event.target.value)];
      if (example) this.fillIn(example.note);
    };
    return h("div", {}, h("label", { for: "example" }, "An invented case"), h("select", { id: "example", class: "field", on: { change: pick } },
      h("option", { value: "" }, "choose …"), this.settings.examples.map((example, at) => h("option", { value: at }, example.title))));
  }

  modelPicker() {
    if (this.settings.models.length < 2) return null;
    return h("div", {}, h("label", { for: "model" }, "Model"), h("select", { id: "model", class: "field", on: { change: (event) => (this.model = event.target.value) } },
      this.settings.models.map((name) => h("option", { value: name, selected: name === this.model }, name))));
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
    if (file.size > 4 * this.settings.characters) return this.showIntake("This file is too long for a case.");
    return this.fillIn(await file.text());
  }

  fillIn(text) {
    this.draft = text;
    const area = document.getElementById("case");
    area.value = text;
    area.focus();
    area.setSelectionRange(0, 0);
    area.scrollTop = 0;
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
    const headers = { "Content-Type": "application/json", Accept: "text/event-stream", "X-Client": this.client };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    try {
      const reply = await fetch("v1/reason", { method: "POST", headers, body: JSON.stringify(this.body()), signal: this.abort.signal });
      if (!reply.ok) return this.fail((await reply.json().catch(() => ({ error: { message: `the server said ${reply.status}` } }))).error.message);
      for await (const event of readEvents(reply.body)) this.take(event);
      if (!this.finished) this.fail("The connection ended before the answer was whole.");
    } catch (error) {
      if (error.name === "AbortError") return this.showIntake();
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
    const reading = { label: this.model, reference: false, diagnosis: null, category: null, steps: [], warnings: [], contradictions: [], ...data };
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
    this.finished = true;
    const { id, note, text, ...reading } = chain;
    this.view.finish({ label: reading.model.name, reference: false, ...reading });
    this.say(`Answered in ${reading.timing.total_s.toFixed(1)} s`, 1);
    this.end();
  }

  /** The stream is over: the bar offers a new case. */
  end() {
    this.bar.classList.add("over");
    const focused = document.activeElement === this.stop;
    const again = (keep) => () => {
      if (!keep) this.draft = "";
      this.showIntake();
      document.getElementById("case").focus();
    };
    const edit = h("button", { type: "button", class: "button small", on: { click: again(true) } }, "Edit this case");
    const fresh = h("button", { type: "button", class: "button small primary", on: { click: again(false) } }, "New case");
    this.stop.replaceWith(edit, fresh);
    if (focused) fresh.focus();
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

/** Begin the web app. */
function startApp(home, settings) {
  return new App(home, settings);
}
