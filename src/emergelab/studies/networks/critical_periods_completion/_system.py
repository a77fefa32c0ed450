"""The system of the study `critical-periods-completion`: a matrix is completed after another one was."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.nn.linear import effective_rank, entry_order, gaussian, low_rank, product, singular_values

__all__ = ["Completion", "Lesson", "Tasks"]

Layers = tuple[Float[Array, "size size"], ...]
SHOWN = 10


class Tasks(eqx.Module):
    """Two matrices, and the order in which entries of both are uncovered."""

    first: Float[Array, "size size"]
    second: Float[Array, "size size"]
    order: Int[Array, "size size"]


class Lesson(eqx.Module):
    """What is taught at a step: entries of a matrix, where `seen` is 1."""

    truth: Float[Array, "size size"]
    seen: Float[Array, "size size"]


class Completion(el.Training):
    """A product of square matrices is fitted to some entries of one matrix, and then to entries of another."""

    size: int = el.static(40, low=2, high=512, about="rows and columns, n")
    depth: int = el.static(3, low=1, high=8, about="matrices in the product")
    most: int = el.static(15, low=1, high=512, about="largest rank of a task")
    rate: float = el.param(6.4, low=0.0, high=100.0, unit="1", about="learning rate, for a loss averaged over entries")
    scale: float = el.param(1e-3, low=1e-9, high=1.0, unit="1", about="size of the product at first")
    switch: int = el.param(0, low=0, high=10_000_000, unit="step", about="steps that the first task is taught for")
    after: int = el.param(3000, low=0, high=10_000_000, unit="step", about="steps of the second one; then all stops")
    rank: int = el.param(3, low=1, high=512, about="rank of the second task")
    seen: float = el.param(2.05, low=0.0, high=1e4, about="entries shown of it, per free number of such a matrix")
    first: str = el.choice("other", options=("other", "same"), about="first task: another matrix, or the second's own")
    ratio: float = el.param(2.0, low=0.0, high=512.0, about="rank of another matrix, in parts of the second's rank")
    seen_first: float = el.param(
        2.05, low=0.0, high=1e4, about="entries shown of the first task, in the unit of 'seen'"
    )

    observables = (
        el.Observable("error", unit="1", about="mean squared error on all entries of the second task", low=0.0),
        el.Observable("error_hidden", unit="1", about="the same on entries that it never shows", low=0.0, nan_ok=True),
        el.Observable("misfit", unit="1", about="mean squared error on the entries being shown", low=0.0),
        el.Observable("misfit_second", unit="1", about="the same on those of the second task", low=0.0),
        el.Observable("effective_rank", unit="1", about="effective rank of the product", low=1.0),
        el.Observable("singular", unit="1", about="largest singular values of the product, in units of n",
                      dims=("value",), low=0.0),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        most = min(self.most, self.size)
        for name, got in (("rank", self.rank), ("ratio", np.round(self.ratio * self.rank))):
            if np.any(got > most):
                raise el.UserError(
                    f"Completion: parameter {name!r} must give a rank of at most {most}, the least of 'most' and "
                    f"'size', got a rank of {float(got):g}"
                )

    def network(self, key: PRNGKeyArray) -> Layers:
        return gaussian(key, self.size, self.depth, self.scale)

    def given(self, key: PRNGKeyArray) -> Tasks:
        """The seed's tasks; one key each, so that a condition changes the one and keeps the other."""
        of_first, of_second, of_order = jax.random.split(key, 3)
        second = low_rank(of_second, self.size, self.rank, self.most)
        rank_first = jnp.maximum(jnp.round(self.ratio * self.rank), 1.0).astype(jnp.int32)
        other = low_rank(of_first, self.size, rank_first, self.most)
        # A traced choice is the number of its option: 0 is "other".
        first = jnp.where(jnp.asarray(self.first) == 0, other, second)
        return Tasks(first, second, entry_order(of_order, self.size))

    def rule(self) -> optax.GradientTransformation:
        return optax.identity()

    def pace(self, time: Int[Array, ""]) -> Float[Array, ""]:
        """The learning rate: constant, and 0 once both tasks were taught for their time."""
        return jnp.where(time < self.switch + self.after, jnp.asarray(self.rate), 0.0)

    def batch(self, key: PRNGKeyArray, given: Tasks) -> Lesson:
        """All entries that are shown. Site `task`: 1 is the second task, 0 the first."""
        return self.lesson(given, el.site("task", jnp.float32(1.0)))

    def lesson(self, given: Tasks, task: Float[Array, ""]) -> Lesson:
        """The entries that a task shows."""
        second = task > 0.5
        # A matrix of rank r is given by r (2n - r) numbers; with fewer entries than that it cannot be told.
        free = self.rank * (2 * self.size - self.rank)
        shown = given.order < jnp.round(jnp.where(second, self.seen, self.seen_first) * free)
        return Lesson(jnp.where(second, given.second, given.first), shown.astype(jnp.float32))

    def loss(self, net: Layers, batch: Lesson, key: PRNGKeyArray) -> Float[Array, ""]:
        """Half of the mean squared error on the entries shown. Site: `logits`, the matrix as completed."""
        return 0.5 * misfit(el.site("logits", product(net)), batch)

    def step(self, state: el.TrainState, key: PRNGKeyArray) -> el.TrainState:
        """A gradient step on the first task before the switch, on the second one after it."""
        with el.edit(el.Clamp("task", 0.0, where=state.time < self.switch)):
            return super().step(state, key)

    def observe(self, state: el.TrainState, key: PRNGKeyArray) -> dict[str, Array]:
        matrix, tasks = product(state.net), state.given
        second = self.lesson(tasks, jnp.float32(1.0))
        now = self.lesson(tasks, (state.time >= self.switch).astype(jnp.float32))
        everywhere = Lesson(tasks.second, jnp.ones_like(matrix))
        hidden = Lesson(tasks.second, 1.0 - second.seen)
        values = singular_values(matrix)
        return {
            "error": misfit(matrix, everywhere),
            "error_hidden": jnp.where(hidden.seen.any(), misfit(matrix, hidden), jnp.nan),
            "misfit": misfit(matrix, now),
            "misfit_second": misfit(matrix, second),
            "effective_rank": effective_rank(values),
            "singular": values[:SHOWN] / self.size,
        }


def misfit(matrix: Float[Array, "size size"], lesson: Lesson) -> Float[Array, ""]:
    """Mean squared error on the entries of a lesson; 0 if it shows none."""
    wrong = jnp.square(matrix - lesson.truth) * lesson.seen
    return wrong.sum() / jnp.maximum(lesson.seen.sum(), 1.0)
