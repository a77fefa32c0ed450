"""Does a teacher that is paid by regret lead to minimax regret? An exact game on 5 x 5 boards.

## What it is

A student that cannot see which board it is on has to choose what to be good at. One that is taught on boards at random
does best on average and may give up boards that are rare or far. One that makes its *worst regret* smallest (regret:
the most that could be got on a board minus what it gets) gives up none. Dennis et al. (2020) show that PAIRED, where a
teacher is paid by how much better an antagonist does than the protagonist, has such students as its equilibria; Jiang
et al. (2021) show the same of robust PLR, where boards come again by rank of their regret. Equilibria are one thing,
learning is another. Here everything is small enough to be exact: values, regrets and gradients have no noise, so that
what fails is the game and not the sampling.

## How it works

A board has 5 x 5 cells; rows 1 and 3 are walls with one gap each, or none, and the goal stands in row 0. Three numbers
say where: 4 x 4 x 3 = 48 boards, of which 27 can be solved. A student begins in the middle of row 4, knows the cell it
is on and nothing else, and moves west, south, east or north with probabilities out of a table. It gets 0.95^(t - 1) for
reaching the goal at move t, within 40 moves. Its value on each board is computed by policy evaluation, the best value
by value iteration.

One step of the system is one update of all tables, along exact gradients (with Adam's scaling): protagonist and
antagonist climb their expected returns on the boards that are set, and the teacher, one table for each of the three
numbers, climbs what it is paid, plus a little entropy. Teachers differ in payment: the antagonist's lead (`regret`,
which is PAIRED, and `slow`), true regret, minus the return (minimax). Three conditions have no teacher that learns:
`chance` sets all boards equally often, `replay` sets those that can be solved by rank of true regret, and `direct`
weighs them by a softmax of true regret, which is gradient descent on the worst regret itself.

`worst` is the protagonist's largest regret over all boards. Sites: `chance` (how often each board is set), `payment`,
`state.*`.

    bribe = el.Scale("payment", -1.0, during=(100, 200))
    even = el.Clamp("chance", 1 / 27)

## Things to notice

- Replay by true regret gets to the smallest worst regret that descent on the worst regret itself finds, 0.53 against
  0.77 by chance. It costs a sixteenth of the mean return.
- PAIRED's teacher does not get there. Its students commit themselves to some boards, the teacher moves on to others,
  and what was learnt is unlearnt: a wheel that the theorem about equilibria says nothing of. With a slow teacher
  antagonist and protagonist, who climb the same hill, become alike: the lead that the teacher is paid goes to 0
  while true regret stays.
- Being paid by true regret, as by an antagonist that knew each board, sets boards that can be solved, but does not
  stop the wheel. What replay has and the teacher has not: its boards follow from what the student is now, and it may
  mix boards freely, not only number by number.
- A teacher paid by minus the return sets boards that cannot be solved, seven times out of ten; the rest is owed to the
  weight of its entropy.

## Things to try

- `--set entropy=0.4`: a teacher that never commits itself. How near chance does it stay? And with 0.01, what becomes of
  minimax?
- `--set temperature=1`: replay that spreads out. What does the worst board get then?
- `--set sharpness=5`: a softer maximum. Where is the best trade between worst and mean?
- Clamp `chance` to the boards with the goal on the left and look at `by_board`.

## Differences from the paper

- The papers' students see their surroundings and remember; these are blind and have no memory, so that regret cannot
  be 0 on all boards at once and minimax regret is a choice.
- The papers' equilibria assume that all players answer optimally. Here all of them climb at once.
- A teacher's three numbers are drawn independently, so it cannot set every mixture of boards.
- Gradients are exact and Adam-scaled; no player samples anything. Seeds differ in the first tables only.
- Payments are differences of expected returns; there is no best of several tries.

## References

- M. Dennis et al. (2020). Emergent complexity and zero-shot transfer via unsupervised environment design.
  https://arxiv.org/abs/2012.02096
- M. Jiang et al. (2021). Replay-guided adversarial environment design. https://arxiv.org/abs/2110.02439
"""

from __future__ import annotations

import emergelab as el

from ._figures import draw_boards, draw_course
from ._measures import missed
from ._system import MinimaxRegret

__all__ = ["study"]

LATE = (200, 300)  # the last third of the quick size

study = el.Study(
    slug="minimax-regret",
    family="learners",
    page=__doc__,
    papers=(
        el.Paper(
            "Emergent Complexity and Zero-shot Transfer via Unsupervised Environment Design",
            authors="M. Dennis, N. Jaques, E. Vinitsky, A. Bayen, S. Russell, A. Critch, S. Levine",
            year=2020,
            url="https://arxiv.org/abs/2012.02096",
        ),
        el.Paper(
            "Replay-Guided Adversarial Environment Design",
            authors="M. Jiang, M. Dennis, J. Parker-Holder, J. Foerster, E. Grefenstette, T. Rocktäschel",
            year=2021,
            url="https://arxiv.org/abs/2110.02439",
        ),
    ),
    system=MinimaxRegret,
    conditions={
        "chance": el.Condition({"teacher": "chance"}, about="all 48 boards equally often: domain randomisation"),
        "minus-return": el.Condition({"teacher": "minus return"}, about="paid by minus the return: minimax"),
        "regret": el.Condition({"teacher": "regret"}, about="paid by the antagonist's lead: PAIRED"),
        "slow": el.Condition({"teacher": "regret", "teacher_rate": 0.02}, about="PAIRED with a slow teacher"),
        "true-regret": el.Condition({"teacher": "true regret"}, about="paid by true regret, as if the antagonist knew"),
        "replay": el.Condition({"teacher": "replay"}, about="boards by rank of true regret: what robust PLR aims at"),
        "direct": el.Condition({"teacher": "direct"}, about="no teacher: the worst boards by a softmax of true regret"),
    },
    sizes={
        "tiny": el.Size(seeds=2, steps=10, every=5, about="mechanics only: nobody has learnt anything by then"),
        "quick": el.Size(seeds=12, steps=300, every=10, about="nothing is cut: the game is exact at any size"),
        "full": el.Size(seeds=30, steps=2000, every=20, about="more seeds and a longer game; not run"),
        "paper": el.Size(seeds=30, steps=2000, every=20, about="the papers have no such game; as full. Not run"),
    },
    claims=(
        el.Claim(
            "Replay by true regret leads to a much smaller worst-case regret than chance",
            el.contrast("worst", "replay", "chance", at=LATE),
            "<",
            0.05,
            published="robust PLR plays minimax regret in equilibrium (Jiang et al. 2021, theorem)",
            about="mean over the last third; a good board is worth 0.6, so 0.05 is a tenth",
        ),
        el.Claim(
            "and to the smallest one that can be found",
            el.contrast("worst", "replay", "direct", at=LATE),
            "=",
            0.02,
            published="robust PLR plays minimax regret in equilibrium (Jiang et al. 2021, theorem)",
            about="against gradient descent on the worst boards themselves; less than half of the margin above",
        ),
        el.Claim(
            "A teacher paid by the antagonist's lead leads to a smaller worst-case regret than chance",
            el.contrast("worst", "regret", "chance", at=LATE),
            "<",
            0.05,
            published="PAIRED plays minimax regret in equilibrium (Dennis et al. 2020, theorem)",
            about="the theorem is about equilibria; this asks whether learning gets there. Margin as above",
            expect="refuted",
        ),
        el.Claim(
            "So does one that learns more slowly than its students",
            el.contrast("worst", "slow", "chance", at=LATE),
            "<",
            0.05,
            published="PAIRED plays minimax regret in equilibrium (Dennis et al. 2020, theorem)",
            about="as above",
            expect="refuted",
        ),
        el.Claim(
            "The antagonist's lead is much less than the true regret",
            el.level(missed, "slow", at=LATE),
            ">",
            0.05,
            published="not in the paper, which lets the antagonist be optimal",
            about="true minus claimed regret on the boards set; an antagonist that knew the board would miss nothing",
        ),
        el.Claim(
            "A teacher paid by true regret sets boards that can be solved",
            el.level("solvable", "true-regret", at=LATE, value=0.5625),
            ">",
            0.1,
            published="regret is 0 where nothing can be done (Dennis et al. 2020)",
            about="by chance 27 of 48 boards can be solved",
        ),
        el.Claim(
            "A teacher paid by minus the return sets boards that cannot",
            el.level("solvable", "minus-return", at=LATE, value=0.5625),
            "<",
            0.4,
            published="minimax makes what cannot be solved (Dennis et al. 2020)",
            about="less than one board in six; its entropy keeps twice as many in play",
            expect="refuted",
        ),
    ),
    figures=(
        el.Figure("course", draw_course, "Worst-case regret, return and what is set; bands are 95 % of the mean."),
        el.Figure(
            "boards", draw_boards, "Regret on the 27 boards that can be solved, and the nearest and farthest goal."
        ),
    ),
)
