"""``dxtrace view``: results, annotated cases or notes as one HTML file that opens anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from dxtrace.cli._options import Column
from dxtrace.cli._progress import STDERR, reporting
from dxtrace.corpus import Corpus, guess_kind, open_corpus
from dxtrace.corpus.readers.fhir import holds_fhir, read_fhir_text
from dxtrace.corpus.source import with_column
from dxtrace.errors import CorpusError, DxtraceError, InputError, RowError
from dxtrace.files import atomic_write, read_bytes, read_jsonl, refuse_to_replace
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.reading import STDIN, read_stdin
from dxtrace.view import Found, ViewCase, library, page, read_results, reading_of

#: Cases that a library takes unless told otherwise: its file stays under 5 MB.
LIMIT = 200

#: Cases without an answer that are answered on the way.
MOST_ANSWERED = 20


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Results (JSON, JSONL, a folder), a corpus (PATH[:split] or NAME:PATH[:split]), or a case that is "
        "answered first; - for standard input. Two or three results on one note are compared.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="File to write; default: SOURCE's name with .html."),
]
Title = Annotated[str | None, typer.Option(help="Title of the page.")]
Model = Annotated[str, typer.Option(help="Model that answers a case that has no answer yet.")]
Limit = Annotated[
    int,
    typer.Option(min=1, help="Most cases of a library; more are thinned out evenly."),
]
Practice = Annotated[
    bool | None,
    typer.Option(
        "--practice/--no-practice",
        help="Hide diagnoses at first (default: for reference cases).",
    ),
]
Answers = Annotated[
    bool,
    typer.Option(
        "--answers/--no-answers",
        help="Hold the answers in the file; without them it is a practice file to hand out.",
    ),
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Replace a file that is there and is no page of dxtrace."),
]


#: Stands in the head of every page.
_GENERATOR = b'<meta name="generator" content="dxtrace'


def view(
    sources: Sources,
    out: Out = None,
    title: Title = None,
    model: Model = "default",
    limit: Limit = LIMIT,
    practice: Practice = None,
    answers: Answers = True,
    force: Force = False,
    column: Column = None,
) -> None:
    """Write results as one HTML file.

    The page shows the case, the reasoning and the evidence side by side. A folder, a JSONL file or
    several notes become a case library with search, filters and a learning mode. For education and
    research only; not for patient care; not a medical device.
    """
    target = out or _default_name(sources)
    if not force and not _is_page(target):
        refuse_to_replace([target])
    corpora = []
    for source in sources:
        if _is_corpus(source):
            corpora.append(source)
    results = []
    for source in sources:
        if source not in corpora:
            results.append(source)
    stdin = None
    records: list[AnnotatedCase] = []
    if "-" in results:
        stdin = read_stdin()
        if holds_fhir(stdin):
            records = read_fhir_text(stdin, STDIN, "case")
            results.remove("-")
    found = Found()
    if results:
        found = read_results(results, stdin)
    found.unanswered += records
    for spec in corpora:
        _add(open_corpus(with_column(spec, column), allow_empty=True), found)
    _answer(found, model)
    if not found.answered:
        raise InputError(f"nothing to show: {found.skipped[0]}")
    for reason in found.skipped[:5]:
        STDERR.print(f"left out: {reason}", markup=False, highlight=False, soft_wrap=True)
    if len(found.skipped) > 5:
        STDERR.print(f"left out: {len(found.skipped) - 5} more")
    cases = _thinned(found.answered, limit)
    many = len(cases) > 1 or not answers or any(Path(source).is_dir() for source in sources)
    if many:
        text = library(cases, title or "Case library", practice, answers)
    else:
        text = page(cases[0], title=title)
    atomic_write(target, text)
    typer.echo(target)


def _is_corpus(source: str) -> bool:
    """Return whether a source is a SPEC of annotated cases, rather than results or notes."""
    if source == "-":
        return False
    path = Path(source).expanduser()
    if not path.exists():
        return True
    try:
        kind = guess_kind(path)
    except CorpusError:
        return False
    if kind == "jsonl":
        files = [path] if path.is_file() else sorted(path.glob("*.jsonl"))
        return not any(_holds_results(file) for file in files)
    return kind != "notes"


#: A row of ours says one of these, whether a case was answered or not; an annotated case does not.
_OF_ANSWERS = {"differential", "error", "schema", "status"}


def _holds_results(file: Path) -> bool:
    """Return whether a row of a JSONL file is an answer, or says why there is none."""
    for line in read_jsonl(file):
        try:
            row = line.parse()
        except RowError:
            continue
        if isinstance(row, dict) and row.keys() & _OF_ANSWERS:
            return True
    return False


def _add(corpus: Corpus, found: Found) -> None:
    """Add the cases of a corpus: the annotated ones as they are, the others to be answered."""
    for case in corpus.cases:
        if case.gold is None:
            found.unanswered.append(case)
        else:
            found.add(ViewCase.of_annotated(case))
    for problem in corpus.problems:
        if problem.kind != "duplicate-id":  # it has a name of its own now, and is shown
            found.skipped.append(str(problem))


def _answer(found: Found, model: str) -> None:
    """Answer cases that have no answer; many of them are left to ``dxtrace batch``, which resumes."""
    cases = found.unanswered
    if len(cases) > MOST_ANSWERED:
        found.skipped.append(
            f"{len(cases)} cases without an answer; answer them first: dxtrace batch",
        )
    elif cases:
        from dxtrace.models.loading import load as load_reasoner

        with reporting() as report:
            reasoner = load_reasoner(model, report=report)
        for case in track(
            cases,
            "Reading cases",
            console=STDERR,
            transient=True,
            disable=not STDERR.is_terminal,
        ):
            try:
                reading = reading_of(reasoner.reason(case.case))
                found.add(ViewCase(case.case, (reading,), case.tags))
            except DxtraceError as error:
                if len(cases) == 1:
                    raise
                found.skipped.append(f"{case.id}: {error}")


def _thinned(cases: Sequence[ViewCase], limit: int) -> list[ViewCase]:
    if len(cases) <= limit:
        return list(cases)
    STDERR.print(f"{limit} of {len(cases)} cases taken, spread evenly; --limit takes more")
    kept_cases = []
    for number in range(limit):
        kept_cases.append(cases[number * len(cases) // limit])
    return kept_cases


def _default_name(sources: Sequence[str]) -> Path:
    if sources[0] == "-":
        return Path("case.html")
    name = Path(sources[0]).resolve().stem.replace(":", "-")
    return Path(f"{name or 'case'}.html")


def _is_page(target: Path) -> bool:
    """Return whether a file is a page of ours, which may be written anew unasked."""
    return target.is_file() and _GENERATOR in read_bytes(target)[:2000]
