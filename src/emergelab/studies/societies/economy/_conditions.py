"""The conditions of the study: kinds of work, and who taxes it."""

from __future__ import annotations

from collections.abc import Callable

import emergelab as el
from emergelab.games.taxes import US_RATES

WORK: dict[str, dict[str, object]] = {
    "steep": {"delta": 3.5, "cost": 0.0005},
    "gentle": {"delta": 2.0, "cost": 0.02},
    "long": {"delta": 2.0, "cost": 0.01},
}
"""Kinds of work: elasticities of 0.4, 1, and 1 with the most skilled out of hours."""
ELASTICITY = {"steep": 0.4, "gentle": 1.0, "long": 1.0}
FLAT = 0.3
FEW: dict[str, list[float]] = {
    "steep": [0.0, 22.0, 32.0, 1e5, 2e5, 3e5, 4e5],
    "gentle": [0.0, 50.0, 100.0, 1e5, 2e5, 3e5, 4e5],
}
"""Brackets of which three are ever filled, so that every combination of rates can be tried."""
REGIMES = {
    "free": "no taxes",
    "us": "the federal tax of the United States, 2018",
    "flat": f"a flat tax of {FLAT:.0%}",
    "saez": "Saez's formula at each income, averaged over brackets",
    "planner": "a planner that searches, and sees nothing but welfare",
}
"""Who taxes, in every kind of work: name -> words."""
HELD = 10
"""Years that a planner waits before it judges a schedule, where workers do not reply at once."""
WAITS: dict[str, object] = {"hold": HELD, "candidates": 16}


def regime(name: str) -> dict[str, object]:
    """Parameters of a regime."""
    if name == "us":
        return {"rates": list(US_RATES)}
    if name == "flat":
        return {"rates": [FLAT] * 7}
    if name == "saez":
        return {"planner": "saez", "haste": 0.3}
    return {"planner": "search"} if name == "planner" else {}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out: dict[str, el.Condition] = {}

    def add(name: str, about: str, *parts: dict[str, object]) -> None:
        out[name] = el.Condition({k: v for part in parts for k, v in part.items()}, about=about)

    for work, own in WORK.items():
        kind = f"elasticity {ELASTICITY[work]:g}{', hours run out' if work == 'long' else ''}"
        for name, words in REGIMES.items():
            add(f"{work}-{name}", f"{kind}; {words}", own, regime(name))
    by_bracket: dict[str, object] = {"formula": "by bracket", "haste": 0.1}
    for work in ("steep", "gentle"):
        own, kind = WORK[work], f"elasticity {ELASTICITY[work]:g}"
        add(f"{work}-bracket", f"{kind}; Saez's condition for whole brackets", own, regime("saez"), by_bracket)
        skill: dict[str, object] = {"weighs": "by skill"}
        fixed = f"{kind}; weights by skill, which no tax can change"
        add(f"{work}-skill-bracket", f"{fixed}; Saez's condition for whole brackets", own, regime("saez"), by_bracket,
            skill)  # fmt: skip
        add(f"{work}-skill-saez", f"{fixed}; Saez's formula at each income", own, regime("saez"), skill)
        add(f"{work}-skill-planner", f"{fixed}; a planner that searches", own, regime("planner"), skill)
        few: dict[str, object] = {"cuts": FEW[work]}
        add(f"{work}-few-planner", f"{kind}; three brackets; a planner that searches", own, regime("planner"), few)
        add(f"{work}-few-every", f"{kind}; three brackets; every combination of rates", own, few, {"planner": "every"})
        for knows, words in (("people", "over all workers and years"), ("years", "within workers, over years"),
                             ("flat years", "within workers, over years of flat taxes")):  # fmt: skip
            add(f"{work}-{knows.replace(' ', '-')}", f"{kind}; Saez's formula with an elasticity estimated {words}",
                own, regime("saez"), {"knows": knows})  # fmt: skip
        add(f"{work}-static", f"{kind}; a planner that takes hours for given", own, regime("planner"),
            {"believes": "fixed hours"})  # fmt: skip
    _slow(add)
    return out


def _slow(add: Callable[..., None]) -> None:
    """Workers who do not reply at once, or not to what is in force."""
    steep = WORK["steep"]
    search = regime("planner")
    late: dict[str, object] = {"knowing": "last year's"}
    add("steep-late", "workers know last year's rates only; the planner judges after a year", steep, search, late)
    add("steep-late-patient", f"workers know last year's rates only; the planner waits {HELD} years", steep, search,
        late, WAITS)  # fmt: skip
    marginal: dict[str, object] = {"worker": "marginal", "pace": 0.25}
    learner: dict[str, object] = {"worker": "learner", "levels": 101, "pace": 0.2}
    for name, words, own, waits in (
        ("marginal", "workers who go by their marginal rate", marginal, {}),
        ("learner", "tabular learners", learner, WAITS),
    ):
        add(f"steep-{name}-free", f"{words}; no taxes", steep, own, waits)
        add(f"steep-{name}-us", f"{words}; {REGIMES['us']}", steep, own, waits, regime("us"))
        add(f"steep-{name}-planner", f"{words}; the planner waits {HELD} years", steep, own, search, WAITS)
    add("steep-marginal-hasty", "workers who go by their marginal rate; the planner judges after a year", steep,
        marginal, search)  # fmt: skip
