"""The conditions of the study: mixing, damage, rates, labels and so on are data of one program."""

from __future__ import annotations

import math

import emergelab as el

ALGOTYPES = ("bubble", "insertion", "selection")
CHIMERAS = ("bubble+selection", "bubble+insertion", "selection+insertion", "all-three")
DAMAGE = (1, 2, 3)
RATES = (0.02, 0.05, 0.1, 0.3, 3.0, 10.0, 50.0)
TEMPERATURE = 0.5


def damaged(algotype: str, k: int, kind: str = "immovable", controller: str = "") -> str:
    """Name of the condition with `k` frozen cells; the undamaged one for k = 0."""
    return f"{controller}{algotype}" + (f"-{kind}-{k}" if k else "")


def textbook(algotype: str, k: int) -> str:
    """Name of the condition in which the textbook algorithm sorts from above."""
    return damaged(algotype, k, controller="textbook-")


def at_rate(rate: float) -> str:
    """Name of the condition in which selection cells wake `rate` times as often as bubble cells."""
    return "bubble+selection" if rate == 1 else f"bubble+selection-rate-{rate:g}"


def _mix(name: str) -> dict[str, str]:
    return {"mix": name.replace("-", " ")}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out: dict[str, el.Condition] = {}

    def add(name: str, about: str, **settings: object) -> None:
        out[name] = el.Condition(settings, about=about)

    for a in ALGOTYPES:
        add(a, "one algotype, no damage; two labels at random are the control for clustering", mix=a)
    for kind in ("immovable", "movable"):
        for a in ALGOTYPES:
            for k in DAMAGE:
                add(damaged(a, k, kind), f"{k} frozen draws, {kind}", mix=a, frozen=k, frozen_kind=kind)
    for a in ALGOTYPES:
        for k in (0, *DAMAGE):
            add(textbook(a, k), "the textbook algorithm on the same arrays", mix=a, controller=a, frozen=k)
    for m in CHIMERAS:
        add(m, "a chimeric array", **_mix(m), stop="sorted")
        add(
            f"{m}-shuffled",
            "the same run with labels that mean nothing",
            **_mix(m),
            stop="sorted",
            label_from="chance",
        )
    add("bubble-down+selection-up", "cross-purposes", mix="bubble+selection", bubble_order="down")
    add("bubble-up+insertion-down", "cross-purposes", mix="bubble+insertion", insertion_order="down")
    add("selection-down+insertion-up", "cross-purposes", mix="selection+insertion", selection_order="down")
    for m in CHIMERAS[:3]:
        add(f"{m}-duplicates", "each value held by ten cells", **_mix(m), stop="sorted", copies=10)
    for rate in RATES:
        about = f"selection cells wake {rate:g} times as often"
        add(at_rate(rate), about, mix="bubble+selection", stop="sorted", selection_rate=rate)
    slip = 1 / (1 + math.exp(1 / TEMPERATURE))
    add(
        "walker",
        f"Glauber dynamics on inversions at temperature {TEMPERATURE:g}: bubble cells that err",
        noise=slip,
    )
    add("bubble-slips", "one comparison in a hundred comes out wrong", noise=0.01)
    chimera = {"mix": "bubble+selection", "stop": "sorted"}
    add("bubble+selection-round-robin", "cells wake by position", **chimera, scheduler="round-robin")
    add("bubble+selection-bursts", "cells wake twice in a row", **chimera, scheduler="bursts", burst=2.0)
    return out
