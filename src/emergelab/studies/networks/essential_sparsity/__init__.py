"""Essential sparsity: a good part of a trained network's weights can go at once, up to a knee.

## What it is

Of a large network that has been trained, many weights can be set to zero at once, the smallest first, without any
training afterwards: up to a point it costs next to nothing, beyond it the network collapses. Jaiswal et al. (2023)
call the share of weights that can go the *essential sparsity*, and find that it emerges in pre-training: that BERT's
weights become sparse abruptly, that more data and self-supervised objectives raise it. Here the same questions are
put to a small decoder that learns a small language from scratch, so that pruning curves can be taken all along, over
seeds, with one thing changed at a time.

## How it works

A transformer of two blocks (ReLU) reads sixteen words of a language with a grammar, agreement and topics, of which
the best possible predictor is known. It learns by Adam with decoupled weight decay to predict the next word, or
masked words seen from both sides, or (supervised) the topic at every word.

At every record the network is copied, and the copies are pruned and tested; training knows nothing of it. Pruned are
matrices of the blocks: attention and perceptrons, never norms and biases, and embedding and readout in one of the
curves only. Kinds of pruning, in the order of `curve`: smallest magnitude of all blocks together, at random, smallest
of each matrix, smallest with embedding and readout among them, smallest of the first and of the last block alone.
`pattern` keeps the 3, 2 or 1 largest of every 4 inputs that follow each other.

The essential sparsity is the share at which the loss has risen by 1 % of what is learnt, that is of the distance from
the best constant answer (`learnt`). A second definition, the place where two straight lines fit the curve best, is
set beside it.

With `cut` a share of the blocks' weights is set to zero in training itself, at step `cut_at`: once, so that they may
regrow, or for good (`held`). Sites: those of every training (`grad.blocks.0.up`, `update.*`, `state.net.*`, `rate`)
and of the network (`L.0.act`, `L.1.pattern`, ...).

    frozen = el.Ablate("update.blocks.0.*", during=(400, None))    # the first block learns no more

## Things to notice

- The curve is flat and then turns: of 1.53 nat that are learnt, removing .4 of the blocks' weights costs 0.007, .5
  costs 0.02, .6 0.06, .7 0.18, .8 0.6 and .9 1.8.
- Early in training the network can be pruned less: the knee moves from .39 at step 100 to .48 at step 800, and what
  pruning half costs falls from 3 % to 1.3 % of what is learnt.
- None of this needs weights near zero. Their share stays at 1 % all along and nothing is abrupt. A price on magnitudes
  changes that: with `l1` two fifths of the weights fall below 0.001 at no loss, and .84 can go.
- A network that has seen a twentieth of the data and knows it by heart can be pruned least (.27).
- Half of the weights set to zero at step 400 are not missed: 400 steps later the loss is that of the whole network,
  whether they may regrow or not. Where they may, few do (9 % are no longer among the smallest half), and more
  can go than without the cut.
- Told the topic, the same network learns something of which less can go (.40) than of the next word (.48) or of masked
  words (.51), though seeds differ too much to be sure of the margin.
- The two definitions of the knee are a quarter of all weights apart: a curve begins to rise before it turns.

## Things to try

- `--set l1=0.001`: how far does the price of magnitudes carry before the loss suffers?
- `--condition decay-0`: weight decay adds little to what can go, unless there is much of it.
- Cut earlier or more (`--set cut_at=100`, `--set cut=0.8`): when can training no longer make good for it?
- Freeze one block by `el.Ablate("update.blocks.1.*")`. Which block's weights can then go?

## Differences from the paper

- A decoder of 25,000 weights in its blocks that learns a small language, for BERT-base, ViT and Vicuna that are
  pre-trained on text and images. No fine-tuning on other tasks: what is pruned is tested on what it was trained on.
- The paper's drop of a score by 1 % becomes 1 % of what is learnt in loss. A plain ratio of losses would depend on
  how much of the loss nobody could learn.
- The share of weights below 0.001 stands for BERT's count of zeros. With a thousand times fewer steps an abrupt
  change may simply not have come yet.
- The supervised arm tells the topic at every word by the same causal network, so that only the objective differs.
- Not built: retraining from the beginning (lottery tickets), and activation functions other than ReLU. The sizes
  `full` and `paper` are written down and have not been run.
- Margins were fixed after a pilot of two seeds with fewer records and before the run that is judged.

## References

- A. Jaiswal, S. Liu, T. Chen, Z. Wang (2023). The emergence of essential sparsity in large pre-trained models: the
  weights that matter. https://arxiv.org/abs/2306.03805
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions
from ._figures import figures
from ._system import Sparse

__all__ = ["Sparse", "study"]

study = el.Study(
    slug="essential-sparsity",
    family="networks",
    papers=(
        el.Paper(
            "The Emergence of Essential Sparsity in Large Pre-trained Models: The Weights that Matter",
            authors="Ajay Jaiswal, Shiwei Liu, Tianlong Chen, Zhangyang Wang",
            year=2023,
            url="https://arxiv.org/abs/2306.03805",
        ),
    ),
    system=Sparse,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=12,
            every=4,
            seeds=3,
            set={
                "width": 8, "depth": 1, "tokens": 8, "texts": 4, "text_tokens": 64, "contexts": 6, "batch_size": 4,
                "cut_at": 6, "rate": 0.01,
            },
            conditions=("next", "held"),
            about="mechanics only: too small and too short to learn more than frequencies",
        ),
        "quick": el.Size(
            steps=800,
            every=100,
            seeds=8,
            set={"contexts": 48},
            conditions=tuple(name for name in conditions() if name != "decay-0"),
            about="two blocks of width 32 that read 200,000 words, for BERT",
        ),
        "full": el.Size(
            steps=6000,
            every=500,
            seeds=10,
            set={
                "width": 128, "depth": 4, "heads": 4, "tokens": 32, "batch_size": 32, "texts": 512, "contexts": 128,
                "rate": 1e-3, "cut_at": 3000,
            },
            about="four blocks of width 128 that read six million words. Not run; meant for an accelerator",
        ),
        "paper": el.Size(
            steps=100_000,
            every=5000,
            seeds=8,
            set={
                "width": 768, "depth": 12, "heads": 12, "tokens": 128, "batch_size": 64, "texts": 4096,
                "text_tokens": 4096, "contexts": 256, "rate": 1e-4, "decay": 0.01, "cut_at": 50_000,
            },
            about="the shape of BERT-base, still on the small language. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)  # fmt: skip
