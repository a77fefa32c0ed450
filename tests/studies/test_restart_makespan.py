"""Trying again: formulas against simulation and quadrature, the best rule, learning, the study at its smallest."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import emergelab as el
from emergelab.games import restarts, stopping
from emergelab.games.restarts import Predictor, Task
from emergelab.studies.societies.restart_makespan import Restarts, study
from emergelab.studies.societies.restart_makespan import _conditions as c
from emergelab.studies.societies.restart_makespan import _learning as learning
from emergelab.studies.societies.restart_makespan import _policies as policies
from emergelab.studies.societies.restart_makespan._claims import RightSide

timeout, luby, alarm, patient, until_alarm = (
    jax.jit(f)
    for f in (
        restarts.timeout_makespan, restarts.luby_makespan, restarts.alarm_makespan, restarts.patient_makespan,
        restarts.mean_until_alarm,
    )
)  # fmt: skip
until, survived = jax.jit(restarts.mean_until), jax.jit(restarts.chance_survived)
TASK, NOBODY = Task(0.5, 20.0, 40.0, 5.0), Predictor(0.0, 0.0, 8.0, 8.0)


# -- formulas by hand and by quadrature -------------------------------------------------------------------------------


def test_closed_form_by_hand() -> None:
    makespan = restarts.confused_makespan
    assert makespan(TASK, NOBODY) == pytest.approx((0.5 * 20 + 0.5 * 45) / 0.5)  # geometric: mean cost over chance
    assert makespan(TASK, Predictor(0.0, 1.0, 8.0, 8.0)) == pytest.approx((0.5 * 20 + 0.5 * 13) / 0.5)
    # (0.5 (0.9 20 + 0.1 13) + 0.5 (0.2 45 + 0.8 13)) / 0.45
    assert makespan(TASK, Predictor(0.1, 0.8, 8.0, 8.0)) == pytest.approx(43.0)
    assert makespan(TASK, Predictor(0.5, 0.8, 8.0, 8.0)) == pytest.approx(71.8)
    hard = Task(0.2, 30.0, 60.0, 2.0)
    assert makespan(hard, Predictor(0.3, 0.9, 10.0, 10.0)) == pytest.approx(132.2857, abs=1e-3)
    assert makespan(hard, NOBODY) == pytest.approx(278.0)
    easy = hard._replace(success=0.8)
    assert makespan(easy, Predictor(0.3, 0.9, 10.0, 10.0)) == pytest.approx(41.2143, abs=1e-3)
    assert makespan(easy, NOBODY) == pytest.approx(45.5)


def test_the_boundary_of_benefit_is_where_the_makespans_are_equal() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        task = Task(*rng.uniform([0.1, 5, 20, 0], [0.9, 40, 80, 20]))
        hit_time, false_time = rng.uniform(1, 15, 2)
        ratio = restarts.benefit_ratio(task, Predictor(0.0, 0.0, false_time, hit_time))
        hit = rng.uniform(0.1, 1.0)
        at, nobody = (
            restarts.confused_makespan(task, Predictor(f, h, false_time, hit_time))
            for f, h in ((hit / ratio, hit), (0.0, 0.0))
        )
        assert ratio > 1
        if hit / ratio < 1:
            assert at == pytest.approx(nobody, rel=1e-9)
    assert restarts.benefit_ratio(TASK, NOBODY) == pytest.approx(1.8125)


@pytest.mark.parametrize("tail", [0.0, 0.2, 0.45, 0.7])
def test_truncated_means_are_integrals(tail: float) -> None:
    mean = 30.0

    def survives(t: float) -> float:
        return float(np.exp(-t / mean) if tail == 0 else (1 + tail * t / (mean * (1 - tail))) ** (-1 / tail))

    for time in (0.5, 10.0, 100.0):
        assert float(survived(time, mean, tail)) == pytest.approx(survives(time), rel=1e-4)
        assert float(until(time, mean, tail)) == pytest.approx(quad(survives, 0, time)[0], rel=1e-4)
    for clock in (5.0, 30.0, 90.0):
        raced = quad(lambda t, a=clock: survives(t) * np.exp(-t / a), 0, 40 * clock, limit=500)[0]
        assert float(until_alarm(clock, mean, tail)) == pytest.approx(raced, rel=1e-3)
    assert tail or float(until_alarm(15.0, mean, 0.0)) == pytest.approx(10.0, rel=1e-4)
    # the median of the times drawn is where half survive
    middle = float(restarts.duration(mean, tail, jnp.float32(np.log(2))))
    assert survives(middle) == pytest.approx(0.5, abs=1e-4)


def test_formulas_agree_where_they_overlap() -> None:
    chances = jnp.array([0.5, 0.5])
    device = Predictor(0.1, 0.8, 8.0, 8.0)
    for patience in (1.0, 3.0, jnp.inf):  # without memory it makes no difference when a job is exchanged
        found = patient(chances, TASK, device, patience)
        assert float(found) == pytest.approx(43.0, rel=1e-5)
    differ = patient(jnp.array([0.1, 0.9]), TASK, NOBODY, jnp.inf)
    assert float(differ) == pytest.approx(((0.1 * 20 + 0.9 * 45) / 0.1 + (0.9 * 20 + 0.1 * 45) / 0.9) / 2, rel=1e-5)
    whole = restarts.confused_makespan(TASK, NOBODY)
    assert float(timeout(TASK, 1e4)) == pytest.approx(whole, rel=1e-4)
    assert float(luby(TASK, 1e4)) == pytest.approx(whole, rel=1e-4)
    assert float(alarm(TASK, 1e6, 1e6)) == pytest.approx(whole, rel=1e-3)
    # exponential times of one mean: stopping at random adds its resets and nothing else
    equal = Task(0.5, 30.0, 30.0, 5.0)
    for clock in (10.0, 30.0):
        attempts = 1 / (0.5 * clock / (clock + 30))
        assert float(alarm(equal, clock, clock)) == pytest.approx(60 + 5 * (attempts - 1), rel=1e-3)
    assert restarts.LUBY[:15].tolist() == [1, 1, 2, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 4, 8]


def test_the_best_fixed_times_are_the_best() -> None:
    times = jnp.linspace(2, 200, 2000)
    for task, chosen in ((TASK, c.TIMEOUT), (Task(0.5, 30.0, 30.0, 5.0, 0.45), c.TIMEOUT_HEAVY)):
        least = float(jnp.min(timeout(task, times)))
        assert float(timeout(task, chosen)) == pytest.approx(least, rel=1e-4)


# -- the workshop against the formulas --------------------------------------------------------------------------------


DRAWS = 100


def draw_of_conditions(count: int = DRAWS) -> dict[str, dict[str, Any]]:
    """Random parameters of every kind of policy that has a closed form."""
    rng, out = np.random.default_rng(5), {}
    kinds = ({"policy": "obey"}, {"policy": "obey", "device": "clock"}, {"policy": "timeout"}, {"policy": "luby"})
    for k in range(count):
        low = [0.2, 5, 5, 0, 0.0, 0.0, 0.05, 2, 2, 10]
        high = [0.9, 50, 80, 20, 0.4, 0.6, 1.0, 60, 30, 60]
        names = (
            "success", "good", "bad", "reset", "tail", "false_alarm", "hit", "false_time", "hit_time", "timeout",
        )  # fmt: skip
        drawn = dict(zip(names, map(float, rng.uniform(low, high)), strict=True))
        out[f"draw-{k}"] = kinds[k % 4] | drawn
    return out


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The study's conditions and a hundred random worlds in one run, and all with a short signal: so one program, where
    compiling is nearly all of the time, serves everything.
    """
    worlds = {name: c.set for name, c in study.conditions.items()} | draw_of_conditions()
    return el.run(
        Restarts(robots=50), steps=40, every=20, seeds=12,
        conditions={name: own | {"polls": 8, "look": 3.0} for name, own in worlds.items()},
        out=tmp_path_factory.mktemp("restarts") / "run", progress=False, study="restart-makespan", size="tiny",
    )  # fmt: skip


def test_simulation_meets_the_closed_form_in_a_hundred_worlds(tiny: Any) -> None:
    """Within 4.5 standard errors over 12 seeds; a right formula fails one such test in a hundred, and the key is
    fixed.
    """
    end = tiny.data.sel(condition=[f"draw-{k}" for k in range(DRAWS)]).isel(time=-1).load()
    assert np.isfinite(end["predicted"]).all()
    off = end["makespan"] / end["predicted"] - 1
    errors = off.mean("seed") / (off.std("seed", ddof=1) / np.sqrt(12))
    assert float(abs(errors).max()) < 4.5
    assert float(abs(errors).mean()) == pytest.approx(0.83, abs=0.2)  # as large as chance makes them, too
    assert float(abs(off.mean("seed")).median()) < 0.01


def test_a_step_does_what_its_sites_say() -> None:
    shop = Restarts(robots=6, policy="obey")
    key = jax.random.key(0)
    state = shop.init(key)
    stop = jnp.array([jnp.inf, 3.0, jnp.inf, 3.0, 20.0, 20.0])
    succeeds = jnp.array([True, True, False, False, True, False])
    with el.edit(el.Clamp("lasts", 10.0), el.Clamp("stop", stop), el.Clamp("succeeds", succeeds)):
        # What is not asked for is not compiled.
        spent, tried, totals, jobs = jax.jit(lambda s, k: _of(shop.step(s, k)))(state, key)
    # two successes left alone (10 s), one broken off at 3 s, a failure of 10 s and one of 3 s, resets of 5 s
    assert np.asarray(spent).tolist() == [0.0, 8.0, 15.0, 8.0, 0.0, 15.0]
    assert np.asarray(tried).tolist() == [0, 1, 1, 1, 0, 1]
    assert [float(x[0]) for x in totals] == [66.0, 2.0, 6.0, 46.0, 3.0, 1.0, 1.0]
    assert float(jobs[2]) == 2.0 == float(jnp.sum(jobs))  # both jobs took 10 s


def _of(shop: Any) -> tuple[Any, ...]:
    return shop.spent, shop.tried, shop.totals, shop.jobs


# -- watching ---------------------------------------------------------------------------------------------------------

plan_of = jax.jit(stopping.best_plan, static_argnums=2)
BLIND = stopping.Signal(0.0, 0.0, 1.0, 2.0)


@pytest.mark.parametrize("tail", [0.0, 0.45])
def test_without_a_signal_the_best_rule_is_the_best_fixed_time(tail: float) -> None:
    task = Task(0.5, 20.0, 40.0, 5.0, tail)
    plan = plan_of(task, BLIND, 25)
    times = 2.0 * np.arange(1, 26)
    fixed = np.array([float(timeout(task, t)) for t in times])
    best = min(fixed.min(), float(restarts.confused_makespan(task, NOBODY)))
    assert float(plan.makespan) == pytest.approx(best, rel=2e-3)
    odds = np.asarray(stopping.risk(task, BLIND, jnp.zeros((1, 25))))[0]
    assert times[np.argmax(odds >= np.asarray(plan.boundary))] == times[fixed.argmin()]


def test_with_a_signal_that_tells_all_the_best_rule_is_a_perfect_device() -> None:
    plan = plan_of(TASK, stopping.Signal(0.0, 50.0, 1.0, 0.1), 25)
    perfect = restarts.confused_makespan(TASK, Predictor(0.0, 1.0, 8.0, 0.1))
    assert float(plan.makespan) == pytest.approx(perfect, rel=6e-3)  # beliefs are cut at one in three thousand


def test_the_better_the_signal_the_shorter_the_makespan() -> None:
    found = [float(plan_of(TASK, stopping.Signal(0.0, d, 1.0, 0.5), 25).makespan) for d in (0.0, 0.2, 0.4, 0.8)]
    assert all(a > b for a, b in itertools.pairwise(found))


def test_evidence_is_the_ratio_of_likelihoods_and_wald_keeps_his_errors() -> None:
    signal = stopping.Signal(-0.1, 0.5, 1.3, 0.5)
    rng = np.random.default_rng(1)
    fails = jnp.asarray(rng.random(4000) < 0.5)
    path = stopping.reading(signal, fails, jnp.asarray(rng.standard_normal((4000, 200)), jnp.float32))
    steps = np.diff(np.asarray(path, float), prepend=0.0, axis=1)
    sd = 1.3 * np.sqrt(0.5)
    ratio = (norm.logpdf(steps, 0.25, sd) - norm.logpdf(steps, -0.05, sd)).cumsum(axis=1)
    said = stopping.evidence(signal, path)
    np.testing.assert_allclose(np.asarray(said), ratio, atol=2e-2)
    stop = np.asarray(stopping.wald(said, 0.1, 0.2, 0.5))
    alarmed, doomed = np.isfinite(stop), np.asarray(fails)
    assert alarmed[~doomed].mean() < 0.1 / 0.8 and (~alarmed)[doomed].mean() < 0.2 / 0.9  # Wald's bounds
    assert alarmed[doomed].mean() > 0.75
    # Bayes: prior, evidence, and that it still runs
    odds = stopping.risk(TASK._replace(success=0.2), signal, path)
    by_hand = np.log(4) + ratio[0, 9] - 5 / 40 + 5 / 20
    assert float(odds[0, 9]) == pytest.approx(by_hand, abs=2e-2)
    crossed = jnp.array([[False, True, True], [False, False, False]])
    assert np.asarray(stopping.first(crossed, 0.5)).tolist() == [1.0, np.inf]


def test_policies_say_what_they_are_named_after() -> None:
    view = policies.View(
        alarm=jnp.array([3.0, jnp.inf]), warned=jnp.array([8.0, jnp.inf]), tried=jnp.array([2, 6]),
        risk=jnp.array([[0.0, 2.0, 3.0], [0.0, 0.0, 0.0]]), evidence=jnp.array([[1.0, 3.0, 0.0], [-3.0, 9.0, 9.0]]),
        adopted=jnp.bool(False), heeds=jnp.array([False, True]),
    )  # fmt: skip
    settings = policies.Settings(4.0, 0.1, 0.2, jnp.array([1.0, 1.0, 1.0]), 0.5)
    said = {name: np.asarray(policies.decide(k, view, settings)).tolist() for k, name in enumerate(policies.POLICIES)}
    never = [np.inf, np.inf]
    assert said == {
        "run": never, "obey": [3.0, np.inf], "timeout": [4.0, 4.0], "luby": [8.0, 16.0], "sprt": [1.0, np.inf],
        "best": [1.0, np.inf], "learnt": [8.0, np.inf], "adopt": never, "weigh": never,
    }  # fmt: skip
    acting = {n: np.asarray(policies.acts(k, view)).tolist() for k, n in enumerate(policies.POLICIES)}
    assert acting["run"] == acting["adopt"] == [False, False] and acting["weigh"] == [False, True]
    assert acting["obey"] == acting["learnt"] == [True, True]


# -- learning ---------------------------------------------------------------------------------------------------------


def test_a_predictor_pays_if_the_bound_of_its_saving_does() -> None:
    rng = np.random.default_rng(2)
    rows = np.stack([rng.uniform(40, 80, 30), rng.uniform(1, 2, 30), rng.uniform(30, 60, 30), rng.uniform(1, 2, 30)])
    account = learning.Account(*jnp.asarray(rows, jnp.float32))

    def saving(x: np.ndarray) -> float:
        cost, won, cost_with, won_with = x.sum(axis=1)
        return float(cost / won - cost_with / won_with)

    without = np.array([saving(np.delete(rows, k, axis=1)) for k in range(30)])
    error = np.sqrt(29 / 30 * np.sum((without - without.mean()) ** 2))
    pays = jax.jit(learning.pays)
    found, sure = pays(account)
    assert float(found) == pytest.approx(saving(rows), rel=1e-4)
    assert bool(sure) == (saving(rows) > 1.2816 * error)
    worse = account._replace(cost_with=account.cost_with * 2)
    assert not bool(pays(worse)[1])
    assert not bool(pays(learning.no_account(30))[1])
    booked = learning.booked(
        learning.no_account(3), jnp.array([True, True, False]), jnp.array([True, False, True]),
        jnp.array([10.0, 20.0, 30.0]), jnp.array([8.0, 25.0, 8.0]), 5.0,
    )  # fmt: skip
    assert [np.asarray(x).tolist() for x in booked] == [[10, 25, 0], [1, 0, 0], [13, 25, 0], [0, 0, 0]]


def test_logistic_regression_finds_the_log_odds() -> None:
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(3000), rng.standard_normal((3000, 4))]).astype(np.float32)
    fails = jnp.asarray(rng.random(3000) < 1 / (1 + np.exp(-(0.5 + 2 * x[:, 1]))))
    learner, train = learning.untrained(), jax.jit(learning.trained)
    everything = jnp.ones(3000, bool)
    for _ in range(1500):
        learner = train(learner, jnp.asarray(x), fails, everything)
    np.testing.assert_allclose(np.asarray(learner.weights), [0.5, 2, 0, 0, 0], atol=0.25)
    same = train(learner, jnp.asarray(x), fails, ~everything)
    np.testing.assert_array_equal(np.asarray(same.weights), np.asarray(learner.weights))
    path = jnp.asarray([[1.0, 2.0, 5.0, 4.0, 9.0]])
    assert np.asarray(learning.features(path, jnp.int32(4)))[0].tolist() == [1, 4, 3, 5, 2]


def test_robots_heed_a_device_if_their_own_count_says_so() -> None:
    count = learning.Count(*(jnp.array(x) for x in ([40.0, 40, 0], [4.0, 20, 0], [40.0, 40, 0], [32.0, 32, 0])),
                           jnp.full(3, 5.0))  # fmt: skip
    assert np.asarray(learning.heeding(count, TASK, 8.0, 8.0)).tolist() == [True, False, False]
    dear = count._replace(reset=jnp.full(3, 500.0))
    assert not np.asarray(learning.heeding(dear, TASK, 8.0, 8.0)).any()
    after = learning.counted(
        count, jnp.array([True, True, False]), jnp.array([True, False, True]), jnp.array([True, False, True]), 15.0
    )
    assert np.asarray(after.good).tolist() == [41, 40, 0] and np.asarray(after.good_alarmed).tolist() == [5, 20, 0]
    assert np.asarray(after.bad).tolist() == [40, 41, 0] and np.asarray(after.bad_alarmed).tolist() == [32, 32, 0]
    assert np.asarray(after.reset).tolist() == pytest.approx([6, 6, 6])


# -- the study --------------------------------------------------------------------------------------------------------


def test_conditions_do_what_they_say(tiny: Any) -> None:
    end = tiny.data.isel(time=-1).load()
    seen = end.sel(condition="perfect")
    assert (seen["wrongly"] == 0).all() and (seen["rightly"] == 1).all()
    run = end.sel(condition="run")
    assert (run["wrongly"] == 0).all() and (run["rightly"] == 0).all() and np.isnan(run["makespan_others"]).all()
    # equal luck: a world differs from another in what is done, not in what would have happened
    assert (end["attempts"].sel(condition="run") == end["attempts"].sel(condition="dear-run")).all()
    assert (end["wasted"].sel(condition="dear-run") > run["wasted"]).all()
    few = end.sel(condition="crowd-few")
    assert np.isfinite(few["makespan_others"]).all() and np.isnan(few["heeding"]).all()
    assert np.isfinite(end["naive"].sel(condition="clock")).all() and np.isnan(run["naive"]).all()
    watched = end.sel(condition="watch-best")
    assert (watched["optimum"] < 65).all() and (watched["rightly"] > watched["wrongly"]).all()
    assert (end["adopted"].sel(condition="dull-run") <= 1).all()
    np.testing.assert_allclose(end["density"].sum("bin"), 1.0, atol=1e-5)
    for seconds in c.RESETS:
        # 60 s and a reset, for half of all attempts fail; obeyed, (0.5 (18 + 0.1 (8 + R)) + 0.5 (8 + 6.4 + R)) / 0.45.
        told = [end["predicted"].sel(condition=f"reset-{seconds}-{what}") for what in ("run", "obey")]
        np.testing.assert_allclose(told[0], 60 + seconds, rtol=1e-5)
        np.testing.assert_allclose(told[1], (16.6 + 0.55 * seconds) / 0.45, rtol=1e-5)
    assert set(c.quick()) == {name for name in study.conditions if not name.startswith("reset-")}
    assert float(end["reset_time"].sel(condition="crowd-all")[0]) == pytest.approx(16.0, rel=1e-4)
    assert np.isnan(tiny.data["makespan"].sel(time=0)).all() and not tiny.diverged


def test_sites_and_bounds() -> None:
    names = {s.name for s in el.sites(Restarts(polls=4, policy="best"))}
    assert {"succeeds", "lasts", "signal", "alarm", "stop", "reset", "heeds", "state.spent"} <= names
    with pytest.raises(el.UserError, match="policy 'sprt' watches a signal: set 'polls' to 1 or more, got 0"):
        Restarts(policy="sprt")
    with pytest.raises(el.UserError, match=r"success \* \(1 \+ spread\) must be <= 1, got 0.8 and 0.5"):
        Restarts(success=0.8, spread=0.5)
    with pytest.raises(el.UserError, match="'policy' must be one of 'run', 'obey'"):
        Restarts(policy="hope")


def test_study_at_its_smallest(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab._effects._DRAWS", 1000)
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive"}
    right = RightSide().evidence(el.Sample(tiny)).seeds
    assert right.shape == (12,) and (right > 0.2).all()
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]


def test_without_a_signal_there_is_no_optimum_and_nothing_is_learnt() -> None:
    shop = Restarts(robots=4)
    state = jax.eval_shape(shop.init, jax.random.key(0))
    assert state.boundary.shape == (0,)
    seen = jax.eval_shape(shop.observe, state, jax.random.key(0))
    assert {o.name for o in shop.observables} == set(seen)
