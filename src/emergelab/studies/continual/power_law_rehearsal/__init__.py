"""A world that comes back to old tasks keeps a network from forgetting them, with no special machinery.

## What it is

Networks that learn one task after the other forget the earlier ones. Most cures change the network: a penalty on
weights, a memory, a generator of old examples. Gandhi et al. (2024) change the world. In human environments what was
met is met again, with a probability that falls as a power of the time since (Anderson and Schooler 1991). If a small
share of each phase goes back to earlier tasks by such a law, a plain network keeps most of what it learnt.

That puts the schedule of the world where methods usually stand, and raises the question that this study is about: is it
the *law*, or is it that anything comes back at all?

## How it works

A perceptron learns ten tasks: the same ten digits with the pixels in an order of each task's own. It is not told which
task it sees. A step is one batch; a phase is 200 of them. A world is a matrix [phase, task] whose rows say from which
tasks a batch is drawn, so worlds, shares and seeds are one compiled program, and each world costs the same number of
steps. `share` of every phase but the first is of earlier tasks, divided up by their need:

- `uniform`: all alike; `power`: age to the power of -`exponent`; `exponential`: a factor e every `span` phases;
  `recent`: the last task only; `oldest`: in proportion to age, the reverse of what memory is thought to be for;
- `index`: what the authors' code calls its power law, (10 + number) to the fourth, which goes by the task's number;
- `blocks`: nothing comes back, the usual stream; `joint`: all tasks met, alike; `blurred`: borders that run into each
  other.

In blocks, elastic weight consolidation (`ewc-*`, exact diagonal Fisher information, one term a task) and a memory of
200 examples (`replay`) do what methods do. After every quarter of a phase all tasks are examined; `accuracy` [task] at
the ends of phases is the accuracy matrix of the field, `needed` the accuracy on what the world is showing.

Sites: `schedule`, `batch.x`, `h.0`, `h.1`, `logits`, `rate`, and of every training `grad.*`, `update.*`, `state.net.*`.

    no_return = el.Clamp("schedule", np.eye(10, dtype=np.float32)[9], during=(1800, None))  # as in `relapse`
    first_layer = el.Ablate("update.layers.0.*", during=(200, None))    # features of the first task for all
    lesion = el.Clamp("h.1", 0.0, where=np.arange(64) < 16)             # a quarter of the units is silent

## Things to notice

- A tenth of rehearsal takes accuracy on all ten tasks from 0.30 to 0.65, and forgetting from 0.68 to 0.29. The last
  task is learnt as well as ever (0.92).
- But that is not the law's doing. All tasks alike give 0.72, and spending the tenth on the *oldest* gives 0.70. A
  power law beats laws that fall faster (exponential 0.53, last task only 0.39): what counts is that no task is left
  out for long. With half of all examples the laws can hardly be told apart (0.86 and 0.87), and come up to joint
  training (0.87).
- What each world leaves has the shape of its law. What is lost grows with age to the power of 0.9 under a power law,
  1.3 under an exponential one, 0.2 if all come back alike, and under `oldest` it falls.
- Judged by what the world shows, which is nine tenths the present task, all worlds are as good (0.90 to 0.92). The
  argument that memory fits its environment cannot be decided on such a measure.
- It has to be the task: with random labels on what comes back, it harms (0.27).
- Rehearsal is no insurance. If nothing comes back in the tenth phase (`relapse`), that one phase takes the older half
  of the tasks from 0.53 to 0.31, and the mean from 0.65 to 0.43.
- New tasks are not learnt faster for it: a quarter into each phase accuracy is 0.8 from the second task to the last.
- Elastic weight consolidation has 0.37 at best. Stronger, it protects what is known by keeping the network from
  learning (0.41 on the last task at strength 20).

## Things to try

- `--set exponent=2`: a steeper law is nearer to the exponential one.
- `--set world=blurred --set span=1`: what do soft borders do, without going back on purpose?
- `--set share=0.01`: how little is enough?
- Ablate the update of the first layer from the second phase on: are features or readouts forgotten?
- Run `relapse` with a window in mid-stream: does what was lost come back with the world?

## Differences from the paper

- Digits of 8 x 8 pixels (1,348 to learn from) for MNIST in 32 x 32, two layers of 64 units for three of 1000, no
  dropout and no batch normalisation, five passes a task for a hundred.
- The paper was read in its two abstracts and in an early version of its code. The revised version has split image sets
  (class-incremental), which is not done here; nor are its combinations of worlds with methods.
- In the code more rehearsal means more steps. Here every world has the same number, and rehearsal takes the place of
  the present task. Amounts there go from a tenth of a full task's examples to all of them; 1/11 to 1/2 as a share.
- Elastic weight consolidation has three strengths and is judged by the best on the same seeds.
- Five tasks are the first half of the stream of ten. Twenty, other widths and a two-phase choice of strengths are not
  run.

## References

- A. Gandhi, R. S. Shah, V. Marupudi, S. Varma (2024). Catastrophic interference is mitigated in naturalistic power-law
  learning environments (revised as: Natural mitigation of catastrophic interference).
  https://arxiv.org/abs/2401.10393
- J. R. Anderson, L. J. Schooler (1991). Reflections of the environment in memory. Psychological Science 2, 396-408.
- J. Kirkpatrick et al. (2017). Overcoming catastrophic forgetting in neural networks. https://arxiv.org/abs/1612.00796
- A. Chaudhry et al. (2019). On tiny episodic memories in continual learning. https://arxiv.org/abs/1902.10486
- E. Alpaydin, C. Kaynak (1998). Optical recognition of handwritten digits. https://doi.org/10.24432/C50P49
"""

from __future__ import annotations

import emergelab as el

from ._claims import CLAIMS
from ._conditions import QUICK, TINY, conditions
from ._figures import draw_forgetting, draw_matrices, draw_means, draw_worlds
from ._system import Rehearsal

_QUICK = {"phases": 10, "per_phase": 200, "batch": 32, "hidden": 64, "sample": 100, "optimiser": "adam", "rate": 2e-3}

study = el.Study(
    slug="power-law-rehearsal",
    family="continual",
    papers=(
        el.Paper(
            "Catastrophic Interference is Mitigated in Naturalistic Power-Law Learning Environments",
            authors="A. Gandhi, R. S. Shah, V. Marupudi, S. Varma",
            year=2024,
            url="https://arxiv.org/abs/2401.10393",
        ),
    ),
    system=Rehearsal,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            seeds=2,
            steps=40,
            every=10,
            conditions=TINY,
            set=_QUICK | {"phases": 4, "per_phase": 10, "batch": 16, "hidden": 16, "sample": 8},
            about="mechanics only: ten steps a task",
        ),
        "quick": el.Size(
            seeds=10,
            steps=2000,
            every=50,
            conditions=QUICK,
            set=_QUICK,
            about="digits of 8 x 8 pixels for 32 x 32, two hidden layers of 64 units for three of 1000, 200 batches "
            "of 32 a task (five passes) for 100 passes",
        ),
        "full": el.Size(
            seeds=20,
            steps=10_000,
            every=250,
            conditions=QUICK,
            set=_QUICK | {"per_phase": 1000, "hidden": 256, "batch": 64, "sample": 500},
            about="256 units, 1000 batches of 64 a task. Not run; the window of `relapse` is that of size quick",
        ),
        "paper": el.Size(
            seeds=2,
            steps=28_000,
            every=700,
            conditions=QUICK,
            set=_QUICK | {"per_phase": 2800, "hidden": 1000, "batch": 2048, "rate": 1e-3},
            about="as many batches as in the authors' code, on digits and with two layers. Not run",
        ),
    },
    claims=CLAIMS,
    figures=(
        el.Figure(
            "worlds",
            draw_worlds,
            "Left: of the examples that rehearse, how many are of a task that was new so many phases ago. Middle: "
            "what the network knows of each task in the end, a tenth of all examples being rehearsal. Right: accuracy "
            "on all tasks met, with 95 % bands over seeds.",
            needs=("blocks", "power-10"),
        ),
        el.Figure(
            "forgetting",
            draw_forgetting,
            "Accuracy on a task after its own phase has ended, mean over the first half of all tasks, on one "
            "logarithmic axis and on two. The teeth are phases: a new task costs what is partly learnt again. Bands "
            "are 95 % intervals over seeds.",
        ),
        el.Figure(
            "matrices",
            draw_matrices,
            "Accuracy on every task (columns) after every phase (rows), mean over seeds. Above the diagonal are tasks "
            "to come.",
            needs=("blocks", "power-10"),
        ),
        el.Figure(
            "ends",
            draw_means,
            "Accuracy in the end, mean over all tasks: worlds, shares of rehearsal, and methods in a world of blocks. "
            "Dots are seeds, bars their mean.",
            needs=("blocks",),
        ),
    ),
    page=__doc__,
)
