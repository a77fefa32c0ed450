"""The conditions of the study: how long another task is taught first, which, and to how many matrices."""

from __future__ import annotations

import emergelab as el

DEPTHS = (1, 2, 3)
TIMES = (250, 1000, 2500)
LONG_TIMES = (5000, 10_000)
SHORT, STAGE, LONG = TIMES
RATIOS = {"rank-third": 1 / 3, "rank-same": 1.0, "d3-after-1000": 2.0, "rank-triple": 3.0}
"""Conditions by the rank of the first task, in parts of the second's."""
USUAL = 2.05
SEEN = (1.55, USUAL, 3.1, 4.1)
FEW = 1.03
MORE = (1.55, USUAL)
SHRINK = 0.1


def after(depth: int, time: int) -> str:
    """The condition in which another task is taught for a time; 0 is none."""
    return f"d{depth}-after-{time}" if time else f"d{depth}"


def shown(seen: float, time: int) -> str:
    """The condition by entries shown, of either task; the usual number has no name of its own."""
    base = "d3" if seen == USUAL else f"seen-{seen:g}"
    return f"{base}-after-{time}" if time else base


def grown(seen: float, time: int) -> str:
    """The condition in which a few entries come first, and more of the same matrix afterwards."""
    return f"few-then-{seen:g}-after-{time}"


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {}
    for depth in DEPTHS:
        layers = f"{depth} matri{'ces' if depth > 1 else 'x'}"
        for time in (0, *TIMES, *LONG_TIMES):
            before = f"{time} steps of another task first" if time else "the task alone"
            out[after(depth, time)] = el.Condition({"depth": depth, "switch": time}, about=f"{layers}, {before}")
    for name, ratio in RATIOS.items():
        if name not in out:
            out[name] = el.Condition(
                {"switch": STAGE, "ratio": ratio}, about=f"a first task of {ratio:.2g} times the second's rank"
            )
    for seen in SEEN:
        for time in (0, STAGE):
            if shown(seen, time) not in out:
                out[shown(seen, time)] = el.Condition(
                    {"switch": time, "seen": seen, "seen_first": seen},
                    about=f"{seen:g} entries shown per free number, {time} steps of another task first",
                )
    for seen in MORE:
        if shown(seen, 0) not in out:
            out[shown(seen, 0)] = el.Condition({"seen": seen}, about=f"{seen:g} entries shown per free number")
        out[grown(seen, STAGE)] = el.Condition(
            {"switch": STAGE, "seen": seen, "seen_first": FEW, "first": "same"},
            about=f"{FEW:g} entries per free number for {STAGE} steps, then {seen:g} of the same matrix",
        )
    out[grown(MORE[0], SHORT)] = el.Condition(
        {"switch": SHORT, "seen": MORE[0], "seen_first": FEW, "first": "same"},
        about=f"{FEW:g} entries per free number for {SHORT} steps, then {MORE[0]:g} of the same matrix",
    )
    out["shrunk"] = el.Condition(
        {"switch": STAGE},
        (el.Scale("state.net.*", SHRINK, during=(STAGE, STAGE + 1)),),
        about=f"{after(3, STAGE)} with all weights scaled to a tenth at the switch",
    )
    return out


def at_size(*times: int) -> tuple[str, ...]:
    """Names of the conditions with these times of the first task, and of all that do not vary it."""
    fixed = [name for name in conditions() if not name.startswith(("d1", "d2", "d3"))]
    swept = [after(depth, time) for depth in DEPTHS for time in (0, *times) if depth > 1 or time in (0, LONG)]
    return (*swept, *fixed)
