"""``dxtrace demo``, ``reason`` and ``batch``: answering cases."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from dxtrace.chain import Chain, Differential, Step
from dxtrace.cli._interrupts import SAME_COMMAND, keep
from dxtrace.cli._options import Column
from dxtrace.cli._progress import STDERR, reporting
from dxtrace.cli._progress import console as stdout_console
from dxtrace.cli._terminal import show
from dxtrace.errors import CaseError, InputError
from dxtrace.notes.case import Case
from dxtrace.provenance import CREDENTIALED_RULE, SEND_FLAG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dxtrace.answering.reasoner import Reasoner
    from dxtrace.corpus.answer_cases import Tally, Task
    from dxtrace.corpus.crew import Crew
    from dxtrace.models.loading import ModelChoice


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"
    card = "card"


class EngineChoice(StrEnum):
    """What runs the model."""

    auto = "auto"
    numpy = "numpy"
    llamacpp = "llamacpp"
    hf = "hf"
    server = "server"


Model = Annotated[
    str,
    typer.Option(help="A model's name, a GGUF file, a Hugging Face folder or a hub id."),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Folder of an adapter or of the run that made it, or a LoRA GGUF file; 'none' for the bare model.",
    ),
]
Engine = Annotated[
    EngineChoice,
    typer.Option(help="What runs the model; auto: numpy for a Llama as GGUF, hf for the rest."),
]
Url = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A server of models (vLLM, SGLang, llama-server), such as http://127.0.0.1:8000/v1;"
        " --model is then a name that it knows, or the folder that it serves.",
    ),
]
MaySend = Annotated[
    bool,
    typer.Option(
        SEND_FLAG,
        help="Let credentialed data go to a server that is not on this machine."
        f" The rule: {CREDENTIALED_RULE}",
    ),
]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads; default one a core.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Cases answered at once, each by a process; default one a core for many cases. "
        "At a server: cases under way.",
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Share the work on a Ray cluster: auto, ray://HOST:10001, or local.",
    ),
]
Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A folder of notes, a JSONL, CSV or FHIR file, or a corpus: PATH[:split] or NAME:PATH[:split].",
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Answer again what another model answered, or from another note."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Answer at most this many cases.")]
ShardIndex = Annotated[
    int,
    typer.Option(min=0, help="... of which this is the one with this number, from 0."),
]
Top = Annotated[int, typer.Option(min=1, help="How many diagnoses of the differential to show.")]


def choose_model(
    model: str,
    adapter: str | None = None,
    engine: EngineChoice = EngineChoice.auto,
    threads: int | None = None,
    url: str | None = None,
    may_send: bool = False,
) -> ModelChoice:
    """Return what the options of a command say of the model."""
    from dxtrace.models.loading import ModelChoice

    return ModelChoice(model, adapter, engine.value, threads, url, may_send)


def load_under_bar(choice: ModelChoice) -> Reasoner:
    """Load a model, showing how far it is.

    Raises:
        As :func:`dxtrace.models.loading.load`.
    """
    with reporting() as report:
        return choice.load(report)


def demo(model: Model = "default") -> None:
    """Answer a built-in case.

    The model is fetched the first time.
    """
    text = resources.files("dxtrace").joinpath("demo_case.txt").read_text("utf-8")
    _answer(Case.from_text(text, "demo"), Format.text, choose_model(model), 5)


def reason(
    file: Annotated[
        str,
        typer.Argument(
            help="A case: text, JSON, FHIR, a table of one row, or '-' for standard input."
        ),
    ],
    format: Annotated[
        Format,
        typer.Option(help="text: for reading; json: the full result; card: the published form."),
    ] = Format.text,
    model: Model = "default",
    adapter: Adapter = None,
    engine: Engine = EngineChoice.auto,
    url: Url = None,
    top: Top = 5,
    threads: Threads = None,
    influence: Annotated[
        bool,
        typer.Option("--influence", help="Say how far the diagnosis falls without each quote."),
    ] = False,
    coverage: Annotated[
        float | None,
        typer.Option(help="Give the set that holds the diagnosis this often, such as 0.9."),
    ] = None,
    column: Column = None,
) -> None:
    """Answer one case, with quoted evidence.

    The answer is a final diagnosis, a differential, and steps that each quote the case.
    """
    extras = _Extras(influence, coverage)
    from dxtrace.corpus.source import read_one

    case = read_one(file, column)
    _answer(case, format, choose_model(model, adapter, engine, threads, url), top, extras)


def batch(
    source: Source,
    out: Annotated[
        Path,
        typer.Option(
            help="Results, one JSON line a case; what is there already is not done again.",
        ),
    ],
    model: Model = "default",
    adapter: Adapter = None,
    engine: Engine = EngineChoice.auto,
    url: Url = None,
    send_credentialed_data: MaySend = False,
    limit: Limit = None,
    num_shards: Annotated[
        int,
        typer.Option(min=1, help="Divide the cases among this many runs ..."),
    ] = 1,
    shard_index: ShardIndex = 0,
    force: Force = False,
    threads: Threads = None,
    workers: Workers = None,
    ray: RayAddress = None,
    column: Column = None,
) -> None:
    """Answer many cases; the run can be resumed.

    The same command after an interruption answers what is missing. A case that cannot be read
    becomes an error row, which the next run tries again.
    """
    from dxtrace.corpus.crew import Crew
    from dxtrace.corpus.source import read_tasks, refuse_as_output, with_column

    if shard_index >= num_shards:
        raise InputError(f"--shard-index {shard_index} is not below --num-shards {num_shards}")
    source = with_column(source, column)
    refuse_as_output(source, out)
    tasks = read_tasks(source, limit=limit, num_shards=num_shards, shard_index=shard_index)
    if url is not None:
        from dxtrace.engines.endpoint import expect_may_send

        expect_may_send(url, _any_credentialed(tasks), send_credentialed_data)
    keep(out, SAME_COMMAND)
    choice = choose_model(model, adapter, engine, threads, url, send_credentialed_data)
    crew = Crew(choice, workers, ray)
    _tell(out, _answer_all(load_under_bar(choice), tasks, out, force, crew))


def _any_credentialed(tasks: Sequence[Task]) -> bool:
    from dxtrace.corpus.base import CREDENTIALED

    cases = []
    for _, case in tasks:
        if not isinstance(case, CaseError):
            cases.append(case)
    return any(case.tags.get(CREDENTIALED) == "true" for case in cases)


def _answer_all(
    reasoner: Reasoner,
    tasks: Sequence[Task],
    out: Path,
    force: bool,
    crew: Crew,
) -> Tally:
    """Answer many cases under a bar."""
    from dxtrace.corpus.answer_cases import answer_cases
    from dxtrace.corpus.policy import FairReasoner

    columns = (
        TextColumn("answering"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=STDERR, disable=not STDERR.is_terminal) as progress:
        bar = progress.add_task("", total=len(tasks))

        def show_progress(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        system = FairReasoner(reasoner).system
        return answer_cases(system, tasks, out, redo=force, progress=show_progress, crew=crew)


def _tell(out: Path, tally: Tally) -> None:
    """Say what came of a batch.

    Raises:
        InputError: no case could be answered.
    """
    failed = len(tally.failures)
    if failed and not tally.answered and not tally.kept:
        raise InputError(f"{out}: no case could be answered; the first: {tally.failures[0]}")
    counts = f"{tally.answered} answered, {failed} could not be, {tally.kept} were there already"
    STDERR.print(f"{out}: {counts}", highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class _Extras:
    """What is measured besides the answer: the influence of its quotes, a conformal set."""

    influence: bool = False
    coverage: float | None = None

    def measure(self, reasoner: Reasoner, case: Case, chain: Chain) -> dict[str, Any]:
        """Return it by name, as JSON has it.

        Raises:
            InputError: the adapter has no conformal quantile for this coverage.
        """
        found: dict[str, Any] = {}
        if self.influence and chain.steps:
            from dxtrace.answering.influence import measure_influence

            found["influence"] = asdict(measure_influence(reasoner, case, chain))
        if self.coverage is not None:
            from dxtrace.answering.conformal import conformal_set

            quantiles = reasoner.calibration.conformal
            entries = conformal_set(chain.differential, quantiles, self.coverage)
            names = []
            for entry in entries:
                names.append(entry.diagnosis)
            found["conformal_set"] = {"coverage": self.coverage, "diagnoses": names}
        return found


def _answer(
    case: Case,
    format: Format,
    choice: ModelChoice,
    top: int,
    extras: _Extras = _Extras(),
) -> None:
    reasoner = load_under_bar(choice)
    chain = _watch(reasoner, case)
    measured = extras.measure(reasoner, case, chain)
    if format is Format.json:
        row = chain.to_json() | measured
        sys.stdout.write(json.dumps(row, ensure_ascii=False, indent=2) + "\n")
    elif format is Format.card:
        sys.stdout.write(chain.text() + "\n")
    else:
        console = stdout_console()
        show(console, chain, top)
        for line in _lines(measured):
            console.print(line, markup=False, highlight=False)


def _lines(measured: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was measured besides the answer, in words."""
    influence = measured.get("influence")
    if influence:
        yield f"Without its quotes the probability of {influence['diagnosis']} falls:"
        for number, loss in enumerate(influence["steps"], 1):
            yield f"  step {number}: by {loss:+.1%}"
        yield f"  all of them: by {influence['comprehensiveness']:+.1%} (comprehensiveness)"
        yield f"  with nothing else: by {influence['sufficiency']:+.1%} (sufficiency)"
    chosen = measured.get("conformal_set")
    if chosen:
        names = ", ".join(chosen["diagnoses"])
        yield f"Set that holds the diagnosis in {chosen['coverage']:.0%} of cases like those fitted: {names}"


def _watch(reasoner: Reasoner, case: Case) -> Chain:
    """Answer, telling on a terminal's stderr what has been found so far."""
    number = 0
    found = ""
    with STDERR.status("reading the case ...") as status:
        for item in reasoner.stream(case):
            if isinstance(item, Chain):
                return item
            if isinstance(item, Differential):
                found = f"most probable: {item.top.diagnosis} ({item.top.probability:.0%}); "
            elif isinstance(item, Step):
                number += 1
            status.update(f"{found}writing step {number + 1} ...")
    raise AssertionError("the stream ends with a chain")
