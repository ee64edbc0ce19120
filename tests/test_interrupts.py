"""Ctrl-C: a command ends within two seconds, whatever it waits for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from dxtrace import cli
from dxtrace.cli import _interrupts
from dxtrace.engines.llamacpp import interruptible

#: A command that drops the exception of an interrupt and waits on.
DEAF = """
import time
from dxtrace import cli

def wait(*_, **__):
    print("ready", flush=True)
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass

cli.app = wait
cli.main([])
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_swallows_an_interrupt_ends_all_the_same(how: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", DEAF],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(how)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said == "dxtrace: interrupted\n"


#: Processes that are interrupted as soon as they are there.
POOL = """
import os, signal, sys, threading, time
from multiprocessing import active_children
from dxtrace.compose.processes import map_in_order

def interrupt():
    reached = set()
    while len(reached) < 2:
        for child in active_children():
            if child.pid not in reached:
                os.kill(child.pid, int(sys.argv[1]))
                reached.add(child.pid)

if __name__ == "__main__":
    threading.Thread(target=interrupt, daemon=True).start()
    print(list(map_in_order(abs, [-1, -2, -3], 2)))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_workers_leave_an_interrupt_to_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    done = subprocess.run(
        [sys.executable, script, str(int(how))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("[1, 2, 3]\n", "")


def test_threads_that_wait_sleep_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_run", lambda _: 0)
    monkeypatch.setattr(_interrupts, "catch", lambda: None)
    for said, found in [(None, "10000"), ("7", "7")]:
        monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
        if said:
            monkeypatch.setenv("GOMP_SPINCOUNT", said)
        with pytest.raises(SystemExit):
            cli.main([])
        assert os.environ["GOMP_SPINCOUNT"] == found


def test_work_that_was_kept_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_interrupts, "_kept", [])
    _interrupts.keep(tmp_path / "rows", "do it again")
    assert _interrupts.line() == "dxtrace: interrupted\n"
    (tmp_path / "rows").touch()
    assert _interrupts.line() == "dxtrace: interrupted; do it again\n"


def test_the_wait_for_a_library_can_be_interrupted() -> None:
    before = signal.getsignal(signal.SIGINT)
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interruptible(lambda: time.sleep(30))
    assert time.monotonic() - started < 10
    assert signal.getsignal(signal.SIGINT) is before


def test_what_a_library_returns_or_raises_comes_through() -> None:
    assert interruptible(lambda: 7) == 7
    with pytest.raises(ValueError, match="no"):
        interruptible(lambda: int("no"))


def test_a_run_stops_after_the_rows_in_hand_and_a_second_interrupt_ends_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("trl", reason="needs the extra 'train'")
    from dxtrace.train.callbacks import StopOnSignal

    state = SimpleNamespace(global_step=3)
    control = SimpleNamespace(should_save=False, should_training_stop=False, should_evaluate=True)
    with StopOnSignal() as stop:
        with pytest.raises(KeyboardInterrupt):  # the model is loading: there is nothing to keep
            signal.raise_signal(signal.SIGINT)
        stop.on_train_begin(None, state, control)
        stop.on_pre_optimizer_step(None, state, control)
        signal.raise_signal(signal.SIGTERM)  # half of the weights may have changed
        assert "saving and stopping" in capfd.readouterr().err
        stop.on_step_end(None, state, control)
        assert control.should_save
        assert control.should_training_stop
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_run_that_reads_rows_stops_at_once() -> None:
    pytest.importorskip("trl", reason="needs the extra 'train'")
    from dxtrace.train.callbacks import StopOnSignal, Stopped

    with StopOnSignal() as stop:
        stop.on_train_begin(None, None, None)
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        assert stop.stopped == "SIGTERM"
