"""How the cost of a run grows with its seeds, steps and conditions; benchmarks/README.md says what is compared and how.

python benchmarks/growth.py [--only a] [--rounds 3]
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Sequence

import numpy as np

import emergelab as el
from emergelab.studies.societies.donor_game import DonorGame
from measure import Row, carry_out, row

PACKAGES = ("emergelab", "jax", "jaxlib", "equinox", "numpy", "zarr")
SIZES = {
    "seeds": (16, 64, 256, 1024),
    "steps": (100, 400, 1600, 6400),
    "conditions": (1, 4, 16, 64),
}
"""What is raised in each series; the others stay at `BASE`."""
BASE = {"seeds": 16, "steps": 100, "conditions": 1}


def seconds(seeds: int, steps: int, conditions: int) -> float:
    """A run of the donor game (12 agents, two games a step), from the call to the folder, compiled before."""
    values = np.linspace(0.1, 0.9, conditions)
    named = {f"c{i}": {"generosity": float(v)} for i, v in enumerate(values)}
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        el.run(DonorGame(), conditions=named, seeds=seeds, steps=steps, every=steps // 10, out=f"{folder}/run",
               progress=False)  # fmt: skip
        return time.perf_counter() - begun


def growth(rounds: int) -> Sequence[Row]:
    """The power with which seconds grow, from each size to the next one, and what a step of a seed costs."""
    rows = []
    for name, sizes in SIZES.items():
        found: dict[int, list[float]] = {}
        for size in sizes:
            asked = BASE | {name: size}
            seconds(**asked)  # compiles
            found[size] = [seconds(**asked) for _ in range(rounds)]
        middle = {size: statistics.median(x) for size, x in found.items()}
        for size in sizes:
            rows.append(
                row(f"a run of {size:,} {name}", f"{sizes[0]:,}", "s", found[size], found[sizes[0]],
                    higher_is_better=False)
            )  # fmt: skip
        pairs = list(itertools.pairwise(sizes))
        powers = [np.log(middle[b] / middle[a]) / np.log(b / a) for a, b in pairs]
        said = ", ".join(f"{p:.2f} from {a:,} to {b:,}" for p, (a, b) in zip(powers, pairs, strict=True))
        rows.append(
            row(f"power of {name}, between the two largest", "linear", "1", [float(powers[-1])], [1.0],
                higher_is_better=False, note=said)
        )  # fmt: skip
    return rows


PARTS = {"a": ("How a run grows", growth)}

if __name__ == "__main__":
    carry_out(__file__, PARTS, PACKAGES, rounds=3)
