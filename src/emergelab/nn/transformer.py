"""A small decoder: the transformer of studies that watch abilities form, a few thousand to a few million weights.

Pre-norm blocks of causal attention and a perceptron over a residual stream, learned positions, a readout that is not
tied to the embedding (Radford et al. 2019, with LayerNorm before each part as there). Options: ReLU, attention both
ways (for masked words), normalised queries and keys (Dehghani et al. 2023). Everything that an analysis reads or an
intervention replaces is a site, under the names that the embedded language models use too:

    embed                                    [batch, token, width]
    L.i.q, L.i.k, L.i.v, L.i.heads           [batch, token, head, size]
    L.i.scores, L.i.pattern                  [batch, head, query, key]
    L.i.mid                                  the stream after attention  [batch, token, width]
    L.i.act                                  the perceptron's hidden units  [batch, token, hidden]
    L.i.ffn, L.i.out                         what it adds, and the stream after it  [batch, token, width]
    final, logits                            [batch, token, width], [batch, token, vocabulary]
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from emergelab import scope, site
from emergelab.errors import UserError

__all__ = ["ACTIVATIONS", "Block", "Transformer"]

ACTIVATIONS = {"gelu": jax.nn.gelu, "relu": jax.nn.relu}


class Norm(eqx.Module):
    """LayerNorm over the last axis: mean 0, variance 1, then a gain and an offset."""

    gain: Float[Array, "width"]
    offset: Float[Array, "width"]

    @classmethod
    def make(cls, width: int) -> Norm:
        """Gain 1, offset 0."""
        return cls(jnp.ones(width), jnp.zeros(width))

    def __call__(self, x: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = jax.lax.rsqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + 1e-5)
        return centred * spread * self.gain + self.offset


class Block(eqx.Module):
    """Causal attention and a perceptron, each behind a norm and added to the stream."""

    before: Norm
    query: Float[Array, "width width"]
    key: Float[Array, "width width"]
    value: Float[Array, "width width"]
    project: Float[Array, "width width"]
    between: Norm
    up: Float[Array, "width hidden"]
    up_bias: Float[Array, "hidden"]
    down: Float[Array, "hidden width"]
    down_bias: Float[Array, "width"]
    heads: int = eqx.field(static=True)
    activation: str = eqx.field(static=True, default="gelu")
    causal: bool = eqx.field(static=True, default=True)
    qk_norm: bool = eqx.field(static=True, default=False)

    @classmethod
    def make(cls, key: PRNGKeyArray, width: int, hidden: int, heads: int, depth: int, **options: Any) -> Block:
        """Entries N(0, 1/inputs); what is added to the stream is smaller by sqrt(2 depth), so that its variance after
        all blocks does not depend on how many there are."""
        q, k, v, o, u, d = jax.random.split(key, 6)
        square, added = (width, width), (2 * depth) ** -0.5
        return cls(
            Norm.make(width),
            _normal(q, square), _normal(k, square), _normal(v, square), added * _normal(o, square),
            Norm.make(width),
            _normal(u, (width, hidden)), jnp.zeros(hidden),
            added * _normal(d, (hidden, width)), jnp.zeros(width),
            heads, **options,
        )  # fmt: skip

    def __call__(
        self, x: Float[Array, "batch token width"], at: slice = slice(None)
    ) -> Float[Array, "batch place width"]:
        """The stream after the block, at the places that are asked for."""
        batch, tokens, width = x.shape
        size = width // self.heads
        h, x = self.before(x), x[:, at]
        q = site("q", (h[:, at] @ self.query).reshape(batch, -1, self.heads, size))
        k = site("k", (h @ self.key).reshape(batch, tokens, self.heads, size))
        v = site("v", (h @ self.value).reshape(batch, tokens, self.heads, size))
        if self.qk_norm:
            q, k = _unit(q) * size**0.5, _unit(k) * size**0.5
        scores = site("scores", jnp.einsum("bqhd,bkhd->bhqk", q, k) * size**-0.5)
        seen = np.tril(np.ones((tokens, tokens), bool)) if self.causal else np.ones((tokens, tokens), bool)
        pattern = site("pattern", jax.nn.softmax(jnp.where(seen[at], scores, -jnp.inf), axis=-1))
        mixed = site("heads", jnp.einsum("bhqk,bkhd->bqhd", pattern, v))
        x = site("mid", x + mixed.reshape(x.shape) @ self.project)
        act = site("act", ACTIVATIONS[self.activation](self.between(x) @ self.up + self.up_bias))
        return site("out", x + site("ffn", act @ self.down + self.down_bias))


class Transformer(eqx.Module):
    """Token ids in, logits of the next token out."""

    embed: Float[Array, "vocabulary width"]
    position: Float[Array, "context width"]
    blocks: tuple[Block, ...]
    norm: Norm
    readout: Float[Array, "width answer"]

    @classmethod
    def make(
        cls,
        key: PRNGKeyArray,
        *,
        vocabulary: int,
        context: int,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        hidden: int | None = None,
        answers: int | None = None,
        activation: str = "gelu",
        causal: bool = True,
        qk_norm: bool = False,
    ) -> Transformer:
        """Random weights.

        Args:
            key: randomness.
            vocabulary: number of tokens, >= 1.
            context: longest sequence, >= 1.
            width: of the residual stream, a multiple of `heads`.
            depth: number of blocks, >= 0.
            heads: attention heads of a block.
            hidden: units of a block's perceptron; 4 `width` if not given.
            answers: size of the output; `vocabulary` if not given.
            activation: of the perceptron, "gelu" or "relu".
            causal: tokens see earlier ones only; otherwise all.
            qk_norm: queries and keys of unit length (times the root of their size), so that scores cannot grow.

        Raises:
            UserError: a width that the heads do not divide, or an unknown activation.
        """
        if activation not in ACTIVATIONS:
            raise UserError(f"Transformer: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        if width % heads:
            raise UserError(f"Transformer: width {width} is no multiple of heads {heads}; heads share it equally")
        e, p, r, *ks = jax.random.split(key, 3 + depth)
        options = {"activation": activation, "causal": causal, "qk_norm": qk_norm}
        return cls(
            0.02 * jax.random.normal(e, (vocabulary, width)),
            0.02 * jax.random.normal(p, (context, width)),
            tuple(Block.make(k, width, hidden or 4 * width, heads, depth, **options) for k in ks),
            Norm.make(width),
            _normal(r, (width, answers or vocabulary)),
        )

    def __call__(self, tokens: Int[Array, "batch token"]) -> Float[Array, "batch token answer"]:
        """Logits after every token.

        Raises:
            UserError: a sequence longer than the context.
        """
        return self.read(self.stream(tokens))

    def stream(self, tokens: Int[Array, "batch token"], at: slice = slice(None)) -> Float[Array, "batch place width"]:
        """The residual stream after the last block.

        Args:
            tokens: sequences no longer than the context.
            at: the places to go through the last block; only its keys and values are needed of the others. Its other
                sites have a row for each of these places, and no more.

        Raises:
            UserError: a sequence longer than the context.
        """
        if tokens.shape[1] > self.position.shape[0]:
            raise UserError(
                f"Transformer: a sequence of {tokens.shape[1]} tokens does not fit into a context of "
                f"{self.position.shape[0]}"
            )
        x = site("embed", self.embed[tokens] + self.position[: tokens.shape[1]])
        for i, block in enumerate(self.blocks):
            with scope("L", i):
                x = block(x, at) if i + 1 == len(self.blocks) else block(x)
        return x if self.blocks else x[:, at]

    def read(self, x: Float[Array, "*batch width"]) -> Float[Array, "*batch answer"]:
        """Logits from the stream: of all tokens, or of a single place of each sequence."""
        return site("logits", site("final", self.norm(x)) @ self.readout)


def _unit(x: Float[Array, "*batch size"]) -> Float[Array, "*batch size"]:
    return x * jax.lax.rsqrt(jnp.sum(x**2, axis=-1, keepdims=True) + 1e-9)


def _normal(key: PRNGKeyArray, shape: tuple[int, int]) -> Float[Array, "inputs outputs"]:
    return jax.random.normal(key, shape) * shape[0] ** -0.5
