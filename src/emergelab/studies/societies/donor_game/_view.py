"""What there is to see: strategies as points, out of the states that a run has kept."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.games.donor import PARAMETERS
from emergelab.views import Agents, Lines, Scene, View

__all__ = ["scene", "view"]

_KINDS = ("comes from one who gave more than half", "comes from one who gave less", "first generation")
_X, _Y = PARAMETERS.index("stranger"), PARAMETERS.index("first")


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """Those who play next, by what they give to a stranger and how much they heed what they hear of others.

    Raises:
        UserError: no state was kept so early.
    """
    kept = [t for t in run.kept if t <= time]
    if not kept:
        raise el.UserError("view: strategies are seen in states that were kept; grow the run with --keep log")
    state = run.state(kept[-1], condition).sel(seed=seed)
    theta, parents, gave = (np.asarray(state[n].values) for n in ("theta", "parents", "gave"))
    before = gave[parents.astype(int)]
    kind = np.where(np.isnan(before), 2, np.where(before > 0.5, 0, 1))
    agents = Agents(
        theta[:, _X], theta[:, _Y], kind, _KINDS, labels=[f"agent {i + 1}" for i in range(len(theta))],
        state={
            "parent": [f"agent {int(p) + 1}" for p in parents],
            "parent gave": np.round(before, 3),
        }
        | {name: np.round(theta[:, i], 3) for i, name in enumerate(PARAMETERS)},
    )  # fmt: skip
    cross = Lines(np.array([0.0, 1.0, np.nan, 0.0, 0.0]), np.array([0.0, 0.0, np.nan, -0.4, 0.8]))
    said = f" ({np.nanmean(gave):.0%} given before)" if np.isfinite(gave).any() else ""
    return Scene([cross, agents], title=f"generation {kept[-1] + 1}{said}")


view = View(
    scene,
    about="strategies in the states that were kept: what is given to a stranger to the right, how much gossip counts "
    "upwards",
)
