"""A teacher that sees nothing but tasks and returns finds the frontier of what a student can learn.

## What it is

Nobody tells the teacher what is easy, hard or impossible. It sets a task, a number in a square, hears what the
student returned, and sets the next one. If it favours tasks on which returns have *changed*, an order from easy to
hard appears by itself, tailored to whoever is being taught. Portelas, Colas, Hofmann and Oudeyer (2019) showed it with
walkers that learn to run over stumps; their toy world, in which a student's ability is a map that can be looked at, is
rebuilt here, with the teachers of the literature as plugs.

Order that comes out of a loop between two systems that adapt to each other is the theme of this laboratory; there is
hardly a smaller case of it. The study `curricula-classroom` goes on with teachers that remember earlier students.

## How it works

The unit square is cut into ten times ten cubes. An episode in a cube adds 1 to the student's competence there, up to
100, if the cube is *open*: the one in the corner, or one that comes after a cube of competence 75 (to the left, below,
or both). The return is the competence over 100. A cube is *mastered* above 75. Where `hopeless` is 0.5, half of the
task space can never be learnt, and the cubes are pressed into the other half. Where `forgetting` is 0.1, a cube loses
a tenth of its competence in 1,000 episodes without a visit. One step is a block of 250 episodes.

Teachers, with the defaults of the authors' code where there is one:

- `random`: all tasks are equally likely.
- `oracle`: a window of a sixth of each range moves along the diagonal whenever the mean of 50 returns is above 0.75.
- `adr`: a box around the easy corner, a border of which moves when tasks on it are done perfectly.
- `plr`: four in five tasks are old ones, by rank of how much their return changed when they last came, and by age.
- `riac`: boxes in proportion to their learning progress, that is how much the mean return of their newer tasks
  differs from that of their older ones; a box with more than 200 tasks splits where progress differs most.
- `covar-gmm`: a mixture of Gaussians over (task, time, return), fitted every 250 episodes to the last 250; a Gaussian
  is worth the covariance of its times and returns.
- `alp-gmm`: a mixture over (task, progress), where progress is the distance of a return to that of the nearest earlier
  task, better or worse; a Gaussian is worth its mean progress.

The last two set one task in five at random; the number of Gaussians is that with the least AIC.

Shown are the cubes mastered, the difficulty of tasks (distance of their cube from the corner), their distance to the
nearest cube in work, the share of tasks where nothing can be learnt (or no more), the entropy of tasks over cubes, and
maps of competence, of tasks and of Gaussians.

Sites for interventions: `task` (what is set), `outcome` (what comes out), `heard` (what the teacher is told),
`progress` (what ALP-GMM makes of it), `state.pupil.competence`, and all of `state.teacher`.

    deaf = el.Ablate("heard", during=(40, 60))  # the teacher is told of failures only
    easy = el.Clamp("task", 0.05, during=(0, 10))  # the student is kept in the easy corner
    stroke = el.Clamp("state.pupil.competence", 0.0, where=mask, during=(40, 41))  # any cubes you like

## Things to notice

- The order is there: the mean distance of tasks from the easy corner follows the frontier, in whichever corner it
  begins. Random sampling masters 4 cubes in 20,000 episodes, ALP-GMM 36. If the teacher hears the returns of other
  tasks, nothing is left of that.
- Impossible tasks hardly disturb teachers that look at progress: with half of them impossible ALP-GMM keeps 85 % of its
  score, random sampling 23 %. RIAC even gains, since its boxes need not be shared among as many tasks that wait.
- Dimensions that do not matter halve the score of RIAC and raise that of ALP-GMM, to 48: the nearest earlier task is
  then near in what does not matter, so that progress is told more evenly.
- In this world ALP-GMM is the slowest of those that adapt. Covar-GMM masters 66 cubes, RIAC 46. Nothing is forgotten
  here, so the nearest earlier task in all the past is likely to be an old one: a cube goes on looking as if there were
  progress long after it has been mastered. In the heat maps its tasks lag behind the frontier, those of Covar-GMM
  do not.
- A student that forgets narrows the gap (23 against 28) but does not turn it round, as might have been expected from
  the walkers, on which ALP-GMM was at least as good. RIAC, whose boxes forget as well, is best then.
- What the absolute value is for shows with such a student only: without it ALP-GMM loses nearly half of its cubes (13
  against 23). With a student that never forgets it makes no difference.
- A mixture that is frozen at half-time still helps for a while, then no more: 21 cubes instead of 36.
- When another student takes over at half-time, the teacher is worse than useless: 3 cubes after 10,000 episodes, where
  it takes a fresh one to 14. It remembers all that the first one could do, and finds progress everywhere.
- How often a teacher listens matters much for PLR: looking every 10 episodes it masters 60 cubes, every 25 only 38, for
  in one round it sets the same few tasks again and again.

## Things to try

- `emergelab run curricula --set fit=50`: a teacher that thinks five times as often.
- `--set random=0`: does it need chance at all?
- `--set growth=around`: the easy cube lies in the middle, and cubes open those that share a face with them.
- `--set forgetting=0.3`: is there a rate of forgetting at which no teacher gets beyond the corner?
- `--clamp "heard=0@20:40"`: what does it take to lead a teacher astray, and how long does it take to come back?
- Write a student of your own: whatever has `attempt(state, tasks, key) -> (state, returns)` can sit in the chair.

## Differences from the paper

- Tasks are squares on a map and learning is counting. What stands in for the walkers, a runner whose network learns by
  rewards, is the study `curricula-runner`.
- Impossible tasks and forgetting are ours; the authors' toy has neither.
- EM takes 12 turns from 3 sweeps of k-means; numbers of Gaussians are 2, 4, 6, 8 and 10; covariances have 1e-6 added
  to their diagonals. Scikit-learn, which the authors use, stops by itself, and they try all numbers from 2 to 10.
- RIAC, PLR, ADR and the window look at what they heard every 25 episodes, not after each.
- RIAC's cuts are scored by the number of tasks on either side times the difference in progress. In the authors' code
  the first factor is the length of a pair, twice, and so always 4 (condition `riac-legacy`).
- PLR has no errors of a value function to go by; the change of the return stands in for them.
- The window's threshold is 0.75, the competence that opens the next cubes, where walkers had a return of 230.

## References

- R. Portelas, C. Colas, K. Hofmann, P.-Y. Oudeyer: Teacher algorithms for curriculum learning of Deep RL in
  continuously parameterized environments, CoRL 2019, arXiv 1910.07224, and their code, flowersteam/teachDeepRL.
- A. Baranes, P.-Y. Oudeyer: R-IAC: Robust intrinsically motivated exploration and active learning, IEEE TAMD 1 (2009).
- C. Moulin-Frier, S. M. Nguyen, P.-Y. Oudeyer: Self-organization of early vocal development in infants and machines,
  Frontiers in Psychology 4 (2013): covariance as a sign of progress.
- M. Jiang, E. Grefenstette, T. Rocktäschel: Prioritized Level Replay, ICML 2021, arXiv 2010.03934.
- OpenAI: Solving Rubik's Cube with a Robot Hand, arXiv 1910.07113 (2019): automatic domain randomisation.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import USELESS, conditions, useless
from ._figures import figures
from ._system import Curricula

__all__ = ["Curricula", "study"]

_ALL = conditions()
_LONG = tuple(name for name in _ALL if name.endswith(("-3d", "-4d")))
_SWEEPS = (
    *(useless(t, n) for t in ("riac", "alp-gmm") for n in USELESS[:2]),
    *(name for name in _ALL if name.startswith(("alp-gmm-fit", "alp-gmm-random")) or name == "riac-legacy"),
)
_QUICK = tuple(name for name in _ALL if name not in (*_LONG, *_SWEEPS))
_CHEAP = ("random", "alp-gmm")

study = el.Study(
    slug="curricula",
    family="learners",
    papers=(
        el.Paper(
            "Teacher algorithms for curriculum learning of Deep RL in continuously parameterized environments",
            authors="Rémy Portelas, Cédric Colas, Katja Hofmann, Pierre-Yves Oudeyer",
            year=2019,
            url="https://arxiv.org/abs/1910.07224",
        ),
    ),
    system=Curricula,
    conditions=_ALL,
    sizes={
        "tiny": el.Size(
            steps=8,
            every=1,
            seeds=5,
            set={"cubes": 4, "block": 50, "fit": 50, "memory": 8, "gaussians": 4, "iterations": 4},
            conditions=tuple(name for name in _QUICK if name.startswith(_CHEAP) and "useless" not in name),
            about="16 cubes, 400 episodes: mechanics only",
        ),
        "quick": el.Size(
            steps=80,
            every=4,
            seeds=12,
            conditions=_QUICK,
            about="the authors' toy as it is, 20,000 episodes, with fewer numbers of Gaussians to choose from",
        ),
        "full": el.Size(
            steps=400,
            every=8,
            seeds=32,
            set={"memory": 400},
            about="five times as many episodes, three and four dimensions, more useless ones, faster fits",
        ),
        "paper": el.Size(
            steps=80,
            every=4,
            seeds=32,
            set={"apart": 1, "iterations": 30},
            conditions=("random", "riac", "covar-gmm", "alp-gmm"),
            about="the toy world of the authors' code with all numbers of Gaussians. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
