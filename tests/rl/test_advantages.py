"""Generalised advantages: the definition written as loops, its two limits, ends and cuts."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.rl.advantages import generalised


def by_definition(reward, value, over, after, discount, trace, beyond):
    """Every advantage as the sum of all later errors up to the end of its episode."""
    time = len(reward)
    following = np.append(value[1:], after)
    following = np.where(over, beyond, following)
    error = reward + discount * following - value
    out = np.zeros(time)
    for t in range(time):
        weight = 1.0
        for u in range(t, time):
            out[t] += weight * error[u]
            if over[u]:
                break
            weight *= discount * trace
    return out


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_it_is_the_sum_of_later_errors(seed, discount, trace):
    rng = np.random.default_rng(seed)
    reward, value, beyond = rng.normal(size=(3, 9)).astype(np.float32)
    over = rng.random(9) < 0.3
    after = np.float32(rng.normal())
    beyond = np.where(over & (rng.random(9) < 0.5), beyond, 0).astype(np.float32)
    expected = by_definition(reward, value, over, after, discount, trace, beyond)
    found = generalised(
        *map(jnp.asarray, (reward, value, over)), jnp.asarray(after), discount, trace, jnp.asarray(beyond)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_with_a_full_trace_it_is_the_return_minus_the_value():
    reward = jnp.array([1.0, 2.0, 4.0])
    found = generalised(reward, jnp.full(3, 0.5), jnp.array([False, False, True]), jnp.float32(9.0), 0.5, 1.0)
    assert found.tolist() == [1 + 1 + 1 - 0.5, 2 + 2 - 0.5, 4 - 0.5]


def test_without_a_trace_it_is_the_error_of_one_step():
    found = generalised(jnp.ones(2), jnp.array([1.0, 3.0]), jnp.zeros(2, bool), jnp.float32(5.0), 0.9, 0.0)
    assert found.tolist() == pytest.approx([1 + 0.9 * 3 - 1, 1 + 0.9 * 5 - 3])


def test_lanes_do_not_mix():
    rng = np.random.default_rng(1)
    reward, value = rng.normal(size=(2, 7, 3)).astype(np.float32)
    over = rng.random((7, 3)) < 0.2
    after = jnp.asarray(rng.normal(size=3), jnp.float32)
    together = generalised(jnp.asarray(reward), jnp.asarray(value), jnp.asarray(over), after, 0.9, 0.8)
    for i in range(3):
        alone = generalised(*(jnp.asarray(x[:, i]) for x in (reward, value, over)), after[i], 0.9, 0.8)
        np.testing.assert_allclose(together[:, i], alone, rtol=1e-5, atol=1e-6)
