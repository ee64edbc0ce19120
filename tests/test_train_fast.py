"""Fused layers: the same hidden states and gradients as those of transformers and PEFT."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("peft", reason="needs the extra 'train'")
pytestmark = pytest.mark.filterwarnings("ignore")


def adapted(dtype: Any, dropout: float = 0.0) -> Any:
    """Return a random Llama of two layers with grouped queries and an adapter that is not zero."""
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=128,
        hidden_size=96,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        rms_norm_eps=1e-5,
    )
    base = LlamaForCausalLM(config).to(dtype)
    lora = LoraConfig(
        r=4,
        lora_alpha=8,
        lora_dropout=dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(base, lora)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, 0.1)
        elif "norm" in name:
            parameter.data.normal_(1, 0.1)
    return model


def pass_through(model: Any, ids: Any) -> tuple[Any, dict[str, Any]]:
    """Return hidden states and the gradients of the adapter for a fixed weighting of them."""
    model.zero_grad()
    hidden = model.get_base_model().model(input_ids=ids, use_cache=False).last_hidden_state.float()
    weights = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(1))
    (hidden * weights).sum().backward()
    return hidden.detach(), {
        n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None
    }


@pytest.mark.parametrize(("rows", "length"), [(1, 7), (2, 300), (1, 513)])
def test_fused_layers_are_exact_in_32_bits(rows: int, length: int) -> None:
    from dxtrace.train.kernels.fast import unsupported, use_fast_layers

    model = adapted(torch.float32)
    ids = torch.randint(0, 128, (rows, length))
    before, wanted = pass_through(model, ids)
    assert unsupported(model) is None
    use_fast_layers(model)
    after, found = pass_through(model, ids)
    assert (after - before).abs().max() <= 1e-5 * before.abs().max()
    assert wanted.keys() == found.keys()
    assert all((found[name] - grad).norm() <= 1e-4 * grad.norm() for name, grad in wanted.items())


def test_fused_layers_follow_the_adapter_as_it_changes() -> None:
    from dxtrace.train.kernels.fast import use_fast_layers

    model, ids = adapted(torch.float32), torch.arange(40)[None]
    use_fast_layers(model)
    before, _ = pass_through(model, ids)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.mul_(2)
    after, _ = pass_through(model, ids)
    assert (after - before).abs().max() > 1e-3


def test_inputs_of_adapters_are_not_cast_to_32_bits_and_nothing_changes() -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    from dxtrace.train.kernels.input_casts import leave_inputs_16bit

    class Casts(TorchDispatchMode):  # type: ignore[misc]
        """Counts the activations that are made 32-bit."""

        count = 0

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            out = func(*args, **(kwargs or {}))
            if func is torch.ops.aten._to_copy.default and out.dim() == 3:
                self.count += args[0].dtype == torch.bfloat16 and out.dtype == torch.float32
            return out

    model = adapted(torch.bfloat16)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    ids = torch.randint(0, 128, (2, 50))

    def measured() -> tuple[Any, dict[str, Any], int]:
        with Casts() as casts, torch.autocast("cpu", dtype=torch.bfloat16):
            hidden, grads = pass_through(model, ids)
        return hidden, grads, casts.count

    before, wanted, many = measured()
    leave_inputs_16bit(model)
    after, found, few = measured()
    assert torch.equal(before, after)
    assert wanted.keys() == found.keys()
    assert all(torch.equal(found[name], grad) for name, grad in wanted.items())
    assert all(grad.dtype == torch.float32 for grad in found.values())
    # Of every layer seven adapters.
    assert few <= many - 2 * 7


def test_what_the_fused_layers_cannot_do_is_left_to_the_others() -> None:
    from dxtrace.train.kernels.fast import unsupported

    assert "dropout" in (unsupported(adapted(torch.float32, dropout=0.1)) or "")
    assert "16 or 32 bits" in (unsupported(adapted(torch.float16)) or "")


def test_generation_keeps_its_cache_beside_fused_layers() -> None:
    from dxtrace.train.kernels.fast import use_fast_layers

    model = adapted(torch.float32).eval()
    ids = torch.arange(1, 20)[None]

    def written() -> list[int]:
        out = model.generate(input_ids=ids, max_new_tokens=12, do_sample=False, use_cache=True)
        return list(out[0].tolist())

    before = written()
    use_fast_layers(model)
    assert written() == before
