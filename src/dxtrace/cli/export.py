"""dxtrace export and verify-export: an adapter for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dxtrace.cli._options import Adapter, BaseModel
from dxtrace.cli._progress import STDERR, reporting
from dxtrace.cli.train import quieten, require_extra
from dxtrace.files import refuse_to_replace


def export(
    adapter: Adapter,
    out: Annotated[Path, typer.Option(help="File or folder to write.")],
    form: Annotated[
        str,
        typer.Option("--as", help="lora-gguf, gguf, hf, or ollama."),
    ] = "lora-gguf",
    base: BaseModel = None,
    quantisation: Annotated[
        str,
        typer.Option(help="Of gguf and ollama: F32, F16, Q8_0, Q4_0, Q4_1."),
    ] = "Q8_0",
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace a file, or write into a folder that is not empty."),
    ] = False,
) -> None:
    """Export an adapter for other programs.

    The forms: a LoRA GGUF file, a merged GGUF file, a merged Hugging Face folder, an Ollama
    Modelfile with its GGUF.
    """
    if not force:
        refuse_to_replace(out.glob("*") if out.is_dir() else [out])
    quieten()
    with reporting() as report:
        from dxtrace.models.export import export_adapter

        written = export_adapter(
            adapter,
            out,
            form,
            base=base,
            quantisation=quantisation,
            report=report,
        )
    print(written)
    if form == "ollama":
        STDERR.print(
            f"next: cd {written} && ollama create NAME -f Modelfile",
            highlight=False,
            markup=False,
        )


def verify_export(
    adapter: Adapter,
    base: BaseModel = None,
    export: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="What another program made of it: GGUF, merged or adapter, or a folder. Repeat.",
        ),
    ] = None,
    cases: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="Corpus of the cases to compare on."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Cases to compare on.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare an adapter with its exports.

    Any LoRA on any base that transformers loads, and what dxtrace or another program made of it:
    they have to agree in prompt ids, logits and, but for rounding, greedy text. The last line is
    the verdict; the exit code is 1 if one differs.
    """
    require_extra()
    with reporting("loading PyTorch") as report:
        from dxtrace.models.verify import verify

        parity = verify(
            adapter,
            base=base,
            exports=export or (),
            notes=_notes(cases, count),
            report=report,
        )
    print(json.dumps(parity.to_json()) if as_json else parity.table())
    if not parity.passed:
        raise typer.Exit(1)


def _notes(spec: str | None, count: int) -> list[str]:
    """Return the first ``count`` notes of a corpus, or the shortest of some composed ones: most of
    the work is to read them.
    """
    if spec is None:
        from dxtrace.compose import Composer

        composer = Composer(seed=11)
        composed = []
        for number in range(4 * count):
            composed.append(composer.case(number).case.note)
        return sorted(composed, key=len)[:count]
    from dxtrace.corpus import open_corpus

    notes = []
    for case in open_corpus(spec).cases[:count]:
        notes.append(case.case.note)
    return notes
