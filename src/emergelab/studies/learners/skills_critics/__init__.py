"""Skills under several rewards: a critic for each, or one for their sum.

## What it is

An arm that is left alone with a table and two discs may learn skills: ways of acting, named by a number z, that can be
told from one another by what they lead to. It need not touch anything for that: its own tip goes wherever it wants, and
the discs lie where they lay. Skills that handle things want more than one reward: one for being told apart and leading
far, one for reaching the discs, one for staying away from the table's edge. Added up, the reward that is counted in the
largest unit drowns the others, and which that is changes as skills are learnt. Emukpere et al. (2024, SLIM) give each
reward a critic of its own, put on a common scale what each critic says about an action, and let the policy climb the
weighted sum.

## How it works

The table (`emergelab.worlds.plane.Table`) is a square with a side of 1. The tip moves by up to 0.05 a step in x and y
and pushes a disc that it comes nearer to than 0.08 straight away. An episode has 40 steps. In a round (one step of the
system) 8 episodes are played, each with a z drawn from the unit circle, and then some gradient steps are made. Three
things are paid:

- *discovery*: (phi(s') - phi(s)) z, where phi is a map of tip and discs in which a step of time is at most 1 long, as
  in METRA (Park et al. 2024);
- *reach*: exp(-gap / 0.1) for the gap between the tip and the nearest disc, 1 in contact;
- *safety*: minus how deep tip and discs are in the table's border, the outermost tenth of the side, as shares of its
  width.

The learner is a soft actor-critic with several critics (`emergelab.rl.multi_critic`). Critic k learns reward k. For an
action a and another one a' that the policy might have taken, its advantage is Q_k(s, a) - Q_k(s, a'); the policy climbs
the weighted sum of advantages, each of mean 0 and standard deviation 1 over the batch. Entropy stands in the policy's
loss and in no critic's target, in all conditions.

Conditions: `summed` has one critic of the sum of the rewards. In `critics-tenth`, `summed-tenth`, `critics-tenfold` and
`summed-tenfold` contact is paid 0.1 or 10 for 1: the same wish in another unit. In the unit of a tenth, `raw-tenth` has
several critics whose words are added up as they are, and `merged-tenth` goes over from critics to one of the sum at
half-time. `discovery`, `reach` and `safety` are paid for one thing alone; so is `reach-normalised`, with its one critic
normalised.

In a test 64 skills at equal angles are played without chance, and 64 sequences of two of 8 skills, each for half of the
time. Three objectives, all at most 1, say what is achieved: `told` (how well skills can be told from where tip and
discs end, seen with an error of 0.05), `near` (mean closeness) and `safe` (share of steps with nothing in the border);
`worst` is the least of them. `handled` is the share of skills that move a disc and are safe all along; `placed` and
`chained` count the cells, of 64 that are safe, to which single skills and sequences bring a disc safely.

Sites: `play.skill`, `test.skill` and `chain.skill` (z, a row for each episode), `*.action`, `pay.rewards` (a row for
each reward), `pay.grouping` (a row for each critic: which rewards it learns), `policy.weights` and `policy.gain` (what
critics say, normalised), all other sites of the learner (`policy.*`) and of the map (`map.grad.PATH`,
`map.update.PATH`), `state.*`.

    deaf = el.Clamp("policy.weights", [1, 1, 0], during=(25, None))       # nobody listens to safety any more
    frozen = el.Ablate("map.update.phi.*", during=(20, None))             # the map stops learning
    mixed = el.Clamp("pay.grouping", np.ones((3, 3)), during=(25, None))  # each critic learns the sum

How skills come to be, as a moving picture:

    from emergelab.figures.film import animate
    times = run.data.time.values
    animate([study.view.at(run, "critics", 0, int(t)) for t in times], "critics.gif")

## Things to notice

- Discovery alone has no use for discs: skills run to the corners of the table, where nothing is safe.
- In units in which all rewards are about 1 the sum does nearly as well as critics apart: what fourteen seeds see of a
  lead is not enough to tell. What several critics save is the search for such units. Where contact is paid a tenth,
  the sum hardly reaches any more and spends a quarter of its steps unsafely; where it is paid tenfold, fewer of its
  skills can be told apart.
- It is normalisation that does it. Critics whose words are added up as they are do what the sum does, as they must:
  the value of a sum is the sum of the values. And critics merged at half-time lose within a dozen rounds what
  they had learnt.
- Critics do not know units, but learning does: tenfold is about as good as 1, a tenth is not. The spread of advantages
  of reaching (`scales`) is seven times as large where contact is paid tenfold, but falls to a fifth, not to a tenth,
  where it is paid a tenth: part of what is divided by is then likely to be the critic's own error.
- An objective that is satisfied does not fall silent. Once nothing is unsafe, the spread of safety's advantages goes
  towards zero, and normalisation makes it as loud as ever.
- Who is paid for reaching alone has skills that differ, too: networks do something with z even if nobody asks.

## Things to try

- `--set scaled=yes` divides rewards by their spread in the batch before critics learn them or their sum: is it the
  critics that help, or the units?
- `--set normaliser=value`: critics are normalised by the spread of values in place of advantages.
- `--set sees=discs`: the skills' map sees the discs alone. Nothing is paid before a disc is pushed.
- `--set unit=0.1`, `--set unit=100`: where does the sum break, and on which side?
- `--set edge=0.3`: a wide border, so that hardly any push is safe.
- `--set safety=0`: two rewards. Is the sum good enough for two?
- Give weights of your own: `--set discovery=2`. Normalised critics make weights comparable.

## Differences from the paper

- We could read its abstract, its first lines and what others wrote of it; not its formulas, settings and tables. That
  advantages are normalised before they are weighted and added up is from such summaries. All numbers here are ours, and
  so are the exact form of the three rewards, equal weights, the border, and the way in which an advantage is made in an
  off-policy learner: by a second action of the policy.
- The paper's arm has seven joints and a gripper and lives in a simulator; here it is a point, and its things are discs.
- Discovery is METRA's; the paper speaks of latent variables and mutual information.
- The paper also learns a policy over skills. Here sequences of two skills are tried out, all of them.
- Each reward has two critics, the more careful of which is asked, and critics have slow copies, as in soft
  actor-critic.
- Other units, merging and critics that are not normalised are ours, and so are the two parameters `normaliser` and
  `scaled`.

## References

- D. Emukpere, B. Wu, J. Perez, J.-M. Renders (2024). SLIM: Skill learning with multiple critics.
  https://arxiv.org/abs/2402.00823
- S. Mysore, G. Cheng, Y. Zhao, K. Saenko, M. Wu (2022). Multi-critic actor learning: teaching RL policies to act with
  style. https://openreview.net/forum?id=rJvY_5OzoI
- S. Park, O. Rybkin, S. Levine (2024). METRA: Scalable unsupervised RL with metric-aware abstraction.
  https://arxiv.org/abs/2310.08887
- T. Haarnoja, A. Zhou, P. Abbeel, S. Levine (2018). Soft actor-critic: off-policy maximum entropy deep reinforcement
  learning with a stochastic actor. https://arxiv.org/abs/1801.01290
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import CONDITIONS
from ._figures import figures
from ._system import SkillsCritics
from ._view import view

__all__ = ["study"]

study = el.Study(
    slug="skills-critics",
    family="learners",
    page=__doc__,
    papers=(
        el.Paper(
            "SLIM: Skill Learning with Multiple Critics",
            authors="D. Emukpere, B. Wu, J. Perez, J.-M. Renders",
            year=2024,
            url="https://arxiv.org/abs/2402.00823",
        ),
        el.Paper(
            "METRA: Scalable Unsupervised RL with Metric-Aware Abstraction",
            authors="S. Park, O. Rybkin, S. Levine",
            year=2024,
            url="https://arxiv.org/abs/2310.08887",
        ),
    ),
    system=SkillsCritics,
    conditions=CONDITIONS,
    sizes={
        "tiny": el.Size(
            seeds=2, steps=4, every=2, conditions=("critics-tenth", "summed", "merged-tenth"),
            set={"episodes": 2, "length": 12, "moments": 3, "updates": 2, "batch": 8, "memory": 100, "width": 8,
                 "merge": 2},
            about="mechanics only: nothing is learnt by then",
        ),
        "quick": el.Size(
            seeds=14, steps=72, every=12,
            set={"updates": 40, "batch": 64, "memory": 9_600, "width": 32, "merge": 36},
            about="a point and two discs for an arm with a gripper, networks of 2 x 32, 2,880 gradient steps of 64 "
            "transitions",
        ),
        "full": el.Size(
            seeds=8, steps=400, every=20, set={"merge": 200, "rate": 3e-4},
            about="networks of 2 x 64, longer, with smaller steps",
        ),
        "paper": el.Size(
            seeds=8, steps=4_000, every=100,
            set={"merge": 2_000, "rate": 1e-4, "width": 256, "memory": 1_000_000},
            about="the length of training is a guess, the paper's settings are not known to us. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    view=view,
)  # fmt: skip
