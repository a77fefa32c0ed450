"""What there is to see: the map of one economy, its houses by builder, and its workers, in the course of an episode."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Agents, Cells, Scene, View

from ._system import MOMENTS, PAY

__all__ = ["episode", "scene", "view"]

GROUND = ("bare", "wood", "stone", *(f"worker {i + 1}" for i in range(len(PAY))))
"""What a cell holds; a house has its builder's name, and its colour."""
# The colours of workers begin one further, behind that of stone, so that they are those of their houses.
_AGENTS = GROUND[2:]


def _at(run: el.Run, condition: str, seed: int, time: int, moment: int) -> Scene:
    d = run.data.sel(condition=condition, seed=seed, time=time).isel(moment=moment)
    ground = d["film_ground"].transpose("y", "x").values.astype(int)
    y, x = d["film_at"].transpose("axis", "worker").values.astype(float)
    rows = ground.shape[0]
    # Workers that stand in one cell are drawn beside each other.
    aside = np.array([[-0.2, -0.2], [0.2, 0.2], [-0.2, 0.2], [0.2, -0.2]])
    coins = d["film_coins"].values.astype(float)
    return Scene(
        [
            Cells(ground, kinds=GROUND),
            Agents(
                x + 0.5 + aside[:, 0], rows - 0.5 - y + aside[:, 1], 1 + np.arange(len(PAY)), _AGENTS,
                state={"coins": coins, "coins for a house": np.array(PAY)},
            ),
        ],
        title=f"{MOMENTS[moment]} % of the episode, {coins.sum():.0f} coins",
    )  # fmt: skip


def episode(run: el.Run, condition: str, seed: int, time: int) -> list[Scene]:
    """Scenes of an episode, from its beginning to its end."""
    return [_at(run, condition, seed, time, moment) for moment in range(len(MOMENTS))]


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """The end of an episode."""
    return _at(run, condition, seed, time, len(MOMENTS) - 1)


view = View(
    scene,
    about="one economy at the end of an episode: what has grown, houses by builder, and workers",
    needs=("film_ground", "film_at", "film_coins"),
)
