"""The textbook's epidemic, without people: SEIR equations with a fixed R, and the equation of the final size."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import optimize

__all__ = ["final_size", "seir", "weekly_reports"]


def final_size(r0: float, initial: float = 0.0) -> float:
    """Share of a well-mixed population that has been infected in the end.

    The largest root of z = 1 - (1 - initial) exp(-r0 z); 0 for r0 <= 1 and no initial infections.
    """
    if initial == 0.0 and r0 <= 1.0:
        return 0.0

    def gap(z: float) -> float:
        return z - 1.0 + (1.0 - initial) * float(np.exp(-r0 * z))

    return float(optimize.brentq(gap, 1e-9 if initial == 0.0 else 0.0, 1.0))


def seir(
    r0: float, days: int, initial: float = 0.002, exposed: float = 5.0, infectious: float = 5.0, grain: int = 20
) -> Float[np.ndarray, "day"]:
    """New infections per person and day of the SEIR equations, by small steps of 1 / `grain` day."""
    s, e, i = 1.0 - initial, initial, 0.0
    out = np.zeros(days)
    for day in range(days):
        for _ in range(grain):
            caught, onset, over = r0 / infectious * s * i / grain, e / exposed / grain, i / infectious / grain
            s, e, i = s - caught, e + caught - onset, i + onset - over
            out[day] += caught
    return out


def weekly_reports(r0: float, weeks: int, reporting: float = 0.5) -> Float[np.ndarray, "week"]:
    """Cases per 100,000 that such an epidemic would have reported, week by week."""
    new = seir(r0, 7 * weeks).reshape(weeks, 7).sum(axis=1)
    return np.asarray(np.float32(1e5 * reporting * new))
