"""The engine for servers: llama.cpp's own on the embedded model, and what vLLM and SGLang document."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.cases import SHORT
from support.commands import run
from support.engines import GRAMMAR
from support.model_servers import ModelServer, model_server

from dxtrace.answering.choice import Options, rank
from dxtrace.answering.reasoner import Reasoner
from dxtrace.compose import Composer
from dxtrace.corpus import write_jsonl
from dxtrace.corpus.answer_cases import answer_cases
from dxtrace.corpus.policy import FairReasoner
from dxtrace.engines import Branch, Engine
from dxtrace.engines.base import Unwanted, while_wanted
from dxtrace.engines.server import ServerEngine
from dxtrace.errors import EngineError, InputError, ServerGone, ServerUnfit, UnknownName
from dxtrace.files import read_jsonl
from dxtrace.models import open_model
from dxtrace.notes.annotated import AnnotatedCase
from dxtrace.notes.case import Case
from dxtrace.notes.prompt import prompt_parts
from dxtrace.provenance import SEND_FLAG

KINDS = ("vllm", "sglang")


@pytest.fixture(params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ModelServer]:
    with model_server(request.param, tmp_path / "model") as server:
        yield server


@pytest.fixture
def vllm(tmp_path: Path) -> Iterator[ModelServer]:
    with model_server("vllm", tmp_path / "model") as server:
        yield server


def open_engine(server: ModelServer, **options: Any) -> ServerEngine:
    return ServerEngine(server.url, attempts=2, **options)


def case(id: str, **tags: str) -> AnnotatedCase:
    return AnnotatedCase(Case.from_text(f"{SHORT}\nBed {id}.", id), None, id, tags)


def test_it_is_an_engine_that_weighs_as_the_model_does(served: ModelServer) -> None:
    engine = open_engine(served)
    assert isinstance(engine, Engine)
    assert (engine.model, engine.context) == ("org/teaching", 8192)
    prompt = engine.encode(["CC: cough"])[0]
    branches = [Branch((), (5, 6, 7)), Branch((5, 6), (1, 2)), Branch((9,), (3,))]
    found = engine.distributions(prompt, branches)
    for branch, shares in zip(branches, found, strict=True):
        weights = {
            t: served.model.weight((*prompt, *branch.prefix)[-12:], t) for t in branch.candidates
        }
        for token, weight in weights.items():
            assert shares[token] == pytest.approx(weight / sum(weights.values()))
    options = Options(tuple(map(tuple, engine.encode([" ab", " ac", " b"]))), (0,))
    assert sum(rank(engine, prompt, options)) == pytest.approx(1)


def test_control_tokens_in_a_note_stay_text(served: ModelServer) -> None:
    engine = open_engine(served)
    control = served.tokenizer.token_to_id("<|end|>")
    ids = engine.encode_prompt(prompt_parts(engine.chat_template, "cough <|end|> fever"))
    frame = engine.encode_prompt(prompt_parts(engine.chat_template, "cough"))
    assert ids.count(control) == frame.count(control) == 2
    engine.distributions(ids, [Branch((), (5, 6))])
    sent = served.requests[-1]
    assert sent.get("prompt", sent.get("input_ids")) == ids


def test_branches_are_asked_for_at_once_after_the_prompt_is_cached(served: ModelServer) -> None:
    engine = open_engine(served)
    served.delay_s = 0.05
    before = len(served.requests)
    engine.distributions([1, 2, 3], [Branch((token,), (5, 6)) for token in range(9)])
    assert len(served.requests) - before == 9
    assert served.most_under_way >= 4


def test_an_older_vllm_is_asked_in_its_own_way(vllm: ModelServer) -> None:
    vllm.chosen, vllm.mode = False, "processed_logprobs"
    engine = open_engine(vllm)
    (shares,) = engine.distributions([1, 2, 3], [Branch((), (40, 41))])
    weights = [vllm.model.weight((1, 2, 3), token) for token in (40, 41)]
    assert shares[40] == pytest.approx(weights[0] / sum(weights))
    with pytest.raises(ServerUnfit, match="--max-logprobs"):
        engine.distributions([1, 2, 3], [Branch((), tuple(range(30)))])


def test_without_log_probabilities_the_server_is_refused_at_once(served: ModelServer) -> None:
    served.chosen = False
    with pytest.raises(ServerUnfit, match="log-probabilities"):
        open_engine(served)


def test_what_a_server_lacks_is_named(vllm: ModelServer, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"org/taeching.*org/teaching"):
        open_engine(vllm, model="org/taeching")
    vllm.context = 512
    with pytest.raises(ServerUnfit, match="512 tokens"):
        open_engine(vllm)
    with (
        model_server("library", tmp_path / "other") as ollama,
        pytest.raises(ServerUnfit, match="llama-server"),
    ):
        open_engine(ollama)
    with pytest.raises(ServerGone, match="is it running"):
        ServerEngine("http://127.0.0.1:9", attempts=1)
    with pytest.raises(InputError, match="URL"):
        ServerEngine("127.0.0.1:8000")


def test_a_busy_server_is_asked_again_and_one_that_stays_away_is_gone(vllm: ModelServer) -> None:
    engine = open_engine(vllm)
    vllm.fail = [503]
    assert engine.distributions([1], [Branch((), (5, 6))])
    vllm.fail = [429, 503, 502, 503]
    with pytest.raises(ServerGone, match="stays busy"):
        engine.distributions([1], [Branch((), (5, 6))])
    vllm.fail = [401]
    with pytest.raises(ServerGone, match="DXTRACE_SERVER_KEY"):
        engine.distributions([1], [Branch((), (5, 6))])


def test_what_nobody_waits_for_is_given_up_within_a_second(vllm: ModelServer) -> None:
    engine = open_engine(vllm)
    vllm.delay_s = 2.0
    began = time.monotonic()
    with while_wanted(lambda: time.monotonic() < began + 0.2), pytest.raises(Unwanted):
        engine.distributions([1], [Branch((), (5, 6))])
    assert time.monotonic() - began < 1


def test_what_does_not_fit_is_an_error_without_the_prompt(vllm: ModelServer) -> None:
    engine = open_engine(vllm)
    with pytest.raises(EngineError, match="9001 tokens"):
        engine.distributions([77] * 9001, [Branch((), (5, 6))])
    engine.context = 10_000
    with pytest.raises(EngineError, match="more than the server's context") as caught:
        engine.distributions([77] * 9001, [Branch((), (5, 6))])
    assert "77" not in str(caught.value).replace("9001", "")


def test_many_cases_are_under_way_and_their_order_is_kept(
    vllm: ModelServer, tmp_path: Path
) -> None:
    reasoner = Reasoner(open_engine(vllm))
    tasks = [(f"case-{number}", case(f"case-{number}")) for number in range(6)]
    vllm.delay_s = 0.1
    tally = answer_cases(FairReasoner(reasoner).system, tasks, tmp_path / "out.jsonl")
    rows = [line.parse() for line in read_jsonl(tmp_path / "out.jsonl")]
    assert tally.answered == 6
    assert [row["id"] for row in rows] == [id for id, _ in tasks]
    assert all(f"Bed {row['id']}." in row["note"] for row in rows)
    assert vllm.most_under_way > 9
    one = Reasoner(open_engine(vllm)).reason(tasks[3][1].case)
    assert one.to_json()["differential"] == rows[3]["differential"]


def test_a_server_that_goes_ends_the_run_and_keeps_what_is_done(
    vllm: ModelServer,
    tmp_path: Path,
) -> None:
    system = FairReasoner(Reasoner(open_engine(vllm))).system
    tasks = [(f"case-{number}", case(f"case-{number}")) for number in range(3)]
    assert answer_cases(system, tasks[:1], tmp_path / "out.jsonl").answered == 1
    vllm.fail = [503] * 10_000
    with pytest.raises(ServerGone):
        answer_cases(system, tasks, tmp_path / "out.jsonl")
    vllm.fail = []
    tally = answer_cases(system, tasks, tmp_path / "out.jsonl")
    assert (tally.answered, tally.kept) == (2, 1)


def test_credentialed_notes_go_to_this_machine_alone(
    vllm: ModelServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = case("a", credentialed="true")
    engine = open_engine(vllm)
    fair = FairReasoner(Reasoner(engine))
    assert fair.reason(secret).id == "a"
    asked = len(vllm.requests)
    engine.url = "http://203.0.113.1/v1"
    with pytest.raises(InputError, match=f"PhysioNet.*{SEND_FLAG}"):
        fair.reason(secret)
    assert len(vllm.requests) == asked
    composed = Composer(1).case(0)
    corpus, out = tmp_path / "secret.jsonl", tmp_path / "out"
    write_jsonl(corpus, [replace(composed, tags={**composed.tags, "credentialed": "true"})])
    for command in (("batch", corpus), ("evaluate", "--corpus", corpus)):
        url = ("--url", "http://203.0.113.1/v1")
        code, _, err = run(capsys, *command, "--out", out, *url)
        assert code == 2
        assert "PhysioNet" in err and SEND_FLAG in err
    assert not out.exists()


def test_the_command_line_answers_at_a_server(
    vllm: ModelServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    note = tmp_path / "note.txt"
    note.write_text(SHORT)
    code, out, err = run(
        capsys, "reason", note, "--format", "json", "--engine", "server", "--url", vllm.url
    )
    assert code == 0, err
    assert json.loads(out)["model"]["name"] == "org/teaching"
    code, _, err = run(capsys, "reason", note, "--engine", "server")
    assert (code, err.count("\n")) == (2, 1) and "--url" in err
    code, _, err = run(capsys, "reason", note, "--engine", "numpy", "--url", vllm.url)
    assert code == 2


@pytest.mark.slow
def test_llama_cpps_server_gives_what_llama_cpp_gives_in_process(
    home: Path,
    threads: int,
    examples: dict[str, Case],
) -> None:
    pytest.importorskip("xllamacpp")
    opened = open_model(engine="llamacpp", threads=threads)
    here: Any = opened.engine
    there = ServerEngine(here._address, key=here._key)
    with pytest.raises(ServerGone, match="key"):
        ServerEngine(here._address, key="another")
    assert there.chat_template == here.chat_template
    assert (there.context, there.end_tokens) == (here.context, here.end_tokens)
    one = Reasoner(here, opened.info, calibration=opened.calibration)
    other = Reasoner(there, opened.info, calibration=opened.calibration)
    for name in ("duodenal_ulcer_vignette.txt", "nstemi_telegraphic.txt"):
        first, second = one.reason(examples[name]), other.reason(examples[name])
        assert first.differential == second.differential
        assert first.text() == second.text()
    assert "".join(there.stream(there.encode(["It is"])[0], GRAMMAR, 64)).endswith(".")
