"""The front door's ``load``: a model by name, as a reasoner that is ready to answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dxtrace.answering.reasoner import Reasoner
from dxtrace.models.opening import open_model


@dataclass(frozen=True)
class ModelChoice:
    """What :func:`load` is called with: it can be sent to another process or machine."""

    model: str = "default"
    adapter: str | Path | None = None
    engine: str = "auto"
    threads: int | None = None
    url: str | None = None
    may_send: bool = False

    def with_threads(self, threads: int) -> ModelChoice:
        """Return the same choice with so many threads."""
        return replace(self, threads=threads)

    def load(self, report: Callable[[str, float], None] | None = None) -> Reasoner:
        """Load the model.

        Raises:
            As :func:`load`.
        """
        return load(
            self.model,
            adapter=self.adapter,
            engine=self.engine,
            threads=self.threads,
            url=self.url,
            may_send=self.may_send,
            report=report,
        )


def load(
    model: str = "default",
    *,
    adapter: str | Path | None = None,
    engine: str = "auto",
    threads: int | None = None,
    url: str | None = None,
    may_send: bool = False,
    report: Callable[[str, float], None] | None = None,
) -> Reasoner:
    """Load a model by name, file, folder or hub id (see :mod:`dxtrace.models`).

    Args:
        model: ``default``, a GGUF file, a Hugging Face folder or a hub id.
        adapter: folder of an adapter; None: the one that ships with the model; ``none``: none.
        engine: ``auto``, or the name of one.
        threads: of the CPU; None for one a core.
        url: of a server of models (vLLM, SGLang, llama.cpp's), which then runs ``model``.
        may_send: whether credentialed notes may go to a server that is not on this machine.
        report: called with what is being done and how far it is, from 0 to 1.

    Raises:
        UnknownName: no such model. ModelError: it cannot be fetched or loaded.
        MissingExtra: the engine is not installed. ServerGone, ServerUnfit: of a server.
    """
    opened = open_model(
        model,
        adapter=adapter,
        engine=engine,
        threads=threads,
        url=url,
        may_send=may_send,
        report=report,
    )
    return Reasoner(
        opened.engine,
        opened.info,
        calibration=opened.calibration,
        notice=opened.notice,
    )
