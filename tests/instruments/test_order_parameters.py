"""order_parameters: exact critical points, planted heaps, the dip and its peer, and inputs of every awkward kind."""

import json
import time
import warnings

import diptest
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.mixture import GaussianMixture

from emergelab import figures
from emergelab.errors import UserError
from emergelab.instruments import calibrate, order_parameters
from emergelab.instruments._order_parameters_dip import dip, dip_p
from emergelab.instruments._order_parameters_modes import (
    bimodality_coefficient,
    gap_ratio,
    mixture_power,
    two_normals,
    valley,
)
from emergelab.instruments._order_parameters_scaling import collapse, crossing, peak
from emergelab.instruments._scenes.order_parameters import mean_field

from .degenerate import assert_defined, blocks

ADAM = "DQN (Adam + MSE in JAX)"


def system(values, sizes, control, name="m"):
    """Wrap (seed, size, control[, time]) as labelled data."""
    dims = ("seed", "size", "control", "time")[: values.ndim]
    coords = {"size": list(sizes), "control": control}
    if values.ndim == 4:
        coords["time"] = np.arange(values.shape[-1])
    return xr.DataArray(values, dims=dims, coords=coords, name=name)


def heap(values, conditions=None):
    dims = ("seed",) if conditions is None else ("condition", "seed")
    coords = {} if conditions is None else {"condition": conditions}
    return xr.DataArray(np.asarray(values, dtype=float), dims=dims, coords=coords, name="final")


# ------------------------------------------------------------------------------------------------ simulators


def potts(rng, extent, beta, q, seeds, sweeps, warm):
    """Square lattice by Swendsen-Wang, all seeds and couplings at once; m = (q largest share - 1) / (q - 1)."""
    n, replicas = extent * extent, seeds * len(beta)
    coupling = np.tile(beta, seeds)[:, None]
    site = np.arange(n).reshape(extent, extent)
    here = np.concatenate([site.ravel(), site.ravel()])
    there = np.concatenate([np.roll(site, -1, 1).ravel(), np.roll(site, -1, 0).ravel()])
    spins = rng.integers(0, q, (replicas, n))
    out = np.empty((sweeps, replicas))
    for step in range(warm + sweeps):
        bond = (spins[:, here] == spins[:, there]) & (rng.random((replicas, 2 * n)) < 1 - np.exp(-coupling))
        row, edge = np.nonzero(bond)
        graph = (np.ones(len(row), dtype=bool), (row * n + here[edge], row * n + there[edge]))
        count, label = connected_components(coo_matrix(graph, shape=(replicas * n, replicas * n)), directed=False)
        spins = rng.integers(0, q, count)[label].reshape(replicas, n)
        if step >= warm:
            share = np.stack([(spins == s).mean(axis=1) for s in range(q)]).max(axis=0)
            out[step - warm] = (q * share - 1) / (q - 1)
    return out.reshape(sweeps, seeds, len(beta)).transpose(1, 2, 0)


def kuramoto(rng, n, coupling, seeds, steps, dt=0.1):
    """Oscillators with the quantiles of a Gaussian as frequencies, all to all, from random phases; r along time."""
    phase = rng.uniform(0, 2 * np.pi, (seeds, len(coupling), n))
    own = stats.norm.ppf((np.arange(n) + 0.5) / n)
    out = np.empty((seeds, len(coupling), steps))
    for step in range(steps):
        turned = np.exp(1j * phase)
        field = turned.mean(axis=-1, keepdims=True)
        phase += dt * (own + coupling[None, :, None] * np.imag(field * turned.conj()))
        out[..., step] = np.abs(field[..., 0])
    return out


@pytest.fixture(scope="module")
def ising():
    rng = np.random.default_rng(0)
    t = np.array([2.05, 2.15, 2.21, 2.245, 2.28, 2.315, 2.36, 2.44, 2.6])
    m = np.stack([potts(rng, extent, 2 / t, 2, 10, 120, 20) for extent in (8, 16, 32)], axis=1)
    return system(m, (8, 16, 32), t).rename(control="T", size="L")


# ------------------------------------------------------------------------------------ transitions: known answers


def test_ising_in_two_dimensions(ising):
    result = order_parameters(ising, control="T", size="L", dimension=2)
    exact = 2 / np.log(1 + np.sqrt(2))
    assert result.verdict == "continuous"
    assert result.estimate.low < exact < result.estimate.high
    assert result.estimate.value == pytest.approx(exact, rel=0.015)
    found = result.to_frame("critical").set_index("quantity")
    assert found.loc["lambda_c (Binder crossing)", "value"] == pytest.approx(exact, rel=0.015)
    assert found.loc["lambda_c (collapse)", "value"] == pytest.approx(exact, rel=0.01)
    assert found.loc["1/nu (collapse)", "value"] == pytest.approx(1.0, abs=0.25)
    assert found.loc["beta/nu (collapse)", "value"] == pytest.approx(0.125, abs=0.03)
    assert found.loc["gamma/nu (peak of chi)", "value"] == pytest.approx(1.75, abs=0.2)
    assert found.loc["U4 at the crossing", "value"] == pytest.approx(0.6107, abs=0.03)
    sizes = result.to_frame()
    assert (sizes["N"] == [64, 256, 1024]).all() and sizes["tau"].between(0.5, 6).all()
    split = sizes["chi_thermal"] + sizes["chi_between"]  # at the grid point of the peak; chi_max is interpolated
    assert split.to_numpy() == pytest.approx(sizes["chi_max"].to_numpy(), rel=0.1)
    assert len(figures.png(result.plot())) > 30_000


def test_one_size_is_never_a_phase_transition(ising):
    result = order_parameters(ising.isel(L=[2]), control="T", size="L", dimension=2)
    assert result.verdict in ("sharp change", "gradual change", "undecided")
    assert any("a phase transition never" in w for w in result.warnings)
    rng = np.random.default_rng(1)
    control = np.linspace(0, 10, 21)
    steep = 1 / (1 + np.exp(-(control - 4) / 0.2)) + 0.02 * rng.standard_normal((8, 1, 21))
    sharp = order_parameters(system(steep, (100,), control))
    assert sharp.verdict == "sharp change" and sharp.estimate.value == pytest.approx(4.0, abs=0.3)
    ramp = np.linspace(0, 1, 21) + 0.02 * rng.standard_normal((8, 1, 21))
    assert order_parameters(system(ramp, (100,), control)).verdict == "gradual change"


def test_potts_with_ten_states_shows_two_phases():
    rng = np.random.default_rng(2)
    exact = np.log(1 + np.sqrt(10))
    beta = exact + np.array([-0.2, -0.15, -0.1, -0.07, -0.045, -0.02, 0.005, 0.04, 0.1])
    m = np.stack([potts(rng, extent, beta, 10, 24, 150, 50) for extent in (5, 8, 12)], axis=1)
    result = order_parameters(system(m, (5, 8, 12), beta), dimension=2, draws=199)
    # small systems may leave the order open, but must never read as continuous
    assert result.verdict in ("first-order", "undecided")
    sizes = result.to_frame()
    assert sizes["lambda_peak"].iloc[-1] == pytest.approx(exact, abs=0.03)
    assert sizes["valley"].iloc[-1] > 0.3 and sizes["ashman_D"].iloc[-1] > 4 and sizes["U4_min"].iloc[-1] < -0.3
    growth = result.to_frame("critical").set_index("quantity").loc["growth of chi_max in N", "value"]
    assert growth == pytest.approx(1.0, abs=0.15)  # as N, not as N^(7/8) or slower


def test_mean_field_exponents():
    rng = np.random.default_rng(3)
    control, sizes = np.r_[0.6, 0.75, np.linspace(0.86, 1.16, 11), 1.3, 1.5], (128, 512, 2048)
    data = system(mean_field(rng, "ising", control, sizes, 20, 100), sizes, control)
    result = order_parameters(data, draws=199)
    found = result.to_frame("critical").set_index("quantity")["value"]
    assert result.verdict == "continuous"
    assert found["lambda_c (Binder crossing)"] == pytest.approx(1.0, abs=0.05)
    assert found["lambda_c (collapse)"] == pytest.approx(1.0, abs=0.03)
    assert found["1/nu (collapse)"] == pytest.approx(0.5, abs=0.1)  # in N, not in an extent
    assert found["beta/nu (collapse)"] == pytest.approx(0.25, abs=0.06)
    assert found["growth of chi_max in N"] == pytest.approx(0.5, abs=0.1)
    triples = np.linspace(1.8, 2.4, 13)
    first = system(mean_field(rng, "triples", triples, (16, 32, 64), 20, 60), (16, 32, 64), triples)
    result = order_parameters(first, draws=199)
    found = result.to_frame("critical").set_index("quantity")["value"]
    assert result.verdict == "first-order" and "peak of chi" in result.headline
    assert found["growth of chi_max in N"] == pytest.approx(1.0, abs=0.2)
    assert result.to_frame()["U4_min"].iloc[-1] < -1
    # a grid that cannot hold the peak is not believed
    coarse = system(mean_field(rng, "triples", triples, (16, 64, 512), 10, 30), (16, 64, 512), triples)
    result = order_parameters(coarse, draws=199)
    assert result.verdict == "undecided" and "finer grid" in result.words


def test_kuramoto_with_gaussian_frequencies():
    rng = np.random.default_rng(4)
    coupling = np.array([0.8, 1.1, 1.3, 1.45, 1.6, 1.75, 1.9, 2.1, 2.4, 2.8])
    r = np.stack([kuramoto(rng, n, coupling, 8, 300) for n in (50, 150, 450)], axis=1)
    result = order_parameters(system(r, (50, 150, 450), coupling, "r"), keep=0.6, draws=199)
    exact = 2 / (np.pi * 0.3989)
    found = result.to_frame("critical").set_index("quantity")["value"]
    assert found["lambda_c (collapse)"] == pytest.approx(exact, rel=0.12)
    # r ~ (K - K_c)^(1/2): beta = (beta / nu) / (1 / nu)
    assert found["beta/nu (collapse)"] / found["1/nu (collapse)"] == pytest.approx(0.5, abs=0.3)
    assert found["growth of chi_max in N"] > 0.3
    assert (result.to_frame()["chi_between"] > 0).all()


def test_giant_component():
    rng = np.random.default_rng(5)
    degree = np.array([0.4, 0.6, 0.75, 0.85, 0.95, 1.05, 1.15, 1.25, 1.4, 1.6, 2.0])
    share = np.empty((40, 3, len(degree)))
    for i, n in enumerate((250, 1000, 4000)):
        for j, c in enumerate(degree):
            for s in range(40):
                a, b = rng.integers(0, n, (2, rng.poisson(n * c / 2)))
                graph = coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n))
                share[s, i, j] = np.bincount(connected_components(graph, directed=False)[1]).max() / n
    result = order_parameters(system(share, (250, 1000, 4000), degree, "share"), draws=199)
    found = result.to_frame("critical").set_index("quantity")["value"]
    assert result.verdict in ("continuous", "undecided")  # chi_max grows as N^(1/3), which 40 seeds hardly pin down
    assert found["lambda_c (collapse)"] == pytest.approx(1.0, abs=0.1)
    assert found["1/nu (collapse)"] == pytest.approx(1 / 3, abs=0.12)
    assert np.isnan(result.to_frame()["chi_thermal"]).all()  # one number a seed: no noise in time


def test_units_that_do_not_interact_have_no_transition():
    rng = np.random.default_rng(6)
    field = np.linspace(-2, 2, 11)
    data = system(mean_field(rng, "field", field, (16, 64, 256), 20, 60), (16, 64, 256), field)
    result = order_parameters(data, draws=199)
    assert result.verdict == "crossover" and result.effect.value < 0.1
    noise = system(rng.standard_normal((10, 3, 9)) / 10, (16, 64, 256), np.arange(9.0))
    assert order_parameters(noise, draws=199).verdict in ("none", "undecided")
    # spread that does not average out grows with N everywhere
    alike = field[None, None, :] / 4 + 0.1 * rng.standard_normal((20, 3, 11))
    assert order_parameters(system(alike, (16, 64, 256), field), draws=199).verdict not in ("continuous", "first-order")


def test_hysteresis():
    rng = np.random.default_rng(7)
    control = np.linspace(0, 2, 21)
    up, down = (1 / (1 + np.exp(-(control - at) / 0.05)) for at in (1.3, 0.7))
    loops = np.stack([up, down])[None, :, None, :] + 0.02 * rng.standard_normal((8, 2, 2, 21))
    data = xr.DataArray(loops, dims=("seed", "sweep", "size", "control"), name="m",
                        coords={"sweep": ["up", "down"], "size": [50, 100], "control": control})  # fmt: skip
    result = order_parameters(data, draws=199)
    table = result.to_frame("hysteresis")
    assert table["area"].to_numpy() == pytest.approx(0.6, abs=0.05) and (table["low"] > 0).all()
    assert any("history" in w for w in result.warnings)
    turned = order_parameters(data.isel(sweep=[1, 0]), draws=199).to_frame("hysteresis")
    assert turned["area"].to_numpy() == pytest.approx(table["area"].to_numpy())
    assert not (order_parameters(data.isel(sweep=[0, 0]).assign_coords(sweep=["up", "down"]), draws=199)
                .to_frame("hysteresis")["area"] > 0.01).any()  # fmt: skip


def test_correlation_time_is_that_of_the_process():
    rng = np.random.default_rng(8)
    x = np.zeros((10, 1, 4, 4000))
    for t in range(1, 4000):
        x[..., t] = 0.8 * x[..., t - 1] + rng.standard_normal((10, 1, 4))
    curves = order_parameters(system(3 + 0.1 * x, (10,), np.arange(4.0)), keep=1.0, draws=99).to_frame("curves")
    assert curves["tau"].to_numpy() == pytest.approx(np.full(4, 0.5 * 1.8 / 0.2), rel=0.15)


def test_pieces_of_scaling_on_exact_curves():
    control = np.linspace(-1, 1, 41)
    place, height, inside = peak((2 - (control - 0.13) ** 2)[None], control)
    assert (place[0], height[0], inside[0]) == (pytest.approx(0.13), pytest.approx(2.0), True)
    small, large = np.tanh(control - 0.2)[None], np.tanh(3 * (control - 0.2))[None]
    at, value, slope_small, slope_large = crossing(small, large, control)
    assert at[0] == pytest.approx(0.2, abs=1e-3) and value[0] == pytest.approx(0.0, abs=1e-3)
    assert slope_large[0] / slope_small[0] == pytest.approx(3.0, rel=0.02)
    assert np.isnan(crossing(small, small + 0.5, control)[0]).all()
    size = np.array([10.0, 20.0, 40.0])
    x = (control[None, :] - 0.1) * size[:, None] ** 0.7
    mean = (1 / (1 + np.exp(-x / 3))) * size[:, None] ** -0.2
    binder = np.tanh(x / 5) / 3 + 1 / 3
    error = np.full_like(mean, 1e-3)
    fit = collapse(mean[None], binder[None], error, error, control, size, np.ones(41, dtype=bool))
    assert fit.critical[0] == pytest.approx(0.1, abs=0.01)
    assert fit.inverse_nu[0] == pytest.approx(0.7, abs=0.03) and fit.beta_over_nu[0] == pytest.approx(0.2, abs=0.02)


# ------------------------------------------------------------------------------------------ heaps: published data


def test_freeway_two_of_ten_never_learn(atari):
    result = order_parameters(atari("freeway", "DQN", ADAM), draws=499)
    assert result.verdict == "zero-inflated"
    assert (result.estimate.value, round(result.estimate.low, 3), round(result.estimate.high, 3)) == (0.2, 0.025, 0.556)
    pooled = result.to_frame().set_index("of").loc["pooled"]
    assert pooled["p_dip"] == pytest.approx(0.45, abs=0.05)  # the dip misses it
    assert pooled["gap_ratio"] > 100 and pooled["p_gap"] < 0.01 and pooled["p_mixture"] < 0.01
    members = result.to_frame("members")
    assert members[members["mode"] == "floor"][["condition", "seed"]].to_numpy().tolist() == [["DQN", 1], [ADAM, 2]]
    value = members["value"].to_numpy()[:, None]
    bic = [GaussianMixture(k, n_init=5, random_state=0).fit(value).bic(value) for k in (1, 2)]
    assert bic[0] == pytest.approx(84.7, abs=0.1) and bic[1] < 30


def test_montezuma_six_emergences_among_zeros(atari):
    result = order_parameters(atari("montezumarevenge"), draws=199)
    pooled = result.to_frame().set_index("of").loc["pooled"]
    assert result.verdict == "zero-inflated" and pooled["verdict"] == "zero-inflated"
    assert (pooled["floor_count"], pooled["floor_of"]) == (24, 30)
    assert pooled["p_dip"] == pytest.approx(0.099, abs=0.03)
    # within the four agents in which both happen, 14 of 20
    assert result.estimate.value == 14 / 20 and any("dip test alone sees nothing" in w for w in result.warnings)
    above = result.to_frame("members").query("mode == 'above'")["value"]
    assert len(above) == 6 and above.min() == pytest.approx(394.7, abs=0.1) and (above > 2429).sum() == 5


def test_pong_and_tennis_agents_differ_and_seeds_do_not(atari):
    pong = order_parameters(atari("pong"), draws=199)
    row = pong.to_frame().set_index("of").loc["pooled"]
    assert row["p_dip"] == pytest.approx(0.95, abs=0.03)
    assert pong.verdict not in ("two modes", "zero-inflated")
    tennis = order_parameters(atari("tennis"), draws=199)  # two agents at 0, four at 22: a heap for each kind of agent
    assert tennis.to_frame().set_index("of").loc["pooled", "verdict"] == "two modes"
    assert tennis.verdict not in ("two modes", "zero-inflated")
    assert any("because the conditions differ" in w for w in tennis.warnings)
    assert len(figures.png(tennis.plot())) > 20_000


# --------------------------------------------------------------------------------------------- heaps: planted


def test_dip_is_that_of_diptest():
    rng = np.random.default_rng(9)
    for k in range(200):
        n = int(rng.integers(4, 60))
        x = (rng.standard_normal(n), rng.random(n), np.r_[rng.standard_normal(n), 5 + rng.standard_normal(n)],
             rng.integers(0, 6, n).astype(float))[k % 4]  # fmt: skip
        assert dip(x) == pytest.approx(diptest.dipstat(x), abs=1e-12)
    for n in (10, 30, 300):
        x = rng.standard_normal(n)
        assert dip_p(dip(x), n) == pytest.approx(diptest.diptest(x)[1], abs=0.06)
    assert np.isnan(dip(np.empty(0))) and dip(np.ones(5)) == 0.0


def test_mixture_is_that_of_scikit_learn():
    rng = np.random.default_rng(10)
    for _ in range(5):
        x = rng.standard_normal(40) + 5 * (rng.random(40) < 0.4)
        fit = two_normals(x[None])
        peer = GaussianMixture(2, covariance_type="tied", n_init=10, random_state=0, tol=1e-8).fit(x[:, None])
        one = GaussianMixture(1).fit(x[:, None])
        assert fit.ratio[0] == pytest.approx(2 * 40 * (peer.score(x[:, None]) - one.score(x[:, None])), abs=0.02)
        assert sorted(peer.means_.ravel()) == pytest.approx([fit.low[0], fit.high[0]], abs=0.02)
        assert float(np.sqrt(peer.covariances_[0, 0])) == pytest.approx(fit.sd[0], abs=0.02)
    moved = two_normals((1000 - 7 * x)[None])
    assert moved.ratio[0] == pytest.approx(fit.ratio[0]) and moved.separation[0] == pytest.approx(fit.separation[0])
    assert moved.weight[0] == pytest.approx(1 - fit.weight[0])


def test_small_descriptions():
    assert gap_ratio(np.array([[0.0, 1, 2, 3, 10]]))[0] == 7.0
    assert np.isnan(gap_ratio(np.array([[0.0, 0, 0, 0, 1]]))[0])
    grid = np.linspace(0, 1, 2001)
    assert bimodality_coefficient(grid) == pytest.approx(5 / 9, abs=0.01)
    _, _, depth, where = valley(np.r_[np.linspace(-1, 1, 50), np.linspace(9, 11, 50)])
    assert depth > 0.9 and where == pytest.approx(5.0, abs=0.5)
    assert valley(np.arange(20.0))[2] == pytest.approx(0.0, abs=1e-6)
    power = [mixture_power(n, 6.0, 0.5) for n in (5, 10, 20, 40)]
    assert power == sorted(power) and power[0] < 0.3 and power[-1] > 0.95


def test_planted_heaps():
    rng = np.random.default_rng(11)
    x = rng.standard_normal(24) + np.where(np.arange(24) < 9, 8.0, 0.0)
    result = order_parameters(heap(x), draws=199)
    assert result.verdict == "two modes" and result.estimate.value == pytest.approx(9 / 24)
    assert result.p < 0.01 and result.effect.value == pytest.approx(8, abs=2.5)
    members = result.to_frame("members")
    assert (members["mode"] == np.where(np.arange(24) < 9, "upper", "lower")).all()
    one = order_parameters(heap(rng.standard_normal(60)), draws=199)
    assert one.verdict == "unimodal" and one.to_frame("power").set_index("ashman_D")["power"].iloc[2] >= 0.8
    few = order_parameters(heap(rng.standard_normal(5)), draws=199)
    assert few.verdict == "undecided" and any("5 seeds" in w for w in few.warnings)
    chance = order_parameters(heap(np.r_[0.5 + 0.004 * rng.standard_normal(6), rng.uniform(0.7, 0.95, 9)]),
                              floor=0.5, eps=0.02, draws=199)  # fmt: skip
    assert chance.verdict == "zero-inflated" and chance.estimate.value == 6 / 15
    outlier = order_parameters(heap(np.r_[rng.standard_normal(14), 60.0]), draws=199)
    assert outlier.verdict != "two modes"


def test_conditions_are_taken_into_account():
    rng = np.random.default_rng(12)
    apart = rng.standard_normal((2, 15)) + np.array([[0.0], [8.0]])
    result = order_parameters(heap(apart, ["a", "b"]), draws=199)
    assert result.to_frame().set_index("of").loc["pooled", "verdict"] == "two modes"
    assert result.verdict not in ("two modes", "zero-inflated")
    within = rng.standard_normal((2, 15)) + np.array([[0.0], [30.0]])
    within[:, :5] += 9
    assert order_parameters(heap(within, ["a", "b"]), draws=199).verdict == "two modes"
    only_b = rng.standard_normal((2, 20))
    only_b[1, :8] += 12
    result = order_parameters(heap(only_b, ["a", "b"]), draws=199)
    assert result.verdict == "two modes"


def test_stage_is_the_mean_of_the_records_asked_for():
    rng = np.random.default_rng(13)
    late = rng.random(20) < 0.5
    y = np.where(np.arange(100)[None, :] < 90, 0.0, late[:, None] * 10.0) + rng.standard_normal((20, 100))
    data = xr.DataArray(y, dims=("seed", "time"), coords={"time": np.arange(100.0)}, name="y")
    assert order_parameters(data, draws=199).verdict == "two modes"
    assert order_parameters(data, keep=(0, 80), draws=199).verdict != "two modes"
    assert order_parameters(data, keep=(95, 99), draws=199).to_frame("members")["value"].to_numpy() == pytest.approx(
        y[:, 95:].mean(axis=1)
    )


# ---------------------------------------------------------------------------------------------- invariances


def test_invariances():
    rng = np.random.default_rng(14)
    x = rng.standard_normal(24) + np.where(np.arange(24) < 9, 8.0, 0.0)
    plain = order_parameters(heap(x), draws=199)
    for other in (heap(1000 * x - 5), heap(x[::-1]), heap(-x)):
        result = order_parameters(other, draws=199)
        assert result.verdict == plain.verdict and result.p == pytest.approx(plain.p, abs=0.01)
    y = np.repeat(x[:, None], 80, axis=1) + 0.1 * rng.standard_normal((24, 80))
    curve = xr.DataArray(y, dims=("seed", "time"), coords={"time": np.arange(80.0)}, name="y")
    for other in (curve, curve.assign_coords(time=60 * curve["time"]), curve.isel(time=slice(None, None, 2))):
        assert order_parameters(other, draws=199).verdict == "two modes"

    control = np.linspace(0.5, 1.7, 21)
    data = system(mean_field(rng, "ising", control, (16, 48, 144), 10, 40), (16, 48, 144), control)
    plain = order_parameters(data, draws=99)
    assert plain.verdict == "continuous"
    same = order_parameters(data.isel(size=[2, 0, 1], control=rng.permutation(21)), draws=99)
    assert same.to_frame("critical").equals(plain.to_frame("critical"))
    for other in (0.01 * data, data.isel(seed=slice(None, None, -1)), data.isel(time=slice(None, None, 2)),
                  data.isel(control=slice(None, None, 2))):  # fmt: skip
        assert order_parameters(other, draws=99).verdict == "continuous"
    far = order_parameters(data.assign_coords(control=1000 * control), draws=99)
    assert far.verdict == "continuous" and far.estimate.value == pytest.approx(1000 * plain.estimate.value, rel=1e-6)


# ---------------------------------------------------------------------------------------- degenerate inputs


@settings(deadline=None, max_examples=25)
@given(blocks(), st.sampled_from(["stage", "one size", "sizes", "sweep"]))
def test_every_input_gets_a_defined_answer(data, how):
    if how != "stage":
        data = data.isel(time=np.unique(data["time"].values, return_index=True)[1][:9]).rename(time="control")
    if how == "sizes":
        data = xr.concat([data, 0.5 * data], dim="size").assign_coords(size=[4, 16])
    if how == "sweep":
        data = xr.concat([data, data], dim="sweep").assign_coords(sweep=["down", "up"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = order_parameters(data, draws=99)
    assert_defined(result)
    assert result.plot() is not None
    allowed = (
        "continuous", "first-order", "crossover", "none", "sharp change", "gradual change", "undecided", "unimodal",
        "two modes", "zero-inflated",
    )  # fmt: skip
    assert result.verdict in allowed


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: order_parameters(d.values), "name the dims"),
        (lambda d: order_parameters(d, draws=5), "draws"),
        (lambda d: order_parameters(d, level=1.5), "level"),
        (lambda d: order_parameters(d, margin=0.0), "margin"),
        (lambda d: order_parameters(d, keep=0.0), "keep"),
        (lambda d: order_parameters(d, keep=(3, 1)), "keep"),
        (lambda d: order_parameters(d, critical=(1, 1)), "critical"),
        (lambda d: order_parameters(d, floor=np.inf), "floor"),
        (lambda d: order_parameters(d, eps=-1.0), "eps"),
        (lambda d: order_parameters(d.drop_vars("control")), "no coordinate"),
        (lambda d: order_parameters(d.assign_coords(size=[0, 1])), "above 0"),
        (lambda d: order_parameters(d.assign_coords(control=[1, 1, 2, 3])), "repeats"),
        (lambda d: order_parameters(d.assign_coords(control=list("abcd"))), "numbers"),
        (lambda d: order_parameters(d.rename(control="K")), "pass control"),
        (lambda d: order_parameters(d.expand_dims(agent=3)), "'agent'"),
        (lambda d: order_parameters(d.rename(size="sweep")), '"up" and "down"'),
        (lambda d: order_parameters(xr.Dataset({"a": d, "b": d})), "say which one"),
        (lambda d: order_parameters(d[:0]), "no record"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    data = system(np.random.default_rng(15).random((5, 2, 4)), (4, 8), np.arange(4.0))
    with pytest.raises(UserError, match=message) as caught:
        call(data)
    assert "\n" not in str(caught.value)


def test_result_carries_everything(tmp_path):
    x = np.r_[np.zeros(4), 5 + np.random.default_rng(16).standard_normal(8)]
    result = order_parameters(heap(x))
    document = json.loads(result.to_json(tmp_path / "r.json"))
    assert document["verdict"] == "zero-inflated" and document["tables"]["members"]["mode"].count("floor") == 4
    assert document["provenance"]["data_sha256"] == order_parameters(heap(x)).provenance["data_sha256"]
    assert result.to_frame().equals(order_parameters(heap(x)).to_frame())
    ended = xr.Dataset({"y": (("seed", "time"), np.tile(x[:, None], (1, 10)))}, coords={"time": np.arange(10.0)})
    ended["ended"] = (("seed", "time"), np.arange(10) >= np.where(np.arange(12) < 2, 0, 99)[:, None])
    assert order_parameters(ended, "y").to_frame("members")["value"].isna().sum() == 2


# ------------------------------------------------------------------------------------- calibration and cost


@pytest.mark.parametrize("scene", ["normal", "exponential", "uniform"])
def test_one_heap_is_rarely_called_two(scene):
    rate = calibrate("order_parameters", scene, draws=8, seeds=(5, 20)).table["rate"]
    assert (rate <= 0.10 + 3 * np.sqrt(0.10 * 0.90 / 8)).all()


def test_crossovers_are_rarely_called_transitions_and_planted_ones_are_found():
    rate = calibrate("order_parameters", "field", draws=6, seeds=(20,)).table["rate"]
    assert (rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 6)).all()
    assert calibrate("order_parameters", "triples", effects=(4.0,), draws=1, seeds=(10,)).table["rate"].min() == 1.0
    assert calibrate("order_parameters", "never", effects=(10.0,), draws=8, seeds=(20,)).table["rate"].min() >= 0.7


def test_cost():
    rng = np.random.default_rng(17)
    control = np.linspace(0.5, 1.5, 10)
    m = mean_field(rng, "ising", control, (16, 256), 20, 1000)
    y = np.repeat(rng.standard_normal((20, 1)), 1000, axis=1)
    curves = xr.DataArray(y, dims=("seed", "time"), coords={"time": np.arange(1000.0)}, name="y")
    for data in (system(m, (16, 256), control), curves):
        start = time.process_time()
        order_parameters(data, draws=1000)
        assert time.process_time() - start < 6.0
