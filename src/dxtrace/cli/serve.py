"""``dxtrace serve``: the web app and its JSON API on this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from dxtrace.cli._progress import STDERR
from dxtrace.cli.answer import Engine, EngineChoice, Url, choose_model, load_under_bar
from dxtrace.errors import DxtraceError, InputError

if TYPE_CHECKING:
    from dxtrace.models.loading import ModelChoice
    from dxtrace.serve import Answerer

#: Categories of the cases to pick from on the page.
EXAMPLES = ("Heart Failure", "Multiple Sclerosis", "Peptic Ulcer Disease")

#: Cases of a category that are looked at for one with a chief complaint.
_LOOKED_AT = 20

Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        metavar="MODEL",
        help="A model to serve; may be repeated, the first is default.",
    ),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Adapter of the models: a folder, the run that made it, or a LoRA GGUF file; 'none' for none.",
    ),
]
Host = Annotated[
    str,
    typer.Option(help="Address to listen on; anything but this machine needs a token."),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="DXTRACE_TOKEN",
        help="Clients must send it; better given as DXTRACE_TOKEN.",
    ),
]
Engines = Annotated[
    int,
    typer.Option(min=1, max=64, help="Cases answered at once; each engine loads the models."),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="CPU threads of each engine; default one a core."),
]
Waiting = Annotated[int, typer.Option(min=1, help="Places in the line.")]
AnswerS = Annotated[
    float,
    typer.Option("--answer-seconds", min=1, help="Longest time that one answer may take."),
]
Frames = Annotated[
    str,
    typer.Option("--frame-ancestors", help="Sites that may show the page in a frame."),
]


def serve(
    model: Models = ["default"],  # noqa: B006
    adapter: Adapter = None,
    engine: Engine = EngineChoice.auto,
    url: Url = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Token = None,
    engines: Engines = 1,
    threads: Threads = None,
    waiting: Waiting = 64,
    answer_s: AnswerS = 600.0,
    frame_ancestors: Frames = "'none'",
) -> None:
    """Serve the page and the JSON API.

    Nothing that is pasted into it is stored or logged. For education and research only; not for
    patient care; not a medical device.
    """
    from dxtrace.serve import Rules, Settings, create_app, make_server

    check_access(host, token)
    if any(mark in frame_ancestors for mark in ";\r\n"):
        raise InputError("--frame-ancestors holds ';' or a line end")
    hosts = frozenset({"localhost", "127.0.0.1", "::1", host})
    rules = Rules(token=token, hosts=hosts, frame_ancestors=frame_ancestors)
    place = claim(host, port)
    loaded = _load(
        list(dict.fromkeys(model)),
        engines,
        choose_model("", adapter, engine, threads, url),
    )
    settings = Settings(loaded, rules, dict(examples()), waiting, answer_s)
    if url is not None:
        STDERR.print(f"notes go on to {url}", highlight=False, markup=False)
    address = f"http://{_name_of(host)}:{place.getsockname()[1]}/"
    STDERR.print(f"dxtrace serves {address} (stop with Ctrl-C)", highlight=False, markup=False)
    make_server(create_app(settings), host, port).run(sockets=[place])


def claim(host: str, port: int) -> socket.socket:
    """Take a port before models are loaded, which takes long; 0 takes any.

    Raises:
        InputError: it is used, or may not be; says which.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        place = socket.socket(family, kind)
    except OSError as error:
        raise InputError(f"{host}: cannot be listened on ({error.strerror})") from None
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind(address)
    except OSError as error:
        place.close()
        reason = str(error.strerror or error).lower()
        raise InputError(
            f"port {port} of {host} cannot be taken ({reason}): --port chooses another"
        ) from None
    return place


def check_access(host: str, token: str | None) -> None:
    """Refuse to be reachable from elsewhere without a token.

    Raises:
    InputError: the address is not this machine's own and there is no token, or the token is too
    short.
    """
    if token is not None and len(token) < 16:
        raise InputError("a token has at least 16 characters")
    if token is None and not _is_local(host):
        raise InputError(
            f"{host} can be reached from elsewhere: set a token (DXTRACE_TOKEN), or serve on 127.0.0.1",
        )


def examples() -> Iterator[tuple[str, str]]:
    """Yield titles and notes of a few invented cases to pick from on the page: of each category the first
    that has a complaint of its own for a title.
    """
    from dxtrace.compose import Composer
    from dxtrace.view import title_of

    for category in EXAMPLES:
        composer = Composer(2, (category,))
        for number in range(_LOOKED_AT):
            try:
                case = composer.case(number).case
            except DxtraceError:
                continue
            if case.text_of("chief_complaint"):
                yield title_of(case), case.note
                break


def _name_of(host: str) -> str:
    """Return a host as an address says it: every address of this machine is its name."""
    if host in ("", "0.0.0.0", "::"):
        return socket.gethostname()
    if ":" in host:
        return f"[{host}]"
    return host


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _load(models: list[str], engines: int, choice: ModelChoice) -> list[dict[str, Answerer]]:
    loaded: list[dict[str, Answerer]] = []
    for _ in range(engines):
        loaded.append({name: load_under_bar(replace(choice, model=name)) for name in models})
    return loaded
