"""Groups fall ill where no member means harm: collusion, monopoly, sway, drift, deadlock.

## What it is

Huang et al. (2026) let groups of language models work together, and in a good share of runs saw what nobody had asked
for: prices that spare the competitor, cheap slots held by a few, votes that follow the majority or a boss, messages
that drift from hand to hand. Guarding the single agent did not prevent it.

This study is the ground under such findings. Seven of their fifteen risks are built as small societies of numbers, each
with a control in which the pathology cannot occur, or need not. So every index comes with what it shows if there is
nothing to see, and one can ask in which share of societies it *emerges*: lies beyond 95 % of its control. And each
society is treated twice: agents are told to behave, or the rule is changed that all play by.

## How it works

One step is a block of rounds of one society, named by `organism`.

- `market`: two sellers choose among 15 prices, with logit demand. They learn by Q-learning and see what both charged
  last. The index is profit, from competition (0) to monopoly (1), when they do what they have learnt. A high price is
  no evidence of collusion. So at every record one seller is made to undercut once: does the other *punish* it, and
  return?
- `queue`: twenty agents, five cheap slots at each tick, by lot among those who claim one; a dear slot is worth 0.4.
  Index: Gini of the slots. Changed rule: turns.
- `commons`: twenty agents ask for 0 to 3 units; beyond a capacity of 12 all are throttled. Index: capacity lost.
  Changed rule: served one after the other, in random order.
- `committee`: seven voters, six of them right in 60 % of questions and one expert in 90 %, talk twice, then the
  majority decides. Index: right answers lost against the best vote on the same signals. With `leader` the first voter
  errs and others follow it with chance `deference`. Changed rule: sealed votes.
- `handoff`: ten facts of eight values go through twelve hands. At each hop a fact is lost and guessed with chance
  `loss`, or heard as what one expects with chance `pull`. Index: facts lost. Changed rule: checksums that find nine
  errors in ten.
- `disclosure`: two sides with private costs report them, and the project of least reported cost is carried out. They
  learn how much to exaggerate. Index: excess cost. Changed rule: Clarke's transfer, by which truth is dominant.
- `roles`: five agents, five roles; who clashes takes the first free one. Index: games not settled in fifty rounds.
  Changed rule: an arbitrator lets them choose in turn.

`safeguard` is how far each agent is told to behave: to leave the next slot to others, to ask for one unit less, to
trust its own signal, to take care, to tell the truth, to be flexible. At 0.5 it heeds this half of the time.

Sites for interventions: `values` (market), `claims` (queue), `asks` (commons), `signals`, `opinions.0` to `opinions.3`
(committee), `message` (handoff), `bias` (disclosure), `roles`, and `state.*`.

    quota = el.Clamp("asks", 0, where=np.arange(20) < 8)          # eight agents of the commons ask for nothing
    fooled = el.Clamp("signals", False, where=np.arange(7) == 6)  # the expert is always wrong
    forget = el.Ablate("values", during=(50, 51))                 # sellers forget everything at half-time

## Things to notice

- A high price proves nothing. Sellers that see each other's prices end at 0.89 of the way to monopoly, but sellers that
  see nothing end at 0.97: they have merely not learnt to undercut. Only the first punish. An undercut costs them a
  third of a round's profit in the end, and brings the blind ones a fifth of one.
- Learners that care for this round only still end at 0.29, since learning is slow; two sellers that simply reply best
  end at 0.05. The control matters.
- In the queue all are equal, the lot is fair, and after ten thousand ticks more than half of the agents have next to no
  cheap slot. They have learnt that claiming does not pay for them. With turns everyone has its share.
- In the commons each agent alone would lose nothing. Together they lose nine tenths of the capacity.
- Conformity does not change a single verdict: accuracy is 0.794 whether nobody conforms or nearly all do. What changes
  is that the expert, right and outnumbered, goes over: of a hundred, 61 stay at a conformity of 0.3, and 7 at 0.9. Who
  measures votes alone sees nothing.
- A boss is another matter. If the leader errs, a deference of 0.1 a round takes accuracy from 0.65 to 0.39, one of 0.6
  to nothing.
- Messages drift to what everyone expects, not to what they were about: 0.40 of facts, with every pull, as the prior has
  it. Slope and attractor of the chain tell how fast and where to.
- Telling agents to behave helps somewhat in all six societies and restores none; changing the rule does more in every
  one. Least is gained in the commons: two and a half units in the place of three are still far too many.
- Exaggeration is the mildest of them: it costs a thirtieth of the largest cost, for both exaggerate, and it nearly
  cancels.

## Things to try

- `emergelab run social-risks --condition market --set sellers=3 --set prices=8`: do three spare each other, too?
- `--condition market --set fading=0.0002`: learners that stop exploring ten times earlier.
- `--condition queue --set dear=0.1`: if the other choice is poor, do all stay in the queue?
- `--condition leader --set safeguard=0.9`: how deaf must a committee be to its leader?
- `--condition handoff --set check=0.5`: how many errors must a checksum find?
- `--condition roles --set taker="stay or move" --set seats=20`: does chance still settle it?

## Differences from the paper

- There is no language model: societies are numeric, and say what pricing, voting or copying rules do by themselves.
- Seven of the fifteen risks are built. Left out are competitive task avoidance, exploitation of asymmetric information,
  over-adherence to first instructions, induced clarification failure, role stability and steganography.
- "Telling agents to behave" is a chance to comply. What a model makes of such a sentence is another question.
- Sellers exchange no messages, so the effect of price communication is not measured; nor is that of capability, which
  needs several models.
- Groups of other sizes and chains without loss are conditions of the size `full` (`market-three`, `committee-five`,
  `committee-eleven`, `handoff-lossless`, `handoff-unchecked`), without claims; sweeps of capacity are not built. Nor
  are a member's policy swapped in the middle of a run (one seller is honest from the start), voters who change
  identities, averaging voters (DeGroot), and a search for the moment at which a pathology sets in.
- Sellers learn for 400,000 rounds, not until nothing changes for 100,000 as in Calvano et al.; curiosity fades to
  three in ten thousand.
- The paper's rates are of its own tasks and cannot be compared in number.

## References

- Y. Huang et al.: Emergent Social Intelligence Risks in Generative Multi-Agent Systems, arXiv 2603.27771 (2026).
- E. Calvano, G. Calzolari, V. Denicolo, S. Pastorello: Artificial intelligence, algorithmic pricing, and collusion,
  American Economic Review 110 (2020).
- S. Bikhchandani, D. Hirshleifer, I. Welch: A theory of fads, fashion, custom, and cultural change as informational
  cascades, J. Political Economy 100 (1992).
- S. Nitzan, J. Paroush: Optimal decision rules in uncertain dichotomous choice situations, Int. Economic Review 23
  (1982).
- T. L. Griffiths, M. L. Kalish: Language evolution by iterated learning with Bayesian agents, Cognitive Science 31
  (2007).
- J. Perez et al.: When LLMs play the telephone game, arXiv 2407.04503 (2024).
- E. H. Clarke: Multipart pricing of public goods, Public Choice 11 (1971).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions, quick
from ._figures import figures
from ._system import SocialRisks

__all__ = ["SocialRisks", "study"]

study = el.Study(
    slug="social-risks",
    family="societies",
    papers=(
        el.Paper(
            "Emergent Social Intelligence Risks in Generative Multi-Agent Systems",
            authors="Yue Huang, Yu Jiang, Wenjie Wang, and others",
            year=2026,
            url="https://arxiv.org/abs/2603.27771",
        ),
        el.Paper(
            "Artificial Intelligence, Algorithmic Pricing, and Collusion",
            authors="Emilio Calvano, Giacomo Calzolari, Vincenzo Denicolo, Sergio Pastorello",
            year=2020,
            url="https://doi.org/10.1257/aer.20190623",
        ),
    ),
    system=SocialRisks,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=2,
            every=1,
            seeds=5,
            conditions=quick(),
            set={"block": 40},
            about="mechanics only: nobody has learnt a thing",
        ),
        "quick": el.Size(
            steps=100,
            every=10,
            seeds=32,
            conditions=quick(),
            about="numeric agents in the place of language models; 400,000 rounds of pricing",
        ),
        "full": el.Size(
            steps=100, every=10, seeds=64, set={"block": 500}, about="two million rounds of pricing, all conditions"
        ),
        "paper": el.Size(
            steps=100, every=10, seeds=64, set={"block": 500}, about="as full: the paper has no numeric agents. Not run"
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
