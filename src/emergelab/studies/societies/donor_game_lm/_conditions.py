"""The conditions of the study: a model in three wordings, and those that need none."""

from __future__ import annotations

import emergelab as el

from ._policies import POLICIES
from ._prompts import WORDINGS

_ABOUT = {
    "random": "every share alike",
    "all-C": "everything, always",
    "all-D": "nothing, ever",
    "copy-gossip": "what the recipient gave last; anything to strangers",
    "image-scoring": "everything to those who gave half, nothing to others (Nowak and Sigmund 1998)",
    "theta": "numeric strategies that are inherited with errors, as in the study donor-game",
}


QUICK = ("model-plain", *_ABOUT)
"""Conditions of the size `quick`: a small model answers a few decisions a second."""


def by_model() -> dict[str, str]:
    """Wording -> name of the condition in which a model decides under it."""
    return {wording: f"model-{wording}" for wording in WORDINGS}


def by_rule(policy: str) -> str:
    """Name of the condition in which a policy without model decides."""
    return policy


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {
        name: el.Condition(
            {"policy": "model", "wording": wording}, about=f"a language model, told in the words {wording!r}"
        )
        for wording, name in by_model().items()
    }
    for policy in POLICIES:
        if policy != "model":
            out[by_rule(policy)] = el.Condition({"policy": policy}, about=_ABOUT[policy])
    return out
