"""The system of the study `culture`: one network that learns to learn from others, or lineages of networks that do."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.rl.learner import Learner, mean_total
from emergelab.rl.networks import ActorCritic, Recurrent
from emergelab.worlds.sequence import MemorySequence

from . import _weights as weights
from ._lineages import TESTS, grow, one_life, stacked
from ._scholar import Scholar


def _shown(name: str, dims: tuple[str, ...], about: str, unit: str = "1", **more: Any) -> el.Observable:
    return el.Observable(name, dims=dims, unit=unit, about=about, nan_ok=True, low=0.0, **more)


BY_TEST = ("test", "generation")


class Culture(Learner):
    """Agents that guess a hidden sequence, alone and by watching others, generation after generation."""

    rate: float = el.param(1e-3, low=0.0, high=1.0, about="learning rate")
    entropy: float = el.param(0.03, about="weight of the policy's entropy, reward a nat")
    lanes: int = el.static(64, low=1, about="environments played side by side")
    horizon: int = el.static(64, low=1, about="steps of each environment between two updates")
    passes: int = el.static(2, low=1, about="passes over what happened, each update")
    parts: int = el.static(4, low=1, about="gradient steps each pass")

    form: str = el.choice(
        "in context", options=("in context", "in weights"), static=True,
        about="generations are episodes of one network, or training runs of many",
    )  # fmt: skip
    player: str = el.choice(
        "network", options=("network", "scholar"), static=True,
        about="a network that learns, or a player that forgets nothing and need not learn",
    )  # fmt: skip
    symbols: int = el.static(3, low=2, high=64, about="symbols, K")
    length: int = el.static(24, low=2, high=256, about="length of the hidden sequence, L")
    others: int = el.static(3, low=1, high=16, about="others beside an agent, n")
    trials: int = el.static(4, low=2, high=16, about="trials of a life, M")
    generations: int = el.static(8, low=2, high=64, about="generations of a lineage")
    members: int = el.static(3, low=1, high=16, about="members of a generation; at least as many as others")
    lineages: int = el.static(32, low=2, high=4096, about="lineages grown from a trained network")
    units: int = el.static(64, low=1, about="units of the recurrent layer")
    width: int = el.static(64, low=1, about="units of the layers below and above it")
    turns: int = el.static(8, low=1, about="updates in a step (in weights)")
    span: int = el.param(4, low=1, about="trials of an episode in training; at most generations x trials")
    reach: float = el.param(0.5, low=0.0, about="the others in training are right u times in a row, u at most this")
    watch: float = el.param(1.0, low=0.0, high=1.0, unit="1", about="scales the chance to see others in training")
    until: int = el.param(150, low=1, about="updates until the rate is 0 and lineages are grown (in context)")
    lifetime: int = el.param(96, low=1, about="updates of a generation (in weights)")
    reborn: float = el.param(1.0, low=0.0, high=1.0, about="whether generations begin with new weights (in weights)")

    observables = (
        _shown("total", (), "reward of the last episodes of training"),
        _shown("policy_entropy", (), "entropy of the policy in the last update", "nat"),
        _shown("now", (), "in weights: right guesses of a member alone, at this time"),
        _shown("now_best", (), "in weights: the same of the best member"),
        _shown("alone", BY_TEST, "right guesses in a trial alone at the end of a life"),
        _shown("greedy", BY_TEST, "the same when the most likely guess is made"),
        _shown("best", BY_TEST, "right guesses of the best member"),
        _shown("spread", BY_TEST, "standard deviation between lineages"),
        _shown("beyond", BY_TEST, "share of members that get further alone than their best teacher had", high=1.0),
        _shown("score", (*BY_TEST, "trial"), "right guesses in each trial"),
        _shown("copied", (*BY_TEST, "trial", "advice"), "share of advice copied: wrong, right", high=1.0),
        _shown("life", ("moment",), "right guesses in each trial of one long life alone"),
        _shown("reached", (), "right guesses at the end: of the last generation, or of one life if others never help"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        for ok, wrong in (
            (self.members >= self.others, f"'members' must be at least others={self.others}, got {self.members}"),
            (
                np.all(self.span <= self.slots),
                f"'span' must be at most generations * trials = {self.slots}, got {self.span}",
            ),
            (self.lanes % self.parts == 0, f"'parts' must divide lanes={self.lanes}, got {self.parts}"),
        ):
            if not ok:
                raise el.UserError(f"Culture: parameter {wrong}")

    @property
    def slots(self) -> int:
        """Most trials that an episode can have: those of a whole lineage."""
        return self.generations * self.trials

    def world(self) -> MemorySequence:
        in_weights = self.form == "in weights"
        return MemorySequence(
            trials=jnp.int32(1) if in_weights else jnp.asarray(self.span), reach=jnp.asarray(self.reach),
            watch=jnp.asarray(self.watch), symbols=self.symbols, length=self.length, others=self.others,
            slots=self.slots,
        )  # fmt: skip

    def network(self, key: PRNGKeyArray) -> ActorCritic:
        if self.player == "scholar":
            return Scholar(self.symbols, self.length, self.others)
        world = self.world()
        return Recurrent(
            key, world.inputs, world.actions, units=self.units, before=(self.width,), widths=(self.width,),
            bend=jax.nn.leaky_relu,
        )  # fmt: skip

    def pace(self, time: Int[Array, ""]) -> Float[Array, ""]:
        """Falls to 0 in context, as published; constant in weights."""
        if self.form == "in weights":
            return jnp.asarray(self.rate)
        return self.rate * jnp.maximum(1 - time / self.until, 0.0)

    def init(self, key: PRNGKeyArray) -> PyTree[Array]:
        return weights.start(self, key) if self.form == "in weights" else super().init(key)

    def step(self, state: PyTree[Array], key: PRNGKeyArray) -> PyTree[Array]:
        if self.player == "scholar":
            return eqx.tree_at(lambda s: s.time, state, state.time + 1)
        if self.form == "in weights":
            keys = jax.random.split(key, self.turns)
            return _repeated(lambda s, k: weights.update(self, s, k), state, keys)
        return super().step(state, key)

    def observe(self, state: PyTree[Array], key: PRNGKeyArray) -> dict[str, Array]:
        if isinstance(state, weights.Training):
            return self._of_training(state)
        out = self._nothing()
        net, rest = eqx.partition(state.net, eqx.is_array)

        def work(net: PyTree, key: PRNGKeyArray) -> dict[str, Array]:
            return self._grown(eqx.combine(net, rest), key)

        tested = {name: value for name, value in out.items() if name in self._late}
        grown = el.when(state.time >= self.until, work, (net, key), tested)
        return out | {"total": mean_total(state), "policy_entropy": state.report.entropy} | grown

    _late = (
        "alone", "greedy", "best", "spread", "beyond", "score", "copied", "life", "reached",
    )  # fmt: skip

    def _grown(self, net: ActorCritic, key: PRNGKeyArray) -> dict[str, Array]:
        """What a trained network does that was not in its training."""
        world = self.world()
        of_lineages, of_life = jax.random.split(key)
        # Some tests need larger generations than usual; in the others, spare members count for nothing.
        members = max(self.members, *(int(v.members) for v in TESTS.values()))
        with el.scope("lineage"):
            found = grow(
                _with(world, self.trials), net, stacked(TESTS.values()), of_lineages, count=self.lineages,
                members=members, generations=self.generations, trials=self.trials,
            )  # fmt: skip
        with el.scope("life"):
            count = self.lineages * self.members
            life = one_life(_with(world, self.slots), net, of_life, count=count, trials=self.slots)
        # What as many trials come to: of a lineage, or of one life where training knew no others.
        single = jnp.mean(life[-self.trials :])
        reached = jnp.where(jnp.asarray(self.watch) > 0, found.alone[0, -1], single)
        return found._asdict() | {"life": life, "reached": reached}

    def _of_training(self, state: weights.Training) -> dict[str, Array]:
        out = self._nothing()
        score = weights.scores(self, state)
        out["total"] = jnp.nanmean(state.lanes.last_total)
        out["now"], out["now_best"] = jnp.mean(score), jnp.max(score)
        out["alone"] = out["alone"].at[0].set(jnp.mean(state.scores, 1))
        out["best"] = out["best"].at[0].set(jnp.max(state.scores, 1))
        return out

    def _nothing(self) -> dict[str, Array]:
        sizes = {
            "test": len(TESTS), "generation": self.generations, "trial": self.trials, "advice": 2,
            "moment": self.slots,
        }  # fmt: skip
        return {o.name: jnp.full([sizes[d] for d in o.dims], jnp.nan, jnp.float32) for o in self.observables}


def _with(world: MemorySequence, trials: int) -> MemorySequence:
    """The same world with another number of trials."""
    return dataclasses.replace(world, trials=jnp.int32(trials))


def _repeated(step: Any, state: PyTree, keys: Key[Array, "turn"]) -> PyTree:
    """A step, again and again; the state's functions and names stay outside the loop."""
    arrays, rest = eqx.partition(state, eqx.is_array)

    def one(arrays: PyTree, key: PRNGKeyArray) -> tuple[PyTree, None]:
        return eqx.filter(step(eqx.combine(arrays, rest), key), eqx.is_array), None

    return eqx.combine(el.site_scan(one, arrays, keys)[0], rest)
