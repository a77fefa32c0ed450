"""Taxes and work: formulas by hand and against brute force, planners, workers, the study at its smallest."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.games import taxes
from emergelab.games.inequality import equality, gini
from emergelab.games.taxes import US_CUTS, US_RATES, Work
from emergelab.studies.societies.economy import Economy, study
from emergelab.studies.societies.economy import _planners as planners
from emergelab.studies.societies.economy import _workers as workers

STEEP = Work(3.5, 0.0005, 100.0)
CUTS, RATES = jnp.array(US_CUTS), jnp.array(US_RATES)
SKILL = jnp.asarray(np.sort(np.minimum(3, 2 * np.random.default_rng(0).pareto(4, 60) + 1)), jnp.float32)
best = jax.jit(taxes.best_hours)
paid = jax.jit(taxes.tax)
utilities = jax.jit(taxes.utilities)
at_rate = jax.jit(taxes.hours_at_rate)
whole_rates, rates_at_each = jax.jit(taxes.bracket_rates), jax.jit(taxes.pointwise_rates)


def tax_of(z: np.ndarray, rates: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """A tax by brackets, coin by coin: the integral of the marginal rate."""
    total = np.zeros_like(z, dtype=float)
    for low, high, rate in zip(cuts, np.append(cuts[1:], np.inf), rates, strict=True):
        total += rate * np.clip(z - low, 0, high - low)
    return total


# -- formulas ---------------------------------------------------------------------------------------------------------


def test_taxes_by_hand() -> None:
    # 9.7 at 10 %, 29.775 at 12 %, 10.525 at 22 %
    found = paid(jnp.array([0.0, 5.0, 9.7, 50.0]), CUTS, RATES)
    np.testing.assert_allclose(found, [0.0, 0.5, 0.97, 6.8585], rtol=1e-6)
    where, inside = jax.jit(lambda z: (taxes.bracket_of(z, CUTS), taxes.inside_brackets(z, CUTS)))(
        jnp.array([0.0, 9.6, 9.7, 40.0, 1e4, 84.2])
    )
    assert np.asarray(where).tolist() == [0, 0, 1, 2, 6, 3]
    assert np.asarray(inside).tolist() == [False, True, False, True, True, False]


def test_equality_by_hand() -> None:
    rows = jnp.array([[1.0, 3.0, 4.0, 2.0], [0.0, 0.0, 0.0, 7.0], [3.0, 3.0, 3.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
    unequal, equal, weight = jax.jit(jax.vmap(lambda x: (gini(x), equality(x), taxes.weights(x))))(rows)
    np.testing.assert_allclose(unequal, [0.25, 0.75, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(equal, [1 - 0.25 * 4 / 3, 0.0, 1.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(weight[0], np.array([1, 1 / 3, 1 / 4, 1 / 2]) * 48 / 25, rtol=1e-6)
    np.testing.assert_allclose(weight[1], np.array([1, 1, 1, 1 / 7]) * 28 / 22, rtol=1e-6)  # below 1 counts as 1


def test_hours_at_one_rate_are_the_closed_form() -> None:
    hours = float(at_rate(2.0, 0.3, STEEP))
    assert hours == pytest.approx((0.7 * 2 / (0.0005 * 3.5)) ** (1 / 2.5), rel=1e-5)
    assert STEEP.elasticity() == pytest.approx(0.4)
    assert float(at_rate(2.0, 1.0, STEEP)) == 0.0
    assert float(at_rate(3.0, 0.0, Work(2.0, 0.01, 100.0))) == 100.0  # 150 h if there were as many
    np.testing.assert_allclose(best(SKILL, STEEP, CUTS, jnp.full(7, 0.3)), at_rate(SKILL, 0.3, STEEP), rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=7, max_size=7), st.sampled_from([(3.5, 0.0005), (2.0, 0.02), (2.0, 0.01)]))
def test_best_replies_by_brute_force(notches: list[int], kind: tuple[float, float]) -> None:
    rates, work = np.array(notches) / 20, Work(*kind, 100.0)
    found = np.asarray(best(SKILL, work, CUTS, jnp.asarray(rates, jnp.float32)), float)
    skill, cuts = np.asarray(SKILL, float), np.array(US_CUTS)
    grid = np.linspace(0, 100, 2001)

    def gain(hours: np.ndarray) -> np.ndarray:
        return hours * skill[:, None] - tax_of(hours * skill[:, None], rates, cuts) - kind[1] * hours ** kind[0]

    mine, all_others = gain(found[:, None])[:, 0], gain(np.broadcast_to(grid, (len(skill), len(grid)))).max(1)
    assert (mine >= all_others - 1e-3).all(), "nothing on a fine grid is better"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=7, max_size=7))
def test_what_is_taken_is_handed_back(notches: list[int]) -> None:
    rates = jnp.asarray(np.array(notches) / 20, jnp.float32)
    hours = best(SKILL, STEEP, CUTS, rates)
    income = np.asarray(SKILL * hours, float)
    utility = np.asarray(utilities(SKILL * hours, hours, STEEP, CUTS, rates), float)
    assert utility.sum() == pytest.approx((income - 0.0005 * np.asarray(hours, float) ** 3.5).sum(), rel=1e-5)


def test_saez_at_a_pareto_tail() -> None:
    a, e, n = 2.0, 0.5, 1000
    income = 50 * (1 - (np.arange(n) + 0.5) / n) ** (-1 / a)
    weight = np.where(income > 100, 0.4, 1.2)  # three quarters earn less than 100
    cuts = jnp.array([0.0, 60.0, 100.0])
    optimal = (1 - 0.4) / (1 - 0.4 + a * e)
    assert float(taxes.pareto_rate(0.4, a, e)) == pytest.approx(optimal)
    z, w = jnp.asarray(income, jnp.float32), jnp.asarray(weight, jnp.float32)
    whole = whole_rates(z, w, e, cuts, jnp.ones(n, bool))
    # The largest of these incomes stand for a tail without end, so their mean is a little low.
    assert float(whole[-1]) == pytest.approx(optimal, abs=0.01)
    each = rates_at_each(z, w, e, cuts)
    assert float(each[-1]) == pytest.approx(optimal, abs=0.02)
    empty = rates_at_each(z, w, e, jnp.array([0.0, 1.0, 60.0]))
    assert float(empty[0]) == float(empty[1]), "a bracket that nobody is in takes a neighbour's rate"


def test_saez_with_one_bracket_is_the_best_flat_tax() -> None:
    skill, cuts = np.asarray(SKILL, float), jnp.zeros(1)
    weight = 1 / skill
    weight /= weight.mean()

    def reached(t: float) -> float:
        hours = ((1 - t) * skill / (0.0005 * 3.5)) ** 0.4
        z = hours * skill
        return float(np.mean(weight * (z - t * z - 0.0005 * hours**3.5)) + t * z.mean())

    rates = np.linspace(0, 0.9, 1801)
    optimum = rates[np.argmax([reached(t) for t in rates])]
    rate, all_respond = jnp.zeros(1), jnp.ones(60, bool)
    for _ in range(30):
        z = SKILL * at_rate(SKILL, rate, STEEP)
        rate = whole_rates(z, jnp.asarray(weight, jnp.float32), 0.4, cuts, all_respond)
    assert float(rate[0]) == pytest.approx(optimum, abs=2e-3)


# -- workers and planners ---------------------------------------------------------------------------------------------


def test_workers_by_hand() -> None:
    values = jnp.zeros((2, 11)).at[0, 4].set(2.0).at[1, 0].set(1.0)
    hours = jnp.array([40.0, 0.0])
    view = workers.View(jnp.ones(2), hours, CUTS, jnp.zeros(7), values)
    act = jax.jit(workers.decide)
    learner = list(workers.WORKERS).index("learner")
    habits = workers.Habits(0.5, 0.1)
    calm = act(learner, view, STEEP, habits, jnp.full((2, 2), 0.5))
    assert np.asarray(calm).tolist() == [40.0, 0.0]
    for draw, tried in ((0.0, [10.0, 0.0]), (0.49, [30.0, 0.0]), (0.51, [50.0, 10.0]), (0.99, [70.0, 30.0])):
        curious = act(learner, view, STEEP, habits, jnp.array([[0.0, 0.0], [draw, draw]]))
        np.testing.assert_allclose(curious, tried)
    after = np.asarray(
        jax.jit(lambda v, h, u: workers.taught(v, workers.level_of(h, STEEP, 11), u, 0.5))(
            values, hours, jnp.array([4.0, 0.0])
        )
    )
    assert after[0, 4] == 3.0 and after[1, 0] == 0.5 and (after != np.asarray(values)).sum() == 2
    # Step by step, who feels only the rate on the next coin ends where the best reply is, or beside a kink.
    view = workers.View(SKILL, jnp.full(60, 10.0), CUTS, RATES, jnp.zeros((60, 1)))
    for _ in range(80):
        hours = act(1, view, STEEP, workers.Habits(0.25, 0.0), jnp.ones((2, 60)))
        view = view._replace(hours=hours)
    np.testing.assert_allclose(view.hours, best(SKILL, STEEP, CUTS, RATES), atol=0.5)


def test_regressions_by_hand() -> None:
    rng = np.random.default_rng(1)
    x, level = rng.normal(size=(6, 40)), 3 * rng.normal(size=40)
    y = 0.4 * x + level + 0.1 * x.mean(0)
    sums = planners.Estimate(*(jnp.asarray(v.sum(0), jnp.float32) for v in (np.ones_like(x), x, y, x * x, x * y)))
    slope = jax.jit(lambda sums, years: sums.slope(years))
    assert float(slope(sums, 1)) == pytest.approx(0.4, abs=1e-4)
    assert float(slope(sums, 0)) == pytest.approx(np.polyfit(x.ravel(), y.ravel(), 1)[0], abs=1e-4)


def test_a_search_goes_to_the_best_of_what_it_tried() -> None:
    system = Economy(planner="search", candidates=8, workers=4, haste=0.5, notches=10)
    plan = planners.begin(system)
    tried = jax.jit(lambda k: planners.propose(system, plan, k))(jax.random.key(0))
    assert tried.shape == (8, 7) and float(tried.min()) >= 0 and float(tried.max()) <= 1
    np.testing.assert_allclose(tried * 10, np.round(np.asarray(tried) * 10), atol=1e-5)
    score = jnp.array([0.0, 5.0, 1.0, 2.0, 9.0, 3.0, 4.0, -1.0])
    nothing = jnp.zeros((8, 4))
    seen = planners.Tried(tried, score, nothing, nothing, nothing > 0)
    after = jax.jit(lambda p, s: planners.learn(system, p, s))(plan, seen)
    elite = np.asarray(tried)[[4, 1]]  # a quarter of eight
    np.testing.assert_allclose(after.mean, 0.25 + elite.mean(0) / 2, rtol=1e-5)
    np.testing.assert_allclose(after.spread, 0.15 + np.maximum(elite.std(0), 0.1) / 2, rtol=1e-5)
    np.testing.assert_allclose(after.rates, np.round((0.25 + elite.mean(0) / 2) * 10) / 10, atol=0.051)


def test_who_tries_everything_finds_the_best() -> None:
    cuts = np.array([0.0, 22.0, 32.0, 1e5, 2e5, 3e5, 4e5])
    system = Economy(planner="every", notches=2, workers=8, cuts=cuts)
    state = jax.jit(lambda k: system.init(k))(jax.random.key(0))
    skill = np.asarray(state.skill, float)
    step = jax.jit(lambda s, k: system.step(s, k))
    for k in range(4):
        state = step(state, jax.random.key(k))

    def reached(first: tuple[float, ...]) -> float:
        rates = np.array([*first, 0, 0, 0, 0])
        grid = np.linspace(0, 40, 8001)
        z = grid * skill[:, None]
        best_at = (z - tax_of(z, rates, cuts) - 0.0005 * grid**3.5).argmax(1)
        hours, z = grid[best_at], grid[best_at] * skill
        weight = 1 / np.maximum(z, 1)
        taken = tax_of(z, rates, cuts)
        return float(np.average(z - taken + taken.mean() - 0.0005 * hours**3.5, weights=weight))

    scores = {first: reached(first) for first in itertools.product((0.0, 0.5, 1.0), repeat=3)}
    assert scores[tuple(np.asarray(state.plan.rates)[:3].tolist())] >= max(scores.values()) - 2e-3
    assert float(state.year.welfare) == pytest.approx(max(scores.values()), abs=2e-3)


def test_interventions_do_what_they_say() -> None:
    system = Economy(workers=6, knowing="last year's", skills="averaged")
    key = jax.random.key(3)
    start = jax.jit(lambda k: system.init(k))(key)
    us = np.array(US_RATES, np.float32)
    idle = np.arange(6) == 5
    edits = (el.Clamp("rates", us), el.Clamp("hours", 0.0, where=idle), el.Clamp("skill", 2.0, where=np.arange(6) == 0))
    with el.edit(*edits):
        step = jax.jit(lambda s, k: system.step(s, k))
        first = step(start, key)
        second = step(first, key)
    skill = np.asarray(start.skill).copy()
    skill[0] = 2.0
    skill = jnp.asarray(skill)
    untaxed, taxed = at_rate(skill, 0.0, STEEP), best(skill, STEEP, CUTS, jnp.asarray(us))
    np.testing.assert_allclose(first.year.hours[:5], untaxed[:5], rtol=1e-5)
    np.testing.assert_allclose(second.year.hours[:5], taxed[:5], rtol=1e-5)
    assert float(first.year.hours[5]) == float(second.year.paid[5]) == 0.0
    np.testing.assert_allclose(second.year.paid, paid(second.year.income, CUTS, jnp.asarray(us)), rtol=1e-5)


def test_bad_input_is_told() -> None:
    with pytest.raises(el.UserError, match="'cuts' must begin with 0 and ascend"):
        Economy(cuts=[0.0, 10.0, 5.0, 20.0, 30.0, 40.0, 50.0])
    with pytest.raises(el.UserError, match="'rates' must be an array of shape"):
        Economy(rates=[0.1, 0.2])
    with pytest.raises(el.UserError, match="set 'levels' >= 2, got 1"):
        Economy(worker="learner")
    with pytest.raises(el.UserError, match="'planner' must be one of 'schedule', 'saez'"):
        Economy(planner="king")


# -- the study --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    names = ["steep-free", "steep-us", "steep-saez", "steep-people"]
    return study.run("tiny", conditions=names, out=tmp_path_factory.mktemp("economy") / "run", progress=False)


def test_study_at_its_smallest(tiny: Any) -> None:
    end = tiny.data.isel(time=-1).load()
    assert not tiny.diverged and set(tiny.failed) == set()
    free = end.sel(condition="steep-free")
    np.testing.assert_allclose(free["hours"], (free["skill"] / (0.0005 * 3.5)) ** 0.4, rtol=1e-4)
    np.testing.assert_allclose(free["welfare"], free["promised"], rtol=1e-5)
    assert (free["revenue"] == 0).all()
    np.testing.assert_allclose(free["flat_welfare"].isel(flat=0), free["welfare"], rtol=1e-5)
    us = end.sel(condition="steep-us")
    np.testing.assert_allclose(
        us["paid"], tax_of(us["income"].values, np.array(US_RATES), np.array(US_CUTS)), rtol=1e-4
    )
    assert (us["equality"] > free["equality"]).all() and (us["productivity"] < free["productivity"]).all()
    assert (end["welfare"].sel(condition="steep-saez") > us["welfare"]).all()
    assert (np.abs(end["elasticity"].sel(condition="steep-people") - 0.4) > 1e-3).all()
    assert (end["elasticity"].sel(condition="steep-saez").values == np.float32(0.4)).all()
    assert np.isnan(end["elasticity"].sel(condition="steep-us")).all()
    np.testing.assert_allclose(end["filled"].sum("bracket"), 1.0, rtol=1e-5)
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive", "untested"}


class Shown(el.Run):
    """A run that is nothing but numbers."""

    data: Any = None

    def __init__(self, data: xr.Dataset) -> None:
        object.__setattr__(self, "data", data)


def test_figures_are_drawn_and_never_show_an_empty_bracket() -> None:
    rng, names = np.random.default_rng(0), list(study.conditions)
    sizes = {"bracket": 7, "worker": 9, "flat": 21}
    lead = {"condition": len(names), "seed": 3, "time": 1}
    data = {}
    for o in Economy.observables:
        shape = (*lead.values(), *(sizes[d] for d in o.dims))
        data[o.name] = ((*lead, *o.dims), rng.uniform(0.5, 1.0, shape) * (80 if o.name == "income" else 1))
    run = Shown(xr.Dataset(data, {"condition": names, "seed": range(3), "time": [0]}))
    for figure in study.figures:
        drawn = figure.draw(run)
        assert drawn.axes and set(figure.needs) <= set(names)
        if figure.name == "schedules":
            for line in drawn.axes[0].get_lines():
                x, y = (np.asarray(v, float) for v in line.get_data())
                assert set(x[np.isfinite(y)].tolist()) <= {39.475, 80.0, 84.2}, "incomes are between 40 and 80"


def test_sites() -> None:
    found = {s.name for s in el.sites(Economy(workers=4, planner="search", candidates=4))}
    assert {"skill", "rates", "hours", "trial.rates", "trial.hours"} <= found
