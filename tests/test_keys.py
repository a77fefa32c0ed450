"""Keys: the same numbers as JAX's, in whatever shape, and through every transform."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el

R = jax.random
SHAPES = [(), (1,), (5,), (4, 3, 10), (2, 1, 3, 5), (0, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("draw", [R.uniform, R.normal, R.gumbel, R.bits, lambda k, s: R.bits(k, s, "uint8")])
def test_draws_are_those_of_jax(draw, shape):
    np.testing.assert_array_equal(draw(R.key(3), shape), draw(el.key(3), shape))


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31 - 1), number=st.integers(0, 2**31 - 1))
def test_children_of_a_key_are_those_of_jax(seed, number):
    theirs, ours = R.key(seed), el.key(seed)
    np.testing.assert_array_equal(R.key_data(R.fold_in(theirs, number)), R.key_data(R.fold_in(ours, number)))
    np.testing.assert_array_equal(R.key_data(R.split(theirs, (2, 3))), R.key_data(R.split(ours, (2, 3))))


def test_they_pass_through_transforms():
    def f(key, i):
        a, b = R.split(R.fold_in(key, i))
        return R.normal(a, (3, 2)) + R.permutation(b, jnp.arange(6)).reshape(3, 2)

    def run(key):
        return jax.lax.scan(lambda c, i: (c, jax.vmap(lambda j: f(c, i + j))(jnp.arange(4))), key, jnp.arange(3))[1]

    np.testing.assert_array_equal(jax.jit(run)(R.key(8)), jax.jit(run)(el.key(8)))
    both = jax.jit(jax.vmap(lambda s: R.normal(el.key(s), (2, 2))))(jnp.arange(3))
    np.testing.assert_array_equal(both, jax.vmap(lambda s: R.normal(R.key(s), (2, 2)))(jnp.arange(3)))


def test_a_run_draws_with_them(tmp_path):
    class Walk(el.System):
        observables = (el.Observable("x", ("agent", "axis")), el.Observable("first", low=0.0))

        def init(self, key):
            return R.normal(key, (3, 2))

        def step(self, state, key):
            return state + R.normal(key, (3, 2))

        def observe(self, state, key):
            return {"x": state, "first": R.uniform(key)}

    got = el.run(Walk(), seeds=2, steps=3, out=tmp_path / "run", progress=False)
    root, first = R.key(1), got.data["first"].sel(seed=1).values.squeeze()
    observed = [R.uniform(R.fold_in(R.fold_in(root, t), _observe())) for t in range(4)]
    np.testing.assert_array_equal(first, observed)


def _observe() -> int:
    from emergelab.engine.compiled import OBSERVE

    return OBSERVE
