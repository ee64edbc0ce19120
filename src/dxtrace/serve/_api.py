"""The JSON API's contract beside that of a result (:mod:`dxtrace.chain.result`), for the OpenAPI page."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from dxtrace.chain.result import ModelV1, RankedV1


class CaseRequest(BaseModel):
    """A case: a note, or its sections by name.

    Other forms that ``dxtrace reason`` reads are taken too.
    """

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


class DifferentialOut(BaseModel):
    """The answer of ``POST /v1/differential``."""

    id: str
    differential: list[RankedV1]
    model: ModelV1


class ModelEntry(BaseModel):
    """One model of ``GET /v1/models``."""

    name: str
    default: bool
    info: ModelV1


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
