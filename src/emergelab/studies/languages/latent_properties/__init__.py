"""Several senders who watch one film name a latent property at each position of their message.

## What it is

How elastic a ball is, and how rough its ramp, cannot be seen in any single picture; it shows in how the ball moves.
Kaszyński (2026) lets networks talk about such *latent properties*. Senders watch the frames of a film and say a few
symbols, listeners hear them about two films and must say in which the ball was more elastic, and in which there was
more friction. Nobody is told what a symbol should mean. With one sender, he reports, about half of the seeds end with a
code in which each position tells one property: a lottery. With four senders who see two of eight frames each, all
seeds do, and pairs of levels that were never seen together are understood nearly perfectly.

The study repeats the experiment with a film of our own, measures the codes in the paper's way and in the usual one,
both beside chance, and adds the controls that decide what the number of senders has to do with it: one sender with a
channel as wide as that of four, four senders who all see the whole film, films whose frames were shuffled.

## How it works

A scene is a ball that slides down a ramp of 70 degrees and bounces off the floor. Elasticity and friction have five
levels each, with 12 scenes for each pair of levels: 300 in all, which differ in where the ball starts and where the
camera stands. Five pairs, in which every level of both properties occurs once, are held out. Eight frames show
the ball as a blurred spot on 12 x 12 pixels. A frozen random layer, in the place of a vision model, makes features of
them. One step of the system is one update on 32 pairs of scenes, and 2800 updates are the paper's 400 rounds.

A sender passes its frames through two convolutions over time, takes the mean, and has a head for each position. Symbols
are drawn by Gumbel-softmax: mixtures in the first 210 updates, one-hot later, at a temperature that falls from 3 to 1.
Before they speak, the senders answer the questions together without any channel (`schooling`), and `teacher` and
`teacher_holdout` tell how well. Three listeners hear all positions of both scenes. Every 280 updates (`life`) all of
them are replaced by newborn ones, which is the pressure of *iterated learning*: what newborn listeners learn quickly
stays. `life=0` is no replacement, `resets="staggered"` replaces one after the other.

`holdout` is the share of pairs of held-out scenes, different in both properties, for which the listener that is best on
scenes of training gives both answers rightly; chance is 1/4. Of a code these are measured, on all 300 scenes:

- `posdis`: for each position, the information about its better told property minus that about the other, over the
  position's entropy; the mean over positions that vary (Chaabouni et al. 2020).
- `posdis_best`: what the paper calls PosDis. The difference is divided by the information about the better told
  property, so that a faint position counts as fully as a telling one. It is averaged over an agent's positions, and the
  best agent counts. `posdis_mean` is the mean of agents. The paper's mark for a compositional code is 0.4.
- `coverage`: of the worse told property, the share of its entropy that its best position tells. Purity without
  coverage is one property told at all positions.
- `..._chance`: the same when scenes swap their messages.

What positions *do* is found by taking them away: `cost[position, asked]` is the accuracy lost on a question if a
position is silent, `cost_agent` if an agent is, `cost_set[told, asked]` if all positions are that tell more of a
property than of the other; the same with `_other` lets them speak of another scene. `swapped` exchanges the positions
of one property between the two scenes: the answer about it should turn, the other stay.

Sites for interventions: `views` (what agents see: agent, scene, frame, feature), `message` (scene, position, symbol),
`message.I` (one position), `temperature`, and `grad.*` and `update.*` of `speakers` and `listeners`.

    blind = el.Clamp("views", 0.0, where=(np.arange(4) == 0)[:, None, None, None])  # agent 1 sees nothing
    mute = el.Clamp("message", 0.0, where=np.arange(8)[:, None] // 2 == 3)  # agent 4 is not heard
    lesion = el.Ablate("message.0", during=(1400, None))  # position 1 is silent when all is learnt
    frozen = el.Ablate("update.speakers.*", during=(700, None))  # only listeners learn from here on
    swapped = el.Swap("message", 0, 1, axis=-2, during=(1400, None))  # positions 1 and 2 change places

## Things to notice

- The number of senders does what the paper says, though less cleanly. By the usual measure four senders have 0.42 and
  one has 0.16, and unseen pairs are understood in 86 % against 74 % of cases. 90 % are understood without a channel.
- One sender is no more disentangled than messages about other scenes by the paper's measure: 0.30 against 0.32. One
  seed in ten lies above the mark where the paper has half.
- The mark of 0.4 lies below chance for four senders. The best of four agents whose messages are swapped between scenes
  has 0.50. The real messages have 0.89, and 0.72 on average over agents (the authors' logs: 0.999 and 0.749).
- Bandwidth does not disentangle: one sender with eight positions has 0.18, as with two. But it is understood nearly as
  well as four senders, 84 % against 86 %. What the paper takes for an advantage of structure in understanding was
  measured against half the channel.
- Who sees what matters for some of it. With split views it is the first agent who tells friction, in all seeds, since
  its frames show it best, and the others tell elasticity. But four senders who all see the whole film divide the labour
  as well: in nine of ten seeds one or two of them tell more of friction, not always the same. They are as disentangled
  by the usual measure (0.40) and understood as well (87 %), but seeds differ more (0.28 to 0.59 against 0.31 to 0.50),
  and by the paper's measure they have less on average over agents (0.59 against 0.72).
- Disentanglement is not what talking adds. Before the first update, with heads at random, four senders have 0.46 and
  one has 0.49: all say a little of elasticity, which is easy to see, and next to nothing of friction. In training one
  sender mixes friction in, and four keep it apart; the worse told property goes from 0.16 to 0.40 of its entropy with
  four senders, from 0.05 to 0.35 with one. A measure of purity has to be read beside `coverage`.
- New listeners change nothing in the code. One sender has 0.16 with them and 0.18 without, four have 0.42 and 0.44;
  each birth shows only as a dip in understanding. Accuracy on scenes of training suffers, so that the gap to unseen
  pairs is smaller with one sender (0.13 against 0.18).
- With four senders, all positions of a property silenced cost its own question 0.41 (elasticity) and 0.17 (friction),
  and the other one 0.04 at most. No single position costs more than 0.05: all is said several times. With one sender
  mostly both positions tell more of elasticity than of friction, and silencing them costs 0.40 and 0.31.
- Exchanging a property's positions between the scenes is a clean edit in two of three cases with four senders (0.66;
  the authors' log has 0.42) and worse than chance with one (0.18), where both answers turn together.
- A reader who has learnt the code of one seed reads 80 % of it with one sender (91 % with four) and 28 % of another
  seed's, chance being 25 %.

## Things to try

- Run `half`, the paper's control of bandwidth, or `four` with `--set agents=3`.
- `four-lesioned`: the agent who alone has seen the ramp is blind. Who tells friction now?
- `four-noisy`: a tenth of all symbols slips. Is more said twice?
- `four-few`, `four-many`: three symbols, or ten, for five levels. What becomes of the measures, and of chance?
- `four-untaught`: senders who have never answered without a channel.
- `four-soft`: mixtures of symbols all along in training. Does the code still become discrete?
- `--set noise=0.05`: friction is hard to see. A property that cannot be seen cannot have a position.

## Differences from the paper

- Scenes are ours: a ball whose motion is written down in closed form, seen by a random layer. The paper renders scenes
  in a simulator and takes features of DINOv2 or V-JEPA 2. Its comparison of these, its second set of scenes
  (collisions), its real films and its planner are not here.
- Each seed draws its own scenes and its own random layer; the paper's seeds share one set of films.
- The quick size has 24 units and 24 features, where the paper has 128 and 384, 60 rounds of schooling instead of 100,
  and 200 rounds of talking instead of 400. The sizes `full` and `paper` have not been run.
- Schooling uses one network for both scenes; the authors' code has two and hands on one of them. It keeps the last
  state, as all of the study does, where the authors keep the best of every tenth round, and of every fortieth later,
  by accuracy on scenes of training.
- What the paper calls two agents, one sender and one listener, is `one` here; four agents are four senders.
- The paper's control of bandwidth gives one sender four positions; four senders have eight. `wide` has eight.
- How much friction takes in a bounce, and the size of the networks, were chosen after a first run in which a single
  sender had not learnt friction even without a channel; by accuracy without a channel, not by measures of the code.
- Frames begin when the ball is near the foot of the ramp, so that every pair of frames tells something of both
  properties. A film whose first frames show nothing but the ramp would divide the labour beforehand.
- Whether the code of a seed can be read by another is measured with a linear reader in the listener's place.
- Zeroing of positions is the paper's; it applied it in a task that compares the two properties, we in the game itself.

## References

- T. Kaszyński (2026). Emergent compositional communication for latent world properties.
  https://arxiv.org/abs/2604.03266. Code and logs: https://github.com/TomekKaszynski/emergent-physics-comm
- R. Chaabouni, E. Kharitonov, D. Bouchacourt, E. Dupoux, M. Baroni (2020). Compositionality and generalization in
  emergent languages. https://arxiv.org/abs/2004.09124
- S. Kirby, T. Griffiths, K. Smith (2014). Iterated learning and the evolution of language.
- E. Jang, S. Gu, B. Poole (2017). Categorical reparameterization with Gumbel-softmax. https://arxiv.org/abs/1611.01144
"""

from __future__ import annotations

import emergelab as el

from ._claims import CLAIMS
from ._conditions import FULL, QUICK, TINY, conditions
from ._figures import draw_code, draw_lottery, draw_surgery, draw_training, draw_understanding
from ._system import LatentProperties
from ._view import view

study = el.Study(
    slug="latent-properties",
    family="languages",
    papers=(
        el.Paper(
            "Emergent Compositional Communication for Latent World Properties",
            authors="T. Kaszyński",
            year=2026,
            url="https://arxiv.org/abs/2604.03266",
        ),
    ),
    system=LatentProperties,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            seeds=2,
            steps=24,
            every=12,
            conditions=TINY,
            set={
                "hidden": 4, "features": 6, "copies": 3, "batch": 4, "schooling": 3, "life": 8, "span": 24, "soft": 6,
            },
            about="mechanics only: too small and too short to say anything",
        ),
        "quick": el.Size(
            seeds=10,
            steps=1400,
            every=70,
            conditions=QUICK,
            set={"hidden": 24, "features": 24, "span": 1400},
            about="200 rounds for 400 (five lives of listeners for ten), 24 units for 128 and 24 features for 384, 60 "
            "rounds of schooling for 100; batches, symbols, scenes and listeners as in the paper",
        ),
        "full": el.Size(
            seeds=80,
            steps=1400,
            every=70,
            conditions=FULL,
            set={"hidden": 24, "features": 24, "span": 1400},
            about="the paper's 80 seeds for the conditions of its main claims; networks and length as at size quick",
        ),
        "paper": el.Size(
            seeds=80,
            steps=2800,
            every=140,
            set={"hidden": 128, "features": 384, "schooling": 700},
            about="seeds, units and features of the paper, for a GPU. Not run. The features are not DINOv2's",
        ),
    },
    claims=CLAIMS,
    figures=(
        el.Figure(
            "lottery",
            draw_lottery,
            "How disentangled codes are at the end, seed by seed. Dotted: the same messages about other scenes. The "
            "grey line is what the paper calls compositional.",
            needs=("one", "four"),
        ),
        el.Figure(
            "understanding",
            draw_understanding,
            "Left: both answers right on pairs of levels that were never seen together, beside scenes of training and "
            "what can be known without a channel. Right: purity of positions beside how much they tell.",
            needs=("one", "four"),
        ),
        el.Figure(
            "code",
            draw_code,
            "What positions say in the median seed. Left: how much of each property. Right: the most frequent symbol "
            "for every pair of levels, paler where scenes differ; frames are pairs never seen in training.",
            needs=("one", "four"),
        ),
        el.Figure(
            "surgery",
            draw_surgery,
            "What silence costs. Middle: all positions that tell most of elasticity (e) or friction (f). Right: "
            "answers after these positions are exchanged between the two scenes; dashed is chance.",
            needs=("one", "four"),
        ),
        el.Figure(
            "training",
            draw_training,
            "Codes and understanding over training, with listeners who are replaced and who stay.",
            needs=("one", "four"),
        ),
    ),
    view=view,
    page=__doc__,
)
