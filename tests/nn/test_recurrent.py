"""The leaky layer: what it computes, its sites, and the structure and norm of weights to begin with."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.nn import recurrent as rc
from emergelab.nn.linear import gram_schmidt
from emergelab.nn.recurrent import Leaky

TIME, BATCH, UNITS, INPUTS = 6, 3, 5, 2


def _layer(**changes) -> Leaky:
    keys = jax.random.split(jax.random.key(0), 4)
    parts = {
        "into": jax.random.normal(keys[0], (UNITS, INPUTS)),
        "weights": jax.random.normal(keys[1], (UNITS, UNITS)) / 2,
        "bias": jax.random.normal(keys[2], (UNITS,)),
        "tau": 1.0 + 2.0 * jax.random.uniform(keys[3], (UNITS,)),
    }
    return Leaky(**{**parts, **changes})


@pytest.fixture(scope="module")
def inputs():
    return jax.random.normal(jax.random.key(9), (TIME, BATCH, INPUTS))


@pytest.mark.parametrize("self_connected", [True, False])
def test_equals_the_formula_written_out_unit_by_unit(inputs, self_connected):
    layer = _layer(self_connected=self_connected, bend=lambda x: jax.nn.leaky_relu(x, 0.01))
    got = np.asarray(jax.jit(lambda layer, x: layer(x))(layer, inputs))
    w, v, b, tau = (np.asarray(x, float) for x in (layer.weights, layer.into, layer.bias, layer.tau))
    for n in range(BATCH):
        h = np.zeros(UNITS)
        for t in range(TIME):
            new = np.zeros(UNITS)
            for i in range(UNITS):
                heard = b[i] + sum(v[i, k] * float(inputs[t, n, k]) for k in range(INPUTS))
                heard += sum(w[i, j] * h[j] for j in range(UNITS) if self_connected or j != i)
                x = (1 - 1 / tau[i]) * h[i] + heard / tau[i]
                new[i] = x if x > 0 else 0.01 * x
            h = new
            np.testing.assert_allclose(got[t, n], h, atol=1e-5)


def test_a_unit_without_connections_forgets_with_its_time_constant():
    """After a pulse, with the identity for f and nothing heard, h falls by 1 - 1/tau a step."""
    tau = jnp.array([1.0, 2.0, 4.0])
    layer = Leaky(jnp.ones((3, 1)), jnp.zeros((3, 3)), None, tau, bend=lambda x: x)
    pulse = jnp.zeros((5, 1, 1)).at[0].set(1.0)
    wanted = (1 / tau)[None] * (1 - 1 / tau)[None] ** jnp.arange(5)[:, None]
    np.testing.assert_allclose(layer(pulse)[:, 0], wanted, atol=1e-6)


def test_time_constants_below_one_count_as_one(inputs):
    np.testing.assert_array_equal(_layer(tau=jnp.full(UNITS, 0.2))(inputs), _layer(tau=jnp.ones(1))(inputs))


@pytest.mark.parametrize("learns", [True, False])
def test_time_constants_learn_only_if_they_may(inputs, learns):
    down = jax.jit(jax.grad(lambda layer: jnp.sum(layer(inputs) ** 2)))(_layer(learns_tau=learns))
    assert bool((down.tau != 0).any()) == learns
    assert (down.weights != 0).any()


def test_shorter_trials_end_together_in_one_program(inputs):
    """With `first` the state is held; what follows is the shorter trial alone, in every row for itself."""
    layer = _layer()
    run = jax.jit(lambda inputs, start, first: layer(inputs, start, first))
    start = jax.random.normal(jax.random.key(1), (BATCH, UNITS))
    both = np.asarray(run(inputs, start, jnp.array([0, 2, 4])))
    for n, first in enumerate((0, 2, 4)):
        # The same trial at the beginning of a sequence: what follows it does not matter.
        early = np.roll(inputs, -first, axis=0)
        alone = np.asarray(run(early, start, jnp.zeros(BATCH, jnp.int32)))
        np.testing.assert_allclose(both[first:, n], alone[: TIME - first, n], atol=1e-6)
        np.testing.assert_array_equal(both[:first, n], np.broadcast_to(start[n], (first, UNITS)))
    one = np.asarray(jax.jit(lambda first: layer(inputs, start, first))(jnp.int32(2)))
    np.testing.assert_allclose(one[:, 1], both[:, 1], atol=1e-6)


def test_states_and_time_constants_are_sites(inputs):
    layer = _layer()
    states, seen = jax.jit(lambda x: el.tap(layer, "h", "tau")(x))(inputs)
    np.testing.assert_array_equal(seen["h"], states)
    np.testing.assert_array_equal(seen["tau"], layer.tau)
    with el.edit(el.Clamp("tau", 2.0)):
        slow = layer(inputs)
    np.testing.assert_allclose(slow, _layer(tau=jnp.full(UNITS, 2.0))(inputs), atol=1e-6)
    silent = np.arange(UNITS) == 1
    with el.edit(el.Clamp("h", 0.0, where=silent)):
        cut = layer(inputs)
    assert (cut[:, :, 1] == 0).all()
    lesioned = _layer(weights=layer.weights.at[:, 1].set(0.0))(inputs)
    np.testing.assert_allclose(cut[:, :, ~silent], lesioned[:, :, ~silent], atol=1e-6)


# -- weights to begin with --------------------------------------------------------------------------------------------


_OF_RANK = jax.jit(lambda key, rank, left, right, turn: rc.of_rank(key, 12, rank, (left, right), turn))


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), rank=st.integers(1, 12))
def test_a_rank_is_kept_and_the_leading_directions_are_the_same_at_all_ranks(seed, rank):
    aims = jnp.ones(12), jnp.ones(12)
    few, all_ = (np.asarray(_OF_RANK(jax.random.key(seed), r, *aims, 0.0)) for r in (rank, 12))
    u, s, v = np.linalg.svd(all_)
    np.testing.assert_allclose(s, rc.quarter_circle(12), atol=1e-4)
    np.testing.assert_allclose(few, (u[:, :rank] * s[:rank]) @ v[:rank], atol=1e-4)


def test_singular_values_are_those_of_a_gaussian_matrix():
    n = 200
    drawn = np.linalg.svd(np.random.default_rng(0).normal(size=(n, n)) / n**0.5, compute_uv=False)
    np.testing.assert_allclose(rc.quarter_circle(n), drawn, atol=0.05)
    assert np.mean(rc.quarter_circle(n) ** 2) == pytest.approx(1, abs=0.01)


def test_columns_become_orthonormal_and_the_first_keeps_its_direction():
    a = np.random.default_rng(0).normal(size=(12, 12)).astype(np.float32)
    a[:, 3] = a[:, 0] + 1e-3 * a[:, 3]  # nearly dependent: once is not enough
    q = np.asarray(jax.jit(gram_schmidt)(a))
    np.testing.assert_allclose(q.T @ q, np.eye(12), atol=1e-4)
    np.testing.assert_allclose(q[:, 0], a[:, 0] / np.linalg.norm(a[:, 0]), atol=1e-5)
    # Each column is one of the span so far: the product with the original is triangular, with a positive diagonal.
    product = q.T @ a
    np.testing.assert_allclose(np.tril(product, -1), 0, atol=1e-3)
    assert (np.diag(product) > 0).all()


def test_a_turn_goes_along_the_arc_and_keeps_rank():
    random = np.random.default_rng(0)
    aims = [jnp.asarray(random.normal(size=12), jnp.float32) for _ in range(2)]
    start, half, full = (np.asarray(_OF_RANK(jax.random.key(1), 1, *aims, turn)) for turn in (0.0, 0.5, 1.0))
    wanted = rc.of_norm(jnp.outer(*aims), rc.quarter_circle(12)[0])
    np.testing.assert_allclose(full, wanted, atol=1e-4)
    assert np.linalg.matrix_rank(half, tol=1e-4) == 1
    # Half-way: as far from the start as from the aim, on either side.
    for axis in (0, 1):
        a, b, c = (_leading(x, axis) for x in (start, half, full))
        assert abs(a @ b) == pytest.approx(abs(b @ c), abs=1e-4)
    third = rc.towards(jnp.array([1.0, 0.0]), jnp.array([0.0, 5.0]), 1 / 3)
    np.testing.assert_allclose(third, [np.cos(np.pi / 6), np.sin(np.pi / 6)], atol=1e-6)


def _leading(matrix: np.ndarray, axis: int) -> np.ndarray:
    u, _, v = np.linalg.svd(matrix)
    return u[:, 0] if axis == 0 else v[0]


def test_the_made_up_connectome_keeps_dales_law_balance_and_norm():
    units = 400
    w = np.asarray(jax.jit(lambda key: rc.cell_types(key, units, 1.3))(jax.random.key(0)))
    assert np.linalg.norm(w) == pytest.approx(1.3 * units**0.5, rel=1e-4)
    excite = np.arange(units) < 0.8 * units
    assert (w[:, excite] >= 0).all()
    assert (w[:, ~excite] <= 0).all()
    # excitation and inhibition onto a type cancel, up to chance
    for kind in (excite, (np.arange(units) >= 320) & (np.arange(units) < 352)):
        heard = w[kind].sum(axis=1)
        assert abs(heard.mean()) < 0.1 * w[kind][:, excite].sum(axis=1).mean()
    somatostatin = slice(352, 380)
    inner, onto = w[somatostatin, somatostatin], w[:320, somatostatin]
    assert (inner != 0).mean() < 0.4 * (onto != 0).mean()


def test_a_shuffle_keeps_entries_and_loses_structure():
    w = jax.jit(lambda key: rc.cell_types(key, 60))(jax.random.key(0))
    mixed = jax.jit(rc.shuffled)(jax.random.key(1), w)
    np.testing.assert_array_equal(np.sort(np.ravel(mixed)), np.sort(np.ravel(w)))
    assert (np.asarray(mixed)[:, :48] < 0).any()


_RADIUS = jax.jit(rc.spectral_radius)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_the_spectral_radius_against_all_eigenvalues(seed, scale):
    w = (scale * np.random.default_rng(seed).normal(size=(6, 6))).astype(np.float32)
    assert float(_RADIUS(jnp.asarray(w))) == pytest.approx(np.abs(np.linalg.eigvals(w)).max(), rel=0.01)


def test_the_spectral_radius_of_nilpotent_and_of_zero_weights_is_zero():
    assert float(_RADIUS(jnp.eye(6, k=1))) < 0.1
    assert float(_RADIUS(jnp.zeros((6, 6)))) < 0.1


def test_a_gaussian_fills_a_disc_of_its_gain():
    w = rc.gaussian(jax.random.key(0), 200, 1.25)
    assert float(_RADIUS(w)) == pytest.approx(1.25, rel=0.15)
    assert float(rc.norm(w)) == pytest.approx(1.25 * 200**0.5, rel=0.02)
