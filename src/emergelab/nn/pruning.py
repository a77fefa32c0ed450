"""Pruning at one blow: weights are set to zero, smallest first, without training afterwards.

Which weights go first is an *order*: for every weight a number in [0, 1), the share of weights that go before it, or
infinity for one that never goes. Pruning to a share then is a comparison, so one compiled program serves all shares
and all orders, and a share may differ between conditions without a new compilation.

    where = select(net, "blocks.*")                  # all matrices of all blocks
    order = by_size(net, where)                      # smallest magnitude first, over all of them
    pruned = prune(net, order, 0.5)                  # half of them are zero now

The point up to which pruning costs next to nothing, the knee, is read off a curve of losses in two ways: `tolerated`
asks how far a stated loss is not exceeded, `bend` where the curve changes its slope. Follows Jaiswal et al., "The
Emergence of Essential Sparsity in Large Pre-trained Models" (2023, https://arxiv.org/abs/2306.03805).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from emergelab.errors import UserError

__all__ = [
    "at_random", "bend", "by_size", "by_size_in_groups", "by_size_within", "losses", "prune", "select", "tolerated",
]  # fmt: skip


def select(net: PyTree, *patterns: str) -> PyTree[bool]:
    """Which arrays of a network may be pruned: matrices whose dotted path fits one of the patterns.

    Vectors, the biases and gains, are never selected.

    Args:
        net: any pytree of arrays.
        patterns: paths with wildcards, as in names of sites: `blocks.*`, `blocks.1.up`, `embed`.

    Raises:
        UserError: a pattern that no matrix fits.
    """
    met: set[str] = set()

    def one(path: Any, leaf: Array) -> bool:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        fits = {p for p in patterns if leaf.ndim == 2 and fnmatchcase(name, p)}
        met.update(fits)
        return bool(fits)

    chosen = jax.tree_util.tree_map_with_path(one, net)
    if lacking := [p for p in patterns if p not in met]:
        raise UserError(f"pruning: no matrix of the network fits {lacking[0]!r}; give paths such as 'blocks.*'")
    return chosen


def by_size(net: PyTree, where: PyTree[bool]) -> PyTree[Array]:
    """Smallest magnitude first, over all selected arrays together."""
    return _together(jax.tree.map(jnp.abs, net), where)


def by_size_within(net: PyTree, where: PyTree[bool]) -> PyTree[Array]:
    """Smallest magnitude first, the same share of every array."""
    return _each(lambda w: _ranks(jnp.abs(w).ravel()).reshape(w.shape), net, where)


def by_size_in_groups(net: PyTree, where: PyTree[bool], size: int = 4) -> PyTree[Array]:
    """Smallest magnitude first in every group of inputs that follow each other: N:M sparsity, with M = `size`.

    Shares mean something in steps of 1/M only: 1 - N/M keeps N of M.

    Raises:
        UserError: inputs that do not come in whole groups.
    """

    def one(w: Float[Array, "inputs outputs"]) -> Float[Array, "inputs outputs"]:
        if w.shape[0] % size:
            raise UserError(f"pruning: {w.shape[0]} inputs do not come in groups of {size}")
        groups = jnp.abs(w).reshape(-1, size, w.shape[1])
        smaller = (groups[:, :, None] > groups[:, None]).sum(axis=2)  # of so few, counting is cheaper than sorting
        return (smaller / size).reshape(w.shape)

    return _each(one, net, where)


def at_random(key: PRNGKeyArray, net: PyTree, where: PyTree[bool]) -> PyTree[Array]:
    """Any order, over all selected arrays together: what pruning costs when it does not look."""
    arrays, form = jax.tree.flatten(net)
    keys = jax.random.split(key, len(arrays))
    noise = [jax.random.uniform(k, w.shape) for k, w in zip(keys, arrays, strict=True)]
    return _together(jax.tree.unflatten(form, noise), where)


def _each(order: Callable[[Array], Array], net: PyTree, where: PyTree[bool]) -> PyTree[Array]:
    return jax.tree.map(lambda w, chosen: order(w) if chosen else jnp.full(w.shape, jnp.inf), net, where)


def _together(values: PyTree[Array], where: PyTree[bool]) -> PyTree[Array]:
    arrays, form = jax.tree.flatten(values)
    chosen = jax.tree.leaves(where)
    ranks = _ranks(jnp.concatenate([x.ravel() for x, c in zip(arrays, chosen, strict=True) if c]))
    out, at = [], 0
    for x, c in zip(arrays, chosen, strict=True):
        out.append(ranks[at : at + x.size].reshape(x.shape) if c else jnp.full(x.shape, jnp.inf))
        at += x.size * c
    return jax.tree.unflatten(form, out)


def _ranks(x: Float[Array, "n"]) -> Float[Array, "n"]:
    """Share of elements that stand before each when sorted; equals are told apart by their place."""
    place = jnp.zeros(x.size, jnp.int32).at[jnp.argsort(x)].set(jnp.arange(x.size))
    return place / x.size


def prune(net: PyTree, order: PyTree[Array], share: Float[Array, ""] | float) -> PyTree:
    """The network without the first `share` of its weights, exact to one weight; traced."""
    return jax.tree.map(lambda w, o: jnp.where(o < share, 0.0, w), net, order)


def losses(
    loss: Callable[[PyTree], Float[Array, ""]],
    net: PyTree,
    orders: Sequence[PyTree[Array]],
    which: Int[np.ndarray, "job"],
    shares: Float[np.ndarray, "job"],
) -> Float[Array, "job"]:
    """The loss after each pruning, one after the other in one loop: a single program, and memory for one network.

    Args:
        loss: of a network.
        net: the network as trained.
        orders: ways of pruning.
        which, shares: for every result the order by its number, and the share.
    """
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *orders)

    def one(job: tuple[Int[Array, ""], Float[Array, ""]]) -> Float[Array, ""]:
        order, share = job
        return loss(prune(net, jax.tree.map(lambda x: x[order], stacked), share))

    return jax.lax.map(one, (jnp.asarray(which), jnp.asarray(shares, jnp.float32)))


def tolerated(
    shares: Float[np.ndarray, "share"], rise: Float[np.ndarray, "*run share"], most: float
) -> Float[np.ndarray, "*run"]:
    """The knee by tolerance: how far one can prune until the rise first exceeds `most`, linear between shares.

    Args:
        shares: increasing, the first of no pruning.
        rise: what pruning costs at each share, 0 at the first.
        most: what is tolerated, > 0.

    Returns:
        the share; the largest if the rise never exceeds `most`, NaN where a value is not known.
    """
    over = rise > most
    first = np.argmax(over, axis=-1)
    before = np.maximum(first - 1, 0)
    low, high = (np.take_along_axis(rise, i[..., None], axis=-1)[..., 0] for i in (before, first))
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(first > 0, (most - low) / (high - low), 0.0)
    found = shares[before] + part * (shares[first] - shares[before])
    found = np.where(over.any(axis=-1), found, shares[-1])
    return np.where(np.isfinite(rise).all(axis=-1), found, np.nan)


def bend(shares: Float[np.ndarray, "share"], loss: Float[np.ndarray, "*run share"]) -> Float[np.ndarray, "*run"]:
    """The knee by shape: where two straight lines that meet fit the curve best (least squares).

    Args:
        shares: increasing, four at least.
        loss: at each share.

    Returns:
        the share at which the lines meet, out of two hundred between the second and the last but one; NaN where a
        value is not known.
    """
    places = np.linspace(shares[1], shares[-2], 200)
    flat = loss.reshape(-1, loss.shape[-1])
    miss = np.empty((len(places), len(flat)))
    for i, place in enumerate(places):
        lines = np.stack([np.ones_like(shares), shares, np.maximum(shares - place, 0.0)], axis=1)
        onto = np.eye(len(shares)) - lines @ np.linalg.pinv(lines)
        miss[i] = np.square(flat @ onto).sum(axis=1)
    known = np.isfinite(flat).all(axis=1)
    best = places[np.argmin(np.where(known, miss, 0.0), axis=0)]
    return np.where(known, best, np.nan).reshape(loss.shape[:-1])
