"""What the paper states about worlds that come back to old tasks, as tests over seeds."""

from __future__ import annotations

import numpy as np
import xarray as xr

import emergelab as el

from ._conditions import BY_SHARE

__all__ = ["CLAIMS", "current_early", "first_half", "forgetting", "lag_slope", "ready"]

PILOT = "a pilot of three seeds had been seen when the margin was set"
TENFOLD = {name: float(np.log10(share)) for name, share in BY_SHARE.items()}


def forgetting(d: xr.Dataset) -> xr.DataArray:
    """Best accuracy that a task ever had minus the one it has, mean over all tasks but the last."""
    a = d.accuracy.where(d.time > 0)
    last = a.sizes["task"] - 1
    best = a.rolling(time=a.sizes["time"], min_periods=1).max()
    return (best - a).isel(task=slice(0, last)).mean("task")


def first_half(d: xr.Dataset) -> xr.DataArray:
    """Accuracy on the first half of all tasks: in the end, those that were left longest ago."""
    half = d.sizes["task"] // 2
    return d.accuracy.isel(task=slice(0, half)).mean("task")


def lag_slope(d: xr.Dataset) -> xr.DataArray:
    """Slope over tasks of the logarithm of what is lost over that of the phases since: 0 if age is nothing.

    Lost is the best accuracy that a task had minus the one at the end, at least one in a hundred.
    """
    a = d.accuracy.where(d.time > 0)
    tasks = a.sizes["task"]
    lost = np.log((a.max("time") - a.isel(time=-1)).isel(task=slice(0, tasks - 1)).clip(min=0.01))
    age = np.log(tasks - 1.0 - xr.DataArray(np.arange(tasks - 1), dims="task"))
    centred = age - age.mean("task")
    return (lost * centred).sum("task") / (centred**2).sum("task")


def ready(d: xr.Dataset) -> xr.DataArray:
    """Accuracy on each task at the first record in its own phase, later half of tasks minus earlier half."""
    early = current_early(d)
    half = early.sizes["task"] // 2
    return early.isel(task=slice(half, None)).mean("task") - early.isel(task=slice(0, half)).mean("task")


def current_early(d: xr.Dataset) -> xr.DataArray:
    """Of every task its accuracy at the first record inside its own phase."""
    tasks = d.sizes["task"]
    records = (d.sizes["time"] - 1) // tasks
    at = xr.DataArray(1 + records * np.arange(tasks), dims="task")
    return d.accuracy.isel(time=at, task=xr.DataArray(np.arange(tasks), dims="task"))


CLAIMS = (
    el.Claim(
        "In blocks, networks forget catastrophically",
        el.level(forgetting, "blocks"),
        ">",
        0.3,
        published="the premise (Gandhi et al. 2024)",
        about="of an accuracy of 0.9; guessing has 0.1",
    ),
    el.Claim(
        "In a power-law world with a tenth of rehearsal they know far more in the end",
        el.contrast("average", "power-10", "blocks"),
        ">",
        0.1,
        published="interference is mitigated, by the environment alone",
        about=f"accuracy, mean over ten tasks; {PILOT}",
    ),
    el.Claim(
        "and forget far less",
        el.contrast(forgetting, "power-10", "blocks"),
        "<",
        0.2,
        published="interference is mitigated",
        about=f"of some 0.6 in blocks; {PILOT}",
    ),
    el.Claim(
        "After five tasks it is the same",
        el.contrast("average", "power-10", "blocks", at=1000),
        ">",
        0.1,
        published="for 5, 10 and 20 tasks (read from the authors' code)",
        about="the first five tasks of the stream are a stream of five tasks",
    ),
    el.Claim(
        "The more comes back, the more is known",
        el.trend("average", TENFOLD),
        ">",
        0.05,
        published="for all shares tried, 0.1 to 1 of the new examples (read from the authors' code)",
        about="accuracy for tenfold rehearsal",
    ),
    el.Claim(
        "A power law is better than all earlier tasks alike",
        el.contrast("average", "power-10", "uniform-10"),
        ">",
        0.02,
        published="comparable or superior to rehearsal in other environments",
        about=f"two in a hundred are comparable; {PILOT}",
        expect="refuted",
    ),
    el.Claim(
        "It is better than an exponential law",
        el.contrast("average", "power-10", "exponential-10"),
        ">",
        0.02,
        published="comparable or superior to rehearsal in other environments",
        about=f"two in a hundred are comparable; {PILOT}",
    ),
    el.Claim(
        "It is better than going back to the last task only",
        el.contrast("average", "power-10", "recent-10"),
        ">",
        0.02,
        published="comparable or superior to rehearsal in other environments",
        about=f"two in a hundred are comparable; {PILOT}",
    ),
    el.Claim(
        "Recency is what helps: need that grows with age instead does worse",
        el.contrast("average", "oldest-10", "power-10"),
        "<",
        0.02,
        published="not tried there",
        about=f"a control: the same share, spent on the oldest; {PILOT}",
        expect="refuted",
    ),
    el.Claim(
        "The law in the authors' code, which goes by number and not by age, does as well as a power of age",
        el.contrast("average", "index-10", "power-10"),
        "=",
        0.05,
        published="what the code calls a power law",
        about="five in a hundred: beyond seeds, below what the share of rehearsal does",
    ),
    el.Claim(
        "Measured by what the world calls for, a power law is better than all alike",
        el.contrast("needed", "power-10", "uniform-10"),
        ">",
        0.01,
        published="the argument: memory is fitted to the environment (Anderson and Schooler 1991)",
        about="accuracy on the phase's own mixture, nine tenths of which is the present task",
        expect="inconclusive",
    ),
    el.Claim(
        "The world alone does what a penalty on weights does: more than the best of three strengths of EWC",
        el.contrast("average", "power-10", "ewc-5"),
        ">",
        0.05,
        published="comparable to or better than regularisation",
        about="the strength that does best on these very seeds, which favours EWC",
    ),
    el.Claim(
        "and as much as a memory of 200 examples in a world of blocks",
        el.contrast("average", "power-10", "replay"),
        "=",
        0.05,
        published="better than existing methods (abstract of the revised version)",
        about="five in a hundred",
        expect="refuted",
    ),
    el.Claim(
        "It must be the task that comes back: with random labels it does not help",
        el.contrast("average", "power-garbled", "power-10"),
        "<",
        0.1,
        published="not tried there",
        about="a control: pixels come back, answers do not",
    ),
    el.Claim(
        "What is lost grows with the time since, in a power-law world",
        el.level(lag_slope, "power-10"),
        ">",
        0.2,
        published="forgetting follows the environment's law (Anderson and Schooler 1991, of people)",
        about="slope in double logarithms over phases: 0 if age is nothing, 1 if loss is proportional to it",
    ),
    el.Claim(
        "and more slowly than in an exponential one",
        el.contrast(lag_slope, "power-10", "exponential-10"),
        "<",
        0.1,
        published="not in the paper",
        about="slope in double logarithms",
    ),
    el.Claim(
        "The last task is learnt no worse for it",
        el.contrast("current", "power-10", "blocks"),
        "=",
        0.03,
        published="not told in the abstract",
        about="accuracy on the last phase's own task",
    ),
    el.Claim(
        "New tasks are learnt faster the more came before",
        el.contrast(ready, "power-10", "blocks"),
        ">",
        0.03,
        published="forward facilitation",
        about="accuracy a quarter into a phase, later tasks minus earlier ones; beyond what blocks show",
        expect="refuted",
    ),
    el.Claim(
        "Once nothing comes back any more, a single phase loses it again",
        el.contrast(first_half, "relapse", "power-10"),
        "<",
        0.1,
        published="not tried there",
        about="accuracy on the older half of tasks at the end; an intervention in the last of ten phases",
    ),
)
