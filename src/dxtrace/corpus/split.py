"""Splitting cases by patient, stratified by diagnosis, the same way in every process."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

from dxtrace.errors import CorpusError

#: Train, development and test shares of the teaching corpus.
SHARES: Mapping[str, float] = {"train": 0.8, "dev": 0.1, "test": 0.1}


def split_by_patient(
    cases: Iterable[tuple[str, str, str]],
    shares: Mapping[str, float] = SHARES,
    seed: int = 0,
) -> dict[str, str]:
    """Return {case id: split} for (case id, patient, diagnosis) triples.

    All cases of a patient share a split. Within a diagnosis patients are ordered by a hash of their
    name and the seed, and dealt so that every diagnosis, and the whole, come as near to ``shares``
    as whole patients allow. The order of the input does not matter.

    Raises:
        CorpusError: an id stands twice, or the shares are not positive.
    """
    if not shares or any(share <= 0 for share in shares.values()):
        raise CorpusError("split shares must be positive numbers, one for each split")
    patients: dict[str, list[str]] = defaultdict(list)
    strata: dict[str, str] = {}
    seen: set[str] = set()
    for id, patient, diagnosis in sorted(cases):
        if id in seen:
            raise CorpusError(f"the case id {id!r} stands twice")
        seen.add(id)
        patients[patient].append(id)
        strata[patient] = min(strata.get(patient, diagnosis), diagnosis)
    order = sorted(patients, key=lambda patient: (strata[patient], _rank(patient, seed)))
    total = sum(shares.values())
    given = dict.fromkeys(shares, 0.0)
    result: dict[str, str] = {}
    dealt = 0

    def behind(split: str) -> float:
        # Cases that a split is short of; largest remainder, patient by patient.
        return shares[split] / total * dealt - given[split]

    for patient in order:
        ids = patients[patient]
        dealt += len(ids)
        split = max(shares, key=behind)
        given[split] += len(ids)
        result |= dict.fromkeys(ids, split)
    return result


def _rank(patient: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}/{patient}".encode(), digest_size=16).digest()
