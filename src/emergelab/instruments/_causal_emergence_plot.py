"""Figures of `causal_emergence`: information by scale and the two matrices, or the criteria over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emergelab.figures import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from emergelab.instruments.result import Result

_MOST_NAMES = 12
_BLUE, _ORANGE, _GREEN = style.COLOURS[:3]


def draw(result: Result) -> Figure:
    """The figure of the family that the data belong to."""
    return _matrix(result) if result.diagnostics.attrs["family"] == "matrix" else _series(result)


def _first_condition(result: Result, table: str) -> pd.DataFrame:
    frame = result.to_frame(table)
    return frame[frame["condition"] == frame["condition"].iloc[0]] if len(frame) else frame


def _matrix(result: Result) -> Figure:
    """Gain by scale beside its null; the micro matrix in the order of the groups; the macro matrix."""
    from emergelab.instruments._causal_emergence_ei import macro_matrix

    d = result.diagnostics
    fig, (left, middle, right) = style.new(1, 3, width=11.0, height=3.5, width_ratios=[1.35, 1, 1])
    scales, seeds = _first_condition(result, "scales"), _first_condition(result, "seeds")
    n = d.sizes["state"]
    if len(scales):
        k = scales["macro_states"].to_numpy()
        left.fill_between(
            k, scales["gain_null_low"], scales["gain_null_high"], color=style.GREY, alpha=0.45, linewidth=0,
            label="rows shuffled, 95%",
        )  # fmt: skip
        left.plot(k, scales["gain"], "o-", color=_BLUE, markersize=4, label="best coarse-graining")
        best = scales.loc[scales["gain"].idxmax()]
        left.plot(best["macro_states"], best["gain"], "o", color=_ORANGE, markersize=8, zorder=5)
        left.plot([n], [0.0], "s", color=style.INK, markersize=5, label=f"micro, {seeds['ei_micro'].mean():.2f} bits")
        if n > 20:
            left.set_xscale("log")
            ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 200, 500) if t <= n]
            left.set_xticks(ticks, [str(t) for t in ticks])
        # one macro state always loses everything: the panel need not reach down to it
        floor = scales.loc[scales["macro_states"] > 1, ["gain", "gain_null_low"]].to_numpy(dtype=float)
        low = float(np.min(floor, initial=0.0))
        high = max(0.0, float(scales["gain"].max()), float(scales["gain_null_high"].max()))
        room = 0.12 * max(high - low, 1e-3)
        left.set_ylim(low - room, high + 3.2 * room)
        left.legend(loc="upper left", fontsize=8)
    else:
        left.text(0.5, 0.5, "nothing to coarse-grain", transform=left.transAxes, ha="center", color=style.MUTED)
    style.finish(
        left, title="Gain by scale", xlabel="number of macro states", ylabel="gain in effective information (bits)",
        chance=0.0,
    )  # fmt: skip
    groups = d["group"].values[0]
    rows = d["matrix"].values[0].mean(axis=0)
    order = np.argsort(groups, kind="stable")
    names = [str(s) for s in d["state"].values[order]]
    _heat(middle, rows[np.ix_(order, order)], names, "Micro, sorted by group")
    edges = np.flatnonzero(np.diff(groups[order])) + 0.5
    if len(edges) < 15:
        for edge in edges:
            middle.axhline(edge, color="white", linewidth=0.9)
            middle.axvline(edge, color="white", linewidth=0.9)
    if groups.min() >= 0:
        macro = macro_matrix(rows, groups)
        image = _heat(right, macro, [str(g) for g in range(len(macro))], f"Macro, {len(macro)} states")
        fig.colorbar(image, ax=right, shrink=0.8, label="probability")
    else:
        right.set_axis_off()
    return fig


def _heat(ax: Any, rows: np.ndarray, names: list[str], title: str) -> Any:
    image = ax.imshow(rows, vmin=0, vmax=max(float(rows.max(initial=0.0)), 1e-9), cmap=style.HEATMAP, aspect="equal")
    ax.grid(False)
    if len(names) <= _MOST_NAMES and max(map(len, names)) <= 3:
        ax.set_xticks(range(len(names)), names)
        ax.set_yticks(range(len(names)), names)
    else:
        ax.set_xticks([])
        ax.set_yticks([])
    style.finish(ax, title=title, xlabel="effect", ylabel="cause")
    return image


def _series(result: Result) -> Figure:
    """The two sides of psi; the criteria over seeds beside what chance makes; parts, or the atoms."""
    has_atoms = "atoms" in result.tables
    fig, (left, middle, right) = style.new(1, 3, width=11.0, height=3.6, width_ratios=[1, 1.15, 1.35])
    seeds, criteria = _first_condition(result, "seeds"), _first_condition(result, "criteria")
    style.bars(
        left,
        {"macro on\nitself": seeds["self"].to_numpy(), "parts, one by\none, on macro": seeds["sum_parts"].to_numpy(),
         "psi without\ninteraction": seeds["apart"].to_numpy()},
        colours=[_BLUE, _ORANGE, style.MUTED],
    )  # fmt: skip
    style.finish(left, title="Told of the macro variable", ylabel="information (bits)", chance=0.0)
    columns = {
        "psi": seeds["psi"].to_numpy(), "psi above\nno interaction": seeds["excess"].to_numpy(),
        "delta": seeds["delta"].to_numpy(), "gamma": seeds["gamma"].to_numpy(),
    }  # fmt: skip
    style.bars(middle, columns, colours=[_BLUE, _BLUE, _GREEN, _ORANGE])
    low, high = (float(result.diagnostics[name].values[0]) for name in ("null_low", "null_high"))
    if np.isfinite(low):
        middle.axhspan(low, high, color=style.GREY, alpha=0.4, linewidth=0, zorder=1)
    style.finish(middle, title="Criteria, one dot a seed", ylabel="bits", chance=0.0)
    for ax in (left, middle):
        ax.tick_params(axis="x", labelsize=7.5)
    if not np.isfinite(criteria["bits"].iloc[0]):
        middle.text(0.5, 0.5, "psi could not be estimated", transform=middle.transAxes, ha="center", color=style.MUTED)
    if has_atoms:
        _atoms(right, _first_condition(result, "atoms").iloc[:16])
    else:
        _parts(right, _first_condition(result, "parts"))
    return fig


def _atoms(ax: Any, atoms: pd.DataFrame) -> None:
    from emergelab.instruments._causal_emergence_atoms import ATOMS

    grid = atoms.set_index("atom")["bits"].reindex(list(ATOMS)).to_numpy(dtype=float).reshape(4, 4)
    size = max(float(np.nanmax(np.abs(grid), initial=0.0)), 1e-3) if np.isfinite(grid).any() else 1.0
    ax.imshow(grid, cmap=style.SIGNED, vmin=-size, vmax=size, aspect="auto")
    for (i, j), value in np.ndenumerate(grid):
        if np.isfinite(value):
            ink = "white" if abs(value) > 0.6 * size else style.INK
            shown = 0.0 if abs(value) < 5e-4 else value
            ax.text(j, i, f"{shown:.3f}", ha="center", va="center", color=ink, fontsize=8)
    names = ["redundant", "part 1", "part 2", "synergy"]
    ax.set_xticks(range(4), names)
    ax.set_yticks(range(4), names)
    ax.grid(False)
    style.finish(ax, title="Atoms of information (bits)", xlabel="held later by", ylabel="held now by")


def _parts(ax: Any, parts: pd.DataFrame) -> None:
    at = np.arange(len(parts))
    ax.plot(at, parts["to_macro"], "o", color=_ORANGE, label="part now, macro later")
    ax.plot(at, parts["from_macro"], "s", color=_BLUE, label="macro now, part later")
    ax.plot(at, parts["delta"], "^", color=_GREEN, label="delta")
    names = parts["part"].astype(str).tolist()
    if len(names) <= _MOST_NAMES:
        ax.set_xticks(at, names)
    style.finish(ax, title="By part", xlabel="part", ylabel="information (bits)", chance=0.0)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.34 * (high - low))
    ax.legend(loc="upper right", fontsize=8)
