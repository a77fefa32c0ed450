"""Three textbook populations in NumPy and in Mesa 3, for comparison of speed.

The rules are those of `populations.py`:

- *wealth*: everyone who has a coin gives one to somebody drawn at random (Dragulescu and Yakovenko 2000);
- *sir*: on a square grid with eight neighbours, a susceptible cell is infected with chance 1 - (1 - b)^k by its k
  infectious ones, and an infectious one recovers with chance g;
- *schelling*: on a square grid, a tenth empty, who has fewer than three of ten neighbours of the own kind moves to a
  free place.

NumPy updates all at once, as the compiled program does. Mesa is written as its own examples are, one agent after the
other in random order (the epidemic: all decide, then all change).
"""

from __future__ import annotations

import numpy as np

__all__ = ["MESA", "NUMPY", "mesa_schelling", "mesa_sir", "mesa_wealth"]

INFECTION, RECOVERY, SIMILAR, EMPTY = 0.1, 0.2, 0.3, 0.1


def neighbours(x: np.ndarray) -> np.ndarray:
    """Sum over the eight neighbours on a torus."""
    rows = x + np.roll(x, 1, 0) + np.roll(x, -1, 0)
    return rows + np.roll(rows, 1, 1) + np.roll(rows, -1, 1) - x


class NumpyWealth:
    def __init__(self, agents: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.wealth = np.ones(agents, np.int32)

    def step(self) -> None:
        gives = self.wealth > 0
        to = self.rng.integers(0, len(self.wealth), np.count_nonzero(gives))
        self.wealth += np.bincount(to, minlength=len(self.wealth)).astype(np.int32) - gives


class NumpySir:
    def __init__(self, agents: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        side = round(agents**0.5)
        self.state = (self.rng.random((side, side)) < 0.01).astype(np.int8)
        self.table = (1 - (1 - INFECTION) ** np.arange(9)).astype(np.float32)

    def step(self) -> None:
        near = neighbours((self.state == 1).astype(np.int8))
        u = self.rng.random(self.state.shape, dtype=np.float32)
        caught = (self.state == 0) & (u < self.table[near])
        well = (self.state == 1) & (u < RECOVERY)
        self.state += caught.astype(np.int8) + well.astype(np.int8)


class NumpySchelling:
    def __init__(self, agents: int, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        side = round(agents**0.5)
        kind = np.where(self.rng.random((side, side)) < 0.5, 1, 2)
        self.kind = np.where(self.rng.random((side, side)) < EMPTY, 0, kind).astype(np.int8)

    def step(self) -> None:
        ones, all_ = neighbours((self.kind == 1).astype(np.int8)), neighbours((self.kind > 0).astype(np.int8))
        same = np.where(self.kind == 1, ones, all_ - ones)
        flat = self.kind.ravel()
        moves = np.flatnonzero((self.kind > 0) & (same < SIMILAR * all_))
        free = np.flatnonzero(flat == 0)
        n = min(len(moves), len(free))
        moves, free = self.rng.permutation(moves)[:n], self.rng.permutation(free)[:n]
        flat[free] = flat[moves]
        flat[moves] = 0


NUMPY = {"wealth": NumpyWealth, "sir": NumpySir, "schelling": NumpySchelling}


def mesa_wealth(agents: int):
    """Mesa's own introduction, without its grid."""
    import mesa

    class Agent(mesa.Agent):
        def __init__(self, model):
            super().__init__(model)
            self.wealth = 1

        def give(self):
            if self.wealth > 0:
                other = self.model.random.choice(self.model.people)
                other.wealth += 1
                self.wealth -= 1

    class Model(mesa.Model):
        def __init__(self):
            super().__init__(seed=0)
            Agent.create_agents(self, agents)
            self.people = list(self.agents)

        def step(self):
            self.agents.shuffle_do("give")

    return Model()


def mesa_sir(agents: int):
    """A cell an agent, on Mesa's discrete space."""
    import mesa
    from mesa.discrete_space import FixedAgent, OrthogonalMooreGrid

    side = round(agents**0.5)

    class Cell(FixedAgent):
        def __init__(self, model, cell):
            super().__init__(model)
            self.cell = cell
            self.state = self.next = int(model.random.random() < 0.01)

        def decide(self):
            if self.state == 0:
                near = sum(a.state == 1 for a in self.cell.neighborhood.agents)
                if near and self.random.random() < 1 - (1 - INFECTION) ** near:
                    self.next = 1
            elif self.state == 1 and self.random.random() < RECOVERY:
                self.next = 2

        def change(self):
            self.state = self.next

    class Model(mesa.Model):
        def __init__(self):
            super().__init__(seed=0)
            grid = OrthogonalMooreGrid((side, side), torus=True, random=self.random)
            for cell in grid.all_cells:
                Cell(self, cell)

        def step(self):
            self.agents.do("decide")
            self.agents.do("change")

    return Model()


def mesa_schelling(agents: int):
    """Mesa's own example: the unhappy move one after the other."""
    import mesa
    from mesa.discrete_space import CellAgent, OrthogonalMooreGrid

    side = round(agents**0.5)

    class Person(CellAgent):
        def __init__(self, model, cell, kind):
            super().__init__(model)
            self.cell, self.kind = cell, kind

        def step(self):
            near = list(self.cell.neighborhood.agents)
            if near and sum(a.kind == self.kind for a in near) < SIMILAR * len(near):
                self.cell = self.model.grid.select_random_empty_cell()

    class Model(mesa.Model):
        def __init__(self):
            super().__init__(seed=0)
            self.grid = OrthogonalMooreGrid((side, side), torus=True, capacity=1, random=self.random)
            for cell in self.grid.all_cells:
                if self.random.random() >= EMPTY:
                    Person(self, cell, self.random.choice((1, 2)))

        def step(self):
            self.agents.shuffle_do("step")

    return Model()


MESA = {"wealth": mesa_wealth, "sir": mesa_sir, "schelling": mesa_schelling}
