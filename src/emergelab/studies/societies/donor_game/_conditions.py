"""The conditions of the study: data of one program."""

from __future__ import annotations

import emergelab as el

GENEROSITY = (0.2, 0.35, 0.5, 0.65, 0.8)
DISCRIMINATION = (0.0, 0.3, 1.0, 2.0, 4.0)
CLAMPED = (0.2, 0.5, 0.8)


def at(generosity: float, discrimination: float, more: str = "") -> str:
    """Name of the condition with this prior, and one thing changed."""
    return f"m{generosity:g}-b{discrimination:g}" + (f"-{more}" if more else "")


def clamped(giving: float) -> str:
    """Name of the condition in which everyone in the first generation gives this fraction."""
    return at(0.5, 2.0, f"first-{giving:g}")


BASE, WEAK = at(0.5, 2.0), at(0.5, 0.3)


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out: dict[str, el.Condition] = {}

    def first(giving: float | None) -> tuple[el.Clamp, ...]:
        # Every condition carries the clamp, nearly all of them for no time at all: so one program serves them all.
        return (el.Clamp("fraction", giving or 0.0, during=(0, 0 if giving is None else 1)),)

    def add(generosity: float, discrimination: float, more: str, about: str, **settings: object) -> None:
        prior = {"generosity": generosity, "discrimination": discrimination}
        out[at(generosity, discrimination, more)] = el.Condition(prior | settings, first(None), about)

    for b in DISCRIMINATION:
        for m in GENEROSITY:
            add(m, b, "", f"mean giving {m:g}, weight of the newest gossip {b:g}")
    for b in DISCRIMINATION[1:]:
        add(0.5, b, "random", "chance decides who survives", selection="random")
    for b in (0.3, 2.0):
        add(0.5, b, "game-2", "only the second game counts, as in the authors' code", scoring="game 2")
        add(0.5, b, "costly", "one may pay to take from the recipient", mechanism="costly punishment")
        add(0.5, b, "partner", "one may refuse to play", mechanism="partner choice")
    for length in (0, 1, 2):
        add(0.5, 2.0, f"gossip-{length}", f"{length} steps of gossip", length=length)
    for gain in (1.2, 3.0):
        add(0.65, 0.3, f"gain-{gain:g}", f"{gain:g} units received for one donated", gain=gain)
    add(0.5, 2.0, "noise", "hands tremble", noise=0.1)
    add(0.5, 2.0, "frozen", "strategies are copied without error", sigma=0.0)
    add(0.5, 2.0, "defector", "one who never gives comes after five generations", invader="defector")
    add(0.5, 0.3, "giver", "one who always gives comes after five generations", invader="giver")
    add(0.5, 2.0, "lies", "gossip is dealt out at random", lies=1.0)
    for giving in CLAMPED:
        out[clamped(giving)] = el.Condition({}, first(giving), f"everyone in the first generation gives {giving:g}")
    return out
