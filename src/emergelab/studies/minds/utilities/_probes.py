"""Where utility stands in the residual stream, and what happens if it is changed there."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

import emergelab as el
from emergelab.games.preferences import solved

__all__ = ["axis_of", "left_out_r2", "probes", "steering"]

FIRST, SECOND, ASKED = 0, 1, 2
"""Places of the tokens."""


def left_out_r2(x: Float[Array, "n width"], y: Float[Array, "n"], ridge: float = 0.01) -> Float[Array, ""]:
    """R2 of a ridge regression, each row predicted by the fit to all others.

    The hat matrix gives these predictions without fitting n times. Below 0: worse than the mean of the others, which
    is what a reading with nothing behind it comes to; cut off at -1.

    Args:
        x: rows to read from; centred and scaled here, so that the penalty means the same at every place.
        y: what is read.
        ridge: penalty, relative to the number of rows.
    """
    n = x.shape[0]
    z = x - x.mean(axis=0)
    z = z / jnp.sqrt(jnp.mean(z**2) + 1e-12)
    gram = z.T @ z + ridge * n * jnp.eye(z.shape[1])
    hat = z @ solved(gram, z.T) + 1.0 / n
    target = y - y.mean()
    left = (target - hat @ target) / jnp.maximum(1.0 - jnp.diag(hat), 1e-3)
    # the mean of the others is off by n / (n - 1), too
    base = jnp.sum((target * n / (n - 1)) ** 2)
    return jnp.maximum(1.0 - jnp.sum(left**2) / jnp.maximum(base, 1e-12), -1.0)


def per_item(residual: Float[Array, "place batch token width"], items: int) -> Float[Array, "place item width"]:
    """What stands at the first token for each item: it depends on that item alone, for attention looks back only.

    Args:
        residual: the stream for all pairs (i, j) with i < j, then for all pairs (j, i).
        items: how many there are.
    """
    # the last item is never the first of a pair (i, j), but it is of the very last pair (j, i)
    rows = np.searchsorted(np.triu_indices(items, 1)[0], np.arange(items - 1))
    return residual[:, np.append(rows, residual.shape[1] - 1), FIRST]


def probes(
    residual: Float[Array, "place batch token width"],
    i: Int[Array, "pair"],
    j: Int[Array, "pair"],
    new: Bool[Array, "pair"],
    utility: Float[Array, "item"],
) -> dict[str, Float[Array, "place"]]:
    """How well utility can be read from the stream, place by place.

    Args:
        residual: the stream for all pairs (i, j), then for all pairs (j, i).
        i, j: the items.
        new: pairs that were never compared in training.
        utility: of each item.
    """
    by_item, asked = per_item(residual, utility.shape[0]), residual[:, : i.shape[0], ASKED]
    difference = utility[i] - utility[j]
    return {
        "probe": jax.vmap(lambda x: left_out_r2(x, utility))(by_item),
        "probe_pair": jax.vmap(lambda x: _transferred_r2(x, difference, new))(asked),
    }


def _transferred_r2(
    x: Float[Array, "pair width"], y: Float[Array, "pair"], new: Bool[Array, "pair"], ridge: float = 0.01
) -> Float[Array, ""]:
    """R2 on new pairs of a ridge regression fitted to the others; cut off at -1."""
    old = (~new).astype(x.dtype)
    z = x - jnp.sum(x * old[:, None], axis=0) / jnp.sum(old)
    z = z / jnp.sqrt(jnp.mean(z**2) + 1e-12)
    z = jnp.concatenate([z, jnp.ones((z.shape[0], 1))], axis=1)
    gram = (z * old[:, None]).T @ z + ridge * jnp.sum(old) * jnp.eye(z.shape[1])
    told = z @ solved(gram, (z.T @ (old * y))[:, None])[:, 0]
    centre = jnp.mean(y, where=new)
    spread = jnp.sum(jnp.where(new, (y - centre) ** 2, 0.0))
    return jnp.maximum(1.0 - jnp.sum(jnp.where(new, (y - told) ** 2, 0.0)) / jnp.maximum(spread, 1e-12), -1.0)


def axis_of(by_item: Float[Array, "item width"], utility: Float[Array, "item"]) -> Float[Array, "width"]:
    """What one standard deviation of utility changes in the residual: mean of residual times standardised utility."""
    z = (utility - utility.mean()) / (jnp.std(utility) + 1e-12)
    return jnp.mean((by_item - by_item.mean(axis=0)) * z[:, None], axis=0)


def steering(
    ask: Callable[[Int[Array, "batch"], Int[Array, "batch"]], Float[Array, "batch"]],
    key: PRNGKeyArray,
    residual: Float[Array, "both token width"],
    i: Int[Array, "pair"],
    j: Int[Array, "pair"],
    new: Bool[Array, "pair"],
    plain: Float[Array, "pair"],
    utility: Float[Array, "item"],
) -> dict[str, Float[Array, ""]]:
    """Changes of the stream at site `embed` along the utility axis, and along a random one as control.

    `push` adds the axis to the first item's residual, and takes it away; `swap` exchanges the two items' components
    along the axis and leaves everything else of them where it is. Both on every ninth pair, and of these on those that
    were never compared.

    Args:
        ask: log-odds that the first item is preferred.
        key: of the random direction, and of nothing else.
        residual: the stream at `embed` for all pairs (i, j), then for all pairs (j, i), unchanged.
        i, j: the items.
        new: pairs that were never compared in training.
        plain: log-odds without a change.
        utility: of each item.
    """
    along = axis_of(per_item(residual[None], utility.shape[0])[0], utility)
    drawn = jax.random.normal(key, along.shape)
    random = drawn * jnp.linalg.norm(along) / jnp.linalg.norm(drawn)
    stream = residual[: i.shape[0] : 9]
    i, j, new, plain = (x[::9] for x in (i, j, new, plain))

    def pushed(by: Float[Array, "width"]) -> Float[Array, "some token width"]:
        return stream.at[:, FIRST].add(by)

    def swapped(by: Float[Array, "width"]) -> Float[Array, "some token width"]:
        unit = by / (jnp.linalg.norm(by) + 1e-12)
        # relative to what each place has on average, so that positions stay where they are
        height = (stream - stream.mean(axis=0)) @ unit
        gap = (height[:, SECOND] - height[:, FIRST])[:, None] * unit
        return stream.at[:, FIRST].add(gap).at[:, SECOND].add(-gap)

    # one pass for all changes: six would take six times as long to compile
    changed = [pushed(along), pushed(-along), pushed(random), pushed(-random), swapped(along), swapped(random)]
    with el.edit(el.Clamp("embed", jnp.concatenate(changed))):
        up, down, aside, back, turned, kept = jnp.split(ask(jnp.tile(i, 6), jnp.tile(j, 6)), 6)
    return {
        "push": jnp.mean(up - down, where=new) / 2,
        "push_random": jnp.mean(aside - back, where=new) / 2,
        "push_true": _slope((utility[i] - utility[j]) / jnp.std(utility), plain, new),
        "swap": _slope(plain, turned, new),
        "swap_random": _slope(plain, kept, new),
    }


def _slope(x: Float[Array, "pair"], y: Float[Array, "pair"], where: Bool[Array, "pair"]) -> Float[Array, ""]:
    """Least-squares slope of y on x over some of the pairs."""
    w = where.astype(x.dtype)
    a, b = x - jnp.sum(w * x) / jnp.sum(w), y - jnp.sum(w * y) / jnp.sum(w)
    return jnp.sum(w * a * b) / jnp.maximum(jnp.sum(w * a**2), 1e-12)
