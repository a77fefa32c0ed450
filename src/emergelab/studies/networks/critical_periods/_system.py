"""The system of the study `critical-periods`: two pathways learn one task together, and one of them may be deprived."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.nn.linear import Modes, balanced, hierarchy, motion, orthonormal, strengths

__all__ = ["NEVER", "Paths", "TwoPaths"]

NEVER = 1_000_000
Layers = tuple[Float[Array, "_ _"], ...]
ACTS: dict[str, Callable[[Array], Array]] = {"linear": lambda x: x, "tanh": jnp.tanh, "relu": jax.nn.relu}


class Paths(eqx.Module):
    """The weights of both pathways, the layer nearest to the input first."""

    a: Layers
    b: Layers


class TwoPaths(el.Training):
    """Two pathways of equal depth whose outputs are added learn a hierarchy of features by gradient descent."""

    levels: int = el.static(3, low=1, high=6, about="forks of the hierarchy: 2^levels items")
    width: int = el.static(32, low=2, high=1024, about="width of the hidden layers, at least the number of items")
    depth: int = el.static(3, low=1, high=12, about="layers of each pathway")
    act: str = el.choice("linear", options=tuple(ACTS), static=True, about="what follows every layer, the last too")
    rate: float = el.param(0.01, low=0.0, high=1.0, unit="1", about="learning rate")
    start: float = el.param(0.01, low=1e-6, high=10.0, unit="1", about="strength of every mode of a pathway at first")
    scatter: float = el.param(0.1, low=0.0, high=1.0, unit="1", about="its relative spread over modes, in both alike")
    apart: float = el.param(0.0, low=0.0, high=1.0, unit="1", about="its relative spread in pathway B on top of that")
    onset: int = el.param(NEVER, low=0, high=NEVER, unit="step", about="when B stops learning")
    length: int = el.param(150, low=0, high=NEVER, unit="step", about="for how long")
    gate: float = el.param(1.0, low=0.0, high=1.0, unit="1", about="share of these steps that B does not learn in")
    lesion: int = el.param(-1, low=-1, high=63, about="mode that A lacks for good; -1 is none")

    observables = (
        el.Observable("loss", unit="1", about="half of the summed squared error over all items and features", low=0.0),
        el.Observable("strength_a", unit="1", about="what pathway A has of each mode, K_a", dims=("mode",)),
        el.Observable("strength_b", unit="1", about="what pathway B has of each mode, K_b", dims=("mode",)),
        el.Observable("ode_a", unit="1", about="K_a by the equation of motion", dims=("mode",), nan_ok=True),
        el.Observable("ode_b", unit="1", about="K_b by the equation of motion", dims=("mode",), nan_ok=True),
        el.Observable("share", unit="1", about="K_b / (K_a + K_b) of the modes of a level", dims=("level",),
                      low=0.0, high=1.0, nan_ok=True),
        el.Observable("learnt", unit="1", about="(K_a + K_b) / S of the modes of a level", dims=("level",), low=0.0),
        el.Observable("leak", unit="1", about="largest element of a pathway that is in no mode", low=0.0),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 2**self.levels:
            raise el.UserError(
                f"TwoPaths: parameter 'width' must be at least 2^levels={2**self.levels}, got {self.width}"
            )

    @property
    def task(self) -> Modes:
        """What is to be learnt."""
        return hierarchy(self.levels)

    def network(self, key: PRNGKeyArray) -> Paths:
        of_basis, of_both, of_b = jax.random.split(key, 3)
        task, modes = self.task, (2**self.levels,)
        hidden = orthonormal(of_basis, self.width, *modes)

        def path(strength: Float[Array, "mode"]) -> Layers:
            return balanced(strength, jnp.asarray(task.left), jnp.asarray(task.right), hidden, self.depth)

        # The strongest modes start strongest, as in the authors' code.
        both = jnp.sort(1.0 + self.scatter * jax.random.normal(of_both, modes), descending=True)
        more = 1.0 + self.apart * jax.random.normal(of_b, modes)
        a, b = (self.start * jnp.maximum(x, 0.0) for x in (both, both * more))
        return Paths(path(a), path(b))

    def init(self, key: PRNGKeyArray) -> el.TrainState:
        # What the equation of motion starts from is kept for `observe`.
        state = super().init(key)
        return el.TrainState(state.net, state.memory, self._strengths(state.net), state.time)

    def rule(self) -> optax.GradientTransformation:
        return optax.identity()

    def batch(self, key: PRNGKeyArray, given: Float[Array, "path mode"]) -> Float[Array, "feature item"]:
        """All items at once: what each should be answered with."""
        return jnp.asarray(self.task.target)

    def loss(self, net: Paths, batch: Float[Array, "feature item"], key: PRNGKeyArray) -> Float[Array, ""]:
        """Half of the summed squared error. Sites: `a.out`, `b.out`, `logits` and those of the layers."""
        a, b = self.outputs(net)
        return 0.5 * jnp.square(el.site("logits", a + b) - batch).sum()

    def step(self, state: el.TrainState, key: PRNGKeyArray) -> el.TrainState:
        """A gradient step, in which B may be closed: its weights stay, and so does its output."""
        of_gate, of_step = jax.random.split(key)
        closed = self._deficit(state.time) & (jax.random.uniform(of_gate) < self.gate)
        with el.edit(el.Scale("update.b.*", 1.0 - closed)):
            return super().step(state, of_step)

    def outputs(self, net: Paths) -> tuple[Float[Array, "feature item"], Float[Array, "feature item"]]:
        """What each pathway answers to each item. Sites, under `a` and `b`: `L.i.mid`, `L.i.act`, `out`."""
        with el.scope("a"):
            a = el.site("out", self._lesioned(self._answer(net.a)))
        with el.scope("b"):
            b = el.site("out", self._answer(net.b))
        return a, b

    def _answer(self, layers: Layers) -> Float[Array, "feature item"]:
        h = jnp.eye(2**self.levels)
        for i, layer in enumerate(layers):
            with el.scope("L", i):
                h = el.site("act", ACTS[self.act](el.site("mid", layer @ h)))
        return h

    def _lacking(self) -> Bool[Array, "mode"]:
        return jnp.arange(2**self.levels) == self.lesion

    def _lesioned(self, matrix: Float[Array, "feature item"]) -> Float[Array, "feature item"]:
        """Without the lesioned mode, neither as a direction of the output nor as one of the input."""
        task, lacking = self.task, self._lacking()
        matrix = matrix - (task.left * lacking) @ (task.left.T @ matrix)
        return matrix - (matrix @ task.right) @ (task.right * lacking).T

    def _deficit(self, time: Int[Array, ""]) -> Bool[Array, ""]:
        return (time >= self.onset) & (time - self.onset < self.length)

    def _strengths(self, net: Paths) -> Float[Array, "path mode"]:
        return jnp.stack([jnp.diagonal(strengths(x, self.task)) for x in self.outputs(net)])

    def _pace(self, time: Int[Array, ""]) -> Float[Array, "path"]:
        """How fast the pathways learn at a step, on average over the gate's coin."""
        return jnp.stack([jnp.ones(()), 1.0 - self.gate * self._deficit(time)])

    def observe(self, state: el.TrainState, key: PRNGKeyArray) -> dict[str, Array]:
        task, outputs = self.task, self.outputs(state.net)
        target = jnp.asarray(task.strength)
        k = self._strengths(state.net)
        if self.act == "linear":
            active = jnp.stack([~self._lacking(), jnp.ones_like(target, bool)])
            rate = jnp.asarray(self.rate)
            ode = motion(state.given, target, self.depth, rate, state.time, self._pace, active)
        else:
            ode = jnp.full_like(k, jnp.nan)
        member = jax.nn.one_hot(task.level, self.levels + 1)
        in_b, in_both = k[1] @ member, k.sum(axis=0) @ member
        beside = [x - (task.left * s) @ task.right.T for x, s in zip(outputs, k, strict=True)]
        return {
            "loss": self.loss(state.net, self.batch(key, state.given), key),
            "strength_a": k[0],
            "strength_b": k[1],
            "ode_a": ode[0],
            "ode_b": ode[1],
            "share": jnp.where(in_both > 1e-6, in_b / in_both, jnp.nan),
            "learnt": in_both / (target @ member),
            "leak": jnp.abs(jnp.stack(beside)).max(),
        }
