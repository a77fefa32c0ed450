"""retention: the classical curve, planted kernels and laws, recognition and recall, inputs of every awkward kind."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from emergelab import calibrate
from emergelab.errors import UserError
from emergelab.instruments import retention
from emergelab.instruments._retention_laws import LAWS, fit_laws
from emergelab.instruments._scenes.retention import SCENES, left_of, probes
from tests.instruments.degenerate import assert_defined, blocks

HOURS = np.array([20 / 60, 64 / 60, 526 / 60, 24, 48, 144, 744])
SAVINGS = np.array([0.582, 0.442, 0.358, 0.337, 0.278, 0.254, 0.211])


def by_lag(values, lag, name="score", **coords):
    """Wrap (..., lag) as labelled data: the last dims are seed, item, lag."""
    values = np.asarray(values, dtype=float)
    dims = ("condition", "seed", "item", "lag")[-values.ndim :]
    return xr.DataArray(values, dims=dims, coords={"lag": lag, **coords}, name=name)


def only(frame, **where):
    """The one row of a table with these labels."""
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


# ------------------------------------------------------------------------------------------- savings over a month


def test_savings_over_a_month():
    """Savings on relearning after 20 minutes to 31 days, lags in hours: the fits of the classical data."""
    result = retention(by_lag(SAVINGS, HOURS, "savings"))
    laws = result.to_frame("laws")
    power = only(laws, law="power")
    a, b = (float(v) for v in power["parameters"].split(";"))
    assert (a, b) == (pytest.approx(0.482, abs=5e-4), pytest.approx(0.131, abs=5e-4))
    assert power["r2"] == pytest.approx(0.974, abs=1e-3) and power["aicc"] == pytest.approx(-41.4, abs=0.05)
    straight = only(laws, law="logarithmic")
    assert straight["r2"] == pytest.approx(0.936, abs=5e-4) and straight["aicc"] == pytest.approx(-35.3, abs=0.1)
    assert only(laws, law="exponential with a floor")["r2"] == pytest.approx(0.868, abs=1e-3)
    exponential = only(laws, law="exponential")
    assert exponential["r2"] == pytest.approx(0.397, abs=5e-4) and exponential["delta_aicc"] > 20
    assert result.verdict == "power law" and laws.iloc[0]["law"] == "power"
    assert power["held_out"] < 0.1 * exponential["held_out"]
    row = result.to_frame().iloc[0]
    slope = np.polyfit(np.log10(HOURS), SAVINGS, 1)[0]
    assert row["a"] == pytest.approx(-slope) and np.isnan(row["a_low"])
    assert row["half_life"] == pytest.approx(41, abs=1)
    assert any("within one run" in w for w in result.warnings) and any("baseline" in w for w in result.warnings)


def test_laws_are_those_of_a_general_optimiser():
    rng = np.random.default_rng(0)
    lag = np.geomspace(1, 1000, 16)
    shapes = {
        "power": (lambda t, a, b: a * t**-b, (1.0, 0.3)),
        "exponential": (lambda t, a, b: a * np.exp(-b * t), (1.0, 0.01)),
        "exponential with a floor": (lambda t, a, b, c: a + b * np.exp(-c * t), (0.2, 0.8, 0.01)),
        "Wickelgren": (lambda t, a, b, c: a * (1 + b * t) ** -c, (1.0, 0.1, 0.5)),
        "two exponentials": (
            lambda t, a, b, c, d: a * np.exp(-c * t) + b * np.exp(-d * t), (0.5, 0.5, 0.001, 0.1),
        ),
    }  # fmt: skip
    for name, (curve, start) in shapes.items():
        y = curve(lag, *start) + 0.01 * rng.standard_normal(len(lag))
        found, _ = optimize.curve_fit(curve, lag, y, p0=start, maxfev=20000)
        (law,) = fit_laws(lag, y, (name,))
        mine = ((law.curve(lag) - y) ** 2).sum()
        assert mine <= ((curve(lag, *found) - y) ** 2).sum() * (1 + 1e-3)
        assert law.curve(lag) == pytest.approx(curve(lag, *law.parameters), abs=1e-6)
    assert set(LAWS) == {*shapes, "logarithmic"}


# ------------------------------------------------------------------------------------------------ planted kernels


def test_planted_kernel_is_recovered_within_a_tenth():
    """20 items, 5 seeds: E, a and the x-intercept of l(t) = E (1 - a log10(1 + t)) plus noise."""
    data, exposures = probes(np.random.default_rng(1), law="logarithmic", gain=2.0, rate=0.25, sd=0.2)
    result = retention(data, exposures=exposures)
    row = result.to_frame().iloc[0]
    assert row["effect"] == pytest.approx(2.0, rel=0.1) and row["effect_low"] < 2.0 < row["effect_high"]
    assert row["a"] == pytest.approx(0.25, rel=0.1) and row["a_low"] < 0.25 < row["a_high"]
    assert row["r2"] > 0.97 and result.p < 1e-3
    assert np.log10(row["x_intercept"]) == pytest.approx(4.0, rel=0.1)
    assert row["x_intercept_low"] < row["x_intercept"] < row["x_intercept_high"]
    assert row["half_life"] == pytest.approx(99, rel=0.15) and row["half_life_low"] < 99 < row["half_life_high"]
    # each curve's own maximum has its noise in it; that of the others has not
    assert only(result.to_frame("exposures"), exposure=1)["effect_published"] > 2.05
    kernels = result.to_frame("kernels")
    rate = only(kernels, quantity="a")
    assert rate["value"] == pytest.approx(0.25, rel=0.02) and rate["low"] < 0.251 and rate["high"] > 0.249
    assert only(kernels, quantity="E")["value"] == pytest.approx(2.0, rel=0.03)
    curve = result.to_frame("retention")
    truth = 1 - 0.25 * np.log10(1 + curve["lag"])
    assert ((curve["low"] <= truth) & (truth <= curve["high"])).mean() > 0.7


def test_gain_is_not_biased_by_noise_and_noise_gains_nothing():
    gains, published, p = [], [], []
    for k in range(6):
        rng = np.random.default_rng(k)
        data, exposures = probes(rng, items=8, never=8, steps=200, times=(60.0,), sd=0.5)
        table = retention(data, exposures=exposures, draws=100).to_frame("exposures")
        gains.append(table["effect"].item())
        published.append(table["effect_published"].item())
        data, _ = probes(rng, items=8, never=8, steps=200, times=(60.0,), sd=0.5, gain=0.0)
        p.append(retention(data, exposures=exposures, draws=100).p)
    error = np.std(gains, ddof=1) / np.sqrt(len(gains))
    assert abs(np.mean(gains) - 2.0) < 3 * error + 0.02
    assert np.mean(published) > 2.3
    # six sets at .05: four or more false alarms have a chance of 1e-4
    assert np.sum(np.array(p) <= 0.05) < 4


def test_overlapping_exposures_are_taken_apart():
    times = (100.0, 200.0, 300.0, 400.0, 500.0)
    data, exposures = probes(np.random.default_rng(2), times=times)
    result = retention(data, exposures=exposures)
    kernels = result.to_frame("kernels")
    assert only(kernels, quantity="a")["value"] == pytest.approx(0.25, rel=0.05)
    assert kernels[kernels["quantity"] == "E"]["value"].to_numpy() == pytest.approx(np.full(5, 2.0), rel=0.1)
    # 1e4 steps, in which one kernel would have gone to zero
    assert np.log10(only(kernels, quantity="x_intercept")["value"]) == pytest.approx(4.0, rel=0.05)
    table = result.to_frame("exposures")
    assert table["effect"].to_numpy() == pytest.approx(np.full(5, 2.0), rel=0.15) and table["adds"].all()
    assert result.verdict == "logarithmic" and result.to_frame("kernel_laws").iloc[0]["family"] == "logarithmic"
    assert any("several exposures" in w for w in result.warnings)
    spacing = result.to_frame("spacing").iloc[0]
    assert spacing["gap"] == 100 and spacing["accumulates"] and 0.4 < spacing["left"] < 0.8
    faster = retention(data, exposures=exposures, window=150.0)
    assert any("shared between them" in w for w in faster.warnings)


@pytest.mark.parametrize("law", ["power law", "exponential"])
def test_kernels_of_other_laws(law):
    rate = 0.4 if law == "power law" else 0.01
    data, exposures = probes(np.random.default_rng(3), times=(100.0, 160.0), law=law, rate=rate)
    assert retention(data, exposures=exposures).verdict == law


def test_exposures_wider_apart_than_the_intercept_do_not_accumulate():
    data, exposures = probes(np.random.default_rng(4), times=(100.0, 400.0, 700.0), rate=0.6)  # gone after 46 steps
    result = retention(data, exposures=exposures)
    assert result.to_frame("spacing")["left"].item() == pytest.approx(0.0, abs=0.1)
    assert any("do not accumulate" in w for w in result.warnings)
    again = only(result.to_frame("savings"), session=2)
    assert again["savings"] == pytest.approx(0.0, abs=1e-9)


def test_spacing_curve_falls():
    """Items with other gaps: the farther apart, the less is left."""
    rng = np.random.default_rng(5)
    gaps = np.repeat([20.0, 80.0, 320.0], 6)
    time = np.arange(700, dtype=float)
    y = 0.1 * rng.standard_normal((5, 30, 700))
    for i, gap in enumerate(gaps):
        y[:, i] += 2 * (left_of("power law", time - 101, 0.5) + left_of("power law", time - 101 - gap, 0.5))
    data = xr.DataArray(y, dims=("seed", "item", "time"), coords={"time": time}, name="y")
    table = retention(data, exposures={i: [100.0, 100.0 + g] for i, g in enumerate(gaps)}, window=15).to_frame(
        "spacing"
    )
    assert table["gap"].tolist() == [20, 80, 320] and (np.diff(table["left"]) < 0).all()
    assert table["left"].to_numpy() == pytest.approx(np.array([20.0, 80.0, 320.0]) ** -0.5, abs=0.05)


# ------------------------------------------------------------------------------------------------- laws and items


def test_exponential_is_told_from_power_over_three_decades():
    for law, other in (("exponential", "power law"), ("power law", "exponential")):
        found = []
        for k in range(6):
            data, call = SCENES[law].make(np.random.default_rng(k), 5, 100, 0.05)
            found.append(retention(data, **call).verdict)
        assert found.count(law) >= 5 and other not in found


def test_averaging_artefact_is_named():
    """Exponentials whose rates spread over decades average to a power law; each item says exponential."""
    rng = np.random.default_rng(6)
    lag = np.geomspace(1, 1000, 20)
    rates = np.geomspace(0.0003, 3.0, 24)
    mixed = np.exp(-rates[:, None] * lag) + 0.005 * rng.standard_normal((6, 24, 20))
    result = retention(by_lag(mixed, lag))
    table = result.to_frame("laws").set_index("law")
    assert table.loc["power", "aicc"] < table.loc["exponential", "aicc"] - 4
    assert result.to_frame()["items_exponential"].item() > 0.8
    if result.verdict == "power law":
        assert any("averaging artefact" in w for w in result.warnings)
    true = left_of("power law", lag - 1, 0.3) + 0.005 * rng.standard_normal((6, 24, 20))
    honest = retention(by_lag(true, lag))
    assert honest.verdict == "power law" and not any("artefact" in w for w in honest.warnings)


def test_a_few_items_are_kept():
    lag = np.geomspace(1, 1000, 12)
    rng = np.random.default_rng(7)
    fades = left_of("logarithmic", lag - 1, 0.33)
    y = np.stack([np.ones(12) if i < 3 else fades for i in range(20)]) + 0.01 * rng.standard_normal((6, 20, 12))
    result = retention(by_lag(y, lag, item=[f"fact {i}" for i in range(20)]))
    items = result.to_frame("items")
    assert items["kept"].sum() == 3 and items[items["kept"]]["item"].tolist() == ["fact 0", "fact 1", "fact 2"]
    assert result.to_frame()["items_kept"].item() == pytest.approx(0.15)
    assert items["forgetting"].to_numpy()[3:] == pytest.approx(np.full(17, 0.99), abs=0.05)
    assert result.diagnostics["forgetting_0"].sel(item_0="fact 5")[-1] == pytest.approx(0.99, abs=0.05)
    kept = retention(by_lag(np.ones((6, 5, 12)) - 0.01 * np.log10(lag), lag))
    assert kept.verdict == "kept"


# ----------------------------------------------------------------------------------------- recognition and recall


def test_recognition_against_foils_and_recall_against_items_never_seen():
    """Recognition is a forced choice between two, recall a share of two-word runs (given, not made here)."""
    rng = np.random.default_rng(8)
    lag = np.geomspace(1, 10_000, 10)
    strength = left_of("logarithmic", lag - 1, 0.22)
    seen = 3 * strength + rng.standard_normal((6, 30, 10))
    foil = rng.standard_normal((6, 30, 10))
    data = by_lag(seen, lag, "log_probability")
    recognition = retention(data, foil=by_lag(foil, lag, "foil"))
    curve = recognition.to_frame("retention")
    assert curve["R"].iloc[0] == pytest.approx(2 * 0.983 - 1, abs=0.06)  # P(N(3, 2) > 0), over chance
    assert curve["low"].iloc[-1] < 2 * 0.6 - 1 < curve["high"].iloc[-1] + 0.1
    assert any("not calibrated" in w for w in recognition.warnings)
    assert any("binomial" in w for w in recognition.warnings)
    both = xr.Dataset({"log_probability": data, "foil": by_lag(foil, lag)})
    assert retention(both, "log_probability", foil="foil").to_frame("retention").equals(curve)
    # recall: what is never seen is guessed now and then, which is no memory
    rouge = 0.1 + 0.9 * np.clip(strength, 0, 1) ** 3 + 0.02 * rng.standard_normal((6, 30, 10))
    recall = retention(by_lag(np.clip(rouge, 0, 1), lag), baseline=0.1)
    shares = recall.to_frame("retention")["R"].to_numpy()
    assert shares == pytest.approx(strength**3, abs=0.03)
    assert not any("baseline" in w for w in recall.warnings)
    # recognition is the more robust of the two
    assert recognition.to_frame()["half_life"].item() > recall.to_frame()["half_life"].item()


def test_rows_without_a_lag_are_the_baseline():
    rng = np.random.default_rng(9)
    lag = np.geomspace(1, 1000, 8)
    rows = [
        {"seed": s, "item": i, "lag": t, "score": 0.3 + 0.69 * left_of("power law", np.array(t - 1), 0.3) + noise}
        for s in range(5) for i in range(6) for t, noise in zip(lag, 0.003 * rng.standard_normal(8), strict=True)
    ]  # fmt: skip
    rows += [{"seed": s, "item": f"new {i}", "lag": np.nan, "score": 0.3} for s in range(5) for i in range(4)]
    result = retention(pd.DataFrame(rows))
    # shares are set against the room above the baseline
    assert result.to_frame("retention")["R"].to_numpy() == pytest.approx(lag**-0.3, abs=0.03)
    assert result.to_frame()["items"].item() == 6 and result.n_seeds == 5 and result.verdict == "power law"
    plain = retention(pd.DataFrame(rows[:-20]))
    assert plain.to_frame("retention")["R"].to_numpy() == pytest.approx(0.3 + 0.7 * lag**-0.3, abs=0.03)
    chance = xr.DataArray(np.full(8, 0.5), dims="lag", coords={"lag": lag})
    array = retention(by_lag(np.full((5, 6, 8), 0.5), lag), baseline=chance)
    assert array.to_frame("retention")["R"].to_numpy() == pytest.approx(np.zeros(8))


def test_a_score_at_lag_zero_is_the_denominator():
    lag = np.array([0.0, 1, 10, 100, 1000])
    y = 4.0 * np.array([1, 0.9, 0.7, 0.5, 0.3]) + np.zeros((5, 3, 5))
    table = retention(by_lag(y, lag)).to_frame("retention")
    assert table["lag"].tolist() == [1, 10, 100, 1000] and table["R"].tolist() == pytest.approx([0.9, 0.7, 0.5, 0.3])


def test_binomial_likelihood_of_recall():
    rng = np.random.default_rng(10)
    lag = np.geomspace(1, 1000, 10)
    p = np.exp(-0.01 * lag)
    y = (rng.random((8, 25, 10)) < p).astype(float)
    result = retention(by_lag(y, lag))
    assert any("binomial" in w for w in result.warnings)
    laws = result.to_frame("laws")
    amplitude, rate = (float(v) for v in only(laws, law="exponential")["parameters"].split(";"))
    assert (amplitude, rate) == (pytest.approx(1.0, abs=0.02), pytest.approx(0.01, rel=0.1))
    # twice the log likelihood of the answers, at its maximum
    best = optimize.minimize_scalar(
        lambda r: -(y.sum((0, 1)) * -r * lag + (1 - y).sum((0, 1)) * np.log1p(-np.exp(-r * lag))).sum(),
        bounds=(0.005, 0.02), method="bounded",
    )  # fmt: skip
    assert rate == pytest.approx(best.x, rel=0.03)
    assert only(laws, law="exponential")["aicc"] == pytest.approx(2 * best.fun + 4 + 12 / 7, abs=1.5)
    assert only(laws, law="power")["delta_aicc"] > 100 and result.verdict != "power law"


# ----------------------------------------------------------------------------------- conditions, forms of the data


def test_contrast_of_conditions():
    rng = np.random.default_rng(11)
    fast, exposures = probes(rng, items=10, never=10, rate=0.35, steps=600)
    slow, _ = probes(rng, items=10, never=10, rate=0.2, steps=600)
    data = xr.concat([fast, slow], dim="condition").assign_coords(condition=["duplicates", "paraphrases"])
    result = retention(data, exposures=exposures)
    row = only(result.to_frame("contrasts"), quantity="decay constant a")
    assert row["verdict"] == "larger" and row["difference"] == pytest.approx(0.15, rel=0.3) and row["p_holm"] < 0.05
    assert only(result.to_frame("contrasts"), quantity="gain of an exposure")["verdict"] == "inconclusive"
    assert "decay constant a is larger in duplicates than in paraphrases" in result.explain()
    # in tokens, a batch sixteen times larger forgets later
    both = xr.concat([fast, fast], dim="condition").assign_coords(condition=["128", "2048"])
    table = retention(both, exposures=exposures, tokens={"128": 1.0, "2048": 16.0}).to_frame().set_index("condition")
    assert table.loc["2048", "x_intercept"] == pytest.approx(16 * table.loc["128", "x_intercept"])
    assert table.loc["2048", "a"] == pytest.approx(table.loc["128", "a"])


def test_forms_of_exposures_agree():
    data, exposures = probes(np.random.default_rng(12), seeds=5, items=4, never=4, steps=200, times=(50.0,))
    plain = retention(data, exposures=exposures, draws=100).to_frame()
    shown = xr.DataArray(
        np.zeros((8, 200), dtype=bool), dims=("item", "time"), coords={"item": range(8), "time": data.time}
    )
    shown[:4, 50] = True
    rows = pd.DataFrame({"item": range(4), "time": 50.0})
    table = data.to_dataframe().reset_index()
    whole = xr.Dataset({"y": data.assign_coords(item=range(8)), "shown": shown})
    for call in (
        retention(data.assign_coords(item=range(8)), exposures=shown, draws=100),
        retention(whole, "y", exposures="shown", draws=100),
        retention(data, exposures=rows, draws=100),
        retention(table.assign(item=table["item"].astype(int)), "log_probability", exposures=rows, draws=100),
    ):
        assert call.to_frame().equals(plain)
    # exposures of one seed only: the same items are the baseline in the others
    one = retention(data, exposures=rows.assign(seed=0), draws=100)
    assert one.n_seeds == 1 and one.to_frame()["effect"].item() == pytest.approx(plain["effect"].item(), rel=0.3)


def test_interference_of_other_items():
    """Items seen one after the other, each of which takes its toll of those before."""
    rng = np.random.default_rng(13)
    time = np.arange(260, dtype=float)
    at = np.concatenate([np.arange(20, 120, 5), [220.0]])
    y = 0.02 * rng.standard_normal((5, 25, 260))
    for i, t in enumerate(at):
        others = (at[:, None] > t) & (at[:, None] < time)
        y[:, i] += np.where(time > t, 1.0 - 0.03 * others.sum(axis=0), 0.0)
    data = xr.DataArray(y, dims=("seed", "item", "time"), coords={"time": time}, name="y")
    table = retention(data, exposures={i: [t] for i, t in enumerate(at)}, window=4).to_frame("interference")
    assert only(table, held="nothing")["loss_per_exposure"] == pytest.approx(0.03, rel=0.1)
    assert only(table, held="log10 lag")["loss_per_exposure"] == pytest.approx(0.03, rel=0.1)


def test_savings_on_relearning():
    """Slow acquisition, half of it lost: the second time takes less."""
    time = np.arange(400, dtype=float)
    first = np.clip((time - 50) / 40, 0, 1)
    y = np.where(time < 200, first - 0.5 * np.clip((time - 90) / 100, 0, 1), np.clip(0.5 + (time - 200) / 40, 0.5, 1))
    y = np.stack([y, y, 0 * y]) + np.zeros((5, 3, 400))
    data = xr.DataArray(y, dims=("seed", "item", "time"), coords={"time": time}, name="y")
    row = only(retention(data, exposures={0: [50.0, 200.0], 1: [50.0, 200.0]}).to_frame("savings"), session=2)
    assert (row["time_first"], row["time_again"]) == (36, 16) and row["savings"] == pytest.approx(1 - 16 / 36)
    assert row["seeds"] == 5


# --------------------------------------------------------------------------------------------------- invariances


def test_invariances():
    rng = np.random.default_rng(14)
    data, exposures = probes(rng, items=8, never=8, steps=600, law="power law", rate=0.4, sd=0.05)
    plain = retention(data, exposures=exposures)
    row = plain.to_frame().iloc[0]
    assert plain.verdict == "power law"
    scaled = retention(1e6 * data - 7, exposures=exposures)
    assert scaled.verdict == plain.verdict and scaled.estimate.value == pytest.approx(plain.estimate.value)
    assert scaled.to_frame()["effect"].item() == pytest.approx(1e6 * row["effect"])
    hours = retention(data.assign_coords(time=data.time * 60), exposures={i: [6000.0] for i in exposures}, window=3000)
    assert hours.verdict == plain.verdict and hours.estimate.value == pytest.approx(plain.estimate.value)
    assert hours.to_frame()["x_intercept"].item() == pytest.approx(60 * row["x_intercept"])
    turned = retention(data.isel(seed=slice(None, None, -1)), exposures=exposures)
    assert turned.verdict == plain.verdict and turned.estimate.value == pytest.approx(plain.estimate.value)
    thin = retention(data.isel(time=slice(0, None, 2)), exposures=exposures)
    # R is set against the first record after the exposure, which is later on the thinner grid
    assert thin.verdict == plain.verdict
    shuffled = data.isel(time=np.random.default_rng(0).permutation(600))
    assert retention(shuffled, exposures=exposures).to_frame().equals(plain.to_frame())


def test_few_seeds_and_one_run():
    data, exposures = probes(np.random.default_rng(15), steps=300, items=8, never=8)
    four = retention(data.isel(seed=slice(4)), exposures=exposures)
    assert np.isnan(four.estimate.low) and any("4 seeds" in w for w in four.warnings) and four.verdict != "not acquired"
    one = retention(data.isel(seed=0, drop=True), exposures=exposures)
    assert one.n_seeds == 1 and "within one run" in one.ci.method and np.isfinite(one.ci.low)
    alone = retention(data.isel(seed=0, item=0, drop=True), exposures=[100.0])
    assert alone.verdict == "undecided" and any("chose its own maximum" in w for w in alone.warnings)
    flat, _ = probes(np.random.default_rng(16), steps=300, items=8, never=8, gain=0.0)
    assert retention(flat, exposures=exposures, gain_margin=0.5).verdict == "not acquired"
    assert retention(flat, exposures=exposures).verdict == "undecided"


# ------------------------------------------------------------------------------------------------ awkward inputs


@settings(max_examples=18, deadline=None)
@given(blocks(steps=24), st.integers(0, 5))
@pytest.mark.filterwarnings("error")
def test_any_input_gives_a_defined_answer(block, form):
    lag = block.rename(time="lag")
    if form == 0:
        result = retention(block.expand_dims(item=3), exposures={0: [5.0], 1: [5.0, 12.0]}, window=4.0, draws=100)
    elif form == 1:
        result = retention(block, exposures=[4.0, 9.0], draws=100)
    elif form == 2:
        result = retention(block.rename(seed="item"), exposures={0: [6.0]}, draws=100)
    elif form == 3:
        result = retention(lag, draws=100)
    elif form == 4:
        result = retention(lag.assign_coords(lag=lag.lag + 1).rename(seed="item"), baseline=0.2, draws=100)
    else:
        result = retention(lag, foil=0.0 * lag + 0.5, draws=100)
    assert_defined(result)


def test_wrong_calls():
    series, exposures = probes(np.random.default_rng(17), seeds=2, items=2, never=1, steps=40, times=(10.0,))
    lags = by_lag(np.ones((2, 3, 4)), [1.0, 2, 3, 4])
    for call, message in (
        (lambda: retention(series), "need exposures"),
        (lambda: retention(series, exposures={9: [1.0]}), "unknown item"),
        (lambda: retention(series, exposures={}), "no time for any item"),
        (lambda: retention(series, exposures="shown"), "no variable 'shown'"),
        (lambda: retention(series, exposures=pd.DataFrame({"item": [0]})), "no column 'time'"),
        (lambda: retention(series, exposures=exposures, baseline=0.1), "items never seen"),
        (lambda: retention(series, exposures=exposures, window=0), "window"),
        (lambda: retention(series, exposures=exposures, margin=-1), "margin"),
        (lambda: retention(series, exposures=exposures, level=2), "level"),
        (lambda: retention(series, exposures=exposures, draws=5), "draws"),
        (lambda: retention(series, exposures=exposures, tokens={"b": 1.0}), "lack condition"),
        (lambda: retention(series.rename(time="step"), exposures=exposures), "neither"),
        (lambda: retention(lags, exposures=exposures), "neither|take no exposures"),
        (lambda: retention(lags, baseline=np.inf), "finite"),
        (lambda: retention(lags, baseline="never"), "no variable"),
        (lambda: retention(lags, foil=lags.isel(lag=slice(2))), "foil"),
        (lambda: retention(lags.expand_dims(layer=2)), "layer"),
        (lambda: retention(lags.drop_vars("lag")), "no coordinate"),
        (lambda: retention(pd.DataFrame({"lag": [1.0], "x": [1.0], "y": [2.0]})), "which column"),
        (lambda: retention([1, 2, 3]), "reads"),
    ):
        with pytest.raises(UserError, match=message) as raised:
            call()
        assert "\n" not in str(raised.value)


def test_calibration_sample():
    """Ten data sets of a null: five or more false alarms at a rate of .05 have a chance of 1e-4."""
    assert calibrate("retention", "trend", draws=10, seeds=[5]).table["rate"].item() < 5 / 10
    assert calibrate("retention", "acquired", effects=[2.0], draws=5, seeds=[5]).table["rate"].item() >= 0.5


def test_result_speaks():
    data, exposures = probes(np.random.default_rng(18), items=6, never=6, steps=300, times=(50.0, 150.0))
    result = retention(data, exposures=exposures)
    text = result.explain()
    assert "by an exposure" in text and "per decade" in text and "cannot see" in text
    assert set(result.tables) == {
        "summary", "retention", "exposures", "kernels", "kernel_laws", "spacing", "laws", "items", "seeds",
        "contrasts", "savings", "interference",
    }  # fmt: skip
    assert_defined(result)
    assert len(result.plot().axes) == 3
