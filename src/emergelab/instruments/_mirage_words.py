"""What `mirage` says: tables, cautions and words about what its tests found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from emergelab.instruments._base_rates import BaseRates
from emergelab.instruments._curves import Curves
from emergelab.instruments._mirage_link import LinkTest, ResolutionTest
from emergelab.instruments._mirage_shape import SmoothnessTest
from emergelab.statistics import Estimate

__all__ = [
    "Kind",
    "Parts",
    "cautions",
    "companions_table",
    "curves_table",
    "describe",
    "diagnostics",
    "tests_table",
]

Kind: TypeAlias = Literal["nll", "log-probability", "perplexity", "probability", "other"]
"""What a companion is."""


@dataclass(frozen=True)
class Parts:
    """What the four tests found for one companion."""

    name: str
    kind: Kind
    link: LinkTest
    resolution: ResolutionTest
    score: SmoothnessTest
    companion: SmoothnessTest
    scale: str
    z: Float[np.ndarray, "curve x"]
    p_token: Float[np.ndarray, "curve x"] | None
    length: float
    length_interval: Estimate | None
    length_rmse: float


def cautions(score: Curves, best: Parts | None, sweep: pd.DataFrame, n: int) -> list[str]:
    out = []
    if not score.has_seeds and n == 1:
        out.append("there is one curve: the link is judged on records left out of the same curve, within one run only")
    if best is None:
        return out
    if best.kind == "other":
        out.append(f"{best.name} is not known to be a probability, so no target length is estimated (pass kind=...)")
    if best.companion.verdict == "unresolved":
        out.append("the companion jumps between two records that lie too far apart to tell a break from a smooth rise")
    if best.score.verdict == "smooth" and best.score.width >= 1.0:
        out.append(f"the score itself rises over {best.score.width:.2g} decades: there is little abruptness to explain")
    if best.link.noise == 0.0:
        out.append("neither items nor stderr are given: the score is taken as free of noise")
    seen = sweep[np.isfinite(sweep["E"].astype(float))] if len(sweep) else sweep
    if len(seen):
        row = seen.iloc[0]
        out.append(
            f"E of {row['metric']} is {row['E']:.3g}; smooth laws with its noise reach "
            f"{row['E_null_95']:.3g} on this grid"
        )
    return out


def tests_table(best: Parts | None, reasons: list[str]) -> pd.DataFrame:
    if best is None:
        return pd.DataFrame(
            {
                "test": ["all"],
                "verdict": ["not made"],
                "value": [np.nan],
                "p": [np.nan],
                "about": ["; ".join(reasons)],
            }
        )
    link, res, s, z = best.link, best.resolution, best.score, best.companion
    return pd.DataFrame(
        [
            (
                "link",
                link.verdict,
                link.rmse,
                link.p_residual,
                f"held-out error, {link.scheme}; noise {link.noise:.3g}",
            ),
            ("resolution", res.verdict, float(res.zeros), res.p_trend, res.why),
            (
                "smoothness of the score",
                s.verdict,
                s.delta_bic,
                s.p,
                f"BIC for a break; W = {s.width:.3g} decades",
            ),
            (
                "smoothness of the companion",
                z.verdict,
                z.delta_bic,
                z.p,
                f"on {best.scale}; W = {z.width:.3g} decades",
            ),
            ("contrast", "-", s.delta_bic - z.delta_bic, np.nan, "BIC for a break: score minus companion"),
        ],
        columns=["test", "verdict", "value", "p", "about"],
    )


def companions_table(parts: list[Parts]) -> pd.DataFrame:
    rows = []
    for p in parts:
        k = p.length_interval
        rows.append(
            {
                "companion": p.name,
                "kind": p.kind,
                "link": p.link.verdict,
                "r2": p.link.r2,
                "rmse": p.link.rmse,
                "rmse_low": float(np.nanmin(p.link.rmse_curve)) if np.isfinite(p.link.rmse_curve).any() else np.nan,
                "rmse_high": float(np.nanmax(p.link.rmse_curve)) if np.isfinite(p.link.rmse_curve).any() else np.nan,
                "largest": p.link.largest,
                "break": p.companion.verdict,
                "W_decades": p.companion.width,
                "K": p.length,
                "K_low": k.low if k else np.nan,
                "K_high": k.high if k else np.nan,
                "K_rmse": p.length_rmse,
            }
        )
    columns = [
        "companion",
        "kind",
        "link",
        "r2",
        "rmse",
        "rmse_low",
        "rmse_high",
        "largest",
        "break",
        "W_decades",
        "K",
        "K_low",
        "K_high",
        "K_rmse",
    ]
    return pd.DataFrame(rows, columns=columns)


def curves_table(score: Curves, best: Parts | None) -> pd.DataFrame:
    n = len(score.conditions) * len(score.seeds)
    nan = np.full(n, np.nan)
    return pd.DataFrame(
        {
            "condition": np.repeat(np.array(score.conditions, dtype=object), len(score.seeds)),
            "seed": list(score.seeds) * len(score.conditions),
            "rmse": best.link.rmse_curve if best else nan,
            "W_score": best.score.widths if best else nan,
            "W_companion": best.companion.widths if best else nan,
            "delta_bic_score": best.score.per_curve if best else nan,
            "delta_bic_companion": best.companion.per_curve if best else nan,
        }
    )


def diagnostics(
    score: Curves, y: Float[np.ndarray, "curve x"], best: Parts | None, rates: BaseRates | None
) -> xr.Dataset:
    dims = ("curve", "x")
    label = [f"{c}, {s}" if len(score.conditions) > 1 else str(s) for c in score.conditions for s in score.seeds]
    block = {"score": (dims, y)}
    if best is not None:
        block |= {"companion": (dims, best.z), "predicted": (dims, best.link.predicted)}
    attrs: dict[str, Any] = {
        "score_name": score.name,
        "companion_name": best.name if best else "",
        "x_name": score.time_name,
    }
    if rates is not None:
        attrs["base_rates"] = [rates.low, rates.high]
    attrs |= {"x_unit": score.time_unit, "companion_kind": best.kind if best else ""}
    return xr.Dataset(block, coords={"curve": label, "x": score.time}, attrs=attrs)


def describe(score: Curves, best: Parts | None, verdict: str, reasons: list[str], margin: float) -> str:
    if best is None:
        return f"No verdict on {score.name}: {'; '.join(reasons)}. Verdict: undecided."
    link, z = best.link, best.companion
    says = {
        "mirage": "the jump is in the metric",
        "genuine": "the jump is in the system",
        "floor": "the test has too few items to see what is there already",
        "undecided": "; ".join(reasons) or "the tests do not agree on an answer",
    }[verdict]
    out = [
        f"One monotone function of {best.name} gives {score.name} with a held-out error of {link.rmse:.3g} "
        f"({link.scheme}; allowed are "
        f"{link.allowed:.2g}, from the noise and the margin {margin:g}; R2 of the fit {link.r2:.5f}): "
        f"{link.verdict}."
    ]
    if link.p_residual <= 0.05:
        out.append(
            f"What remains depends on {score.time_name} (p = {link.p_residual:.3g}), by at most {link.drift:.2g}."
        )
    out.append(
        f"The 10-90% change takes {best.score.width:.2g} decades in the score and {z.width:.2g} in "
        f"{best.name}; on {best.scale} a "
        f"break is {'preferred' if z.verdict == 'break' else 'not preferred'} for {best.name} (BIC "
        f"difference {z.delta_bic:.3g})."
    )
    if best.resolution.verdict == "floor":
        out.append(f"Floor: {best.resolution.why}.")
    if np.isfinite(best.length):
        out.append(f"Read as p**K, K = {best.length:.3g}.")
    out.append(f"Verdict: {verdict} ({says}).")
    return " ".join(out)
