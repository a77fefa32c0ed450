"""Knowledge builds up over generations of learners that may watch the last one.

## What it is

Somebody has to guess a hidden sequence, symbol by symbol, and is sent back to the beginning by every error. Four trials
are one life; few symbols are found in it. But beside each learner sit three others, whose guesses can be seen at first
and then less and less, until the last trial is alone. If the others are the generation before, with all that it found
out, then a generation may begin where the last one ended. Cook et al. (2024) trained agents that balance watching
others with finding out for themselves, and saw lineages of them pass on more than any one lifetime discovers.

Knowledge lives in one of two places. *In context*, all minds are one and the same trained network, and what they know
is the state of its recurrent layer. *In weights*, each generation is a training run that watches the networks of the
one before.

## How it works

The world is `worlds.sequence.MemorySequence`: 24 symbols out of K = 3, +1 for a right guess, -1 and the end of the
trial for a wrong one. A mind sees its own last guess, what came of it, and the others' guesses for the coming symbol,
if it sees them: with a chance of 1 in the first trial of a life, 2/3, 1/3, and 0 in the last.

*Meta-training.* A recurrent network learns by PPO (`emergelab.rl`) from lives on ever new sequences. The others are
noisy oracles: each knows a symbol with a chance of its own and guesses at random otherwise, so that it is right u times
in a row; u is uniform in [0, `reach`], and the best sits last. One step of the system is one update.

*Generations.* At the end the network's weights are frozen and lineages are grown, eight generations of three minds
each, every lineage on a sequence of its own. The first generation watches strangers who guess at random. The others of
every later one are the three minds of the generation before, as they were before their last trial, ordered by its
score. A teacher sees what its learner does, in place of its own doings: it says what it would do there.

*Tests.* The same networks are grown once more with one thing changed (axis `test`): others never seen, or always;
teachers of another sequence; their memories emptied; a generation that nobody sees; seats by lot; half of all guesses
random; the best teacher replaced by a fool; generations of one and of five.

*In weights.* One sequence of 10 symbols a lineage, generations of five networks. Each is trained on it for `lifetime`
updates, while the others are seen less and less; then five new networks are drawn, and those that are trained become
the others.

Shown are right guesses in a trial (`score`; `alone` for the last one, as an exact mean over the policy's draws, and
`greedy` for its most likely guesses), the best member's, the spread between lineages, who gets `beyond` the best
teacher, which of the best teacher's guesses are `copied`, and one long `life` alone of 32 trials. Conditions differ
in training: `culture` (u up to 0.5, as published), `chance-others` (0), `better-others` (2), `best-others` (8),
`one-life` and `one-long-life` (the baselines RL2: nobody to watch, 4 and 32 trials), and `scholar`, a player that
forgets nothing in the network's place.

Sites for interventions: in training those of the learner (`seen`, `action`, `reward`, `advantage`, `h`, `logits`,
`grad.*`, `update.*`, `rate`); in the tests `lineage.saved` (memories as they reach the next generation),
`lineage.advice` (what teachers will guess), `lineage.rank` (by what they are chosen and seated), `lineage.h` and
`life.h`; in weights `rank`, `advice` and `watched` (the chance to see others). Those of the tests stand in a loop:
they can be changed, not read.

    amnesia = el.Clamp("lineage.h", 0.0, where=np.arange(64) < 16)  # a quarter of the memory is lesioned after training
    fools = el.Clamp("lineage.advice", 0.0)                         # all teachers guess at random
    worst_last = el.Scale("lineage.rank", -1.0)                     # the worst in the seat of the best

## Things to notice

- The staircase is there from the start, if only nothing is forgotten: a player with a perfect memory, who believes the
  best of the others where it knows nothing, gets 3.4, 7.2, 11.2, 15.2, 18.9, 21.6, 23.3 and 23.9 symbols far. No agent
  has to be clever for culture to accumulate; what meta-training has to provide is memory and trust.
- To that player, choosing the best and having several to choose from matter little (21.8 without selection, 21.9 with
  one member). But noise is another matter: with half of all guesses random it stops at 5.3. Errors are passed on, too.
- Small networks take the first stair only, and eight seeds leave no doubt of it: 2.8 symbols in the first generation,
  3.6 in the second, 3.5 in the last. One life of 32 trials does not take it at all: the same networks are best in their
  fourth trial (2.8) and then forget (2.1).
- The stair is what it seems: with others never seen, with teachers of another sequence, or with teachers whose memory
  is wiped out, the last generation is at most where the first one was (2.7, 2.5, 2.7).
- On that stair little else matters: selection, the number of members and a generation that nobody sees change nothing
  that eight seeds could tell, and half of all guesses random cost a quarter of a symbol. So it is hardly the teachers
  that end the climb; a network seems to hold no more than this.
- What others are like in training decides. Beside others who guess at random nobody learns to watch (3.1 in every
  generation, alone better than any); beside others four times as good as published, networks learn to copy and little
  else (1.7, then 2.3), and end below the oracles they were trained beside.
- Right advice is copied in 19 of 20 steps, wrong advice in 15 of 20, and in 14 in later trials: part of it contradicts
  what has been found out by then.
- In weights, sequences differ more than generations do: lineages end anywhere between 4 and 9 symbols. The mean rises
  from 5.3 to 6.3 where the last generation is watched, and falls from 5.9 to 5.3 in one long run, but the best of three
  end alike. Eight lineages cannot tell.

## Things to try

- `emergelab run culture --set reach=1`: is there a best quality of teachers between those tested?
- `--set units=128 --set width=128`: does a larger memory carry the staircase further?
- `worst_last` above: positional trust, exploited.
- `--set trials=8 --set span=8 --set generations=4`: longer lives, fewer generations, as many trials.
- Scale `lineage.saved` by 0.9 instead of 0: how much may a memory fade on its way?

## Differences from the paper

- Others are seen or not by the trial of the coming guess. In the authors' code the chance in the first step of a
  trial is still that of the trial before, so that even the last trial begins with a chance of 1/3.
- Lineages have sequences of their own and fresh random numbers in every generation; the authors' generations share one
  sequence and one key. One network is tested on 16 lineages or more, and the network is what is replicated.
- A teacher is a table: what it would guess at each position, forced to be right until then. This is what it would say
  beside any learner, for a learner's trial ends with its first error.
- Teachers sit in the order of one draw of their last trial, as published; what is shown as `alone` is the mean over
  the draws of their policy.
- RL2 here has nobody to watch. In the authors' code one noisy oracle, better than those of culture, sits beside it.
- The network has one layer below and one above the recurrent one, where the paper's has two of each, and one step of
  optimisation weighs the value by its plain squared error.
- In weights: populations of three networks instead of five; members see their own last guess and what came of it; the
  next generation sits in the order of its exact mean scores. At the size `full` weights are trained on 128 thousand
  steps a generation, where 100 thousand are published.
- Margins were fixed before any run; after pilots of two seeds the claim on teachers of another sequence was turned from
  a loss of any size into "the same", with the margin of its neighbours, and the learning rate was chosen.
- Not built: the travelling salesperson's task and the Goal Sequence of the paper, resets of some layers only, and S5
  layers. Behaviour cloning of the best teacher is not run: what it would know at most is `best`.

## References

- J. Cook, C. Lu, E. Hughes, J. Z. Leibo, J. Foerster: Artificial Generational Intelligence: Cultural Accumulation in
  Reinforcement Learning, arXiv 2406.00392 (2024), and their notebook, FLAIROx/cultural-accumulation on GitHub.
- Y. Duan et al.: RL2: Fast Reinforcement Learning via Slow Reinforcement Learning, arXiv 1611.02779 (2016).
- J. Schulman et al.: Proximal Policy Optimization Algorithms, arXiv 1707.06347 (2017).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions
from ._figures import figures
from ._system import Culture
from ._view import view

__all__ = ["Culture", "study"]

CONTEXT = ("chance-others", "culture", "better-others", "one-life", "scholar")
WEIGHTS = ("weights", "weights-kept", "weights-alone", "weights-one-run")

QUICK = {"units": 48, "width": 32, "lanes": 64, "horizon": 32, "passes": 2, "parts": 2, "rate": 8e-3}

study = el.Study(
    slug="culture",
    family="learners",
    papers=(
        el.Paper(
            "Artificial Generational Intelligence: Cultural Accumulation in Reinforcement Learning",
            authors="Jonathan Cook, Chris Lu, Edward Hughes, Joel Z. Leibo, Jakob Foerster",
            year=2024,
            url="https://arxiv.org/abs/2406.00392",
        ),
    ),
    system=Culture,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=4,
            every=2,
            seeds=3,
            conditions=("culture", "one-life", "weights", "weights-one-run"),
            set={
                "lanes": 4,
                "horizon": 8,
                "parts": 2,
                "units": 8,
                "width": 8,
                "length": 4,
                "generations": 3,
                "lineages": 2,
                "until": 4,
                "lifetime": 1,
                "turns": 1,
            },
            about="mechanics only",
        ),
        "quick": el.Size(
            steps=200,
            every=50,
            seeds=8,
            conditions=CONTEXT,
            set=QUICK | {"until": 200, "lineages": 16, "lifetime": 50, "turns": 2},
            about="48 units instead of 256, and 0.4 million steps of training instead of 8; 16 lineages of each "
            "network. Fewer conditions; lineages in weights, which would need more than 200 seeds to be judged, "
            "belong to the larger sizes",
        ),
        "full": el.Size(
            steps=1000,
            every=100,
            seeds=10,
            set=QUICK
            | {
                "units": 128,
                "width": 64,
                "lanes": 128,
                "rate": 1e-3,
                "until": 1000,
                "lineages": 64,
                "lifetime": 250,
                "turns": 2,
            },
            about="128 units, 4 million steps, all conditions; in weights, 128 thousand steps a generation, three "
            "networks",
        ),
        "paper": el.Size(
            steps=3906,
            every=217,
            seeds=5,
            set={
                "until": 3906,
                "lanes": 16,
                "horizon": 128,
                "parts": 8,
                "units": 256,
                "width": 128,
                "rate": 2.5e-4,
                "turns": 1,
                "lifetime": 488,
            },
            about="eight million steps, five seeds; not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    view=view,
    page=__doc__,
)
