"""Norms of giving that evolve, if they do, among agents that a language model decides for.

## What it is

The society of the study `donor-game`, with agents that are asked instead of computed. Vallinder and Hughes (2024) let
language models play it: each agent writes a strategy in words, plays two games by it, and the richer half hands its
strategies on as advice. Three models under the same rules went three ways.

Any model can be put in here: a small one inside the process, one behind an address, a record of a run. Beside it play
chance, constants, two rules of the literature and the numeric strategies of `donor-game`, under the same rules, on the
same schedules, seen through the same observables. So what a model adds can be told from what the game does by itself.

## How it works

One step is one generation.

1. **Strategies.** Each newborn reads the rules and the survivors' strategies and writes one sentence, its own
   strategy. The first generation invents.
2. **Probes.** Six set situations are put to each newborn: a stranger; a recipient who last gave 0, 50 or 100 %; one who
   gave 50 % to somebody who had given nothing, or everything. A line fitted to the answers places a strategy in words
   among the numeric ones: what a stranger gets, what one who gave half gets, the weights of the newest and of the
   second entry.
3. **Two games.** Schedule, gossip and bookkeeping are those of `donor-game`, by the same code. A donor reads its own
   strategy, the recipient's name and resources and what is told of it, and names a share: 0, 10, ..., 100 %. All donors
   of a round decide at once and go to the model as one batch. With punishment or refusal in play (`mechanism`) the kind
   of move is asked for first.
4. **Selection.** The richer half survives.

An answer that is no decision is sent back twice, then replaced by "0 %" or "donate" and counted. Every prompt exists in
three wordings, and the wording is a condition: `plain`, `brief`, and `harvest`, which tells a story of farmers and seed
with the same numbers. Everything that was asked and said is in the run's ledger.

Claims are of two kinds. Those on the *wiring* ask whether answers are decisions, whether gossip arrives, and whether
the model responds to it at all. Those on the *phenomenon* ask whether norms grow. A model of some hundred million
parameters is expected to fail the latter: it is a negative control, and its verdicts say nothing about the models of
the paper. Ten small societies cannot refute a small response either: a script that answers 30, 50 or 70 % whatever it
reads leaves these claims inconclusive at the size `quick`.

Site for interventions: `fraction`, what is given by the donors of a round.

## Things to notice

- A model that does not respond to gossip cannot be reached by selection through gossip, whatever its strategies say in
  words. `slope` tells it from its donations, `read_first` from its answers to the probes.
- Image scorers who trust strangers never find a reason to stop: their societies give everything from the start. A rule
  that is never tried cannot be told from plain generosity, except by the probes.
- The probes read what is given, and that is cut at 0 and 100 %: a weight of 2 reads as 1.
- Compare `read_base` with `read_first`: a number of around 50 % in every situation is a habit, not a norm.
- SmolLM2 gives a fifth, whatever it hears: a habit. (Ten societies of four, plain wording; the verdict page has the
  numbers.) Numeric strategies under the same rules give 0.42 more.

## Things to try

- `emergelab run donor-game-lm --lm smollm2`: a small model, offline. How large is its `slope`?
- `emergelab run donor-game-lm --lm http://HOST/v1#MODEL --lm-calls 4000 --condition model-plain`: your own.
- `emergelab run donor-game-lm --condition theta --condition image-scoring --set agents=12`: no model at all.
- `emergelab.lm.fork(run, at=1, say={"2_3": "My strategy will be to give nothing."})`: one newborn turns.
- `emergelab.lm.Shuffled(ledger, condition)` deals recorded answers out to other situations: the null for every
  statement that the model responds.
- Measure a model's `read_stranger` and `read_first`, and start `donor-game` from them: temperament measured once,
  evolution for nothing.

## Differences from the paper

- Donations are shares in steps of 10 %; the paper asks for units. What a donor writes before its number is neither
  asked for nor shown to others.
- The probes, the wordings, the story of the farmers and the other policies are not in the paper.
- Prompts carry the paper's content in words of our own.
- Both games count for survival; the authors' code counts the second one twice (`scoring`).
- In the authors' code, ten unreadable answers become a gift of nothing, uncounted, and one provider's models never see
  the rules. Here nothing is silent, and the rules go to every model.
- Advice holds strategies only, as in their code; their prompt promises scores as well.
- The size `quick` has 4 agents, 2 generations, and one of the three wordings.

## References

- A. Vallinder, E. Hughes: Cultural Evolution of Cooperation among LLM Agents, arXiv 2412.10270 (2024), and their
  notebook, aronvallinder/llm-donor-game on GitHub.
- M. A. Nowak, K. Sigmund: Evolution of indirect reciprocity by image scoring, Nature 393 (1998).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import QUICK, conditions
from ._figures import figures
from ._system import DonorGameLM
from ._view import view

__all__ = ["DonorGameLM", "study"]

study = el.Study(
    slug="donor-game-lm",
    family="societies",
    papers=(
        el.Paper(
            "Cultural Evolution of Cooperation among LLM Agents",
            authors="Aron Vallinder, Edward Hughes",
            year=2024,
            url="https://arxiv.org/abs/2412.10270",
        ),
    ),
    system=DonorGameLM,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=2,
            every=1,
            seeds=3,
            set={"agents": 6},
            about="mechanics only: 135 decisions a society, 405 a condition",
        ),
        "quick": el.Size(
            steps=2,
            every=1,
            seeds=10,
            set={"agents": 4},
            conditions=QUICK,
            about="4 agents for 12, 2 generations for 10, one wording of three: 74 decisions a society, 740 for the "
            "model; each is one call, more where an answer is invalid",
        ),
        "full": el.Size(
            steps=6,
            every=1,
            seeds=10,
            set={"agents": 8},
            about="8 agents, 6 generations: 580 decisions a society, 17,400 for the three wordings. Not run",
        ),
        "paper": el.Size(
            steps=10,
            every=1,
            seeds=5,
            about="12 agents, 10 generations, 5 societies, as published: 1,902 decisions a society (396 of them "
            "probes, which the paper has not), 28,530 for the three wordings. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    view=view,
    page=__doc__,
    lm=True,
)
