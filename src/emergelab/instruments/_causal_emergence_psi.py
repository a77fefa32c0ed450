"""Psi, Delta, Gamma, transfer entropy and the sixteen atoms of integrated information, and the verdict on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergelab.instruments._causal_emergence_atoms import atom_table
from emergelab.instruments._causal_emergence_matrix import Judged
from emergelab.instruments._causal_emergence_measure import BOOT, FEWEST, Measured, Options, replicates
from emergelab.instruments._causal_emergence_series import Series, tuples
from emergelab.statistics import Estimate, estimate, holm

__all__ = ["judge_series"]

_MEANS = 1999  # means over seeds drawn from their shifted records


def judge_series(series: Series, at: int, options: Options, rng: np.random.Generator) -> Judged:
    """Causal emergence of the macro variable in one condition."""
    groups = tuples(len(series.parts), options.order)
    lags = options.lags
    found = {lag: replicates(series, at, lag, groups, options, rng) for lag in lags}
    boot = max(BOOT, options.draws)
    psi = {
        lag: estimate(_column(rows, "psi"), level=options.level, draws=boot, rng=rng)
        for lag, (rows, _) in found.items()
    }
    # the lag with the largest psi is shown; Holm over the lags pays for the choice
    chosen = max(lags, key=lambda lag: psi[lag].value if np.isfinite(psi[lag].value) else -np.inf)
    rows, profile = found[chosen]
    excess = {
        lag: estimate(_column(rows, "excess"), level=options.level, draws=boot, rng=rng)
        for lag, (rows, _) in found.items()
    }
    # psi must exceed the margin over seeds, what shifted futures make by chance, and what parts without interaction
    # give: the largest p counts
    p_lag = holm(
        np.array(
            [
                _largest(
                    psi[g].p_greater(options.margin),
                    excess[g].p_greater(0.0),
                    _p_shifted(psi[g].value, [r.null for r in found[g][0] if np.isfinite(r.numbers["psi"])], rng),
                )
                for g in lags
            ]
        )
    )
    delta = _per_part(rows, "delta", options, boot, rng)
    gamma = estimate(_column(rows, "gamma"), level=options.level, draws=boot, rng=rng)
    measured = [r for r in rows if np.isfinite(r.delta).all()]
    p_delta = holm(
        np.array(
            [
                _largest(e.p_greater(options.margin), _p_shifted(e.value, [r.null_delta[j] for r in measured], rng))
                for j, e in enumerate(delta)
            ]
        )
    )
    # two ways to show emergence, psi and delta: Holm over the two
    best_delta = float(np.nanmin(p_delta)) if np.isfinite(p_delta).any() else float("nan")
    p_psi, p_down = holm(np.array([p_lag[lags.index(chosen)], best_delta]))
    one_sided = float(np.nanmin([p_psi, p_down])) if np.isfinite([p_psi, p_down]).any() else float("nan")
    p = min(1.0, 2 * one_sided) if np.isfinite(one_sided) else float("nan")
    verdict = "not shown"
    if p <= 1 - options.level and not options.blind:
        verdict = "emergent"
        if 2 * p_psi <= 1 - options.level and gamma.claimed and gamma.high < options.negligible:
            verdict = "decoupled"
    condition = series.conditions[at]
    criteria = pd.DataFrame(
        [
            _criterion("psi", psi[chosen], p_psi, rows),
            _criterion("delta", delta[_top(delta)], p_down, rows),
            _criterion("gamma", gamma, float("nan"), rows),
            *(
                _criterion(name, estimate(_column(rows, key), level=options.level, draws=boot, rng=rng), np.nan, rows)
                for name, key in (
                    ("psi of the same parts without interaction", "apart"),
                    ("psi above that", "excess"),
                    ("psi with its redundancy added back", "psi_corrected"),
                    ("the macro variable's information on itself", "self"),
                    ("sum of the parts' information on it", "sum_parts"),
                    ("transfer entropy, parts to macro", "transfer"),
                )
            ),
        ]
    )
    criteria.insert(0, "condition", condition)
    names = ["+".join(series.parts[j] for j in g) for g in groups]
    tables = {
        "seeds": _seed_table(series, condition, rows),
        "criteria": criteria,
        "parts": _part_table(condition, names, rows, delta, p_delta, options, boot, rng),
        "lags": pd.DataFrame(
            [
                (condition, lag, e.value, e.low, e.high, min(1.0, 2 * q), lag == chosen)
                for (lag, e), q in zip(psi.items(), p_lag, strict=True)
            ],
            columns=["condition", "lag", "psi", "low", "high", "p_holm", "chosen"],
        ),
    }
    if options.bipartition is not None:
        tables["atoms"] = atom_table(condition, np.array([r.atoms for r in rows]), options.level, boot, rng)
    if len(profile):
        tables["windows"] = profile.assign(condition=condition)[["condition", *profile.columns]]
    nulls = [r.null[np.isfinite(r.null)] for r in rows if np.isfinite(r.null).any()]
    nulls = [null - null.mean() for null in nulls]
    pooled = np.concatenate(nulls) if nulls else np.empty(0)
    noise = float(np.std(pooled)) if len(pooled) else float("nan")
    extra = {
        "null_low": float(np.quantile(pooled, 0.025)) if len(pooled) else float("nan"),
        "null_high": float(np.quantile(pooled, 0.975)) if len(pooled) else float("nan"),
        "noise": noise,
        "lag": chosen,
        "apart": float(np.nanmean(_column(rows, "apart")))
        if np.isfinite(_column(rows, "apart")).any()
        else float("nan"),
        "excess": excess[chosen],
        "p_psi": min(1.0, 2 * p_psi) if np.isfinite(p_psi) else p_psi,
        "p_delta": min(1.0, 2 * p_down) if np.isfinite(p_down) else p_down,
        "gamma": gamma,
        "delta": delta[_top(delta)],
        "delta_part": names[_top(delta)],
        "replicates": int(np.isfinite(_column(rows, "psi")).sum()),
    }
    shifts = max((len(r.null) for r in rows), default=0)
    return Judged(
        psi[chosen], p, shifts, verdict, psi[chosen].value, _column(rows, "psi"), tables, extra,
        tuple(_cautions(series, rows, options)),
    )  # fmt: skip


def _cautions(series: Series, rows: Sequence[Measured], options: Options) -> list[str]:
    out = []
    short = sum(r.samples < FEWEST for r in rows)
    if short:
        out.append(f"{short} of {len(rows)} seeds have fewer than {FEWEST} pairs of records and are left out")
    lost = sum(r.samples >= FEWEST and not np.isfinite(r.numbers["psi"]) for r in rows)
    if lost:
        out.append(
            f"in {lost} seeds a continuous relation is deterministic or a variable is constant: its information is "
            "infinite or undefined (jitter=... adds stated noise)"
        )
    usable = int(np.isfinite(_column(rows, "psi")).sum())
    if 0 < usable < 5:
        out.append(f"{usable} seeds carry no interval, so nothing can be claimed (five are needed)")
    return out


def _largest(first: float, *others: float) -> float:
    """The largest of the p-values; those that could not be had do not count, but the first must be there."""
    return max([first, *(p for p in others if np.isfinite(p))]) if np.isfinite(first) else float("nan")


def _p_shifted(value: float, nulls: Sequence[Float[np.ndarray, "shift"]], rng: np.random.Generator) -> float:
    """One-sided p of a mean over seeds among means of what shifted futures give, bias taken off.

    The information that chance makes is skewed, so that a t interval over a handful of seeds alone would see a small
    positive psi too often. NaN where nothing was shifted.
    """
    usable = [null[np.isfinite(null)] for null in nulls]
    if not usable or min(map(len, usable)) == 0 or not np.isfinite(value):
        return float("nan")
    means = np.mean([rng.choice(null - null.mean(), _MEANS) for null in usable], axis=0)
    return float((1 + (means >= value - 1e-12).sum()) / (_MEANS + 1))


def _mean_known(values: Float[np.ndarray, "seed"]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _top(delta: Sequence[Estimate]) -> int:
    values = [e.value if np.isfinite(e.value) else -np.inf for e in delta]
    return int(np.argmax(values))


def _column(rows: Sequence[Measured], name: str) -> Float[np.ndarray, "seed"]:
    return np.array([r.numbers[name] for r in rows])


def _criterion(name: str, e: Estimate, p_one_sided: float, rows: Sequence[Measured]) -> dict[str, Any]:
    p = min(1.0, 2 * p_one_sided) if np.isfinite(p_one_sided) else float("nan")
    return {"quantity": name, "bits": e.value, "low": e.low, "high": e.high, "p_holm": p, "seeds": e.n}


def _per_part(
    rows: Sequence[Measured], name: str, options: Options, boot: int, rng: np.random.Generator
) -> list[Estimate]:
    block = np.array([getattr(r, name) for r in rows])
    return [estimate(column, level=options.level, draws=boot, rng=rng) for column in block.T]


def _seed_table(series: Series, condition: str, rows: Sequence[Measured]) -> pd.DataFrame:
    table = pd.DataFrame([{"pairs": r.samples, **r.numbers} for r in rows])
    table["delta"] = [float(r.delta.max()) if np.isfinite(r.delta).all() else float("nan") for r in rows]
    # of psi against a future that has been moved away: is there any prediction at all, in this seed?
    table["p_shift"] = [
        (1 + int((r.null >= r.numbers["psi_raw"]).sum())) / (1 + len(r.null))
        if len(r.null) and np.isfinite(r.numbers["psi_raw"])
        else float("nan")
        for r in rows
    ]
    table.insert(0, "seed", list(series.seeds))
    table.insert(0, "condition", condition)
    return table


def _part_table(
    condition: str,
    names: Sequence[str],
    rows: Sequence[Measured],
    delta: Sequence[Estimate],
    p_delta: Float[np.ndarray, "part"],
    options: Options,
    boot: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    to_macro, from_macro = (_per_part(rows, name, options, boot, rng) for name in ("of_part", "gamma"))
    out = []
    for i, name in enumerate(names):
        out.append(
            {
                "condition": condition,
                "part": name,
                "to_macro": to_macro[i].value,
                "from_macro": from_macro[i].value,
                "from_macro_low": from_macro[i].low,
                "from_macro_high": from_macro[i].high,
                "delta": delta[i].value,
                "delta_low": delta[i].low,
                "delta_high": delta[i].high,
                "p_holm": min(1.0, 2 * p_delta[i]),
            }
        )
    return pd.DataFrame(out)
