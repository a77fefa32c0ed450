"""Emergent modularity: hidden units form bricks that can be switched on where they are needed.

## What it is

In a large network few hidden units fire for a token, and units that fire together have like weights from the input,
their keys. Qiu, Huang and Fu (2023) sort the units of a trained network by their keys into groups of equal size and
keep for every token the best groups only: it costs little, so the network has become a mixture of experts by itself,
and tuning it as one makes it better on data that it was not tuned on. Xiao et al. (2024) call such groups bricks, and
ask which of them serve which function. Here a small decoder learns a small language whose word classes, numbers and
topics are known, so that functions need not be guessed, and everything is measured before, during and after learning.

## How it works

A transformer of two blocks (ReLU) learns the next word. At every record the units of each block are sorted twice into
sixteen bricks: by k-means on the directions of their keys, with equally many in each brick, and at random. Then, on
the same texts, all but the best bricks of every token are silenced, in all blocks at once. Two gates score the
bricks: `activity`, the sum of what the units of a brick do, which is the best that can be known; and `keys`, the
input times the brick's mean key, which no unit has to be computed for. `routing` is the rise of the loss.

`special` is the share of units that fire by more than 0.3 more or less often when the next word is of some class
(when this word is, or in some topic) than they fire at all; `shuffled` is the same with classes dealt out anew.
`modularity` is Newman's Q of the bricks in the graph of units that fire together. `drop` is the rise of the loss on
words of each class when one brick is silent, `own` how much larger that is on the class for which the brick's units
fire most than on the average class.

At step `tune_at` the bricks are made once and for all, and the network learns on from texts of half of the topics,
more slowly: as a whole (`dense`), or with the best quarter of the bricks of every token open, of like keys (`bricks`)
or random ones (`random`). `home` and `away` are the losses on these topics and on the others.

Sites: those of every training, those of the network (`L.0.act`, ...), and under `gate.0`, `gate.1` those of the look
ahead that the gate needs.

    lesion = el.Ablate("L.1.act")                       # the second perceptron is silent
    frozen = el.Ablate("update.blocks.*.up", during=(800, None))    # keys stay as they are in tuning

## Things to notice

- Half of the bricks of like keys do as well as all of them, and a quarter costs 0.014 nat. Random bricks cost twice
  as much, or more.
- An untrained network has such bricks already, because units with like keys fire together whatever they are for.
  There the costs of routing differ from seed to seed more than from one partition to the other.
- The gate by mean keys, which needs no unit to be computed, is hardly worse than the one that knows what they do.
- Nine of ten units tell the class of the next word after 200 steps. Later they are fewer (0.83 at step 800): the
  network finds finer things to tell. None tells the topic.
- Units of a brick fire together, and a brick has one favourite class more often than a random one; a silent brick
  hurts that class, where a random one hurts all alike.
- Tuning by bricks costs nothing at home, and gains nothing away: what is lost on the other topics is lost in any way
  of tuning. The network learns which topics occur, so on those of the tuning it may do better than a predictor who
  takes all for equally likely.

## Things to try

- `--condition decay-1`: ten times the weight decay makes fewer units fire. Do they form better bricks?
- `--set bricks=32`, `--set kept=8`: smaller bricks, as many units open.
- `--set tune_at=200`: bricks made while the network is young.

## Differences from the paper

- A decoder of two blocks of width 32 with 128 hidden units each, sixteen bricks of eight units, for BERT, GPT-2, ViT
  and Llama with thousands of units and 8 to 96 experts.
- Bricks are silenced in all blocks, where the papers choose some of them.
- The domain shift is one of topics, that is of frequencies of words in their classes; the grammar is the same.
- The gate by activity knows what the units will do; it stands for what the best gate could reach.
- k-means with equally large clusters is a greedy one: units that gain most by their favourite choose first.
- Not built: interference between two tasks that are tuned on one after the other, a learned gate, merging and growing
  of bricks, GELU. The size `full` is written down and has not been run.
- Margins were fixed after a pilot of two seeds and before the run that is judged.

## References

- Z. Qiu, Z. Huang, J. Fu (2023). Emergent mixture-of-experts: can dense pre-trained transformers benefit from
  emergent modular structures? https://arxiv.org/abs/2310.10908
- C. Xiao et al. (2024). Configurable foundation models: building LLMs from a modular perspective.
  https://arxiv.org/abs/2409.02877
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import TUNE_AT, conditions
from ._figures import figures
from ._system import Modular

__all__ = ["Modular", "study"]

study = el.Study(
    slug="emergent-modularity",
    family="networks",
    papers=(
        el.Paper(
            "Emergent Mixture-of-Experts: Can Dense Pre-trained Transformers Benefit from Emergent Modular Structures?",
            authors="Zihan Qiu, Zeyu Huang, Jie Fu",
            year=2023,
            url="https://arxiv.org/abs/2310.10908",
        ),
        el.Paper(
            "Configurable Foundation Models: Building LLMs from a Modular Perspective",
            authors="Chaojun Xiao et al.",
            year=2024,
            url="https://arxiv.org/abs/2409.02877",
        ),
    ),
    system=Modular,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=8,
            every=4,
            seeds=3,
            set={
                "width": 8, "depth": 1, "tokens": 8, "contexts": 12, "tried": 6, "batch_size": 4, "bricks": 4,
                "kept": 1, "tune_at": 4, "rate": 0.01,
            },
            conditions=("dense", "bricks", "random"),
            about="mechanics only: too small and too short to learn more than frequencies",
        ),
        "quick": el.Size(
            steps=1000,
            every=200,
            seeds=10,
            set={"tune_at": TUNE_AT},
            conditions=("dense", "bricks", "random"),
            about="two blocks of width 32 with sixteen bricks of eight units, that read 200,000 words",
        ),
        "full": el.Size(
            steps=TUNE_AT + 400,
            every=100,
            seeds=20,
            set={
                "width": 128, "depth": 4, "heads": 4, "tokens": 32, "batch_size": 32, "contexts": 512, "tried": 128,
                "bricks": 32, "kept": 8, "tune_at": TUNE_AT,
            },
            about="four blocks of width 128 with bricks of sixteen units. Not run; meant for an accelerator",
        ),
        "paper": el.Size(
            steps=TUNE_AT + 400,
            every=100,
            seeds=5,
            set={
                "width": 768, "depth": 12, "heads": 12, "tokens": 128, "batch_size": 32, "contexts": 512, "tried": 128,
                "bricks": 64, "kept": 16, "tune_at": TUNE_AT,
            },
            about="the shape of the networks that Qiu et al. tune (twelve blocks of width 768, 64 bricks of which 16 "
            "are kept), on this language, whose 184 words do not need it. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)  # fmt: skip
