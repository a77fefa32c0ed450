"""Memory streams made of numbers: ring buffers of typed triples, for thousands of agents in a compiled program.

A memory says (who, what, where) in words of a fixed vocabulary; its embedding is the sum of the words' vectors, so that
it need not be kept. Retrieval scores memories by the formula of Park et al. (2023), which lies in `emergelab.lm.memory`
and is shared with memories in words.

All functions are pure and are written for one agent; `jax.vmap` over a stream with a leading axis serves a town.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.lm.memory import retrieval_parts

__all__ = [
    "CHAT", "EVENT", "NONE", "PLAN", "THOUGHT", "Rule", "Stream", "about", "best", "called_up", "cue_of", "empty",
    "forgotten", "insight", "node", "parts", "present", "scores",
    "similarity", "store", "vocabulary",
]  # fmt: skip

EVENT, CHAT, THOUGHT, PLAN = 0, 1, 2, 3
"""Kinds of memories."""
NONE = -1
"""No word, no source, no memory."""
_EVIDENCE = 3


class Stream(NamedTuple):
    """One agent's memories, or one memory where the axis `node` is missing.

    Attributes:
        serial: number of the memory in the order in which they were made, NONE where there is none.
        kind: `EVENT`, `CHAT`, `THOUGHT` or `PLAN`.
        who, what, where: words of the vocabulary, NONE for none.
        source: the agent who told it, NONE for what was seen or thought.
        exact: whether it says when.
        made, accessed: steps at which it was made and last called up.
        importance: 1 to 10.
        evidence: serial numbers of the memories that a thought rests on.
    """

    serial: Int[Array, "*node"]
    kind: Int[Array, "*node"]
    who: Int[Array, "*node"]
    what: Int[Array, "*node"]
    where: Int[Array, "*node"]
    source: Int[Array, "*node"]
    exact: Bool[Array, "*node"]
    made: Int[Array, "*node"]
    accessed: Int[Array, "*node"]
    importance: Float[Array, "*node"]
    evidence: Int[Array, "*node 3"]


class Rule(NamedTuple):
    """How memories are scored; see `emergelab.lm.memory.retrieval_parts`.

    Attributes:
        weights: of recency, relevance and importance.
        decay: of recency, by hour or by rank.
        chance: weight of a part that is the same for no two memories and has nothing to do with any of them.
        oldest_first: rank from the wrong end.
        hours: hours a step lasts.
    """

    weights: Float[Array, "3"]
    decay: Float[Array, ""]
    chance: Float[Array, ""]
    oldest_first: Int[Array, ""] | Bool[Array, ""]
    hours: float


def empty(capacity: int) -> Stream:
    """A stream that holds nothing yet and `capacity` memories at most.

    Whole numbers are kept in 16 bits, since large towns are limited by how fast memory is read: steps, words and serial
    numbers must stay below 32,768.
    """
    none = jnp.full(capacity, NONE, jnp.int16)
    zero = jnp.zeros(capacity, jnp.int16)
    return Stream(
        none, zero, none, none, none, none, jnp.zeros(capacity, bool), zero, zero, jnp.zeros(capacity),
        jnp.full((capacity, _EVIDENCE), NONE, jnp.int16),
    )  # fmt: skip


def node(
    kind: Int[Array, "..."] | int,
    who: Int[Array, "*n"],
    what: Int[Array, "..."] | int,
    where: Int[Array, "..."] | int,
    now: Int[Array, "..."] | int,
    importance: Float[Array, "..."] | float,
    *,
    source: Int[Array, "..."] | int = NONE,
    exact: Bool[Array, "..."] | bool = True,
    evidence: Int[Array, "... 3"] | int = NONE,
) -> Stream:
    """Memories to be stored, of the shape of `who`; the rest is broadcast to it."""
    shape = jnp.shape(who)

    def whole(x: Array | int) -> Array:
        return jnp.broadcast_to(jnp.asarray(x, jnp.int32), shape)

    return Stream(
        whole(NONE),
        whole(kind),
        whole(who),
        whole(what),
        whole(where),
        whole(source),
        jnp.broadcast_to(jnp.asarray(exact, bool), shape),
        whole(now),
        whole(now),
        jnp.broadcast_to(jnp.asarray(importance, jnp.float32), shape),
        jnp.broadcast_to(jnp.asarray(evidence, jnp.int32), (*shape, _EVIDENCE)),
    )


def store(
    stream: Stream, made: Int[Array, ""], new: Stream, wanted: Bool[Array, "new"]
) -> tuple[Stream, Int[Array, ""]]:
    """Remember those of `new` that are wanted, in order; the oldest memories make room.

    Args:
        stream: of one agent.
        made: memories that it has made so far.
        new: at most as many as the stream holds.
        wanted: which of them.

    Returns:
        the stream, and the number made so far.
    """
    capacity = stream.serial.shape[0]
    serial = made + jnp.cumsum(wanted) - 1
    place = jnp.where(wanted, serial % capacity, capacity)  # beyond the end: dropped
    new = new._replace(serial=serial)

    def put(old: Array, fresh: Array) -> Array:
        return old.at[place].set(fresh.astype(old.dtype), mode="drop")

    stored: Stream = jax.tree.map(put, stream, new)
    return stored, made + jnp.sum(wanted)


def present(stream: Stream) -> Bool[Array, "*node"]:
    """Which places of the buffer hold a memory."""
    return stream.serial != NONE


def forgotten(stream: Stream, which: Bool[Array, "*node"]) -> Stream:
    """The stream without some of its memories; others' pointers to them stay."""
    return stream._replace(
        serial=jnp.where(which, NONE, stream.serial),
        who=jnp.where(which, NONE, stream.who),
        what=jnp.where(which, NONE, stream.what),
        where=jnp.where(which, NONE, stream.where),
    )


def about(stream: Stream, word: Int[Array, ""] | int) -> Bool[Array, "*node"]:
    """Which memories say `word` as their what."""
    return present(stream) & (stream.what == word)


# -- meaning --------------------------------------------------------------------------------------------------------


def vocabulary(key: PRNGKeyArray, words: int, width: int) -> Float[Array, "word d"]:
    """Unit vectors in random directions, one a word: unrelated but for chance, and the less so the wider."""
    raw = jax.random.normal(key, (words, width))
    return raw / jnp.linalg.norm(raw, axis=1, keepdims=True)


def cue_of(vectors: Float[Array, "word d"], *words: Int[Array, ""] | int) -> Float[Array, "d"]:
    """The direction of a question: the sum of its words' vectors (NONE adds nothing), scaled to length 1."""
    total = sum((_vector(vectors, word) for word in words), jnp.zeros(vectors.shape[1]))
    return total / jnp.maximum(jnp.linalg.norm(total), 1e-6)


def _vector(vectors: Float[Array, "word d"], word: Int[Array, ""] | int) -> Float[Array, "d"]:
    word = jnp.asarray(word)
    return jnp.where(word == NONE, 0.0, vectors[word])


def similarity(stream: Stream, vectors: Float[Array, "word d"], cue: Float[Array, "d"]) -> Float[Array, "node"]:
    """Cosine of each memory and a cue of length 1; 0 where there is no memory.

    A memory's vector is the sum of its three words' unit vectors. Its length is taken from the words' inner products,
    so that no vector is ever made.
    """
    words = vectors.shape[0]
    # One more word, whose vector is zero, stands for NONE.
    padded = jnp.concatenate([vectors, jnp.zeros((1, vectors.shape[1]))])
    toward, inner = padded @ cue, padded @ padded.T
    a, b, c = (jnp.where(w == NONE, words, w) for w in (stream.who, stream.what, stream.where))
    said = (a < words).astype(jnp.float32) + (b < words) + (c < words)
    squared = said + 2 * (inner[a, b] + inner[a, c] + inner[b, c])
    return (toward[a] + toward[b] + toward[c]) / jnp.sqrt(jnp.maximum(squared, 1e-6))


# -- retrieval ------------------------------------------------------------------------------------------------------


def parts(
    stream: Stream,
    vectors: Float[Array, "word d"],
    cue: Float[Array, "d"],
    now: Int[Array, ""],
    rule: Rule,
    ranked: bool = False,
) -> tuple[Float[Array, "node"], Float[Array, "node"], Float[Array, "node"]]:
    """Recency, relevance and importance of all memories, each in [0, 1]."""
    return retrieval_parts(
        rule.hours * (now - stream.accessed).astype(jnp.float32),
        stream.serial,
        similarity(stream, vectors, cue),
        stream.importance,
        present(stream),
        decay=rule.decay,
        ranked=ranked,
        oldest_first=rule.oldest_first,
        xp=jnp,
    )


def scores(
    stream: Stream, three: tuple[Float[Array, "node"], ...], lot: Float[Array, ""], rule: Rule
) -> Float[Array, "node"]:
    """Scores of all memories; minus infinity where there is none.

    Args:
        stream: of one agent.
        three: what `parts` returned.
        lot: uniform in [0, 1): decides the part that is chance.
        rule: the weights.
    """
    # Multiples of the golden ratio: evenly spread, cheap, and another order for each lot.
    chance = (stream.serial * 0.6180339887 + lot * 7919.0) % 1.0
    total = rule.weights[0] * three[0] + rule.weights[1] * three[1] + rule.weights[2] * three[2] + rule.chance * chance
    return jnp.where(present(stream), total, -jnp.inf)


def best(score: Float[Array, "node"], k: int) -> tuple[Int[Array, "k"], Float[Array, "k"]]:
    """Places and scores of the `k` best memories, the best first; scores of minus infinity are no memories."""
    values, index = jax.lax.top_k(score, k)
    return index, values


def called_up(
    stream: Stream, index: Int[Array, "k"], score: Float[Array, "k"], now: Int[Array, ""], yes: Bool[Array, ""]
) -> Stream:
    """The stream after memories were called up."""
    place = jnp.where(yes & jnp.isfinite(score), index, stream.serial.shape[0])
    return stream._replace(accessed=stream.accessed.at[place].set(now.astype(stream.accessed.dtype), mode="drop"))


# -- reflection -----------------------------------------------------------------------------------------------------


def insight(stream: Stream, which: Bool[Array, "node"]) -> Stream:
    """What a thought about some memories rests on: the three that weigh most.

    Args:
        stream: of one agent.
        which: the memories in question, one at least.

    Returns:
        one memory: who, what and where of the weightiest, the mean importance of the three, exact if one of them is,
        and their serial numbers as evidence (NONE where there are fewer).
    """
    index, weight = best(jnp.where(which, stream.importance, -jnp.inf), _EVIDENCE)
    real = jnp.isfinite(weight)
    mean = jnp.sum(jnp.where(real, weight, 0.0)) / jnp.maximum(jnp.sum(real), 1)
    first: Stream = jax.tree.map(lambda x: x[index[0]], stream)
    return first._replace(
        importance=mean,
        exact=jnp.any(real & stream.exact[index]),
        evidence=jnp.where(real, stream.serial[index], NONE),
    )
