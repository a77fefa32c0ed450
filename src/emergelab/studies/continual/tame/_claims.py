"""What the paper states about experts that hand over by their losses, as tests over seeds."""

from __future__ import annotations

import xarray as xr

import emergelab as el

__all__ = ["CLAIMS", "routing_gap"]

PILOT = "a pilot of six seeds had been seen when the margin was set"
PAPER = "TAME (Zhu et al. 2022)"


def routing_gap(d: xr.Dataset) -> xr.DataArray:
    """Accuracy by the expert chosen for each example, minus accuracy by each task's own."""
    return d.routed - d.accuracy


CLAIMS = (
    el.Claim(
        "A jump in the loss finds the borders: experts and tasks agree",
        el.level("agreement", "losses", value=0.9),
        ">",
        0.02,
        published=f"shown in a figure ({PAPER})",
        about=f"adjusted Rand index over steps, 1 is perfect; {PILOT}",
        expect="inconclusive",
    ),
    el.Claim(
        "Hardly any border is missed",
        el.level("missed", "losses", value=0.1),
        "<",
        0.05,
        published=f"all found ({PAPER})",
        about="share of five borders",
        expect="inconclusive",
    ),
    el.Claim(
        "Hardly a change of expert is needless",
        el.level("false", "losses", value=1.0),
        "<",
        0.3,
        published=f"none ({PAPER})",
        about=f"changes in a stream of 720 steps; {PILOT}",
        expect="inconclusive",
    ),
    el.Claim(
        "Smoothing is needed: single losses give false alarms",
        el.contrast("false", "unsmoothed", "losses"),
        ">",
        1.0,
        published=f"the reason for smoothing ({PAPER})",
        about=f"needless changes in a stream; {PILOT}",
        expect="inconclusive",
    ),
    el.Claim(
        "The same where tasks are two digits each",
        el.contrast("false", "split-unsmoothed", "split"),
        ">",
        1.0,
        published=f"the reason for smoothing ({PAPER})",
        about=f"needless changes in a stream; {PILOT}",
    ),
    el.Claim(
        "A task that comes back finds its expert again: four tasks, four experts",
        el.level("experts", "recurring", value=4.0),
        "=",
        0.5,
        published=f"the old expert is reused ({PAPER})",
        about="experts in the end; half an expert",
    ),
    el.Claim(
        "but not without smoothing",
        el.contrast("experts", "recurring-unsmoothed", "recurring"),
        ">",
        0.5,
        published=f"the reason for smoothing ({PAPER})",
        about="experts in the end; half an expert",
    ),
    el.Claim(
        "Borders that are found are as good as borders that are told",
        el.contrast("accuracy", "losses", "told"),
        "=",
        0.03,
        published=f"as good as methods that are told ({PAPER})",
        about="accuracy by each task's own expert; three points of a hundred",
        expect="inconclusive",
    ),
    el.Claim(
        "and far better than one network",
        el.contrast("accuracy", "losses", "none"),
        ">",
        0.3,
        published=f"87 % on 20 permutations; single networks 55 to 81 % ({PAPER})",
        about=f"accuracy; {PILOT}",
    ),
    el.Claim(
        "To choose the expert for an example is what costs, where tasks are two digits each",
        el.level(routing_gap, "split"),
        "<",
        0.05,
        published="the selector is right in 62 % of cases on 20 tasks of CIFAR-100",
        about="accuracy lost by choosing; five points of a hundred",
    ),
    el.Claim(
        "Where tasks are permutations it costs nothing",
        el.level(routing_gap, "losses"),
        "=",
        0.03,
        published="not told apart",
        about="three points of a hundred",
    ),
    el.Claim(
        "A window nearly as long as a block is blind",
        el.contrast("missed", "window-100", "losses"),
        ">",
        0.3,
        published=f"a window of 100, blocks of thousands of steps ({PAPER})",
        about=f"share of borders missed: losses of the first steps are still in the window; {PILOT}",
    ),
    el.Claim(
        "A short window does as well",
        el.contrast("agreement", "window-10", "losses"),
        "=",
        0.1,
        published="not told",
        about="adjusted Rand index; a tenth",
        expect="inconclusive",
    ),
    el.Claim(
        "What comes in over twenty steps is not noticed",
        el.contrast("missed", "blend-20", "losses"),
        ">",
        0.5,
        published="not tried there",
        about=f"share of borders missed; the new task's own steps are 120; {PILOT}",
    ),
    el.Claim(
        "Five steps are enough to hide most borders",
        el.contrast("missed", "blend-5", "losses"),
        ">",
        0.3,
        published="not tried there",
        about=f"share of borders missed; {PILOT}",
    ),
    el.Claim(
        "Noise in labels is taken for a new world",
        el.contrast("false", "garbled", "losses"),
        ">",
        0.5,
        published="not tried there",
        about=f"needless changes for one stretch of 20 steps; {PILOT}",
    ),
    el.Claim(
        "Who is not surprised by noise keeps its experts in order",
        el.contrast("agreement", "calm", "garbled"),
        ">",
        0.05,
        published="not tried there",
        about="adjusted Rand index; an intervention on surprise for 25 steps",
        expect="refuted",
    ),
)
