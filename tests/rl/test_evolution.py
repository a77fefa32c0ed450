"""Separable CMA-ES: number by number against the package `cmaes`, and what is known of its convergence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergelab.rl import evolution


def minimised(f, mean, sigma, generations, count=10, seed=0):
    """The distribution after so many generations of looking for the least of `f`, and the least value of each."""

    @jax.jit
    def run(mean, sigma, key):
        def one(search, key):
            x = evolution.ask(search, jax.random.normal(key, (count, len(search.mean))))
            y = f(x)
            return evolution.tell(search, x, -y), jnp.min(y)

        return jax.lax.scan(one, evolution.begin(mean, sigma), jax.random.split(key, generations))

    return run(jnp.asarray(mean, jnp.float32), sigma, jax.random.key(seed))


def test_an_update_is_that_of_cmaes():
    """The same vectors and scores, told to both: mean, step size, variances and paths agree over ten generations."""
    cmaes = pytest.importorskip("cmaes")
    rng = np.random.default_rng(0)
    peer = cmaes.SepCMA(mean=np.full(7, 0.5), sigma=0.3, population_size=6, seed=1)
    ours = evolution.begin(jnp.full(7, 0.5), 0.3)
    tell = jax.jit(evolution.tell)
    for _ in range(10):
        asked = np.float32([peer.ask() for _ in range(6)])
        loss = (np.arange(1, 8) * asked**2).sum(-1) + 0.01 * rng.normal(size=6)
        peer.tell([(x.astype(float), y) for x, y in zip(asked, loss, strict=True)])
        ours = tell(ours, jnp.asarray(asked), jnp.asarray(-loss, jnp.float32))
    for name, theirs in (("mean", peer._mean), ("sigma", peer._sigma), ("variance", peer._C), ("path", peer._pc),
                         ("stride", peer._p_sigma)):  # fmt: skip
        np.testing.assert_allclose(getattr(ours, name), theirs, rtol=2e-4, atol=2e-5, err_msg=name)
    assert int(ours.time) == peer.generation == 10


def test_it_converges_on_a_sphere_and_on_a_stretched_one():
    """Log-linear: on a sphere each generation of ten takes the same share of the distance, whatever has gone before.
    On an ellipsoid along the axes variances are learnt, the inverse of the stretch, after which it is as fast.
    """
    stretch = 10 ** jnp.linspace(0, 4, 8)
    search, least = minimised(lambda x: jnp.sum(x**2, -1), np.ones(8), 0.5, 150)
    assert float(least[-1]) < 1e-8
    rate = np.diff(np.log(np.asarray(least))[[20, 70, 120]]) / 50
    assert (rate < -0.1).all() and abs(rate[0] - rate[1]) < 0.15
    search, least = minimised(lambda x: jnp.sum(stretch * x**2, -1), np.ones(8), 0.5, 400)
    assert float(least[-1]) < 1e-8
    assert np.corrcoef(np.log(np.asarray(search.variance)), -np.log(np.asarray(stretch)))[0, 1] > 0.9


def test_without_a_score_nothing_pulls():
    """All vectors score alike: the mean makes a random walk and stays near, and variances stay near 1."""
    search, _ = minimised(lambda x: jnp.zeros(len(x)), np.zeros(20), 1.0, 50, count=6)
    assert 0.3 < float(search.sigma) < 3 and np.abs(np.log(np.asarray(search.variance))).max() < 1.5
