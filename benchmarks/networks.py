"""Networks in training against the usual loop in PyTorch, and what interventions cost; see benchmarks/README.md.

python benchmarks/networks.py [--only a,b] [--rounds 5]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from measure import Row, carry_out, row, take_turns, timed

PACKAGES = ("emergelab", "jax", "jaxlib", "equinox", "optax", "numpy", "torch")
SEEDS = 8


def _grow(system: Any, steps: int, **options: Any) -> float:
    """Steps of single seeds per second, with starting the run, two observations and writing them down."""
    import emergelab as el

    with tempfile.TemporaryDirectory() as folder:
        seconds = timed(
            lambda: el.run(
                system, steps=steps, every=steps, seeds=SEEDS, out=f"{folder}/run", progress=False, **options
            )
        )
    conditions = len(options.get("conditions") or {"base": {}})
    return conditions * SEEDS * steps / seconds


def _sizes(slug: str) -> tuple[Any, dict[str, Any]]:
    """The system of a study at size quick, and that size's parameters."""
    from emergelab.catalogue import find

    study = find(slug)
    chosen = dict(study.sizes["quick"].set)
    return study.system(**chosen), chosen


def training(rounds: int) -> list[Row]:
    """(a) Gradient steps of three studies, 8 seeds in one program, against PyTorch, one seed after the other."""
    from icl_peers import torch_steps
    from networks_peers import induction_steps, rich_lazy_steps

    rows = []
    icl, chosen = _sizes("icl")
    common = {name: chosen[name] for name in ("batch", "labels", "dim", "classes")}
    rows += _against(
        "icl", icl, 400, rounds,
        lambda steps, threads: steps / torch_steps(steps, threads=threads, **common)[1],
    )  # fmt: skip
    induction, _ = _sizes("induction-head")
    shape = {"dim": induction.dim, "labels": induction.labels, "width": induction.width, "heads": induction.heads}
    rows += _against(
        "induction-head", induction, 400, rounds,
        lambda steps, threads: steps / induction_steps(
            steps, threads=threads, classes=int(induction.used), batch=induction.sequences, **shape
        ),
    )  # fmt: skip
    lazy, _ = _sizes("rich-lazy-rank")
    rows += _against(
        "rich-lazy-rank", lazy, 400, rounds,
        lambda steps, threads: steps / rich_lazy_steps(steps, threads=threads, units=lazy.units, batch=lazy.trials),
    )  # fmt: skip
    return rows


def _against(what: str, system: Any, steps: int, rounds: int, pytorch: Callable[[int, int | None], float]) -> list[Row]:
    works: Mapping[str, Callable[[], float]] = {
        "ours": lambda: _grow(system, steps),
        "PyTorch, seeds one after the other, 1 thread": lambda: pytorch(steps, 1),
        "PyTorch, seeds one after the other, its own choice of threads": lambda: pytorch(steps, None),
    }
    cold = take_turns(works, 1)["ours"][0]
    found = take_turns(works, rounds)
    note = f"the first run took {SEEDS * steps / cold:.1f} s, compiling or loading the cached program"
    return [
        row(what, peer, "steps/s", found["ours"], found[peer], note="" if i else note)
        for i, peer in enumerate(list(works)[1:])
    ]


def clamping(rounds: int) -> list[Row]:
    """(b) The step of icl with clamps held through it, and with every site recorded, against the step as it is."""
    import numpy as np

    import emergelab as el

    system, _ = _sizes("icl")
    steps, tokens = 400, 2 * system.items + 1
    pattern = np.eye(tokens, dtype=np.float32)
    full = system.with_(compute="full")
    every = {"taps": ["L.*", "embed", "final", "mlp.*", "logits"]}
    works: dict[str, Callable[[], float]] = {
        "plain": lambda: _grow(system, steps),
        "one clamp": lambda: _grow(system, steps, interventions=[el.Clamp("L.0.pattern", pattern)]),
        "a clamp in a window": lambda: _grow(
            system, steps, interventions=[el.Clamp("L.0.pattern", pattern, during=(100, 200))]
        ),
        "noise on all scores": lambda: _grow(system, steps, interventions=[el.Noise("L.*.scores", 0.1)]),
        "all sites announced": lambda: _grow(full, steps),
        "all sites recorded at the two record times": lambda: _grow(full, steps, **every),
    }
    take_turns(works, 1)
    found = take_turns(works, rounds)
    against = {
        "one clamp": "plain", "a clamp in a window": "plain", "noise on all scores": "plain",
        "all sites announced": "plain", "all sites recorded at the two record times": "all sites announced",
    }  # fmt: skip
    return [row(name, peer, "steps/s", found[name], found[peer]) for name, peer in against.items()]


PARTS: dict[str, tuple[str, Callable[[int], Sequence[Row]]]] = {
    "a": ("Training steps, 8 seeds", training),
    "b": ("What interventions cost", clamping),
}


def main() -> None:
    """Measure what was asked for, print it, and write it down."""
    carry_out(__file__, PARTS, PACKAGES, rounds=5)


if __name__ == "__main__":
    main()
