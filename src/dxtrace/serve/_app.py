"""The web app: the page, the JSON API and its server-sent events, on one line in front of the
engines.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from dxtrace.chain import DISCLAIMER, Differential, ModelInfo
from dxtrace.chain.result import ResultV1
from dxtrace.errors import InputError, UnknownName
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.case import MAX_CHARACTERS, Case
from dxtrace.notes.reading import case_from_json
from dxtrace.provenance import version
from dxtrace.serve._api import CaseRequest, DifferentialOut, Error, Models
from dxtrace.serve._guard import Guard, Rules
from dxtrace.serve._line import Answerer, Event, Job, Kind, Line, Refused
from dxtrace.view import about_of, app_page, label_of, trust_in

_ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": Error, "description": text}
    for code, text in {
        400: "not JSON", 401: "wrong token", 404: "no such model", 408: "the body came too slowly", 413: "too large",
        415: "not JSON by its type", 422: "the case cannot be used", 429: "too many of your cases wait",
        500: "the answer failed", 503: "the line is full", 504: "the answer took too long",
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What a server is made of.

    Attributes:
        engines: for each engine thread its answerers by model name; all have the same names, the
            first is the default.
        rules: limits and access.
        examples: cases to pick from on the page, by title.
        most_waiting: places in the line.
        answer_s: seconds that an answer may take.
    """

    engines: Sequence[Mapping[str, Answerer]]
    rules: Rules = field(default_factory=Rules)
    examples: Mapping[str, str] = field(default_factory=dict)
    most_waiting: int = 64
    answer_s: float = 600.0


def create_app(settings: Settings) -> Guard:
    """Return the web app (ASGI). Nothing that is pasted into it is stored or logged."""
    line: Line

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        line.start()
        yield
        await line.stop()

    line = Line(
        [dict(engine) for engine in settings.engines],
        settings.most_waiting,
        most_s=settings.answer_s,
    )
    app = FastAPI(
        title="dxtrace",
        version=version(),
        description=DISCLAIMER,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Exception, _failed)
    _add_routes(app, settings, line)
    return Guard(app, settings.rules, line.end)


def _add_routes(app: FastAPI, settings: Settings, line: Line) -> None:
    answerers = settings.engines[0]
    names = list(answerers)
    page = app_page(
        {
            "models": _models_to_pick(answerers),
            "trust": {one.model.adapter_sha256: trust_in(one.model) for one in answerers.values()},
            "examples": [_example_card(*item) for item in settings.examples.items()],
            "token": settings.rules.token is not None,
            "characters": MAX_CHARACTERS,
        },
    )

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page)

    @app.get("/health", summary="Whether the server works, and how long its line is")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "waiting": line.waiting, "running": line.running}

    @app.get("/v1/models", summary="The models to choose from", response_model=Models)
    async def models() -> JSONResponse:
        rows = []
        for name, one in answerers.items():
            rows.append({"name": name, "default": name == names[0], "info": vars(one.model)})
        return JSONResponse({"models": rows})

    @app.post(
        "/v1/reason",
        summary="Diagnosis and reasoning of a case",
        response_model=ResultV1,
        responses=_ERRORS,
    )
    async def reason(body: CaseRequest, request: Request) -> Response:
        job = await run_in_threadpool(_job, body, request, "reason", names)
        await line.join(job)
        if _wants_stream(body, request):
            return _streamed(line, job)
        return await _whole(line, job, request)

    @app.post(
        "/v1/differential",
        summary="Differential of a case",
        response_model=DifferentialOut,
        responses=_ERRORS,
    )
    async def differential(body: CaseRequest, request: Request) -> Response:
        job = await run_in_threadpool(_job, body, request, "differential", names)
        await line.join(job)
        return await _whole(
            line,
            job,
            request,
            lambda found: _differential_json(job, found, answerers[job.model]),
        )


def _models_to_pick(answerers: Mapping[str, Answerer]) -> list[dict[str, str]]:
    """Return the models by name and label; one that is served under two names stands there once."""
    picked: dict[ModelInfo, dict[str, str]] = {}
    for name, one in answerers.items():
        picked.setdefault(one.model, {"name": name, "label": label_of(one.model) or name})
    return list(picked.values())


def _example_card(title: str, note: str) -> dict[str, str]:
    return {"title": title, "about": about_of(Case.from_text(note)), "note": note}


def _job(body: CaseRequest, request: Request, kind: Kind, names: list[str]) -> Job:
    """Make a job of a request.

    Raises:
        Refused: no such model, or no usable case.
    """
    model = body.model or names[0]
    if model not in names:
        raise Refused(404, "UnknownName", str(UnknownName("model", model, names)))
    data = body.model_dump(exclude={"model", "stream"}, exclude_none=True)
    try:
        case = case_from_json(data, "the case")
    except InputError as error:
        raise Refused(422, type(error).__name__, str(error)) from None
    return Job(case, model, kind, _client(request))


def _client(request: Request) -> str:
    """Return who asks, for taking turns: the page's own random name for a tab, else the connection."""
    named = request.headers.get("x-client", "")
    host, port = request.client or ("", 0)
    if re.fullmatch(r"[\w-]{8,64}", named):
        return f"{host}/{named}"
    return f"{host}:{port}"


def _wants_stream(body: CaseRequest, request: Request) -> bool:
    return body.stream or "text/event-stream" in request.headers.get("accept", "")


def _streamed(line: Line, job: Job) -> StreamingResponse:
    """Answer with server-sent events: accepted, queue, start, differential, step ..., chain (or
    error).

    Nothing is decided before ``chain``: ``differential`` ranks, with the ``path`` on which steps
    will lie.
    """

    async def lines() -> AsyncIterator[str]:
        sections = []
        for section in job.case.sections:
            sections.append(vars(section))
        yield _sse("accepted", {"id": job.case.id, "note": job.case.note, "sections": sections})
        async for event in line.follow(job):
            yield _sse(event.name, _event_json(event)) if event else ": still here\n\n"

    return StreamingResponse(
        lines(),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


async def _whole(line: Line, job: Job, request: Request, form: Any = None) -> JSONResponse:
    """Answer when all is done; a client that left frees its place."""
    last = Event("error", {"type": "Cancelled", "message": "the client left", "status": 499})
    follow = line.follow(job, pulse_s=1.0)
    try:
        async for event in follow:
            if event is None or event.name in ("queue", "step"):
                if await request.is_disconnected():
                    break
            else:
                last = event
    finally:
        await follow.aclose()  # type: ignore[attr-defined]
    data = _event_json(last)
    if last.name == "error":
        return JSONResponse(
            {"error": {"type": data["type"], "message": data["message"]}},
            data["status"],
        )
    return JSONResponse(form(last.data) if form else data)


def _event_json(event: Event) -> Any:
    data = event.data
    if isinstance(data, Differential):
        top = Taxonomy.default().find(data.top.diagnosis)
        return {"path": top.path, **_entries(data)}
    if event.name == "start":
        return {"model": data}
    return data


def _entries(found: Differential) -> dict[str, Any]:
    return {"differential": [vars(entry) for entry in found.entries]}


def _differential_json(job: Job, found: Differential, answerer: Answerer) -> dict[str, Any]:
    return {"id": job.case.id, **_entries(found), "model": vars(answerer.model)}


def _sse(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """Say what is wrong with a body without repeating any of it."""
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return _plain_error(400, "InvalidJson", "the body is not valid JSON")
    first = problems[0]
    known = []
    for part in first["loc"]:
        if part in CaseRequest.model_fields:
            known.append(str(part))
    if known:
        where = known[0]
    else:
        where = "the body"
    return _plain_error(
        422,
        "InvalidRequest",
        f"{where} has the wrong form ({first['type'].replace('_', ' ')})",
    )


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _plain_error(error.status_code, "HttpError", str(error.detail))


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    reply = _plain_error(error.status, error.kind, str(error))
    if error.status in (429, 503):
        reply.headers["retry-after"] = "30"
    return reply


async def _failed(_: Request, __: Exception) -> JSONResponse:
    return _plain_error(500, "InternalError", "the request failed; the server's log says where")


def _plain_error(status: int, kind: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"type": kind, "message": message}}, status)
