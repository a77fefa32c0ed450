"""Learning on a stream of tasks against a loop in PyTorch as continual-learning libraries write it; see README.md.

python benchmarks/continual.py [--rounds 3]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from measure import Row, carry_out, row, take_turns, timed

PACKAGES = ("emergelab", "jax", "jaxlib", "equinox", "optax", "numpy", "torch")
SEEDS = 16
SIZE = {"phases": 5, "per_phase": 200, "batch": 10, "hidden": 100}
SLOTS, COUNT = 200, 10


def _system(slots: int) -> Any:
    import emergelab as el
    from emergelab.continual import streams
    from emergelab.continual.data import load
    from emergelab.continual.learning import ContinualLearning
    from emergelab.continual.methods import Naive, Replay

    class Split(ContinualLearning):
        """Two digits a phase."""

        slots: int = el.static(0, low=0, about="examples in memory")

        def data(self) -> Any:
            return load("digits")

        def tasks(self, key: Any) -> Any:
            return streams.split(key, self.phases, self.data())

        def method(self) -> Any:
            return Replay(slots=self.slots, count=COUNT) if self.slots else Naive()

    return Split(**SIZE, rate=0.05, slots=slots)


def _ours(slots: int, seeds: int) -> Callable[[], float]:
    """Steps of single seeds a second, starting a run and examining all tasks after every phase included."""
    import emergelab as el

    system, steps = _system(slots), SIZE["phases"] * SIZE["per_phase"]

    def measure() -> float:
        with tempfile.TemporaryDirectory() as folder:
            seconds = timed(
                lambda: el.run(
                    system, steps=steps, every=SIZE["per_phase"], seeds=seeds, out=f"{folder}/run", progress=False
                )
            )
        return seeds * steps / seconds

    return measure


def _theirs(slots: int, threads: int | None) -> Callable[[], float]:
    import torch

    from continual_peers import stream_steps
    from emergelab.continual.data import load

    data, steps = load("digits"), SIZE["phases"] * SIZE["per_phase"]

    def measure() -> float:
        before = torch.get_num_threads()
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            return steps / stream_steps(data.x, data.y, **SIZE, slots=slots, count=COUNT)
        finally:
            torch.set_num_threads(before)

    return measure


def streams_of_digits(rounds: int) -> list[Row]:
    """(a) Steps a second on split digits, without a memory and with one of 200 examples."""
    rows = []
    for what, slots in (("naive", 0), ("replay, 200 examples", SLOTS)):
        works: dict[str, Callable[[], float]] = {
            "16 seeds": _ours(slots, SEEDS),
            "1 seed": _ours(slots, 1),
            "PyTorch, 1 thread": _theirs(slots, 1),
            "PyTorch, its own choice of threads": _theirs(slots, None),
        }
        take_turns(works, 1)
        found = take_turns(works, rounds)
        for ours in ("16 seeds", "1 seed"):
            for peer in ("PyTorch, 1 thread", "PyTorch, its own choice of threads"):
                rows.append(row(f"{what}, {ours}", peer, "steps/s", found[ours], found[peer]))
    return rows


PARTS: dict[str, tuple[str, Callable[[int], Sequence[Row]]]] = {"a": ("Learning on a stream", streams_of_digits)}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    carry_out(__file__, PARTS, PACKAGES, rounds=3)


if __name__ == "__main__":
    main()
