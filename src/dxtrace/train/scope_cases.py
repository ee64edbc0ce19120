"""Invented short cases, in scope and out of it, on which an adapter learns when to abstain."""

from __future__ import annotations

from dxtrace.chain import Chain
from dxtrace.files import packaged_yaml
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case


def scope_cases() -> list[AnnotatedCase]:
    """Return the cases of ``scope_cases.yaml``; those of no known category have no gold chain.

    They are written to fit :class:`dxtrace.answering.scope.ScopeModel` on, so no figure is to be
    reported on them.
    """
    cases = []
    for entry in packaged_yaml("dxtrace.train", "scope_cases.yaml"):
        case = Case.from_text(entry["text"], entry["id"])
        gold = None
        if entry["category"] is not None:
            category = Taxonomy.default().category(entry["category"]).name
            gold = Chain(case.id, case.note, category, category, (category,), ())
        cases.append(AnnotatedCase(case, gold, case.id, {"split": "scope"}))
    return cases
