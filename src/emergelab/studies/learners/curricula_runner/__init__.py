"""Teachers meet a runner that really learns: what it can come to do depends on its legs, and nobody tells them.

## What it is

In `curricula` a student is a map on which counting stands in for learning. Here it is a network that learns to run and
jump by rewards, as in the paper of Portelas, Colas, Hofmann and Oudeyer (2019): a task is a track with stumps of some
height and spacing, and the teacher sees nothing but tasks and how far the runner came. It knows neither how high this
body can jump nor that there is such a limit.

What is asked is whether the findings of the toy world hold where forgetting, generalisation and chance are the
learner's own: whether teachers that favour progress are better than chance, do not waste their time on what is
impossible, and make an order from easy to hard that suits the body.

## How it works

The world (`emergelab.worlds.track`) is a plane seen from the side: 30 m of flat ground with stumps of 0 to 3 m, one
every 2 to 8 m. The body is a point with legs. It may run, brake or bend its legs; when it stretches them again it
jumps, the higher the longer they were bent (half a second for all of it). Flight is ballistic, with a little push
forwards. Feet that come down on a stump stand on it; who meets its side stops dead. An episode ends at the end of the
track or after 12 seconds, 120 steps. The body sees its own motion, how far off the next stump and the edge below it
are, how much higher than its feet the next stump is, and what is left of way and time.

A jump is v^2 / 2g high: 1.8 m for the default body, 0.75 m with short legs (`alp-gmm-short`), 3 m with long ones. So
40 %, 75 % and none of the tasks are impossible; 80 % for the default body where stumps are up to 9 m high
(`alp-gmm-tall`).

The runner is a network (two hidden layers of 32 units for what to do, two for what it is worth) that proximal policy
optimisation improves. One step is a round: a teacher sets 100 tasks, each is played in a lane of its own, the network
is improved once, and the teacher hears the returns, which are the shares of the track that were covered. Jumping high
takes several steps in a row of an action that brings nothing by itself, so chance does not find it; who can jump low
stumps finds higher ones by doing a little more of the same.

Teachers are those of `curricula`, who fit anew each round: `random`, `oracle` (a window from low stumps far apart to
high ones close together), `riac`, `covar-gmm`, `alp-gmm`, and `plr` at the larger sizes. In `alp-gmm-deaf` the returns
of a round change places before the teacher hears them.

A task is *mastered* if more than nine tenths of the track are covered when the network's likeliest action is always
taken. Fifty tasks that are spread evenly over the usual range are kept for this test, in every condition.

Sites for interventions: `task`, `outcome`, `heard` and `progress` as in `curricula`; of the runner `play.seen`,
`play.action`, `advantage`, `grad.*`, `update.*`, `rate` and `state.athlete.net.*`, its weights.

    blind = el.Ablate("play.seen", during=(12, 24))  # it learns on, and sees nothing
    easy = el.Clamp("task", 0.1, during=(0, 6))  # low stumps, close together
    deaf = el.Ablate("heard", during=(6, 24))  # the teacher hears of failures only

## Things to notice

- The network really learns, and chance is a teacher too: with random tasks the default body masters 29 % of the test
  after 24 rounds, with ALP-GMM 39 %. For ten rounds nothing is mastered while returns rise: jumps are made by chance
  long before they are the likeliest thing to do.
- The more is impossible, the more a teacher is worth. With short legs random tasks get one runner of ten off the ground
  (1 %), ALP-GMM 21 % of the 26 % that are within a jump; with stumps up to 9 m it is 1 % against 39 %, as much as
  without them.
- Nobody tells ALP-GMM what a body can jump, and yet its tasks stop at that height: a tenth of them is too high, where
  two in five of the random ones are; with short legs a sixth, where three in four are. Most of what is left is the one
  task in five that it sets at random.
- There is an order from low to high that is the body's own, but a weak one (rank correlation 0.28, where the window of
  the oracle has 0.91): low stumps go on being set beside higher ones. RIAC has hardly any order (0.06) and does nearly
  as well. What matters here is rather what is left out.
- All this is about speed. After a million steps (size `full`) random tasks have brought the default body as far as
  ALP-GMM has, and so nearly for short legs and tall stumps: in this world what teachers save is time.
- A teacher that hears the returns of other tasks is no better than chance, on average, and less reliable.
- As in `curricula` the window of an expert does not beat those who find out by themselves; unlike there Covar-GMM is
  not ahead of ALP-GMM.
- Nothing that is too high is ever passed. Close stumps are the other limit: they cost more time than there is.

## Things to try

- `emergelab run curricula-runner --set random=0`: does ALP-GMM need chance, when only a fifth of its tasks is chance?
- `--set taller=0.5`: if every task is possible, what is left of the teachers' advantage?
- `--set entropy=0`: a runner that explores less. Whose tasks depend on it most?
- `--set discount=0.9`: a runner that does not look far enough ahead to bend its legs.
- `--condition random-long`: everything is possible for these legs. Do they need a teacher?
- `--clamp "heard=1@6:12"`: for six rounds the teacher hears that all goes well. How long does it believe that?

## Differences from the paper

- The body, the tracks and the physics are ours. The paper's walkers have two legs with four joints and learn to walk
  first; this one can run from the start, and what it has to find are jumps.
- PPO with networks of 2 x 32 for SAC with 400 and 300; 288,000 steps for 20 million; returns are shares of the track.
- Mixtures are fitted to the last 100 tasks for 250, with 2, 4 or 6 Gaussians for 2 to 10, by 12 turns of EM.
- All teachers hear of a whole round at once; in the paper RIAC and the window hear of each episode.
- A task is mastered above 0.9 of the track, where walkers had a return of 230 of some 300.
- Hexagon tracks, with tasks of twelve dimensions, are left out.

## References

- R. Portelas, C. Colas, K. Hofmann, P.-Y. Oudeyer: Teacher algorithms for curriculum learning of Deep RL in
  continuously parameterized environments, CoRL 2019, arXiv 1910.07224, and their code, flowersteam/teachDeepRL.
- J. Schulman, F. Wolski, P. Dhariwal, A. Radford, O. Klimov: Proximal policy optimization algorithms, arXiv 1707.06347
  (2017).
- A. Baranes, P.-Y. Oudeyer: R-IAC: Robust intrinsically motivated exploration and active learning, IEEE TAMD 1 (2009).
- C. Moulin-Frier, S. M. Nguyen, P.-Y. Oudeyer: Self-organization of early vocal development in infants and machines,
  Frontiers in Psychology 4 (2013): covariance as a sign of progress.
- M. Jiang, E. Grefenstette, T. Rocktäschel: Prioritized Level Replay, ICML 2021, arXiv 2010.03934.
- M. Roberts: The unreasonable effectiveness of quasirandom sequences (2018): where the test's tasks lie.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions, tall, with_body
from ._figures import figures
from ._system import Running
from ._view import view

__all__ = ["Running", "study"]

_SMALLEST = (
    *(with_body(teacher, body) for teacher in ("random", "alp-gmm") for body in ("default", "short")),
    *(tall(teacher) for teacher in ("random", "alp-gmm")),
    with_body("alp-gmm", "long"),
    "alp-gmm-deaf",
)
_QUICK = ("oracle", "riac", "covar-gmm", *_SMALLEST)

study = el.Study(
    slug="curricula-runner",
    family="learners",
    papers=(
        el.Paper(
            "Teacher algorithms for curriculum learning of Deep RL in continuously parameterized environments",
            authors="Rémy Portelas, Cédric Colas, Katja Hofmann, Pierre-Yves Oudeyer",
            year=2019,
            url="https://arxiv.org/abs/1910.07224",
        ),
    ),
    system=Running,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=4,
            every=1,
            seeds=5,
            set={
                "episodes": 10,
                "limit": 20,
                "width": 4,
                "passes": 1,
                "parts": 2,
                "memory": 4,
                "gaussians": 4,
                "iterations": 2,
            },
            conditions=_SMALLEST,
            about="four rounds of ten episodes of two seconds: mechanics only, nothing is learnt",
        ),
        "quick": el.Size(
            steps=24,
            every=2,
            seeds=10,
            set={"memory": 24},
            conditions=_QUICK,
            about="288,000 steps a runner for 20 million, PPO with 2 x 32 units for SAC with 400 and 300; PLR, and "
            "most teachers with other bodies, are left out",
        ),
        "full": el.Size(
            steps=80,
            every=4,
            seeds=16,
            set={"memory": 80},
            about="a million steps a runner; all teachers with all bodies, and with tall stumps",
        ),
        "paper": el.Size(
            steps=667,
            every=23,
            seeds=32,
            set={"episodes": 250, "width": 400, "memory": 667, "gaussians": 10, "apart": 1, "iterations": 30},
            about="20 million steps and 32 seeds, a fit every 250 episodes with all numbers of Gaussians. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    view=view,
    page=__doc__,
)
