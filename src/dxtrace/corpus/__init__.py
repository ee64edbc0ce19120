"""Where annotated cases come from, and how they are split."""

from dxtrace.corpus.base import Corpus, Problem, ProblemKind
from dxtrace.corpus.jsonl import read_jsonl, write_jsonl
from dxtrace.corpus.opening import NAMES, load_corpus, open_corpus
from dxtrace.corpus.split import SHARES, split_by_patient
from dxtrace.corpus.teaching import SPLITS, corpus_info, hard_size, make_corpus, read_manifest, read_teaching

__all__ = [
    "NAMES",
    "SHARES",
    "SPLITS",
    "Corpus",
    "Problem",
    "ProblemKind",
    "corpus_info",
    "hard_size",
    "load_corpus",
    "make_corpus",
    "open_corpus",
    "read_jsonl",
    "read_manifest",
    "read_teaching",
    "split_by_patient",
    "write_jsonl",
]
