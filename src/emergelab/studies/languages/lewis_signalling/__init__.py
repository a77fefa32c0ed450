"""Two players who are paid only when the listener's act fits what the speaker saw make a code out of nothing.

## What it is

How can a sign come to mean something, if nobody can agree on meanings without having signs? Lewis (1969) made a game of
it. Nature draws one of N states. A speaker sees it and gives one of N signals; a listener sees the signal alone and
takes one of N acts. If the act fits the state both are paid. No signal means anything to begin with, and any one-to-one
code is as good as any other. Skyrms asked what becomes of players who know nothing of this and merely repeat what was
paid. For two equally likely states urns are proved to come to a perfect code with probability one (Argiento et al.
2009). For more states, or unlike ones, some pairs are caught in partial pooling: two states share a signal, a spare
signal says the same as another, and nobody can mend it alone (Hu et al. 2011).

## How it works

One step is one play of every pair. With `rule="roth-erev"` each player has an urn for everything it may see, with
`weight` balls of each kind; it draws a ball, and after success puts it back with another of its kind. `forgetting`
takes that share of an urn's balls away at each draw from it, `punishment` takes balls of the kind drawn out after
failure, of which `least` remain. Other rules: `bush-mosteller` moves probabilities by `rate` towards what succeeded,
`q-learning` keeps values and chooses by a softmax, `win-stay` is a habit that is kept after success and, but for a
chance of `inertia`, exchanged for another at random after failure. `replicator` is the dynamics of the mean of
infinitely many players, from a random start; its field is also the mean inflow of balls into urns, which a test holds.

`majority` is the chance of the first of the states, the others sharing the rest; 0 makes all alike.

A seed holds `pairs` pairs that know nothing of each other, so that the share of pairs that pool is a number with a
small error of its own and seeds are replicates of that share. All observables are computed from the players'
probabilities and not from plays. `success` is the chance that the act fits, `scrambled` the same with the signals of
other plays, `blind` the best without any. `pooling` is the share of pairs whose likeliest code (likeliest signal in
each state, likeliest act after each signal) fails in some state; `levels` says in how many it is right. `information`
is what a signal tells of the state.

Sites for interventions: `speaker`, `listener` (tables before the play), `prior`, `state`, `signal`, `act`, `reward`,
`speaker.change`, `listener.change` (what is learnt).

    exchanged = el.Swap("listener", range(25), range(25, 50), during=(5000, 5001))  # who understands whom?
    mute = el.Clamp("signal", 0, during=(5000, None))              # only one signal is left
    taught = el.Ablate("speaker.change", during=(5000, None))      # the speaker does not learn any more
    turned = el.Clamp("prior", np.array([0.1, 0.9], np.float32), during=(5000, None))  # states change places
    always = el.Clamp("reward", 1.0, during=(0, 100))              # paid for anything, at first

## Things to notice

- With two states nine pairs of ten have a code within 250 plays (success 0.89, chance 0.5), and after 10 000 plays 0.8
  % of 2400 pairs still lack one. The theorem says that none will in the end.
- With more states more pairs pool: 13 % with three, 31 % with four, 80 % with eight. Nearly all of their codes fail in
  one state or two: with eight states the likeliest code is right in 88 % of the cases. What is settled is settled: with
  four states all signals, with eight all but 0.2 %, are those of 500 plays before.
- These shares still go down. After 100 000 plays they are 11 %, 25 % and 69 %, on the way to the 10 %, 21 % and 59 %
  that are reported for a million.
- A frequent state does what many states do. With two states of 0.9 and 0.1 half of the pairs (53 %) do with a listener
  who always says the frequent one, which is right in nine plays of ten.
- To forget 1 % at each draw halves pooling with four states (16 %), to punish does nearly as much (19 %), and both help
  with a frequent state (32 % and 36 %). With eight states punishment does more (37 % against 59 %), and its success is
  highest (0.95).
- Players who are less cautious do better still: probabilities that move (9 %), values with a softmax (0 %), habits that
  are dropped after failure (0 %). But habits of eight states never come to rest: after 10 000 plays 1 % of the pairs
  have a code and the others are right in a third of the plays.
- Light urns pool a little less than those with one ball (25 %), heavy ones are still learning after 10 000 plays
  (success 0.60).
- The mean of infinitely many players pools as well, from 6 % of the starts with three states and 13 % with four. So it
  is not chance alone that catches pairs, though urns are caught more often.
- A code is private. Exchange listeners after 5000 plays, and success falls to 0.255, where independent codes agree by
  chance. Urns full of old balls relearn slowly: 5000 plays later it is 0.33.

## Things to try

- `--set pairs=50 forgetting=0.001` and `0.1`: how much may be forgotten before the code itself is?
- `--condition n4-first-teaches`: how soon does a new listener learn a code from a speaker who has one?
- Clamp `signal` to 0 after 5000 plays, and let go after 6000: does the code come back?
- `--condition n2-0.9 --set majority=0.97`: when is a signal for the rare state no longer worth the trouble?
- `--condition n8-win-stay --set inertia=0.9`: does patience help habits to settle?

## Differences from the paper

- There is no single paper. The theorem is Argiento et al.'s; shares of pooling are Barrett's (2006), the role of
  forgetting Barrett and Zollman's (2009), of unlike states Skyrms' (2010). None of them could be read here; their
  numbers are as we recall them.
- Barrett's runs had a million plays and counted as failed if their success stayed below a bound; ours have 10 000, and
  the likeliest code stands for what a pair will come to.
- Forgetting acts on the urn that is drawn from, not on all of them, so that what is known of rare states is not lost
  while they do not occur.
- Replicator dynamics are of behavioural strategies (what to do in each state), not of whole strategies, and growth is
  exponential in the payoff so that steps may be large.
- The win-stay rule has one chance to stay after failure. In human data and in Cochran and Barrett's rule that chance
  depends on how many failures have come in a row.
- The neural version of the game (a speaker and a listener network, objects with attributes) is the study
  `reference-game`.

## References

- D. Lewis (1969). Convention. Harvard University Press.
- B. Skyrms (2010). Signals: evolution, learning, and information. Oxford University Press.
- R. Argiento, R. Pemantle, B. Skyrms, S. Volkov (2009). Learning to signal: analysis of a micro-level reinforcement
  model. Stochastic Processes and their Applications 119.
- Y. Hu, B. Skyrms, P. Tarres (2011). Reinforcement learning in signaling game. https://arxiv.org/abs/1103.5818
- J. A. Barrett (2006). Numerical simulations of the Lewis signaling game: learning strategies, pooling equilibria, and
  the evolution of grammar.
- J. A. Barrett, K. Zollman (2009). The role of forgetting in the evolution and learning of language. Journal of
  Experimental and Theoretical Artificial Intelligence 21.
- C. T. Cochran, J. A. Barrett (2021). How signaling conventions are established. Synthese 199.
- S. M. Huttegger (2007). Evolution and the explanation of meaning. Philosophy of Science 74.
- S. M. Huttegger, B. Skyrms, R. Smead, K. Zollman (2010). Evolutionary dynamics of Lewis signaling games: signaling
  systems vs. partial pooling. Synthese 172.
"""

from __future__ import annotations

import emergelab as el

from ._claims import CLAIMS
from ._conditions import QUICK, TINY, conditions
from ._figures import draw_codes, draw_conventions, draw_learning, draw_pooling
from ._system import Signalling
from ._view import view

study = el.Study(
    slug="lewis-signalling",
    family="languages",
    papers=(
        el.Paper(
            "Learning to signal: analysis of a micro-level reinforcement model",
            authors="R. Argiento, R. Pemantle, B. Skyrms, S. Volkov",
            year=2009,
        ),
        el.Paper("Numerical simulations of the Lewis signaling game", authors="J. A. Barrett", year=2006),
        el.Paper(
            "Reinforcement learning in signaling game",
            authors="Y. Hu, B. Skyrms, P. Tarres",
            year=2011,
            url="https://arxiv.org/abs/1103.5818",
        ),
    ),
    system=Signalling,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            seeds=2, steps=40, every=20, conditions=TINY, set={"pairs": 8}, about="mechanics only: too few plays"
        ),
        "quick": el.Size(
            seeds=12,
            steps=10_000,
            every=250,
            conditions=QUICK,
            set={"pairs": 50},
            about="10 000 plays for a million; a seed holds 50 independent pairs, so that its shares are measured",
        ),
        "full": el.Size(
            seeds=40, steps=1_000_000, every=10_000, set={"pairs": 50},
            about="a million plays of 2000 pairs, as published for urns. Not run; about a day on two cores by the cost "
            "of a play",
        ),
        "paper": el.Size(
            seeds=20, steps=1_000_000, every=100_000, conditions=("n2", "n3", "n4", "n8"), set={"pairs": 50},
            about="a thousand runs of a million plays of the plain urns. Not run",
        ),
    },
    claims=CLAIMS,
    figures=(
        el.Figure(
            "pooling",
            draw_pooling,
            "How many pairs end with a code that fails in some state. Dots are seeds of 50 pairs each, bars 95 % "
            "intervals.",
            needs=("n2", "n3", "n4", "n8"),
        ),
        el.Figure(
            "learning",
            draw_learning,
            "A code emerges by reinforcement alone, the more slowly the more states there are.",
            needs=("n2", "n3", "n4", "n8"),
        ),
        el.Figure(
            "codes",
            draw_codes,
            "Pooling is partial: most codes fail in one or two states. Right: the codes of three pairs; what goes "
            "wrong is in colour.",
            needs=("n4", "n8"),
        ),
        el.Figure(
            "conventions",
            draw_conventions,
            "After 5000 plays each listener meets a speaker who has learnt with somebody else.",
            needs=("n4", "n4-exchanged"),
        ),
    ),
    view=view,
    page=__doc__,
)  # fmt: skip
