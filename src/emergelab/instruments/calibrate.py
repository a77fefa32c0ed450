"""How often an instrument is wrong: false alarms on nulls, power on planted effects, seeds needed to see
one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from scipy.signal import lfilter

from emergelab.errors import UserError, nearest
from emergelab.instruments.mirage import mirage
from emergelab.instruments.onset import onset
from emergelab.instruments.result import Result
from emergelab.statistics import proportion

__all__ = ["NULLS", "PLANTED", "Calibration", "Scene", "calibrate", "seeds_to_detect"]


@dataclass(frozen=True)
class Scene:
    """A way to make data on which the right answer is known.

    Attributes:
        about: what is made, in words.
        make: (generator, seeds, steps, effect) -> (data, arguments of the call).
        alarm: whether a result claims something: a false alarm on a null, a detection on a planted effect.
        instrument: the instrument it is for.
        unit: what ``effect`` measures; "" for nulls.
    """

    about: str
    make: Callable[[np.random.Generator, int, int, float], tuple[Any, dict[str, Any]]]
    alarm: Callable[[Result], bool]
    instrument: str
    unit: str = ""


@dataclass(frozen=True)
class Calibration:
    """Rates of alarm, one row a number of seeds (and effect): ``rate`` with its Clopper-Pearson interval."""

    instrument: str
    scene: str
    table: pd.DataFrame

    def to_markdown(self) -> str:
        """The table for a page of documentation."""
        head = "| scene | effect | seeds | data sets | rate | 95% interval |\n|---|---|---|---|---|---|\n"
        rows = [
            f"| {r.scene} | {r.effect:g} | {r.seeds} | {r.draws} | {r.rate:.3f} | [{r.low:.3f}, {r.high:.3f}] |"
            for r in self.table.itertuples()
        ]
        return head + "\n".join(rows)

    def __str__(self) -> str:
        return f"{self.instrument} on {self.scene}\n{self.table.to_string(index=False, float_format='{:.3f}'.format)}"


def calibrate(
    instrument: str,
    scene: str,
    *,
    effects: Sequence[float] = (0.0,),
    seeds: Sequence[int] = (5, 20),
    steps: int = 100,
    draws: int = 200,
    rng: int = 0,
    **call: Any,
) -> Calibration:
    """Run an instrument on many made-up data sets and count how often it claims something.

    Args:
        instrument: "onset" or "mirage".
        scene: name of a null (`NULLS`) or of a planted effect (`PLANTED`).
        effects: sizes of the planted effect; ignored by nulls.
        seeds: numbers of seeds.
        steps: records per seed.
        draws: data sets per row.
        rng: seed; data set i of a row is the same whatever else is asked.
        **call: further arguments for the instrument.

    Returns:
        A table of rates: the size of the test on a null (wanted: 0.03 to 0.07 at the level of 0.05), its
        power on a planted effect.
    """
    scenes = {**NULLS, **PLANTED}
    if scene not in scenes:
        raise UserError(f"calibrate: no scene {scene!r}{nearest(scene, scenes)}")
    chosen = scenes[scene]
    if chosen.instrument != instrument:
        raise UserError(f"calibrate: scene {scene!r} is for {chosen.instrument!r}, not for {instrument!r}")
    run = _INSTRUMENTS[instrument]
    rows = []
    for effect in effects:
        for n in seeds:
            hits = 0
            for i in range(draws):
                source = np.random.default_rng([rng, n, i])
                data, arguments = chosen.make(source, n, steps, float(effect))
                hits += chosen.alarm(run(data, **{**arguments, "rng": i, **call}))
            share = proportion(hits, draws)
            rows.append((scene, float(effect), n, draws, share.value, share.low, share.high))
    frame = pd.DataFrame(rows, columns=["scene", "effect", "seeds", "draws", "rate", "low", "high"])
    return Calibration(instrument, scene, frame)


def seeds_to_detect(
    instrument: str,
    scene: str,
    effect: float,
    *,
    power: float = 0.8,
    grid: Sequence[int] = (5, 8, 10, 15, 20, 30, 50),
    draws: int = 100,
    rng: int = 0,
    **call: Any,
) -> int | None:
    """Fewest seeds of ``grid`` at which a planted effect is found with the given probability; None if more
    are needed."""
    for n in grid:
        found = calibrate(instrument, scene, effects=(effect,), seeds=(n,), draws=draws, rng=rng, **call)
        if float(found.table["rate"].iloc[0]) >= power:
            return n
    return None


_INSTRUMENTS: Mapping[str, Callable[..., Result]] = {"onset": onset, "mirage": mirage}


# ------------------------------------------------------------------------------------------------- scenes


def _ar1(rng: np.random.Generator, shape: tuple[int, ...], phi: float) -> Float[np.ndarray, "*shape"]:
    noise = rng.standard_normal(shape)
    noise[..., 0] /= np.sqrt(1 - phi**2)
    return lfilter([1.0], [1.0, -phi], noise, axis=-1) * np.sqrt(1 - phi**2)


def _wrap(values: Float[np.ndarray, "*condition seed time"], time: Float[np.ndarray, "time"]) -> xr.DataArray:
    dims = ("condition", "seed", "time")[-values.ndim :]
    coords: dict[str, Any] = {"time": time}
    if values.ndim == 3:
        coords["condition"] = ["a", "b", "c", "d"][: values.shape[0]]
    return xr.DataArray(values, dims=dims, coords=coords, name="value")


def _noise(kind: str) -> Callable[[np.random.Generator, int, int, float], tuple[Any, dict[str, Any]]]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> tuple[Any, dict[str, Any]]:
        time = np.arange(steps, dtype=float)
        x = time / max(steps - 1, 1)
        shape = (seeds, steps)
        values = {
            "white": lambda: rng.standard_normal(shape),
            "ar1": lambda: _ar1(rng, shape, 0.9),
            "trend": lambda: 3.0 * x + _ar1(rng, shape, 0.6),
            "heteroscedastic": lambda: _ar1(rng, shape, 0.6) * (1 + 2 * x),
        }[kind]()
        return _wrap(values, time), {"draws": 499}

    return make


def _any_onset(result: Result) -> bool:
    return bool(result.to_frame()["emerged"].any())


def _most_onset(result: Result) -> bool:
    return bool(result.to_frame()["emerged"].mean() > 0.5)


def _rise(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> tuple[Any, dict[str, Any]]:
    """A step of ``effect`` noise standard deviations at a place of its own in every seed, AR(1) noise of
    0.6."""
    time = np.arange(steps, dtype=float)
    place = rng.uniform(0.25, 0.75, (seeds, 1)) * steps
    curve = effect / (1 + np.exp(-(time - place) / (0.02 * steps)))
    return _wrap(curve + _ar1(rng, (seeds, steps), 0.6), time), {"draws": 499}


def _two_conditions(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> tuple[Any, dict[str, Any]]:
    """Two conditions whose log onsets differ by ``effect`` standard deviations; one seed in five never
    emerges."""
    time = np.arange(steps, dtype=float)
    logs = np.log(0.35 * steps) + 0.3 * (
        rng.standard_normal((2, seeds, 1)) + effect * np.array([0.0, 1.0])[:, None, None]
    )
    curve = 1 / (1 + np.exp(-(time - np.exp(logs)) / (0.02 * steps)))
    curve = np.where(rng.random((2, seeds, 1)) < 0.2, 0.0, curve)
    return _wrap(curve + 0.08 * rng.standard_normal((2, seeds, steps)), time), {
        "threshold": 0.5,
        "draws": 999,
    }


def _ordered(result: Result) -> bool:
    return float(result.to_frame("contrasts")["p"].iloc[0]) <= 0.05


def _scores(steep: bool) -> Callable[[np.random.Generator, int, int, float], tuple[Any, dict[str, Any]]]:
    def make(rng: np.random.Generator, seeds: int, steps: int, effect: float) -> tuple[Any, dict[str, Any]]:
        size = np.geomspace(1e7, 1e11, min(steps, 24))
        if steep:  # effect: width of the break in decades
            width = max(effect, 1e-3) / 4.4
            place = 9 + 0.2 * rng.standard_normal((seeds, 1))
            p = 0.05 + 0.9 / (1 + np.exp(-np.clip((np.log10(size) - place) / width, -60, 60)))
        else:
            exponent = -rng.uniform(0.25, 0.6)
            p = np.exp(-0.3 * np.exp(0.1 * rng.standard_normal((seeds, 1))) * (size / 1e9) ** exponent)
        length = int(rng.choice([1, 2, 5, 20]))
        score = rng.binomial(500, p**length) / 500
        dims, coords = ("seed", "size"), {"size": size}
        data = xr.Dataset({"score": (dims, score), "nll": (dims, -np.log(p))}, coords=coords)
        return data, {"var": "score", "companion": "nll", "items": 500, "along": "size", "draws": 199}

    return make


def _genuine(result: Result) -> bool:
    return result.verdict == "genuine"


NULLS: Mapping[str, Scene] = {
    "white": Scene("white noise", _noise("white"), _any_onset, "onset"),
    "ar1": Scene("AR(1) noise of 0.9", _noise("ar1"), _any_onset, "onset"),
    "trend": Scene("linear trend of 3 sd plus AR(1) noise of 0.6", _noise("trend"), _any_onset, "onset"),
    "heteroscedastic": Scene("AR(1) noise of 0.6 that triples", _noise("heteroscedastic"), _any_onset, "onset"),
    "same": Scene(
        "two conditions with the same onsets, 20% never",
        lambda rng, seeds, steps, effect: _two_conditions(rng, seeds, steps, 0.0),
        _ordered,
        "onset",
    ),
    "smooth": Scene("smooth p, exact match of 1, 2, 5 or 20 tokens", _scores(False), _genuine, "mirage"),
}
"""Scenes in which nothing happens: every alarm is false."""

PLANTED: Mapping[str, Scene] = {
    "rise": Scene("a rise in every seed, found in most", _rise, _most_onset, "onset", "height in sd of the noise"),
    "later": Scene("onsets of b later than of a", _two_conditions, _ordered, "onset", "shift in sd of log onset"),
    "break": Scene("p itself breaks", _scores(True), _genuine, "mirage", "width of the break in decades"),
}
"""Scenes with a planted effect: every alarm is right."""
