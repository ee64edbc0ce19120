"""The published JSON of a result, version 1: one typed model that writers, readers and the OpenAPI
page share.

What it takes is parsed once: whoever holds a :class:`ResultV1` needs no further look at kinds. A
row of an older version, which says nothing of a status, contradictions or a schema, reads as an
answer. Fields that are not known are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dxtrace.errors import InputError, first_fault

SCHEMA: Literal["dxtrace.result/1"] = "dxtrace.result/1"

#: ``answered``: a diagnosis, borne out. ``type_open``: the illness is, its type is not.
#: ``not_supported``: the note states nothing that bears out the most probable diagnosis.
#: ``out_of_scope``: probably none of the known illnesses.
Status = Literal["answered", "type_open", "not_supported", "out_of_scope"]

Strength = Literal["veto", "strong"]

#: How much a finding tells for its illness: ``strong``, ``supportive`` or ``weak``
#: (:func:`dxtrace.findings.weights.weight_of`).
Weight = Literal["strong", "supportive", "weak"]


def _as_text(value: object) -> object:
    """Take a whole number as an id; rows of other programs often number their cases."""
    if type(value) is int:
        return str(value)
    return value


Text = Annotated[str, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
Seconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Id = Annotated[Text, BeforeValidator(_as_text)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class EvidenceV1(_Part):
    """A verbatim piece of the note: ``note[start:end] == text``, counted in code points."""

    text: Text
    start: Count
    end: Count
    section: Text


class PremiseV1(_Part):
    """The piece of medical knowledge that a rationale says, and its source."""

    id: Text
    source: Text


class StepV1(_Part):
    """One step: the node of the path that it supports, why, and the evidence."""

    number: Annotated[Count, Field(description="Counted from 1.")] = 0
    supports: Text
    rationale: Text
    premise: PremiseV1 | None = None
    probability: Annotated[
        Probability | None,
        Field(description="That the evidence states what the rationale needs; null: not known."),
    ] = None
    evidence: EvidenceV1
    weight: Annotated[
        Weight | None,
        Field(
            description="How much the finding tells for its illness. strong: a criterion, or 15 times as frequent "
            "as over all illnesses; supportive: 5 times; weak: less; null: not known."
        ),
    ] = None


class ContradictionV1(_Part):
    """A piece of the note that speaks against diagnoses, and how strongly."""

    against: tuple[Text, ...]
    strength: Strength
    rationale: Text
    evidence: EvidenceV1
    premise: PremiseV1


class AlternativeV1(_Part):
    """Another diagnosis that was weighed, and what in the note speaks for it."""

    diagnosis: Text
    category: Text
    steps: tuple[StepV1, ...]


class RankedV1(_Part):
    """One entry of the differential; all entries of a whole one sum to 1."""

    diagnosis: Text
    category: Text
    probability: Probability
    model: Annotated[
        Probability | None,
        Field(description="What the model says alone; null: not known."),
    ] = None
    findings: Annotated[
        Probability | None,
        Field(description="What the findings in the note say alone; null: not known."),
    ] = None


class ModelV1(_Part):
    """The model that answered; SHA-256 of its files, null without one; whether it was made from
    credentialed data.
    """

    name: Text = ""
    base_sha256: Text | None = None
    adapter_sha256: Text | None = None
    credentialed: bool = False


class TimingV1(_Part):
    """Work done: tokens, and seconds of wall-clock time."""

    prefill_tokens: Count = 0
    prefill_s: Seconds = 0.0
    decode_tokens: Count = 0
    decode_s: Seconds = 0.0
    total_s: Seconds = 0.0


class ResultV1(_Part):
    """A diagnosis, or why none is named, with the steps that lead to it and what speaks against it."""

    schema_: Annotated[Literal["dxtrace.result/1"], Field(alias="schema")] = SCHEMA
    id: Id
    note: Text
    status: Annotated[
        Status,
        Field(
            description="answered: a diagnosis, borne out by the note. type_open: the illness is, its type is not. "
            "not_supported: the note bears out no diagnosis. out_of_scope: probably none of the known illnesses.",
        ),
    ] = "answered"
    headline: Annotated[
        Text,
        Field(description="The diagnosis, or the words that stand in its place."),
    ] = ""
    diagnosis: Annotated[Text | None, Field(description="null: none is named.")]
    category: Annotated[Text | None, Field(description="null: none is named.")]
    path: Annotated[
        tuple[Text, ...],
        Field(
            description="From suspicion to diagnosis; with an open type it may end at a suspicion."
        ),
    ]
    differential: Annotated[
        tuple[RankedV1, ...],
        Field(description="Every diagnosis that is known, most probable first."),
    ] = ()
    steps: tuple[StepV1, ...]
    contradictions: tuple[ContradictionV1, ...] = ()
    undecided: Annotated[
        tuple[Text, ...],
        Field(description="With an open type: findings that would decide it."),
    ] = ()
    out_of_scope: Annotated[
        Probability | None,
        Field(description="Probability that none of the known illnesses fits; null: not known."),
    ] = None
    alternatives: Annotated[
        tuple[AlternativeV1, ...],
        Field(description="The best diagnosis of other categories, each with what speaks for it."),
    ] = ()
    text: Annotated[Text, Field(description="The published text form.")] = ""
    warnings: tuple[Text, ...] = ()
    model: ModelV1 = ModelV1()
    timing: TimingV1 = TimingV1()

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> ResultV1:
        """Read a JSON object.

        Raises:
            InputError: a field is missing or wrong; one line that names it and holds no text of the
            note.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise InputError(first_fault(error)) from None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return self.model_dump(mode="json", by_alias=True)


def result_schema() -> str:
    """Return the JSON Schema of results as they are written, as text."""
    schema = ResultV1.model_json_schema(by_alias=True, mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"
