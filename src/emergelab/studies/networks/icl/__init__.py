"""In-context learning emerges, or stays away, depending only on the statistics of the data.

## What it is

A small network sees sequences of items and labels and has to label the last item. There are two ways to be
right. It may *learn in context*: find the item's like in the sequence and copy its label, which also works
for classes it has never met. Or it may *learn in weights*: memorise which class carries which label, which
needs no context at all. Chan et al. (2022) found that which of the two appears is decided by the data, not
by the network: burstiness, the number of classes, their frequencies, the spread within them. Reddy (2023)
reduced this to a network of two attention layers, small enough to see how it happens: after a plateau on
which the network answers with *some* label of the context, an *induction head* forms and in-context learning
appears within a few hundred steps.

## How it works

A sequence is x1 l1 x2 l2 ... xN lN x: N items with their labels, and a last item whose label is asked for.
Class k has a random mean vector and the label k mod L; an item is its class's mean plus noise. With
probability p_B a sequence is *bursty*: N/B classes occur B times each, and the last item belongs to one of
them. Otherwise all items are independent draws from the classes' prior, p(k) proportional to k^-alpha. With
probability p_C the classes of a bursty sequence are made up for it, labels included, so that only the
context can tell.

The network adds two causal attention heads to the residual stream and reads the last token through a small
perceptron. One step of the system is one gradient step on a fresh batch. Each seed has its own classes,
network and batches; seeds are shared between conditions.

Four scores, each on fresh sequences: `acc_icl` on made-up classes (chance 1/L, and 1/2 for a network that
merely answers with a label of the context, for the two classes shown have different labels); `acc_icl_swap`
on trained classes whose labels are moved by one in the context; `acc_iwl` on trained classes whose label
does not occur in the context; `acc_train` on sequences as in training. `cla` is how often the answer is any
label of the context, `ila1` how strongly labels look back at their own items in layer 1, `tla2` how strongly
the last item looks at labels of its own class in layer 2. `acc_icl_cut` and `acc_iwl_cut` are taken with
every label of layer 1 made to look evenly at the whole sequence: no label can then tell which item it stands
behind, and nothing else changes.

Sites for interventions: `p_bursty`, `p_novel`, `alpha`, `noise` (the data), `L.0.scores`, `L.0.pattern`,
`L.1.q`, `L.1.scores`, `L.1.pattern`, `L.1.skip`, `L.1.out`, `final`, `mlp.0` to `mlp.2`, `logits`, and
`state.*`. With `compute="full"` every layer also announces `q`, `k`, `v` at all tokens, and `embed`.

    starve = el.Clamp("p_bursty", 0.0, during=(2000, None))    # bursty data first, then uniform
    blind = el.Clamp("L.0.pattern", np.eye(17))                # layer 1 sees nothing: no induction head
    no_weights = el.Ablate("L.1.skip")                         # the readout is blind to the last item

## Things to notice

- The same network on the same task ends at opposite poles: with bursty data it copies (`acc_icl` 1,
  `acc_iwl` 0), with independent draws it memorises (`acc_icl` at chance, `acc_iwl` near 1).
- On bursty data with many classes the loss first stops near log 2. That is not in-context learning: the
  network has found out that the answer is one of the two labels shown. Only made-up classes and swapped
  labels tell the two apart.
- Then `ila1` and `tla2` rise together, and `acc_icl` with them, over an interval that is short against the
  plateau. How abruptly depends on what else could be learnt: 10 % to 90 % of the rise take 0.4 of the time to
  half the rise with K = 1024, 0.5 under Zipf's law, 0.8 with K = 256; with K = 4096, in longer runs, 0.3.
- With few classes memorising is quicker than waiting for an induction head, and none forms.
- Two numbers are enough. A network whose heads can only look at the token before, and where something like the
  last item was seen, learns in context within 200 steps and knows no plateau: it is not the mechanism that takes
  long, but to find it among all that two matrices of scores can do.
- What a class means may change: with made-up classes among the data, or with four labels a class, of which one holds in
  a sequence, in-context learning wins at K = 256, too.
- Under Zipf's law (alpha 1) with a quarter of the sequences not bursty, both abilities live in one network.
- What labels see in layer 1 carries in-context learning and little else: if they can no longer tell their
  items apart, `acc_icl` falls back to the plateau's 1/2, and `acc_iwl` stays within a few hundredths of what
  it was.
- A gated recurrent network with as many weights finds the shortcut as fast and does not get beyond it in
  this time.

## Things to try

- `--set burst=1`: "burstiness" is that the answer stands in the context. Does it matter how often?
- `--set noise=0.5`: items of one class differ more. Which of the two abilities suffers?
- Run the conditions `previous` and `local`. With a ready-made first layer the plateau is gone (`acc_icl` is near
  1 within some hundred steps); with a first layer that sees no other token it never ends.
- Start with bursty data and clamp `p_bursty` to 0 later: is in-context learning forgotten?

## Differences from the paper

- The quick size has 16 labels, 32-dimensional items, 17 fixed positions (no random shift), batches of 24,
  and Adam at 2e-3 for 1800 steps, where Reddy's code has 32 labels, 63 dimensions, 65 positions, batches of
  128 and plain gradient descent at 0.01 for 2e5 steps (size `paper`). All contrasts survive the cut; the
  plateau gets shorter.
- The readout's biases are one number a layer as in Reddy's code; its output matrix has variance 1/width.
- `acc_iwl` is stricter than an independent context: no item of the context carries the right label. Under
  Zipf's law an independent context often shows the class that is asked for.
- The classes of a sequence that scores in-context learning have different labels, so that guessing among
  them is right in exactly half of the cases.
- The cut looks evenly at the whole sequence, beyond the causal mask. Looking evenly at earlier tokens only
  leaves the first labels with a large share of their own items, and `acc_icl` near 0.7; deleting the link
  and scaling up what is left shifts every label's vector and takes 0.14 off `acc_iwl` as well.
- Zipf's law, and the equal frequencies that it is compared with, are combined with p_B = 0.75, where Chan et al. have
  0.9; with p_B = 1 nothing ever asks for what is in the weights. At 0.9 both abilities are there as well, but learning
  in weights needs longer: twice as many steps of twice as many sequences gave `acc_iwl` 0.58 beside `acc_icl` 0.96.
- Chan et al. use Omniglot characters and a 12-layer transformer; here their statements are tested on Reddy's
  task.
- Margins were fixed beforehand, three other choices were not: which of the three cuts above is judged, p_B
  beside Zipf's law, and measuring abruptness by a fitted logistic curve were settled after first runs had been
  seen; p_B was lowered from 0.9 when the quick size was cut to fit its time.
- The reduced network (`minimal`) keeps the perceptron of the full one, which sees the last item and what layer 2 hands
  over; Reddy reduces the readout as well. Its two numbers are held in units of 10, for Adam moves a number no faster
  than an entry of a matrix.
- Chan et al. give every class as many labels as there are meanings; here a class's labels are its own and the ones
  after it, so that classes share them.
- Not built: an LSTM, and the loss of in-context learning in
  longer training. The sizes `full` and `paper` are written down, and their time is estimated from the cost of a
  step; they have not been run.

## References

- S. C. Y. Chan et al. (2022). Data distributional properties drive emergent in-context learning in
  transformers. https://arxiv.org/abs/2205.05055
- G. Reddy (2023). The mechanistic basis of data dependence and abrupt learning in an in-context
  classification task. https://arxiv.org/abs/2312.03002
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

import emergelab as el

from ._figures import draw_attention, draw_controls, draw_data, draw_onset, draw_traces
from ._measures import drop_of_acc_iwl, duration_over_onset, lesser_of_both, wait
from ._system import InContext
from ._view import view

QUICK = {"labels": 16, "dim": 32, "positions": 17, "batch": 24, "rate": 2e-3, "tests": 120}
SHOWN = ("bursty", "uniform", "k64", "k256", "flat", "zipf", "novel", "meanings", "recurrent", "minimal")
TOKENS = 17


def _previous() -> Float[np.ndarray, "token token"]:
    """The pattern of a ready-made first layer: labels look at their items, items at themselves."""
    pattern = np.eye(TOKENS, dtype=np.float32)
    pattern[1::2] = pattern[:-1:2]
    return pattern


study = el.Study(
    slug="icl",
    family="networks",
    papers=(
        el.Paper(
            "Data distributional properties drive emergent in-context learning in transformers",
            authors="S. C. Y. Chan, A. Santoro, A. K. Lampinen, J. X. Wang, A. Singh, P. H. Richemond, "
            "J. McClelland, F. Hill",
            year=2022,
            url="https://arxiv.org/abs/2205.05055",
        ),
        el.Paper(
            "The mechanistic basis of data dependence and abrupt learning in an in-context classification task",
            authors="G. Reddy",
            year=2023,
            url="https://arxiv.org/abs/2312.03002",
        ),
    ),
    system=InContext,
    conditions={
        "bursty": {},
        "uniform": {"p_bursty": 0.0},
        "half": {"p_bursty": 0.5},
        "flat": {"p_bursty": 0.75},
        "most": {"p_bursty": 0.9},
        "k64": {"k": 64},
        "k256": {"k": 256},
        "k4096": {"k": 4096},
        "zipf": {"p_bursty": 0.75, "alpha": 1.0},
        "zipf125": {"p_bursty": 0.75, "alpha": 1.25},
        "zipf15": {"p_bursty": 0.75, "alpha": 1.5},
        "zipf2": {"p_bursty": 0.75, "alpha": 2.0},
        "novel": {"k": 256, "p_novel": 0.5},
        "meanings": {"k": 256, "meanings": 4},
        "recurrent": {"net": "gru"},
        "minimal": {"net": "minimal"},
        "previous": el.Condition(
            interventions=(el.Clamp("L.0.pattern", _previous()),),
            about="layer 1 is a ready-made head: labels look at their items",
        ),
        "local": el.Condition(
            interventions=(el.Clamp("L.0.pattern", np.eye(TOKENS, dtype=np.float32)),),
            about="layer 1 sees no other token, as if there were one layer only",
        ),
    },
    sizes={
        "tiny": el.Size(
            seeds=3,
            steps=40,
            every=10,
            conditions=("bursty", "uniform"),
            set={"labels": 8, "dim": 12, "items": 4, "burst": 2, "positions": 9, "batch": 16, "tests": 20},
            about="mechanics only: too small and too short to learn anything",
        ),
        "quick": el.Size(
            seeds=12,
            steps=1800,
            every=90,
            conditions=SHOWN,
            set=QUICK,
            about="16 labels, 32 dimensions, fixed positions, batches of 24, Adam at 2e-3: the plateau ends near "
            "step 800 instead of 1e4 to 1e5, and the contrasts of the papers stay. Fewer points on every "
            "sweep",
        ),
        "full": el.Size(
            seeds=10,
            steps=6000,
            every=100,
            set={"classes": 4096},
            about="labels, vectors, positions (shifted at random) and batches of the paper, all sweeps; still "
            "Adam at 1e-3. Not run; an hour on two cores by the cost of a step",
        ),
        "paper": el.Size(
            seeds=10,
            steps=200_000,
            every=1000,
            set={"classes": 8192, "optimiser": "sgd", "rate": 0.01, "tests": 10_000},
            about="plain gradient descent at 0.01 as published, for a GPU; not run. Chan et al. are tested on this "
            "task, not on Omniglot",
        ),
    },
    claims=(
        el.Claim(
            "Bursty data make the network learn in context, independent draws do not",
            el.contrast("acc_icl", "bursty", "uniform"),
            ">",
            0.2,
            published="near 1 against chance (Chan et al. 2022; Reddy 2023)",
            about="0.2: less would still leave most answers to chance",
        ),
        el.Claim(
            "Independent draws make the network learn in weights, bursty data do not",
            el.contrast("acc_iwl", "uniform", "bursty"),
            ">",
            0.2,
            published="near 1 against chance (Chan et al. 2022; Reddy 2023)",
            about="the mirror image of the first claim, with the same margin",
        ),
        el.Claim(
            "The more classes, the more the network learns in context",
            el.trend("acc_icl", {"k64": 6, "k256": 8, "bursty": 10}),
            ">",
            0.03,
            published="from chance to near 1 (Chan et al. 2022; Reddy 2023)",
            about="per doubling of K; 0.03 is a fifth of full accuracy over the four doublings tested",
        ),
        el.Claim(
            "The fewer classes, the more the network learns in weights",
            el.trend("acc_iwl", {"k64": 6, "k256": 8, "bursty": 10}),
            "<",
            0.03,
            published="from near 1 to chance (Chan et al. 2022; Reddy 2023)",
            about="per doubling of K, with the margin of the claim before",
        ),
        el.Claim(
            "Under Zipf's law both abilities live in one network",
            el.level(lesser_of_both, "zipf", value=0.5),
            ">",
            0.02,
            published="both high for exponents near 1 (Chan et al. 2022)",
            about="the lesser of acc_icl and acc_iwl; 0.5 is more than answering with any label of the "
            "context can give, 0.02 twice the standard error that twelve seeds' scores have from counting",
        ),
        el.Claim(
            "With equally frequent classes the two abilities exclude each other",
            el.level(lesser_of_both, "flat", at="max", value=0.5),
            "<",
            0.1,
            published="a trade-off at exponent 0 (Chan et al. 2022)",
            about="the lesser of both stays below 0.4 even at its best time",
        ),
        el.Claim(
            "In-context learning appears abruptly, after a wait much longer than the rise",
            el.level(duration_over_onset, "bursty", value=0.5),
            "<",
            0.1,
            published="a plateau, then a sharp rise (Reddy 2023)",
            about="10 % to 90 % of the rise of acc_icl above the plateau takes less than 0.4 of the time to half the "
            "rise; 0.5 would be gradual. Seeds differ (0.27 to 0.58 at the quick size), so twelve do not settle it",
            expect="inconclusive",
        ),
        el.Claim(
            "The shortcut comes first, the induction head after it",
            el.order(el.event("cla", above=0.9), el.event("ila1", above=0.4), "bursty"),
            ">",
            0.15,
            published="a slow first phase, then the head forms (Reddy 2023)",
            about="answers are labels of the context before labels look at their items; in more than 65 % of "
            "seeds, which 12 of 12 can show and 10 of 12 cannot",
        ),
        el.Claim(
            "If labels cannot tell their items apart, in-context learning falls back to the shortcut's 1/2",
            el.level("acc_icl_cut", "bursty", value=0.5),
            "=",
            0.1,
            published="the induction head is what does it (Reddy 2023)",
            about="0.1: a fifth of what is lost",
        ),
        el.Claim(
            "If labels cannot tell their items apart, learning in weights is untouched",
            el.level(drop_of_acc_iwl, "zipf"),
            "=",
            0.1,
            published="the two abilities use separate paths (Reddy 2023)",
            about="in the network that has both abilities, with the margin of the claim before",
        ),
        el.Claim(
            "A recurrent network of equal size does not learn in context on these data",
            el.level("acc_icl", "recurrent", value=0.6),
            "<",
            0.05,
            published="recurrent nets fail where the transformer succeeds (Chan et al. 2022)",
            about="below 0.55: no better than any label of the context",
        ),
        el.Claim(
            "Meanings that change from sequence to sequence favour learning in context",
            el.contrast("acc_icl", "novel", "k256"),
            ">",
            0.05,
            published="dynamic meanings raise it (Chan et al. 2022)",
            about="half of the bursty sequences have made-up classes; 0.05: a difference one can see",
        ),
        el.Claim(
            "Words with several meanings favour learning in context",
            el.contrast("acc_icl", "meanings", "k256"),
            ">",
            0.05,
            published="the more labels a class may carry, the more (Chan et al. 2022)",
            about="a class carries one of four labels, anew in every sequence; the margin of the claim before",
        ),
        el.Claim(
            "Two numbers that make an induction head are enough to learn in context",
            el.level("acc_icl", "minimal", value=0.9),
            ">",
            0.02,
            published="a reduced model with a few parameters reproduces it (Reddy 2023)",
            about="above 0.92: what the full network reaches, less than a tenth lost",
        ),
        el.Claim(
            "If only these two numbers are to be found, the wait is over soon",
            el.contrast(wait, "minimal", "bursty"),
            "<",
            500,
            published="not in the papers",
            about="steps with acc_icl below 0.9; 500 are a third of the full network's wait. It took the place of "
            "another claim after a first run: the reduced network has no plateau against which its rise could be "
            "called abrupt",
        ),
    ),
    figures=(
        el.Figure(
            "traces",
            draw_traces,
            "The same network on bursty and on independent data: scores, losses, and how its two layers "
            "look. Thin "
            "lines are seeds, bands 95 % intervals.",
            needs=("bursty", "uniform"),
        ),
        el.Figure(
            "data",
            draw_data,
            "What decides between learning in context and learning in weights: how many classes there are, "
            "how "
            "bursty the data, how unequal the classes' frequencies. Dots are seeds.",
            needs=("bursty", "uniform", "k64", "flat", "zipf"),
        ),
        el.Figure(
            "attention",
            draw_attention,
            "An induction head forms: labels (ℓ) come to look at their items (x) in layer 1, the last item "
            "at labels of its own class in layer 2. Means over seeds and sequences.",
            needs=("bursty",),
        ),
        el.Figure(
            "onset",
            draw_onset,
            "When in-context learning appears, and how fast: averaging over seeds with different onsets "
            "smears the "
            "change, aligning them first does not.",
            needs=("bursty",),
        ),
        el.Figure(
            "controls",
            draw_controls,
            "Left: what is lost when labels can no longer tell their items apart. Right: which data and "
            "which "
            "networks lead to learning in context.",
            needs=("bursty", "uniform"),
        ),
    ),
    page=__doc__,
    view=view,
)
