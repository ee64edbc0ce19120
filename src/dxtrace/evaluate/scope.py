"""Cases of other illnesses beside those that are evaluated on: does a system know the difference?"""

from __future__ import annotations

from collections.abc import Mapping

from dxtrace.corpus import Corpus
from dxtrace.errors import InputError
from dxtrace.evaluate.answers import Account
from dxtrace.evaluate.metrics.scope import Doubt, Scope, measure_scope
from dxtrace.evaluate.scoring import Scored
from dxtrace.notes.annotated import AnnotatedCase


def outside_cases(corpus: Corpus) -> dict[str, AnnotatedCase]:
    """Return, by id, the cases whose diagnosis no known illness is: without a gold chain, and without
    the tag ``expected``, which names a diagnosis of ours.

    Raises:
        InputError: there is none.
    """
    found = {}
    for case in corpus.cases:
        if case.gold is None and "expected" not in case.tags:
            found[case.id] = case
    if not found:
        raise InputError(f"{corpus.info.name}: every case of it is of a known illness")
    return found


def outside_doubts(
    accounts: Mapping[str, Account],
    cases: Mapping[str, AnnotatedCase],
) -> list[Doubt]:
    """Return the doubts of the answers on cases of other illnesses."""
    doubts = []
    for id, account in accounts.items():
        doubt = doubt_of(account)
        if doubt is not None:
            doubts.append(Doubt(False, doubt, _names_illness(account), cases[id].patient))
    return doubts


def doubt_of(account: Account) -> float | None:
    """Return how far an answer doubts that any known illness fits: the probability that none does
    where it is stated, else what the likeliest category leaves over; None without either.
    """
    if account.out_of_scope is not None:
        return account.out_of_scope
    if not account.differential.entries:
        return None
    return 1 - max(account.differential.category_probabilities().values())


def scope_of(system: Scored, seed: int, resamples: int) -> Scope | None:
    """Return how well a system tells cases of other illnesses from those evaluated on; None without
    answers on both.
    """
    if system.answers is None or not system.outside:
        return None
    inside = []
    for result in system.results:
        account = system.answers.accounts.get(result.id)
        doubt = doubt_of(account) if account else None
        if account is not None and doubt is not None:
            inside.append(Doubt(True, doubt, _names_illness(account), result.patient))
    return measure_scope([*inside, *system.outside], seed, resamples)


def _names_illness(account: Account) -> bool:
    return account.status in ("answered", "type_open")
