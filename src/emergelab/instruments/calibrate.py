"""How often an instrument is wrong: false alarms on nulls, power on planted effects, seeds needed to see one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from emergelab.errors import UserError, nearest
from emergelab.instruments import _scenes
from emergelab.instruments.result import Result
from emergelab.statistics import proportion

__all__ = ["Calibration", "calibrate", "scenes", "seeds_to_detect"]


@dataclass(frozen=True)
class Calibration:
    """Rates of alarm, one row a number of seeds (and effect): ``rate`` with its Clopper-Pearson interval."""

    instrument: str
    scene: str
    about: str
    unit: str
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


def scenes(instrument: str) -> dict[str, str]:
    """The scenes of an instrument, name -> what is made, in words."""
    return {name: scene.about for name, scene in _scenes.find(instrument).items()}


def calibrate(
    instrument: str | Callable[..., Result],
    scene: str,
    *,
    effects: Sequence[float] | None = None,
    seeds: Sequence[int] | None = None,
    steps: int | None = None,
    draws: int = 200,
    rng: int = 0,
    **call: Any,
) -> Calibration:
    """Run an instrument on many made-up data sets and count how often it claims something.

    Args:
        instrument: an instrument or its name.
        scene: a null or a planted effect; `scenes(instrument)` lists them.
        effects: sizes of the planted effect; None: those of the scene. A null has none.
        seeds: numbers of seeds; None: those of the scene, usually 5 and 20.
        steps: records per seed; None: those of the scene.
        draws: data sets per row.
        rng: seed; data set i of a row is the same whatever else is asked.
        **call: further arguments for the instrument.

    Returns:
        A table of rates: the size of the test on a null (wanted: 0.03 to 0.07 at the level of 0.05), its
        power on a planted effect.

    Raises:
        UserError: an instrument or a scene that does not exist, or no data sets.
    """
    name = instrument if isinstance(instrument, str) else instrument.__name__
    known = _scenes.find(name)
    if scene not in known:
        raise UserError(f"calibrate: {name} has no scene {scene!r}{nearest(scene, known)}")
    if draws < 1:
        raise UserError(f"calibrate: draws must be at least 1, got {draws}")
    chosen, run = known[scene], _function(name)
    rows = []
    for effect in (0.0,) if chosen.is_null else chosen.effects if effects is None else effects:
        for n in chosen.seeds if seeds is None else seeds:
            hits = 0
            for i in range(draws):
                source = np.random.default_rng([rng, n, i])
                data, arguments = chosen.make(source, n, steps or chosen.steps, float(effect))
                hits += bool(chosen.alarm(run(data, **{**arguments, "rng": i, **call})))
            share = proportion(hits, draws)
            rows.append((scene, float(effect), n, draws, share.value, share.low, share.high))
    frame = pd.DataFrame(rows, columns=["scene", "effect", "seeds", "draws", "rate", "low", "high"])
    return Calibration(name, scene, chosen.about, chosen.unit, frame)


def seeds_to_detect(
    instrument: str | Callable[..., Result],
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


def _function(name: str) -> Callable[..., Result]:
    from emergelab import instruments

    function: Callable[..., Result] = getattr(instruments, name)
    return function
