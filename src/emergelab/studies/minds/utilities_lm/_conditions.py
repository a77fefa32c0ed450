"""The conditions of the study: a model asked in several ways, and subjects whose preferences are known."""

from __future__ import annotations

import emergelab as el

NOISES = {"thurstone": 0.25, "thurstone-1": 1.0, "thurstone-2": 2.0, "thurstone-4": 4.0}
"""Thurstonian subjects by the noise of their judgements, in standard deviations of the utilities."""
LOTTERIES = 6
MODEL, MODEL_LOTTERIES, MODEL_GOODS = "model", "model-lotteries", "model-goods"
TRUE_LOTTERIES, TRUE_GOODS = "thurstone-lotteries", "thurstone-goods"

_NO_CONTROLS = {"controls": "off"}
_LOTTERIES = {"lotteries": LOTTERIES, **_NO_CONTROLS}
_GOODS = {"topic": "goods", "items": 12, **_NO_CONTROLS}
_TEN = {"samples": 10}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    lowest = NOISES["thurstone"]
    out = {
        MODEL: el.Condition({"policy": "model"}, about="a language model, with the four control questions"),
        MODEL_LOTTERIES: el.Condition(
            {"policy": "model", **_LOTTERIES}, about="the model; half of what it compares are lotteries over the rest"
        ),
        MODEL_GOODS: el.Condition({"policy": "model", **_GOODS}, about="the model compares amounts of four goods"),
        "model-bare": el.Condition(
            {"policy": "model", "wording": "bare", **_NO_CONTROLS}, about="the model, without a system message"
        ),
        "model-story": el.Condition({"policy": "model", "wording": "story"}, about="the model, asked in a tale"),
        "model-one-order": el.Condition(
            {"policy": "model", "flips": "one", **_NO_CONTROLS}, about="the model; each pair is asked in one order only"
        ),
        "coin": el.Condition({"policy": "coin", **_TEN}, about="ten throws of a coin for each order of a pair"),
        "position": el.Condition({"policy": "position", **_TEN}, about="takes what is shown first nine times in ten"),
        "lexicographic": el.Condition(
            {"policy": "lexicographic", **_TEN}, about="the category decides, then the shorter text"
        ),
    }
    for name, noise in NOISES.items():
        out[name] = el.Condition(
            {"policy": "thurstone", "noise": noise, **_TEN},
            about=f"planted utilities of standard deviation 1, noise of a judgement {noise:g}",
        )
    out[TRUE_LOTTERIES] = el.Condition(
        {"policy": "thurstone", "noise": lowest, **_LOTTERIES, **_TEN}, about="values lotteries at what is expected"
    )
    out[TRUE_GOODS] = el.Condition(
        {"policy": "thurstone", "noise": 1.0, **_GOODS, **_TEN}, about="planted values of goods, noise 1"
    )
    return out
