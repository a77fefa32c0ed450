"""Distinct, far-reaching behaviours without any reward: what a skill must be tied to.

## What it is

An agent may be left alone with a body and be told nothing. What should it learn? Skills: ways of acting, named by a
number z, that can be told from one another by what they lead to. Eysenbach et al. (2019, DIAYN) pay an agent for
places that tell which skill it is. Such skills can be told apart, but nothing asks them to go anywhere: a body that can
be bent into postures learns postures. Park et al. (2024, METRA) tie skills to *time*: a map phi turns what is seen into
a point of a latent space in which one step of the body is at most 1 long, and a skill is paid for going far in its
direction there. What is far in that space takes long to reach, so skills travel.

## How it works

The body (`emergelab.worlds.plane`) stands at the origin of a plane, moves in x and y by up to 0.15 cells a step and has
two numbers of posture in [-1, 1] that it changes by up to 0.3 a step: the trap. It may also see two numbers that are
drawn anew at each step. An episode has 100 steps. In a round (one step of the system) 8 episodes are played, each with
a z drawn from the unit circle, and then some gradient steps are made on what is remembered:

- the map climbs (phi(s') - phi(s)) z + lambda min(epsilon, 1 - |phi(s') - phi(s)|^2), the square a mean over the latent
  numbers; lambda rises while steps are longer than 1 (dual descent);
- a soft actor-critic (`emergelab.rl.sac`), which sees the state and z, is paid (phi(s') - phi(s)) z.

Conditions take parts away. `euclid`: in place of 1 stands the squared distance that the step has made in what is seen,
posture included. `free`: no constraint. `diayn`: phi guesses z from the state, and the pay is the log-density of z
around the guess. `diayn-stiff`: DIAYN with a body that has no posture. `noisy`: METRA with the numbers that mean
nothing. `maze`: METRA in two rooms with one way between them. At the size `full` there are also learners that have no
skills, whose tests are played with chance: `random` never learns, `novelty` is paid for states that are far from others
in the batch, an estimate of their entropy (`novelty-noisy`: with numbers that mean nothing), beside `metra-chance`; a
`worn` body a third as fast, and a map `frozen` at round 40.

In a test 48 skills at equal angles are played without chance; `coverage` counts the cells of side 1 that they enter.
Sites: `play.skill` and `test.skill` (z, a row for each episode), `play.action`, `test.action`, `policy.*` (those of the
actor-critic), `map.*` and `pay.*` (of the map: `before`, `after`, `paid`, `map.grad.PATH`, `map.update.PATH`),
`state.*`. Since a test is no part of learning, a clamp of `test.skill` does not touch what is learnt.

    one = el.Clamp("test.skill", np.tile(np.float32([1, 0]), (48, 1)))  # all 48 play the same skill
    frozen = el.Ablate("map.update.phi.*", during=(20, None))           # the map stops learning after 20 rounds
    blind = el.Clamp("play.skill", np.tile(np.float32([1, 0]), (8, 1)))  # only one skill is ever played
    turned = el.Clamp("test.skill", np.roll(circle, -12, 0))            # each skill a quarter of a turn further on

How skills come to be, as a moving picture:

    from emergelab.figures.film import animate
    times = run.data.time.values
    animate([study.view.at(run, "metra", 0, int(t)) for t in times], "skills.gif")

## Things to notice

- DIAYN's skills are told apart as easily as METRA's and lead nowhere: a sixth of the way, some thirty cells against
  some four hundred. Without a posture (`diayn-stiff`) they cover twice as much, and still stay: the trap is half of
  it. The other half is that a place need not be far to be told from others.
- Without the constraint skills run as far as can be run, but many of them the same way: pay grows with the map's own
  scale, and whatever direction the map stretches first takes all. The slack shows how far it goes: steps of thousands.
- The constraint need not be time's. On open ground distances as they are seen do it at least as well, and their skills
  spread more evenly: the steps of this body in x and y are bound one by one, so what is far in time are the corners of
  a square, and METRA's skills lean towards them.
- Who is merely paid for novelty covers as much of this plane as METRA does, and minds noise less. Where states are
  places, to spread states is to spread in places.
- Numbers that mean nothing do not get into the map, since nobody can be paid for them. Yet they cost METRA dearly at
  this size: policy and critics see them too, and have to learn to look away.

## Things to try

- `--set alpha=0.01`, the published temperature: policies lose their chance early, and skills bunch.
- `--set speed=0.05`: a damaged body. Does posture take over?
- `--set bend=0`: METRA without a posture.
- `--set price=1`: a constraint that starts cheap. How long is it violated?
- Freeze the map (see above): do skills still get better?

## Differences from the paper

- The body is ours; the paper's are Ant, HalfCheetah, Quadruped, Humanoid and a kitchen, some of them seen as pixels.
- Networks have 2 x 64 units for 2 x 1024, a memory keeps some 16 rounds for 1,250, learning rates are 1e-3 for 1e-4,
  and a run has 2,400 gradient steps for some millions. The temperature begins at 0.3 for 0.01, without which policies
  are deterministic before they have seen anything.
- Actor, critics and temperature take one gradient step at once from the same batch; the paper's take turns.
- Networks see places divided by 5. `euclid` has the dual descent of METRA, not the spectral normalisation of LSD.
- DIAYN's density has a fixed width, as in the authors' code for continuous skills.
- The squared step is averaged over the latent numbers, as in the authors' code, not added up, as in their text.
- Latent spaces of other sizes, skills as names, pixels, and goals reached by zero-shot prompts are left out; so are
  single numbers of phi knocked out, DADS, LSD with its spectral normalisation, and curiosity as an error of prediction
  (ICM, RND), of which the estimate of entropy is the nearest relative here.

## References

- S. Park, O. Rybkin, S. Levine (2024). METRA: Scalable unsupervised RL with metric-aware abstraction.
  https://arxiv.org/abs/2310.08887
- B. Eysenbach, A. Gupta, J. Ibarz, S. Levine (2019). Diversity is all you need: learning skills without a reward
  function. https://arxiv.org/abs/1802.06070
- S. Park, J. Choi, J. Kim, H. Lee, G. Kim (2022). Lipschitz-constrained unsupervised skill discovery.
  https://arxiv.org/abs/2202.00914
- H. Liu, P. Abbeel (2021). Behavior from the void: unsupervised active pre-training.
  https://arxiv.org/abs/2103.04551
- T. Haarnoja, A. Zhou, P. Abbeel, S. Levine (2018). Soft actor-critic: off-policy maximum entropy deep reinforcement
  learning with a stochastic actor. https://arxiv.org/abs/1801.01290
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import CONDITIONS, QUICK
from ._figures import figures
from ._system import Skills
from ._view import view

__all__ = ["study"]

study = el.Study(
    slug="skills",
    family="learners",
    page=__doc__,
    papers=(
        el.Paper(
            "METRA: Scalable Unsupervised RL with Metric-Aware Abstraction",
            authors="S. Park, O. Rybkin, S. Levine",
            year=2024,
            url="https://arxiv.org/abs/2310.08887",
        ),
        el.Paper(
            "Diversity is All You Need: Learning Skills without a Reward Function",
            authors="B. Eysenbach, A. Gupta, J. Ibarz, S. Levine",
            year=2019,
            url="https://arxiv.org/abs/1802.06070",
        ),
    ),
    system=Skills,
    conditions=CONDITIONS,
    sizes={
        "tiny": el.Size(
            seeds=2, steps=4, every=2, conditions=("metra", "diayn", "maze"),
            set={"episodes": 2, "length": 20, "moments": 10, "updates": 2, "batch": 8, "memory": 100, "width": 8},
            about="mechanics only: nothing is learnt by then",
        ),
        "quick": el.Size(
            seeds=8, steps=80, every=10, conditions=QUICK, set={"updates": 30, "batch": 128, "memory": 12_800},
            about="networks of 2 x 64 for 2 x 1024; 80 rounds of 30 gradient steps of 128 transitions for some 10,000 "
            "rounds of 50 steps of 256; a memory of 16 rounds; learning rates ten times as high",
        ),
        "full": el.Size(
            seeds=8, steps=600, every=20, set={"updates": 50, "batch": 256, "memory": 200_000, "rate": 3e-4},
            about="longer, with a longer memory and smaller steps; a minute on a GPU, of which its verdicts are",
        ),
        "paper": el.Size(
            seeds=8, steps=10_000, every=100,
            set={"updates": 50, "batch": 256, "memory": 1_000_000, "width": 1024, "rate": 1e-4, "price_rate": 1e-4,
                 "length": 200, "moments": 40, "alpha": 0.01},
            about="the paper's numbers on our body; its own are Ant, HalfCheetah, Quadruped, Humanoid and Kitchen. "
            "Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    view=view,
)  # fmt: skip
