"""cross_check: do instruments that were asked of the same curves tell one story?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from emergelab.errors import UserError
from emergelab.instruments.result import Result

__all__ = ["CrossCheck", "cross_check"]

_GRADUAL = 1.5  # a mean curve this many times wider than its seeds says something else than they do
_ALPHA = 0.05
_COLUMNS = ("check", "condition", "seed", "finding", "about")


@dataclass(frozen=True)
class CrossCheck:
    """Where instruments agree and where they do not.

    Attributes:
        table: one row a comparison: check, condition, seed, finding ("agree", "disagree" or "cannot be compared"),
            about.
        words: one sentence a check.
    """

    table: pd.DataFrame
    words: tuple[str, ...]

    @property
    def disagreements(self) -> int:
        """Number of comparisons in which two instruments tell different stories."""
        return int((self.table["finding"] == "disagree").sum())

    def __str__(self) -> str:
        return "\n".join(self.words)


def cross_check(results: Sequence[Result]) -> CrossCheck:
    """Hold the results of several instruments on the same data against each other.

    Four checks, as far as the results allow:

    - *onset and change point*: in each seed, does a change of regime fall within the rise that the onset begins? The
      rise lasts from the record before the onset to the end of the fitted 10-90% rise.
    - *onset and surprise*: did the forecast "as the record before" first fail by the end of that rise? Where it never
      failed, no single step stands out of the noise, and nothing is compared.
    - *onset and law*: with a result of `learning_curves(..., upto=x)`, is the first record that the law of the earlier
      ones did not foresee within the rise of that condition's seeds?
    - *mean and seeds*: does the mean curve rise over about as many decades as a typical seed? If it is more than 1.5
      times as wide, the mean looks gradual because seeds jump at different times.

    Args:
        results: of `onset`, `change_points`, `learning_curves` (others are passed over), made from the same data.

    Raises:
        UserError: two results of one instrument, or an onset and change points of other conditions or seeds.
    """
    by_name: dict[str, Result] = {}
    for result in results:
        if result.instrument in by_name:
            raise UserError(f"cross_check: two results of {result.instrument!r}; give one of each instrument")
        by_name[result.instrument] = result
    rows: list[tuple[str, str, str, str, str]] = []
    if "onset" in by_name:
        seeds = by_name["onset"].to_frame("seeds")
        if "change_points" in by_name:
            rows += _against_changes(seeds, by_name["change_points"])
        rows += _against_surprise(seeds)
        if "learning_curves" in by_name:
            rows += _against_law(seeds, by_name["learning_curves"])
        rows += _mean_against_seeds(by_name["onset"].to_frame("conditions"))
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return CrossCheck(table, tuple(_sentence(name, part) for name, part in table.groupby("check", sort=False)))


def _rise(row: pd.Series) -> tuple[float, float]:  # type: ignore[type-arg]
    """From the last record before the onset to the end of the fitted 10-90% rise (the onset itself, if none is)."""
    start = float(row["after"]) if np.isfinite(row["after"]) else -np.inf
    end = float(row["onset"])
    if np.isfinite(row["midpoint"]) and np.isfinite(row["W_decades"]) and row["midpoint"] > 0:
        end = max(end, float(row["midpoint"]) * 10 ** min(float(row["W_decades"]) / 2, 300.0))
    return start, end


def _against_changes(seeds: pd.DataFrame, changes: Result) -> list[tuple[str, str, str, str, str]]:
    check, found, tested = "onset and change point", changes.to_frame("changes"), changes.to_frame("seeds")
    keys = ["condition", "seed"]
    if set(map(tuple, seeds[keys].astype(str).values)) != set(map(tuple, tested[keys].astype(str).values)):
        raise UserError("cross_check: the onset and the change points are of other conditions or seeds")
    out = []
    for _, row in seeds.iterrows():
        condition, seed = str(row["condition"]), str(row["seed"])
        here = found[(found["condition"].astype(str) == condition) & (found["seed"].astype(str) == seed)]
        test = tested[(tested["condition"].astype(str) == condition) & (tested["seed"].astype(str) == seed)]
        if not np.isfinite(test["p"].to_numpy(float)).any():
            out.append((check, condition, seed, "cannot be compared", "too few records to look for change points"))
        elif not row["emerged"]:
            same = here.empty
            about = "no onset and no change" if same else f"no onset, but a change by {here['upto'].iloc[0]:g}"
            out.append((check, condition, seed, "agree" if same else "disagree", about))
        elif here.empty:
            out.append((check, condition, seed, "disagree", f"an onset at {row['onset']:g}, but no change of regime"))
        else:
            start, end = _rise(row)
            inside = (here["upto_high"] >= start) & (here["after_low"] <= end)
            nearest = here.iloc[int(np.argmin(np.abs(here["upto"].to_numpy(float) - float(row["onset"]))))]
            about = f"onset at {row['onset']:g}, change between {nearest['after']:g} and {nearest['upto']:g}"
            out.append((check, condition, seed, "agree" if inside.any() else "disagree", about))
    return out


def _against_surprise(seeds: pd.DataFrame) -> list[tuple[str, str, str, str, str]]:
    check, out = "onset and surprise", []
    for _, row in seeds[seeds["emerged"]].iterrows():
        condition, seed = str(row["condition"]), str(row["seed"])
        if not np.isfinite(row["surprise"]):
            about = f"onset at {row['onset']:g}; the forecast never failed: no step stands out of the noise of a record"
            out.append((check, condition, seed, "cannot be compared", about))
            continue
        _, end = _rise(row)
        about = f"onset at {row['onset']:g}, first surprise at {row['surprise']:g}"
        out.append((check, condition, seed, "agree" if row["surprise"] <= end else "disagree", about))
    return out


def _against_law(seeds: pd.DataFrame, law: Result) -> list[tuple[str, str, str, str, str]]:
    check, out, later = "onset and law", [], law.to_frame("surprise")
    for condition, here in later.groupby("condition", sort=False):
        rises = [
            _rise(row) for _, row in seeds.iterrows() if row["emerged"] and str(row["condition"]) == str(condition)
        ]
        off = here[here["p_max_t"] <= _ALPHA]
        if not rises:
            about = "no onset, " + ("and the law holds" if off.empty else f"but the law fails at {off['x'].iloc[0]:g}")
            out.append((check, str(condition), "", "agree" if off.empty else "disagree", about))
            continue
        start, end = min(r[0] for r in rises), max(r[1] for r in rises)
        first, last = float(here["x"].min()), f"rises from {max(start, 0.0):g} to {end:g}"
        if off.empty:
            out.append((check, str(condition), "", "disagree", f"{last}, and the law of the records before holds"))
        elif first > end:
            out.append((check, str(condition), "", "cannot be compared", f"{last}, before the law was tested"))
        else:
            at = float(off["x"].iloc[0])
            inside = start <= at <= end
            out.append((check, str(condition), "", "agree" if inside else "disagree", f"{last}, law fails at {at:g}"))
    return out


def _mean_against_seeds(conditions: pd.DataFrame) -> list[tuple[str, str, str, str, str]]:
    check, out = "mean and seeds", []
    for _, row in conditions.iterrows():
        mean, one = float(row["mean_curve_W"]), float(row["W_decades"])
        if not (np.isfinite(mean) and np.isfinite(one)):
            continue
        about = f"the mean curve rises over {mean:.2g} decades, a typical seed over {one:.2g}"
        out.append((check, str(row["condition"]), "", "disagree" if mean > _GRADUAL * one else "agree", about))
    return out


def _sentence(check: str, part: pd.DataFrame) -> str:
    compared = part[part["finding"] != "cannot be compared"]
    agree, n = int((compared["finding"] == "agree").sum()), len(compared)
    if n == 0:
        return f"{check}: cannot be compared ({part['about'].iloc[0]})"
    first = compared[compared["finding"] == "disagree"]
    where = ""
    if len(first):
        row = first.iloc[0]
        label = ", ".join(x for x in (row["condition"], f"seed {row['seed']}" if row["seed"] != "" else "") if x)
        where = f"; DISAGREE in {len(first)}, e.g. {label}: {row['about']}"
    return f"{check}: agree in {agree} of {n}{where}"
