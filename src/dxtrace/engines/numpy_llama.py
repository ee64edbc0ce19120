"""A Llama language model in numpy, from token ids to what the model thinks of the next token.

Read it from the bottom: :func:`forward` is the whole model. Everything is computed in 32-bit
floats.

Letters in shapes: ``n`` tokens read now, ``m`` tokens read so far, ``d`` numbers that describe a
token (``width``), ``h`` heads, ``s`` numbers a head (``head_size``), ``f`` numbers inside the
feed-forward network.

Sources: Llama (Touvron et al. 2023, arXiv 2302.13971), attention (Vaswani et al. 2017, arXiv
1706.03762), RMSNorm (Zhang and Sennrich 2019, arXiv 1910.07467), rotary positions (Su et al. 2021,
arXiv 2104.09864), grouped queries (Ainslie et al. 2023, arXiv 2305.13245), SwiGLU (Shazeer 2020,
arXiv 2002.05202).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from dxtrace.engines.base import expect_wanted
from dxtrace.engines.threads import ThreadPool

Array = npt.NDArray[np.float32]
Turns = npt.NDArray[np.complex64]
Rows = npt.NDArray[np.intp]

#: Queries weighed at once, a row of scores each: so few that the scores stay in the processor's
#: cache.
_SCORE_ROWS = 192

#: The cache grows by so many tokens.
_ROOM_STEP = 512


@dataclass(frozen=True)
class LlamaConfig:
    """The sizes of a model. ``tied``: the table that reads tokens also names the next one."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    inner: int
    context: int
    epsilon: float
    tied: bool


#: Weights of a layer: the fields of :class:`Layer`.
_MATRICES = 6


@dataclass(frozen=True)
class Layer:
    """The weights of one layer. Matrices stand as (numbers in, numbers out): ``y = x @ weight``."""

    attention_norm: Array
    qkv: Array
    output: Array
    mlp_norm: Array
    gate_up: Array
    down: Array


@dataclass(frozen=True)
class Weights:
    """All weights: a row of ``embedding`` and of ``head`` for each token of the vocabulary."""

    embedding: Array
    frequencies: Array
    layers: tuple[Layer, ...]
    norm: Array
    head: Array


def shapes(config: LlamaConfig) -> Iterator[tuple[int, ...]]:
    """Yield the shapes of all weights, in the order in which :func:`unpack` takes them."""
    width, inner = config.width, config.inner
    queries = config.heads * config.head_size
    keys = config.kv_heads * config.head_size
    yield config.vocabulary, width
    yield (config.head_size // 2,)
    for _ in range(config.layers):
        yield (width,)
        yield width, queries + 2 * keys
        yield queries, width
        yield (width,)
        yield width, 2 * inner
        yield inner, width
    yield (width,)
    if not config.tied:
        yield config.vocabulary, width


def size(config: LlamaConfig) -> int:
    """Return the number of weights."""
    return sum(int(np.prod(shape)) for shape in shapes(config))


def unpack(config: LlamaConfig, flat: Array) -> Weights:
    """Return the weights as views into one long row of numbers.

    Raises:
        ValueError: it has not :func:`size` numbers.
    """
    parts: list[Array] = []
    start = 0
    for shape in shapes(config):
        stop = start + int(np.prod(shape))
        parts.append(flat[start:stop].reshape(shape))
        start = stop
    if start != len(flat):
        raise ValueError("too many weights")
    embedding, frequencies, *rest = parts
    if config.tied:
        head = embedding
    else:
        head = rest.pop()
    norm = rest.pop()
    layers: list[Layer] = []
    for first in range(0, len(rest), _MATRICES):
        layers.append(Layer(*rest[first : first + _MATRICES]))
    return Weights(embedding, frequencies, tuple(layers), norm, head)


class Cache:
    """The keys and values of the tokens read so far, so that none is computed twice."""

    def __init__(self, config: LlamaConfig) -> None:
        """Start empty."""
        self._config = config
        self.keys = self.values = self._room(0)

    def _room(self, tokens: int) -> Array:
        config = self._config
        return np.empty(
            (config.layers, config.kv_heads, tokens, config.head_size),
            np.float32,
        )

    def reserve(self, tokens: int) -> None:
        """Make room for so many tokens; what is held already is copied into it."""
        held = self.keys.shape[2]
        if tokens <= held:
            return
        steps = -(-tokens // _ROOM_STEP)
        for name in ("keys", "values"):
            grown = self._room(steps * _ROOM_STEP)
            grown[:, :, :held] = getattr(self, name)
            setattr(self, name, grown)


@dataclass(frozen=True)
class Batch:
    """Tokens to read in one pass behind ``start`` tokens of the cache, all of which they see.

    ``mask`` (n, b) is added to the scores of the newest b tokens: 0 where a token sees another,
    else minus infinity. No token sees a later one.
    ``rows``: the tokens whose hidden states are wanted, in rising order.
    """

    tokens: Sequence[int]
    positions: Sequence[int]
    start: int
    mask: Array
    rows: Sequence[int]


def causal_mask(tokens: int) -> Array:
    """Return the (n, n) mask of a running text: each token sees itself and those before it."""
    return np.triu(np.full((tokens, tokens), -np.inf, np.float32), 1)


def rms_norm(x: Array, weight: Array, epsilon: float) -> Array:
    """Return x (n, d) scaled to a mean square of 1, then weighted."""
    mean_square = np.einsum("nd,nd->n", x, x) / np.float32(x.shape[1])
    root = np.sqrt(mean_square + np.float32(epsilon))
    scaled: Array = x / root[:, None] * weight
    return scaled


def turns(frequencies: Array, positions: Sequence[int]) -> Turns:
    """Return complex numbers (n, s/2) of length 1: how far each pair turns at each position."""
    angles = np.asarray(positions, np.float32)[:, None] * frequencies
    # e ** (i angle)
    turn: Turns = (np.cos(angles) + 1j * np.sin(angles)).astype(np.complex64)
    return turn


def rotate(x: Array, turn: Turns) -> Array:
    """Turn each pair of neighbours in x (n, h, s), read as one complex number, by its angle.

    The product of a query and a key then depends on how far apart they are, not on where they
    stand.
    """
    pairs = x.view(np.complex64)
    turned: Array = (pairs * turn[:, None, :]).view(np.float32)
    return turned


def softmax_average(scores: Array, values: Array) -> Array:
    """Return averages (n, s) of the values (m, s), weighted by the softmax of the scores (n, m).

    The scores are overwritten.
    """
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    average = scores @ values
    average /= scores.sum(axis=1, keepdims=True)
    return average


def attend(queries: Array, keys: Array, values: Array, mask: Array, rows: Rows) -> Array:
    """Return what each query finds.

    Args:
        queries: (q, h, s).
        keys: (h', m, s); h / h' query heads share one key head.
        values: (h', m, s).
        mask: (n, b), of the newest b of the m tokens.
        rows: (q,), which of the n tokens asks each query, in rising order.

    Returns:
        (q, h s).
    """
    count, heads, head_size = queries.shape
    shared = heads // len(keys)
    old = keys.shape[1] - mask.shape[1]
    queries = queries * np.float32(head_size**-0.5)
    grouped = queries.reshape(count, len(keys), shared, head_size)
    found = np.empty_like(grouped)
    step = max(1, _SCORE_ROWS // shared)
    for begin in range(0, count, step):
        block = slice(begin, begin + step)
        asking = rows[block]
        # No token sees a later one.
        seen = keys.shape[1] - len(mask) + int(asking[-1]) + 1
        veil = mask[asking, : seen - old]
        for group in range(len(keys)):
            stacked = grouped[block, group].reshape(-1, head_size)
            scores = stacked @ keys[group, :seen].T
            by_query = scores.reshape(-1, shared, seen)
            by_query[:, :, old:] += veil[:, None]
            average = softmax_average(scores, values[group, :seen])
            found[block, group] = average.reshape(-1, shared, head_size)
    return found.reshape(count, heads * head_size)


def swiglu(x: Array, layer: Layer) -> Array:
    """Return the feed-forward network's answer (n, d) to x (n, d).

    One half of its inner numbers, the gate, lets the other half through or not: ``gate / (1 + exp(
    -gate)) * up``, written step by step into one array, for a new one costs as much as the sum.
    """
    to_gate, to_up = np.split(layer.gate_up, 2, axis=1)
    gate = x @ to_gate
    with np.errstate(over="ignore"):
        inner = np.exp(-gate)
    inner += 1
    np.divide(gate, inner, out=inner)
    inner *= x @ to_up
    found: Array = inner @ layer.down
    return found


@dataclass
class Share:
    """The tokens of a batch that one thread computes.

    Attributes:
        rows: (n,), which tokens of the batch they are, in rising order.
        turn: (n, s/2), by their positions.
        x: (n, d), what describes each token, layer after layer.
        queries: (n, h, s), what each token looks for in this layer.
    """

    rows: Rows
    turn: Turns
    x: Array
    queries: Array

    def keep(self, wanted: Rows) -> None:
        """Go on with those of ``wanted`` alone."""
        kept = np.isin(self.rows, wanted)
        self.rows = self.rows[kept]
        self.x = self.x[kept]
        self.queries = self.queries[kept]


def divide(config: LlamaConfig, weights: Weights, batch: Batch, parts: int) -> list[Share]:
    """Deal the tokens of a batch out in turn, like cards, as so many ``parts``.

    A later token looks back at more than an earlier one: in halves, the second would take longer.
    """
    tokens = np.asarray(batch.tokens)
    turn = turns(weights.frequencies, batch.positions)
    shares: list[Share] = []
    for part in range(parts):
        rows = np.arange(part, len(tokens), parts)
        x = weights.embedding[tokens[rows]]
        queries = np.empty((len(rows), config.heads, config.head_size), np.float32)
        shares.append(Share(rows, turn[rows], x, queries))
    return shares


def project(config: LlamaConfig, layer: Layer, keys: Array, values: Array, share: Share) -> None:
    """Make the queries of a share, and write its keys and values where all shares find them.

    ``keys`` and ``values`` are the batch's own part of the cache, (h', n, s).
    """
    heads = config.heads
    # Heads stand as queries, then keys, then values; only the first two turn with the position.
    turning = heads + config.kv_heads
    normed = rms_norm(share.x, layer.attention_norm, config.epsilon)
    split = normed @ layer.qkv
    split = split.reshape(len(normed), turning + config.kv_heads, config.head_size)
    turned = rotate(split[:, :turning], share.turn)
    share.queries = turned[:, :heads]
    keys[:, share.rows] = turned[:, heads:].swapaxes(0, 1)
    values[:, share.rows] = split[:, turning:].swapaxes(0, 1)


def finish_layer(
    config: LlamaConfig,
    layer: Layer,
    keys: Array,
    values: Array,
    mask: Array,
    share: Share,
) -> None:
    """Add to every token of a share what it finds in the tokens it sees (attention), then what it
    makes of that by itself (feed-forward).

    ``keys`` and ``values`` are those of all tokens read so far, (h', m, s).
    """
    found = attend(share.queries, keys, values, mask, share.rows)
    share.x += found @ layer.output
    normed = rms_norm(share.x, layer.mlp_norm, config.epsilon)
    share.x += swiglu(normed, layer)


def forward(
    config: LlamaConfig,
    weights: Weights,
    cache: Cache,
    batch: Batch,
    threads: ThreadPool,
) -> Array:
    """Return the hidden states (rows, d) of the wanted tokens; all keys and values stay cached.

    Of the last layer, tokens that nobody asks about need no more than their keys and values.
    """
    start = batch.start
    stop = start + len(batch.tokens)
    cache.reserve(stop)
    wanted = np.asarray(batch.rows, np.intp)
    shares = divide(config, weights, batch, threads.parts(len(batch.tokens)))
    for index, layer in enumerate(weights.layers):
        expect_wanted()
        keys = cache.keys[index, :, :stop]
        values = cache.values[index, :, :stop]
        threads.run(
            partial(project, config, layer, keys[:, start:], values[:, start:]),
            shares,
        )
        if index == config.layers - 1:
            for share in shares:
                share.keep(wanted)
        threads.run(partial(finish_layer, config, layer, keys, values, batch.mask), shares)
    hidden = np.empty((len(wanted), config.width), np.float32)
    for share in shares:
        normed = rms_norm(share.x, weights.norm, config.epsilon)
        hidden[np.searchsorted(wanted, share.rows)] = normed
    return hidden


def logits(
    weights: Weights,
    hidden: Array,
    tokens: npt.ArrayLike | None = None,
) -> Array:
    """Return how strongly a hidden state (d,) speaks for each token to come next.

    ``tokens``: those asked about; None for the whole vocabulary.
    """
    if tokens is None:
        head = weights.head
    else:
        head = weights.head[np.asarray(tokens)]
    result: Array = head @ hidden
    return result
