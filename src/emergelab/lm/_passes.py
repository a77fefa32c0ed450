"""The compiled pieces of an embedded model, and how they are put together: a prompt, continuations, new tokens.

Blocks are compiled once and called one after the other, each with its own weights. A program of thirty blocks takes
half a minute to compile, and a loop over stacked weights copies them at every token, which takes longer than to use
them. Only blocks in which a site is addressed are compiled by themselves.

Interventions and everything that says how to sample are operands, so that a sweep over strengths or temperatures
compiles once. Texts are padded to few lengths for the same reason.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from .._site import scope, site, tap
from ..intervention import Intervention, Moment, editing
from . import _llama
from ._llama import Block, Config, Llama, Pair, Past, Turn

__all__ = ["begin", "bucket", "choose", "continuations", "decode", "gather", "read"]

Interventions = tuple[Intervention, ...]


def bucket(length: int, least: int = 8) -> int:
    """The smallest of 8, 16, 32, 48, 64, 96, 128, 192, ... that holds a length: what texts are padded to."""
    size = max(least, 1 << max(length - 1, 0).bit_length())  # the next power of two
    return size // 4 * 3 if size > 32 and length <= size // 4 * 3 else size


def _moment(time: Any) -> Moment:
    return Moment(jnp.asarray(time, jnp.int32), jnp.int32(0), jax.random.key(0))


Frame = tuple[Float[Array, "batch t width"], Turn, Bool[Array, "batch t slot"]]


def _frame(
    config: Config,
    x: Float[Array, "batch t width"],
    before: tuple[Past, ...],
    slot: int = 0,
    room: int = 0,
) -> Frame:
    """The stream before the first block, and where its tokens stand and look.

    NumPy computes the latter: so there is no program to compile for every mixture of shapes.

    Args:
        config: sizes.
        x: the stream.
        before: earlier stretches, oldest first.
        slot: of the newest stretch, at which its one token is written.
        room: slots of the newest stretch; 0 if the tokens are a stretch of their own.
    """
    batch, t, _ = x.shape
    lengths = [np.repeat(np.asarray(p.lengths), batch // p.lengths.shape[0]) for p in before]
    start = sum(lengths, np.zeros(batch, np.int32))
    own = np.arange(room)[None] <= slot if room else np.tril(np.ones((t, t), bool))
    seen = [np.arange(p.keys[0].shape[2]) < n[:, None, None] for p, n in zip(before, lengths, strict=True)]
    mask = np.concatenate([np.broadcast_to(m, (batch, t, m.shape[-1])) for m in (*seen, own[None])], axis=-1)
    cos, sin = _llama.rotation(config, start[:, None] + slot + np.arange(t))
    return x, (jnp.asarray(cos), jnp.asarray(sin)), jnp.asarray(mask)


@jax.jit
def _enter(
    embed: Float[Array, "token width"],
    interventions: Interventions,
    time: Int[Array, ""] | int,
    tokens: Int[Array, "batch t"],
) -> Float[Array, "batch t width"]:
    with editing(interventions, _moment(time)):
        return site("embed", _llama.embedded(embed, tokens))


@partial(jax.jit, static_argnames=("config", "layer"), donate_argnames=("room",))
def _through(
    config: Config,
    layer: int | None,
    weights: Block,
    interventions: Interventions,
    time: Int[Array, ""] | int,
    frame: Frame,
    held: tuple[Pair, ...],
    room: Pair | None,
    slot: Int[Array, ""] | int,
) -> tuple[Float[Array, "batch t width"], Pair]:
    """One block. `layer` is its number where somebody addresses one of its sites; all others share a program."""
    x, turn, mask = frame
    into = None if room is None else (room, jnp.asarray(slot, jnp.int32))
    if layer is None:
        return _llama.block(config, weights, x, turn, mask, held, into)
    with editing(interventions, _moment(time)), scope("L", layer):
        return _llama.block(config, weights, x, turn, mask, held, into)


def _blocks(
    model: Llama,
    interventions: Interventions,
    frame: Frame,
    before: tuple[Past, ...],
    into: tuple[Past, int] | None = None,
    time: int = 0,
) -> tuple[Float[Array, "batch t width"], tuple[Pair, ...]]:
    """All blocks, one after the other."""
    x, turn, mask = frame
    patterns = tuple(one.site for one in interventions)
    pairs = []
    for i, weights in enumerate(model.blocks):  # type: ignore[arg-type]
        looked_into = _llama.addressed(i, patterns)
        held = tuple((past.keys[i], past.values[i]) for past in before)
        room, slot = (None, 0) if into is None else ((into[0].keys[i], into[0].values[i]), into[1])
        x, pair = _through(
            model.config, i if looked_into else None, weights, interventions if looked_into else (), time,
            (x, turn, mask), held, room, slot,
        )  # fmt: skip
        pairs.append(pair)
    return x, tuple(pairs)


def _whole(
    model: Llama,
    interventions: Interventions,
    tokens: Int[np.ndarray, "batch t"],
    lengths: Int[np.ndarray, "batch"],
    before: tuple[Past, ...],
) -> tuple[Float[Array, "batch t width"], Past]:
    """The stream after all blocks of a stretch of text, and what it leaves to look back at."""
    frame = _frame(model.config, _enter(model.embed, interventions, 0, tokens), before)
    x, pairs = _blocks(model, interventions, frame, before)
    keys, values = zip(*pairs, strict=True)
    return x, Past(keys, values, jnp.asarray(lengths))


def begin(
    model: Llama,
    interventions: Interventions,
    tokens: Int[np.ndarray, "batch t"],
    lengths: Int[np.ndarray, "batch"],
    before: tuple[Past, ...],
) -> tuple[Float[Array, "batch token"], Past]:
    """Logits of the token after each text, and what the texts leave to look back at."""
    x, past = _whole(model, interventions, tokens, lengths, before)
    return _after(_ends(model), interventions, 0, x, lengths - 1), past


def continuations(
    model: Llama,
    interventions: Interventions,
    tokens: Int[np.ndarray, "batch t"],
    lengths: Int[np.ndarray, "batch"],
    targets: Int[np.ndarray, "batch t"],
    before: tuple[Past, ...],
) -> Float[Array, "batch"]:
    """Sum of the targets' log-probabilities, each after the token at its place; padding counts nothing."""
    x, _ = _whole(model, interventions, tokens, lengths, before)
    return _told(_ends(model), interventions, x, targets, lengths)


def _ends(model: Llama) -> Llama:
    """The model without its blocks: what turns a stream into logits."""
    return Llama(model.embed, (), model.norm, model.readout, model.config)


@jax.jit
def _after(
    model: Llama,
    interventions: Interventions,
    time: Int[Array, ""] | int,
    x: Float[Array, "batch t width"],
    at: Int[Array, "batch"],
) -> Float[Array, "batch token"]:
    with editing(interventions, _moment(time)):
        return model.logits(jnp.take_along_axis(x, at[:, None, None], axis=1))[:, 0]


@jax.jit
def _told(
    model: Llama,
    interventions: Interventions,
    x: Float[Array, "batch t width"],
    targets: Int[Array, "batch t"],
    lengths: Int[Array, "batch"],
) -> Float[Array, "batch"]:
    with editing(interventions, _moment(0)):
        logits = model.logits(x)
    told = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], axis=-1)[..., 0]
    return jnp.where(jnp.arange(x.shape[1]) < lengths[:, None], told, 0.0).sum(-1)


@partial(jax.jit, static_argnames=("sampling", "nucleus"))
def choose(
    logits: Float[Array, "batch token"],
    keys: Key[Array, "batch"],
    time: Int[Array, ""] | int,
    temperature: Float[Array, "batch"],
    top_p: Float[Array, "batch"],
    *,
    sampling: bool,
    nucleus: bool,
) -> tuple[Int[Array, "batch"], Float[Array, "batch"]]:
    """The next token of each text and its log-probability under the model's own distribution.

    Each text has its own key, so its choice does not depend on its neighbours. One uniform number is looked up in the
    cumulated probabilities, so a small change of the logits rarely changes the choice.
    """
    token = jnp.argmax(logits, axis=-1).astype(jnp.int32)
    if sampling:
        scaled = logits / jnp.maximum(temperature, 1e-6)[:, None]
        p = jax.nn.softmax(scaled)
        if nucleus:
            p = jnp.where(_in_nucleus(p, top_p), p, 0)
        u = jax.vmap(lambda k: jax.random.uniform(jax.random.fold_in(k, time)))(keys)
        token = jnp.where(temperature > 0, _drawn(p, u), token)
    own = jnp.take_along_axis(logits, token[:, None], axis=-1)[:, 0]
    return token, own - jax.nn.logsumexp(logits, axis=-1)


def _drawn(p: Float[Array, "batch token"], u: Float[Array, "batch"]) -> Int[Array, "batch"]:
    """The token in which a share `u` of the cumulated weights ends.

    First the run of tokens, then the token in it: cumulating the whole vocabulary takes longer than a block.
    """
    batch, n = p.shape
    runs = -(-n // 256)
    p = jnp.pad(p, ((0, 0), (0, 256 * runs - n))).reshape(batch, runs, 256)
    in_runs = p.sum(-1)
    until = jnp.cumsum(in_runs, axis=-1)
    left = u[:, None] * until[:, -1:]
    # Rounding may carry `left` to the very end: the last run and token that weigh anything are the last to be taken.
    run = jnp.minimum((until <= left).sum(-1), _last(in_runs))
    within = jnp.take_along_axis(p, run[:, None, None], axis=1)[:, 0]
    left -= jnp.take_along_axis(until - in_runs, run[:, None], axis=1)
    place = jnp.minimum((jnp.cumsum(within, axis=-1) <= left).sum(-1), _last(within))
    return (256 * run + place).astype(jnp.int32)


def _last(weights: Float[Array, "batch n"]) -> Int[Array, "batch"]:
    """The last place that weighs anything."""
    n = weights.shape[1]
    return n - 1 - jnp.argmax(weights[:, ::-1] > 0, axis=-1)


def _in_nucleus(p: Float[Array, "batch token"], share: Float[Array, "batch"]) -> Bool[Array, "batch token"]:
    """The likeliest tokens that together hold at least the share: found by bisecting the least probability, which is
    much quicker than sorting the vocabulary."""

    def halve(_: Any, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        middle = (low + high) / 2
        enough = jnp.where(p >= middle[:, None], p, 0).sum(-1) >= share
        return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

    low, _ = jax.lax.fori_loop(0, 30, halve, (jnp.zeros(len(p)), p.max(-1)))
    return (p >= low[:, None]) | (share >= 1)[:, None]


def decode(
    model: Llama,
    interventions: Interventions,
    room: Past,
    before: tuple[Past, ...],
    token: Int[Array, "batch"],
    time: int,
    keys: Key[Array, "batch"],
    temperature: Float[np.ndarray, "batch"],
    top_p: Float[np.ndarray, "batch"],
    *,
    sampling: bool,
    nucleus: bool,
) -> tuple[Past, Int[Array, "batch"], Float[Array, "batch"]]:
    """New token number `time` of each text.

    Args:
        model: weights.
        interventions: at its sites.
        room: keys and values of the new tokens before `time - 1`, with room for more; it is used up.
        before: those of the text before.
        token: new token number `time - 1`, which is fed.
        time: 1 or more.
        keys: of each text.
        temperature, top_p: of each text.
        sampling: whether any text is sampled.
        nucleus: whether any text has a `top_p` below 1.

    Returns:
        the room, the token and its log-probability.
    """
    x = _enter(model.embed, interventions, time, token[:, None])
    frame = _frame(model.config, x, before, time - 1, room.keys[0].shape[2])
    x, pairs = _blocks(model, interventions, frame, before, (room, time - 1), time)
    found = _next(_ends(model), interventions, time, x, keys, temperature, top_p, sampling=sampling, nucleus=nucleus)
    newer, values = zip(*pairs, strict=True)
    return Past(newer, values, room.lengths), *found


@partial(jax.jit, static_argnames=("sampling", "nucleus"))
def _next(
    model: Llama,
    interventions: Interventions,
    time: Int[Array, ""] | int,
    x: Float[Array, "batch 1 width"],
    keys: Key[Array, "batch"],
    temperature: Float[Array, "batch"],
    top_p: Float[Array, "batch"],
    *,
    sampling: bool,
    nucleus: bool,
) -> tuple[Int[Array, "batch"], Float[Array, "batch"]]:
    with editing(interventions, _moment(time)):
        logits = model.logits(x)[:, 0]
    return choose(logits, keys, time, temperature, top_p, sampling=sampling, nucleus=nucleus)


@partial(jax.jit, static_argnames="texts")
def gather(past: Past, rows: Int[Array, "row"], texts: int) -> Past:
    """What some texts of a batch of `texts` look back at. A row that serves them all is left as it is."""
    if past.lengths.shape[0] != texts:
        return past
    return jax.tree.map(lambda a: a[rows], past)


def read(
    model: Llama, interventions: Interventions, tokens: Int[np.ndarray, "1 t"], patterns: tuple[str, ...]
) -> dict[str, Array]:
    """Values of the sites in a pass over one text, all tokens.

    Only blocks with a wanted site are compiled anew, and the pass ends after the last of them.
    """
    x, out = _entered(model.embed, interventions, tokens, patterns)
    x, turn, mask = _frame(model.config, x, ())
    changed = tuple(one.site for one in interventions)
    to_the_end = _llama.any_addressed(("final", "logits"), patterns)
    last = max((i for i in range(len(model.blocks)) if _llama.addressed(i, patterns)), default=-1)
    for i, weights in enumerate(model.blocks if to_the_end else model.blocks[: last + 1]):  # type: ignore[arg-type]
        if _llama.addressed(i, (*changed, *patterns)):
            x, found = _seen(model.config, i, weights, interventions, (x, turn, mask), patterns)
            out |= found
        else:
            x, _ = _through(model.config, None, weights, (), 0, (x, turn, mask), (), None, 0)
    return out | _left(_ends(model), interventions, x, patterns) if to_the_end else out


@partial(jax.jit, static_argnames="patterns")
def _entered(
    embed: Float[Array, "token width"],
    interventions: Interventions,
    tokens: Int[Array, "1 t"],
    patterns: tuple[str, ...],
) -> tuple[Float[Array, "1 t width"], dict[str, Array]]:
    def first(tokens: Int[Array, "1 t"]) -> Float[Array, "1 t width"]:
        with editing(interventions, _moment(0)):
            return site("embed", _llama.embedded(embed, tokens))

    return tap(first, *patterns)(tokens)


@partial(jax.jit, static_argnames=("config", "layer", "patterns"))
def _seen(
    config: Config,
    layer: int,
    weights: Block,
    interventions: Interventions,
    frame: Frame,
    patterns: tuple[str, ...],
) -> tuple[Float[Array, "1 t width"], dict[str, Array]]:
    x, turn, mask = frame

    def one(x: Float[Array, "1 t width"]) -> Float[Array, "1 t width"]:
        with editing(interventions, _moment(0)), scope("L", layer):
            return _llama.block(config, weights, x, turn, mask, ())[0]

    return tap(one, *patterns)(x)


@partial(jax.jit, static_argnames="patterns")
def _left(
    model: Llama, interventions: Interventions, x: Float[Array, "1 t width"], patterns: tuple[str, ...]
) -> dict[str, Array]:
    def last(x: Float[Array, "1 t width"]) -> Float[Array, "1 t token"]:
        with editing(interventions, _moment(0)):
            return model.logits(x)

    return tap(last, *patterns)(x)[1]


def padded(rows: list[list[int]], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids as one array, padded at the end, and their lengths; missing rows repeat the first."""
    full = [*rows, *([rows[0]] * (height - len(rows)))]
    out = np.zeros((height, width), np.int32)
    for i, row in enumerate(full):
        out[i, : len(row)] = row
    return out, np.array([len(row) for row in full], np.int32)
