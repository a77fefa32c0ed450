"""Reinforcement learning against Stable-Baselines3 and a single file of plain JAX; see benchmarks/README.md.

python benchmarks/learners.py [--only a,b] [--rounds 3]
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from measure import Row, carry_out, row, take_turns

PACKAGES = ("emergelab", "jax", "jaxlib", "equinox", "optax", "gymnax", "gymnasium", "stable-baselines3", "torch")
UPDATES = {"ours": 100, "single-file": 100, "stable-baselines3": 5}
"""Rounds that are timed; a rate needs fewer where a step takes long."""
NAMES = {"pole": "CartPole-v1", "grid": "FrozenLake 8x8, no slip"}
ALONE = "--xla_cpu_multi_thread_eigen=false"
IN_TURN = "--xla_cpu_enable_concurrency_optimized_scheduler=false"
"""For the single file, which never ends with several seeds on the grid otherwise: all threads of XLA wait for each
other (jaxlib 0.10.2; others have seen it: https://github.com/PyAutoLabs/PyAutoFit/issues/1530)."""


def _rate(who: str, task: str, seeds: int, threads: bool) -> Callable[[], float]:
    """Environment steps a second of one program, in a process of its own."""

    def measure() -> float:
        script = Path(__file__).with_name("learners_peers.py")
        flags = [*([] if threads else [ALONE]), *([IN_TURN] if who == "single-file" else [])]
        environment = os.environ | {"XLA_FLAGS": " ".join(flags)}
        done = subprocess.run(
            [sys.executable, str(script), who, task, str(seeds), str(UPDATES[who])],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{who}, {task}: {done.stderr.strip().splitlines()[-1]}")
        return float(done.stdout.split()[-2])

    return measure


def _task(task: str, rounds: int) -> list[Row]:
    peers = ["single-file"]
    if importlib.util.find_spec("stable_baselines3"):
        peers.append("stable-baselines3")
    else:
        print("stable-baselines3 is not installed and left out: pip install 'emergelab[bench]'", file=sys.stderr)
    rows = []
    for seeds in (1, 8):
        works = {"ours": _rate("ours", task, seeds, False), "ours, many threads": _rate("ours", task, seeds, True)}
        works |= {peer: _rate(peer, task, seeds, False) for peer in peers}
        found = take_turns(works, rounds)
        what = f"{NAMES[task]}, {seeds} seed{'s' if seeds > 1 else ''}"
        for peer in list(works)[1:]:
            rows.append(row(what, peer, "env steps/s", found["ours"], found[peer]))
    return rows


PARTS: dict[str, tuple[str, Callable[[int], Sequence[Row]]]] = {
    "a": ("Environment steps with learning, a pole on a cart", lambda rounds: _task("pole", rounds)),
    "b": ("Environment steps with learning, a grid", lambda rounds: _task("grid", rounds)),
}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    carry_out(__file__, PARTS, PACKAGES, rounds=3)


if __name__ == "__main__":
    main()
