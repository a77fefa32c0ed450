"""The reference game: how wide the channel is, who speaks, what is met how often, what messages withstand."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.games import signalling as sg
from emergelab.games.attribute_game import AttributeGame, Players
from emergelab.nn import groups as gr
from emergelab.nn import messages as ms
from emergelab.nn.speakers import HeadListener, HeadSpeaker

__all__ = ["RATES", "SPEECH", "Reference", "Talker", "nearest", "rank_correlation"]

RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of symbols garbled on the way, at which every language is tested (`robust`)."""
SPEECH = ("learnt", "newborn", "arbitrary")
_DRAWS = 4  # of the noise, behind each share that is understood through noise


class Talker(eqx.Module):
    """A speaker that learns to speak, or reads out a table and does not.

    Attributes:
        net: from objects to logits.
        words: the table, symbols of every object.
        reads: whether the table is read; the network then has no part in what is said.
        values: values of an attribute.
    """

    net: Any
    words: Int[Array, "object position"]
    reads: Bool[Array, ""]
    values: int = eqx.field(static=True)

    def __call__(
        self, meanings: Float[Array, "batch feature"], way: ms.Way, key: PRNGKeyArray
    ) -> tuple[Float[Array, "batch position symbol"], Float[Array, "batch position symbol"]]:
        logits, symbols = self.net(meanings, way, key)
        marks = meanings.reshape(len(meanings), -1, self.values).argmax(axis=-1)
        number = jnp.zeros(len(meanings), jnp.int32)
        for i in range(marks.shape[1]):
            number = number * self.values + marks[:, i]
        written = jax.nn.one_hot(self.words[number], logits.shape[-1])
        return jnp.where(self.reads, 30.0 * written, logits), jnp.where(self.reads, written, symbols)


class Reference(AttributeGame):
    """A speaker sees an object, a listener hears a message and points at one of some candidates; a step is a batch."""

    task: str = el.choice(
        "reference", options=("reconstruction", "reference"), static=True,
        about="listeners point at the object among distractors, or name all attributes",
    )  # fmt: skip
    positions: int = el.static(6, low=1, high=16, about="length of a message, at most")
    symbols: int = el.static(8, low=2, high=1024, about="size of the vocabulary")
    hidden: int = el.static(64, low=2, high=4096, about="hidden units of a speaker and of a listener")
    depth: int = el.static(1, low=1, high=8, about="hidden layers of perceptrons")
    distractors: int = el.static(9, low=1, high=1000, about="wrong candidates")
    width: int = el.param(3, low=0, high=16, about="positions that are heard, of `positions`; with 0 nothing is")
    speech: str = el.choice("learnt", options=SPEECH, about="does the speaker learn, or read out a table")
    power: float = el.param(0.0, low=0.0, high=4.0, unit="1", about="exponent of Zipf's law of objects; 0: all alike")
    turn: int = el.param(
        2_000_000_000, low=0, high=2_000_000_000, about="step from which the rarest object is the most frequent"
    )

    observables = (
        *AttributeGame.observables,
        el.Observable("through", unit="1", about="objects in training understood through the noise", low=0.0, high=1.0),
        el.Observable("robust", ("rate",), "1", "the same through noise of 0, 0.1 ... 0.5", 0.0, 1.0),
        el.Observable("without", ("position",), "1", "objects in training understood without a position", 0.0, 1.0),
        el.Observable("nearest", unit="1", about="symbols in which the most similar other message differs", low=0.0),
        el.Observable("used", unit="1", about="length of a message, mean over plays", low=0.0),
        el.Observable("law", unit="1", about="rank correlation of length and rarity; above 0: frequent is short",
                      low=-1.0, high=1.0, nan_ok=True),
        el.Observable("rank", ("object",), about="place by frequency, 0 the most frequent; NaN if never shown",
                      nan_ok=True),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if int(self.width) > self.positions:
            raise el.UserError(f"Reference: parameter 'width' must be at most positions={self.positions}, got "
                               f"{int(self.width)}")  # fmt: skip
        if self.ends == "yes" and int(self.width) < self.positions:
            raise el.UserError(f"Reference: where messages may end (ends='yes') all positions are heard; set "
                               f"width={self.positions}")  # fmt: skip
        if self._spelt > self.positions:
            raise el.UserError(f"Reference: {self.symbols} symbols at {self.positions} positions are too few messages "
                               f"for {self.values**self.attributes} objects; take more of either")  # fmt: skip

    # -- the channel -----------------------------------------------------------------------------------------------

    @property
    def _spelt(self) -> int:
        """Positions that are needed to say something else of every object."""
        count = self.values**self.attributes
        return next(k for k in range(1, 64) if self.symbols**k >= count)

    def open(self) -> Float[Array, "position 1"]:
        """1 for positions that are heard, 0 for the others."""
        return (jnp.arange(self.positions) < jnp.asarray(self.width)).astype(jnp.float32)[:, None]

    def say(
        self, speakers: PyTree, shown: Float[Array, "batch feature"], way: ms.Way, key: PRNGKeyArray
    ) -> tuple[Float[Array, "speaker batch position symbol"], Float[Array, "speaker batch position symbol"]]:
        """Logits of all speakers, and what they send; nothing at positions that are not heard. Sites as in the game."""
        logits, symbols = super().say(speakers, shown, way, key)
        return logits, symbols * self.open()

    def understand(
        self, listeners: PyTree, heard: Float[Array, "speaker batch position symbol"]
    ) -> Float[Array, "listener speaker batch feature"]:
        """What every listener makes of every speaker's messages. Site: `answer`.

        Noise would make a symbol of nothing, hence what is not heard is taken away here too.
        """
        return super().understand(listeners, heard * self.open())

    # -- who plays -------------------------------------------------------------------------------------------------

    def speaker(self, key: PRNGKeyArray) -> Any:
        of_net, of_words = jax.random.split(key)
        inputs = self.attributes * self.values
        net = super().speaker(of_net) if self.agents == "recurrent" else HeadSpeaker(
            of_net, inputs, self.positions, self.symbols, (self.hidden,) * self.depth
        )  # fmt: skip
        first = ms.words(net(self.shown(), ms.Likeliest(), of_words)[1])
        how = jnp.asarray(self.speech)
        words = jnp.where(how == SPEECH.index("arbitrary"), self.arbitrary(of_words), first)
        return Talker(net, words, how > 0, self.values)

    def arbitrary(self, key: PRNGKeyArray) -> Int[Array, "object position"]:
        """A code without any order: messages at random, no two alike in the first positions.

        As many positions as it takes to tell all objects apart have different symbols for each; the others are drawn.
        """
        of_messages, of_rest = jax.random.split(key)
        count, k = self.values**self.attributes, self._spelt
        number = jax.random.permutation(of_messages, self.symbols**k)[:count]
        digits = jnp.stack([number // self.symbols**i % self.symbols for i in range(k)], axis=1)
        rest = jax.random.randint(of_rest, (count, self.positions - k), 0, self.symbols)
        return jnp.concatenate([digits, rest], axis=1).astype(jnp.int32)

    def listener(self, key: PRNGKeyArray) -> Any:
        if self.agents == "recurrent":
            return super().listener(key)
        answers, ends = self.attributes * self.values, self.ends == "yes"
        return HeadListener(key, self.positions, self.symbols, answers, (self.hidden,) * self.depth, ends)

    # -- what is met -----------------------------------------------------------------------------------------------

    def order(self, time: Int[Array, ""]) -> Int[Array, "object"]:
        """Place of every object by frequency at a time, 0 the most frequent; at random, but the same for all seeds."""
        count = self.values**self.attributes
        place = jnp.asarray(np.random.default_rng(count).permutation(count), jnp.int32)
        return jnp.where(time >= jnp.asarray(self.turn), count - 1 - place, place)

    def prior(self, time: Int[Array, ""], unseen: Bool[Array, "object"]) -> Float[Array, "object"]:
        """How probable each object is in training. Site: `prior`."""
        odds = jnp.where(unseen, 0.0, (1.0 + self.order(time)) ** -jnp.asarray(self.power))
        return el.site("prior", odds / odds.sum())

    def loss(
        self, weights: tuple[PyTree, PyTree], state: Players, target: Int[Array, "batch"], key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], Float[Array, "speaker batch"]]:
        """As in the game, for objects drawn by `prior` in place of the game's, which are all alike."""
        of_objects, of_game = jax.random.split(key)
        return super().loss(weights, state, self.meant(state, of_objects), of_game)

    def meant(self, state: Players, key: PRNGKeyArray) -> Int[Array, "batch"]:
        """Numbers of the objects of a batch."""
        return sg.drawn(key, self.prior(state.time, state.unseen), self.batch)

    def lengths(self, code: Float[Array, "object position symbol"]) -> Float[Array, "object"]:
        """Symbols of every message up to its end; all that are heard where messages do not end."""
        if self.ends == "yes":
            return ms.lengths(code)
        return jnp.full(len(code), jnp.asarray(self.width), jnp.float32)

    # -- what it shows ---------------------------------------------------------------------------------------------

    def observe(self, state: Players, key: PRNGKeyArray) -> dict[str, Array]:
        of_game, of_code, of_noise, of_lineup = jax.random.split(key, 4)
        out = super().observe(state, of_game)
        seen, count = ~state.unseen, len(state.unseen)
        with el.scope("tests"):
            code = self.code(state, of_code)
            prior = self.prior(state.time, state.unseen)
        # Through noise, and without a position each: all channels side by side.
        rates = jnp.repeat(jnp.append(jnp.array(RATES), self.noise), _DRAWS)
        noisy = jax.vmap(lambda rate, k: ms.noisy(code, rate, k))(rates, jax.random.split(of_noise, len(rates)))
        mutes = 1.0 - jnp.eye(self.positions)
        heard = jnp.concatenate([noisy, code * mutes[:, None, None, :, None]]) * self.open()
        answers = gr.each(state.listeners.nets, lambda net: jax.vmap(jax.vmap(net))(heard))
        numbers, everything = jnp.arange(count, dtype=jnp.int32), jnp.ones(count, bool)

        def share(answer: Float[Array, "listener speaker object feature"]) -> Float[Array, ""]:
            right = self.outcome(answer, numbers, everything, of_lineup).right.mean(axis=(0, 1))
            return jnp.where(seen, right, 0.0).sum() / seen.sum()

        found = jax.vmap(share, in_axes=1)(answers)
        by_noise = found[: len(rates)].reshape(-1, _DRAWS).mean(axis=1)
        lengths = self.lengths(code[0])
        order = self.order(state.time).astype(jnp.float32)
        told = jnp.arange(self.positions) < jnp.asarray(self.width)
        message = jnp.where(told, out["message"], -1.0)
        return out | {
            "message": message,
            "length": jnp.where(seen, lengths, 0.0).sum() / seen.sum(),
            "through": by_noise[-1],
            "robust": by_noise[:-1],
            "without": found[len(rates) :],
            "nearest": nearest(message.astype(jnp.int32), seen),
            "used": (prior * lengths).sum(),
            "law": rank_correlation(order, lengths, seen),
            "rank": jnp.where(seen, order, jnp.nan),
        }


def nearest(words: Int[Array, "object position"], where: Bool[Array, "object"]) -> Float[Array, ""]:
    """Symbols in which the most similar message of another object differs, mean over some objects (Hamming).

    What protects a message: if `nearest` is 3, one symbol may be garbled and the message is still the most similar one.

    Args:
        words: the code.
        where: objects that count, two or more.
    """
    far = (words[:, None] != words[None]).sum(axis=-1).astype(jnp.float32)
    others = where[None] & ~jnp.eye(len(words), dtype=bool)
    least = jnp.where(others, far, jnp.inf).min(axis=1)
    return jnp.where(where, least, 0.0).sum() / where.sum()


def rank_correlation(
    x: Float[Array, "object"], y: Float[Array, "object"], where: Bool[Array, "object"]
) -> Float[Array, ""]:
    """Spearman's correlation over some objects, ties in the middle; NaN if either is the same for all."""

    def ranks(values: Float[Array, "object"]) -> Float[Array, "object"]:
        less, same = (values[None] < values[:, None]) & where, (values[None] == values[:, None]) & where
        place = less.sum(axis=1) + 0.5 * same.sum(axis=1)
        return jnp.where(where, place - jnp.where(where, place, 0.0).sum() / where.sum(), 0.0)

    a, b = ranks(x), ranks(y)
    spread = jnp.sqrt((a**2).sum() * (b**2).sum())
    return jnp.where(spread > 0, (a * b).sum() / jnp.where(spread > 0, spread, 1.0), jnp.nan)
