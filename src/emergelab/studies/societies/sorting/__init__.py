"""Arrays whose cells sort themselves: robust, clustering, and less far-sighted than they look.

## What it is

A hundred cells stand in a row. Each holds a number and a private rule, its *algotype*, and moves by
exchanging places; nobody sees the whole array. Zhang, Goldstein and Levin (2024) put three textbook sorting
algorithms into the cells' own point of view and report that such arrays sort themselves, tolerate damaged
cells better than the textbook algorithms do, step back from their goal to reach it later ("delayed
gratification"), and, when algotypes are mixed, form clusters of one kind although no cell can perceive
another's kind.

All of it is small enough to be simulated exactly, so that each statement can be put to a test that it might
fail. Some hold. Some are theorems. One of them, delayed gratification, exists in the metric only.

## How it works

Each live cell wakes at random moments, all equally often, and applies its rule once.

- **Bubble**: look left or right with probability one half each; exchange places if out of order with that
  neighbour.
- **Insertion**: if all cells to the left are in order among themselves, exchange places with the left
  neighbour if it is larger. Frozen cells are skipped, and the comparison starts anew behind them.
- **Selection**: aim at a position, at first the leftmost. If the cell there is larger, exchange places with
  it; otherwise aim one position further. If the cell there is frozen, aim further in any case, and exchange
  places with a larger one if it can be moved (as the authors' code does).

A *frozen* cell never wakes. If it is *movable*, others may still push it about; if it is *immovable* it is a
wall. A *textbook* condition has one controller that runs the algorithm from above, on the same arrays, with
the same frozen cells; an exchange with an immovable cell silently fails.

Most awakenings change nothing. The simulation skips them: a step draws one of the enabled moves in proportion
to its rate, and the number of awakenings that this took from its geometric law, so distributions are those of
the one-at-a-time process (the tests compare them with a naive simulation). Idle cells still cost: `reads`
counts every cell that an awakened cell looks at, in expectation given the number of awakenings.

What is measured after each swap: `descents` (cells smaller than their left neighbour: the paper's error),
`inversions` (pairs in the wrong order: the number of neighbour swaps that are still needed), `aggregation`
(cells whose right neighbour is of the same kind, over n), and delayed gratification `dg`: for each rise of
the error by u that is followed by a fall by w, the net gain (w - u) / u, averaged over the run.
`dg_inversions` is the same with inversions for descents.

Three schedulers: `random` as above; `round-robin` wakes one position after the other; `bursts` lets a cell
wake `burst` times in a row on average before the next one is drawn, as a thread that keeps its lock would.
The last two take one step an awakening, and ignore the rates.

Sites for interventions: `state.cells.*` (value, algotype, frozen, direction, label, ideal), `rates`, `noise`,
`swap`.

    wall = el.Clamp("state.cells.frozen", [2] + [0] * 99, during=(500, 501))  # left end, for good
    transplant = el.Swap("state.cells.*", list(range(10)), list(range(90, 100)), during=(500, 501))
    sleep = el.Scale("rates", [1.0, 1.0, 0.0], during=(500, 1000))  # bubble, insertion, selection
    silence = el.Clamp("swap", False, during=(500, 600))

## Things to notice

- Bubble and insertion arrays make exactly as many swaps as the array has inversions at the start, seed by
  seed. That they are "as efficient as the textbook algorithm when counting swaps" is a theorem about
  neighbour swaps.
- With immovable cells the array falls into segments between walls. Bubble and insertion cells then end in
  exactly the array in which the textbook algorithm ends. Only selection gains from being run by cells: a
  textbook controller tries in vain to fetch a frozen minimum, again and again.
- Descents go up and down all the time, and the paper calls the ups a detour. Inversions never go up, not in a
  single swap. Exchanging two neighbours out of order may raise the descents by one while it always removes an
  inversion: the retreat is in the metric. Nor do descents plan ahead: shuffle blocks of ten changes of a
  trace, and its delayed gratification stays. The `walker` shows that inversions do rise where a walk really
  steps back, and so do selection cells that push movable frozen cells about.
- Chimeric arrays do cluster, far above the same runs with shuffled labels, but their rise is 40 to 75 % of
  the published one: the paper sets means of per-run maxima beside maxima of mean curves.
- Slowing or speeding up selection cells a hundredfold never abolishes the clusters.

## Things to try

- `emergelab run sorting --set n=50`: which numbers scale with n, and which with its square?
- `--set frozen_where=middle`: where does damage hurt most?
- `--set noise=0.01`: cells that err now and then. Does order survive? Delayed gratification under inversions?
- `--clamp "rates=[1,1,0]@500:1000"` puts selection cells to sleep; the wall and the transplant above need
  Python. Does an array repair itself?
- Write down a fourth metric, for example the distance of values from their places, and ask it for delayed
  gratification.

## Differences from the paper

- The authors run one Python thread a cell behind one lock; ours is its memoryless idealisation. Their
  schedule is not seeded, so distributions can match and runs cannot.
- They stop when a probe, once a second, finds no cell that would move, and the probe ignores frozen
  neighbours. We stop at true rest. Their counts for three movable frozen cells (2.64 and 13.24 descents for
  bubble and selection) come out as 1.0 and 3.0.
- The paper counts a read only when a cell is about to move, and a cell's read and swap as one act, but
  comparison and swap of a textbook algorithm as two. `published_cost` does the same, `cost` counts
  everything.
- Their delayed gratification is a sum where the trace ends on a rise, and a mean otherwise (`dg_published`);
  their trace begins after the first swap, ours with the initial array.
- Aggregation is divided by n, as theirs, though there are n - 1 pairs.
- Frozen cells are drawn with replacement, as theirs: three draws may freeze two cells.
- In their code an insertion cell that sorts downwards cannot move past a frozen cell; here it can.
- At cross-purposes an array need not come to rest; the authors stop after 15,000 swaps. The size `quick`
  stops sooner.

## References

- T. Zhang, A. Goldstein, M. Levin: Classical Sorting Algorithms as a Model of Morphogenesis, Adaptive
  Behavior 33 (2025), arXiv 2401.05375, and their code, Zhangtaining/cell_research on GitHub.
- D. T. Gillespie: Exact stochastic simulation of coupled chemical reactions, J. Phys. Chem. 81 (1977): the
  jump chain.
- D. E. Knuth: The Art of Computer Programming, vol. 3, 5.1.1: inversions.
- R. Schaeffer, B. Miranda, S. Koyejo: Are Emergent Abilities of Large Language Models a Mirage?, NeurIPS
  2023: the question that is put to delayed gratification here.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import RATES, at_rate, conditions
from ._figures import figures
from ._system import Sorting
from ._view import view

__all__ = ["Sorting", "study"]

_ALL = conditions()
_UNHURRIED = ("bubble-slips", "bubble+selection-round-robin", "bubble+selection-bursts")
_OURS = (*_UNHURRIED, "walker", *map(at_rate, RATES))

study = el.Study(
    slug="sorting",
    family="societies",
    papers=(
        el.Paper(
            "Classical Sorting Algorithms as a Model of Morphogenesis",
            authors="Taining Zhang, Adam Goldstein, Michael Levin",
            year=2024,
            url="https://arxiv.org/abs/2401.05375",
        ),
    ),
    system=Sorting,
    conditions=_ALL,
    sizes={
        "tiny": el.Size(steps=200, every=10, seeds=4, set={"n": 12}, about="12 cells: mechanics only"),
        "quick": el.Size(
            steps=6500,
            every=25,
            seeds=64,
            conditions=tuple(name for name in _ALL if name not in _UNHURRIED),
            about="64 repeats for 100; opposed arrays stop after 6,500 events, not 15,000 swaps, when their "
            "sortedness has long settled; the schedulers with memory and the noisy cells are left out",
        ),
        "full": el.Size(steps=30_000, every=50, seeds=100, about="everything, at the size of the paper"),
        "paper": el.Size(
            steps=25_000,
            every=50,
            seeds=100,
            conditions=tuple(name for name in _ALL if name not in _OURS),
            about="what the paper reports, at its size: 100 cells, 100 repeats, 15,000 swaps at most",
        ),
    },
    claims=claims(),
    figures=figures(),
    view=view,
    page=__doc__,
)
