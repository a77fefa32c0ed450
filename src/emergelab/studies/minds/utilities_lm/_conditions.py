"""The conditions of the study: a model asked in several ways, and subjects whose preferences are known."""

from __future__ import annotations

import emergelab as el

from ._ahead import AMOUNTS, DELAYS, PLANTED_RATE

NOISES = {"thurstone": 0.25, "thurstone-1": 1.0, "thurstone-2": 2.0, "thurstone-4": 4.0}
"""Thurstonian subjects by the noise of their judgements, in standard deviations of the utilities."""
LOTTERIES = 6
MODEL, MODEL_LOTTERIES, MODEL_GOODS = "model", "model-lotteries", "model-goods"
MODEL_PROCESSES, MODEL_DELAYS = "model-processes", "model-delays"
TRUE_LOTTERIES, TRUE_GOODS = "thurstone-lotteries", "thurstone-goods"
TRUE_PROCESSES, TRUE_DELAYS = "thurstone-processes", "thurstone-delays"

_NO_CONTROLS = {"controls": "off"}
_LOTTERIES = {"lotteries": LOTTERIES, **_NO_CONTROLS}
_GOODS = {"topic": "goods", "items": 12, **_NO_CONTROLS}
_PROCESSES = {"topic": "processes", "items": 12, **_NO_CONTROLS}
_DELAYS = {"topic": "delays", "items": 1 + len(DELAYS) * len(AMOUNTS), "pairs": 0, **_NO_CONTROLS}
_TEN = {"samples": 10}
_FREE = {"free": "on"}
_KNOWN = {**_TEN, **_FREE}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    lowest = NOISES["thurstone"]
    out = {
        MODEL: el.Condition(
            {"policy": "model", **_FREE}, about="a language model, with the four control questions and a free choice"
        ),
        MODEL_LOTTERIES: el.Condition(
            {"policy": "model", **_LOTTERIES}, about="the model; half of what it compares are lotteries over the rest"
        ),
        MODEL_GOODS: el.Condition({"policy": "model", **_GOODS}, about="the model compares amounts of four goods"),
        MODEL_PROCESSES: el.Condition(
            {"policy": "model", **_PROCESSES}, about="the model compares states of which some lead to others"
        ),
        MODEL_DELAYS: el.Condition(
            {"policy": "model", **_DELAYS}, about="the model compares sums that come later with one today"
        ),
        "model-bare": el.Condition(
            {"policy": "model", "wording": "bare", **_NO_CONTROLS}, about="the model, without a system message"
        ),
        "model-story": el.Condition({"policy": "model", "wording": "story"}, about="the model, asked in a tale"),
        "model-one-order": el.Condition(
            {"policy": "model", "flips": "one", **_NO_CONTROLS}, about="the model; each pair is asked in one order only"
        ),
        "coin": el.Condition({"policy": "coin", **_KNOWN}, about="ten throws of a coin for each order of a pair"),
        "position": el.Condition({"policy": "position", **_KNOWN}, about="takes what is shown first nine times in ten"),
        "lexicographic": el.Condition(
            {"policy": "lexicographic", **_KNOWN}, about="the category decides, then the shorter text"
        ),
    }
    for name, noise in NOISES.items():
        out[name] = el.Condition(
            {"policy": "thurstone", "noise": noise, **_KNOWN},
            about=f"planted utilities of standard deviation 1, noise of a judgement {noise:g}",
        )
    out[TRUE_LOTTERIES] = el.Condition(
        {"policy": "thurstone", "noise": lowest, **_LOTTERIES, **_TEN}, about="values lotteries at what is expected"
    )
    out[TRUE_GOODS] = el.Condition(
        {"policy": "thurstone", "noise": 1.0, **_GOODS, **_TEN}, about="planted values of goods, noise 1"
    )
    out[TRUE_PROCESSES] = el.Condition(
        {"policy": "thurstone", "noise": lowest, **_PROCESSES, **_TEN}, about="values states for what they lead to"
    )
    out[TRUE_DELAYS] = el.Condition(
        {"policy": "thurstone", "noise": 0.5, **_DELAYS, **_TEN},
        about=f"discounts by a hyperbola, {PLANTED_RATE:g} per month",
    )
    return out
