"""Layers of attention and nothing else: the smallest network in which induction heads form.

Pre-norm attention with several heads over a residual stream, rotary positions (Su et al. 2021), no perceptron, a
LayerNorm and a linear readout at the end. Only the last token is read, so the last layer has a single query.
Everything that an analysis reads or an intervention replaces is a site:

    embedding                        what the first layer is given            [batch, token, width]
    L.i.reads.qk, L.i.reads.v        the stream, as queries and keys, and as values are made from it
    L.i.q, L.i.k, L.i.v              [batch, token, head, size], q and k after the rotation
    L.i.scores, L.i.pattern          [batch, head, query, key]
    L.i.heads                        what each head has gathered              [batch, query, head, size]
    L.i.out                          the stream after the layer               [batch, query, width]
    final, logits                    [batch, width], [batch, answer]

In the last layer `query` counts one token, the last one; in the others all.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from emergelab import scope, site
from emergelab.errors import UserError
from emergelab.nn.transformer import Norm

__all__ = ["Layer", "PairEmbedding", "RotaryHeads", "rotary"]

BASE = 10_000.0


def rotary(x: Float[Array, "batch token head size"], first: int = 0) -> Float[Array, "batch token head size"]:
    """Turn each pair of coordinates by an angle proportional to the token's position.

    The scalar product of two turned vectors depends on their positions only through the distance. Coordinate j goes
    with coordinate j + size/2; their angle is the position times 10000^(-2j/size).

    Args:
        x: vectors of even size.
        first: position of the first token.
    """
    tokens, half = x.shape[1], x.shape[-1] // 2
    angle = (first + np.arange(tokens))[:, None] * BASE ** (-np.arange(half) / half)
    cos, sin = (f(angle).astype(np.float32)[:, None] for f in (np.cos, np.sin))
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


class PairEmbedding(eqx.Module):
    """Items by a linear map, labels by a table, in turn: x1 l1 x2 l2 ... x."""

    items: Float[Array, "dim width"]
    bias: Float[Array, "width"]
    labels: Float[Array, "label width"]

    @classmethod
    def make(cls, key: PRNGKeyArray, *, dim: int, labels: int, width: int) -> PairEmbedding:
        """Map N(0, 1/dim), bias zero, labels N(0, 0.02^2)."""
        of_items, of_labels = jax.random.split(key)
        labelled = 0.02 * jax.random.normal(of_labels, (labels, width))
        return cls(_normal(of_items, (dim, width)), jnp.zeros(width), labelled)

    def __call__(
        self, items: Float[Array, "batch item dim"], labels: Int[Array, "batch label"]
    ) -> Float[Array, "batch token width"]:
        """Tokens of n items with n - 1 labels between them. Site: `embedding`."""
        batch, n, _ = items.shape
        a = items @ self.items + self.bias
        pairs = jnp.stack([a[:, :-1], self.labels[labels]], axis=2).reshape(batch, 2 * n - 2, -1)
        return site("embedding", jnp.concatenate([pairs, a[:, -1:]], axis=1))


class Layer(eqx.Module):
    """Causal attention behind a norm, added to the stream."""

    norm: Norm
    query: Float[Array, "width width"]
    key: Float[Array, "width width"]
    value: Float[Array, "width width"]
    project: Float[Array, "width width"]
    heads: int = eqx.field(static=True)

    @classmethod
    def make(cls, key: PRNGKeyArray, width: int, heads: int) -> Layer:
        """Entries N(0, 1/width), no biases."""
        q, k, v, o = _normal(key, (width, 4, width)).swapaxes(0, 1)
        return cls(Norm.make(width), q, k, v, o, heads)

    def __call__(self, x: Float[Array, "batch token width"], queries: int) -> Float[Array, "batch query width"]:
        """The stream after the layer, at the last `queries` tokens."""
        batch, tokens, width = x.shape
        size, first = width // self.heads, tokens - queries
        look = self.norm(site("reads.qk", x))
        tell = self.norm(site("reads.v", x))
        q = (look[:, first:] @ self.query).reshape(batch, queries, self.heads, size)
        k = (look @ self.key).reshape(batch, tokens, self.heads, size)
        q, k = site("q", rotary(q, first)), site("k", rotary(k))
        v = site("v", (tell @ self.value).reshape(batch, tokens, self.heads, size))
        scores = site("scores", jnp.einsum("bqhd,bkhd->bhqk", q, k) * size**-0.5)
        seen = np.tril(np.ones((tokens, tokens), bool))[first:]
        pattern = site("pattern", jax.nn.softmax(jnp.where(seen, scores, -jnp.inf), axis=-1))
        mixed = site("heads", jnp.einsum("bhqk,bkhd->bqhd", pattern, v))
        return site("out", x[:, first:] + mixed.reshape(batch, queries, width) @ self.project)


class RotaryHeads(eqx.Module):
    """Embedded tokens in, logits at the last token out."""

    layers: tuple[Layer, ...]
    norm: Norm
    readout: Float[Array, "width answer"]
    bias: Float[Array, "answer"]

    @classmethod
    def make(cls, key: PRNGKeyArray, *, width: int, depth: int, heads: int, answers: int) -> RotaryHeads:
        """Random weights.

        Args:
            key: randomness.
            width: of the residual stream; `heads` times an even number.
            depth: number of layers, >= 1.
            heads: attention heads of a layer.
            answers: size of the output.

        Raises:
            UserError: a width that does not give every head an even number of coordinates.
        """
        if width % (2 * heads):
            raise UserError(
                f"RotaryHeads: width must be a multiple of 2 x heads = {2 * heads}, because rotary positions turn "
                f"pairs of coordinates, got {width}"
            )
        of_readout, *ks = jax.random.split(key, depth + 1)
        layers = tuple(Layer.make(k, width, heads) for k in ks)
        return cls(layers, Norm.make(width), _normal(of_readout, (width, answers)), jnp.zeros(answers))

    def __call__(self, x: Float[Array, "batch token width"]) -> Float[Array, "batch answer"]:
        """Logits at the last token."""
        return self.read(self.stream(x))

    def stream(self, x: Float[Array, "batch token width"]) -> Float[Array, "batch width"]:
        """The residual stream of the last token after the last layer."""
        last = len(self.layers) - 1
        for i, layer in enumerate(self.layers):
            with scope("L", i):
                x = layer(x, 1 if i == last else x.shape[1])
        return x[:, 0]

    def read(self, x: Float[Array, "batch width"]) -> Float[Array, "batch answer"]:
        """Logits from the stream."""
        return site("logits", site("final", self.norm(x)) @ self.readout + self.bias)


def _normal(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "..."]:
    return jax.random.normal(key, shape) * shape[0] ** -0.5
