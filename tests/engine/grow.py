"""A run in a process of its own, for the tests that kill it: python -m tests.engine.grow OUT [resume]."""

import sys

import emergelab as el

from .systems import Drift

if __name__ == "__main__":
    out = sys.argv[1]
    if sys.argv[2:] == ["resume"]:
        el.resume(out, progress=False, chunk=7, workers=2)
    else:
        conditions = {"calm": {"pull": 0.1}, "still": {"pull": 0.0}, "wild": {"pull": -1.0}}
        el.run(
            Drift(d=16), steps=3000, every=2, seeds=8, conditions=conditions, out=out, progress=False,
            chunk=7, workers=2, block_seeds=4, interventions=[el.Noise("force", 0.01, during=(500, 1500))],
        )  # fmt: skip
