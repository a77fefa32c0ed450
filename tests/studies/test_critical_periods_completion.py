"""The study `critical-periods-completion`: gradient descent by hand, what each task shows, when it ends, scores."""

from __future__ import annotations

from unittest import mock

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from jaxtyping import Array, Int

import emergelab as el
from emergelab.nn.linear import product
from emergelab.studies.networks.critical_periods_completion import _conditions as conditions
from emergelab.studies.networks.critical_periods_completion import study
from emergelab.studies.networks.critical_periods_completion._system import Completion, Tasks

SMALL = {"size": 6, "most": 3, "rank": 1, "rate": 1.0, "scale": 0.3, "after": 1000}
KEY = jax.random.key(5)


@eqx.filter_jit
def _loop(system: Completion, steps: Int[Array, ""]) -> el.TrainState:
    # System and steps are operands, so one program serves all tests of a depth.
    start = system.init(jax.random.key(1))
    return jax.lax.fori_loop(0, steps, lambda t, s: system.step(s, jax.random.fold_in(KEY, t)), start)


def _trained(system: Completion, steps: int) -> el.TrainState:
    return _loop(system, jnp.int32(steps))


def _tasks(**parameters: object) -> Tasks:
    return _trained(Completion(**{**SMALL, "depth": 2, **parameters}), 0).given


def _shown(system: Completion, tasks: Tasks, task: float) -> np.ndarray:
    return np.asarray(system.lesson(tasks, jnp.float32(task)).seen)


# -- the tasks -----------------------------------------------------------------------------------------------


def test_a_condition_changes_its_task_and_nothing_else():
    one, other = _tasks(), _tasks(ratio=3.0, seen=1.0, seen_first=2.0, switch=7)
    np.testing.assert_array_equal(one.second, other.second)
    np.testing.assert_array_equal(one.order, other.order)
    assert np.linalg.matrix_rank(one.second, tol=1e-3) == 1
    assert [np.linalg.matrix_rank(t.first, tol=1e-3) for t in (one, other)] == [2, 3]


def test_the_first_task_may_be_the_same_one():
    tasks = _tasks(first="same")
    np.testing.assert_array_equal(tasks.first, tasks.second)


def test_as_many_entries_are_shown_as_told_and_fewer_are_a_part_of_more():
    system = Completion(**SMALL, depth=2, seen=2.0, seen_first=1.3)
    tasks = _tasks()
    first, second = _shown(system, tasks, 0.0), _shown(system, tasks, 1.0)
    assert second.sum() == 22  # twice the 11 numbers that give a matrix of rank 1
    assert first.sum() == 14
    assert (first <= second).all()
    everything = _shown(Completion(**SMALL, depth=2, seen=100.0), tasks, 1.0)
    assert everything.all()


def test_the_lesson_is_of_the_matrix_being_taught():
    system, tasks = Completion(**SMALL, depth=2), _tasks()
    for task, want in ((0.0, tasks.first), (1.0, tasks.second)):
        np.testing.assert_array_equal(system.lesson(tasks, jnp.float32(task)).truth, want)


# -- the step ------------------------------------------------------------------------------------------------


def test_a_step_is_gradient_descent_by_the_chain_rule():
    """Against a loop in numpy with gradients written out, over the switch and beyond the end."""
    system = Completion(**{**SMALL, "after": 30}, depth=2, switch=20, seen=2.0, seen_first=1.3)
    start = _trained(system, 0)
    tasks = start.given
    one, two = (np.asarray(w, np.float64) for w in start.net)
    for t in range(50):
        task = float(t >= 20)
        truth, shown = np.asarray(tasks.second if task else tasks.first), _shown(system, tasks, task)
        wrong = (two @ one - truth) * shown / shown.sum()
        one, two = one - two.T @ wrong, two - wrong @ one.T
    for steps in (50, 60):
        for got, want in zip(_trained(system, steps).net, (one, two), strict=True):
            np.testing.assert_allclose(got, want, atol=1e-4)


def test_the_switch_is_a_clamped_task():
    @jax.jit
    def intervened():
        system = Completion(**SMALL, depth=2)

        def step(t, state):
            with el.edit(el.Clamp("task", 0.0, during=(0, 20)), time=t):
                return system.step(state, jax.random.fold_in(KEY, t))

        return jax.lax.fori_loop(0, 40, step, system.init(jax.random.key(1)))

    by_parameters, by_hand = _trained(Completion(**SMALL, depth=2, switch=20), 40), intervened()
    for one, other in zip(by_parameters.net, by_hand.net, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    alone = _trained(Completion(**SMALL, depth=2), 40)
    assert np.abs(product(alone.net) - product(by_hand.net)).max() > 1e-3


def test_a_single_matrix_never_moves_what_it_is_not_shown():
    system = Completion(**SMALL, depth=1, switch=20, seen=2.0, seen_first=2.0)
    start, end = _trained(system, 0), _trained(system, 300)
    shown = _shown(system, start.given, 1.0) > 0
    np.testing.assert_array_equal(start.net[0][~shown], end.net[0][~shown])
    np.testing.assert_allclose(end.net[0][shown], start.given.second[shown], atol=1e-3)


def test_shown_every_entry_a_deep_product_finds_the_matrix_whatever_came_first():
    system = Completion(**{**SMALL, "rate": 3.0}, depth=2, switch=50, seen=100.0, seen_first=100.0)
    end = _trained(system, 1000)
    np.testing.assert_allclose(product(end.net), end.given.second, atol=0.02)


# -- what is observed ----------------------------------------------------------------------------------------


def test_observables_are_those_of_the_product():
    system = Completion(**SMALL, depth=2, switch=20, seen=2.0, seen_first=1.3)
    observe = eqx.filter_jit(lambda system, state: system.observe(state, KEY))
    for steps, task in ((10, 0.0), (40, 1.0)):
        state = _trained(system, steps)
        got = observe(system, state)
        matrix, second = np.asarray(product(state.net), np.float64), np.asarray(state.given.second)
        wrong, shown = (matrix - second) ** 2, _shown(system, state.given, 1.0)
        assert float(got["error"]) == pytest.approx(wrong.mean(), rel=1e-4)
        assert float(got["error_hidden"]) == pytest.approx(wrong[shown == 0].mean(), rel=1e-4)
        assert float(got["misfit_second"]) == pytest.approx(wrong[shown == 1].mean(), rel=1e-4)
        lesson = system.lesson(state.given, jnp.float32(task))
        now = ((matrix - np.asarray(lesson.truth)) ** 2)[np.asarray(lesson.seen) == 1].mean()
        assert float(got["misfit"]) == pytest.approx(now, rel=1e-4)
        values = np.linalg.svd(matrix, compute_uv=False)
        np.testing.assert_allclose(got["singular"], values / 6, atol=1e-5)
        share = values / values.sum()
        assert float(got["effective_rank"]) == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-3)


# -- the surface ---------------------------------------------------------------------------------------------


def test_bad_parameters_are_refused_in_one_line():
    with pytest.raises(el.UserError, match="'ratio' must give a rank of at most 15"):
        Completion(ratio=6.0)
    with pytest.raises(el.UserError, match="'rank' must give a rank of at most 8"):
        Completion(size=8, rank=9)
    with pytest.raises(el.UserError, match="'first' must be one of 'other', 'same'"):
        Completion(first="none")


def test_sites_are_announced():
    names = {s.name for s in el.sites(Completion(**SMALL, depth=2))}
    assert {"task", "logits", "rate", "update.0", "grad.1", "state.net.0", "state.given.second"} <= names


def test_conditions_are_named_by_what_they_do():
    made = conditions.conditions()
    for size in study.sizes.values():
        assert set(size.conditions or ()) <= made.keys()
    assert dict(made["d2-after-1000"].set) == {"depth": 2, "switch": 1000}
    assert conditions.shown(conditions.USUAL, conditions.STAGE) == conditions.after(3, conditions.STAGE)
    assert made[conditions.grown(1.55, 250)].set["seen_first"] < made[conditions.grown(1.55, 250)].set["seen"]
    needed = {name for claim in study.claims for name in claim.test.conditions}
    assert needed <= set(study.sizes["quick"].conditions)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("cpc") / "run", progress=False, workers=1)


def test_the_tiny_size_is_judged(tiny):
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    # Three seeds are too few for any verdict, and most conditions are not there.
    assert {v["verdict"] for v in verdicts} <= {"inconclusive", "untested"}
    assert not tiny.diverged


def test_all_figures_can_be_drawn(tiny):
    """From a run that has every condition, each with the numbers of the tiny one's first."""
    everything = mock.Mock(spec=el.Run)
    one = tiny.data.isel(condition=0)
    everything.data = xr.concat([one.assign_coords(condition=name) for name in study.conditions], "condition")
    everything.info = {"conditions": {name: {"parameters": {"switch": 5}} for name in study.conditions}}
    for figure in study.figures:
        assert set(figure.needs) <= study.conditions.keys()
        assert figure.draw(everything).axes


def test_weights_are_scaled_once_at_the_switch(tmp_path):
    """The intervention of the condition `shrunk`, at another time."""
    once = el.Scale("state.net.*", conditions.SHRINK, during=(2, 3))
    run = el.run(
        Completion(**SMALL, depth=2, switch=2), steps=4, every=1, seeds=1, out=tmp_path / "r", progress=False,
        conditions={"plain": {}, "shrunk": el.Condition(interventions=(once,))},
    )  # fmt: skip
    plain, shrunk = (run.data.singular.sel(condition=c).isel(seed=0, value=0).values for c in ("plain", "shrunk"))
    np.testing.assert_allclose(shrunk[:2], plain[:2], rtol=1e-5)
    assert shrunk[2] == pytest.approx(plain[2] / 100, rel=1e-3)
    # The step goes on from there: neither back to the old weights nor scaled again.
    assert 0.5 * shrunk[2] < shrunk[3] < 10 * shrunk[2]
