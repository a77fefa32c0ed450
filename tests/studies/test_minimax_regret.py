"""The study `minimax-regret`: its boards and exact values against independent sums, and its teachers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.studies.learners.minimax_regret import study
from emergelab.studies.learners.minimax_regret._boards import CELLS, NO_GAP, START, boards, level, numbers, values
from emergelab.studies.learners.minimax_regret._system import DISCOUNT, MinimaxRegret

NORTH = 3
MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))


@pytest.fixture(scope="module")
def table():
    return boards(DISCOUNT)


def test_boards(table):
    assert len(numbers()) == 48 and len(table.number) == 27 == len({tuple(n) for n in table.number.tolist()})
    assert NO_GAP not in table.number[:, :2]
    straight = table.number.tolist().index([1, 1, 1])
    assert table.way[straight] == table.way.min() == 4
    # From the middle to the left gap, along row 2 to the right gap, back to the left goal: 2 + 4 + 4 + 4 moves.
    assert table.way[table.number.tolist().index([0, 2, 0])] == 14 == table.way.max()
    np.testing.assert_allclose(table.best, DISCOUNT ** (table.way - 1), atol=1e-8)
    closed = level(NO_GAP, 1, 1)
    assert closed.wall[3].all() and int(closed.wall[1].sum()) == 4


def walk(policy, number, moves):
    """Return of a policy by pushing its distribution over cells forwards, in plain Python."""
    board = level(*number)
    wall, goal = np.asarray(board.wall), np.asarray(board.goal)
    here, total = np.zeros((5, 5)), 0.0
    here.flat[START] = 1.0
    for t in range(moves):
        there = np.zeros((5, 5))
        for y, x in np.argwhere(here > 0):
            for move, (dy, dx) in enumerate(MOVES):
                to = (min(max(y + dy, 0), 4), min(max(x + dx, 0), 4))
                to = (y, x) if wall[to] else to
                share = here[y, x] * policy[5 * y + x, move]
                if goal[to]:
                    total += DISCOUNT**t * share
                else:
                    there[to] += share
        here = there
    return total


def test_values_are_those_of_a_forward_sum(table):
    policy = np.random.default_rng(0).dirichlet(np.ones(4), CELLS).astype(np.float32)
    found = np.asarray(jax.jit(lambda p: values(p, table, DISCOUNT, 20))(policy))
    for i in (0, 7, 13, 26):
        assert found[i] == pytest.approx(walk(policy, table.number[i].tolist(), 20), abs=1e-5)
    assert (found <= table.best + 1e-6).all()
    up = np.zeros((CELLS, 4), np.float32)
    up[:, NORTH] = 1.0
    straight = table.number.tolist().index([1, 1, 1])
    expected = np.where(np.arange(27) == straight, DISCOUNT**3, 0.0)
    np.testing.assert_allclose(values(jnp.asarray(up), table, DISCOUNT, 20), expected, atol=1e-6)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return el.run(
        MinimaxRegret(), steps=40, every=10, seeds=2, conditions=study.conditions, progress=False, workers=1,
        out=tmp_path_factory.mktemp("m") / "r", taps=["payment"],
    )  # fmt: skip


def test_what_is_set(run):
    d = run.data
    np.testing.assert_allclose(d.solvable.sel(condition="chance"), 27 / 48, atol=1e-6)
    for name in ("replay", "direct"):
        np.testing.assert_allclose(d.solvable.sel(condition=name), 1.0, atol=1e-5)
    assert (d.solvable.sel(condition="minus-return", time=40) < 0.4).all()
    assert (d.solvable.sel(condition="true-regret", time=40) > 0.7).all()
    assert (d.teacher_entropy <= np.log(48) + 1e-5).all()


def test_regret(run):
    d = run.data
    assert (d.by_board >= -1e-6).all() and (d.worst <= 1).all()
    np.testing.assert_allclose(d.worst, d.by_board.max("board"), atol=1e-6)
    np.testing.assert_allclose(d.mean_regret, d.by_board.mean("board"), atol=1e-6)
    # Who looks at the worst board is better there from the first updates on, whatever the seed.
    assert (d.worst.sel(condition="direct", time=40) < d.worst.sel(condition="chance", time=40) - 0.1).all()


def test_payments(run):
    paid = run.data.payment
    for name in ("chance", "replay", "direct"):
        assert (paid.sel(condition=name) == 0).all()
    assert (paid.sel(condition="minus-return") <= 0).all() and (paid.sel(condition="true-regret") >= -1e-6).all()
    by_board = run.data.by_board.sel(condition="true-regret").transpose("seed", "time", "board")
    told = paid.sel(condition="true-regret").transpose("seed", "time", ...)
    np.testing.assert_allclose(told.values, by_board.values, atol=1e-5)


def test_a_wrong_teacher_is_told():
    with pytest.raises(el.UserError, match="'teacher' must be one of 'chance', 'regret'"):
        MinimaxRegret(teacher="nobody")
