"""Small random models of the architectures that people train, and the GGUF files of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

#: Frames of the kinds of chat templates that these models have.
LLAMA_3 = (
    "{{- bos_token }}{%- for message in messages %}<|start_header_id|>{{ message['role'] }}"
    "<|end_header_id|>\n\n{{ message['content'] | trim }}<|eot_id|>{%- endfor %}"
    "{%- if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{%- endif %}"
)
THINKS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system message') }}{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

TEMPLATES = {
    "llama-3.2": LLAMA_3,
    "llama-3.1-8b": LLAMA_3,
    "qwen3": THINKS,
    "smollm3": THINKS,
    "gemma3": NO_SYSTEM,
    "medgemma": NO_SYSTEM,
}

#: How Llama 3.1 and 3.2 stretch the slow rotations of their positions.
LLAMA_3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 512,
}

#: Those that llama.cpp reads from a GGUF file of the name.
GGUF_NAMES = {
    "llama-3.2": "llama",
    "llama-3.1-8b": "llama",
    "qwen3": "qwen3",
    "gemma3": "gemma3",
    "smollm3": "smollm3",
}


def make_config(name: str, tokenizer: Any) -> Any:
    """Return the configuration of a small model of an architecture."""
    from transformers import Gemma3Config, Gemma3TextConfig, LlamaConfig, Qwen3Config, SmolLM3Config

    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 192,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.eos_token_id,
    }
    if name.startswith("llama"):
        return LlamaConfig(
            **sizes,
            tie_word_embeddings=name == "llama-3.2",
            rope_parameters=LLAMA_3_ROPE,
        )
    if name == "qwen3":
        return Qwen3Config(**sizes, head_dim=16, tie_word_embeddings=True)
    if name == "smollm3":
        return SmolLM3Config(**sizes, tie_word_embeddings=True)
    text = Gemma3TextConfig(**sizes, head_dim=16, sliding_window=512, query_pre_attn_scalar=16)
    if name == "gemma3":
        return text
    eyes = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
    }
    return Gemma3Config(
        text_config=text.to_dict(),
        vision_config=eyes,
        mm_tokens_per_image=4,
        image_token_index=5,
        boi_token_index=6,
        eoi_token_index=7,
    )


def make_architecture(name: str, folder: Path, tokenizer: Any) -> Path:
    """Write a random model of an architecture, with a tokenizer and a template of its kind."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(make_config(name, tokenizer)).save_pretrained(folder)
    tokenizer.chat_template = TEMPLATES[name]
    tokenizer.save_pretrained(folder)
    return folder


def write_gguf(name: str, folder: Path, tokenizer_from: Path, out: Path) -> Path:
    """Write a model of transformers as GGUF, as llama.cpp's converter does, with the tokenizer of
    another file.
    """
    import gguf
    from safetensors.numpy import load_file
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    architecture = GGUF_NAMES[name]
    writer = gguf.GGUFWriter(out, architecture)
    head_size = (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_rope_dimension_count(head_size)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    rope = config.rope_parameters
    writer.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    if name == "gemma3":
        writer.add_sliding_window(config.sliding_window)
    for key, field in gguf.GGUFReader(tokenizer_from).fields.items():
        if key.startswith("tokenizer.") and key != "tokenizer.chat_template":
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key, field.contents(), field.types[0], inner)
    writer.add_chat_template(TEMPLATES[name])
    kind = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    if rope.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", _stretched(rope, head_size))
    for key, weight in load_file(folder / "model.safetensors").items():
        if architecture in ("llama", "smollm3"):
            weight = _in_pairs(key, weight, config)
        if name == "gemma3" and key.endswith("norm.weight"):
            weight = weight + 1  # transformers keeps the distance from 1
        writer.add_tensor(names.get_name(key, try_suffixes=(".weight",)), weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def _in_pairs(key: str, weight: Any, config: Any) -> Any:
    found = re.search(r"\.([qk])_proj\.", key)
    if not found:
        return weight
    heads = config.num_attention_heads if found[1] == "q" else config.num_key_value_heads
    rows, width = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, width)
    return halves.swapaxes(1, 2).reshape(rows, width).copy()


def _stretched(rope: Any, head_size: int) -> Any:
    """Return by how much each pair's angle is divided: what transformers keeps multiplied in."""
    import numpy as np
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    config = LlamaConfig(head_dim=head_size, rope_parameters=rope)
    stretched, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    plain = rope["rope_theta"] ** (-np.arange(0, head_size, 2) / head_size)
    return (plain / stretched.numpy()).astype(np.float32)
