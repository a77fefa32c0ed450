"""Two layers of attention and a small perceptron, read at the last token: the network of in-context
classification.

Every layer adds a single causal head to the residual stream, x <- x + softmax(x Wq (x Wk)^T) x Wv, without
normalisation and without scaling; three ReLU layers and a linear readout then act on the last token.
Positions are one-hot and stand before the content in the input vector.

Only the last token is read, so most of the textbook forward pass is never needed. `lean` uses that: keys and
values of both layers are folded into queries and mixtures (x Wq Wk^T x^T, and (A x) Wv for the last token
only), and the product with one-hot positions is a lookup. It computes the same function as `full`, which
announces every site, in about a third of the time.
"""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from emergelab import scope, site, site_scan

__all__ = ["AttentionOnly", "Gated", "Head", "Minimal", "Tokens"]


def _normal(key: PRNGKeyArray, shape: tuple[int, ...], variance: float) -> Float[Array, "..."]:
    return jax.random.normal(key, shape) * variance**0.5


class Tokens(eqx.Module):
    """Input tokens [one-hot position, content], kept apart as long as possible.

    `start` shifts a sequence's window of positions; without it token t has position t, of as many as there
    are tokens.
    """

    content: Float[Array, "batch token dim"]
    start: Int[Array, "batch"] | None
    positions: int = eqx.field(static=True)

    def dense(self) -> Float[Array, "batch token width"]:
        """The tokens written out."""
        batch, length, _ = self.content.shape
        where = jnp.broadcast_to(jnp.arange(length), (batch, length))
        if self.start is not None:
            where += self.start[:, None]
        return jnp.concatenate([jax.nn.one_hot(where, self.positions), self.content], axis=-1)

    def last(self) -> Float[Array, "batch width"]:
        """The last token of each sequence."""
        if self.start is not None:
            return self.dense()[:, -1]
        place = jax.nn.one_hot(self.content.shape[1] - 1, self.positions)
        batch = self.content.shape[0]
        return jnp.concatenate([jnp.broadcast_to(place, (batch, self.positions)), self.content[:, -1]], axis=-1)

    def project(self, matrix: Float[Array, "width out"]) -> Float[Array, "batch token out"]:
        """x W for every token."""
        if self.start is not None:
            return self.dense() @ matrix
        batch, length, dim = self.content.shape
        # One flat product: a batch of small ones is what XLA's CPU backend does worst.
        flat = self.content.reshape(-1, dim) @ matrix[self.positions :]
        return flat.reshape(batch, length, -1) + matrix[: self.positions]

    def against(self, rows: Float[Array, "batch query width"]) -> Float[Array, "batch query token"]:
        """Inner products of the rows with every token."""
        if self.start is not None:
            return jnp.einsum("bid,bjd->bij", rows, self.dense())
        return rows[..., : self.positions] + jnp.einsum("bid,bjd->bij", rows[..., self.positions :], self.content)

    def mix(self, pattern: Float[Array, "batch query token"]) -> Float[Array, "batch query width"]:
        """Sums of tokens, weighted by an attention pattern."""
        if self.start is not None:
            return jnp.einsum("bij,bjd->bid", pattern, self.dense())
        return jnp.concatenate([pattern, jnp.einsum("bij,bjd->bid", pattern, self.content)], axis=-1)


class Head(eqx.Module):
    """One head of causal attention."""

    query: Float[Array, "width width"]
    key: Float[Array, "width width"]
    value: Float[Array, "width width"]

    @classmethod
    def make(cls, key: PRNGKeyArray, width: int) -> Head:
        """Entries N(0, 1/width)."""
        return cls(*(_normal(k, (width, width), 1 / width) for k in jax.random.split(key, 3)))

    def full(self, x: Float[Array, "batch token width"]) -> Float[Array, "batch token width"]:
        """The layer at all tokens, with all its sites."""
        q, k, v = site("q", x @ self.query), site("k", x @ self.key), site("v", x @ self.value)
        scores = site("scores", jnp.einsum("bid,bjd->bij", q, k))
        pattern = site("pattern", causal_softmax(scores))
        return site("skip", x) + site("out", pattern @ v)


def causal_softmax(scores: Float[Array, "batch query token"]) -> Float[Array, "batch query token"]:
    """Softmax over the tokens up to the query's own; the queries are the last ones of the sequence."""
    queries, length = scores.shape[-2:]
    seen = np.tril(np.ones((length, length), bool))[length - queries :]
    return jax.nn.softmax(jnp.where(seen, scores, -jnp.inf), axis=-1)


class Readout(eqx.Module):
    """Three ReLU layers with one bias each, and a linear map to the labels."""

    layers: tuple[Float[Array, "width width"], ...]
    biases: Float[Array, "layer"]
    out: Float[Array, "width label"]

    @classmethod
    def make(cls, key: PRNGKeyArray, width: int, labels: int) -> Readout:
        """He initialisation; biases N(0, 1/width)."""
        *ks, of_biases, of_out = jax.random.split(key, 5)
        layers = tuple(_normal(k, (width, width), 2 / width) for k in ks)
        return cls(layers, _normal(of_biases, (len(ks),), 1 / width), _normal(of_out, (width, labels), 1 / width))

    def __call__(self, h: Float[Array, "batch width"]) -> Float[Array, "batch label"]:
        h = site("final", h)
        for i, (weight, bias) in enumerate(zip(self.layers, self.biases, strict=True)):
            h = site(f"mlp.{i}", jax.nn.relu(h @ weight + bias))
        return site("logits", h @ self.out)


class AttentionOnly(eqx.Module):
    """Two heads and a readout."""

    heads: tuple[Head, Head]
    readout: Readout

    @classmethod
    def make(cls, key: PRNGKeyArray, width: int, labels: int) -> AttentionOnly:
        """Random weights for tokens of `width` numbers."""
        first, second, third = jax.random.split(key, 3)
        return cls((Head.make(first, width), Head.make(second, width)), Readout.make(third, width, labels))

    def full(self, tokens: Tokens) -> Float[Array, "batch label"]:
        """Logits as a textbook computes them: every site at every token (`embed`, `L.i.q|k|v|scores|...`)."""
        x = site("embed", tokens.dense())
        for i, head in enumerate(self.heads):
            with scope("L", i):
                x = head.full(x)
        return self.readout(x[:, -1])

    def lean(self, tokens: Tokens) -> Float[Array, "batch label"]:
        """The same logits from what the last token needs.

        Sites: `L.0.scores`, `L.0.pattern` at all tokens; `L.1.q`, `scores`, `pattern`, `skip` and `out`
        have one row, the last token's; then `final`, `mlp.i`, `logits`.
        """
        first, second = self.heads
        with scope("L", 0):
            scores = site("scores", tokens.against(tokens.project(first.query @ first.key.T)))
            pattern = site("pattern", causal_softmax(scores))
            mixed = tokens.mix(pattern)
            x = (tokens.last() + mixed[:, -1] @ first.value)[:, None]
        with scope("L", 1):
            q = site("q", x @ second.query)
            # A token of the second layer is x_t + mixed_t V; its key and value are never written out.
            u = q @ second.key.T
            scores = tokens.against(u) + jnp.einsum("bid,bjd->bij", u @ first.value.T, mixed)
            pattern = site("pattern", causal_softmax(site("scores", scores)))
            seen = tokens.mix(pattern) + jnp.einsum("bij,bjd->bid", pattern, mixed) @ first.value
            x = site("skip", x) + site("out", seen @ second.value)
        return self.readout(x[:, 0])


class Gated(eqx.Module):
    """A gated recurrent unit as wide as its input, read by the same perceptron: the recurrent rival.

    It has as many weights as `AttentionOnly` (six square matrices before the readout), but biases of its own.
    """

    inward: Float[Array, "width gates"]
    around: Float[Array, "width gates"]
    bias: Float[Array, "gates"]
    readout: Readout

    @classmethod
    def make(cls, key: PRNGKeyArray, width: int, labels: int) -> Gated:
        """Entries N(0, 1/width), biases zero."""
        a, b, c = jax.random.split(key, 3)
        shape = (width, 3 * width)
        return cls(
            _normal(a, shape, 1 / width),
            _normal(b, shape, 1 / width),
            jnp.zeros(3 * width),
            Readout.make(c, width, labels),
        )

    def __call__(self, tokens: Tokens) -> Float[Array, "batch label"]:
        """Logits after the last token. Site `h`: the hidden state, stacked over tokens when it is read."""
        inputs = jnp.moveaxis(tokens.project(self.inward) + self.bias, 1, 0)

        def tick(h: Float[Array, "batch width"], x: Float[Array, "batch gates"]) -> tuple[Array, None]:
            reset_x, update_x, new_x = jnp.split(x, 3, axis=-1)
            reset_h, update_h, new_h = jnp.split(h @ self.around, 3, axis=-1)
            update = jax.nn.sigmoid(update_x + update_h)
            new = jnp.tanh(new_x + jax.nn.sigmoid(reset_x + reset_h) * new_h)
            return site("h", update * h + (1.0 - update) * new), None

        h, _ = site_scan(tick, jnp.zeros((tokens.content.shape[0], self.around.shape[0])), inputs)
        return self.readout(h)


class Minimal(eqx.Module):
    """What is left of `AttentionOnly` if both heads may do one thing only, each as strongly as one number says.

    Layer 1 looks at the token before, with the score `first`; layer 2 looks where layer 1 has seen something like the
    last item, with scores `second` times their inner product, and hands what stands there to the readout, beside the
    last item itself. With both numbers large this is an induction head; they begin at 0, where both layers look evenly.
    In the spirit of the reduced model of Reddy (2023), whose readout is reduced as well.
    """

    first: Float[Array, ""]
    second: Float[Array, ""]
    readout: Readout

    #: A gradient step of Adam is as large for a number as for each of the entries of a matrix, of which a score sums
    #: many; the numbers are held in units of this, so that they can move as fast as scores do.
    UNIT: ClassVar[float] = 10.0

    @classmethod
    def make(cls, key: PRNGKeyArray, dim: int, labels: int) -> Minimal:
        """Both numbers 0, a random readout, for contents of `dim` numbers."""
        return cls(jnp.zeros(()), jnp.zeros(()), Readout.make(key, 2 * dim, labels))

    def __call__(self, tokens: Tokens) -> Float[Array, "batch label"]:
        """Logits after the last token. Sites: `L.i.scores`, `L.i.pattern`, `L.1.skip`, `L.1.out` as in `lean`."""
        x, length = tokens.content, tokens.content.shape[1]
        with scope("L", 0):
            before = jnp.broadcast_to(jnp.eye(length, k=-1), (x.shape[0], length, length))
            pattern = site("pattern", causal_softmax(site("scores", self.UNIT * self.first * before)))
            seen = jnp.einsum("bij,bjd->bid", pattern, x)
        with scope("L", 1):
            scores = site("scores", self.UNIT * self.second * jnp.einsum("bd,btd->bt", x[:, -1], seen)[:, None])
            pattern = site("pattern", causal_softmax(scores))
            skip, out = site("skip", x[:, -1:]), site("out", jnp.einsum("bij,bjd->bid", pattern, x))
        return self.readout(jnp.concatenate([skip, out], axis=-1)[:, 0])
