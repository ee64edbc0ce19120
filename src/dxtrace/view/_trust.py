"""How often a model is right, and on what: the figures of its card, for the line under an answer."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from dxtrace.chain import ModelInfo
from dxtrace.files import parse_yaml
from dxtrace.provenance import adapter_sha256

_HEADER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)

#: Metrics of a card, by the word they get on a page; the number of cases of the last stands in its name.
_CATEGORY = "published_cases_category_accuracy"
_TOP_3 = "published_cases_category_in_top_3"
_CASES = "published_cases_in_scope"
_DIAGNOSIS = re.compile(r"published_cases_diagnosis_accuracy_of_(\d+)")


def trust_in(model: ModelInfo) -> dict[str, Any] | None:
    """Return how often a model that ships is right: ``cases``, ``on``, ``category``, ``top_3``, and with
    them ``diagnosis`` on ``of`` of the cases.

    None for a model without a card, for another adapter, and for a card without these figures.
    """
    if model.adapter_sha256 is None:
        return None
    for folder in sorted(Path(str(resources.files("dxtrace") / "adapters")).iterdir()):
        if (folder / "README.md").is_file() and _sha256(folder) == model.adapter_sha256:
            return _figures(folder / "README.md")
    return None


@cache
def _sha256(folder: Path) -> str:
    return adapter_sha256(folder)


@cache
def _figures(card: Path) -> dict[str, Any] | None:
    header = _HEADER.match(card.read_text("utf-8"))
    if header is None:
        return None
    try:
        result = parse_yaml(header[1])["model-index"][0]["results"][0]
        metrics = {}
        for metric in result["metrics"]:
            metrics[metric["type"]] = metric["value"]
        found = {
            "on": str(result["dataset"]["name"]),
            "cases": int(metrics[_CASES]),
            "category": float(metrics[_CATEGORY]),
            "top_3": float(metrics[_TOP_3]),
        }
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    for name, value in metrics.items():
        match = _DIAGNOSIS.fullmatch(name)
        if match:
            found |= {"diagnosis": float(value), "of": int(match[1])}
    return found
