"""The llama.cpp engine on the embedded model: tokens, probabilities, text under a grammar, silence."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.cases import SHORT
from support.engines import GRAMMAR

from dxtrace.engines import Branch
from dxtrace.engines.llamacpp import LlamaCppEngine, LlamaCppOptions
from dxtrace.errors import EngineError, ModelError
from dxtrace.models import open_model
from dxtrace.notes.prompt import prompt_parts, readable


@pytest.fixture(scope="module")
def engine(home: Path, threads: int) -> Iterator[LlamaCppEngine]:
    pytest.importorskip("xllamacpp")
    opened = open_model(engine="llamacpp", threads=threads)
    assert isinstance(opened.engine, LlamaCppEngine)
    yield opened.engine
    opened.engine.close()


@pytest.fixture(scope="module")
def prompt(engine: LlamaCppEngine) -> list[int]:
    return engine.encode_prompt(prompt_parts(engine.chat_template, readable(SHORT)))


def test_unconstrained_text_never_gets_out(
    engine: LlamaCppEngine,
    prompt: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail_open(body: dict[str, Any], receive: Any) -> dict[str, Any]:
        receive({"choices": [{"text": " ok then"}]})
        receive({"choices": [{"text": ", here is what I think: 42"}]})
        return {}

    monkeypatch.setattr(engine, "_complete", fail_open)
    heard = []
    with pytest.raises(EngineError, match="left the grammar"):
        for piece in engine.stream(prompt, GRAMMAR, 64):
            heard.append(piece)
    assert "42" not in "".join(heard)


def test_nobody_else_can_use_its_port(engine: LlamaCppEngine) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(f"{engine._address}/v1/completions", data=b"{}", timeout=10)
    assert caught.value.code == 401
    caught.value.close()
    assert engine._address.startswith("http://127.0.0.1:")


def test_it_writes_nothing_to_stderr(
    engine: LlamaCppEngine,
    prompt: list[int],
    capfd: pytest.CaptureFixture[str],
) -> None:
    "".join(engine.stream(prompt, GRAMMAR, 64))
    engine.distributions(prompt, [Branch((), tuple(prompt[:3]))])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [None, b"", b"GGUF", b"not a model" * 1000])
def test_a_broken_model_file_is_named(
    tmp_path: Path,
    content: bytes | None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "broken.gguf"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.gguf"):
        LlamaCppEngine(file, LlamaCppOptions(context=512, threads=1))
    assert capfd.readouterr().err == ""
