"""The network as a player: how a history is written as tokens, what its answers mean, and how it plays steered."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

import emergelab as el
from emergelab.games import bandits as rules
from emergelab.nn.transformer import Transformer

__all__ = [
    "ANSWERS", "ARMS", "LABELS", "TASKS", "THERE", "VOCABULARY", "WORDS", "Answer", "Game", "answers", "played",
    "steered", "words", "written",
]  # fmt: skip

TASKS = ("two arms", "other labels", "three arms")
ARMS = 3
"""Places for arms; the third is empty in two of the tasks."""
LABELS = np.array([[0, 1, 2], [2, 3, 0], [0, 1, 2]])
"""Which of four labels the arms of a task carry."""
THERE = np.array([[True, True, False], [True, True, False], [True, True, True]])
WORDS = ("unsure", "leaning", "rather sure", "sure")
_CONFIDENCE = np.array([0.524, 1.036, 1.645])  # standard deviations at which two arms are told apart with 70, 85, 95 %
_BINS, _LOWEST, _PER_UNIT = 16, -4.0, 2.0
_LABELS = 4
VOCABULARY = len(TASKS) + _LABELS * _BINS
ANSWERS = _LABELS + len(WORDS)


def words(b: rules.Belief, task: Int[Array, "game"]) -> Int[Array, "game round"]:
    """What an honest teacher says of its choice: an index of `WORDS`, by how far the leading arm is ahead."""
    ahead = rules.confidence(b, jnp.asarray(THERE)[task][:, None])
    return (ahead[..., None] > _CONFIDENCE).sum(axis=-1).astype(jnp.int32)


def written(
    task: Int[Array, "game"], arm: Int[Array, "game round"], reward: Float[Array, "game round"]
) -> Int[Array, "game token"]:
    """Histories as tokens: one that names the task, then one a pull, which says label and reward (in 16 steps)."""
    label = jnp.take_along_axis(jnp.asarray(LABELS)[task], arm, axis=1)
    step = jnp.clip(jnp.floor((reward - _LOWEST) * _PER_UNIT), 0, _BINS - 1).astype(jnp.int32)
    return jnp.concatenate([task[:, None], len(TASKS) + label * _BINS + step], axis=1).astype(jnp.int32)


class Answer(NamedTuple):
    """What the network answers at a place.

    Attributes:
        p: probability of each arm, given that it names one that is there.
        valid: probability that it does.
        doubt: probability that it says "unsure" or "leaning".
    """

    p: Float[Array, "*n arm"]
    valid: Float[Array, "*n"]
    doubt: Float[Array, "*n"]


def answers(
    logits: Float[Array, "*n answer"], task: Int[Array, "*#n"], temperature: Float[Array, ""] | float = 1.0
) -> Answer:
    """Logits as an answer. The temperature acts on every token that could be said."""
    logits = logits / temperature
    said = jax.nn.softmax(logits[..., :_LABELS], axis=-1)
    own = jnp.where(jnp.asarray(THERE)[task], jnp.take_along_axis(said, _own(task, said), axis=-1), 0.0)
    valid = own.sum(axis=-1)
    doubt = jax.nn.softmax(logits[..., _LABELS:], axis=-1)[..., :2].sum(axis=-1)
    return Answer(own / jnp.maximum(valid, 1e-12)[..., None], valid, doubt)


def _own(task: Int[Array, "*#n"], said: Float[Array, "*n label"]) -> Int[Array, "*n arm"]:
    return jnp.broadcast_to(jnp.asarray(LABELS)[task], (*said.shape[:-1], ARMS))


def steered(
    net: Transformer, tokens: Int[Array, "game token"], shift: Float[Array, "layer width"]
) -> Float[Array, "game token width"]:
    """The last stream, with `shift` added after each block at every place."""
    with el.edit(*(el.Shift(f"L.{i}.out", by=shift[i]) for i in range(len(shift)))):
        return net.stream(tokens)


class Game(NamedTuple):
    """Games of the network.

    Attributes:
        arm, reward: of each round.
        answer: what it answered before each pull.
        before: what had been seen before it.
        tokens: the histories; the last pull of each is not part of any prompt.
    """

    arm: Int[Array, "game round"]
    reward: Float[Array, "game round"]
    answer: Answer
    before: rules.Seen
    tokens: Int[Array, "game token"]


def played(
    net: Transformer,
    task: int,
    means: Float[Array, "game arm"],
    noise: Float[Array, ""],
    luck: Float[Array, "round game"],
    errors: Float[Array, "round game"],
    shift: Float[Array, "layer width"],
    temperature: Float[Array, ""] | float = 1.0,
) -> Game:
    """The network plays.

    Args:
        net: the network.
        task: an index of `TASKS`.
        means: of the arms; those that are not there are never pulled.
        noise: standard deviation of rewards.
        luck, errors: as in `emergelab.games.bandits.play`.
        shift: added after each block.
        temperature: of its answers.
    """
    games, rounds = len(means), len(luck)
    tasks = jnp.full(games, task, jnp.int32)

    def turn(
        state: tuple[Array, rules.Seen], now: tuple[Array, Array, Array]
    ) -> tuple[tuple[Array, rules.Seen], tuple]:
        tokens, seen = state
        u, error, t = now
        # All places are computed each time; what stands after t has not been written yet, and nobody looks ahead.
        logits = net.read(steered(net, tokens[:, :-1], shift)[:, t])
        answer = answers(logits, tasks, temperature)
        arm = rules.drawn(answer.p, u)
        reward = jnp.take_along_axis(means, arm[:, None], axis=-1)[:, 0] + noise * error
        new = written(tasks, arm[:, None], reward[:, None])[:, 1]
        return (tokens.at[:, t + 1].set(new), rules.saw(seen, arm, reward)), (arm, reward, answer, seen)

    start = jnp.zeros((games, rounds + 1), jnp.int32).at[:, 0].set(task), rules.nothing(ARMS, games)
    (tokens, _), made = jax.lax.scan(turn, start, (luck, errors, jnp.arange(rounds)))
    arm, reward, answer, before = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), made)
    return Game(arm, reward, answer, before, tokens)
