"""The system of the study `reality-check`: a whole search for settings, of all methods, as one state.

One seed is one laboratory that runs the protocol from the beginning: it draws its settings, its streams and its
networks. So what a protocol reports is one number a seed, and intervals over seeds need no further thought.
"""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.continual.data import Labelled
from emergelab.continual.exemplars import Spoken
from emergelab.continual.learning import Learning
from emergelab.continual.methods import FAR, Method, Score
from emergelab.continual.streams import Batch, Tasks

from ._methods import METHODS, MOST, SUITES, Sizes, settings_of
from ._pictures import CLASSES, SOURCES, groups

__all__ = ["PARTS", "Lane", "Lanes", "RealityCheck", "Search"]

PARTS = ("tune", "report", "judge")
"""Streams of the first phase; of the second, to choose by and report; of the second again, that nobody chose by."""
SECOND = ("near", "far")


class Lane(Spoken):
    """One network on one stream with one method and setting: two classes of ten a phase."""

    against: str = el.choice("naive", options=tuple(METHODS), static=True, about="method")
    source: str = el.choice("digits", options=tuple(SOURCES), static=True, about="pictures")
    slots: int = el.static(50, low=1, high=100_000, about="examples in memory")
    again: int = el.static(10, low=1, high=65_536, about="remembered examples in a step")
    updates: int = el.static(60, low=1, high=1_000_000, about="updates of GDumb when it is examined")
    knobs: Any = el.param(np.zeros(MOST), about="values of the method's knobs; those it lacks are 0")
    group: int = el.param(0, low=0, high=2, about="ten classes out of thirty")

    def data(self) -> Labelled:
        return groups(self.source)

    def tasks(self, key: PRNGKeyArray) -> Tasks:
        data = self.data()
        where = jax.random.permutation(key, CLASSES) // (CLASSES // self.phases)
        own = jnp.arange(data.classes) // CLASSES == jnp.asarray(self.group)
        member = own & (jnp.tile(where, data.classes // CLASSES) == jnp.arange(self.phases)[:, None])
        order = jnp.broadcast_to(jnp.arange(data.features, dtype=jnp.int32), (self.phases, data.features))
        return Tasks(order, member)

    def method(self) -> Method:
        sizes = Sizes(self.slots, self.again, self.phases, CLASSES, self.updates)
        return METHODS[self.against].make(jnp.asarray(self.knobs), sizes)

    def score(self, tasks: Tasks, phase: Int[Array, ""]) -> Score:
        own = tasks.member.any(axis=0)

        def logits(net: PyTree, batch: Batch) -> Float[Array, "batch class"]:
            return jnp.where(own, net(batch.x), -FAR)

        return logits

    def known(self, state: Learning) -> Float[Array, ""]:
        """Accuracy on the probes of all tasks met, among the ten classes of the stream."""
        state, data = self.answering(state), self.data()
        x = jnp.asarray(data.x_test).reshape(data.classes // CLASSES, -1, data.features)[jnp.asarray(self.group)]
        y = jnp.asarray(data.y_test).reshape(data.classes // CLASSES, -1)[jnp.asarray(self.group)]
        phase = self.phase(jnp.maximum(state.time - 1, 0))
        probes = Batch(x, y, jnp.zeros_like(y))
        right = self.score(state.tasks, phase)(state.net, probes).argmax(axis=1) == y
        asked = (state.tasks.member & (jnp.arange(self.phases) <= phase)[:, None]).any(axis=0)[y]
        return (right & asked).sum() / asked.sum()


class Lanes(eqx.Module):
    """All networks of a method, leading axes [part, stream, setting]: network and what the method keeps."""

    net: PyTree
    kept: PyTree


class Search(eqx.Module):
    """Where a laboratory stands.

    Attributes:
        settings: by method, [setting, knob]; the last setting has all defaults.
        tasks: leading axes [part, stream]: all methods and settings meet the same streams.
        lanes: by method.
        keys: of the streams, [part, stream].
        time: tasks that are over.
    """

    settings: dict[str, Float[Array, "setting knob"]]
    tasks: Tasks
    lanes: dict[str, Lanes]
    keys: Array
    time: Int[Array, ""]


class RealityCheck(el.System):
    """A search for settings and its judgement, for every method; one step is one task of all streams."""

    suite: str = el.choice("eight", options=tuple(SUITES), static=True, about="methods that compete")
    source: str = el.choice("digits", options=tuple(SOURCES), static=True, about="pictures")
    trials: int = el.static(12, low=2, high=10_000, about="settings that are drawn; the defaults come on top")
    streams: int = el.static(1, low=1, high=1000, about="streams behind a score")
    phases: int = el.static(5, low=1, high=10, about="tasks of a stream; ten classes are shared out among them")
    per_phase: int = el.static(30, low=1, high=1_000_000, about="batches of a task")
    batch: int = el.static(10, low=1, high=65_536, about="examples in a batch")
    hidden: int = el.static(32, low=1, high=65_536, about="units of each of two hidden layers")
    sample: int = el.static(40, low=1, high=100_000, about="examples that a method sees again at the end of a task")
    slots: int = el.static(50, low=10, high=100_000, about="examples in memory")
    again: int = el.static(10, low=1, high=65_536, about="remembered examples in a step")
    updates: int = el.static(60, low=1, high=1_000_000, about="updates of GDumb when it is examined")
    second: str = el.choice("near", options=SECOND, about="what the second phase is made of")
    frozen: int = el.param(0, low=0, high=1, about="1: only the learning rate is searched, the rest has defaults")

    observables: ClassVar[tuple[el.Observable, ...]] = (
        el.Observable(
            "score", ("method", "part", "stream", "setting"), unit="1", about="accuracy on all tasks met", low=0.0,
            high=1.0,
        ),
        el.Observable("knob", ("method", "setting", "number"), about="values of the knobs; 0 where there is none"),
    )  # fmt: skip

    def lane(self, name: str) -> Lane:
        """The stream of a method, its setting still to come."""
        return Lane(
            phases=self.phases, per_phase=self.per_phase, batch=self.batch, hidden=self.hidden, sample=self.sample,
            against=name, source=self.source, slots=self.slots, again=self.again, updates=self.updates,
        )  # fmt: skip

    def groups(self) -> Int[Array, "part"]:
        """Of every part its ten classes."""
        second = 1 + jnp.asarray(self.second)
        return jnp.stack([jnp.zeros_like(second), second, second]).astype(jnp.int32)

    def init(self, key: PRNGKeyArray) -> Search:
        of_settings, of_streams = jax.random.split(key)
        names = SUITES[self.suite]
        settings = {}
        for name in names:
            # by its own place in the list of all, so that a method has the same settings whoever competes
            own = jax.random.fold_in(of_settings, list(METHODS).index(name))
            u = jax.random.uniform(own, (self.trials, MOST))
            settings[name] = settings_of(name, u, jnp.asarray(self.frozen, jnp.float32))
        keys = jax.random.split(of_streams, (len(PARTS), self.streams))

        def begun(name: str) -> Any:
            def one(knobs: Array, group: Array, key: PRNGKeyArray) -> Learning:
                return _set(self.lane(name), knobs, group).init(key)

            return _over(one, (0, None, None), (None, None, 0), (None, 0, 0))(settings[name], self.groups(), keys)

        states = {name: begun(name) for name in names}
        tasks = jax.tree.map(lambda a: a[:, :, 0], next(iter(states.values())).tasks)
        lanes = {name: Lanes(s.net, s.kept) for name, s in states.items()}
        return Search(settings, tasks, lanes, keys, jnp.int32(0))

    def step(self, state: Search, key: PRNGKeyArray) -> Search:
        lanes = {}
        for name in SUITES[self.suite]:
            with el.scope(name):
                lanes[name] = self.learnt(name, state, state.lanes[name])
        return Search(state.settings, state.tasks, lanes, state.keys, state.time + 1)

    def learnt(self, name: str, state: Search, begun: Lanes) -> Lanes:
        """The networks of a method one task later."""
        lane, groups, settings = self.lane(name), self.groups(), state.settings[name]

        def batch(now: Lanes, i: Int[Array, ""]) -> tuple[Lanes, None]:
            time = state.time * self.per_phase + i

            def one(knobs: Array, group: Array, own: PRNGKeyArray, tasks: Tasks, at: Lanes) -> Lanes:
                # Tasks, time and key are the stream's, not the setting's: batches are drawn once for all settings.
                net, kept = at.net, at.kept
                none = lane.rule().init(eqx.filter(net, eqx.is_inexact_array))
                new = _set(lane, knobs, group).step(
                    Learning(net, none, kept, tasks, time), jax.random.fold_in(own, time)
                )
                return Lanes(new.net, new.kept)

            over = _over(one, (0, None, None, None, 0), (None, None, 0, 0, 0), (None, 0, 0, 0, 0))
            return over(settings, groups, state.keys, state.tasks, now), None

        return el.site_scan(batch, begun, jnp.arange(self.per_phase, dtype=jnp.int32))[0]

    def observe(self, state: Search, key: PRNGKeyArray) -> dict[str, Array]:
        groups, time = self.groups(), state.time * self.per_phase
        scores = []
        # in the order of the suite: JAX sorts the keys of a mapping
        for name in SUITES[self.suite]:
            lane, now = self.lane(name), state.lanes[name]

            def one(knobs: Array, group: Array, tasks: Tasks, at: Lanes, lane: Lane = lane) -> Float[Array, ""]:
                return _set(lane, knobs, group).known(Learning(at.net, None, at.kept, tasks, time))

            with el.scope(name):
                over = _over(one, (0, None, None, 0), (None, None, 0, 0), (None, 0, 0, 0))
                scores.append(over(state.settings[name], groups, state.tasks, now))
        return {"score": jnp.stack(scores), "knob": jnp.stack([state.settings[n] for n in SUITES[self.suite]])}


def _over(f: Any, setting: Any, stream: Any, part: Any) -> Any:
    """A function of one lane, over settings, streams and parts."""
    return el.site_vmap(el.site_vmap(el.site_vmap(f, setting), stream), part)


def _set(lane: Lane, knobs: Array, group: Array) -> Lane:
    """The lane with these values of its knobs, on these ten classes."""
    return eqx.tree_at(lambda s: (s.rate, s.knobs, s.group), lane, (knobs[0], knobs, group))
