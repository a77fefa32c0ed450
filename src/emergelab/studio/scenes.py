"""Scenes (`emergelab.views`) drawn in the browser: a figure is made once, and each further scene only changes its data.

Up to `MOST_SINGLE` agents are drawn one by one and say what is known of them when they are touched. More of them are
counted into a raster in which each kind keeps its colour; whoever zooms in until few enough are in sight gets single
ones again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from bokeh.events import RangesUpdate
from bokeh.models import ColumnDataSource, CustomJSHover, HoverTool, LinearColorMapper, Range1d
from bokeh.plotting import figure
from jaxtyping import Float, Num, UInt8
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb

from ..figures.style import COLOURS, HEATMAP, SIGNED
from ..views import Agents, Cells, Layer, Lines, Names, Network, Scene

__all__ = ["MOST_SINGLE", "BarStage", "Bars", "Stage", "legend_of", "places_of", "raster"]

MOST_SINGLE = 20_000
"""Agents, nodes or edges that are drawn one by one; more become a raster."""
INK = "#7A8290"
"""Colour of lines and of texts inside figures: readable on a light and on a dark ground."""
_GROUND = ("#F4F4F1", "#3D4451", *COLOURS)
_INKS = (INK, COLOURS[1], COLOURS[0], COLOURS[2], COLOURS[3])
_PIXELS = 640
_TALLEST = 600
_ASPECTS = (0.5, 4.0)
_MOST_SPRUNG = 1500
_Bounds = tuple[float, float, float, float]  # left, right, bottom, top


@dataclass(frozen=True, eq=False)
class Bars:
    """Numbers beside each other, for what has no place of its own.

    Attributes:
        labels: of the bars.
        values: their heights, NaN for none.
        low, high: between which the heights lie over all times.
        name: what the numbers are, with their unit.
    """

    labels: Sequence[str]
    values: Num[np.ndarray, "bar"]
    low: float
    high: float
    name: str = ""


def raster(
    x: Num[np.ndarray, "agent"],
    y: Num[np.ndarray, "agent"],
    kind: Num[np.ndarray, "agent"] | None,
    window: _Bounds,
    shape: tuple[int, int],
) -> UInt8[np.ndarray, "row column 4"]:
    """Agents counted into pixels: colour by the kinds there, opacity by the logarithm of how many.

    Args:
        x, y: places.
        kind: number of each one's kind, or None.
        window: left, right, bottom, top.
        shape: rows and columns; the first row is the lowest.
    """
    left, right, bottom, top = window
    rows, columns = shape
    pixels = rows * columns
    # Places outside fall into one more pixel, so that no array has to be thinned out.
    column, row = (x - left) * (columns / (right - left)), (y - bottom) * (rows / (top - bottom))
    inside = (column >= 0) & (row >= 0) & (column < columns) & (row < rows)
    pixel = np.where(inside, row.astype(np.int32) * columns + column.astype(np.int32), pixels)
    kinds = np.zeros(len(pixel), np.int32) if kind is None else np.asarray(kind, np.int32)
    most = int(kinds.max(initial=0)) + 1
    counts = np.bincount(pixel + kinds * (pixels + 1), minlength=most * (pixels + 1)).reshape(most, pixels + 1)[:, :-1]
    total = counts.sum(axis=0)
    mixed = counts.T @ np.array([to_rgb(COLOURS[k % len(COLOURS)]) for k in range(most)])
    found = np.zeros((pixels, 4), np.uint8)
    some = total > 0
    found[some, :3] = np.round(255 * mixed[some] / total[some, None])
    found[some, 3] = np.round(255 * (0.35 + 0.65 * np.log1p(total[some]) / np.log1p(total.max(initial=1))))
    return found.reshape(rows, columns, 4)


def places_of(layer: Network) -> Float[np.ndarray, "node 2"]:
    """Places for the nodes of a network that has none: springs with a fixed beginning, or a circle for large ones."""
    count = _nodes(layer)
    if not 0 < count <= _MOST_SPRUNG or not len(layer.edges):
        turn = 2 * np.pi * np.arange(count) / max(count, 1)
        return np.stack([np.cos(turn), np.sin(turn)], axis=1)
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(range(count))
    weights = np.ones(len(layer.edges)) if layer.weights is None else np.abs(np.asarray(layer.weights, float))
    graph.add_weighted_edges_from((int(a), int(b), float(w)) for (a, b), w in zip(layer.edges, weights, strict=True))
    found = nx.spring_layout(graph, seed=0)
    return np.array([found[node] for node in range(count)], float)


def _nodes(layer: Network) -> int:
    columns = [layer.x, layer.kind, layer.labels or None, *layer.state.values()]
    return next((len(c) for c in columns if c is not None), int(layer.edges.max(initial=-1)) + 1)


def legend_of(scene: Scene) -> str:
    """What colours mean, as HTML: kinds with swatches, numbers with a band of colours."""
    known: dict[str, str] = {}
    bands = []
    for layer in scene.layers:
        if isinstance(layer, Cells):
            known |= {k: c for k, c in zip(layer.kinds, _palette(layer), strict=False) if k}
            if not layer.kinds and layer.values.size:
                bands.append(_band(layer))
        elif isinstance(layer, (Agents, Network)):
            known |= {k: COLOURS[i % len(COLOURS)] for i, k in enumerate(layer.kinds) if k}
    kinds = [layer.kind for layer in scene.layers if isinstance(layer, Lines) and layer.kind]
    inks = {k: _INKS[i % len(_INKS)] for i, k in enumerate(dict.fromkeys(kinds))}
    parts = [f'<span class="swatch" style="background:{c}"></span>{escape(k)}' for k, c in known.items()]
    hidden = sum(max(0, len(layer.edges) - MOST_SINGLE) for layer in scene.layers if isinstance(layer, Network))
    bands += [f"<span>{MOST_SINGLE:,} heaviest edges are drawn, {hidden:,} are not</span>"] if hidden else []
    parts += [f'<span class="swatch" style="height:3px;vertical-align:3px;background:{c}"></span>{escape(k)}'
              for k, c in inks.items()]  # fmt: skip
    return " &emsp;".join([f"<span>{p}</span>" for p in parts] + bands)


def _limits(layer: Cells) -> tuple[float, float]:
    """Between which numbers the colours of cells lie."""
    values = layer.values.astype(float)  # whole numbers have no infinity to begin with
    seen = values[np.isfinite(values)]
    low = float(seen.min(initial=np.inf)) if layer.low is None else layer.low
    high = float(seen.max(initial=-np.inf)) if layer.high is None else layer.high
    return (low, high) if np.isfinite(low) and high > low else (low if np.isfinite(low) else 0.0, (
        low if np.isfinite(low) else 0.0) + 1.0)  # fmt: skip


def _palette(layer: Cells) -> list[str]:
    if layer.kinds:
        # More kinds than the house has colours are told apart by a second set.
        more = [to_hex(c) for c in colormaps["tab20"](np.arange(20))]
        return [*_GROUND, *more][: len(layer.kinds)]
    low, _ = _limits(layer)
    return [to_hex(c) for c in colormaps[SIGNED if low < 0 else HEATMAP](np.linspace(0, 1, 256))]


def _band(layer: Cells) -> str:
    palette, (low, high) = _palette(layer), _limits(layer)
    stops = ",".join(palette[i] for i in (0, 64, 128, 192, 255))
    unit = f" {layer.unit}" if layer.unit not in ("", "1") else ""
    return (
        f"<span>{escape(layer.name or 'value')} {low:.3g} <span style='display:inline-block;width:90px;height:10px;"
        f"border-radius:3px;background:linear-gradient(90deg,{stops})'></span> {high:.3g}{escape(unit)}</span>"
    )


class Stage:
    """A figure for scenes of one make: the same kinds of layers, with the same names.

    Attributes:
        figure: what is shown.

    Args:
        scene: the first one.
        places: of the nodes of networks that have none.
    """

    def __init__(self, scene: Scene, places: Float[np.ndarray, "node 2"] | None = None) -> None:
        self._make, self._places, self._scene = _make(scene), places, scene
        self._bounds = _bounds(scene, places)
        self.figure = _empty_figure(self._bounds)
        self._sources: list[dict[str, ColumnDataSource]] = []
        self._mappers: list[LinearColorMapper | None] = []
        inks = iter(_INKS * (1 + len(scene.layers)))
        for layer in scene.layers:
            self._add(layer, next(inks) if isinstance(layer, Lines) else "")
        self.show(scene)
        self.figure.on_event(RangesUpdate, self._looked)

    def fits(self, scene: Scene) -> bool:
        """Whether a scene can be shown by changing data alone."""
        return _make(scene) == self._make

    def show(self, scene: Scene) -> None:
        """Show another scene of the same make."""
        self._scene = scene
        for layer, sources, mapper in zip(scene.layers, self._sources, self._mappers, strict=True):
            if isinstance(layer, Cells):
                rows, columns = layer.values.shape
                sources["cells"].data = {"image": [_pixels(layer)], "x": [0], "y": [0], "dw": [columns], "dh": [rows]}
                if mapper is not None and not layer.kinds:
                    mapper.low, mapper.high = _limits(layer)
            elif isinstance(layer, Lines):
                sources["lines"].data = {"x": np.asarray(layer.x, float), "y": np.asarray(layer.y, float)}
            elif isinstance(layer, Names):
                places = {"x": np.asarray(layer.x, float), "y": np.asarray(layer.y, float)}
                sources["names"].data = places | {"words": list(layer.words)}
            elif isinstance(layer, Network):
                self._show_network(layer, sources)
            else:
                self._show_points(layer, sources)
        wider = _union(self._bounds, _bounds(scene, self._places))
        if wider != self._bounds:
            self._bounds = wider
            _set_ranges(self.figure, wider)

    def _looked(self, _: Any = None) -> None:
        """The user has panned or zoomed: rasters are counted anew for what is in sight."""
        for layer, sources in zip(self._scene.layers, self._sources, strict=True):
            if isinstance(layer, Agents) and len(layer.x) > MOST_SINGLE:
                self._show_points(layer, sources)

    @property
    def crowded(self) -> bool:
        """Whether agents in sight are too many to be drawn one by one."""
        return any(len(s["raster"].data.get("image", ())) for s in self._sources if "raster" in s)

    def _add(self, layer: Layer, ink: str) -> None:
        fig, mapper = self.figure, None
        sources: dict[str, ColumnDataSource] = {}
        if isinstance(layer, Cells):
            low, high = (-0.5, len(layer.kinds) - 0.5) if layer.kinds else _limits(layer)
            mapper = LinearColorMapper(palette=_palette(layer), low=low, high=high, nan_color="rgba(0,0,0,0)")
            sources["cells"] = ColumnDataSource({"image": [], "x": [], "y": [], "dw": [], "dh": []})
            drawn = fig.image("image", "x", "y", "dw", "dh", source=sources["cells"], color_mapper=mapper)
            code = f"const k = {list(layer.kinds)!r}; return k[Math.round(value)] ?? '';"
            told = {"@image": CustomJSHover(code=code)} if layer.kinds else {}
            text = "@image{custom}" if layer.kinds else "@image{0.[0000]}"
            unit = f" {layer.unit}" if layer.unit not in ("", "1") else ""
            fig.add_tools(HoverTool(renderers=[drawn], tooltips=[(layer.name or "cell", text + unit)], formatters=told))
        elif isinstance(layer, Lines):
            sources["lines"] = ColumnDataSource({"x": [], "y": []})
            fig.line("x", "y", source=sources["lines"], color=ink, width=1.6)
        elif isinstance(layer, Names):
            sources["names"] = ColumnDataSource({"x": [], "y": [], "words": []})
            fig.text("x", "y", text="words", source=sources["names"], text_color=INK, text_font_size="11px",
                     text_align="center", text_baseline="middle")  # fmt: skip
        else:
            if isinstance(layer, Network):
                sources["edges"] = ColumnDataSource({"x0": [], "y0": [], "x1": [], "y1": [], "width": []})
                fig.segment("x0", "y0", "x1", "y1", source=sources["edges"], color=INK, alpha=0.5, line_width="width")
            sources["raster"] = ColumnDataSource({"image": [], "x": [], "y": [], "dw": [], "dh": []})
            fig.image_rgba("image", "x", "y", "dw", "dh", source=sources["raster"])
            columns, tips = _columns(layer)
            sources["heads"] = ColumnDataSource({"x0": [], "y0": [], "x1": [], "y1": []})
            fig.segment("x0", "y0", "x1", "y1", source=sources["heads"], color=INK, line_width=1.5)
            sources["points"] = ColumnDataSource({name: [] for name in columns})
            drawn = fig.scatter(
                "x", "y", source=sources["points"], size="size", fill_color="colour", line_color="#FFFFFF",
                line_width=0.6,
            )  # fmt: skip
            fig.add_tools(HoverTool(renderers=[drawn], tooltips=tips))
        self._sources.append(sources)
        self._mappers.append(mapper)

    def _show_network(self, layer: Network, sources: Mapping[str, ColumnDataSource]) -> None:
        at = self._at(layer)
        weights = np.ones(len(layer.edges)) if layer.weights is None else np.asarray(layer.weights, float)
        # The heaviest edges are those that are seen in a crowd.
        kept = np.argsort(-np.abs(weights), kind="stable")[:MOST_SINGLE]
        edges, weights = layer.edges[kept], np.abs(weights[kept])
        width = 0.4 + 2.6 * weights / max(float(weights.max(initial=0)), 1e-12)
        a, b = at[edges[:, 0]], at[edges[:, 1]]
        sources["edges"].data = {"x0": a[:, 0], "y0": a[:, 1], "x1": b[:, 0], "y1": b[:, 1], "width": width}
        self._show_points(
            Agents(at[:, 0], at[:, 1], layer.kind, layer.kinds, labels=layer.labels, state=layer.state), sources
        )

    def _at(self, layer: Network) -> np.ndarray:
        if layer.x is not None and layer.y is not None:
            return np.stack([np.asarray(layer.x, float), np.asarray(layer.y, float)], axis=1)
        if self._places is None or len(self._places) != _nodes(layer):
            self._places = places_of(layer)
        return self._places

    def _show_points(self, layer: Agents, sources: Mapping[str, ColumnDataSource]) -> None:
        x, y = np.asarray(layer.x, float), np.asarray(layer.y, float)
        empty: dict[str, list[Any]] = {"image": [], "x": [], "y": [], "dw": [], "dh": []}
        shown: np.ndarray | None = None
        if len(x) > MOST_SINGLE:
            left, right, bottom, top = self._window()
            shown = np.flatnonzero((x >= left) & (x <= right) & (y >= bottom) & (y <= top))
            if len(shown) > MOST_SINGLE:
                rows = max(1, round(_PIXELS * (top - bottom) / (right - left)))
                shape = (min(rows, 2 * _PIXELS), _PIXELS)
                image = raster(x, y, layer.kind, (left, right, bottom, top), shape).view(np.uint32)[..., 0]
                sources["raster"].data = {
                    "image": [image], "x": [left], "y": [bottom], "dw": [right - left], "dh": [top - bottom],
                }  # fmt: skip
                sources["points"].data = {name: [] for name in sources["points"].data}
                sources["heads"].data = {"x0": [], "y0": [], "x1": [], "y1": []}
                return
        sources["raster"].data = empty
        columns = _values(layer, shown)
        sources["points"].data = columns
        if layer.heading is not None:
            way = np.asarray(layer.heading, float)[slice(None) if shown is None else shown]
            long = 0.03 * (self._bounds[1] - self._bounds[0])
            ax, ay = np.asarray(columns["x"]), np.asarray(columns["y"])
            sources["heads"].data = {"x0": ax, "y0": ay, "x1": ax + long * np.cos(way), "y1": ay + long * np.sin(way)}

    def _window(self) -> _Bounds:
        fig = self.figure
        return (fig.x_range.start, fig.x_range.end, fig.y_range.start, fig.y_range.end)


class BarStage:
    """A figure for bars whose labels stay the same.

    Attributes:
        figure: what is shown.
    """

    def __init__(self, bars: Bars) -> None:
        self._labels, self._name = tuple(bars.labels), bars.name
        self._limits = (bars.low, bars.high)
        self.source = ColumnDataSource({"label": [], "top": [], "at": []})
        start, end, floor = _heights(bars)
        self.figure = figure(
            height=340, sizing_mode="stretch_width", max_width=900, tools="ypan,ywheel_zoom,reset,save",
            x_range=Range1d(-0.6, len(bars.labels) - 0.4),
            y_range=Range1d(start, end), background_fill_alpha=0,
            border_fill_alpha=0, outline_line_color=None,
        )  # fmt: skip
        step = max(1, -(-len(bars.labels) // 24))
        ticks = list(range(0, len(bars.labels), step))
        self.figure.xaxis.ticker = ticks
        self.figure.xaxis.major_label_overrides = {i: str(bars.labels[i])[:24] for i in ticks}
        if max((len(str(x)) for x in bars.labels), default=0) * len(ticks) > 60:
            self.figure.xaxis.major_label_orientation = 0.9
        self.figure.yaxis.axis_label = bars.name
        for axis in self.figure.axis:
            axis.major_label_text_color = axis.axis_label_text_color = INK
            axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = INK
        self.figure.grid.grid_line_color, self.figure.grid.grid_line_alpha = INK, 0.25
        self.figure.xgrid.visible = False
        drawn = self.figure.vbar("at", top="top", bottom=floor, width=0.75, source=self.source, color=COLOURS[0])
        self.figure.add_tools(HoverTool(renderers=[drawn], tooltips=[("", "@label"), (bars.name, "@top{0.[0000]}")]))
        _quiet(self.figure)
        self.show(bars)

    def fits(self, bars: Bars) -> bool:
        """Whether bars can be shown by changing data alone: those of a run that has grown may need other limits."""
        return (tuple(bars.labels), bars.name, (bars.low, bars.high)) == (self._labels, self._name, self._limits)

    def show(self, bars: Bars) -> None:
        """Show other heights."""
        self.source.data = {
            "label": [str(x) for x in bars.labels],
            "top": np.asarray(bars.values, float),
            "at": np.arange(len(bars.labels)),
        }


def _heights(bars: Bars) -> tuple[float, float, float]:
    """Where the axis of bars begins and ends, and on which height they stand: 0 unless all are far above it."""
    pad = 0.06 * ((bars.high - bars.low) or 1.0)
    low = min(bars.low, 0.0) if bars.low < 0 or bars.low < 0.5 * bars.high else bars.low - pad
    return low - (pad if low < 0 else 0), bars.high + pad, max(low, 0.0)


def _make(scene: Scene) -> tuple[Any, ...]:
    """What must be equal for two scenes to share a figure."""
    out: list[Any] = []
    for layer in scene.layers:
        if isinstance(layer, Cells):
            out.append(("cells", tuple(layer.kinds), layer.name, layer.unit))
        elif isinstance(layer, Lines):
            out.append(("lines", layer.kind))
        elif isinstance(layer, Names):
            out.append(("names",))
        else:
            heading = isinstance(layer, Agents) and layer.heading is not None
            out.append((type(layer), tuple(layer.kinds), tuple(layer.state), bool(len(layer.labels)), heading))
    return tuple(out)


def _bounds(scene: Scene, places: np.ndarray | None) -> _Bounds:
    """Left, right, bottom and top of what a scene holds."""
    xs: list[Any] = []
    ys: list[Any] = []
    for layer in scene.layers:
        if isinstance(layer, Cells):
            xs.append([0, layer.values.shape[1]])
            ys.append([0, layer.values.shape[0]])
        elif isinstance(layer, Network) and layer.x is None:
            at = places_of(layer) if places is None or len(places) != _nodes(layer) else places
            xs.append(at[:, 0])
            ys.append(at[:, 1])
        elif layer.x is not None and layer.y is not None:
            xs.append(layer.x)
            ys.append(layer.y)
    x, y = (np.concatenate([np.asarray(v, float).ravel() for v in vs]) if vs else np.zeros(1) for vs in (xs, ys))
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if not len(x) or not len(y):
        return (0.0, 1.0, 0.0, 1.0)
    return (float(x.min()), float(x.max()), float(y.min()), float(y.max()))


def _union(a: _Bounds, b: _Bounds) -> _Bounds:
    return (min(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), max(a[3], b[3]))


def _padded(bounds: Sequence[float]) -> tuple[float, float, float, float, float]:
    """Ranges with a little room, and the shape of the figure: equal aspect unless that would be a thread."""
    left, right, bottom, top = bounds
    wide, tall = (right - left) or 1.0, (top - bottom) or 1.0
    room = 0.04 * max(min(wide, tall), 0.05 * max(wide, tall))
    left, right, bottom, top = left - room, right + room, bottom - room, top + room
    aspect = float(np.clip((right - left) / (top - bottom), *_ASPECTS))
    return left, right, bottom, top, aspect


def _set_ranges(fig: Any, bounds: Sequence[float]) -> None:
    left, right, bottom, top, aspect = _padded(bounds)
    fig.x_range.update(start=left, end=right, reset_start=left, reset_end=right)
    fig.y_range.update(start=bottom, end=top, reset_start=bottom, reset_end=top)
    fig.aspect_ratio = aspect
    fig.max_width = round(min(760.0, _TALLEST * aspect))


def _empty_figure(bounds: Sequence[float]) -> Any:
    fig = figure(
        tools="pan,wheel_zoom,box_zoom,reset,save", sizing_mode="scale_width", x_range=Range1d(0, 1),
        y_range=Range1d(0, 1), background_fill_alpha=0, border_fill_alpha=0, outline_line_color=INK,
        outline_line_alpha=0.4, min_border=1,
    )  # fmt: skip
    fig.axis.visible = False
    fig.grid.visible = False
    _quiet(fig)
    _set_ranges(fig, bounds)
    return fig


def _quiet(fig: Any) -> None:
    """Tools inside the frame, so that they take no room, and only while the pointer is there."""
    fig.toolbar_inner = True
    fig.toolbar.autohide = True
    fig.toolbar.logo = None


def _pixels(layer: Cells) -> np.ndarray:
    """Cells as the browser takes them: the lowest row first, in single precision."""
    return np.ascontiguousarray(layer.values[::-1], dtype=np.float32)


def _columns(layer: Agents | Network) -> tuple[list[str], list[tuple[str, str]]]:
    """Columns of a source of points, and what a pointer shows of them."""
    names, tips = ["x", "y", "size", "colour"], []
    if len(layer.labels):
        names.append("label")
        tips.append(("", "@label"))
    if layer.kinds:
        names.append("kind")
        tips.append(("kind", "@kind"))
    for i, name in enumerate(layer.state):
        names.append(f"s{i}")
        values = np.asarray(layer.state[name])
        tips.append((name, f"@s{i}{{0.[000]}}" if values.dtype.kind == "f" else f"@s{i}"))
    return names, tips or [("x, y", "@x{0.[00]}, @y{0.[00]}")]


def _values(layer: Agents, shown: np.ndarray | None) -> dict[str, Any]:
    """A source of points: those of `shown`, or all."""
    pick: Any = slice(None) if shown is None else shown
    x, y = np.asarray(layer.x, float)[pick], np.asarray(layer.y, float)[pick]
    kind = np.zeros(len(x), int) if layer.kind is None else np.asarray(layer.kind, int)[pick]
    palette = np.array([COLOURS[i % len(COLOURS)] for i in range(int(kind.max(initial=0)) + 1)])
    out: dict[str, Any] = {
        "x": x, "y": y, "colour": palette[kind], "size": np.full(len(x), np.clip(140 / np.sqrt(max(len(x), 1)), 3, 14)),
    }  # fmt: skip
    if len(layer.labels):
        out["label"] = np.asarray(layer.labels)[pick]
    if layer.kinds:
        out["kind"] = np.asarray(layer.kinds)[kind]
    for i, values in enumerate(layer.state.values()):
        column = np.asarray(values)[pick]
        out[f"s{i}"] = np.array([str(v) for v in column]) if column.ndim > 1 or column.dtype.kind == "O" else column
    return out
