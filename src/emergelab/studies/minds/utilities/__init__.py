"""A scale of utility emerges in a network that only ever sees choices between pairs.

## What it is

Mazeika et al. (2025) ask large language models for choices and find that one utility for each outcome explains them,
the better the larger the model. Why should it? This study grows the smallest network for which the question makes
sense, in a world where the answer is known. Items have a worth to a population; the network sees names of items and
which of two somebody preferred, for a seventh of all pairs. If its choices between other pairs fit on one scale, the
scale is its own work. Then it can be read, pushed, exchanged and rewritten.

## How it works

There are 64 items with four attributes each, which the network never sees, and 200 annotators, whose weights on the
attributes scatter around the population's. An annotator who compares two items adds noise to what each is worth to it
(Thurstone 1927). Fifteen per cent of the pairs are ever compared, each by random annotators in random order.

A transformer of two blocks reads three tokens, "item, item, which?", and answers. One step is 25 updates of AdamW on
64 comparisons. Each seed has its own world, network and comparisons, shared between conditions.

At record times all pairs are asked in both orders and the two answers averaged. `holdout` is how well a scale of
Bradley and Terry, fitted to the network's choices on pairs seen in training, tells its choices on the others, each
counted by how firm it is; `holdout_null` the same after the choices were dealt out to other pairs. `right_unseen` is
how often the better item is preferred, `cycles` the chance that a triad goes round in a circle, `decided` the mean of
|2p - 1|. `probe` reads utility from an item's residual, left-one-out, at three places from the bottom up; `probe_pair`
reads the difference where the answer is given. `push` adds to the first item's embedding what one standard deviation of
utility changes on average; `swap` exchanges the two items' components along that axis.

Simulated minds stand beside the networks (`rational`, `rational-noisy`, `bounded`, `indifferent`). Nothing in them is
learnt; what they are like is known, so they calibrate three more measures of the paper. A step is one round of
questions.

- *Instrumental values.* A mind compares states of small Markov processes: two starts, two states between, two ends. Is
  there a reward of the ends under which its scale is the value function? `instrumental` is the mean distance from the
  nearest one, `instrumental_null` the same for processes whose ends have changed places (unnatural ones), `foreseen`
  the correlation with values by value iteration.
- *Maximisation.* From menus of 36 things a mind takes one freely, the best or the first that is good enough (Simon
  1955). `maximised` is how often that is the best by the scale of its choices between two, `maximised_luce` what that
  scale foretells (Luce 1959), `chosen_place` where in the list it stood.
- *Discounting of time.* Half to thirty times an amount in 1 to 32 months, or the amount now. Points of indifference
  give what a delay leaves of a value (`factors`); an exponential and a hyperbola are fitted to it.

Sites for interventions: `tau`, `noise`, `share`, `order` (the data), those of the transformer (`embed`, `L.i.q`,
`L.i.k`, `L.i.v`, `L.i.scores`, `L.i.pattern`, `L.i.heads`, `L.i.mid`, `L.i.act`, `L.i.ffn`, `L.i.out`, `final`,
`logits`), and `state.*`.

    blind = el.Ablate("L.0.pattern")                         # the first block sees nothing
    later = el.Clamp("noise", 2.0, during=(10, None))        # judgements become noisy

## Things to notice

- Before any training a scale already explains nine of ten choices. Faint preferences of an untrained network add up, so
  they fit on a scale by construction. Accuracy alone would call a random network coherent.
- Where pairs are decided by a whim (`no-scale`), choices grow as firm as elsewhere, but only three of four are told by
  a scale. So neither coherence nor firmness will do alone: untrained networks have the one, this one the other.
- By majority hardly any triad is cyclic even before training; by probabilities, nearly as many as with a coin.
- The scale is that of the population, noise and disagreement notwithstanding: averaging is what learning does.
- A width of 8 does about as well as one of 64: a scale is one number an item.
- One direction of the embedding carries most of the choice. Exchanging it between two items turns the choice round, a
  random direction does next to nothing. Adding it to one item does half of what a better item does.
- Rewriting eight items turns the whole scale round, the fifty-six others included: what is rewritten is how the scale
  is read, not where items stand on it: the old axis is still there, and adding it now makes an item less preferred
  (`push`). With old comparisons mixed in, the eight change and the others stay.

- The distance from a value function is no measure of foresight by itself: noise raises it as blindness does. Beside
  that of the unnatural process it is.
- Whoever is indifferent, or only noisy, looks like a hyperbolic discounter: noise flattens the curve, and a flat one is
  nearer to a hyperbola. Look at `more` before at the curve.
- A maximiser with noisy judgement takes the best no more often than one who is content with what is good enough; but
  the second takes it from the top of the list.

## Things to try

- `emergelab run utilities --condition turned --condition turned-replay`: rewrite eight items; what becomes of the rest?
- `--set share=0.03`: how few comparisons will do? A ring needs two an item, that is 3 %.
- `--set tau=8`: annotators who agree on nothing.
- `el.Shift("embed", by)` with a direction of your own, during training.
- `emergelab run utilities --condition rational --set foresight=0.5 --set noise=1`: how much foresight is seen?
- The study `utilities-lm` asks language models in the same way.

## Differences from the paper

- The paper asks language models; it has no scale model. Width and training stand in for capability here, which the
  paper measures by MMLU. What is true of 64 items in a network of some ten thousand weights need not be of words.
- Choices are read as probabilities, both orders averaged; the paper samples ten answers for each order.
- The scale is that of Bradley and Terry, for speed; the study `utilities-lm` has the Thurstonian one beside it.
- The paper rewrites utilities by fine-tuning on the votes of a simulated assembly and tests outcomes held out; here the
  utilities of eight items are reversed and the others are the ones held out.
- Convergence of the utilities of different models is not measured here: all networks of a seed learn from one
  population, and their agreement with it says as much.
- In the paper a language model has to know by itself what leads where, and rewards are fitted to sequences of states by
  descent. Here a mind knows it, states stand alone, and rewards of the ends are fitted by least squares. In a process
  of one move both come to the same: a state should be worth the mean of what it leads to.
- The paper asks freely, without a list, and a second model looks for the answer among the five best (in the authors'
  code), so that anything like one of these counts as one of them. Here the list is shown and nothing has to be matched.
- The size `paper` takes over the paper's numbers of outcomes and pairs, no more. It and `full` are written down and
  have not been run.

## References

- M. Mazeika et al.: Utility Engineering: Analyzing and Controlling Emergent Value Systems in AIs, arXiv 2502.08640
  (2025).
- L. L. Thurstone: A law of comparative judgment, Psychological Review 34 (1927).
- R. A. Bradley, M. E. Terry: Rank analysis of incomplete block designs, Biometrika 39 (1952).
- H. A. Simon: A behavioral model of rational choice, Quarterly Journal of Economics 69 (1955).
- R. D. Luce: Individual Choice Behavior (1959).
- P. A. Samuelson: A note on measurement of utility, Review of Economic Studies 4 (1937).
- J. E. Mazur: An adjusting procedure for studying delayed reinforcement, in Quantitative Analyses of Behavior 5 (1987).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions
from ._figures import figures
from ._system import Utilities

__all__ = ["Utilities", "study"]

study = el.Study(
    slug="utilities",
    family="minds",
    papers=(
        el.Paper(
            "Utility Engineering: Analyzing and Controlling Emergent Value Systems in AIs",
            authors="Mantas Mazeika, Xuwang Yin, Rishub Tamirisa, Jaehyuk Lim, Bruce W. Lee, Richard Ren, Long Phan, "
            "Norman Mu, Adam Khoja, Oliver Zhang, Dan Hendrycks",
            year=2025,
            url="https://arxiv.org/abs/2502.08640",
        ),
    ),
    system=Utilities,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=4,
            every=2,
            seeds=3,
            set={
                "items": 12,
                "few": 3,
                "annotators": 6,
                "updates": 3,
                "batch": 8,
                "width": 8,
                "share": 0.4,
                "processes": 4,
                "menus": 2,
            },
            conditions=("width-8", "no-scale", "many-minds", "turned", "rational", "bounded", "indifferent"),
            about="mechanics only: too small and too short to learn anything",
        ),
        "quick": el.Size(
            steps=20,
            every=4,
            seeds=8,
            about="500 updates on 64 comparisons at 3e-3 for 2000 on 256 at 1e-3: cross-entropy on unseen pairs "
            "ends at 0.54 at every width, where 0.52 is the least there can be",
        ),
        "full": el.Size(
            steps=20,
            every=4,
            seeds=16,
            set={"updates": 100, "batch": 256, "rate": 1e-3},
            about="2000 updates on 256 comparisons. Not run; an hour on two cores by the cost of a step",
        ),
        "paper": el.Size(
            steps=20,
            every=4,
            seeds=16,
            set={"items": 510, "share": 0.07, "updates": 400, "batch": 256, "rate": 1e-3},
            about="as many items and pairs as the paper has outcomes (510) and asks pairs (some 9,170); the paper "
            "itself has no such system. For a GPU; not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
