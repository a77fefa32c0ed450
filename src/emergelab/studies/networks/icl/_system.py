"""The system of the study `icl`: a network, its optimiser, and the data it learns from."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.nn.attention_only import AttentionOnly, Gated, Minimal, Tokens
from emergelab.nn.item_labels import Prior, Sequences, Table, bursty, prior, table, unsupported

Net = AttentionOnly | Gated | Minimal


class State(eqx.Module):
    """The network, its optimiser's memory, and the seed's own table of classes."""

    net: Net
    optimiser: optax.OptState
    table: Table


def _score(name: str, unit: str, about: str, low: float = 0.0, **more: Any) -> el.Observable:
    return el.Observable(name, unit=unit, about=about, low=low, high=1.0 if unit == "1" else None, **more)


class InContext(el.System):
    """A network learns, one batch a step, to label the last item of a sequence of items and labels."""

    classes: int = el.static(1024, low=2, high=65_536, about="rows of the class table: the largest K; a multiple of L")
    labels: int = el.static(32, low=2, high=1024, about="number of labels, L")
    items: int = el.static(8, low=1, high=64, about="items in the context, N")
    burst: int = el.static(4, low=1, high=64, about="how often each class of a bursty context occurs, B; divides N")
    dim: int = el.static(63, low=2, high=1024, about="length of item and label vectors, D")
    positions: int = el.static(
        65, low=3, high=1025, about="one-hot positions, P; more than 2N+1 shift sequences at random"
    )
    batch: int = el.static(128, low=1, high=65_536, about="sequences in a gradient step")
    tests: int = el.static(200, low=1, high=1_000_000, about="sequences behind each score")
    k: int = el.param(1024, low=2, high=65_536, about="classes in use, K; a multiple of L")
    alpha: float = el.param(0.0, low=0.0, high=5.0, unit="1", about="Zipf exponent of the classes' frequencies")
    p_bursty: float = el.param(
        1.0, low=0.0, high=1.0, unit="1", about="share of sequences with the answer in context, p_B"
    )
    p_novel: float = el.param(
        0.0, low=0.0, high=1.0, unit="1", about="share of bursty sequences with made-up classes, p_C"
    )
    meanings: int = el.param(
        1, low=1, high=1024, about="labels that a class may carry, one in each sequence; at most L"
    )
    noise: float = el.param(
        0.1, low=0.0, high=10.0, unit="1", about="spread within a class, relative to the means', eps"
    )
    rate: float = el.param(1e-3, low=0.0, high=10.0, unit="1", about="learning rate")
    decay: float = el.param(1e-6, low=0.0, high=1.0, unit="1", about="share of every weight lost in a step")
    net: str = el.choice(
        "attention",
        options=("attention", "gru", "minimal"),
        static=True,
        about="two attention layers, a recurrent net, or two numbers that make an induction head",
    )
    optimiser: str = el.choice("adam", options=("adam", "sgd"), static=True, about="rule of the gradient step")
    repeats: str = el.choice(
        "allowed",
        options=("allowed", "distinct"),
        static=True,
        about="may classes of a bursty context share a label",
    )
    compute: str = el.choice(
        "lean",
        options=("lean", "full"),
        static=True,
        about="full announces all sites; lean is 2 to 3 times as fast",
    )

    observables = (
        _score("loss", "nat", "cross-entropy on sequences as in training"),
        _score("loss_icl", "nat", "cross-entropy on made-up classes"),
        _score("loss_icl_swap", "nat", "cross-entropy on trained classes with other labels in context"),
        _score("loss_iwl", "nat", "cross-entropy on trained classes without help from the context"),
        _score("acc_train", "1", "accuracy on sequences as in training"),
        _score("acc_icl", "1", "accuracy on made-up classes: only the context can tell"),
        _score("acc_icl_swap", "1", "trained classes, labels moved by one in context: the context's answer"),
        _score("acc_iwl", "1", "trained classes, label not in context: only the weights can tell"),
        _score("icl_iwl", "1", "acc_icl_swap - acc_iwl: 1 is all context, -1 is all weights", low=-1.0),
        _score("cla", "1", "made-up classes: the answer is any label of the context"),
        _score("p_ctx", "1", "made-up classes: probability on labels of the context"),
        _score("ila1", "1", "layer 1: attention of a label to its own item", nan_ok=True),
        _score("tla2", "1", "layer 2: attention of the last item to labels of its class", nan_ok=True),
        _score("acc_icl_cut", "1", "acc_icl with labels looking evenly in layer 1", nan_ok=True),
        _score("acc_iwl_cut", "1", "acc_iwl with labels looking evenly in layer 1", nan_ok=True),
        _score("pattern_1", "1", "layer 1: mean attention between tokens", dims=("to", "from"), nan_ok=True),
        _score(
            "pattern_2",
            "1",
            "layer 2: mean attention of the last item; pairs of its own class come first",
            dims=("from",),
            nan_ok=True,
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        length = 2 * self.items + 1
        for ok, wrong in (
            (self.items % self.burst == 0, f"'burst' must divide items={self.items}, got {self.burst}"),
            (
                self.classes % self.labels == 0,
                f"'classes' must be a multiple of labels={self.labels}, got {self.classes}",
            ),
            (
                np.all(self.k % self.labels == 0),
                f"'k' must be a multiple of labels={self.labels}, got {self.k}",
            ),
            (
                np.all(self.k <= self.classes),
                f"'k' must be at most classes={self.classes}, got {self.k}; set 'classes'",
            ),
            (
                self.positions >= length,
                f"'positions' must be at least 2 * items + 1 = {length}, got {self.positions}",
            ),
            (
                np.all(self.meanings <= self.labels),
                f"'meanings' must be at most labels={self.labels}, got {self.meanings}",
            ),
            (
                self.items // self.burst < self.labels,
                f"'labels' must exceed items / burst, got {self.labels}",
            ),
        ):
            if not ok:
                raise el.UserError(f"InContext: parameter {wrong}")

    def init(self, key: PRNGKeyArray) -> State:
        of_net, of_table = jax.random.split(key)
        width = self.positions + self.dim
        if self.net == "minimal":
            net: Net = Minimal.make(of_net, self.dim, self.labels)
        else:
            net = (AttentionOnly if self.net == "attention" else Gated).make(of_net, width, self.labels)
        return State(net, self._rule().init(net), table(of_table, self.classes, self.labels, self.dim))

    def step(self, state: State, key: PRNGKeyArray) -> State:
        of_data, of_place = jax.random.split(key)
        data = self.sequences(of_data, state.table, self.prior(), self.batch)
        tokens = self.tokens(of_place, data.content)

        def loss(net: Net) -> Float[Array, ""]:
            return _loss(self.logits(net, tokens), data.target).mean()

        change, memory = self._rule().update(el.site_grad(loss)(state.net), state.optimiser)
        net = jax.tree.map(lambda w, c: (1.0 - self.decay) * w - self.rate * c, state.net, change)
        return State(net, memory, state.table)

    def _rule(self) -> optax.GradientTransformation:
        return optax.scale_by_adam() if self.optimiser == "adam" else optax.identity()

    def prior(self) -> Prior:
        """How often each class occurs. Site: `alpha`."""
        return prior(jnp.asarray(self.k), el.site("alpha", jnp.asarray(self.alpha)), self.classes, self.labels)

    def sequences(self, key: PRNGKeyArray, t: Table, p: Prior, batch: int) -> Sequences:
        """Sequences as in training. Sites: `p_bursty`, `p_novel`, `noise`."""
        mixture = {name: el.site(name, jnp.asarray(getattr(self, name))) for name in ("p_bursty", "p_novel", "noise")}
        shape = {"batch": batch, "items": self.items, "burst": self.burst}
        meanings = jnp.asarray(self.meanings)
        return bursty(key, t, p, **shape, **mixture, meanings=meanings, distinct=self.repeats == "distinct")

    def tokens(self, key: PRNGKeyArray, content: Float[Array, "batch token dim"]) -> Tokens:
        """Content with positions, shifted at random if there are more positions than tokens."""
        batch, length, _ = content.shape
        spare = self.positions - length
        return Tokens(content, jax.random.randint(key, (batch,), 0, spare + 1) if spare else None, self.positions)

    def logits(self, net: Net, tokens: Tokens) -> Float[Array, "batch label"]:
        """The network's answer to each sequence."""
        if not isinstance(net, AttentionOnly):
            return net(tokens)
        return net.lean(tokens) if self.compute == "lean" else net.full(tokens)

    def observe(self, state: State, key: PRNGKeyArray) -> dict[str, Array]:
        of_train, of_icl, of_swap, of_iwl, of_place = jax.random.split(key, 5)
        size: dict[str, Any] = {"batch": self.tests, "items": self.items, "noise": jnp.asarray(self.noise)}
        sure: dict[str, Any] = {**size, "burst": self.burst, "distinct": True}
        t, p = state.table, self.prior()
        sets = (
            self.sequences(of_train, t, p, self.tests),
            bursty(of_icl, t, p, p_novel=1.0, **sure),
            bursty(of_swap, t, p, swap=1, **sure),
            unsupported(of_iwl, t, p, **size),
        )
        # One pass over all sets: one large product costs less than four.
        data = jax.tree.map(lambda *parts: jnp.concatenate(parts), *sets)
        tokens = self.tokens(of_place, data.content)
        logits, seen = el.tap(self.logits, "L.*.pattern")(state.net, tokens)
        loss = _loss(logits, data.target).reshape(4, -1).mean(axis=1)
        right = (jnp.argmax(logits, axis=-1) == data.target).reshape(4, -1).mean(axis=1)
        icl = slice(self.tests, 2 * self.tests)
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

        def second_and_last(x: Array) -> Array:
            return x.reshape(4, self.tests, *x.shape[1:])[1::2].reshape(2 * self.tests, *x.shape[1:])

        few, targets, pattern = jax.tree.map(second_and_last, (tokens, data.target, seen["L.0.pattern"]))
        with el.edit(el.Clamp("L.0.pattern", blurred(pattern))):
            cut = (jnp.argmax(self.logits(state.net, few), axis=-1) == targets).reshape(2, -1).mean(axis=1)
        heads = _attention(seen["L.0.pattern"][icl], seen["L.1.pattern"][icl, -1], data.match[icl])
        return out | {"acc_icl_cut": cut[0], "acc_iwl_cut": cut[1], **heads}


def _loss(logits: Float[Array, "batch label"], target: Int[Array, "batch"]) -> Float[Array, "batch"]:
    return optax.softmax_cross_entropy_with_integer_labels(logits, target)


def blurred(pattern: Float[Array, "batch token token"]) -> Float[Array, "batch token token"]:
    """A first-layer pattern whose labels look evenly at the whole sequence: none knows its own item.

    Looking evenly at earlier tokens only would not do: the first label would still see its own item above
    all.
    """
    return pattern.at[:, 1::2].set(1.0 / pattern.shape[-1])


def _attention(
    first: Float[Array, "batch token token"],
    second: Float[Array, "batch token"],
    match: Bool[Array, "batch item"],
) -> dict[str, Array]:
    """How far an induction head has formed: labels look at their items, the last at labels of its class."""
    own_class_first = jnp.argsort(~match, axis=1, stable=True)
    pairs = second[:, :-1].reshape(*match.shape, 2)
    pairs = jnp.take_along_axis(pairs, own_class_first[..., None], axis=1).reshape(len(match), -1)
    return {
        "ila1": first[:, 1::2, :-1:2].diagonal(axis1=1, axis2=2).mean(),
        "tla2": (second[:, 1::2] * match).sum(axis=1).mean(),
        "pattern_1": first.mean(axis=0),
        "pattern_2": jnp.concatenate([pairs, second[:, -1:]], axis=1).mean(axis=0),
    }
