"""The conditions of the study: methods, data, and what can go wrong with the map."""

from __future__ import annotations

import emergelab as el

SKILLS, GOALS, CLONING, LEFT = "skills", "goal-cloning", "cloning", "random-map"
EVEN, BARE, FEW, ONE_END, OPEN = "expectile-50", "no-norm", "same-skills", "one-end", "open"

LABELS = {
    SKILLS: "skills", GOALS: "goal\ncloning", CLONING: "cloning", LEFT: "random\nmap", EVEN: "expectile\n0.5",
    BARE: "no layer\nnorm", FEW: "same\nskills", ONE_END: "data from\none end", OPEN: "no inner\nwalls",
}  # fmt: skip
"""What figures call them."""


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    return {
        SKILLS: el.Condition(about="a map by expectile regression, and skills along its directions"),
        GOALS: el.Condition({"method": "goal cloning"}, about="does what was done before goals of the same walk"),
        CLONING: el.Condition({"method": "cloning"}, about="does what was done, whatever is asked"),
        LEFT: el.Condition({"freeze": 0}, about="skills along the directions of a map that learns nothing"),
        EVEN: el.Condition({"expectile": 0.5}, about="the map learns how long the stroller took"),
        BARE: el.Condition({"norm": 0.0}, about="no layer normalisation"),
        FEW: el.Condition({"fixed": 1}, about="the same few skills in every batch, as in the authors' code"),
        ONE_END: el.Condition({"home": 1}, about="walks of the data begin in the first room only"),
        OPEN: el.Condition({"walled": 0}, about="the same ground without inner walls"),
    }
