"""Film strips and animations of scenes (`emergelab.views`)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..views import Agents, Cells, Lines, Names, Network, Scene
from .style import COLOURS, GREY, HEATMAP, INK, MUTED, new, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["animate", "draw", "strip"]

_GROUND = ("#ffffff", "#3d4451", *(c for c in COLOURS))
_INKS = (INK, MUTED, COLOURS[1], COLOURS[0], COLOURS[2])


def strip(scenes: Sequence[Scene], *, columns: int | None = None, size: float = 1.9) -> Figure:
    """Scenes side by side, in the order of reading.

    Args:
        scenes: at least one.
        columns: how many in a row; all if there are no more than six.
        size: of a picture, inches.
    """
    if not scenes:
        raise UserError("strip: there are no scenes to draw")
    columns = columns or min(len(scenes), 6)
    rows = -(-len(scenes) // columns)
    fig, axes = new(rows, columns, width=size * columns + 0.4, height=(size + 0.35) * rows + 0.3)
    flat = np.atleast_1d(axes).ravel()
    spread, inks = _spread(scenes), _inks(scenes)
    for ax, scene in zip(flat, scenes, strict=False):
        draw(ax, scene, spread, inks)
    for ax in flat[len(scenes) :]:
        ax.set_axis_off()
    _legend(fig, scenes)
    return fig


def animate(
    scenes: Sequence[Scene], path: str | Path, *, seconds: float = 0.2, size: float = 3.6, dpi: int = 100
) -> Path:
    """Scenes one after the other, as an animated GIF that repeats.

    Args:
        scenes: at least one.
        path: where the picture goes; must end with `.gif`.
        seconds: that each scene is seen.
        size: of the picture, inches.
        dpi: pixels an inch.
    """
    from PIL import Image

    path = Path(path)
    if path.suffix.lower() != ".gif":
        raise UserError(f"animate: {path} must end with .gif")
    if not scenes:
        raise UserError("animate: there are no scenes to draw")
    spread, inks = _spread(scenes), _inks(scenes)
    frames = []
    for scene in scenes:
        fig, ax = new(width=size, height=size + 0.3)
        draw(ax, scene, spread, inks)
        frames.append(Image.open(io.BytesIO(png(fig, dpi))).convert("RGB").quantize(128))
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=int(1000 * seconds), loop=0)
    return path


def draw(
    ax: Axes,
    scene: Scene,
    spread: tuple[float, float] | None = None,
    inks: Mapping[str, str] | None = None,
) -> None:
    """One scene into axes.

    Args:
        ax: where to.
        scene: what.
        spread: smallest and largest number of cells without kinds, for colours that mean the same in all pictures.
        inks: the colour of each kind of lines, likewise.
    """
    inks = inks or _inks([scene])
    for layer in scene.layers:
        if isinstance(layer, Cells):
            _cells(ax, layer, spread)
        elif isinstance(layer, Lines):
            ax.plot(layer.x, layer.y, color=inks[layer.kind], lw=0.8)
        elif isinstance(layer, Network):
            _network(ax, layer)
        elif isinstance(layer, Names):
            for x, y, words in zip(layer.x, layer.y, layer.words, strict=True):
                ax.text(x, y, words, color=INK, fontsize=5, ha="center", va="center", zorder=4)
        else:
            _agents(ax, layer)
    ax.set_aspect("equal")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)
    if scene.title:
        ax.set_title(scene.title, fontsize=8, color=INK, loc="left")


def _cells(ax: Axes, layer: Cells, spread: tuple[float, float] | None) -> None:
    from matplotlib.colors import ListedColormap

    rows, columns = layer.values.shape
    look: dict[str, Any] = {"extent": (0, columns, 0, rows), "interpolation": "nearest"}
    if layer.kinds:
        look |= {"cmap": ListedColormap(_GROUND[: len(layer.kinds)]), "vmin": -0.5, "vmax": len(layer.kinds) - 0.5}
    else:
        low, high = spread or (None, None)
        look |= {
            "cmap": HEATMAP,
            "vmin": low if layer.low is None else layer.low,
            "vmax": high if layer.high is None else layer.high,
        }
    ax.imshow(layer.values, **look)
    ax.plot([0, columns, columns, 0, 0], [0, 0, rows, rows, 0], color=GREY, lw=0.8)


def _agents(ax: Axes, layer: Agents) -> None:
    kinds = np.zeros(len(layer.x), int) if layer.kind is None else np.asarray(layer.kind)
    area = float(np.clip(4000 / max(len(layer.x), 1), 2, 40))
    for kind in np.unique(kinds):
        own = kinds == kind
        x, y = np.asarray(layer.x)[own], np.asarray(layer.y)[own]
        ax.scatter(x, y, s=area, color=COLOURS[kind % len(COLOURS)], linewidths=0, zorder=3)
        if layer.heading is not None:
            way = np.asarray(layer.heading)[own]
            ax.quiver(x, y, np.cos(way), np.sin(way), color=COLOURS[kind % len(COLOURS)], zorder=3, width=0.02)


def _network(ax: Axes, layer: Network) -> None:
    from matplotlib.collections import LineCollection

    x, y = _places(layer)
    weights = np.ones(len(layer.edges)) if layer.weights is None else np.asarray(layer.weights, float)
    widths = 0.3 + 1.2 * weights / max(weights.max(initial=0), 1e-12)
    segments = [[(x[a], y[a]), (x[b], y[b])] for a, b in layer.edges]
    ax.add_collection(LineCollection(segments, colors=MUTED, linewidths=widths, alpha=0.5))
    _agents(ax, Agents(x, y, layer.kind, layer.kinds))


def _places(layer: Network) -> tuple[np.ndarray, np.ndarray]:
    """Where nodes are; on a circle if nobody says."""
    if layer.x is not None and layer.y is not None:
        return np.asarray(layer.x, float), np.asarray(layer.y, float)
    columns = [layer.kind, layer.labels or None, *layer.state.values()]
    count = next((len(c) for c in columns if c is not None), int(layer.edges.max(initial=-1)) + 1)
    turn = 2 * np.pi * np.arange(count) / max(count, 1)
    return np.cos(turn), np.sin(turn)


def _spread(scenes: Sequence[Scene]) -> tuple[float, float] | None:
    """Smallest and largest number of all cells without kinds."""
    numbers = [
        layer.values[np.isfinite(layer.values)]
        for scene in scenes
        for layer in scene.layers
        if isinstance(layer, Cells) and not layer.kinds
    ]
    found = np.concatenate([n.ravel() for n in numbers]) if numbers else np.array([])
    return (float(found.min()), float(found.max())) if found.size else None


def _inks(scenes: Sequence[Scene]) -> dict[str, str]:
    """A colour for each kind of lines, in the order in which they occur: the first is ink, as are lines of no kind."""
    kinds = [layer.kind for scene in scenes for layer in scene.layers if isinstance(layer, Lines) and layer.kind]
    return {"": INK} | dict(zip(dict.fromkeys(kinds), cycle(_INKS), strict=False))


def _legend(fig: Figure, scenes: Sequence[Scene]) -> None:
    """What colours mean, once for all scenes."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    known: dict[str, str] = {}
    for scene in scenes:
        for layer in scene.layers:
            if isinstance(layer, Cells):
                known |= dict(zip(layer.kinds, _GROUND, strict=False))
            elif isinstance(layer, (Agents, Network)):
                known |= dict(zip(layer.kinds, COLOURS, strict=False))
    handles: list[Any] = [Patch(facecolor=colour, edgecolor=GREY, label=name) for name, colour in known.items() if name]
    lines = {kind: ink for kind, ink in _inks(scenes).items() if kind}
    # A single kind of lines speaks for itself.
    if len(lines) > 1:
        handles += [Line2D([], [], color=ink, lw=1.2, label=kind) for kind, ink in lines.items()]
    if handles:
        words = max(len(str(h.get_label())) for h in handles)
        room = max(1, int(fig.get_size_inches()[0] / (0.075 * words + 0.45)))
        fig.legend(
            handles=handles, loc="outside lower center", ncols=min(len(handles), room), frameon=False, fontsize=7
        )  # fmt: skip
