"""The game of attributes over generations: who is replaced, what newborns keep or learn, how well strangers are taught.

A generation begins before a step, so that what is recorded at the end of one is a grown-up listener and not a newborn.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.games import signalling as sg
from emergelab.games.attribute_game import RENEWED, AttributeGame, Players
from emergelab.nn import groups as gr
from emergelab.nn import messages as ms
from emergelab.nn.speakers import HeadListener, HeadSpeaker

__all__ = ["CHECKPOINTS", "Generations", "Lineage"]

CHECKPOINTS = (5, 10, 20, 40)
"""Lessons, batches, after which the pupils of an exam are asked."""
KEEPS = ("nothing", "memory", "network")


class Lineage(eqx.Module):
    """A game and what it inherited.

    Attributes:
        game: the players.
        parent: what the first speaker said for every object when last somebody was replaced; -1 before.
        generation: how often somebody was replaced.
    """

    game: Players
    parent: Int[Array, "object position"]
    generation: Int[Array, ""]


class Generations(AttributeGame):
    """Speakers and listeners of whom some are replaced every so often; one step is one batch."""

    depth: int = el.static(1, low=1, high=8, about="hidden layers of perceptrons")
    keeps: str = el.choice("nothing", options=KEEPS, about="what newborns keep of those whose place they take")
    often: float = el.param(1.0, low=1e-3, high=1e3, unit="1", about="how much more often than once in a lifetime")
    timing: str = el.choice("regular", options=("regular", "random"), about="at which times replacements happen")
    heirs: str = el.choice("no", options=("no", "yes"), static=True, about="do newborns imitate before they play")
    passed: float = el.param(1.0, low=0.0, high=1.0, unit="1", about="share of the objects that an heir hears of")
    lessons: int = el.param(100, low=0, high=100_000, about="batches in which a newborn speaker imitates the old one")
    hearing: int = el.param(50, low=0, high=100_000, about="batches in which a newborn listener hears the heir")
    exams: int = el.param(2000, low=1, high=2_000_000_000, about="steps between two exams of how a language is taught")
    pupils: int = el.static(3, low=1, high=64, about="newborn listeners in an exam")

    observables = (
        *AttributeGame.observables,
        el.Observable("taught", ("lesson",), "1", "exam: objects that pupils understand after lessons", 0.0, 1.0, True),
        el.Observable("teachable", unit="1", about="its mean over lessons", low=0.0, high=1.0, nan_ok=True),
        el.Observable("kept", unit="1", about="symbols that are still those of the parents", low=0.0, high=1.0,
                      nan_ok=True),
        el.Observable("generation", unit="1", about="how often somebody was replaced", low=0.0),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.heirs == "yes" and RENEWED[int(self.renews)] != "both":
            raise el.UserError(
                "Generations: with heirs='yes' speakers and listeners are replaced together; set renews='both'"
            )

    def speaker(self, key: PRNGKeyArray) -> Any:
        if self.agents == "recurrent":
            return super().speaker(key)
        inputs, hidden = self.attributes * self.values, (self.hidden,) * self.depth
        return HeadSpeaker(key, inputs, self.positions, self.symbols, hidden)

    def listener(self, key: PRNGKeyArray) -> Any:
        if self.agents == "recurrent":
            return super().listener(key)
        answers, ends = self.attributes * self.values, self.ends == "yes"
        return HeadListener(key, self.positions, self.symbols, answers, (self.hidden,) * self.depth, ends)

    # -- generations -----------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray) -> Lineage:
        game = super().init(key)
        return Lineage(game, jnp.full((len(game.unseen), self.positions), -1, jnp.int32), jnp.int32(0))

    def step(self, state: Lineage, key: PRNGKeyArray) -> Lineage:
        of_game, of_chance, of_birth = jax.random.split(key, 3)
        gone = self.gone(state.game.time, of_chance)
        now = gone[0].any() | gone[1].any()
        state = el.when(now, self.handed_on, (state, gone, of_birth), state)
        return Lineage(super().step(state.game, of_game), state.parent, state.generation)

    def succession(
        self, speakers: gr.Group, listeners: gr.Group, time: Int[Array, ""], key: PRNGKeyArray
    ) -> tuple[gr.Group, gr.Group]:
        """Nobody is replaced within a step of the game: `step` has seen to it before."""
        return speakers, listeners

    def gone(self, time: Int[Array, ""], key: PRNGKeyArray) -> tuple[Bool[Array, "speaker"], Bool[Array, "listener"]]:
        """Which speakers and which listeners newborns replace before the step at `time`."""
        renews, how = jnp.asarray(self.renews), jnp.asarray(self.resets)
        life = jnp.maximum(jnp.round(jnp.asarray(self.lifetime) / jnp.asarray(self.often)), 1.0).astype(jnp.int32)
        chance = jax.random.bernoulli(key, 1.0 / life) & (time > 0) & (time < self.until) & (how > 0)
        out = []
        for who, agents in (("speakers", self.speakers), ("listeners", self.listeners)):
            regular = gr.due(time, life, agents, how, jnp.asarray(self.until))
            these = jnp.where(jnp.asarray(self.timing) == 1, jnp.broadcast_to(chance, (agents,)), regular)
            out.append(these & ((renews == RENEWED.index(who)) | (renews == RENEWED.index("both"))))
        return out[0], out[1]

    def handed_on(
        self, state: Lineage, gone: tuple[Bool[Array, "speaker"], Bool[Array, "listener"]], key: PRNGKeyArray
    ) -> Lineage:
        """The lineage with newborns in the places of those who are gone, taught by them if they have heirs."""
        of_birth, of_share, of_lessons, of_hearing = jax.random.split(key, 4)
        game = state.game
        with el.scope("heirs"):
            code = self.code(game, of_birth)
            speakers, listeners = self.born(of_birth)
            if self.heirs == "yes":
                some = self.share(of_share, ~game.unseen)
                speakers = self.imitated(speakers, code, some, of_lessons)
                heard = self.code(eqx.tree_at(lambda g: g.speakers, game, speakers), of_birth)
                listeners = self.hearers(listeners, heard, ~game.unseen, of_hearing)
        speakers = gr.renewed(game.speakers, self.keeping(game.speakers, speakers), gone[0])
        listeners = gr.renewed(game.listeners, self.keeping(game.listeners, listeners), gone[1])
        game = Players(speakers, listeners, game.baseline, game.unseen, game.time)
        return Lineage(game, ms.words(code[0]), state.generation + 1)

    def keeping(self, old: gr.Group, fresh: gr.Group) -> gr.Group:
        """Newborns with what they keep of the old."""
        keeps = jnp.asarray(self.keeps)

        def unless(kept: int, new: PyTree, was: PyTree) -> PyTree:
            one = lambda n, w: jnp.where(keeps == kept, w, n) if eqx.is_array(n) else n  # noqa: E731
            return jax.tree.map(one, new, was)

        nets = unless(KEEPS.index("network"), fresh.nets, old.nets)
        return gr.Group(nets, unless(KEEPS.index("memory"), fresh.memory, old.memory))

    # -- what is passed on -----------------------------------------------------------------------------------------

    def share(self, key: PRNGKeyArray, seen: Bool[Array, "object"]) -> Bool[Array, "object"]:
        """The share `passed` of the objects of training, rounded, at least one, at random."""
        count = jnp.maximum(jnp.round(jnp.asarray(self.passed) * seen.sum()), 1.0)
        place = jnp.argsort(jnp.argsort(jax.random.uniform(key, seen.shape) + jnp.where(seen, 0.0, 2.0)))
        return place < count

    def imitated(
        self,
        speakers: gr.Group,
        code: Float[Array, "speaker object position symbol"],
        some: Bool[Array, "object"],
        key: PRNGKeyArray,
    ) -> gr.Group:
        """Newborn speakers after `lessons` batches of saying what the old ones said of some objects (cross-entropy)."""

        def loss(nets: PyTree, target: Int[Array, "batch"], key: PRNGKeyArray) -> Float[Array, ""]:
            shown = self.shown()[target]
            logits = gr.each(nets, lambda net: net(shown, ms.Likeliest(), key)[0])
            return -ms.log_probability(logits, code[:, target]).mean(axis=-1).sum()

        return self._studied(speakers, loss, some, jnp.asarray(self.lessons), self.rate_speakers, key)

    def hearers(
        self,
        listeners: gr.Group,
        code: Float[Array, "speaker object position symbol"],
        some: Bool[Array, "object"],
        key: PRNGKeyArray,
    ) -> gr.Group:
        """Newborn listeners after `hearing` batches of the heirs' messages, while heirs do not learn."""

        def loss(nets: PyTree, target: Int[Array, "batch"], key: PRNGKeyArray) -> Float[Array, ""]:
            answers = gr.each(nets, lambda net: jax.vmap(net)(code[:, target]))
            return self.outcome(answers, target, some, key).loss.mean(axis=(1, 2)).sum()

        return self._studied(listeners, loss, some, jnp.asarray(self.hearing), self.rate_listeners, key)

    def _studied(
        self, group: gr.Group, loss: Any, some: Bool[Array, "object"], batches: Int[Array, ""], rate: Any,
        key: PRNGKeyArray,
    ) -> gr.Group:  # fmt: skip
        """A group after some batches of objects, each network improved by itself on `loss(nets, target, key)`."""
        def lesson(i: Int[Array, ""], group: gr.Group) -> gr.Group:
            of_objects, of_loss = jax.random.split(jax.random.fold_in(key, i))
            target = sg.drawn(of_objects, some, self.batch)
            weights = gr.trained(group)
            gradient = jax.grad(lambda w: loss(gr.whole(group, w), target, of_loss))(weights)
            direction, memory = jax.vmap(self.rule().update)(gradient, group.memory, weights)
            moved = jax.tree.map(lambda w, d: w - rate * d, weights, direction)
            return gr.Group(gr.whole(group, moved), memory)

        return jax.lax.fori_loop(0, batches, lesson, group)

    # -- what it shows ---------------------------------------------------------------------------------------------

    def observe(self, state: Lineage, key: PRNGKeyArray) -> dict[str, Array]:
        of_game, of_exam = jax.random.split(key)
        game = state.game
        out = super().observe(game, of_game)
        with el.scope("exam"):
            taught = el.when(
                game.time % jnp.asarray(self.exams) == 0,
                lambda game, key: self.taught(game, key, CHECKPOINTS, self.pupils),
                (game, of_exam),
                jnp.full(len(CHECKPOINTS), jnp.nan),
            )
        same = (out["message"] == state.parent).mean(axis=-1)
        seen = ~game.unseen
        kept = jnp.where(seen, same, 0.0).sum() / seen.sum()
        return out | {
            "taught": taught,
            "teachable": taught.mean(),
            "kept": jnp.where(state.generation > 0, kept, jnp.nan),
            "generation": state.generation.astype(jnp.float32),
        }
