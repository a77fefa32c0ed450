"""A teacher that remembers earlier students spares new ones the search for what suits them.

## What it is

In `curricula` a teacher finds out by itself what a student can learn next. It takes time: until something has been
learnt there is no progress to see. Portelas, Romac, Hofmann and Oudeyer (2020) ask what a teacher may gain that has
taught many students before, whose bodies differed. Their answer, AGAIN, gives each newcomer a short course and a test,
looks for earlier students, the *elders*, that knew the same things at that age, picks the one of them that came
furthest, and takes the newcomer through what that elder went through.

Bodies are not told to the teacher. Whether matching by knowledge finds the right elder, and whether it matters, is what
is tested here, in a world where the right answer is known.

## How it works

Students and their cubes are those of `curricula`. Bodies differ in which of the four corners of the task space is easy
(condition `corners`) or, with cubes that open those they share a face with, in which of the hundred cubes (`around`).

A seed is a school. In the first half of a run its elders learn with ALP-GMM, each alone. Of each remain the Gaussians
of every fit with their mean progress, what it returned at the end of the block in which they were used (its *bar*), its
competence in all cubes at the time of the test, and how far it came. Gaussians of little progress (`floor`) are struck
out, and stages that are left with none.

In the second half new students come, with bodies by lot, and are taught in several ways side by side, with the same
random numbers:

- `scratch`: ALP-GMM alone.
- `R`, `T`, `P`: ALP-GMM for `pretest` blocks; then the elder's Gaussians beside those that their own ALP-GMM goes on
  fitting, chosen in proportion to progress. `R` goes on to the elder's next stage when the last 10 returns on its tasks
  are as good as the elder's were; `T` does so every 250 episodes; `P` offers all stages at once. Elders are found by
  knowledge: the best of the three nearest.
- `R-random`, `R-body`: as `R`, with an elder by lot, or the best one with the student's own body.
- `R-backwards`: as `R`, the last stage first.

While an elder is followed one task in fifty is random, afterwards one in ten.

Sites for interventions: `task`, `outcome`, `heard` and `progress` of elders and all of `state`, for instance
`state.students.elder` (whom a student follows) and `state.elders.knowledge`.

    fame = el.Clamp("state.students.elder", 0, during=(90, 91))  # everybody follows the first elder

## Things to notice

- With four bodies a student that follows an elder found by knowledge masters 47 cubes, one from scratch 35. All elders
  so found have the student's own body, so nothing is lost against the truth (`R-body`).
- The wrong elder is worse than none (27 cubes), and so is the right one backwards (19): what is handed on is an order.
- At the elder's own pace (`T`) students come as far as the elder did, and no further (34). It is the bar that lets them
  overtake it. All stages at once (`P`) help at first and hinder later.
- With a hundred bodies and twelve elders hardly any student has its like, and then tradition does not pay: 34 cubes
  with an elder found by knowledge, 36 from scratch. Knowledge vectors tell it: the distance to the elder is 20 there,
  hardly less than to one by lot (23), and 8 with four bodies.
- Who follows an elder gets one random task in fifty, who is taught from scratch one in five. So not all of the gain
  need be the elder's; comparisons among followers are free of this.

## Things to try

- `emergelab run curricula-classroom --set pretest=2`: how little must be known of a student to find its like?
- `--set floor=0`: are the Gaussians of little progress a burden?
- `--set elders=48`: does a larger classroom help those with rare bodies (`around`)?
- `--set k=1`: the nearest elder, however badly it did.

## Differences from the paper

- The toy world only, with 10 x 10 cubes, 20,000 episodes a life and a dozen elders in each of several schools, where
  the authors have 20 x 20 cubes, 200,000 episodes and one classroom of 128.
- The best of 3 elders, not of 5, since there are fewer.
- When an elder's curriculum ends only the student's own Gaussians are left. The authors keep those of the last stage
  and estimate their progress anew.
- The bar is the mean over the elder's last 50 tasks that were not random, of all Gaussians in use.
- The students of arm `scratch` get as many random tasks as elders did.

## References

- R. Portelas, C. Romac, K. Hofmann, P.-Y. Oudeyer: Meta Automatic Curriculum Learning, arXiv 2011.08463 (2020), and
  their code, flowersteam/meta-acl.
- R. Portelas, C. Colas, K. Hofmann, P.-Y. Oudeyer: Teacher algorithms for curriculum learning of Deep RL in
  continuously parameterized environments, CoRL 2019, arXiv 1910.07224.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import AROUND, CORNERS, conditions
from ._figures import figures
from ._system import Classroom

__all__ = ["Classroom", "study"]

study = el.Study(
    slug="curricula-classroom",
    family="learners",
    papers=(
        el.Paper(
            "Meta Automatic Curriculum Learning",
            authors="Rémy Portelas, Clément Romac, Katja Hofmann, Pierre-Yves Oudeyer",
            year=2020,
            url="https://arxiv.org/abs/2011.08463",
        ),
    ),
    system=Classroom,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=12,
            every=1,
            seeds=5,
            set={
                "cubes": 4,
                "block": 50,
                "learn": 6,
                "elders": 4,
                "students": 2,
                "pretest": 2,
                "gaussians": 4,
                "iterations": 4,
            },
            conditions=(CORNERS, AROUND),
            about="16 cubes, four elders, 300 episodes a life: mechanics only",
        ),
        "quick": el.Size(
            steps=160,
            every=4,
            seeds=10,
            conditions=(CORNERS, AROUND),
            about="10 x 10 cubes, 20,000 episodes a life, 12 elders; published 20 x 20, 200,000 and 128",
        ),
        "full": el.Size(
            steps=160,
            every=4,
            seeds=32,
            set={"elders": 32, "students": 8, "k": 5},
            about="32 elders and 8 students in each of 32 schools; all settings",
        ),
        "paper": el.Size(
            steps=1600,
            every=40,
            seeds=5,
            set={"cubes": 20, "learn": 800, "elders": 128, "students": 24, "k": 5, "pretest": 40, "apart": 1},
            conditions=(CORNERS, AROUND),
            about="20 x 20 cubes, 200,000 episodes a life, 128 elders, the best of 5. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
