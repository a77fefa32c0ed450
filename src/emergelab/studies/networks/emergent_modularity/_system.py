"""The system of the study `emergent-modularity`: a small decoder learns a language, its units are sorted into bricks.

Up to the step `tune_at` it learns from all topics, afterwards from half of them, as a whole or with only the best
bricks of every token open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

import emergelab as el
from emergelab.nn import bricks
from emergelab.nn.language import CLASSES, Language, best, language, write
from emergelab.nn.transformer import ACTIVATIONS, Transformer

__all__ = ["FUNCTIONS", "KEPT", "KINDS", "PARTITIONS", "ROUTES", "Batch", "Given", "Modular", "answer"]

ROUTES = ("dense", "bricks", "random")
PARTITIONS = ("bricks", "random")
GATES = ("activity", "keys")
KEPT = (0.125, 0.25, 0.5, 0.75)
"""Shares of bricks that are kept when the cost of routing is measured."""
KINDS = tuple(dict.fromkeys(name.split("_")[0] for name in CLASSES))
"""Classes of words without their number."""
KIND_OF_CLASS = np.array([KINDS.index(name.split("_")[0]) for name in CLASSES])
FUNCTIONS = ("next", "this", "topic")
"""What a unit may be specialised for: the class of the word to come, of the word it sees, the topic."""
SPECIAL = 0.3


class Given(NamedTuple):
    """What a seed keeps: three tests and the surprise of the best predictor on each, and the bricks of the tuning."""

    words: Int[Array, "text token"]
    topics: Int[Array, "text token"]
    home: Int[Array, "some token"]
    away: Int[Array, "some token"]
    floor: Float[Array, "test"]
    labels: Int[Array, "layer unit"]
    tuning: Float[Array, ""]


class Batch(NamedTuple):
    """Texts of a step, and how its network is routed."""

    words: Int[Array, "batch token"]
    labels: Int[Array, "layer unit"]
    routed: Float[Array, ""]


Gate = Callable[
    [int, Float[Array, "batch token unit"], Float[Array, "batch token unit"]], Float[Array, "batch token unit"]
]


def answer(net: Transformer, tokens: Int[Array, "batch token"], gate: Gate) -> Float[Array, "batch token answer"]:
    """Logits of a network in which every hidden unit is multiplied by what `gate` makes of its layer.

    The gate is given the layer's number, the input times the keys (without bias), and the activity. Sites are those of
    the network, and those of the look ahead that the gate needs, under `gate.i`.
    """
    x = el.site("embed", net.embed[tokens] + net.position[: tokens.shape[1]])
    for i, block in enumerate(net.blocks):
        with el.scope("gate", i):
            _, seen = el.tap(block, f"gate.{i}.mid")(x)
        before = block.between(seen[f"gate.{i}.mid"]) @ block.up
        opened = gate(i, before, ACTIVATIONS[block.activation](before + block.up_bias))
        with el.scope("L", i), el.edit(el.Scale(f"L.{i}.act", opened)):
            x = block(x)
    return net.read(x)


class Modular(el.Training):
    """A decoder with ReLU learns to predict words, by Adam with decoupled weight decay."""

    width: int = el.static(32, low=4, high=1024, about="width of the residual stream; perceptrons have four times it")
    depth: int = el.static(2, low=1, high=48, about="number of blocks")
    heads: int = el.static(2, low=1, high=64, about="attention heads of a block; they share the width")
    tokens: int = el.static(16, low=2, high=1024, about="length of a text")
    batch_size: int = el.static(16, low=1, high=4096, about="texts in one gradient step")
    contexts: int = el.static(256, low=1, high=100_000, about="texts in which units are watched")
    tried: int = el.static(48, low=1, high=100_000, about="texts on which every way of routing is tried")
    bricks: int = el.static(16, low=2, high=1024, about="bricks of a layer")
    rate: float = el.param(3e-3, low=0.0, high=1.0, unit="1", about="learning rate")
    decay: float = el.param(0.1, low=0.0, high=100.0, unit="1", about="weight decay of matrices, decoupled, per rate")
    tune_at: int = el.param(800, low=0, high=1_000_000, unit="step", about="when tuning on half of the topics begins")
    slower: float = el.param(0.3, low=0.0, high=1.0, unit="1", about="learning rate in tuning, relative to before")
    route: str = el.choice("dense", options=ROUTES, about="tuned as a whole, by bricks of like keys, or by random ones")
    kept: int = el.param(4, low=1, high=1024, about="bricks that are open for a token in tuning")

    observables = (
        el.Observable("loss", unit="nat", about="of the whole network, on all topics", low=0.0),
        el.Observable("excess", unit="nat", about="the same minus the loss of the best predictor"),
        el.Observable("routing", unit="nat", about="what it costs to keep some bricks only",
                      dims=("partition", "gate", "share")),
        el.Observable("active", unit="1", about="share of units that fire", dims=("layer",), low=0.0, high=1.0),
        el.Observable("modularity", unit="1", about="Q of the partition in the graph of units that fire together",
                      dims=("partition", "layer")),
        el.Observable("special", unit="1", about="share of units whose firing tells a kind (score above 0.3)",
                      dims=("function",), low=0.0, high=1.0),
        el.Observable("score", unit="1", about="mean of that score over units", dims=("function",), low=0.0, high=1.0),
        el.Observable("shuffled", unit="1", about="share of such units if classes are dealt anew", low=0.0, high=1.0),
        el.Observable("purity", unit="1", about="share of units with the favourite class of their brick",
                      dims=("partition",), low=0.0, high=1.0),
        el.Observable("drop", unit="nat", about="rise of the loss on each class if a brick of like keys is silent",
                      dims=("brick", "kind")),
        el.Observable("own", unit="nat", about="how much more a silent brick hurts its own class than the average one",
                      dims=("partition",)),
        el.Observable("home", unit="nat", about="loss beyond the best predictor's on topics of the tuning, as routed"),
        el.Observable("away", unit="nat", about="the same on the other topics"),
        el.Observable("away_whole", unit="nat", about="the same with all bricks open"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if 4 * self.width % self.bricks:
            raise el.UserError(
                f"Modular: parameter 'bricks' must divide the 4*width={4 * self.width} hidden units, got {self.bricks}"
            )
        if self.width % self.heads:
            raise el.UserError(f"Modular: parameter 'width' must be a multiple of heads={self.heads}, got {self.width}")
        if self.tried > self.contexts:
            raise el.UserError(f"Modular: parameter 'tried' must be at most contexts={self.contexts}, got {self.tried}")

    @property
    def language(self) -> Language:
        """What the texts are written in."""
        return language()

    def network(self, key: PRNGKeyArray) -> Transformer:
        return Transformer.make(
            key,
            vocabulary=self.language.vocabulary,
            context=self.tokens,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            activation="relu",
        )

    def given(self, key: PRNGKeyArray) -> Given:
        keys = jax.random.split(key, 3)
        mixtures = (None, self._mixture(True), self._mixture(False))
        counts = (self.contexts, self.tried, self.tried)
        texts = [write(self.language, k, n, self.tokens + 1, m) for k, n, m in zip(keys, counts, mixtures, strict=True)]
        tests = (texts[0].words[: self.tried], texts[1].words, texts[2].words)
        floor = jnp.stack([best(self.language, words)[:, 1:].mean() for words in tests])
        labels = jnp.zeros((self.depth, 4 * self.width), jnp.int32)
        return Given(texts[0].words, texts[0].topics, *tests[1:], floor, labels, jnp.float32(0))

    def _mixture(self, home: bool) -> Float[Array, "topic"]:
        first = jnp.arange(self.language.topics) < self.language.topics // 2
        return (first == home).astype(jnp.float32)

    def batch(self, key: PRNGKeyArray, given: Given) -> Batch:
        mixture = jnp.where(given.tuning > 0, self._mixture(True), 1.0)
        words = write(self.language, key, self.batch_size, self.tokens + 1, mixture).words
        return Batch(words, given.labels, given.tuning * (jnp.asarray(self.route) > 0))

    def loss(self, net: Transformer, batch: Batch, key: PRNGKeyArray) -> Float[Array, ""]:
        """Cross-entropy of the next words, by the best bricks of every token if the network is routed."""
        return self._surprise(net, batch.words, self._tuned(batch.labels, batch.routed)).mean()

    def _tuned(self, labels: Int[Array, "layer unit"], routed: Float[Array, ""]) -> Gate:
        def gate(layer: int, before: Array, act: Array) -> Array:
            scores = bricks.by_keys(before, labels[layer], self.bricks)
            opened = bricks.open_units(jax.lax.stop_gradient(scores), labels[layer], jnp.asarray(self.kept))
            return jnp.where(routed > 0, opened, 1.0)

        return gate

    def _surprise(self, net: Transformer, words: Int[Array, "batch token"], gate: Gate) -> Float[Array, "batch target"]:
        log_p = jax.nn.log_softmax(answer(net, words[:, :-1], gate))
        return -jnp.take_along_axis(log_p, words[:, 1:, None], axis=-1)[..., 0]

    def rule(self) -> optax.GradientTransformation:
        def matrices(net: PyTree) -> PyTree[bool]:
            return jax.tree.map(lambda w: w.ndim == 2, net)

        return optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(self.decay, mask=matrices))

    def pace(self, time: Int[Array, ""]) -> Float[Array, ""]:
        return self.rate * jnp.where(time >= self.tune_at, self.slower, 1.0)

    def step(self, state: el.TrainState, key: PRNGKeyArray) -> el.TrainState:
        """A gradient step; before the step `tune_at` the bricks are made, which stay the same from then on."""
        of_bricks, of_step = jax.random.split(key)

        def made(net: Transformer) -> Int[Array, "layer unit"]:
            parts = jnp.stack(self._partitions(net, of_bricks))
            return jnp.where(jnp.asarray(self.route) == ROUTES.index("random"), parts[1], parts[0])

        labels = el.when(state.time == self.tune_at, made, (state.net,), state.given.labels)
        tuning = (state.time >= self.tune_at).astype(jnp.float32)
        given = state.given._replace(labels=labels, tuning=tuning)
        return super().step(el.TrainState(state.net, state.memory, given, state.time), of_step)

    def _partitions(
        self, net: Transformer, key: PRNGKeyArray
    ) -> tuple[Int[Array, "layer unit"], Int[Array, "layer unit"]]:
        """Bricks of like keys, and random ones."""
        keys = jax.random.split(key, self.depth)
        like = [bricks.balanced(block.up.T, self.bricks) for block in net.blocks]
        other = [bricks.at_random(k, 4 * self.width, self.bricks) for k in keys]
        return jnp.stack(like), jnp.stack(other)

    def observe(self, state: el.TrainState, key: PRNGKeyArray) -> dict[str, Array]:
        net, given = state.net, state.given
        of_bricks, of_deal = jax.random.split(key)
        parts = jnp.stack(self._partitions(net, of_bricks))
        _, seen = el.tap(net, "L.*.act")(given.words[:, :-1])
        fired = jnp.stack([(seen[f"L.{i}.act"] > 0).reshape(-1, 4 * self.width) for i in range(self.depth)])
        kinds = jnp.asarray(KIND_OF_CLASS[self.language.class_of_word])[given.words]
        truths = (kinds[:, 1:].ravel(), kinds[:, :-1].ravel(), given.topics[:, :-1].ravel())
        counts = (len(KINDS), len(KINDS), self.language.topics)

        def scores(truth: Int[Array, "sample"], count: int) -> Float[Array, "layer unit kind"]:
            return jnp.stack([bricks.specialisation(f, truth, count) for f in fired])

        by_function = [scores(truth, count) for truth, count in zip(truths, counts, strict=True)]
        strength = jnp.stack([jnp.abs(s).max(axis=-1) for s in by_function])
        dealt = jnp.abs(scores(jax.random.permutation(of_deal, truths[0]), counts[0])).max(axis=-1)
        favourite = by_function[0].argmax(axis=-1)
        together = [bricks.coactivation(f) for f in fired]
        whole, routing, drops = self._tried(net, given.words[: self.tried], parts)
        return {
            "loss": whole,
            "excess": whole - given.floor[0],
            "routing": routing,
            "active": fired.mean(axis=(1, 2)),
            "modularity": jnp.stack(
                [jnp.stack([bricks.modularity(w, p) for w, p in zip(together, part, strict=True)]) for part in parts]
            ),
            "special": (strength > SPECIAL).mean(axis=(1, 2)),
            "score": strength.mean(axis=(1, 2)),
            "shuffled": (dealt > SPECIAL).mean(),
            "purity": jnp.stack(
                [
                    jnp.stack(
                        [bricks.purity(f, p, self.bricks, len(KINDS)) for f, p in zip(favourite, part, strict=True)]
                    ).mean()
                    for part in parts
                ]
            ),
            "drop": drops[0].reshape(-1, len(KINDS)),
            "own": jnp.stack([self._own(d, by_function[0], p) for d, p in zip(drops, parts, strict=True)]),
            **self._tests(net, given),
        }

    def _tests(self, net: Transformer, given: Given) -> dict[str, Array]:
        """Losses beyond the best predictor's on both halves of the topics."""
        as_is = self._tuned(given.labels, given.tuning * (jnp.asarray(self.route) > 0))
        whole = self._tuned(given.labels, jnp.float32(0))
        return {
            "home": self._surprise(net, given.home, as_is).mean() - given.floor[1],
            "away": self._surprise(net, given.away, as_is).mean() - given.floor[2],
            "away_whole": self._surprise(net, given.away, whole).mean() - given.floor[2],
        }

    def _tried(
        self, net: Transformer, words: Int[Array, "text token"], parts: Int[Array, "partition layer unit"]
    ) -> tuple[Float[Array, ""], Float[Array, "partition gate share"], Float[Array, "partition layer brick kind"]]:
        """Losses of the whole network, with some bricks kept, and the rise by class with each brick silent."""
        most = [round(share * self.bricks) for share in KEPT]
        routing = [(p, g, k, -1, 0) for p in range(len(PARTITIONS)) for g in range(len(GATES)) for k in most]
        silent = [
            (p, 0, self.bricks, layer, brick)
            for p in range(len(PARTITIONS))
            for layer in range(self.depth)
            for brick in range(self.bricks)
        ]
        kinds = jax.nn.one_hot(jnp.asarray(KIND_OF_CLASS[self.language.class_of_word])[words[:, 1:]], len(KINDS))

        def one(job: Int[Array, "5"]) -> tuple[Float[Array, ""], Float[Array, "kind"]]:
            part, by_keys, most, shut_layer, shut = job

            def gate(layer: int, before: Array, act: Array) -> Array:
                labels = parts[part, layer]
                each = jnp.where(
                    by_keys > 0,
                    bricks.by_keys(before, labels, self.bricks),
                    bricks.by_activity(act, labels, self.bricks),
                )
                return bricks.open_units(each, labels, most) * ~((shut_layer == layer) & (labels == shut))

            surprise = self._surprise(net, words, gate)
            by_kind = jnp.einsum("bt,btk->k", surprise, kinds) / jnp.maximum(kinds.sum(axis=(0, 1)), 1.0)
            return surprise.mean(), by_kind

        jobs = jnp.asarray([(0, 0, self.bricks, -1, 0), *routing, *silent], jnp.int32)
        loss, by_kind = jax.lax.map(one, jobs)
        cost = (loss[1 : 1 + len(routing)] - loss[0]).reshape(len(PARTITIONS), len(GATES), len(KEPT))
        drops = (by_kind[1 + len(routing) :] - by_kind[0]).reshape(len(PARTITIONS), self.depth, self.bricks, len(KINDS))
        return loss[0], cost, drops

    def _own(
        self,
        drops: Float[Array, "layer brick kind"],
        special: Float[Array, "layer unit kind"],
        labels: Int[Array, "layer unit"],
    ) -> Float[Array, ""]:
        """Rise on the class for which a brick's units fire most, beyond the mean over classes; mean over bricks."""
        of_brick = jnp.einsum("lub,luk->lbk", jax.nn.one_hot(labels, self.bricks), special)
        own = jnp.take_along_axis(drops, of_brick.argmax(axis=-1)[..., None], axis=-1)[..., 0]
        return (own - drops.mean(axis=-1)).mean()
