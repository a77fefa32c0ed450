"""Prioritised level replay: old tasks come again by rank of their score (Jiang, Grefenstette, Rocktäschel 2021)."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.teachers.base import Draws, Number, Teacher, checked, pick

__all__ = ["Levels", "Plr", "replay_chances"]


class Levels(eqx.Module):
    """Tasks that may come again, and what is known of each."""

    tasks: Float[Array, "level dim"]
    filled: Bool[Array, "level"]
    score: Float[Array, "level"]
    last: Int[Array, "level"]  # episode of the last visit
    value: Float[Array, "level"]  # return of the last visit
    best: Float[Array, "level"]  # best return
    episodes: Int[Array, ""]


def replay_chances(
    score: Float[Array, "level"],
    age: Float[Array, "level"],
    filled: Bool[Array, "level"],
    temperature: Number,
    staleness: Number,
) -> Float[Array, "level"]:
    """The probability that each level is replayed.

    A mixture: with weight 1 - `staleness` in proportion to (1 / rank)^(1 / temperature), the highest score having rank
    1; with weight `staleness` in proportion to the age, the number of episodes since the last visit. Zero throughout if
    there is no level.
    """
    order = jnp.argsort(jnp.where(filled, -score, jnp.inf), stable=True)
    rank = jnp.zeros_like(score).at[order].set(jnp.arange(1, score.shape[0] + 1, dtype=score.dtype))
    by_rank = jnp.where(filled, (1.0 / rank) ** (1.0 / jnp.asarray(temperature)), 0.0)
    old = jnp.where(filled, age, 0.0)

    def shares(weights: Float[Array, "level"]) -> Float[Array, "level"]:
        return weights / jnp.maximum(jnp.sum(weights), 1e-30)

    return jnp.where(jnp.sum(old) > 0, staleness, 0.0) * shares(old) + jnp.where(
        jnp.sum(old) > 0, 1.0 - jnp.asarray(staleness), 1.0
    ) * shares(by_rank)


class Plr(Teacher):
    """With probability `replay` a task that was met before, else a new one at random.

    The paper scores a level by the errors of the learner's value function, which a teacher that sees returns only has
    not. Its stand-in here is the change of the return since the last visit (a new task is compared with 0).

    Attributes:
        levels: tasks that are kept. A new one replaces the one with the lowest score, if its own is higher.
        temperature: of the ranks; the smaller, the more the first ranks get.
        staleness: weight of the age.
        regret: 1 scores by the best return on the level minus the last one instead (maximal Monte Carlo regret).
    """

    dims: int = eqx.field(static=True)
    pace: int = eqx.field(static=True, default=10)
    levels: int = eqx.field(static=True, default=256)
    replay: Number = 0.8
    temperature: Number = 0.3
    staleness: Number = 0.1
    regret: Number = 0

    def __check_init__(self) -> None:
        checked("Plr", dims=(self.dims, 1), pace=(self.pace, 1), levels=(self.levels, 1))

    def start(self) -> Levels:
        zeros = jnp.zeros(self.levels)
        whole = zeros.astype(jnp.int32)
        return Levels(jnp.zeros((self.levels, self.dims)), zeros > 0, zeros, whole, zeros, zeros, jnp.int32(0))

    def chances(self, state: Levels) -> Float[Array, "level"]:
        """The probability that each level is replayed next."""
        age = (state.episodes - state.last).astype(state.score.dtype)
        return replay_chances(state.score, age, state.filled, self.temperature, self.staleness)

    def propose(self, state: Levels, draws: Draws) -> Float[Array, "dim"]:
        known = state.tasks[pick(self.chances(state), draws.which)]
        return jnp.where((draws.mode < self.replay) & jnp.any(state.filled), known, draws.place)

    def observe(
        self, state: Levels, tasks: Float[Array, "pace dim"], outcomes: Float[Array, "pace"], key: PRNGKeyArray
    ) -> Levels:
        return jax.lax.scan(lambda s, now: self._seen(s, now), state, (tasks, outcomes))[0]

    def _seen(self, state: Levels, now: tuple[Float[Array, "dim"], Float[Array, ""]]) -> tuple[Levels, None]:
        task, outcome = now
        same = state.filled & jnp.all(state.tasks == task, axis=-1)
        known = jnp.any(same)
        before = jnp.where(known, jnp.sum(jnp.where(same, state.value, 0.0)), 0.0)
        best = jnp.maximum(jnp.where(known, jnp.sum(jnp.where(same, state.best, 0.0)), 0.0), outcome)
        score = jnp.where(jnp.asarray(self.regret) > 0, best - outcome, jnp.abs(outcome - before))
        # A free place counts as one with a score below all others.
        lowest = jnp.argmin(jnp.where(state.filled, state.score, -1.0))
        enters = ~state.filled[lowest] | (score > state.score[lowest])
        slot = jnp.where(known, jnp.argmax(same), jnp.where(enters, lowest, self.levels))
        episodes = state.episodes + 1
        return Levels(
            tasks=state.tasks.at[slot].set(task, mode="drop"),
            filled=state.filled.at[slot].set(True, mode="drop"),
            score=state.score.at[slot].set(score, mode="drop"),
            last=state.last.at[slot].set(episodes, mode="drop"),
            value=state.value.at[slot].set(outcome, mode="drop"),
            best=state.best.at[slot].set(best, mode="drop"),
            episodes=episodes,
        ), None
