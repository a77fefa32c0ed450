"""The conditions of the study: who taxes, and an economy in which all are equally skilled."""

from __future__ import annotations

import emergelab as el
from emergelab.games.taxes import US_RATES

from ._system import PAY

FLAT, FLAT_HIGH = 0.115, 0.33
"""What the federal tax and the regressive one take of all incomes, guessed from pilots; flat taxes are set to it."""
FLAT_EVEN = 0.257
"""What the regressive tax took in the recorded run: a flat tax takes its own rate, so this one takes as much."""
REGRESSIVE = (0.5, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Rates that make two even years dear: the first 9.7 coins of each are taxed most."""
REGIMES = {
    "free": "none", "us": "US 2018", "flat": f"flat {FLAT:.1%}", "regressive": "regressive",
    "flat-high": f"flat {FLAT_HIGH:.0%}",
}  # fmt: skip
"""Who taxes: condition -> words."""

CONDITIONS: dict[str, el.Condition] = {
    "free": el.Condition({}, about="no taxes"),
    "us": el.Condition({"rates": list(US_RATES)}, about="the federal tax of the United States, 2018: 10 to 37 %"),
    "flat": el.Condition({"rates": [FLAT] * len(US_RATES)}, about=f"a flat tax of {FLAT:.1%}, to take as much"),
    "regressive": el.Condition(
        {"rates": list(REGRESSIVE)},
        about="half of the first 9.7 coins of a year, a tenth of those up to 39.5, then none",
    ),
    "flat-high": el.Condition(
        {"rates": [FLAT_HIGH] * len(US_RATES)}, about=f"a flat tax of {FLAT_HIGH:.0%}, to take as much as that"
    ),
    "equal": el.Condition({"pay": [sum(PAY) / len(PAY)] * len(PAY)}, about="no taxes; all are paid alike for a house"),
    "flat-even": el.Condition(
        {"rates": [FLAT_EVEN] * len(US_RATES)}, about=f"a flat tax of {FLAT_EVEN:.1%}, what the regressive tax takes"
    ),
    "no-market": el.Condition({"market": 0.0}, about="no taxes; nobody can trade"),
    "no-master": el.Condition({"pay": [*PAY[:-1], 0.0]}, about="no taxes; the most skilled is not paid for houses"),
}
QUICK = (*REGIMES, "equal")
"""Conditions of the quick size."""
