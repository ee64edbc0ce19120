"""Where annotated cases come from, how they are checked, and how they are split."""

from dxtrace.corpus.audit import Audit, Thresholds, audit_corpus
from dxtrace.corpus.audit_text import audit_page, stats_page
from dxtrace.corpus.base import CREDENTIALED, Corpus, Problem, ProblemKind
from dxtrace.corpus.readers.agentclinic import read_agentclinic
from dxtrace.corpus.readers.direct import read_direct
from dxtrace.corpus.readers.direct_taxonomy import read_direct_taxonomy
from dxtrace.corpus.readers.jsonl import read_jsonl, write_jsonl
from dxtrace.corpus.readers.medcasereasoning import read_medcasereasoning
from dxtrace.corpus.registry import (
    NAMES,
    guess_kind,
    load_corpus,
    open_corpus,
    parse_spec,
)
from dxtrace.corpus.split import SHARES, split_by_patient
from dxtrace.corpus.split_manifest import (
    diagnosis_of,
    read_split,
    select,
    write_split,
)
from dxtrace.corpus.teaching import (
    SPLITS,
    corpus_info,
    hard_size,
    make_corpus,
    read_manifest,
    read_teaching,
)

__all__ = [
    "CREDENTIALED",
    "NAMES",
    "SHARES",
    "SPLITS",
    "Audit",
    "Corpus",
    "Problem",
    "ProblemKind",
    "Thresholds",
    "audit_corpus",
    "audit_page",
    "corpus_info",
    "diagnosis_of",
    "guess_kind",
    "hard_size",
    "load_corpus",
    "make_corpus",
    "open_corpus",
    "parse_spec",
    "read_agentclinic",
    "read_direct",
    "read_direct_taxonomy",
    "read_jsonl",
    "read_manifest",
    "read_medcasereasoning",
    "read_split",
    "read_teaching",
    "select",
    "split_by_patient",
    "stats_page",
    "write_jsonl",
    "write_split",
]
