"""Other people's adapters are merged as PEFT merges them, or refused in one line."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize
from safetensors.numpy import load_file, save_file
from support.small_llama import LAYER, random_llama, write_gguf

from dxtrace.errors import ModelError
from dxtrace.models.export import write_lora_gguf
from dxtrace.models.gguf_files import rewrite
from dxtrace.models.lora import LlamaShape, read_lora

peft = pytest.importorskip("peft", reason="needs the extra 'hf'")

SMALL = LlamaShape(layers=2, width=32, inner=48, heads=4, kv_heads=2, head_size=8)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Llama as a GGUF file."""
    return write_gguf(random_llama(tied=True), tmp_path_factory.mktemp("base") / "base.gguf")


def make_adapter(folder: Path, **settings: Any) -> tuple[Path, Any]:
    """Save an adapter with random weights; return it and the model into which PEFT merged it."""
    import torch

    options: dict[str, Any] = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = peft.LoraConfig(task_type="CAUSAL_LM", **(options | settings))
        adapted = peft.get_peft_model(random_llama(tied=True), config)
        torch.manual_seed(1)
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(0, 0.5)
        adapted.save_pretrained(str(folder))
        return folder, adapted.merge_and_unload()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True},
        {"alpha_pattern": {"q_proj": 64, "down_proj": 1}},
        {"rank_pattern": {"v_proj": 2, "^model.layers.1.mlp.up_proj": 6}},
        {"alpha_pattern": {"k_proj": 3}, "rank_pattern": {"k_proj": 8}, "use_rslora": True},
        {"alpha_pattern": {r"layers\.1\.self_attn\.[qk]_proj": 40}, "target_modules": ["q_proj"]},
    ],
)
def test_an_adapter_is_merged_as_peft_does(
    base: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    adapter, merged = make_adapter(tmp_path / "adapter", **settings)
    write_gguf(merged, tmp_path / "expected.gguf")
    rewrite(base, tmp_path / "ours.gguf", "F32", adapter)
    expected = {one.name: one.data for one in gguf.GGUFReader(tmp_path / "expected.gguf").tensors}
    before = {one.name: one.data for one in gguf.GGUFReader(base).tensors}
    changed = 0
    for tensor in gguf.GGUFReader(tmp_path / "ours.gguf").tensors:
        np.testing.assert_allclose(tensor.data, expected[tensor.name], atol=1e-5)
        changed += not np.array_equal(tensor.data, before[tensor.name])
    assert changed == len(load_file(adapter / "adapter_model.safetensors")) // 2

    # llama.cpp: alpha / r, with one alpha for all and each tensor's own r.
    reader = gguf.GGUFReader(write_lora_gguf(adapter, str(base), tmp_path / "lora.gguf"))
    alpha = float(reader.fields["adapter.lora.alpha"].contents())
    halves = {one.name: dequantize(one.data, one.tensor_type) for one in reader.tensors}
    for name, pair in read_lora(adapter, SMALL).items():
        down, up = halves[f"{name}.lora_a"], halves[f"{name}.lora_b"]
        np.testing.assert_allclose(alpha / len(down) * up @ down, pair.product(), atol=1e-5)
    assert set(LAYER.values()) >= {name.split(".")[2] for name in read_lora(adapter, SMALL)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"bias": "all"}, "bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "layer_replication"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights"),
        ({"trainable_token_indices": [3]}, "trainable_token_indices"),
        ({"peft_type": "IA3"}, "peft_type"),
        ({"rank_pattern": {"q_proj": 3}}, "the rank of blk"),
        ({"r": 5}, "the rank of blk"),
        ({"r": "many"}, "'r' is wrong"),
        ({"lora_alpha": float("nan")}, "'lora_alpha' is wrong"),
        ({"alpha_pattern": {"(a+)+$": 1.0}}, "no pattern"),
        ({"alpha_pattern": {"(": 1.0}}, "no pattern"),
    ],
)
def test_what_is_no_plain_lora_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    adapter, _ = make_adapter(tmp_path)
    file = adapter / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ModelError) as caught:
        read_lora(adapter, SMALL)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def deeper(tensors: dict[str, Any]) -> dict[str, Any]:
    more = {name.replace("layers.1.", "layers.7."): value for name, value in tensors.items()}
    return tensors | more


def halved(tensors: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in tensors.items() if "layers.1.mlp.up_proj.lora_B" not in name
    }


def wider(tensors: dict[str, Any]) -> dict[str, Any]:
    name = next(name for name in tensors if name.endswith("layers.1.mlp.up_proj.lora_A.weight"))
    return tensors | {name: np.zeros((4, 40), np.float32)}


def empty(_: dict[str, Any]) -> dict[str, Any]:
    return {}


def with_head(tensors: dict[str, Any]) -> dict[str, Any]:
    return tensors | {"base_model.model.lm_head.weight": np.zeros((3, 3), np.float32)}


def not_finite(tensors: dict[str, Any]) -> dict[str, Any]:
    name = next(iter(tensors))
    return tensors | {name: np.full_like(tensors[name], np.nan)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (deeper, "has 2 layers"),
        (halved, "one half of blk.1.ffn_up.weight is missing"),
        (wider, "blk.1.ffn_up.weight has another size"),
        (empty, "is empty"),
        (with_head, "unexpected tensor"),
        (not_finite, "no numbers"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    adapter, _ = make_adapter(tmp_path)
    file = adapter / "adapter_model.safetensors"
    save_file(change(load_file(file)), file)
    with pytest.raises(ModelError) as caught:
        read_lora(adapter, SMALL)
    assert words in str(caught.value) and "\n" not in str(caught.value)
