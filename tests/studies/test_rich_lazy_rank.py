"""The study `rich-lazy-rank`: its theory, what networks begin with, what is measured, and how they learn."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import emergelab as el
from emergelab.studies.networks.rich_lazy_rank import study
from emergelab.studies.networks.rich_lazy_rank._claims import gap_to_theory, log_dw
from emergelab.studies.networks.rich_lazy_rank._conditions import BY_RANK, LINEAR
from emergelab.studies.networks.rich_lazy_rank._nets import TwoLayer, form
from emergelab.studies.networks.rich_lazy_rank._system import RichLazy
from emergelab.studies.networks.rich_lazy_rank._theory import final_alignment, final_change

SMALL = {"units": 12, "trials": 8, "tests": 16, "probes": 16, "kernels": 4}


@pytest.fixture(scope="module")
def begin():
    """States at time 0 from one program: what is traced is an operand."""
    made = jax.jit(lambda system, key: system.init(key))
    return lambda seed=0, **changes: made(RichLazy(**{**SMALL, **changes}), jax.random.key(seed))


_ALIGNED, _CHANGED = jax.jit(final_alignment), jax.jit(final_change)


# -- theory -----------------------------------------------------------------------------------------------------------


def _flow(w: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient flow of two linear layers from a zero readout to its end, by a solver for differential equations."""
    d = len(target)

    def slope(_, state):
        w, v = state[: d * d].reshape(d, d), state[d * d :]
        left = target - w.T @ v
        return np.concatenate([np.outer(v, left).ravel(), w @ left])

    end = solve_ivp(slope, (0, 400), np.concatenate([w.ravel(), np.zeros(d)]), rtol=1e-9, atol=1e-10).y[:, -1]
    return end[: d * d].reshape(d, d), end[d * d :]


@pytest.mark.parametrize(("rank", "demand"), [(1, 1.0), (2, 3.0), (3, 0.3), (5, 2.0)])
def test_the_closed_form_is_where_gradient_flow_ends(rank, demand):
    random = np.random.default_rng(rank)
    d, length = 5, 2.5
    left, right = (np.linalg.qr(random.normal(size=(d, d)))[0][:, :rank] for _ in range(2))
    w = length / rank**0.5 * left @ right.T
    target = random.normal(size=d)
    target *= demand / np.linalg.norm(target)
    seen = np.sum((right.T @ target) ** 2) / demand**2
    new, readout = _flow(w, target)
    np.testing.assert_allclose(new.T @ readout, target, atol=1e-4)
    k0, k1 = w.T @ w, new.T @ new + readout @ readout * np.eye(d)
    wanted = (k0 * k1).sum() / np.linalg.norm(k0) / np.linalg.norm(k1)
    assert float(_ALIGNED(length, rank, d, demand, seen)) == pytest.approx(wanted, abs=1e-4)
    assert float(_CHANGED(length, rank, demand, seen)) == pytest.approx(np.linalg.norm(new - w), abs=1e-3)


@settings(max_examples=30)
@given(length=st.floats(0.5, 20), demand=st.floats(0.01, 20), d=st.integers(2, 40))
def test_theory_ranks_low_below_high_unless_it_is_aligned(length, demand, d):
    """At full rank nothing depends on directions; at rank 1 the alignment grows with what is seen of the target."""
    few = [float(_ALIGNED(length, 1, d, demand, c)) for c in (1 / d, 0.75, 1.0)]
    assert few[0] <= few[1] <= few[2] <= 1 + 1e-5
    assert few[0] <= float(_ALIGNED(length, d, d, demand, 1.0)) + 1e-5
    # With hardly anything to be learnt, all of full rank stays and of rank 1 what is seen of the target.
    tiny = [float(_ALIGNED(length, r, d, 1e-4, c)) for r, c in ((d, 1.0), (1, 0.3))]
    assert tiny == pytest.approx([1.0, 0.3], abs=1e-2)


@pytest.fixture(scope="module")
def trained():
    """Two linear layers after training, for several starts in one program."""

    def train(system, key):
        first = system.init(key)
        step = lambda t, state: system.step(state, jax.random.fold_in(key, t))  # noqa: E731
        last = jax.lax.fori_loop(0, 4000, step, first)
        return first, last, system.observe(last, key)

    made = jax.jit(train)
    return lambda **changes: made(
        RichLazy(**{**SMALL, **LINEAR, "units": 8, "rate": 0.005, **changes}), jax.random.key(2)
    )


@pytest.mark.parametrize("setting", [{"rank": 1, "turn": 0.5}, {"rank": 3}, {"rank": 8}, {"rank": 1, "turn": 1.0}])
def test_training_conserves_what_it_must_and_ends_where_theory_says(trained, setting):
    first, last, shown = trained(**setting)
    assert float(shown["loss"]) < 1e-6
    assert float(shown["ka"]) == pytest.approx(float(shown["ka_theory"]), abs=0.01)
    kept = [np.asarray(n.weights @ n.weights.T - jnp.outer(n.readout, n.readout)) for n in (first.net, last.net)]
    np.testing.assert_allclose(*kept, atol=0.1)
    if setting.get("turn") == 1.0:
        assert float(shown["ka"]) > 0.85
        assert float(shown["dw"]) == pytest.approx(float(_CHANGED(0.8 * 8**0.5, 1, 3.0, 1.0)), rel=0.02)


def test_the_form_is_the_tangent_kernel_of_both_layers():
    random = np.random.default_rng(0)
    w, v, x, y = (random.normal(size=n).astype(np.float32) for n in ((4, 4), 4, 4, 4))

    @jax.jit
    def both(net):
        down = [jax.tree.leaves(jax.grad(lambda net, x=x: net.map() @ x)(net)) for x in (x, y)]
        return form(net), sum(jnp.sum(a * b) for a, b in zip(*down, strict=True))

    got, inner = both(TwoLayer(jnp.asarray(w), jnp.asarray(v)))
    assert float(x @ np.asarray(got) @ y) == pytest.approx(float(inner), rel=1e-4)


# -- what networks begin with -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "start", [{"rank": 1}, {"rank": 3}, {}, {"rank": 1, "turn": 0.7}, {"wiring": "types"}, {"wiring": "shuffled"}]
)
def test_all_begin_with_the_norm_and_the_rank_asked_for(begin, start):
    weights = np.asarray(begin(**start).net.layer.weights)
    assert np.linalg.norm(weights) == pytest.approx(1.25 * 12**0.5, rel=1e-4)
    if "wiring" not in start:
        assert np.linalg.matrix_rank(weights, tol=1e-4) == start.get("rank", 12)


def test_aligned_weights_lead_from_what_tells_choices_apart_to_what_says_so(begin):
    net = begin(rank=1, turn=1.0).net
    left, _, right = np.linalg.svd(np.asarray(net.layer.weights))
    says = np.asarray(net.readout[1] - net.readout[2])
    assert abs(left[:, 0] @ says) == pytest.approx(np.linalg.norm(says), rel=1e-4)
    # What tells: units that hear the first signal more than the second, as far as they are on.
    into = np.asarray(net.layer.into)
    system = RichLazy(**SMALL)
    shown = system.drawn(jax.random.key(5), 4000)
    before = np.maximum(np.asarray(shown.inputs[-2]) @ into.T, 0)
    choice = np.asarray(shown.choice)
    tells = before[choice == 0].mean(axis=0) - before[choice == 1].mean(axis=0)
    assert abs(right[0] @ tells) / np.linalg.norm(tells) > 0.97
    # The product pushes the readout to the side that is right.
    assert says @ np.asarray(net.layer.weights) @ tells > 0


def test_only_the_recurrent_weights_differ_between_conditions_of_a_seed(begin):
    a, b = begin(rank=1).net, begin(wiring="types").net
    np.testing.assert_array_equal(a.layer.into, b.layer.into)
    np.testing.assert_array_equal(a.readout, b.readout)
    assert (a.layer.weights != b.layer.weights).any()


# -- what is measured -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def observed():
    made = jax.jit(lambda system, state: system.observe(state, jax.random.key(7)))
    return lambda state, **changes: made(RichLazy(**{**SMALL, **changes}), state)


def test_at_the_start_nothing_has_changed(begin, observed):
    shown = observed(begin())
    for name in ("ka", "ra", "signs"):
        assert float(shown[name]) == pytest.approx(1, abs=1e-5)
    for name in ("dw", "dw_relative", "dimension_change"):
        assert float(shown[name]) == 0
    assert float(shown["norm"]) == pytest.approx(1.25 * 12**0.5, rel=1e-4)
    weights = np.asarray(begin().net.layer.weights)
    assert float(shown["radius"]) == pytest.approx(np.abs(np.linalg.eigvals(weights)).max(), rel=0.01)


def test_the_kernel_against_back_propagation_by_hand(begin):
    """dy_k/dW is a sum over steps of error times state before; written out in numpy, without automatic derivatives."""
    state = begin()
    net, kernel = state.net, np.asarray(state.given.kernel)
    w, v, out = (np.asarray(x, float) for x in (net.layer.weights, net.layer.into, net.readout))
    rows = []
    for n in range(SMALL["kernels"]):
        x = np.asarray(state.given.inputs[:, n], float)
        h = [np.zeros(len(w))]
        for now in x:
            h.append(np.maximum(w @ h[-1] + v @ now, 0))
        for k in range(3):
            error, total = out[k] * (h[-1] > 0), np.zeros_like(w)
            for t in range(len(x) - 1, -1, -1):
                total += np.outer(error, h[t])
                error = (w.T @ error) * (h[t] > 0)
            rows.append(total.ravel())
    wanted = np.array(rows) @ np.array(rows).T
    np.testing.assert_allclose(kernel, wanted, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(state.given.hidden[SMALL["kernels"] - 1], h[-1], atol=1e-5)


def test_changes_are_of_the_weights_and_nothing_else(begin, observed):
    state = begin()
    moved = eqx.tree_at(lambda s: s.net.layer.weights, state, state.net.layer.weights + jnp.eye(12))
    shown = observed(moved)
    assert float(shown["dw"]) == pytest.approx(12**0.5, rel=1e-4)
    assert float(shown["dimension_change"]) == pytest.approx(12, rel=1e-3)
    assert float(shown["ka"]) < 1
    other = eqx.tree_at(lambda s: s.net.readout, state, -state.net.readout)
    shown = observed(other)
    # The sign of the readout turns gradients round and leaves the kernel and the hidden states as they were.
    assert float(shown["dw"]) == 0
    assert float(shown["ka"]) == pytest.approx(1, abs=1e-5)
    assert float(shown["ra"]) == pytest.approx(1, abs=1e-5)


# -- learning ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stepped():
    made = jax.jit(lambda system, state: system.step(state, jax.random.key(3)))
    return lambda state, **changes: made(RichLazy(**{**SMALL, **changes}), state)


def test_an_update_is_gradient_descent_with_momentum(begin, stepped):
    """v <- m v + g, w <- w - rate v: from the same batch twice, the second update is (1 + m) times a small first."""
    state = begin()
    small = {"rate": 1e-4}
    once = stepped(state, momentum=0.9, **small)
    twice = stepped(once, momentum=0.9, **small)
    first, second = (np.asarray(b.net.readout - a.net.readout) for a, b in ((state, once), (once, twice)))
    np.testing.assert_allclose(second, 1.9 * first, rtol=0.03, atol=2e-7)
    plain = stepped(once, momentum=0.0, **small)
    np.testing.assert_allclose(plain.net.readout - once.net.readout, first, rtol=0.03, atol=2e-7)
    assert (np.asarray(once.net.layer.weights) != np.asarray(state.net.layer.weights)).any()
    np.testing.assert_array_equal(once.net.layer.tau, state.net.layer.tau)


def test_a_centred_output_begins_at_zero_and_needs_the_less_change_the_larger_it_is(begin):
    """Zero output is a loss of log 3 at any scale. The gradient grows with the scale s, the rate falls with s^2: the
    first update falls with s."""
    state = begin()
    key = jax.random.key(3)

    @jax.jit
    def first_update(system):
        batch = system.batch(key, state.given)
        loss, down = jax.value_and_grad(lambda readout: system.loss(
            eqx.tree_at(lambda n: n.readout, state.net, readout), batch, key))(state.net.readout)  # fmt: skip
        return loss, system.pace(state.time) * down

    (loss, one), (again, ten) = (first_update(RichLazy(**SMALL, centred="yes", scale=s)) for s in (1.0, 10.0))
    assert [float(loss), float(again)] == pytest.approx([np.log(3)] * 2, abs=1e-5)
    np.testing.assert_allclose(ten, one / 10, rtol=1e-3, atol=1e-9)


def test_a_frozen_readout_does_not_learn(begin):
    system = RichLazy(**SMALL)
    state = begin()
    with el.edit(*study.conditions["rank-1-fixed-readout"].interventions):
        new = jax.jit(lambda state: system.step(state, jax.random.key(0)))(state)
    np.testing.assert_array_equal(new.net.readout, state.net.readout)
    assert (np.asarray(new.net.layer.weights) != np.asarray(state.net.layer.weights)).any()


def test_sites():
    names = {s.name for s in el.sites(RichLazy(**SMALL))}
    assert {"h", "tau", "logits", "noise", "rate", "update.readout", "grad.layer.weights"} <= names
    assert {"state.net.layer.weights", "state.given.kernel"} <= names
    assert "map" in {s.name for s in el.sites(RichLazy(**{**SMALL, **LINEAR}))}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"kernels": 17}, "'kernels' must be at most probes=16"),
        ({"net": "linear", "task": "match"}, "'task' is of the recurrent network"),
        ({"rank": 0}, "'rank' must be"),
        ({"turn": 1.5}, "'turn' must be"),
        ({"wiring": "small-world"}, "'wiring' must be one of"),
        ({"task": "chess"}, "'task' must be one of"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong, word):
    with pytest.raises(el.UserError, match=word):
        RichLazy(**{**SMALL, **wrong})


# -- the study --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("rich") / "run", progress=False, workers=1)


def test_the_tiny_size_is_judged_and_drawn(tiny):
    verdicts = study.judge(tiny)
    assert {v["verdict"] for v in verdicts} <= {"inconclusive", "untested"}  # two seeds are too few for any other
    assert [figure.name for figure, _ in study.draw(tiny)] == ["rank", "training", "structure"]
    assert not tiny.diverged
    start = tiny.data.isel(time=0)
    np.testing.assert_allclose(start.ka, 1, atol=1e-5)
    np.testing.assert_allclose(start.norm, 1.25 * 12**0.5, rtol=1e-4)
    assert np.isnan(start.ka_theory).all()


class _Whole:
    """A run with all conditions of the quick size, whose curves are those of the tiny run over and over."""

    def __init__(self, tiny: el.Run) -> None:
        names = list(study.sizes["quick"].conditions)
        some = [i % tiny.data.sizes["condition"] for i in range(len(names))]
        self.data = tiny.data.isel(condition=some).assign_coords(condition=names)
        self.data["ka_theory"] = self.data.ka
        made = {c: study.system(**{**study.sizes["quick"].set, **study.conditions[c].set}) for c in names}
        parameters = {c: {n: int(getattr(s, n)) for n in ("units", "rank")} | {"demand": 3.0} for c, s in made.items()}
        self.info = {"conditions": {c: {"parameters": p} for c, p in parameters.items()}}


def test_every_figure_is_drawn_for_all_conditions_of_the_quick_size(tiny):
    for figure in study.figures:
        assert figure.draw(_Whole(tiny)).axes


def test_what_claims_compute_beyond_observables(tiny):
    d = _Whole(tiny).data.sel(condition="linear-4")
    assert float(abs(gap_to_theory(d)).max()) == 0
    np.testing.assert_allclose(2.0 ** log_dw(d).isel(time=-1), d.dw.isel(time=-1), rtol=1e-5)
    assert np.isnan(log_dw(d).isel(time=0)).all()


def test_every_condition_fits_every_size_that_lists_it():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})
    assert {study.conditions[c].set.get("rank", 100) for c in BY_RANK} == set(BY_RANK.values())
