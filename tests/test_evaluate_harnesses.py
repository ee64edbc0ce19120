"""The tasks for other people's harnesses, each run against the embedded model."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.engines import KnownEngine

from dxtrace.answering.reasoner import Reasoner
from dxtrace.compose import Composer
from dxtrace.corpus.policy import FairReasoner, wordings_of
from dxtrace.evaluate.lm_eval import label_task
from dxtrace.findings.recogniser import recogniser
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


needs_inspect = pytest.mark.skipif(
    importlib.util.find_spec("inspect_ai") is None,
    reason="extra inspect",
)


@pytest.mark.parametrize(("hard", "wordings"), [(True, "training"), (False, "all")])
def test_only_the_wordings_of_a_case_may_be_known(hard: bool, wordings: str) -> None:
    case = Composer(2).case(0, hard=hard)
    fair = FairReasoner(Reasoner(KnownEngine()))
    assert wordings_of(case) == wordings
    assert fair.for_case(case) is fair.knowing(wordings_of(case))
    assert fair.for_case(case).findings is recogniser(wordings_of(case))


@needs_inspect
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("hard", "wordings"), [(True, "training"), (False, "all")])
def test_inspect_ai_is_told_the_wordings_and_reports_them(
    hard: bool,
    wordings: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import inspect_ai
    from inspect_ai.model import get_model

    from dxtrace.evaluate._registry import reasoning

    rows = [Composer(2).case(number, hard=hard) for number in range(2)]
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(case.to_json()) + "\n" for case in rows))
    monkeypatch.setattr("dxtrace.models.loading.load", lambda _: Reasoner(KnownEngine()))
    task = reasoning(str(path))
    (log,) = inspect_ai.eval(
        task, model=get_model("dxtrace/known", memoize=False), log_dir=str(tmp_path), display="none"
    )
    assert log.status == "success"
    for sample in log.samples:
        (score,) = sample.scores.values()
        assert score.metadata["wordings_allowed"] == wordings
        assert score.metadata["wordings_known"] == wordings
        assert sample.output.metadata["wordings"] == wordings
    (diagnosis,) = [score for score in log.results.scores if score.name == "acc_diag"]
    figures = {(one.group, one.name): one.value for one in diagnosis.metrics.values()}
    assert {("ece", "ece"), ("ece", "lower"), ("ece", "upper")} <= set(figures)
    assert 0 <= figures["brier", "brier"] <= 1
    names = {one.name.removeprefix("dxtrace/") for one in diagnosis.metrics.values()}
    assert {"macro_f1", "area_under_risk"} <= names


@needs_inspect
@pytest.mark.filterwarnings("default")
def test_the_metrics_of_the_task_are_those_of_a_hand_count() -> None:
    from inspect_ai.scorer import SampleScore, Score

    from dxtrace.evaluate._registry import area_under_risk, macro_f1, split_probability

    rows = [
        ("UA", "UA", 0.9),
        ("UA", "NSTEMI", 0.8),
        ("NSTEMI", None, 0.3),
        ("NSTEMI", "NSTEMI", None),
    ]
    scores = []
    for gold, said, confidence in rows:
        metadata = {"gold": gold, "confidence": confidence}
        scores.append(SampleScore(score=Score(value=gold == said, answer=said, metadata=metadata)))
    # each diagnosis: one right of two gold ones; UA was said once, NSTEMI twice
    assert macro_f1()(scores) == pytest.approx((2 / 3 + 2 / 4) / 2, abs=1e-12)
    # of the three that state a confidence the surest is right: risks 0, 1/2, 2/3
    assert area_under_risk()(scores) == pytest.approx((0 + 1 / 2 + 2 / 3) / 3, abs=1e-12)
    assert split_probability("FINAL DIAGNOSIS: UA\nPROBABILITY: 0.75\n") == (
        "FINAL DIAGNOSIS: UA\n\n",
        0.75,
    )
    assert split_probability("FINAL DIAGNOSIS: UA") == ("FINAL DIAGNOSIS: UA", None)


@needs_inspect
@pytest.mark.filterwarnings("default")
def test_the_calibration_metrics_are_those_of_a_hand_count() -> None:
    from inspect_ai.scorer import SampleScore, Score

    from dxtrace.evaluate.inspect_calibration import brier, ece

    stated = [(0.95, "C"), (0.95, "I"), (0.95, "C"), (0.25, "I"), (0.25, "C"), (1.0, "C")]
    scores = [
        SampleScore(score=Score(value=value, metadata={"confidence": share}))
        for share, value in stated
    ]
    scores.append(SampleScore(score=Score(value="I")))  # states nothing: left out
    error = ece()(scores)
    # last bin: stated 3.85 of 4, right 3; third bin: stated 0.5 of 2, right 1
    assert error["ece"] == pytest.approx((0.85 + 0.5) / 6, abs=1e-12)
    assert error["lower"] <= error["ece"] <= error["upper"]
    found = brier()(scores)
    byhand = (2 * 0.05**2 + 0.95**2 + 0.25**2 + 0.75**2 + 0) / 6
    assert found["brier"] == pytest.approx(byhand, abs=1e-12)
    assert found["lower"] < byhand < found["upper"]
    with pytest.raises(ValueError, match="0 to 1"):
        brier()([SampleScore(score=Score(value="C", metadata={"confidence": 80}))])


@pytest.mark.slow
@needs_inspect
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
        "figures = found['results']['dxtrace_diagnosis']\n"
        "for name in ('acc', 'ece', 'brier', 'macro_f1', 'area_under_risk', 'hierarchical_f1'):\n"
        "    assert 0 <= figures[name + ',none'] <= 2, figures\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_label_task_loads_as_the_harness_loads_it() -> None:
    spec = importlib.util.spec_from_file_location("no.such.entry", TASK / "label_task.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    named = re.findall(
        r"!function label_task\.(\w+)", (TASK / "dxtrace_diagnosis.yaml").read_text()
    )
    assert len(named) >= 7
    assert all(callable(getattr(module, name)) for name in named)


@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="needs lm-eval")
def test_lm_evaluation_harness_takes_the_label_task_from_cases_to_figures(corpus: Path) -> None:
    code = (
        "import lm_eval; from lm_eval.tasks import TaskManager\n"
        f"manager = TaskManager(include_path={str(TASK)!r}, metadata={{'corpus': {str(corpus)!r}}})\n"
        "found = lm_eval.simple_evaluate('dummy', tasks=['dxtrace_diagnosis'], task_manager=manager, "
        "bootstrap_iters=0)\n"
        "figures = found['results']['dxtrace_diagnosis']\n"
        "for name in ('acc', 'ece', 'brier', 'macro_f1', 'area_under_risk', 'hierarchical_f1'):\n"
        "    assert 0 <= figures[name + ',none'] <= 2, figures\n"
        "assert found['samples']['dxtrace_diagnosis'][0]['doc']['wordings'] == 'all'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_label_task_measures_what_a_hand_count_does(corpus: Path) -> None:
    names = label_task.choices()
    first, second = label_task.load(str(corpus))["test"]
    assert first["wordings"] == "all"

    def ranked(doc: dict[str, Any], top: int, share: float) -> dict[str, Any]:
        rest = math.log((1 - share) / (len(names) - 1))
        results = [(rest, False)] * len(names)
        results[top] = (math.log(share), True)
        return label_task.process_results(doc, results)

    other = next(i for i in range(len(names)) if i not in (first["label"], second["label"]))
    found = [ranked(first, first["label"], 0.8), ranked(second, other, 0.6)]
    assert [one["acc"] for one in found] == [1.0, 0.0]
    assert found[0]["hierarchical_f1"] == 1.0 > found[1]["hierarchical_f1"]
    ece = label_task.calibration_error([one["ece"] for one in found])
    assert ece == pytest.approx((0.2 + 0.6) / 2, abs=1e-12)
    rest = len(names) - 1
    right = 0.2**2 + 0.2**2 / rest
    wrong = 0.6**2 + (1 - 0.4 / rest) ** 2 + (rest - 1) * (0.4 / rest) ** 2
    brier = label_task.mean_brier([one["brier"] for one in found])
    assert brier == pytest.approx((right + wrong) / 2, abs=1e-12)
    assert label_task.macro_f1([one["macro_f1"] for one in found]) == pytest.approx(0.5)
    # the surer answer is right, so risk is 0 at half of the cases and 1/2 at all
    assert label_task.risk_area([one["area_under_risk"] for one in found]) == pytest.approx(0.25)
