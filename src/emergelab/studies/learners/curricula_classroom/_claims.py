"""What the paper states of a teacher with a memory of students, as tests. Each margin says in a word why."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

import emergelab as el

from ._conditions import AROUND, CORNERS
from ._system import ARMS

_TOY = "significant in the toy world from 20,000 to 200,000 episodes"
_FIVE = "five cubes of a hundred"


def arm_minus(what: str, first: str, second: str) -> Callable[[xr.Dataset], xr.DataArray]:
    """How much more of something one way of teaching has than another, in the same schools."""

    def difference(d: xr.Dataset) -> xr.DataArray:
        return d[what].isel(arm=ARMS.index(first)) - d[what].isel(arm=ARMS.index(second))

    difference.__name__ = f"{what}_of_{first}_minus_{second}"
    return difference


def of_arm(what: str, arm: str) -> Callable[[xr.Dataset], xr.DataArray]:
    """Something of one way of teaching."""

    def value(d: xr.Dataset) -> xr.DataArray:
        return d[what].isel(arm=ARMS.index(arm))

    value.__name__ = f"{what}_of_{arm}"
    return value


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study, in the order of the paper."""
    out: list[el.Claim] = []
    # With twelve elders for a hundred bodies hardly anybody has an elder like itself.
    found = {CORNERS: ("supported",) * 3, AROUND: (("refuted", "inconclusive"), "inconclusive", "inconclusive")}
    for where, words in ((CORNERS, "with four bodies"), (AROUND, "with a hundred bodies")):
        out += [
            el.Claim(
                f"Who follows an elder masters more than who is taught from scratch, {words}",
                el.level(arm_minus("mastered", "R", "scratch"), where),
                ">",
                5.0,
                published=_TOY,
                about=_FIVE,
                expect=found[where][0],
            ),
            el.Claim(
                f"An elder found by knowledge is better than one by lot, {words}",
                el.level(arm_minus("mastered", "R", "R-random"), where),
                ">",
                5.0,
                published="knowledge above random choice of the elder",
                about=_FIVE,
                expect=found[where][1],
            ),
            el.Claim(
                f"It is as good as one with the same body, {words}",
                el.level(arm_minus("mastered", "R", "R-body"), where),
                "=",
                5.0,
                published="no significant difference to the ground truth",
                about=_FIVE,
                expect=found[where][2],
            ),
        ]
    out += [
        el.Claim(
            "Knowledge tells the body: the elder's easy corner is the student's own",
            el.level(of_arm("same", "R"), CORNERS, value=0.25),
            ">",
            0.25,
            published="the matched elders resemble the student (figures)",
            about="more than half of the students, where chance has a quarter",
        ),
        el.Claim(
            "Stages by return are better than stages by time",
            el.level(arm_minus("mastered", "R", "T"), CORNERS),
            ">",
            5.0,
            published="R above T and P",
            about=_FIVE,
        ),
        el.Claim(
            "They are better than all stages at once",
            el.level(arm_minus("mastered", "R", "P"), CORNERS),
            ">",
            5.0,
            published="R above T and P",
            about=_FIVE,
        ),
        el.Claim(
            "The order of the stages matters: backwards they teach less",
            el.level(arm_minus("mastered", "R-backwards", "R"), CORNERS),
            "<",
            5.0,
            published="not in the paper",
            about=_FIVE,
        ),
    ]
    return tuple(out)
