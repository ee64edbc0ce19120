"""The server over real connections: answers, turns, limits, and what it never keeps."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support import ROOT
from support.serving import Running, serving, wait
from support.view import HOSTILE, NOTE, STATES, Quick, state

from dxtrace.chain import DISCLAIMER, Chain
from dxtrace.chain.result import result_schema
from dxtrace.cli.serve import check_access, claim, examples
from dxtrace.engines.base import expect_wanted
from dxtrace.errors import EngineError, InputError
from dxtrace.notes.case import Case

serve = pytest.importorskip("dxtrace.serve")


def test_an_answer_has_the_form_of_the_command_line() -> None:
    with serving() as server:
        data = server.reason(NOTE, id="mine")
        chain = Chain.from_json(data)
        chain.verify()
        assert (data["id"], data["note"]) == ("mine", NOTE)
        status, _, text = server.ask(
            "POST",
            "/v1/differential",
            {"sections": {"chief_complaint": "chest pain"}},
        )
        assert status == 200 and json.loads(text)["differential"][0]["diagnosis"] == "HFrEF"
        models = json.loads(server.ask("GET", "/v1/models")[2])["models"]
        assert [(m["name"], m["default"]) for m in models] == [("quick", True)]
        paths = json.loads(server.ask("GET", "/openapi.json")[2])["paths"]
        assert {"/v1/reason", "/v1/differential", "/v1/models"} <= paths.keys()


@pytest.mark.parametrize("name", STATES)
def test_every_state_goes_through_the_api_and_the_stream(name: str) -> None:
    chain = state(name)
    with serving(Quick(answer=chain)) as server:
        data = server.reason(NOTE, id=name)
        assert data == chain.to_json()
        events = server.events(NOTE)
    ranked = next(data for kind, data in events if kind == "differential")
    assert ranked.keys() == {"path", "differential"}, "nothing is decided yet"
    assert ranked["differential"][0]["diagnosis"] == "HFrEF"
    assert (events[-1][0], events[-1][1]["status"]) == ("chain", name)
    assert [data for kind, data in events if kind == "step"] == events[-1][1]["steps"]


def test_the_openapi_page_has_the_contract_of_a_result() -> None:
    with serving() as server:
        schemas = json.loads(server.ask("GET", "/openapi.json")[2])["components"]["schemas"]
    contract = json.loads(result_schema())
    assert schemas["ResultV1"]["properties"].keys() == contract["properties"].keys()
    assert (
        schemas["RankedV1"]["properties"].keys()
        == contract["$defs"]["RankedV1"]["properties"].keys()
    )


def test_a_stream_tells_the_place_then_the_steps_then_all_of_it() -> None:
    with serving() as server:
        events = server.events(NOTE)
    names = [name for name, _ in events]
    assert names[:4] == ["accepted", "queue", "start", "differential"] and names[-1] == "chain"
    assert [data for name, data in events if name == "step"] == events[-1][1]["steps"]
    assert events[0][1]["note"] == NOTE and events[0][1]["sections"]


@pytest.mark.slow
def test_many_at_once_get_their_own_answers() -> None:
    quick = Quick(delay=0.005)
    results: dict[int, dict[str, Any]] = {}
    with serving(quick) as server:

        def one(number: int) -> None:
            results[number] = server.reason(f"{NOTE} Bed {number}.", id=str(number))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == list(range(32))
    for number, data in results.items():
        assert data["id"] == str(number) and data["note"].endswith(f"Bed {number}.")
    assert quick.answered == 32


@pytest.mark.slow
def test_turns_go_round_among_clients() -> None:
    order: list[str] = []
    lock = threading.Lock()
    with serving(Quick(delay=0.05)) as server:

        def one(client: str, number: int) -> None:
            server.ask("POST", "/v1/reason", {"note": NOTE}, {"X-Client": client})
            with lock:
                order.append(f"{client[0]}{number}")

        threads = []
        for client, number in [("aaaaaaaa", n) for n in range(4)] + [("bbbbbbbb", 0)]:
            threads.append(threading.Thread(target=one, args=(client, number)))
            threads[-1].start()
            time.sleep(0.05)
        status, _, _ = server.ask("GET", "/health")
        assert status == 200
        for thread in threads:
            thread.join()
    assert order.index("b0") <= 2, "one client's pile does not hold another up"


def leave_early(server: Running, path: str = "/v1/reason", stream: bool = True) -> None:
    body = json.dumps({"note": NOTE, "stream": stream}).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(
            b"POST "
            + path.encode()
            + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body,
        )
        time.sleep(0.3)


@pytest.mark.slow
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_place(stream: bool) -> None:
    with serving(Quick(delay=1.0)) as server:
        for _ in range(4):
            leave_early(server, stream=stream)
        wait(lambda: server.health()["waiting"] == 0, 10)
        wait(lambda: server.health()["running"] == 0, 10)


#: A request of which half is sent.
HALF = (
    b"POST /v1/reason HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 400\r\n\r\n{"
)


class Slow(Quick):
    """Ranks for half a minute, as a model on a long note, unless nobody waits for it."""

    def differential(self, case: Case) -> Any:
        for _ in range(1500):
            expect_wanted()
            time.sleep(0.02)
        return super().differential(case)


def test_an_answer_that_takes_too_long_ends_while_it_ranks() -> None:
    with serving(Slow(), answer_s=0.3) as server:
        began = time.monotonic()
        status, _, text = server.ask("POST", "/v1/reason", {"note": NOTE})
        assert time.monotonic() - began < 2
        assert (status, json.loads(text)["error"]["type"]) == (504, "TimeLimit")
        wait(lambda: server.health()["running"] == 0)


def test_a_client_that_leaves_frees_the_engine_while_it_ranks() -> None:
    with serving(Slow()) as server:
        connection = socket.create_connection(("127.0.0.1", server.port))
        body = json.dumps({"note": NOTE, "stream": True})
        connection.sendall(
            b"POST /v1/reason HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        wait(lambda: server.health()["running"] == 1)
        connection.close()
        left = time.monotonic()
        wait(lambda: server.health()["running"] == 0)
        assert time.monotonic() - left < 2


def test_whoever_waits_is_told_that_the_server_stops(caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor() as clients:
        with serving(Slow()) as server:
            stream = clients.submit(server.events, NOTE)
            wait(lambda: server.health()["running"] == 1)
            waiting = clients.submit(server.ask, "POST", "/v1/reason", {"note": NOTE})
            wait(lambda: server.health()["waiting"] == 1)
            half = socket.create_connection(("127.0.0.1", server.port))
            half.sendall(HALF)
            time.sleep(0.1)
            left = time.monotonic()
        assert time.monotonic() - left < 2
        name, said = stream.result()[-1]
        assert (name, said["type"]) == ("error", "Stopping")
        status, _, text = waiting.result()
        assert (status, json.loads(text)["error"]["type"]) == (503, "Stopping")
        assert half.recv(1000).startswith(b"HTTP/1.1 503")
        half.close()
    assert "Traceback" not in caplog.text


def test_a_port_is_taken_before_models_are_loaded() -> None:
    with claim("127.0.0.1", 0) as place:
        place.listen()
        port = place.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} of 127.0.0.1 .*--port") as error:
            claim("127.0.0.1", port)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="cannot be listened on"):
        claim("no-such-host.invalid", 8000)


@pytest.mark.slow
def test_a_full_line_says_so() -> None:
    with serving(Quick(delay=0.3), most_waiting=1) as server:
        threads = [
            threading.Thread(target=server.ask, args=("POST", "/v1/reason", {"note": NOTE}))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
            time.sleep(0.2)
        status, headers, text = server.ask("POST", "/v1/reason", {"note": NOTE})
        assert (
            status == 503
            and headers["retry-after"]
            and "wait" in json.loads(text)["error"]["message"]
        )
        for thread in threads:
            thread.join()


WRONG = [
    ("not json", {}, 400),
    ("[1]", {}, 422),
    ("{}", {}, 422),
    ({"note": "   "}, {}, 422),
    ({"note": 5}, {}, 422),
    ({"note": NOTE, "model": "other"}, {}, 404),
    ({"note": NOTE}, {"Content-Type": "text/plain"}, 415),
    ({"note": NOTE}, {"Origin": "http://evil.example"}, 403),
    ({"note": NOTE}, {"Origin": "http://evil.example/://localhost"}, 403),
    ({"note": NOTE}, {"Host": "evil.example"}, 421),
    ({"note": NOTE}, {"Host": "localhost:80@evil.example"}, 421),
    ({"note": NOTE}, {"Transfer-Encoding": "chunked", "Content-Length": "9"}, 400),
    ({"note": NOTE}, {f"X-{number}": "a" for number in range(200)}, 431),
    ({"note": "x" * 3000}, {}, 413),
    ('{"a":' * 2000, {}, 400),
]


@pytest.mark.parametrize(("body", "headers", "status"), WRONG)
def test_wrong_requests_are_refused_without_repeating_them(
    body: Any,
    headers: dict[str, str],
    status: int,
) -> None:
    with serving(rules={"body_bytes": 2500 if status == 413 else 100_000}) as server:
        found, sent, text = server.ask("POST", "/v1/reason", body, headers)
        assert found == status
        error = json.loads(text)["error"]
        assert error["type"] and error["message"] and NOTE not in text
        assert (
            sent["x-content-type-options"] == "nosniff"
            and "default-src 'none'" in sent["content-security-policy"]
        )
        assert server.ask("GET", "/v1/reason")[0] == 405
        assert server.ask("GET", "/nothing")[0] == 404


def test_slow_requests_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    from dxtrace.serve._http import PatientProtocol

    monkeypatch.setattr(PatientProtocol, "head_s", 0.5)
    with serving(rules={"body_s": 0.5}) as server:
        head = b"POST /v1/reason HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        for start in (b"POST /v1/rea", head + b"Content-Length: 90\r\n\r\n{"):
            with socket.create_connection(("127.0.0.1", server.port)) as raw:
                raw.sendall(start)
                raw.settimeout(5)
                assert b" 408 " in raw.recv(4096)


def test_a_token_is_asked_for() -> None:
    token = "a" * 20
    with serving(rules={"token": token}) as server:
        assert server.ask("POST", "/v1/reason", {"note": NOTE})[0] == 401
        assert (
            server.ask("POST", "/v1/reason", {"note": NOTE}, {"Authorization": f"Bearer {token}x"})[
                0
            ]
            == 401
        )
        assert server.ask("GET", "/v1/models")[0] == 401
        assert (
            server.ask("POST", "/v1/reason", {"note": NOTE}, {"Authorization": f"Bearer {token}"})[
                0
            ]
            == 200
        )
        assert server.ask("GET", "/", headers={"Host": "elsewhere.example"})[0] == 200


def test_reachable_from_elsewhere_only_with_a_token() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        check_access(host, None)
    for host, token in (
        ("0.0.0.0", None),
        ("192.168.1.2", None),
        ("::", None),
        ("0.0.0.0", "short"),
    ):
        with pytest.raises(InputError, match="token"):
            check_access(host, token)
    check_access("0.0.0.0", "x" * 16)


class Failing(Quick):
    """Fails after the differential, once on purpose and once with the note in its message."""

    def stream(self, case: Case) -> Iterator[Any]:
        yield self.differential(case)
        if "typed" in case.note:
            raise EngineError("the model failed")
        raise RuntimeError(case.note)


def test_a_failure_is_said_and_the_next_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    canary = "CANARY-7c1f"
    with caplog.at_level(logging.DEBUG), serving(Failing()) as server:
        status, _, text = server.ask("POST", "/v1/reason", {"note": f"{NOTE} {canary}"})
        assert status == 500 and canary not in text
        status, _, text = server.ask("POST", "/v1/reason", {"note": f"{NOTE} typed {canary}"})
        assert status == 500 and "the model failed" in text
        assert server.events(NOTE)[-1][0] == "error"
        assert server.health() == {"status": "ok", "waiting": 0, "running": 0}
    assert canary not in caplog.text and "RuntimeError" in caplog.text


def test_an_answer_that_takes_too_long_is_ended() -> None:
    with serving(Quick(delay=0.2), answer_s=0.3) as server:
        status, _, text = server.ask("POST", "/v1/reason", {"note": NOTE})
        assert status == 504 and json.loads(text)["error"]["type"] == "TimeLimit"


def test_two_engines_answer_two_at_once() -> None:
    with serving(Quick(delay=0.15), Quick(delay=0.15)) as server:
        begun = time.monotonic()
        threads = [threading.Thread(target=server.reason, args=(NOTE,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait(lambda: server.health()["running"] == 2)
        for thread in threads:
            thread.join()
        assert time.monotonic() - begun < 20


def test_the_page_is_one_self_contained_answer_with_its_policy() -> None:
    with serving(examples={"one": HOSTILE}) as server:
        status, headers, text = server.ask("GET", "/")
    assert status == 200 and DISCLAIMER in text
    policy = headers["content-security-policy"]
    assert (
        "unsafe" not in policy
        and "frame-ancestors 'none'" in policy
        and "connect-src 'self'" in policy
    )
    assert "<script>window" not in text


def test_examples_are_invented_cases() -> None:
    found = dict(examples())
    assert found and all(Case.from_text(note) for note in found.values())


@pytest.mark.slow
def test_closing_ends_what_runs() -> None:
    quick = Quick(delay=2)
    with serving(quick) as server:
        threading.Thread(
            target=server.ask,
            args=("POST", "/v1/reason", {"note": NOTE}),
            daemon=True,
        ).start()
        wait(lambda: server.health()["running"] == 1)
    assert quick.answered == 0


@pytest.mark.slow
def test_a_server_process_holds_against_attacks_and_keeps_nothing(home: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "serve_attacks.py"), "--only"]
    done = subprocess.run(
        [*command, "malformed", "elsewhere", "pipelined", "left"],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr or json.loads(done.stdout)["faults"]
    assert json.loads(done.stdout)["files_with_the_canary"] == []
