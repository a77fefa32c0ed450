"""Loaders of the reference data, as the labelled arrays that instruments read."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr


@pytest.fixture(scope="session")
def atari(shared_data: Path) -> Callable[..., xr.DataArray]:
    """Learning curves of one game: dims condition (agent), seed, time (iterations)."""
    table = pd.read_parquet(shared_data / "dopamine_atari" / "curves.parquet")

    def game(name: str, *agents: str) -> xr.DataArray:
        rows = table[table["game"].astype(str) == name].astype({"agent": str})
        array = rows.set_index(["agent", "seed", "iteration"])["value"].to_xarray()
        array = array.rename(agent="condition", iteration="time").rename("return")
        return array.sel(condition=list(agents)) if agents else array

    return game


@pytest.fixture(scope="session")
def pythia(shared_data: Path) -> Callable[..., xr.Dataset]:
    """Zero-shot scores of the eight sizes of one task over training steps, sizes standing as seeds."""
    table = pd.read_csv(shared_data / "pythia_evals" / "core_tasks.csv")
    table = table[table["shots"] == 0]

    def task(name: str, *, deduped: bool = False) -> xr.Dataset:
        rows = table[(table["task"] == name) & (table["deduped"] == deduped)]
        score = rows[rows["metric"] == "acc"].set_index(["params", "step"])[["value", "stderr"]].to_xarray()
        data = score.rename(params="seed", step="time", value="acc")
        perplexity = rows[rows["metric"] == "ppl"]
        if len(perplexity):
            series = perplexity.set_index(["params", "step"])["value"].to_xarray()
            data["ppl"] = series.rename(params="seed", step="time")
        return data

    return task
