"""Networks that speak and listen: one hidden layer and a head for each position, or recurrent, symbol by symbol.

A speaker goes from features of what it means, a way of speaking and a key to logits and symbols; a listener from
symbols to whatever it is asked for: logits of attributes, a vector to compare candidates with. All take a batch.
Messages are not announced as sites here but by `messages.delivered`, once for all agents: so one agent of many can be
silenced.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .messages import Way, alive

__all__ = ["HeadListener", "HeadSpeaker", "Listener", "RecurrentListener", "RecurrentSpeaker", "Speaker"]

Meanings = Float[Array, "batch feature"]
Symbols = Float[Array, "batch position symbol"]
Bend = Callable[[Array], Array]


class Speaker(Protocol):
    """Says something for each meaning."""

    def __call__(self, meanings: Meanings, way: Way, key: PRNGKeyArray) -> tuple[Symbols, Symbols]:
        """Logits of every position, and the symbols that `way` made of them."""


class Listener(Protocol):
    """Makes something of each message."""

    def __call__(self, symbols: Symbols) -> Float[Array, "batch answer"]:
        """What it understood."""


class HeadSpeaker(eqx.Module):
    """A perceptron with as many outputs as there are symbols at every position, all uttered at once.

    Attributes:
        layers: from the features upwards; `bend` after each but the last.
        positions: length of messages.
        bend: the non-linearity.
    """

    layers: list[eqx.nn.Linear]
    positions: int = eqx.field(static=True)
    bend: Bend = eqx.field(static=True)

    def __init__(
        self, key: PRNGKeyArray, features: int, positions: int, symbols: int, hidden: tuple[int, ...] = (128,),
        bend: Bend = jax.nn.relu,
    ):  # fmt: skip
        self.layers = _stack(key, (features, *hidden, positions * symbols))
        self.positions, self.bend = positions, bend

    def __call__(self, meanings: Meanings, way: Way, key: PRNGKeyArray) -> tuple[Symbols, Symbols]:
        out = _through(self.layers, meanings, self.bend)
        logits = out.reshape(len(meanings), self.positions, -1)
        return logits, way(logits, key)


class HeadListener(eqx.Module):
    """A perceptron that reads all positions at once.

    Attributes:
        layers: from the message upwards; `bend` after each but the last.
        ends: whether symbol 0 ends a message, so that what follows is not heard.
        bend: the non-linearity.
    """

    layers: list[eqx.nn.Linear]
    ends: bool = eqx.field(static=True)
    bend: Bend = eqx.field(static=True)

    def __init__(
        self, key: PRNGKeyArray, positions: int, symbols: int, answers: int, hidden: tuple[int, ...] = (128,),
        ends: bool = False, bend: Bend = jax.nn.relu,
    ):  # fmt: skip
        self.layers = _stack(key, (positions * symbols, *hidden, answers))
        self.ends, self.bend = ends, bend

    def __call__(self, symbols: Symbols) -> Float[Array, "batch answer"]:
        heard = symbols * alive(symbols, self.ends)[..., None]
        return _through(self.layers, heard.reshape(len(symbols), -1), self.bend)


class RecurrentSpeaker(eqx.Module):
    """A gated recurrent unit (Cho et al. 2014) that utters a symbol, hears itself, and utters the next.

    It hears what it said, not what becomes of it on the way.

    Attributes:
        begin: from features to the first state.
        cell: the unit.
        out: from state to logits.
        embedding: how it hears its own symbols, [symbol, width].
        start: what it hears before the first.
        positions: length of messages, at most.
    """

    begin: eqx.nn.Linear
    cell: eqx.nn.GRUCell
    out: eqx.nn.Linear
    embedding: Float[Array, "symbol width"]
    start: Float[Array, "width"]
    positions: int = eqx.field(static=True)

    def __init__(
        self, key: PRNGKeyArray, features: int, positions: int, symbols: int, units: int = 64, width: int = 16
    ):
        of_begin, of_cell, of_out, of_words, of_start = jax.random.split(key, 5)
        self.begin = eqx.nn.Linear(features, units, key=of_begin)
        self.cell = eqx.nn.GRUCell(width, units, key=of_cell)
        self.out = eqx.nn.Linear(units, symbols, key=of_out)
        self.embedding = jax.random.normal(of_words, (symbols, width)) * symbols**-0.5
        self.start = jax.random.normal(of_start, (width,)) * width**-0.5
        self.positions = positions

    def __call__(self, meanings: Meanings, way: Way, key: PRNGKeyArray) -> tuple[Symbols, Symbols]:
        state = jax.vmap(self.begin)(meanings)
        heard = jnp.broadcast_to(self.start, (len(meanings), len(self.start)))

        def utter(
            carry: tuple[Float[Array, "batch unit"], Float[Array, "batch width"]], key: PRNGKeyArray
        ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
            state, heard = carry
            state = jax.vmap(self.cell)(heard, state)
            logits = jax.vmap(self.out)(state)
            symbol = way(logits, key)
            return (state, symbol @ self.embedding), (logits, symbol)

        _, said = jax.lax.scan(utter, (state, heard), jax.random.split(key, self.positions))
        logits, symbols = (jnp.swapaxes(x, 0, 1) for x in said)
        return logits, symbols


class RecurrentListener(eqx.Module):
    """A gated recurrent unit that hears a message symbol by symbol and answers after its end.

    Attributes:
        cell: the unit.
        out: from the last state to the answer.
        embedding: how symbols sound, [symbol, width].
        ends: whether symbol 0 ends a message: the state is held from there on.
    """

    cell: eqx.nn.GRUCell
    out: eqx.nn.Linear
    embedding: Float[Array, "symbol width"]
    ends: bool = eqx.field(static=True)

    def __init__(
        self, key: PRNGKeyArray, symbols: int, answers: int, units: int = 64, width: int = 16, ends: bool = False
    ):
        of_cell, of_out, of_words = jax.random.split(key, 3)
        self.cell = eqx.nn.GRUCell(width, units, key=of_cell)
        self.out = eqx.nn.Linear(units, answers, key=of_out)
        self.embedding = jax.random.normal(of_words, (symbols, width)) * symbols**-0.5
        self.ends = ends

    def __call__(self, symbols: Symbols) -> Float[Array, "batch answer"]:
        def hear(
            state: Float[Array, "batch unit"], now: tuple[Float[Array, "batch width"], Float[Array, "batch"]]
        ) -> tuple[Float[Array, "batch unit"], None]:
            sound, counts = now
            new = jax.vmap(self.cell)(sound, state)
            return counts[:, None] * new + (1.0 - counts[:, None]) * state, None

        begin = jnp.zeros((len(symbols), self.cell.hidden_size), symbols.dtype)
        sounds = jnp.swapaxes(symbols @ self.embedding, 0, 1)
        state, _ = jax.lax.scan(hear, begin, (sounds, jnp.swapaxes(alive(symbols, self.ends), 0, 1)))
        return jax.vmap(self.out)(state)


def _stack(key: PRNGKeyArray, sizes: tuple[int, ...]) -> list[eqx.nn.Linear]:
    keys = jax.random.split(key, len(sizes) - 1)
    return [eqx.nn.Linear(i, o, key=k) for k, i, o in zip(keys, sizes[:-1], sizes[1:], strict=True)]


def _through(layers: list[eqx.nn.Linear], x: Float[Array, "batch in"], bend: Bend) -> Float[Array, "batch out"]:
    for layer in layers[:-1]:
        x = bend(jax.vmap(layer)(x))
    return jax.vmap(layers[-1])(x)
