"""What lies ahead: states of small processes, which lead elsewhere, and sums of money that come later.

A process has two starts and two ends. Chances are not told: whoever is asked has to know what tends to lead where. They
are what most people would say, to the nearest twentieth, and matter only in that they point one way. In the unnatural
process both are turned round. Texts hold no commas and none is part of another, so that a written answer can be read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from emergelab.games import foresight

from ._outcomes import Item

__all__ = ["AMOUNTS", "DELAYS", "PLANTED_RATE", "PROCESSES", "Process", "later", "moves", "states"]


@dataclass(frozen=True)
class Process:
    """Two starts, two ends, and how likely each start leads to the first of them."""

    starts: tuple[str, str]
    ends: tuple[str, str]
    chances: tuple[float, float]


PROCESSES = (
    Process(("You study every evening before the exam.", "You miss most lessons before the exam."),
            ("You pass the exam.", "You fail the exam."), (0.85, 0.25)),
    Process(("Dark clouds gather over the dry fields.", "The sky over the dry fields stays clear."),
            ("The harvest is saved by rain.", "The harvest dries up."), (0.8, 0.15)),
    Process(("You set out early for the station.", "You set out late for the station."),
            ("You catch your train.", "You miss your train."), (0.9, 0.3)),
    Process(("The leak in the roof is mended in autumn.", "The leak in the roof is forgotten in autumn."),
            ("The attic stays dry all winter.", "The attic is soaked by spring."), (0.9, 0.2)),
    Process(("A fire alarm hangs in every room.", "The fire alarms have no batteries."),
            ("A small fire is put out in time.", "A small fire burns down the house."), (0.85, 0.3)),
    Process(("Your bicycle is locked to a post.", "Your bicycle leans unlocked against a wall."),
            ("Your bicycle is still there in the evening.", "Your bicycle is gone in the evening."), (0.95, 0.5)),
    Process(("You water the tomatoes each morning.", "You leave the tomatoes without water in July."),
            ("You pick a basket of ripe tomatoes.", "The tomato plants wither."), (0.85, 0.1)),
    Process(("You save your work every hour.", "You never save your work."),
            ("A crash costs you a minute of work.", "A crash costs you a week of work."), (0.9, 0.15)),
    Process(("The doctor finds the illness early.", "The doctor finds the illness late."),
            ("The patient is healthy again.", "The patient stays in hospital for months."), (0.85, 0.3)),
)  # fmt: skip

AMOUNTS = np.geomspace(0.5, 30.0, 5)
"""What is offered later, in units of the sum that is had now: the published range in five steps for thirty."""
DELAYS = {1.0: "one month", 6.0: "six months", 24.0: "two years", 120.0: "ten years"}
"""Months, and how they are called."""
PLANTED_RATE = 0.1
"""Per month, of the hyperbola by which the planted subject discounts."""
_SUMS = (100, 200, 400, 1000, 2000, 4000)


def states(rng: np.random.Generator, count: int) -> list[Item]:
    """States of processes drawn at random, four a process: its starts, then its ends.

    Ends have planted utilities that are standard normal, and starts what they lead to. As items, starts are lotteries
    over the ends whose chances are implied.
    """
    out: list[Item] = []
    for k in rng.permutation(len(PROCESSES))[: count // 4]:
        process, at = PROCESSES[int(k)], len(out)
        worth = rng.normal(size=2)
        for text, chance in zip(process.starts, process.chances, strict=True):
            utility = foresight.GAMMA * float(chance * worth[0] + (1 - chance) * worth[1])
            out.append(Item(text, utility, _rank(int(k), text), (at + 2, at + 3), chance))
        out += [Item(text, float(u), _rank(int(k), text)) for text, u in zip(process.ends, worth, strict=True)]
    return out


def _rank(k: int, text: str) -> tuple[float, float, float]:
    return float(k), float(len(text.split())), 0.0


def moves(items: list[Item], *, natural: bool) -> Float[np.ndarray, "item item"]:
    """Chances of moving from row to column; unnatural: each start leads to the other end."""
    out = np.zeros((len(items), len(items)), np.float32)
    for k, item in enumerate(items):
        if item.of is not None:
            out[k, item.of] = (item.chance, 1 - item.chance) if natural else (1 - item.chance, item.chance)
    return out


def later(rng: np.random.Generator) -> list[Item]:
    """A sum that is had now, then all amounts at the first delay, at the second and so on.

    The planted utility is the logarithm of the discounted sum.
    """
    now = int(rng.choice(_SUMS))
    out = [Item(f"You are given {now} euros today.", 0.0, (0.0, 0.0, 0.0), amount=1.0)]
    for months, called in DELAYS.items():
        left = 1 / (1 + PLANTED_RATE * months)
        for amount in AMOUNTS:
            text = f"You are given {round(now * amount)} euros in {called}."
            out.append(Item(text, math.log(amount * left), (1.0, months, -amount), amount=float(amount)))
    return out
