"""Textbook populations against Mesa 3 and NumPy, from a thousand to a million agents; see benchmarks/README.md.

python benchmarks/populations.py [--only a,b] [--rounds 3]
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Int8, PRNGKeyArray

import emergelab as el
from measure import Row, carry_out, row
from populations_peers import EMPTY, INFECTION, MESA, NUMPY, RECOVERY, SIMILAR

PACKAGES = ("emergelab", "jax", "jaxlib", "equinox", "numpy", "mesa")
SIZES = (32**2, 100**2, 316**2, 1000**2)
"""Agents; squares, since two of the three live on a grid."""
MESA_REACHES = 100**2
WORK = 1e7  # agent-steps that are timed at least
LEAST, MOST = 10, 2000  # steps
# Bytes that a step must read and write, an agent, if nothing is kept in between: the state, twice.
BYTES = {"wealth": 8, "sir": 2, "schelling": 2}


# -- the systems ----------------------------------------------------------------------------------------------------


class Wealth(el.System):
    """Everyone who has a coin gives one to somebody drawn at random."""

    agents: int = el.static(100, low=2, about="agents")
    observables = (el.Observable("poor", about="share without a coin"),)

    def init(self, key: PRNGKeyArray) -> Int[Array, "agent"]:
        return jnp.ones(self.agents, jnp.int32)

    def step(self, state: Int[Array, "agent"], key: PRNGKeyArray) -> Int[Array, "agent"]:
        gives = state > 0
        to = jax.random.randint(key, state.shape, 0, self.agents)
        return (state - gives).at[to].add(gives.astype(jnp.int32), mode="promise_in_bounds")

    def observe(self, state: Int[Array, "agent"], key: PRNGKeyArray) -> dict[str, Array]:
        return {"poor": jnp.mean(state == 0)}


def neighbours(x: Int8[Array, "side side"]) -> Int8[Array, "side side"]:
    """Sum over the eight neighbours on a torus."""
    rows = x + jnp.roll(x, 1, 0) + jnp.roll(x, -1, 0)
    return rows + jnp.roll(rows, 1, 1) + jnp.roll(rows, -1, 1) - x


class Sir(el.System):
    """An epidemic on a square grid with eight neighbours."""

    side: int = el.static(10, low=3, about="rows and columns")
    observables = (el.Observable("infectious", about="share"),)

    def init(self, key: PRNGKeyArray) -> Int8[Array, "side side"]:
        return jax.random.bernoulli(key, 0.01, (self.side, self.side)).astype(jnp.int8)

    def step(self, state: Int8[Array, "side side"], key: PRNGKeyArray) -> Int8[Array, "side side"]:
        near = neighbours((state == 1).astype(jnp.int8))
        u = jax.random.uniform(key, state.shape)
        chance = 1.0 - jnp.exp(np.log1p(-INFECTION) * near.astype(jnp.float32))
        caught, well = (state == 0) & (u < chance), (state == 1) & (u < RECOVERY)
        return state + (caught | well).astype(jnp.int8)

    def observe(self, state: Int8[Array, "side side"], key: PRNGKeyArray) -> dict[str, Array]:
        return {"infectious": jnp.mean(state == 1)}


class Town(eqx.Module):
    """Who lives where, and a list of the free places: as many at all times."""

    kind: Int8[Array, "side side"]
    free: Int[Array, "free"]


class Schelling(el.System):
    """Who has too few of the own kind around moves to a free place; all at once, while there are places."""

    side: int = el.static(10, low=3, about="rows and columns")
    observables = (el.Observable("alike", about="mean share of neighbours of the own kind"),)

    def init(self, key: PRNGKeyArray) -> Town:
        of_kind, of_place = jax.random.split(key)
        places = self.side**2
        kind = 1 + jax.random.bernoulli(of_kind, 0.5, (places,)).astype(jnp.int8)
        free = jax.random.permutation(of_place, places)[: round(EMPTY * places)]
        return Town(kind.at[free].set(0).reshape(self.side, self.side), free)

    @staticmethod
    def _around(kind: Int8[Array, "side side"]) -> tuple[Array, Array]:
        ones, everyone = neighbours((kind == 1).astype(jnp.int8)), neighbours((kind > 0).astype(jnp.int8))
        return jnp.where(kind == 1, ones, everyone - ones), everyone

    def step(self, state: Town, key: PRNGKeyArray) -> Town:
        of_turn, of_place = jax.random.split(key)
        same, everyone = self._around(state.kind)
        flat, places, free = state.kind.reshape(-1), state.kind.size, len(state.free)
        moves = ((state.kind > 0) & (same < SIMILAR * everyone)).reshape(-1)
        # Of more who would move than there are free places, each has the same chance; nobody is sorted for it.
        chance = free / jnp.maximum(moves.sum(), 1)
        moves &= jax.random.bits(of_turn, flat.shape, "uint16") < chance * 2**16
        # The k-th who moves is where as many as k have been counted; past the last one that is the number of places.
        who = jnp.searchsorted(jnp.cumsum(moves), jnp.arange(1, free + 1)).astype(jnp.int32)
        goes = who < places
        _, where = jax.lax.sort_key_val(jax.random.bits(of_place, (free,)), state.free)
        arrives = jnp.where(goes, flat[jnp.minimum(who, places - 1)], 0)
        flat = flat.at[where].set(arrives).at[who].set(0, mode="drop")
        return Town(flat.reshape(state.kind.shape), jnp.where(goes, who, where))

    def observe(self, state: Town, key: PRNGKeyArray) -> dict[str, Array]:
        same, everyone = self._around(state.kind)
        lives = state.kind > 0
        share = jnp.where(lives, same / jnp.maximum(everyone, 1), 0.0)
        return {"alike": share.sum() / lives.sum()}


def system(name: str, agents: int) -> el.System:
    """One of the three at a size."""
    side = round(agents**0.5)
    return {"wealth": lambda: Wealth(agents=agents), "sir": lambda: Sir(side=side),
            "schelling": lambda: Schelling(side=side)}[name]()  # fmt: skip


# -- measuring ------------------------------------------------------------------------------------------------------


def _steps(agents: int) -> int:
    return int(min(MOST, max(LEAST, WORK / agents)))


def _ours(name: str, agents: int) -> float:
    """Seconds a step: a long run less a short one, so that compiling and opening a folder do not count."""
    steps = _steps(agents)

    def run(n: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            el.run(system(name, agents), steps=n, every=n, seeds=1, out=f"{folder}/run", progress=False)
            return time.perf_counter() - begun

    return max(1e-9, (run(3 * steps) - run(steps)) / (2 * steps))


def _numpy(name: str, agents: int) -> float:
    model, steps = NUMPY[name](agents), _steps(agents)
    begun = time.perf_counter()
    for _ in range(steps):
        model.step()
    return (time.perf_counter() - begun) / steps


def _mesa(name: str, agents: int) -> float:
    model, steps = MESA[name](agents), max(3, int(2e5 / agents))
    begun = time.perf_counter()
    for _ in range(steps):
        model.step()
    return (time.perf_counter() - begun) / steps


@cache
def _measured(rounds: int) -> dict[tuple[str, int, str], list[float]]:
    """Seconds a step by model, agents and contender; the contenders take turns."""
    found: dict[tuple[str, int, str], list[float]] = {}
    for name in NUMPY:
        for agents in SIZES:
            works: dict[str, Callable[[str, int], float]] = {"ours": _ours, "numpy": _numpy}
            if agents <= MESA_REACHES:
                works["mesa"] = _mesa
            for turn in range(rounds + 1):
                for who, work in works.items():
                    seconds = work(name, agents)
                    if turn:  # the first is not timed
                        found.setdefault((name, agents, who), []).append(seconds)
    return found


def steps(rounds: int) -> list[Row]:
    """A step of each population."""
    found, rows = _measured(rounds), []
    for (name, agents, who), seconds in found.items():
        if who != "ours":
            peer = {"numpy": "NumPy by hand", "mesa": "Mesa 3"}[who]
            rows.append(
                row(f"{name}, {agents:,} agents", peer, "s a step", found[name, agents, "ours"], seconds,
                    higher_is_better=False)
            )  # fmt: skip
    return rows


def _bandwidth() -> float:
    """Bytes a second that this machine copies, read and write: the median of ten copies of 256 MB."""
    a = np.zeros(1 << 25)
    b = np.ones(1 << 25)
    seconds = []
    for _ in range(10):
        begun = time.perf_counter()
        np.copyto(a, b)
        seconds.append(time.perf_counter() - begun)
    return 2 * a.nbytes / statistics.median(seconds)


def growth(rounds: int) -> list[Row]:
    """The power of the number of agents with which a step grows, and the share of the memory's bandwidth."""
    found, rows, most = _measured(rounds), [], _bandwidth()
    for name in NUMPY:
        slopes = {}
        for who in ("ours", "numpy"):
            times = [statistics.median(found[name, n, who]) for n in SIZES]
            slopes[who] = float(np.polyfit(np.log(SIZES[1:]), np.log(times[1:]), 1)[0])
        rows.append(
            row(f"{name}: power of the number of agents, from {SIZES[1]:,} on", "NumPy by hand", "1",
                [slopes["ours"]], [slopes["numpy"]], higher_is_better=False)
        )  # fmt: skip
        n = SIZES[-1]
        shares = {who: [BYTES[name] * n / s / most * 100 for s in found[name, n, who]] for who in ("ours", "numpy")}
        rows.append(
            row(f"{name}: share of the bandwidth of memory at {n:,} agents", "NumPy by hand", "%", shares["ours"],
                shares["numpy"], note=f"of {most / 1e9:.1f} GB/s that a copy reaches; counted is the state, read and "
                "written once")
        )  # fmt: skip
    return rows


PARTS: dict[str, tuple[str, Callable[[int], Sequence[Row]]]] = {
    "a": ("A step of a population", steps),
    "b": ("How it grows, and what memory would allow", growth),
}

if __name__ == "__main__":
    carry_out(__file__, PARTS, PACKAGES, rounds=3)
