"""Who decides whether two statements mean the same: by place in the note, by wording, by embedding, by a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dxtrace.errors import InputError, UnknownName
from dxtrace.evaluate.judges.agreement import Agreement, LabelledPair, agree, ask, read_pairs
from dxtrace.evaluate.judges.base import Judge, Pair, Statement, Verdict
from dxtrace.evaluate.judges.lexical import LexicalJudge
from dxtrace.evaluate.judges.premise import PremiseJudge
from dxtrace.evaluate.judges.spans import SpansJudge

__all__ = [
    "JUDGES",
    "Agreement",
    "Judge",
    "JudgeSettings",
    "LabelledPair",
    "LexicalJudge",
    "Pair",
    "PremiseJudge",
    "SpansJudge",
    "Statement",
    "Verdict",
    "agree",
    "ask",
    "open_judge",
    "read_pairs",
]

#: Judges by name.
JUDGES = ("spans", "lexical", "premise", "embedding", "llm")


@dataclass(frozen=True)
class JudgeSettings:
    """What judges need to know: overlap of spans, the judging model and where it is, and what may be sent there.

    ``model`` is what :func:`dxtrace.models.open_model` takes, or with ``url`` a name that the endpoint knows.
    """

    overlap: float = 0.5
    model: str | None = None
    url: str | None = None
    cache: Path | None = None
    credentialed: bool = False
    may_send: bool = False
    threads: int | None = None


def open_judge(name: str, task: str = "rationales", settings: JudgeSettings | None = None) -> Judge:
    """Return a judge by name (one of :data:`JUDGES`).

    Args:
        name: ``spans`` compares places (text without a place goes to ``lexical``), the others compare text.
        task: ``observations`` or ``rationales``: what a language model is asked.
        settings: thresholds, models, permissions.

    Raises:
        UnknownName: no such judge. InputError: its settings cannot be used. MissingExtra: its library is not installed.
    """
    settings = settings or JudgeSettings()
    if name == "spans":
        return SpansJudge(LexicalJudge(), settings.overlap)
    if name == "lexical":
        return LexicalJudge()
    if name == "premise":
        return PremiseJudge(LexicalJudge())
    if name == "embedding":
        from dxtrace.evaluate.judges.embedding import EmbeddingJudge

        return EmbeddingJudge(threads=settings.threads)
    if name == "llm":
        return _open_llm(task, settings)
    raise UnknownName("judge", name, JUDGES)


def _open_llm(task: str, settings: JudgeSettings) -> Judge:
    from dxtrace.evaluate.judges.llm import Asker, EndpointAsker, EngineAsker, LLMJudge

    asker: Asker
    if settings.url:
        if not settings.model:
            raise InputError("a judge at an endpoint needs the name of its model: --judge-model")
        asker = EndpointAsker(
            settings.url,
            settings.model,
            credentialed=settings.credentialed,
            allowed=settings.may_send,
        )
    else:
        from dxtrace.models import open_model

        opened = open_model(settings.model or "default", adapter="none", threads=settings.threads)
        asker = EngineAsker(opened.engine, opened.info.name)
    return LLMJudge(
        asker,
        "observations" if task == "observations" else "rationales",
        settings.cache,
    )
