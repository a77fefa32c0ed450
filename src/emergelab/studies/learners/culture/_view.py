"""What there is to see: what the generations of a lineage know, trial by trial."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Agents, Cells, Lines, Scene, View

from ._lineages import TESTS

__all__ = ["scene", "view"]

_AS_IT_IS = list(TESTS).index("as it is")


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """Right guesses in each trial (columns) of each generation (rows, the first on top); dots mark lone trials.

    Lineages are grown when the network has learnt, at the end of a run.
    """
    at = run.data["score"].sel(condition=condition, seed=seed, time=time)
    known = at.isel(test=_AS_IT_IS).transpose("generation", "trial").values.astype(float)
    if np.isnan(known).all():
        raise el.UserError(f"view: condition {condition!r} has no lineages at time {time}; they are grown at the end")
    generations, trials = known.shape
    high = float(run.info["conditions"][condition]["parameters"]["length"])
    rows = np.arange(generations)
    # The last trial of a life is alone.
    alone = Agents(
        np.full(generations, trials - 0.5), generations - 0.5 - rows, labels=[f"generation {r + 1}" for r in rows],
        state={"right guesses alone": known[:, -1]},
    )  # fmt: skip
    edge = Lines(np.full(2, trials - 1.0), np.array([0.0, generations]), "watching | alone")
    ground = Cells(known, unit="1", name="right guesses", low=0.0, high=high)
    return Scene([ground, edge, alone], title=f"the last alone: {known[-1, -1]:.1f} of {high:.0f}")


view = View(
    scene, about="right guesses in each trial of each generation of the lineages, as they are", needs=("score",)
)  # fmt: skip
