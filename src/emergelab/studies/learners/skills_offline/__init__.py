"""From recorded strolls alone: a map whose distances are times, and a policy that goes wherever a prompt points.

## What it is

Somebody has strolled through a maze without any aim, and the walks were recorded. Park et al. (2024) learn two things
from such data, without a reward and without acting once. First a *map*: every place becomes a point of a Hilbert space,
so that the distance of two points is the number of steps that the shortest way between the places takes. Then
*skills*: a policy that is told a direction of the map and goes that way. The policy can be prompted with anything that
means a direction: a goal (the way from here to there), or a reward (the direction that explains it best). RLZero
(Sikchi et al. 2024) prompts such policies with imagined pictures of a task: each is projected to the most similar
thing that the data hold, and the sequence of those is imitated, again without learning anything more.

## How it works

Six rooms lie along a chain that is bent like a horseshoe: its ends are three cells apart, with a wall between them, and
fourteen on foot. 256 walks of 40 steps begin anywhere; pace and direction change smoothly and at random. One walk in
twenty passes three doors and hardly any more, so whoever is to go from end to end has to join pieces of many.

All networks have two layers of 64 units and learn from the same batches, 20 gradient steps a step:

1. The map phi. V(s, g) = -|phi(s) - phi(g)| is to be minus the number of steps from s to a goal g: the target is
   -1 + 0.99 V'(s', g), with a slow copy V', and good surprises weigh 0.95, bad ones 0.05, so that of all that strollers
   did after s only the best counts. Goals come later in the same walk (62.5 %) or from anywhere.
2. The value of a skill z, a random unit vector: a step earns (phi(s') - phi(s)) . z.
3. The policy does what strollers did, but counts each action by exp(6 a), where a is its advantage for a random z in
   units of what a step earns.

Method `goal cloning` tells the policy a later place of the same walk instead and counts all actions alike; `cloning`
tells nothing. Everybody acts with the spread that was learnt.

Trials begin in each room and have a goal in each other one, 60 steps, the same for all prompts (`reached`, `nearer`):

- `goal`: z points from here to the goal, in the map. `plan`: it points to a midpoint instead, the place of the data
  from which the farther of here and goal is nearest, and then to the midpoint between here and that.
- `dense`, `sparse`: 256 steps of the data are rewarded, for each bit of the way or for ending near the goal; z is the
  least squares of the rewards on phi(s') - phi(s), and stays.
- `imagined`: pictures of a walk through the doors, as somebody else draws them, fainter, blurred and noisy. Each is
  taken for the most similar picture of the data (by cosine), and z points to where that was taken. `miss` is how far
  that is from what was meant.
- `turned`: the direction of the goal, reversed. `knocked`: without the half of phi that varies most.

The oracle of distances is exact: a shortest way is straight or bends at corners of walls.

Sites for interventions: in trials `ask.here` (the map), `ask.z` (what is asked) and `ask.action`; in learning
`learn.map`, `learn.slow`, `learn.reward`, `learn.advantage`, `grad.PATH`, `update.PATH`; and `state.*`.

    one_way = el.Clamp("ask.z", [1, 0, 0, 0])                        # everybody is asked for the same
    unsteady = el.Noise("ask.z", 0.5)                                # directions are misheard
    lost = el.Ablate("ask.here", during=(100, None))                 # nobody knows where they are any more
    late = el.Ablate("update.fast.phi.*", during=(0, 50))            # the map learns later than the policy

## Things to notice

Numbers are means over eight seeds at the quick size.

- The map unbends the horseshoe. Its distances rank pairs of places as ways on foot do (Spearman .996; straight lines
  .63). In units of the distance between the first two rooms the ends are 4.4 apart, 4.6 on foot, 1 through the wall.
  On the way there, about step 40, it is at its most spatial: straight lines come to .75, then fall.
- Walks that were cut off after 40 steps are joined: goals five doors away are reached in .52 of trials, by midpoints in
  .70. Goal cloning reaches two goals in three next door and none four doors away, where no walk of the data leads.
- Nothing is reached far off along the directions of a random map (.01), though the policy learns as well: it is the
  geometry that makes skills lead somewhere.
- A reward at the goal says nothing, and the policy is no nearer in the end. As many of the stroller's steps enter the
  goal from one side as from the other, and least squares on differences cancel them. A reward for each bit of the way
  does work, though one direction cannot stop: the policy walks past goals on its way (3.2 cells nearer, .31 reached).
- Imagined walks do best of all (.91): a sequence of near goals asks less of the map than one that is far. Data from one
  end spoil them where data are thin, and there the policy knows as little as the pictures' judge.
- With a symmetric expectile the map learns how long strollers take, which is three times as long. Its ranks stay nearly
  right (.95), yet it bends (the ends are 2.0 apart), and far goals are missed.
- Without layer normalisation the map is late: .88 after half of the run, .993 in the end, and not straight yet (3.1).
  Within this budget that costs most far goals. Nothing diverges.
- The same 64 skills all along do as well as new ones: here that fault of the authors' code has no price.

## Things to try

- `--set length=10`: shorter pieces. From what length on can they no longer be joined?
- `--set dims=2`, or 16: how many dimensions does the horseshoe need, and do random skills still find them?
- `--set vague=0.3`: when are imagined pictures too vague to be recognised?
- `--set patience=0`: skills that do not look ahead. Are doors still found?

## Differences from the paper

- One map and one value where the authors' code keeps two of each and takes the lesser. Values stand for what the
  critics say there: in a maze without chance an action's worth is its reward and the value of where it leads.
- Rewards of skills come from the slow copy of the map, and so do prompts.
- Advantages are divided by the root mean square of the rewards in the batch before they are multiplied by 6 (10 in the
  paper, without dividing), so that a map at the wrong scale is not a policy without preferences.
- The map has 4 dimensions (32 or 50 in the paper), skills look ahead by 0.8 and 0.7 (discount and expectile; 0.99 and
  0.9), slow copies follow by 0.02 (0.005), rate 0.002 (0.0003). Chosen with pilots of three seeds; with 8
  dimensions fewer far goals were reached.
- Policies act with the spread they learnt; the paper's act by the mean. By the mean, goal cloning reached one goal in
  five next door.
- Midpoints: two recursions over 256 places and the single best place; in the paper three, over 50,000 states and the
  mean of the 50 nearest.
- RLZero stands on successor measures and imitates by the mean of what the frames say about them, with pictures by a
  video model. Here the map is Park et al.'s, the walk is drawn by a rule, and each picture is followed for four steps.
  A mean over a sequence would not do: differences along it add up to the one from its beginning to its end.
- `one-end` mixes two things, thin data for the pictures and for the policy.
- Not built: manipulation, pixels, online fine-tuning, other zero-shot methods (forward-backward, successor features).
  `full` and `paper` are written down and have not been run.

## References

- S. Park, T. Kreiman, S. Levine (2024). Foundation Policies with Hilbert Representations.
  https://arxiv.org/abs/2402.15567
- H. Sikchi et al. (2024). RLZero: Direct Policy Inference from Language Without In-Domain Supervision.
  https://arxiv.org/abs/2412.05718
- I. Kostrikov, A. Nair, S. Levine (2021). Offline Reinforcement Learning with Implicit Q-Learning.
  https://arxiv.org/abs/2110.06169
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import CLONING, GOALS, LEFT, SKILLS, conditions
from ._figures import figures
from ._system import SkillsOffline
from ._view import view

__all__ = ["SkillsOffline", "study"]

study = el.Study(
    slug="skills-offline",
    family="learners",
    papers=(
        el.Paper(
            "Foundation Policies with Hilbert Representations",
            authors="S. Park, T. Kreiman, S. Levine",
            year=2024,
            url="https://arxiv.org/abs/2402.15567",
        ),
        el.Paper(
            "RLZero: Direct Policy Inference from Language Without In-Domain Supervision",
            authors="H. Sikchi, S. Agarwal, P. Jajoo, S. Parajuli, C. Chuck, M. Rudolph, P. Stone, A. Zhang, S. Niekum",
            year=2024,
            url="https://arxiv.org/abs/2412.05718",
        ),
    ),
    system=SkillsOffline,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            seeds=2, steps=4, every=2, conditions=(SKILLS, GOALS, CLONING, LEFT),
            set={"dims": 4, "width": 8, "walks": 24, "length": 10, "batch_size": 8, "updates": 3, "horizon": 6,
                 "known": 20},
            about="mechanics only: a dozen gradient steps of networks of eight units",
        ),
        "quick": el.Size(
            seeds=8, steps=150, every=15,
            about="a maze of six rooms and 10,240 recorded steps in place of benchmarks with a million, two layers of "
            "64 units, 3000 gradient steps of 64 examples in place of a million of 1024",
        ),
        "full": el.Size(
            seeds=16, steps=300, every=15, set={"width": 128, "dims": 16, "walks": 1024, "batch_size": 256},
            about="networks twice as wide, four times the data, twice the gradient steps with four times the examples; "
            "not run. About an hour on two cores by the cost of a step",
        ),
        "paper": el.Size(
            seeds=8, steps=50_000, every=1000,
            set={"width": 512, "dims": 32, "walks": 5000, "length": 200, "batch_size": 1024, "rate": 3e-4,
                 "follow": 0.005, "patience": 0.99},
            about="widths, batch, rate and averaging of the paper (a million gradient steps), for a GPU; not run",
        ),
    },
    claims=claims,
    figures=figures(),
    view=view,
    page=__doc__,
)  # fmt: skip
