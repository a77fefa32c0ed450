"""Sparse rewards: search for what is new in a space that is learnt, and climb where something pays.

## What it is

Where nearly nothing pays, reward is no guide: almost every try earns nothing, and what earns nothing has no slope to
climb. Novelty search (Lehman and Stanley 2011) looks for behaviour that is unlike what is known, and so comes by what
pays without looking for it. But unlike in what? Somebody has to say what of a behaviour counts, x and y of where it
ends for instance, and that is knowledge of the task. Paolo et al. (2024, STAX) let the search learn a description by
itself, from pictures of where behaviours end, while it goes on. And where something pays, small local searches for
reward, emitters, climb. Exploring and climbing take turns.

## How it works

A body (`emergelab.worlds.plane`) begins in the second of four corridors that are joined at their ends, 76 free cells
in all, and has 60 steps of up to 0.4 cells in x and y. A network with two hidden layers of 5 units steers it, which
sees the place and how late it is; its 62 weights are the genome. There are four areas with a radius of 0.8 cells. Who
ends in one is paid for the last 15 steps, each from 0 at the area's edge to 1 in its middle: to be paid well one has to
arrive early and stand still. One step of the system is 36 episodes, for everybody:

- *Exploring*: 18 parents have two mutated children each. The 18 of all 54 that are most novel are the next parents, and
  5 children, at random, go to the archive. Novelty is the mean distance to the 15 nearest among parents, children and
  archive. In half of the steps of TAXONS and STAX (`surprise`) those are bred that are reconstructed worst.
- *Emitters*, after 12 steps of exploring, for up to 12 steps: each child that was paid is a candidate. The candidate
  most novel among paid solutions is tried out for six generations of six; if the mean reward of the last three lies
  above that of the first three, it becomes an emitter. After 8 steps, or when no candidates are left, one of the
  emitters that no other beats both in novelty and in improvement goes on. It stops when its best reward has not risen
  for 6 steps. An emitter is an evolution strategy (`kind` elitist: parents and children compete) or separable CMA-ES
  (`emergelab.rl.evolution`). How wide it draws at first follows from the distance to the nearest genome.
- *Training*, after 1, 3, 6, 10, ... times 12 steps: an autoencoder learns to reconstruct pictures of 8 x 8 pixels of
  where all that is kept has ended, the body a blurred spot, through 10 numbers. These are the description. All that is
  kept is described anew.

Conditions take parts away. `serene` is told x and y and has emitters, `taxons` learns and has none, `ns` is told x and
y and has none. `stax-untrained`: the encoder stays as it was drawn. `ns-picture`: novelty is measured on the pixels.
`map-elites` breeds the best of each cell of x and y. `cma-es` is a single emitter that begins in the middle and starts
anew at its best. `random` draws genomes.

Sites: `child`, `code`, `picture`, `reward`, `novelty`, `score`, `play.seen`, `play.action`, `best.seen`,
`best.action`, `train.grad.PATH`, `train.update.PATH`, `state.*`.

    blind = el.Ablate("train.update.*", during=(40, None))  # the description stays what it is after 40 steps
    fog = el.Noise("picture", 0.1)                           # children are described by noisy pictures
    poor = el.Ablate("reward")                               # no child counts as paid: emitters never start

How a search spreads, as a moving picture:

    from emergelab.figures.film import animate
    times = run.data.time.values
    animate([study.view.at(run, "stax", 0, int(t)) for t in times], "search.gif")

## Things to notice

- Who is told nothing of the plane finds nearly all that is found by who is told x and y: TAXONS ends in 95 % of the
  cells, novelty search in 98 %. Random genomes come to two thirds of them; reward alone to less than a third.
- Emitters are worth what they cost. They take half of the episodes, and yet STAX and SERENE end in nearly as many cells
  as TAXONS and novelty search, and are paid about a third more.
- CMA-ES alone climbs highest, to 0.91 of 1, in one area, the nearest: it never learns that there are others.
- A learnt description orders distances half as well as could be (rank correlation 0.5), one drawn at random less well
  (0.3), the pixels themselves better (0.6). Little depends on it. Novelty asks only who is *near*, and near places have
  near pictures, whatever is done to them: novelty search on bare pixels explores as much as on x and y. This world is
  too simple to show what learning a description is for.
- MAP-Elites breeds all it has, mostly in the middle of what it knows, and stays short of the last corridor.

## Things to try

- `--set kind=cma`: emitters that learn their step size. Do they climb higher?
- `--set blur=3`: pictures in which distant places are still alike. Is a learnt description worth less, or more?
- `--set surprise=0`: novelty alone. What is the reconstruction error good for?
- `--set chunk=1`: emitters at every other step.
- `--set stay=1`: only the end is paid. Who gains, who climbs or who searches?
- `--set code=2`: as few numbers as the plane has.

## Differences from the paper

- Of the paper itself only the abstract could be read; what is done follows the authors' code. Its worlds (curling,
  a redundant arm, a maze for an ant, seen as 64 x 64 pixels) are replaced by a point in corridors, 8 x 8 pixels, and
  its convolutional autoencoder by dense layers.
- Mutations of 0.05, half a million episodes: size quick has a seventieth of the episodes and mutations of 0.5. The
  authors' emitters draw a third of the distance to the nearest genome wide, 0.13 a weight where mutations are 0.05; at
  mutations of 0.5 that would be 1.3, wider than weights are at the beginning, so size quick divides by 30 and has 0.13.
- The authors' emitters are elitist by default; their CMA-ES (package `cmaes`) learns all covariances, of some 40 to
  100 weights, from six solutions a generation. Here it learns variances only, and needs no eigenvectors.
- An elitist emitter has six children a generation, not twelve, so that all emitters take as many episodes.
- An emitter stops when it has not found better for some steps; the authors compare the ends of a window of some 300
  generations, which is longer than most emitters of size quick live.
- Training makes a fixed number of gradient steps at fixed times; the authors stop by validation error, and count the
  pauses in chunks of exploring only.
- Of an emitter's solutions only the most novel of a step may enter the archive, if it is more novel than any before;
  the authors keep them back until the emitter ends and take five at random.
- At most 8 emitters and 36 candidates wait; then the least improving, or the oldest, make room.
- The first 18 controllers are no candidates.
- CMA-ES alone, like an emitter, starts anew after 6 steps without a better reward.

## References

- G. Paolo, M. Coninx, A. Laflaquière, S. Doncieux (2024). Discovering and exploiting sparse rewards in a learned
  behavior space. Evolutionary Computation 32, 275-305. https://arxiv.org/abs/2111.01919
- G. Paolo, A. Coninx, S. Doncieux, A. Laflaquière (2021). Sparse reward exploration via novelty search and emitters.
  https://arxiv.org/abs/2102.03140
- G. Paolo, A. Laflaquière, A. Coninx, S. Doncieux (2020). Unsupervised learning and exploration of reachable outcome
  space. https://arxiv.org/abs/1909.05508
- J. Lehman, K. Stanley (2011). Abandoning objectives: evolution through the search for novelty alone. Evolutionary
  Computation 19, 189-223.
- J.-B. Mouret, J. Clune (2015). Illuminating search spaces by mapping elites. https://arxiv.org/abs/1504.04909
- R. Ros, N. Hansen (2008). A simple modification in CMA-ES achieving linear time and space complexity. PPSN X,
  296-305.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import CONDITIONS
from ._figures import figures
from ._system import SkillsArchive
from ._view import view

__all__ = ["study"]

study = el.Study(
    slug="skills-archive",
    family="learners",
    page=__doc__,
    papers=(
        el.Paper(
            "Discovering and Exploiting Sparse Rewards in a Learned Behavior Space",
            authors="G. Paolo, M. Coninx, A. Laflaquière, S. Doncieux",
            year=2024,
            url="https://arxiv.org/abs/2111.01919",
        ),
        el.Paper(
            "Sparse Reward Exploration via Novelty Search and Emitters",
            authors="G. Paolo, A. Coninx, S. Doncieux, A. Laflaquière",
            year=2021,
            url="https://arxiv.org/abs/2102.03140",
        ),
    ),
    system=SkillsArchive,
    conditions=CONDITIONS,
    sizes={
        "tiny": el.Size(
            seeds=2, steps=12, every=4, conditions=("stax", "serene", "map-elites", "cma-es", "random"),
            set={"length": 20, "room": 600, "purse": 60, "near": 5, "chunk": 2, "patience": 2, "radius": 4.0,
                 "mutation": 0.3, "updates": 20, "batch": 16, "rate": 0.01, "pixels": 4, "width": 8, "code": 3,
                 "pool": 3},
            about="mechanics only: some 450 episodes, and areas so large that emitters start",
        ),
        "quick": el.Size(
            seeds=12, steps=200, every=20, set={"mutation": 0.5, "wide": 30.0, "updates": 300},
            about="some 7,200 episodes for half a million, hence mutations ten times as large, and emitters as wide "
            "as the authors'; pictures of 8 x 8 pixels and an autoencoder of dense layers",
        ),
        "full": el.Size(
            seeds=16, steps=2000, every=100,
            set={"mutation": 0.2, "wide": 12.0, "updates": 1000, "room": 10_000, "purse": 1000},
            about="ten times as many episodes",
        ),
        "paper": el.Size(
            seeds=15, steps=13_900, every=100,
            set={"updates": 2000, "room": 70_000, "purse": 5000, "chunk": 28, "patience": 55, "pixels": 16,
                 "width": 128},
            about="half a million episodes and the authors' settings in our rooms. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    view=view,
)  # fmt: skip
