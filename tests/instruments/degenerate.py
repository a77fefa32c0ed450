"""Inputs on which an instrument must still give a defined answer, and what a defined answer is."""

import json
import math

import numpy as np
import xarray as xr
from hypothesis import strategies as st

KINDS = (
    "constant", "zeros", "all_nan", "two_points", "one_point", "one_seed", "infinities", "duplicate_times", "unsorted",
    "ragged", "huge", "tiny", "one_value_differs", "mostly_nan",
)  # fmt: skip


def block(kind: str, rng: np.random.Generator, seeds: int = 4, steps: int = 30) -> xr.DataArray:
    """Curves (seed, time) that are degenerate in one named way."""
    values, time = rng.standard_normal((seeds, steps)).cumsum(axis=1), np.arange(steps, dtype=float)
    if kind == "constant":
        values[:] = 0.7
    elif kind == "zeros":
        values[:] = 0.0
    elif kind == "all_nan":
        values[:] = np.nan
    elif kind in ("two_points", "one_point"):
        n = 2 if kind == "two_points" else 1
        values, time = values[:, :n], time[:n]
    elif kind == "one_seed":
        values = values[:1]
    elif kind == "infinities":
        values[rng.random(values.shape) < 0.2] = np.inf
        values[0, 0] = -np.inf
    elif kind == "duplicate_times":
        time = np.repeat(time[: (steps + 1) // 2], 2)[:steps]
    elif kind == "unsorted":
        time = rng.permutation(time)
    elif kind == "ragged":
        for row in values:
            row[rng.integers(1, steps) :] = np.nan
    elif kind == "huge":
        values *= 1e90
    elif kind == "tiny":
        values *= 1e-90
    elif kind == "one_value_differs":
        values[:] = 0.0
        values[0, steps // 2] = 1.0
    elif kind == "mostly_nan":
        values[rng.random(values.shape) < 0.9] = np.nan
    return xr.DataArray(
        values, dims=("seed", "time"), coords={"seed": np.arange(len(values)), "time": time}, name="value"
    )


def blocks(steps: int = 30) -> st.SearchStrategy[xr.DataArray]:
    """Hypothesis strategy: degenerate curves of 1 to 6 seeds."""
    return st.builds(
        lambda kind, seed, n: block(kind, np.random.default_rng(seed), n, steps),
        st.sampled_from(KINDS), st.integers(0, 2**31 - 1), st.integers(1, 6),
    )  # fmt: skip


def assert_defined(result) -> None:
    """A verdict with a reason, numbers that are finite or NaN, and text that is strict JSON."""
    assert isinstance(result.verdict, str) and result.verdict
    assert len(result.explain()) > 40
    for number in (result.estimate.value, result.estimate.low, result.estimate.high, result.p, result.effect.value):
        assert not math.isinf(number)
    for name, table in result.tables.items():
        numbers = table.select_dtypes("number").to_numpy(dtype=float)
        assert not np.isinf(numbers).any(), f"table {name!r} holds an infinity"
    json.loads(result.to_json(), parse_constant=lambda word: (_ for _ in ()).throw(AssertionError(word)))
    assert str(result)
