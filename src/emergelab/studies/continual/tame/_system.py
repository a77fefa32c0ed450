"""The system of the study `tame`: experts that hand over when the loss jumps, where nobody tells of a new task."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.continual import streams as sm
from emergelab.continual.data import Labelled, load
from emergelab.continual.learning import Perceptron
from emergelab.continual.memory import Reservoir
from emergelab.continual.streams import Batch, Tasks

__all__ = ["BORDERS", "Bank", "Tame"]

BORDERS = ("losses", "told", "none")
"""How the learner comes to know of a new task: from its losses, by being told, or not at all."""
EARLY = 5
"""Losses that an expert must have seen before it can be surprised."""


class Bank(eqx.Module):
    """Where the learner stands.

    Attributes:
        experts: their networks, stacked.
        moments: momentum of each.
        losses: of each, the last ones that it was trained on, the newest last.
        seen: how many each was trained on.
        smooth: of each, the smoothed loss of its own time.
        active: who learns now.
        used: how many experts there are.
        memory: examples met, with the number of the expert that learnt them in the label's place.
        who: of every step so far, who was active.
        tasks: the stream's.
        time: steps made.
    """

    experts: PyTree
    moments: PyTree
    losses: Float[Array, "expert loss"]
    seen: Int[Array, "expert"]
    smooth: Float[Array, "expert"]
    active: Int[Array, ""]
    used: Int[Array, ""]
    memory: Reservoir
    who: Int[Array, "step"]
    tasks: Tasks
    time: Int[Array, ""]


class Tame(el.System):
    """A bank of experts on a stream of blocks; one step is one batch."""

    world: str = el.choice("permuted", options=("permuted", "split"), static=True, about="what tasks differ in")
    kinds: int = el.static(5, low=2, high=50, about="different tasks (5 if the world is split)")
    per_block: int = el.static(120, low=2, high=100_000, about="steps in a block")
    batch: int = el.static(32, low=2, high=65_536, about="examples in a step")
    hidden: int = el.static(32, low=2, high=4096, about="units of each of two hidden layers of an expert")
    experts: int = el.static(10, low=2, high=100, about="room for experts")
    slots: int = el.static(300, low=1, high=100_000, about="examples kept for whoever is to choose an expert")
    history: int = el.static(100, low=2, high=10_000, about="losses that an expert can keep, the largest window")
    order: Int[np.ndarray, "6"] = el.param(np.array([0, 1, 2, 3, 4, 0]), low=0, high=49, about="task of every block")
    borders: str = el.choice("losses", options=BORDERS, about="how the learner knows of a new task")
    window: int = el.param(25, low=2, high=10_000, about="losses behind a threshold, at most `history`")
    smoothing: float = el.param(0.2, low=0.0, high=1.0, unit="1", about="weight of the newest loss; 1 is no smoothing")
    sigmas: float = el.param(3.0, low=0.0, high=100.0, about="standard deviations above the mean that are a surprise")
    least: float = el.param(0.005, low=0.0, high=100.0, unit="nat", about="least standard deviation")
    blend: int = el.param(0, low=0, high=100_000, about="steps over which a block's task comes in, evenly")
    garbled: float = el.param(0.0, low=0.0, high=1.0, unit="1", about="random labels in 20 steps from `garbled_at`")
    garbled_at: int = el.param(90, low=0, high=1_000_000, about="step")
    rate: float = el.param(0.05, low=0.0, high=10.0, about="learning rate")
    momentum: float = el.param(0.9, low=0.0, high=1.0, unit="1", about="share of the last update that goes on")

    observables: ClassVar[tuple[el.Observable, ...]] = (
        el.Observable("experts", unit="1", about="experts in use", low=1.0),
        el.Observable("loss", unit="nat", about="smoothed loss of the active expert", low=0.0),
        el.Observable("threshold", unit="nat", about="above which it is surprised", nan_ok=True),
        el.Observable("active", unit="1", about="number of the active expert", low=0.0),
        el.Observable("task", unit="1", about="number of the block's task", low=0.0),
        el.Observable("missed", unit="1", about="share of past borders without a change of expert", nan_ok=True),
        el.Observable("delay", unit="1", about="steps from a border to the change, mean of those found", nan_ok=True),
        el.Observable("false", unit="1", about="changes that are not the first after a border", low=0.0),
        el.Observable("agreement", unit="1", about="adjusted Rand index of experts and tasks, over steps", nan_ok=True),
        el.Observable("accuracy", unit="1", about="on tasks met, by each one's own expert, after blocks", nan_ok=True),
        el.Observable("routed", unit="1", about="the same, by the expert chosen for each example", nan_ok=True),
        el.Observable("selected", unit="1", about="examples for which that is the task's own", nan_ok=True),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.world == "split" and self.kinds != 5:
            raise el.UserError(f"Tame: parameter 'kinds' must be 5 where the world is split, got {self.kinds}")

    # -- the stream ------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Steps of the whole stream."""
        return 6 * self.per_block

    def data(self) -> Labelled:
        """The examples."""
        return load("digits")

    def task_at(self, time: Int[Array, "*lead"]) -> Int[Array, "*lead"]:
        """The task of the block in which a step lies."""
        return jnp.asarray(self.order)[jnp.clip(time // self.per_block, 0, 5)] % self.kinds

    def shares(self, time: Int[Array, ""]) -> Float[Array, "task"]:
        """Of which tasks a step's examples are. Site: `shares`."""
        inside = time % self.per_block
        old = self.task_at(jnp.maximum(time - self.per_block, 0))
        come_in = jnp.clip((inside + 1) / (jnp.asarray(self.blend) + 1.0), 0.0, 1.0)
        come_in = jnp.where(time < self.per_block, 1.0, come_in)
        of_new, of_old = (jax.nn.one_hot(t, self.kinds) for t in (self.task_at(time), old))
        return el.site("shares", come_in * of_new + (1.0 - come_in) * of_old)

    def met(self, state: Bank, key: PRNGKeyArray) -> Batch:
        """A step's examples. Sites: `batch.x`, `batch.y`."""
        of_batch, of_which, of_label = jax.random.split(key, 3)
        batch = sm.drawn(of_batch, state.tasks, self.shares(state.time), self.data(), self.batch)
        during = (state.time >= self.garbled_at) & (state.time < jnp.asarray(self.garbled_at) + 20)
        hit = jax.random.bernoulli(of_which, self.garbled, batch.y.shape) & during
        label = jnp.where(hit, jax.random.randint(of_label, batch.y.shape, 0, 10), batch.y).astype(jnp.int32)
        return Batch(el.site("batch.x", batch.x), el.site("batch.y", label), batch.task)

    # -- learning --------------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray) -> Bank:
        of_experts, of_tasks = jax.random.split(key)
        data = self.data()
        sizes = (data.features, self.hidden, self.hidden, data.classes)
        experts = jax.vmap(lambda k: Perceptron(k, sizes))(jax.random.split(of_experts, self.experts))
        make = sm.permuted if self.world == "permuted" else sm.split
        nobody = jnp.zeros(self.experts)
        return Bank(
            experts, jax.tree.map(jnp.zeros_like, experts), jnp.zeros((self.experts, self.history)),
            nobody.astype(jnp.int32), nobody, jnp.int32(0), jnp.int32(1),
            Reservoir.empty(self.slots, data.features, 1), jnp.full(self.steps, -1, jnp.int32),
            make(of_tasks, self.kinds, data), jnp.int32(0),
        )  # fmt: skip

    def thresholds(self, state: Bank) -> Float[Array, "expert"]:
        """Above which smoothed loss each expert is surprised; infinite while it has hardly learnt."""
        count = jnp.minimum(jnp.minimum(state.seen, jnp.asarray(self.window)), self.history)
        newest = jnp.arange(self.history)[::-1] < count[:, None]
        n = jnp.maximum(count, 1)
        mean = (state.losses * newest).sum(axis=1) / n
        spread = jnp.sqrt((((state.losses - mean[:, None]) ** 2) * newest).sum(axis=1) / n)
        limit = mean + jnp.asarray(self.sigmas) * jnp.maximum(spread, jnp.asarray(self.least))
        return jnp.where(count >= EARLY, limit, jnp.inf)

    def chosen(self, state: Bank, glance: Float[Array, "expert"]) -> tuple[Int[Array, ""], Int[Array, ""]]:
        """Who learns this batch, and how many experts there are then. Site: `surprise`.

        Args:
            state: before the batch.
            glance: of each expert its smoothed loss with this batch in it.
        """
        limits, number = self.thresholds(state), jnp.arange(self.experts)
        jump = el.site("surprise", (glance[state.active] > limits[state.active]).astype(jnp.float32)) > 0.5
        knows = (number < state.used) & (number != state.active) & (glance < limits) & jnp.isfinite(limits)
        room = state.used < self.experts
        successor = jnp.where(knows.any(), knows.argmax(), jnp.where(room, state.used, state.active))
        by_losses = jnp.where(jump, successor, state.active)
        how = jnp.asarray(self.borders)
        active = jnp.where(how == 0, by_losses, jnp.where(how == 1, self.task_at(state.time), 0)).astype(jnp.int32)
        return active, jnp.maximum(state.used, active + 1).astype(jnp.int32)

    def step(self, state: Bank, key: PRNGKeyArray) -> Bank:
        of_batch, of_memory = jax.random.split(key)
        batch = self.met(state, of_batch)

        def loss(net: PyTree) -> Float[Array, ""]:
            return optax.softmax_cross_entropy_with_integer_labels(net(batch.x), batch.y).mean()

        with el.scope("bank"):
            losses = el.site_vmap(loss)(state.experts)
        losses = el.site("losses", losses)
        a = jnp.asarray(self.smoothing)
        glance = jnp.where(state.smooth == 0.0, losses, a * losses + (1.0 - a) * state.smooth)
        active, used = self.chosen(state, glance)
        # Who falls asleep keeps the smoothed loss of its own time, without the batch that sent it to sleep. Who is
        # called begins anew, or it would be surprised at once.
        number = jnp.arange(self.experts)
        fresh = jnp.where(active == state.active, glance, losses)
        smooth = jnp.where(number == active, fresh, state.smooth)
        net, moment = (jax.tree.map(lambda x: x[active], t) for t in (state.experts, state.moments))
        slope = el.site_grad(loss)(net)
        moment = jax.tree.map(lambda m, g: jnp.asarray(self.momentum) * m + g, moment, slope)
        update = jax.tree.map(lambda m: -jnp.asarray(self.rate) * m, moment)
        experts = jax.tree.map(lambda x, u: x.at[active].add(u), state.experts, update)
        moments = jax.tree.map(lambda x, m: x.at[active].set(m), state.moments, moment)
        row = jnp.roll(state.losses[active], -1).at[-1].set(losses[active])
        known = Batch(batch.x, jnp.full(self.batch, active), batch.task)
        return Bank(
            experts, moments, state.losses.at[active].set(row), state.seen.at[active].add(1), smooth, active, used,
            state.memory.after(known, jnp.zeros((self.batch, 1)), of_memory),
            state.who.at[state.time].set(active, mode="drop"), state.tasks, state.time + 1,
        )  # fmt: skip

    # -- what it shows ---------------------------------------------------------------------------------------------

    def observe(self, state: Bank, key: PRNGKeyArray) -> dict[str, Array]:
        now = jnp.maximum(state.time - 1, 0)
        limit = self.thresholds(state)[state.active]
        after = (state.time > 0) & (state.time % self.per_block == 0)
        nothing = jnp.full(3, jnp.nan)
        right, routed, selected = el.when(after, self.marks, (state, key), nothing)
        end = state.time >= self.steps
        return {
            "experts": state.used.astype(jnp.float32),
            "loss": state.smooth[state.active],
            "threshold": jnp.where(jnp.isfinite(limit), limit, jnp.nan),
            "active": state.active.astype(jnp.float32),
            "task": self.task_at(now).astype(jnp.float32),
            **self.segmentation(state),
            "accuracy": right,
            "routed": jnp.where(end, routed, jnp.nan),
            "selected": jnp.where(end, selected, jnp.nan),
        }

    def marks(self, state: Bank, key: PRNGKeyArray) -> Float[Array, "3"]:
        """Means over tasks met: accuracy by the own expert, by the chosen one, and how often those are one."""
        own, met = self.owners(state)
        return jnp.stack([(v * met).sum() / met.sum() for v in self.examined(state, own, key)])

    def table(self, state: Bank) -> Float[Array, "expert task"]:
        """How many steps each expert learnt in blocks of each task."""
        steps = jnp.arange(self.steps)
        there = (steps < state.time)[:, None]
        by_expert = jax.nn.one_hot(state.who, self.experts) * there
        return by_expert.T @ jax.nn.one_hot(self.task_at(steps), self.kinds)

    def owners(self, state: Bank) -> tuple[Int[Array, "task"], Float[Array, "task"]]:
        """Of each task the expert that learnt it most, and whether it was met."""
        table = self.table(state)
        return table.argmax(axis=0).astype(jnp.int32), (table.sum(axis=0) > 0).astype(jnp.float32)

    def segmentation(self, state: Bank) -> dict[str, Array]:
        """Changes of expert against borders of blocks whose task differs from the one before."""
        steps = jnp.arange(1, self.steps)
        changed = (state.who[1:] != state.who[:-1]) & (steps < state.time)
        first = jnp.arange(1, 6) * self.per_block
        real = (self.task_at(first) != self.task_at(first - 1)) & (first < state.time)
        inside = (steps >= first[:, None]) & (steps < first[:, None] + self.per_block) & changed
        found = inside.any(axis=1) & real
        delay = jnp.where(found, inside.argmax(axis=1) + 1 - first, 0)
        table = self.table(state)
        return {
            "missed": jnp.where(real.any(), 1.0 - found.sum() / jnp.maximum(real.sum(), 1), jnp.nan),
            "delay": jnp.where(found.any(), delay.sum() / jnp.maximum(found.sum(), 1), jnp.nan),
            "false": (changed.sum() - found.sum()).astype(jnp.float32),
            "agreement": _rand(table),
        }

    def examined(
        self, state: Bank, own: Int[Array, "task"], key: PRNGKeyArray
    ) -> tuple[Float[Array, "task"], Float[Array, "task"], Float[Array, "task"]]:
        """Of every task: accuracy of its own expert, of the expert chosen by example, and how often those are one."""
        data, total = self.data(), self.steps
        x, y = jnp.asarray(data.x_test), jnp.asarray(data.y_test)
        nothing = Perceptron(key, (data.features, 64, self.experts))
        selector = el.when(state.time >= total, self.selector, (state.memory, nothing, key), nothing)

        def one(none: None, task: Int[Array, ""]) -> tuple[None, tuple[Array, Array, Array]]:
            shown, asked = sm.shown(state.tasks, task, x), state.tasks.member[task][y]
            with el.scope("examined"):
                right = el.site_vmap(lambda net: net(shown).argmax(axis=1) == y)(state.experts)
            with el.scope("selector"):
                who = selector(shown).argmax(axis=1)
            mine, theirs = right[own[task]], right[who, jnp.arange(len(y))]
            n = asked.sum()
            return none, tuple((v & asked).sum() / n for v in (mine, theirs, who == own[task]))

        return el.site_scan(one, None, jnp.arange(self.kinds, dtype=jnp.int32))[1]

    def selector(self, memory: Reservoir, net: Perceptron, key: PRNGKeyArray) -> Perceptron:
        """A network that tells from an example which expert learnt its like, trained on what was kept."""
        rule = optax.adam(3e-3)

        def lesson(carry: tuple[PyTree, PyTree], key: PRNGKeyArray) -> tuple[tuple[PyTree, PyTree], None]:
            net, moments = carry
            batch, _, _ = memory.drawn(key, 64)

            def loss(net: PyTree) -> Float[Array, ""]:
                return optax.softmax_cross_entropy_with_integer_labels(net(batch.x), batch.y).mean()

            update, moments = rule.update(jax.grad(loss)(net), moments)
            return (optax.apply_updates(net, update), moments), None

        return jax.lax.scan(lesson, (net, rule.init(net)), jax.random.split(key, 300))[0][0]


def _rand(table: Float[Array, "expert task"]) -> Float[Array, ""]:
    """Adjusted Rand index of two partitions from their table of counts (Hubert and Arabie 1985)."""

    def pairs(n: Array) -> Array:
        return (n * (n - 1) / 2).sum()

    both, one, other, total = pairs(table), pairs(table.sum(1)), pairs(table.sum(0)), pairs(table.sum())
    by_chance = one * other / jnp.maximum(total, 1.0)
    best = (one + other) / 2
    return jnp.where(best > by_chance, (both - by_chance) / jnp.where(best > by_chance, best - by_chance, 1.0), jnp.nan)
