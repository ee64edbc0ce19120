"""A language model as judge: one question, yes or no, by constrained decoding; every reply is kept.

The model is any local engine of ours, or an OpenAI-compatible endpoint. Replies are cached by a hash of model and
question,
without their text: a rerun asks nothing twice, an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from dxtrace.engines.base import Branch, Engine
from dxtrace.engines.endpoint import Endpoint, RequestRefused, expect_may_send
from dxtrace.errors import EngineError, RowError
from dxtrace.evaluate.judges.base import Pair, Verdict
from dxtrace.files import read_jsonl
from dxtrace.notes.prompt import chat_parts

Task = Literal["observations", "rationales"]

SYSTEM = "You compare two statements about one patient. Answer with one word: Yes or No."

_QUESTIONS: dict[Task, str] = {
    "observations": (
        "Two readers marked a finding in the same note.\n\nFirst: {one}\nSecond: {other}\n\n"
        "Do both mark the same finding? Say No if a negation, a number, a side or a body part differs. Yes or No?"
    ),
    "rationales": (
        "Two readers explained why a finding matters.\n\nFirst: {one}\nSecond: {other}\n\n"
        "Do both give the same medical reason? Say No if the reasons differ, or if a negation, a number or a side "
        "differs. Yes or No?"
    ),
}


class Asker(Protocol):
    """Something that answers a question with yes or no."""

    name: str

    def yes(self, question: str) -> float:
        """Return the probability of yes, 0 to 1.

        Raises:
            EngineError: there is no answer.
        """
        ...


class EngineAsker:
    """Asks a local engine: the probability of yes against no as the first token of its reply."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self._engine = engine
        if engine.chat_template:
            prefix = ""
        else:
            prefix = " "
        ids = engine.encode([f"{prefix}Yes", f"{prefix}No"])
        self._yes, self._no = ids[0][0], ids[1][0]

    def yes(self, question: str) -> float:
        """Return the probability of yes.

        Raises:
            EngineError: the model failed, or the question does not fit.
        """
        prompt = self._engine.encode_prompt(
            chat_parts(self._engine.chat_template, SYSTEM, question),
        )
        (shares,) = self._engine.distributions(prompt, [Branch((), (self._yes, self._no))])
        return float(shares[self._yes])


class EndpointAsker:
    """Asks an OpenAI-compatible endpoint, at temperature 0, with the reply limited to yes or no where that is
    supported."""

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        credentialed: bool = False,
        allowed: bool = False,
        timeout_s: float = 120,
    ) -> None:
        """Prepare to ask; nothing is sent yet.

        Raises:
            InputError: the address is no http(s) URL, or credentialed data would leave this machine without permission.
        """
        expect_may_send(base_url, credentialed, allowed)
        self._endpoint = Endpoint(base_url, timeout_s=timeout_s, attempts=3)
        self.name = f"{model} at {urllib.parse.urlsplit(base_url).hostname}"
        self._model = model
        self._limits: dict[str, Any] = {"structured_outputs": {"choice": ["Yes", "No"]}}

    def yes(self, question: str) -> float:
        """Return 1.0 or 0.0.

        Raises:
            EngineError: the endpoint failed, or answered neither yes nor no.
        """
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        body = {"model": self._model, "messages": messages, "temperature": 0, "max_tokens": 8}
        try:
            reply = self._post(body | self._limits)
        except RequestRefused as refusal:
            if refusal.status not in (400, 422) or not self._limits:
                raise
            self._limits = {}
            return self.yes(question)
        word = reply.strip().strip(".*\"'").split(maxsplit=1)[:1]
        if not word or word[0].casefold().strip(".,!") not in ("yes", "no"):
            raise EngineError("the judge's endpoint answered neither yes nor no")
        return float(word[0].casefold().startswith("yes"))

    def _post(self, body: dict[str, Any]) -> str:
        answer = self._endpoint.post("/chat/completions", body)
        try:
            return str(answer["choices"][0]["message"]["content"])
        except (KeyError, IndexError, TypeError):
            raise EngineError("the judge's endpoint answers with no chat completion") from None


class LLMJudge:
    """Asks a language model about each pair, once; equal texts are the same without a question."""

    def __init__(
        self,
        asker: Asker,
        task: Task,
        cache: Path | None = None,
        threshold: float = 0.5,
    ) -> None:
        self._asker, self._task, self._cache, self.threshold = asker, task, cache, threshold
        self._known = _read_cache(cache) if cache else {}
        self.asked = 0

    @property
    def name(self) -> str:
        """Kind, model, threshold and the version of the question."""
        question = hashlib.sha256((SYSTEM + _QUESTIONS[self._task]).encode()).hexdigest()[:8]
        return f"llm ({self._asker.name}; P(yes) >= {self.threshold:g}; question {question})"

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return a verdict for each pair; the score is the probability of yes.

        Raises:
            EngineError: the model gives no answer. What was answered before is kept.
        """
        verdicts = []
        for pair in pairs:
            verdicts.append(self._judge(pair))
        return verdicts

    def _judge(self, pair: Pair) -> Verdict:
        one, other = " ".join(pair.gold.text.split()), " ".join(pair.predicted.text.split())
        if one == other:
            return Verdict(True, 1.0)
        question = _QUESTIONS[self._task].format(one=one, other=other)
        key = hashlib.sha256(json.dumps([self._asker.name, SYSTEM, question]).encode()).hexdigest()
        if key not in self._known:
            self._known[key] = self._asker.yes(question)
            self.asked += 1
            self._keep(key)
        return Verdict(self._known[key] >= self.threshold, self._known[key])

    def _keep(self, key: str) -> None:
        if self._cache:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            with self._cache.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": key, "yes": self._known[key]}) + "\n")


def _read_cache(path: Path) -> dict[str, float]:
    known: dict[str, float] = {}
    if path.is_file():
        for line in read_jsonl(path):
            try:
                row = line.parse()
                known[str(row["key"])] = float(row["yes"])
            except (RowError, ValueError, KeyError, TypeError):
                continue  # a line that an interruption broke off
    return known
