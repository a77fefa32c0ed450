"""Few-shot sequences whose labels mean nothing beyond the sequence: x1 l1 x2 l2 x, and the label of x is asked for.

Two classes are drawn, two labels are dealt out to them, and one of the classes is asked for. Labels are dealt anew for
every sequence, so nothing can be learnt by heart: only the sequence tells. Which two labels go together is drawn from a
list of pairs, some of which are kept for testing. Follows Singh et al., "What needs to go right for an induction head?"
(2024, https://arxiv.org/abs/2404.07129).
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

__all__ = ["Relabelled", "label_pairs", "relabelled", "trained_pairs"]


class Relabelled(NamedTuple):
    """A batch of sequences of two pairs and a query."""

    #: class of the first, the second and the last item
    classes: Int[Array, "batch 3"]
    #: label of the first and the second item
    labels: Int[Array, "batch 2"]
    #: which of the two pairs is asked for, 0 or 1
    asked: Int[Array, "batch"]
    #: label that is asked for
    target: Int[Array, "batch"]


def label_pairs(key: PRNGKeyArray, labels: int) -> Int[Array, "pair 2"]:
    """All pairs of different labels in random order: the first `trained_pairs(labels)` are for training."""
    return jax.random.permutation(key, np.asarray(list(combinations(range(labels), 2)), np.int32))


def trained_pairs(labels: int) -> int:
    """How many of the pairs of labels are for training: four of five, and one at least."""
    return max(1, labels * (labels - 1) // 2 * 4 // 5)


def relabelled(
    key: PRNGKeyArray, pairs: Int[Array, "pair 2"], classes: Int[Array, ""] | int, batch: int, first: int = 0
) -> Relabelled:
    """Independent sequences.

    Args:
        key: randomness.
        pairs: pairs of labels that may occur, all equally likely, in either order.
        classes: number of classes to draw from, >= 2, traced.
        batch: number of sequences.
        first: the first of those classes; the others follow it.
    """
    u = jax.random.uniform(key, (5, batch))
    one = _pick(u[0], classes)
    # Among the others, which are numbered as if the first were not there.
    other = _pick(u[1], classes - 1)
    other = other + (other >= one)
    labels = pairs[_pick(u[2], len(pairs))]
    labels = jnp.where(u[3][:, None] < 0.5, labels, labels[:, ::-1])
    asked = _pick(u[4], 2)

    def of_asked(x: Int[Array, "batch 2"]) -> Int[Array, "batch"]:
        return jnp.where(asked == 0, x[:, 0], x[:, 1])

    both = first + jnp.stack([one, other], axis=1)
    return Relabelled(jnp.column_stack([both, of_asked(both)]), labels, asked, of_asked(labels))


def _pick(u: Float[Array, "batch"], n: Int[Array, ""] | int) -> Int[Array, "batch"]:
    """Whole numbers below n from numbers in [0, 1); rounding may lift the product to n."""
    return jnp.minimum((u * n).astype(jnp.int32), jnp.asarray(n, jnp.int32) - 1)
