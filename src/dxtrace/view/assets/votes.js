/* What an annotator says of each step: kept in this browser, saved as the pairs that `dxtrace evaluate fit` reads. */

const VOTES = {
  right: { text: "Right", label: "good", why: "" },
  quote: { text: "Wrong quote", label: "wrong", why: "quote" },
  reason: { text: "Wrong reason", label: "wrong", why: "reason" },
};

function votesKey(found) {
  return `dxtrace.votes.${found.id}.${noteKey(found.note)}`;
}

/** Return the votes on a case: a word of {@link VOTES} by place and premise of a step. */
function readVotes(found) {
  try {
    return JSON.parse(remembered(votesKey(found)) || "{}");
  } catch {
    return {};
  }
}

/** Return what a vote is kept under: two models that quote the same for the same premise share it. */
function voteName(step) {
  return `${step.evidence.start}-${step.evidence.end} ${step.premise.id}`;
}

function castVote(found, step, vote) {
  const votes = readVotes(found);
  if (vote) votes[voteName(step)] = vote;
  else delete votes[voteName(step)];
  remember(votesKey(found), Object.keys(votes).length ? JSON.stringify(votes) : null);
}

/** Return the votes on cases as JSON lines: case, start, end, premise, label, why. */
function votePairs(cases) {
  const lines = [];
  for (const found of cases) {
    for (const [name, vote] of Object.entries(readVotes(found))) {
      const [range, premise] = name.split(" ");
      const [start, end] = range.split("-").map(Number);
      lines.push(JSON.stringify({ case: found.id, start, end, premise, label: VOTES[vote].label, why: VOTES[vote].why }));
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** Return the notes of cases as JSON lines: id and note, as `--cases` wants them. */
function caseLines(cases) {
  return cases.map((found) => `${JSON.stringify({ id: found.id, note: found.note })}\n`).join("");
}

/** Return a card in which every step with a premise can be judged. */
function voteCard(found, reading) {
  const steps = reading.steps.filter((step) => step.premise);
  if (!steps.length) return null;
  const votes = readVotes(found);
  const choice = (step, key) => {
    const id = `vote-${step.number}-${key}`;
    const input = h("input", { type: "radio", id, name: `vote-${step.number}`, on: { change: () => castVote(found, step, key) } });
    input.checked = votes[voteName(step)] === key;
    return h("label", { class: "fine", for: id }, input, " ", VOTES[key].text);
  };
  const save = (name, text) => () => download(fileName(found.id, name), "application/x-ndjson", text());
  return h("details", { class: "about votes no-print" }, h("summary", {}, "Judge the steps"),
    h("p", { class: "fine muted" }, "Does the quote state what the reason needs? Votes stay in this browser. The two files are what dxtrace evaluate fit takes as --pairs and --cases."),
    steps.map((step) => h("fieldset", {}, h("legend", { class: "fine" }, `${step.number}. `, h("q", { dir: "auto" }, shortened(step.evidence.text, 60))), h("div", { class: "row" }, Object.keys(VOTES).map((key) => choice(step, key))))),
    h("div", { class: "row" },
      h("button", { type: "button", class: "button small", on: { click: save("-votes.jsonl", () => votePairs([found])) } }, "Save votes"),
      h("button", { type: "button", class: "button small", on: { click: save("-case.jsonl", () => caseLines([found])) } }, "Save case")));
}
