"""The conditions of the study: data of two programs, one without a signal and one with."""

from __future__ import annotations

import emergelab as el

FALSE_ALARMS = (0.05, 0.2, 0.35, 0.5, 0.65)
HITS = (0.1, 0.3, 0.5, 0.7, 0.9)
POLLS = 40
RESETS = (1, 15, 60)
"""Seconds a reset takes, in the sweep that belongs to the size `full`."""

# Best times to break off by the closed form (found by search; a test looks again).
TIMEOUT, TIMEOUT_HEAVY = 27.74, 25.35
UNIT = 20.0


def matrix(false_alarm: float, hit: float) -> str:
    """Name of the condition in which a device with this confusion matrix is obeyed."""
    return f"s{false_alarm:g}-f{hit:g}"


def grid() -> dict[str, tuple[float, float]]:
    """All conditions of the map of confusion matrices: name -> share of false alarms, share of hits."""
    return {matrix(s, f): (s, f) for s in FALSE_ALARMS for f in HITS}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out: dict[str, el.Condition] = {}

    def add(name: str, about: str, **settings: object) -> None:
        out[name] = el.Condition(settings, about=about)

    add("run", "every attempt runs to its end")
    add("obey", "one false alarm in ten, four hits in five", policy="obey")
    add("obey-worse", "five false alarms in ten", policy="obey", false_alarm=0.5)
    add("perfect", "a device that never errs", policy="obey", false_alarm=0.0, hit=1.0)
    add("late", "alarms take effect ten seconds late", policy="obey", latency=10.0)
    add("dear-run", "a reset takes 30 s", reset=30.0)
    add("dear-obey", "a reset takes 30 s", policy="obey", reset=30.0)
    longer = {"good": 30.0, "bad": 60.0, "reset": 2.0, "false_time": 10.0, "hit_time": 10.0}
    keen = {"policy": "obey", "false_alarm": 0.3, "hit": 0.9}
    for name, success in (("hard", 0.2), ("easy", 0.8)):
        add(f"{name}-run", f"{success:.0%} of attempts succeed", success=success, **longer)
        add(f"{name}-obey", f"{success:.0%} of attempts succeed", success=success, **longer, **keen)
    for s, f in grid().values():
        about = f"{s:.0%} false alarms, {f:.0%} hits"
        add(matrix(s, f), about, policy="obey", false_alarm=s, hit=f)
    _times(out)
    _jobs(out)
    _crowds(out)
    _signals(out)
    for seconds in RESETS:
        add(f"reset-{seconds}-run", f"a reset takes {seconds} s", reset=float(seconds))
        add(f"reset-{seconds}-obey", f"a reset takes {seconds} s", reset=float(seconds), policy="obey")
    return out


def quick() -> tuple[str, ...]:
    """The conditions of the quick size: all but the sweep of resets."""
    return tuple(name for name in conditions() if not name.startswith("reset-"))


def _times(out: dict[str, el.Condition]) -> None:
    """Clocks, fixed times and sequences, in three worlds."""
    clock = {"policy": "obey", "device": "clock"}
    random = clock | {"false_time": 30.0, "hit_time": 30.0}
    out["clock"] = el.Condition(
        clock | {"false_time": 60.0, "hit_time": 10.0}, about="a clock that runs faster if the attempt will fail"
    )
    out["random"] = el.Condition(random, about="broken off at random, after 30 s on average")
    out["timeout"] = el.Condition({"policy": "timeout", "timeout": TIMEOUT}, about="broken off at the best fixed time")
    out["luby"] = el.Condition({"policy": "luby", "timeout": UNIT}, about="broken off after Luby's sequence times 20 s")
    worlds = {"equal": {"good": 30.0, "bad": 30.0}, "heavy": {"good": 30.0, "bad": 30.0, "tail": 0.45}}
    for world, own in worlds.items():
        words = "times exponential" if world == "equal" else "times heavy-tailed"
        out[f"{world}-run"] = el.Condition(own, about=f"{words}, equal for both ends")
        out[f"{world}-random"] = el.Condition(own | random, about=f"{words}; broken off at random")
    heavy = worlds["heavy"]
    out["heavy-timeout"] = el.Condition(
        heavy | {"policy": "timeout", "timeout": TIMEOUT_HEAVY}, about="times heavy-tailed; the best fixed time"
    )
    out["heavy-luby"] = el.Condition(
        heavy | {"policy": "luby", "timeout": UNIT}, about="times heavy-tailed; Luby's sequence times 20 s"
    )


def _jobs(out: dict[str, el.Condition]) -> None:
    """Jobs that differ, so that attempts at one job resemble each other."""
    alike = {"spread": 0.8}
    out["alike-run"] = el.Condition(alike, about="half of the jobs succeed in 10 % of attempts, the others in 90 %")
    out["alike-obey"] = el.Condition(alike | {"policy": "obey"}, about="such jobs, and the device is obeyed")
    out["alike-give-up"] = el.Condition(alike | {"patience": 3}, about="such jobs, given up after three attempts")


def _crowds(out: dict[str, el.Condition]) -> None:
    """Robots that queue for resets."""
    queue = {"false_alarm": 0.5, "hit": 1.0, "false_time": 2.0, "hit_time": 2.0, "bays": 0.55, "crowd": 11.0}
    weigh = {"policy": "weigh", "explore": 0.05}
    out["crowd-run"] = el.Condition(queue, about="resets queue; nobody breaks off")
    out["crowd-few"] = el.Condition(queue | {"policy": "obey", "share": 0.05}, about="five robots of a hundred do")
    out["crowd-all"] = el.Condition(queue | {"policy": "obey"}, about="all of them do")
    out["crowd-weigh"] = el.Condition(queue | weigh, about="each does if by its own count it gains")
    out["crowd-toll"] = el.Condition(queue | weigh | {"toll": 1.0}, about="and pays for the delay that it causes")


def _signals(out: dict[str, el.Condition]) -> None:
    """A signal to watch, which tells much or next to nothing."""
    watch = {"polls": POLLS}
    words = {
        "run": "every attempt runs to its end",
        "timeout": "the best fixed time",
        "sprt": "Wald's sequential test",
        "best": "the best rule by dynamic programming",
        "learnt": "a predictor that is being learnt, obeyed from the first",
        "adopt": "the same, obeyed once it is known to pay",
    }
    for policy, about in words.items():
        own: dict[str, object] = {"policy": policy}
        if policy == "timeout":
            own["timeout"] = TIMEOUT
        if policy in ("learnt", "adopt"):
            own["explore"] = 0.1
        out[f"watch-{policy}"] = el.Condition(watch | own, about=f"a telling signal; {about}")
        if policy in ("run", "learnt", "adopt"):
            out[f"dull-{policy}"] = el.Condition(
                watch | own | {"drift_bad": 0.05, "reset": 20.0},
                about=f"a signal that tells next to nothing, resets of 20 s; {about}",
            )
