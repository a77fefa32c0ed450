"""Tables that all kinds of data share in `diversity`: measures by condition, contrasts, verdicts, words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergelab.instruments._diversity_read import Found
from emergelab.statistics import Estimate, difference, estimate, holm, permutation
from emergelab.statistics.intervals import MIN_INTERVAL

__all__ = ["PARTS", "Plan", "contrast_table", "curve_table", "describe", "judge", "measure_table"]

PARTS = ["condition", "gamma", "alpha", "beta", "beta_low", "beta_high", "beta_expected", "p_beta", "unit"]
_POOR = 0.5  # mean success below which diversity is called diversity without competence


@dataclass(frozen=True)
class Plan:
    """How seeds are judged."""

    threshold: float
    margin: float | None
    paired: bool
    level: float
    draws: int
    rng: np.random.Generator

    @property
    def alpha(self) -> float:
        """Largest p that decides."""
        return 1.0 - self.level


def _column(found: Found, condition: str, measure: str) -> Float[np.ndarray, "_"]:
    return np.array([r[measure] for r in found.rows if r["condition"] == condition], dtype=float)


def _conditions(found: Found) -> list[str]:
    return list(dict.fromkeys(str(r["condition"]) for r in found.rows))


def measure_table(found: Found, plan: Plan) -> tuple[pd.DataFrame, dict[str, Estimate]]:
    """One row a condition and measure, with its interval over seeds; and the estimate of the main measure."""
    rows, main = [], {}
    measures = [k for k in (found.rows[0] if found.rows else {}) if k not in ("condition", "seed")]
    for condition in _conditions(found):
        for measure in measures:
            values = _column(found, condition, measure)
            bounds = found.bounds if measure in (found.main, found.compare, "success") else None
            e = estimate(values, level=plan.level, draws=plan.draws, rng=plan.rng, bounds=bounds)
            if measure == found.main:
                main[condition] = e
            seen = values[np.isfinite(values)]
            row = {"condition": condition, "measure": measure, "seeds": len(seen), "mean": e.value}
            row |= {"sd": float(seen.std(ddof=1)) if len(seen) > 1 else np.nan, "low": e.low, "high": e.high}
            rows.append(row | {"method": e.method})
    return pd.DataFrame(rows, columns=["condition", "measure", "seeds", "mean", "sd", "low", "high", "method"]), main


def contrast_table(found: Found, plan: Plan) -> tuple[pd.DataFrame, list[Estimate]]:
    """One row a pair of conditions: diversity at equal numbers, and competence beside it; Holm over the pairs."""
    rows: list[dict[str, Any]] = []
    kept: list[Estimate] = []
    labels = {c: [str(r["seed"]) for r in found.rows if r["condition"] == c] for c in _conditions(found)}
    for a, b in combinations(labels, 2):
        row: dict[str, Any] = {"a": a, "b": b}
        for name, measure in (("", found.compare), ("able_", found.able)):
            if not measure:
                row |= {f"{name}difference": np.nan, f"{name}low": np.nan, f"{name}high": np.nan, f"{name}p": np.nan}
                continue
            x, y = _column(found, a, measure), _column(found, b, measure)
            if plan.paired:
                common = [s for s in labels[a] if s in labels[b]]
                x, y = x[[labels[a].index(s) for s in common]], y[[labels[b].index(s) for s in common]]
            e = difference(x, y, paired=plan.paired, level=plan.level, draws=plan.draws, rng=plan.rng)
            test = permutation(x, y, paired=plan.paired, draws=plan.draws, rng=plan.rng)
            row |= {f"{name}difference": e.value, f"{name}low": e.low, f"{name}high": e.high, f"{name}p": test.p}
            if not name:
                kept.append(e)
                row |= {
                    "n_a": int(np.isfinite(x).sum()),
                    "n_b": int(np.isfinite(y).sum()),
                    "smallest_p": test.smallest_p,
                }
        rows.append(row)
    columns = ["a", "b", "n_a", "n_b", "difference", "low", "high", "p", "smallest_p"]
    columns += ["able_difference", "able_low", "able_high", "able_p"]
    table = pd.DataFrame(rows, columns=columns)
    table["p_holm"] = holm(table["p"].to_numpy(float))
    adjusted = holm(table["able_p"].to_numpy(float))
    table["verdict"] = [_compared(r, p, plan) for r, p in zip(table.to_dict("records"), adjusted, strict=True)]
    return table, kept


def _compared(row: Mapping[Any, Any], able_p: float, plan: Plan) -> str:
    m = plan.margin or 0.0
    if not np.isfinite(row["low"]):
        return "inconclusive"
    decided = row["p_holm"] <= plan.alpha
    if decided and row["low"] > m:
        worse = able_p <= plan.alpha and row["able_high"] < 0
        return "more diverse, less able" if worse else "more diverse"
    if decided and row["high"] < -m:
        better = able_p <= plan.alpha and row["able_low"] > 0
        return "less diverse, more able" if better else "less diverse"
    return "no difference" if -m < row["low"] and row["high"] < m else "inconclusive"


def judge(
    found: Found, main: Mapping[str, Estimate], contrasts: pd.DataFrame, kept: Sequence[Estimate], plan: Plan
) -> tuple[str, str, Estimate, float, str, tuple[str, float]]:
    """Verdict, headline, estimate, p, name of the null and effect."""
    nan = float("nan")
    if len(contrasts):
        best = int(contrasts["p_holm"].argmin()) if contrasts["p_holm"].notna().any() else 0
        row, e = contrasts.iloc[best], kept[best]
        decided = contrasts["verdict"].str.startswith(("more", "less")).any()
        verdict = str(row["verdict"]) if len(contrasts) == 1 else "differ" if decided else "inconclusive"
        headline = f"{found.name}, {row['a']} minus {row['b']}"
        headline += f" (the clearest of {len(contrasts)} contrasts)" if len(contrasts) > 1 else ""
        null = "signs of differences flipped" if plan.paired else "seeds relabelled"
        size = float(e.value / e.sd) if e.sd > 0 else nan
        return verdict, headline, e, float(row["p_holm"]), null, ("difference / sd", size)
    e = next(iter(main.values()), Estimate(nan, nan, nan, plan.level, "no seed", 0))
    verdict = "inconclusive"
    if e.claimed and e.n >= MIN_INTERVAL:
        verdict = "diverse" if e.low > plan.threshold else "narrow" if e.high < plan.threshold else "inconclusive"
    return (
        verdict,
        found.name,
        e,
        e.p_two_sided(plan.threshold),
        f"{found.main} = {plan.threshold:g}",
        (found.main, e.value),
    )


def curve_table(found: Found) -> pd.DataFrame:
    """The rarefaction curve (or coverage over time): mean and range over seeds, one row a condition and x."""
    columns = ["condition", "x", "seeds", "mean", "lowest", "highest"]
    if found.curve is None:
        return pd.DataFrame(columns=columns)
    x, y, *_ = found.curve
    rows = []
    for i, condition in enumerate(_conditions(found)):
        for k, at in enumerate(x):
            seen = y[i, :, k][np.isfinite(y[i, :, k])]
            if len(seen):
                rows.append((condition, float(at), len(seen), float(seen.mean()), float(seen.min()), float(seen.max())))
    return pd.DataFrame(rows, columns=columns)


def describe(
    found: Found, measures: pd.DataFrame, contrasts: pd.DataFrame, parts: pd.DataFrame, plan: Plan, verdict: str
) -> tuple[str, list[str]]:
    """The finding in plain sentences, and what the reader must know first."""
    out, warnings = [], []
    several = measures["condition"].nunique() > 1
    for condition, own in measures.groupby("condition", sort=False):
        at = own.set_index("measure")
        if not np.isfinite(at.loc[found.main, "mean"]):
            continue
        text = f"{found.name} is {_span(at.loc[found.main])} over {int(at.loc[found.main, 'seeds'])} seeds"
        text += f" of {condition}" if several else ""
        if found.able:
            text += f", beside a mean {found.able} of {_span(at.loc[found.able])}"
            if found.able == "success" and at.loc["success", "mean"] < _POOR:
                where = f" of {condition}" if several else ""
                warnings.append(f"most rollouts{where} fail: this is diversity without competence")
        out.append(text[0].upper() + text[1:] + ".")
    for row in parts.to_dict("records"):
        if not np.isfinite(row["beta"]) or row["gamma"] <= 0:
            continue
        where = f" of {row['condition']}" if several else ""
        text = f"All seeds{where} together have {row['gamma']:.3g} {row['unit']}, one seed {row['alpha']:.3g}"
        text += f", so seeds differ by a factor of {row['beta']:.3g}"
        if np.isfinite(row["beta_expected"]):
            text += f" where chance alone gives {row['beta_expected']:.3g}"
        if np.isfinite(row["p_beta"]):
            text += f" (p = {row['p_beta']:.2g})"
        out.append(text + ".")
    for row in found.tables.get("contexts", pd.DataFrame()).to_dict("records"):
        if np.isfinite(row["p"]):
            where = f" of {row['condition']}" if several else ""
            out.append(
                f"Within one start the entropy{where} is {row['H_conditional']:.3g} where starts that do not matter "
                f"give {row['H_if_starts_did_not_matter']:.3g} (p = {row['p']:.2g})."
            )
    told = [r for r in contrasts.to_dict("records") if len(contrasts) <= 3 or r["verdict"] != "inconclusive"]
    for row in told[:6]:
        out.append(
            f"{row['a']} against {row['b']}: {row['verdict']} (difference {row['difference']:.3g} at equal numbers, "
            f"p = {row['p']:.2g} by relabelling seeds, Holm {row['p_holm']:.2g})."
        )
    if len(told) > 6:
        out.append(f"{len(told) - 6} more contrasts are decided, see the table.")
    out.append(f"Verdict: {verdict}.")
    return " ".join(out), warnings


def _span(row: pd.Series) -> str:
    text = f"{row['mean']:.3g}"
    return text + (f" [{row['low']:.3g}, {row['high']:.3g}]" if np.isfinite(row["low"]) else "")
