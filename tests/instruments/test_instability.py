"""instability: breakdowns that are known, the closed forms of gradient descent, and inputs of every awkward kind."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab import figures
from emergelab.errors import UserError
from emergelab.instruments import calibrate, instability
from emergelab.instruments._instability_series import excursions, history, spike_rate
from emergelab.instruments._instability_sweep import curve_sensitivity
from emergelab.statistics import ar1_noise

from .degenerate import assert_defined, blocks

SIZES = np.array([1e2, 1e3, 1e4, 1e5])
RATES = np.geomspace(1e-3, 3.0, 120)
STEPS = 100


def curves(values, name="loss", clock=None):
    values = np.asarray(values, dtype=float)
    times = np.arange(values.shape[-1]) * 10.0 if clock is None else clock
    return xr.DataArray(values, dims=("seed", "time"), coords={"time": times}, name=name)


def descent(rng, seeds=6, scale=1.0, spread=0.02, power=0.25):
    """Loss 0.1 + (1 - rate h)^(2 T) of gradient descent on a quadratic of curvature h = 2 (N / 100)^power."""
    h = scale * 2.0 * (SIZES / 1e2) ** power * np.exp(spread * rng.standard_normal((seeds, 1)))
    with np.errstate(over="ignore"):
        loss = 0.1 + np.abs(1 - RATES * h[:, :, None]) ** (2 * STEPS)
    return loss, RATES * h[:, :, None]


def sweep(loss, conditions=None, **more):
    dims = ("seed", "size", "lr") if conditions is None else ("condition", "seed", "size", "lr")
    coords = {"size": SIZES, "lr": RATES} | ({} if conditions is None else {"condition": conditions})
    return xr.Dataset({"loss": (dims, loss), **{n: (dims, v) for n, v in more.items()}}, coords=coords)


# ------------------------------------------------------------------------------------------------ real runs


def test_two_of_ten_seeds_break_down(shared_data: Path):
    table = pd.read_csv(shared_data / "polypythias_maps" / "training_maps.csv")
    data = table.set_index(["seed", "step"])["score"].to_xarray().rename(step="time")
    result = instability(data, direction="down", since=80_000)
    seeds = result.to_frame().set_index("seed")
    assert seeds.index[seeds["unstable"]].tolist() == [3, 4] and seeds["broken"].sum() == 2
    assert seeds.loc[3, "event"] == 83_000 and seeds.loc[4, "event"] == 123_000
    assert seeds.loc[[3, 4], "largest_z"].gt(5).all() and seeds.drop(index=[3, 4])["largest_z"].lt(5).all()
    assert result.verdict == "some seeds unstable" and result.estimate.value == 0.2
    assert len(figures.png(result.plot())) > 20_000
    # over the whole record the two breakdowns stand out as well
    whole = instability(data, direction="down").to_frame().set_index("seed")
    assert whole.index[whole["broken"]].tolist() == [3, 4]


# -------------------------------------------------------------------------------------------- closed forms


def test_edge_of_gradient_descent_is_recovered():
    """Gradient descent on a quadratic diverges above rate 2 / h."""
    loss, product = descent(np.random.default_rng(0), spread=0.0)
    data = sweep(loss, sharpness=product)
    result = instability(data, "loss", initial=1.1, precursor={"sharpness": 2.0}, at=[1e6, 1e7], draws=199)
    truth = 2 / (2.0 * (SIZES / 1e2) ** 0.25)
    edge = result.to_frame("boundary").set_index("quantity")
    # edges are known to half of the gap between two rates, (3000^(1/119) - 1) / 2 = 3.4%; the law through four of them
    # and the crossing of the sharpness do better
    gap = RATES[1] / RATES[0]
    found = edge.loc["rate_c", "rate_c"].to_numpy()
    assert (found / truth < np.sqrt(gap) * 1.001).all() and (truth / found < np.sqrt(gap) * 1.001).all()
    assert edge.loc["exponent k", "rate_c"] == pytest.approx(0.25, abs=0.01)
    forecast = result.to_frame("prediction")
    ahead = forecast[forecast["note"] == ""].set_index("size")["rate"]
    assert ahead.loc[SIZES].to_numpy() == pytest.approx(truth, rel=0.02)
    assert ahead.loc[1e6] == pytest.approx(0.1, rel=0.02)
    refused = forecast[forecast["size"] == 1e7].iloc[0]
    assert np.isnan(refused["rate"]) and "decade" in refused["note"]
    held = forecast[forecast["note"] == "largest size left out"].iloc[0]
    assert held["rate"] == pytest.approx(truth[-1], rel=0.02) and held["held_out_error"] < 0.02


def test_edge_on_a_fine_grid_is_within_two_per_cent():
    rates, h = np.geomspace(0.2, 2.0, 100), 3.0
    with np.errstate(over="ignore"):
        loss = 0.1 + np.abs(1 - rates * h) ** (2 * STEPS)
    data = xr.DataArray(np.tile(loss, (5, 1)), dims=("seed", "lr"), coords={"lr": rates}, name="loss")
    result = instability(data, initial=1.1, draws=199)
    edge = result.to_frame("boundary").set_index("quantity").loc["rate_c", "rate_c"]
    assert edge == pytest.approx(2 / h, rel=0.02)
    assert result.verdict == "diverges"


def test_sensitivity_is_the_integral():
    """S of min(0.1 + (1 - rate h)^(2 T), 1.1) - 0.1, by a quadrature of its own."""
    from scipy.integrate import quad

    loss, _ = descent(np.random.default_rng(0), spread=0.0)
    table = instability(sweep(loss), initial=1.1, draws=199).to_frame().set_index("size")["S"]
    low, high = np.log(RATES[[0, -1]])
    for size in SIZES:
        h = 2.0 * (size / 1e2) ** 0.25

        def excess(u, h=h):
            return min(abs(1 - np.exp(u) * h) ** (2 * STEPS), 1.0)

        wall = float(np.log(2 / h))
        truth = quad(excess, low, wall, limit=500)[0] + max(0.0, high - wall)
        assert table[size] == pytest.approx(truth / (high - low), rel=0.02)
    assert curve_sensitivity(np.full(5, 2.0), np.linspace(0, 1, 5)) == 0.0
    assert np.isnan(curve_sensitivity(np.array([1.0, np.nan]), np.array([0.0, 1.0])))


def test_growth_and_contrasts():
    rng = np.random.default_rng(1)
    loss, _ = descent(rng)
    grown = instability(sweep(loss), initial=1.1, draws=199)
    assert grown.verdict == "grows with size" and grown.estimate.low > 0 and grown.p < 0.001
    flat, _ = descent(rng, power=0.0)
    assert instability(sweep(flat), initial=1.1, draws=199).verdict == "growth not shown"
    calm, _ = descent(np.random.default_rng(1), scale=0.25)
    both = instability(sweep(np.stack([calm, loss]), ["normed", "plain"]), initial=1.1, draws=199)
    assert both.verdict == "less sensitive" and both.estimate.high < 0 and both.p == pytest.approx(2 / 2**6)
    assert both.plot() is not None and "normed minus S of plain" in both.words
    assert both.to_frame("cells")["diverged"].between(0, 1).all()
    three = instability(sweep(np.stack([calm, loss, loss]), ["a", "b", "c"]), initial=1.1, draws=199)
    assert len(three.to_frame("contrasts")) == 3 and three.verdict in ("differ", "inconclusive")


def test_range_and_cap_matter():
    loss, _ = descent(np.random.default_rng(2))
    data = sweep(loss)
    wide = instability(data, initial=1.1, draws=199).to_frame()["S"]
    narrow = instability(data, initial=1.1, between=(1e-3, 1e-1), draws=199).to_frame()["S"]
    assert not np.allclose(narrow, wide, rtol=0.1)
    by_size = xr.DataArray(np.full(4, 1.1), dims="size", coords={"size": SIZES})
    assert instability(data, initial=by_size, draws=199).to_frame()["S"].equals(wide)
    assert instability(data.assign(start=by_size), "loss", initial="start", draws=199).to_frame()["S"].equals(wide)
    capless = instability(data.where(data < 1e3, np.inf), draws=199)
    assert any("no loss at initialisation" in w for w in capless.warnings)
    assert capless.to_frame("cells")["diverged"].max() == 1.0


# -------------------------------------------------------------------------------------------- single runs


def test_spikes_breakdowns_and_failures_are_told_apart():
    rng = np.random.default_rng(3)
    values = ar1_noise((6, 200), 0.5, rng)
    values[0, 100:103] += 25.0
    values[1, 120:] += 25.0
    values[2, 150:] = np.inf
    values[3, 150:] = np.nan
    result = instability(curves(values))
    seeds = result.to_frame().set_index("seed")
    assert seeds["unstable"].tolist() == [True, True, True, False, False, False]
    assert seeds["broken"].tolist() == [False, True, True, False, False, False]
    assert seeds["event"].tolist()[:3] == [1000.0, 1200.0, 1500.0]
    spikes = result.to_frame("spikes").set_index("seed")
    assert spikes.loc[0, "recovered"] and spikes.loc[0, "back_at"] <= 1060 and spikes.loc[0, "height"] > 15
    assert not spikes.loc[1, "recovered"] and np.isnan(spikes.loc[1, "back_at"])
    assert result.plot() is not None
    assert instability(-curves(values), direction="down").to_frame()["event"].equals(result.to_frame()["event"])


def test_precursor_warns():
    rng = np.random.default_rng(4)
    loss, logit = ar1_noise((12, 200), 0.5, rng), 10 + rng.standard_normal((12, 200))
    loss[:6, 150:] += 30.0
    logit[:6] += np.maximum(np.arange(200) - 100, 0) * 0.5
    data = xr.Dataset({"loss": curves(loss), "logit": curves(logit), "idle": curves(rng.standard_normal((12, 200)))})
    table = instability(data, "loss", k=8.0, precursor=["logit", "idle"]).to_frame("precursors").set_index("precursor")
    assert table.loc["logit", "auc"] == 1.0 and table.loc["logit", "p"] == pytest.approx(2 / 924)
    assert table.loc["logit", "warned"] == 6 and 200 <= table.loc["logit", "median_lead"] <= 500
    assert 0.1 < table.loc["idle", "auc"] < 0.9
    fixed = instability(data, "loss", k=8.0, precursor={"logit": 20.0}).to_frame("precursors").iloc[0]
    assert fixed["alarm_level"] == 20.0 and fixed["warned"] == 6 and fixed["false_alarms"] == 0


def test_excursions_are_the_naive_ones():
    y = np.random.default_rng(5).standard_normal((2, 120)).cumsum(axis=1)
    found, w = excursions(y, 25), history(120, 25)
    assert w == 23
    for row, e in zip(y, found, strict=True):
        step = np.abs(np.diff(row))
        for t in range(3 * w + 1, 120):
            unit = max(np.median(step[t - 1 - 3 * w : t - 1]), 0.5 * np.median(step)) / (0.6745 * np.sqrt(2))
            assert e[t] == pytest.approx((row[t] - np.median(row[t - w : t])) / unit)
    assert (found[:, :4] == 0).all()


def test_rate_of_spikes_is_exact():
    assert spike_rate(0, 100.0, 0.95) == pytest.approx((0.0, 0.0, 3.6889 / 100), abs=1e-5)
    rate, low, high = spike_rate(3, 10.0, 0.95)
    assert (rate, low, high) == pytest.approx((0.3, 0.06187, 0.87673), abs=1e-4)
    assert np.isnan(spike_rate(1, 0.0, 0.95)).all()


# --------------------------------------------------------------------------------------------- invariances


def test_invariances():
    rng = np.random.default_rng(6)
    values = ar1_noise((6, 240), 0.5, rng)
    values[:2, 140:] += 30.0
    data = curves(values)
    plain = instability(data, draws=199).to_frame().set_index("seed")
    assert plain["broken"].tolist() == [True, True, False, False, False, False]
    scaled = instability(data * 1000 - 7, draws=199).to_frame().set_index("seed")
    assert scaled["event"].equals(plain["event"])
    slower = instability(data.assign_coords(time=data["time"] * 60), draws=199).to_frame()
    assert slower["event"].dropna().to_numpy() == pytest.approx(60 * plain["event"].dropna().to_numpy())
    turned = instability(data.isel(seed=slice(None, None, -1)), draws=199)
    assert turned.verdict == instability(data, draws=199).verdict
    thin = instability(data.isel(time=slice(None, None, 2)), draws=199).to_frame()
    assert thin["broken"].tolist() == plain["broken"].tolist()
    loss, _ = descent(np.random.default_rng(7))
    first = instability(sweep(loss), initial=1.1, draws=199)
    scaled_sweep = instability(sweep(10 * loss), initial=11.0, draws=199)
    assert scaled_sweep.to_frame()["S"].to_numpy() == pytest.approx(10 * first.to_frame()["S"].to_numpy())
    thinner = instability(sweep(loss).isel(lr=slice(None, None, 2)), initial=1.1, draws=199)
    assert thinner.verdict == first.verdict == "grows with size"


# ------------------------------------------------------------------------------------------ awkward inputs


@settings(deadline=None, max_examples=20)
@given(blocks(), st.sampled_from([{}, {"direction": "down"}, {"window": 5, "recovery": 1}, {"since": 10.0}]))
def test_every_run_gets_a_defined_answer(data, call):
    result = instability(data, draws=100, **call)
    assert_defined(result)
    assert result.verdict in ("stable", "unstable", "some seeds unstable", "untested")


awkward = st.sampled_from([0.0, 1.0, np.nan, np.inf, -np.inf, 1e300, 1e-300, -2.0])


@settings(deadline=None, max_examples=12)
@given(st.data(), st.integers(1, 4), st.integers(1, 2), st.integers(1, 5), st.sampled_from([None, 1.0]))
def test_every_sweep_gets_a_defined_answer(draw, seeds, sizes, rates, initial):
    values = np.array(draw.draw(st.lists(awkward, min_size=seeds * sizes * rates, max_size=seeds * sizes * rates)))
    data = xr.DataArray(
        values.reshape(seeds, sizes, rates),
        dims=("seed", "size", "lr"),
        coords={"size": 10.0 ** np.arange(1, sizes + 1), "lr": 10.0 ** np.arange(rates)},
        name="loss",
    )
    both = xr.Dataset({"loss": data, "q": np.abs(data)})
    assert_defined(instability(both, "loss", initial=initial, precursor={"q": 2.0}, draws=100))


@pytest.mark.parametrize("values", [np.ones((5, 40)), np.zeros((5, 40)), np.full((5, 40), np.nan), np.ones((5, 2))])
def test_nothing_breaks_where_nothing_can(values):
    result = instability(curves(values), draws=100)
    assert result.verdict in ("stable", "untested") and result.plot() is not None


def test_one_run():
    values = ar1_noise((1, 200), 0.3, np.random.default_rng(0))[0]
    assert instability(curves(values[None])[0], draws=199).verdict == "stable"
    values[150:] += 30
    result = instability(curves(values[None])[0], draws=199)
    assert result.verdict == "unstable" and any("within one run" in w for w in result.warnings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d, s: instability(d.values), "name the dims"),
        (lambda d, s: instability(d, direction="left"), "direction"),
        (lambda d, s: instability(d, k=1.0), "at least 3"),
        (lambda d, s: instability(d, window=2), "window"),
        (lambda d, s: instability(d, fraction=1.0), "fraction"),
        (lambda d, s: instability(d, draws=10), "at least 100"),
        (lambda d, s: instability(d, precursor="x"), "another variable"),
        (lambda d, s: instability(xr.Dataset({"a": d, "b": d})), "say which one"),
        (lambda d, s: instability(s, "los"), "did you mean 'loss'"),
        (lambda d, s: instability(s, initial="start"), "no variable"),
        (lambda d, s: instability(s, initial=np.inf), "finite"),
        (lambda d, s: instability(s, between=(5.0, 6.0)), "fewer than two rates"),
        (lambda d, s: instability(s, precursor="x"), "critical value"),
        (lambda d, s: instability(s, precursor={"loss": 0.0}), "above 0"),
        (lambda d, s: instability(s.drop_vars("lr")), "no coordinate"),
        (lambda d, s: instability(s.assign_coords(lr=-RATES)), "positive"),
        (lambda d, s: instability(s.rename(seed="agent")), "dims agent"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    runs, many = curves(np.random.default_rng(9).standard_normal((4, 30))), sweep(descent(np.random.default_rng(9))[0])
    with pytest.raises(UserError, match=message) as caught:
        call(runs, many)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------- calibration and cost


@pytest.mark.parametrize("scene", ["white", "ar1", "trend", "heteroscedastic"])
def test_silent_on_noise(scene):
    rate = calibrate("instability", scene, draws=15, seeds=(5,)).table["rate"]
    assert (rate <= 0.08 + 3 * np.sqrt(0.08 * 0.92 / 15)).all()


def test_finds_planted_breakdowns():
    assert calibrate("instability", "breakdown", effects=(16.0,), draws=10).table["rate"].min() >= 0.7


def test_cost():
    """Twenty seeds, a thousand steps, a thousand draws; four of the seeds break down."""
    values = ar1_noise((20, 1000), 0.5, np.random.default_rng(10))
    values[:4, 700:] += 20.0
    start = time.process_time()
    instability(curves(values), draws=1000)
    assert time.process_time() - start < 6.0
