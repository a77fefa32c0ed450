"""In-context learning appears or stays away depending only on the data.

## What it is
X
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.nn.attention_only import AttentionOnly, Gated, Tokens
from emergelab.nn.item_labels import Prior, Sequences, Table, bursty, prior, table, unsupported


class State(eqx.Module):
    """The network, its optimiser's memory, and the seed's own table of classes."""

    net: AttentionOnly | Gated
    optimiser: optax.OptState
    table: Table


class InContext(el.System):
    """A small network learns, one batch a step, to label the last item of a sequence of items and labels."""

    classes: int = el.static(1024, low=2, high=65_536, about="rows of the class table: the largest K, a multiple of L")
    labels: int = el.static(32, low=2, high=1024, about="number of labels, L")
    items: int = el.static(8, low=1, high=64, about="items in the context, N")
    burst: int = el.static(4, low=1, high=64, about="how often each class of a bursty context occurs, B; divides N")
    dim: int = el.static(63, low=2, high=1024, about="length of item and label vectors, D")
    positions: int = el.static(65, low=3, high=1025, about="one-hot positions, P; more than 2N+1 shifts each sequence at random")
    batch: int = el.static(128, low=1, high=65_536, about="sequences in a gradient step")
    tests: int = el.static(200, low=1, high=1_000_000, about="sequences behind each score")
    k: int = el.param(1024, low=2, high=65_536, about="number of classes in use, K, a multiple of L")
    alpha: float = el.param(0.0, low=0.0, high=5.0, unit="1", about="Zipf exponent of the classes' frequencies")
    p_bursty: float = el.param(1.0, low=0.0, high=1.0, unit="1", about="share of sequences with the answer in context, p_B")
    p_novel: float = el.param(0.0, low=0.0, high=1.0, unit="1", about="share of the bursty sequences with made-up classes, p_C")
    noise: float = el.param(0.1, low=0.0, high=10.0, unit="1", about="spread within a class, relative to the classes' own, eps")
    rate: float = el.param(1e-3, low=0.0, high=10.0, unit="1", about="learning rate")
    decay: float = el.param(1e-6, low=0.0, high=1.0, unit="1", about="share of every weight lost in a step")
    net: str = el.choice("attention", options=("attention", "gru"), static=True, about="two attention layers or a recurrent net")
    optimiser: str = el.choice("adam", options=("adam", "sgd"), static=True, about="rule of the gradient step")
    repeats: str = el.choice(
        "allowed", options=("allowed", "distinct"), static=True, about="may two classes of a bursty context share a label"
    )
    compute: str = el.choice(
        "lean", options=("lean", "full"), static=True, about="full announces every site (L.i.q|k|v); lean is 2-3 times faster"
    )

    observables = (
        el.Observable("loss", unit="nat", about="cross-entropy on sequences as in training", low=0),
        el.Observable("loss_icl", unit="nat", about="cross-entropy on sequences of made-up classes", low=0),
        el.Observable("loss_icl_swap", unit="nat", about="cross-entropy on trained classes with other labels in context", low=0),
        el.Observable("loss_iwl", unit="nat", about="cross-entropy on trained classes without help from the context", low=0),
        el.Observable("acc_train", unit="1", about="accuracy on sequences as in training", low=0, high=1),
        el.Observable("acc_icl", unit="1", about="accuracy on made-up classes: only the context can tell", low=0, high=1),
        el.Observable("acc_icl_swap", unit="1", about="trained classes, labels moved by one in context: answers the context's", low=0, high=1),
        el.Observable("acc_iwl", unit="1", about="trained classes, label not in context: only the weights can tell", low=0, high=1),
        el.Observable("icl_iwl", unit="1", about="acc_icl_swap - acc_iwl: 1 is all context, -1 is all weights", low=-1, high=1),
        el.Observable("cla", unit="1", about="made-up classes: the answer is any label of the context", low=0, high=1),
        el.Observable("p_ctx", unit="1", about="made-up classes: probability on labels of the context", low=0, high=1),
        el.Observable("ila1", unit="1", about="layer 1: attention of a label to its item", low=0, high=1, nan_ok=True),
        el.Observable("tla2", unit="1", about="layer 2: attention of the last item to correct labels", low=0, high=1, nan_ok=True),
        el.Observable("acc_icl_cut", unit="1", about="acc_icl with labels attending evenly in layer 1", low=0, high=1, nan_ok=True),
        el.Observable("acc_iwl_cut", unit="1", about="acc_iwl with labels attending evenly in layer 1", low=0, high=1, nan_ok=True),
        el.Observable("pattern_1", dims=("to", "from"), unit="1", about="layer 1: mean attention between tokens", nan_ok=True),
        el.Observable("pattern_2", dims=("from",), unit="1", nan_ok=True,
                      about="layer 2: mean attention of the last token; pairs of its own class come first"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()

    def tokens(self, key: PRNGKeyArray, content: Float[Array, "batch token dim"]) -> Tokens:
        batch, length, _ = content.shape
        spare = self.positions - length
        start = jax.random.randint(key, (batch,), 0, spare + 1) if spare else None
        return Tokens(content, start, self.positions)

    def logits(self, net: AttentionOnly | Gated, tokens: Tokens) -> Float[Array, "batch label"]:
        if isinstance(net, Gated):
            return net(tokens)
        return net.lean(tokens) if self.compute == "lean" else net.full(tokens)

    def prior(self) -> Prior:
        return prior(self.k, el.site("alpha", jnp.asarray(self.alpha)), self.classes, self.labels)

    def training(self, key: PRNGKeyArray, t: Table, p: Prior, batch: int) -> Sequences:
        return bursty(
            key, t, p, batch=batch, items=self.items, burst=self.burst, p_bursty=el.site("p_bursty", jnp.asarray(self.p_bursty)),
            p_novel=el.site("p_novel", jnp.asarray(self.p_novel)), noise=el.site("noise", jnp.asarray(self.noise)), distinct=self.repeats == "distinct",
        )

    def init(self, key: PRNGKeyArray) -> State:
        of_net, of_table = jax.random.split(key)
        make = AttentionOnly.make if self.net == "attention" else Gated.make
        net = make(of_net, self.positions + self.dim, self.labels)
        return State(net, self._rule().init(net), table(of_table, self.classes, self.labels, self.dim))

    def _rule(self) -> optax.GradientTransformation:
        return optax.scale_by_adam() if self.optimiser == "adam" else optax.identity()

    def step(self, state: State, key: PRNGKeyArray) -> State:
        of_data, of_place = jax.random.split(key)
        data = self.training(of_data, state.table, self.prior(), self.batch)
        tokens = self.tokens(of_place, data.content)

        def loss(net):
            return _loss(self.logits(net, tokens), data.target).mean()

        gradient = jax.grad(loss)(state.net)
        change, memory = self._rule().update(gradient, state.optimiser)
        net = jax.tree.map(lambda w, c: (1.0 - self.decay) * w - self.rate * c, state.net, change)
        return State(net, memory, state.table)

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        of_train, of_icl, of_swap, of_iwl, of_place = jax.random.split(key, 5)
        size: dict[str, Any] = {"batch": self.tests, "items": self.items, "noise": self.noise}
        sure: dict[str, Any] = {**size, "burst": self.burst, "distinct": True}
        t, p = state.table, self.prior()
        sets = (
            self.training(of_train, t, p, self.tests),
            bursty(of_icl, t, p, p_novel=1.0, **sure),
            bursty(of_swap, t, p, swap=1, **sure),
            unsupported(of_iwl, t, p, **size),
        )
        # One pass over all sets: four times as many rows in one product cost less than four products.
        data = jax.tree.map(lambda *parts: jnp.concatenate(parts), *sets)
        tokens = self.tokens(of_place, data.content)
        logits, seen = el.tap(self.logits, "L.*.pattern")(state.net, tokens)
        loss = _loss(logits, data.target).reshape(4, -1).mean(axis=1)
        right = (jnp.argmax(logits, axis=-1) == data.target).reshape(4, -1).mean(axis=1)
        icl, iwl = slice(self.tests, 2 * self.tests), slice(3 * self.tests, None)
        in_context = jax.nn.one_hot(data.labels[icl], self.labels).max(axis=1)
        answer = jax.nn.one_hot(jnp.argmax(logits[icl], axis=-1), self.labels)
        out = {
            "loss": loss[0], "loss_icl": loss[1], "loss_icl_swap": loss[2], "loss_iwl": loss[3],
            "acc_train": right[0], "acc_icl": right[1], "acc_icl_swap": right[2], "acc_iwl": right[3],
            "icl_iwl": right[2] - right[3],
            "cla": (answer * in_context).sum(axis=1).mean(),
            "p_ctx": (jax.nn.softmax(logits[icl]) * in_context).sum(axis=1).mean(),
        }  # fmt: skip
        if isinstance(state.net, Gated):
            length = 2 * self.items + 1
            blank = {"pattern_1": jnp.full((length, length), jnp.nan), "pattern_2": jnp.full(length, jnp.nan)}
            return out | blank | dict.fromkeys(("ila1", "tla2", "acc_icl_cut", "acc_iwl_cut"), jnp.array(jnp.nan))
        first, second = seen["L.0.pattern"], seen["L.1.pattern"][:, -1]
        # Labels look evenly at all they may see; items, and the last one above all, look as they did.
        length = first.shape[-1]
        even = jnp.tril(jnp.ones((length, length))) / jnp.arange(1, length + 1)[:, None]
        is_label = (jnp.arange(length) % 2 == 1)[:, None]
        with el.edit(el.Clamp("L.0.pattern", jnp.where(is_label, even, first))):
            cut = jnp.argmax(self.logits(state.net, tokens), axis=-1) == data.target
        return out | {
            "acc_icl_cut": cut[icl].mean(), "acc_iwl_cut": cut[iwl].mean(), **_attention(first[icl], second[icl], data.match[icl])
        }  # fmt: skip


def _loss(logits: Float[Array, "batch label"], target: Int[Array, "batch"]) -> Float[Array, "batch"]:
    return optax.softmax_cross_entropy_with_integer_labels(logits, target)


def _attention(
    first: Float[Array, "batch token token"], second: Float[Array, "batch token"], match: Bool[Array, "batch item"]
) -> dict[str, Array]:
    """How far an induction head has formed: labels look back at their items, the last item at labels of its class."""
    own_class_first = jnp.argsort(~match, axis=1, stable=True)
    pairs = second[:, :-1].reshape(*match.shape, 2)
    pairs = jnp.take_along_axis(pairs, own_class_first[..., None], axis=1).reshape(len(match), -1)
    return {
        "ila1": first[:, 1::2, :-1:2].diagonal(axis1=1, axis2=2).mean(),
        "tla2": (second[:, 1::2] * match).sum(axis=1).mean(),
        "pattern_1": first.mean(axis=0),
        "pattern_2": jnp.concatenate([pairs, second[:, -1:]], axis=1).mean(axis=0),
    }
