"""learning_curves: measured numbers on real curves, planted laws, refusals, invariances, awkward inputs."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.instruments import calibrate, learning_curves
from emergelab.instruments._learning_curves_fit import fit
from emergelab.instruments._learning_curves_laws import LAWS, Axis
from emergelab.instruments._learning_curves_surface_fit import predict

from .degenerate import assert_defined, blocks

QUICK = {"draws": 199, "backbone": False}
FEW = {"laws": ("pow3", "exp3", "log2"), **QUICK}


def wrap(y, x, name="loss"):
    dims = ("condition", "seed", "time")[-np.ndim(y) :]
    coords = {"time": np.asarray(x, dtype=float)}
    if np.ndim(y) == 3:
        coords["condition"] = list("abc")[: len(y)]
    return xr.DataArray(y, dims=dims, coords=coords, name=name)


def power(rng, seeds=8, steps=40, a=20.0, b=0.5, c=0.5, noise=0.01, spread=0.05):
    x = np.geomspace(100, 10_000, steps)
    height = np.exp(spread * rng.standard_normal((seeds, 1)))
    return wrap((c + a * height * x**-b) * np.exp(noise * rng.standard_normal((seeds, steps))), x)


# --------------------------------------------------------------------------------------------- measured numbers


@pytest.fixture(scope="module")
def nmt(shared_data):
    table = pd.read_csv(shared_data / "nmt_learning_curves" / "nmt.csv")
    curve = table.set_index(["model", "seen_examples"])["log_perplexity"].to_xarray()
    return curve.rename(model="condition", seen_examples="time")


@pytest.fixture(scope="module")
def lambada(shared_data):
    table = pd.read_csv(shared_data / "pythia_evals" / "core_tasks.csv")
    rows = table[(table["task"] == "lambada_openai") & (table["metric"] == "ppl") & (table["shots"] == 0)]
    curve = rows[~rows["deduped"]].set_index(["size", "step"])["value"].to_xarray()
    return np.log(curve.rename(size="condition", step="time")).rename("log_ppl")


def test_translation_curves_at_the_point_held_out(nmt):
    """Root mean square log error over five curves: 0.2245, 0.0515, 0.0128 and 0.0107 were measured elsewhere."""
    result = learning_curves(nmt, upto=256e6, laws=("pow2", "pow3", "wbl4", "bnsl1"), huber=False, **QUICK)
    error = result.to_frame("laws").groupby("law")["heldout_error"].apply(lambda e: np.sqrt(np.mean(e**2)))
    assert error["pow2"] == pytest.approx(0.2245, abs=5e-5)
    assert error["pow3"] == pytest.approx(0.0515, abs=5e-5)
    assert error["bnsl1"] == pytest.approx(0.0128, abs=5e-5)
    assert error["last value"] == pytest.approx(0.0107, abs=5e-5)
    # the one law tried that does better than repeating the last value
    assert error["wbl4"] == pytest.approx(0.0085, abs=5e-5)
    # the pure power law is refuted: it is never chosen, and its forecasts are worse than those of the last value
    laws = result.to_frame("laws")
    pure = laws[laws["law"] == "pow2"].set_index("condition")
    last = laws[laws["law"] == "last value"].set_index("condition")
    assert not pure["chosen"].any() and (pure["rolling_error"] > last["rolling_error"]).all()


def test_log_perplexity_of_pythia(lambada):
    large = ["410m", "1b", "1.4b", "2.8b", "6.9b", "12b"]
    whole = learning_curves(lambada, burn_in=3000, laws=("pow3", "exp3"), huber=False, **QUICK)
    laws = whole.to_frame("laws").set_index(["condition", "law"])
    gap = {s: laws.loc[(s, "exp3"), "bic"] - laws.loc[(s, "pow3"), "bic"] for s in large}
    assert 23.5 < min(gap.values()) < 24.5 and 47.5 < max(gap.values()) < 48.5
    end = [laws.loc[(s, "pow3"), "asymptote"] for s in large]
    assert end == pytest.approx([2.15, 1.71, 1.39, 1.33, 1.20, 1.01], abs=0.006)
    exponent = whole.to_frame("parameters").query("parameter == 'b' and law == 'pow3'").set_index("condition")["value"]
    assert 0.44 < exponent[large].min() < 0.46 and 0.56 < exponent[large].max() < 0.58
    # the two smallest bend up: no monotone law, and every larger one follows its law to the end
    verdicts = learning_curves(lambada, burn_in=3000, backbone=False).to_frame().set_index("condition")["verdict"]
    assert (verdicts[["70m", "160m"]] == "monotone law rejected").all()
    assert not verdicts[large].eq("monotone law rejected").any()
    pure = learning_curves(lambada, burn_in=3000, laws=("pow3",), huber=False, **QUICK).to_frame()
    bend = pure.set_index("condition")["end_residual"]
    assert 0 < bend["70m"] < 0.105 and bend["160m"] > 0  # log units; in nats +.105 and +.177 below
    fitted = learning_curves(lambada, burn_in=3000, upto=73_000, laws=("pow3",), huber=False, **QUICK)
    ahead = fitted.to_frame("surprise")
    for size, group in ahead.groupby("condition"):
        law = np.sqrt(np.mean((group["seen"] - group["predicted"]) ** 2))
        last = np.sqrt(np.mean((group["seen"] - group["last_value"]) ** 2))
        if size in large:
            assert law < last and 0.007 < law < 0.115
        else:
            assert (law, last) == pytest.approx({"70m": (0.27, 0.15), "160m": (0.35, 0.24)}[size], abs=0.006)


def test_last_residuals_of_the_two_that_bend(lambada):
    """Mean residual of the last four records from c + a x^-b fitted on the log scale, in nats."""
    x = lambada["time"].values
    keep = x >= 3000
    axis = Axis(x[keep].astype(float), 3000.0, float(x[-1]))
    for size, expected in (("70m", 0.105), ("160m", 0.177)):
        y = lambada.sel(condition=size).values[keep]
        one = fit(LAWS["pow3"], np.log(y)[None], np.ones((1, len(y))), axis, "log", huber=False)
        assert (y - np.exp(one.at(axis, "log")[0]))[-4:].mean() == pytest.approx(expected, abs=6e-4)


# --------------------------------------------------------------------------------------------------- the engine


@pytest.mark.parametrize("kind", ["log", "linear"])
def test_every_law_is_found_again(kind):
    rng = np.random.default_rng(0)
    x = np.geomspace(10, 10_000, 40)
    axis = Axis(x, 10.0, 10_000.0)
    for law in LAWS.values():
        if law.name == "bnsl2" or (kind == "linear" and not law.offset and not law.straight):
            continue
        low, high = law.bounds(kind, axis.span)
        shape = low + (0.3 + 0.3 * rng.random(len(low))) * (high - low)
        fixed = 2 if law.offset or (law.straight and kind == "linear") else 1
        shape[:fixed] = (0.3, -1.0)[:fixed] if kind == "log" else (2.0, -1.0)[:fixed]
        truth = law(shape[None], axis, kind)
        found = fit(law, truth, np.ones_like(truth), axis, kind, huber=False)
        spread = truth.std()
        assert np.sqrt(found.rss[0] / len(x)) < (0.03 if law.broken else 2e-3) * spread, law.name


@pytest.mark.parametrize(
    ("name", "truth", "values"),
    [
        ("exp2", lambda x: 2.0 * np.exp(-0.0004 * x), {"a": 2.0, "b": 0.0004}),
        ("vap3", lambda x: 3.0 * np.exp(120.0 / x) * x**-0.3, {"a": 3.0, "b": 120.0, "k": 0.3}),
        ("logpower3", lambda x: 2.0 / (1 + (x / 900.0) ** 1.4), {"a": 2.0, "x0": 900.0, "k": 1.4}),
        ("pow4", lambda x: 0.4 + 30.0 * (x + 500.0) ** -0.7, {"a": 30.0, "b": 0.7, "c": 0.4, "d": 500.0}),
    ],
)
def test_parameters_of_further_laws_are_those_of_their_formulas(name, truth, values):
    x = np.geomspace(100, 10_000, 40)
    noise = np.exp(1e-4 * np.random.default_rng(16).standard_normal((1, 40)))
    result = learning_curves(wrap(truth(x) * noise, x), laws=(name,), **QUICK)
    found = result.to_frame("parameters").set_index("parameter")["value"]
    assert dict(found) == pytest.approx(values, rel=0.06)


def test_an_end_far_beyond_the_limit_is_no_number():
    """A level that a few resamples never reach: the interval has no upper end, and no number overflows."""
    data = power(np.random.default_rng(17), seeds=5, spread=0.6, noise=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for level in (0.52, 0.6, 0.65):
            row = learning_curves(data, reach=level, laws=("pow3", "ilog"), **QUICK).to_frame("reach").iloc[0]
            assert not np.isinf(row[["x", "low", "high"]].astype(float)).any()


def test_fits_agree_with_scipy():
    from scipy.optimize import least_squares

    rng = np.random.default_rng(1)
    x = np.geomspace(10, 10_000, 30)
    y = np.log(0.4 + 5 * x**-0.6) + 0.05 * rng.standard_normal((6, 30))
    axis = Axis(x, 10.0, 10_000.0)
    ours = fit(LAWS["pow3"], y, np.ones_like(y), axis, "log", huber=False)
    for row, rss in zip(y, ours.rss, strict=True):
        best = min(
            least_squares(lambda t, row=row: np.logaddexp(t[0] - t[1] * axis.u, t[2]) - row, (a, b, c)).cost
            for a in (-1.0, 1.0)
            for b in (0.2, 1.0)
            for c in (-3.0, -1.0)
        )
        assert rss <= 2 * best * (1 + 1e-6)


def test_one_bad_record_pulls_no_harder_than_huber_lets_it():
    data = power(np.random.default_rng(2), seeds=1, spread=0.0)
    data[0, 30] *= 3.0
    robust = learning_curves(data, laws=("pow3",), **QUICK).to_frame("parameters").set_index("parameter")["value"]
    plain = learning_curves(data, laws=("pow3",), huber=False, **QUICK)
    plain = plain.to_frame("parameters").set_index("parameter")["value"]
    assert abs(robust["c"] - 0.5) < 0.06 and abs(robust["c"] - 0.5) < abs(plain["c"] - 0.5)


# ------------------------------------------------------------------------------------------------ planted answers


def test_planted_law_is_chosen_and_extrapolated():
    rng = np.random.default_rng(3)
    result = learning_curves(power(rng, seeds=12), forecast_to=30_000, draws=399, proximity=0.02)
    assert result.verdict == "lawful"
    row = result.to_frame().iloc[0]
    assert row["law"] == "pow3" and row["asymptote_visible"]
    truth = 0.5 + 20 * 30_000**-0.5
    assert result.estimate.low < truth < result.estimate.high and result.estimate.value == pytest.approx(
        truth, rel=0.05
    )
    value = result.to_frame("parameters").set_index("parameter")
    assert value.loc["b", "profile_low"] < 0.5 < value.loc["b", "profile_high"]
    assert value.loc["c", "most_correlated"] == "b"
    table = result.to_frame("forecast").set_index("model")["value"]
    assert {"last value", "log-linear, last decade", "mixture", "pow2"} <= set(table.index)
    backbone = result.to_frame("backbone")
    assert backbone["asymptote"].iloc[-1] == pytest.approx(row["asymptote"], rel=0.02)
    assert backbone["mape"].dropna().iloc[-1] < 3 and backbone["working"].any()


def test_forecasts_are_covered():
    hits = 0
    for i in range(8):
        data = power(np.random.default_rng(100 + i), seeds=5)
        result = learning_curves(data, laws=("pow3", "log2"), forecast_to=20_000, **QUICK)
        e = result.estimate
        hits += e.low <= 0.5 + 20 * 20_000**-0.5 <= e.high
    assert hits >= 5  # 95% wanted; fewer than five of eight then has a chance of 0.04%


def test_too_far_and_too_short_are_refused():
    data = power(np.random.default_rng(4))
    far = learning_curves(data, forecast_to=1e6, **FEW)
    assert far.verdict == "refused" and np.isnan(far.estimate.value) and "decades" in far.words
    assert far.to_frame("forecast")["value"].notna().all()  # the numbers are shown, the claim is not made
    assert learning_curves(data.isel(time=slice(0, 6)), **FEW).verdict == "undecided"


def test_asymptote_that_is_not_visible():
    data = power(np.random.default_rng(6), c=0.0, noise=0.02)
    result = learning_curves(data, laws=("pow3",), **QUICK)
    assert not result.to_frame()["asymptote_visible"].item()
    assert any("no asymptote is visible" in w for w in result.warnings)


def test_level_is_reached_or_censored():
    data = power(np.random.default_rng(7))
    row = learning_curves(data, reach=0.8, **FEW).to_frame("reach").iloc[0]
    truth = (20 / 0.3) ** 2
    assert row["low"] < truth < row["high"] and row["x"] == pytest.approx(truth, rel=0.1)
    never = learning_curves(data, reach=0.3, **FEW)
    assert never.to_frame("reach")["censored"].item().startswith("never within 1e+05")
    assert np.isnan(never.estimate.value)
    assert "there already" in learning_curves(data, reach=50.0, **FEW).to_frame("reach")["censored"].item()


def test_break_beyond_the_fit_is_a_surprise():
    data = power(np.random.default_rng(8), noise=0.02)
    calm = learning_curves(data, upto=3000, **FEW)
    assert calm.verdict == "lawful" and calm.p > 0.05
    broken = data.where(data["time"] <= 3000, data * 0.85)
    result = learning_curves(broken, upto=3000, **FEW)
    assert result.verdict == "surprise" and result.estimate.high < 0
    assert result.estimate.value == pytest.approx(np.log(0.85), abs=0.06)
    assert result.to_frame("surprise")["p_max_t"].min() <= 0.05
    single = learning_curves(broken.isel(seed=slice(0, 1)), upto=3000, **FEW)
    assert single.verdict == "surprise" and "within run" in single.estimate.method


def test_efficiency_of_two_conditions():
    rng = np.random.default_rng(9)
    x = np.geomspace(100, 10_000, 40)
    height = np.exp(0.05 * rng.standard_normal((2, 8, 1)))
    noise = np.exp(0.02 * rng.standard_normal((2, 8, 40)))
    factor = np.array([2.0, 1.0])[:, None, None]
    data = wrap((0.5 + 20 * height * (x * factor) ** -0.5) * noise, x)
    result = learning_curves(data, **FEW)
    assert result.verdict == "more efficient" and result.p < 0.01
    assert result.estimate.low < 2.0 < result.estimate.high and result.estimate.value == pytest.approx(2.0, rel=0.25)
    assert learning_curves(data.isel(condition=[1, 0]), **FEW).verdict == "less efficient"
    same = wrap(np.stack([data.values[1], data.values[1][::-1]]), x)
    assert learning_curves(same, margin=1.2, **FEW).verdict == "no difference"
    paired = learning_curves(data, paired=True, reach=1.0, **FEW)
    assert paired.verdict == "more efficient" and paired.p <= 0.02


def test_scores_rise_and_logits_too():
    rng = np.random.default_rng(10)
    x = np.geomspace(10, 10_000, 30)
    error = 0.05 + 2 * x**-0.6
    data = wrap(1 - error * np.exp(0.02 * rng.standard_normal((6, 30))), x, "accuracy")
    score = learning_curves(data, scale="score", forecast_to=20_000, **FEW)
    assert score.estimate.value == pytest.approx(1 - 0.05 - 2 * 20_000**-0.6, abs=0.004)
    assert score.to_frame()["asymptote"].item() == pytest.approx(0.95, abs=0.01)
    plain = learning_curves(data, forecast_to=20_000, **FEW)
    assert plain.params["scale"] == "linear" and plain.estimate.value == pytest.approx(score.estimate.value, abs=0.01)
    assert any("scale='score'" in w for w in plain.warnings)
    assert learning_curves(data, scale="logit", **FEW).params["scale"] == "logit"


# ------------------------------------------------------------------------------------------- the surface over sizes

SURFACE = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658, "a": 0.3658 / 0.7136}
OVER = {"size": "params", "along": "tokens", "draws": 99}


def over_sizes(rng, seeds=5, sizes=6, steps=12, noise=0.005):
    """Losses of the refit of Besiroglu et al. (2024), with noise."""
    n, d = np.geomspace(1e7, 3e9, sizes), np.geomspace(1e8, 3e10, steps)
    clean = SURFACE["E"] + SURFACE["A"] * n[:, None] ** -SURFACE["alpha"] + SURFACE["B"] * d ** -SURFACE["beta"]
    loss = clean * np.exp(noise * rng.standard_normal((seeds, sizes, steps)))
    coords = {"params": n, "tokens": d}
    return xr.DataArray(loss, dims=("seed", "params", "tokens"), coords=coords, name="loss")


@pytest.mark.parametrize("seeds", [5, 1])
def test_planted_surface_is_recovered(seeds):
    data = over_sizes(np.random.default_rng(20), seeds)
    result = learning_curves(data, **OVER)
    table = result.to_frame("surface").set_index("parameter")
    assert result.verdict == "lawful" and result.estimate.value == table.loc["a", "value"]
    for name, truth in SURFACE.items():
        assert table.loc[name, "low"] < truth < table.loc[name, "high"], name
    assert table.loc["a", "value"] + table.loc["b", "value"] == pytest.approx(1.0)
    assert ("over curves" if seeds == 1 else "over seeds") in result.estimate.method
    ahead = np.log(result.to_frame("surface_forecast"))
    error = {k: np.sqrt(np.mean((ahead[k] - ahead["seen"]) ** 2)) for k in ("predicted", "last_value", "log_linear")}
    assert error["predicted"] < 0.01 < min(error["last_value"], error["log_linear"])


def test_surface_without_noise_is_exact_and_units_do_not_matter():
    data = over_sizes(np.random.default_rng(21), seeds=1, sizes=5, steps=8, noise=0.0)
    plain = learning_curves(data, **OVER).to_frame().set_index("parameter")["value"]
    assert dict(plain)["a"] == pytest.approx(SURFACE["a"], rel=1e-3)
    assert plain[list(SURFACE)].to_numpy() == pytest.approx(list(SURFACE.values()), rel=1e-2)
    other = (1e3 * data).assign_coords(params=data["params"] / 1e6, tokens=data["tokens"] / 1e9)
    scaled = learning_curves(other, **OVER).to_frame().set_index("parameter")["value"]
    assert scaled["E"] == pytest.approx(1e3 * plain["E"], rel=1e-3)
    assert scaled[["alpha", "beta"]].to_numpy() == pytest.approx(plain[["alpha", "beta"]].to_numpy(), rel=1e-3)


def test_gradient_of_the_surface():
    rng = np.random.default_rng(22)
    theta, n, d = rng.normal(0.3, 0.2, 5), rng.standard_normal(7), rng.standard_normal(7)
    step = 1e-6 * np.eye(5)
    numeric = [(predict(theta + s, n, d)[0] - predict(theta - s, n, d)[0]) / 2e-6 for s in step]
    assert predict(theta, n, d)[1] == pytest.approx(np.array(numeric), abs=1e-8)


def test_sizes_that_move_with_data_are_warned_of():
    data = over_sizes(np.random.default_rng(23), seeds=1, sizes=4, steps=4)
    diagonal = data.where(abs(np.log(data["tokens"] / data["params"] / 10)) < 0.9)
    result = learning_curves(diagonal, **OVER)
    assert_defined(result)
    assert any("collinear" in w for w in result.warnings)
    assert not any("collinear" in w for w in learning_curves(data, **OVER).warnings)
    short = over_sizes(np.random.default_rng(23), seeds=1, sizes=4).isel(tokens=slice(0, 5))
    short = learning_curves(short, **OVER)
    assert any("tokens covers 0.9 decades" in w for w in short.warnings)


def test_noise_is_no_surface():
    """Each of twelve such data sets was refused when this was written."""
    rng = np.random.default_rng(24)
    data = 2.0 * np.exp(0.02 * rng.standard_normal((5, 6, 12))) + 0.0 * over_sizes(rng)
    result = learning_curves(data.rename("loss"), **OVER)
    assert result.verdict == "refused" and np.isnan(result.estimate.value)


def test_surface_of_awkward_inputs_is_defined():
    whole = over_sizes(np.random.default_rng(25), seeds=2, sizes=4, steps=6)
    named = whole.rename(params="condition").assign_coords(condition=list("abcd"))
    named = named.assign_coords(params=("condition", whole["params"].values))
    poor = (whole * np.nan, whole * 0 + 3.0, -whole, whole.isel(params=slice(0, 3)), whole.isel(tokens=[0, 1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in poor:
            result = learning_curves(data, **OVER)
            assert_defined(result)
            assert result.verdict == "undecided"
        holed = whole.where(np.random.default_rng(26).random(whole.shape) < 0.7)
        results = [learning_curves(d, **OVER) for d in (holed, 1e90 * whole, named)]
    for result in results:
        assert_defined(result)
    from emergelab import figures

    assert results[1].verdict == "lawful" and len(figures.png(results[2].plot())) > 20_000
    assert len(figures.png(learning_curves(poor[0], **OVER).plot())) > 5_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "param"}, "did you mean 'params'|params"),
        ({"size": "tokens"}, "dim of their own"),
        ({"reach": 3.0, "upto": 1e9}, "takes no reach, upto"),
        ({"along": "step"}, "no dim 'step'"),
    ],
)
def test_errors_of_a_call_with_sizes(change, message):
    data = over_sizes(np.random.default_rng(27), seeds=1, steps=4)
    with pytest.raises(UserError, match=message) as caught:
        learning_curves(data, **{**OVER, **change})
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="finite and above 0"):
        learning_curves(data.assign_coords(params=-data["params"]), **OVER)
    with pytest.raises(UserError, match="must be numbers"):
        learning_curves(data.assign_coords(params=list("abcdef")), **OVER)


# --------------------------------------------------------------------------------------------------- invariances


def test_invariances():
    data = power(np.random.default_rng(11), noise=0.02)
    broken = data.where(data["time"] <= 3000, data * 0.85)
    plain = learning_curves(broken, upto=3000, **FEW)
    scaled = learning_curves(1000 * broken, upto=3000, **FEW)
    assert scaled.verdict == plain.verdict and scaled.estimate.value == pytest.approx(plain.estimate.value, rel=1e-3)
    slower = learning_curves(broken.assign_coords(time=broken["time"] * 60), upto=180_000, **FEW)
    assert slower.verdict == plain.verdict and slower.p == pytest.approx(plain.p, rel=1e-3)
    turned = learning_curves(broken.isel(seed=slice(None, None, -1)), upto=3000, **FEW)
    assert turned.verdict == plain.verdict and turned.estimate.value == pytest.approx(plain.estimate.value, rel=1e-3)
    assert learning_curves(broken.isel(time=slice(None, None, 2)), upto=3000, **FEW).verdict == plain.verdict
    shuffled = broken.isel(time=np.random.default_rng(0).permutation(40))
    assert learning_curves(shuffled, upto=3000, **FEW).estimate.value == plain.estimate.value


def test_weights():
    x = np.arange(1, 401) * 10.0
    y = np.random.default_rng(12).standard_normal((5, 400)) * 0.01
    data = wrap(np.exp(y) * (0.5 + 3 * x**-0.5), x)
    by_record = learning_curves(data, laws=("pow3",), **QUICK).to_frame("parameters")["value"]
    by_log = learning_curves(data, laws=("pow3",), weigh="log", **QUICK).to_frame("parameters")["value"]
    assert by_record.to_numpy() == pytest.approx(by_log.to_numpy(), rel=0.1)
    wrong = data.copy()
    wrong[:, 200:] *= 1.1
    error = wrap(np.where(np.arange(400) < 200, 0.01, 10.0) * np.ones((5, 1)), x)
    told = learning_curves(wrong, laws=("pow3",), stderr=error, huber=False, **QUICK).to_frame("parameters")["value"]
    assert told.to_numpy() == pytest.approx(by_record.to_numpy(), rel=0.25)


# ----------------------------------------------------------------------------------------------- degenerate inputs

calls = st.sampled_from([{}, {"upto": 20.0}, {"forecast_to": 40.0, "reach": 0.5}, {"scale": "linear", "burn_in": 3.0}])


@settings(deadline=None, max_examples=12)
@given(blocks(), calls)
def test_every_input_gets_a_defined_answer(data, call):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = learning_curves(data, laws=("pow3", "log2"), draws=99, **call)
    assert_defined(result)


def test_everything_fits_on_one_page():
    two = power(np.random.default_rng(13)).expand_dims(condition=["a"])
    both = xr.concat([two, 0.9 * two.assign_coords(condition=["b"])], "condition").isel(time=slice(None, None, 3))
    result = learning_curves(both, draws=99, laws=("pow3",), backbone=False)
    from emergelab import figures

    assert len(figures.png(result.plot())) > 20_000
    assert "What it cannot see" in result.explain()
    empty = learning_curves(wrap(np.full((3, 9), np.nan), np.arange(1, 10)), **FEW)
    assert empty.verdict == "undecided" and len(figures.png(empty.plot())) > 5_000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: learning_curves(d, laws=("pow9",)), "no law 'pow9'"),
        (lambda d: learning_curves(d, weigh="equal"), "weigh must be"),
        (lambda d: learning_curves(d, margin=0.9), "factor above 1"),
        (lambda d: learning_curves(d, forecast_to=-1.0), "forecast_to must be above 0"),
        (lambda d: learning_curves(d, draws=10), "at least 99"),
        (lambda d: learning_curves(d, level=1.0), "level must be"),
        (lambda d: learning_curves(d, max_decades=0.0), "max_decades"),
        (lambda d: learning_curves(-d, laws=("pow2", "vap3")), "pow2 and vap3 without an asymptote"),
        (lambda d: learning_curves(d, along="step"), "no dim 'step'"),
        (lambda d: learning_curves(d.values), "name the dims"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    with pytest.raises(UserError, match=message) as caught:
        call(power(np.random.default_rng(14), seeds=5, steps=12))
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------------------------- calibration


@pytest.mark.parametrize("scene", ["white", "lawful", "monotone"])
def test_silent_where_nothing_happens(scene):
    rate = calibrate("learning_curves", scene, draws=6, seeds=(5,)).table["rate"].item()
    assert rate <= 2 / 6 + 1e-9  # at a true rate of 7%, three or more of six have a chance of 0.6%; the seed is fixed


def test_power():
    assert calibrate("learning_curves", "off the law", effects=(6.0,), draws=4, seeds=(20,)).table["rate"].item() >= 0.5
    assert calibrate("learning_curves", "efficient", effects=(2.0,), draws=2, seeds=(10,)).table["rate"].item() >= 0.5


def test_cost():
    """Twenty seeds, a thousand steps, a thousand draws: two seconds, and some for a loaded machine."""
    x = np.arange(1, 1001) * 10.0
    rng = np.random.default_rng(15)
    data = wrap((0.3 + 3 * x**-0.4) * np.exp(0.03 * rng.standard_normal((20, 1000))), x)
    start = time.process_time()
    learning_curves(data, draws=1000, forecast_to=20_000)
    assert time.process_time() - start < 8.0
