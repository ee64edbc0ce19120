"""What inspect_ai finds by its entry point: the task ``dxtrace/reasoning`` and the models
``dxtrace/NAME``.

    inspect eval dxtrace/reasoning -T corpus=PATH[:split] --model dxtrace/default

Any other model of inspect_ai can take the task too; with credentialed data only one on this machine
may, and
``-T local=true`` says that it is.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageUser,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    modelapi,
)
from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    Value,
    mean,
    metric,
    scorer,
    stderr,
)
from inspect_ai.solver import TaskState, generate, system_message
from inspect_ai.tool import ToolChoice, ToolInfo

from dxtrace.chain import Chain, parse
from dxtrace.corpus import open_corpus
from dxtrace.corpus.policy import FairReasoner, wordings_of
from dxtrace.errors import InputError
from dxtrace.evaluate.answers import Account, chain_account
from dxtrace.evaluate.inspect_calibration import brier, ece
from dxtrace.evaluate.judges import open_judge
from dxtrace.evaluate.metrics import calibration, labels
from dxtrace.evaluate.metrics.calibration import Stated
from dxtrace.evaluate.metrics.direct import PUBLISHED
from dxtrace.evaluate.rows import chain_of_answer
from dxtrace.evaluate.scoring import Judges, score_case
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.prompt import SYSTEM
from dxtrace.provenance import CREDENTIALED_RULE

_FORM = (
    f"{SYSTEM} Answer in this form, one step a line, the node of the path in brackets, every quote letter by letter:\n"
    "FINAL DIAGNOSIS: <name>\n\nStep 1 [<node>]: <why it matters> Supporting evidence: <quote from the case>\n\n"
    "End with one more line, the probability that the diagnosis is right, from 0 to 1:\n"
    "PROBABILITY: <number>"
)
_SHOWN = (
    *PUBLISHED,
    "named",
    "hierarchical_f1",
    "evidence_f1",
    "grounded",
    "valid",
    "answered",
)
_PROBABILITY = re.compile(r"^PROBABILITY: *([01](?:\.\d+)?) *$", re.MULTILINE)


@task  # type: ignore[untyped-decorator]
def reasoning(corpus: str, limit: int | None = None, local: bool = False) -> Task:
    """Diagnosis and chain of reasoning on annotated cases, scored with the published metrics.

    Args:
        corpus: what :func:`dxtrace.corpus.open_corpus` takes.
        limit: only so many cases.
        local: the model runs on this machine; needed for credentialed data.
    """
    read = open_corpus(corpus)
    if read.info.credentialed and not local:
        raise InputError(f"{CREDENTIALED_RULE} If the model runs on this machine: -T local=true")
    cases = [case for case in read.cases if case.gold is not None][:limit]
    return Task(
        dataset=MemoryDataset([_sample(case) for case in cases]),
        solver=[system_message(_FORM), generate()],
        scorer=published_metrics(),
    )


def _sample(case: AnnotatedCase) -> Sample:
    """Return a case as inspect_ai keeps it; its message tells our model which wordings it may know."""
    wordings = wordings_of(case)
    message = ChatMessageUser(content=case.case.note, metadata={"wordings": wordings})
    return Sample(
        id=case.id,
        input=[message],
        target=case.gold.diagnosis if case.gold else "",
        metadata={
            "patient": case.patient,
            "case": json.dumps(case.to_json()),
            "wordings": wordings,
        },
    )


@metric  # type: ignore[untyped-decorator]
def macro_f1() -> Metric:
    """Macro-F1 over the diagnoses that occur; an answer that cannot be read is a miss."""

    def compute(scores: list[SampleScore]) -> Value:
        gold, said = [], []
        for sample in scores:
            told = sample.score.metadata or {}
            gold.append(told.get("gold"))
            said.append(sample.score.answer)
        return labels.macro_f1(gold, said)

    return compute


@metric  # type: ignore[untyped-decorator]
def area_under_risk() -> Metric:
    """Area under the risk-coverage curve of the answers that state a confidence, 0 best."""

    def compute(scores: list[SampleScore]) -> Value:
        stated = []
        for sample in scores:
            confidence = (sample.score.metadata or {}).get("confidence")
            if confidence is not None:
                stated.append(Stated(confidence, sample.score.as_float() == 1, 0.0))
        return calibration.area_under_risk(stated)

    return compute


@scorer(  # type: ignore[untyped-decorator]
    metrics={
        "*": [mean(), stderr(cluster="patient")],
        "acc_diag": [
            ece(cluster="patient"),
            brier(cluster="patient"),
            macro_f1(),
            area_under_risk(),
        ],
    },
)
def published_metrics() -> Scorer:
    """Score an answer in either text form; one that cannot be read counts 0.

    Calibration is of the answers that state a probability: our models do, others are asked to.
    """
    judges = Judges(open_judge("spans"), open_judge("lexical"))

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001 - the gold chain says more than the label
        case = AnnotatedCase.from_json(json.loads(state.metadata["case"]))
        text, confidence = split_probability(state.output.completion)
        account = read_answer(text, case)
        scores = score_case(case, account, judges).scores
        value = {}
        for key in _SHOWN:
            value[key] = scores.get(key) or 0.0
        told = state.output.metadata or {}
        metadata = {
            **judges.to_json(),
            "gold": case.gold.diagnosis if case.gold else None,
            "wordings_allowed": state.metadata["wordings"],
            "wordings_known": told.get("wordings", "not stated"),
            "confidence": told.get("confidence", confidence),
        }
        return Score(
            value=value,
            answer=account.diagnosis if account else None,
            metadata=metadata,
        )

    return score


def split_probability(text: str) -> tuple[str, float | None]:
    """Return an answer without its line on probability, and the probability; None without one."""
    found = _PROBABILITY.search(text)
    if found is None:
        return text, None
    return text[: found.start()] + text[found.end() :], min(float(found[1]), 1.0)


def read_answer(text: str, case: AnnotatedCase) -> Account | None:
    """Return the account of an answer in either text form; None if it cannot be read."""
    try:
        answer = parse(text)
    except InputError:
        return None
    return chain_account(chain_of_answer(answer, case.case), case.case)


@modelapi(name="dxtrace")  # type: ignore[untyped-decorator]
def dxtrace_model() -> type[ModelAPI]:
    """Let inspect_ai run our models: ``dxtrace/default``, or any name that ``dxtrace models``
    knows.
    """
    return _Model


class _Model(ModelAPI):  # type: ignore[misc]
    """A reasoner behind inspect_ai's interface.

    The last user message is the note; one case at a time. Where its metadata holds ``wordings``
    (:func:`dxtrace.corpus.policy.wordings_of`), the recogniser knows no others; the output says
    which were known.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(model_name, base_url, api_key, [], config or GenerateConfig())
        from dxtrace.models.loading import load as load_reasoner

        name = model_name.removeprefix("dxtrace/") or "default"
        self._reasoner = FairReasoner(load_reasoner(name, **arguments))
        self._lock = asyncio.Lock()

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],  # noqa: ARG002 - the interface's
        tool_choice: ToolChoice,  # noqa: ARG002
        config: GenerateConfig,  # noqa: ARG002
    ) -> ModelOutput:
        """Return the chain in its trained text form."""
        message = next(message for message in reversed(input) if message.role == "user")
        wordings = (message.metadata or {}).get("wordings", "all")
        reasoner = self._reasoner.knowing(wordings)
        async with self._lock:
            chain = await asyncio.to_thread(reasoner.reason, Case.from_text(message.text))
        output = ModelOutput.from_content(self.model_name, chain.text("trained"))
        output.metadata = {"wordings": wordings, "confidence": _confidence(chain)}
        return output

    def max_connections(self) -> int:
        """One engine answers one request at a time."""
        return 1


def _confidence(chain: Chain) -> float:
    """Return the probability of the diagnosis, or of the likeliest where none is named."""
    for entry in chain.differential.entries:
        if entry.diagnosis == chain.diagnosis:
            return entry.probability
    return chain.differential.top.probability
