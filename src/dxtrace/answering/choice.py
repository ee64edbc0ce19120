"""Weighing a closed list of texts on an engine: how the names of diagnoses are ranked.

The texts form a trie of tokens. A text's probability is the product, over the places where the trie
branches, of the model's probability of its branch, normalised over the branches there. Tokens that
are forced cost no model call, a longer text is not punished for what it cannot help saying, and the
probabilities of all texts sum to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dxtrace.engines.base import Branch, Engine


@dataclass
class _Node:
    """A node of the trie: the tokens that may follow, and the option that ends here (or None)."""

    children: dict[int, _Node] = field(default_factory=dict)
    option: int | None = None
    options: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Options:
    """A closed list as token sequences, with the tokens that may follow the end of an option
    (``ends``).
    """

    tokens: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]

    def trie(self) -> _Node:
        """Return the root of the trie; of two options with the same tokens the first stands for
        both.
        """
        root = _Node()
        for index, tokens in enumerate(self.tokens):
            node = root
            node.options.append(index)
            for token in tokens:
                node = node.children.setdefault(token, _Node())
                node.options.append(index)
            if node.option is None:
                node.option = index
        return root


@dataclass(frozen=True)
class _Place:
    """A place in the trie reached with ``probability``; ``prefix`` are the tokens that lead there."""

    node: _Node
    prefix: tuple[int, ...]
    probability: float


def rank(
    engine: Engine,
    prompt: Sequence[int],
    options: Options,
    floor: float = 1e-3,
) -> list[float]:
    """Return the probability of every option after ``prompt``, in the order of the options.

    Args:
        engine: the model.
        prompt: token ids of everything before the option.
        options: what may follow.
        floor: a branch with less probability than this is not looked into on an engine that
            evaluates branches one by one: its probability is shared equally among the options in
            it.
    """
    result = [0.0] * len(options.tokens)
    root = _Place(options.trie(), (), 1.0)
    known: dict[tuple[int, ...], Mapping[int, float]] = {}
    if engine.packs:
        places = branches(options)
        found = engine.distributions(prompt, places)
        for branch, shares in zip(places, found, strict=True):
            known[branch.prefix] = shares
        floor = 0.0
    queue = [root]
    while queue:
        place = _settle(queue.pop(), result)
        if place is None:
            continue
        if place.probability < floor:
            for index in place.node.options:
                result[index] += place.probability / len(place.node.options)
            continue
        if place.prefix in known:
            shares = known[place.prefix]
        else:
            (shares,) = engine.distributions(prompt, [_branch(place, options.ends)])
        queue += _spread(place, shares, options.ends, result)
    return result


def branches(options: Options) -> list[Branch]:
    """Return every place where the options branch: what :func:`rank` asks of an engine that packs."""
    found: list[Branch] = []
    queue = [_Place(options.trie(), (), 1.0)]
    while queue:
        place = _settle(queue.pop(), [0.0] * len(options.tokens))
        if place is not None:
            found.append(_branch(place, options.ends))
            for token, child in place.node.children.items():
                queue.append(_Place(child, (*place.prefix, token), 1.0))
    return found


def _settle(place: _Place, result: list[float]) -> _Place | None:
    """Follow forced tokens; if they lead to the end of an option, credit it and return None."""
    node, prefix = place.node, list(place.prefix)
    while node.option is None and len(node.children) == 1:
        ((token, node),) = node.children.items()
        prefix.append(token)
    if node.option is not None and not node.children:
        result[node.option] += place.probability
        return None
    return _Place(node, tuple(prefix), place.probability)


def _branch(place: _Place, ends: tuple[int, ...]) -> Branch:
    return Branch(
        place.prefix,
        (*place.node.children, *(ends if place.node.option is not None else ())),
    )


def _spread(
    place: _Place,
    shares: Mapping[int, float],
    ends: tuple[int, ...],
    result: list[float],
) -> list[_Place]:
    """Share a place's probability among its branches; an option that ends here is credited."""
    if place.node.option is not None:
        result[place.node.option] += place.probability * sum(shares[token] for token in ends)
    places = []
    for token, child in place.node.children.items():
        places.append(_Place(child, (*place.prefix, token), place.probability * shares[token]))
    return places
