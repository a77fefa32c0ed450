"""Who makes the levels decides what is learnt: chance, an opponent, a store of levels, or a designer paid by regret.

## What it is

An agent that is to walk any maze needs mazes to learn from. Mazes at random are mostly easy. A designer that is paid
when the agent fails makes mazes that nobody can solve. Dennis et al. (2020) pay it by *regret* instead: a second
student, the antagonist, walks the same mazes, and the designer gets what the antagonist got minus what the protagonist
got. A maze that cannot be solved has no regret, nor has one that both master; so the designer should stay at the edge
of what the protagonist can do, and the mazes should become more complex as it learns. That is PAIRED. Jiang et al.
(2021) keep the levels from which there was most to learn and play them again: PLR, and *robust* PLR if the agent
learns from replayed levels only; REPAIRED is PAIRED with such a store. In ACCEL (Parker-Holder et al. 2022) nobody
designs: levels of the store are edited at random, and those from which there is most to learn stay.

## How it works

A board has 7 x 7 cells. A student sees the 5 x 5 cells in front of it, turns left or right or steps forward, and gets
1 - 0.9 t / T for reaching the goal at step t; T is 32. It is a small network without memory that learns by proximal
policy optimisation. A designer begins with an empty board and random numbers, puts up to 16 walls, then the goal, then
the agent, and is paid once, at the end.

One step of the system is one update, a lesson of `levels` levels, each played in `tries` lanes side by side for T
steps, over and over:

1. Chance, the designer, or edits of the last lesson's levels make new ones. With probability `replay`, once the store
   is half full, the lesson comes from the store instead: by rank of score, and the longer not played the likelier.
2. The protagonist plays and learns, and so does the antagonist beside a designer. With `robust` 1 they learn from
   lessons out of the store only; new levels are played to be scored.
3. A level's score is the antagonist's lead: its best first episode minus the mean of the protagonist's. Without an
   antagonist it is the protagonist's own lead: the best it ever got there, minus what it gets now. The store keeps the
   levels with the highest scores.
4. The designer is paid the scores of what it has drawn (or minus the protagonist's return), and learns.

Every level has the same number of first episodes, so a best try is not better for those who finish sooner.

`path` is the shortest way from agent to goal of the lesson's levels (0 if there is none), `blocks` their walls,
`solvable` how many can be solved, `solved` how many the protagonist solves, `solved_path` the ways of those. `regret`
is true regret: the best possible return, by breadth-first search over places and directions, minus the protagonist's.
`payment` is what the designer believes it to be. `transfer` is how often test mazes are solved that nobody was trained
on: nine drawn by hand, in twice the time; `hard` is the mean over two labyrinths and three perfect mazes.

Sites for interventions: `z` (the designer's noise), `paid`, `wall` (the lesson's walls), `state.*`, and under each of
`protagonist`, `antagonist` and `designer` what it sees and does in `play` (`seen`, `action`, `reward`, `logits`,
`value`), and how it learns (`advantage`, `learn.logits`, `learn.value`, `grad.PATH`, `update.PATH`, `rate`).

    quiet = el.Ablate("z")                                           # the designer has no noise
    frozen = el.Ablate("protagonist.update.*", during=(70, None))    # the protagonist learns no more
    blind = el.Ablate("antagonist.play.seen")                        # the antagonist sees nothing

## Things to notice

- Paid by minus the return, the designer needs a hundred updates to make nine levels in ten unsolvable; its student then
  learns nothing more and forgets some of what it knew. Paid by regret, it leaves a way open on nearly all boards.
- Under PAIRED the way grows from under five cells to nearly seven *while walls fall* from twelve to eight: on boards of
  this size the designer puts goal and agent far apart rather than build corridors. How much is to be done and how much
  is built are two things. Seeds differ so much that eight do not settle it; twenty others do.
- Nobody needs to design. Random levels that come again when there is something left to learn on them (PLR, robust PLR,
  ACCEL) have ways that begin at three cells, shorter than at random, and grow to nearly seven; those of random levels
  stay at four and a half. A curriculum from easy to hard that nobody wrote.
- More complex lessons do not make a better walker of other mazes here. Over twenty seeds PAIRED solves *fewer* of the
  mazes that nobody was trained on than random levels do (.24 against .29), as in the re-run by Jiang et al. and against
  the first paper: its designer draws a narrow kind of level. Perfect mazes are hardly solved by anybody.
- What the designer is paid is less than half of true regret, for the antagonist is another learner and not an oracle.
  The study `minimax-regret` shows what becomes of this where everything is exact.

## Things to try

- `--set tries=4`: the antagonist's best of four. Does the designer still tell skill from luck?
- `--set designer_entropy=0.05`: a designer that keeps trying other things.
- Run `copy`: without regret nothing drives the designer. Do its levels stay random?
- Run `swapped`: how many updates does it take from solvable to unsolvable levels?
- `--set units=32`: students with a memory. What does the view of 5 x 5 cells hide from those without?

## Differences from the paper

- Boards of 7 x 7 in place of 13 x 13 (MiniGrid's 15 x 15 with its border), episodes of 32 steps in place of 250, 150
  updates in place of tens of thousands. Students have no memory and 64 hidden units, where the papers' have an LSTM
  behind a convolution; `units` gives them a recurrent layer.
- The order of placement is walls, goal, agent, and a wall may be put where one stands, as in the re-implementation by
  Jiang et al.; the first paper begins with goal and agent. The designer sees eight normal numbers, drawn once a level.
  JaxUED multiplies them by a switch that is off by default; here `z=0` is the ablation.
- The designer is paid the difference itself, not the part of it above 0: over noise the positive part is never 0.
- Every level has the same number of first episodes, and only those count. In the papers who arrives sooner has more
  episodes in a rollout, hence a larger maximum.
- Without an antagonist a level's score is the protagonist's best return there minus its mean return now. Jiang et al.
  subtract the values that the network predicts (MaxMC) or take the positive part of the advantage. The latter was tried
  here first: averaged over time it is largest on the shortest ways, and the store filled with levels of one step.
- Ranks count with temperature 1 and staleness 0.3 (0.3 and 0.3, or 0.1 and 0.3 in the papers' code): the store has 128
  places, not 4000, and a lesson of 32 levels would be one level played 32 times. Lessons come from the store with
  probability 0.8 as in JaxUED, 0.5 for REPAIRED.
- ACCEL edits the levels of its last lesson three times each, and begins with random levels, not with empty boards.
- An episode ends at its limit and nothing is added for what might have come, as in the papers' code.
- Not built: populations of students (for PAIRED and for minimax), a designer with a memory, levels' novelty against the
  last thousand (`diversity` is within a lesson), damage to a student's memory, and ALP-GMM on numbers of walls and
  distance. True minimax regret has a study of its own, `minimax-regret`.
- Learning rates (0.002 and 0.003 for the designer) and the number of updates were chosen after a first look at three
  seeds; margins before.

## References

- M. Dennis et al. (2020). Emergent complexity and zero-shot transfer via unsupervised environment design.
  https://arxiv.org/abs/2012.02096
- M. Jiang et al. (2021). Replay-guided adversarial environment design. https://arxiv.org/abs/2110.02439
- J. Parker-Holder et al. (2022). Evolving curricula with regret-based environment design.
  https://arxiv.org/abs/2203.01302
- S. Coward, M. Beukman, J. Foerster (2024). JaxUED: a simple and useable UED library in Jax.
  https://arxiv.org/abs/2403.13091
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._figures import draw_gallery, draw_growth, draw_regret, draw_transfer
from ._system import EnvironmentDesign
from ._view import view

__all__ = ["study"]

DESIGNER = {"maker": "designer"}
SHOWN = ("dr", "minimax", "paired", "repaired", "plr", "robust-plr", "accel")

study = el.Study(
    slug="environment-design",
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
        el.Paper(
            "Evolving Curricula with Regret-Based Environment Design",
            authors="J. Parker-Holder, M. Jiang, M. Dennis, M. Samvelyan, J. Foerster, E. Grefenstette, T. Rocktäschel",
            year=2022,
            url="https://arxiv.org/abs/2203.01302",
        ),
    ),
    system=EnvironmentDesign,
    conditions={
        "dr": el.Condition(about="domain randomisation: walls, goal and agent at random"),
        "minimax": el.Condition({**DESIGNER, "payment": "minus return"}, about="paid by minus the return"),
        "paired": el.Condition(DESIGNER, about="a designer paid by the antagonist's lead"),
        "repaired": el.Condition({**DESIGNER, "replay": 0.5, "robust": 1}, about="PAIRED with a store of levels"),
        "plr": el.Condition({"replay": 0.8}, about="random levels, of which the best come again"),
        "robust-plr": el.Condition({"replay": 0.8, "robust": 1}, about="PLR that learns from the store only"),
        "accel": el.Condition({"replay": 0.8, "robust": 1, "edits": 3}, about="robust PLR whose new levels are edits"),
        "copy": el.Condition({**DESIGNER, "rival": "copy"}, about="the protagonist is its own antagonist: no regret"),
        "mean": el.Condition({**DESIGNER, "rival": "mean"}, about="PAIRED with the antagonist's mean try"),
        "quiet": el.Condition({**DESIGNER, "z": 0.0}, about="PAIRED without noise for the designer"),
        "swapped": el.Condition({**DESIGNER, "swap": 70}, about="PAIRED, paid by minus return from update 70"),
        "frozen": el.Condition({**DESIGNER, "freeze": 70}, about="PAIRED, the protagonist stops learning at 70"),
        "no-walls": el.Condition({**DESIGNER, "budget": 0}, about="PAIRED without walls"),
        "few-walls": el.Condition({**DESIGNER, "budget": 6}, about="PAIRED with six walls"),
        "short-ways": el.Condition(
            {"replay": 0.8, "robust": 1, "longest": 6}, about="robust PLR that keeps no level with a longer way than 6"
        ),
    },
    sizes={
        "tiny": el.Size(
            seeds=2, steps=4, every=2, conditions=("dr", "robust-plr", "accel", "paired", "copy"),
            set={"levels": 4, "walls": 6, "budget": 6, "limit": 8, "kept": 4, "width": 8, "passes": 1, "parts": 2,
                 "test_limit": 8, "tests": 1, "random_tests": 4},
            about="mechanics only: four levels a lesson and eight steps an episode",
        ),
        "quick": el.Size(
            seeds=8, steps=150, every=10, conditions=SHOWN,
            about="7 x 7 boards in place of 13 x 13, 0.3 million steps a student in place of 250 million, networks of "
            "64 units without memory in place of recurrent ones; the interventions belong to size full",
        ),
        "full": el.Size(
            seeds=16, steps=400, every=20,
            about="boards and networks of the quick size, but all conditions, and 0.8 million steps a student",
        ),
        "paper": el.Size(
            seeds=10, steps=30_000, every=600, conditions=SHOWN,
            set={"size": 13, "walls": 25, "budget": 25, "limit": 250, "test_limit": 250, "units": 256, "kept": 4000,
                 "rate": 1e-4, "discount": 0.995, "trace": 0.98, "entropy": 1e-3, "parts": 1, "passes": 5, "tries": 1,
                 "tests": 10},
            about="boards, limits, learning rates and memory of the papers, for a GPU; not run",
        ),
    },
    claims=claims,
    figures=(
        el.Figure("gallery", draw_gallery, "Levels of one seed along the training: wall black, goal green, agent red."),
        el.Figure("growth", draw_growth, "What lessons are like and how far they are mastered; bands: 95 %."),
        el.Figure("transfer", draw_transfer, "Test mazes at the end of training; a dot is a seed."),
        el.Figure("regret", draw_regret, "Regret against the length of the way, and regret as it is paid."),
    ),
    view=view,
)  # fmt: skip
