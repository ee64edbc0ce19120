"""The tasks for other people's harnesses, each run against the embedded model."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dxtrace.compose import Composer
from dxtrace.evaluate.lm_eval import label_task
from dxtrace.knowledge.taxonomy import Taxonomy

TASK = Path(label_task.__file__).parent


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    composer = Composer(2)
    path = tmp_path / "cases.jsonl"
    rows = sorted(
        (composer.case(number) for number in range(8)),
        key=lambda case: len(case.case.note),
    )[:2]
    path.write_text("".join(json.dumps(case.to_json()) + "\n" for case in rows))
    return path


def test_the_label_task_has_the_diagnoses_as_choices(corpus: Path) -> None:
    (first, _) = label_task.load(str(corpus))["test"]
    names = label_task.choices(first)
    assert names == [node.name for node in Taxonomy.default().diagnoses]
    assert names[first["label"]] == json.loads(corpus.read_text().splitlines()[0])["diagnosis"]
    assert label_task.prompt(first).endswith("FINAL DIAGNOSIS:")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("inspect_ai") is None, reason="extra inspect")
def test_inspect_ai_runs_the_task_on_the_embedded_model(
    corpus: Path,
    home: Path,
    tmp_path: Path,
) -> None:
    code = (
        "from inspect_ai import eval; from inspect_ai.model import get_model\n"
        "from dxtrace.evaluate._registry import reasoning\n"
        f"task, logs = reasoning({str(corpus)!r}), {str(tmp_path)!r}\n"
        "(log,) = eval(task, model=get_model('dxtrace/default'), log_dir=logs, display='none')\n"
        "assert log.status == 'success', log.error\n"
        "scores = {score.name: score.metrics['mean'].value for score in log.results.scores}\n"
        "assert scores['answered'] == scores['grounded'] == scores['valid'] == 1, scores\n"
        "assert 'acc_diag' in scores and 'obs_comp' in scores, scores\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DXTRACE_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None or importlib.util.find_spec("torch") is None,
    reason="needs lm-eval",
)
def test_lm_evaluation_harness_runs_the_label_task_on_the_embedded_model(
    corpus: Path,
    home: Path,
) -> None:
    folder = home / "models" / "smollm2-135m"
    code = (
        "import lm_eval; from lm_eval.tasks import TaskManager\n"
        f"manager = TaskManager(include_path={str(TASK)!r}, metadata={{'corpus': {str(corpus)!r}}})\n"
        f"found = lm_eval.simple_evaluate('hf', model_args='pretrained={folder},gguf_file=base.gguf,dtype=float32', "
        "tasks=['dxtrace_diagnosis'], task_manager=manager, limit=1, batch_size=8, device='cpu', bootstrap_iters=0)\n"
        "assert 'acc,none' in found['results']['dxtrace_diagnosis'], found['results']\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
