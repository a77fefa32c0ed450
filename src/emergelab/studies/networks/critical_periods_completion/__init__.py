"""Critical periods in matrix completion: another task first does lasting damage, if the network is deep.

## What it is

Some entries of a matrix are known, and the others are to be filled in. That can be done only if the matrix is simple,
of low rank, and a product of matrices that is fitted to the known entries by gradient descent from a small start turns
out to look for simple solutions, though nobody asked it to (Arora et al. 2019). Kleinman, Achille and Soatto (2024) let
such a product learn one matrix first and another one afterwards. It fits the known entries of the second as well as
ever, but fills in the others wrongly, the worse the longer the first task was taught. The network has become too
complicated for the new task and cannot go back. A single matrix shows nothing of the kind.

## How it works

W = W_D ... W_1 is a product of 1, 2 or 3 matrices of 40 x 40, started from Gaussian numbers such that the product is of
size 0.001. The loss is half of the mean squared error on the entries that are shown; one step is one step of gradient
descent on it. Both tasks are random matrices with entries of variance 1: the second of rank 3, the first of `ratio`
times that rank. Both show the same entries. A matrix of rank r is given by r (80 - r) numbers, and for each of these
`seen` entries are shown, 2.05 as in the paper: 474 of 1600.

The first task is taught for `switch` steps, the second for 3000 (`after`), and then all stops, so that every condition
has had the second task for equally long. `error` is the mean squared error on all entries of the second task (1 is as
good as answering 0), `error_hidden` that on the entries never shown, `misfit` that on the entries being shown.
`effective_rank` is the exponential of the entropy of the singular values' shares, `singular` the largest of them.

With `first=same` both tasks are one matrix, of which fewer entries are shown at first (`seen_first`). The condition
`shrunk` scales all weights to a tenth at the switch, and the product with it to a thousandth.

Sites for interventions: `task` (1 is the second task, 0 the first), `rate`, `logits` (the product), `state.net.i`,
`grad.i`, `update.i` (one for each matrix, the one nearest to the input first).

    again = el.Clamp("task", 0.0, during=(2000, 2500))             # the first task comes back for a while
    shrunk = el.Scale("state.net.*", 0.1, during=(1000, 1001))     # small weights, once
    one = el.Ablate("update.0", during=(1000, None))               # only the last matrices go on learning

## Things to notice

- The entries being shown are fitted in every condition. Nothing that can be seen in training tells of the damage.
- Two matrices are damaged within 250 steps (error 0.47, where the task alone leaves 0.05) and hardly more by ten times
  as many (0.49). Three matrices take longer (0.18), and then more (0.62): depth moves the window, it does not protect.
- A single matrix is never damaged, because it has nothing to lose. What it is not shown stays as it was at first.
- A simple first task is nearly harmless, a first task of three times the rank does more damage than answering 0 would.
  One of the same rank is a lottery: five of sixteen seeds find the second matrix exactly, two end near 1.
- The product keeps the rank that the first task gave it. Fitted to few entries, singular values that are there already
  serve as well as new ones, so nothing drives them out; with twice as many entries something does.
- It is the weights, not their age. Scaled to a tenth at the switch, with all directions kept, three matrices find the
  second matrix as if nothing had been: thirteen of sixteen seeds to three digits, two of them not at all.
- To begin with half as many entries of the *same* matrix is a first task, too.

## Things to try

- `--set scale=0.1`: does a product that starts larger still find the simple solution, and is it still damaged?
- `--set seen=4.1 --set seen_first=1.55`: what if the second task shows plenty?
- `--set after=500`: three matrices go on recovering, slowly. Do two?
- Freeze one of the matrices at the switch (`el.Ablate("update.0", ...)`). Is what remains enough?
- Shrink the weights by less, or only one of them, and see when the window opens.

## Differences from the paper

- The quick size has matrices of 40 x 40 and rank 3 for 100 x 100 and rank 5, and as many entries for each free number
  (2.05; 1.55, 3.1 and 4.1 in the sweep, as 1500 to 4000 entries are there). The ranks of the first task are a third,
  one, two and three times that of the second, for 2, 5, 10 and 15.
- The learning rate is larger, for a single entry some hundred times, so that 250, 1000 and 2500 steps stand for some
  10^4 to 10^5. At half of it and with twice the steps (six seeds, 2.4 entries for each free number) two matrices ended
  at the same errors within one per cent, and three mostly within a tenth. Only after a first task of equal rank did one
  seed end elsewhere.
- Margins were fixed after pilots of four seeds and before the run on record. Earlier runs at this size showed 2.4
  entries for each free number; they were set aside for the paper's 2.05, which makes the damage larger.
- Published numbers are curves in figures of one seed; here there are sixteen.
- Not built: orthogonal and identity starts, and the solution of the equations for matrices observed in full.
- The paper's first half, two pathways that compete, is the study `critical-periods`.

## References

- M. Kleinman, A. Achille, S. Soatto (2024). Critical learning periods emerge even in deep linear networks.
  https://arxiv.org/abs/2308.12221
- S. Arora, N. Cohen, W. Hu, Y. Luo (2019). Implicit regularization in deep matrix factorization.
  https://arxiv.org/abs/1905.13655
- O. Roy, M. Vetterli (2007). The effective rank: a measure of effective dimensionality. EUSIPCO.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import LONG_TIMES, TIMES, at_size, conditions
from ._figures import figures
from ._system import Completion

__all__ = ["Completion", "study"]

study = el.Study(
    slug="critical-periods-completion",
    family="networks",
    papers=(
        el.Paper(
            "Critical Learning Periods Emerge Even in Deep Linear Networks",
            authors="Michael Kleinman, Alessandro Achille, Stefano Soatto",
            year=2024,
            url="https://arxiv.org/abs/2308.12221",
        ),
        el.Paper(
            "Implicit Regularization in Deep Matrix Factorization",
            authors="Sanjeev Arora, Nadav Cohen, Wei Hu, Yuping Luo",
            year=2019,
            url="https://arxiv.org/abs/1905.13655",
        ),
    ),
    system=Completion,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=20,
            every=10,
            seeds=3,
            set={"size": 8, "rank": 1, "most": 3, "after": 10, "rate": 1.0},
            conditions=("d3", "d3-after-250", "rank-triple"),
            about="mechanics only: too short to learn anything",
        ),
        "quick": el.Size(
            steps=5500,
            every=125,
            seeds=16,
            conditions=at_size(*TIMES),
            about="40 x 40 matrices of rank 3 for 100 x 100 ones of rank 5, with as many entries for each free number, "
            "and a learning rate that makes 2500 steps of what takes the paper 10^5",
        ),
        "full": el.Size(
            steps=13_000,
            every=250,
            seeds=30,
            conditions=at_size(*TIMES, *LONG_TIMES),
            about="longer first tasks and more seeds. Not run; some twenty minutes on two cores by the cost of a step",
        ),
        "paper": el.Size(
            steps=5500,
            every=125,
            seeds=8,
            set={"size": 100, "rank": 5, "rate": 8.0},
            conditions=at_size(*TIMES),
            about="matrices, rank and entries as published; a learning rate of 8 for 0.2, and a fortieth of the "
            "steps: 250 to 2500 of the first task are 10^4 to 10^5. Not run; for a GPU",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
