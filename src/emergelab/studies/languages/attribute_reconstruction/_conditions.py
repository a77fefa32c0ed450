"""The conditions of the study `attribute-reconstruction`: how large the world is, and whose language it is."""

from __future__ import annotations

from typing import Any

import emergelab as el

__all__ = ["BY_WORLD", "GIVEN", "QUICK", "TINY", "conditions"]

BY_WORLD = {f"values-{n}": n for n in (4, 6, 9, 12, 16)}
"""Conditions of the main series, and the values that each of the two attributes has."""
GIVEN = ("parts", "bag", "entangled", "holistic")
MIDDLE: dict[str, Any] = {"world": 9}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {c: el.Condition({"world": n}, about=f"{n * n} objects") for c, n in BY_WORLD.items()}
    out["narrow"] = el.Condition(MIDDLE | {"vocabulary": 5}, about="81 objects, 125 possible messages for 8000")
    out["noisy"] = el.Condition(MIDDLE | {"noise": 0.1}, about="81 objects, a tenth of the symbols is misheard")
    words = {
        "parts": "names both attributes, one a position",
        "bag": "names both attributes in random order",
        "entangled": "says the sum and the difference of both",
        "holistic": "the messages of `given-parts`, each for another object",
    }
    for language in GIVEN:
        about = f"81 objects, a language that {words[language]}" if language != "holistic" else words[language]
        out[f"given-{language}"] = el.Condition(MIDDLE | {"speech": "given", "language": language}, about=about)
    out |= {
        "recurrent": el.Condition(MIDDLE | {"agents": "recurrent", "rate_speakers": 3e-3, "rate_listeners": 3e-3},
                                  about="81 objects, gated recurrent units"),
        "rewarded": el.Condition(MIDDLE | {"estimator": "reinforce", "entropy": 0.1},
                                 about="81 objects, the speaker learns from rewards"),
        "three": el.Condition({"attributes": 3, "values": 8, "world": 8}, about="512 objects of three attributes"),
    }  # fmt: skip
    return out


TINY = ("values-4", "narrow", "given-parts", "given-holistic")
QUICK = (*BY_WORLD, "narrow", *(f"given-{language}" for language in GIVEN))
