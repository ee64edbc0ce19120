"""Settings and fixtures that all tests share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support import ROOT
from support.cases import SHORT
from support.commands import Run

from dxtrace.answering.reasoner import Reasoner
from dxtrace.models import store
from dxtrace.models.loading import load as load_reasoner
from dxtrace.notes.case import Case
from dxtrace.notes.reading import read_case

# A shared or slow machine is no reason to fail: speed is tested where it matters, by processor
# time. `pytest --hypothesis-profile=thorough` looks further.
settings.register_profile(
    "dxtrace",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    max_examples=40,
)
settings.register_profile(
    "thorough",
    settings.get_profile("dxtrace"),
    derandomize=False,
    max_examples=1000,
)
settings.load_profile("dxtrace")

# Side by side (pytest -n), a model of two threads each would wait for the other's.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("DXTRACE_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A job that a script starts in the background ignores interrupts, and so do the commands that it
# starts; the tests interrupt commands.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: Fixtures behind which a real model, or pip, does its work.
_SLOW = {"home", "index", "reasoner", "slow_index"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a slow fixture, and put the files with the most slow tests first.

    Otherwise a worker would be left alone with one of them at the end.
    """
    for item in items:
        if _SLOW.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session", autouse=True)
def _own_home(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep what tests fetch and convert out of the user's cache; what is there already is linked,
    not fetched again.

    A ``DXTRACE_HOME`` that is set is used as it is.
    """
    if os.environ.get("DXTRACE_HOME"):
        yield
        return
    theirs, ours = store.home() / "models", request.config.cache.mkdir("home") / "models"
    for file in theirs.glob("*/base*.gguf"):
        link = ours / file.parent.name / file.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.unlink(missing_ok=True)
            with suppress(FileExistsError):  # another worker was faster
                link.symlink_to(file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DXTRACE_HOME", str(ours.parent))
        yield


@pytest.fixture(scope="session")
def home(_own_home: None) -> Path:
    """The folder of models, with the embedded one in it."""
    store.pull(store.DEFAULT)
    return store.home()


@pytest.fixture(scope="session")
def threads() -> int:
    """How many threads a model may use in a test: ``DXTRACE_THREADS``, or two."""
    return int(os.environ.get("DXTRACE_THREADS", "2"))


@pytest.fixture(scope="session")
def reasoner(home: Path, threads: int) -> Reasoner:
    """The embedded model, as a user gets it."""
    return load_reasoner(threads=threads)


@pytest.fixture(scope="session")
def short_case() -> Case:
    """The shortest case that is answered in full."""
    return Case.from_text(SHORT, "short")


@pytest.fixture(scope="session")
def examples() -> dict[str, Case]:
    """The example cases by file name."""
    files = sorted(
        file for file in (ROOT / "examples").iterdir() if file.suffix in {".txt", ".md", ".json"}
    )
    return {file.name: read_case(file) for file in files if file.name != "README.md"}


@pytest.fixture(scope="session")
def dxtrace(_own_home: None, threads: int) -> Run:
    """The command line, as a user runs it."""

    def run(
        *arguments: str | Path,
        stdin: str | bytes = b"",
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [sys.executable, "-m", "dxtrace", *map(str, arguments)],
            input=given,
            capture_output=True,
            timeout=500,
            env=os.environ | {"DXTRACE_THREADS": str(threads)} | (env or {}),
        )
        return subprocess.CompletedProcess(
            done.args,
            done.returncode,
            done.stdout.decode(),
            done.stderr.decode(),
        )

    return run
