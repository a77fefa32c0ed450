"""Instruments against the best peer of each, in one run: `python benchmarks/instruments.py [--only a,b] [--rounds N]`.

a  early_warning         against ewstools: indicators and trend of a record
b  change_points         against ruptures alone: segmentation of a record
c  language_metrics      against topographic similarity as EGG defines it, pair by pair in Python
d  bootstrap over seeds  against scipy.stats.bootstrap (BCa)
e  Kaplan-Meier          against lifelines
f  cost                  every instrument that reads curves: 20 seeds x 1,000 steps, 1,000 draws, against 2 s
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from emergelab import instruments
from emergelab.statistics import ar1_noise, estimate, kaplan_meier
from measure import Row, carry_out, row, take_turns, timed

PACKAGES = ("numpy", "scipy", "xarray", "ewstools", "ruptures", "rapidfuzz", "lifelines")
_SEEDS, _STEPS, _DRAWS = 20, 1000, 1000
_BUDGET = 2.0  # seconds for one call on curves


def _noise(seeds: int = _SEEDS, steps: int = _STEPS) -> xr.DataArray:
    values = ar1_noise((seeds, steps), 0.6, np.random.default_rng(0))
    return xr.DataArray(
        values, dims=("seed", "time"), coords={"seed": np.arange(seeds), "time": np.arange(steps)}, name="y"
    )


def _rise() -> xr.Dataset:
    rng, time = np.random.default_rng(0), np.arange(1, _STEPS + 1) * 10.0
    centre = np.log(rng.uniform(2000, 6000, (_SEEDS, 1)))
    y = 1 / (1 + np.exp(-(np.log(time) - centre) / 0.05))
    noisy = np.clip(y + 0.05 * rng.standard_normal(y.shape), 0, 1)
    dims = ("seed", "time")
    return xr.Dataset(
        {"y": (dims, noisy), "nll": (dims, 3.0 * (1 - y) + 0.1)},
        coords={"time": time, "seed": np.arange(_SEEDS)},
    )


def early_warning(rounds: int) -> list[Row]:
    """Records a second: detrended, two indicators in rolling windows, Kendall's tau of each."""
    import ewstools

    data, draws = _noise(), 99
    series = [pd.Series(row, index=np.arange(_STEPS)) for row in data.values]

    def ours() -> None:
        instruments.early_warning(
            data, transition=float(_STEPS), bandwidth=0.1, window=0.5, looks=(1.0,), draws=draws,
            indicators=["variance", "ac1"],
        )  # fmt: skip

    def theirs() -> None:
        for one in series:
            record = ewstools.TimeSeries(one, transition=_STEPS)
            record.detrend(method="Gaussian", bandwidth=0.1)
            record.compute_var(rolling_window=0.5)
            record.compute_auto(lag=1, rolling_window=0.5)
            record.compute_ktau()

    works = {"ours": lambda: _SEEDS * (draws + 1) / timed(ours), "theirs": lambda: _SEEDS / timed(theirs)}
    found = _rounds(works, rounds)
    note = f"ours measures {draws} surrogates beside each record (that is where p comes from), ewstools has none"
    return [row("20 records x 1,000", "ewstools", "records/s", found["ours"], found["theirs"], note=note)]


def change_points(rounds: int) -> list[Row]:
    """Seconds for 20 records of 300 with one step each."""
    import ruptures

    data = _noise(_SEEDS, 300)
    data = data + 2.0 * (data.time > 150)
    data.name = "y"

    def theirs(model: str) -> Callable[[], None]:
        def work() -> None:
            for values in data.values:
                ruptures.Pelt(model=model, jump=1, min_size=5).fit(values).predict(pen=np.log(300))

        return work

    works = {"ours": lambda: timed(lambda: instruments.change_points(data, draws=999))}
    works |= {model: lambda m=model: timed(theirs(m)) for model in ("l2", "rbf")}
    found = _rounds(works, rounds)
    note = "ours also says whether there is a change at all (999 surrogates a record), where surely, and shared or not"
    return [
        row("20 records x 300", f"ruptures Pelt {model}, segmentation alone", "s", found["ours"], found[model],
            higher_is_better=False, note="" if i else note)
        for i, model in enumerate(("l2", "rbf"))
    ]  # fmt: skip


def language(rounds: int) -> list[Row]:
    """Languages a second: topographic similarity of 100 items."""
    from rapidfuzz.distance import Levenshtein

    rng, n, draws = np.random.default_rng(0), 100, 99
    meanings = np.array([[i // 10, i % 10] for i in range(n)])
    messages = rng.integers(0, 10, (_SEEDS, n, 4))
    data = xr.Dataset(
        {"messages": (("seed", "item", "position"), messages), "meanings": (("item", "attribute"), meanings)},
        coords={"seed": np.arange(_SEEDS)},
    )

    def theirs() -> None:
        for language in messages:
            pairs = [(i, j) for i in range(n) for j in range(i)]
            far = [Levenshtein.distance(language[i].tolist(), language[j].tolist()) for i, j in pairs]
            apart = [int((meanings[i] != meanings[j]).sum()) for i, j in pairs]
            stats.spearmanr(far, apart)

    def ours() -> None:
        instruments.language_metrics(data, metrics="distance", normalise="raw", draws=draws)

    works = {"ours": lambda: _SEEDS * (draws + 1) / timed(ours), "theirs": lambda: _SEEDS / timed(theirs)}
    found = _rounds(works, rounds)
    note = f"ours measures {draws} relabellings of each language beside it: chance is not zero"
    return [row("20 languages x 100 items", "EGG's definition, pair by pair", "languages/s", found["ours"],
                found["theirs"], note=note)]  # fmt: skip


def bootstrap(rounds: int) -> list[Row]:
    """Seconds for the BCa interval of a mean over 20 seeds, 10,000 draws."""
    values = np.random.default_rng(0).exponential(size=_SEEDS)
    works = {
        "ours": lambda: timed(lambda: [estimate(values, draws=10_000, rng=i) for i in range(10)]),
        "theirs": lambda: timed(
            lambda: [stats.bootstrap((values,), np.mean, n_resamples=10_000, rng=i) for i in range(10)]
        ),
    }
    found = _rounds(works, rounds)
    return [row("10 x 20 seeds, 10,000 draws", "scipy.stats.bootstrap, BCa", "s", found["ours"], found["theirs"],
                higher_is_better=False)]  # fmt: skip


def survival(rounds: int) -> list[Row]:
    """Seconds for the Kaplan-Meier curve of 20 seeds with its band."""
    from lifelines import KaplanMeierFitter

    rng = np.random.default_rng(0)
    when, happened = rng.exponential(100, _SEEDS), rng.random(_SEEDS) < 0.8
    works = {
        "ours": lambda: timed(lambda: [kaplan_meier(when, happened) for _ in range(50)]),
        "theirs": lambda: timed(lambda: [KaplanMeierFitter().fit(when, happened) for _ in range(50)]),
    }
    found = _rounds(works, rounds)
    return [row("50 x 20 seeds", "lifelines", "s", found["ours"], found["theirs"], higher_is_better=False)]


def cost(rounds: int) -> list[Row]:
    """Seconds of one call on 20 seeds x 1,000 steps with 1,000 draws, against the two seconds it may take."""
    data, noise = _rise(), _noise()
    calls: dict[str, Callable[[], Any]] = {
        "onset": lambda: instruments.onset(data, "y", draws=_DRAWS),
        "mirage": lambda: instruments.mirage(data, "y", "nll", items=500, draws=_DRAWS),
        "change_points": lambda: instruments.change_points(data, "y", draws=_DRAWS),
        "learning_curves": lambda: instruments.learning_curves(data, "nll", draws=_DRAWS),
        "early_warning": lambda: instruments.early_warning(noise, transition=float(_STEPS), draws=_DRAWS),
        "order_parameters": lambda: instruments.order_parameters(data, "y", draws=_DRAWS),
    }
    out = []
    for name, call in calls.items():
        found = _rounds({"ours": lambda c=call: timed(c)}, rounds)
        out.append(row(name, "the target of 2 s", "s", found["ours"], [_BUDGET], higher_is_better=False))
    return out


def _rounds(works: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        take_turns(works, 1)
        return take_turns(works, rounds)


PARTS: dict[str, tuple[str, Callable[[int], list[Row]]]] = {
    "a": ("Early warning", early_warning),
    "b": ("Change points", change_points),
    "c": ("Language metrics", language),
    "d": ("Bootstrap over seeds", bootstrap),
    "e": ("Kaplan-Meier", survival),
    "f": ("Cost of one call", cost),
}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    carry_out(__file__, PARTS, PACKAGES, rounds=3)


if __name__ == "__main__":
    main()
