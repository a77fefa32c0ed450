"""Unlearning before learning was said to help memory; here it is the noise that helps, whichever way the step goes.

## What it is

Networks that learn one thing after another forget. Wang et al. (2024) first write many remedies as one objective: the
loss of the present batch, plus a distance of outputs from what they should still be, plus a distance of weights from
what they were. Experience replay, stored logits, learning without forgetting and elastic weight consolidation are
points of it, which is tested here (`emergelab.continual.unified`). Then they add *refresh learning*: before an update
the network takes a small step that makes the present loss **worse**, as brains are thought to shed what is out of
date, and learns again from there. It is reported to improve every method that it was added to.

## How it works

A perceptron learns ten handwritten digits, two a phase, 100 batches of ten each, and has to tell all ten apart in the
end without being told the phase (class-incremental). It keeps 50 examples by reservoir sampling, with labels and with
the logits of when they were met (DER++, `base`). `naive` has no memory, `labels` no logits.

Before every second update refresh moves the weights. The authors give it in two forms:

- **as released** (`refresh-*`): every array goes up the gradient of the batch by a share `delta` of its own length,
  less where Fisher information is large (`weighting`), with noise a thousandth of that; the release has a share of
  1e-5;
- **as an equation** (`paper-*`): a step `gamma` of the gradient over Fisher information, and noise of variance 2
  `gamma` over Fisher information. `noise` scales the latter, 1 is the equation, 0 leaves it out; one is added to
  Fisher information before it is inverted.

Controls take as long a step in another direction: `random`, `descent` (learning instead of unlearning), `memory` (up
the loss of what is remembered). `noise-5` has the noise of `paper-noise-5` without its slope, `noise-down-5` with the
slope turned round. `decay` has the weight decay that the released run adds and its base lacks.

`average` is accuracy on all digits met, `told` the same if only the two of the phase can be answered, `step` and
`update` the lengths of an unlearning step and of an update over that of all weights, `step_loss` what the step adds to
the loss of a batch. All conditions of a seed see the same examples.

Sites: `refresh` (1 where a step is taken), `batch.x`, `h.0`, `h.1`, `logits`, `rate`, `schedule`, and of every training
`grad.*`, `update.*`, `state.net.*`. What else is asked of the network has its sites in scopes of their own (`again`,
`as-before`, `unlearnt`, ...).

    never = el.Ablate("refresh")                          # no step is taken
    late = el.Ablate("refresh", during=(0, 250))          # none in the first half
    lesion = el.Clamp("h.1", 0.0, where=np.arange(100) < 20)

## Things to notice

- As released, refresh does nothing: -0.07 points of a hundred (from -0.3 to 0.03), where one to two were published.
  Its step is a five-hundredth of an update. Ten and a hundred times the step do nothing either; a thousand times
  harms, as soon as the step is longer than the update.
- The equation without its noise does nothing at 0.001 and harms a little at 0.01 (-0.4).
- **With its noise it helps**, by 2.4 points (1.3 to 3.4) at a size of 1e-5. But the noise without the slope gives the
  same 2.4, and the noise with a step *down* the slope 2.5. Nothing is unlearnt there: such a step raises the loss of a
  batch by less than 0.001. Noise in the weights is an old and good regulariser (a memory of 50 examples is easily
  learnt by heart), and ten times more of it harms.
- Fisher information plays no part: without it, and with a hundred thousand times its weight, all is the same.
- With the task told hardly anything is forgotten (0.98, 0.92 even without memory). What is lost is which digits there
  are to choose from.

## Things to try

- `--set slots=20` and `--set slots=500`: does noise help the more, the smaller the memory?
- `--set logits=0 --set gamma=1e-5 --set noise=1`: is it the same with labels alone?
- `--set every=1`, or 10: is it the amount of noise that counts?
- Ablate `refresh` in the first half: when is noise needed?

## Differences from the paper

- Digits of 8 x 8 pixels and a perceptron of two layers of 100 units, for image sets and ResNets; 50 remembered examples
  for 200 to 5120. A null result at this scale is no proof that there is no effect at that.
- The paper was read in its abstract, in public summaries and in its code. Its tables could not be had: the size of the
  published gains and the setting of the equation are recalled or our own.
- The release adds refresh to DER++ only, and so does this study. The other methods of the objective are held to it by
  tests, not run.
- Fisher information is the exact diagonal over 100 examples at the end of a phase; of earlier phases a share of 1e-5 is
  kept, as in the release, which is to say the last one counts.
- One is added before it is inverted; the equation as written has no bound where Fisher information is 0.
- Gradients for the step are taken on the present batch alone, not on what is remembered.

## References

- Z. Wang, Y. Li, L. Shen, H. Huang (2024). A unified and general framework for continual learning. ICLR.
  https://arxiv.org/abs/2403.13249
- P. Buzzega, M. Boschini, A. Porrello, D. Abati, S. Calderara (2020). Dark experience for general continual learning.
  https://arxiv.org/abs/2004.07211
- G. An (1996). The effects of adding noise during backpropagation training on a generalization performance. Neural
  Computation 8, 643-674.
- E. Alpaydin, C. Kaynak (1998). Optical recognition of handwritten digits. https://doi.org/10.24432/C50P49
"""

from __future__ import annotations

import emergelab as el

from ._claims import CLAIMS
from ._conditions import QUICK, TINY, conditions
from ._figures import draw_course, draw_gains
from ._system import Refresh

_QUICK = {"phases": 5, "per_phase": 100, "batch": 10, "hidden": 100, "sample": 100, "rate": 0.05}

study = el.Study(
    slug="refresh-learning",
    family="continual",
    papers=(
        el.Paper(
            "A Unified and General Framework for Continual Learning",
            authors="Z. Wang, Y. Li, L. Shen, H. Huang",
            year=2024,
            url="https://arxiv.org/abs/2403.13249",
        ),
    ),
    system=Refresh,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            seeds=2,
            steps=20,
            every=4,
            conditions=TINY,
            set=_QUICK | {"per_phase": 4, "hidden": 12, "sample": 6, "slots": 20, "again": 8},
            about="mechanics only: four steps a phase",
        ),
        "quick": el.Size(
            seeds=12,
            steps=500,
            every=100,
            conditions=QUICK,
            set=_QUICK,
            about="digits of 8 x 8 pixels for MNIST, 100 batches of 10 a phase (four passes for one), 50 remembered "
            "examples for 200 to 5120, a perceptron for a ResNet on images",
        ),
        "full": el.Size(
            seeds=40,
            steps=2000,
            every=400,
            conditions=QUICK,
            set=_QUICK | {"per_phase": 400, "hidden": 400},
            about="four times the steps and units. Not run",
        ),
        "paper": el.Size(
            seeds=10,
            steps=5000,
            every=1000,
            conditions=QUICK,
            set=_QUICK | {"per_phase": 1000, "slots": 500, "hidden": 1000},
            about="as many updates as one pass over MNIST, on digits. Not run; ResNets on image sets are out of reach",
        ),
    },
    claims=CLAIMS,
    figures=(
        el.Figure(
            "gains",
            draw_gains,
            "Left: what each form of refresh adds to a memory alone, in points of a hundred, paired by seed, with 95 % "
            "intervals; grey is the range of published gains. Right: the length of an unlearning step (dots) and of an "
            "update (bars), over that of all weights.",
            needs=("base", "refresh-1e-3"),
        ),
        el.Figure(
            "course",
            draw_course,
            "Left: accuracy on all digits met after each phase, with 95 % bands. Right: the accuracy matrix of the "
            "memory alone.",
            needs=("base",),
        ),
    ),
    page=__doc__,
)
