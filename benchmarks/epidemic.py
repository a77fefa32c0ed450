"""A simulated day of the epidemic study against NumPy, Mesa 3 and published figures; see benchmarks/README.md.

python benchmarks/epidemic.py [--only a,b] [--rounds 3]

Each contender runs in a process of its own, whose largest memory is noted; the processes of a size follow one another.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from measure import Row, carry_out, row

PACKAGES = ("emergelab", "jax", "jaxlib", "equinox", "numpy", "mesa")
CITIES = {
    1 << 14: (8, 8, 256),
    1 << 17: (16, 16, 512),
    1 << 20: (32, 32, 1024),
    1 << 23: (64, 64, 2048),
}
"""People -> rows, columns and residents of the areas; the largest is New York with its 8.4 million."""
LARGEST = 1 << 25
WORK = 5e7  # person-days that are timed
MESA_REACHES = 1 << 17
# https://github.com/AgentTorch/AgentTorch, analyze_performance/perf-astoria-cuda-vs-cpu.md, 21 steps each.
PUBLISHED = {
    "AgentTorch, published: Astoria on a CPU": (37_518, 29.956 / 21),
    "AgentTorch, published: Astoria on a GPU": (37_518, 0.217 / 21),
    "AgentTorch, published: New York on a GPU": (2_712_360, 19.427 / 21),
}


# -- in a process of its own ----------------------------------------------------------------------------------------


def _ours(people: int, rounds: int) -> tuple[list[float], float, int]:
    """Seconds a day of a run: that of many days less that of one week, over the days between."""
    import emergelab as el
    from emergelab.studies.societies.epidemic import Epidemic

    rows, cols, residents = (CITIES | {LARGEST: (128, 128, 2048)})[people]
    system = Epidemic(rows=rows, cols=cols, residents=residents, level="archetypes", detail="age", initial=0.02,
                      seeding="everywhere")  # fmt: skip
    days = _days(people)

    def run(steps: int) -> tuple[float, Any]:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            made = el.run(system, steps=steps, every=steps, seeds=1, out=f"{folder}/run", progress=False, keep=[])
            return time.perf_counter() - begun, made.data.isel(time=-1, seed=0, condition=0).load()

    run(7)  # compiles
    seconds = []
    for _ in range(rounds):
        short, long = run(7)[0], run(7 + days)
        seconds.append((long[0] - short) / days)
    end = long[1]
    return seconds, float(end["attack"]), round(float(end["edges"]) * people)


def _city(people: int, folder: str) -> None:
    """Write the city of seed 0 for the peers."""
    import jax
    import jax.numpy as jnp

    from emergelab.engine.compiled import initial
    from emergelab.studies.societies.epidemic import Epidemic
    from emergelab.studies.societies.epidemic import _disease as disease
    from emergelab.studies.societies.epidemic import _population as population

    rows, cols, residents = CITIES[people]
    system = jax.tree.map(jnp.asarray, Epidemic(rows=rows, cols=cols, residents=residents))
    town = jax.jit(lambda k: initial(system, k).town)(jax.random.key(0))
    start = residents * np.arange(rows * cols, dtype=np.int32)[:, None]
    friends = [(np.asarray(population.partners(town.key, k, rows * cols, residents)) + start).ravel() for k in range(4)]
    custom = np.repeat(np.asarray(town.custom), residents)
    temper = [np.asarray(x, np.float32).ravel() for x in (town.caution, town.trust, custom, town.income)]
    arrays = {
        "age": np.asarray(town.age).ravel(), "place": np.asarray(town.place).ravel(),
        "size": np.asarray(town.size).ravel(), "friends": np.stack(friends, axis=1), "temper": np.stack(temper),
        "profile": disease.PROFILE, "grid": np.array([rows, cols]),
    }  # fmt: skip
    for name, array in arrays.items():
        np.save(Path(folder) / f"{name}.npy", array)


def _days(people: int) -> int:
    """Whole weeks, so that every contender decides as often."""
    return 7 * max(2, round(WORK / people / 7))


def child(who: str, people: int, rounds: int, folder: str) -> None:
    """Measure one contender at one size and print what was found."""
    if who == "city":
        _city(people, folder)
        return
    if who == "ours":
        found = _ours(people, rounds)
    else:
        from epidemic_peers import City, mesa_days, numpy_days

        play, most = (numpy_days, _days(people)) if who == "numpy" else (mesa_days, 14)
        found = play(City.load(folder), min(most, _days(people)), rounds)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": found[0], "attack": found[1], "edges": found[2], "memory": memory}))


def _asked(who: str, people: int, rounds: int, folder: str) -> dict[str, Any] | None:
    """What `child` prints; None if the process failed, which is said."""
    command = [sys.executable, __file__, "child", who, str(people), str(rounds), folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        print(f"  {who} with {people:,} people is left out: {last}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}


# -- the comparison -------------------------------------------------------------------------------------------------


@cache
def _measured(rounds: int) -> dict[int, dict[str, dict[str, Any]]]:
    """All contenders at all sizes that they reach."""
    out: dict[int, dict[str, dict[str, Any]]] = {}
    for people in CITIES:
        out[people] = {}
        with tempfile.TemporaryDirectory() as folder:
            _asked("city", people, rounds, folder)
            for who in ("ours", "numpy", "mesa"):
                if who == "mesa" and people > MESA_REACHES:
                    continue
                found = _asked(who, people, rounds, folder)
                if found:
                    out[people][who] = found
    return out


def days(rounds: int) -> list[Row]:
    """(a) Seconds and memory a simulated day, by size."""
    names = {"numpy": "NumPy by hand", "mesa": "Mesa 3, a person an agent"}
    rows = []
    for people, found in _measured(rounds).items():
        ours = found["ours"]
        for who, name in names.items():
            if who not in found:
                continue
            theirs = found[who]
            what = f"a day of {people:,} people"
            memory = f"memory {ours['memory']:.2f} GiB against {theirs['memory']:.2f} GiB"
            note = f"{ours['edges']:,} directed contacts; {memory}"
            rows.append(row(what, name, "s", ours["seconds"], theirs["seconds"], higher_is_better=False, note=note))
    _plot(Path(__file__).parent / "results" / "epidemic.png", _measured(rounds))
    return rows


def scaling(rounds: int) -> list[Row]:
    """(b) How cost grows with size, and figures that others have published."""
    found = _measured(rounds)

    def slope(who: str) -> float:
        points = [(np.log(p), np.log(np.median(f[who]["seconds"]))) for p, f in found.items() if who in f]
        x, y = np.transpose(points)
        return float(np.polyfit(x, y, 1)[0])

    rows = []
    if all("numpy" in f for f in found.values()):
        rows.append(row("power of the number of people with which a day grows", "NumPy by hand", "1", [slope("ours")],
                        [slope("numpy")], higher_is_better=False))  # fmt: skip
    for name, (people, seconds) in PUBLISHED.items():
        near = min(found, key=lambda p: abs(np.log(p / people)))
        each = 1e6 * np.asarray(found[near]["ours"]["seconds"]) / near
        note = f"published for {people:,} agents on another machine; ours measured with {near:,}"
        rows.append(row("a day of a million people", name, "s", each.tolist(), [1e6 * seconds / people],
                        higher_is_better=False, note=note))  # fmt: skip
    return rows


def accelerator(rounds: int) -> list[Row]:
    """(c) Ours alone on whatever JAX finds, up to four times New York, beside what was published of a GPU."""
    people, seconds = PUBLISHED["AgentTorch, published: New York on a GPU"]
    rows = []
    for size in (*CITIES, LARGEST):
        with tempfile.TemporaryDirectory() as folder:
            found = _asked("ours", size, rounds, folder)
        if found:
            rows.append(
                row(f"a day of {size:,} people", "AgentTorch, published: New York on a GPU, by the person", "s",
                    found["seconds"], [seconds * size / people], higher_is_better=False)
            )  # fmt: skip
    return rows


def _plot(path: Path, found: dict[int, dict[str, dict[str, Any]]]) -> None:
    """Seconds a day against people and contacts, with published figures."""
    from emergelab import figures as house

    fig, (left, right) = house.new(cols=2, width=10.5, height=4.0)
    styles = {
        "ours": ("emergelab", house.COLOURS[0]),
        "numpy": ("NumPy", house.COLOURS[1]),
        "mesa": ("Mesa 3", house.COLOURS[2]),
    }
    for who, (label, colour) in styles.items():
        sizes = [p for p in found if who in found[p]]
        if not sizes:
            continue
        seconds = [np.median(found[p][who]["seconds"]) for p in sizes]
        if len(sizes) > 1:
            label += f", slope {np.polyfit(np.log(sizes), np.log(seconds), 1)[0]:.2f}"
        left.plot(sizes, seconds, "o-", color=colour, label=label)
        right.plot(sizes, [found[p][who]["memory"] for p in sizes], "o-", color=colour)
    marks = {"CPU": "s", "GPU": "^"}
    for name, (people, seconds) in PUBLISHED.items():
        left.plot(people, seconds, marks[name[-3:]], color=house.MUTED, markersize=6)
    left.plot([], [], "s", color=house.MUTED, label="AgentTorch, CPU (published)")
    left.plot([], [], "^", color=house.MUTED, label="AgentTorch, GPU (published)")
    left.axhline(10, color=house.GREY, linestyle=(0, (4, 3)), linewidth=1.0)
    right.axhline(12, color=house.GREY, linestyle=(0, (4, 3)), linewidth=1.0)
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_yscale("log")
    house.finish(
        left,
        title="A simulated day",
        xlabel="people (about 6.1 directed contacts each)",
        ylabel="seconds",
        legend="lower right",
    )
    house.finish(right, title="Largest memory of the process", xlabel="people", ylabel="GiB")
    path.parent.mkdir(parents=True, exist_ok=True)
    house.save(fig, path)


PARTS: dict[str, tuple[str, Callable[[int], Sequence[Row]]]] = {
    "a": ("A simulated day of the epidemic", days),
    "b": ("How it grows, and what others have published", scaling),
    "c": ("On an accelerator", accelerator),
}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    if sys.argv[1:2] == ["child"]:
        who, people, rounds, folder = sys.argv[2:]
        child(who, int(people), int(rounds), folder)
        return
    carry_out(__file__, PARTS, PACKAGES, rounds=3)


if __name__ == "__main__":
    main()
