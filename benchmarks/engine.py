"""The engine against its peers; benchmarks/README.md says what is compared and how.

python benchmarks/engine.py [--only a,c] [--rounds 5]
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from measure import Row, carry_out, row, take_turns, timed
from sorting_peers import mesa_model, numpy_loop

PACKAGES = ("emergelab", "jax", "jaxlib", "equinox", "optax", "numpy", "zarr", "mesa", "torch")


def sorting(rounds: int) -> list[Row]:
    """(a) Events of the sorting study, against a NumPy loop and a Mesa 3 model of the same rule."""
    import emergelab as el
    from emergelab.studies.societies.sorting import Sorting

    # So few events that no array comes to rest: then every step of ours is an event.
    n, seeds, events = 100, 64, 1500
    rows = []
    for mix in ("bubble", "all three"):
        awakenings = _awakenings(n, mix, events)

        def ours(mix: str = mix) -> float:
            with tempfile.TemporaryDirectory() as folder:
                begun = time.perf_counter()
                made = el.run(
                    Sorting(n=n, mix=mix),
                    steps=events,
                    every=events,
                    seeds=seeds,
                    out=f"{folder}/run",
                    progress=False,
                )
                seconds = time.perf_counter() - begun
                if float(made.data["halted"].isel(time=-1).max()) > 0:
                    raise RuntimeError("an array came to rest, so some steps were no events: lower `events`")
            return seeds * events / seconds

        works = {
            "ours": ours,
            "NumPy event loop": lambda mix=mix: _rate(numpy_loop(n, seeds, mix, events=events)),
            "Mesa 3, a cell an agent": lambda mix=mix, a=awakenings: _rate(
                mesa_model(n, _MESA_SEEDS, mix, activations=a)
            ),
        }
        cold = take_turns(works, 1)["ours"][0]
        found = take_turns(works, rounds)
        note = (
            f"the first run took {seeds * events / cold:.1f} s, compiling or loading the cached program; "
            "ours keeps costs, delayed gratification and inversions of every event, the peers keep nothing"
        )
        what = f"{mix}, {seeds} x {n} cells"
        rows += [
            row(what, peer, "events/s", found["ours"], found[peer], note="" if i else note)
            for i, peer in enumerate(list(works)[1:])
        ]
    return rows


_MESA_SEEDS = 16  # its rate does not depend on their number: it plays one array after the other


def _rate(done: tuple[int, float]) -> float:
    events, seconds = done
    return events / seconds


def _awakenings(n: int, mix: str, events: int) -> int:
    """How many awakenings a Mesa array needs for that many events: it is told awakenings, not events."""
    awakenings = events
    while mesa_model(n, 2, mix, activations=awakenings)[0] < 2 * events:
        awakenings = int(awakenings * 1.2)
    return awakenings


def training(rounds: int) -> list[Row]:
    """(b) Gradient steps of the in-context learning study: 8 seeds at once, one by one, and in PyTorch."""
    from emergelab.studies.networks.icl import QUICK, InContext
    from icl_peers import torch_steps

    seeds, steps = 8, 400
    sizes = {name: QUICK[name] for name in ("batch", "labels", "dim", "classes")}

    def grow(which: Sequence[int]) -> float:
        import emergelab as el

        with tempfile.TemporaryDirectory() as folder:
            return timed(
                lambda: el.run(
                    InContext(**QUICK),
                    steps=steps,
                    every=steps,
                    seeds=which,
                    out=f"{folder}/run",
                    progress=False,
                )
            )

    def pytorch(threads: int | None) -> float:
        done, seconds = torch_steps(steps, threads=threads, **sizes)
        return done / seconds

    works = {
        "ours": lambda: seeds * steps / grow(range(seeds)),
        "the same, 8 runs one after the other": lambda: seeds * steps / sum(grow([seed]) for seed in range(seeds)),
        "PyTorch, seeds one after the other, 1 thread": lambda: pytorch(1),
        "PyTorch, seeds one after the other, its own choice of threads": lambda: pytorch(None),
    }
    cold = seeds * steps / take_turns(works, 1)["ours"][0]
    found = take_turns(works, rounds)
    note = (
        f"steps of single seeds, all seeds together; the first run took {cold:.1f} s, compiling or loading "
        "the cached program; ours includes starting the run, two evaluations and writing it to disk"
    )
    return [
        row("8 seeds, size quick", peer, "steps/s", found["ours"], found[peer], note="" if i else note)
        for i, peer in enumerate(list(works)[1:])
    ]


def store(rounds: int) -> list[Row]:
    """(c) Appending to the run store, against the same bytes in raw NumPy files."""
    rows = []
    curves = np.random.default_rng(0).normal(size=(2, 32, 4000)).cumsum(-1).astype(np.float32)
    wide = np.random.default_rng(0).normal(size=(2, 32, 400, 256)).astype(np.float32)
    for what, values, records in (
        ("scalar curves, 40 appends", curves, 100),
        ("wide vectors, 40 appends", wide, 10),
    ):
        size = values.nbytes / 1e6
        cuts = [slice(i, i + records) for i in range(0, values.shape[2], records)]
        works = {
            "ours": lambda v=values, c=cuts, s=size: s / _append_to_store(v, c),
            "np.save, a file a chunk": lambda v=values, c=cuts, s=size: s / _save_chunks(v, c),
            "a flushed memory map": lambda v=values, c=cuts, s=size: s / _memory_map(v, c),
        }
        take_turns(works, 1)
        found = take_turns(works, rounds)
        each = 1000 * size / statistics.median(found["ours"]) / len(cuts)
        note = f"an append takes {each:.1f} ms; the engine makes one an observable and block in two seconds"
        name = f"{what} ({size:.0f} MB)"
        rows += [
            row(name, peer, "MB/s", found["ours"], found[peer], note="" if i else note)
            for i, peer in enumerate(list(works)[1:])
        ]
    return rows


def _append_to_store(values: np.ndarray, cuts: Sequence[slice]) -> float:
    from emergelab.runs.place import Place
    from emergelab.runs.store import ArraySpec, Store

    conditions, seeds, times, *rest = values.shape
    spec = ArraySpec("x", tuple(f"axis{i}" for i in range(len(rest))), tuple(rest), "<f4")
    info = {"conditions": {f"c{i}": {} for i in range(conditions)}, "seeds": list(range(seeds))}
    with tempfile.TemporaryDirectory() as folder:
        made = Store.create(
            Place(f"{folder}/run"),
            info,
            [spec],
            times=np.arange(times),
            chunk_conditions=conditions,
            chunk_seeds=seeds,
        )

        def work() -> None:
            for cut in cuts:
                made.append("x", range(conditions), slice(0, seeds), cut.start, values[:, :, cut])

        return timed(work)


def _save_chunks(values: np.ndarray, cuts: Sequence[slice]) -> float:
    with tempfile.TemporaryDirectory() as folder:

        def work() -> None:
            for cut in cuts:
                np.save(f"{folder}/{cut.start}.npy", values[:, :, cut])

        return timed(work)


def _memory_map(values: np.ndarray, cuts: Sequence[slice]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        file = np.lib.format.open_memmap(f"{folder}/x.npy", mode="w+", dtype=values.dtype, shape=values.shape)

        def work() -> None:
            for cut in cuts:
                file[:, :, cut] = values[:, :, cut]
                file.flush()

        return timed(work)


def start_up(rounds: int) -> list[Row]:
    """(d) How long a command takes to answer, against an interpreter that does nothing."""
    script = shutil.which("emergelab", path=str(Path(sys.executable).parent))
    program = [script] if script else [sys.executable, "-m", "emergelab"]
    commands = {
        "emergelab --help": [*program, "--help"],
        "emergelab list": [*program, "list"],
        "import emergelab": [sys.executable, "-c", "import emergelab"],
        "nothing": [sys.executable, "-c", "pass"],
    }
    works = {name: lambda c=command: timed(lambda: _quietly(c)) for name, command in commands.items()}
    take_turns(works, 1)
    found = take_turns(works, max(rounds, 9))
    return [
        row(name, "python -c pass", "s", times, found["nothing"], higher_is_better=False)
        for name, times in found.items()
        if name != "nothing"
    ]


def _quietly(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def draws(rounds: int) -> list[Row]:
    """(e) Random numbers of short axes, 36 seeds: keys that draw in a row, as the engine's do, against JAX's own."""
    import jax
    import jax.numpy as jnp

    import emergelab as el

    def compiled(key: Callable[[int], Any], draw: Callable[..., Any]) -> Any:
        def seed(root: Any) -> Any:
            return jax.lax.scan(
                lambda total, t: (total + draw(jax.random.fold_in(root, t), (64, 3, 10)), None),
                jnp.zeros((64, 3, 10)), jnp.arange(50),
            )[0]  # fmt: skip

        return jax.jit(jax.vmap(seed)).lower(jax.vmap(key)(jnp.arange(36))).compile()

    makes = {"ours": el.key, "JAX": jax.random.key}
    rows = []
    for name, draw in (("normal", jax.random.normal), ("gumbel", jax.random.gumbel)):
        programs: dict[str, Any] = {}
        roots = {who: jax.vmap(key)(jnp.arange(36)) for who, key in makes.items()}

        def make(who: str, draw: Callable[..., Any] = draw, programs: dict[str, Any] = programs) -> float:
            jax.clear_caches()
            return timed(lambda: programs.update({who: compiled(makes[who], draw)}))

        made = take_turns({who: lambda who=who, make=make: make(who) for who in makes}, rounds)
        run = take_turns(
            {
                who: lambda who=who, programs=programs, roots=roots: (
                    timed(lambda: jax.block_until_ready(programs[who](roots[who]))) / 50 / 36 * 1e6
                )
                for who in makes
            },
            rounds,
        )
        rows.append(row(f"compiling {name}", "JAX's keys", "s", made["ours"], made["JAX"], higher_is_better=False))
        rows.append(
            row(f"1,920 numbers of a {name}", "JAX's keys", "us", run["ours"], run["JAX"], higher_is_better=False)
        )
    return rows


PARTS: dict[str, tuple[str, Callable[[int], list[Row]]]] = {
    "a": ("Events of the sorting study", sorting),
    "b": ("Training steps of the in-context learning study", training),
    "c": ("Appending to a run on disk", store),
    "d": ("Start-up", start_up),
    "e": ("Random numbers", draws),
}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    carry_out(__file__, PARTS, PACKAGES, rounds=5)


if __name__ == "__main__":
    main()
