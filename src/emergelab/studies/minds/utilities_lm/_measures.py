"""What a set of answers shows: the scale behind it, how much of it the scale explains, and how firm it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from emergelab.games import foresight
from emergelab.games import preferences as pr

from ._ahead import AMOUNTS, DELAYS, moves
from ._outcomes import GOODS, Item

__all__ = ["fit", "of_delays", "of_free", "of_goods", "of_lotteries", "of_orders", "of_processes"]

DEALS = 8
"""How often labels are dealt out anew for the null."""
_loss = jax.jit(foresight.instrumentality)


@partial(jax.jit, static_argnames=("count", "epochs"))
def fit(
    p: Float[Array, "question item item"],
    one: Float[Array, "item item"],
    weight: Float[Array, "item item"],
    fold: Int[Array, "item item"],
    key: PRNGKeyArray,
    *,
    count: int,
    epochs: int,
) -> tuple[dict[str, Array], Float[Array, "item"], Float[Array, "item"], Float[Array, "question item"]]:
    """Scales and how well they do.

    Args:
        p: tables of choices, one a question, the one that matters first; both orders averaged.
        one: that of the first question with each pair asked in one order only.
        weight: which pairs were asked.
        fold: fold of each pair.
        key: of starting values and of the null.
        count: number of folds.
        epochs: steps of the Thurstonian fit. Its rate makes up for fewer than the published 1000.

    Returns:
        numbers by name; mean and variance of the Thurstonian scale; utilities in nats (Bradley and Terry) under each
        question.
    """
    main = pr.Choices(p[0], weight)
    of_fit, of_null = jax.random.split(key)

    # the Thurstonian fit to all pairs, then those without a fold, as one program
    def scaled(weight: Float[Array, "item item"]) -> pr.Scale:
        return pr.thurstone(pr.Choices(p[0], weight), of_fit, steps=epochs, rate=10.0 / epochs)

    scales = jax.vmap(scaled)(weight * (fold != jnp.arange(-1, count)[:, None, None]))
    told = jax.vmap(pr.chances)(scales)
    by_widths = jnp.sum(jnp.where(fold == jnp.arange(count)[:, None, None], told[1:], 0.0), axis=0)
    more = pr.pseudo_labelled(told[0], main)
    sure = pr.chances(pr.thurstone(more, of_fit, steps=epochs, rate=10.0 / epochs))

    # held-out predictions for the answers, those in one order, and answers dealt out anew
    def held_out(table: Float[Array, "item item"]) -> tuple[Array, Array]:
        choices = pr.Choices(table, weight)
        predicted = pr.crossed(lambda c: pr.odds(pr.bradley_terry(c)), choices, fold, count)
        return predicted, pr.accuracy(predicted, choices)

    dealt = jax.vmap(lambda k: pr.permuted(k, main).p)(jax.random.split(of_null, DEALS))
    predicted, right = jax.vmap(held_out)(jnp.concatenate([p[:1], one[None], dealt]))
    utility = jax.vmap(lambda table: pr.bradley_terry(pr.Choices(table, weight)))(p)
    found = {
        "holdout": right[0],
        "holdout_one": right[1],
        "holdout_null": right[2:].mean(),
        "holdout_widths": pr.accuracy(by_widths, main),
        "train": pr.accuracy(told[0], main),
        "train_pseudo": pr.accuracy(sure, more),
        "log_loss": pr.log_loss(predicted[0], main),
        "r2": pr.explained(predicted[0], main),
        "completeness": pr.completeness(main),
        "cycles": pr.cycles(main),
        "cycles_hard": pr.cycles(pr.Choices(jnp.heaviside(p[0] - 0.5, 0.5), weight)),
        "ceiling": pr.accuracy(p[1], main) if len(p) > 1 else jnp.asarray(jnp.nan),
    }
    return found, scales.mean[0], scales.variance[0], utility


def of_orders(answers: Sequence[Sequence[float]]) -> dict[str, float]:
    """What the order of the options does.

    Args:
        answers: for each pair how often its first thing was preferred when it stood first, and when it stood second.
    """
    here, there = np.asarray(answers, float).reshape(-1, 2).T
    if not len(here) or np.isnan(there).any():
        return {"inconsistency": math.nan, "bias": math.nan}
    stays = 0.5 - 0.5 * np.sign(here - 0.5) * np.sign(there - 0.5)
    shift = (_log_odds(here) - _log_odds(there)) / 2
    return {"inconsistency": float(stays.mean()), "bias": float(abs(shift.mean()))}


def _log_odds(p: np.ndarray) -> np.ndarray:
    q = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.clip(np.log(q) - np.log1p(-q), -6, 6))


def of_lotteries(items: Sequence[Item], mean: Float[np.ndarray, "item"]) -> dict[str, float]:
    """Whether a lottery is worth what its outcomes are worth on average, in standard deviations of the scale."""
    drawn = [(k, item) for k, item in enumerate(items) if item.of is not None]
    if len(drawn) < 2:
        return {"eu": math.nan, "eu_error": math.nan, "eu_null": math.nan}
    fitted = np.array([mean[k] for k, _ in drawn])
    expected = np.array([x.chance * mean[x.of[0]] + (1 - x.chance) * mean[x.of[1]] for _, x in drawn if x.of])
    apart = np.abs(fitted[:, None] - expected)
    return {
        "eu": correlated(fitted, expected),
        "eu_error": float(np.diag(apart).mean()),
        "eu_null": float(apart[~np.eye(len(drawn), dtype=bool)].mean()),
    }


def of_goods(items: Sequence[Item], mean: Float[np.ndarray, "item"]) -> dict[str, float]:
    """Utility of amounts: a straight line over the logarithm for each good, and what one unit is worth in euros."""
    names = [n for n in GOODS if sum(item.good == n for item in items) >= 2]
    blank: dict[str, float] = {"log_r2": math.nan, "more": math.nan} | {f"rate_{n}": math.nan for n in [*GOODS][1:]}
    if len(names) < len(GOODS):
        return blank
    lines, left, total = {}, 0.0, 0.0
    for name in names:
        at = [k for k, item in enumerate(items) if item.good == name]
        x, y = np.log10([items[k].amount for k in at]), np.asarray(mean)[at]
        lines[name] = np.polyfit(x, y, 1)
        left += float(np.sum((y - np.polyval(lines[name], x)) ** 2))
        total += float(np.sum((y - y.mean()) ** 2))
    slope, start = lines["euros"]
    # where more euros are not preferred to fewer, nothing can be valued in them
    rates = {
        f"rate_{n}": float((line[1] - start) / slope) if slope > 0.05 else math.nan
        for n, line in lines.items() if n != "euros"
    }  # fmt: skip
    more = float(np.mean([line[0] > 0 for line in lines.values()]))
    return blank | {"log_r2": 1 - left / max(total, 1e-12), "more": more} | rates


def of_processes(items: Sequence[Item], mean: Float[np.ndarray, "item"]) -> dict[str, float]:
    """How far the scale is from any value function of the processes, as they are and with their ends exchanged."""
    return {
        name: float(_loss(jnp.asarray(mean, jnp.float32), moves(list(items), natural=natural)))
        for name, natural in (("instrumental", True), ("instrumental_null", False))
    }


def of_delays(first: Float[np.ndarray, "later"]) -> dict[str, float]:
    """What delays leave of a value.

    Args:
        first: how often each later amount was taken rather than the sum now, delay by delay.
    """
    later = np.asarray(first, np.float32).reshape(len(DELAYS), len(AMOUNTS))
    factors = 1.0 / foresight.indifference(jnp.asarray(later), AMOUNTS.astype(np.float32))
    found = foresight.discounts(np.asarray(list(DELAYS), np.float32), factors)
    out = {
        "more": float(np.mean(later[:, -1] - later[:, 0])),
        "later": correlated(np.log(list(DELAYS)), np.log(np.asarray(factors))),
        **{f"left_{months:g}": float(left) for months, left in zip(DELAYS, factors, strict=True)},
    }
    for k, curve in enumerate(foresight.CURVES):
        out |= {f"rate_{curve}": float(found.rate[k]), f"error_{curve}": float(found.error[k])}
    return out


def of_free(
    rows: Sequence[Sequence[float]], listed: Sequence[int], utility: Float[np.ndarray, "item"]
) -> dict[str, float]:
    """Free choices from a list beside a scale of choices between two.

    Args:
        rows: how often each place of the list was taken; the k-th row with the list turned by k places.
        listed: numbers of the items as they stand in the first list.
        utility: of all items, in nats.
    """
    places = np.asarray(rows, float)
    turned = np.stack([np.roll(row, k) for k, row in enumerate(places)])
    taken, own = turned.mean(axis=0), np.asarray(utility, float)[list(listed)]
    if not np.isfinite(own).all() or own.std() < 1e-9:
        return {}
    rank = np.argsort(np.argsort(own)) / (len(own) - 1)
    return {
        "maximised": float(taken[own.argmax()]),
        "maximised_null": 1 / len(own),
        "maximised_luce": float(foresight.luce(jnp.asarray(own, jnp.float32))),
        "free_rank": float(taken @ rank),
        "free_scale": correlated(own, taken),
        "free_place": float(places.mean(axis=0).max()),
    }


def correlated(x: Any, y: Any) -> float:
    """Pearson's r, NaN where one of the two does not vary or is not known."""
    a, b = np.asarray(x, float), np.asarray(y, float)
    if len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()) or a.std() < 1e-9 or b.std() < 1e-9:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])
