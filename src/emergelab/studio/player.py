"""The page that shows states: a scene at a time, with a scrubber, and the conversation beside it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn

from ..errors import RunError, UserError
from ..views import Cells, Network, Scene
from .pieces import html, notice, raised, tick
from .runs import Runs
from .scenes import Bars, BarStage, Stage, legend_of, places_of
from .talk import Talk

if TYPE_CHECKING:
    from ..runs.run import Run
    from ..study import Study
    from ..views import View

__all__ = ["observed", "player", "recorded"]

_STATE = "state, as the study shows it"
_SPEEDS = {"1 a second": 1, "2 a second": 2, "5 a second": 5, "10 a second": 10, "20 a second": 20}
_REMEMBERED = 60_000_000  # numbers in all scenes that are held for going back
_LOOKED_AT = 20_000_000  # numbers that are read to find between which they lie
_LOOK_BACK = 12
_PERIOD = 1000  # ms between two looks at the disk while a run grows
_DIMS = ("condition", "seed", "time")
_TALK_STYLE = """
.talk { display: flex; flex-direction: column-reverse; max-height: 460px; overflow-y: auto; padding-right: 6px; }
.talk ol { list-style: none; margin: 0; padding: 0; }
.talk li { padding: 4px 8px; border-radius: 6px; margin: 3px 0; }
.talk li.new { background: color-mix(in srgb, #0B6FB8 20%, transparent); }
.talk .when { opacity: 0.75; font-size: 12px; margin-top: 8px; padding: 0; }
"""


def recorded(run: Run, condition: str, seed: int) -> int:
    """How many records of a condition and a seed are written."""
    index, place = list(run.info["conditions"]).index(condition), list(run.info["seeds"]).index(seed)
    for block, done in zip(run.info["blocks"], run.progress, strict=True):
        if index in block["conditions"] and block["seeds"][0] <= place < block["seeds"][1]:
            return int(done["records"])
    return 0


def grows(run: Run) -> bool:
    """Whether a process is still writing a run."""
    return Runs(Path(run.path).parent).status(run) == "running"


def observed(
    run: Run, name: str, condition: str, seed: int, time: int, limits: tuple[float, float] | None = None
) -> Scene | Bars:
    """An observable at one time: cells where it has two further dims, bars where it has one, else bars over seeds.

    Of more than two further dims the last two are shown, at the first place of the others.

    Args:
        run: of which a record is shown.
        name: of the observable.
        condition, seed, time: which record; the nearest in time is taken.
        limits: between which all records lie, as `limits_of` finds them, which reads far more than one record.
    """
    whole = run.data[name].sel(condition=condition)
    extra = [str(d) for d in whole.dims if d not in _DIMS]
    said = " ".join(filter(None, [name, f"[{whole.attrs['units']}]" if whole.attrs.get("units", "1") != "1" else ""]))
    if not extra:
        own = whole.transpose("seed", "time").values.astype(float)
        low, high = limits or _spread(own)
        at = int(np.abs(run.data["time"].values - time).argmin())
        return Bars([f"seed {s}" for s in run.data["seed"].values], own[:, at], low, high, said)
    whole = whole.sel(seed=seed).isel({d: 0 for d in extra[:-2]}).transpose("time", *extra[-2:])
    low, high = limits or limits_of(run, name, condition, seed)
    now = whole.sel(time=time, method="nearest").values.astype(float)
    if len(extra) == 1:
        return Bars([str(x) for x in whole[extra[0]].values], now, low, high, said)
    return Scene([Cells(now, unit=str(whole.attrs.get("units", "")), name=name, low=low, high=high)],
                 title=f"{extra[-2]} downwards, {extra[-1]} to the right")  # fmt: skip


def limits_of(run: Run, name: str, condition: str, seed: int) -> tuple[float, float]:
    """Between which numbers an observable lies: in all records, or where they are very many, in some spread evenly."""
    whole = run.data[name].sel(condition=condition)
    extra = [str(d) for d in whole.dims if d not in _DIMS]
    if extra:
        whole = whole.sel(seed=seed).isel({d: 0 for d in extra[:-2]})
    times, records = whole.sizes["time"], max(2, _LOOKED_AT * whole.sizes["time"] // max(1, whole.size))
    if records < times:
        whole = whole.isel(time=np.unique(np.linspace(0, times - 1, records).round().astype(int)))
    return _spread(whole.values)


def _spread(values: np.ndarray) -> tuple[float, float]:
    seen = np.asarray(values, float)
    seen = seen[np.isfinite(seen)]
    return (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)


def player(run: Run, study: Study | None) -> pn.viewable.Viewable:
    """What there is to see of a run, time by time.

    A study's view is drawn as it is declared; a run without one shows its observables as cells or bars. While the run
    grows the disk is looked at once a second, and what is new can be reached.

    Args:
        run: growing or finished.
        study: whose view is shown; None for a run without one.
    """
    view = study.view if study is not None else None
    names = [str(n) for n, v in run.data.data_vars.items() if set(_DIMS) <= set(v.dims) and v.dtype.kind in "iufb"]
    if view is None and not names:
        return notice("This run holds no observable over time, so there is nothing to see.")
    try:
        return _Player(run, view, names).page()
    except (UserError, RunError) as error:
        return notice(raised(error), wrong=True)


class _Player:
    """The widgets of one page, and what they do."""

    def __init__(self, run: Run, view: View | None, names: Sequence[str]) -> None:
        self.run, self.view = run, view
        conditions = [str(c) for c in run.info["conditions"]]
        seen = [c for c in conditions if view is None or not view.conditions or c in view.conditions]
        # What has most to show comes first: a view, then observables with the most dims.
        ordered = sorted(names, key=lambda n: -len(run.data[n].dims))
        self.what = pn.widgets.Select(
            label="What is seen", options=[*([_STATE] if view is not None else []), *ordered], width=240
        )
        self.condition = pn.widgets.Select(
            label="Condition", options=conditions, value=(seen or conditions)[0], width=240
        )
        self.seed = pn.widgets.Select(label="Seed", options=[int(s) for s in run.info["seeds"]], width=90)
        self.slider = pn.widgets.DiscreteSlider(
            label="Step", options=self._times(), sizing_mode="stretch_width", margin=(6, 12)
        )
        self.play = pn.widgets.Button(label="Play", color="primary", width=80)
        self.back = pn.widgets.Button(label="Back", width=70, description="one record back")
        self.on = pn.widgets.Button(label="Forward", width=80, description="one record on")
        self.speed = pn.widgets.Select(label="Speed", options=_SPEEDS, value=5, width=130)
        self.growing = grows(run)
        self.follow = tick("Follow the newest record", self.growing, visible=self.growing, margin=(12, 8))
        self.written = html("", visible=self.growing, margin=(0, 8))
        self.picture = pn.pane.Bokeh(sizing_mode="scale_width", margin=(4, 8))
        self.title = html("", margin=(0, 8))
        self.legend = html("", margin=(0, 8))
        self.talk = html("", style=_TALK_STYLE, visible=False, min_width=260, max_width=420)
        self.wrong = pn.Column(sizing_mode="stretch_width")
        self.stage: Stage | BarStage | None = None
        self.places: np.ndarray | None = None
        self.held: OrderedDict[tuple[Any, ...], Scene | Bars] = OrderedDict()
        self.limits: dict[tuple[str, str, int], tuple[float, float]] = {}
        self.log = Talk(run)
        self.ticking: Any = None
        self.looking: Any = None
        self.ours = False  # whether the scrubber is being moved by the page, not by its reader
        self.about = html("")
        self.slider.param.watch(self._moved, "value")
        self.follow.param.watch(self._followed, "value")
        self.what.param.watch(self._other, "value")
        for widget in (self.condition, self.seed):
            widget.param.watch(self._other, "value")
        self.speed.param.watch(self._speed, "value")
        self.play.on_click(self._toggle)
        self.back.on_click(lambda _: self._step(-1))
        self.on.on_click(lambda _: self._step(1))
        self._begin()
        self._other()

    def page(self) -> pn.viewable.Viewable:
        """Everything below each other; the conversation stands beside the picture where there is room."""
        if self.growing:
            self.looking = pn.state.add_periodic_callback(self.look, period=_PERIOD)
        return pn.Column(
            self.about,
            pn.FlexBox(self.what, self.condition, self.seed, self.speed),
            pn.FlexBox(self.back, self.play, self.on, self.follow),
            self.slider,
            self.written,
            self.wrong,
            self.title,
            pn.FlexBox(
                pn.Column(self.picture, self.legend, min_width=280, max_width=780, sizing_mode="stretch_width"),
                self.talk,
                flex_wrap="wrap",
                sizing_mode="stretch_width",
            ),
            sizing_mode="stretch_width",
        )

    # -- what the widgets do ------------------------------------------------------------------------------------------

    def _times(self) -> list[int]:
        """Recorded times of what is chosen; the first one before anything is written."""
        condition, seed = self.condition.value, self.seed.value
        if self.view is not None and self.what.value == _STATE:
            times = [int(t) for t in self.view.moments(self.run, condition, seed)]
            if self.view.times is not None:
                return times or [0]
        else:
            times = [int(t) for t in self.run.data["time"].values]
        return times[: max(1, recorded(self.run, condition, seed))]

    def _begin(self) -> None:
        """Stand at a record that can be seen: the last one where a run is followed, else the first.

        A view that shows neither gives way to observables.
        """
        self._tell()
        ends = (self.slider.options[0], self.slider.options[-1])
        for time in reversed(ends) if self.follow.value else ends:
            try:
                self._scene(int(time))
            except (UserError, RunError):
                continue
            self._go(time)
            return
        if self.what.value == _STATE and len(self.what.options) > 1:
            self.what.value = self.what.options[1]

    def _other(self, _: Any = None) -> None:
        """Something else to see: other times, other places of nodes."""
        self.about.object = f'<div class="em-piece"><p>{escape(self._caption())}</p></div>'
        times, now = self._times(), self.slider.value
        self.places = None
        if self.slider.options != times:
            self._go(now if now in times else min(times, key=lambda t: abs(t - now)), times)
        if self.follow.value:
            self._go(times[-1])
        self._tell()
        self._show()

    def _go(self, time: int, times: Sequence[int] | None = None) -> None:
        """Move the scrubber, over other times if they are given; what the reader had set stays as it is."""
        self.ours = True
        try:
            self.slider.param.update(options=list(times or self.slider.options), value=time)
        finally:
            self.ours = False

    def _moved(self, _: Any) -> None:
        """The scrubber stands elsewhere; whoever moves it by hand no longer follows."""
        if not self.ours and self.follow.value:
            self._follow(False)
        self._show()

    def _follow(self, on: bool) -> None:
        self.follow.value = list(self.follow.options) if on else []

    def _followed(self, _: Any) -> None:
        if self.follow.value:
            if self.ticking is not None:
                self._stop()
            self._go(self.slider.options[-1])

    # -- while the run grows ------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at the disk: new records become times of the scrubber; once nobody writes the run any more, stop."""
        try:
            run = self.run.refresh()
            growing = grows(run)  # before the records are counted, so that those written last are found too
            new = run.progress != self.run.progress
        except (UserError, RunError, OSError) as error:
            self.wrong[:] = [notice(raised(error))]
            return
        if new:
            self.run = run
            # Limits of observables are those of all records, and they have changed; what a view has shown stays.
            self.limits.clear()
            self.log = Talk(run)
            for key in [k for k in self.held if k[0] != _STATE]:
                del self.held[key]
            times = self._times()
            if times != self.slider.options:
                self._go(times[-1] if self.follow.value else self.slider.value, times)
        self.growing = growing
        self._tell()
        if not growing:
            self._follow(False)
            self.follow.visible = False
            self.written.visible = False
            if self.looking is not None:
                self.looking.stop()
                self.looking = None

    def _tell(self) -> None:
        """How much of the run is written."""
        have = recorded(self.run, self.condition.value, self.seed.value)
        self.written.object = (
            f'<div class="em-piece"><small>The run grows: {have:,} of {self.run.records:,} records of this seed are '
            "written.</small></div>"
        )

    def _step(self, by: int) -> bool:
        """Go some records on; False at the end."""
        times = self.slider.options
        at = times.index(self.slider.value) + by
        if not 0 <= at < len(times):
            return False
        self.slider.value = times[at]
        return True

    def _toggle(self, _: Any = None) -> None:
        if self.ticking is not None:
            self._stop()
            return
        if self.slider.value == self.slider.options[-1]:
            self.slider.value = self.slider.options[0]
        self.play.label = "Pause"
        self.ticking = pn.state.add_periodic_callback(self._tick, period=1000 // self.speed.value)

    def _tick(self) -> None:
        if not self._step(1):
            self._stop()
            # Whoever has seen all that there is waits for what comes.
            self._follow(self.growing)

    def _stop(self) -> None:
        self.ticking.stop()
        self.ticking, self.play.label = None, "Play"

    def _speed(self, _: Any) -> None:
        if self.ticking is not None:
            self.ticking.period = 1000 // self.speed.value

    def _caption(self) -> str:
        """What one looks at."""
        if self.view is not None and self.what.value == _STATE:
            return f"{self.view.about[:1].upper()}{self.view.about[1:]}."
        about = str(self.run.data[self.what.value].attrs.get("long_name", "")) or str(self.what.value)
        if self.view is None:
            return f"This study declares no view of its states; what can be seen is its observables. Here: {about}."
        return f"{about[:1].upper()}{about[1:]}."

    # -- what is shown ------------------------------------------------------------------------------------------------

    def _scene(self, time: int) -> Scene | Bars:
        """The scene of a time, from memory where it was shown before."""
        key = (self.what.value, self.condition.value, self.seed.value, time)
        if key in self.held:
            self.held.move_to_end(key)
            return self.held[key]
        if self.view is not None and self.what.value == _STATE:
            found: Scene | Bars = self.view.at(self.run, self.condition.value, self.seed.value, time)
        else:
            chosen = key[:-1]
            if chosen not in self.limits:
                self.limits[chosen] = limits_of(self.run, *chosen)
            found = observed(self.run, *chosen, time, self.limits[chosen])
        self.held[key] = found
        while len(self.held) > 1 and sum(map(_numbers, self.held.values())) > _REMEMBERED:
            self.held.popitem(last=False)
        return found

    def _show(self, _: Any = None) -> None:
        try:
            scene = self._scene(int(self.slider.value))
        except (UserError, RunError) as error:
            self.wrong[:] = [notice(raised(error))]
            self.picture.visible = False
            self.title.object = self.legend.object = ""
            return
        self.wrong[:] = []
        self.picture.visible = True
        kind = BarStage if isinstance(scene, Bars) else Stage
        if isinstance(self.stage, kind) and self.stage.fits(scene):  # type: ignore[arg-type]
            self.stage.show(scene)  # type: ignore[arg-type]
        else:
            self.stage = BarStage(scene) if isinstance(scene, Bars) else Stage(scene, self._places_for(scene))
            self.picture.object = self.stage.figure
        if isinstance(scene, Bars):
            self.title.object, self.legend.object = "", ""
            self._converse(scene)
            return
        self.title.object = f'<div class="em-piece"><b>{escape(scene.title)}</b></div>'
        crowd = (
            "<br><small>Too many to draw one by one: shade counts them. Zoom in to read single ones.</small>"
            if isinstance(self.stage, Stage) and self.stage.crowded
            else ""
        )
        self.legend.object = f'<div class="em-piece">{legend_of(scene)}{crowd}</div>'
        self._converse(scene)

    def _places_for(self, scene: Scene) -> np.ndarray | None:
        """Places of nodes that have none, found once from the last record, so that they stay while time goes on."""
        if self.places is None and any(isinstance(x, Network) and x.x is None for x in scene.layers):
            try:
                last = self._scene(int(self.slider.options[-1]))
            except (UserError, RunError):
                last = scene
            layers = last.layers if isinstance(last, Scene) else scene.layers
            self.places = next((places_of(x) for x in layers if isinstance(x, Network) and x.x is None), None)
        return self.places

    def _said(self, time: int) -> Sequence[tuple[str, str]]:
        """What a scene says was said, else what the log of a society says was decided since the record before."""
        chosen = self.condition.value, self.seed.value
        try:
            if self.view is not None and self.what.value == _STATE:
                scene = self._scene(time)
                if isinstance(scene, Scene) and scene.messages:
                    return scene.messages
            records = [int(t) for t in self.run.data["time"].values if t < time]
            return self.log.between(*chosen, records[-1] if records else time, time)
        except (UserError, RunError):
            return ()

    def _converse(self, scene: Scene | Bars) -> None:
        """What was said up to now, the present marked and in sight."""
        times = self.slider.options
        at = times.index(self.slider.value)
        # A crowd is not asked again for what it said before: its scenes take long to make.
        first = max(0, at - _LOOK_BACK) if _numbers(scene) < 200_000 else at
        parts = []
        for t in times[first : at + 1]:
            if messages := self._said(int(t)):
                new = t == times[at]
                parts.append(f'<li class="when">step {t}{" (now)" if new else ""}</li>')
                parts += [
                    f'<li class="{"new" if new else "old"}"><b>{escape(str(who))}</b> {escape(str(words))}</li>'
                    for who, words in messages
                ]
        self.talk.visible = bool(parts)
        self.talk.object = (
            f'<div class="em-piece"><b>What is said</b><div class="talk" tabindex="0" role="log"><ol>{"".join(parts)}'
            "</ol></div></div>"
        )


def _numbers(scene: Scene | Bars) -> int:
    """How many numbers a scene holds, roughly."""
    if isinstance(scene, Bars):
        return len(scene.labels)
    total = 1
    for layer in scene.layers:
        if isinstance(layer, Cells):
            total += layer.values.size
        elif isinstance(layer, Network):
            total += layer.edges.size
        else:
            total += len(layer.x) * (2 + len(getattr(layer, "state", ())))
    return total
