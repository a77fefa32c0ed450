"""ALP-GMM: tasks are drawn where the absolute learning progress is high (Portelas, Colas, Hofmann, Oudeyer 2019)."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from emergelab._site import site
from emergelab.teachers.base import Draws, Number, Teacher, checked, pick, place
from emergelab.teachers.mixtures import Mixture, fit

__all__ = ["AlpGmm", "Fitted", "Past", "drawn", "nearest_before"]

_SILENT = 6  # tasks whose progress is not told for want of a past, as in the authors' code


class Past(eqx.Module):
    """All tasks so far and what they returned, in rounds; a ring once it is full."""

    tasks: Float[Array, "round pace dim"]  # infinitely far away where there is none yet
    outcomes: Float[Array, "round pace"]
    rounds: Int[Array, ""]  # ever observed


class Fitted(eqx.Module):
    """What a teacher knows that fits Gaussians to tasks and signs of progress.

    Attributes:
        mixture: the Gaussians; the coordinates begin with those of the task.
        utility: how much each is worth; 0 where it is not used.
        past: what it compares new tasks with; none in a teacher that does not.
    """

    mixture: Mixture
    utility: Float[Array, "gaussian"]
    past: Past | None = None


def drawn(
    mixture: Mixture, utility: Float[Array, "gaussian"], random: Number, draws: Draws, dims: int
) -> Float[Array, "dim"]:
    """A task out of a Gaussian that is chosen by its utility; at random with probability `random`, or if there is none.

    The coordinates after the task's are left out, which is the same as drawing them and forgetting them.
    """
    # Gaussians without any utility are equally good.
    value = jnp.where(jnp.any(utility > 0), utility, (mixture.weight > 0).astype(utility.dtype))
    which = pick(value, draws.which)
    shift = jnp.sum(mixture.factor[which, :dims, :dims] * draws.normal, axis=-1)
    chosen = place(mixture.mean[which, :dims] + shift)
    return jnp.where((draws.mode < random) | ~jnp.any(mixture.weight > 0), draws.place, chosen)


def nearest_before(
    past: Past, tasks: Float[Array, "pace dim"], outcomes: Float[Array, "pace"]
) -> tuple[Float[Array, "pace"], Bool[Array, "pace"]]:
    """What the nearest earlier task returned, for each task of a round.

    Earlier are all remembered rounds and the tasks before it in its own round. One pass over the past with the whole
    round abreast: an argmin over the past for each task would not be vectorised.

    Returns:
        the return of the nearest earlier task, and whether there is one.
    """
    number = tasks.shape[0]
    columns = tasks.T

    def compared(best: tuple[Array, Array], task: Float[Array, "dim"], outcome: Float[Array, ""], later: Any) -> Any:
        distance, returned = best
        far = sum((columns[i] - task[i]) ** 2 for i in range(columns.shape[0]))
        nearer = (far <= distance) & later  # of equally near ones the latest: tasks at the border come often
        return (jnp.where(nearer, far, distance), jnp.where(nearer, outcome, returned)), None

    def one_round(i: Int[Array, ""], best: tuple[Array, Array]) -> tuple[Array, Array]:
        points = (past.tasks[i], past.outcomes[i])
        return jax.lax.scan(lambda b, p: compared(b, p[0], p[1], True), best, points, unroll=25)[0]

    def own_round(best: tuple[Array, Array], point: tuple[Array, Array, Array]) -> Any:
        task, outcome, place = point
        return compared(best, task, outcome, jnp.arange(number) > place)

    nothing = (jnp.full(number, jnp.inf), jnp.zeros(number))
    filled = jnp.minimum(past.rounds, past.tasks.shape[0])
    best = jax.lax.fori_loop(0, filled, one_round, nothing)
    distance, returned = jax.lax.scan(own_round, best, (tasks, outcomes, jnp.arange(number)), unroll=10)[0]
    return returned, jnp.isfinite(distance)


class AlpGmm(Teacher):
    """Gaussians over (task, absolute learning progress), fitted anew every round.

    The progress of a task is how far its return is from that of the nearest earlier task, be it better or worse. A
    Gaussian is chosen in proportion to its mean progress. Sites: `progress`.

    Attributes:
        pace: tasks between two fits; those of the last round are fitted.
        memory: rounds that are remembered as neighbours. The paper forgets none.
        numbers: of Gaussians to choose from (2, 3, ..., 10 in the paper).
        random: share of tasks at random; all of the first round are.
        absolute: 1 is |progress|, 0 is progress with its sign, below 0 counting as none.
        until: rounds after which the Gaussians stay as they are.
    """

    dims: int = eqx.field(static=True)
    pace: int = eqx.field(static=True, default=250)
    memory: int = eqx.field(static=True, default=80)
    numbers: tuple[int, ...] = eqx.field(static=True, default=(2, 4, 6, 8, 10))
    iterations: int = eqx.field(static=True, default=12)
    random: Number = 0.2
    absolute: Number = 1.0
    until: Number = 2**30

    def __check_init__(self) -> None:
        checked("AlpGmm", dims=(self.dims, 1), pace=(self.pace, 1), memory=(self.memory, 1))
        checked("AlpGmm", iterations=(self.iterations, 1), numbers=(min(self.numbers, default=0), 1))

    def start(self) -> Fitted:
        past = Past(
            jnp.full((self.memory, self.pace, self.dims), jnp.inf), jnp.zeros((self.memory, self.pace)), jnp.int32(0)
        )
        return Fitted(Mixture.empty(max(self.numbers), self.dims + 1), jnp.zeros(max(self.numbers)), past)

    def propose(self, state: Fitted, draws: Draws) -> Float[Array, "dim"]:
        return drawn(state.mixture, state.utility, self.random, draws, self.dims)

    def progress(
        self, past: Past, tasks: Float[Array, "pace dim"], outcomes: Float[Array, "pace"]
    ) -> Float[Array, "pace"]:
        """Learning progress of each task of a round."""
        before, known = nearest_before(past, tasks, outcomes)
        change = outcomes - before
        known = known & (past.rounds * self.pace + jnp.arange(self.pace) >= _SILENT)
        return jnp.where(known, jnp.where(self.absolute > 0, jnp.abs(change), change), 0.0)

    def observe(
        self, state: Fitted, tasks: Float[Array, "pace dim"], outcomes: Float[Array, "pace"], key: PRNGKeyArray
    ) -> Fitted:
        past = state.past
        assert past is not None
        progress = site("progress", self.progress(past, tasks, outcomes))
        points = jnp.concatenate([tasks, progress[:, None]], axis=-1)
        fitted, _ = fit(points, key, self.numbers, self.iterations)
        mixture = jax.tree.map(lambda a, b: jnp.where(past.rounds < self.until, a, b), fitted, state.mixture)
        slot = past.rounds % self.memory
        past = Past(past.tasks.at[slot].set(tasks), past.outcomes.at[slot].set(outcomes), past.rounds + 1)
        return Fitted(mixture, jnp.where(mixture.weight > 0, jnp.maximum(mixture.mean[:, -1], 0.0), 0.0), past)
