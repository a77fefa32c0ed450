"""Worlds of different sizes in one program, languages that are learnt or given, and how well they are passed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.games import signalling as sg
from emergelab.games.attribute_game import AttributeGame, Players
from emergelab.nn import groups as gr
from emergelab.nn import messages as ms
from emergelab.nn.speakers import HeadListener, HeadSpeaker, RecurrentListener

from . import _measures as measures

__all__ = ["CHECKPOINTS", "LANGUAGES", "Codebook", "Limited", "Reconstruction"]

CHECKPOINTS = (10, 30, 100, 300)
"""Lessons, batches, after which the pupils of an exam are asked."""
LANGUAGES = ("parts", "entangled", "bag", "holistic")
NEVER = -1e9


class Limited(ms.Way):
    """Speaks as another way does, of the first few symbols only.

    Attributes:
        way: how.
        vocabulary: number of symbols that may be said; may be traced.
    """

    way: ms.Way
    vocabulary: Int[Array, ""] | int

    def __call__(self, logits: Float[Array, "*lead symbol"], key: PRNGKeyArray) -> Float[Array, "*lead symbol"]:
        return self.way(limited(logits, self.vocabulary), key)


def limited(logits: Float[Array, "*lead symbol"], vocabulary: Int[Array, ""] | int) -> Float[Array, "*lead symbol"]:
    """Logits with which the symbols from `vocabulary` on are never said."""
    return jnp.where(jnp.arange(logits.shape[-1]) < vocabulary, logits, NEVER)


class Codebook(eqx.Module):
    """A speaker that says what is written and does not learn.

    Attributes:
        words: the message of every object.
        sure: the logit of what is written; all others are 0. It has no part in what is said.
        symbols: size of the vocabulary.
        values: values of an attribute.
    """

    words: Int[Array, "object position"]
    sure: Float[Array, ""]
    symbols: int = eqx.field(static=True)
    values: int = eqx.field(static=True)

    def __call__(
        self, meanings: Float[Array, "batch feature"], way: ms.Way, key: PRNGKeyArray
    ) -> tuple[Float[Array, "batch position symbol"], Float[Array, "batch position symbol"]]:
        marks = meanings.reshape(len(meanings), -1, self.values).argmax(axis=-1)
        number = jnp.zeros(len(meanings), jnp.int32)
        for i in range(marks.shape[1]):
            number = number * self.values + marks[:, i]
        said = jax.nn.one_hot(self.words[number], self.symbols)
        return self.sure * said, said


class Reconstruction(AttributeGame):
    """A speaker and a listener of a world of which some values exist; one step is one batch."""

    values: int = el.static(16, low=2, high=128, about="values of an attribute in the largest world")
    symbols: int = el.static(20, low=2, high=1024, about="size of the vocabulary")
    holdout: int = el.static(0, low=0, high=0, about="not used: `unshown` says what training never shows")
    depth: int = el.static(1, low=1, high=8, about="hidden layers of perceptrons")
    speech: str = el.choice("learnt", options=("learnt", "given"), static=True, about="does the language emerge")
    language: str = el.choice("parts", options=LANGUAGES, about="which language is given")
    world: int = el.param(16, low=2, high=128, about="values of an attribute that exist, of `values`")
    vocabulary: int = el.param(1024, low=2, high=1024, about="symbols that may be said, of `symbols`")
    unshown: float = el.param(0.2, low=0.0, high=0.9, unit="1", about="share of objects that training never shows")
    exams: int = el.param(2_000_000_000, low=1, high=2_000_000_000, about="steps between two exams")
    pupils: int = el.static(3, low=1, high=64, about="newborn listeners of each make in an exam")
    small: int = el.static(16, low=1, high=4096, about="hidden units of a small pupil")
    units: int = el.static(64, low=1, high=4096, about="units of a recurrent pupil")

    observables = (
        el.Observable("loss", unit="nat", about="of the listener, over objects in training", low=0.0),
        el.Observable("accuracy", unit="1", about="objects in training that are understood", low=0.0, high=1.0),
        el.Observable("unseen", unit="1", about="new combinations that are understood", low=0.0, high=1.0, nan_ok=True),
        el.Observable("parts", unit="1", about="their attributes that are", low=0.0, high=1.0, nan_ok=True),
        el.Observable("scrambled", unit="1", about="objects understood from another one's message", low=0.0, high=1.0),
        el.Observable("distinct", unit="1", about="different messages over number of objects", low=0.0, high=1.0),
        el.Observable("topsim", unit="1", about="topographic similarity", low=-1.0, high=1.0, nan_ok=True),
        el.Observable("posdis", unit="1", about="positional disentanglement", low=0.0, high=1.0, nan_ok=True),
        el.Observable("bosdis", unit="1", about="disentanglement of bags of symbols", low=0.0, high=1.0, nan_ok=True),
        el.Observable("topsim_chance", unit="1", about="topsim when objects swap messages", nan_ok=True),
        el.Observable("posdis_chance", unit="1", about="posdis when objects swap messages", nan_ok=True),
        el.Observable("bosdis_chance", unit="1", about="bosdis when objects swap messages", nan_ok=True),
        el.Observable("without", ("position",), "1", "accuracy when a position is silent", 0.0, 1.0),
        el.Observable("taught_small", ("lesson",), "1", "exam: perceptrons with few units", 0.0, 1.0, True),
        el.Observable("taught_recurrent", ("lesson",), "1", "exam: recurrent networks", 0.0, 1.0, True),
        el.Observable("message", ("object", "position"), about="what the speaker says; -1 for what does not exist"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if int(self.world) > self.values:
            raise el.UserError(f"Reconstruction: parameter 'world' must be at most values={self.values}, got "
                               f"{int(self.world)}")  # fmt: skip
        if self.task != "reconstruction":
            raise el.UserError("Reconstruction: parameter 'task' must be 'reconstruction': in smaller worlds "
                               "candidates would be objects that do not exist")  # fmt: skip
        if self.speech == "given" and (self.attributes != 2 or self.positions < 2):
            raise el.UserError("Reconstruction: the given languages need attributes=2 and two positions or more")
        if self.speech == "given" and LANGUAGES[int(self.language)] == "bag" and self.symbols < 2 * int(self.world):
            raise el.UserError(f"Reconstruction: language='bag' needs two symbols a value, {2 * int(self.world)}, and "
                               f"symbols={self.symbols}")  # fmt: skip

    # -- the world -------------------------------------------------------------------------------------------------

    def exists(self) -> Bool[Array, "object"]:
        """Which objects the world has: those whose values are all below `world`."""
        return (jnp.asarray(self.objects()) < jnp.asarray(self.world)).all(axis=1)

    def split(self, key: PRNGKeyArray) -> Bool[Array, "object"]:
        """Objects that training never shows: a share of those that exist, drawn until each value is still shown, and
        those that do not exist."""
        exists = self.exists()
        count = jnp.round(jnp.asarray(self.unshown) * exists.sum())
        table = jax.nn.one_hot(jnp.asarray(self.objects()), self.values, dtype=bool).reshape(len(exists), -1)
        needed = (table & exists[:, None]).any(axis=0)

        def drawn(key: PRNGKeyArray) -> Bool[Array, "object"]:
            order = jnp.argsort(jnp.argsort(jax.random.uniform(key, exists.shape) + jnp.where(exists, 0.0, 2.0)))
            return (order < count) | ~exists

        def misses(carry: tuple[PRNGKeyArray, Bool[Array, "object"]]) -> Bool[Array, ""]:
            return (needed & ~(table & ~carry[1][:, None]).any(axis=0)).any()

        def again(carry: tuple[PRNGKeyArray, Bool[Array, "object"]]) -> tuple[PRNGKeyArray, Bool[Array, "object"]]:
            key = jax.random.fold_in(carry[0], 1)
            return key, drawn(key)

        return jax.lax.while_loop(misses, again, (key, drawn(key)))[1]

    # -- who speaks ------------------------------------------------------------------------------------------------

    def speaker(self, key: PRNGKeyArray) -> Any:
        if self.speech == "given":
            return Codebook(self.written(key), jnp.float32(30.0), self.symbols, self.values)
        if self.agents == "recurrent":
            return super().speaker(key)
        inputs, hidden = self.attributes * self.values, (self.hidden,) * self.depth
        return HeadSpeaker(key, inputs, self.positions, self.symbols, hidden)

    def listener(self, key: PRNGKeyArray) -> Any:
        if self.agents == "recurrent":
            return super().listener(key)
        answers, ends = self.attributes * self.values, self.ends == "yes"
        return HeadListener(key, self.positions, self.symbols, answers, (self.hidden,) * self.depth, ends)

    def written(self, key: PRNGKeyArray) -> Int[Array, "object position"]:
        """The given language: a message for every object. Positions that are not needed say symbol 0.

        `parts` names the two attributes, one a position; `entangled` says their sum and their difference, modulo the
        number of values, so that no position tells an attribute alone (invertible if that number is odd); `bag` names
        them in random order with symbols of their own; `holistic` has the messages of `parts`, each for another object.
        """
        of_order, of_swap = jax.random.split(key)
        a, b = jnp.asarray(self.objects()).T
        n = jnp.asarray(self.world)
        first = jax.random.bernoulli(of_order, 0.5, a.shape)
        pairs = jnp.stack([
            jnp.stack([a, b]),
            jnp.stack([(a + b) % n, (a - b) % n]),
            jnp.stack([jnp.where(first, a, b + n), jnp.where(first, b + n, a)]),
            measures.swapped(jnp.stack([a, b], axis=1), self.exists(), of_swap).T,
        ])  # fmt: skip
        words = pairs[jnp.asarray(self.language)].T % self.symbols
        return jnp.pad(words, ((0, 0), (0, self.positions - 2))).astype(jnp.int32)

    def say(
        self, speakers: PyTree, shown: Float[Array, "batch feature"], way: ms.Way, key: PRNGKeyArray
    ) -> tuple[Float[Array, "speaker batch position symbol"], Float[Array, "speaker batch position symbol"]]:
        """Logits of all speakers, and what they send, of the symbols that may be said. Sites as in the game."""
        logits, symbols = super().say(speakers, shown, Limited(way, jnp.asarray(self.vocabulary)), key)
        return limited(logits, jnp.asarray(self.vocabulary)), symbols

    # -- what it shows ---------------------------------------------------------------------------------------------

    def observe(self, state: Players, key: PRNGKeyArray) -> dict[str, Array]:
        of_code, of_scramble, of_chance, of_exam = jax.random.split(key, 4)
        exists, code = self.exists(), self.code(state, of_code)
        numbers = jnp.arange(len(exists), dtype=jnp.int32)
        seen, held_out = ~state.unseen, state.unseen & exists
        listen = lambda heard: self.outcome(self.understand(state.listeners.nets, heard), numbers, exists, of_code)  # noqa: E731
        found = listen(code)
        right = found.right.mean(axis=(0, 1))
        with el.scope("scrambled"):
            other = measures.swapped(numbers[:, None], exists, of_scramble)[:, 0]
            lost = listen(code[:, other]).right.mean(axis=(0, 1))
        silenced = []
        for p in range(self.positions):
            with el.scope("without", p):
                silenced.append(_mean(listen(code.at[:, :, p].set(0.0)).right.mean(axis=(0, 1)), seen))
        words = ms.words(code[0])
        taught = {}
        for i, (name, make) in enumerate((("small", self.small_pupil), ("recurrent", self.recurrent_pupil))):
            with el.scope("exam", name):
                taught[f"taught_{name}"] = el.when(
                    (state.time > 0) & (state.time % jnp.asarray(self.exams) == 0),
                    lambda state, key, make=make: self.exam(state, key, make),
                    (state, jax.random.fold_in(of_exam, i)),
                    jnp.full(len(CHECKPOINTS), jnp.nan),
                )
        null = self._structure(measures.swapped(words, exists, of_chance), exists)
        return {
            "loss": _mean(found.loss.mean(axis=(0, 1)), seen),
            "accuracy": _mean(right, seen),
            "unseen": _mean(right, held_out),
            "parts": _mean(found.parts.mean(axis=(0, 1, 3)), held_out),
            "scrambled": _mean(lost, exists),
            "distinct": measures.distinct(words, exists) / exists.sum(),
            "without": jnp.stack(silenced),
            "message": jnp.where(exists[:, None], words, -1).astype(jnp.float32),
            **self._structure(words, exists),
            **{f"{n}_chance": x for n, x in null.items()},
            **taught,
        }

    def _structure(self, words: Int[Array, "object position"], exists: Bool[Array, "object"]) -> dict[str, Array]:
        meanings = self.objects()
        return {
            "topsim": measures.topsim(words, meanings, exists),
            "posdis": measures.posdis(words, self.symbols, meanings, exists),
            "bosdis": measures.bosdis(words, self.symbols, meanings, exists),
        }

    # -- how it is passed on ---------------------------------------------------------------------------------------

    def small_pupil(self, key: PRNGKeyArray) -> HeadListener:
        """A perceptron with one hidden layer of few units."""
        return HeadListener(key, self.positions, self.symbols, self.attributes * self.values, (self.small,))

    def recurrent_pupil(self, key: PRNGKeyArray) -> RecurrentListener:
        """A network that hears symbol by symbol."""
        return RecurrentListener(key, self.symbols, self.attributes * self.values, self.units)

    def exam(self, state: Players, key: PRNGKeyArray, make: Callable[[PRNGKeyArray], PyTree]) -> Float[Array, "lesson"]:
        """Accuracy of newborn listeners on objects in training after lessons of the speaker, who does not learn.

        Args:
            state: whose speaker teaches; what is said is the likeliest.
            key: of pupils and lessons.
            make: from a key to a pupil, which learns at the rate of the listener of the game.
        """
        of_code, of_pupils, of_lessons = jax.random.split(key, 3)
        code = jax.lax.stop_gradient(self.code(state, of_code))[:1]
        numbers = jnp.arange(code.shape[1], dtype=jnp.int32)
        rate = jnp.asarray(self.rate_listeners)

        def lesson(i: Int[Array, ""], group: gr.Group) -> gr.Group:
            target = sg.drawn(jax.random.fold_in(of_lessons, i), ~state.unseen, self.batch)

            def loss(weights: PyTree) -> Float[Array, ""]:
                answers = gr.each(gr.whole(group, weights), lambda net: jax.vmap(net)(code[:, target]))
                return self.outcome(answers, target, ~state.unseen, of_lessons).loss.mean(axis=(1, 2)).sum()

            weights = gr.trained(group)
            direction, memory = jax.vmap(self.rule().update)(jax.grad(loss)(weights), group.memory, weights)
            return gr.Group(gr.whole(group, jax.tree.map(lambda w, d: w - rate * d, weights, direction)), memory)

        def chapter(group: gr.Group, bounds: Int[Array, "2"]) -> tuple[gr.Group, Float[Array, ""]]:
            group = jax.lax.fori_loop(bounds[0], bounds[1], lesson, group)
            answers = gr.each(group.nets, lambda net: jax.vmap(net)(code))
            right = self.outcome(answers, numbers, ~state.unseen, of_code).right.mean(axis=(0, 1))
            return group, _mean(right, ~state.unseen)

        bounds = jnp.array(list(zip((0, *CHECKPOINTS), CHECKPOINTS, strict=False)), jnp.int32)
        pupils = gr.group(make, jax.random.split(of_pupils, self.pupils), self.rule())
        return jax.lax.scan(chapter, pupils, bounds)[1]


def _mean(values: Float[Array, "object"], where: Bool[Array, "object"]) -> Float[Array, ""]:
    """Mean over some objects; NaN if there are none."""
    n = where.sum()
    return jnp.where(n > 0, jnp.where(where, values, 0.0).sum() / jnp.maximum(n, 1), jnp.nan)
