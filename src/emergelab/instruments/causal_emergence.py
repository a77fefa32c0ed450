"""causal_emergence: does a macro variable do causal or predictive work that its parts do not?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Int

from emergelab.errors import UserError, nearest
from emergelab.instruments._causal_emergence_atoms import HOI_METHODS, bipartition_of
from emergelab.instruments._causal_emergence_info import Estimator
from emergelab.instruments._causal_emergence_matrix import (
    Judged,
    Kind,
    Matrices,
    judge_matrices,
    matrices_of_graph,
    matrices_of_step,
    read_matrices,
)
from emergelab.instruments._causal_emergence_measure import Options
from emergelab.instruments._causal_emergence_psi import judge_series
from emergelab.instruments._causal_emergence_series import Macro, Series, choose_estimator, read_series
from emergelab.instruments._causal_emergence_words import (
    CANNOT_SEE_MATRIX,
    CANNOT_SEE_SERIES,
    cautions_of_series,
    describe_matrices,
    describe_series,
    diagnostics_of_matrices,
    diagnostics_of_series,
)
from emergelab.instruments.result import Effect, Null, Result, provenance
from emergelab.statistics import difference, holm

__all__ = ["causal_emergence"]

_KINDS = ("series", "tpm", "counts", "network")
_ESTIMATORS = ("discrete", "gaussian", "copula", "ksg")


def causal_emergence(
    data: Any,
    var: str | None = None,
    macro: Macro | Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    kind: Kind | None = None,
    states: Sequence[Hashable] | None = None,
    weight: str | None = None,
    along: str = "time",
    parts: str = "part",
    channel: str = "channel",
    by: str | None = "condition",
    seeds: str = "seed",
    lag: float | Sequence[float] | None = None,
    order: int = 1,
    estimator: Estimator | None = None,
    bins: int | None = None,
    learned: bool = False,
    over: Literal["time", "seeds"] = "time",
    windows: int = 1,
    phiid: bool | Sequence[Sequence[str]] | None = None,
    phiid_estimator: str | None = None,
    jitter: float = 0.0,
    margin: float = 0.0,
    negligible: float = 0.01,
    paired: bool = False,
    level: float = 0.95,
    draws: int = 499,
    rng: int | np.random.Generator = 0,
) -> Result:
    """Ask whether a coarse description says more than the parts it is made of. Two families, never mixed.

    *Interventional*, for a transition matrix, a network or a step function. Effective information (EI) is the
    information between cause and effect when every state is set equally often. Causal emergence is the EI of the
    best coarse-graining minus that of the micro states; its null shuffles the entries of every row, which keeps the
    entropies of the rows and destroys what rows share, and is searched in the same way.

    *Observational*, for time series of parts X and a macro variable V. In bits, at lag tau:
    psi = I(V; V') - sum_j I(X_j; V') > 0 suffices for causal emergence; delta = max_j of
    I(V; X_j') - sum_i I(X_i; X_j') > 0 for downward causation; gamma = max_j I(V; X_j') = 0 beside psi > 0 for
    causal decoupling. Each is estimated in every seed, its bias is the mean over circular shifts of the future
    against the present, and the verdict is over seeds. As a mere sum of independent parts has psi > 0 too, psi must
    also exceed that of the same parts without interaction: each is moved along its record by an amount of its own,
    and the macro variable is made of them anew.

    Args:
        data: what it is decides the family. A `DataArray` or `Dataset` with the dim ``along``, or a Run: series, with
            dims among (``by``, ``seeds``, ``along``, ``parts``, ``channel``). Without that dim: square matrices
            (cause, effect), with ``by`` and ``seeds`` if there are several. A networkx graph. A function from a state
            to the next state, or to a mapping {next state: probability}, with ``states``.
        var: the variable with the parts, or the matrix, where the data hold several.
        macro: series: the macro variable, as a name in the data, an array without ``parts``, or a function from the
            array (condition, seed, time, part[, channel]) to (condition, seed, time[, channel]). Matrices: a grouping
            chosen beforehand (one group a state, or a mapping from states to groups); None searches for the best.
        kind: "series", "tpm", "counts" (numbers of observed transitions: their uncertainty is shown) or "network"
            (rows are scaled to sum to 1); None: as above, "tpm" if rows sum to 1, else "network".
        states: all states, for a step function.
        weight: edge attribute of a graph that holds its weights; None: every edge counts 1.
        along: dim of time; must have a coordinate.
        parts: dim of the parts.
        channel: dim of several numbers per part or of the macro variable (a position in the plane).
        by: dim of conditions, or None.
        seeds: dim of seeds, the unit of replication. Nothing is claimed about series from fewer than five.
        lag: tau in units of time; several are corrected for (Holm); None: the smallest gap between records.
        order: size of the groups of parts that are set against the macro variable, 1 or more.
        estimator: "discrete" (plug-in with the Miller-Madow correction), "gaussian", "copula" (Gaussian after ranks)
            or "ksg" (nearest neighbours; slow). None: "discrete" where all variables have few values, or with
            ``bins``; else "copula". A Gaussian sees no parity.
        bins: for "discrete": cut each variable at its quantiles into so many symbols.
        learned: ``macro`` is called with the seeds that are not the one in question and must return the function
            that is then applied to that one, so that no seed is judged by a variable learned from it.
        over: "time": records of a seed are the samples. "seeds": seeds are the samples at each time (at least 30),
            for trajectories that are not stationary.
        windows: so many equal stretches of time are measured apart and averaged; also in the table "windows".
        phiid: also the 16 atoms of integrated information, of two parts or of two groups of parts
            (["a", "b"], ["c"]). None: where there are just two parts.
        phiid_estimator: an entropy of the package hoi for the atoms ("gc", "gauss", "knn", "kernel", "binning",
            "histogram"), without correction of bias; None: ``estimator``.
        jitter: noise added to continuous variables, in standard deviations, where they follow each other exactly.
        margin: the smallest psi, delta or gain in EI that matters, in bits. 0 is what the criteria themselves say.
        negligible: gamma counts as none if its whole interval lies below this, in bits.
        paired: seeds of equal label share their randomness across conditions.
        level: confidence level.
        draws: shifts or shuffled matrices (fewer where a search is dear, never below 99), and bootstrap draws.
        rng: seed or generator.

    Returns:
        A `Result` with verdict "emergent", "decoupled" (series only) or "not shown"; with several conditions, that of
        the clearest, Holm over conditions. Tables of matrices: "seeds", "scales" (EI of every scale beside its null),
        "groups", "weightings"; of series: "seeds", "criteria", "parts", "lags", and "atoms" and "windows" where asked
        for; of both, where there are several conditions, "conditions" and "contrasts".

    Raises:
        UserError: the arguments do not fit the data or each other.

    Sources: Hoel, Albantakis and Tononi (2013); Klein and Hoel (2020); Rosas, Mediano et al. (2020); Mediano et al.
    (2021); Barnett and Seth (2023). Not here: measures of integrated causal structure (big phi), and dynamical
    independence beyond its transfer entropy (no search for independent macro variables).
    """
    _check(kind, estimator, order, bins, over, windows, phiid_estimator, jitter, margin, negligible, level, draws)
    source = np.random.default_rng(rng)
    if isinstance(data, Mapping) and not isinstance(data, xr.Dataset):
        raise UserError("causal_emergence: data must be labelled arrays, a graph or a step function, got a mapping")
    if hasattr(data, "number_of_nodes"):
        data, kind = matrices_of_graph(data, weight), "network"
    elif callable(data) and not isinstance(data, xr.DataArray | xr.Dataset):
        data, kind = matrices_of_step(data, states), "tpm"
    if kind is None and along in getattr(getattr(data, "data", data), "dims", getattr(data, "dims", ())):
        kind = "series"
    params: dict[str, Any] = {
        "var": var, "kind": kind, "along": along, "by": by, "seeds": seeds, "margin": margin, "paired": paired,
        "level": level, "draws": draws,
    }  # fmt: skip
    if kind == "series":
        if macro is None:
            raise UserError(
                "causal_emergence: series need macro=...: psi asks about a macro variable that is named beforehand"
            )
        if isinstance(macro, Mapping) or not (isinstance(macro, str | xr.DataArray) or callable(macro)):
            raise UserError("causal_emergence: the macro variable of series is a name, a DataArray or a function")
        series = read_series(data, var, macro, learned, along, parts, channel, by, seeds)
        chosen, few = choose_estimator(series, estimator, bins)
        if order > len(series.parts):
            raise UserError(f"causal_emergence: order {order} is more than the {len(series.parts)} parts")
        options = Options(
            lags=_lags(series, lag), order=order, estimator=chosen, bins=bins, windows=windows, over=over,
            bipartition=bipartition_of(phiid, series.parts), hoi=phiid_estimator, jitter=jitter,
            blind=few and chosen != "discrete", margin=margin, negligible=negligible, level=level, draws=draws,
        )  # fmt: skip
        answers = [judge_series(series, c, options, source) for c in range(len(series.conditions))]
        params |= {
            "macro": series.macro, "learned": learned, "lag": list(options.lags), "order": order, "estimator": chosen,
            "bins": bins, "over": over, "windows": windows, "phiid_estimator": phiid_estimator, "jitter": jitter,
            "negligible": negligible,
        }  # fmt: skip
        cautions = cautions_of_series(series, options, few)
        return _result(series, answers, params, cautions, options, rng, source)
    matrices = read_matrices(data, var, kind, by, seeds)
    grouping = _grouping(macro, matrices.states)
    answers = [
        judge_matrices(matrices, c, grouping, margin, level, draws, source) for c in range(len(matrices.conditions))
    ]
    params |= {"kind": matrices.kind, "grouping": "given" if grouping is not None else "searched", "weight": weight}
    return _result(matrices, answers, params, [], None, rng, source)


def _check(
    kind: Any, estimator: Any, order: int, bins: int | None, over: Any, windows: int, hoi: str | None, jitter: float,
    margin: float, negligible: float, level: float, draws: int,
) -> None:  # fmt: skip
    for name, value, known in (
        ("kind", kind, _KINDS),
        ("estimator", estimator, _ESTIMATORS),
        ("over", over, ("time", "seeds")),
        ("phiid_estimator", hoi, HOI_METHODS),
    ):
        if value is not None and value not in known:
            raise UserError(f"causal_emergence: {name}={value!r} is not known{nearest(str(value), known)}")
    for name, number, least in (("order", order, 1), ("windows", windows, 1), ("bins", bins, 2), ("draws", draws, 99)):
        if number is not None and number < least:
            raise UserError(f"causal_emergence: {name} must be at least {least}, got {number}")
    if jitter < 0 or margin < 0 or negligible <= 0:
        raise UserError("causal_emergence: jitter and margin must be at least 0, and negligible above 0")
    if not 0 < level < 1:
        raise UserError(f"causal_emergence: level must be in (0, 1), got {level}")
    if bins is not None and estimator not in (None, "discrete"):
        raise UserError(f"causal_emergence: bins are for the discrete estimator, not for {estimator!r}")


def _lags(series: Series, lag: float | Sequence[float] | None) -> tuple[float, ...]:
    gaps = np.diff(series.time)
    if lag is None:
        return (float(gaps.min()) if len(gaps) else 1.0,)
    lags = tuple(float(g) for g in (lag if isinstance(lag, Sequence | np.ndarray) else [lag]))
    if not lags or not all(np.isfinite(g) and g > 0 for g in lags) or len(set(lags)) < len(lags):
        raise UserError(f"causal_emergence: lag must be one or more different times above 0, got {lag}")
    return lags


def _grouping(macro: Any, states: Sequence[str]) -> Int[np.ndarray, "n"] | None:
    if macro is None:
        return None
    if isinstance(macro, str) or (callable(macro) and not isinstance(macro, xr.DataArray)):
        raise UserError("causal_emergence: for matrices macro is a grouping: one group a state, or a mapping")
    if isinstance(macro, Mapping):
        told = {str(k): v for k, v in macro.items()}
        missing = [s for s in states if s not in told]
        if missing:
            raise UserError(f"causal_emergence: the grouping has no group for state {missing[0]!r}")
        labels = [told[s] for s in states]
    else:
        labels = list(np.asarray(macro.values if isinstance(macro, xr.DataArray) else macro).tolist())
    if len(labels) != len(states):
        raise UserError(f"causal_emergence: the grouping has {len(labels)} entries for {len(states)} states")
    order = {g: i for i, g in enumerate(dict.fromkeys(map(str, labels)))}
    return np.array([order[str(g)] for g in labels])


def _result(
    read: Series | Matrices,
    answers: Sequence[Judged],
    params: Mapping[str, Any],
    cautions: Sequence[str],
    options: Options | None,
    rng: Any,
    source: np.random.Generator,
) -> Result:
    """Answers of all conditions put together."""
    level = float(params["level"])
    p_holm = holm(np.array([a.p for a in answers]))
    verdicts = [
        a.verdict if len(answers) == 1 or p <= 1 - level else "not shown" for a, p in zip(answers, p_holm, strict=True)
    ]
    clearest = int(np.nanargmin(p_holm)) if np.isfinite(p_holm).any() else 0
    if "emergent" in verdicts or "decoupled" in verdicts:
        shown = [i for i, v in enumerate(verdicts) if v != "not shown"]
        clearest = min(shown, key=lambda i: p_holm[i])
    best = answers[clearest]
    tables = {name: pd.concat([a.tables[name] for a in answers], ignore_index=True) for name in best.tables}
    if len(answers) > 1:
        tables["conditions"] = pd.DataFrame(
            [
                (name, a.value.value, a.value.low, a.value.high, p, v)
                for name, a, p, v in zip(read.conditions, answers, p_holm, verdicts, strict=True)
            ],
            columns=["condition", "bits", "low", "high", "p_holm", "verdict"],
        )
        tables["contrasts"] = _contrasts(
            read.conditions, answers, bool(params["paired"]), level, params["draws"], source
        )
    warnings = [*read.notes, *cautions]
    warnings += [
        (f"{read.conditions[i]}: " if len(answers) > 1 else "") + w for i, a in enumerate(answers) for w in a.warnings
    ]
    n_seeds = len(read.seeds) if read.has_seeds else 1
    if isinstance(read, Series):
        assert options is not None
        question = f"Does {read.macro} do predictive work that the parts of {read.name} do not?"
        words = describe_series(read, answers, verdicts, options)
        headline, effect = "psi in bits", Effect("psi in bits", best.effect)
        null = Null("psi and delta at most the margin, over seeds; bias by circular shifts of the future", best.draws)
        diagnostics, cannot = diagnostics_of_series(read, answers, options), CANNOT_SEE_SERIES
        if not read.has_seeds:
            warnings.insert(0, "there is no dim of seeds: whatever is shown is within one run only")
    else:
        question = f"Does a coarse-graining of {read.name} do causal work that its states do not?"
        words = describe_matrices(read, answers, verdicts)
        headline, effect = (
            "gain in effective information, bits",
            Effect("gain above that of the null, bits", best.effect),
        )
        null = Null("entries of every row shuffled, searched alike", best.draws)
        diagnostics, cannot = diagnostics_of_matrices(read, answers), CANNOT_SEE_MATRIX
    return Result(
        instrument="causal_emergence",
        question=question,
        verdict=verdicts[clearest],
        estimate=best.value,
        headline=headline,
        p=float(p_holm[clearest]),
        null=null,
        effect=effect,
        n_seeds=n_seeds,
        tables=tables,
        diagnostics=diagnostics,
        warnings=tuple(warnings),
        words=words,
        cannot_see=cannot,
        params=params,
        provenance=provenance(read.digest, rng),
        _draw=_draw,
    )


def _contrasts(
    conditions: Sequence[str],
    answers: Sequence[Judged],
    paired: bool,
    level: float,
    draws: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    rows = []
    for i, j in combinations(range(len(answers)), 2):
        gap = difference(
            answers[i].per_seed, answers[j].per_seed, paired=paired, level=level, draws=max(100, draws), rng=rng
        )
        rows.append((conditions[i], conditions[j], gap.value, gap.low, gap.high, gap.p_two_sided()))
    table = pd.DataFrame(rows, columns=["a", "b", "difference", "low", "high", "p"])
    return table.assign(p_holm=holm(table["p"].to_numpy(dtype=float)))


def _draw(result: Result) -> Any:
    from emergelab.instruments._causal_emergence_plot import draw

    return draw(result)
