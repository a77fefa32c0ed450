"""Games of communication against the usual loop in PyTorch, and measures of a code; see benchmarks/README.md.

python benchmarks/languages.py [--only a,b] [--rounds 3]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from measure import Row, carry_out, row, take_turns, timed

PACKAGES = ("emergelab", "jax", "jaxlib", "equinox", "optax", "numpy", "scipy", "torch")
SEEDS = 16
WORLD = {"attributes": 2, "values": 10, "positions": 3, "symbols": 20, "hidden": 64, "batch": 64}


def _ours(steps: int, seeds: int, **variant: str) -> float:
    """Games (one message about one object, learnt from) of all seeds per second, starting and writing included."""
    import emergelab as el
    from emergelab.games.attribute_game import AttributeGame

    game = AttributeGame(**WORLD, **variant)
    with tempfile.TemporaryDirectory() as folder:
        seconds = timed(
            lambda: el.run(game, steps=steps, every=steps, seeds=seeds, out=f"{folder}/run", progress=False)
        )
    return seeds * steps * WORLD["batch"] / seconds


def _theirs(steps: int, threads: int | None, **variant: str) -> float:
    import torch

    from languages_peers import game_steps

    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        return steps * WORLD["batch"] / game_steps(steps, **WORLD, **variant)
    finally:
        torch.set_num_threads(before)


def games(rounds: int) -> list[Row]:
    """(a) Games a second while agents learn: 16 seeds (and one) in one program against one seed after the other."""
    rows = []
    for agents, estimator in (("heads", "gumbel"), ("recurrent", "gumbel"), ("recurrent", "reinforce")):
        variant = {"agents": agents, "estimator": estimator}

        def ours(seeds: int, steps: int, variant: Mapping[str, str] = variant) -> float:
            return _ours(steps, seeds, **variant)

        works: dict[str, Callable[[], float]] = {
            "16 seeds": lambda ours=ours: ours(SEEDS, 1500),
            "1 seed": lambda ours=ours: ours(1, 3000),
            "PyTorch, 1 thread": lambda v=variant: _theirs(300, 1, **v),
            "PyTorch, its own choice of threads": lambda v=variant: _theirs(300, None, **v),
        }
        take_turns(works, 1)
        found = take_turns(works, rounds)
        for what in ("16 seeds", "1 seed"):
            for peer in ("PyTorch, 1 thread", "PyTorch, its own choice of threads"):
                rows.append(row(f"{agents}, {estimator}, {what}", peer, "games/s", found[what], found[peer]))
    return rows


def measures(rounds: int) -> list[Row]:
    """(b) Topographic similarity of a code of 256 objects, inside a program and pair by pair in Python."""
    import jax
    import numpy as np

    from emergelab.games import language, signalling
    from languages_peers import topsim as pair_by_pair

    meanings = signalling.all_objects((16, 16))
    words = np.random.default_rng(0).integers(0, 20, (256, 4)).astype(np.int32)
    ours = jax.jit(language.topsim)

    def value() -> Any:
        return ours(words, meanings).block_until_ready()

    difference = abs(float(value()) - pair_by_pair(words.tolist(), meanings.tolist()))
    works: dict[str, Callable[[], float]] = {
        "ours": lambda: timed(lambda: [value() for _ in range(20)]) / 20 * 1000,
        "Python": lambda: timed(lambda: pair_by_pair(words.tolist(), meanings.tolist())) * 1000,
    }
    found = take_turns(works, rounds)
    return [
        row("topsim of 256 messages of 4 symbols", "Python loops and SciPy", "ms", found["ours"], found["Python"],
            higher_is_better=False, note=f"values differ by {difference:.1e}")
    ]  # fmt: skip


PARTS: dict[str, tuple[str, Callable[[int], Sequence[Row]]]] = {
    "a": ("Games of communication", games),
    "b": ("Measures of a code", measures),
}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    carry_out(__file__, PARTS, PACKAGES, rounds=3)


if __name__ == "__main__":
    main()
