"""Critical periods: what a pathway misses early it never learns, even in a deep linear network.

## What it is

A kitten whose eye is covered for some weeks of its youth stays blind in that eye; an adult cat loses nothing. Deep
networks have such periods, too, and one looked for the reason in what is complicated about them. Kleinman, Achille and
Soatto (2024) show the same in a network that could hardly be simpler: two pathways of linear layers whose outputs are
added. One of them does not learn for a while. If that is early, the other one takes its part, and as the error is then
gone, there is nothing left to learn from. It is a competition, and it can be written down as an equation.

## How it works

Eight items are the leaves of a binary tree, and each of 15 features belongs to the items below one node of it. The map
from items to features has four levels of singular modes: what all items share (strength 3.87), the first fork (2.65),
the second (1.73, twice) and the last (1, four times). Pathways A and B, each a product of 1 to 4 matrices, learn it
together by gradient descent on half of the summed squared error, all items at once, 1000 steps at rate 0.01.

Both start alike, *balanced* and small: every mode of a pathway has strength 0.01, give or take a tenth, spread evenly
over its layers. From such a start each mode grows by itself. With K_a and K_b what the pathways have of a mode of
strength S, p = K^(1/D) and D layers,

    dp/dt = p^(D - 1) (S - K_a - K_b)

for either pathway, and 0 for one that is deprived. The run keeps this equation's solution next to what gradient descent
does (`ode_a`, `ode_b`).

A deficit closes B from step `onset` on for `length` steps: its weights stay as they are, and so does its output.
`share` is what B has of a level in the end, K_b / (K_a + K_b); one half is fair. With `lesion` A lacks one mode for
good. With `apart` B starts from other strengths than A. `gate` below 1 closes B in that share of the steps only. `act`
puts a nonlinearity after every layer.

Sites for interventions: `update.a.*` and `update.b.*` (one array a layer: what is added to the weights), `grad.*`,
`state.net.a.*`, `state.net.b.*`, `rate`, `a.L.i.mid`, `a.L.i.act`, `a.out` and the same for `b`, `logits`.

    deprived = el.Ablate("update.b.*", during=(0, 150))    # what onset=0 does
    silenced = el.Ablate("b.out", during=(0, 150))         # B says nothing either
    old = el.Ablate("update.b.0", during=(200, None))      # only B's first layer stops

## Things to notice

- After an early deficit B ends with less than a tenth of every mode, and after a late one with its half. The error is
  0 in both cases: no score of the whole network tells that anything was missed.
- Every mode has its own period. At step 200 the first mode of three layers is settled and the last ones are not: the
  same deficit leaves B its half of the one and a twelfth of the others. With one layer all modes are learnt at one
  pace, and have one window.
- What is learnt late can be lost late. With four layers a deficit from step 400 leaves B a seventh of the last fork.
- Even one layer does not recover from an early deficit. Two pathways that can do the same need no depth for that: who
  comes first has all. What depth adds is that windows differ, and that competition grows sharper.
- Without any deficit, two layers keep the ratio they start with, whereas with four a lead of three tenths becomes nine
  tenths of the mode. For D = 2 it is K_a / K_b that stays the same, for more layers p_a^(2-D) - p_b^(2-D).
- B is not too old to learn. If A lacks a mode, B learns just this one as soon as it may.
- tanh and ReLU do not change the picture.

## Things to try

- `--set length=30`: how short may a deficit be? For 30 steps two layers lose less than four.
- `--set start=0.3`: strong starts make short plateaus and little competition.
- `--set gate=0.5 --set onset=0`: a coin decides at every step whether B learns.
- Silence B as well (`el.Ablate("b.out", during=(0, 150))`). Does it matter that A hears it?
- `--set lesion=0`: A lacks what all items share. Does B still learn nothing else?

## Differences from the paper

- Hidden layers of 32 where the paper has 100. From a balanced start only the modes count, not the width. Strengths at
  the start are eight sorted draws; the authors sort a hundred and use the largest eight.
- The authors' runs have deficits at steps 0, 400 and 750, four layers (three where they are not linear) and one seed;
  here there are ten onsets, four depths and twelve seeds.
- Published numbers are curves in figures; the margins are ours.
- The paper's phase portraits integrate the equation with another start, in which all layers but one are large. Here
  they are runs of the network from small balanced starts, and from balanced starts thirty times as strong.
- The equation is integrated by the rule of Runge and Kutta, not by steps of the learning rate, which would follow
  gradient descent exactly and test nothing.
- With ReLU after the last layer, as in the authors' code, the task is not learnt in full in 1000 steps.
- The paper's second half, matrix completion, is the study `critical-periods-completion`: it has another clock, other
  parameters and nothing to observe in common with this one.

## References

- M. Kleinman, A. Achille, S. Soatto (2024). Critical learning periods emerge even in deep linear networks.
  https://arxiv.org/abs/2308.12221
- A. M. Saxe, J. L. McClelland, S. Ganguli (2019). A mathematical theory of semantic development in deep neural
  networks. https://arxiv.org/abs/1810.10531
- A. Achille, M. Rovere, S. Soatto (2019). Critical learning periods in deep networks. https://arxiv.org/abs/1711.08856
- T. N. Wiesel, D. H. Hubel (1963). Single-cell responses in striate cortex of kittens deprived of vision in one eye.
  Journal of Neurophysiology 26.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions
from ._figures import figures
from ._system import TwoPaths

__all__ = ["TwoPaths", "study"]

study = el.Study(
    slug="critical-periods",
    family="networks",
    papers=(
        el.Paper(
            "Critical Learning Periods Emerge Even in Deep Linear Networks",
            authors="Michael Kleinman, Alessandro Achille, Stefano Soatto",
            year=2024,
            url="https://arxiv.org/abs/2308.12221",
        ),
        el.Paper(
            "A mathematical theory of semantic development in deep neural networks",
            authors="Andrew M. Saxe, James L. McClelland, Surya Ganguli",
            year=2019,
            url="https://arxiv.org/abs/1810.10531",
        ),
    ),
    system=TwoPaths,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=40,
            every=10,
            seeds=3,
            set={"levels": 2, "width": 6},
            conditions=("d3", "d3-at-0", "d3-lesion"),
            about="mechanics only: too short to learn anything but the first mode",
        ),
        "quick": el.Size(
            steps=1000,
            every=20,
            seeds=12,
            about="hidden layers of 32 instead of 100, which a balanced start makes no difference to",
        ),
        "full": el.Size(
            steps=1000,
            every=10,
            seeds=50,
            about="more seeds and records. Not run; four times the time of quick by the cost of a step",
        ),
        "paper": el.Size(
            steps=1000,
            every=10,
            seeds=12,
            set={"width": 100},
            about="hidden layers of 100 as published, where one seed is shown. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
