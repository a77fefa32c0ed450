"""The rules of the cells again, as plainly as can be: one activation at a time, in pure Python.

It shares no code and no idea with the compiled system (no jump chain, no bit sets, no running counts), so
that agreement between the two says something. It is slow on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

LIVE, MOVABLE, IMMOVABLE = 0, 1, 2
BUBBLE, INSERTION, SELECTION = 0, 1, 2


@dataclass
class Cell:
    """One cell: what it holds and how it moves. `direction` is +1 for upwards."""

    value: int
    algotype: int
    frozen: int = LIVE
    direction: int = 1
    label: int = 0
    ideal: int = 0


@dataclass
class Outcome:
    """What a naive run did."""

    cells: list[Cell]
    swaps: int = 0
    activations: int = 0
    reads: int = 0
    published_reads: int = 0
    aggregation_peak: float = 0.0
    descents: list[int] = field(default_factory=list)  # after each swap, the initial array first
    inversions: list[int] = field(default_factory=list)


def descents(values: list[int]) -> int:
    """Cells smaller than their left neighbour."""
    return sum(b < a for a, b in pairwise(values))


def inversions(values: list[int]) -> int:
    """Pairs in the wrong order, by looking at every pair."""
    return sum(values[i] > values[j] for i in range(len(values)) for j in range(i + 1, len(values)))


def aggregation(labels: list[int]) -> float:
    """Neighbours of the same label over n."""
    return sum(a == b for a, b in pairwise(labels)) / len(labels)


def delayed_gratification(trace: list[int], mode: str = "mean") -> float:
    """(fall - rise) / rise over the rises of an error trace and the falls that follow them.

    `mode="mean"` averages over complete pairs; `mode="code"` gives their sum if the trace ends on a rise.
    """
    runs: list[int] = []
    for change in np.diff(trace):
        if change == 0:
            continue
        if runs and (runs[-1] > 0) == (change > 0):
            runs[-1] += int(change)
        else:
            runs.append(int(change))
    if runs and runs[0] < 0:
        runs = runs[1:]
    pairs = [(-fall - rise) / rise for rise, fall in zip(runs[::2], runs[1::2], strict=False)]
    if not pairs:
        return 0.0
    unfinished = len(runs) % 2 == 1
    return sum(pairs) if mode == "code" and unfinished else sum(pairs) / len(pairs)


def _in_order(cell: Cell, left: int, right: int) -> bool:
    return left <= right if cell.direction > 0 else left >= right


def prefix(cells: list[Cell], position: int) -> tuple[bool, int]:
    """Whether all left of an insertion cell is in its order, and how many cells it read to find out."""
    previous = None
    for i in range(position):
        if cells[i].frozen != LIVE:
            previous = None
            continue
        if previous is not None and not _in_order(cells[position], previous, cells[i].value):
            return False, i + 1
        previous = cells[i].value
    return True, position


def moves(cells: list[Cell]) -> list[tuple[float, int, int, int]]:
    """Every enabled event of an array without slips: (probability per activation, actor, a, b).

    A selection cell that only aims further is (1, actor, actor, actor).
    """
    n, out = len(cells), []
    for i, cell in enumerate(cells):
        if cell.frozen != LIVE:
            continue
        if cell.algotype == BUBBLE:
            for j in (i - 1, i + 1):
                if 0 <= j < n and cells[j].frozen != IMMOVABLE:
                    low, high = min(i, j), max(i, j)
                    if not _in_order(cell, cells[low].value, cells[high].value):
                        out.append((0.5, i, low, high))
        elif cell.algotype == INSERTION:
            free = i > 0 and prefix(cells, i)[0] and cells[i - 1].frozen != IMMOVABLE
            if free and not _in_order(cell, cells[i - 1].value, cell.value):
                out.append((1.0, i, i - 1, i))
        elif 0 <= cell.ideal < n and cell.ideal != i:
            target = cells[cell.ideal]
            if cell.value < target.value and target.frozen != IMMOVABLE:
                out.append((1.0, i, min(i, cell.ideal), max(i, cell.ideal)))
            else:
                out.append((1.0, i, i, i))
    return out


def _would_move(cells: list[Cell], i: int) -> bool:
    """The authors' test of whether a cell counts a comparison: only live neighbours matter to it."""
    cell, n = cells[i], len(cells)

    def out_of_order(j: int) -> bool:
        if not 0 <= j < n or cells[j].frozen != LIVE:
            return False
        return not _in_order(cell, cells[min(i, j)].value, cells[max(i, j)].value)

    if cell.algotype == BUBBLE:
        return out_of_order(i - 1) or out_of_order(i + 1)
    if cell.algotype == INSERTION:
        return prefix(cells, i)[0] and out_of_order(i - 1)
    return 0 <= cell.ideal < n and cell.ideal != i


def simulate(
    cells: list[Cell],
    rng: np.random.Generator,
    *,
    rates: tuple[float, float, float] = (1.0, 1.0, 1.0),
    noise: float = 0.0,
    scheduler: str = "random",
    burst: float = 10.0,
    stop: str = "quiet",
    cap: int = 10**9,
    limit: int = 10**6,
) -> Outcome:
    """Wake one live cell after another until nothing can happen.

    "random": drawn in proportion to their rates. "round-robin": position after position. "bursts": the same
    cell, wherever it goes, until its burst ends; then any cell. A frozen cell lets its turn pass.
    """
    cells = [Cell(**vars(c)) for c in cells]
    n = len(cells)
    out = Outcome(cells)

    def note() -> None:
        values = [c.value for c in cells]
        out.descents.append(descents(values))
        out.inversions.append(inversions(values))
        out.aggregation_peak = max(out.aggregation_peak, aggregation([c.label for c in cells]))

    def swap(i: int, j: int) -> None:
        cells[i], cells[j] = cells[j], cells[i]
        out.swaps += 1
        note()

    note()
    turn = cells[0]
    for t in range(limit):
        if out.swaps >= cap or (stop == "sorted" and out.descents[-1] == 0) or (noise == 0 and not moves(cells)):
            break
        if scheduler == "random":
            weights = np.array([rates[c.algotype] * (c.frozen == LIVE) for c in cells])
            if weights.sum() == 0:
                break
            i = int(rng.choice(n, p=weights / weights.sum()))
        elif scheduler == "round-robin":
            i = t % n
        else:
            if t and rng.random() < 1 / burst:
                turn = cells[int(rng.integers(n))]
            i = next(j for j in range(n) if cells[j] is turn)
        if cells[i].frozen != LIVE:
            continue
        cell = cells[i]
        out.activations += 1
        out.published_reads += _would_move(cells, i)
        slip = rng.random() < noise
        if cell.algotype == BUBBLE:
            j = i + (1 if rng.random() < 0.5 else -1)
            if not 0 <= j < n:
                continue
            out.reads += 1
            wrong = not _in_order(cell, cells[min(i, j)].value, cells[max(i, j)].value)
            if wrong != slip and cells[j].frozen != IMMOVABLE:
                swap(i, j)
        elif cell.algotype == INSERTION:
            ordered, read = prefix(cells, i)
            out.reads += read
            if i == 0 or not ordered:
                continue
            wrong = not _in_order(cell, cells[i - 1].value, cell.value)
            if wrong != slip and cells[i - 1].frozen != IMMOVABLE:
                swap(i, i - 1)
        else:
            target = cell.ideal
            if not 0 <= target < n or target == i:
                continue
            out.reads += 1
            smaller = (cell.value < cells[target].value) != slip
            if cells[target].frozen != LIVE or not smaller:
                cell.ideal += cell.direction
            if smaller and cells[target].frozen != IMMOVABLE:
                swap(i, target)
    return out


def textbook(values: list[int], immovable: list[bool], algorithm: str) -> tuple[list[int], int, int]:
    """The textbook algorithm; swaps of immovable cells silently fail: (array, comparisons, swaps)."""
    v, n = list(values), len(values)
    comparisons = swaps = 0

    def swap(i: int, j: int) -> None:
        nonlocal swaps
        if not (immovable[i] or immovable[j]):
            v[i], v[j] = v[j], v[i]
            swaps += 1

    if algorithm == "bubble":
        for done in range(n - 1):
            asked = False
            for j in range(n - 1 - done):
                comparisons += 1
                if v[j] > v[j + 1]:
                    asked = True
                    swap(j, j + 1)
            if not asked:
                break
    elif algorithm == "insertion":
        for i in range(1, n):
            for j in range(i, 0, -1):
                comparisons += 1
                if v[j - 1] <= v[j]:
                    break
                swap(j - 1, j)
    else:
        for i in range(n - 1):
            best = i
            for j in range(i + 1, n):
                comparisons += 1
                if v[j] < v[best]:
                    best = j
            if best != i:
                swap(i, best)
    return v, comparisons, swaps
