"""Sites: identity without handlers, readable and editable under every transform, never silently ignored."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el

from .engine.systems import Drift, Voter


def model(x):
    with el.scope("L", 0):
        h = el.site("h", x * 2)
    with el.scope("L", 1):
        return el.site("h", h + 1)


def test_identity_without_a_handler():
    x = jnp.arange(3.0)
    assert el.site("x", x) is x
    assert jax.make_jaxpr(model)(x).jaxpr.eqns[0].primitive.name == "mul"
    assert len(jax.make_jaxpr(model)(x).jaxpr.eqns) == 2


def test_taps_read_by_pattern_under_jit_and_vmap():
    out, taps = jax.jit(jax.vmap(el.tap(model, "L.*.h")))(jnp.arange(4.0))
    assert set(taps) == {"L.0.h", "L.1.h"}
    np.testing.assert_array_equal(taps["L.1.h"], out)
    _, one = el.tap(model, "L.0.*")(jnp.float32(1))
    assert set(one) == {"L.0.h"}


def test_a_tap_sees_the_edited_value():
    def f(x):
        with el.edit(el.Clamp("L.0.h", 10.0)):
            return model(x)

    out, taps = el.tap(f)(jnp.float32(1))
    assert taps["L.0.h"] == 10 and out == 11


INNER = {
    "jit": lambda f: jax.jit(f),
    "checkpoint": lambda f: jax.checkpoint(f),
    "vmap": lambda f: lambda x: jax.vmap(f)(x[None])[0],
    "custom": lambda f: lambda x: jax.lax.cond(True, f, lambda y: y, x),
}


@pytest.mark.parametrize("kind", INNER)
def test_an_already_traced_inner_transform_never_ignores_an_intervention(kind):
    """The hazard of trace caches: call it plainly first, then under an edit, then plainly again."""
    inner = INNER[kind](lambda x: el.site("x", x * 2))
    x = jnp.float32(3)
    assert inner(x) == 6
    for value in (1.0, 5.0):
        with el.edit(el.Clamp("x", value)):
            assert inner(x) == value
    assert inner(x) == 6


def body(carry, x):
    carry = el.site("h", carry + x)
    return carry, carry


def test_an_already_traced_scan_body_never_ignores_an_intervention():
    xs = jnp.arange(4.0)
    assert jax.lax.scan(body, 0.0, xs)[0] == 6
    with el.edit(el.Clamp("h", 7.0)):
        assert jax.lax.scan(body, 0.0, xs)[0] == 7
    assert jax.lax.scan(body, 0.0, xs)[0] == 6


def test_site_scan_stacks_what_a_tap_reads_and_is_scan_otherwise():
    xs = jnp.arange(4.0)

    def f(xs):
        return el.site_scan(body, 0.0, xs)

    (last, ys), taps = jax.jit(el.tap(f, "h"))(xs)
    np.testing.assert_array_equal(taps["h"], [0, 1, 3, 6])
    np.testing.assert_array_equal(ys, jax.lax.scan(body, 0.0, xs)[1])
    with el.edit(el.Shift("h", 1.0)):
        (last, _), taps = el.tap(f, "h")(xs)
    np.testing.assert_array_equal(taps["h"], [1, 3, 6, 10])
    assert last == 10


@pytest.mark.parametrize("f", [
    lambda x: jax.lax.scan(body, x, jnp.arange(3.0))[0],
    lambda x: jax.lax.cond(x > 0, lambda y: el.site("h", y), lambda y: y, x),
    lambda x: jax.jit(lambda y: el.site("h", y))(x),
    lambda x: jax.checkpoint(lambda y: el.site("h", y))(x),
])  # fmt: skip
def test_a_value_that_cannot_leave_is_a_clear_error(f):
    for g in (el.tap(f, "h"), jax.jit(el.tap(f, "h"))):
        with pytest.raises(el.UserError, match=r"use el\.site_scan, el\.site_grad or el\.site_vmap"):
            g(jnp.float32(1))


def test_a_name_announced_twice_is_a_clear_error():
    with pytest.raises(el.UserError, match="announced twice"):
        el.tap(lambda x: el.site("a", x) + el.site("a", x))(1.0)


def test_unread_taps_cost_nothing():
    x = jnp.ones((32, 32))

    def deep(x):
        for i in range(5):
            x = el.site(f"h{i}", x @ x)
        return x

    def cost(f):
        return jax.jit(f).lower(x).compile().cost_analysis()["flops"]

    assert cost(lambda x: el.tap(deep)(x)[0]) == cost(deep)


def test_the_list_of_sites_runs_nothing(monkeypatch):
    """Shapes and types by abstract evaluation: a system too large for any memory is listed all the same."""

    class Huge(Voter):
        n: int = el.static(10, low=2, about="agents")

    sites = {s.name: s for s in el.sites(Huge(n=2**30))}
    assert sites["state"].shape == (2**30,) and sites["state"].dtype == "bool"
    assert sites["adopted"].shape == () and sites["adopted"].where == "step"
    assert sites["state"].where == "step, observe"
    names = {s.name for s in el.sites(Drift())}
    assert names == {"state.x", "state.count", "force"}


def test_sites_inside_transforms_are_listed():
    class Inner(Voter):
        def step(self, state, key):
            return jax.lax.cond(state[0], lambda s: el.site("inner", s), lambda s: s, state)

    assert "inner" in {s.name for s in el.sites(Inner())}


def test_site_vmap_batches_what_a_tap_reads_and_is_vmap_otherwise():
    def f(x, w):
        return el.site("h", x * w).sum()

    x, w = jnp.arange(6.0).reshape(3, 2), jnp.array([1.0, 2.0])
    out, taps = jax.jit(el.tap(el.site_vmap(f, (0, None))))(x, w)
    np.testing.assert_array_equal(taps["h"], x * w)
    np.testing.assert_array_equal(out, jax.vmap(f, (0, None))(x, w))
    with el.edit(el.Clamp("h", [1.0, 0.0])):  # of each example
        assert (el.site_vmap(f, (0, None))(x, w) == 1).all()


def test_transforms_that_let_values_out_nest():
    def deep(w, x):
        def one(row):
            return el.site_scan(lambda c, v: (el.site("h", c * w + v), None), 0.0, row)[0]

        return (el.site_vmap(one)(x) ** 2).sum()

    grad, taps = jax.jit(el.tap(el.site_grad(deep)))(jnp.float32(0.5), jnp.ones((4, 3)))
    assert taps["h"].shape == (4, 3) and grad == jax.grad(deep)(jnp.float32(0.5), jnp.ones((4, 3)))
