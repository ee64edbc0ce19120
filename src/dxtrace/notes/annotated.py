"""An annotated case: a case, the gold chain on it, and the patient it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from dxtrace.chain import Chain
from dxtrace.errors import CaseError
from dxtrace.files import check
from dxtrace.notes.case import Case
from dxtrace.notes.sections import Section


@dataclass(frozen=True)
class AnnotatedCase:
    """A case with its gold chain.

    ``gold`` is None for a case without annotation. ``patient`` keeps notes of one person in one
    split.
    ``tags`` say what a case is (``style``, ``amended``, ``hard`` ...): plain strings, for reports
    and splits.
    """

    case: Case
    gold: Chain | None
    patient: str
    tags: Mapping[str, str]

    @property
    def id(self) -> str:
        """The case's id."""
        return self.case.id

    def to_json(self) -> dict[str, Any]:
        """Return one row of a corpus file; :meth:`from_json` reads it back."""
        row: dict[str, Any] = {
            "id": self.case.id,
            "patient": self.patient,
            "note": self.case.note,
            "sections": [vars(section) for section in self.case.sections],
            "tags": dict(self.tags),
        }
        if self.gold is not None:
            chain = self.gold.to_json()
            row |= {key: chain[key] for key in ("diagnosis", "category", "path", "steps")}
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> AnnotatedCase:
        """Read a row that :meth:`to_json` wrote.

        Raises:
            InputError: the row has another shape; names the field.
        """
        read = check(_Row, row, "an annotated case", CaseError)
        case = Case(read.note, read.sections, str(read.id))
        gold = Chain.from_json(row) if "diagnosis" in row else None
        return cls(case, gold, str(read.patient), read.tags)


class _Row(BaseModel):
    """What is read of a row, besides its gold chain."""

    id: str | int
    patient: str | int
    note: str
    sections: tuple[Section, ...]
    tags: dict[str, str] = {}
