"""What there is to see: who gave how much and came to what, who stays, and the strategies that newborns write down."""

from __future__ import annotations

import numpy as np

import emergelab as el
from emergelab.views import Agents, Lines, Names, Scene, View, after_the_start

from ._system import READ

__all__ = ["scene", "view"]

_KINDS = ("is replaced", "stays for another generation")
_EDGE = 0.05  # of the frame around what can be
_FRAME = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], float) * (1 + 2 * _EDGE) - _EDGE


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """The generation that led to a record.

    Raises:
        UserError: nothing is known of that generation, as in runs of earlier versions.
    """
    found = next(iter(run.happened(condition, seed, time - 1).get("generation", ())), None)
    if found is None:
        raise el.UserError(f"view: {run.path} does not say who gave what in generation {time} of seed {seed}")
    names, gave = found["names"], np.asarray(found["gave"], float)
    both = np.asarray(found["resources"], float).mean(axis=0)
    most = float(max(both.max(), 1e-9))
    stays = np.isin(np.arange(len(names)), found["survivors"])
    agents = Agents(
        gave, both / most, stays.astype(int), _KINDS, labels=[f"agent {name}" for name in names],
        state={
            "gave": [f"{g:.0%}" for g in gave],
            "resources": np.round(both, 2),
            "strategy": list(found["strategies"]),
        }
        | {f"read: {name}": np.asarray(found["read"], float)[:, k] for k, name in enumerate(READ)},
    )  # fmt: skip
    words = Names(
        np.array([0.0, 1.0, 0.5]), np.array([-0.1, -0.1, 1.1]), ["gave nothing", "gave all", f"{most:.1f} resources"]
    )
    born = f"{time}_"
    messages = [
        (f"agent {n}", s) for n, s in zip(names, found["strategies"], strict=True) if s and n.startswith(born)
    ]
    return Scene(
        [Lines(_FRAME[:, 0], _FRAME[:, 1]), words, agents],
        title=f"generation {time}: {gave.mean():.0%} given",
        messages=messages,
    )


view = View(
    scene,
    about="a generation: what each agent gave to the right, what it came to upwards, and the strategies of newborns",
    needs=("giving",),
    times=after_the_start,
)
