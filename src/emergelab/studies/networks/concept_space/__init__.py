"""A generator can make what it was never shown before a prompt can ask it to.

## What it is

Park, Okawa et al. (2024) train generators of pictures on three of the four combinations of two concepts, here colour
and size, and ask for the fourth. They follow what is made through *concept space*, whose axes are the concepts, and
find three things. Each concept is learnt at a speed that the data set: the more a picture changes with a concept, the
sooner. What is made for the unseen combination first resembles the trained class that shares the faster concept, then
turns. And from about that turn on the network is able to make it, as interventions on its inside show, while the
prompt that means it still fails: a hidden capability.

## How it works

A picture shows one disc on white, somewhere near the middle. It is red (0) or blue (1), large (0) or small (1), with
some spread within each class. Classes 00, 01 and 10 are trained, class 11, small and blue, never is. `sep_colour` and
`sep_size` say how far the two values of a concept are apart: their signals. A prompt tells colour and size as numbers.
Each goes through a perceptron of its own, whose answer is added to the stream of a residual network (`cond.col`,
`cond.size`). The network learns by conditional flow matching; pictures are made from noise in 8 Euler steps. One step
is one batch of 64. Each seed has its own network, batches and noise, shared between conditions.

At record times 24 pictures are made for every way of asking, all from the same noise. No classifier is trained: the
disc that fits a picture best tells its colour and size. A picture is right if there is a disc (likeness above 0.8) and
it is nearer to the class asked for than to the other value of each concept.

- `plain`: prompt 11, with the means of the class.
- `latent`: for both concepts, e(0) + alpha (e(1) - e(0)) in the place of e(1), where e(0), e(1) are the embeddings of
  the values in 00 and in 11. `alpha` is 2, fixed beforehand; `latent_15` and `latent_3` have 1.5 and 3.
- `latent_colour`, `latent_size`: only one of the two is pushed.
- `over`: the values themselves exaggerated by alpha.
- `random`: e(1) pushed as far as in `latent`, in a random direction for each picture.

`colour` and `size` are the coordinates in concept space for all eleven ways, -1 and 1 at the classes' means.
`right_colour` and `right_size` judge one concept at a time, `nearest` tells which class is made for 11.

A time is counted as the steps spent below a threshold (0.8 for a concept, 0.75 for class 11): the time of crossing
where a curve crosses once, the whole run where it never does, and what is lost again counts as not yet had.

Sites for interventions: `cond.col`, `cond.size`, `L.i.act`, `L.i.out`, `picture`, `prompt.col.act`, `prompt.size.act`,
`clock.act` (the network); `sep_colour`, `sep_size`, `masked` (the data); `grad.*`, `update.*`, `rate`, `state.*`.

    blind = el.Ablate("cond.size")                                     # sizes are never told
    late = el.Ablate("update.concepts.col.*", during=(0, 300))         # the colour's embedding does not learn at first
    swap = el.Clamp("sep_colour", 0.1, during=(500, None))             # colours come closer together

## Things to notice

Numbers are means over twelve seeds at the quick size.

- With signals in between (`base`), interventions make small blue discs after 67 steps, exaggerated prompts after 50,
  the plain prompt after 398. A push as long in random directions takes 681: it is the direction that counts.
- The plain prompt has the ability, loses it and finds it again: 0.66 of its pictures are right at step 150, 0.33 at
  250, 0.80 at 500. Interventions have no such dip. What was lost was not the ability.
- What interventions make is exaggerated, at first bluer than the class and later smaller as well (`colour`, `size`). It
  counts as the class because that is the nearest.
- Where colour is much the faster concept, discs for 11 are blue and large until the run is half over; where size is,
  they are small and red, then turn blue within three hundred steps. Both start as another trained class.
- It is the slower concept that must be pushed. Where colour is fast, pushing the size alone is quickest (119 steps,
  both: 288, plain: 708), and pushing the colour alone does not do it (983). Where size is fast, pushing the colour
  alone does it (377, plain: 550), while pushing both helps most seeds and ruins two (488): sizes 0.4 apart, pushed on
  by 2, are beyond what the network knows. Exaggerated prompts fail there too (725), for they ask for radii below
  nothing.
- Colour is learnt the sooner, the farther colours are apart: 156, 48, 6 steps at 0.2, 0.4, 0.8. Size is not: 615, 454,
  350 steps from 0.15 to 0.3, but 629 at 0.4. And the stronger the colour, the later the size (408, 454, 590): signals
  compete.
- If prompts for small red discs leave the colour out, discs for 11 turn out redder: their colour, 0.62 on the scale
  where blue classes have 1 and red ones -1, is 0.21 with half of them left out. Colour is learnt very late in two of
  twelve seeds and hardly later in the others. But size is learnt sooner on 11, so that the class as a whole comes
  sooner, not later (398, 215, 140 steps with none, half and all left out).

## Things to try

- `--set alpha=1.5`, or 3: when is a push too weak, and when too far?
- `--set spread=0`: discs that are always in the middle. Does the order change?
- `--condition colour-first --set sep_colour=0.2`: the same sizes with a weaker rival.
- Let the embedding of the slower concept learn late, as above: is it the embedding that is slow, or what reads it?

## Differences from the paper

- Pictures have 8 x 8 pixels instead of 32 x 32, no noise, and discs no more than a quarter off the middle instead of
  half. The generator is a perceptron of three blocks that learns by flow matching; the paper's is a U-Net that learns
  by variational diffusion. It tells the picture a place leads to, not the velocity, for it is too narrow to pass on
  noise.
- Every batch is drawn anew; the paper has 2048 fixed pictures of each class. Nothing can be learnt by heart here.
- Prompts tell colour and size only; the paper's also have slots that stay empty or vary.
- A trained classifier judges the paper's pictures; here it is the disc that fits best. It tells rendered discs of all
  four classes apart, unless their radius is within 0.02 of the border. Of discs less than three pixels wide it may
  overrate the colour, not its sign.
- Times are steps below a threshold, not first crossings, because the curves of prompts relapse here.
- Colours 0.1 apart, as in `size-first`, are below the paper's range (0.2 to 0.8): with 0.2 and sizes 0.4 apart, neither
  concept came clearly first in a pilot.
- The paper exaggerates prompts in five steps with a size of its own; here by the same alpha as the embeddings.
- Which prompts leave the colour out (those for 01, so that smallness comes to mean red) is a choice made here.
- That the way turns just once, and when the ability appears, is not judged. Here it begins in a grey blur rather than
  at 00, and how it leaves that decides its first direction.
- Thresholds, alpha and margins were fixed after pilots of two seeds. Eight seeds were run first, and four added because
  eight signs that agree are too few after correcting for all claims; two claims, marked so, were added then as well.
- Not built: worlds with a third concept or with six, and a generator without prompts as a baseline. `full` and `paper`
  are written down and have not been run.

## References

- C. F. Park, M. Okawa, A. Lee, E. S. Lubana, H. Tanaka (2024). Emergence of Hidden Capabilities: Exploring Learning
  Dynamics in Concept Space. https://arxiv.org/abs/2406.19370
- Y. Lipman et al. (2023). Flow Matching for Generative Modeling. https://arxiv.org/abs/2210.02747
- X. Liu, C. Gong, Q. Liu (2023). Flow Straight and Fast. https://arxiv.org/abs/2209.03003
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import BASE, COLOUR_FIRST, HALF, SIZE_FIRST, conditions
from ._figures import figures
from ._system import ConceptSpace

__all__ = ["ConceptSpace", "study"]

study = el.Study(
    slug="concept-space",
    family="networks",
    papers=(
        el.Paper(
            "Emergence of Hidden Capabilities: Exploring Learning Dynamics in Concept Space",
            authors="Core Francisco Park, Maya Okawa, Andrew Lee, Ekdeep Singh Lubana, Hidenori Tanaka",
            year=2024,
            url="https://arxiv.org/abs/2406.19370",
        ),
    ),
    system=ConceptSpace,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=200,
            every=20,
            seeds=3,
            set={"width": 16, "depth": 1, "batch_size": 16, "samples": 4, "euler": 3, "rate": 5e-3},
            conditions=(BASE, COLOUR_FIRST, SIZE_FIRST, HALF),
            about="mechanics only: so small that it learns the colours and not much else",
        ),
        "quick": el.Size(
            steps=1000,
            every=25,
            seeds=12,
            about="8 x 8 pixels instead of 32 x 32, a perceptron instead of a U-Net, flow matching instead of "
            "variational diffusion, 1000 steps instead of 20,000, 24 pictures instead of 32",
        ),
        "full": el.Size(
            steps=3000,
            every=50,
            seeds=8,
            set={"pixels": 16, "width": 128, "samples": 32, "euler": 20},
            about="16 x 16 pixels, a network twice as wide. Not run; half an hour on two cores by the cost of a step",
        ),
        "paper": el.Size(
            steps=20_000,
            every=200,
            seeds=5,
            set={"pixels": 32, "width": 512, "depth": 6, "samples": 32, "euler": 50, "rate": 1e-3},
            about="pixels, seeds, steps, learning rate and sampling of the paper; its network is a U-Net, and this one "
            "is not. For a GPU; not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
