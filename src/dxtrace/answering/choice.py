"""Choosing among closed lists of texts on an engine: how labels, nodes, rationales and quotes are
all picked.

The texts form a trie of tokens. A text's probability is the product, over the places where the trie
branches, of the model's probability of its branch, normalised over the branches there. Tokens that
are forced cost no model call, a longer text is not punished for what it cannot help saying, and the
probabilities of all texts sum to 1.
"""

from __future__ import annotations

import heapq
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
    if engine.packs:
        _rank_packed(engine, prompt, options, root, result)
        return result
    queue = [root]
    while queue:
        place = _settle(queue.pop(), result)
        if place is None:
            continue
        if place.probability < floor:
            for index in place.node.options:
                result[index] += place.probability / len(place.node.options)
            continue
        (shares,) = engine.distributions(prompt, [_branch(place, options.ends)])
        queue += _spread(place, shares, options.ends, result)
    return result


def best(engine: Engine, prompt: Sequence[int], options: Options, limit: int = 16) -> int:
    """Return the index of the most probable option, found best-first; greedily after ``limit``
    model calls.
    """
    heap: list[tuple[float, int, _Place | int]] = [(-1.0, 0, _Place(options.trie(), (), 1.0))]
    calls = serial = 0
    while True:
        _, _, item = heapq.heappop(heap)
        if isinstance(item, int):
            return item
        done: list[float] = [0.0] * len(options.tokens)
        place = _settle(item, done)
        if place is None:
            return max(range(len(done)), key=done.__getitem__)
        (shares,) = engine.distributions(prompt, [_branch(place, options.ends)])
        calls += 1
        following: list[_Place | int] = list(_spread(place, shares, options.ends, done))
        following += [index for index, share in enumerate(done) if share > 0]
        if calls >= limit:
            heap = []
        for entry in following:
            serial += 1
            if isinstance(entry, int):
                probability = done[entry]
            else:
                probability = entry.probability
            heapq.heappush(heap, (-probability, serial, entry))


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


def _rank_packed(
    engine: Engine,
    prompt: Sequence[int],
    options: Options,
    root: _Place,
    result: list[float],
) -> None:
    branching: list[_Place] = []
    queue = [root]
    while queue:
        place = _settle(queue.pop(), [0.0] * len(result))
        if place is not None:
            branching.append(place)
            queue += [
                _Place(child, (*place.prefix, t), 1.0) for t, child in place.node.children.items()
            ]
    found = engine.distributions(prompt, [_branch(place, options.ends) for place in branching])
    shares = {place.prefix: share for place, share in zip(branching, found, strict=True)}
    queue = [root]
    while queue:
        here = _settle(queue.pop(), result)
        if here is not None:
            queue += _spread(here, shares[here.prefix], options.ends, result)
