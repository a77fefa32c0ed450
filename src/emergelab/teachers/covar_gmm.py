"""Covar-GMM: tasks are drawn where returns rise with time (Moulin-Frier, Nguyen, Oudeyer 2013)."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from emergelab.teachers.alp_gmm import Fitted, drawn
from emergelab.teachers.base import Draws, Number, Teacher, checked
from emergelab.teachers.mixtures import Mixture, fit

__all__ = ["CovarGmm"]


class CovarGmm(Teacher):
    """Gaussians over (task, time within the round, return), fitted anew every round.

    A Gaussian is worth the covariance of its times and returns, and nothing if that is negative. Attributes as in
    `AlpGmm`.
    """

    dims: int = eqx.field(static=True)
    pace: int = eqx.field(static=True, default=250)
    numbers: tuple[int, ...] = eqx.field(static=True, default=(2, 4, 6, 8, 10))
    iterations: int = eqx.field(static=True, default=12)
    random: Number = 0.2

    def __check_init__(self) -> None:
        checked("CovarGmm", dims=(self.dims, 1), pace=(self.pace, 1), iterations=(self.iterations, 1))
        checked("CovarGmm", numbers=(min(self.numbers, default=0), 1))

    def start(self) -> Fitted:
        return Fitted(Mixture.empty(max(self.numbers), self.dims + 2), jnp.zeros(max(self.numbers)))

    def propose(self, state: Fitted, draws: Draws) -> Float[Array, "dim"]:
        return drawn(state.mixture, state.utility, self.random, draws, self.dims)

    def observe(
        self, state: Fitted, tasks: Float[Array, "pace dim"], outcomes: Float[Array, "pace"], key: PRNGKeyArray
    ) -> Fitted:
        time = jnp.arange(self.pace) / self.pace
        points = jnp.concatenate([tasks, time[:, None], outcomes[:, None]], axis=-1)
        mixture, _ = fit(points, key, self.numbers, self.iterations)
        together = mixture.covariance[:, -2, -1]
        return Fitted(mixture, jnp.where(mixture.weight > 0, jnp.maximum(together, 0.0), 0.0))
