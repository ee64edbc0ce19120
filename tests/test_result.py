"""The contract of a result: one model, its JSON Schema, what is read and what is refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.commands import Run
from support.view import NOTE, STATES, chain_on, state

from dxtrace.chain import Chain
from dxtrace.chain.result import ResultV1, result_schema
from dxtrace.errors import InputError

SCHEMA = Path(__file__).parents[1] / "docs" / "result.schema.json"


def row(**changes: Any) -> dict[str, Any]:
    """Return the JSON of a result with an open type, which has every kind of field."""
    return state("type_open").to_json() | changes


def test_the_published_schema_is_the_models(dxtrace: Run) -> None:
    assert SCHEMA.read_text("utf-8") == result_schema() == dxtrace("schema").stdout


@pytest.mark.parametrize("name", STATES)
def test_every_state_reads_back_through_json(name: str) -> None:
    chain = state(name)
    chain.verify()
    data = json.loads(json.dumps(chain.to_json(), allow_nan=False))
    assert data["schema"] == "dxtrace.result/1"
    assert (data["status"], data["headline"]) == (name, chain.headline)
    assert Chain.from_json(data) == chain
    assert data.keys() == json.loads(result_schema())["properties"].keys()


def test_a_result_of_before_there_was_a_status_is_read_as_an_answer() -> None:
    old = chain_on(NOTE, ["BNP 1200 pg/mL"]).to_json()
    for key in ("schema", "status", "headline", "contradictions", "undecided", "out_of_scope"):
        del old[key]
    del old["steps"][0]["probability"]
    chain = Chain.from_json(old | {"id": 7, "from_elsewhere": {"a": 1}})
    assert (chain.id, chain.status, chain.diagnosis) == ("7", "answered", "HFrEF")
    chain.verify()


BAD = [math.nan, math.inf, -0.1, 1.2, "0.5", True, [0.5]]


@pytest.mark.parametrize("value", [*BAD, None], ids=repr)
def test_a_probability_is_a_number_from_0_to_1(value: object) -> None:
    entries = row()["differential"]
    broken = [*entries[:2], entries[2] | {"probability": value}]
    with pytest.raises(InputError, match=r"'differential\[2\].probability'") as caught:
        Chain.from_json(row(differential=broken))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", BAD, ids=repr)
def test_a_probability_that_may_be_missing_is_no_other_thing(value: object) -> None:
    steps = row()["steps"]
    broken = [steps[0] | {"probability": value}]
    with pytest.raises(InputError, match=r"'steps\[0\].probability'"):
        Chain.from_json(row(steps=broken))
    with pytest.raises(InputError, match="'out_of_scope'"):
        Chain.from_json(row(out_of_scope=value))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"note": 3}, "field 'note'"),
        ({"status": "maybe"}, "field 'status'"),
        ({"schema": "dxtrace.result/2"}, "field 'schema'"),
        ({"path": "Suspected"}, "field 'path'"),
        ({"steps": [{"supports": NOTE}]}, "no field 'steps[0].rationale'"),
        ({"model": "m"}, "field 'model' is wrong: it should be an object"),
        ({"contradictions": [{}]}, "no field 'contradictions[0].against'"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        ResultV1.parse(row(**changes))
    said = str(caught.value)
    assert says in said and "\n" not in said and NOTE[:20] not in said and len(said) < 200


def test_what_cannot_stand_in_a_result_is_not_written() -> None:
    chain = state("out_of_scope", out_of_scope=math.nan)
    with pytest.raises(InputError, match="'out_of_scope'"):
        chain.to_json()


@pytest.mark.parametrize("module", ["dxtrace.chain", "dxtrace.answering.reasoner"])
def test_the_core_is_imported_quickly(module: str) -> None:
    code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    assert min(float(done.stdout) for done in runs) < 0.8, "half of it is 0.4 s on a quiet machine"
