"""The default engine: the same probabilities as torch; its files; which models it takes."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from support.cases import SHORT
from support.engines import CONTROL, GRAMMAR
from support.small_llama import random_llama, write_gguf
from support.strategies import plain_texts
from threadpoolctl import threadpool_info

from dxtrace.answering.differential import label_options
from dxtrace.answering.reasoner import Reasoner
from dxtrace.compose import Composer
from dxtrace.engines import Branch, Engine
from dxtrace.engines.base import Unwanted, while_wanted
from dxtrace.engines.numpy_engine import CHUNK, NumpyEngine
from dxtrace.errors import EngineError, ModelError, UnknownName
from dxtrace.knowledge.taxonomy import Taxonomy
from dxtrace.models import float32, open_model, store
from dxtrace.notes.case import Case
from dxtrace.notes.prompt import prompt_parts, readable
from dxtrace.provenance import sha256_of

#: Deprecations of the libraries among themselves are not ours to mend.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::UserWarning",
)

CLOSE = 1e-4


@pytest.fixture(scope="module")
def engine(reasoner: Reasoner) -> NumpyEngine:
    assert isinstance(reasoner.engine, NumpyEngine)
    return reasoner.engine


@pytest.fixture(scope="module")
def prompt(engine: NumpyEngine) -> list[int]:
    return prompt_of(engine, SHORT)


def prompt_of(engine: Engine, note: str) -> list[int]:
    return engine.encode_prompt(prompt_parts(engine.chat_template, readable(note)))


def label_branches(engine: Engine) -> list[Branch]:
    """Return branches of many lengths, as ranking the diagnoses asks for them."""
    labels = label_options(engine, Taxonomy.default()).tokens
    first = tuple(dict.fromkeys(label[0] for label in labels))
    branches = [Branch((), first)]
    for label in labels[:30]:
        branches.append(Branch(label[:-1], tuple(dict.fromkeys((label[-1], *first)))))
    return branches


def assert_close(found: Any, expected: Any) -> None:
    for here, there in zip(found, expected, strict=True):
        assert here == {token: pytest.approx(share, abs=CLOSE) for token, share in there.items()}


@pytest.fixture(scope="module")
def on_llamacpp(home: Path, threads: int) -> Iterator[Engine]:
    opened = open_model(engine="llamacpp", adapter="none", quantisation="as-is", threads=threads)
    yield opened.engine
    opened.engine.close()


@settings(max_examples=60)
@given(plain_texts().map(lambda text: text[:300]))
def test_texts_get_the_tokens_of_llama_cpp(
    engine: NumpyEngine,
    on_llamacpp: Engine,
    text: str,
) -> None:
    assert engine.encode([text]) == on_llamacpp.encode([text])


def test_prompts_get_the_tokens_of_llama_cpp(
    engine: NumpyEngine,
    on_llamacpp: Engine,
    examples: dict[str, Case],
) -> None:
    odd = [
        "2024-11-03 10:00  1,234.5 mg",
        "\u00b5g \u2265 3\u00d710\u2079/l \U0001f600 e\u0301",
        "",
    ]
    notes = [SHORT, *odd, *(case.note for case in examples.values())]
    for note in [*notes, *(f"cough {mark} fever" for mark in CONTROL)]:
        assert prompt_of(engine, note) == prompt_of(on_llamacpp, note)
    assert engine.end_tokens == on_llamacpp.end_tokens
    assert engine.chat_template == on_llamacpp.chat_template


def test_a_prompt_gives_the_same_numbers_whatever_was_read_before(
    engine: NumpyEngine,
    examples: dict[str, Case],
) -> None:
    long, other = (
        prompt_of(engine, examples[name].note)
        for name in ("tuberculosis_narrative.txt", "nstemi_telegraphic.txt")
    )
    assert len(long) > CHUNK
    branches = label_branches(engine)
    engine.forget()
    fresh = engine.distributions(long, branches)
    shorter = long[: len(long) - 3]
    brief = prompt_of(engine, "-")
    for before in ([*long, 5, 6, 7], shorter, other, long[: CHUNK + 1] + other, brief):
        engine.distributions(before, branches[:2])
        assert engine.distributions(long, branches) == fresh
    "".join(engine.stream(long, GRAMMAR, 64))
    engine.forget()
    assert engine.distributions(long, branches) == fresh


def test_what_is_cached_is_not_read_again(engine: NumpyEngine, prompt: list[int]) -> None:
    long = (prompt * 9)[: 2 * CHUNK + 140]
    branch = [Branch((), (1, 2, 3))]

    def read(ids: list[int]) -> int:
        before = engine.work.prefill_tokens + engine.work.decode_tokens
        engine.distributions(ids, branch)
        return engine.work.prefill_tokens + engine.work.decode_tokens - before

    read(prompt)
    engine.forget()
    assert len(long) - 64 <= read(long) < len(long)
    assert read(long) == 0
    assert 100 <= read([*long[:-1], 5]) <= 140
    engine.forget()
    assert 100 <= read(long) <= 140


def test_many_branches_equal_branches_one_by_one(engine: NumpyEngine, prompt: list[int]) -> None:
    branches = label_branches(engine)
    # More than are read in one pass.
    for token in range(3, 2 * CHUNK + 100):
        branches.append(Branch((token,), (5, 6)))
    packed = engine.distributions(prompt, branches)
    for index in (0, 1, 8, 30, 31, CHUNK, 2 * CHUNK, len(branches) - 1):
        branch = branches[index]
        alone = [Branch((), branch.candidates)]
        assert_close([packed[index]], engine.distributions([*prompt, *branch.prefix], alone))


@pytest.mark.parametrize("extra", [0, 1])
def test_a_prompt_that_does_not_fit_is_an_error(engine: NumpyEngine, extra: int) -> None:
    long = [5] * (engine.context + extra)
    with pytest.raises(EngineError, match="tokens"):
        engine.distributions(long, [Branch((1,) * (1 - extra), (1, 2))])


def test_what_nobody_wants_is_given_up_and_changes_nothing(
    engine: NumpyEngine, prompt: list[int]
) -> None:
    branches = label_branches(engine)
    expected = engine.distributions(prompt, branches)
    engine.forget()
    asked = iter([True] * 12)
    with while_wanted(lambda: next(asked, False)), pytest.raises(Unwanted):
        engine.distributions([*prompt[:-40], *prompt], branches)
    assert_close(engine.distributions(prompt, branches), expected)


def test_an_empty_prompt_is_an_error(engine: NumpyEngine) -> None:
    with pytest.raises(EngineError, match="empty"):
        engine.distributions([], [Branch((), (1, 2))])


# --- small random Llamas -------------------------------------------------------------------------


@dataclass
class Small:
    """A small Llama: the GGUF file, the folder for transformers, and the model of torch."""

    gguf: Path
    hf: Path
    model: Any


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Small:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("small")
    model = random_llama(request.param)
    file = write_gguf(model, folder / "small.gguf")
    ready = float32.prepared(file, sha256_of(file), folder)
    model.save_pretrained(folder / "hf")
    PreTrainedTokenizerFast(
        tokenizer_file=str(ready / "tokenizer.json"),
        eos_token="<|end|>",
    ).save_pretrained(folder / "hf")
    return Small(file, folder / "hf", model)


def random_question(vocabulary: int) -> tuple[list[int], list[Branch]]:
    draw = np.random.default_rng(1)

    def ids(count: int) -> list[int]:
        return draw.integers(2, vocabulary, count).tolist()

    branches = [Branch((), tuple(range(vocabulary)))]
    for length in (1, 2, 5, 40):
        stem = ids(length)
        branches += [Branch((*stem, *ids(2)), tuple(range(vocabulary))) for _ in range(8)]
    return ids(2 * CHUNK + 77), branches


def test_a_small_llama_says_the_same_as_in_torch(small: Small, tmp_path: Path) -> None:
    from dxtrace.engines.hf import HuggingFaceEngine

    here = open_model(str(small.gguf), threads=1).engine
    there = HuggingFaceEngine(str(small.hf), threads=1)
    assert isinstance(here, NumpyEngine)
    long, branches = random_question(here.config.vocabulary)
    assert_close(here.distributions(long, branches), there.distributions(long, branches))
    text = "the 12 the\u00e9 <|end|> 1212"
    assert here.encode([text]) == there.encode([text])
    parts = [("<|start|>the<|end|>", True), (text, False)]
    assert here.encode_prompt(parts) == there.encode_prompt(parts)
    here.close()


@pytest.fixture
def adapter(small: Small, tmp_path: Path) -> Path:
    """A LoRA adapter with random weights on every linear layer, and a scale that is not 1."""
    peft = pytest.importorskip("peft")
    import torch
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(small.hf, dtype=torch.float32)
    config = peft.LoraConfig(r=4, lora_alpha=6, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(base, config)
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_an_adapter_is_merged_as_peft_merges_it(small: Small, adapter: Path) -> None:
    from dxtrace.engines.hf import HuggingFaceEngine

    here = open_model(str(small.gguf), adapter=adapter, threads=1).engine
    there = HuggingFaceEngine(str(small.hf), adapter, threads=1)
    assert isinstance(here, NumpyEngine)
    long, branches = random_question(here.config.vocabulary)
    expected = there.distributions(long, branches)
    assert_close(here.distributions(long, branches), expected)
    bare = open_model(str(small.gguf), threads=1).engine
    assert max(bare.distributions(long, branches)[0].values()) != pytest.approx(
        max(expected[0].values()),
        abs=10 * CLOSE,
    )
    bare.close()
    here.close()


def test_what_is_kept_is_known_by_all_that_went_into_it(
    small: Small,
    adapter: Path,
    tmp_path: Path,
) -> None:
    sha256, folder = sha256_of(small.gguf), tmp_path / "kept"
    made = float32.prepared(small.gguf, sha256, folder, adapter)
    written = (made / "weights.npy").stat().st_mtime_ns
    assert float32.prepared(small.gguf, sha256, folder, adapter) == made
    assert (made / "weights.npy").stat().st_mtime_ns == written
    assert float32.prepared(small.gguf, sha256, folder) != made
    assert float32.key("0" * 64, adapter) != float32.key(sha256, adapter)
    settings = adapter / "adapter_config.json"
    changed = json.loads(settings.read_text("utf-8")) | {"lora_alpha": 60}
    settings.write_text(json.dumps(changed), "utf-8")
    other = float32.prepared(small.gguf, sha256, folder, adapter)
    assert other != made
    before, after = (np.load(path / "weights.npy") for path in (made, other))
    assert not np.array_equal(before, after)
    weights = adapter / "adapter_model.safetensors"
    before_key = float32.key(sha256, adapter)
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    assert float32.key(sha256, adapter) != before_key


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_others_may_read_what_the_umask_lets_them(small: Small, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        made = float32.prepared(small.gguf, sha256_of(small.gguf), tmp_path / "kept")
    finally:
        os.umask(old)
    assert stat.S_IMODE(made.stat().st_mode) == 0o750
    assert {stat.S_IMODE(file.stat().st_mode) for file in made.iterdir()} == {0o640}


def test_an_interrupted_preparation_leaves_nothing(small: Small, tmp_path: Path) -> None:
    def stop(what: str, share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        float32.prepared(small.gguf, sha256_of(small.gguf), tmp_path / "kept", report=stop)
    assert list((tmp_path / "kept").iterdir()) == []


def test_of_many_adapters_the_latest_are_kept(small: Small, tmp_path: Path) -> None:
    made = []
    for number in range(5):
        made.append(float32.prepared(small.gguf, str(number) * 64, tmp_path))
        os.utime(made[-1], (number, number))
    assert not made[0].exists()
    assert made[4].exists()


def test_damaged_files_are_named(small: Small, tmp_path: Path) -> None:
    made = float32.prepared(small.gguf, sha256_of(small.gguf), tmp_path / "kept")
    for name in ("weights.npy", "tokenizer.json", "model.json"):
        copy = tmp_path / name
        shutil.copytree(made, copy)
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(ModelError, match=name):
            NumpyEngine(copy)


def test_threads_are_as_many_as_asked_for(small: Small) -> None:
    def of_the_engine() -> int:
        return len([one for one in threading.enumerate() if one.name.startswith("share")])

    def of_the_matrix_library() -> list[int]:
        return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]

    before = of_the_matrix_library()
    for count, started in ((1, 0), (2, 2), (3, 3)):
        engine = open_model(str(small.gguf), threads=count).engine
        engine.distributions(list(range(3, 60)), [Branch((), (1, 2))])
        assert of_the_engine() == started
        # Threads of the two kinds would take the cores from each other.
        assert set(of_the_matrix_library()) == {1}
        engine.close()
        assert of_the_engine() == 0
    assert of_the_matrix_library() == before


def test_the_number_of_threads_changes_no_answer(small: Small) -> None:
    prompt = list(range(3, 60))
    branches = [Branch((), (5, 6, 7)), Branch((5,), (8, 9)), Branch((5, 8), (10, 11))]
    answers = []
    for count in (1, 2, 5):
        engine = open_model(str(small.gguf), threads=count).engine
        found = engine.distributions(prompt, branches)
        answers.append([list(shares.values()) for shares in found])
        engine.close()
    for first, second, third in zip(*answers, strict=True):
        assert np.allclose(first, second, atol=1e-6)
        assert np.allclose(first, third, atol=1e-6)


# --- which engine --------------------------------------------------------------------------------


def test_a_llama_too_large_for_the_memory_goes_to_llama_cpp(
    small: Small,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert float32.obstacle(small.gguf) is None
    monkeypatch.setattr(float32, "memory", lambda: 1000)
    assert "half of the memory" in (float32.obstacle(small.gguf) or "")


@pytest.mark.parametrize(
    ("architecture", "tensor", "why"),
    [("gemma", None, "Llama models only"), ("llama", None, "sizes")],
)
def test_other_models_are_left_to_llama_cpp(
    tmp_path: Path,
    architecture: str,
    tensor: None,
    why: str,
) -> None:
    writer = gguf.GGUFWriter(tmp_path / "other.gguf", architecture)
    writer.add_string("general.name", "other")
    writer.add_tensor("token_embd.weight", np.zeros((2, 2), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert why in (float32.obstacle(tmp_path / "other.gguf") or "")
    with pytest.raises(ModelError, match="other"):
        open_model(str(tmp_path / "other.gguf"), engine="numpy")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model" * 1000])
def test_a_broken_model_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.gguf").write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.gguf"):
        open_model(str(tmp_path / "broken.gguf"))


def test_an_unknown_engine_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'numpy'"):
        open_model(engine="nunpy")


# --- the embedded model beside torch -------------------------------------------------------------


@pytest.fixture(scope="module")
def on_hf(home: Path, threads: int) -> Iterator[Reasoner]:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    opened = open_model(engine="hf", threads=threads)
    yield Reasoner(opened.engine, opened.info, calibration=opened.calibration)
    opened.engine.close()


@pytest.mark.slow
class TestBesideTorch:
    """The embedded model on both engines."""

    def test_probabilities_are_the_same(self, engine: NumpyEngine, on_hf: Reasoner) -> None:
        here, there = (prompt_of(each, SHORT) for each in (engine, on_hf.engine))
        assert here == there
        branches = label_branches(engine)
        assert_close(
            engine.distributions(here, branches),
            on_hf.engine.distributions(here, branches),
        )

    @pytest.mark.parametrize("number", [3, 11])
    def test_chains_are_the_same_word_for_word(
        self,
        reasoner: Reasoner,
        on_hf: Reasoner,
        number: int,
    ) -> None:
        case = Composer(seed=5).case(number).case
        here, there = reasoner.reason(case), on_hf.reason(case)
        assert here.text() == there.text()
        assert here.steps == there.steps
        assert [entry.diagnosis for entry in here.differential.entries[:5]] == [
            entry.diagnosis for entry in there.differential.entries[:5]
        ]


def test_the_embedded_model_opens_at_little_cost(home: Path) -> None:
    import time

    opened = open_model()
    opened.engine.close()
    before = time.process_time()
    open_model().engine.close()
    assert time.process_time() - before < 0.5
    assert opened.reason.startswith("numpy")
    assert list(store.folder_of(store.DEFAULT).glob("f32-*/weights.npy"))
