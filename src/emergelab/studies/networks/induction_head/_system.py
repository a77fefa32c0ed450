"""The system of the study `induction-head`: a network learns to copy, and parts of its circuit may be given to it."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.nn.relabelled import Relabelled, label_pairs, relabelled, trained_pairs
from emergelab.nn.rotary_heads import PairEmbedding, RotaryHeads

from ._tensor import Factors, mismatch

__all__ = ["Given", "InductionHead", "Reader"]

TOKENS = 5
PREVIOUS = ("learnt", "attention", "perfect", "blocked")
GIVEN = ("learnt", "given")
NOWHERE = -1e9


class Reader(eqx.Module):
    """An embedding and the layers above it."""

    embed: PairEmbedding
    heads: RotaryHeads


class Given(eqx.Module):
    """What a seed keeps all along: one vector a class, and the pairs of labels in the seed's order."""

    vectors: Float[Array, "class dim"]
    pairs: Int[Array, "pair 2"]


def _score(name: str, unit: str, about: str, **more: Any) -> el.Observable:
    limits = {"low": 0.0, "high": 1.0 if unit == "1" else None, "nan_ok": True}
    return el.Observable(name, unit=unit, about=about, **{**limits, **more})


class InductionHead(el.Training):
    """A network without perceptrons learns to give the last item the label that its like has in the sequence."""

    labels: int = el.static(5, low=3, high=100, about="labels, and answers")
    classes: int = el.static(200, low=2, high=10_000, about="classes there are for training, of which `used` occur")
    new: int = el.static(100, low=2, high=10_000, about="further classes, for testing")
    dim: int = el.static(64, low=2, high=4096, about="length of the vector that stands for a class")
    width: int = el.static(64, low=4, high=1024, about="width of the stream; `heads` times an even number")
    heads: int = el.static(8, low=1, high=64, about="attention heads of a layer")
    depth: int = el.static(2, low=1, high=2, about="layers")
    sequences: int = el.static(32, low=1, high=65_536, about="sequences in a gradient step")
    tests: int = el.static(128, low=1, high=100_000, about="sequences behind each score")
    size: int = el.static(20, low=2, high=200, about="length of each vector of the toy")
    used: int = el.param(50, low=2, high=10_000, about="classes that occur in training")
    rate: float = el.param(2e-4, low=0.0, high=100.0, unit="1", about="learning rate")
    only: int = el.param(-1, low=-1, high=63, about="the one head of the last layer that keeps its values; -1: all do")
    held: int = el.param(0, low=0, high=2, about="vectors of the toy that are given: none, c, or b and c")
    previous: str = el.choice(
        "learnt",
        options=PREVIOUS,
        about="first layer: learnt; one head looks at the token before; its whole work is given; that look is blocked",
    )
    match: str = el.choice("learnt", options=GIVEN, about="whether the head is given where to look")
    copy: str = el.choice("learnt", options=GIVEN, about="whether scores of the head are the answer's logits")
    model: str = el.choice("network", options=("network", "tensor"), static=True, about="network, or the toy")

    observables = (
        _score("loss", "nat", "cross-entropy on sequences as in training; mismatch of the toy"),
        _score("loss_new", "nat", "cross-entropy on new classes"),
        _score("acc", "1", "accuracy on sequences as in training"),
        _score("acc_pairs", "1", "accuracy on pairs of labels never seen together"),
        _score("acc_new", "1", "accuracy on new classes"),
        _score("shown", "1", "answers that are one of the two labels shown"),
        _score("strength", "1", "last layer: attention to the right label minus the wrong", dims=("head",), low=-1.0),
        _score("previous", "1", "first layer: attention of a label to its own item", dims=("head",)),
        _score("acc_only", "1", "accuracy if of the last layer this head alone keeps its values", dims=("head",)),
        _score("acc_without", "1", "accuracy if this head alone loses them", dims=("head",)),
        _score("acc_indirect", "1", "accuracy without what layer 1 writes for the readout, layer 2 as it was"),
        _score("acc_cut", "1", "accuracy without what layer 1 writes at all"),
        _score("pattern_first", "1", "first of two layers: mean attention between tokens where the first item is "
               "asked for", dims=("head", "to", "from")),
        _score("pattern_last", "1", "last layer: mean attention of the last token on these sequences",
               dims=("head", "from")),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        given = {name: getattr(self, name) != 0 for name in ("previous", "match", "copy")}
        for wrong, words in (
            (np.any(self.used > self.classes), f"'used' must be at most classes={self.classes}, got {self.used}"),
            (np.any(self.only >= self.heads), f"'only' must be below heads={self.heads}, got {self.only}"),
            (
                self.width % (2 * self.heads),
                f"'width' must be a multiple of 2 x heads = {2 * self.heads}, got {self.width}",
            ),
            (
                given["match"] and given["copy"],
                "'copy' must be 'learnt' where match='given': scores would be the answer and nothing would shape them",
            ),
            (self.depth == 1 and given["previous"], "'previous' must be 'learnt' where depth=1: no layer comes before"),
        ):
            if wrong:
                raise el.UserError(f"InductionHead: parameter {words}")

    # -- what is trained on what ------------------------------------------------------------------------------------

    def network(self, key: PRNGKeyArray) -> Reader | Factors:
        if self.model == "tensor":
            return Factors.make(key, self.size)
        of_embed, of_heads = jax.random.split(key)
        return Reader(
            PairEmbedding.make(of_embed, dim=self.dim, labels=self.labels, width=self.width),
            RotaryHeads.make(of_heads, width=self.width, depth=self.depth, heads=self.heads, answers=self.labels),
        )

    def given(self, key: PRNGKeyArray) -> Given | Factors:
        if self.model == "tensor":
            return Factors.make(key, self.size)
        of_vectors, of_pairs = jax.random.split(key)
        vectors = jax.random.normal(of_vectors, (self.classes + self.new, self.dim))
        return Given(vectors, label_pairs(of_pairs, self.labels))

    def batch(self, key: PRNGKeyArray, given: Given | Factors) -> Any:
        """What the loss needs: sequences and the vectors they stand for; the true vectors of the toy."""
        if isinstance(given, Factors):
            return given
        known = given.pairs[: trained_pairs(self.labels)]
        data = relabelled(key, known, jnp.asarray(self.used), self.sequences)
        return given.vectors[data.classes], data

    def loss(self, net: Reader | Factors, batch: Any, key: PRNGKeyArray) -> Float[Array, ""]:
        if isinstance(net, Factors):
            return mismatch(net, batch, jnp.asarray(self.held))
        items, data = batch
        return _cross_entropy(self.logits(net, items, data), data.target).mean()

    def rule(self) -> optax.GradientTransformation:
        """Adam; plain gradient descent for the toy."""
        return optax.identity() if self.model == "tensor" else optax.scale_by_adam()

    # -- the network and what is given to it ------------------------------------------------------------------------

    def kept(self) -> Bool[Array, "head"]:
        """Heads of the last layer that keep their values."""
        return (jnp.asarray(self.only) < 0) | (jnp.arange(self.heads) == self.only)

    def logits(
        self,
        net: Reader,
        items: Float[Array, "batch 3 dim"],
        data: Relabelled,
        kept: Bool[Array, "head"] | None = None,
    ) -> Float[Array, "batch label"]:
        """The answer, with whatever is given in this condition.

        Args:
            net, items, data: the network, the vectors of the items, and the sequences they belong to.
            kept: heads of the last layer that keep their values; those of the condition if not given.
        """
        last = f"L.{self.depth - 1}"
        kept = self.kept() if kept is None else kept
        x = net.embed(items, data.labels)
        parts = [
            el.Clamp(f"{last}.v", 0.0, where=~kept[:, None]),
            el.Clamp(f"{last}.pattern", self._right(data), where=(self.match == 1) & kept[:, None, None]),
        ]
        if self.depth > 1:
            parts += self._first_layer(x)
        with el.edit(*parts):
            stream, seen = el.tap(net.heads.stream, f"{last}.scores")(x)
        with el.edit(el.Clamp("logits", self._copied(seen[f"{last}.scores"], data), where=self.copy == 1)):
            return net.heads.read(stream)

    def _first_layer(self, x: Float[Array, "batch token width"]) -> list[el.Clamp]:
        """What is given of, or taken from, the first layer."""
        before = np.eye(TOKENS, k=-1, dtype=bool)
        look = before.astype(np.float32)
        look[0, 0] = 1.0
        # Labels, and the second item, become the token before them; the query stays what it is.
        shifted = x.at[:, 1:-1].set(x[:, :-2])
        perfect = self.previous == PREVIOUS.index("perfect")
        one = np.arange(self.heads)[:, None, None] == 0
        return [
            el.Clamp("L.0.pattern", look, where=(self.previous == PREVIOUS.index("attention")) & one),
            el.Clamp("L.0.scores", NOWHERE, where=(self.previous == PREVIOUS.index("blocked")) & before),
            el.Clamp("L.0.out", x, where=perfect),
            el.Clamp("L.1.reads.qk", shifted, where=perfect),
        ]

    def _right(self, data: Relabelled) -> Float[Array, "batch 1 1 token"]:
        """All attention on the label that is asked for."""
        return jax.nn.one_hot(2 * data.asked + 1, TOKENS)[:, None, None]

    def _copied(self, scores: Float[Array, "batch head query token"], data: Relabelled) -> Float[Array, "batch label"]:
        """Scores of the head that is kept (the first if all are) as logits of the two labels shown, none for others."""
        head = jnp.maximum(jnp.asarray(self.only), 0)
        two = jnp.take(scores[:, :, -1], head, axis=1)[:, 1::2]
        place = jax.nn.one_hot(data.labels, self.labels)
        return jnp.where(place.max(axis=1) > 0, jnp.einsum("bp,bpl->bl", two, place), NOWHERE)

    # -- what is observed -------------------------------------------------------------------------------------------

    def observe(self, state: el.TrainState, key: PRNGKeyArray) -> dict[str, Array]:
        if isinstance(state.net, Factors):
            sizes = {"head": self.heads, "to": TOKENS, "from": TOKENS}
            blank = {o.name: jnp.full([sizes[d] for d in o.dims], jnp.nan) for o in self.observables}
            return blank | {"loss": mismatch(state.net, state.given, jnp.asarray(self.held))}
        net, given = state.net, state.given
        seen_pairs = trained_pairs(self.labels)
        a, b, c = jax.random.split(key, 3)
        sets = (
            relabelled(a, given.pairs[:seen_pairs], jnp.asarray(self.used), self.tests),
            relabelled(b, given.pairs[seen_pairs:], jnp.asarray(self.used), self.tests),
            relabelled(c, given.pairs[:seen_pairs], self.new, self.tests, first=self.classes),
        )
        # One pass over all sets: one large product costs less than three.
        data = jax.tree.map(lambda *parts: jnp.concatenate(parts), *sets)
        logits, seen = el.tap(self.logits, "L.*.pattern", "L.*.v")(net, given.vectors[data.classes], data)
        loss = _cross_entropy(logits, data.target).reshape(3, -1).mean(axis=1)
        right = _right_share(logits, data.target, 3)
        shown = (jnp.argmax(logits[: self.tests], axis=1)[:, None] == sets[0].labels).any(axis=1)
        out = {
            "loss": loss[0], "loss_new": loss[2],
            "acc": right[0], "acc_pairs": right[1], "acc_new": right[2],
            "shown": shown.mean(),
            "strength": _strength(seen[f"L.{self.depth - 1}.pattern"][: self.tests], sets[0].asked),
        }  # fmt: skip
        inside = {name: value[: self.tests] for name, value in seen.items()}
        patterns = _patterns([inside[f"L.{i}.pattern"] for i in range(self.depth)], sets[0].asked)
        return out | patterns | self._parts(net, given.vectors[sets[0].classes], sets[0], inside)

    def _parts(
        self, net: Reader, items: Float[Array, "batch 3 dim"], data: Relabelled, seen: dict[str, Array]
    ) -> dict[str, Array]:
        """Scores of the network with parts of it taken away; `seen` is what the sites held on these sequences."""

        def score(kept: Bool[Array, "head"]) -> Float[Array, ""]:
            return _right_share(self.logits(net, items, data, kept & self.kept()), data.target)[0]

        each = np.eye(self.heads, dtype=bool)
        only, without = jax.vmap(score)(jnp.concatenate([each, ~each])).reshape(2, self.heads)
        out = {"acc_only": only, "acc_without": without}
        if self.depth == 1:
            nan = jnp.array(jnp.nan)
            return out | {"previous": jnp.full(self.heads, nan), "acc_indirect": nan, "acc_cut": nan}
        nothing = el.Clamp("L.0.out", net.embed(items, data.labels))
        with el.edit(nothing):
            cut = score(jnp.ones(self.heads, bool))
        with el.edit(nothing, *el.clamps({name: seen[name] for name in ("L.1.pattern", "L.1.v")})):
            indirect = score(jnp.ones(self.heads, bool))
        own = seen["L.0.pattern"][:, :, 1::2, :-1:2].diagonal(axis1=2, axis2=3).mean(axis=(0, 2))
        return out | {"previous": own, "acc_indirect": indirect, "acc_cut": cut}


def _cross_entropy(logits: Float[Array, "batch label"], target: Int[Array, "batch"]) -> Float[Array, "batch"]:
    return optax.softmax_cross_entropy_with_integer_labels(logits, target)


def _right_share(
    logits: Float[Array, "batch label"], target: Int[Array, "batch"], sets: int = 1
) -> Float[Array, "set"]:
    """Accuracy on each of as many sets of equal size."""
    return (jnp.argmax(logits, axis=1) == target).reshape(sets, -1).mean(axis=1)


def _strength(pattern: Float[Array, "batch head query token"], asked: Int[Array, "batch"]) -> Float[Array, "head"]:
    """How much more the last token looks at the right label than at the wrong one."""
    two = pattern[:, :, -1, 1::2]
    sign = jnp.where(asked == 0, 1.0, -1.0)[:, None]
    return (sign * (two[..., 0] - two[..., 1])).mean(axis=0)


def _patterns(layers: list[Array], asked: Int[Array, "batch"]) -> dict[str, Array]:
    """Mean attention of every head on the sequences in which the first item is asked for.

    Args:
        layers: patterns [batch, head, query, key], the first layer first; the last one has one query.
        asked: 0 or 1, the item that is asked for.
    """
    chosen = (asked == 0).astype(jnp.float32)
    share = chosen / jnp.maximum(chosen.sum(), 1.0)
    first, last = (jnp.einsum("b,bhqk->hqk", share, pattern) for pattern in (layers[0], layers[-1]))
    heads = last.shape[0]
    return {
        "pattern_first": first if len(layers) > 1 else jnp.full((heads, TOKENS, TOKENS), jnp.nan),
        "pattern_last": last[:, -1],
    }
