"""order_parameters: a phase transition in a control parameter? And over seeds: one heap or two?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from emergelab.errors import UserError
from emergelab.instruments._order_parameters_judge import Judgement, judge
from emergelab.instruments._order_parameters_read import (
    Keep,
    Stage,
    System,
    check_keep,
    observable,
    read_stage,
    read_system,
)
from emergelab.instruments._order_parameters_transition import Transition, analyse
from emergelab.instruments._order_parameters_words import describe_modes, describe_transition, modes_cannot_see
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import Estimate

__all__ = ["order_parameters"]

_TRANSITION_CANNOT_SEE = (
    "a transition of infinite order, which has no peak that grows as a power of N; a first-order transition so weak "
    "that its second phase is smaller than the noise, which reads as continuous; whether the records are in "
    "equilibrium, beyond the correlation time; what plays the part of size, if N is not the number of interacting "
    "parts. The exponents hold for the sizes that were given: no correction to scaling is fitted. A peak that grows "
    "with N in the slowest power still resolved here is a power law as far as these sizes reach."
)


def order_parameters(
    data: Any,
    var: str | None = None,
    *,
    control: str = "control",
    size: str = "size",
    sweep: str = "sweep",
    along: str = "time",
    by: str | None = "condition",
    seeds: str = "seed",
    dimension: float = 1.0,
    keep: Keep = None,
    critical: tuple[float, float] | None = None,
    margin: float = 0.1,
    floor: float | None = None,
    eps: float | None = None,
    level: float = 0.95,
    draws: int = 999,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Ask one of two questions of an order parameter; the dims of the data say which.

    With a dim named ``control``: is there a phase transition in it, where, and of which order? Dims among
    (``seeds``, ``control``, ``size``, ``sweep``, ``along``). For every size N the mean of |m|, the susceptibility
    chi = N (<m^2> - <|m|>^2) and the Binder cumulant U4 = 1 - <m^4> / (3 <m^2>^2) are taken over seeds and kept
    records. A transition needs a peak of chi that grows with N and narrows; one size alone can only show a sharp
    change. The critical value is where U4 of the two largest sizes cross and, separately, the extrapolated place of
    the peak; the shorter interval of the two is the headline. Exponents come from the collapse
    m L^(beta/nu) = F((lambda - lambda_c) L^(1/nu)) and from the crossing.

    Without it: do the seeds fall into one heap or two? Dims among (``by``, ``seeds``, ``along``). Two normals are set
    against one by likelihood ratio, against one-heap nulls that are as skewed, heavy-tailed or flat as the data; a heap
    at the floor is tested by itself. With several conditions the verdict is on what happens within them.

    Args:
        data: a Run, an `xarray.Dataset` or a `DataArray`; m in [-1, 1] or [0, 1] for the first question.
        var: name of the observable; may be left out if there is only one.
        control: dim of the control parameter; needs a coordinate of numbers.
        size: dim of the system size; its coordinate is the number of units, or an extent L with N = L ** dimension.
        sweep: dim of the direction of a sweep, with the labels "up" and "down"; gives the hysteresis.
        along: dim of time inside a seed.
        by: dim of conditions (second question only).
        seeds: dim of seeds.
        dimension: N = size ** dimension; exponents are in the coordinate ``size``.
        keep: records used: the share at the end, in (0, 1], or an interval (from, to) of ``along``. None: the last
            80% for the first question (the rest is taken for relaxation), the last 5% for the second.
        critical: interval of control in which the collapse is looked for; None: where chi of the middle system is at
            least a quarter of its peak.
        margin: smallest exponent of growth of chi_max in N that matters, above 0: a transition grows faster, a
            crossover more slowly.
        floor: value at which nothing was learnt (second question); None: the smallest value.
        eps: how near to the floor counts as at the floor; None: a thousandth of the range.
        level: confidence level.
        draws: bootstrap draws over seeds, permutations, and samples of each null.
        rng: seed or generator.

    Returns:
        A `Result`. First question: "continuous", "first-order", "crossover", "none"; with one size "sharp change" or
        "gradual change"; else "undecided". Tables "sizes", "critical", "crossings", "curves", "hysteresis". Second
        question: "unimodal", "two modes", "zero-inflated" or "undecided" (too few seeds to exclude a second mode).
        Tables "tests", "members", "power". Not given: quenched averages of chi for disorder that is nested in seeds.

    Raises:
        UserError: the arguments do not fit the data or each other.
    """
    if draws < 99:
        raise UserError(f"order_parameters: draws must be at least 99, got {draws}")
    if not 0 < level < 1:
        raise UserError(f"order_parameters: level must be in (0, 1), got {level}")
    if margin <= 0 or dimension <= 0:
        raise UserError(f"order_parameters: margin and dimension must be above 0, got {margin} and {dimension}")
    if eps is not None and not eps >= 0:
        raise UserError(f"order_parameters: eps must be at least 0, got {eps}")
    if floor is not None and not np.isfinite(floor):
        raise UserError(f"order_parameters: floor must be finite, got {floor}")
    if critical is not None and not critical[0] < critical[1]:
        raise UserError(f"order_parameters: critical must be (from, to) with from < to, got {critical}")
    check_keep(keep)
    source = np.random.default_rng(rng)
    array = observable(data, var)
    dims = [str(d) for d in array.dims]
    params: dict[str, Any] = {
        "along": along, "seeds": seeds, "keep": keep, "level": level, "draws": draws,
    }  # fmt: skip
    if control in dims:
        system = read_system(
            array, control=control, size=size, sweep=sweep, along=along, seeds=seeds, dimension=dimension, keep=keep
        )
        params |= {
            "control": control, "size": size, "sweep": sweep, "dimension": dimension, "critical": critical,
            "margin": margin,
        }  # fmt: skip
        found = analyse(system, margin=margin, critical=critical, level=level, draws=draws, rng=source)
        return _transition_result(system, found, params, rng)
    lost = [d for d in (size, sweep) if d in dims]
    if lost:
        raise UserError(
            f"order_parameters: there is a dim {lost[0]!r} but none named {control!r} (pass control=...); for modes "
            f"over seeds take one {lost[0]} at a time"
        )
    stage = read_stage(data, array, var, along=along, by=by, seeds=seeds, keep=keep)
    params |= {"by": by, "floor": floor, "eps": eps}
    judged = judge(stage, floor=floor, eps=eps, level=level, draws=draws, rng=source)
    return _modes_result(stage, judged, params, rng)


def _transition_result(system: System, found: Transition, params: dict[str, Any], rng: Any) -> Result:
    quantities = pd.DataFrame(
        [(name, e.value, e.low, e.high, e.method) for name, e in found.quantities.items()],
        columns=["quantity", "value", "low", "high", "method"],
    )
    moments = found.moments
    diagnostics = xr.Dataset(
        {
            "m": (("size", "control"), moments.mean[0]),
            "chi": (("size", "control"), moments.chi[0]),
            "chi_thermal": (("size", "control"), moments.thermal[0]),
            "chi_between": (("size", "control"), moments.between[0]),
            "U4": (("size", "control"), moments.binder[0]),
            "tau": (("size", "control"), found.tau),
        },
        coords={"size": system.size, "control": system.control},
        attrs={
            "kind": "transition", "observable": system.name, "control_name": system.control_name,
            "control_unit": system.control_unit, "size_name": system.size_name, "window": list(found.window),
        },
    )  # fmt: skip
    for k, (grid, density) in enumerate(found.densities):
        diagnostics[f"density_{k}"] = ((f"level_{k}",), density)
        diagnostics = diagnostics.assign_coords({f"level_{k}": grid})
    several = len(system.size) > 1
    growth = found.growth.value if several else found.quantities["relative width of the rise"].value
    return Result(
        instrument="order_parameters",
        question=f"Is there a phase transition of {system.name} in {system.control_name}?",
        verdict=found.order,
        estimate=found.critical,
        headline=found.critical_name,
        p=found.p_change,
        null=Null("values permuted over the control parameter within seeds", params["draws"]),
        effect=Effect("exponent of the growth of chi_max in N" if several else "relative width of the rise", growth),
        n_seeds=len(system.seeds) if system.has_seeds else 1,
        tables={
            "sizes": found.sizes,
            "critical": quantities,
            "crossings": found.crossings,
            "curves": found.curves,
            "hysteresis": found.hysteresis,
        },
        diagnostics=diagnostics,
        warnings=tuple(found.warnings),
        words=describe_transition(system, found),
        cannot_see=_TRANSITION_CANNOT_SEE,
        params=params,
        provenance=provenance(system.digest, rng),
        _draw=_draw,
    )


def _modes_result(stage: Stage, judged: Judgement, params: dict[str, Any], rng: Any) -> Result:
    row = judged.tests.set_index("of").loc[judged.decided_by]
    estimate: Estimate = judged.share
    zero = judged.verdict == "zero-inflated"
    diagnostics = xr.Dataset(
        {
            "value": (("condition", "seed"), stage.values),
            "tested": (("tested_seed",), judged.tested),
            "upper": (("tested_seed",), judged.upper),
        },
        coords={"condition": list(stage.conditions), "seed": list(stage.seeds)},
        attrs={"kind": "modes", "observable": stage.name, "unit": stage.unit, "decided_by": judged.decided_by},
    )
    return Result(
        instrument="order_parameters",
        question=f"Do the seeds fall into one heap or two in {stage.name}?",
        verdict=judged.verdict,
        estimate=estimate,
        headline="share at the floor" if zero else "share in the upper mode",
        p=judged.p,
        null=Null("one heap (normal, or as skewed, heavy-tailed or flat as the data), the largest p", params["draws"]),
        effect=Effect("Ashman's D", float(row["ashman_D"])),
        n_seeds=int(np.isfinite(stage.values).sum()) if stage.has_seeds else 1,
        tables={"tests": judged.tests, "members": judged.members, "power": judged.power},
        diagnostics=diagnostics,
        warnings=tuple(judged.warnings),
        words=describe_modes(stage, judged),
        cannot_see=modes_cannot_see(),
        params=params,
        provenance=provenance(stage.digest, rng),
        _draw=_draw,
    )


def _draw(result: Result) -> Any:
    from emergelab.instruments._order_parameters_plot import draw

    return draw(result)
