"""``dxtrace evaluate``."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dxtrace.cli._interrupts import SAME_COMMAND, keep
from dxtrace.cli._options import Column
from dxtrace.cli._progress import STDERR
from dxtrace.cli.answer import (
    Engine,
    EngineChoice,
    MaySend,
    Threads,
    Url,
    choose_model,
    load_under_bar,
)
from dxtrace.cli.judges import JudgeModel, JudgeUrl
from dxtrace.corpus import Corpus, open_corpus
from dxtrace.corpus.crew import Crew
from dxtrace.corpus.policy import FairReasoner
from dxtrace.corpus.source import with_column
from dxtrace.corpus.systems import System
from dxtrace.engines.endpoint import expect_may_send
from dxtrace.errors import InputError
from dxtrace.evaluate import (
    BASELINES,
    JUDGES,
    LEARNT,
    Answers,
    Judges,
    JudgeSettings,
    Scored,
    Settings,
    choose,
    expect_libraries,
    folder_name,
    html_report,
    is_evaluation_folder,
    load_results,
    make_baseline,
    markdown_table,
    open_judge,
    outside_cases,
    outside_doubts,
    read_predictions,
    report_data,
    run_system,
    run_variants,
    score_cases,
    score_evaluations,
    write_published,
)
from dxtrace.files import atomic_write, check, read_json
from dxtrace.models.loading import ModelChoice
from dxtrace.notes.annotated import AnnotatedCase

RESULTS = "results.jsonl"

#: The files of a report: data, page, table.
REPORT = ("report.json", "report.html", "report.md")

Overlap = Annotated[
    float,
    typer.Option(help="Overlap (Dice) from which two spans are the same observation."),
]


Predictions = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]PATH",
        help="Result rows (JSONL), or a folder in a published layout. Repeat to compare.",
    ),
]
CorpusOption = Annotated[
    str | None,
    typer.Option(metavar="SPEC", help="Annotated cases: PATH[:split] or NAME:PATH[:split]."),
]
Out = Annotated[
    Path,
    typer.Option(help="Folder for report.json, report.html, report.md and results."),
]
Model = Annotated[
    list[str] | None,
    typer.Option(metavar="MODEL", help="A model to run first. Repeat to compare."),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        help="Adapter of the models, or the run that made it; 'none' for none.",
    ),
]
Baseline = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help=f"A baseline to run: {', '.join(BASELINES)}. Repeat."),
]
Train = Annotated[str | None, typer.Option(metavar="SPEC", help="Cases that baselines learn from.")]
JudgeObservations = Annotated[str, typer.Option(help=f"One of {', '.join(JUDGES)}.")]
JudgeRationales = Annotated[str, typer.Option(help=f"One of {', '.join(JUDGES[1:])}.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only so many cases, from the first.")]
Resamples = Annotated[int, typer.Option(min=0, help="Bootstrap and permutation resamples.")]
Seed = Annotated[int, typer.Option(help="Of the resampling.")]
Published = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Write predictions and evaluations in the published layouts too.",
    ),
]
ShowCases = Annotated[
    bool | None,
    typer.Option(
        "--show-cases/--no-cases",
        help="Best and worst cases in the report; by default not of credentialed data.",
    ),
]
Compare = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        metavar="A B",
        help="Compare two earlier evaluations (folders), or with --corpus two files of predictions.",
    ),
]


Bridge = Annotated[
    bool,
    typer.Option("--bridge", help="The score of BRIDGE on DiReCT too, beside published models."),
]
Outside = Annotated[
    str | None,
    typer.Option(
        metavar="SPEC",
        help="Cases of other illnesses, to be told from these: PATH[:split] or NAME:PATH[:split].",
    ),
]
Perturb = Annotated[
    int,
    typer.Option(min=0, metavar="N", help="Change N cases and answer them again (--model)."),
]


@dataclass(frozen=True)
class _Work:
    """What one evaluation works on."""

    corpus: Corpus | None
    cases: dict[str, AnnotatedCase]
    judges: Judges
    out: Path
    outside: dict[str, AnnotatedCase] = field(default_factory=dict)
    perturb: int = 0
    seed: int = 0
    _folders: list[str] = field(default_factory=list)

    def folder(self, name: str) -> Path:
        """Return a folder for a system that no other system of this evaluation has."""
        wanted = folder_name(name)
        numbered = (f"{wanted}-{number}" for number in itertools.count(2))
        free = next(f for f in itertools.chain([wanted], numbered) if f not in self._folders)
        self._folders.append(free)
        return self.out / free

    @property
    def credentialed(self) -> bool:
        return self.corpus is not None and _credentialed(self.corpus)


def evaluate(
    context: typer.Context,
    predictions: Predictions = None,
    corpus: CorpusOption = None,
    out: Out = Path("evaluation"),
    model: Model = None,
    adapter: Adapter = None,
    engine: Engine = EngineChoice.auto,
    url: Url = None,
    baseline: Baseline = None,
    train: Train = None,
    judge_observations: JudgeObservations = "spans",
    judge_rationales: JudgeRationales = "lexical",
    judge_model: JudgeModel = None,
    judge_url: JudgeUrl = None,
    send_credentialed_data: MaySend = False,
    overlap: Overlap = 0.5,
    limit: Limit = None,
    resamples: Resamples = 2000,
    seed: Seed = 0,
    published: Published = None,
    show_cases: ShowCases = None,
    compare: Compare = None,
    bridge: Bridge = False,
    outside: Outside = None,
    perturb: Perturb = 0,
    threads: Threads = None,
    column: Column = None,
) -> None:
    """Measure answers against annotated cases."""
    if context.invoked_subcommand:
        return
    expect_libraries()
    _refuse_strangers(out)
    with STDERR.status("reading the cases"):
        read = open_corpus(with_column(corpus, column)) if corpus else None
    if read:
        cases = [case for case in read.cases if case.gold is not None][:limit]
    else:
        cases = []
    if read is not None and not cases:
        raise InputError(f"{corpus}: no case of it is annotated")
    judge_settings = JudgeSettings(
        overlap=overlap, model=judge_model, url=judge_url, cache=out / "judge-cache.jsonl",
        credentialed=read is not None and _credentialed(read), may_send=send_credentialed_data, threads=threads,
    )  # fmt: skip
    judges = Judges(
        open_judge(judge_observations, "observations", judge_settings),
        open_judge(judge_rationales, "rationales", judge_settings),
    )
    if outside:
        with STDERR.status("reading the cases of other illnesses"):
            strangers = outside_cases(open_corpus(outside))
    else:
        strangers = {}
    work = _Work(
        read,
        {case.id: case for case in cases},
        judges,
        out,
        strangers,
        perturb,
        seed,
    )
    if url is not None:
        expect_may_send(url, work.credentialed, send_credentialed_data)
        model = model or ["default"]
    if perturb and not model and not baseline:
        raise InputError("--perturb answers changed cases: name --model or --baseline")
    if model or baseline:
        keep(out, SAME_COMMAND)
    choice = choose_model("", adapter, engine, threads, url, send_credentialed_data)
    scored = _score_given(work, predictions or [], compare or ())
    for run in _systems(work, model, choice, baseline, train):
        scored.append(_score_run(work, *run))
    if not scored:
        raise InputError(
            "nothing to evaluate: name --predictions, --model, --baseline or --compare",
        )
    _write(
        work,
        _distinct(scored),
        Settings(judges.to_json(), seed, resamples, bridge=bridge),
        _may_show(work, show_cases),
        published,
    )


def _score_given(
    work: _Work,
    predictions: Sequence[str],
    compare: Sequence[Path],
) -> list[Scored]:
    """Score what was answered before, earlier evaluations first."""
    kept = []
    for path in compare:
        kept.append(_kept(path))
    answers = []
    for path, one in zip(compare, kept, strict=True):
        if one is None:
            answers.append(str(path))
    sources = [*predictions, *answers]
    return [one for one in kept if one] + [_score_source(work, source) for source in sources]


def _refuse_strangers(out: Path) -> None:
    """Check that files named as a report's are an earlier report's.

    Raises:
        InputError: they are somebody's else.
    """
    there = []
    for name in REPORT:
        if (out / name).exists():
            there.append(out / name)
    try:
        ours = "judges" in check(dict[str, Any], read_json(out / REPORT[0]), REPORT[0])
    except InputError:
        ours = False
    if there and not ours:
        raise InputError(f"{there[0]}: is no report of dxtrace; name another folder with --out")


def _credentialed(corpus: Corpus) -> bool:
    return corpus.info.credentialed or any(
        case.tags.get("credentialed") == "true" for case in corpus.cases
    )


def _may_show(work: _Work, asked: bool | None) -> bool:
    return bool(work.cases) and (asked if asked is not None else not work.credentialed)


def _kept(path: Path) -> Scored | None:
    """Return the results of an earlier evaluation; None if the path is something else."""
    if path.is_file() and path.name == RESULTS:
        return Scored(path.parent.name, load_results(path))
    if path.is_dir():
        found = sorted(path.glob(f"*/{RESULTS}")) or sorted(path.glob(RESULTS))
    else:
        found = []
    if len(found) > 1:
        names = ", ".join(str(file.parent) for file in found)
        raise InputError(f"{path}: holds {len(found)} systems; name one of {names}")
    if found:
        return Scored(path.name, load_results(found[0]))
    return None


def _score_source(work: _Work, source: str) -> Scored:
    name, equals, rest = source.partition("=")
    path = Path(source if Path(source).exists() or not equals else rest).expanduser()
    named = name if equals and str(path) != source else None
    if is_evaluation_folder(path):
        found = score_evaluations(path, work.cases or None)
        return replace(found, name=named or found.name)
    if work.corpus is None:
        raise InputError(
            "predictions are measured against annotated cases: name them with --corpus",
        )
    answers = read_predictions(path, work.cases, named, _elsewhere(work))
    scored = _score(work, answers, work.folder(answers.name))
    if work.outside:
        there = read_predictions(path, work.outside, named, None)
        scored.outside = outside_doubts(there.accounts, work.outside)
    return scored


def _elsewhere(work: _Work) -> set[str]:
    """Return the ids of the corpus's cases that are not evaluated on: beyond the limit, or without
    a gold chain.
    """
    if work.corpus:
        every = set()
        for case in work.corpus.cases:
            every.add(case.id)
    else:
        every = set()
    return every - work.cases.keys()


def _score(work: _Work, answers: Answers, folder: Path) -> Scored:
    for line in answers.problem_lines():
        STDERR.print(f"dxtrace: {line}", markup=False, highlight=False, soft_wrap=True)
    store = folder / RESULTS
    with _progress(f"scoring {answers.name}") as progress:
        return Scored(
            answers.name,
            score_cases(answers, list(work.cases.values()), work.judges, store, progress),
            answers,
        )


def _systems(
    work: _Work,
    models: list[str] | None,
    choice: ModelChoice,
    baselines: list[str] | None,
    train: str | None,
) -> Iterator[tuple[str, System, Crew | None]]:
    if (models or baselines) and not work.cases:
        raise InputError("a model or a baseline needs cases to answer: name them with --corpus")
    for model, name in zip(models or [], _short_names(models or []), strict=True):
        one = replace(choice, model=model)
        yield name, FairReasoner(load_under_bar(one)).system, Crew(one)
    if train and set(baselines or []) & set(LEARNT):
        with STDERR.status("reading the cases to learn from"):
            learn = open_corpus(train).cases
    else:
        learn = []
    for name in baselines or []:
        yield name, make_baseline(name, learn, choice.threads), None


def _short_names(models: Sequence[str]) -> list[str]:
    """Return each model's last name, with the folder before it where two models share the last one."""
    names = []
    for model in models:
        names.append(Path(model).name)
    short_names = []
    for model, name in zip(models, names, strict=True):
        short_names.append("/".join(Path(model).parts[-2:]) if names.count(name) > 1 else name)
    return short_names


def _score_run(work: _Work, name: str, system: System, crew: Crew | None) -> Scored:
    folder = work.folder(name)
    file = folder / "predictions.jsonl"
    cases = list(work.cases.values())
    with _progress(f"running {name}") as progress:
        run_system(system, cases, file, progress, crew)
    answers = read_predictions(file, work.cases, name, None)
    scored = _score(work, answers, folder)
    if system.identity.name == "baseline gold":
        # It repeats the annotation, which changed cases and those of other illnesses do not have.
        return scored
    if work.outside:
        file = folder / "outside.jsonl"
        with _progress(f"running {name} on other illnesses") as progress:
            run_system(system, list(work.outside.values()), file, progress, crew)
        there = read_predictions(file, work.outside, name, None)
        scored.outside = outside_doubts(there.accounts, work.outside)
    if work.perturb:
        chosen = choose(cases, work.perturb, work.seed)
        file = folder / "perturbed.jsonl"
        with _progress(f"changing cases for {name}") as progress:
            scored.trials = run_variants(
                system,
                chosen,
                answers.accounts,
                file,
                seed=work.seed,
                progress=progress,
            )
    return scored


def _distinct(scored: Sequence[Scored]) -> list[Scored]:
    """Give systems of one name a number each."""
    names = []
    for one in scored:
        names.append(one.name)
    paths = []
    for place, one in enumerate(scored):
        paths.append(
            replace(one, name=f"{one.name} ({names[: place + 1].count(one.name)})")
            if names.count(one.name) > 1
            else one
        )
    return paths


def _write(
    work: _Work,
    scored: list[Scored],
    settings: Settings,
    show: bool,
    published: Path | None,
) -> None:
    info = work.corpus.info if work.corpus else None
    marked = any(one.answers is not None and one.answers.credentialed for one in scored)
    data = report_data(scored, settings, info, work.credentialed or marked)
    page = html_report(data, scored, work.cases if show else None)
    text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    for name, content in zip(REPORT, (text, page, markdown_table(data)), strict=True):
        atomic_write(work.out / name, content)
    if published:
        for one in scored:
            write_published(
                published / folder_name(one.name) if len(scored) > 1 else published,
                one,
                work.cases,
            )
    print(markdown_table(data), end="")
    print(f"\nReport: {work.out / 'report.html'}")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    columns = (
        TextColumn(what, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=STDERR, transient=True, disable=not STDERR.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
