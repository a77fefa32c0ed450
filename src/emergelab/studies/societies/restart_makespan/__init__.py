"""Giving up early saves time, or loses it: one line in the confusion matrix decides.

## What it is

A robot tries to put a peg into a hole until it succeeds. Some attempts are doomed, and a predictor may see it coming.
To break them off saves the rest of their time; to break off one that would have succeeded costs a new attempt. Watson
and Correll (2023) derive when this pays, from nothing but the predictor's confusion matrix and a few mean times, and
let a robot learn its predictor in production and use it only once the formula says so. Their makespan, the time from
the first attempt to success, fell from 101 to 81 seconds.

Whether to persist or to leave is the smallest social decision there is: a partner, a queue, a job. So the study asks
three things. Is the formula right, and where is it not? How far is a predictor from the best rule there can be? And
what becomes of a workshop in which everybody is as impatient as pays?

## How it works

A hundred robots try side by side; one step is one attempt of each. An attempt succeeds with probability `success` and
then takes `good` seconds on average, else `bad`; after every attempt that did not succeed there is a `reset`. Attempts
are independent, so the mean makespan is the mean cost C of an attempt over the chance q that it succeeds (Wald):

    C = p ((1 - s) good + s (t_s + reset)) + (1 - p) ((1 - f) (bad + reset) + f (t_f + reset)),   q = p (1 - s)

with false alarms s (would-be successes broken off), hits f (would-be failures broken off), and the mean times t_s, t_f
at which they are. Breaking off pays if f / s is above a number that depends on neither.

Policies are a family of pure functions of what a robot sees: `run` every attempt to its end; `obey` the device; a fixed
`timeout`; `luby`'s sequence; `sprt`, Wald's test on a drifting signal; `best`, by dynamic programming on (belief,
time); `learnt`, a logistic regression on four features of the signal, trained while the workshop runs; `adopt`, the
same once it is known to pay; `weigh`, the device where one's own count says so. The device is a confusion matrix, or a
clock that races against the attempt. Times are exponential, or heavy-tailed by `tail`. With `spread` jobs differ, so
that attempts at one job are alike. With `crowd`, resets last longer the more robots need one at once.

Sites for interventions: `succeeds`, `lasts`, `signal`, `alarm`, `stop`, `reset`, `heeds`, and `state.*`.

    deaf = el.Clamp("alarm", float("inf"), during=(100, 200))  # the device is silent for a hundred attempts
    jam = el.Scale("lasts", 2.0, during=(300, None))           # from some time on everything takes twice as long
    blind = el.Ablate("signal", during=(200, None))            # the sensor breaks

## Things to notice

- The formula is exact to a few thousandths in every world tried, whatever the distributions: Wald's identity does not
  ask for them. What it asks for is the mean of what is really waited. Fed with means of whole times it predicts that a
  clock which warns of failures makes things worse (70 s against 65), where it saves four seconds in ten (39).
- One line through the origin divides good devices from bad ones. Here a device must be right 1.8 times as often as it
  is wrong; one that finds four failures in five makes things worse if it spoils half of the successes.
- If waiting teaches nothing (exponential times, equal for both ends), stopping at random only adds resets. With heavy
  tails it saves a seventh, and Luby's sequence, which knows nothing of the times, comes within two per cent of the best
  fixed time.
- A predictor learnt while the workshop runs saves a quarter, about as much as the published fifth. The best rule there
  is, on the same signal, saves more than a third. Wald's test does no better than what is learnt: it is built to err
  rarely, and spoils 3 % of the successes where the best rule spoils a quarter.
- Adopting by the formula costs nothing measurable where the predictor is good. Where it cannot tell and resets are
  long, obeying it all the same takes four tenths more time; whoever adopts by the formula never does.
- Who learns from attempts that ended by themselves believes in success at 0.65 where it is 0.5: the failures have been
  broken off.
- Where attempts at one job are alike, the formula with the mean chance is off by a factor of more than three, since
  hard jobs eat the time; giving jobs up after three attempts halves it.
- Where resets queue, the few who break off finish in 42 s among others who need 66. If all do it, all need 74. Robots
  that count for themselves drift there, nine in ten; with a toll on the delay they cause, a fifth does, and everybody
  is better off than if nobody did.

## Things to try

- `emergelab run restart-makespan --condition obey --set latency=20`: how late may a warning come?
- `--set bad=10`: failures that are quicker than successes. Is there any predictor that pays?
- `--condition watch-adopt` with `el.Ablate("signal", during=(300, None))`: does the workshop notice that its sensor is
  broken?
- `--condition crowd-toll --set toll=0.3`: how much of the delay must one be charged for?
- `--set tail=0.6`: infinite variance. How many attempts until the mean is worth its name?

## Differences from the paper

- There is no robot. The paper's predictor is a dilated convolutional network on forces and torques; here it is a
  confusion matrix, a clock, or a logistic regression on four features of one drifting signal.
- Its confusion matrix and times were not at hand, so its saving is compared in size only.
- The paper derives the formula for a Markov jump process with Poisson times. Wald's identity needs no such assumption;
  it needs independent attempts, and means of what is really waited.
- A predictor is adopted if a lower 90 % bound of its saving, by the jackknife over robots, is above 0; this rule is
  ours, and so are queues, jobs that differ, Luby's sequence and the dynamic programme.
- There is no convolutional predictor. It would change the confusion matrix, and nothing that follows from it. Nor are
  there two kinds of failure, or phases of a search with rates of their own (a Markov jump process); heavy tails and a
  drifting signal stand for what they do to times.
- Resets of 1, 15 and 60 s, obeyed and not, are conditions of the size `full`; the size `quick` has 5, 20 and 30 s.
- Learning goes on from attempts that are left alone on purpose, one in ten.

## References

- J. Watson, N. Correll: Optimal decision making in robotic assembly and other trial-and-error tasks, arXiv 2301.10846
  (2023).
- M. Luby, A. Sinclair, D. Zuckerman: Optimal speedup of Las Vegas algorithms, Information Processing Letters 47 (1993).
- A. Wald: On cumulative sums of random variables, Annals of Mathematical Statistics 15 (1944); Sequential Analysis
  (1947).
- R. A. Howard: Dynamic Programming and Markov Processes (1960).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions, quick
from ._figures import figures
from ._system import Restarts

__all__ = ["Restarts", "study"]

study = el.Study(
    slug="restart-makespan",
    family="societies",
    papers=(
        el.Paper(
            "Optimal decision making in robotic assembly and other trial-and-error tasks",
            authors="James Watson, Nikolaus Correll",
            year=2023,
            url="https://arxiv.org/abs/2301.10846",
        ),
    ),
    system=Restarts,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(steps=20, every=10, seeds=3, set={"robots": 20}, about="mechanics only: 1,200 attempts"),
        "quick": el.Size(
            steps=600,
            every=30,
            seeds=16,
            conditions=quick(),
            about="a million attempts in each condition, where the paper has 120 runs of a robot",
        ),
        "full": el.Size(
            steps=3000, every=100, seeds=32, about="ten times as many attempts, all conditions"
        ),
        "paper": el.Size(
            steps=12,
            every=12,
            seeds=16,
            set={"robots": 10},
            about="as many attempts as the paper made with its robot (120); by simulation. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
