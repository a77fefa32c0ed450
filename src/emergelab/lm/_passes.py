"""The compiled passes of an embedded model: a prompt, continuations, new tokens, a reading of sites.

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

from .._site import tap
from ..intervention import Intervention, Moment, editing
from ._llama import Llama, Past

__all__ = ["begin", "bucket", "choose", "continuations", "decode", "read"]

STRIDE = 32  # new tokens between two looks at what was said so far

Interventions = tuple[Intervention, ...]


def bucket(length: int, least: int = 8) -> int:
    """The smallest of 8, 16, 32, 48, 64, 96, 128, 192, ... that holds a length: what texts are padded to."""
    size = max(least, 1 << max(length - 1, 0).bit_length())  # the next power of two
    return size // 4 * 3 if size > 32 and length <= size // 4 * 3 else size


def _moment(time: Any) -> Moment:
    return Moment(jnp.asarray(time, jnp.int32), jnp.int32(0), jax.random.key(0))


@jax.jit
def begin(
    model: Llama,
    interventions: Interventions,
    tokens: Int[Array, "batch t"],
    lengths: Int[Array, "batch"],
    before: tuple[Past, ...],
) -> tuple[Float[Array, "batch token"], Past]:
    """Logits of the token after each text, and what the texts leave to look back at."""
    with editing(interventions, _moment(0)):
        x, past = model.hidden(tokens, lengths, before)
        last = jnp.take_along_axis(x, (lengths - 1)[:, None, None], axis=1)
        return model.logits(last)[:, 0], past


@jax.jit
def continuations(
    model: Llama,
    interventions: Interventions,
    tokens: Int[Array, "batch t"],
    lengths: Int[Array, "batch"],
    targets: Int[Array, "batch t"],
    before: tuple[Past, ...],
) -> Float[Array, "batch"]:
    """Sum of the targets' log-probabilities, each after the token at its place; padding counts nothing."""
    with editing(interventions, _moment(0)):
        x, _ = model.hidden(tokens, lengths, before)
        logits = model.logits(x)
    told = jnp.take_along_axis(jax.nn.log_softmax(logits), targets[..., None], axis=-1)[..., 0]
    return jnp.where(jnp.arange(tokens.shape[1]) < lengths[:, None], told, 0.0).sum(-1)


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

    Each text has its own key, so its choice does not depend on its neighbours; noise is added to the logits and the
    largest taken (Gumbel), so a small change of the logits rarely changes the choice.
    """
    token = jnp.argmax(logits, axis=-1).astype(jnp.int32)
    if sampling:
        scaled = logits / jnp.maximum(temperature, 1e-6)[:, None]
        if nucleus:
            scaled = jnp.where(_in_nucleus(jax.nn.softmax(scaled), top_p), scaled, -jnp.inf)
        noise = jax.vmap(lambda k: jax.random.gumbel(jax.random.fold_in(k, time), logits.shape[1:]))(keys)
        drawn = jnp.argmax(scaled + noise, axis=-1).astype(jnp.int32)
        token = jnp.where(temperature > 0, drawn, token)
    logp = jnp.take_along_axis(jax.nn.log_softmax(logits), token[:, None], axis=-1)[:, 0]
    return token, logp


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


@partial(jax.jit, static_argnames=("sampling", "nucleus"), donate_argnames=("room",))
def decode(
    model: Llama,
    interventions: Interventions,
    room: Past,
    before: tuple[Past, ...],
    token: Int[Array, "batch"],
    start: Int[Array, ""] | int,
    stop: Int[Array, ""] | int,
    done: Bool[Array, "batch"],
    limits: Int[Array, "batch"],
    ends: Int[Array, "end"],
    keys: Key[Array, "batch"],
    temperature: Float[Array, "batch"],
    top_p: Float[Array, "batch"],
    *,
    sampling: bool,
    nucleus: bool,
) -> tuple[Past, Int[Array, "stride batch"], Float[Array, "stride batch"], Int[Array, ""]]:
    """New tokens number `start` up to `stop` (at most `STRIDE`), fewer where no text needs more.

    Args:
        room: keys and values of the new tokens before `start - 1`, with room for more.
        token: new token number `start - 1` of each text, which is fed first.
        done: texts that need no more.
        limits: how many new tokens each text may have.

    Returns:
        the room, the tokens and their log-probabilities (rows are steps), and the number of the next token.
    """
    batch = token.shape[0]

    def more(state: tuple[Any, ...]) -> Any:
        t, done = state[0], state[2]
        return (t < stop) & jnp.any(~done & (t < limits))

    def one(state: tuple[Any, ...]) -> tuple[Any, ...]:
        t, token, done, room, tokens, told = state
        with editing(interventions, _moment(t)):
            x, room = model.hidden(token[:, None], room.lengths, before, (room, t - 1))
            logits = model.logits(x)[:, 0]
        token, logp = choose(logits, keys, t, temperature, top_p, sampling=sampling, nucleus=nucleus)
        done = done | jnp.isin(token, ends)
        tokens, told = tokens.at[t - start].set(token), told.at[t - start].set(logp)
        return t + 1, token, done, room, tokens, told

    state = (
        jnp.asarray(start, jnp.int32), token, done, room,
        jnp.zeros((STRIDE, batch), jnp.int32), jnp.zeros((STRIDE, batch), jnp.float32),
    )  # fmt: skip
    t, _, _, room, tokens, told = jax.lax.while_loop(more, one, state)
    return room, tokens, told, t


@partial(jax.jit, static_argnames="patterns")
def read(
    model: Llama,
    interventions: Interventions,
    tokens: Int[Array, "1 t"],
    length: Int[Array, "1"],
    patterns: tuple[str, ...],
) -> dict[str, Array]:
    """Values of the sites in a pass over one text, all tokens."""

    def whole(tokens: Int[Array, "1 t"]) -> Float[Array, "1 t token"]:
        with editing(interventions, _moment(0)):
            return model.logits(model.hidden(tokens, length)[0])

    return tap(whole, *patterns)(tokens)[1]


def padded(rows: list[list[int]], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Token ids as one array, padded at the end, and their lengths; missing rows repeat the first."""
    full = [*rows, *([rows[0]] * (height - len(rows)))]
    out = np.zeros((height, width), np.int32)
    for i, row in enumerate(full):
        out[i, : len(row)] = row
    return out, np.array([len(row) for row in full], np.int32)
