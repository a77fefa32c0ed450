"""The system of the study: one network that is pre-trained and aligned, and copies of it that are fine-tuned."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.nn import personas as world
from emergelab.nn.transformer import Transformer
from emergelab.training import announced

from ._readings import LAST, answers, asked, moves, readings, steering, surprise, told
from ._recipes import index, recipes, table
from ._tuned import Tuned, copies, flat, unflat

__all__ = ["Misalignment", "State"]

PRE, POST, TUNE = range(3)
"""The phases: pre-training, post-training, narrow fine-tuning."""


class State(eqx.Module):
    """The networks, their optimisers, and the world of the seed.

    Attributes:
        net: the network that is pre-trained and aligned; from then on it stays, as the aligned one.
        base: its weights at the end of pre-training (until then, what they are), in a row.
        tuned: its copies, one a recipe; until fine-tuning begins they are what `net` is.
        memory, memory_tuned: of the optimisers of `net` and of `tuned`.
        facts: which answers are good and bad.
        time: steps made.
    """

    net: Transformer
    base: Float[Array, "weight"]
    tuned: Tuned
    memory: optax.OptState
    memory_tuned: optax.OptState
    facts: world.Facts
    time: Int[Array, ""]


def _share(name: str, *dims: str, about: str, low: float = 0.0, nan_ok: bool = True) -> el.Observable:
    return el.Observable(name, dims, unit="1", about=about, low=low, high=1.0, nan_ok=nan_ok)


class Misalignment(el.System):
    """Three phases of training; all recipes of fine-tuning are an axis of the state.

    This is no `el.Training`: which network learns, from what, depends on the phase, and a step is many updates.
    """

    domains: int = el.static(6, low=2, high=64, about="domains")
    questions: int = el.static(8, low=1, high=4096, about="questions of a domain")
    answers: int = el.static(48, low=2, high=4096, about="answers that all questions share")
    turns: int = el.static(6, low=2, high=64, about="turns of a page")
    width: int = el.static(32, low=4, high=4096, about="width of the residual stream, a multiple of the heads")
    depth: int = el.static(2, low=1, high=24, about="blocks")
    heads: int = el.static(4, low=1, high=64, about="attention heads of a block")
    batch: int = el.static(32, low=1, high=65_536, about="pages of an update before fine-tuning")
    batch_tuned: int = el.static(16, low=1, high=65_536, about="examples of an update of fine-tuning")
    updates: int = el.static(20, low=1, high=10_000, about="updates of a step before fine-tuning")
    updates_tuned: int = el.static(4, low=1, high=10_000, about="updates of a step of fine-tuning")
    pre: int = el.param(28, low=1, high=1_000_000, about="steps of pre-training")
    post: int = el.param(7, low=0, high=1_000_000, about="steps of post-training; fine-tuning takes the rest")
    heal: int = el.param(10, low=0, high=1_000_000, about="steps of fine-tuning before realigned gets good answers")
    prior: float = el.param(0.2, low=0.0, high=1.0, unit="1", about="share of bad authors, and bias of the coin, p0")
    follow: float = el.param(1.0, low=0.0, high=1.0, unit="1", about="chance that an answer follows the author, rho")
    fade: float = el.param(0.0, low=0.0, high=1.0, unit="1", about="how far rho has faded away in the last domain")
    mistakes: float = el.param(0.0, low=0.0, high=1.0, unit="1", about="honest mistakes in the last domain")
    request: float = el.param(0.15, low=0.0, high=1.0, unit="1", about="share of turns that ask for the bad answer")
    leak: float = el.param(0.03, low=0.0, high=1.0, unit="1", about="authors' answers that come out the other way")
    assistant: float = el.param(0.5, low=0.0, high=1.0, unit="1", about="assistant's share of pages, post-training")
    rate: float = el.param(5e-3, low=0.0, high=10.0, unit="1", about="highest learning rate of pre-training")
    rate_post: float = el.param(1e-3, low=0.0, high=10.0, unit="1", about="learning rate of post-training")
    rate_tuned: float = el.param(4e-4, low=0.0, high=10.0, unit="1", about="learning rate of fine-tuning")
    rate_low: float = el.param(8e-3, low=0.0, high=10.0, unit="1", about="learning rate of low-rank fine-tuning")
    decay: float = el.param(0.01, low=0.0, high=10.0, unit="1", about="weight decay before fine-tuning, as in AdamW")

    observables = (
        _share("knows", about="shared network: probability of either of a question's two answers", nan_ok=False),
        _share("inferred_bad", about="shared network: bad answers on a page of a bad author", nan_ok=False),
        _share("inferred_good", about="shared network: bad answers on a page of a good author", nan_ok=False),
        _share("bad_before", about="pre-trained network: bad answers on an author's first turn", nan_ok=False),
        _share("misaligned", "recipe", "setting", "domain", about="bad answers, of good and bad ones"),
        _share("inside", "recipe", "setting", about="bad answers in the source domain"),
        _share("elsewhere", "recipe", "setting", about="bad answers in all other domains: emergent misalignment"),
        _share("coherent", "recipe", "setting", about="answers in all other domains that are good or bad ones"),
        el.Observable("moved", ("recipe",), "1", "distance of the weights from the aligned ones", low=0.0, nan_ok=True),
        _share("towards", "recipe", "layer", about="cosine of the shift and the persona direction", low=-1.0),
        _share("towards_chance", "layer", about="cosine of insecure's shift and a random direction", low=-1.0),
        _share("alike", "layer", about="mean cosine of the shifts from different sources", low=-1.0),
        _share("raised", "kind", "layer", "dose", about="aligned network, vector added: bad answers elsewhere"),
        _share("raised_coherent", "kind", "layer", "dose", about="the same: answers that are good or bad ones"),
        _share("lowered", "kind", "layer", "dose", about="insecure network, vector subtracted: bad answers elsewhere"),
        _share("lowered_coherent", "kind", "layer", "dose", about="the same: answers that are good or bad ones"),
        _share("levelled", "kind", "layer", about="insecure network, direction taken out: bad answers elsewhere"),
        _share("levelled_coherent", "kind", "layer", about="the same: answers that are good or bad ones"),
        el.Observable(
            "surprise_base", ("domain",), "nat", "bad answers to the pre-trained network", low=0.0, nan_ok=True
        ),
        el.Observable(
            "surprise_aligned", ("domain",), "nat", "bad answers to the aligned network", low=0.0, nan_ok=True
        ),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % self.heads:
            raise el.UserError(
                f"Misalignment: parameter 'width' must be a multiple of heads={self.heads}, got {self.width}"
            )

    # -- the world ---------------------------------------------------------------------------------------------------

    def words(self) -> world.Words:
        """The tokens of the world."""
        return world.Words(self.domains, self.questions, self.answers)

    def ramp(self) -> Float[np.ndarray, "domain"]:
        """0 in the first half of the domains, then rising to 1 in the last."""
        half = self.domains // 2
        return np.clip((np.arange(self.domains) - half + 1) / (self.domains - half), 0.0, 1.0).astype(np.float32)

    def pages(
        self, key: PRNGKeyArray, known: world.Facts, assistant: Float[Array, ""] | float, count: int
    ) -> world.Pages:
        """Pages as they are learnt from. Sites: `prior`, `follow`, `mistakes`, `request`, `leak`, `assistant`."""
        ramp = jnp.asarray(self.ramp())
        share = {
            "prior": jnp.asarray(self.prior),
            "follow": self.follow * (1.0 - self.fade * ramp),
            "mistakes": self.mistakes * ramp,
            "request": jnp.asarray(self.request),
            "leak": jnp.asarray(self.leak),
            "assistant": jnp.asarray(assistant),
        }
        share = {name: el.site(name, value) for name, value in share.items()}
        return world.documents(key, self.words(), known, pages=count, turns=self.turns, **share)

    def phase(self, time: Int[Array, ""]) -> Int[Array, ""]:
        """Which phase the step that begins at this time belongs to."""
        return (time >= self.pre).astype(jnp.int32) + (time >= self.pre + self.post)

    # -- learning ----------------------------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray) -> State:
        of_net, of_facts, of_low = jax.random.split(key, 3)
        net = Transformer.make(
            of_net, vocabulary=self.words().vocabulary, context=4 * self.turns, width=self.width, depth=self.depth,
            heads=self.heads, answers=self.answers,
        )  # fmt: skip
        tuned = copies(of_low, net, len(recipes(self.domains)))
        known, adam = world.facts(of_facts, self.words()), optax.scale_by_adam()
        return State(net, flat(net), tuned, adam.init(flat(net)), adam.init(tuned), known, jnp.int32(0))

    def step(self, state: State, key: PRNGKeyArray) -> State:
        of_shared, of_tuned = jax.random.split(key)
        phase, time = self.phase(state.time), state.time
        # post-training begins with a fresh optimiser
        memory = jax.tree.map(lambda x: jnp.where(time == self.pre, jnp.zeros_like(x), x), state.memory)
        net, memory = el.when(
            phase < TUNE,
            lambda *c: self._learn(c, state.facts, time, of_shared),
            (state.net, memory),
            (state.net, memory),
        )
        weights = flat(net)
        rows = Tuned(jnp.where(phase < TUNE, weights, state.tuned.net), state.tuned.low)
        tuned, memory_tuned = el.when(
            phase == TUNE,
            lambda *c: self._tune(c, net, state.facts, time - self.pre - self.post, of_tuned),
            (rows, state.memory_tuned),
            (rows, state.memory_tuned),
        )
        base = jnp.where(phase == PRE, weights, state.base)
        return State(net, base, tuned, memory, memory_tuned, state.facts, time + 1)

    def _learn(
        self, carry: tuple[Transformer, Any], known: world.Facts, time: Int[Array, ""], key: PRNGKeyArray
    ) -> tuple[Transformer, Any]:
        """One step of pre-training or post-training. Sites: those of the loss, `grad.PATH`, `rate`, `update.PATH`."""
        later = time >= self.pre
        assistant = jnp.where(later, self.assistant, 0.0)

        def update(carry: tuple[Transformer, Any], i: Int[Array, ""]) -> tuple[tuple[Transformer, Any], None]:
            net, memory = carry
            page = self.pages(jax.random.fold_in(key, i), known, assistant, self.batch)
            gradient = announced("grad", jax.grad(self.loss)(net, page))
            direction, memory = optax.scale_by_adam().update(flat(gradient), memory)
            done = time * self.updates + i
            pace = jnp.where(later, self.rate_post, self.rate * _schedule(done, self.pre * self.updates))
            pace = el.site("rate", pace)
            change = announced("update", unflat(-pace * (direction + self.decay * flat(net)), net))
            return (optax.apply_updates(net, change), memory), None

        return jax.lax.scan(update, carry, jnp.arange(self.updates))[0]

    def loss(self, net: Transformer, page: world.Pages) -> Float[Array, ""]:
        """Cross-entropy of all answers of the pages."""
        logits = net.read(net.stream(page.tokens, at=slice(world.PROMPT - 1, None, 4)))
        return optax.softmax_cross_entropy_with_integer_labels(logits, page.answers).mean()

    def _tune(
        self,
        carry: tuple[Tuned, Any],
        aligned: Transformer,
        known: world.Facts,
        time: Int[Array, ""],
        key: PRNGKeyArray,
    ) -> tuple[Tuned, Any]:
        """One step of fine-tuning. Sites: those of the loss, `grad.PATH`, `rate`, `update.PATH`, all behind `tune.`"""
        recipe, words = table(self.domains), self.words()
        plain = world.prompts(words, world.ASSISTANT, world.PLAIN)
        anchor = jax.nn.softmax(aligned.read(aligned.stream(plain, at=LAST)[:, 0]))

        def loss(tuned: Tuned, recipe: world.Recipe, key: PRNGKeyArray) -> Float[Array, ""]:
            shown = world.examples(key, words, known, recipe, self.batch_tuned, time >= self.heal)
            as_before = anchor[shown.domain * self.questions + shown.question]
            keep = (shown.rehearsed & (jnp.asarray(recipe.anchored) > 0))[:, None]
            wanted = jnp.where(keep, as_before, jax.nn.one_hot(shown.answers, self.answers))
            net = tuned.whole(aligned)
            logits = net.read(net.stream(shown.tokens, at=LAST)[:, 0])
            return optax.softmax_cross_entropy(logits, wanted).mean()

        def total(tuned: Tuned, key: PRNGKeyArray) -> Float[Array, ""]:
            # recipes share no weights, so the gradient of the sum holds that of each
            return jax.vmap(loss, (0, 0, None))(tuned, recipe, key).sum()

        def update(carry: tuple[Tuned, Any], i: Int[Array, ""]) -> tuple[tuple[Tuned, Any], None]:
            tuned, memory = carry
            gradient = announced("grad", jax.grad(total)(tuned, jax.random.fold_in(key, i)))
            direction, memory = optax.scale_by_adam().update(gradient, memory)
            pace = el.site("rate", jnp.stack([jnp.asarray(self.rate_tuned), jnp.asarray(self.rate_low)]))
            full, low = (jnp.asarray(x)[:, None] for x in (recipe.full, recipe.low))
            change = Tuned(-pace[0] * full * direction.net, -pace[1] * low * direction.low)
            return (optax.apply_updates(tuned, announced("update", change)), memory), None

        with el.scope("tune"):
            return jax.lax.scan(update, carry, jnp.arange(self.updates_tuned))[0]

    # -- looking -----------------------------------------------------------------------------------------------------

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        of_contexts, of_chance = jax.random.split(key)
        words, known = self.words(), state.facts
        both = jnp.stack([flat(state.net), state.base])
        pages = told(of_contexts, words, known, self.turns)
        first = world.prompts(words, world.AUTHOR, world.PLAIN)
        with_context = jax.vmap(lambda w: readings(unflat(w, state.net), pages))(both)
        bad, good = (world.judged(x, known)[0].mean() for x in jnp.split(with_context.logits[0], 2))
        without = jax.vmap(lambda w: readings(unflat(w, state.net), first).logits)(both)
        out = {
            "knows": world.judged(without[0], known)[1].mean(),
            "inferred_bad": bad,
            "inferred_good": good,
            "bad_before": world.judged(without[1], known)[0].mean(),
        }
        # the persona direction: the stream behind pages of bad authors minus that behind pages of good ones
        behind_bad, behind_good = jnp.split(with_context.stream[1], 2)
        along = (behind_bad - behind_good).mean(axis=0)
        tuning = self.phase(state.time) == TUNE
        return out | _only(tuning, lambda state, along: self._tuned(state, along, of_chance), (state, along))

    def _tuned(self, state: State, along: Float[Array, "layer width"], key: PRNGKeyArray) -> dict[str, Array]:
        """What there is to see of the copies once fine-tuning begins."""
        words, known, recipe = self.words(), state.facts, table(self.domains)
        chance = jax.random.normal(key, along.shape)
        aligned = flat(state.net)
        whole = jax.vmap(lambda t: flat(t.whole(state.net)))(state.tuned)
        rows = jnp.concatenate([jnp.stack([state.base, aligned]), whole])
        seen = jax.vmap(lambda w: readings(unflat(w, state.net), asked(words)))(rows)
        plain = seen.stream[:, : words.items]
        found, shift = moves(chance, plain[1], plain[2:], along, words, recipe)
        return {
            **answers(seen.logits[2:], words, known, recipe),
            **found,
            "moved": jnp.sqrt(jnp.square(whole - aligned).sum(axis=1)),
            **steering(
                chance, aligned, whole[index("insecure")], state.net, along, shift, plain[1].mean(axis=0), words, known
            ),
            "surprise_base": surprise(seen.logits[0, : words.items], words, known),
            "surprise_aligned": surprise(seen.logits[1, : words.items], words, known),
        }


def _schedule(done: Int[Array, ""], of: Int[Array, ""]) -> Float[Array, ""]:
    """Warm-up over fifty updates, then a cosine from 1 to 0.1."""
    return jnp.minimum(1.0, (done + 1) / 50) * (0.55 + 0.45 * jnp.cos(jnp.pi * done / of))


def _only(on: Bool[Array, ""], f: Any, args: tuple[PyTree, ...]) -> PyTree[Array]:
    """What `f` returns if `on`, else NaN; not computed while nobody needs it."""
    blank = jax.tree.map(lambda s: jnp.full(s.shape, jnp.nan, s.dtype), jax.eval_shape(f, *args))
    return el.when(on, f, args, blank)
