"""A Llama layer with plain LoRA as one operation with its own backward pass, for CPUs.

The result is that of transformers and PEFT to rounding; it takes a third of the time:

- the adapter rides on the frozen matrix: ``y = [x | x A'] [W | s B]'`` is one product forward and
  one backward, and projections that read the same input (q, k, v; gate, up) are one matrix;
- attention skips what lies above the diagonal, block by block, and keeps its probabilities for the
backward pass;
- nothing is cast or copied twice, and frozen weights get no gradient.

Used without dropout and without a mask (rows are padded on the right); in any other case the
layer's own code runs.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

#: Query rows of one block of attention.
BLOCK = 256

_GROUPS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)


class Projection:
    """Linear layers that read the same input, with their adapters, as one matrix ``[W | s B]`` and
    one ``A``.
    """

    def __init__(self, modules: Sequence[Any]) -> None:
        self.lora = [
            (
                m.lora_A["default"].weight,
                m.lora_B["default"].weight,
                m.scaling["default"],
            )
            for m in modules
        ]
        weights = []
        for module in modules:
            weights.append(module.base_layer.weight.detach())
        frozen = torch.cat(weights)
        self.width = frozen.shape[1]
        self.rows = [weight.shape[0] for weight in weights]
        self.ranks = [down.shape[0] for down, _, _ in self.lora]
        rank = sum(self.ranks)
        # Outside the blocks of the adapters the right part stays zero: q's A feeds q's B alone.
        self.matrix = torch.zeros(len(frozen), self.width + rank, dtype=frozen.dtype)
        self.matrix[:, : self.width] = frozen
        # The layers' own code reads the same weights: nothing is held twice.
        for module, (rows, _) in zip(modules, self._blocks(), strict=True):
            module.base_layer.weight.data = self.matrix[rows, : self.width]
        self.down = torch.empty(rank, self.width, dtype=frozen.dtype)

    @property
    def parameters(self) -> list[Tensor]:
        """The trainable parameters: A and B of each layer in turn."""
        parameters: list[Tensor] = []
        for down, up, _ in self.lora:
            parameters += (down, up)
        return parameters

    def refresh(self) -> None:
        """Take over the adapter's values: an optimiser may have changed them, and copying costs
        next to nothing.
        """
        for (down, up, scale), (rows, columns) in zip(self.lora, self._blocks(), strict=True):
            self.down[columns] = down.detach()
            self.matrix[rows, self.width :][:, columns] = up.detach() * scale

    def _blocks(self) -> list[tuple[slice, slice]]:
        """Return the rows of the output, and the columns of the rank, of each layer."""
        blocks: list[tuple[slice, slice]] = []
        row = 0
        column = 0
        for rows, rank in zip(self.rows, self.ranks, strict=True):
            blocks.append((slice(row, row + rows), slice(column, column + rank)))
            row += rows
            column += rank
        return blocks

    def room(self, count: int) -> Tensor:
        """Return a buffer (count, width + rank) whose first ``width`` columns the caller fills with
        the input.
        """
        return self.matrix.new_empty(count, self.matrix.shape[1])

    def forward(self, buffer: Tensor) -> Tensor:
        """Return the output (count, rows) for a filled buffer, which then also holds ``x A'``."""
        inputs = buffer[:, : self.width]
        torch.mm(inputs, self.down.t(), out=buffer[:, self.width :])
        return torch.nn.functional.linear(buffer, self.matrix)

    def backward(self, grad: Tensor, buffer: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the gradients of the input (count, width) and of :attr:`parameters`, in their
        order.
        """
        inputs = buffer[:, : self.width]
        inner = buffer[:, self.width :]
        # y = x W' + (x A') (s B)', so x gets g W + (g s B) A, A gets (g s B)' x, s B gets g' (x A').
        both = grad @ self.matrix
        direct = both[:, : self.width]
        grad_inner = both[:, self.width :]
        grad_down = (grad_inner.t() @ inputs).float()
        grad_up = (grad.t() @ inner).float()
        grads: list[Tensor] = []
        for (_, _, scale), (rows, columns) in zip(self.lora, self._blocks(), strict=True):
            grads.append(grad_down[columns])
            grads.append(grad_up[rows, columns] * scale)
        return torch.addmm(direct, grad_inner, self.down), grads


class Layer:
    """One decoder layer: frozen norms, four projections, and the shape of its attention."""

    def __init__(self, layer: Any, config: Any) -> None:
        self.groups: list[Projection] = []
        for names in _GROUPS:
            modules = []
            for name in names:
                modules.append(layer.get_submodule(name))
            self.groups.append(Projection(modules))
        self.norms = (
            layer.input_layernorm.weight.detach().float(),
            layer.post_attention_layernorm.weight.detach().float(),
        )
        self.eps = config.rms_norm_eps
        self.heads = config.num_attention_heads
        self.kv = config.num_key_value_heads
        self.size = getattr(config, "head_dim", None) or config.hidden_size // self.heads

    @property
    def parameters(self) -> list[Tensor]:
        """All trainable parameters of the layer."""
        parameters: list[Tensor] = []
        for group in self.groups:
            parameters += group.parameters
        return parameters


def _norm(x: Tensor, weight: Tensor, eps: float, out: Tensor) -> Tensor:
    """Write RMSNorm(x) to ``out``; return 1 / rms (count, 1) in 32 bits."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    mean_square = length.square() / x.shape[-1]
    scale: Tensor = (mean_square + eps).rsqrt()
    out.copy_((x * scale).mul_(weight))
    return scale


def _norm_backward(grad: Tensor, x: Tensor, scale: Tensor, weight: Tensor) -> Tensor:
    """Return the gradient of RMSNorm's input: ``r (g w - x r^2 mean(g w x))``."""
    direct = grad * weight
    wide = x.float()
    mean = (direct * wide).mean(-1, keepdim=True).mul_(scale * scale)
    result: Tensor = direct.sub_(wide.mul_(mean)).mul_(scale)
    return result


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn (batch, length, heads, size) by the angles (1, length, 1, size); with ``-sin``, back."""
    # transformers pairs number i with number i + size / 2.
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    result = x * cos
    result[..., :half].addcmul_(second, sin[..., :half], value=-1)
    result[..., half:].addcmul_(first, sin[..., half:])
    return result


def _blocks(length: int) -> list[tuple[int, int]]:
    blocks = []
    for start in range(0, length, BLOCK):
        blocks.append((start, min(start + BLOCK, length)))
    return blocks


def _attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Causal attention: q (pairs, group, length, size), k and v (pairs, length, size), q already
    scaled.

    Returns the output, shaped as q, and the probabilities of each block (pairs, group * rows,
    keys).
    """
    pairs, group, length, size = q.shape
    out = torch.empty_like(q)
    kept: list[Tensor] = []
    for start, end in _blocks(length):
        rows = end - start
        # The query heads of a group read the same keys: one product for all of them.
        queries = q[:, :, start:end].reshape(pairs, group * rows, size)
        scores = torch.bmm(queries, k[:, :end].transpose(1, 2))
        # Only the block on the diagonal is masked; keys before it are seen by every row.
        mask = torch.full((rows, rows), float("-inf"), dtype=q.dtype).triu_(1)
        scores.view(pairs, group, rows, end)[..., start:].add_(mask)
        shares = torch.softmax(scores, dim=-1)
        out[:, :, start:end] = torch.bmm(shares, v[:, :end]).view(pairs, group, rows, size)
        kept.append(shares)
    return out, kept


def _attend_backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    kept: Sequence[Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of q, k and v, shaped as they are.

    With P = softmax(Q K') and O = P V: dV = P' dO, dP = dO V', dS = P (dP - sum(P dP)) row by row,
    dQ = dS K, dK = dS' Q (Dao et al. 2022, arXiv 2205.14135, appendix B.2).
    """
    pairs, group, length, size = q.shape
    grad_q = torch.empty_like(q)
    # Blocks add up here: in 32 bits, whatever the format of the products.
    grad_k = torch.zeros_like(k, dtype=torch.float32)
    grad_v = torch.zeros_like(v, dtype=torch.float32)
    for (start, end), shares in zip(_blocks(length), kept, strict=True):
        flat = (pairs, group * (end - start), size)
        rows = grad[:, :, start:end].reshape(flat)
        queries = q[:, :, start:end].reshape(flat)
        grad_v[:, :end] += torch.bmm(shares.transpose(1, 2), rows)
        grad_shares = torch.bmm(rows, v[:, :end].transpose(1, 2))
        grad_scores = torch._softmax_backward_data(grad_shares, shares, -1, shares.dtype)
        grad_queries = torch.bmm(grad_scores, k[:, :end])
        grad_q[:, :, start:end] = grad_queries.view(pairs, group, end - start, size)
        grad_k[:, :end] += torch.bmm(grad_scores.transpose(1, 2), queries)
    return grad_q, grad_k.to(k.dtype), grad_v.to(v.dtype)


class _Function(torch.autograd.Function):
    """The layer's forward and backward pass; ``x`` is (batch, length, width)."""

    @staticmethod
    def forward(ctx: Any, layer: Layer, x: Tensor, cos: Tensor, sin: Tensor, *_: Tensor) -> Tensor:
        batch, length, width = x.shape
        count = batch * length
        flat = x.reshape(-1, width)
        qkv, o, gate_up, down = layer.groups
        for group in layer.groups:
            group.refresh()
        first = qkv.room(count)
        scale1 = _norm(flat, layer.norms[0], layer.eps, first[:, :width])
        q, k, v = _heads(layer, qkv.forward(first), batch, length, cos, sin)
        attended, kept = _attend(q, k, v)
        second = o.room(count)
        merged = _merged(layer, attended, batch)
        second[:, : o.width].view(batch, length, -1).copy_(merged)
        middle = o.forward(second).add_(flat)
        third = gate_up.room(count)
        scale2 = _norm(middle, layer.norms[1], layer.eps, third[:, :width])
        both = gate_up.forward(third)
        fourth = down.room(count)
        gate, up = both.chunk(2, dim=-1)
        torch.mul(torch.nn.functional.silu(gate), up, out=fourth[:, : down.width])
        result = down.forward(fourth).add_(middle)
        ctx.layer = layer
        ctx.save_for_backward(
            flat,
            middle,
            scale1,
            scale2,
            first,
            second,
            third,
            fourth,
            both,
            q,
            k,
            v,
            cos,
            sin,
            *kept,
        )
        return result.view(x.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        layer: Layer = ctx.layer
        (
            flat,
            middle,
            scale1,
            scale2,
            first,
            second,
            third,
            fourth,
            both,
            q,
            k,
            v,
            cos,
            sin,
            *kept,
        ) = ctx.saved_tensors
        (grad,) = grads
        batch, length, width = grad.shape
        grad = grad.reshape(-1, width).to(flat.dtype)
        qkv, o, gate_up, down = layer.groups
        grad_act, grads4 = down.backward(grad, fourth)
        grad_both = torch.empty_like(both)
        gate, up = both.chunk(2, dim=-1)
        half = gate.shape[-1]
        torch.mul(grad_act, torch.nn.functional.silu(gate), out=grad_both[:, half:])
        grad_both[:, :half] = torch.ops.aten.silu_backward(grad_act.mul_(up), gate)
        grad_norm, grads3 = gate_up.backward(grad_both, third)
        grad = grad + _norm_backward(grad_norm, middle, scale2, layer.norms[1]).to(grad.dtype)
        grad_attended, grads2 = o.backward(grad, second)
        by_head = grad_attended.view(batch, length, layer.kv, -1, layer.size)
        by_head = by_head.permute(0, 2, 3, 1, 4).reshape(q.shape)
        grad_q, grad_k, grad_v = _attend_backward(by_head, q, k, v, kept)
        grad_qkv = _heads_backward(layer, grad_q, grad_k, grad_v, batch, cos, sin)
        grad_norm, grads1 = qkv.backward(grad_qkv, first)
        if ctx.needs_input_grad[1]:
            grad = grad + _norm_backward(grad_norm, flat, scale1, layer.norms[0]).to(grad.dtype)
        return (
            None,
            grad.view(batch, length, width),
            None,
            None,
            *grads1,
            *grads2,
            *grads3,
            *grads4,
        )


def _heads(
    layer: Layer,
    qkv: Tensor,
    batch: int,
    length: int,
    cos: Tensor,
    sin: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut the projection's output into turned and scaled q, turned k, and v, as attention takes
    them.
    """
    heads, kv, size = layer.heads, layer.kv, layer.size
    group = heads // kv
    split = qkv.view(batch, length, heads + 2 * kv, size)
    turned = _rotate(split[:, :, : heads + kv], cos, sin)
    q = turned[:, :, :heads].mul(size**-0.5)
    q = q.view(batch, length, kv, group, size).permute(0, 2, 3, 1, 4)
    k = turned[:, :, heads:].transpose(1, 2)
    v = split[:, :, heads + kv :].transpose(1, 2)
    return (
        q.reshape(batch * kv, group, length, size),
        k.reshape(batch * kv, length, size),
        v.reshape(batch * kv, length, size),
    )


def _heads_backward(
    layer: Layer,
    grad_q: Tensor,
    grad_k: Tensor,
    grad_v: Tensor,
    batch: int,
    cos: Tensor,
    sin: Tensor,
) -> Tensor:
    """Return the gradient (count, rows) of the projection's output."""
    heads, kv, size = layer.heads, layer.kv, layer.size
    length = grad_k.shape[1]
    turning = heads + kv
    grad = grad_k.new_empty(batch, length, turning + kv, size)
    merged = _merged(layer, grad_q, batch).view(batch, length, heads, size)
    grad[:, :, :heads] = merged.mul_(size**-0.5)
    grad[:, :, heads:turning] = grad_k.view(batch, kv, length, size).transpose(1, 2)
    grad[:, :, turning:] = grad_v.view(batch, kv, length, size).transpose(1, 2)
    # A rotation's transpose turns back.
    grad[:, :, :turning] = _rotate(grad[:, :, :turning], cos, -sin)
    return grad.view(batch * length, -1)


def _merged(layer: Layer, x: Tensor, batch: int) -> Tensor:
    """Put (batch * kv, group, length, size) back as (batch, length, heads * size)."""
    length = x.shape[2]
    return (
        x.view(batch, layer.kv, -1, length, layer.size)
        .permute(0, 3, 1, 2, 4)
        .reshape(batch, length, -1)
    )


def unsupported(model: Any) -> str | None:
    """Say why the fused layers cannot stand in for those of a PEFT model, or None if they can."""
    config = model.get_base_model().config
    lora = model.peft_config["default"]
    if config.model_type != "llama":
        return f"the base is {config.model_type}, not Llama"
    if lora.lora_dropout or lora.use_dora:
        return "the adapter has dropout or DoRA"
    if (
        config.hidden_act != "silu"
        or getattr(config, "attention_bias", False)
        or getattr(config, "mlp_bias", False)
    ):
        return "the base has biases or another activation"
    linear = set(chain.from_iterable(_GROUPS))
    for name, module in model.get_base_model().model.layers[0].named_modules():
        if name in linear and not _is_adapted(module):
            return "not every linear layer is adapted in 16 or 32 bits"
    return None


def _is_adapted(module: Any) -> bool:
    if not hasattr(module, "lora_A"):
        return False
    return module.base_layer.weight.dtype in (torch.float32, torch.bfloat16)


def use_fast_layers(model: Any) -> None:
    """Let the decoder layers of a PEFT model run fused; :func:`unsupported` must have said None."""
    config = model.get_base_model().config
    for layer in model.get_base_model().model.layers:
        _patch(layer, Layer(layer, config))


def _patch(layer: Any, fused: Layer) -> None:
    original = layer.forward

    def forward(self: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
        plain = (
            kwargs.get("attention_mask") is None
            and kwargs.get("cache") is None
            and kwargs.get("past_key_values") is None  # its name before transformers 5.24
            and not args
        )
        if not plain or "position_embeddings" not in kwargs:
            return original(hidden_states, *args, **kwargs)
        cos, sin = kwargs["position_embeddings"]
        cos = cos.unsqueeze(2).to(hidden_states.dtype)
        sin = sin.unsqueeze(2).to(hidden_states.dtype)
        with torch.autocast("cpu", enabled=False):
            return _Function.apply(fused, hidden_states, cos, sin, *fused.parameters)  # type: ignore[no-untyped-call]

    layer.forward = types.MethodType(forward, layer)
