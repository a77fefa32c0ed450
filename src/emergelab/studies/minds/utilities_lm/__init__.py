"""Whether one scale of utility explains what a language model chooses.

## What it is

A language model is asked which of two outcomes it would prefer, again and again, each time afresh. If it has values in
any sense, the answers should fit together: one number for each outcome, its utility, should explain them all. Mazeika
et al. (2025) find that in large models they do, the better the larger the model, and speak of emergent value systems.

Any model can be asked here: a small one inside the process, one behind an address, a record of a run. Beside it answer
four subjects whose preferences are known: a coin, one that looks at the place only, one that ranks by rule, and one
with planted utilities and noise. They show what the instrument can see and what it takes for coherence.

## How it works

One step is one round.

1. **Pairs.** The first round asks a ring through all outcomes. Later rounds ask the pairs that tell most: outcomes near
   each other on the scale so far, and seldom asked about.
2. **Questions.** Each pair is asked in both orders. Options stand under neutral letters, drawn for the seed. The answer
   of a model with log-probabilities is the probability of an option; of others, the share of `samples` answers. What
   cannot be read counts half and half.
3. **Controls.** The same pairs are asked four questions more: the same in other words, the reverse (which would you
   avoid?), which text has more words, and to pick one at random.
4. **Fit.** A Thurstonian scale (a mean and a width for each outcome) and one of Bradley and Terry (a utility each).
   `holdout` is the cross-validated accuracy of the latter against the averaged answers, each counted by |p - 1/2|, for
   a pair that is decided by a hair says nothing; `holdout_null` the same after answers were dealt out to other pairs.

Three more questions look ahead.

- *Instrumental values* (`model-processes`). States of small processes are compared: two starts, two ends. Chances are
  not told; who answers has to know what tends to lead where. `instrumental` is the distance of the scale from the
  nearest value function, `instrumental_null` the same for unnatural processes, whose starts lead to the other end.
  Starts are lotteries with implied chances, so `eu_error` and `eu_null` are to be had as well.
- *Maximisation.* When all pairs are asked, a list of all outcomes is shown, as many times as it is long, so that each
  stands once at each place, and one is chosen freely. `maximised`: how often that is the best by the scale.
- *Discounting of time* (`model-delays`). Half to thirty times a sum, in one month to ten years, or the sum today.
  Points of indifference give what a delay leaves of a value; an exponential and a hyperbola are fitted to it.

Claims are of two kinds. Those on the *instrument* are about the known subjects. Those on the *phenomenon* are about the
model. A model of some hundred million parameters is expected to fail most of the latter: it is a negative control, and
its verdicts say nothing about the models of the paper.

Site for interventions: `answers`, how often the first outcome of each pair was taken, by question, pair and order.

## Things to notice

- An accurate scale is no proof of a preference. SmolLM2 takes the same place in most pairs, whatever stands there; what
  little is left is explained by a scale, and the scale is the same when it is asked what it would *avoid*, which text
  has more words, or to pick at random.
- A subject whose preferences are faint but add up has hardly a circle by majority (`cycles_hard`), and as many as a
  coin by its probabilities (`cycles`). Transitivity without a width misleads.
- `lexicographic` has no utilities and a coherent scale.
- `holdout_one`: in one order only, a model that looks at places has no scale left.
- `train_pseudo` hardly differs from `train` where few pairs are asked: what is sure is told anyhow.
- Asked about sums that come later, SmolLM2 takes one half of the time, whatever is offered, so its curve of discounting
  is flat, and a flat curve is nearer to a hyperbola. That claim is supported and means nothing; `more` says so.
- From a list SmolLM2 takes a place (`free_place`), as between two. Its scale of states is no nearer to what they lead
  to than to the opposite.

## Things to try

- `emergelab run utilities-lm --lm smollm2`: a small model, offline. Look at `avoid` and `completeness`.
- `emergelab run utilities-lm --lm http://HOST/v1#MODEL --lm-calls 4000 --condition model`: your own.
- Does coherence grow with capability? One run for each model, from small to large, and `holdout` over their size.
- `emergelab run utilities-lm --condition model-story --condition model-bare`: other words, no system message.
- `emergelab run utilities-lm --condition thurstone --set noise=8 --set samples=1`: how noisy may a subject be?
- `el.Clamp("answers", 0.5, during=(1, None))`: nothing is preferred after the first round.

## Differences from the paper

- Outcomes are 120 of our own in twelve categories, without living persons, parties or groups of people; the paper has
  510. Questions carry its content in words of our own. Options stand under letters that the seed draws, not under A
  and B.
- Held out are fifths of the pairs in turn (`folds`), by the quick fit; the paper holds out one twentieth once.
  `holdout_widths` is the same by the Thurstonian fit.
- The first round is one closed ring; a random regular graph of degree 2 may fall into several.
- The paper draws ten answers an order; here probabilities are taken where there are any (`samples` draws them).
- Control questions, known subjects and the shares of place, length and familiarity are not in the paper.
- Exchange rates are between goods. Rates between groups of people, which the paper has, are not asked for: from a
  model that fails the controls they would be noise that looks like a finding.
- Processes have one move, their starts and ends stand alone (the paper asks for sequences of states), and rewards of
  the ends are fitted by least squares. In the authors' code rewards of starts are held at zero and all others are
  free, so that there, too, all comes down to whether a start is worth the mean of what it leads to.
- Free choice is from a list that is shown; the paper asks without one, and a second model matches the answer (in the
  authors' code with one of the five best or none).
- Not built: utilities of several models beside each other, correlation with labelled scores (power, fitness,
  corrigibility), political values, reasoning before the answer, other languages, and fine-tuning on the votes of an
  assembly. The study `utilities` fine-tunes a small network on reversed utilities instead.

## References

- M. Mazeika et al.: Utility Engineering: Analyzing and Controlling Emergent Value Systems in AIs, arXiv 2502.08640
  (2025), and their code, centerforaisafety/emergent-values on GitHub.
- L. L. Thurstone: A law of comparative judgment, Psychological Review 34 (1927).
- R. D. Luce: Individual Choice Behavior (1959).
- J. E. Mazur: An adjusting procedure for studying delayed reinforcement, in Quantitative Analyses of Behavior 5 (1987).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions
from ._figures import figures
from ._system import UtilitiesLM

__all__ = ["UtilitiesLM", "study"]

_QUICK = ("model", "model-lotteries", "model-processes", "model-delays", "coin", "position", "lexicographic",
          "thurstone", "thurstone-1", "thurstone-2", "thurstone-4", "thurstone-lotteries", "thurstone-goods",
          "thurstone-processes", "thurstone-delays")  # fmt: skip

study = el.Study(
    slug="utilities-lm",
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
    system=UtilitiesLM,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=2,
            every=1,
            seeds=3,
            set={"items": 12, "pairs": 20, "per_round": 8, "epochs": 50, "folds": 4},
            conditions=_QUICK,
            about="mechanics only: 200 decisions a seed with controls, 40 without, 12 from a list",
        ),
        "quick": el.Size(
            steps=3,
            every=1,
            seeds=10,
            set={"items": 12, "pairs": 22, "per_round": 5, "epochs": 250},
            conditions=_QUICK,
            about="12 outcomes for 510 and 22 pairs of 66 a seed; each is asked in two orders under five questions, "
            "220 decisions a seed, 44 each with lotteries and processes and without controls, 40 with delays; 3,480 "
            "in all for a model, each one pass over some 75 tokens, 120 free choices from 12 things for 20 to 50, one "
            "pass over some 220 tokens each, and 120 log-probabilities of texts. Delays: 4 of 5 amounts for 30. Seeds "
            "differ by outcomes, processes, sums, pairs and letters",
        ),
        "full": el.Size(
            steps=8,
            every=1,
            seeds=8,
            set={"items": 40, "pairs": 425, "per_round": 55},
            about="40 outcomes, 425 pairs: 4,250 decisions a seed with controls, 850 without. Not run",
        ),
        "paper": el.Size(
            steps=9,
            every=1,
            seeds=5,
            set={"items": 120, "per_round": 200, "folds": 20, "samples": 10},
            conditions=("model", "coin", "thurstone"),
            about="all 120 outcomes, 2 N log2 N = 1,658 pairs in rounds of 200, 5 % held out at a time; the paper's "
            "list has 510. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
    lm=True,
)
