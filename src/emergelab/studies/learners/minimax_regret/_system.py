"""Two blind students on 5 x 5 boards, and a teacher that says how often each board is set: everything exact."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.teachers.plr import replay_chances

from ._boards import CELLS, NO_GAP, Boards, boards, numbers, values

__all__ = ["MinimaxRegret", "State"]

DISCOUNT = 0.95
TEACHERS = ("chance", "regret", "true regret", "minus return", "replay", "direct")

Tables = tuple[Float[Array, "4"], Float[Array, "4"], Float[Array, "3"]]


class State(eqx.Module):
    """Tables of logits, and what their optimisers remember.

    Attributes:
        protagonist: of the student that all is about.
        antagonist: of the student whose returns its own are compared with.
        teacher: of the lower gap, the upper gap and the goal.
        memory: of the three optimisers.
    """

    protagonist: Float[Array, "cell move"]
    antagonist: Float[Array, "cell move"]
    teacher: Tables
    memory: tuple[optax.OptState, optax.OptState, optax.OptState]


class MinimaxRegret(el.System):
    """One step moves teacher and students along their exact gradients, all at once."""

    teacher: str = el.choice("regret", options=TEACHERS, about="how boards are chosen, or what who chooses is paid")
    rate: float = el.param(0.1, low=0.0, about="the students' learning rate")
    teacher_rate: float = el.param(0.1, low=0.0, about="the teacher's learning rate")
    entropy: float = el.param(0.05, low=0.0, about="weight of the teacher's entropy, in return a nat")
    sharpness: float = el.param(50.0, low=0.0, about="direct: how much of the weight the worst boards get")
    temperature: float = el.param(0.3, low=1e-3, about="replay: of the ranks")
    spread: float = el.param(0.5, low=0.0, about="standard deviation of the first logits")
    moves: int = el.static(40, low=12, unit="move", about="longest episode")

    observables: ClassVar[tuple[el.Observable, ...]] = (
        el.Observable("worst", unit="1", about="the protagonist's largest regret over all boards", low=0.0, high=1.0),
        el.Observable("mean_regret", unit="1", about="its regret, mean over all boards that can be solved", low=0.0),
        el.Observable("mean_return", unit="1", about="its return, mean over all boards that can be solved", low=0.0),
        el.Observable("set_regret", unit="1", about="its regret on the boards that are set"),
        el.Observable("claimed_regret", unit="1", about="the antagonist's return minus its own, on the boards set"),
        el.Observable("solvable", unit="1", about="boards set that can be solved", low=0.0, high=1.0),
        el.Observable("way", unit="1", about="moves of the shortest way, boards set that can be solved", nan_ok=True),
        el.Observable("teacher_entropy", unit="nat", about="entropy of what is set", low=0.0),
        el.Observable("by_board", dims=("board",), unit="1", about="its regret on each board that can be solved"),
    )

    def init(self, key: PRNGKeyArray) -> State:
        of_protagonist, of_antagonist, of_teacher = jax.random.split(key, 3)
        students = [self.spread * jax.random.normal(k, (CELLS, 4)) for k in (of_protagonist, of_antagonist)]
        keys = jax.random.split(of_teacher, 3)
        teacher = tuple(self.spread * jax.random.normal(k, (n,)) for k, n in zip(keys, (4, 4, 3), strict=True))
        rule = optax.scale_by_adam()
        memory = (rule.init(students[0]), rule.init(students[1]), rule.init(teacher))
        return State(students[0], students[1], teacher, memory)

    def step(self, state: State, key: PRNGKeyArray) -> State:
        tables = self._boards()
        own, rival = self._returns(state.protagonist), self._returns(state.antagonist)
        chance = el.site("chance", self._set(state, own))

        def gain(logits: Float[Array, "cell move"]) -> Float[Array, ""]:
            return jnp.sum(chance * self._returns(logits))

        paid = el.site("payment", self._payment(own, rival, tables))

        def income(teacher: Tables) -> Float[Array, ""]:
            every = _product(teacher)
            surprise = -jnp.sum(every * jnp.log(every + 1e-12))
            return jnp.sum(every[_solvable()] * paid) + self.entropy * surprise

        rates = (self.rate, self.rate, self.teacher_rate)
        slopes = (jax.grad(gain)(state.protagonist), jax.grad(gain)(state.antagonist), jax.grad(income)(state.teacher))
        players = (state.protagonist, state.antagonist, state.teacher)
        moved, memory = [], []
        for player, slope, old, rate in zip(players, slopes, state.memory, rates, strict=True):
            direction, new = optax.scale_by_adam().update(slope, old)
            moved.append(jax.tree.map(lambda x, d, r=rate: x + r * d, player, direction))
            memory.append(new)
        return State(moved[0], moved[1], moved[2], (memory[0], memory[1], memory[2]))

    def _boards(self) -> Boards:
        return boards(DISCOUNT)

    def _returns(self, logits: Float[Array, "cell move"]) -> Float[Array, "board"]:
        return values(jax.nn.softmax(logits), self._boards(), DISCOUNT, self.moves)

    def _payment(
        self, own: Float[Array, "board"], rival: Float[Array, "board"], tables: Boards
    ) -> Float[Array, "board"]:
        """What the teacher is paid for each board that can be solved; for others it is 0, whoever pays."""
        true = jnp.asarray(tables.best, jnp.float32) - own
        nothing = jnp.zeros_like(own)
        return jnp.stack([nothing, rival - own, true, -own, nothing, nothing])[self.teacher]

    def _set(self, state: State, own: Float[Array, "board"]) -> Float[Array, "board"]:
        """How often each board that can be solved is set; what is missing to 1 falls to those that cannot."""
        regret = jnp.asarray(self._boards().best, jnp.float32) - own
        even = jnp.full(own.shape, 1.0 / len(numbers()))
        drawn = _product(state.teacher)[_solvable()]
        ranks = replay_chances(regret, jnp.zeros_like(own), jnp.ones(own.shape, bool), self.temperature, 0.0)
        worst = jax.nn.softmax(self.sharpness * regret)
        return jnp.stack([even, drawn, drawn, drawn, ranks, worst])[self.teacher]

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        tables = self._boards()
        own, rival = self._returns(state.protagonist), self._returns(state.antagonist)
        regret = jnp.asarray(tables.best, jnp.float32) - own
        chance = self._set(state, own)
        rest = jnp.maximum(1.0 - jnp.sum(chance), 1e-12)
        return {
            "worst": jnp.max(regret),
            "mean_regret": jnp.mean(regret),
            "mean_return": jnp.mean(own),
            "set_regret": jnp.sum(chance * regret),
            "claimed_regret": jnp.sum(chance * (rival - own)),
            "solvable": jnp.sum(chance),
            "way": jnp.sum(chance * tables.way) / jnp.sum(chance),
            "teacher_entropy": jnp.maximum(-jnp.sum(chance * jnp.log(chance + 1e-12)) - rest * jnp.log(rest), 0.0),
            "by_board": regret,
        }


def _product(teacher: Tables) -> Float[Array, "48"]:
    """How often each triple of numbers is drawn, in the order of `numbers`."""
    lower, upper, goal = (jax.nn.softmax(x) for x in teacher)
    return jnp.einsum("i,j,k->ijk", lower, upper, goal).ravel()


def _solvable() -> Int[np.ndarray, "board"]:
    """Which of all triples can be solved."""
    return np.flatnonzero(numbers()[:, :2].max(1) < NO_GAP)
