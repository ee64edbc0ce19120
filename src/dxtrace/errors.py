"""Errors that dxtrace raises.

Every message names what was wrong and what to do; none holds note text.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

#: A list of names up to this long is told whole.
_FEW = 12


class DxtraceError(Exception):
    """Base of all errors that dxtrace raises on purpose."""


class InputError(DxtraceError):
    """What the user gave (a file, an option, a name) cannot be used.

    The command line exits with 2.
    """


class CaseError(InputError):
    """A case could not be read."""


class RowError(InputError):
    """A row of a JSONL file could not be read. Attributes: ``place`` (file and line), ``reason``."""

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class CorpusError(InputError):
    """A corpus, or one file or line of it, could not be read."""


class KnowledgeError(InputError):
    """A knowledge or taxonomy file breaks its schema."""


class UnknownName(InputError):
    """A name that is not in a closed list. Attributes: ``name``, ``suggestions``."""

    def __init__(
        self,
        kind: str,
        name: str,
        known: Iterable[str],
        suggestions: Iterable[str] = (),
    ) -> None:
        known = list(known)
        self.name = name
        self.suggestions = list(suggestions) or suggest(name, known)
        hint = ""
        if self.suggestions:
            hint = f"; did you mean {' or '.join(map(repr, self.suggestions))}?"
        elif 0 < len(known) <= _FEW:
            hint = f"; there are {', '.join(known)}"
        super().__init__(f"unknown {kind} {name[:80]!r}{hint}")


class ModelError(DxtraceError):
    """A model could not be fetched, verified or loaded."""


class NotAModelError(ModelError, InputError):
    """What the user named as a model, an adapter or a form of one is none."""


class EngineError(DxtraceError):
    """An engine failed while it ran."""


class ServerGone(EngineError):
    """A server of models does not answer; no case can be answered until it does."""


class ServerUnfit(EngineError):
    """A server of models lacks what an answer needs: log-probabilities, context, a way to ask."""


class GroundingError(DxtraceError):
    """An answer broke its contract: a quote that is not in the note, a diagnosis outside the
    taxonomy.
    """


class MissingExtra(InputError):
    """An optional part is not installed. The message names the extra to install."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs an optional part that is not installed: pip install 'dxtrace[{extra}]'",
        )


def suggest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return up to ``count`` of ``known`` that look like ``name``, best first (case does not
    matter).
    """
    by_lower = {}
    for candidate in known:
        by_lower[candidate.lower()] = candidate
    close = difflib.get_close_matches(name.lower()[:200], by_lower, n=count, cutoff=0.6)
    names = []
    for match in close:
        names.append(by_lower[match])
    return names


def first_fault(error: ValidationError) -> str:
    """Say what is wrong with the first field that pydantic refuses, without its value."""
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ""
    for part in fault["loc"]:
        if isinstance(part, int):
            place += f"[{part}]"
        else:
            place += f".{part}" if place else part
    if not place:
        return "not a JSON object of the form expected"
    if fault["type"] == "missing":
        return f"there is no field {place[:80]!r}"
    if fault["type"] in ("model_attributes_type", "model_type", "dataclass_type", "dict_type"):
        return f"the field {place[:80]!r} is wrong: it should be an object"
    return f"the field {place[:80]!r} is wrong: {fault['msg'][:120].lower()}"


def where(error: BaseException) -> str:
    """Say what failed and where; an unexpected error's own message could hold a note's text."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "dxtrace" in frame.filename] or list(frames)
    last = own[-1]
    return f"internal error: {type(error).__name__} in {last.name} ({Path(last.filename).name}:{last.lineno})"
