"""dxtrace: a diagnosis with a chain of reasoning in which every step quotes the case.

    from dxtrace import load, read_case

    chain = load().reason(read_case("case.txt"))

Names are imported when they are first used, so that ``import dxtrace`` costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dxtrace.answering.reasoner import Reasoner as Reasoner
    from dxtrace.chain import Chain as Chain
    from dxtrace.chain import Differential as Differential
    from dxtrace.chain import Span as Span
    from dxtrace.chain import Step as Step
    from dxtrace.corpus.registry import open_corpus as open_corpus
    from dxtrace.errors import DxtraceError as DxtraceError
    from dxtrace.evaluate.verification import verify_quotes as verify_quotes
    from dxtrace.models.loading import load as load
    from dxtrace.notes.case import Case as Case
    from dxtrace.notes.reading import read_case as read_case
    from dxtrace.notes.reading import read_cases as read_cases
    from dxtrace.view import notebook_html as notebook_html

    __version__: str

_HOMES = {
    "Case": "dxtrace.notes.case",
    "Chain": "dxtrace.chain",
    "Differential": "dxtrace.chain",
    "DxtraceError": "dxtrace.errors",
    "Reasoner": "dxtrace.answering.reasoner",
    "Span": "dxtrace.chain",
    "Step": "dxtrace.chain",
    "load": "dxtrace.models.loading",
    "notebook_html": "dxtrace.view",
    "open_corpus": "dxtrace.corpus.registry",
    "read_case": "dxtrace.notes.reading",
    "read_cases": "dxtrace.notes.reading",
    "verify_quotes": "dxtrace.evaluate.verification",
}

__all__ = [
    "Case",
    "Chain",
    "Differential",
    "DxtraceError",
    "Reasoner",
    "Span",
    "Step",
    "load",
    "notebook_html",
    "open_corpus",
    "read_case",
    "read_cases",
    "verify_quotes",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "__version__":
        return importlib.import_module("dxtrace.provenance").version()
    if name not in _HOMES:
        raise AttributeError(f"module 'dxtrace' has no attribute {name!r}")
    if "IPython" in sys.modules:
        # In a notebook a chain shows itself as the page does.
        importlib.import_module("dxtrace.view")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
