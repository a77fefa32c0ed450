"""The conditions of the study `latent-properties`: how many senders, what each sees and says, and who listens."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool

import emergelab as el

__all__ = ["FOUR", "FULL", "ONE", "QUICK", "TINY", "WIDE", "conditions"]

ONE: dict[str, Any] = {"agents": 1, "positions": 2, "seen": 8}
WIDE: dict[str, Any] = {"agents": 1, "positions": 8, "seen": 8}
FOUR: dict[str, Any] = {"agents": 4, "positions": 2, "seen": 2}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    return {
        "one": el.Condition(ONE, about="one sender sees all eight frames and says two symbols"),
        "one-kept": el.Condition(ONE | {"life": 0}, about="the same, with listeners who stay for ever"),
        "wide": el.Condition(WIDE, about="one sender says eight symbols, as many as four senders do"),
        "two": el.Condition(FOUR | {"agents": 2, "seen": 4}, about="two senders, four frames and two symbols each"),
        "four": el.Condition(FOUR, about="four senders, two frames and two symbols each"),
        "four-kept": el.Condition(FOUR | {"life": 0}, about="the same, with listeners who stay for ever"),
        "four-staggered": el.Condition(FOUR | {"resets": "staggered"}, about="listeners are replaced one by one"),
        "four-random": el.Condition(FOUR | {"views": "random"}, about="the film is shuffled before they share it"),
        "four-same": el.Condition(FOUR | {"seen": 8}, about="each of four senders sees all eight frames"),
        "half": el.Condition(WIDE | {"positions": 4}, about="one sender says four symbols, the paper's control"),
        "one-staggered": el.Condition(ONE | {"resets": "staggered"}, about="one sender, listeners replaced in turn"),
        "four-untaught": el.Condition(FOUR | {"schooling": 0}, about="senders who never answered without a channel"),
        "four-soft": el.Condition(FOUR | {"soft": 2**30}, about="messages remain mixtures of symbols in training"),
        "four-noisy": el.Condition(FOUR, (el.Noise("message", 0.3),), about="symbols arrive with Gaussian noise"),
        "four-few": el.Condition(FOUR | {"symbols": 3}, about="three symbols for five levels"),
        "four-many": el.Condition(FOUR | {"symbols": 10}, about="ten symbols for five levels"),
        "four-lesioned": el.Condition(
            FOUR, (el.Clamp("views", 0.0, where=_agent(0)),), about="the first sender sees nothing"
        ),
    }  # fmt: skip


def _agent(which: int) -> Bool[np.ndarray, "agent scene frame feature"]:
    """A mask of the site `views`, for one agent of four."""
    return (np.arange(4) == which)[:, None, None, None]


TINY = ("four", "four-kept", "four-staggered")
QUICK = ("one", "one-kept", "wide", "two", "four", "four-kept", "four-staggered", "four-random", "four-same")
FULL = ("one", "one-kept", "wide", "two", "four", "four-kept")
