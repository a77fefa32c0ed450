"""Memory Sequence: a hidden sequence of symbols, to be found by guessing, with others to watch.

The agent guesses the symbols of a hidden sequence one after the other. A right guess is worth 1 and leads on to the
next symbol; a wrong one costs 1 and ends the *trial*: the agent is back at the first symbol. An episode is a few trials
on one sequence, so what was found in one trial helps in the next, if it is remembered. Beside the agent sit others who
guess the coming symbol, too. In some steps their guesses are seen, and it is for the agent to decide whom to believe.
After Cook et al. (2024); all rules are read in the authors' notebook, and where this world differs, `step` says so.

What the others know is part of the level, as a table of log-probabilities: of every other, at every position, of every
symbol. Noisy oracles fill it with their skill (`oracle`), remembered minds with what a network says (anything that is
right all the way up to a position sees the same there, whoever plays), designers with what they please.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Num, PRNGKeyArray

from .world import Discrete, Outcome, World, never

__all__ = [
    "Level", "MemorySequence", "Moment", "expected", "forced", "look", "oracle", "run_length", "schedule",
]  # fmt: skip


class Level(NamedTuple):
    """Which task an episode is.

    Attributes:
        hidden: the sequence.
        advice: log-probability (up to a constant) of what each of the others guesses at each position. The best
            come last.
        shown: chance that the others are seen in a step of each trial.
    """

    hidden: Int[Array, "position"]
    advice: Float[Array, "other position symbol"]
    shown: Float[Array, "trial"]


class Moment(NamedTuple):
    """The state of an episode.

    Attributes:
        level: of the episode.
        position: of the symbol that is to be guessed next.
        trial: the running one, from 0.
        guesses: of the others for that symbol.
        visible: whether they are seen.
        action: what was guessed last, -1 before the first guess.
        reward: what it was worth, 0 before the first guess.
        ended: whether it ended a trial.
    """

    level: Level
    position: Int[Array, ""]
    trial: Int[Array, ""]
    guesses: Int[Array, "other"]
    visible: Bool[Array, ""]
    action: Int[Array, ""]
    reward: Float[Array, ""]
    ended: Bool[Array, ""]


class MemorySequence(World):
    """The world. Its numbers may be traced, its sizes may not.

    Attributes:
        trials: of an episode.
        reach: the others' skills are drawn so that each is right `u` times in a row on average, u uniform in
            [0, reach], and guesses at random otherwise.
        watch: scales the chance to see the others, which falls linearly from 1 in the first trial to 0 in the last.
        symbols: how many there are.
        length: of the sequence; a trial in which it is guessed to its end is over, too.
        others: how many there are.
        slots: most trials that an episode may have.
    """

    trials: Int[Array, ""] | int = 4
    reach: Float[Array, ""] | float = 0.5
    watch: Float[Array, ""] | float = 1.0
    symbols: int = eqx.field(static=True, default=3)
    length: int = eqx.field(static=True, default=24)
    others: int = eqx.field(static=True, default=3)
    slots: int = eqx.field(static=True, default=4)

    @property
    def actions(self) -> Discrete:
        return Discrete(self.symbols)

    @property
    def inputs(self) -> int:
        """How many numbers an observation has."""
        return self.symbols * (self.others + 1) + 3

    def level(self, key: PRNGKeyArray) -> Level:
        # One draw for all: generators of random numbers are most of what there is to compile here.
        lot = jax.random.uniform(key, (self.length + self.others,))
        hidden = (lot[: self.length] * self.symbols).astype(jnp.int32)
        # In ascending order, so an agent can learn whom to trust by where they sit. The largest of n uniform numbers is
        # distributed as the n-th root of one, the others below it as n - 1 of them are; so nothing need be sorted.
        root = lot[self.length :] ** (1 / jnp.arange(1, self.others + 1))
        length = self.reach * jnp.cumprod(root[::-1])[::-1]
        advice = oracle(hidden, length / (1 + length), self.symbols)
        return Level(hidden, advice, self.watch * schedule(self.trials, self.slots))

    def reset(self, level: Level, key: PRNGKeyArray) -> Moment:
        zero = jnp.int32(0)
        guesses, visible = self._others(level, zero, zero, key)
        return Moment(level, zero, zero, guesses, visible, jnp.int32(-1), jnp.zeros(()), never())

    def step(self, state: Moment, action: Num[Array, ""], key: PRNGKeyArray) -> Outcome:
        """One guess.

        In the authors' code the chance to see others in the first step of a trial is still that of the trial before,
        so the lone trial is not quite alone; here it is.
        """
        right = action == state.level.hidden[state.position]
        reward = jnp.where(right, 1.0, -1.0)
        ended = ~right | (state.position == self.length - 1)
        position = jnp.where(ended, 0, state.position + 1)
        trial = state.trial + ended
        guesses, visible = self._others(state.level, position, trial, key)
        after = Moment(state.level, position, trial, guesses, visible, action.astype(jnp.int32), reward, ended)
        return Outcome(after, reward, trial >= self.trials, never())

    def see(self, state: Moment) -> Float[Array, "input"]:
        return look(state, self.symbols)

    def _others(
        self, level: Level, position: Int[Array, ""], trial: Int[Array, ""], key: PRNGKeyArray
    ) -> tuple[Int[Array, "other"], Bool[Array, ""]]:
        lot = jax.random.uniform(key, (self.others + 1,))
        upto = jnp.cumsum(jax.nn.softmax(level.advice[:, position]), -1)
        guesses = jnp.sum(lot[:-1, None] >= upto[:, :-1], -1)
        # Beyond the last trial the index stays at the last, whatever is seen there.
        shown = level.shown[jnp.minimum(trial, self.slots - 1)]
        return guesses.astype(jnp.int32), lot[-1] < shown


def look(state: Moment, symbols: int) -> Float[Array, "input"]:
    """What the agent sees: its last guess, whether that ended a trial, what it was worth; what the others guess for
    the coming symbol, and whether that is seen. Guesses, one-hot, are all 0 if there are none or they are not seen.
    """
    own = jax.nn.one_hot(state.action, symbols)
    others = jnp.where(state.visible, jax.nn.one_hot(state.guesses, symbols), 0.0)
    flags = jnp.stack([state.ended.astype(jnp.float32), state.reward])
    return jnp.concatenate([own, flags, others.ravel(), state.visible[None].astype(jnp.float32)])


def oracle(
    hidden: Int[Array, "position"], skill: Float[Array, "other"], symbols: int
) -> Float[Array, "other position symbol"]:
    """Advice of those who know each symbol with a chance of their own, and else guess at random.

    Args:
        hidden: the sequence.
        skill: chance to know, in [0, 1].
        symbols: how many there are.
    """
    known = skill[:, None, None] * jax.nn.one_hot(hidden, symbols)
    return jnp.log(known + (1 - skill[:, None, None]) / symbols + 1e-9)


def schedule(trials: Int[Array, ""] | int, slots: int) -> Float[Array, "trial"]:
    """Chance to see the others in each trial: from 1 in the first, in equal steps, to 0 in the last and beyond."""
    return jnp.clip(1 - jnp.arange(slots) / jnp.maximum(jnp.asarray(trials) - 1, 1), 0.0, 1.0)


def forced(
    first: Float[Array, "input"], hidden: Int[Array, "position"], symbols: int
) -> Float[Array, "position input"]:
    """What somebody sees who is alone and right all along: `first`, and then its own right guesses.

    A mind that others watch is forced to see what they do; they are in a trial only as long as they are right, so this
    is all that it can ever see at a position.
    """
    own = jax.nn.one_hot(hidden[:-1], symbols)
    count = own.shape[0]
    rest = jnp.zeros((count, first.shape[0] - symbols - 2))
    after = jnp.concatenate([own, jnp.zeros((count, 1)), jnp.ones((count, 1)), rest], 1)
    return jnp.concatenate([first[None], after])


def expected(
    advice: Float[Array, "*batch position symbol"], hidden: Int[Array, "*batch position"]
) -> Float[Array, "*batch"]:
    """Mean number of right guesses in a trial of somebody who guesses by a table of log-probabilities: the sum over
    positions of the chance to be right up to and including each.
    """
    right = jnp.take_along_axis(jax.nn.softmax(advice), hidden[..., None], -1)[..., 0]
    return jnp.sum(jnp.cumprod(right, -1), -1)


def run_length(reach: float, symbols: int, length: int, of_best: int = 1, grid: int = 2001) -> float:
    """Mean number of right guesses in a trial of a noisy oracle, over how skills are drawn.

    Args:
        reach: as in `MemorySequence`.
        symbols: how many there are.
        length: of the sequence.
        of_best: the best of so many is meant; 1 is any of them.
        grid: points of the trapezoidal rule.
    """
    share = jnp.linspace(0.0, 1.0, grid)
    # The best of n has a share of `reach` whose distribution function is share^n.
    u = reach * share ** (1 / of_best)
    right = (u + 1 / symbols) / (1 + u)
    mean = right * (1 - right**length) / jnp.maximum(1 - right, 1e-9)
    return float(jnp.mean((mean[1:] + mean[:-1]) / 2))
