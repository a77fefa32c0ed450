"""Runs to be disturbed: one that is compiled, and one whose agents ask a model behind an address.

As a command it is the process that the rig kills: python -m tests.faults.subjects OUT [resume].
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import emergelab as el
from emergelab.lm import Endpoint

from ..engine.systems import Drift
from ..lm.societies import Pair

CHUNK = 7  # records between two checkpoints: what a fault may cost at most
_CONDITIONS = {"calm": {"pull": 0.1}, "wild": {"pull": -1.0}}


def drift(out: Path, steps: int = 600) -> el.Run:
    """Two conditions x 4 seeds of a walk in two blocks a condition; `wild` diverges."""
    return el.run(
        Drift(d=16), steps=steps, every=2, seeds=4, conditions=_CONDITIONS, out=out, progress=False, chunk=CHUNK,
        workers=2, block_seeds=2, interventions=[el.Noise("force", 0.01, during=(50, 150))],
    )  # fmt: skip


def society(out: Path, url: str) -> el.Run:
    """Two seeds of two agents, 40 steps, whose every move is asked at `url`."""
    return el.run(
        Pair(), conditions={"model": {"policy": "model"}}, seeds=2, steps=40, out=out, lm=endpoint(url), progress=False,
        retries=1,
    )  # fmt: skip


def endpoint(url: str) -> Endpoint:
    """The model at `url`, with little patience."""
    return Endpoint(url, "small", tries=4, pause=0.01, longest=0.05, timeout=0.4, concurrency=1)


def go_on(out: Path, **options: Any) -> el.Run:
    """Resume a run as it was begun."""
    return el.resume(out, progress=False, chunk=CHUNK, workers=2, **options)


if __name__ == "__main__":
    os.nice(5)
    where = Path(sys.argv[1])
    if sys.argv[2:] == ["resume"]:
        go_on(where)
    else:
        drift(where)
