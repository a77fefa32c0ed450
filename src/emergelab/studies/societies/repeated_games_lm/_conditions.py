"""The conditions of the study: a model with and without a prediction, told in several ways, and rules beside it."""

from __future__ import annotations

import emergelab as el

THINKING = {
    "model": "no",
    "model-predict": "predict",
    "model-noise": "noise",
    "model-truth": "truth",
}
"""Condition -> what the model is said to expect of the other when it is asked for its move."""
STOPS = (0.01, 0.4, 0.8)
QUICK = (
    "model", "model-predict", "model-noise", "model-rescaled", "model-market", "random", "constant",
    "tit-for-tat", "grim", "fictitious", "maximax", "predict", "predict-noise",
)  # fmt: skip
"""The conditions of the smaller sizes."""


def stopping(chance: float) -> str:
    """Name of the condition in which the model is told that a round is the last with this chance."""
    return f"model-may-end-{100 * chance:g}"


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    thoughts = {
        "no": "asked for its move",
        "predict": "asked what it expects of the other, then, told so, for its move",
        "noise": "told that it expects what a coin says, then asked for its move",
        "truth": "told that it expects what the other will do, then asked for its move",
    }
    out = {
        name: el.Condition({"policy": "model", "think": think}, about=f"a language model, {thoughts[think]}")
        for name, think in THINKING.items()
    }
    more = {
        "model-rescaled": ({"payoffs": "rescaled"}, "a language model; payoffs multiplied and shifted"),
        "model-market": ({"wording": "market"}, "a language model; the same games told of two bakers"),
        "model-brief": ({"wording": "brief"}, "a language model; the game in few words"),
        "model-predict-market": ({"wording": "market", "think": "predict"}, "asked to predict first, of two bakers"),
        "model-predict-brief": ({"wording": "brief", "think": "predict"}, "asked to predict first, in few words"),
        "model-equal-stakes": ({"stakes": "8-8"}, "a language model; nobody has a favourite in the battle"),
        "model-fallible": ({"told": "fallible"}, "a language model, told that the other errs"),
    }
    for name, (settings, about) in more.items():
        out[name] = el.Condition({"policy": "model", **settings}, about=about)
    for stop in STOPS:
        out[stopping(stop)] = el.Condition(
            {"policy": "model", "told": "may end", "stop": stop},
            about=f"a language model, told that a round is the last with a chance of {stop:.0%}",
        )
    rules = {
        "random": "chance",
        "constant": "the option that is named first, always",
        "tit-for-tat": "cooperates, then does as the other did",
        "grim": "defects for ever after one defection",
        "fictitious": "best against how often the other made each move",
        "maximax": "where the most is to be had; insists on its favourite",
    }
    for policy, about in rules.items():
        out[policy] = el.Condition({"policy": policy}, about=about)
    out["predict"] = el.Condition(
        {"policy": "predict", "think": "predict"}, about="predicts by rule, then plays what is best against that"
    )
    out["predict-noise"] = el.Condition(
        {"policy": "predict", "think": "noise"}, about="plays what is best against what a coin says"
    )
    return out
