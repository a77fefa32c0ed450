"""How the work of a run is cut into blocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from emergelab.engine.plan import cut


@given(
    some.integers(1, 3),
    some.integers(1, 60),
    some.integers(1, 4),
    some.integers(1, 1000),
    some.integers(1, 20_000),
    some.none() | some.integers(1, 60),
)
def test_blocks_cover_every_seed_of_every_condition_once(groups, seeds, workers, size, room, asked):
    members = [(2 * g, 2 * g + 1) for g in range(groups)]
    blocks = cut(members, seeds, workers, [size] * groups, room, asked)
    covered = [(c, s) for b in blocks for c in b.conditions for s in range(*b.seeds)]
    assert sorted(covered) == [(c, s) for c in range(2 * groups) for s in range(seeds)]
    assert len({b.width for b in blocks}) == 1
    assert all(0 < b.seeds[1] - b.seeds[0] <= b.width for b in blocks)


def test_blocks_are_as_equal_as_can_be():
    widths = [b.seeds[1] - b.seeds[0] for b in cut([(0,)], 24, 2, [100], 900)]
    assert widths == [8, 8, 8]
    assert [b.seeds for b in cut([(0,)], 24, 2, [100], 900, 9)] == [(0, 9), (9, 18), (18, 24)]
