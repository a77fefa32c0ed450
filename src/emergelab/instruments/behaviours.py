"""behaviours: which named behaviours occur, how often, in what order, and is one of them new?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from emergelab.errors import UserError, nearest
from emergelab.instruments._behaviours_bouts import (
    Rule,
    Seen,
    event_frame,
    observe,
    settings,
    starts_of,
    thinned,
)
from emergelab.instruments._behaviours_language import Compare, Node, Quantity, dyadic, walk
from emergelab.instruments._behaviours_order import Order, sequences, transition_table
from emergelab.instruments._behaviours_parser import Known, parse
from emergelab.instruments._behaviours_read import Tracks, read, shapes
from emergelab.instruments._behaviours_tables import (
    Ask,
    agreement_table,
    contrast_table,
    ethogram,
    new_table,
    runs_in,
    seed_table,
    sensitivity_table,
)
from emergelab.instruments._behaviours_words import CANNOT_SEE, cautions, describe, diagnostics
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import Estimate, holm

__all__ = ["behaviours"]

_NULLS: dict[Order, str] = {
    "shuffle": "bouts of an agent in shuffled order, none after its like",
    "shift": "each behaviour of an agent moved along the record by a time of its own",
}
_OVERLAP = 0.01  # share of the time in bouts from which behaviours count as overlapping
_MOST_PAIRS = 40_000_000  # agent x partner x time of one run


def behaviours(
    data: Any,
    predicates: str | Mapping[str, str],
    var: str | None = None,
    *,
    along: str = "time",
    agents: str = "agent",
    space: str = "xy",
    keypoint: str = "keypoint",
    by: str | None = "condition",
    seeds: str = "seed",
    regions: Mapping[str, Any] | None = None,
    axis: tuple[str, str] | None = None,
    span: float | None = None,
    minimum: float | Mapping[str, float] = 0.0,
    merge: float | Mapping[str, float] = 0.0,
    order: Order | None = None,
    labels: pd.DataFrame | str | None = None,
    paired: bool = False,
    level: float = 0.95,
    draws: int = 199,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Find bouts of behaviours that are described in words, count them over seeds, and ask for order and novelty.

    A behaviour is a sentence over tracks, such as ``distance(self, other) < 2 & approaching(self, other)``,
    ``speed(self) > 0.3 until 0.2 for 5`` or ``chase then (state == "eats") within 10``. Sentences are read by a parser
    of their own; nothing in them is ever run as code. A bout is a maximal run of records at which the sentence holds,
    joined to the next over gaps of at most ``merge``, and kept if it lasts ``minimum``. All times, speeds and
    durations are in units of the coordinate ``along``, never in records.

    The language, where a and b are ``self``, ``other`` or the name of an agent in quotes (``self.nose`` is one part):

    - measures, beside a number by <, <=, >, >=, ==, !=: ``speed(a)``, ``acceleration(a)``, ``turning(a)`` (degrees a
      unit of time), ``distance(a, b)``, ``gap(a, b)`` (nearest parts), ``closing(a, b)``, ``heading_difference(a, b)``,
      ``bearing(a, b)`` (degrees off where a faces), ``trailing(a, b, lag)``, ``nearest(a)``, ``neighbours(a, radius)``;
      variables of the data: ``energy > 3``, ``other.state == "rests"``; ``... > 0.3 until 0.2`` is entered above 0.3
      and left at 0.2;
    - true by themselves: ``approaching(a, b)``, ``facing(a, b[, angle])``, ``contact(a, b, reach)``,
      ``following(a, b, lag[, angle])``, ``freezing(a, speed)``, ``inside(a, region)``, ``dwell(a, region, time)``,
      and the names of other predicates;
    - joined by ``&``, ``|``, ``not``, ``... for time``, ``... then ... within time``; ``for`` binds closest, then
      ``not``, ``&``, ``|`` and ``then``.

    Args:
        data: a Run, `xarray.Dataset` or `DataArray` with positions of dims among (``by``, ``seeds``, ``agents``,
            ``keypoint``, ``along``, ``space``), NaN where an agent is not there; or variables of dims among (``by``,
            ``seeds``, ``agents``, ``along``) of numbers, truth values or words (symbolic states); or both.
        predicates: one sentence, or sentences by name.
        var: the variable of positions, where there are several.
        along: dim of time; must have a coordinate.
        agents: dim of agents.
        space: dim of coordinates (x, y, ...).
        keypoint: dim of parts of a body.
        by: dim of conditions, or None.
        seeds: dim of seeds, the unit of replication.
        regions: name -> circle (x, y, radius), box (x0, y0, x1, y1) or corners [(x, y), ...].
        axis: two parts, from tail to head, that say where an agent faces; None: where it moves.
        span: time over which speeds and other changes are taken; None: from the record before to the one after. Give
            it where data of different frame rates are compared.
        minimum: shortest bout, in units of time; for all, or by name.
        merge: longest gap over which bouts are joined; for all, or by name.
        order: the null of the order of bouts: "shuffle" (bouts of an agent in any order, none after its like) is for
            behaviours of which an agent shows one at a time; "shift" (each behaviour of an agent moved along the record
            by a time of its own) for those that overlap; None: "shift" if more than a hundredth of the time in bouts is
            spent in two or more at once.
        labels: bouts that a person marked: a table with the columns "behaviour", "start", "end" (and "agent", "seed",
            "condition"), or the name of a variable of words in the data.
        paired: seeds of equal label share their randomness across conditions.
        level: confidence level.
        draws: shuffles of bouts and bootstrap draws, at least 99.
        rng: seed or generator.

    Returns:
        A `Result` with verdict "new behaviour" (one that no seed shows in the first third of the record and whose rate
        in the last third is above 0 for sure; Holm over behaviours and conditions), "ordered" (some behaviour follows
        another more or less often than by shuffled or shifted bouts; max-T over pairs, Holm over conditions), "occurs"
        or "none seen". Each of the two claims is tested at its own level. The headline is the rate (bouts per agent and
        unit of time) of the behaviour in question. Tables: "ethogram", "events", "seeds", "thirds", "transitions",
        "sensitivity", "contrasts" where there are several conditions, "agreement" where there are labels.

    Raises:
        UserError: a sentence cannot be read (the line shows the place), or the arguments do not fit the data.

    Sources: Altmann (1974) and Martin and Bateson (2007) for bouts, rates and ethograms; Ye et al. (2023) for
    behaviours composed from named predicates; Westfall and Young (1993). Speeds are not corrected for noise of
    tracking.
    """
    _check(level, draws, span, order)
    source = np.random.default_rng(rng)
    tracks = read(data, var, along, agents, space, keypoint, by, seeds)
    _axis(axis, tracks)
    places = shapes(regions, 2 if tracks.positions is None else tracks.positions.shape[-1])
    texts = {"behaviour": predicates} if isinstance(predicates, str) else dict(predicates)
    if not texts or not all(isinstance(v, str) for v in texts.values()):
        raise UserError("behaviours: predicates are one sentence, or sentences by name")
    known = Known(tracks.positions is not None, tracks.agents, tracks.parts, tuple(places), tracks.kinds)
    trees = parse({str(k): v for k, v in texts.items()}, known)
    rules = [Rule(n, t, _time("minimum", minimum, n, trees), _time("merge", merge, n, trees)) for n, t in trees.items()]
    _affordable(tracks, trees)
    seen = observe(tracks, rules, places, span, axis)
    ask = Ask(level, draws, source)
    events = event_frame(seen, tracks)
    moved = _moved(tracks, rules, lambda t, r: observe(t, r, places, span, axis))
    orders, p_order, tied, nulls = _orders(tracks, seen, order, draws, source)
    tables = {
        "ethogram": ethogram(seen, tracks, ask),
        "events": events,
        "seeds": seed_table(seen, tracks),
        "thirds": new_table(seen, tracks, ask),
        "transitions": orders,
        "sensitivity": sensitivity_table(seen, moved, tracks, ask),
    }
    if len(tracks.conditions) > 1:
        tables["contrasts"] = contrast_table(seen, tracks, paired, ask)
    if labels is not None:
        tables["agreement"] = agreement_table(seen, tracks, labels, ask)
    verdict, estimate, headline, p, effect = _judge(tables, seen, tracks, p_order, ask)
    null = {
        "new behaviour": Null("a rate of 0 in the last third, over seeds", 0),
        "ordered": Null(" or ".join(_NULLS[how] for how in sorted(nulls)), draws),
    }.get(verdict, Null("no test", 0))
    params: dict[str, Any] = {
        "predicates": texts, "var": var, "along": along, "agents": agents, "space": space, "keypoint": keypoint,
        "by": by, "seeds": seeds, "regions": {k: np.asarray(v).tolist() for k, v in (regions or {}).items()},
        "axis": axis, "span": span, "minimum": minimum, "merge": merge, "order": sorted(nulls), "paired": paired,
        "level": level, "draws": draws,
    }  # fmt: skip
    return Result(
        instrument="behaviours",
        question=f"Which behaviours occur among the agents of {tracks.name}, in what order, and is one of them new?",
        verdict=verdict,
        estimate=estimate,
        headline=headline,
        p=p,
        null=null,
        effect=effect,
        n_seeds=len(tracks.seeds) if tracks.has_seeds else 1,
        tables=tables,
        diagnostics=diagnostics(tracks, seen),
        warnings=tuple(cautions(tracks, seen, tables, tied, span)),
        words=describe(tracks, tables, verdict, level),
        cannot_see=CANNOT_SEE,
        params=params,
        provenance=provenance(tracks.digest, rng),
        _draw=_draw,
    )


def _draw(result: Result) -> Any:
    from emergelab.instruments._behaviours_plot import draw

    return draw(result)


def _check(level: float, draws: int, span: float | None, order: str | None) -> None:
    if order is not None and order not in _NULLS:
        raise UserError(f"behaviours: no order {order!r}{nearest(order, _NULLS)}")
    if not 0 < level < 1:
        raise UserError(f"behaviours: level must be in (0, 1), got {level}")
    if draws < 99:
        raise UserError(f"behaviours: draws must be at least 99, got {draws}")
    if span is not None and not 0 < span < np.inf:
        raise UserError(f"behaviours: span must be a time above 0, got {span}")


def _axis(axis: tuple[str, str] | None, tracks: Tracks) -> None:
    if axis is None:
        return
    if len(axis) != 2:
        raise UserError("behaviours: axis is a pair of parts, from tail to head")
    for part in axis:
        if part not in tracks.parts:
            raise UserError(f"behaviours: axis: no part {part!r} of a body{nearest(part, tracks.parts)}")


def _time(what: str, given: float | Mapping[str, float], name: str, trees: Mapping[str, Node]) -> float:
    if isinstance(given, Mapping):
        for key in given:
            if key not in trees:
                raise UserError(f"behaviours: {what}: no predicate {key!r}{nearest(str(key), trees)}")
        given = given.get(name, 0.0)
    if not 0 <= given < np.inf:
        raise UserError(f"behaviours: {what} must be a time of 0 or more, got {given}")
    return float(given)


def _looks_around(node: Node) -> bool:
    what = node.what if isinstance(node, Compare) else None
    return isinstance(what, Quantity) and what.name in ("nearest", "neighbours")


def _affordable(tracks: Tracks, trees: Mapping[str, Node]) -> None:
    pairs = any(dyadic(t) or any(_looks_around(n) for n in walk(t)) for t in trees.values())
    cells = len(tracks.agents) ** (2 if pairs else 1) * len(tracks.time)
    if cells > _MOST_PAIRS:
        raise UserError(
            f"behaviours: {len(tracks.agents)} agents in {len(tracks.time)} records make {cells} pairs to look at, "
            f"more than {_MOST_PAIRS}; take a part of the record or some of the agents"
        )


def _moved(tracks: Tracks, rules: list[Rule], look: Any) -> list[tuple[str, float, Seen]]:
    """The same behaviours with other thresholds and times, and with every second record."""
    ways = [s for rule in rules for s in settings(rule)]
    found = look(tracks, [w.rule for w in ways]) if ways else []
    moved = [(w.what, w.factor, one) for w, one in zip(ways, found, strict=True)]
    if len(tracks.time) >= 4:
        moved += [("records", 0.5, one) for one in look(thinned(tracks), rules)]
    return moved


def _orders(
    tracks: Tracks, seen: list[Seen], order: Order | None, draws: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray, float, set[Order]]:
    """Transitions by condition; the p of any order at all in each (Holm); the share of bouts that begin together."""
    frames, p, tied, nulls = [], [], 0.0, set()
    names = [s.rule.name for s in seen]
    for c, condition in enumerate(tracks.conditions):
        starts = starts_of(seen, runs_in(tracks, c))
        how: Order = order or ("shift" if starts.overlap > _OVERLAP else "shuffle")
        seqs, share = sequences(starts, rng)
        frames.append(transition_table(condition, names, starts, seqs, len(tracks.time), how, draws, rng))
        known = frames[-1]["p"].dropna().to_numpy(dtype=float)
        p.append(float(known.min()) if len(known) else float("nan"))
        tied = max(tied, share)
        nulls.add(how)
    full = [f for f in frames if len(f)] or frames[:1]
    return pd.concat(full, ignore_index=True), holm(np.array(p)), tied, nulls


def _judge(
    tables: Mapping[str, pd.DataFrame], seen: list[Seen], tracks: Tracks, p_order: np.ndarray, ask: Ask
) -> tuple[str, Estimate, str, float, Effect]:
    """The verdict, with the number that speaks for it."""
    rate = "rate of {}, bouts per agent and unit of time"
    new, by_name = tables["thirds"], {one.rule.name: one for one in seen}
    if new["new"].any():
        row = new.loc[new[new["new"]]["p_holm"].idxmin()]
        runs = runs_in(tracks, tracks.conditions.index(row["condition"]))
        last = ask.mean(by_name[row["behaviour"]].tally.by_third[runs][:, 2])
        told = Effect("share of seeds that show it in the last third", row["seeds_last"] / len(tracks.seeds))
        return "new behaviour", last, rate.format(f"{row['behaviour']} in the last third"), float(row["p_holm"]), told
    ordered = np.isfinite(p_order).any() and np.nanmin(p_order) <= 1 - ask.level
    at, name, effect = 0, max(seen, key=lambda s: int(s.tally.bouts.sum())).rule.name, Effect("share of time", np.nan)
    if ordered:
        at = int(np.nanargmin(p_order))
        table = tables["transitions"]
        own = table[table["condition"] == tracks.conditions[at]]
        row = own.loc[own.sort_values("p")["z"].abs().where(own["p"] == own["p"].min()).idxmax()]
        name = row["from"]
        effect = Effect(f"times as often as by chance: {row['from']} -> {row['to']}", float(row["lift"]))
    else:
        table = tables["ethogram"]
        own = table[(table["condition"] == tracks.conditions[at]) & (table["behaviour"] == name)]
        effect = Effect(f"share of time of {name}", float(own["share"].iloc[0]))
    value = ask.mean(by_name[name].tally.rate[runs_in(tracks, at)])
    verdict = "ordered" if ordered else "occurs" if len(tables["events"]) else "none seen"
    p = float(p_order[at]) if ordered else float("nan")
    return verdict, value, rate.format(name), p, effect
