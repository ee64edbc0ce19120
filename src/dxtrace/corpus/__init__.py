"""Where annotated cases come from, and how they are split."""

from dxtrace.corpus.split import SHARES, split_by_patient
from dxtrace.corpus.teaching import SPLITS, corpus_info, hard_size, make_corpus, read_manifest, read_teaching

__all__ = [
    "SHARES",
    "SPLITS",
    "corpus_info",
    "hard_size",
    "make_corpus",
    "read_manifest",
    "read_teaching",
    "split_by_patient",
]
