"""communities: which groups form, and when do they merge, split and dissolve?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float, Int

from emergelab.errors import UserError, nearest
from emergelab.instruments._communities_detect import (
    Affinity,
    affinities,
    factors,
    from_factors,
    modularity,
    slices_louvain,
    triangles,
)
from emergelab.instruments._communities_measures import (
    adjusted_rand,
    allegiance,
    change_statistic,
    events,
    information_on_role,
    levelled,
    membership_frame,
    null_networks,
    null_traces,
    p_agreement,
    p_change,
    polarisation,
    summary,
)
from emergelab.instruments._communities_read import Society, read
from emergelab.instruments._communities_words import CANNOT_SEE, cautions, describe, diagnostics
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import Estimate, difference, estimate, holm

__all__ = ["communities"]

_MOST_RANK = 6
_STABLE = 0.9  # likeness of the factors of different starts that a rank must reach
_FIT_GAIN = 0.02  # share of the affinities that one factor more must explain


def communities(
    data: Any,
    var: str | None = None,
    *,
    along: str = "time",
    agents: str = "agent",
    channel: str = "channel",
    by: str | None = "condition",
    seeds: str = "seed",
    windows: int | None = None,
    affinity: Affinity = "correlation",
    detrend: bool = True,
    method: Literal["slices", "factors"] = "slices",
    rank: int | None = None,
    resolution: float = 1.0,
    omega: float | None = None,
    role: Mapping[str, Any] | Sequence[Any] | None = None,
    paired: bool = False,
    level: float = 0.95,
    draws: int = 199,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Find the communities of agents in windows of time, and ask whether they are there at all and whether they change.

    Traces are cut into windows that do not overlap; in each, any two agents have an affinity. Communities maximise
    the modularity of all windows together, each agent being tied to itself in the next window by ``omega`` (Mucha et
    al. 2010), or come from a non-negative factorisation of the affinities (members and course in time of every
    factor, after Dyballa et al. 2024). Whether there are any is a test of its own, on triangles of affinities: every
    agent's trace is moved along its record (traces), or weights are shuffled and scaled to the same strengths
    (networks). Whether they change is tested by permuting the order of windows.

    Args:
        data: a Run, `xarray.Dataset` or `DataArray`: traces with dims among (``by``, ``seeds``, ``agents``,
            ``along``, ``channel``), or networks with two more dims of equal size instead of ``agents``, weights 0 and
            more. Or a `pandas.DataFrame` of meetings with columns "who", "whom" and ``along`` (and ``seeds``, ``by``).
        var: the variable, where the data hold several.
        along: dim of time; must have a coordinate.
        agents: dim of the agents (neurons, experts, heads, animals) of traces.
        channel: dim of several numbers an agent; their correlations are averaged.
        by: dim of conditions, or None.
        seeds: dim of seeds, the unit of replication.
        windows: number of windows; None: as many as hold 20 records (10 meetings an agent), at most 20. Networks are
            one window each as they are.
        affinity: "correlation" (negative ones count as 0) or "kernel" (correlations of traces and of their changes,
            through a Gaussian as wide as the near neighbours are far).
        detrend: a straight line is taken out of every trace in every window, so that slow trends make no groups.
        method: "slices" or "factors".
        rank: number of factors; None: the most, up to 6, that come out alike from different starts and of which each
            explains a fiftieth of the affinities or more. The table "ranks" shows the choice.
        resolution: larger makes smaller communities, above 0.
        omega: what it is worth that an agent stays in its community, in units of affinity; None: the mean affinity,
            as much as one average tie.
        role: a role for every agent, in order or by name: how much do communities tell about it?
        paired: seeds of equal label share their randomness across conditions.
        level: confidence level.
        draws: surrogates, permutations and bootstrap draws, at least 99.
        rng: seed or generator.

    Returns:
        A `Result` with verdict "dynamic communities" (there, and changing), "communities" (there; change is not
        shown) or "none shown". The headline is the modularity. Tables: "seeds", "membership", "events", "windows",
        "agreement" (are seeds alike?), "ranks" and "roles" where asked for, "conditions" and "contrasts" where there
        are several.

    Raises:
        UserError: the arguments do not fit the data or each other.

    Sources: Dyballa et al. (2024); Mucha et al. (2010); Blondel et al. (2008); Bassett et al. (2011) for flexibility
    and allegiance. Not here: weighted block models of the members of a factor; negative ties; nestedness.
    """
    _check(affinity, method, rank, resolution, omega, windows, level, draws)
    source = np.random.default_rng(rng)
    society = read(data, var, along, agents, channel, by, seeds, windows)
    roles = _roles(role, society.agents)
    call = _Call(affinity, detrend, method, rank, resolution, omega, level, draws)
    answers = [_answer(society, c, call, roles, source) for c in range(len(society.conditions))]
    p_holm = holm(np.array([a.p for a in answers]))
    verdicts = [
        "none shown" if not p <= 1 - level else "dynamic communities" if a.p_change <= 1 - level else "communities"
        for a, p in zip(answers, p_holm, strict=True)
    ]
    clearest = int(np.nanargmin(p_holm)) if np.isfinite(p_holm).any() else 0
    best = answers[clearest]
    tables = {
        name: pd.concat([a.tables[name] for a in answers], ignore_index=True)
        for name in best.tables
        if any(len(a.tables[name]) for a in answers) or name in ("seeds", "membership", "events")
    }
    if len(answers) > 1:
        tables["conditions"] = pd.DataFrame(
            [
                (name, a.value.value, a.value.low, a.value.high, a.p, p, a.p_change, v)
                for name, a, p, v in zip(society.conditions, answers, p_holm, verdicts, strict=True)
            ],
            columns=["condition", "modularity", "low", "high", "p", "p_holm", "p_change", "verdict"],
        )
        tables["contrasts"] = _contrasts(society.conditions, answers, paired, level, source)
    params: dict[str, Any] = {
        "var": var, "along": along, "agents": agents, "by": by, "seeds": seeds, "windows": len(society.time),
        "affinity": affinity, "detrend": detrend, "method": method, "rank": rank, "resolution": resolution,
        "omega": best.omega, "paired": paired, "level": level, "draws": draws,
    }  # fmt: skip
    flexibility = best.tables["seeds"]["flexibility"].to_numpy(dtype=float)
    known = flexibility[np.isfinite(flexibility)]
    how = "every trace moved along its record" if society.kind == "traces" else "weights shuffled, strengths kept"
    return Result(
        instrument="communities",
        question=f"Which groups form among the {len(society.agents)} agents of {society.name}, and do they change?",
        verdict=verdicts[clearest],
        estimate=best.value,
        headline="modularity",
        p=float(p_holm[clearest]),
        null=Null(f"triangles of affinities: {how}", draws if np.isfinite(best.p) else 0),
        effect=Effect("flexibility", float(known.mean()) if len(known) else float("nan")),
        n_seeds=len(society.seeds) if society.has_seeds else 1,
        tables=tables,
        diagnostics=diagnostics(society, [a.labels for a in answers], [a.together for a in answers]),
        warnings=tuple(cautions(society, affinity, [a.negative for a in answers])),
        words=describe(society, answers, verdicts),
        cannot_see=CANNOT_SEE,
        params=params,
        provenance=provenance(society.digest, rng),
        _draw=_draw,
    )


def _draw(result: Result) -> Any:
    from emergelab.instruments._communities_plot import draw

    return draw(result)


@dataclass(frozen=True)
class _Call:
    affinity: Affinity
    detrend: bool
    method: str
    rank: int | None
    resolution: float
    omega: float | None
    level: float
    draws: int


@dataclass(frozen=True)
class Answer:
    """What was found in one condition."""

    value: Estimate
    p: float
    p_change: float
    omega: float
    negative: float
    labels: Int[np.ndarray, "seed window agent"]
    together: Float[np.ndarray, "agent agent"]
    per_seed: Float[np.ndarray, "seed"]
    tables: Mapping[str, pd.DataFrame]


def _check(
    affinity: Any, method: Any, rank: int | None, resolution: float, omega: float | None, windows: int | None,
    level: float, draws: int,
) -> None:  # fmt: skip
    for name, value, known in (
        ("affinity", affinity, ("correlation", "kernel")),
        ("method", method, ("slices", "factors")),
    ):
        if value not in known:
            raise UserError(f"communities: {name}={value!r} is not known{nearest(str(value), known)}")
    for name, number, least in (("rank", rank, 1), ("windows", windows, 1), ("draws", draws, 99)):
        if number is not None and number < least:
            raise UserError(f"communities: {name} must be at least {least}, got {number}")
    if resolution <= 0 or (omega is not None and omega < 0):
        raise UserError("communities: resolution must be above 0 and omega at least 0")
    if rank is not None and method != "factors":
        raise UserError('communities: rank belongs to method="factors"')
    if not 0 < level < 1:
        raise UserError(f"communities: level must be in (0, 1), got {level}")


def _roles(role: Mapping[str, Any] | Sequence[Any] | None, agents: Sequence[str]) -> Int[np.ndarray, "agent"] | None:
    if role is None:
        return None
    if isinstance(role, Mapping):
        told = {str(k): v for k, v in role.items()}
        missing = [a for a in agents if a not in told]
        if missing:
            raise UserError(f"communities: no role for agent {missing[0]!r}")
        values = [told[a] for a in agents]
    else:
        values = list(role.values if isinstance(role, xr.DataArray) else role)
    if len(values) != len(agents):
        raise UserError(f"communities: {len(values)} roles for {len(agents)} agents")
    return np.unique([str(v) for v in values], return_inverse=True)[1]


def _answer(
    society: Society, at: int, call: _Call, roles: Int[np.ndarray, "agent"] | None, rng: np.random.Generator
) -> Answer:
    n, count = len(society.agents), len(society.time)
    weights = _weights(society, at, call)
    usable = [s for s in range(len(weights)) if n >= 3 and weights[s].any()]
    labels = np.full((len(weights), count, n), -1)
    modular = np.full(len(weights), np.nan)
    omega = call.omega if call.omega is not None else _coupling(weights[usable])
    ranks: list[dict[str, Any]] = []
    for s in usable:
        if call.method == "slices":
            labels[s] = slices_louvain(weights[s], call.resolution, omega, rng)
        else:
            labels[s] = _by_factors(weights[s], call.rank, rng, ranks, society.conditions[at], society.seeds[s])
        modular[s] = modularity(weights[s], labels[s], call.resolution, 0.0)
    p = _p_structure(society, at, weights, usable, call, rng)
    changed = p_change([change_statistic(weights[s]) for s in usable], call.draws, rng)
    value = estimate(modular, level=call.level, draws=max(999, call.draws), rng=rng)
    condition, rows = society.conditions[at], []
    for s, label in enumerate(society.seeds):
        split = polarisation(weights[s], labels[s])
        split = split[np.isfinite(split)]
        rows.append({"condition": condition, "seed": label, "modularity": modular[s], **summary(labels[s]),
                     "steadiness": _steadiness(labels[s]),
                     "polarisation": float(split.mean()) if len(split) else float("nan")})  # fmt: skip
    found = [
        {"condition": condition, "seed": society.seeds[s], **e} for s in usable for e in events(labels[s], society.time)
    ]
    columns = ["condition", "seed", "time", "event", "before", "after", "agents"]
    together = [allegiance(labels[s]) for s in usable]
    alike, p_alike = p_agreement(together, call.draws, rng) if len(usable) > 1 else (float("nan"), float("nan"))
    tables = {
        "seeds": pd.DataFrame(rows),
        "membership": pd.concat(
            [
                membership_frame(labels[s], condition, label, society.time, society.agents)
                for s, label in enumerate(society.seeds)
            ],
            ignore_index=True,
        ),
        "events": pd.DataFrame(found, columns=columns),
        "windows": _window_table(society, condition, labels, weights, usable, call),
        "agreement": pd.DataFrame([(condition, len(usable), alike, p_alike)],
                                  columns=["condition", "seeds", "alike", "p"]),
        "ranks": pd.DataFrame(ranks),
        "roles": _role_table(condition, labels, usable, roles, society.seeds, call, rng),
    }  # fmt: skip
    mean = np.mean(together, axis=0) if together else np.zeros((n, n))
    return Answer(value, p, changed, omega, _negative(society, at, call), labels, mean, modular, tables)


def _steadiness(labels: Int[np.ndarray, "window n"]) -> float:
    """Mean adjusted Rand index of neighbouring windows: how steady the communities are."""
    found = [adjusted_rand(a, b) for a, b in pairwise(labels)]
    known = [f for f in found if np.isfinite(f)]
    return float(np.mean(known)) if known else float("nan")


def _weights(society: Society, at: int, call: _Call) -> Float[np.ndarray, "seed window n n"]:
    if society.networks is not None:
        return np.asarray(society.networks[at])
    assert society.traces is not None
    return affinities(society.traces[at], society.slices, call.affinity, call.detrend)


def _coupling(weights: Float[np.ndarray, "seed window n n"]) -> float:
    """What staying is worth: one average tie."""
    n = weights.shape[-1]
    return float(weights.sum() / (weights.size / n * (n - 1))) if weights.size and n > 1 else 0.0


def _negative(society: Society, at: int, call: _Call) -> float:
    """Share of pairs of agents whose correlation is clearly negative; NaN for networks."""
    if society.traces is None:
        return float("nan")
    turned = society.traces[at].copy()
    n = turned.shape[1]
    if n < 2:
        return float("nan")
    half = turned[:, : n // 2] * -1.0  # negative correlations between the halves become positive
    turned[:, : n // 2] = half
    across = affinities(turned, society.slices, "correlation", call.detrend)[:, :, : n // 2, n // 2 :]
    return float((across.mean(axis=1) > 0.4).mean()) if across.size else float("nan")


def _p_structure(
    society: Society,
    at: int,
    weights: Float[np.ndarray, "seed window n n"],
    usable: list[int],
    call: _Call,
    rng: np.random.Generator,
) -> float:
    """One-sided p of the mean over seeds of the triangles of affinities."""
    if not usable:
        return float("nan")
    observed, null = 0.0, np.zeros(call.draws)
    for s in usable:
        own = weights[s]
        if society.traces is not None:
            # trends are left in only where they are meant to count
            traces = levelled(society.traces[at, s]) if call.detrend else society.traces[at, s]
            own = affinities(traces[None], society.slices, call.affinity, call.detrend)[0]
            drawn = null_traces(traces, society.slices, call.affinity, call.detrend, call.draws, rng)
        else:
            drawn = null_networks(own, call.draws, rng)
        observed += float(triangles(own))
        null += drawn
    return float((1 + (null >= observed - 1e-15).sum()) / (call.draws + 1))


def _by_factors(
    weights: Float[np.ndarray, "window n n"],
    rank: int | None,
    rng: np.random.Generator,
    ranks: list[dict[str, Any]],
    condition: str,
    seed: Any,
) -> Int[np.ndarray, "window n"]:
    """Communities by factorisation; where the rank is open, the largest that is stable and still explains more."""
    tried = {r: factors(weights, r, rng) for r in ([rank] if rank else range(1, min(_MOST_RANK, weights.shape[1]) + 1))}
    chosen, before = min(tried), -np.inf
    for r, found in tried.items():
        stable = r == 1 or found.stability >= _STABLE
        if stable and found.explained >= before + _FIT_GAIN:
            chosen, before = r, found.explained
    for r, found in tried.items():
        ranks.append(
            {"condition": condition, "seed": seed, "rank": r, "explained": found.explained,
             "stability": found.stability, "chosen": r == chosen}
        )  # fmt: skip
    return from_factors(tried[chosen], weights)


def _window_table(
    society: Society,
    condition: str,
    labels: Int[np.ndarray, "seed window n"],
    weights: Float[np.ndarray, "seed window n n"],
    usable: list[int],
    call: _Call,
) -> pd.DataFrame:
    rows = []
    split = np.array([polarisation(weights[s], labels[s]) for s in usable]).reshape(-1, len(society.time))
    for w, time in enumerate(society.time):
        sizes = [np.bincount(labels[s, w][labels[s, w] >= 0]) for s in usable]
        count = [int((s >= 3).sum()) for s in sizes]
        q = [modularity(weights[s, w : w + 1], labels[s, w : w + 1], call.resolution, 0.0) for s in usable]
        known = [v for v in q if np.isfinite(v)]
        apart = split[np.isfinite(split[:, w]), w]
        largest = [float(s.max() / s.sum()) for s in sizes if len(s)]
        rows.append(
            {
                "condition": condition,
                "time": time,
                "communities": float(np.mean(count)) if count else float("nan"),
                "largest": float(np.mean(largest)) if largest else float("nan"),
                "modularity": float(np.mean(known)) if known else float("nan"),
                "polarisation": float(apart.mean()) if len(apart) else float("nan"),
            }
        )
    return pd.DataFrame(rows)


def _role_table(
    condition: str,
    labels: Int[np.ndarray, "seed window n"],
    usable: list[int],
    roles: Int[np.ndarray, "n"] | None,
    seeds: Sequence[Any],
    call: _Call,
    rng: np.random.Generator,
) -> pd.DataFrame:
    columns = ["condition", "seed", "bits", "bits_by_chance", "p"]
    if roles is None:
        return pd.DataFrame(columns=columns)
    rows = [(condition, seeds[s], *information_on_role(labels[s], roles, call.draws, rng)) for s in usable]
    return pd.DataFrame(rows, columns=columns)


def _contrasts(
    conditions: Sequence[str], answers: Sequence[Answer], paired: bool, level: float, rng: np.random.Generator
) -> pd.DataFrame:
    rows = []
    for quantity in ("modularity", "flexibility", "communities"):
        for i, j in combinations(range(len(answers)), 2):
            a, b = (answers[k].tables["seeds"][quantity].to_numpy(dtype=float) for k in (i, j))
            gap = difference(a, b, paired=paired, level=level, draws=999, rng=rng)
            rows.append((quantity, conditions[i], conditions[j], gap.value, gap.low, gap.high, gap.p_two_sided()))
    table = pd.DataFrame(rows, columns=["quantity", "a", "b", "difference", "low", "high", "p"])
    return table.assign(p_holm=holm(table["p"].to_numpy(dtype=float)))
