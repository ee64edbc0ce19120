"""The tokenizer of a GGUF file: byte-level BPE, built from the file's own lists.

Source: Sennrich et al. 2016, arXiv 1508.07909.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dxtrace.errors import ModelError, NotAModelError

#: ``tokenizer.ggml.token_type`` of a control token, which plain text never holds, and of a token
#: that a user added.
CONTROL, USER_DEFINED = 3, 4

#: Names that llama.cpp has for two ways of cutting words.
_GPT_2, _LLAMA_3 = ("default", "gpt-2"), ("llama-bpe", "llama3")

#: How Llama 3 cuts a text into words before it looks for tokens.
_LLAMA_3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def read_tokenizer(file: Path, reader: Any) -> tuple[Any, str | None, list[int]]:
    """Return (``tokenizers.Tokenizer``, start token or None, ids that end an answer).

    Args:
        file: named in errors.
        reader: a ``gguf.GGUFReader`` of it.

    Raises:
        ModelError: it is another kind of tokenizer.
    """
    from tokenizers import AddedToken, Tokenizer, decoders
    from tokenizers.models import BPE

    kind = kind_of_tokenizer(file, reader)
    about: dict[str, Any] = {}
    for name, field in reader.fields.items():
        if name.startswith("tokenizer.ggml."):
            about[name.removeprefix("tokenizer.ggml.")] = field.contents()
    tokens = about["tokens"]
    types = about.get("token_type", [])
    merges = []
    for merge in about["merges"]:
        merges.append(tuple(merge.split(" ", 1)))
    vocabulary = {}
    for index, token in enumerate(tokens):
        vocabulary[token] = index
    try:
        model = BPE(vocabulary, merges, ignore_merges=kind in _LLAMA_3)
    except Exception:  # tokenizers raises plain exceptions
        raise NotAModelError(f"{file}: damaged (its tokens and merges differ)") from None
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = _words(kind)
    tokenizer.decoder = decoders.ByteLevel()
    for token, type_ in zip(tokens, types, strict=False):
        if type_ in (CONTROL, USER_DEFINED):
            special = type_ == CONTROL
            tokenizer.add_tokens([AddedToken(token, special=special, normalized=False)])
    start_token = None
    if about.get("bos_token_id") is not None:
        start_token = tokens[about["bos_token_id"]]
    ends: list[int] = []
    for name in ("eos_token_id", "eot_token_id"):
        if name in about and int(about[name]) not in ends:
            ends.append(int(about[name]))
    return tokenizer, start_token, ends


def kind_of_tokenizer(file: Path, reader: Any) -> str:
    """Return the name that llama.cpp has for how a text is cut into words.

    Raises:
        ModelError: the tokenizer is no byte-level BPE, or cuts words in a way not known here.
    """
    model = _content(reader, "tokenizer.ggml.model")
    kind = _content(reader, "tokenizer.ggml.pre") or "default"
    if model != "gpt2" or kind not in (*_GPT_2, *_LLAMA_3, "smollm"):
        raise ModelError(f"{file}: its tokenizer is not one that the numpy engine knows")
    return str(kind)


def _content(reader: Any, name: str) -> Any:
    field = reader.fields.get(name)
    if field is None:
        return None
    return field.contents()


def _words(kind: str) -> Any:
    """Return what cuts a text into words."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

    if kind in _LLAMA_3:
        split = Split(Regex(_LLAMA_3_WORDS), "isolated")
        return Sequence([split, ByteLevel(add_prefix_space=False, use_regex=False)])
    words = ByteLevel(add_prefix_space=False, use_regex=True)
    if kind == "smollm":
        return Sequence([Digits(individual_digits=True), words])
    return words
