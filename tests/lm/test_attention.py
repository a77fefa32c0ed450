"""Attention and its gradient are the same whether somebody looks at scores and pattern or not."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emergelab.lm._llama import _attend, _attend_openly

KV, TEXTS, GROUP, TOKENS, HEAD = 2, 3, 2, 4, 8


def test_stretches_apart_and_joined():
    """A row for all texts, a row for each (one of them has nothing there), and the tokens themselves."""
    rng = np.random.default_rng(0)

    def normal(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    q, sizes = normal(KV, TEXTS, GROUP, TOKENS, HEAD), ((1, 5), (TEXTS, 6), (TEXTS, TOKENS))
    stretches = tuple((normal(rows, KV, n, HEAD), normal(rows, KV, n, HEAD)) for rows, n in sizes)
    held = np.concatenate([np.ones((TEXTS, 5), bool), np.arange(6) < np.array([[6], [0], [3]])], axis=1)
    own = np.broadcast_to(np.tril(np.ones((TOKENS, TOKENS), bool)), (TEXTS, TOKENS, TOKENS))
    mask = jnp.asarray(np.concatenate([np.repeat(held[:, None], TOKENS, axis=1), own], axis=-1))

    def found(attend):
        slopes = jax.grad(lambda s: (attend(q, s, mask) ** 2).sum())(stretches)
        return [attend(q, stretches, mask), *jax.tree.leaves(slopes)]

    for apart, joined in zip(found(_attend), found(_attend_openly), strict=True):
        np.testing.assert_allclose(apart, joined, atol=1e-4)
        assert float(jnp.abs(apart).max()) > 0
