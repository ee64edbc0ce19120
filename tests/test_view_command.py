"""``dxtrace view`` and ``dxtrace serve`` as commands."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support import DATA
from support.commands import Run, run
from support.view import NOTE, chain_on

from dxtrace.chain import DISCLAIMER

RESULT = chain_on(NOTE, ["two weeks of worsening breathlessness", "BNP 1200 pg/mL", "LVEF 25 %"])


@pytest.mark.slow
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


OWN = {
    "id": "1",
    "note": "Two weeks of fever. CXR: right upper lobe cavity.",
    "diagnosis": "Tuberculosis",
    "steps": [{"rationale": "Cavities are typical.", "evidence": "right upper lobe cavity"}],
}


@pytest.mark.parametrize("spec", ["own.jsonl", "jsonl:own.jsonl", "rel", "direct:rel", "parts:all"])
def test_any_corpus_is_a_library(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spec: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.jsonl").write_text(f"{json.dumps(OWN)}\n{json.dumps(OWN | {'note': 'A cavity.'})}\n")
    shutil.copytree(DATA / "direct", "rel")
    assert run(capsys, "corpus", "split", "rel", "--out", "parts", "--shares", "all=1")[0] == 0
    code, _, err = run(capsys, "view", spec, "--out", "page.html")
    assert code == 0, err
    page = Path("page.html").read_text()
    assert '"mode":"library"' in page
    assert '"reference":true' in page


def test_cases_with_a_diagnosis_of_their_own_are_a_library(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Path and category do not make an answer of an annotated case; nor does the folder around it."""
    tree = {"diagnosis": "SLE", "category": "Lupus", "path": ["Suspected Lupus", "SLE"]}
    step = {"rationale": "It is typical.", "evidence": "cavity"}
    file = tmp_path / "mine" / "own.jsonl"
    file.parent.mkdir()
    file.write_text(json.dumps(OWN | tree | {"steps": [step]}))
    for source in (file, file.parent):
        code, _, err = run(capsys, "view", source, "--out", tmp_path / "page.html", "--force")
        assert code == 0, err
        page = (tmp_path / "page.html").read_text("utf-8")
        assert '"reference":true' in page and '"SLE"' in page


def test_what_is_no_corpus_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "view", f"nosuch:{tmp_path}", "--out", tmp_path / "page.html")
    assert code == 2
    assert "agentclinic" in err
