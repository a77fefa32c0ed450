"""RIAC: boxes of tasks that split where learning progress differs (Baranes and Oudeyer 2009; Portelas et al. 2019)."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab.teachers.base import Draws, Number, Teacher, checked, pick, place

__all__ = ["Regions", "Riac"]


class Regions(eqx.Module):
    """The leaves of the tree: boxes with the tasks that fell into them, oldest first."""

    low: Float[Array, "region dim"]
    high: Float[Array, "region dim"]
    used: Bool[Array, "region"]
    tasks: Float[Array, "region slot dim"]
    outcomes: Float[Array, "region slot"]
    count: Int[Array, "region"]  # tasks of each
    progress: Float[Array, "region"]


class Riac(Teacher):
    """Regions of the task space are chosen in proportion to their absolute learning progress, and split as they fill.

    The progress of a region is the difference in mean return between the older and the newer half of its last `window`
    tasks. A region with more than `size` tasks is split by the best of `attempts` random cuts; where no cut tells its
    halves apart it forgets its oldest quarter.

    Attributes:
        pace: tasks between two looks at the tree (1 in the paper).
        regions: most regions at once; a region that would need one more forgets instead.
        least: fewest tasks of each half of a cut.
        narrowest: least side of a region, as a share of the range.
        random: share of tasks at random.
        wander: share of tasks near the worst one of a region, at distances of `reach` (one standard deviation).
        legacy_score: 1 is the authors' code, where a cut is as good as the difference in progress that it makes; 0
            multiplies it by the number of tasks on either side, as the formula says.
    """

    dims: int = eqx.field(static=True)
    pace: int = eqx.field(static=True, default=10)
    regions: int = eqx.field(static=True, default=64)
    size: int = eqx.field(static=True, default=200)
    window: int = eqx.field(static=True, default=200)
    attempts: int = eqx.field(static=True, default=50)
    least: Number = 10
    narrowest: Number = 1 / 15
    random: Number = 0.2
    wander: Number = 0.1
    reach: Number = 0.1
    legacy_score: Number = 0

    def __check_init__(self) -> None:
        checked("Riac", dims=(self.dims, 1), pace=(self.pace, 1), regions=(self.regions, 1), size=(self.size, 4))
        checked("Riac", window=(self.window, 2), attempts=(self.attempts, 1))

    def start(self) -> Regions:
        many, slots = self.regions, self.size + self.pace
        return Regions(
            low=jnp.zeros((many, self.dims)),
            high=jnp.ones((many, self.dims)),
            used=jnp.arange(many) == 0,
            tasks=jnp.zeros((many, slots, self.dims)),
            outcomes=jnp.zeros((many, slots)),
            count=jnp.zeros(many, jnp.int32),
            progress=jnp.zeros(many),
        )

    def propose(self, state: Regions, draws: Draws) -> Float[Array, "dim"]:
        value = jnp.where(jnp.any(state.progress > 0), state.progress, state.used.astype(state.progress.dtype))
        which = pick(value, draws.which)
        low, high = state.low[which], state.high[which]
        filled = jnp.arange(self.size + self.pace) < state.count[which]
        worst = state.tasks[which, jnp.argmin(jnp.where(filled, state.outcomes[which], jnp.inf))]
        near = place(worst + self.reach * draws.normal)
        uniform = low + draws.place * (high - low)
        chosen = jnp.where((draws.mode < self.random + self.wander) & filled[0], near, uniform)
        return jnp.where(draws.mode < self.random, draws.place, chosen)

    def observe(
        self, state: Regions, tasks: Float[Array, "pace dim"], outcomes: Float[Array, "pace"], key: PRNGKeyArray
    ) -> Regions:
        state, _ = jax.lax.scan(lambda s, now: self._filed(s, now), state, (tasks, outcomes))

        def split(carry: tuple[Regions, PRNGKeyArray]) -> tuple[Regions, PRNGKeyArray]:
            now, later = jax.random.split(carry[1])
            return self._split(carry[0], now), later

        state, _ = jax.lax.while_loop(lambda carry: jnp.any(carry[0].count > self.size), split, (state, key))
        filled = jnp.arange(self.size + self.pace) < state.count[:, None]
        progress = jax.vmap(self.progress)(state.outcomes, filled)
        return eqx.tree_at(lambda s: s.progress, state, jnp.where(state.used, progress, 0.0))

    def progress(self, outcomes: Float[Array, "slot"], chosen: Bool[Array, "slot"]) -> Float[Array, ""]:
        """Absolute learning progress over the chosen tasks; 0 for fewer than three."""
        rank = jnp.cumsum(chosen)
        number = rank[-1]
        window = jnp.minimum(number, self.window)
        half = window // 2
        new = chosen & (rank > number - half)
        old = chosen & (rank > number - window) & ~new

        def mean(mask: Bool[Array, "slot"]) -> Float[Array, ""]:
            return jnp.sum(jnp.where(mask, outcomes, 0.0)) / jnp.maximum(jnp.sum(mask), 1)

        return jnp.where(number > 2, jnp.abs(mean(new) - mean(old)), 0.0)

    def _filed(self, state: Regions, now: tuple[Float[Array, "dim"], Float[Array, ""]]) -> tuple[Regions, None]:
        """A task and its outcome put into their region."""
        task, outcome = now
        which = jnp.argmax(state.used & jnp.all((task >= state.low) & (task <= state.high), axis=-1))
        slot = state.count[which]
        state = eqx.tree_at(
            lambda s: (s.tasks, s.outcomes, s.count),
            state,
            (
                state.tasks.at[which, slot].set(task),
                state.outcomes.at[which, slot].set(outcome),
                state.count.at[which].add(1),
            ),
        )
        return state, None

    def _split(self, state: Regions, key: PRNGKeyArray) -> Regions:
        """The fullest region cut in two, or without its oldest quarter."""
        which = jnp.argmax(state.count)
        tasks, outcomes, low, high = (x[which] for x in (state.tasks, state.outcomes, state.low, state.high))
        filled = jnp.arange(tasks.shape[0]) < state.count[which]
        of_axis, of_cut = jax.random.split(key)
        axis = jax.random.randint(of_axis, (self.attempts,), 0, self.dims)
        cut = low[axis] + jax.random.uniform(of_cut, (self.attempts,)) * (high - low)[axis]
        left = filled & (cut[:, None] > tasks[:, axis].T)
        right = filled & ~left
        first, second = (jax.vmap(self.progress, (None, 0))(outcomes, side) for side in (left, right))
        few, many = left.sum(axis=1), right.sum(axis=1)
        weight = jnp.where(jnp.asarray(self.legacy_score) > 0, 4.0, few * many)  # theirs is the length of a pair, twice
        wide = (cut - low[axis] >= self.narrowest) & (high[axis] - cut >= self.narrowest)
        good = (few >= self.least) & (many >= self.least) & wide
        score = jnp.where(good, weight * jnp.abs(first - second), 0.0)
        best = jnp.argmax(score)
        splits = (score[best] > 0) & ~jnp.all(state.used)
        slot = jnp.where(splits, jnp.argmin(state.used), self.regions)  # out of range: dropped

        # Left tasks first, in the order of time, then right ones; or the newer ones first, then those to be forgotten.
        forgotten = jnp.arange(tasks.shape[0]) < self.size // 4
        last = jnp.where(splits, ~left[best], forgotten | ~filled)
        order = jnp.argsort(last, stable=True)
        kept = jnp.where(splits, few[best], state.count[which] - self.size // 4)
        others = jnp.argsort(~right[best], stable=True)
        at_cut = jnp.arange(self.dims) == axis[best]

        def put(values: Array, here: Array, there: Array) -> Array:
            """A new value for the region and, if it splits, one for the new region."""
            return values.at[which].set(here).at[slot].set(there, mode="drop")

        return Regions(
            low=put(state.low, low, jnp.where(at_cut, cut[best], low)),
            high=put(state.high, jnp.where(splits & at_cut, cut[best], high), high),
            used=put(state.used, jnp.bool(True), jnp.bool(True)),
            tasks=put(state.tasks, tasks[order], tasks[others]),
            outcomes=put(state.outcomes, outcomes[order], outcomes[others]),
            count=put(state.count, kept, many[best]),
            progress=state.progress,
        )
