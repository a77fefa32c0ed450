"""Repeated 2x2 games in plain Python, written from the descriptions of the rules and not from the code."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

Table = Sequence[Sequence[float]]  # own payoffs, [own move][other's move]
Moves = Sequence[int]


def all_ordinal_games() -> set[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Every strict ordinal game once: the least of the four ways to name its moves."""
    found = set()
    for row in itertools.permutations((1, 2, 3, 4)):
        for column in itertools.permutations((1, 2, 3, 4)):
            found.add(least(row, column))
    return found


def least(row: Sequence[int], column: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Payoffs at (0,0), (0,1), (1,0), (1,1), under the naming of moves that comes first in order."""
    names = ((0, 1, 2, 3), (2, 3, 0, 1), (1, 0, 3, 2), (3, 2, 1, 0))
    return min((tuple(row[i] for i in n), tuple(column[i] for i in n)) for n in names)


def kinds(own: Table, other: Table) -> tuple[int, int]:
    """Both parts of the outcome with the largest sum; of equal ones that which pays oneself most."""
    cells = [(a, b) for a in (0, 1) for b in (0, 1)]
    return max(cells, key=lambda c: (round(own[c[0]][c[1]] + other[c[0]][c[1]], 6), own[c[0]][c[1]]))


def argbest(values: Sequence[float], spread: float, draw: float) -> int:
    if abs(values[0] - values[1]) <= 1e-3 * spread:
        return int(draw >= 0.5)
    return int(values[1] > values[0])


def spread_of(table: Table) -> float:
    flat = [x for row in table for x in row]
    return max(flat) - min(flat)


def against(own: Table, p: float, draw: float) -> int:
    return argbest([row[0] * (1 - p) + row[1] * p for row in own], spread_of(own), draw)


def expected(own: Table, other: Table, theirs: Moves) -> int:
    """What `foresee` should say."""
    if not theirs:
        sums = [other[0][b] + other[1][b] for b in (0, 1)]
        most = [max(other[0][b], other[1][b]) for b in (0, 1)]
        tied = abs(sums[0] - sums[1]) <= 1e-3 * spread_of(other)
        return int(most[1] > most[0]) if tied else int(sums[1] > sums[0])
    after = [b for a, b in itertools.pairwise(theirs) if a == theirs[-1]]
    zeros, ones = after.count(0), after.count(1)
    return theirs[-1] if zeros == ones else int(ones > zeros)


def decide(name: str, own: Table, other: Table, mine: Moves, theirs: Moves, draw: float) -> int:
    """The move of a player after a history."""
    first = not theirs

    def unless(defects: bool) -> int:
        good = kinds(own, other)[0]
        return 1 - good if defects else good

    def bad(back: int = 1) -> bool:
        return len(theirs) >= back and theirs[-back] != kinds(own, other)[1]

    rules: dict[str, Callable[[], int]] = {
        "random": lambda: int(draw >= 0.5),
        "level-1": lambda: against(own, 0.5, draw),
        "maximin": lambda: argbest([min(r) for r in own], spread_of(own), draw),
        "maximax": lambda: argbest([max(r) for r in own], spread_of(own), draw),
        "social": lambda: unless(False),
        "best-response": lambda: against(own, 0.5 if first else theirs[-1], draw),
        "fictitious": lambda: against(own, (sum(theirs) + 1) / (len(theirs) + 2), draw),
        "win-stay": lambda: (
            int(draw >= 0.5)
            if first
            else (mine[-1] if own[mine[-1]][theirs[-1]] >= sum(map(sum, own)) / 4 else 1 - mine[-1])
        ),
        "predict": lambda: against(own, expected(own, other, theirs), draw),
        "tit-for-tat": lambda: unless(bad()),
        "two-tats": lambda: unless(bad() and bad(2)),
        "suspicious": lambda: unless(first or bad()),
        "reverse": lambda: unless(first or not bad()),
        "hard": lambda: unless(bad() or bad(2) or bad(3)),
        "prober-10": lambda: unless(not first and (bad() or draw < 0.1)),
        "prober-20": lambda: unless(not first and (bad() or draw < 0.2)),
        "grim": lambda: unless(any(t != kinds(own, other)[1] for t in theirs)),
        "false-defector": lambda: unless(first),
        "generous": lambda: unless(bad() and draw >= 1 / 3),
        "level-2": lambda: against(own, _belief(other), draw),
        "never": lambda: unless(True),
        "first": lambda: 0,
        "second": lambda: 1,
        "alternate": lambda: len(theirs) % 2,
        "alternate-second": lambda: (len(theirs) + 1) % 2,
    }
    return rules[name]()


def _belief(other: Table) -> float:
    sums = [other[0][b] + other[1][b] for b in (0, 1)]
    return 0.5 if abs(sums[0] - sums[1]) <= 1e-3 * spread_of(other) else float(sums[1] > sums[0])


def memory_one(theta: Sequence[float], own: Table, other: Table, mine: Moves, theirs: Moves, draw: float) -> int:
    good_mine, good_theirs = kinds(own, other)
    at = 0
    if theirs:
        at = {(True, True): 1, (True, False): 2, (False, True): 3, (False, False): 4}[
            mine[-1] == good_mine, theirs[-1] == good_theirs
        ]
    return good_mine if draw < theta[at] else 1 - good_mine


def sides(game: Any) -> tuple[tuple[Table, Table], tuple[Table, Table]]:
    """A game [row, column, player] as each of the two sees it: own payoffs and the other's."""
    a = [[float(game[i][j][0]) for j in (0, 1)] for i in (0, 1)]
    b = [[float(game[i][j][1]) for j in (0, 1)] for i in (0, 1)]
    turned = [[b[i][j] for i in (0, 1)] for j in (0, 1)], [[a[i][j] for i in (0, 1)] for j in (0, 1)]
    return (a, b), turned


def play(game: Any, one: str, two: str, rounds: int, draws: Any = None) -> tuple[list[int], list[int]]:
    """A match; `draws[round][side]` are the uniform numbers, 0.25 where none are given."""
    (a, b), (c, d) = sides(game)
    mine: list[int] = []
    theirs: list[int] = []
    for t in range(rounds):
        u, v = (0.25, 0.25) if draws is None else draws[t]
        moves = decide(one, a, b, mine, theirs, u), decide(two, c, d, theirs, mine, v)
        mine.append(moves[0])
        theirs.append(moves[1])
    return mine, theirs
