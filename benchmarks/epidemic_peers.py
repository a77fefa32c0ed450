"""The epidemic of the study in two other ways of writing simulations, for comparison of speed and memory.

Both play the same days as `emergelab.studies.societies.epidemic` in the same city: households, acquaintances,
strangers by area, stages by days, and once a week a decision by nine archetypes of age. Both are written as one would
write them without thinking of speed more than their manuals advise:

- `numpy_days` keeps sorted lists of contacts (sources by destination), gathers, and sums with `np.add.reduceat`. It is
  what a careful user of NumPy writes.
- `mesa_days` is a Mesa 3 model with one agent a person. Only who is ill acts on others, so its cost grows with the
  number of the ill, while that of the other two does not.

A city is a folder with one file an array (see `City`), so that a process that measures holds nothing else.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["City", "mesa_days", "numpy_days"]

SHED = np.array([0.33] * 5 + [0.72] * 5)
SUSCEPTIBILITY = np.array([0.35, 0.69, 1.03, 1.03, 1.03, 1.03, 1.27, 1.52, 1.52], np.float32)
DIVISOR = np.array([2, 2, 3, 3, 3, 3, 4, 4, 4], np.float32)
FATALITY = (10 ** (-3.27 + 0.0524 * (10 * np.arange(9) + 5.0)) / 100).astype(np.float32)
HOUSEHOLD, CONTACT, STRANGERS, R, REACH, TRAVEL = 1.0, 0.4, 1.2, 5.0, 1.0, 0.1


@dataclass
class City:
    """What the peers are given.

    Attributes:
        age: decade of each person, people numbered area by area.
        place, size: place in the household and its size.
        friends: acquaintances, one column a layer, as numbers of people.
        temper: caution, trust, custom and income of each person.
        profile: share of an infection's infectiousness on each day.
        rows, cols: areas.
    """

    age: np.ndarray
    place: np.ndarray
    size: np.ndarray
    friends: np.ndarray
    temper: np.ndarray
    profile: np.ndarray
    rows: int
    cols: int

    @classmethod
    def load(cls, folder: str) -> City:
        """Read what `epidemic.py` wrote."""
        arrays = {f.stem: np.load(f) for f in Path(folder).glob("*.npy")}
        rows, cols = arrays.pop("grid").tolist()
        return cls(**arrays, rows=rows, cols=cols)

    def home_list(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Contacts at home: sources sorted by destination, who has any, and where theirs begin."""
        others = self.size.astype(np.int32) - 1
        ends = np.cumsum(others)
        to = np.repeat(np.arange(len(others), dtype=np.int32), others)
        nth = np.arange(len(to), dtype=np.int32) - (ends - others)[to].astype(np.int32)
        here = self.place[to].astype(np.int32)
        sources = to - here + nth + (nth >= here)
        has = np.flatnonzero(others)
        return sources, has, (ends - others)[has]


def _near(k: int) -> np.ndarray:
    weight = np.exp(-np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / REACH)
    return weight / weight.sum(axis=1, keepdims=True)


def _chance(age: np.ndarray, temper: np.ndarray, memory: np.ndarray, cases: float, trend: float) -> np.ndarray:
    caution, trust, custom, income = temper
    x = 0.25 * (age - 4) + 0.6 * custom + 0.8 * caution + (3 + trust) * (cases - 2.7) + 0.5 * trend
    return 1 / (1 + np.exp(-(x + 4 * memory + 0.3 * (0.5 + 0.6 * (2 - income)))))


def numpy_days(city: City, days: int, rounds: int) -> tuple[list[float], float, int]:
    """Play `days` days `rounds` times.

    Returns:
        seconds a day in each round, share of people infected in the end, number of directed contacts.
    """
    rng = np.random.default_rng(0)
    n, areas = len(city.age), city.rows * city.cols
    sources, has, begins = city.home_list()
    load_of = np.concatenate([SHED * city.profile[:10], np.zeros(2)]).astype(np.float32)
    tender = (R * SUSCEPTIBILITY / DIVISOR)[city.age]
    fatal = FATALITY[city.age]
    near_rows, near_cols = _near(city.rows), _near(city.cols)
    members = np.bincount(city.age, minlength=9).clip(1)
    mean_temper = np.stack([np.bincount(city.age, weights=t, minlength=9) / members for t in city.temper])
    # Days since infection; 10 and more is immune, 255 susceptible, 254 dead.
    since = np.where(rng.random(n) < 0.02, 0, 255).astype(np.uint8)
    immune = np.zeros(n, np.uint8)
    memory = np.zeros(n, np.float32)
    isolates = np.zeros(n, bool)
    reports, running = np.zeros(8), 0.0
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for day in range(days):
            if day % 7 == 0:
                reports = np.concatenate([[running], reports[:-1]])
                cases = math.log10(1 + reports[1])
                trend = float(np.clip(math.log2((reports[1] + 1) / (reports[1:5].mean() + 1)), -2, 2))
                seen = np.bincount(city.age, weights=memory, minlength=9) / members
                answers = _chance(np.arange(9), mean_temper, seen, cases, trend)
                isolates = rng.random(n, np.float32) < answers[city.age]
                running = 0.0
            load = load_of[np.minimum(since, 10)]
            shed = np.where(isolates, 0, load)
            home = np.zeros(n, np.float32)
            home[has] = np.add.reduceat(load[sources], begins)
            met = shed[city.friends[:, 0]]
            for layer in range(1, city.friends.shape[1]):
                met += shed[city.friends[:, layer]]
            mean = shed.reshape(areas, -1).mean(axis=1).reshape(city.rows, city.cols)
            crowd = (1 - TRAVEL) * (near_rows @ mean @ near_cols.T).ravel() + TRAVEL * mean.mean()
            abroad = CONTACT * met + STRANGERS * np.repeat(crowd, n // areas).astype(np.float32)
            exposure = HOUSEHOLD * home + np.where(isolates, 0, abroad)
            u = rng.random(n, np.float32)
            caught = (since == 255) & (u >= np.exp(-tender * exposure))
            ill = since < 10
            since[ill] += 1
            over = ill & (since == 10)
            running += 0.5e5 / n * np.count_nonzero(ill & (since == 5))
            since[over & (u < fatal)] = 254
            recovered = since == 10
            immune[recovered] += 1
            wanes = recovered & (immune == 100)
            since[wanes], immune[wanes] = 255, 0
            since[caught] = 0
            memory = 0.9 * memory + home + met
        seconds.append((time.perf_counter() - begun) / days)
    return seconds, float(np.mean(since != 255)), len(sources) + city.friends.size


def mesa_days(city: City, days: int, rounds: int) -> tuple[list[float], float, int]:
    """The same as a Mesa 3 model; returns what `numpy_days` returns.

    Raises:
        ModuleNotFoundError: Mesa is not installed (extra `bench`).
    """
    import mesa

    tender = (R * SUSCEPTIBILITY / DIVISOR).tolist()
    sheds = (SHED * city.profile[:10]).tolist()
    fatal = FATALITY.tolist()
    per_area = len(city.age) // (city.rows * city.cols)

    class Person(mesa.Agent):
        """One inhabitant."""

        def __init__(self, model: mesa.Model, number: int, ill: bool) -> None:
            super().__init__(model)
            self.age, self.area = int(city.age[number]), number // per_area
            self.caution, self.trust, self.custom, self.income = city.temper[:, number].tolist()
            self.since, self.stage = 0, "ill" if ill else "susceptible"
            self.memory, self.home_load, self.met_load, self.isolates = 0.0, 0.0, 0.0, False
            self.home: list[Person] = []
            self.friends: list[Person] = []

        def decide(self) -> None:
            self.isolates = self.random.random() < self.model.answers[self.age]

        def shed(self) -> None:
            if self.stage != "ill":
                return
            load = sheds[self.since]
            for other in self.home:
                other.home_load += load
            if not self.isolates:
                self.model.sheds[self.area] += load
                for other in self.friends:
                    other.met_load += load

        def live(self) -> None:
            if self.stage == "susceptible":
                exposure = HOUSEHOLD * self.home_load
                if not self.isolates:
                    exposure += CONTACT * self.met_load + STRANGERS * self.model.crowd[self.area]
                if exposure and self.random.random() >= math.exp(-tender[self.age] * exposure):
                    self.stage, self.since = "ill", 0
            elif self.stage == "ill":
                self.since += 1
                if self.since == 5:
                    self.model.running += self.model.unit
                elif self.since == 10:
                    self.stage, self.since = "dead" if self.random.random() < fatal[self.age] else "immune", 0
            elif self.stage == "immune":
                self.since += 1
                if self.since == 100:
                    self.stage = "susceptible"
            self.memory = 0.9 * self.memory + self.home_load + self.met_load
            self.home_load = self.met_load = 0.0

    class Model(mesa.Model):
        """The city."""

        def __init__(self) -> None:
            super().__init__(seed=0)
            n = len(city.age)
            self.unit, self.running, self.reports, self.day = 0.5e5 / n, 0.0, [0.0] * 8, 0
            people = [Person(self, i, self.random.random() < 0.02) for i in range(n)]
            self.people, self.edges = people, 0
            for i, person in enumerate(people):
                first = i - int(city.place[i])
                person.home = [people[j] for j in range(first, first + int(city.size[i])) if j != i]
                person.friends = [people[j] for j in city.friends[i].tolist()]
                self.edges += len(person.home) + len(person.friends)

        def step(self) -> None:
            areas = city.rows * city.cols
            if self.day % 7 == 0:
                self.reports, self.running = [self.running, *self.reports[:-1]], 0.0
                self.ask()
                self.agents.do("decide")
            self.sheds = [0.0] * areas
            self.agents.do("shed")
            mean = np.asarray(self.sheds).reshape(city.rows, city.cols) / per_area
            around = _near(city.rows) @ mean @ _near(city.cols).T
            self.crowd = ((1 - TRAVEL) * around + TRAVEL * mean.mean()).ravel().tolist()
            self.agents.do("live")
            self.day += 1

        def ask(self) -> None:
            groups: list[list[Person]] = [[] for _ in range(9)]
            for person in self.people:
                groups[person.age].append(person)
            mean = np.array([
                [np.mean([getattr(p, k) for p in g]) if g else 0.0 for g in groups]
                for k in ("caution", "trust", "custom", "income", "memory")
            ])  # fmt: skip
            cases, month = self.reports[1], sum(self.reports[1:5]) / 4
            trend = min(2.0, max(-2.0, math.log2((cases + 1) / (month + 1))))
            self.answers = _chance(np.arange(9), mean[:4], mean[4], math.log10(1 + cases), trend).tolist()

    model = Model()
    seconds = []
    for _ in range(rounds):
        begun = time.perf_counter()
        for _ in range(days):
            model.step()
        seconds.append((time.perf_counter() - begun) / days)
    return seconds, sum(p.stage != "susceptible" for p in model.people) / len(model.people), model.edges
