"""Views: what there is to see of a society, a world or a network at one time, as data.

A view says where things are and what they mean, and nothing of how they are drawn: `emergelab.figures.film` makes film
strips and animations of it, a page in a browser would show it with a pointer that reads what it touches. A study
declares one (`Study(view=View(...))`) whose scenes are made of what its run recorded, so whoever looks reads the disk
and computes nothing again.

    def town(run, condition, seed, time):
        at = run.data.sel(condition=condition, seed=seed, time=time)
        return Scene([Agents(at["x"].values, at["y"].values, state={"wealth": at["wealth"].values})])

A scene is a stack of layers, the first one lowest: `Cells` (a grid or a raster, also the ground of a map), `Lines`
(borders, ways, trajectories), `Network` (nodes and edges), `Agents` and `Names` (words at places). All coordinates of a
scene are of one plane: x to the right, y upwards; cell (row, column) of a grid is the unit square whose lower left
corner is (column, rows - 1 - row).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int, Num

from .errors import UserError

if TYPE_CHECKING:
    from .runs.run import Run

__all__ = ["Agents", "Cells", "Layer", "Lines", "Names", "Network", "Scene", "View", "after_the_start"]

State = Mapping[str, Sequence[Any] | np.ndarray]


@dataclass(frozen=True, eq=False)
class Cells:
    """A grid, seen from above.

    Attributes:
        values: what each cell holds: an index into `kinds`, or a number if there are none.
        kinds: what the indices mean, in order.
        unit: of the numbers.
        name: what the numbers are.
        low, high: between which the numbers lie, for colours that stay the same over time; None: those of the scene.
    """

    values: Num[np.ndarray, "..."]
    kinds: Sequence[str] = ()
    unit: str = ""
    name: str = ""
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.asarray(self.values))
        if self.values.ndim != 2:
            raise UserError(f"cells: values must have rows and columns, got shape {self.values.shape}")
        _indices("cells", "values", self.values, self.kinds)


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines through points; a point that is not a number ends one and begins the next.

    Attributes:
        x, y: the points, one each.
        kind: what the lines are, for a legend; "" for none.
    """

    x: Num[np.ndarray, "..."]
    y: Num[np.ndarray, "..."]
    kind: str = ""

    def __post_init__(self) -> None:
        _same_length("lines", {"x": self.x, "y": self.y})


@dataclass(frozen=True, eq=False)
class Network:
    """Nodes and what joins them.

    Attributes:
        edges: pairs of nodes, from and to.
        x, y: where nodes are; None: whoever draws it finds places.
        weights: of the edges; None: all alike.
        kind: of each node, an index into `kinds`; None: all alike.
        kinds: what the indices mean, in order.
        labels: of the nodes.
        state: what is known of each node, by name.
        directed: whether an edge has a direction.
    """

    edges: Int[np.ndarray, "..."]
    x: Num[np.ndarray, "..."] | None = None
    y: Num[np.ndarray, "..."] | None = None
    weights: Num[np.ndarray, "..."] | None = None
    kind: Int[np.ndarray, "..."] | None = None
    kinds: Sequence[str] = ()
    labels: Sequence[str] = ()
    state: State = field(default_factory=dict)
    directed: bool = False

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges, dtype=int).reshape(-1, 2)
        object.__setattr__(self, "edges", edges)
        if self.weights is not None and len(self.weights) != len(edges):
            raise UserError(f"network: {len(edges)} edges and {len(self.weights)} weights, expected as many")
        nodes = {"x": self.x, "y": self.y, "kind": self.kind, "labels": self.labels or None, **self.state}
        count = _same_length("network", {k: v for k, v in nodes.items() if v is not None})
        if (self.x is None) != (self.y is None):
            raise UserError("network: places need both x and y, got one of them")
        if edges.size and (edges.min() < 0 or (count is not None and edges.max() >= count)):
            raise UserError(
                f"network: edges name nodes {edges.min()} to {edges.max()}, expected 0 to {(count or 1) - 1}"
            )
        if self.kind is not None:
            _indices("network", "kind", np.asarray(self.kind), self.kinds)


@dataclass(frozen=True, eq=False)
class Agents:
    """Who is where.

    Attributes:
        x, y: places.
        kind: of each, an index into `kinds`; None: all alike.
        kinds: what the indices mean, in order.
        heading: where each one looks, radians anticlockwise from the x axis; None: nowhere.
        labels: names.
        state: what is known of each, by name: what a pointer shows that touches one.
    """

    x: Num[np.ndarray, "..."]
    y: Num[np.ndarray, "..."]
    kind: Int[np.ndarray, "..."] | None = None
    kinds: Sequence[str] = ()
    heading: Num[np.ndarray, "..."] | None = None
    labels: Sequence[str] = ()
    state: State = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = {
            "x": self.x, "y": self.y, "kind": self.kind, "heading": self.heading, "labels": self.labels or None,
            **self.state,
        }  # fmt: skip
        _same_length("agents", {k: v for k, v in columns.items() if v is not None})
        if self.kind is not None:
            _indices("agents", "kind", np.asarray(self.kind), self.kinds)


@dataclass(frozen=True, eq=False)
class Names:
    """Words at places: the names on a map, the letters beside a table.

    Attributes:
        x, y: where the middle of each one is.
        words: what stands there.
    """

    x: Num[np.ndarray, "..."]
    y: Num[np.ndarray, "..."]
    words: Sequence[str]

    def __post_init__(self) -> None:
        _same_length("names", {"x": self.x, "y": self.y, "words": self.words})


Layer = Cells | Lines | Network | Agents | Names


@dataclass(frozen=True, eq=False)
class Scene:
    """What there is to see at one time.

    Attributes:
        layers: the lowest first.
        title: what it shows, with the time if that is worth saying.
        messages: what was said, in order: (who, words).
    """

    layers: Sequence[Layer]
    title: str = ""
    messages: Sequence[tuple[str, str]] = ()

    def to_json(self) -> dict[str, Any]:
        """The scene as numbers, texts and lists; what is not a number is null."""
        layers = [{"layer": type(layer).__name__.lower(), **_plain(vars(layer))} for layer in self.layers]
        return {"title": self.title, "messages": [list(m) for m in self.messages], "layers": layers}


@dataclass(frozen=True)
class View:
    """How a state of a study is seen.

    Attributes:
        scene: (run, condition, seed, time) -> what there is to see then, out of what the run recorded.
        about: what one looks at, one sentence.
        needs: observables that it is made of; a run without one of them cannot be seen.
        conditions: those that can be seen; empty: all.
        times: (run, condition, seed) -> the times that can be seen up to what is written, where a record tells of more
            times than its own; None: those of the records.
    """

    scene: Callable[[Run, str, int, int], Scene]
    about: str = ""
    needs: Sequence[str] = ()
    conditions: Sequence[str] = ()
    times: Callable[[Run, str, int], Sequence[int]] | None = None

    def moments(self, run: Run, condition: str, seed: int) -> Sequence[int]:
        """The times of a condition and a seed that can be seen, in steps."""
        if self.times is None or not all(name in run.data for name in self.needs):
            return [int(t) for t in run.data["time"].values]
        return self.times(run, condition, seed)

    def at(self, run: Run, condition: str, seed: int, time: int) -> Scene:
        """The scene of a condition and a seed at the time nearest to `time` that can be seen.

        Raises:
            UserError: the run has no such condition or seed, lacks an observable, or has nothing there yet.
        """
        data = run.data
        for name in self.needs:
            if name not in data:
                raise UserError(f"view: {run.path} has no observable {name!r}, of which the view is made")
        for name, wanted in (("condition", condition), ("seed", seed)):
            known = data[name].values.tolist()
            if wanted not in known:
                raise UserError(f"view: {run.path} has no {name} {wanted!r}; it has {', '.join(map(str, known[:12]))}")
        if self.conditions and condition not in self.conditions:
            raise UserError(f"view: condition {condition!r} has nothing to see; {', '.join(self.conditions)} have")
        times = np.asarray(self.moments(run, condition, seed))
        if not times.size:
            raise UserError(f"view: {run.path} has nothing written of condition {condition!r} and seed {seed} yet")
        return self.scene(run, condition, seed, int(times[np.abs(times - time).argmin()]))


def after_the_start(run: Run, condition: str, seed: int) -> list[int]:
    """Every record but the first: the `times` of a view of what the steps did."""
    return [int(t) for t in run.data["time"].values if t > 0]


def _same_length(what: str, columns: Mapping[str, Any]) -> int | None:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise UserError(f"{what}: all columns must be of one length, got {said}")
    return next(iter(lengths.values()), None)


def _indices(what: str, name: str, values: np.ndarray, kinds: Sequence[str]) -> None:
    if not len(kinds) or not values.size:
        return
    if values.dtype.kind not in "iub" or values.min() < 0 or values.max() >= len(kinds):
        raise UserError(
            f"{what}: {name} must be whole numbers from 0 to {len(kinds) - 1}, one for each of "
            f"{', '.join(kinds)}; got {values.min()} to {values.max()}"
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
