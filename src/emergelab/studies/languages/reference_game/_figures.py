"""The figures of the study `reference-game`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from emergelab import figures
from emergelab.figures import COLOURS, GREY, INK, MUTED
from emergelab.figures.messages import message_table

from ._claims import CHANCE, LEVEL, crossing
from ._conditions import BY_COST, BY_NOISE
from ._conditions import MUTED as HALF
from ._system import RATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emergelab.runs.run import Run

__all__ = ["apart_by_chance", "draw_channel", "draw_learning", "draw_length", "draw_lesion", "draw_noise", "draw_words",
           "length_at_birth", "shortest"]  # fmt: skip

SHADE = {
    "gumbel": COLOURS[0], "reinforce": COLOURS[1], "reinforce-plain": COLOURS[4], "deaf": COLOURS[7],
    "newborn": COLOURS[6], "arbitrary": COLOURS[3], "ends": COLOURS[7], "cost-low": COLOURS[5],
    "cost-middle": COLOURS[2], "cost-high": COLOURS[1], "cost-alike": COLOURS[4], "cost-turned": COLOURS[3],
}  # fmt: skip
WORDS = {
    "gumbel": "gradient", "reinforce": "rewards", "reinforce-plain": "rewards, no bonus", "deaf": "deaf",
    "newborn": "newborn, frozen", "arbitrary": "arbitrary code", "ends": "free",
    "cost-low": "0.005", "cost-middle": "0.02", "cost-high": "0.05",
}  # fmt: skip


def _have(run: Run, names: Sequence[str]) -> list[str]:
    there = {str(c) for c in run.data.condition.values}
    return [n for n in names if n in there]


def _ends(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed"]:
    return run.data[name].sel(condition=condition).isel(time=-1).values


def _late(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed"]:
    """Means over the last quarter of the steps."""
    last = int(run.data.time[-1])
    return run.data[name].sel(condition=condition, time=slice(last * 3 // 4, last)).mean("time").values


def _curves(run: Run, name: str, condition: str) -> Float[np.ndarray, "seed time"]:
    return run.data[name].sel(condition=condition).transpose("seed", "time").values


def _half(rows: Float[np.ndarray, "seed ..."]) -> Float[np.ndarray, "..."]:
    """Half of the 95 % t interval of the mean over seeds."""
    n = len(rows)
    spread = np.nanstd(rows, axis=0, ddof=1) if n > 1 else np.zeros(rows.shape[1:])
    return np.asarray(stats.t.ppf(0.975, max(n - 1, 1)) * spread / np.sqrt(n))


def _parameter(run: Run, condition: str, name: str) -> int:
    return int(run.info["conditions"][condition]["parameters"][name])


def _chance(ax: Axes, x: float, text: str = "chance", align: str = "right") -> None:
    figures.finish(ax, chance=CHANCE)
    ax.text(x, CHANCE + 0.012, text, ha=align, va="bottom", fontsize=8, color=MUTED)


def draw_learning(run: Run) -> Figure:
    """Success over plays with quantiles over seeds, and when the game is learnt."""
    fig, (left, right) = figures.new(1, 2, width=9.2, height=3.7, width_ratios=(1.25, 1))
    time, last = run.data.time.values, float(run.data.time.values[-1])
    for condition in _have(run, ("gumbel", "reinforce", "reinforce-plain")):
        rows, colour = _curves(run, "accuracy", condition), SHADE[condition]
        for low, alpha in ((0.0, 0.10), (0.25, 0.22)):
            below, above = np.nanquantile(rows, (low, 1 - low), axis=0)
            left.fill_between(time, below, above, color=colour, alpha=alpha, linewidth=0)
        left.plot(time, np.nanmedian(rows, axis=0), color=colour, label=WORDS[condition], zorder=4)
        left.plot(time, np.nanmean(_curves(run, "scrambled", condition), axis=0), color=colour, linewidth=1.2,
                  linestyle=(0, (1, 1.5)), zorder=3)  # fmt: skip
    left.axhline(LEVEL, color=GREY, linewidth=0.9)
    figures.finish(left, chance=CHANCE)
    left.text(last, CHANCE + 0.1, "dashed: chance; dotted: another's message", ha="right", va="bottom", fontsize=8,
              color=MUTED)  # fmt: skip
    figures.finish(left, title="Two ways to a language", xlabel="step (a batch of plays)", ylabel="objects understood",
                   ylim=(0, 1.03), legend="center right")  # fmt: skip
    for condition in _have(run, ("gumbel", "reinforce", "reinforce-plain", "arbitrary", "newborn")):
        times = np.sort(crossing(run.data.sel(condition=condition)).values)
        reached = times[np.isfinite(times)]
        share = np.arange(1, len(reached) + 1) / len(times)
        x = np.concatenate([[time[1] / 2], reached, [last]])
        y = np.concatenate([[0.0], share, share[-1:] if len(share) else [0.0]])
        right.step(x, y, where="post", color=SHADE[condition], label=WORDS[condition])
    right.set_xscale("log")
    figures.log_ticks(right.xaxis)
    figures.finish(right, title=f"When {LEVEL:.0%} are understood", xlabel="step", ylabel="share of seeds",
                   ylim=(-0.02, 1.03), legend="outside")  # fmt: skip
    return fig


def draw_channel(run: Run) -> Figure:
    """What is understood with the right message, of objects met and never met, and with the wrong one."""
    names = _have(run, ("gumbel", "reinforce", "long", "noise-20", "newborn", "arbitrary", "deaf"))
    short = {"gumbel": "gradient", "reinforce": "rewards", "long": "six\nsymbols", "noise-20": "20 %\nnoise",
             "newborn": "newborn", "arbitrary": "arbitrary\ncode", "deaf": "deaf"}  # fmt: skip
    fig, ax = figures.new(width=8.4, height=3.6)
    kinds = (("accuracy", "objects met in training", COLOURS[0]), ("unseen", "objects never met", COLOURS[2]),
             ("scrambled", "another object's message", COLOURS[1]))  # fmt: skip
    rng = np.random.default_rng(0)
    for k, (name, text, colour) in enumerate(kinds):
        for i, condition in enumerate(names):
            row, x = _late(run, name, condition), i + 0.27 * (k - 1)
            ax.bar(x, row.mean(), width=0.24, color=colour, alpha=0.35, linewidth=0, label=text if i == 0 else None)
            ax.errorbar(x, row.mean(), yerr=float(_half(row)), color=INK, linewidth=1.1, capsize=2.5, zorder=5)
            ax.plot(x + rng.uniform(-0.08, 0.08, len(row)), row, "o", color=colour, markersize=2.4, alpha=0.6, mew=0)
    ax.set_xticks(range(len(names)), [short[n] for n in names])
    ax.grid(False, axis="x")
    _chance(ax, len(names) - 0.12, align="right")
    figures.finish(ax, title="Understanding is by the message", ylabel="understood in the last quarter", ylim=(0, 1.03),
                   xlim=(-0.55, len(names) - 0.1), legend="outside")  # fmt: skip
    return fig


def apart_by_chance(objects: int, width: int, symbols: int) -> float:
    """Expected number of symbols in which the most similar of `objects` - 1 random messages differs from another."""
    share = 1 - stats.binom.cdf(np.arange(width), width, (symbols - 1) / symbols)
    return float((share ** (objects - 1)).sum())


def draw_noise(run: Run) -> Figure:
    """What languages that grew in noise withstand, and how far apart their messages are."""
    fig, (left, middle, right) = figures.new(1, 3, width=11.0, height=3.6, width_ratios=(1.3, 1, 1))
    tints = (COLOURS[7], COLOURS[4], COLOURS[1])
    grown = _have(run, list(BY_NOISE))
    for condition, colour in zip(grown, tints, strict=False):
        rows = run.data.robust.sel(condition=condition).isel(time=-1).transpose("seed", "rate").values
        left.errorbar(RATES, rows.mean(axis=0), yerr=_half(rows), color=colour, marker="o", capsize=2.5,
                      label=f"{BY_NOISE[condition]:.0%}")  # fmt: skip
    if "gumbel" in run.data.condition.values:
        rows = run.data.robust.sel(condition="gumbel").isel(time=-1).transpose("seed", "rate").values
        left.plot(RATES, rows.mean(axis=0), color=COLOURS[0], linestyle=(0, (2, 1.5)), linewidth=1.6,
                  label="0%, three\nsymbols")  # fmt: skip
    _chance(left, RATES[-1])
    figures.finish(left, title="Grown in noise, tested in noise", xlabel="symbols garbled in the test",
                   ylabel="objects understood", ylim=(0, 1.03))  # fmt: skip
    left.legend(title="garbled in training", loc="lower left", bbox_to_anchor=(0.0, 0.11), frameon=False, fontsize=8,
                title_fontsize=8)  # fmt: skip
    figures.bars(middle, {f"{BY_NOISE[c]:.0%}": _ends(run, "nearest", c) for c in grown}, colours=tints[: len(grown)])
    count = int(np.isfinite(run.data["rank"].isel(condition=0, seed=0, time=-1).values).sum())
    symbols = _parameter(run, grown[0], "symbols")
    best = 7 - int(np.ceil(np.log(run.data.sizes["object"]) / np.log(symbols) - 1e-9))  # Singleton (1964)
    lines = (("random messages", apart_by_chance(count, 6, symbols), "bottom"), ("parts, each said thrice", 3.0, "top"),
             ("no code can do better", float(best), "bottom"))  # fmt: skip
    for name, y, side in lines:
        middle.axhline(y, color=GREY, linewidth=1.1, linestyle=(0, (4, 3)), zorder=1)
        gap = 0.03 if side == "bottom" else -0.05
        middle.text(len(grown) - 0.45, y + gap, name, ha="right", va=side, fontsize=8, color=MUTED)
    figures.finish(middle, title="Do messages move apart?", xlabel="garbled in training",
                   ylabel="symbols to the nearest message", ylim=(0, None))  # fmt: skip
    for names, text, colour in ((("gumbel", "noise-10", "noise-20"), "three symbols", COLOURS[0]),
                                (tuple(BY_NOISE), "six symbols", COLOURS[2])):  # fmt: skip
        have = _have(run, names)
        rows = np.stack([_ends(run, "through", c) for c in have], axis=1)
        x = [(0.0, 0.1, 0.2)[names.index(c)] for c in have]
        right.errorbar(x, rows.mean(axis=0), yerr=_half(rows), color=colour, marker="o", capsize=3, label=text)
    right.margins(x=0.08)
    figures.finish(right, title="A longer channel cures", xlabel="garbled in training and test",
                   ylabel="understood through the noise", ylim=(0, 1.03), legend="lower left")  # fmt: skip
    return fig


def shortest(objects: int, symbols: int, positions: int) -> Int[np.ndarray, "object"]:
    """Lengths of the shortest code whose messages end with an end symbol, most frequent object first."""
    room = [(symbols - 1) ** (n - 1) for n in range(1, positions)] + [(symbols - 1) ** (positions - 1) * symbols]
    return np.repeat(np.arange(1, positions + 1), np.minimum(room, objects))[:objects]


def length_at_birth(symbols: int, positions: int) -> float:
    """Mean length if every symbol is drawn at random and one of them is the end."""
    return float((((symbols - 1) / symbols) ** np.arange(positions)).sum())


def draw_length(run: Run) -> Figure:
    """Length over training, length by frequency, and whether the frequent is short."""
    fig, (left, middle, right) = figures.new(1, 3, width=11.4, height=3.8, width_ratios=(1.1, 1.2, 1))
    time, names = run.data.time.values, _have(run, list(BY_COST))
    for condition in names:
        figures.band(left, time, _curves(run, "used", condition), WORDS[condition], SHADE[condition], seeds=8)
    symbols, positions = (_parameter(run, names[0], n) for n in ("symbols", "positions"))
    birth = length_at_birth(symbols, positions)
    figures.finish(left, chance=birth)
    left.text(time[-1], birth + 0.05, "symbols at random", ha="right", va="bottom", fontsize=8, color=MUTED)
    figures.finish(
        left, title="A cost shortens messages", xlabel="step", ylabel="symbols in a message", ylim=(0.8, 7.2)
    )
    left.legend(title="a symbol costs", loc="upper right", frameon=False, fontsize=8, title_fontsize=8, ncols=4,
                columnspacing=1.0, bbox_to_anchor=(1.0, 1.0))  # fmt: skip
    for condition in names:
        at = run.data.sel(condition=condition).isel(time=-1)
        rank = at["rank"].transpose("seed", "object").values
        lengths = (at.message.transpose("seed", "object", "position").values >= 0).sum(axis=-1)
        size = rank.shape[1]
        groups = np.split(np.arange(size), [2**k - 1 for k in range(1, int(np.log2(size)))])  # 1, 2, 4 ... objects
        x = [np.exp(np.log(1 + g).mean()) for g in groups]
        y = [lengths[np.isin(rank, g)].mean() for g in groups]
        middle.plot(x, y, "o-", color=SHADE[condition], label=WORDS[condition])
    size = run.data.sizes["object"]
    best = shortest(size, symbols, positions)
    middle.step(np.arange(1, size + 1), best, where="mid", color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
    middle.text(9.3, 2.95, "shortest code", ha="left", va="top", fontsize=8, color=INK)
    middle.set_xscale("log")
    figures.log_ticks(middle.xaxis)
    figures.finish(middle, title="Who has the short ones?", xlabel="place by frequency (1: most frequent)",
                   ylabel="symbols in a message", ylim=(0.8, 7.2))  # fmt: skip
    shown = _have(run, (*BY_COST, "cost-alike", "cost-turned"))
    labels = WORDS | {"cost-alike": "0.05,\nalike", "cost-turned": "0.05,\nturned"}  # fmt: skip
    figures.bars(right, {labels[c]: np.nan_to_num(_ends(run, "law", c)) for c in shown},
                 colours=[SHADE[c] for c in shown])  # fmt: skip
    figures.finish(right, title="Is the frequent short?", xlabel="a symbol costs", chance=0.0,
                   ylabel="rank correlation of rarity and length")  # fmt: skip
    return fig


def draw_lesion(run: Run) -> Figure:
    """Codes that do not adapt, and what happens when a position falls silent."""
    fig, (left, right) = figures.new(1, 2, width=8.8, height=3.6, sharey=True)
    time = run.data.time.values
    for condition in _have(run, ("gumbel", "arbitrary", "newborn")):
        label = {"gumbel": "both learn", "arbitrary": "arbitrary code", "newborn": "newborn's code"}[condition]
        figures.band(left, time, _curves(run, "accuracy", condition), label, SHADE[condition], seeds=0)
        figures.band(left, time, _curves(run, "unseen", condition), None, SHADE[condition], seeds=0, linestyle=":")
    _chance(left, float(time[-1]))
    figures.finish(left, title="Codes that do not adapt", xlabel="step (dotted: objects never met)",
                   ylabel="objects understood", ylim=(0, 1.03))  # fmt: skip
    left.legend(loc="upper right", bbox_to_anchor=(1.0, 0.92), frameon=False, fontsize=8.5)
    labels = {"gumbel": ("intact", GREY), "mute": ("both go on learning", COLOURS[0]),
              "mute-frozen": ("only the listener does", COLOURS[1])}  # fmt: skip
    for condition in _have(run, tuple(labels)):
        text, colour = labels[condition]
        figures.band(right, time, _curves(run, "accuracy", condition), text, colour, seeds=8)
    if time[-1] > HALF:
        right.axvline(HALF, color=MUTED, linewidth=0.9)
        right.text(HALF + 0.01 * time[-1], 0.03, "the first position\nfalls silent", fontsize=8, color=MUTED)
    figures.finish(right, title="A position falls silent", xlabel="step", legend="lower left")
    return fig


def draw_words(run: Run) -> Figure:
    """One language, twice: coloured by the position that tells most of the row, and of the column."""
    similarity = _ends(run, "topsim", "gumbel")
    seed = int(np.argsort(np.nan_to_num(similarity))[len(similarity) // 2])
    words = run.data.message.sel(condition="gumbel").isel(time=-1, seed=seed).transpose("object", "position")
    words = words.values.astype(int)
    words = words[:, (words >= 0).all(axis=0)]
    n = round(len(words) ** 0.5)
    meanings = np.stack([np.repeat(np.arange(n), n), np.tile(np.arange(n), n)], axis=1)
    told = np.array([[shared(words[:, p], meanings[:, a]) for p in range(words.shape[1])] for a in range(2)])
    fig, axes = figures.new(1, 2, width=8.6, height=4.3)
    for a, ax in enumerate(axes):
        position, whose = int(told[a].argmax()), ("row", "column")[a]
        message_table(ax, words, n, position)
        colour = f"colour: position {position + 1}, which says {told[a].max() / np.log2(n):.0%} of the {whose}"
        figures.finish(ax, title=f"Which {whose}?", xlabel=f"second attribute\n{colour}")
    figures.finish(axes[0], ylabel="first attribute")
    return fig


def shared(x: Int[np.ndarray, "item"], y: Int[np.ndarray, "item"]) -> float:
    """Mutual information of two lists of labels, plug-in, in bits."""
    joint = np.zeros((x.max() + 1, y.max() + 1))
    np.add.at(joint, (x, y), 1 / len(x))
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    held = joint > 0
    return float((joint[held] * np.log2(joint[held] / apart[held])).sum())
