"""Live curves: every observable of one run or of several, seeds thin, their mean bold, linked in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import panel as pn
from bokeh.models import ColumnDataSource, CustomJS, DataRange1d, HoverTool, Line, VArea
from bokeh.plotting import figure
from jaxtyping import Float

from ..errors import UserError
from ..instruments import onset
from .growing import Growing, mean_and_band, thinned
from .pieces import tick
from .runs import Runs
from .shell import colour, html, is_dark

_DASHES = ("solid", "dashed", "dotted")
_POINTS = 24_000  # of thin curves in one plot: more than that makes panning stutter
_MEAN_POINTS = 2_000  # of a bold curve: more than a wide screen has columns
_SHOWN = 8  # plots at first; the rest are a choice away
_COLOURED = 6  # conditions at first: more cannot be told apart by colour
_FIRST = 4  # plots that a first screen of two columns shows; the others are made once these are drawn
_PERIOD = 1000  # ms between two looks at the disk
_LATER = 20  # ms after which the first plots are made, so that the page itself is on its way before
_REST = 200  # ms without a movement after which what has come into sight is drawn

# Thin curves are most of what is painted, so those of all plots rest while one is dragged. The server need not know.
_THIN = "seeds of a run"
_DRAGGED = f"""for (const model of cb_obj.origin.document._all_models.values())
    if (model.name === "{_THIN}") model.setv({{visible: cb_obj.event_name === "panend"}}, {{sync: false}})"""


@dataclass(frozen=True)
class _Group:
    """The seeds of one condition of one run: what has a colour of its own."""

    label: str
    colour: str
    dash: str
    curves: Growing
    condition: int


@dataclass(frozen=True)
class _Plot:
    name: str
    figure: Any
    sources: list[tuple[ColumnDataSource, ColumnDataSource, ColumnDataSource]]


class Board:
    """Curves of runs, with what one may choose about them.

    Args:
        runs, names: which runs; the curves of several stand in the same plots, told apart by their dashes.
        order: of observables, where one is better than the alphabet's.
    """

    def __init__(self, runs: Runs, names: Sequence[str], order: Sequence[str] = ()) -> None:
        self._runs, self._names = runs, list(names)
        self._all = [Growing(runs.load(name)) for name in names]
        for curves in self._all:
            curves.read()
        have = dict.fromkeys(name for curves in self._all for name in curves.names)
        known = [name for name in order if name in have] + sorted(have.keys() - set(order))
        conditions = list(dict.fromkeys(c for curves in self._all for c in curves.conditions))
        self._colours = {condition: colour(i) for i, condition in enumerate(conditions)}
        self._observables = pn.widgets.MultiChoice(
            name="Observables", options=known, value=known[:_SHOWN], sizing_mode="stretch_width"
        )
        self._conditions = pn.widgets.MultiChoice(
            name="Conditions", options=conditions, value=conditions[:_COLOURED], sizing_mode="stretch_width"
        )
        self._log_x = tick("log time")
        self._log_y = tick("log values")
        self._seeds = tick("seeds", True)
        self._band = tick("95 % band", True)
        self._align = pn.widgets.Select(
            name="Align at the onset of", options={"–": "", **{n: n for n in known}}, width=200
        )
        self._at = pn.widgets.FloatInput(name="its threshold", value=0.0, width=120, visible=False)
        self._legend = html("")
        self._note = html("")
        columns = "repeat(auto-fit, minmax(min(100%, 430px), 1fr))"
        look = {"display": "grid", "grid-template-columns": columns, "gap": "8px 16px"}
        # A column of Panel's holds a button for scrolling, unseen, which would take a cell of the grid.
        alone = [".scroll-button { display: none !important; }"]
        self._grid = pn.Column(sizing_mode="stretch_width", styles=look, stylesheets=alone)
        self._plots: list[_Plot] = []
        self._onsets: list[Float[np.ndarray, "seed"]] = []
        self._stretch = 1
        self._movements = 0
        self._extent: tuple[float, float] | None = None  # of the times that there were when last drawn
        self._covered: tuple[float, float, float] | None = None  # times that are drawn, and how many were in sight
        for widget in (
            self._observables,
            self._conditions,
            self._log_x,
            self._log_y,
            self._seeds,
            self._band,
            self._at,
        ):
            widget.param.watch(lambda _: self._build(), "value")
        self._align.param.watch(lambda _: self._aligned(), "value")

    def view(self) -> pn.viewable.Viewable:
        """The board as a part of a page; it follows its runs while they grow.

        The plots come after the page: they are made while the browser still reads its scripts.
        """
        if pn.state.curdoc is None:
            self._build()
        else:
            pn.state.curdoc.add_timeout_callback(self._begin, _LATER)
        if any(self._grows()):
            self._clock = pn.state.add_periodic_callback(self.tick, period=_PERIOD)
        which = pn.Row(self._observables, self._conditions, sizing_mode="stretch_width")
        how = pn.FlexBox(
            self._seeds,
            self._band,
            self._log_x,
            self._log_y,
            self._align,
            self._at,
            align_items="end",
            gap="4px 14px",
        )
        more = pn.Card(which, title="Choose observables and conditions", collapsed=True, sizing_mode="stretch_width",
                       margin=(4, 0))  # fmt: skip
        return pn.Column(how, self._legend, self._grid, self._note, more, sizing_mode="stretch_width")

    def tick(self) -> None:
        """Read what is new and draw it; stop looking once no run grows any more."""
        growing = self._grows()  # before reading, so that what a run wrote last is read too
        if any([curves.read() for curves in self._all]):
            self._fill()
        if not any(growing):
            self._clock.stop()

    def _grows(self) -> list[bool]:
        return [self._runs.status(curves.run.refresh()) == "running" for curves in self._all]

    # -- laying out ---------------------------------------------------------------------------------------------------

    def _groups(self) -> list[_Group]:
        several = len(self._all) > 1
        return [
            _Group(
                f"{condition} · {self._names[i]}" if several else condition,
                self._colours[condition],
                _DASHES[i % len(_DASHES)],
                curves,
                at,
            )
            for i, curves in enumerate(self._all)
            for at, condition in enumerate(curves.conditions)
            if condition in self._conditions.value
        ]

    def _begin(self) -> None:
        """Make the plots that a first screen shows; the others follow when the browser has drawn these."""
        self._build(_FIRST)
        pn.state.onload(self._complete)

    def _build(self, first: int | None = None) -> None:
        """Make all plots anew, or only the first few of them."""
        groups = self._groups()
        self._onsets = [self._onset_of(group) for group in groups] if self._align.value else []
        self._time = DataRange1d(range_padding=0.02)
        self._plots = [self._plot(name, groups) for name in self._observables.value[:first]]
        for end in ("start", "end"):
            self._time.on_change(end, self._moved)
        self._legend.object = '<div class="legend">' + "".join(map(_entry, groups)) + "</div>"
        self._fill()
        self._grid[:] = [_pane(plot) for plot in self._plots]

    def _complete(self) -> None:
        """Make the plots that are still missing."""
        groups, have = self._groups(), {plot.name for plot in self._plots}
        added = [self._plot(name, groups) for name in self._observables.value if name not in have]
        if added:
            self._plots += added
            self._fill(added)
            self._grid.extend([_pane(plot) for plot in added])

    def _plot(self, name: str, groups: Sequence[_Group]) -> _Plot:
        about = next(curves.about[name] for curves in self._all if name in curves.about)
        plot = figure(
            height=250, sizing_mode="stretch_width", x_range=self._time, title=name,
            x_axis_type="log" if self._log_x.value else "linear", y_axis_type="log" if self._log_y.value else "linear",
            x_axis_label=f"steps since the onset of {self._align.value}" if self._align.value else "step",
            y_axis_label=about if len(about) < 34 else "", tools="pan,xwheel_zoom,box_zoom,reset,save",
            active_drag="pan", active_scroll=None, toolbar_location="right",
        )  # fmt: skip
        _dress(plot)
        sources, means = [], []
        for group in groups:
            thin, bold = ColumnDataSource({"x": [], "y": []}), ColumnDataSource({"x": [], "y": [], "what": []})
            band = ColumnDataSource({"x": [], "low": [], "high": []})
            hue = group.colour
            lines = Line(x="x", y="y", line_color=hue, line_width=0.8, line_alpha=0.28)
            plot.add_glyph(thin, lines, name=_THIN)
            plot.add_glyph(band, VArea(x="x", y1="low", y2="high", fill_color=hue, fill_alpha=0.18))
            mean = Line(x="x", y="y", line_color=hue, line_width=2.6, line_dash=group.dash)
            means.append(plot.add_glyph(bold, mean))
            sources.append((thin, band, bold))
        tips = [("", "@what"), ("mean", "@y{0.0000a}"), ("step", "@x{0,0}")]
        plot.add_tools(HoverTool(renderers=means, tooltips=tips, visible=False))
        for event in ("panstart", "panend"):
            plot.js_on_event(event, CustomJS(code=_DRAGGED))
        return _Plot(name, plot, sources)

    # -- drawing ------------------------------------------------------------------------------------------------------

    def _moved(self, attr: str, old: Any, new: Any) -> None:
        """Draw what has come into sight, once nothing has moved for a moment."""
        if pn.state.curdoc is None:
            return
        self._movements += 1
        latest = self._movements

        def rested() -> None:
            if latest == self._movements and not self._enough():
                self._fill()

        pn.state.curdoc.add_timeout_callback(rested, _REST)

    def _enough(self) -> bool:
        """Whether what is in sight is drawn, and about as finely as it can be."""
        start, end = self._time.start, self._time.end
        if self._stretch == 1 and self._covered is not None and self._covered[:2] == self._extent:
            return True
        if self._covered is None or self._extent is None or not _is_span(start, end):
            return True
        low, high, wide = self._covered
        fine = end - start > 0.6 * wide or self._stretch == 1
        return fine and (start >= low or low <= self._extent[0]) and (end <= high or high >= self._extent[1])

    def _fill(self, plots: Sequence[_Plot] | None = None) -> None:
        """Give curves to all plots, or to those that are new."""
        groups = self._groups()
        extents: list[float] = []
        if plots is None:
            plots, self._stretch = self._plots, 1
        elif self._extent is not None:
            extents += self._extent
        curves = sum(len(g.curves.values(g.curves.names[0], 0)) for g in groups) or 1
        each = max(60, min(_MEAN_POINTS, _POINTS // curves))
        drawn: list[float] = []
        for plot in plots:
            for i, (group, (thin, band, bold)) in enumerate(zip(groups, plot.sources, strict=True)):
                if plot.name not in group.curves.names:
                    continue
                values = group.curves.values(plot.name, group.condition)
                if self._log_y.value:
                    values = np.where(values > 0, values, np.nan)
                times = np.broadcast_to(group.curves.known(), values.shape)
                if self._onsets:
                    times, values = _shifted(group.curves.known(), values, self._onsets[i])
                possible = times[times > 0] if self._log_x.value else times
                extents += [float(possible.min()), float(possible.max())] if possible.size else []
                times, values = self._visible(times, values)
                if not values.size:
                    continue
                drawn += [float(times.min()), float(times.max())]
                if self._seeds.value:
                    x, y, stretch = thinned(times, values, each)
                    thin.data, self._stretch = {"x": x, "y": y}, max(self._stretch, stretch)
                mean, low, high = mean_and_band(values)
                x, y, stretch = thinned(times[:1], mean[None], _MEAN_POINTS)
                bold.data = {"x": x, "y": y, "what": [group.label] * len(x)}
                self._stretch = max(self._stretch, stretch)
                if self._band.value:
                    step = max(1, len(mean) // _MEAN_POINTS)
                    there = np.isfinite(low[::step])
                    edges = {"x": times[0], "low": low, "high": high}
                    band.data = {name: edge[::step][there].astype(np.float32) for name, edge in edges.items()}
        self._extent = (min(extents), max(extents)) if extents else None
        if drawn:
            first, last = min(drawn), max(drawn)
            start, end = self._time.start, self._time.end
            self._covered = (first, last, min(last - first, end - start) if _is_span(start, end) else last - first)
        self._note.object = self._words()

    def _visible(self, times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The records in sight and half as much on either side; all of them before anything was moved."""
        if self._log_x.value:
            keep = times[0] > 0
            times, values = times[:, keep], values[:, keep]
        start, end = self._time.start, self._time.end
        if not (_is_span(start, end) and times.size):
            return times, values
        if self._extent is not None and start <= self._extent[0] and end >= self._extent[1]:
            return times, values  # all that there was is in sight, so what has come since is wanted too
        seen = (times[0] >= start) & (times[0] <= end)
        if seen.sum() >= 0.8 * times.shape[1]:
            return times, values
        margin = (end - start) / 2
        keep = (times[0] >= start - margin) & (times[0] <= end + margin)
        return times[:, keep], values[:, keep]

    def _words(self) -> str:
        words = []
        if self._stretch > 1:
            words.append(
                f"There are more records than pixels: of every {self._stretch} records of a curve the lowest and the "
                "highest are drawn. Zoom in to see each."
            )
        for what, choice in (("observables", self._observables), ("conditions", self._conditions)):
            if hidden := len(choice.options) - len(choice.value):
                words.append(f"{hidden} more {what} can be chosen below.")
        if self._log_x.value or self._log_y.value:
            words.append("A logarithmic axis leaves out what is not above zero.")
        if self._onsets:
            emerged = sum(int(np.isfinite(o).sum()) for o in self._onsets)
            seeds = sum(len(o) for o in self._onsets)
            words.append(
                f"{emerged} of {seeds} seeds come to the threshold in three records in a row; the others have no onset "
                "and are left out. The tab Questions asks the instrument itself."
            )
        return f'<p class="quiet">{escape(" ".join(words))}</p>' if words else ""

    # -- onsets -------------------------------------------------------------------------------------------------------

    def _aligned(self) -> None:
        name = self._align.value
        self._at.visible = bool(name)
        if name:
            means = [
                mean_and_band(g.curves.values(name, g.condition))[0] for g in self._groups() if name in g.curves.names
            ]
            ends = np.concatenate([m[np.isfinite(m)] for m in means] or [np.zeros(1)])
            middle = float(np.round((ends.min() + ends.max()) / 2, 4)) if ends.size else 0.0
            if self._at.value != middle:
                self._at.value = middle  # which builds
                return
        self._build()

    def _onset_of(self, group: _Group) -> Float[np.ndarray, "seed"]:
        """When each seed came to the threshold to stay for three records; NaN for those that never did."""
        import xarray as xr

        name, times = self._align.value, group.curves.known()
        values = group.curves.values(name, group.condition) if name in group.curves.names else np.empty((0, 0))
        if values.size == 0:
            return np.full(len(values), np.nan)
        mean = mean_and_band(values)[0]
        mean = mean[np.isfinite(mean)]
        down = mean.size > 1 and mean[-1] < mean[0]
        data = xr.DataArray(
            values, dims=("seed", "time"), coords={"time": times, "seed": range(len(values))}, name=name
        )
        try:
            found = onset(
                data, threshold=float(self._at.value or 0.0), direction="down" if down else "up", by=None, draws=99
            )
        except UserError:  # too short a curve has no onset yet
            return np.full(len(values), np.nan)
        return np.asarray(found.tables["seeds"]["onset"], dtype=float)


def _shifted(
    times: np.ndarray, values: np.ndarray, onsets: Float[np.ndarray, "seed"]
) -> tuple[Float[np.ndarray, "seed time"], Float[np.ndarray, "seed time"]]:
    """Curves on a common time that is zero at each one's own onset; those without one are left out."""
    has = np.isfinite(onsets)
    if not has.any() or len(times) < 2:
        return np.empty((0, 0)), np.empty((0, 0))
    index = np.searchsorted(times, onsets[has])
    before, count = int(index.max()), len(times)
    width = before + count - int(index.min())
    moved = np.full((int(has.sum()), width), np.nan)
    for row, (seed, at) in enumerate(zip(values[has], index, strict=True)):
        moved[row, before - at : before - at + count] = seed
    common = (np.arange(width) - before) * float(times[1] - times[0])
    return np.broadcast_to(common, moved.shape), moved


def _is_span(start: Any, end: Any) -> bool:
    """Whether a range has its ends already; the browser finds them when it draws for the first time."""
    return isinstance(start, (int, float)) and isinstance(end, (int, float)) and end > start


def _pane(plot: _Plot) -> pn.viewable.Viewable:
    return pn.pane.Bokeh(plot.figure, sizing_mode="stretch_width", margin=0, theme=None)


def _entry(group: _Group) -> str:
    return f'<span><b class="{group.dash}" style="border-color:{group.colour}"></b>{escape(group.label)}</span>'


def _muted() -> str:
    return "#a9b3c1" if is_dark() else "#586272"


def _dress(plot: Any) -> None:
    """The house's look: no frame, quiet grid, colours of the page."""
    ink, line = ("#e8ecf2", "#343d4a") if is_dark() else ("#1c2430", "#e6e9ee")
    plot.background_fill_color = plot.border_fill_color = None
    plot.outline_line_color = None
    plot.title.text_color, plot.title.text_font_size = ink, "13px"
    plot.toolbar.logo, plot.toolbar.autohide = None, True
    plot.grid.grid_line_color = line
    for axis in plot.axis:
        axis.axis_label_text_color = axis.major_label_text_color = _muted()
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = line
        axis.axis_label_text_font_style, axis.axis_label_text_font_size = "normal", "12px"
