"""A training is a system: its steps are gradient steps, its weights, gradients, updates and rate are sites."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import emergelab as el
from emergelab.engine import compiled


class Net(eqx.Module):
    """Two layers, and things that are not trained: a function and a whole number."""

    first: jax.Array
    second: jax.Array
    count: jax.Array
    bend: object = jnp.tanh

    def __call__(self, x):
        return el.site("hidden", self.bend(x @ self.first)) @ self.second


class Fit(el.Training):
    """A small network fits a line through noise."""

    rate: float = el.param(0.1, low=0.0, high=1.0, about="learning rate")
    observables = (
        el.Observable("error"),
        el.Observable("first", dims=("i", "j")),
        el.Observable("second", dims=("j",)),
    )

    def network(self, key):
        a, b = jax.random.split(key)
        return Net(jax.random.normal(a, (3, 4)), jax.random.normal(b, (4,)), jnp.int32(7))

    def given(self, key):
        return jax.random.normal(key, (3,))

    def batch(self, key, given):
        x = jax.random.normal(key, (8, 3))
        return x, x @ given

    def loss(self, net, batch, key):
        x, y = batch
        return jnp.mean((net(x) - y) ** 2)

    def rule(self):
        return optax.scale_by_adam()

    def observe(self, state, key):
        x, y = self.batch(key, state.given)
        return {"error": jnp.mean((state.net(x) - y) ** 2), "first": state.net.first, "second": state.net.second}


def grown(tmp_path, *interventions, steps=20, **options):
    return el.run(Fit(), steps=steps, seeds=2, interventions=interventions, out=tmp_path, progress=False, **options)


def test_a_step_is_a_gradient_step(tmp_path):
    """The same training as a loop around optax, from the same keys."""
    system, root = Fit(), jax.random.key(1)
    state = system.init(jax.random.fold_in(root, compiled.INIT))
    weights, rest = eqx.partition(state.net, eqx.is_inexact_array)
    adam = optax.adam(0.1)
    memory = adam.init(weights)
    for t in range(20):
        of_batch, _ = jax.random.split(jax.random.fold_in(root, t))
        x, y = system.batch(of_batch, state.given)
        gradient = jax.grad(lambda w, x=x, y=y: jnp.mean((eqx.combine(w, rest)(x) - y) ** 2))(weights)
        update, memory = adam.update(gradient, memory)
        weights = optax.apply_updates(weights, update)
    made = grown(tmp_path / "r")
    np.testing.assert_allclose(made.data["first"].sel(seed=1, time=20).values[0], weights.first, rtol=1e-4)
    assert made.data["error"].sel(time=20).max() < made.data["error"].sel(time=0).min()


def test_an_ablated_update_freezes_weights_in_its_window(tmp_path):
    made = grown(tmp_path / "r", el.Ablate("update.first", during=(5, 12)))
    first, second = made.data["first"].values[0], made.data["second"].values[0]
    moves = np.abs(np.diff(first, axis=1)).max(axis=(2, 3))
    assert (moves[:, 5:12] == 0).all() and (moves[:, :5] > 0).all() and (moves[:, 12:] > 0).all()
    assert (np.abs(np.diff(second, axis=1)).max(axis=2) > 0).all()


def test_weights_can_be_clamped(tmp_path):
    made = grown(tmp_path / "r", el.Clamp("state.net.first", np.eye(3, 4), during=(5, None)), every=5)
    held = made.data["first"].sel(time=[5, 10, 20]).values
    np.testing.assert_array_equal(held, np.broadcast_to(np.eye(3, 4), held.shape))


def test_a_clamped_site_of_the_loss_stops_what_is_before_it(tmp_path):
    """No gradient reaches what a clamp replaces; what comes after it still learns."""
    made = grown(tmp_path / "r", el.Clamp("hidden", 1.0))
    first, second = made.data["first"].values, made.data["second"].values
    assert (first == first[:, :, :1]).all()
    assert (second[:, :, -1] != second[:, :, 0]).all()


def test_sites_are_listed_and_read_through_the_gradient(tmp_path):
    names = {s.name for s in el.sites(Fit())}
    assert {"rate", "grad.first", "update.second", "state.net.first", "state.given", "hidden"} <= names
    made = grown(tmp_path / "r", taps=["hidden", "grad.second", "update.second"], every=4)
    assert made.data["hidden"].shape == (1, 2, 6, 8, 4)
    up, down = (made.data[name].sel(time=0).values for name in ("update.second", "grad.second"))
    assert (np.sign(up) == -np.sign(down)).all()


def test_rates_and_windows_are_operands(tmp_path):
    def go(i, rate, start):
        el.run(Fit(rate=rate), steps=6, seeds=2, out=tmp_path / str(i), progress=False,
               interventions=[el.Scale("rate", 0.5, during=(start, None))])  # fmt: skip

    go(0, 0.1, 0)
    before = compiled.compilations
    go(1, 0.3, 2)
    go(2, 0.01, 5)
    assert compiled.compilations == before


def test_reading_through_a_gradient_changes_nothing_and_costs_nothing():
    def f(w, x):
        return (el.site("h", jnp.tanh(x @ w)) ** 2).sum()

    w, x = jnp.ones((3, 2)), jnp.ones((5, 3))
    plain = jax.grad(f)(w, x)
    (found, seen) = el.tap(el.site_grad(f))(w, x)
    np.testing.assert_array_equal(found, plain)
    assert seen["h"].shape == (5, 2)

    def flops(g):
        return jax.jit(g).lower(w, x).compile().cost_analysis()["flops"]

    assert flops(lambda w, x: el.tap(el.site_grad(f))(w, x)[0]) == flops(jax.grad(f))


def test_a_clamp_where_a_mask_is_true():
    x = jnp.arange(6.0).reshape(2, 3)
    with el.edit(el.Clamp("x", -1.0, where=[[True], [False]])):
        np.testing.assert_array_equal(el.site("x", x), [[-1, -1, -1], [3, 4, 5]])
    on = jax.jit(lambda on: _under(el.Clamp("x", -1.0, where=on), x))
    np.testing.assert_array_equal(on(jnp.array(False)), x)
    assert (on(jnp.array(True)) == -1).all()
    with pytest.raises(el.UserError, match="true or false"):
        el.Clamp("x", 1.0, where=[1, 0])


def _under(intervention, x):
    with el.edit(intervention):
        return el.site("x", x)


def test_a_mask_is_written_down_and_read_again(tmp_path):
    made = grown(tmp_path / "a", el.Clamp("hidden", 0.0, where=[True, False, False, True]), steps=4)
    again = el.rerun(made.path, out=tmp_path / "b", progress=False, system=Fit)
    np.testing.assert_array_equal(made.data["first"].values, again.data["first"].values)
    whole = grown(tmp_path / "c", el.Clamp("hidden", 0.0), steps=4)
    assert (made.data["first"].values != whole.data["first"].values).any()


def test_two_passes_hold_what_the_first_one_saw():
    def net(x):
        a = el.site("a", x + 1)
        b = el.site("b", a * 2)
        return a + b

    _, seen = el.tap(net, "b")(jnp.float32(1))
    with el.edit(el.Ablate("a"), *el.clamps(seen)):
        assert net(jnp.float32(1)) == 4  # a is gone, b is as it was
