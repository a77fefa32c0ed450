"""The rule of the sorting study in two other ways of writing simulations, for comparison of speed.

Both play the same process as `emergelab.studies.societies.sorting`: cells of three algotypes, frozen cells,
one event at a time. Both are written as one would write them without thinking of speed more than their
manuals advise:

- `numpy_loop` is the exact jump chain with vectorised passes over the array, one event after the other, one
  array after the other. It is what a careful user of NumPy writes, and it skips idle activations as our study
  does.
- `mesa_model` is a Mesa 3 model with one agent a cell, which wakes agents at random. It has no jump chain,
  for an agent acts when it is woken; its *events* are the awakenings that changed something, and idle ones
  are its overhead.

Each returns (events, seconds) over all arrays; nothing is recorded on the way, in either.
"""

from __future__ import annotations

import time

import numpy as np

BUBBLE, INSERTION, SELECTION = 0, 1, 2
LIVE, MOVABLE, IMMOVABLE = 0, 1, 2

__all__ = ["mesa_model", "numpy_loop"]


def _array(n: int, algotype: str, seed: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    """Generator, values and algotypes of one array: `bubble`, `insertion`, `selection` or `all three`."""
    rng = np.random.default_rng(seed)
    kinds = {
        "bubble": [BUBBLE],
        "insertion": [INSERTION],
        "selection": [SELECTION],
        "all three": [BUBBLE, SELECTION, INSERTION],
    }
    if algotype not in kinds:
        raise ValueError(f"algotype must be one of {', '.join(kinds)}, got {algotype!r}")
    chosen = np.array(kinds[algotype])
    return rng, rng.permutation(n), chosen[rng.permutation(n) * len(chosen) // n]


def numpy_loop(
    n: int = 100, seeds: int = 64, algotype: str = "bubble", events: int | None = None, frozen: int = 0
) -> tuple[int, float]:
    """Play `seeds` arrays to the end (or for at most `events` events each) with a NumPy event loop.

    Args:
        n: cells in an array.
        seeds: arrays, one after the other.
        algotype: `bubble`, `insertion`, `selection` or `all three`.
        events: largest number of events an array; None is to the end.
        frozen: draws of an immovable cell in each array.

    Returns:
        events over all arrays, and the seconds they took.
    """
    at = np.arange(n)
    done, began = 0, time.perf_counter()
    for seed in range(seeds):
        rng, value, kind = _array(n, algotype, seed)
        status = np.full(n, LIVE)
        status[rng.integers(0, n, frozen)] = IMMOVABLE
        ideal = np.zeros(n, int)
        bubble, insertion, selection = ((kind == k) & (status == LIVE) for k in (BUBBLE, INSERTION, SELECTION))
        activations = 0.0
        count = 0
        while events is None or count < events:
            less = np.zeros(n, bool)
            less[1:] = value[1:] < value[:-1]
            wall = status == IMMOVABLE
            free_left, free_right = np.zeros(n, bool), np.zeros(n, bool)
            free_left[1:], free_right[:-1] = ~wall[:-1], ~wall[1:]
            wrong_right = np.zeros(n, bool)
            wrong_right[:-1] = less[1:]
            chained = less & (status == LIVE)
            chained[1:] &= status[:-1] == LIVE
            end = int(np.argmax(chained)) if chained.any() else n
            weights = np.concatenate([
                0.5 * (bubble & wrong_right & free_right),
                0.5 * (bubble & less & free_left),
                1.0 * (insertion & less & free_left & (at <= end)),
                1.0 * (selection & (ideal < n) & (ideal != at)),
            ])  # fmt: skip
            upto = np.cumsum(weights)
            total = upto[-1]
            if total == 0:
                break
            activations += rng.geometric(min(1.0, total / (status == LIVE).sum()))
            chosen = int(np.searchsorted(upto, rng.random() * total, side="right"))
            move, actor = divmod(chosen, n)
            target = (actor + 1, actor - 1, actor - 1, int(ideal[actor]))[move]
            swap = move < 3 or (value[actor] < value[target] and status[target] != IMMOVABLE)
            if move == 3 and (status[target] != LIVE or value[actor] >= value[target]):
                ideal[actor] += 1
            if swap:
                for field in (value, kind, status, ideal, bubble, insertion, selection):
                    field[actor], field[target] = field[target], field[actor]
            count += 1
        done += count
    return done, time.perf_counter() - began


def mesa_model(
    n: int = 100, seeds: int = 64, algotype: str = "bubble", activations: int | None = None
) -> tuple[int, float]:
    """Play `seeds` arrays to the end (or for at most `activations` awakenings each) as a Mesa 3 model.

    Args:
        n: cells in an array.
        seeds: arrays, one after the other.
        algotype: `bubble`, `insertion`, `selection` or `all three`.
        activations: largest number of awakenings an array; None is to the end.

    Returns:
        events (awakenings that changed something) over all arrays, and the seconds they took.

    Raises:
        ModuleNotFoundError: Mesa is not installed (extra `bench`).
    """
    import mesa

    class Cell(mesa.Agent):
        """One cell; `place` is its position in the model's row."""

        def __init__(self, model: mesa.Model, place: int, value: int, kind: int) -> None:
            super().__init__(model)
            self.place, self.value, self.kind, self.ideal = place, value, kind, 0

        def swap(self, other: Cell) -> None:
            row = self.model.row
            row[self.place], row[other.place] = other, self
            self.place, other.place = other.place, self.place
            self.model.events += 1

        def step(self) -> None:
            row, here = self.model.row, self.place
            if self.kind == BUBBLE:
                right = self.random.random() < 0.5
                there = here + 1 if right else here - 1
                if 0 <= there < len(row) and (self.value > row[there].value) == right:
                    self.swap(row[there])
            elif self.kind == INSERTION:
                if here and all(row[i].value <= row[i + 1].value for i in range(here - 1)):
                    left = row[here - 1]
                    if self.value < left.value:
                        self.swap(left)
            elif self.ideal < len(row) and self.ideal != here:
                target = row[self.ideal]
                if self.value < target.value:
                    self.swap(target)
                else:
                    self.ideal += 1
                    self.model.events += 1

    class Row(mesa.Model):
        """A row of cells, of which one wakes at a time."""

        def __init__(self, values: np.ndarray, kinds: np.ndarray, seed: int) -> None:
            super().__init__(seed=seed)
            self.events = 0
            self.row = [Cell(self, i, int(v), int(k)) for i, (v, k) in enumerate(zip(values, kinds, strict=True))]

        def step(self) -> None:
            self.random.choice(self.row).step()

        def sorted(self) -> bool:
            return all(a.value <= b.value for a, b in zip(self.row, self.row[1:], strict=False))

    done, began = 0, time.perf_counter()
    for seed in range(seeds):
        _, value, kind = _array(n, algotype, seed)
        model = Row(value, kind, seed)
        for woken in range(activations if activations is not None else 10**9):
            # Looking at the whole row after every awakening would cost more than the model itself.
            if woken % 100 == 0 and model.sorted():
                break
            model.step()
        done += model.events
    return done, time.perf_counter() - began


if __name__ == "__main__":
    for name, peer in (("NumPy loop", numpy_loop), ("Mesa 3", mesa_model)):
        events, seconds = peer(seeds=2)
        print(f"{name}: {events / seconds:,.0f} events/s ({events} events of bubble arrays in {seconds:.2f} s)")
