"""Repeated two-by-two games played by a language model, with and without a prediction of the other's move.

## What it is

The prisoner's dilemma, the Battle of the Sexes and a few of the 144 ordinal games of the study `repeated-games`, with a
player that is asked instead of computed. Akata et al. (2025) did so with six language models: GPT-4 defects for ever
after one defection, insists on its favourite in the battle with a partner that alternates, and alternates itself if it
is first asked to predict the partner, and then for its own move given that prediction: social chain of thought.

Any model can be put in here: a small one inside the process, one behind an address, a record of a run. Beside it play
chance, a constant, and rules of `repeated-games`, in the same matches against the same opponents, seen through the same
observables. So what a model adds can be told from what the game does by itself.

## How it works

One step is one round of all matches of a seed: the dilemma with the first `dilemmas` of ten rivals, the battle with the
first `battles` of six partners, `ordinals` ordinal games, drawn for each seed, against fictitious play. All moves of a
round are asked for at once and go to the model as one batch.

**What a player reads.** The four outcomes as sentences, one line for each past round, the question. Options are two
single letters, drawn for each match of each seed, and so is which of them is named first in the rules: no outcome has a
letter or a place of its own. Where the model gives log-probabilities, the two options are scored in both orders and the
preference for a place is averaged out; the likelier one is taken, as in the paper. Otherwise its answer is read; one
that is no decision is sent back twice, then replaced by the option named first, and counted.

**Prediction.** With `think=predict` two linked questions are asked: which option will the other choose; and, told so,
which is best for you. The first answer is an observable (`accuracy`), the second is compared with the best answer to it
(`heeded`). With `think=noise` a coin is put in the prediction's place, with `think=truth` the other's true move. As the
calls share no memory, a prediction can do nothing but by what it says: asking once more and not telling would be the
same prompt again, so that control is exact without being run.

**Telling.** Three wordings: `plain`, `brief`, and `market`, a story of two bakers with the same numbers.
`payoffs=rescaled` multiplies and shifts what the player sees, `stakes` is what the battle pays. `told` adds that the
other errs, or states a chance that the game ends.

Claims are of two kinds. Those on the *wiring* ask whether answers are decisions and whether measures mean what their
names say. Those on the *phenomenon* ask whether the model plays, predicts, forgives. A model of some hundred million
parameters is expected to fail the latter: it is a negative control, and its verdicts say nothing about the models of
the paper. Ten seeds cannot refute a small response either.

Sites for interventions: `theirs`, `prediction` and `mine`, the moves of all matches of a seed in the order dilemmas,
battles, ordinal games. Move 0 cooperates in the dilemma and is the player's favourite in the battle.

    el.Clamp("prediction", 0)  # is said to expect move 0, always (with think=predict)

## Things to notice

- `first_named` is what is left of a preference for the option that the rules name first, after orders of the options
  shown last were averaged out. A study that always told games in one order would count it as skill.
- `provoked` alone does not show a grudge: compare with `clean`. Who always defects has 1 in both.
- A high `heeded` with a low `accuracy` is a model that reasons from a wrong prediction; the reverse is one that
  predicts and does not use it. Only the product coordinates.
- The rule `predict` needs some rounds to see a pattern, so what it gains with one who alternates grows with `rounds`.

## Things to try

- `emergelab run repeated-games-lm --lm smollm2`: a small model, offline. Has it any preference but for places?
- `emergelab run repeated-games-lm --size full --lm http://HOST/v1#MODEL --lm-calls 20000`: your own.
- `emergelab run repeated-games-lm --condition predict --condition maximax --set rounds=20`: no model at all.
- `emergelab.lm.fork(run, at=3, parameters={"think": "truth"})`: from round 4 on it is told the other's move.
- `emergelab.lm.Shuffled(ledger, "model")` deals recorded answers out to other situations: the null for every statement
  that the model responds.

## Differences from the paper

- Which option is named first in the rules is drawn. In the authors' code letters are drawn, but the rules always begin
  with the first row and column.
- Prompts carry the paper's content in words of our own; the paper's stories are of cooks and colleagues, not of bakers.
- The paper's models answer with one token. Here options are scored in both orders, or the answer is read.
- `noise` and `truth`, the ordinal games against fictitious play, and the rules beside the model are not in the paper.
- Rivals and alternators begin each match anew; in the authors' files their states carry over.
- The size `quick` has 5 rounds and 3 matches a seed, told in brief.
- People as players, and the question whether one's partner was human, are left out.

## References

- E. Akata, L. Schulz, J. Coda-Forno, S. J. Oh, M. Bethge, E. Schulz: Playing repeated games with Large Language Models,
  Nature Human Behaviour (2025), arXiv 2305.16867, and their repository eliaka/repeatedgames on GitHub.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import QUICK, conditions
from ._figures import figures
from ._system import RepeatedGamesLM

__all__ = ["RepeatedGamesLM", "study"]

_ONE_EACH = {"dilemmas": 1, "battles": 1, "ordinals": 1}

study = el.Study(
    slug="repeated-games-lm",
    family="societies",
    papers=(
        el.Paper(
            "Playing repeated games with Large Language Models",
            authors="Elif Akata, Lion Schulz, Julian Coda-Forno, Seong Joon Oh, Matthias Bethge, Eric Schulz",
            year=2025,
            url="https://arxiv.org/abs/2305.16867",
        ),
    ),
    system=RepeatedGamesLM,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=4,
            every=1,
            seeds=3,
            set={"rounds": 4, **_ONE_EACH},
            conditions=QUICK,
            about="mechanics only: 3 matches of 4 rounds, 12 decisions a condition and seed, 24 with a prediction",
        ),
        "quick": el.Size(
            steps=5,
            every=1,
            seeds=10,
            set={"rounds": 5, "wording": "brief", **_ONE_EACH},
            conditions=QUICK,
            about="5 rounds for 10 and 3 matches: one rival (defects once), one partner (alternates), one ordinal "
            "game; told in brief, but for the bakers. 900 decisions of the model, each scored in both orders of its "
            "options",
        ),
        "full": el.Size(
            steps=10,
            every=1,
            seeds=16,
            about="10 rounds, 4 rivals, 2 partners, 4 ordinal games, all conditions: 27,200 decisions of the model. "
            "Not run",
        ),
        "paper": el.Size(
            steps=10,
            every=1,
            seeds=8,
            set={"dilemmas": 10, "battles": 6, "ordinals": 144},
            about="10 rounds, all rivals, partners and ordinal games, 8 seeds where the paper has one game a cell: "
            "217,600 decisions of the model. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
    lm=True,
)
