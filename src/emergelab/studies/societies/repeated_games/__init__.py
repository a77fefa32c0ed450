"""Signatures of players in repeated two-by-two games, and how much of them is the games' own.

## What it is

Two players, two moves each, ten rounds. Akata et al. (2025) let language models play all 144 ordinal games of that kind
against each other, and two of them at length: in the prisoner's dilemma GPT-4 defects for ever after one defection, and
in the Battle of the Sexes it cannot alternate with a partner who does, unless it is asked to predict the partner first,
which they call social chain of thought.

Here the players are rules in a few lines: chance, best answers to one belief or another, tit for tat and its
relatives, strategies that remember one round and have evolved. They cannot tell how a model works. They tell what a
signature is worth: what the games and the company do by themselves, which measure means what its name says, and by
which step a prediction helps. The study `repeated-games-lm` puts a language model in the player's place.

## How it works

One step is one round of all matches: a player meets nine simple rules in each of the 144 games, twelve rivals in the
dilemma and eight partners in the battle. Conditions are players. Seeds differ in what players leave to chance (ties,
first moves, errors) and, in the 144 games, in which move of each side is named first.

**Games.** Row's payoffs are one of twelve rankings, with its best outcome on the left, each a swap of two neighbouring
ranks away from the next (Robinson and Goforth 2005); so are column's, with its best outcome above. That makes a map of
12 x 12 games, all that there are. Families are derived, not listed, from what the best equilibrium pays: 4 and 4
win-win, 4 and 3 biased, 3 and 3 second best, 4 and 2 unfair; less: the dilemma's family if another outcome is better
for both, else tragic; no equilibrium: cyclic. The rule gives the published family of each of the 144 games.

**Score.** Payoff over the most that the game can pay, mean over rounds, games and opponents.

**Cooperation** in any game is one's part of the outcome with the largest sum, so tit for tat can play all of them.

**Prediction.** The player `predict` expects the move that has most often followed the other's last one, and plays what
is best against that. `heed` is how often it does so instead of insisting on its favourite (`maximax`), `source` what
stands in the prediction's place: the truth or a coin.

**Forgiveness.** `provoked`: defections after the other has once defected but cooperated the last time. `clean`:
defections where it never has.

**Evolution.** Five probabilities of cooperation (at first, and after each outcome), twelve strategies, the better half
survives and has one child each; the fitness is the score against the pool in a random half of the games.

Sites for interventions: `theirs`, `prediction` and `mine` (moves of all matches), and the state, as `state.memory`.

    el.Clamp("theirs", 1, during=(3, 4))  # everybody plays 1 in round 4, which is defection in the dilemma
    el.Swap("prediction", [0], [1])  # the first two games' predictions are exchanged

## Things to notice

- The player whose profile over families is closest to the models' (a correlation of 0.99) is the one that always takes
  the option named first, if games are told as the map has them. So they are in the authors' code: letters are drawn,
  but the rules begin with row 1, column 1, which is the best outcome of both in all 36 win-win games. A preference for
  the first option is enough to look good there, and bad in second-best and tragic games. In their game 45, where the
  second option is better whatever the other does, Llama 2 takes the first in every round.
- Chance has nearly the same profile as well, for this pool rewards it where interests agree.
- The dilemma's family is no stronghold: models are third there, tied with two others, and below their own mean.
- Counting the other's moves, answering its last one, and looking for patterns come to the same score. All of them beat
  tit for tat, in the dilemma's family too.
- How unforgiving hard tit for tat looks depends on the company: 0.25 with one who defects once, 1 with a suspicious
  one. The published counts of GPT-4 range as widely, from 0 of 9 to 18 of 18.
- Fictitious play defects after every forgiven defection, and bears no grudge: it would have defected anyway.
- A grudge is worth points in ten rounds with these rivals, even with a trembling hand: it exploits those who cooperate.
- In the battle with an alternator GPT-4 moves as `maximax` does, in all five versions of the payoffs that the authors
  tried: its favourite, always; where neither option is one, the option named first.
- With a partner that alternates, the content of the prediction does it: a coin in its place, or a past remembered out
  of order, is worth nothing.
- Two that predict each other miss each other in every round. With partners that adapt, insisting does better than
  predicting: the others give way.
- One round of memory, evolved, comes close to cooperating always: four times in five even after a defection. The pool
  is no dilemma, and most games pay best where both seek the largest sum.
- Multiplying one player's payoffs leaves best answers as they are, and breaks whatever needs a sum over both.

## Things to try

- `emergelab run repeated-games --set rounds=30 --condition predict --condition fictitious`, with `--size full`.
- `--set noise=0.2`: at what error rate does forgiveness pay?
- `--condition evolved --set generations=50`: does one round of memory catch up with counting?
- `--clamp "theirs=1@0:1"`: everybody begins with the move named second.
- Draw the map of another player minus fictitious play: where does level 2 win?

## Differences from the paper

- No language model. Numbers of the models are from our analysis of the files that the authors released.
- There models meet models; here everybody meets the same pool, so that differences are the player's.
- Score is over the most that a game can pay; the authors divide by the most that was observed.
- In 15 of the 144 games (2,5 to 2,12; 5,10 to 5,12; 7,11; 7,12; 8,11; 8,12 by row and column of the map) their table
  repeats a payoff, and was played so: their Battle pays row 3 in both cells of its first row. Here all are ordinal.
- In their files of tit-for-tat games, last moves and the phase of alternators carry over from match to match. Here each
  match begins anew, and hard tit for tat begins with cooperation, as its description says, not its code.
- The pool, other predictions than the player's own, trembling hands, evolution, scrambled pasts are not in the paper.
- A player trained in context by self-play over random games is not included.
- Margins of the last two claims on names were set after a pilot had shown the effect.

## References

- E. Akata, L. Schulz, J. Coda-Forno, S. J. Oh, M. Bethge, E. Schulz: Playing repeated games with Large Language Models,
  Nature Human Behaviour (2025), arXiv 2305.16867, and their repository eliaka/repeatedgames on GitHub.
- D. Robinson, D. Goforth: The Topology of the 2x2 Games: A New Periodic Table, Routledge (2005).
- B. Bruns: Names for Games: Locating 2 x 2 Games, Games 6 (2015).
- R. Axelrod, W. D. Hamilton: The evolution of cooperation, Science 211 (1981): tit for tat.
- M. A. Nowak, K. Sigmund: A strategy of win-stay, lose-shift that outperforms tit-for-tat in the Prisoner's Dilemma
  game, Nature 364 (1993).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions
from ._figures import figures
from ._system import RepeatedGames

__all__ = ["RepeatedGames", "study"]

study = el.Study(
    slug="repeated-games",
    family="societies",
    papers=(
        el.Paper(
            "Playing repeated games with Large Language Models",
            authors="Elif Akata, Lion Schulz, Julian Coda-Forno, Seong Joon Oh, Matthias Bethge, Eric Schulz",
            year=2025,
            url="https://arxiv.org/abs/2305.16867",
        ),
    ),
    system=RepeatedGames,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=4,
            every=2,
            seeds=3,
            conditions=[name for name in conditions() if name != "evolved"],
            about="four of ten rounds, no evolution: mechanics only",
        ),
        "quick": el.Size(
            steps=10,
            every=1,
            seeds=96,
            about="nothing in games or rounds: 144 games of 10 rounds as published, 1,316 matches a seed; rules in the "
            "place of language models",
        ),
        "full": el.Size(
            steps=20,
            every=1,
            seeds=256,
            set={"rounds": 20},
            about="twice as many rounds and 256 seeds",
        ),
        "paper": el.Size(
            steps=10, every=1, seeds=1, about="each game once, as published: no claim has an interval. Not run"
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
