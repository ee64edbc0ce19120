"""The command line. Each file parses, calls one function and prints; exit codes are set here alone.

0 done; 2 the input or the command was wrong (one line on stderr); 130 interrupted; 1 anything else.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from dxtrace.chain import DISCLAIMER
from dxtrace.cli import (
    _interrupts,
    answer,
    corpus,
    doctor,
    evaluate,
    export,
    fit,
    judges,
    models,
    schema,
    serve,
    train,
    traps,
    verify,
    view,
)
from dxtrace.cli._help import CONTEXT, GroupedHelp, example
from dxtrace.errors import DxtraceError, InputError, where
from dxtrace.provenance import version

#: Turns that a thread of PyTorch (libgomp) waits for the others before it sleeps. The default, thirty times
#: as many, multiplies processor and wall time by eight where another process wants the cores too.
_SPINS = "10000"

app = typer.Typer(
    name="dxtrace",
    cls=GroupedHelp,
    help=f"Diagnosis with a traceable chain of reasoning.\n\n{DISCLAIMER}",
    no_args_is_help=True,
    context_settings=CONTEXT,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("demo", rich_help_panel="Answer", epilog=example("demo"))(answer.demo)
app.command("reason", rich_help_panel="Answer", epilog=example("reason"))(answer.reason)
app.command("batch", rich_help_panel="Answer", epilog=example("batch"))(answer.batch)
app.command("view", rich_help_panel="See", epilog=example("view"))(view.view)
app.command("serve", rich_help_panel="See", epilog=example("serve"))(serve.serve)
app.add_typer(corpus.app, name="corpus", rich_help_panel="Corpus")
app.command("train", rich_help_panel="Train", epilog=example("train"))(train.train)
app.command("calibrate", rich_help_panel="Train", epilog=example("calibrate"))(train.calibrate)
app.command("card", rich_help_panel="Train", epilog=example("card"))(train.card)
app.command("publish", rich_help_panel="Train", epilog=example("publish"))(train.publish)
app.command("export", rich_help_panel="Train", epilog=example("export"))(export.export)
app.command("verify-export", rich_help_panel="Train", epilog=example("verify-export"))(
    export.verify_export
)
measures = typer.Typer(
    invoke_without_command=True,
    context_settings=CONTEXT,
    epilog=example("evaluate"),
)
measures.callback()(evaluate.evaluate)
measures.command("fit", epilog=example("evaluate fit"))(fit.fit)
measures.command("traps", epilog=example("evaluate traps"))(traps.traps)
app.add_typer(measures, name="evaluate", rich_help_panel="Evaluate")
app.command("verify", rich_help_panel="Evaluate", epilog=example("verify"))(verify.verify)
app.command("judge-agreement", rich_help_panel="Evaluate", epilog=example("judge-agreement"))(
    judges.judge_agreement
)
app.add_typer(models.app, name="models", rich_help_panel="Models")
app.command("schema", rich_help_panel="Models", epilog=example("schema"))(schema.schema)
app.command("doctor", rich_help_panel="Models", epilog=example("doctor"))(doctor.doctor)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"dxtrace {version()}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    _interrupts.catch()
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    try:
        code = _run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        _interrupts.leave()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code.

    Errors become one line on stderr; a note's text never gets there.
    """
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write(_interrupts.line())
        return _interrupts.INTERRUPTED


def _run(arguments: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        result = app(arguments or ["--help"], prog_name="dxtrace", standalone_mode=False)
        if result == _interrupts.INTERRUPTED:  # what typer turns an interrupt into
            raise KeyboardInterrupt
        if isinstance(result, int):
            return result
        return 0
    except typer.TyperException as error:
        return _misused(error)
    except InputError as error:
        return _fail(str(error), 2)
    except DxtraceError as error:
        return _fail(str(error), 1)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename or 'a file'}: {error.strerror or type(error).__name__}", 1)
    except Exception as error:
        return _fail(f"{where(error)}; please report it", 1)


def _misused(error: typer.TyperException) -> int:
    """Say what was wrong with the command and where its help is; a group without a command answers
    with its help.
    """
    message = error.format_message().replace("Value error, ", "")
    if message.startswith("Usage:"):
        print(message)
        return 0
    context = getattr(error, "ctx", None)
    if context is not None:
        hint = f". See '{context.command_path} --help'."
    else:
        hint = ""
    return _fail(message.rstrip(".") + hint, 2)


def _fail(message: str, code: int) -> int:
    print("dxtrace: " + " ".join(message.split()), file=sys.stderr)
    return code
