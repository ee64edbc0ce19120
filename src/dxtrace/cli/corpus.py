"""``dxtrace corpus``: make, look at, check and split corpora."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from dxtrace.cli._help import example
from dxtrace.cli._progress import STDERR, reporting
from dxtrace.cli._progress import console as stdout_console
from dxtrace.cli._terminal import clean, show
from dxtrace.cli.answer import RayAddress
from dxtrace.corpus import (
    NAMES,
    SHARES,
    Audit,
    Corpus,
    Thresholds,
    audit_corpus,
    audit_page,
    make_corpus,
    open_corpus,
    parse_spec,
    read_direct_taxonomy,
    stats_page,
    write_split,
)
from dxtrace.corpus.audit import Tokens
from dxtrace.corpus.split_manifest import MANIFEST, is_split
from dxtrace.corpus.teaching import corpus_files, is_corpus, read_manifest
from dxtrace.errors import InputError, UnknownName
from dxtrace.files import refuse_to_replace
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.provenance import CREDENTIALED_RULE

app = typer.Typer(
    help="Make, show, audit and split corpora.",
    no_args_is_help=True,
)

Spec = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help=f"PATH[:split] or NAME:PATH[:split]; NAME is one of {', '.join(NAMES)}.",
    ),
]
CaseId = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]",
        help="The case's id, or its last part; without it all ids are listed.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Knowledge = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Use the trees of DiReCT's knowledge files (diagnostic_kg).",
    ),
]
TokensOf = Annotated[
    str | None,
    typer.Option(metavar="MODEL", help="Count tokens too, as this model does."),
]

MaxUnaligned = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Accept this share of observations that are not in their note.",
    ),
]

#: What ``stats`` shows of an audit.
_STATS = (
    "corpus", "cases", "annotated", "patients", "amended", "splits", "categories", "diagnoses", "majority", "words",
    "tokens", "tokens_of", "observations", "sections",
)  # fmt: skip


@app.command("make", epilog=example("corpus make"))
def make(
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    size: Annotated[
        int,
        typer.Option(
            min=1,
            help="Cases in train, dev and test; 200 or more hard ones and 50 stories come besides.",
        ),
    ] = 3000,
    seed: Annotated[int, typer.Option(help="Another seed, other cases.")] = 0,
    force: Force = False,
    ray: RayAddress = None,
) -> None:
    """Compose the open teaching corpus.

    Its patients are invented; each case has a chain of reasoning.
    """
    if not force and not is_corpus(out, size, seed):
        refuse_to_replace(corpus_files(out))
    columns = (TextColumn("composing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=STDERR, transient=True, disable=not STDERR.is_terminal) as bar:
        task = bar.add_task("", total=size)
        info = make_corpus(
            size,
            seed,
            out,
            lambda done, total: bar.update(task, completed=done, total=total),
            ray,
        )
    print(f"{out}: {info.id}, SHA-256 {info.sha256}")
    for name, count in read_manifest(out)["counts"].items():
        print(f"{out}:{name}  {count:,} cases")


@app.command("audit", epilog=example("corpus audit"))
def audit(
    spec: Spec,
    json_: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Show long lists whole.")] = False,
    tokens_of: TokensOf = None,
    knowledge: Knowledge = None,
    near: Annotated[
        float,
        typer.Option(min=0.6, max=1, help="5-gram similarity of near-duplicates."),
    ] = 0.8,
    max_problems: Annotated[
        int | None,
        typer.Option(min=0, help="Accept so many problems while reading."),
    ] = None,
    max_unaligned: MaxUnaligned = None,
    max_conflicts: Annotated[
        int | None,
        typer.Option(min=0, help="Accept so many contradicting labels."),
    ] = None,
    max_duplicates: Annotated[
        int | None,
        typer.Option(min=0, help="Accept so many duplicates, near ones too."),
    ] = None,
    max_leaks: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Accept this share of notes that name their diagnosis."),
    ] = None,
    max_crossing: Annotated[
        int | None,
        typer.Option(min=0, help="Accept so many patients and duplicates in several splits."),
    ] = None,
    max_majority: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Accept this share of the most frequent diagnosis."),
    ] = None,
) -> None:
    """Look for what could mislead a model.

    The exit code is 1 if more is found than the --max options accept.
    """
    result = _audit(spec, tokens_of, knowledge, near)
    data = json.dumps(result.to_json(), indent=1, ensure_ascii=False)
    print(data if json_ else audit_page(result, every), end="")
    limits = Thresholds(
        problems=max_problems,
        unaligned=max_unaligned,
        conflicts=max_conflicts,
        duplicates=max_duplicates,
        leaks=max_leaks,
        crossing=max_crossing,
        majority=max_majority,
    )
    _refuse(result.broken(limits))


def _refuse(broken: Sequence[str]) -> None:
    """Name the thresholds that were broken and exit with 1; do nothing without one."""
    for line in broken:
        STDERR.print(f"above the threshold: {line}", highlight=False, markup=False)
    if broken:
        raise typer.Exit(1)


@app.command("stats", epilog=example("corpus stats"))
def stats(
    spec: Spec,
    json_: AsJson = False,
    tokens_of: TokensOf = None,
    knowledge: Knowledge = None,
) -> None:
    """Count cases, diagnoses and observations."""
    result = _audit(spec, tokens_of, knowledge, 0.8, allow_empty=False)
    if result.problems:
        count = sum(result.problems.values())
        said = f"{count:,} problems while reading; dxtrace corpus audit {spec} names them"
        STDERR.print(said, highlight=False, markup=False)
    if json_:
        data = result.to_json()
        print(json.dumps({key: data[key] for key in _STATS}, indent=1, ensure_ascii=False))
    else:
        print(stats_page(result), end="")


@app.command("show", epilog=example("corpus show"))
def show_case(spec: Spec, id: CaseId = None, json_: AsJson = False) -> None:
    """Show one case with its evidence marked."""
    corpus = open_corpus(spec)
    if id is None:
        _list_cases(corpus, json_)
        return
    case = _find(corpus, id)
    if corpus.info.credentialed:
        STDERR.print(Text(CREDENTIALED_RULE, style="yellow"))
    if json_:
        print(json.dumps(case.to_json(), indent=1, ensure_ascii=False))
        return
    console = stdout_console()
    about = {"id": case.id, "patient": case.patient, **case.tags}
    console.print(
        Text("   ".join(f"{name}: {clean(value)}" for name, value in about.items()), style="dim"),
    )
    if case.gold is None:
        console.print(Text(clean(case.case.note)))
        console.print(Text("\nNo chain of reasoning.", style="dim"))
    else:
        show(console, case.gold, 0)


@app.command("split", epilog=example("corpus split"))
def split(
    spec: Spec,
    out: Annotated[
        Path,
        typer.Option(help="Folder of the manifest; OUT:train then names a part of the corpus."),
    ],
    seed: Annotated[int, typer.Option(help="Another seed, another split.")] = 0,
    shares: Annotated[
        str,
        typer.Option(help="Names and sizes of the splits."),
    ] = "train=0.8,dev=0.1,test=0.1",
    force: Force = False,
) -> None:
    """Split a corpus by patient.

    The manifest holds ids and hashes, no text.
    """
    kind, path, part = parse_spec(spec)
    if part is not None:
        raise InputError(f"{spec}: a part of a corpus cannot be split; name the whole")
    if not force and not is_split(out, seed, _shares(shares)):
        refuse_to_replace([out / MANIFEST])
    manifest = write_split(open_corpus(spec), kind, path, out, seed, _shares(shares))
    for name, rows in manifest["splits"].items():
        print(f"{out}:{name}  {len(rows):,} cases")
        if not rows:
            STDERR.print(
                f"{out}:{name} is empty: too few patients for its share, or they share notes",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )


def _audit(
    spec: str, tokens_of: str | None, knowledge: Path | None, near: float, allow_empty: bool = True
) -> Audit:
    taxonomy = _taxonomy(knowledge)
    with STDERR.status("reading"):
        corpus = open_corpus(spec, taxonomy=taxonomy, allow_empty=allow_empty)
    tokens = _tokens(tokens_of) if tokens_of else None
    with STDERR.status("auditing"):
        return audit_corpus(
            corpus,
            taxonomy=taxonomy,
            tokens=tokens,
            tokens_of=tokens_of,
            near=near,
        )


def _taxonomy(folder: Path | None) -> Taxonomy | None:
    if folder:
        return read_direct_taxonomy(folder)
    return None


def _tokens(model: str) -> Tokens:
    """Return a counter of a model's tokens; the model stays open as long as the counter lives."""
    from dxtrace.models import open_model

    with reporting() as report:
        engine = open_model(model, adapter="none", report=report).engine
    return lambda notes: [len(ids) for ids in engine.encode(notes)]


def _list_cases(corpus: Corpus, as_json: bool) -> None:
    """Print the id of each case, and its diagnosis if it has one."""
    diagnoses = {}
    for case in corpus.cases:
        diagnoses[case.id] = case.gold.diagnosis if case.gold else None
    if as_json:
        print(json.dumps(diagnoses, indent=1, ensure_ascii=False))
        return
    for id, diagnosis in diagnoses.items():
        print(f"{clean(id)}\t{clean(diagnosis or '')}".rstrip())


def _find(corpus: Corpus, id: str) -> AnnotatedCase:
    """Return the case with this id; the last part of an id (``sample_7``) is enough where only one
    has it.
    """
    found = []
    for case in corpus.cases:
        if case.id == id:
            found.append(case)
    found = found or [case for case in corpus.cases if case.id.endswith(f"/{id}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(
            f"{len(found)} cases are called {id!r}; give the whole id, such as {found[0].id!r}",
        )
    raise UnknownName("case", id, [case.id for case in corpus.cases])


def _shares(text: str) -> dict[str, float]:
    try:
        shares = {}
        for name, value in (part.split("=") for part in text.split(",")):
            shares[name.strip()] = float(value)
    except ValueError:
        example = ",".join(f"{name}={share}" for name, share in SHARES.items())
        raise InputError(
            f"--shares {text!r}: expected names and numbers such as {example}",
        ) from None
    if sum(shares.values()) > 1 + 1e-9 and min(shares.values()) < 1:
        raise InputError(
            f"--shares {text!r}: they are {sum(shares.values()):g} in all, more than 1"
        )
    if not all(name.isidentifier() for name in shares):
        raise InputError(f"--shares {text!r}: the name of a split is one word of letters")
    return shares
