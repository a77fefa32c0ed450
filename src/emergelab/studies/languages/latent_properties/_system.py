"""The system of the study `latent-properties`: several senders watch a ball and speak of it to listeners who change."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.games import language as lg
from emergelab.nn import messages as ms
from emergelab.nn.groups import RESETS, Group, due, each, group, improved, renewed, trained, whole
from emergelab.nn.speakers import HeadListener

from ._code import by_agent, cut, exchanged, of_property, padded
from ._nets import Teacher, Watcher, listener
from ._scenes import FRAMES, LEVELS, PROPERTIES, features, held_out, meanings, pairs

__all__ = ["PAIRS", "ROOM", "LatentProperties", "State", "World"]

ROOM = 8
"""Positions that every condition shows; those that it does not have hold nothing."""
AGENTS = 4
PAIRS = 512
"""Pairs of scenes on which answers are scored, at most."""
VIEWS = ("split", "random")
_DRAWS = 8  # relabellings behind a level of chance
_LIKE = 3  # scenes a cell behind topographic similarity


class World(eqx.Module):
    """What a seed keeps all along.

    Attributes:
        views: what each agent sees of every scene.
        known: how well the teachers order both properties: on scenes of training, and on held-out levels.
    """

    views: Float[Array, "agent scene frame feature"]
    known: Float[Array, "two"]


class State(eqx.Module):
    """Senders, listeners, their optimisers, and the updates made."""

    speakers: Group
    listeners: Group
    given: World
    time: Int[Array, ""]


class LatentProperties(el.System):
    """Senders who watch frames of two scenes, and listeners who say which is more elastic and which has more friction.

    One step is one update of all.
    """

    agents: int = el.static(4, low=1, high=8, about="senders; what they say is heard one after the other")
    positions: int = el.static(2, low=1, high=64, about="symbols that each of them says")
    symbols: int = el.static(5, low=2, high=1000, about="different symbols")
    seen: int = el.static(2, low=1, high=FRAMES, about="frames of eight that each of them sees")
    listeners: int = el.static(3, low=1, high=64, about="listeners, all of whom hear everything")
    hidden: int = el.static(32, low=2, high=4096, about="units of a network")
    features: int = el.static(64, low=2, high=4096, about="features of a frame")
    copies: int = el.static(12, low=_LIKE, high=1000, about="scenes of every pair of levels")
    batch: int = el.static(32, low=1, high=65_536, about="pairs of scenes in an update")
    views: str = el.choice("split", options=VIEWS, about="frames of a sender: its share in turn, or of a shuffled film")
    resets: str = el.choice("simultaneous", options=RESETS, about="how listeners are replaced by newborn ones")
    life: int = el.param(280, low=0, high=2**30, about="updates that a listener lives; 0 is for ever")
    schooling: int = el.param(420, low=0, high=2**30, about="updates before the first word, without a channel")
    school_rate: float = el.param(1e-3, low=0.0, high=10.0, about="learning rate of that")
    speaker_rate: float = el.param(1e-3, low=0.0, high=10.0, about="learning rate of senders")
    listener_rate: float = el.param(3e-3, low=0.0, high=10.0, about="learning rate of listeners")
    warm: float = el.param(3.0, low=1e-3, high=1e3, unit="1", about="temperature of symbols at first")
    cool: float = el.param(1.0, low=1e-3, high=1e3, unit="1", about="temperature in the end")
    span: int = el.param(2800, low=1, high=2**30, about="updates from the one to the other")
    soft: int = el.param(210, low=0, high=2**30, about="updates in which messages are mixtures of symbols")
    bonus: float = el.param(0.03, low=0.0, high=10.0, about="weight of the entropy of positions that have too little")
    little: float = el.param(0.1, low=0.0, high=1.0, unit="1", about="what is too little, as a share of the largest")
    noise: float = el.param(0.01, low=0.0, high=10.0, unit="1", about="noise of a pixel, of a range of 1")

    observables = (
        el.Observable("accuracy", unit="1", about="both answers right, scenes of training", low=0.0, high=1.0),
        el.Observable("accuracy_each", ("asked",), "1", "each answer right, scenes of training", 0.0, 1.0),
        el.Observable("holdout", unit="1", about="both answers right, held-out levels", low=0.0, high=1.0),
        el.Observable("holdout_each", ("asked",), "1", "each answer right, held-out levels", 0.0, 1.0),
        el.Observable("teacher", unit="1", about="both right without a channel, training", low=0.0, high=1.0),
        el.Observable("teacher_holdout", unit="1", about="both right without a channel, held out", low=0.0, high=1.0),
        el.Observable("scrambled", unit="1", about="both right, with messages about other scenes", low=0.0, high=1.0),
        el.Observable("swapped", unit="1", about="answers as an exchange of positions should make them", low=0, high=1),
        el.Observable("posdis", unit="1", about="positional disentanglement (Chaabouni)", low=0, high=1, nan_ok=True),
        el.Observable("posdis_best", unit="1", about="that of the paper, of the best agent", low=0.0, high=1.0),
        el.Observable("posdis_mean", unit="1", about="that of the paper, mean of all agents", low=0.0, high=1.0),
        el.Observable("coverage", unit="1", about="the worse told property, share of its entropy", low=0.0, high=1.0),
        el.Observable("posdis_chance", unit="1", about="posdis of swapped messages", low=0, high=1, nan_ok=True),
        el.Observable("posdis_best_chance", unit="1", about="posdis_best of swapped messages", low=0.0, high=1.0),
        el.Observable("posdis_mean_chance", unit="1", about="posdis_mean of swapped messages", low=0.0, high=1.0),
        el.Observable("coverage_chance", unit="1", about="coverage of swapped messages", low=0.0, high=1.0),
        el.Observable("information_gap", unit="1", about="best minus second best position", low=0.0, high=1.0),
        el.Observable("bosdis", unit="1", about="disentanglement of symbols anywhere", low=0, high=1, nan_ok=True),
        el.Observable("topsim", unit="1", about="topographic similarity", low=-1.0, high=1.0, nan_ok=True),
        el.Observable("distinct", unit="1", about="different messages about all scenes", low=0.0),
        el.Observable("entropy", ("position",), "nat", "entropy of a position", low=0.0, nan_ok=True),
        el.Observable("shared", ("position", "told"), "nat", "what it says of a property", low=0.0, nan_ok=True),
        el.Observable("cost", ("position", "asked"), "1", "accuracy lost if it is silent", nan_ok=True),
        el.Observable("cost_other", ("position", "asked"), "1", "the same if it speaks of another scene", nan_ok=True),
        el.Observable("cost_agent", ("agent", "asked"), "1", "accuracy lost if an agent is silent", nan_ok=True),
        el.Observable("cost_set", ("told", "asked"), "1", "if all positions that tell a property are silent"),
        el.Observable("cost_set_other", ("told", "asked"), "1", "if they speak of another scene"),
        el.Observable("tokens", ("scene", "position"), "", "what is said of every scene; -1 beyond the last position"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.agents * self.positions > ROOM * AGENTS:
            raise el.UserError(
                f"LatentProperties: agents={self.agents} times positions={self.positions} must be at most "
                f"{ROOM * AGENTS}, got {self.agents * self.positions}"
            )

    @property
    def rules(self) -> tuple[optax.GradientTransformation, optax.GradientTransformation]:
        """Of senders, whose gradients are clipped together beforehand, and of listeners, clipped one by one."""
        adam = optax.scale_by_adam()
        return adam, optax.chain(optax.clip_by_global_norm(1.0), adam)

    @property
    def levels(self) -> Int[np.ndarray, "scene property"]:
        """Of all scenes, the same in all seeds."""
        return meanings(self.copies)

    def scenes(self, held: bool) -> Int[np.ndarray, "some"]:
        """Numbers of the scenes of training, or of held-out levels."""
        return np.flatnonzero(held_out(self.levels) == held)

    # -- the start -------------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray) -> State:
        of_scenes, of_frames, of_school, of_listeners = jax.random.split(key, 4)
        film = features(of_scenes, self.levels, jnp.asarray(self.noise), self.features)
        views = jnp.moveaxis(film[:, self.frames(of_frames)], 1, 0)
        teacher = self.schooled(of_school, views)
        known = jnp.stack([
            self.right(teacher(self.asked_views(views, asked)), asked).all(axis=-1).mean() for asked in self.questions()
        ])  # fmt: skip
        rule, listener_rule = self.rules
        speakers = Group(teacher.watchers, jax.vmap(rule.init)(eqx.filter(teacher.watchers, eqx.is_inexact_array)))
        listeners = group(self.listener, jax.random.split(of_listeners, self.listeners), listener_rule)
        return State(speakers, listeners, World(views, known), jnp.int32(0))

    def frames(self, key: PRNGKeyArray) -> Int[Array, "agent frame"]:
        """Which frames each agent sees: its share of the film, or of a film whose frames have been shuffled once."""
        begin = np.minimum(np.arange(self.agents) * FRAMES // self.agents, FRAMES - self.seen)
        split = jnp.asarray(begin[:, None] + np.arange(self.seen), jnp.int32)
        shuffled = jax.random.permutation(key, FRAMES).astype(jnp.int32)[split]
        return jnp.where(jnp.asarray(self.views) == VIEWS.index("random"), shuffled, split)

    def listener(self, key: PRNGKeyArray) -> HeadListener:
        """A newborn listener."""
        return listener(key, 2 * self.agents * self.positions, self.symbols, len(PROPERTIES), self.hidden)

    def schooled(self, key: PRNGKeyArray, views: Float[Array, "agent scene frame feature"]) -> Teacher:
        """Senders who have answered the questions together, without a channel, and their judge."""
        of_watchers, of_judge, of_pairs = jax.random.split(key, 3)
        watchers = eqx.filter_vmap(
            lambda k: Watcher(k, self.features, self.hidden, self.positions, self.symbols)
        )(jax.random.split(of_watchers, self.agents))  # fmt: skip
        judge = listener(of_judge, 2 * self.agents, self.hidden, len(PROPERTIES), self.hidden)
        weights, rest = eqx.partition(Teacher(watchers, judge), eqx.is_inexact_array)
        flat, shaped = ravel_pytree(weights)  # one long vector: an optimiser of few operations compiles faster
        rule = optax.scale_by_adam()

        def update(i: Int[Array, ""], carry: tuple[Array, optax.OptState]) -> tuple[Array, optax.OptState]:
            asked = self.drawn(jax.random.fold_in(of_pairs, i))
            shown = self.asked_views(views, asked)
            gradient = jax.grad(lambda w: self.wrong(eqx.combine(shaped(w), rest)(shown), asked))(carry[0])
            direction, memory = rule.update(gradient, carry[1])
            return carry[0] - self.school_rate * direction, memory

        flat, _ = jax.lax.fori_loop(0, jnp.asarray(self.schooling), update, (flat, rule.init(flat)))
        return eqx.combine(shaped(flat), rest)

    # -- questions and answers -------------------------------------------------------------------------------------

    def drawn(self, key: PRNGKeyArray) -> Int[Array, "batch two"]:
        """Pairs of different scenes of training."""
        scenes = jnp.asarray(self.scenes(held=False), jnp.int32)
        count = len(scenes)
        lot = jax.random.uniform(key, (2, self.batch)) * jnp.array([[count], [count - 1]])
        one, further = jnp.minimum(lot.astype(jnp.int32), jnp.array([[count - 1], [count - 2]]))
        return scenes[jnp.stack([one, (one + 1 + further) % count], axis=1)]

    def questions(self) -> tuple[Int[np.ndarray, "known two"], Int[np.ndarray, "unseen two"]]:
        """Pairs that differ in both properties: of scenes of training, and of held-out levels."""
        return tuple(pairs(self.scenes(held), self.levels, PAIRS, seed=0) for held in (False, True))  # type: ignore[return-value]

    def truth(self, asked: Int[Array, "pair two"] | Int[np.ndarray, "pair two"]) -> Bool[Array, "pair property"]:
        """Whether the first scene of a pair has more of a property."""
        level = jnp.asarray(self.levels)[jnp.asarray(asked)]
        return level[:, 0] > level[:, 1]

    def wrong(self, logits: Float[Array, "*lead pair property"], asked: Int[Array, "pair two"]) -> Float[Array, ""]:
        """Cross-entropy of both answers together, in nats, averaged over pairs and listeners."""
        each_answer = optax.sigmoid_binary_cross_entropy(logits, self.truth(asked).astype(logits.dtype))
        return each_answer.sum(axis=-1).mean()

    def right(
        self, logits: Float[Array, "*lead pair property"], asked: Int[np.ndarray, "pair two"]
    ) -> Bool[Array, "*lead pair property"]:
        """Which answers are right."""
        return (logits > 0) == self.truth(asked)

    @staticmethod
    def asked_views(
        views: Float[Array, "agent scene frame feature"], asked: Int[Array, "pair two"] | Int[np.ndarray, "pair two"]
    ) -> Float[Array, "agent pair two frame feature"]:
        """What the agents see of pairs of scenes."""
        return views[:, jnp.asarray(asked)]

    # -- a step ----------------------------------------------------------------------------------------------------

    def said(
        self, speakers: PyTree, views: Float[Array, "agent scene frame feature"], way: ms.Way, key: PRNGKeyArray
    ) -> tuple[Float[Array, "scene position symbol"], Float[Array, "scene position symbol"]]:
        """Logits and symbols of all agents, their positions one after the other. Site: `views`."""
        views = el.site("views", views)
        keys = jax.random.split(key, self.agents)
        logits, symbols = each(speakers, lambda net, v, k: net(v, way, k), views, keys)
        one, other = (jnp.moveaxis(x, 0, 1).reshape(x.shape[1], -1, self.symbols) for x in (logits, symbols))
        return one, other

    def way(self, time: Int[Array, ""]) -> ms.Relaxed:
        """How symbols are drawn at a time: mixtures at first, one-hot later, and ever cooler."""
        done = jnp.clip(time / jnp.asarray(self.span), 0.0, 1.0)
        heat = jnp.asarray(self.warm) + done * (jnp.asarray(self.cool) - jnp.asarray(self.warm))
        return ms.Relaxed(el.site("temperature", heat), time >= jnp.asarray(self.soft))

    def audience(self, state: State, key: PRNGKeyArray) -> Group:
        """The listeners, of whom those whose time has come are newborn."""
        plans = [due(state.time, jnp.asarray(self.life), self.listeners, mode) for mode in RESETS]
        who = jnp.stack(plans)[jnp.asarray(self.resets)]

        def replaced(old: Group, key: PRNGKeyArray) -> Group:
            return renewed(old, group(self.listener, jax.random.split(key, self.listeners), self.rules[1]), who)

        return el.when(who.any(), replaced, (state.listeners, key), state.listeners)

    def step(self, state: State, key: PRNGKeyArray) -> State:
        """One update of all. Sites: `views`, `temperature`, `message`, `message.I`, and those of learning."""
        of_births, of_pairs, of_words = jax.random.split(key, 3)
        listeners, speakers = self.audience(state, of_births), state.speakers
        asked, way = self.drawn(of_pairs), self.way(state.time)
        views = self.asked_views(state.given.views, asked).reshape(self.agents, 2 * self.batch, self.seen, -1)

        def loss(weights: tuple[PyTree, PyTree]) -> Float[Array, ""]:
            logits, symbols = self.said(whole(speakers, weights[0]), views, way, of_words)
            heard = ms.delivered(symbols)
            couples = heard.reshape(self.batch, -1, self.symbols)  # the first scene's positions, then the second's
            answers = each(whole(listeners, weights[1]), lambda net: net(couples))
            spread = ms.entropy(logits).reshape(self.batch, 2, -1).mean(axis=0)
            lacking = spread < jnp.asarray(self.little) * np.log(self.symbols)
            return self.wrong(answers, asked) - jnp.asarray(self.bonus) * jnp.where(lacking, spread, 0.0).sum()

        down, down_of_listeners = el.site_grad(loss)((trained(speakers), trained(listeners)))
        size = optax.tree.norm(down)
        down = jax.tree.map(lambda g: g / jnp.maximum(size, 1.0), down)
        rule, listener_rule = self.rules
        return State(
            improved(speakers, down, rule, jnp.asarray(self.speaker_rate), "speakers"),
            improved(listeners, down_of_listeners, listener_rule, jnp.asarray(self.listener_rate), "listeners"),
            state.given,
            state.time + 1,
        )

    # -- what it shows ---------------------------------------------------------------------------------------------

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        of_words, of_others, of_chance = jax.random.split(key, 3)
        heard = ms.delivered(self.said(state.speakers.nets, state.given.views, ms.Likeliest(), of_words)[1])
        shown = self._of_code(ms.words(heard), of_chance)
        shared = shown["shared"][: self.agents * self.positions]
        known = {"teacher": state.given.known[0], "teacher_holdout": state.given.known[1]}
        return shown | known | self._of_answers(state.listeners.nets, heard, shared, of_others)

    def _of_code(self, words: Int[Array, "scene position"], key: PRNGKeyArray) -> dict[str, Array]:
        """Measures of what is said, beside those of the same messages about other scenes."""
        levels, size, values = jnp.asarray(self.levels), self.symbols, len(LEVELS)
        names = ("posdis", "posdis_best", "posdis_mean", "coverage")

        def measured(words: Int[Array, "scene position"]) -> Float[Array, "measure"]:
            agents = by_agent(words, size, levels, self.agents)
            posdis, told = (f(words, size, levels, values) for f in (lg.posdis, lg.coverage))
            return jnp.stack([posdis, agents.max(), agents.mean(), told])

        # All measures of one relabelling together, which `games.language.relabelled` does for one measure.
        swapped = jax.lax.map(lambda k: measured(jax.random.permutation(k, words)), jax.random.split(key, _DRAWS))
        few = np.flatnonzero(np.arange(len(self.levels)) % self.copies < _LIKE)
        far = jnp.abs(levels[few][:, None] - levels[few][None]).sum(axis=-1).astype(jnp.float32)
        return (
            dict(zip(names, measured(words), strict=True))
            | {f"{name}_chance": level for name, level in zip(names, swapped.mean(axis=0), strict=True)}
            | {
                "information_gap": lg.information_gap(words, size, levels, values)
                if words.shape[1] > 1 else jnp.zeros(()),
                "bosdis": lg.bosdis(words, size, levels, values),
                "topsim": lg.topsim(words[few], levels[few], far),
                "distinct": lg.distinct(words),
                "entropy": padded(lg.entropies(words, size), self._room),
                "shared": padded(lg.information(words, size, levels, values), self._room),
                "tokens": padded(words.T, self._room, -1).T,
            }
        )  # fmt: skip

    @property
    def _room(self) -> int:
        return max(ROOM, self.agents * self.positions)

    def _of_answers(
        self,
        listeners: PyTree,
        heard: Float[Array, "scene position symbol"],
        shared: Float[Array, "position property"],
        key: PRNGKeyArray,
    ) -> dict[str, Array]:
        """How well the listener answers who is best on scenes of training, and what it makes of altered messages."""
        seen, held = self.questions()
        arrays, rest = eqx.partition(listeners, eqx.is_array)
        couples = exchanged(heard[seen[:, 0]], heard[seen[:, 1]], jnp.zeros(heard.shape[1], bool))
        scores = self.right(each(listeners, lambda net: net(couples)), seen).all(axis=-1).mean(axis=-1)
        best = eqx.combine(jax.tree.map(lambda x: x[scores.argmax()], arrays), rest)

        def answers(
            table: Float[Array, "scene position symbol"], asked: Int[np.ndarray, "pair two"]
        ) -> Bool[Array, "pair property"]:
            couples = jnp.concatenate([table[asked[:, 0]], table[asked[:, 1]]], axis=1)
            return self.right(best(couples), asked)

        plain, unseen = answers(heard, seen), answers(heard, held)
        other = jax.random.permutation(key, heard)

        def lost(where: Bool[Array, "position"]) -> tuple[Float[Array, "property"], Float[Array, "property"]]:
            silent, elsewhere = (answers(cut(heard, where, x), seen) for x in (None, other))
            return plain.mean(axis=0) - silent.mean(axis=0), plain.mean(axis=0) - elsewhere.mean(axis=0)

        single = jnp.eye(heard.shape[1], dtype=bool)
        by_whom = jnp.repeat(jnp.eye(self.agents, dtype=bool), self.positions, axis=1)
        sets = of_property(shared)
        silent, elsewhere = jax.lax.map(lost, jnp.concatenate([single, by_whom, sets]))
        n = len(single)
        edits = []
        for i, where in enumerate(sets):
            wanted = self.truth(seen) ^ (jnp.arange(len(PROPERTIES)) == i)
            turned = best(exchanged(heard[seen[:, 0]], heard[seen[:, 1]], where)) > 0
            edits.append((turned == wanted).all(axis=-1).mean())
        return {
            "accuracy": plain.all(axis=-1).mean(),
            "accuracy_each": plain.mean(axis=0),
            "holdout": unseen.all(axis=-1).mean(),
            "holdout_each": unseen.mean(axis=0),
            "scrambled": answers(other, seen).all(axis=-1).mean(),
            "swapped": jnp.stack(edits).mean(),
            "cost": padded(silent[:n], self._room),
            "cost_other": padded(elsewhere[:n], self._room),
            "cost_agent": padded(silent[n : n + self.agents], max(AGENTS, self.agents)),
            "cost_set": silent[n + self.agents :],
            "cost_set_other": elsewhere[n + self.agents :],
        }
