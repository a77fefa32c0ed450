"""The conditions: levels of agency, portraits, and what is asked of the past, of another world, and of the future."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._policies import ARCHETYPES, DETAILS

__all__ = [
    "BASE", "FITTED", "GROUPS", "HALFWAY", "PAID", "RATES", "SCALES", "TRUTH", "archetypes", "at_rate", "conditions",
    "paid",
]  # fmt: skip

BASE = "individuals"
"""Everybody decides for themselves."""
TRUTH = "truth"
"""The same cities with other random numbers: what all models are held against."""
HALFWAY = 84
"""The day on which what is asked of the future begins."""
RATES = (4.25, 5.0, 5.75)
"""Values of R that are tried when a model is fitted; the truth has the middle one."""
SCALES = {"people-1024": 16, "people-4096": 64, "people-16384": 256, "people-65536": 1024}
"""Residents of an area in cities of equal map and different size."""


def archetypes(k: int) -> str:
    """The condition in which `k` archetypes are asked."""
    return f"archetypes-{k}"


GROUPS = tuple(map(archetypes, ARCHETYPES))
PAID = ("fixed", "heuristic", archetypes(27), BASE)
FITTED = ("fixed", "heuristic", archetypes(27))


def at_rate(name: str, rate: float) -> str:
    """A level's condition with another R."""
    return name if rate == RATES[1] else f"{name}-r{rate:g}"


def paid(name: str) -> str:
    """A level's condition in which those who stay at home are paid a full wage."""
    return f"{name}-paid"


def conditions() -> dict[str, dict[str, Any]]:
    """All conditions by name."""
    levels: dict[str, dict[str, Any]] = {
        BASE: {},
        TRUTH: {"luck": 1},
        "fixed": {"level": "fixed"},
        "heuristic": {"level": "heuristic"},
        **{archetypes(k): {"level": "archetypes", "detail": d} for k, d in zip(ARCHETYPES, DETAILS, strict=True)},
    }
    nine = levels[archetypes(9)]
    old = np.array([1, 1, 1, 1, 1, 1, 0.1, 0.1, 0.1], np.float32)
    # As many doses: those under sixty who work are two and a half times as many as the old.
    working = np.array([1, 1, 0.64, 0.64, 0.64, 0.64, 1, 1, 1], np.float32)
    return {
        **levels,
        f"{archetypes(9)}-one": {**nine, "draw": "one"},
        f"{archetypes(9)}-majority": {**nine, "draw": "majority"},
        "blind": {"source": "none"},
        "fresh-news": {"delay": 0},
        "late-news": {"delay": 2},
        "foreign-news": {"source": "elsewhere"},
        "no-memory": {"remembering": 0.0},
        "switched": {"next_level": "fixed", "switch_day": HALFWAY},
        "vaccinate-old": {"vaccine": old, "vaccine_day": HALFWAY},
        "vaccinate-workers": {"vaccine": working, "vaccine_day": HALFWAY},
        **{paid(name): {**levels[name], "payment": 1.0} for name in PAID},
        **{at_rate(n, r): {**levels[n], "reproduction": r} for n in FITTED for r in RATES if r != RATES[1]},
        **{name: {"residents": m, "variety": 0.0, "seeding": "everywhere"} for name, m in SCALES.items()},
    }
