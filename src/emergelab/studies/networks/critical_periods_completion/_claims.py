"""What is said of completing a matrix after another one, as tests.

Margins were fixed after pilots of four seeds. Two runs at the size of `quick` that showed 2.4 entries for each free
number were seen after that; the run on record shows 2.05, as the paper does, and no margin was changed for it.
"""

from __future__ import annotations

import emergelab as el

from ._conditions import FEW, LONG, MORE, RATIOS, SEEN, SHORT, STAGE, after, grown, shown

DEEP = (2, 3)
_TENTH = "a tenth of the variance of an entry, which is 1"


def claims() -> tuple[el.Claim, ...]:
    """All claims of the study."""
    return (*_wiring(), *_damage(), *_tasks(), *_examples(), *_cause())


def _wiring() -> list[el.Claim]:
    fitted = [
        el.Claim(
            f"What is shown is learnt, whatever came first ({depth} matrices)",
            el.level("misfit", after(depth, LONG)),
            "=",
            0.01,
            published="training error is 0 throughout",
            about="a hundredth of the variance of an entry",
        )
        for depth in DEEP
    ]
    whole = [
        el.Claim(
            f"Taught alone, the task is learnt whole, by {depth} matrices",
            el.level("error", after(depth, 0)),
            "=",
            0.05,
            published="test error near 0 without a deficit",
            about=f"half of {_TENTH}",
            expect=expect,
        )
        for depth, expect in zip(DEEP, ("inconclusive", "supported"), strict=True)
    ]
    return [
        *fitted,
        *whole,
        el.Claim(
            "A single matrix learns nothing of entries that it is not shown",
            el.level("error_hidden", after(1, 0), value=1.0),
            "=",
            0.1,
            published="not stated",
            about=f"{_TENTH}: as good as answering 0",
        ),
    ]


def _damage() -> list[el.Claim]:
    return [
        el.Claim(
            "A single matrix is not damaged by another task",
            el.contrast("error", after(1, LONG), after(1, 0)),
            "=",
            0.01,
            published="no critical period at depth 1",
            about="a hundredth of the variance. It has nothing to lose: what is hidden stays as it was at first",
        ),
        *(
            el.Claim(
                f"Another task first does lasting damage to {depth} matrices",
                el.contrast("error", after(depth, LONG), after(depth, 0)),
                ">",
                0.1,
                published="test error rises with the time of the switch",
                about=f"{_TENTH}; {LONG} steps of the first task, then 3000 of the second",
            )
            for depth in DEEP
        ),
        *(
            el.Claim(
                f"The longer it lasts, the greater the damage ({depth} matrices)",
                el.contrast("error", after(depth, LONG), after(depth, SHORT)),
                ">",
                0.02,
                published="test error rises with the time of the switch, and levels off",
                about="ten times as long; a fiftieth of the variance, because much is done by 250 steps",
                expect=expect,
            )
            for depth, expect in zip(DEEP, ("inconclusive", "supported"), strict=True)
        ),
        el.Claim(
            "A short first task does less damage to three matrices than to two",
            el.contrast("error", after(2, SHORT), after(3, SHORT)),
            ">",
            0.1,
            published="deeper products are hurt later",
            about=f"{_TENTH}; {SHORT} steps",
        ),
        el.Claim(
            "So does a long one",
            el.contrast("error", after(2, LONG), after(3, LONG)),
            ">",
            0.1,
            published="not stated",
            about=f"{_TENTH}; {LONG} steps",
            expect="refuted",
        ),
    ]


def _tasks() -> list[el.Claim]:
    return [
        el.Claim(
            "The higher the rank of the first task, the greater the damage",
            el.trend("error", RATIOS),
            ">",
            0.05,
            published="rank 2 < 5 < 10 < 15, with a second task of rank 5",
            about="per rank of the second task: three twentieths of the variance over the range",
        ),
        el.Claim(
            "A simpler task first does no damage",
            el.contrast("error", "rank-third", after(3, 0)),
            "=",
            0.05,
            published="rank 2 before rank 5 is harmless",
            about=f"half of {_TENTH}; a third of the second's rank",
            expect="inconclusive",
        ),
        el.Claim(
            "Nor does one of the same rank",
            el.contrast("error", "rank-same", after(3, 0)),
            "=",
            0.05,
            published="little damage",
            about=f"half of {_TENTH}",
            expect="inconclusive",
        ),
        el.Claim(
            "The more entries are shown, the less the damage",
            el.trend("error", {shown(s, STAGE): s for s in SEEN}),
            "<",
            0.05,
            published="from 1000 to 4000 entries",
            about="per entry and free number; a seventh of the variance over the range",
        ),
        el.Claim(
            "With twice as many entries as usual there is no damage",
            el.contrast("error", shown(SEEN[-1], STAGE), shown(SEEN[-1], 0)),
            "=",
            0.05,
            published="next to none with 4000 entries",
            about=f"half of {_TENTH}",
        ),
    ]


def _examples() -> list[el.Claim]:
    few, enough = MORE[0], MORE[-1]
    return [
        el.Claim(
            "To begin with fewer entries of the same matrix does damage as well, if there are still few afterwards",
            el.contrast("error", grown(few, STAGE), shown(few, 0)),
            ">",
            0.05,
            published="a start on fewer examples of the same task hurts",
            about=f"{FEW:g} entries for each free number at first, then {few:g}; half of {_TENTH}",
        ),
        el.Claim(
            "The longer that start, the greater the damage",
            el.contrast("error", grown(few, STAGE), grown(few, SHORT)),
            ">",
            0.02,
            published="it grows with the time of the switch",
            about=f"{STAGE} steps against {SHORT}, with the margin of the other claim on time",
        ),
        el.Claim(
            "Enough entries afterwards undo it",
            el.contrast("error", grown(enough, STAGE), shown(enough, 0)),
            "=",
            0.05,
            published="less damage with more examples later",
            about=f"{enough:g} entries for each free number; half of {_TENTH}",
            expect="inconclusive",
        ),
    ]


def _cause() -> list[el.Claim]:
    return [
        el.Claim(
            "What remains is rank: the product ends with more singular values than the task has",
            el.contrast("effective_rank", after(3, LONG), after(3, 0)),
            ">",
            0.5,
            published="singular values of the first task stay",
            about="half a dimension beyond what the second task alone leads to",
        ),
        el.Claim(
            "Small weights open the window again",
            el.contrast("error", "shrunk", after(3, STAGE)),
            "<",
            0.05,
            published="not in the paper",
            about=f"all weights scaled to a tenth at the switch, their directions kept; half of {_TENTH}",
        ),
        el.Claim(
            "They undo all of it",
            el.contrast("error", "shrunk", after(3, 0)),
            "=",
            0.05,
            published="not in the paper",
            about=f"half of {_TENTH}",
            expect="inconclusive",
        ),
    ]
