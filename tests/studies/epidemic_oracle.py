"""One day of the epidemic written a second time: person by person, over lists of contacts, in double precision."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

SHED = {1: 0.33, 2: 0.72}


@dataclass
class City:
    """People by number; contacts by kind as lists of numbers."""

    age: list[int]
    income: list[int]
    area: list[int]
    caution: list[float]
    trust: list[float]
    custom: list[float]
    stage: list[int]
    since: list[int]
    memory: list[float]
    isolates: list[bool]
    home: list[list[int]] = field(default_factory=list)
    known: list[list[int]] = field(default_factory=list)


@cache
def gamma_cdf(x: float, mean: float = 5.5, sd: float = 2.4, grain: int = 4000) -> float:
    """Gamma law by the trapezoidal rule."""
    if x <= 0:
        return 0.0
    shape, scale = (mean / sd) ** 2, sd**2 / mean
    t = np.linspace(0.0, x, grain + 1)
    density = t ** (shape - 1) * np.exp(-t / scale) / (math.gamma(shape) * scale**shape)
    return float(np.trapezoid(density, t))


def shedding(city: City, i: int) -> float:
    """How infectious a person is today."""
    share = gamma_cdf(city.since[i] + 1) - gamma_cdf(city.since[i])
    return SHED.get(city.stage[i], 0.0) * share


def chance_to_isolate(city: City, i: int, cases: float, month: float, payment: float) -> float:
    """The planted mind, for one person."""
    c = math.log10(1 + cases)
    trend = min(2.0, max(-2.0, math.log2((cases + 1) / (month + 1))))
    x = 0.25 * (city.age[i] - 4) + 0.6 * city.custom[i] + 0.8 * city.caution[i]
    x += (3 + city.trust[i]) * (c - 2.7) + 0.5 * trend + 4 * city.memory[i]
    x += payment * (0.5 + 0.6 * (2 - city.income[i]))
    return 1 / (1 + math.exp(-x))


def day(city: City, u: np.ndarray, grid: tuple[int, int], p: Any) -> tuple[list[int], list[int], list[float]]:
    """Stage, days since and memory of everyone one day later.

    Args:
        u: one number in [0, 1) a person.
        grid: rows and columns of areas.
        p: parameters, by the names of the study's.
    """
    n, (rows, cols) = len(city.age), grid
    load = [shedding(city, i) for i in range(n)]
    shown = [load[i] * (1 - p.shield * city.isolates[i]) for i in range(n)]
    members = [[i for i in range(n) if city.area[i] == a] for a in range(rows * cols)]
    mean = [sum(shown[i] for i in m) / len(m) for m in members]
    crowd = []
    for a in range(rows * cols):
        near, total = 0.0, 0.0
        for b in range(rows * cols):
            far = abs(a // cols - b // cols) + abs(a % cols - b % cols)
            weight = math.exp(-far / p.reach)
            near, total = near + weight * mean[b], total + weight
        crowd.append((1 - p.travel) * near / total + p.travel * sum(mean) / len(mean))
    stage, since, memory = [], [], []
    for i in range(n):
        at_home = sum(load[j] for j in city.home[i])
        met = sum(shown[j] for j in city.known[i])
        memory.append(p.fading * city.memory[i] + at_home + met)
        exposure = p.household * at_home
        if not city.isolates[i]:
            exposure += p.contact * met + p.strangers * crowd[city.area[i]]
        force = p.reproduction * float(p.susceptibility[city.age[i]]) / float(p.divisor[city.age[i]]) * exposure
        s, d = city.stage[i], city.since[i] + 1
        if s == 0:
            s, d = (1, 0) if u[i] >= math.exp(-force) else (0, 0)
        elif s == 1:
            s = 2 if d >= p.exposed_days else 1
        elif s == 2 and d >= p.exposed_days + p.infectious_days:
            s, d = (4 if u[i] < p.fatality[city.age[i]] else 3), 0
        elif s == 3 and d >= p.immune_days:
            s, d = 0, 0
        elif s == 4:
            d = 0
        stage.append(s)
        since.append(d)
    return stage, since, memory
