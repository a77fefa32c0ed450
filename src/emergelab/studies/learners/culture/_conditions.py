"""The conditions of the study: whom a network is trained beside, and in which form knowledge is handed on."""

from __future__ import annotations

import emergelab as el

REACH = {"chance-others": 0.0, "culture": 0.5, "better-others": 2.0, "best-others": 8.0}
"""How good the others are in training, by condition."""

_IN_WEIGHTS = {
    "form": "in weights", "symbols": 10, "lanes": 16, "horizon": 32, "passes": 4, "parts": 1, "entropy": 0.01,
}  # fmt: skip


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {
        name: el.Condition({"reach": reach}, about=f"in training, others are right u times in a row, u <= {reach:g}")
        for name, reach in REACH.items()
    }
    out["one-life"] = el.Condition({"watch": 0.0}, about="trained alone on four trials: the baseline RL2")
    out["one-long-life"] = el.Condition(
        {"watch": 0.0, "span": 32}, about="trained alone on as many trials as a lineage has"
    )
    out["scholar"] = el.Condition({"player": "scholar"}, about="a player that forgets nothing in the network's place")
    for name, about, more in (
        ("weights", "generations are training runs, which watch the last ones", {}),
        ("weights-kept", "the same, but weights are not drawn anew", {"reborn": 0.0}),
        ("weights-alone", "generations are training runs, which watch nobody", {"watch": 0.0}),
        ("weights-one-run", "one training run as long as eight generations", {"watch": 0.0, "reborn": 0.0}),
    ):
        out[name] = el.Condition(_IN_WEIGHTS | more, about=about)
    return out
