"""An in-context agent that is surer than it should be, and a direction that should make it doubt.

## What it is

A language model that is told what two buttons paid so far settles on one of them after a handful of presses, long
before the evidence allows it. Rahn, D'Oro and Bellemare (2024) found that its distribution over *actions* collapses,
that sampling *tokens* at a higher temperature hardly helps, and that adding a vector to the activations of one layer
does: the mean activation of prompts, weighted by the entropy of the action at each. Its thoughts then speak of
uncertainty, too.

Here the agent is a transformer of 25,000 weights that has learnt to play by watching others, so that everything can
be known about it: what the evidence allows (the exact posterior), what its teachers would do (a perfect imitator),
and what the vector does against every other vector of the same length. The study `steering` asks a language model the
same.

## How it works

Two or three arms pay Gaussian rewards (standard deviation 1, means N(0, 1)) for 12 rounds. Teachers play: *Thompson
samplers* pull an arm as often as they believe it to be the best; *careless* players pull the leading arm and, one
time in ten, any; *greedy* ones pull two arms at random and are sure ever after. A game is written as one token for
the task and one a pull, which says label and reward; the network predicts the next pull, and one of four words that
an honest teacher would say (unsure, leaning, rather sure, sure, by how far the leading arm is ahead). Who is playing
it is not told. The share of greedy teachers is the condition: `thompson` 0, `half` 0.5, `greedy` 0.9.

One step is one gradient step on fresh games. At the end the network plays games of its own. Half of them give the
vectors, the other half their effect. EAST, centred, is

    v = sum_i H_i z_i / sum_i H_i - mean z  =  cov(H, z) / mean H

with z_i the stream at a prompt's last token and H_i the entropy of the pull there. All directions are given the
length of the activations' spread about their mean, so that strength 1 is the same for all: EAST within prompts of
equal length, the difference of the top and bottom quarters of entropy, the coefficients of a ridge regression, the
*uncentred* weighted mean, the mean activation, EAST with the entropies dealt out anew, and a random direction.

Certainty is compared with that of Thompson's choice at the same history (`gap`), steering with temperature at equal
validity (probability of naming an arm that is there), play with Thompson, UCB1, epsilon-greedy, greedy and the
Bayes-optimal player, whose advice is computed by dynamic programming. `transfer_gain` moves the vector to other
labels, three arms, noisier and larger rewards.

Sites for interventions: `greedy` (the teachers), `embed`, `L.0.q` to `L.2.out`, `final`, `logits`, and `state.*`.

    bolder = el.Clamp("greedy", 1.0, during=(600, None))       # only greedy teachers in the second half
    steered = el.Shift("L.1.out", by=vector)                   # throughout, training included

## Things to notice

Numbers are means over the eight seeds of the quick size; `greedy` unless another condition is named.

- Overconfidence is inherited. From the fourth round on the network is 0.42 bits surer than the evidence allows if nine
  of ten teachers are greedy, 0.19 if every second is, 0.01 if none is.
- Entropy can be read off the middle layer (R2 0.81 on new prompts), yet steering along what is read moves it little:
  0.32 bits become 0.39 at strength 1. A random direction of the same length makes 0.38 of them, and the *opposite*
  direction 0.35. A choice between two arms is certain when one of two logits is far ahead, whichever; that is no
  direction. Pushes along the arms, as EAST with entropies dealt out anew often is, make it certain of one (0.18 bits at
  strength 2), others blur it.
- The mean activation, which knows no entropies, makes 0.49. It shrinks everything else in the norm before the readout.
  Uncentred, EAST is nearly that vector (cosine 0.84, and 0.95 in `thompson`) and does most of what it does, lowering
  entropy at small negative strengths as well: an effect that looks like steering of uncertainty and needs none.
- Words of doubt are another matter. They are a direction: from 1 % at strength -2 over 62 % to nearly 100 % at 2, with
  choices hardly less certain. What an agent says of its doubt and how it acts can be moved apart.
- The direction does not hold who is playing: its correlation with the chance that the teacher is not greedy is -0.06.
- Whether steering beats temperature hangs on what is called valid. Under 95 % a temperature of 2 is out (94 %), which
  leaves 0.46 bits at 1.5 against 0.60 for EAST at strength 2 after the first block; without that bound 2 gives 0.59.
- Greed costs little in so short a game: greedy teachers regret 2.4, Thompson samplers 2.8, the optimal player 2.0. So
  there is little that steering could mend, although it gives up the best arm less often (10 % of games for 13 %).

## Things to try

- `emergelab run bandit-overconfidence --set early=6`: greedy teachers who look for longer. Does the gap close?
- `--set rounds=25 --set noise=2`: in a longer and noisier game greed costs more. Does steering pay then?
- `--set dose=2`: steered harder. What breaks first, validity or the best arm?
- `--clamp "greedy=0@600:"`: Thompson samplers from half-time on. Is overconfidence unlearnt?

## Differences from the paper

- A small transformer, not a language model; it has no thoughts between history and pull, so temperature acts on the
  very token that is the action. The paper's reason why temperature fails, that thoughts have settled the action
  before it is sampled, cannot arise here.
- Its overconfidence is put in by its teachers. What a language model's comes from, this does not tell.
- Words of doubt are learnt from honest teachers; they are no report of the network on itself.
- Length and layer of the vector: the paper picks them by trial. Here they are in units of the activations' spread, so
  that controls are equal in length.
- Margins were set after a pilot at 1000 steps with two seeds, not blind.
- `full` and `paper` have not been run; the paper's own agents are language models of 7 billion parameters and more.

## References

- N. Rahn, P. D'Oro, M. G. Bellemare: Controlling Large Language Model Agents with Entropic Activation Steering, arXiv
  2406.00244 (2024).
- W. R. Thompson: On the likelihood that one unknown probability exceeds another, Biometrika 25 (1933).
- P. Auer, N. Cesa-Bianchi, P. Fischer: Finite-time analysis of the multiarmed bandit problem, Machine Learning 47
  (2002).
"""

from __future__ import annotations

import emergelab as el

from ._claims import CONDITIONS, claims
from ._figures import figures
from ._system import InContextBandit

__all__ = ["InContextBandit", "study"]

_ABOUT = {
    "thompson": "no greedy teachers: four of five sample from their beliefs, one is careless",
    "half": "every second teacher is sure after two pulls",
    "greedy": "nine of ten teachers are sure after two pulls",
}

study = el.Study(
    slug="bandit-overconfidence",
    family="societies",
    papers=(
        el.Paper(
            "Controlling Large Language Model Agents with Entropic Activation Steering",
            authors="Nate Rahn, Pierluca D'Oro, Marc G. Bellemare",
            year=2024,
            url="https://arxiv.org/abs/2406.00244",
        ),
    ),
    system=InContextBandit,
    conditions={name: el.Condition({"greedy": share}, about=_ABOUT[name]) for name, share in CONDITIONS.items()},
    sizes={
        "tiny": el.Size(
            steps=4,
            every=4,
            seeds=3,
            set={"rounds": 6, "depth": 2, "width": 8, "hidden": 8, "batch": 8, "games": 16, "cooling": 4},
            about="mechanics only: a network that has learnt nothing",
        ),
        "quick": el.Size(
            steps=1200,
            every=1200,
            seeds=8,
            about="12 rounds for 25, 3 blocks of width 32, 1,200 steps of 16 games; 64 games behind each score",
        ),
        "full": el.Size(
            steps=6000,
            every=1500,
            seeds=16,
            set={
                "rounds": 25,
                "depth": 4,
                "width": 64,
                "heads": 4,
                "hidden": 256,
                "batch": 64,
                "games": 256,
                "cooling": 6000,
            },
            about="25 rounds, 4 blocks of width 64, 384,000 games",
        ),
        "paper": el.Size(
            steps=50_000,
            every=5000,
            seeds=16,
            set={
                "rounds": 50,
                "depth": 8,
                "width": 128,
                "heads": 8,
                "hidden": 512,
                "batch": 256,
                "games": 1024,
                "cooling": 50_000,
            },
            about="as close as a network can come; the paper's agents are large language models. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
