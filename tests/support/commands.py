"""Running the command line: as a process of its own, or in this process."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

from dxtrace import cli


class Run(Protocol):
    """Runs ``dxtrace`` as a process of its own and returns what came of it."""

    def __call__(
        self,
        *arguments: str | Path,
        stdin: str | bytes = b"",
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]: ...


def run(
    capsys: pytest.CaptureFixture[str],
    *arguments: str | Path,
    stdin: bytes = b"",
) -> tuple[int, str, str]:
    """Run a command in this process; return exit code, stdout, stderr."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        code = cli.run([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err
