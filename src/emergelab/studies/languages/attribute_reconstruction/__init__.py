"""The larger the world, the more new combinations are understood.

## What it is

A speaker sees an object with several attributes, a listener hears a message and has to name them all. Have they found
names for the parts, or one name for each object? If the listener understands messages about combinations that neither
has met, it must have been something like parts. Chaabouni et al. (2020) asked when that happens and how it goes with
the structure of the language, for which they made two measures. Their answers: networks generalise if the world is
large enough; among languages that work, how regular they look does not tell how well they generalise; but regular
ones are learnt more easily by other networks. Kharitonov and Baroni (2020) took the last point further: a code that
mixes its attributes can be learnt as fast as one that names them.

## How it works

An object has two attributes with n values each. The speaker, a perceptron, says three symbols of twenty, the
listener, another one, names both attributes; loss is the cross-entropy of each. The speaker learns by the listener's
gradient through a softened draw of symbols (Gumbel-softmax, straight through). A fifth of the objects (`unshown`) is
never met in training, such that every value is. One step is one batch of 64.

Worlds of 16 to 256 objects share one program: networks have inputs for the largest world, and `world` says how many
values exist. `vocabulary` limits the symbols that may be said. With `speech="given"` the speaker reads from a table
and only the listener learns: `parts` names one attribute in each position, `bag` names both in any order (symbols of
their own), `entangled` says sum and difference of the values, modulo their number, `holistic` has the messages of
`parts` shuffled among objects.

`unseen` is the share of new combinations that are understood. `topsim` is topographic similarity (Spearman's
correlation of how many attributes and how many symbols differ, over pairs of objects), `posdis` positional
disentanglement (does each position speak of one attribute), `bosdis` the same for how often each symbol occurs;
beside each stands its level when objects swap their messages. `without` is accuracy when a position is silent. At the
end there is an exam: newborn listeners of other makes, a perceptron with 16 hidden units (`taught_small`) and a
recurrent network (`taught_recurrent`), are taught the language and asked after 10, 30, 100 and 300 lessons.

Sites for interventions: those of the game (`message`, `message.I`, `answer`, `temperature`, `rate.speakers`,
`rate.listeners`, `grad.*`, `update.*`), and the state.

    frozen = el.Ablate("update.speakers.*", during=(3000, None))      # a language that no longer changes
    mute = el.Ablate("message.2")                                     # two positions instead of three
    lost = el.Ablate("message.1", during=(4000, None))                # a position falls silent when all is learnt
    hot = el.Clamp("temperature", 2.0)                                # speakers that stay undecided

## Things to notice

- All worlds are learnt (99 to 100 % of what is shown), but few new combinations are understood: 3 % of 16 objects,
  14 % of 36, 24 % of 81, 23 % of 144 and 32 % of 256. That is more the larger the world, and far from all. Of their
  attributes about half are.
- Languages are in between: topographic similarity is 0.58 in the smallest world and 0.51 in the largest, positional
  disentanglement 0.34 to 0.47, where swapped messages have 0 and below 0.1.
- Ten seeds do not settle whether structure tells how well a language generalises. In ours it seems to: r = 0.72 with
  topographic similarity over 81-object languages (0.84 with other random numbers), where the paper has none. None of
  ours generalises well, and the paper's finding is about worlds in which all do.
- Nor whether more regular languages are learnt faster by a perceptron with 16 hidden units: r is 0.35, and was 0.96
  with other random numbers. Ten points are few for a correlation.
- A narrow channel hurts: with five symbols for twenty (125 messages for 81 objects) 93 % of what is shown is learnt,
  6 % of what is new.
- A listener of a language of parts understands everything new (100 %), in whatever order the parts come (94 %). Of
  sum and difference it understands nothing new, no more than of a language without parts.
- How fast a language is learnt depends on who learns. The game's listener, with 128 hidden units, needs about as long
  for sum and difference as for parts; one with 16 has learnt 16 % of it after 300 lessons, for 100 % of parts, and
  less than of a language without any order (33 %).

## Things to try

- `--set noise=0.1`, or the condition `noisy`: does a language that must survive mishearing become more regular?
- Run `three`: 512 objects of three attributes.
- Silence a position after training (`lost` above): who recovers, and how?
- `--set unshown=0.5`: with half of the objects, how many are understood?
- Run `recurrent` and `rewarded`: the paper's agents and its way of learning to speak.

## Differences from the paper

- Chaabouni et al. have recurrent agents of 500 units that learn from rewards (REINFORCE), vocabularies from 5 to 100,
  messages of up to 8 symbols, two to four attributes with 4 to 100 values, and batches of 5120. Ours are perceptrons
  with one layer of 128 hidden units that learn by gradients; recurrent agents and rewards are conditions of the size
  `full`, which has not been run.
- Held out are combinations at random. Their second split, in which one value of each attribute is never combined, is
  not here.
- They stop training at an accuracy of 0.99999; here all train for equally long, and correlations leave out seeds with
  an accuracy below 0.99.
- Their positional disentanglement and ours leave out positions that never vary.
- Our exam has a perceptron and a recurrent network that are smaller than the listener, where theirs has recurrent
  networks of several sizes and a perceptron.
- Sum and difference are those of Kharitonov and Baroni as we recall them; their coordinates and rotations are not
  here.

## References

- R. Chaabouni, E. Kharitonov, D. Bouchacourt, E. Dupoux, M. Baroni (2020). Compositionality and Generalization in
  Emergent Languages. https://arxiv.org/abs/2004.09124
- E. Kharitonov, M. Baroni (2020). Emergent Language Generalization and Acquisition Speed are not tied to
  Compositionality. https://arxiv.org/abs/2004.03420
- H. Brighton, S. Kirby (2006). Understanding linguistic evolution by visualizing the emergence of topographic
  mappings. Artificial Life 12, 229-242.
- E. Jang, S. Gu, B. Poole (2017). Categorical reparameterization with Gumbel-softmax.
  https://arxiv.org/abs/1611.01144
"""

from __future__ import annotations

import emergelab as el

from ._claims import CLAIMS
from ._conditions import BY_WORLD, QUICK, TINY, conditions
from ._figures import draw_given, draw_scatter, draw_words, draw_worlds
from ._system import Reconstruction

study = el.Study(
    slug="attribute-reconstruction",
    family="languages",
    papers=(
        el.Paper(
            "Compositionality and Generalization in Emergent Languages",
            authors="R. Chaabouni, E. Kharitonov, D. Bouchacourt, E. Dupoux, M. Baroni",
            year=2020,
            url="https://arxiv.org/abs/2004.09124",
        ),
        el.Paper(
            "Emergent Language Generalization and Acquisition Speed are not tied to Compositionality",
            authors="E. Kharitonov, M. Baroni",
            year=2020,
            url="https://arxiv.org/abs/2004.03420",
        ),
    ),
    system=Reconstruction,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            seeds=2,
            steps=40,
            every=10,
            conditions=TINY,
            set={"values": 9, "world": 9, "symbols": 9, "positions": 2, "hidden": 8, "batch": 8, "exams": 40,
                 "small": 4, "units": 4, "pupils": 1},
            about="mechanics only: far too short to agree on anything",
        ),
        "quick": el.Size(
            seeds=10,
            steps=3000,
            every=150,
            conditions=QUICK,
            set={"rate_speakers": 3e-3, "rate_listeners": 3e-3, "cooling": 1500, "exams": 3000},
            about="perceptrons for recurrent networks, worlds of 16 to 256 objects, 3000 batches of 64",
        ),
        "full": el.Size(
            seeds=20,
            steps=30_000,
            every=1000,
            set={"cooling": 15_000, "exams": 30_000},
            about="all conditions for ten times as long, at a third of the learning rate. Not run",
        ),
        "paper": el.Size(
            seeds=10,
            steps=36_000,
            every=1000,
            set={"hidden": 500, "batch": 5120, "values": 24, "symbols": 48, "cooling": 18_000, "exams": 36_000},
            conditions=(*BY_WORLD, "narrow", "recurrent", "rewarded"),
            about="units and batches of the paper, as many samples as its 3000 passes for a middling world. Not run",
        ),
    },
    claims=CLAIMS,
    figures=(
        el.Figure(
            "worlds",
            draw_worlds,
            "Left: objects in training and new combinations understood, by the number of objects. Middle: "
            "structure of the languages, dotted what the measures give when objects swap messages. Right: new "
            "combinations over training. Dots are seeds, bars and bands 95 % intervals.",
            needs=("values-4",),
        ),
        el.Figure(
            "scatter",
            draw_scatter,
            "Across seeds: what topographic similarity tells of generalisation (left), and of how well newborn "
            "listeners of other makes are taught (middle, right). One dot a seed.",
            needs=("values-4",),
        ),
        el.Figure(
            "given",
            draw_given,
            "Languages that are given and not learnt: how fast a listener learns each, how many new combinations "
            "it understands, and how well other networks are taught. Bars are 95 % intervals, the dashed line is "
            "chance.",
            needs=("given-parts", "given-holistic"),
        ),
        el.Figure(
            "words",
            draw_words,
            "An emergent language of middling topographic similarity, twice: cells are coloured by the symbol in "
            "the position that tells most of the row (left) or of the column (right). Stripes are names of parts.",
            needs=("values-4",),
        ),
    ),
    page=__doc__,
)
