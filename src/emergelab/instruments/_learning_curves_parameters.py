"""Parameters of the chosen laws in the reader's terms, with profile intervals, and by seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergelab.instruments._learning_curves_choose import profile
from emergelab.instruments._learning_curves_data import Panel
from emergelab.instruments._learning_curves_fit import Fit
from emergelab.instruments._learning_curves_seeds import refitted
from emergelab.instruments._learning_curves_tables import Finding, asymptote_of, rms

__all__ = ["parameter_names", "parameters_of", "parameters_table", "seeds_table"]

_NAN = float("nan")


def parameters_table(findings: Sequence[Finding], level: float) -> tuple[pd.DataFrame, list[bool]]:
    """Parameters of the chosen laws with profile intervals; and whether the data bound each asymptote."""
    rows, visible = [], []
    for f in findings:
        c, p = f.choice, f.panel
        if c.best < 0:
            visible.append(False)
            continue
        one = c.fits[c.best]
        mean = p.mean[: p.used]
        good = np.isfinite(mean)
        weight = np.where(good, p.weight[: p.used], 0.0)
        low, high, correlation = profile(one, np.where(good, mean, 0.0), weight, p.early, p.kind, level)
        names = parameter_names(one, p.kind)
        natural = [
            parameters_at(one, p, np.where(np.arange(len(names)) == j, at, one.theta[0]))[n]
            for at in (low, high)
            for j, n in enumerate(names)
        ]
        ends = np.array(natural).reshape(2, -1)
        value = parameters_at(one, p, one.theta[0])
        bounded = False
        for j, name in enumerate(names):
            other = int(np.argmax(np.where(np.arange(len(names)) == j, -1.0, np.abs(correlation[j]))))
            lo, hi = _ordered(ends[:, j], value[name]) if name != "a" else (_NAN, _NAN)  # a hangs on the others
            if name == "c":
                bounded = bool(np.isfinite(low[j]))
                lo = 0.0 if p.scale == "log" and not np.isfinite(lo) else lo
                hi = 1.0 if p.scale == "score" and not np.isfinite(hi) else hi
            rows.append(
                {
                    "condition": p.condition, "law": one.law.name, "parameter": name, "value": value[name],
                    "profile_low": lo, "profile_high": hi,
                    "most_correlated": names[other] if len(names) > 1 else "",
                    "correlation": float(correlation[j, other]) if len(names) > 1 else _NAN,
                }
            )  # fmt: skip
        visible.append(bounded)
    columns = [
        "condition", "law", "parameter", "value", "profile_low", "profile_high", "most_correlated", "correlation",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns), visible


def _ordered(ends: Float[np.ndarray, "2"], value: float) -> tuple[float, float]:
    """The end below and the end above the value; NaN for one that the data do not give."""
    below, above = ends[ends <= value], ends[ends >= value]
    return (float(below.min()) if len(below) else _NAN), (float(above.max()) if len(above) else _NAN)


def parameter_names(one: Fit, kind: str) -> list[str]:
    """Names of the inner parameters in their order."""
    if one.law.straight:
        return ["b", "a"] if kind == "linear" else ["a", "b"]
    size = one.theta.shape[1] - (2 if one.law.offset else 1)
    shape = [n for n in one.law.natural(np.zeros(size), 1.0, 2.0) if n != "*"]
    return ["a", "c", *shape] if one.law.offset else ["a", *shape]


def parameters_at(one: Fit, p: Panel, theta: Float[np.ndarray, "p"]) -> dict[str, float]:
    """Parameters in the reader's terms: of y on the log and linear scales, of 1 - y or -logit y on the others."""
    law, first, last = one.law, p.early.first, p.early.last
    with np.errstate(over="ignore", invalid="ignore"):
        if p.kind == "log":
            height = float(np.exp(p.shift + theta[0]))
            base = _NAN
        else:
            height, base = p.turn_units * theta[0], p.turn_units * theta[1] + p.centre
        if law.straight:
            per = p.early.span if law.straight == "u" else last - first
            origin = np.log(first) if law.straight == "u" else first
            if p.kind == "log":
                slope = height * theta[1] / per
                out = {"a": height + slope * origin, "b": slope}
            else:
                slope = height / per
                out = {"a": base + slope * origin, "b": slope}
            return {k: float(v) if np.isfinite(v) else _NAN for k, v in out.items()}
        shape = law.natural(theta[2:] if law.offset else theta[1:], first, last)
        out = {"a": height * shape.pop("*", 1.0), **shape}
        if law.offset:
            out["c"] = float(np.exp(p.shift + theta[1])) if p.kind == "log" else base
            if p.scale == "score":
                out["c"] = 1 - out["c"]
            elif p.scale == "logit":
                out["c"] = float(p.back(theta[1:2])[0])
    return {k: float(v) if np.isfinite(v) else _NAN for k, v in out.items()}


def parameters_of(one: Fit, p: Panel) -> dict[str, float]:
    """Parameters of the fit to the mean curve in the reader's terms."""
    return parameters_at(one, p, one.theta[0])


def seeds_table(findings: Sequence[Finding], seeds: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """The chosen law of the condition refitted to each seed."""
    rows: list[dict[str, Any]] = []
    for f, labels in zip(findings, seeds, strict=True):
        c, p = f.choice, f.panel
        if c.best < 0:
            continue
        found = refitted(c, p, p.means(np.eye(p.n)), mixture=False)[c.best]
        end = asymptote_of(found, p)
        for i, label in enumerate(labels):
            row: dict[str, Any] = {"condition": p.condition, "seed": label, "law": found.law.name}
            row |= {"asymptote": float(end[i])}
            values = parameters_at(found, p, found.theta[i])
            row |= {n: v for n, v in values.items() if n not in ("a", "c")}
            seen = np.isfinite(p.values[i, : p.used])
            gap = p.values[i, : p.used] - found.at(p.early, p.kind)[i]
            row["residual"] = rms(gap[seen]) * p.unit
            rows.append(row)
    return pd.DataFrame(rows, columns=None if rows else ["condition", "seed", "law", "asymptote", "residual"])
