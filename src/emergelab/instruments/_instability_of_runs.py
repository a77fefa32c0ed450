"""`instability` of single runs: from labelled curves to a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from emergelab.errors import UserError
from emergelab.instruments._curves import Curves, curves
from emergelab.instruments._instability_series import Runs, precursor_table, read_runs, spike_rate
from emergelab.instruments._instability_words import CANNOT_SEE, run_words
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import proportion

__all__ = ["runs_result"]

_LARGEST = 1e100  # beyond this a number is a failure, as for all instruments


def _raw_infinite(array: xr.DataArray, like: Curves, along: str, by: str | None, seeds: str) -> np.ndarray:
    """Where the data as given hold infinities, on the block and the clock of ``like``."""
    flags = xr.where(np.abs(array) > _LARGEST, 1.0, 0.0).rename(array.name)
    block = curves(flags, None, along=along, by=by, seeds=seeds).values
    return np.asarray(np.nan_to_num(block) > 0)


def runs_result(
    given: xr.Dataset | xr.DataArray,
    array: xr.DataArray,
    precursor: str | Sequence[str] | Mapping[str, float] | None,
    by: str | None,
    seeds: str,
    along: str,
    rng: np.random.Generator,
    params: dict[str, Any],
) -> Result:
    """Judge runs; see `instability`."""
    level, draws = params["level"], params["draws"]
    data = curves(given, str(array.name) if isinstance(given, xr.Dataset) else None, along=along, by=by, seeds=seeds)
    sign = 1.0 if params["direction"] == "up" else -1.0
    infinite = _raw_infinite(array, data, along, by, seeds)
    runs = read_runs(
        data, infinite, sign, params["k"], params["window"], params["recovery"], params["since"], level, draws, rng
    )
    names = [] if precursor is None else [precursor] if isinstance(precursor, str) else list(precursor)
    if names and not isinstance(given, xr.Dataset):
        raise UserError("instability: a precursor is another variable of the data; give an xarray.Dataset")
    others = {str(n): curves(given, str(n), along=along, by=by, seeds=seeds) for n in names}
    for name, other in others.items():
        if other.conditions != data.conditions or other.seeds != data.seeds:
            raise UserError(f"instability: precursor {name!r} has other conditions or seeds than {data.name!r}")
    critical = {str(n): float(v) for n, v in precursor.items()} if isinstance(precursor, Mapping) else {}
    warned = precursor_table(data, runs, others, critical, draws, rng)
    seed_table = _seed_table(data, runs)
    summary, verdict = _summary(data, runs, params["fraction"], level)
    warnings = list(data.notes)
    if not data.has_seeds:
        warnings.append("there is no dim of seeds: everything here is within one run only")
    if (~runs.seen).any():
        warnings.append(f"{int((~runs.seen).sum())} of {runs.seen.size} seeds have too few records to be judged")
    share = proportion(int(runs.unstable.sum()), int(runs.seen.sum()), level=level)
    finite = runs.p[np.isfinite(runs.p)]
    words = run_words(data, runs, summary, warned, params, verdict)
    highest = runs.z[np.isfinite(runs.z)]
    coords = {"condition": list(data.conditions), "seed": list(data.seeds), "time": data.time}
    diagnostics = xr.Dataset(
        {
            "value": (("condition", "seed", "time"), data.values),
            "event": (("condition", "seed"), runs.event),
            "broken": (("condition", "seed"), runs.broken),
            "unstable": (("condition", "seed"), runs.unstable),
            **{f"precursor {n}": (("condition", "seed", "time_" + n), o.values) for n, o in others.items()},
        },
        coords={**coords, **{"time_" + n: o.time for n, o in others.items()}},
        attrs=_labels(data),
    )
    return Result(
        instrument="instability",
        question=f"Which runs of {data.name} break down, and was there a warning?",
        verdict=verdict,
        estimate=share,
        headline="share of unstable seeds",
        p=float(finite.min()) if len(finite) else float("nan"),
        null=Null("trend+ar1", draws),
        effect=Effect("largest excursion, in robust sd", float(highest.max()) if len(highest) else float("nan")),
        n_seeds=len(data.seeds) if data.has_seeds else 1,
        tables={"seeds": seed_table, "spikes": runs.spikes, "conditions": summary, "precursors": warned},
        diagnostics=diagnostics,
        warnings=tuple(warnings),
        words=words,
        cannot_see=CANNOT_SEE["runs"],
        params={n: v for n, v in params.items() if n != "rng"},
        provenance=provenance(data.digest, params["rng"]),
        _draw=_draw,
    )


def _labels(data: Curves) -> dict[str, str]:
    return {
        "kind": "runs",
        "observable": data.name,
        "unit": data.unit,
        "time_name": data.time_name,
        "time_unit": data.time_unit,
    }


def _seed_table(data: Curves, runs: Runs) -> pd.DataFrame:
    shape = runs.z.shape
    number = runs.spikes.groupby(["condition", "seed"]).size() if len(runs.spikes) else {}
    keys = [(c, s) for c in data.conditions for s in data.seeds]
    return pd.DataFrame(
        {
            "condition": np.repeat(np.array(data.conditions, dtype=object), shape[1]),
            "seed": list(data.seeds) * shape[0],
            "unstable": runs.unstable.ravel(),
            "broken": runs.broken.ravel(),
            "event": runs.event.ravel(),
            "largest_z": runs.z.ravel(),
            "p_adjusted": runs.p.ravel(),
            "spikes": [int(number.get(key, 0)) for key in keys],
        }
    )


def _summary(data: Curves, runs: Runs, fraction: float, level: float) -> tuple[pd.DataFrame, str]:
    rows, verdicts = [], []
    for i, condition in enumerate(data.conditions):
        n, bad, broken = (int(v[i].sum()) for v in (runs.seen, runs.unstable, runs.broken))
        share = proportion(bad, n, level=level)
        length = sum(float(np.ptp(data.time[np.isfinite(row)])) for row in data.values[i] if np.isfinite(row).sum() > 1)
        spikes = int((runs.spikes["condition"] == condition).sum())
        rates = spike_rate(spikes, length, level)
        rows.append((condition, n, bad, share.value, share.low, share.high, broken, spikes, *rates))
        one = "untested" if n == 0 else "stable" if bad == 0 else "some seeds unstable"
        if bad and (share.low > fraction or n == 1):
            one = "unstable"
        verdicts.append(one)
    columns = ["condition", "seeds", "unstable", "share", "share_low", "share_high"]
    columns += ["broken", "spikes", "spikes_per_time", "rate_low", "rate_high"]
    verdict = verdicts[0] if len(set(verdicts)) == 1 else "differs by condition"
    return pd.DataFrame(rows, columns=columns), verdict


def _draw(result: Result) -> Any:
    from emergelab.instruments._instability_plot import draw

    return draw(result)
