"""What the numbers of `language_metrics` amount to: chance levels, trends over generations, contrasts, stability."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment
from scipy.stats import norm, rankdata

from emergelab.instruments._language_metrics_distance import edit_counts, pairs_of
from emergelab.instruments._language_metrics_read import Languages
from emergelab.statistics import Estimate, difference, estimate, holm, max_t, permutation

__all__ = [
    "against_chance",
    "alike",
    "contrasts",
    "crossplay",
    "joint",
    "listening",
    "page",
    "summary",
    "synchrony",
    "transmission",
    "trends",
    "with_generalisation",
]  # fmt: skip

_PAIRS = 20  # of seeds that are held against each other
_SLACK = 1e-7  # relabellings that change nothing must count as ties

LOWER_IS_BETTER = ("reconstruction", "residual_entropy", "transmission_error", "synchrony_error")


def sign_of(metric: str) -> float:
    return -1.0 if metric in LOWER_IS_BETTER else 1.0


def against_chance(table: Float[np.ndarray, "*lead draw"], sign: float) -> dict[str, Float[np.ndarray, "*lead"]]:
    """Observed value (draw 0), mean and sd of the relabelled ones, z, and one-sided p in the direction of structure.

    z is NaN where relabelling changes nothing, and then there is no p either.
    """
    observed, null = table[..., 0], table[..., 1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        chance, sd = null.mean(axis=-1), null.std(axis=-1)
        moves = sd > 1e-9 * np.maximum(1.0, np.abs(observed))
        z = np.where(moves, (observed - chance) / sd, np.nan)
        reached = sign * null >= sign * observed[..., None] - _SLACK
        p = np.where(moves, (1 + reached.sum(axis=-1)) / table.shape[-1], np.nan)
    return {"value": observed, "chance": chance, "sd": sd, "z": z, "p": p}


def joint(table: Float[np.ndarray, "seed draw"], sign: float) -> Float[np.ndarray, "draw"]:
    """Mean over seeds of the standardised metric for every relabelling; all NaN if no seed can be tested.

    The same relabelling of items is applied to all seeds, so the test stays exact when seeds share a language.
    """
    null = table[:, 1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        chance, sd = null.mean(axis=1, keepdims=True), null.std(axis=1, keepdims=True)
        z = sign * (table - chance) / sd
    usable = (sd[:, 0] > 1e-9) & np.isfinite(z).all(axis=1)
    return z[usable].mean(axis=0) if usable.any() else np.full(table.shape[1], np.nan)


def summary(
    last: dict[str, Float[np.ndarray, "condition seed draw"]],
    without_chance: dict[str, Float[np.ndarray, "condition seed"]],
    conditions: tuple[str, ...],
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, dict[tuple[str, str], Estimate]]:
    """One row a condition and metric at the last record of each seed, and the estimates of the excess over chance."""
    rows, excess = [], {}
    boot = max(200, draws)
    for c, condition in enumerate(conditions):
        looks = np.stack([joint(table[c], sign_of(name)) for name, table in last.items()], axis=1) if last else None
        adjusted = max_t(looks) if looks is not None else np.empty(0)
        for k, (name, table) in enumerate(last.items()):
            parts = against_chance(table[c], sign_of(name))
            over = estimate(parts["value"] - parts["chance"], level=level, draws=boot, rng=rng)
            excess[(condition, name)] = over
            plain = estimate(parts["value"], level=level, draws=boot, rng=rng)
            assert looks is not None
            tested = looks[:, k]
            p = float((tested >= tested[0] - _SLACK).mean()) if np.isfinite(tested[0]) else np.nan
            found = parts["p"][np.isfinite(parts["p"])]
            rows.append(
                {
                    "condition": condition, "metric": name, "value": plain.value, "low": plain.low, "high": plain.high,
                    "chance": _mean(parts["chance"]), "chance_sd": _mean(parts["sd"]), "excess": over.value,
                    "excess_low": over.low, "excess_high": over.high, "z": _mean(parts["z"]), "p": p,
                    "p_adjusted": float(adjusted[k]), "seeds": plain.n, "above_chance": int((found <= 1 - level).sum()),
                }
            )  # fmt: skip
        for name, values in without_chance.items():
            plain = estimate(values[c], level=level, draws=boot, rng=rng)
            rows.append(
                {
                    "condition": condition, "metric": name, "value": plain.value, "low": plain.low, "high": plain.high,
                    "chance": np.nan, "chance_sd": np.nan, "excess": np.nan, "excess_low": np.nan,
                    "excess_high": np.nan, "z": np.nan, "p": np.nan, "p_adjusted": np.nan, "seeds": plain.n,
                    "above_chance": 0,
                }
            )  # fmt: skip
    return pd.DataFrame(rows), excess


def _mean(values: Float[np.ndarray, "n"]) -> float:
    seen = values[np.isfinite(values)]
    return float(seen.mean()) if len(seen) else float("nan")


def page(values: Float[np.ndarray, "chain time"]) -> tuple[float, float]:
    """Page's L for a rise over the columns, and its one-sided p by the normal approximation.

    Undefined cells get the middle rank of their chain, which says nothing for or against a rise, and the ranks of the
    others are stretched around it. Chains without two defined cells are left out. Page (1963).
    """
    kept = values[np.isfinite(values).sum(axis=1) >= 2]
    m, k = kept.shape
    if m == 0 or k < 3:
        return float("nan"), float("nan")
    seen = np.isfinite(kept)
    ranks = np.full(kept.shape, (k + 1) / 2)
    for row, here, out in zip(kept, seen, ranks, strict=True):
        out[here] = rankdata(row[here]) * (k + 1) / (here.sum() + 1)
    statistic = float((ranks.sum(axis=0) * np.arange(1, k + 1)).sum())
    mean, variance = m * k * (k + 1) ** 2 / 4, m * k**2 * (k + 1) * (k**2 - 1) / 144
    return statistic, float(norm.sf((statistic - mean) / np.sqrt(variance)))


def trends(
    curves: dict[str, Float[np.ndarray, "condition seed time"]],
    conditions: tuple[str, ...],
    time: Float[np.ndarray, "time"],
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Rank correlation with time of each chain, its mean over chains, and Page's L beside it."""
    rows = []
    for name, block in curves.items():
        for c, condition in enumerate(conditions):
            rho = np.array([_spearman(time, row) for row in block[c]])
            over = estimate(rho, level=level, draws=max(200, draws), rng=rng, bounds=(-1, 1))
            statistic, p_page = page(block[c])
            rows.append(
                {
                    "condition": condition, "metric": name, "rho": over.value, "low": over.low, "high": over.high,
                    "p_chains": over.p_two_sided(0.0), "page_L": statistic, "p_page": p_page, "chains": over.n,
                }
            )  # fmt: skip
    columns = ["condition", "metric", "rho", "low", "high", "p_chains", "page_L", "p_page", "chains"]
    return pd.DataFrame(rows, columns=columns)


def _spearman(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> float:
    seen = np.isfinite(x) & np.isfinite(y)
    if seen.sum() < 3 or np.ptp(x[seen]) == 0 or np.ptp(y[seen]) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(x[seen]), rankdata(y[seen]))[0, 1])


def contrasts(
    excess: Float[np.ndarray, "condition seed"],
    conditions: tuple[str, ...],
    *,
    sign: float,
    paired: bool,
    margin: float | None,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, list[Estimate]]:
    """Each two conditions: difference of the excess over chance, exact relabelling of seeds, Holm over the pairs."""
    rows, found = [], []
    for a, b in combinations(range(len(conditions)), 2):
        gap = difference(excess[a], excess[b], paired=paired, level=level, draws=max(200, draws), rng=rng)
        test = permutation(excess[a], excess[b], paired=paired, draws=max(999, draws), rng=rng)
        found.append(gap)
        rows.append((conditions[a], conditions[b], gap.value, gap.low, gap.high, test.p, test.smallest_p, test.draws))
    names = ["a", "b", "difference", "low", "high", "p", "smallest_p", "draws"]
    table = pd.DataFrame(rows, columns=names)
    table["p_holm"] = holm(table["p"].to_numpy(dtype=float))
    told = []
    for row in table.itertuples():
        if row.p_holm <= 1 - level:
            told.append("more structured" if sign * row.difference > 0 else "less structured")
        elif margin is not None and row.low > -margin and row.high < margin:
            told.append("no difference")
        else:
            told.append("inconclusive")
    table["verdict"] = told
    return table, found


# ----------------------------------------------------------------------------------------------- stability


def _normalised(
    first: Int[np.ndarray, "item position"],
    second: Int[np.ndarray, "item position"],
) -> Float[np.ndarray, "item"]:
    """Edit distance of the two messages of each item over the length of the longer one."""
    both = np.stack([first, second], axis=1)  # (item, which, position): two items in each of many languages
    count = edit_counts(both, pairs_of(2, np.random.default_rng(0)))[:, 0]
    longest = np.maximum((first >= 0).sum(axis=1), (second >= 0).sum(axis=1))
    return count / np.maximum(longest, 1)


def transmission(data: Languages) -> Float[np.ndarray, "condition seed time"]:
    """Mean normalised edit distance between the messages of one record and of the record before, for the same item."""
    out = np.full(data.present.shape, np.nan)
    now, before = data.codes[:, :, 1:], data.codes[:, :, :-1]
    both = data.present[:, :, 1:] & data.present[:, :, :-1]
    if both.any():
        n, width = data.codes.shape[-2:]
        cells = _normalised(now[both].reshape(-1, width), before[both].reshape(-1, width)).reshape(-1, n)
        out[:, :, 1:][both] = cells.mean(axis=1)
    return _over_agents(out)


def synchrony(data: Languages) -> Float[np.ndarray, "condition seed time"]:
    """Mean normalised edit distance between the messages of two agents of one seed for the same item."""
    shape = data.present.shape
    total, count = np.zeros(shape[:3]), np.zeros(shape[:3])
    n, width = data.codes.shape[-2:]
    for a, b in combinations(range(shape[3]), 2):
        both = data.present[..., a] & data.present[..., b]
        if both.any():
            x, y = data.codes[..., a, :, :][both], data.codes[..., b, :, :][both]
            total[both] += _normalised(x.reshape(-1, width), y.reshape(-1, width)).reshape(-1, n).mean(axis=1)
            count[both] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, np.nan)


def _over_agents(values: Float[np.ndarray, "condition seed time agent"]) -> Float[np.ndarray, "condition seed time"]:
    seen = np.isfinite(values)
    count = seen.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, np.where(seen, values, 0.0).sum(axis=-1) / count, np.nan)


def alike(
    message: Int[np.ndarray, "seed item position"],
    orders: Int[np.ndarray, "draw item"],
    symbols: int,
) -> tuple[Float[np.ndarray, "draw"], float, int]:
    """Whether seeds found the same language up to the names of symbols.

    Share of positions that agree after the best one-to-one renaming of symbols, mean over pairs of seeds (at most 20),
    for every relabelling of the items of the second seed; the share that agree without renaming; the number of pairs.
    """
    chosen = list(combinations(range(len(message)), 2))[:_PAIRS]
    if not chosen or symbols == 0:
        return np.full(len(orders), np.nan), float("nan"), 0
    total, plain = np.zeros(len(orders)), 0.0
    for a, b in chosen:
        x, y = message[a], message[b]
        size = max(1, int(((x >= 0) | (y >= 0)).sum()))
        plain += float(((x == y) & (x >= 0)).sum()) / size
        for d, order in enumerate(orders):
            moved = y[order]
            both = (x >= 0) & (moved >= 0)
            table = np.bincount(x[both] * symbols + moved[both], minlength=symbols**2).reshape(symbols, symbols)
            rows, columns = linear_sum_assignment(table, maximize=True)
            total[d] += table[rows, columns].sum() / max(1, int(((x >= 0) | (moved >= 0)).sum()))
    return total / len(chosen), plain / len(chosen), len(chosen)


def crossplay(accuracy: xr.DataArray, seeds: str, level: float, draws: int, rng: np.random.Generator) -> Estimate:
    """Accuracy of agents with partners they did not learn with minus with their own (speaker = listener)."""
    values = accuracy.transpose(seeds, "speaker", "listener").values.astype(float)
    own = np.eye(values.shape[1], values.shape[2], dtype=bool)
    rows = []
    for table in values:
        play, self_play = table[~own], table[own]
        play, self_play = play[np.isfinite(play)], self_play[np.isfinite(self_play)]
        rows.append(play.mean() - self_play.mean() if len(play) and len(self_play) else np.nan)
    return estimate(np.array(rows), level=level, draws=max(200, draws), rng=rng, bounds=(-1, 1))


def listening(policy: xr.DataArray, seeds: str, level: float, draws: int, rng: np.random.Generator) -> Estimate:
    """Causal influence of communication: mean total variation of a listener's action between two messages.

    ``policy`` holds probabilities of actions with dims (seeds, "message", "action") and any others (contexts), which
    are averaged over (Lowe et al. 2019).
    """
    rest = [str(d) for d in policy.dims if d not in (seeds, "message", "action")]
    values = policy.transpose(seeds, *rest, "message", "action").values.astype(float)
    values = values.reshape(values.shape[0], -1, *values.shape[-2:])
    messages = values.shape[2]
    rows = np.full(len(values), np.nan)
    if messages > 1 and values.size:
        apart = [
            0.5 * np.abs(values[:, :, a] - values[:, :, b]).sum(axis=-1) for a, b in combinations(range(messages), 2)
        ]
        rows = np.mean(apart, axis=(0, 2))
    return estimate(rows, level=level, draws=max(200, draws), rng=rng, bounds=(0, 1))


# ------------------------------------------------------------------------------------------ generalisation


def with_generalisation(
    values: dict[str, Float[np.ndarray, "condition seed"]],
    outcome: Float[np.ndarray, "condition seed"],
    conditions: tuple[str, ...],
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Spearman correlation of every metric with generalisation: within each condition, and over all seeds at once.

    ``disagree`` marks metrics whose pooled and mean within-condition correlations differ in sign while one of them is
    below 0.05: the pooled one then compares conditions, not languages.
    """
    rows = []
    for name, block in values.items():
        within = []
        for c, condition in enumerate(conditions):
            r, p, n = _rank_test(block[c], outcome[c], draws, rng)
            within.append((r, p))
            rows.append((name, condition, r, p, n, False))
        if len(conditions) > 1:
            r, p, n = _rank_test(block.ravel(), outcome.ravel(), draws, rng)
            known = [w for w in within if np.isfinite(w[0])]
            mean = float(np.mean([w[0] for w in known])) if known else np.nan
            clear = p <= 0.05 or any(w[1] <= 0.05 for w in known)
            rows.append((name, "pooled", r, p, n, bool(np.isfinite(mean) and mean * r < 0 and clear)))
    return pd.DataFrame(rows, columns=["metric", "condition", "rho", "p", "seeds", "disagree"])


def _rank_test(
    x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], draws: int, rng: np.random.Generator
) -> tuple[float, float, int]:
    seen: Bool[np.ndarray, "n"] = np.isfinite(x) & np.isfinite(y)
    r, n = _spearman(x, y), int(seen.sum())
    if not np.isfinite(r) or n < 4:
        return r, float("nan"), n
    a, b = rankdata(x[seen]), rankdata(y[seen])
    a, b = a - a.mean(), b - b.mean()
    null = rng.permuted(np.tile(a, (draws, 1)), axis=1) @ b / np.sqrt((a @ a) * (b @ b))
    return r, float((1 + (np.abs(null) >= abs(r) - 1e-9).sum()) / (draws + 1)), n
