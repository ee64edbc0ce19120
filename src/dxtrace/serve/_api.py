"""The JSON API's contract, for the OpenAPI page: the same form of a result as ``dxtrace reason --format json``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class CaseRequest(BaseModel):
    """A case: a note, or its sections by name. Other forms that ``dxtrace reason`` reads are taken too."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"note": "CC: chest pain\n\nHPI: 63M, ...", "stream": False}],
        },
    )

    id: str | None = Field(None, description="Comes back in the answer.")
    note: str | None = Field(None, description="The note's text, with or without headings.")
    sections: dict[str, str] | None = Field(
        None,
        description="Section texts by name, instead of a note.",
    )
    model: str | None = Field(None, description="One of GET /v1/models; the first if left out.")
    stream: bool = Field(False, description="Answer with server-sent events, step by step.")


class Evidence(BaseModel):
    """A verbatim piece of the note: ``note[start:end] == text``, in code points."""

    text: str
    start: int
    end: int
    section: str


class Premise(BaseModel):
    """The knowledge that a rationale says, and its source."""

    id: str
    source: str


class StepOut(BaseModel):
    """One step of the chain."""

    number: int
    supports: str
    rationale: str
    premise: Premise | None
    evidence: Evidence


class RankedOut(BaseModel):
    """One entry of a differential."""

    diagnosis: str
    category: str
    probability: float


class ModelOut(BaseModel):
    """The model that answered."""

    name: str
    base_sha256: str | None
    adapter_sha256: str | None


class DifferentialOut(BaseModel):
    """The answer of ``POST /v1/differential``."""

    id: str
    differential: list[RankedOut]
    model: ModelOut


class Result(BaseModel):
    """The answer of ``POST /v1/reason``."""

    id: str
    note: str
    diagnosis: str
    category: str
    path: list[str]
    differential: list[RankedOut]
    steps: list[StepOut]
    text: str
    warnings: list[str]
    model: ModelOut
    timing: dict[str, Any]


class ModelEntry(BaseModel):
    """One model of ``GET /v1/models``."""

    name: str
    default: bool
    info: ModelOut


class Models(BaseModel):
    """The answer of ``GET /v1/models``."""

    models: list[ModelEntry]


class ErrorBody(BaseModel):
    """What went wrong."""

    type: str
    message: str


class Error(BaseModel):
    """The form of every error; it never holds text of a note."""

    error: ErrorBody
