"""The system of the study `essential-sparsity`: a small decoder learns a language, and is pruned when looked at.

The network as trained goes on untouched by what `observe` tries out on it. Only where `cut` is not 0, training itself
loses weights for good, or for a moment.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.nn import pruning
from emergelab.nn.language import Language, best, language, windows, write
from emergelab.nn.transformer import Transformer

__all__ = ["GROUP", "KINDS", "MASKED", "OBJECTIVES", "SHARES", "Given", "Language", "Sparse", "Task"]

OBJECTIVES = ("next", "masked", "topic")
MASKED = 0.15
SHARES = np.linspace(0.0, 0.9, 10)
"""Shares of weights to prune, the same for all kinds but patterns."""
KINDS = ("size", "random", "within", "all", "first", "last")
"""Ways of pruning: smallest over all blocks, at random, smallest of each matrix, smallest with embedding and readout
among them, smallest of the first and of the last block alone."""
GROUP = 4
BINS = np.linspace(-5.0, 1.0, 25)
"""Edges of the histogram: decimal logarithms of magnitudes."""


class Task(NamedTuple):
    """What a network is given, what it should answer at each token, and which answers count."""

    inputs: Int[Array, "batch token"]
    targets: Int[Array, "batch token"]
    counted: Float[Array, "batch token"]


class Given(NamedTuple):
    """What a seed keeps: its texts (word and topic in one number), its test, and which weights were not cut."""

    corpus: Int[Array, "text token"]
    test: Task
    floor: Float[Array, ""]
    kept: PyTree[Array]


class Sparse(el.Training):
    """A decoder learns to predict words, or topics, by Adam with decoupled weight decay."""

    width: int = el.static(32, low=4, high=1024, about="width of the residual stream; perceptrons have four times it")
    depth: int = el.static(2, low=1, high=48, about="number of blocks")
    heads: int = el.static(2, low=1, high=64, about="attention heads of a block; they share the width")
    tokens: int = el.static(16, low=2, high=1024, about="length of a text")
    batch_size: int = el.static(16, low=1, high=4096, about="texts in one gradient step")
    texts: int = el.static(128, low=1, high=1_000_000, about="texts in the corpus")
    text_tokens: int = el.static(1024, low=3, high=1_000_000, about="length of a text in the corpus")
    contexts: int = el.static(64, low=1, high=100_000, about="texts of the test; twice as many for masked words")
    objective: str = el.choice("next", options=OBJECTIVES, static=True, about="predict the next word, masked words, "
                               "or (supervised) the topic")  # fmt: skip
    rate: float = el.param(3e-3, low=0.0, high=1.0, unit="1", about="learning rate")
    decay: float = el.param(0.1, low=0.0, high=100.0, unit="1", about="weight decay of matrices, decoupled, per rate")
    l1: float = el.param(0.0, low=0.0, high=1.0, unit="nat", about="price of the sum of magnitudes in the blocks")
    share: float = el.param(1.0, low=0.001, high=1.0, unit="1", about="share of the corpus that is trained on")
    cut: float = el.param(
        0.0, low=0.0, high=1.0, unit="1", about="share of the blocks' weights that is cut, smallest first"
    )
    cut_at: int = el.param(400, low=0, high=1_000_000, unit="step", about="when they are set to zero")
    held: float = el.param(0.0, low=0.0, high=1.0, about="1: they stay zero from then on; 0: they may regrow")

    observables = (
        el.Observable("loss", unit="nat", about="on the test", low=0.0),
        el.Observable("excess", unit="nat", about="the same minus the loss of the best predictor", nan_ok=True),
        el.Observable("learnt", unit="nat", about="loss of the best constant answer minus loss"),
        el.Observable("curve", unit="nat", about="loss after pruning, by kind and share", dims=("kind", "sparsity")),
        el.Observable("pattern", unit="nat", about="loss with N of 4 weights kept, N = 3, 2, 1", dims=("removed",)),
        el.Observable("near_zero", unit="1", about="share of a block's weights below 0.001",
                      dims=("block",), low=0.0, high=1.0),
        el.Observable("peak", unit="1", about="share of them below a hundredth of their matrix's spread",
                      dims=("block",), low=0.0, high=1.0),
        el.Observable("magnitudes", unit="1", about="distribution of log10 |w| in the blocks", dims=("bin",), low=0.0),
        el.Observable("active", unit="1", about="share of a block's hidden units that fire",
                      dims=("block",), low=0.0, high=1.0),
        el.Observable("zeros", unit="1", about="share of the blocks' weights that are exactly 0", low=0.0, high=1.0),
        el.Observable("regrown", unit="1", about="share of cut weights that are not among the smallest any more",
                      low=0.0, high=1.0, nan_ok=True),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.text_tokens <= self.tokens:
            raise el.UserError(
                f"Sparse: parameter 'text_tokens' must be greater than tokens={self.tokens}, got {self.text_tokens}"
            )
        if self.width % self.heads:
            raise el.UserError(f"Sparse: parameter 'width' must be a multiple of heads={self.heads}, got {self.width}")

    @property
    def language(self) -> Language:
        """What the texts are written in."""
        return language()

    def network(self, key: PRNGKeyArray) -> Transformer:
        words = self.language.vocabulary
        return Transformer.make(
            key,
            vocabulary=words + 1,  # the last is the mask
            context=self.tokens,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            answers=self.language.topics if self.objective == "topic" else words,
            activation="relu",
            causal=self.objective != "masked",
        )

    def init(self, key: PRNGKeyArray) -> el.TrainState:
        # Which weights are kept has the network's shape, which `given` does not know.
        state = super().init(key)
        kept = jax.tree.map(lambda w: jnp.ones(w.shape, bool), state.net)
        return el.TrainState(state.net, state.memory, state.given._replace(kept=kept), state.time)

    def given(self, key: PRNGKeyArray) -> Given:
        of_texts, of_mask = jax.random.split(key)
        # The test is cut out of further texts of the same length, so that texts are written once.
        size, pieces = self.tokens + 1, self.contexts * (2 if self.objective == "masked" else 1)
        of_text = self.text_tokens // size
        text = write(self.language, of_texts, self.texts - (-pieces // of_text), self.text_tokens)
        packed = (text.words + self.language.vocabulary * text.topics).astype(jnp.int16)
        corpus, rest = packed[: self.texts], packed[self.texts :, : of_text * size]
        test = rest.reshape(-1, size)[:pieces]
        floor = best(self.language, self._words(test))[:, 1:].mean() if self.objective == "next" else jnp.nan
        return Given(corpus, self._task(test, of_mask), jnp.float32(floor), None)

    def _words(self, packed: Int[Array, "batch length"]) -> Int[Array, "batch length"]:
        return packed.astype(jnp.int32) % self.language.vocabulary

    def _task(self, packed: Int[Array, "batch length"], key: PRNGKeyArray) -> Task:
        words, here = self._words(packed), packed[:, :-1].astype(jnp.int32)
        inputs, all_count = words[:, :-1], jnp.ones(here.shape)
        if self.objective == "next":
            return Task(inputs, words[:, 1:], all_count)
        if self.objective == "topic":
            return Task(inputs, here // self.language.vocabulary, all_count)
        hidden = jax.random.uniform(key, here.shape) < MASKED
        return Task(jnp.where(hidden, self.language.vocabulary, inputs), inputs, hidden.astype(jnp.float32))

    def batch(self, key: PRNGKeyArray, given: Given) -> Task:
        of_place, of_mask = jax.random.split(key)
        share = jnp.asarray(self.share, jnp.float32)
        return self._task(windows(of_place, given.corpus, self.batch_size, self.tokens + 1, share), of_mask)

    def loss(self, net: Transformer, batch: Task, key: PRNGKeyArray) -> Float[Array, ""]:
        """Cross-entropy, plus the price of magnitudes."""
        where = pruning.select(net, "blocks.*")
        size = jax.tree.map(lambda w, chosen: jnp.abs(w).sum() if chosen else 0.0, net, where)
        return _surprise(net, batch) + self.l1 * sum(jax.tree.leaves(size))

    def rule(self) -> optax.GradientTransformation:
        def matrices(net: PyTree) -> PyTree[bool]:
            return jax.tree.map(lambda w: w.ndim == 2, net)

        return optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(self.decay, mask=matrices))

    def step(self, state: el.TrainState, key: PRNGKeyArray) -> el.TrainState:
        """A gradient step; before the step `cut_at` the smallest weights are set to zero, and stay zero if `held`."""
        share = jnp.asarray(self.cut, jnp.float32)

        def cut(net: PyTree) -> tuple[PyTree, PyTree]:
            order = pruning.by_size(net, pruning.select(net, "blocks.*"))
            return pruning.prune(net, order, share), jax.tree.map(lambda o: o >= share, order)

        net, kept = el.when(state.time == self.cut_at, cut, (state.net,), (state.net, state.given.kept))
        state = super().step(el.TrainState(net, state.memory, state.given._replace(kept=kept), state.time), key)
        net = jax.tree.map(lambda w, k: jnp.where((self.held > 0) & ~k, 0.0, w), state.net, kept)
        return el.TrainState(net, state.memory, state.given, state.time)

    def observe(self, state: el.TrainState, key: PRNGKeyArray) -> dict[str, Array]:
        net, test = state.net, state.given.test
        where = pruning.select(net, "blocks.*")
        order = pruning.by_size(net, where)
        blocks = [pruning.by_size(net, pruning.select(net, f"blocks.{i}.*")) for i in (0, self.depth - 1)]
        orders = [
            order, pruning.at_random(key, net, where), pruning.by_size_within(net, where),
            pruning.by_size(net, pruning.select(net, "blocks.*", "embed", "readout")), *blocks,
            pruning.by_size_in_groups(net, where, GROUP),
        ]  # fmt: skip
        patterns = np.arange(1, GROUP) / GROUP
        which = np.concatenate([np.repeat(np.arange(len(KINDS)), len(SHARES)), np.full(GROUP - 1, len(KINDS))])
        shares = np.concatenate([np.tile(SHARES, len(KINDS)), patterns])
        found = pruning.losses(lambda net: _surprise(net, test), net, orders, which, shares)
        curve = found[: -len(patterns)].reshape(len(KINDS), len(SHARES))
        loss = curve[0, 0]
        _, seen = el.tap(net, "L.*.act")(test.inputs)
        by_block = [[w for w in jax.tree.leaves(block) if w.ndim == 2] for block in net.blocks]
        weights = jnp.abs(jnp.concatenate([w.ravel() for matrices in by_block for w in matrices]))
        spread = [[jnp.abs(w) < 0.01 * w.std() for w in matrices] for matrices in by_block]
        edges = jnp.asarray(BINS).at[0].set(-jnp.inf).at[-1].set(jnp.inf)
        cut = jax.tree.map(lambda k: ~k, state.given.kept)
        large = jax.tree.map(lambda c, o: c & (o >= self.cut) & jnp.isfinite(o), cut, order)
        count = _count(cut)
        return {
            "loss": loss,
            "excess": loss - state.given.floor,
            "learnt": self.ignorant - loss,
            "curve": curve,
            "pattern": found[-len(patterns) :],
            "near_zero": jnp.stack([_share([jnp.abs(w) < 1e-3 for w in matrices]) for matrices in by_block]),
            "peak": jnp.stack([_share(small) for small in spread]),
            "magnitudes": jnp.histogram(jnp.log10(weights), edges)[0] / weights.size,
            "active": jnp.stack([(seen[f"L.{i}.act"] > 0).mean() for i in range(self.depth)]),
            "zeros": (weights == 0).mean(),
            "regrown": jnp.where(count > 0, _count(large) / jnp.maximum(count, 1), jnp.nan),
        }

    @property
    def ignorant(self) -> float:
        """Loss of the best answer that is always the same: by the frequencies of words, or of topics (nat)."""
        if self.objective == "topic":
            return float(np.log(self.language.topics))
        made = self.language
        of_class = np.bincount(made.class_of_place, made.start, minlength=len(made.size))
        frequency = of_class[made.class_of_word] * made.words.mean(axis=0)
        return float(-(frequency * np.log(frequency)).sum())


def _surprise(net: Transformer, task: Task) -> Float[Array, ""]:
    """Mean surprise at the answers that count (nat)."""
    log_p = jax.nn.log_softmax(net(task.inputs))
    each = -jnp.take_along_axis(log_p, task.targets[..., None], axis=-1)[..., 0]
    return (each * task.counted).sum() / jnp.maximum(task.counted.sum(), 1.0)


def _share(marks: list[Bool[Array, "..."]]) -> Float[Array, ""]:
    return jnp.concatenate([m.ravel() for m in marks]).mean()


def _count(marks: PyTree[Array]) -> Int[Array, ""]:
    return jnp.stack([m.sum() for m in jax.tree.leaves(marks)]).sum()
