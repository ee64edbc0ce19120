"""The optional libraries of the ``evaluate`` extra, imported when they are first needed."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from dxtrace.errors import MissingExtra

_NEEDED = ("scipy", "sklearn", "statsmodels")


def library(name: str, what: str, extra: str = "evaluate") -> Any:
    """Import and return a module by its dotted name.

    Raises:
        MissingExtra: it is not installed; ``what`` says what needs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra(f"{what} ({name.split('.')[0]})", extra) from None


def expect_libraries() -> None:
    """Check that everything is there that an evaluation will need at its end.

    Raises:
        MissingExtra: it is not.
    """
    missing = []
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            missing.append(name)
    if missing:
        raise MissingExtra(f"evaluation ({', '.join(missing)})", "evaluate")


def numpy_and_optimize() -> tuple[Any, Any]:
    """Return numpy and scipy.optimize."""
    return library("numpy", "optimal matching"), library("scipy.optimize", "optimal matching")
