"""``dxtrace view`` and ``dxtrace serve`` as commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commands import Run
from support.view import NOTE, chain_on

from dxtrace.chain import DISCLAIMER

RESULT = chain_on(NOTE, ["two weeks of worsening breathlessness", "BNP 1200 pg/mL", "LVEF 25 %"])


def test_a_result_becomes_a_page(dxtrace: Run, tmp_path: Path) -> None:
    file, out = tmp_path / "r.json", tmp_path / "page.html"
    file.write_text(json.dumps(RESULT.to_json()), encoding="utf-8")
    done = dxtrace("view", file, "--out", out)
    assert (done.returncode, done.stdout.strip()) == (0, str(out))
    assert DISCLAIMER in out.read_text("utf-8")
    done = dxtrace("view", "-", "--out", out, stdin=json.dumps(RESULT.to_json()))
    assert done.returncode == 0


def test_a_folder_becomes_a_library_and_tells_what_it_left_out(
    dxtrace: Run,
    tmp_path: Path,
) -> None:
    rows = [RESULT.to_json() | {"note": f"{NOTE} {n}", "id": str(n)} for n in range(7)]
    rows.append({"id": "x", "error": {"type": "CaseError", "message": "no"}})
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = dxtrace("view", tmp_path, "--out", tmp_path / "lib.html", "--limit", "5")
    assert done.returncode == 0
    assert "left out" in done.stderr and "5 of 7" in done.stderr
    assert (tmp_path / "lib.html").read_text("utf-8").count('id="dxtrace-case-') == 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ('{"id": "x", "error": {"type": "CaseError"}}', "not answered"),
        ("[1]", "expected"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(
    dxtrace: Run,
    tmp_path: Path,
    text: str,
    says: str,
) -> None:
    file = tmp_path / "r.json"
    file.write_text(text, encoding="utf-8")
    done = dxtrace("view", file, "--out", tmp_path / "p.html")
    assert done.returncode == 2
    assert (
        done.stderr.count("\n") == 1 and "r.json" in done.stderr and "Traceback" not in done.stderr
    )
    assert not (tmp_path / "p.html").exists()


def test_serving_elsewhere_without_a_token_is_refused(dxtrace: Run) -> None:
    done = dxtrace("serve", "--host", "0.0.0.0")
    assert done.returncode == 2 and "token" in done.stderr
