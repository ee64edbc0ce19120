"""Small Llamas with random weights, as transformers reads them and as a GGUF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from tokenizers.pre_tokenizers import ByteLevel

HEADS, KV_HEADS = 4, 2

#: GGUF's name of each tensor of a layer, by the one in transformers.
LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def vocabulary() -> list[str]:
    """Return two control tokens, the 256 bytes, and a few words."""
    return ["<|end|>", "<|start|>", *sorted(ByteLevel.alphabet()), "th", "the", "\u0120t", "12"]


def random_llama(tied: bool) -> Any:
    """Return a Llama of torch with two layers; its weights are large enough for opinions."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        vocab_size=len(vocabulary()),
        tie_word_embeddings=tied,
        initializer_range=0.3,
        eos_token_id=0,
    )
    model = LlamaForCausalLM(config).eval()
    for name, weight in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(weight, 0.5, 1.5)
    return model


def write_gguf(model: Any, file: Path) -> Path:
    """Write a Llama of torch as a GGUF file in 32 bits."""
    config = model.config
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    tokens = vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (len(tokens) - 2))
    writer.add_token_merges(["t h", "th e", "\u0120 t", "1 2"])
    writer.add_eos_token_id(0)
    names = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for name, tensor in model.state_dict().items():
        name = name.removesuffix(".weight")
        if name == "lm_head" and config.tie_word_embeddings:
            continue
        if name not in names:
            _, _, number, part = name.split(".", 3)
            names[name] = f"blk.{number}.{LAYER[part]}"
        weight = tensor.float().numpy()
        if names[name].endswith(("attn_q", "attn_k")):
            weight = in_pairs(weight, HEADS if "attn_q" in names[name] else KV_HEADS)
        writer.add_tensor(f"{names[name]}.weight", np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def in_pairs(weight: Any, heads: int) -> Any:
    """Put rows of a head that turn together next to each other: llama.cpp's order."""
    half = len(weight) // heads // 2
    rows = [
        head * 2 * half + part * half + pair
        for head in range(heads)
        for pair in range(half)
        for part in (0, 1)
    ]
    return weight[rows]
