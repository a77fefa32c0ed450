"""What the papers state about Hilbert representations, as tests over seeds.

Margins were fixed after pilots of three seeds, before a run of eight was seen.
"""

from __future__ import annotations

import emergelab as el

from ._conditions import BARE, CLONING, EVEN, FEW, GOALS, LEFT, ONE_END, OPEN, SKILLS
from ._measures import FAR, advantage, agreement, end_to_end, follows, lead_of_known, made, reach

__all__ = ["claims"]

_TENTH, _FIFTH = "a tenth of the trials", "a fifth of the trials"
_far = reach("goal", FAR)

_map = (
    el.Claim(
        "Distances in the map rank pairs of places as the ways between them do",
        el.level(agreement("way"), SKILLS, value=0.9),
        ">",
        0.02,
        published="distances are temporal distances (Park et al. 2024; no number)",
        about="Spearman's correlation above 0.92; straight lines and maps of random weights come to 0.65 and 0.67",
    ),
    el.Claim(
        "The map follows the ways on foot and not the straight lines through walls",
        el.level(follows, SKILLS),
        ">",
        0.1,
        published="the map preserves the structure of time, not of space (Park et al. 2024)",
        about="correlation with ways minus that with straight lines",
    ),
    el.Claim(
        "It is learnt: the two ends, neighbours through a wall, are put apart as they are not by random weights",
        el.contrast(end_to_end, SKILLS, LEFT),
        ">",
        1.0,
        unit="1",
        published="not in the paper",
        about="in distances between the first two rooms: 4.6 on foot, 1 through the wall",
    ),
    el.Claim(
        "Where there are no inner walls the map follows straight lines",
        el.level(agreement("air"), OPEN, value=0.9),
        ">",
        0.02,
        published="not in the paper",
        about="a control: the walls of the data bend the map, not their place in the picture",
    ),
    el.Claim(
        "A symmetric expectile spoils the map: it learns how long the stroller takes",
        el.contrast(agreement("way"), SKILLS, EVEN),
        ">",
        0.02,
        published="0.95 for goals (Park et al. 2024, code); 0.5 for rewards",
        about="a fiftieth: ranks forgive a map that is bent",
    ),
)

_goals = (
    el.Claim(
        "Far goals are reached more often than by cloning what led to goals",
        el.contrast(_far, SKILLS, GOALS),
        ">",
        0.2,
        published="above goal-conditioned cloning on mazes (Park et al. 2024, table)",
        about=_FIFTH,
    ),
    el.Claim(
        "They are reached more often than by cloning",
        el.contrast(_far, SKILLS, CLONING),
        ">",
        0.2,
        published="not in the paper",
        about=f"what a stroller meets by chance; {_FIFTH}",
    ),
    el.Claim(
        "The map does it: along directions of a map that learnt nothing, far goals are not reached",
        el.contrast(_far, SKILLS, LEFT),
        ">",
        0.2,
        published="not in the paper",
        about=_FIFTH,
    ),
    el.Claim(
        "A symmetric expectile costs far goals",
        el.contrast(_far, SKILLS, EVEN),
        ">",
        0.2,
        published="not in the paper",
        about=_FIFTH,
    ),
    el.Claim(
        "Midpoints help on long ways",
        el.level(advantage("plan", "goal", FAR), SKILLS),
        ">",
        0.05,
        published="planning by midpoints raises success on the largest mazes (Park et al. 2024)",
        about="a twentieth of the trials",
    ),
    el.Claim(
        "With a high expectile the map needs layer normalisation",
        el.contrast(_far, SKILLS, BARE),
        ">",
        0.1,
        published="said in the authors' code",
        about=_TENTH,
    ),
    el.Claim(
        "The same few skills in every batch do as well as new ones",
        el.contrast(_far, FEW, SKILLS),
        "=",
        0.1,
        published="published numbers were made with a fixed set (note in the authors' code, 2025)",
        about=_TENTH,
    ),
)

_prompts = (
    el.Claim(
        "Turned about, the direction of a goal leads away from it",
        el.level(made("turned"), SKILLS),
        "<",
        1.0,
        unit="cell",
        published="skills are directions (Park et al. 2024)",
        about="wiring",
    ),
    el.Claim(
        "Half of the map is not enough",
        el.level(advantage("goal", "knocked", FAR), SKILLS),
        ">",
        0.1,
        published="not in the paper",
        about=f"without the dimensions that vary most; {_TENTH}",
    ),
    el.Claim(
        "A reward for every bit of the way is a prompt",
        el.level(made("dense"), SKILLS),
        ">",
        1.0,
        unit="cell",
        published="rewards are turned into skills by least squares (Park et al. 2024)",
        about="way made towards the goal",
    ),
    el.Claim(
        "A reward at the goal alone is a prompt, too",
        el.level(made("sparse"), SKILLS),
        ">",
        1.0,
        unit="cell",
        published="rewards are turned into skills by least squares (Park et al. 2024)",
        about="as above. The stroller's steps into the goal come from all sides and cancel",
        expect="refuted",
    ),
    el.Claim(
        "Imagined walks are followed to far goals",
        el.level(reach("imagined", FAR), SKILLS, value=0.5),
        ">",
        0.1,
        published="imagine, project, imitate (Sikchi et al. 2024)",
        about="more than six in ten",
    ),
    el.Claim(
        "What can be imitated grows with what the data cover",
        el.contrast(reach("imagined"), SKILLS, ONE_END),
        ">",
        0.1,
        published="not tested in the paper",
        about=_TENTH,
    ),
    el.Claim(
        "Walks through rooms that the data hardly show are not followed",
        el.level(lead_of_known, ONE_END),
        ">",
        0.2,
        published="not tested in the paper",
        about="first three rooms minus last three, at most two doors; the policy knows those rooms as little as the "
        "pictures' likes do",
    ),
)

claims = (*_map, *_goals, *_prompts)
