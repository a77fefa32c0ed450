"""How many dimensions the initial weights have decides between rich and lazy learning.

## What it is

A network can learn in two ways. *Lazily*: its features stay as they were, and only their weighing changes.
*Richly*: the features themselves are remade for the task. Which of the two happens is known to depend on how large
the weights are at the start. Liu et al. (2024) asked what their *structure* does, since the wiring of a brain is far
from random, and found that it is their effective rank that matters: of weights with the same norm, those of low rank
learn richly and those of high rank lazily. There is one exception. Low rank is lazy again if its few dimensions happen
to be those that the task needs.

## How it works

A recurrent network of rectified units without biases reads 8 steps of a trial and has to answer 0 in all but the last
step, and 1 or 2 there. The tasks are those of systems neuroscience: which of two noisy signals is stronger
(`perceptual`), whether a test equals a sample seen six steps before (`match`), which signal is stronger in the modality
that a cue names (`context`). All weights learn by stochastic gradient descent with momentum; one step of the system is
one update.

The recurrent weights begin with a given structure and always with the same norm, `gain` times the root of the number
of units. `wiring` draws a Gaussian matrix, or a made-up connectome with cell types (`types`: 80 % excitatory cells and
three kinds of inhibitory ones, Dale's law, connection probabilities by pair of types, log-normal weights, excitation
balanced by inhibition), or the entries of such a connectome in random places (`shuffled`). `rank` keeps the leading
singular values of the Gaussian one and gives them all the norm. `turn` moves its leading singular vectors along the
arc towards the task's: from what tells the two choices apart in the hidden state, to the difference of their readouts.
Seeds are shared: the other weights and all trials are the same in all conditions of a task.

What has changed is read off kernels of a fixed set of probes. `ra` is the cosine between the Gram matrices of the
hidden states at the decision, now and at the start; `ka` is the same for the tangent kernel, the inner products of the
outputs' gradients with respect to the recurrent weights. 1 is lazy. `dw` is the norm of the change of the recurrent
weights, `signs` the share of hidden states that are on or off as at the start, `dimension` the participation ratio of
the squared singular values (50 for a Gaussian matrix of 100 rows), `radius` the spectral radius, `gdv` how well hidden
states tell the choices apart.

The conditions `linear-*` are the paper's theory: two linear layers, the first with `rank` equal singular values, the
second zero, which learn a linear map by gradient descent on white inputs. For these the final tangent kernel can be
written down for any rank and any direction of the target; `ka_theory` is that closed form (derived in `_theory`),
which training meets to the third decimal.

Sites for interventions: `h` (hidden states), `tau`, `logits`, `noise`, `rate`, `map` (two layers), and of every
training `state.net.*`, `grad.*`, `update.*`. With `centred="yes"` the first network, whose output is taken off, has its
sites under `first`.

    fixed = el.Ablate("update.readout")                     # the readout does not learn
    slow = el.Clamp("tau", 3.0)                             # units that remember by themselves
    late = el.Scale("rate", 0.1, during=(500, None))        # learning slows down
    lesion = el.Clamp("h", 0.0, where=np.arange(100) < 20)  # a fifth of the units is silent

## Things to notice

- At equal norm and equal loss the tangent kernel keeps an alignment of 0.54 with the first at full rank, 0.53 at rank
  25, 0.31 at rank 5 and 0.21 at rank 1. Nearly all of the difference lies between rank 1 and rank 25.
- It is decided early. After 100 updates of 1000 the kernel is where it will end (0.21 at rank 1, 0.56 at full rank),
  while loss and weights go on changing.
- The weights themselves tell little: their change has a norm of about 1 at every rank, but for one seed in eight at
  rank 1, whose one direction excites itself and makes the first updates huge. The norm fixes the sum of all squared
  singular values, not the spectral radius, which at rank 1 lies anywhere between 0 and 3.
- Hidden states hardly turn (alignment 0.99) unless the rank is 1 (0.80), although a quarter of them (full rank) to two
  thirds (rank 1) are on where they were off, or off where they were on.
- What is learnt has two to five dimensions of a hundred, whatever the weights began with.
- The order of ranks is the same in all three tasks: 0.19 against 0.54 in `match`, 0.25 against 0.52 in `context`.
- Two linear layers show why. At rank 1 the network first sees a twentieth of the target and has to turn its only
  direction; at full rank it sees all of it. On the target, rank 1 keeps an alignment of 0.98, half-way 0.58, at random
  0.11, and training ends where the closed form says.
- In the recurrent network alignment shows where the weights are small: aligned rank 1 learns more than rank 1 at random
  (loss 0.04 against 0.08) and yet keeps more of its kernel (0.69 against 0.56). At the norm of the main series seeds
  scatter too widely to tell (0.32 against 0.21, from 0.06 to 0.68): a direction of that norm drives the network far
  beyond what the task needs. Eight seeds settle neither.
- Larger weights are lazier at full rank (0.49, 0.54, 0.65 at gains 0.6, 1.25, 2), and so is a larger output at rank 1
  (0.24 against 0.61), both by their intervals alone: with twenty claims to correct for, ten more seeds are needed.

## Things to try

- Run `rank-1-half-turned`, or `--set turn=0.25`: how much of the way is enough?
- `--set tau=3`: units that remember by themselves need less of their connections.
- Clamp the hidden states of a fifth of the units to 0 in mid-training: which rank recovers faster?
- Run `rank-1-fixed-readout` and `full-fixed-readout`: without a readout that learns, who gets richer?
- `--set noise=0.3`: a harder task.

## Differences from the paper

- The quick size has 100 units, 1000 updates and ranks 1, 5, 25, 100, where the authors' code has 300 units, 10 000
  updates and ranks 1, 30, 100, 300. The sizes `full` and `paper` are written down and have not been run.
- A Gaussian matrix of some rank is not truncated but put together from what a singular value decomposition would
  find: evenly spread orthonormal vectors and the values of the quarter-circle law. All matrices have exactly the norm
  `gain` times the root of the number of units.
- The tangent kernel is that of the 3 outputs at the decision for 24 trials. The authors' has all 8 steps of 32 trials.
- The tasks follow those of NeuroGym with the timing of the authors' code; all show a wait signal until the decision,
  and the context is named by a cue in all steps.
- Sequential digits are not among the tasks, and no measured connectome is used. `types` is made up: it has 16
  dimensions where its shuffle has 34 and a Gaussian matrix 50. That is too many for an effect, as rank 25 shows. A
  table in which excitatory cells drive interneurons two to three times as often has 6 dimensions, and in three seeds it
  was richer than its shuffle (0.42 against 0.60). It was not kept: inhibition had to be up to nine times as strong as
  excitation to balance it.
- The alignment exception is the paper's for two linear layers. Its form for the recurrent network is ours, and so is
  the choice of a weak condition: at the norm of the main series first runs showed no effect, at a sixth and a third of
  it they did.
- The closed form is derived here for equal singular values; it holds for targets of any size.
- A large output from zero (`centred`, `scale`) stands for the linearised network, which is its limit.

## References

- Y. H. Liu, A. Baratin, J. Cornford, S. Mihalas, E. Shea-Brown, G. Lajoie (2024). How connectivity structure shapes
  rich and lazy learning in neural circuits. https://arxiv.org/abs/2310.08513
- L. Chizat, E. Oyallon, F. Bach (2019). On lazy training in differentiable programming.
  https://arxiv.org/abs/1812.07956
- A. Atanasov, B. Bordelon, C. Pehlevan (2022). Neural networks as kernel learners: the silent alignment effect.
  https://arxiv.org/abs/2111.00034
- M. Molano-Mazon et al. (2022). NeuroGym: an open resource for developing and sharing neuroscience tasks.
"""

from __future__ import annotations

import emergelab as el

from ._claims import CLAIMS
from ._conditions import QUICK, TINY, conditions
from ._figures import draw_exception, draw_rank, draw_structure, draw_training
from ._system import RichLazy

study = el.Study(
    slug="rich-lazy-rank",
    family="networks",
    papers=(
        el.Paper(
            "How connectivity structure shapes rich and lazy learning in neural circuits",
            authors="Y. H. Liu, A. Baratin, J. Cornford, S. Mihalas, E. Shea-Brown, G. Lajoie",
            year=2024,
            url="https://arxiv.org/abs/2310.08513",
        ),
    ),
    system=RichLazy,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            seeds=2,
            steps=20,
            every=10,
            conditions=TINY,
            set={"units": 12, "trials": 8, "tests": 16, "probes": 16, "kernels": 4},
            about="mechanics only: too small and too short to learn anything",
        ),
        "quick": el.Size(
            seeds=8,
            steps=1000,
            every=50,
            conditions=QUICK,
            set={"units": 100},
            about="100 units for 300, 1000 updates for 10 000 (most losses are flat from 800 on), ranks 1, 5, 25, "
            "100, gradients of 24 trials at the decision for 32 trials at all steps",
        ),
        "full": el.Size(
            seeds=10,
            steps=10_000,
            every=200,
            set={"units": 300, "probes": 320},
            about="units, updates and probes of the paper, all conditions. Not run; about four hours on two cores by "
            "the cost of a step",
        ),
        "paper": el.Size(
            seeds=10,
            steps=10_000,
            every=1000,
            set={"units": 300, "probes": 320, "kernels": 256},
            about="as full, with as many gradients as the paper's kernel has rows, for a GPU. Not run. Sequential "
            "digits are not among the tasks",
        ),
    },
    claims=CLAIMS,
    figures=(
        el.Figure(
            "rank",
            draw_rank,
            "At equal norm, low rank changes more: the tangent kernel, the hidden states and the weights after "
            "training, by the rank of the initial weights and by task. Dots are seeds, bars 95 % intervals.",
            needs=("rank-1", "full"),
        ),
        el.Figure(
            "training",
            draw_training,
            "Losses are the same at all ranks, and what differs between ranks differs early: most of the change of the "
            "tangent kernel falls into the first steps. Thin lines are seeds, bands 95 % intervals.",
            needs=("rank-1", "full"),
        ),
        el.Figure(
            "exception",
            draw_exception,
            "Low rank is lazy if it is aligned with the task. Left and middle: two linear layers and their closed "
            "form. Right: the recurrent network, for small weights and at the norm of the main series.",
            needs=("linear-1", "linear-full", "rank-1", "full"),
        ),
        el.Figure(
            "structure",
            draw_structure,
            "Other ways to be rich or lazy. Left: a connectome with cell types and its shuffle, beside truncated "
            "Gaussian matrices. Middle: larger weights. Right: a larger output.",
            needs=("types", "shuffled", "full"),
        ),
    ),
    page=__doc__,
)
