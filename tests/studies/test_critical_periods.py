"""The study `critical-periods`: gradient descent by hand, what a deficit does and does not do, lesions, scores."""

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
from emergelab.nn.linear import hierarchy, product
from emergelab.studies.networks.critical_periods import _claims as claims
from emergelab.studies.networks.critical_periods import study
from emergelab.studies.networks.critical_periods._system import TwoPaths

SMALL = {"levels": 2, "width": 6, "rate": 0.02}
KEY = jax.random.key(5)


@eqx.filter_jit
def _loop(system: TwoPaths, steps: Int[Array, ""]) -> el.TrainState:
    # System and steps are operands, so one program serves all tests.
    start = system.init(jax.random.key(1))
    return jax.lax.fori_loop(0, steps, lambda t, s: system.step(s, jax.random.fold_in(KEY, t)), start)


def _trained(system: TwoPaths, steps: int) -> el.TrainState:
    return _loop(system, jnp.int32(steps))


def _weights(state: el.TrainState, path: str) -> list[np.ndarray]:
    return [np.asarray(w) for w in getattr(state.net, path)]


def _same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all((a == b).all() for a, b in zip(one, other, strict=True))


# -- the step ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesion", [-1, 1])
def test_a_step_is_gradient_descent_by_the_chain_rule(lesion):
    """Against a loop in numpy with gradients written out, deficit and lesion included."""
    system = TwoPaths(**SMALL, onset=10, length=25, lesion=lesion, apart=0.5)
    task, start = hierarchy(2), _trained(system, 0)
    a, b = ([w.astype(np.float64) for w in _weights(start, path)] for path in "ab")
    lacking = np.arange(4) == lesion
    out, back = (np.eye(len(u)) - (u * lacking) @ u.T for u in (task.left, task.right))

    def gradients(layers, wrong):
        one, two, three = layers
        return [(three @ two).T @ wrong, three.T @ wrong @ one.T, wrong @ (two @ one).T]

    for t in range(60):
        wrong = out @ (a[2] @ a[1] @ a[0]) @ back + b[2] @ b[1] @ b[0] - task.target
        of_a, of_b = gradients(a, out @ wrong @ back), gradients(b, wrong)
        a = [w - 0.02 * g for w, g in zip(a, of_a, strict=True)]
        if not 10 <= t < 35:
            b = [w - 0.02 * g for w, g in zip(b, of_b, strict=True)]
    end = _trained(system, 60)
    for got, want in ((_weights(end, "a"), a), (_weights(end, "b"), b)):
        for x, y in zip(got, want, strict=True):
            np.testing.assert_allclose(x, y, atol=2e-4)


def test_a_deprived_pathway_keeps_its_weights_and_the_other_learns_on():
    system = TwoPaths(**SMALL, onset=10, length=20)
    before, during, after = (_trained(system, t) for t in (10, 30, 31))
    assert _same(_weights(before, "b"), _weights(during, "b"))
    assert not _same(_weights(before, "a"), _weights(during, "a"))
    assert not _same(_weights(during, "b"), _weights(after, "b"))
    # Its output stays as well: it is not silenced.
    assert np.abs(product(during.net.b)).max() > 0.005


def test_a_gate_that_never_closes_is_no_deficit_and_half_a_gate_is_half_a_deficit():
    system = TwoPaths(**SMALL)
    free, ajar, half = (_trained(system.with_(**p), 40) for p in (
        {}, {"onset": 0, "length": 40, "gate": 0.0}, {"onset": 0, "length": 40, "gate": 0.5}))  # fmt: skip
    assert _same(_weights(free, "b"), _weights(ajar, "b"))
    moved = [np.abs(w - v).max() for w, v in zip(_weights(half, "b"), _weights(_trained(system, 0), "b"), strict=True)]
    assert all(m > 0 for m in moved)
    assert not _same(_weights(free, "b"), _weights(half, "b"))


def test_a_deficit_is_an_ablated_update():
    """The parameters do what an intervention in the same window does."""

    @jax.jit
    def intervened():
        system = TwoPaths(**SMALL)

        def step(t, state):
            with el.edit(el.Ablate("update.b.*", during=(5, 15)), time=t):
                return system.step(state, jax.random.fold_in(KEY, t))

        return jax.lax.fori_loop(0, 30, step, system.init(jax.random.key(1)))

    by_parameters, by_hand = _trained(TwoPaths(**SMALL, onset=5, length=10), 30), intervened()
    for path in "ab":
        for one, other in zip(_weights(by_parameters, path), _weights(by_hand, path), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    assert not _same(_weights(_trained(TwoPaths(**SMALL), 30), "b"), _weights(by_hand, "b"))


# -- the start -----------------------------------------------------------------------------------------------


def test_pathways_start_alike_and_stay_so_without_a_deficit():
    for steps in (0, 50):
        state = _trained(TwoPaths(**SMALL), steps)
        for one, other in zip(_weights(state, "a"), _weights(state, "b"), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_lead_changes_b_alone():
    alike, apart = (_trained(TwoPaths(**SMALL, apart=x), 0) for x in (0.0, 0.5))
    assert _same(_weights(alike, "a"), _weights(apart, "a"))
    assert not _same(_weights(alike, "b"), _weights(apart, "b"))
    k = np.asarray(alike.given)
    assert k.shape == (2, 4)
    np.testing.assert_allclose(k, 0.01, rtol=0.5)
    assert (np.diff(k[0]) <= 0).all()


# -- what is observed ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def observed():
    return eqx.filter_jit(lambda system, state: system.observe(state, KEY))


def test_observables_are_those_of_the_weights(observed):
    system = TwoPaths(**SMALL, onset=5, length=50, lesion=1)
    state, task = _trained(system, 60), hierarchy(2)
    got = observed(system, state)
    b = np.asarray(product(state.net.b), np.float64)
    k = np.diag(task.left.T @ b @ task.right)
    np.testing.assert_allclose(got["strength_b"], k, atol=1e-5)
    assert abs(got["strength_a"][1]) < 1e-6
    level = [[0], [1], [2, 3]]
    a = np.asarray(got["strength_a"])
    np.testing.assert_allclose(got["share"], [k[i].sum() / (k[i] + a[i]).sum() for i in level], rtol=1e-3)
    np.testing.assert_allclose(got["learnt"], [(k[i] + a[i]).sum() / task.strength[i].sum() for i in level], rtol=1e-3)
    whole = b + (task.left * a) @ task.right.T
    assert float(got["loss"]) == pytest.approx(0.5 * ((whole - task.target) ** 2).sum(), rel=1e-3)
    assert float(got["leak"]) < 1e-5


def test_the_equation_of_motion_is_the_limit_of_small_steps(observed):
    gaps = []
    for rate, steps in ((0.04, 50), (0.01, 200)):
        system = TwoPaths(**{**SMALL, "rate": rate}, onset=steps // 4, length=steps // 2, apart=0.3)
        got = observed(system, _trained(system, steps))
        gaps.append(max(float(np.abs(got[f"strength_{p}"] - got[f"ode_{p}"]).max()) for p in "ab"))
        assert float(got["strength_a"].max()) > 0.5
    assert gaps[1] < 0.5 * gaps[0] < 0.1


def test_bent_networks_have_no_equation_of_motion():
    system = TwoPaths(**SMALL, act="tanh")
    got = jax.jit(lambda: system.observe(system.init(KEY), KEY))()
    assert np.isnan(got["ode_a"]).all()
    assert np.isfinite(got["share"]).all()


# -- the surface ---------------------------------------------------------------------------------------------


def test_bad_parameters_are_refused_in_one_line():
    with pytest.raises(el.UserError, match=r"'width' must be at least 2\^levels=8, got 4"):
        TwoPaths(width=4)
    with pytest.raises(el.UserError, match="'gate' must be a number in"):
        TwoPaths(gate=1.5)


def test_sites_are_announced():
    names = {s.name for s in el.sites(TwoPaths(**SMALL))}
    assert {"a.L.0.mid", "b.L.2.act", "a.out", "b.out", "logits", "update.b.0", "state.net.a.2", "rate"} <= names


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("cp") / "run", progress=False, workers=1)


def test_the_tiny_size_is_judged(tiny):
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    # Three seeds are too few for any verdict, and most conditions are not there.
    assert {v["verdict"] for v in verdicts} <= {"inconclusive", "untested"}
    assert not tiny.diverged
    # In this time B learns nothing of what it is kept from, and half of all else.
    share = tiny.data.share.isel(time=-1, level=0).mean("seed")
    assert float(share.sel({"condition": "d3"})) == pytest.approx(0.5, abs=1e-5)
    assert float(share.sel({"condition": "d3-at-0"})) < 0.5
    assert np.abs(tiny.data.leak).max() < 1e-5


def test_all_figures_can_be_drawn(tiny):
    """From a run that has every condition, each with the numbers of the tiny one's first."""
    everything = mock.Mock(spec=el.Run)
    one = tiny.data.isel(condition=0)
    everything.data = xr.concat([one.assign_coords(condition=name) for name in study.conditions], "condition")
    everything.info = {"conditions": {name: {"parameters": {"onset": 5, "length": 10}} for name in study.conditions}}
    for figure in study.figures:
        assert set(figure.needs) <= study.conditions.keys()
        assert figure.draw(everything).axes


def test_scores_by_hand():
    share = [[0.5, 0.1, 0.3]]
    d = xr.Dataset(
        {
            "share": (("seed", "time", "level"), [share * 2]),
            "learnt": (("seed", "time", "level"), [[[0.2, 0.1, 0.3], [1.0, 0.9, 0.4]]]),
            "strength_a": (("seed", "time", "mode"), [[[1.0, 0.0, 3.0], [2.0, 0.0, 3.0]]]),
            "strength_b": (("seed", "time", "mode"), [[[1.0, 1.0, 1.0], [2.0, 2.0, 1.0]]]),
            "ode_a": (("seed", "time", "mode"), [[[1.0, 0.0, 3.0], [2.0, 0.0, 3.4]]]),
            "ode_b": (("seed", "time", "mode"), [[[1.2, 1.0, 1.0], [2.0, 2.0, 1.0]]]),
        }
    )

    def end(what):
        return float(what(d).isel(seed=0, time=-1))

    assert end(claims.largest_share_of_b) == pytest.approx(0.5)
    assert end(claims.mean_share_of_b) == pytest.approx(0.3)
    assert end(claims.distance_from_even) == pytest.approx(0.4)
    assert end(claims.unevenness) == pytest.approx(0.2)
    assert end(claims.stagger) == pytest.approx(0.2)
    assert end(claims.completeness) == pytest.approx(0.4)
    assert end(claims.distance_from_the_equation) == pytest.approx(0.1)
    assert float(claims.distance_from_the_equation(d).isel(seed=0, time=0)) == pytest.approx(0.05)
    assert end(claims.share_of_lesioned_mode) == pytest.approx(1.0)
    assert end(claims.largest_share_of_other_modes) == pytest.approx(0.5)
    assert end(claims.share_and_strength_of_lesioned) == pytest.approx(1.0)
    assert float(claims.share_and_strength_of_lesioned(d).isel(seed=0, time=0)) == pytest.approx(0.5)
    assert end(claims.learnt_of(-1)) == pytest.approx(0.4)
