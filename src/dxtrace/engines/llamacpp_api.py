"""What llama.cpp's server is asked, the same whether it runs in this process or elsewhere.

A conditional distribution comes from one request of one token: every candidate's logit is raised by
the same large bias, so that the probabilities that llama.cpp reports after sampling are those of
the candidates alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dxtrace.engines.base import PromptPart
from dxtrace.errors import EngineError

#: Added to the logit of each candidate: no other token then has a share that a float can tell.
_BIAS = 1000.0

#: A token between texts that are encoded in one request.
_SEPARATOR = 0

#: Sends a body to a path of the server and returns the answer.
Post = Callable[[str, dict[str, Any]], Any]


class ServedTokenizer:
    """The tokenizer of the model that llama.cpp serves."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text; control tokens spelled in it stay text."""
        content: list[str | int] = []
        for text in texts:
            content += [text, _SEPARATOR]
        result: list[list[int]] = [[]]
        for token in self._tokenize(content, special=False):
            if token == _SEPARATOR:
                result.append([])
            else:
                result[-1].append(token)
        return result[:-1]

    def encode_prompt(self, parts: Sequence[PromptPart]) -> list[int]:
        """Return the ids of a prompt."""
        ids: list[int] = []
        for text, special in parts:
            if text:
                ids += self._tokenize([text], special)
        return ids

    def _tokenize(self, content: list[str | int], special: bool) -> list[int]:
        body = {"content": content, "add_special": False, "parse_special": special}
        tokens: list[int] = self._post("/tokenize", body)["tokens"]
        return tokens


def choice_body(ids: Sequence[int], candidates: Sequence[int]) -> dict[str, Any]:
    """Return the request for the probabilities of candidates after a prompt."""
    return {
        "prompt": list(ids),
        "n_predict": 1,
        "temperature": 1.0,
        "samplers": ["temperature"],
        "seed": 0,
        "logit_bias": [[token, _BIAS] for token in candidates],
        "n_probs": len(candidates),
        "post_sampling_probs": True,
    }


def read_choice(answer: Mapping[str, Any], candidates: Sequence[int]) -> Mapping[int, float]:
    """Return the share of each candidate in the answer to :func:`choice_body`.

    Raises:
        EngineError: no candidate has one.
    """
    (choice, *_) = answer["choices"]
    (token, *_) = choice["logprobs"]["content"]
    shares = dict.fromkeys(candidates, 0.0)
    for entry in token["top_probs"]:
        if entry["id"] in shares:
            shares[entry["id"]] = entry["prob"]
    total = sum(shares.values())
    if not total > 0:
        raise EngineError("the model gave no probability to any candidate")
    return {id: share / total for id, share in shares.items()}


def text_body(ids: Sequence[int], grammar: str, max_tokens: int) -> dict[str, Any]:
    """Return the request for a text under a grammar, piece by piece, greedily."""
    return {
        "prompt": list(ids),
        "n_predict": max_tokens,
        "temperature": 0.0,
        "grammar": grammar,
        "stream": True,
    }
