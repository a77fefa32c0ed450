"""early_warning: the published areas, ewstools as oracle, planted bifurcations, and inputs of every awkward kind."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from emergelab.errors import UserError
from emergelab.instruments import calibrate, early_warning
from emergelab.instruments._early_warning_data import Record
from emergelab.instruments._early_warning_indicators import Rolling, across, detrended, windows
from emergelab.instruments._early_warning_models import KINDS, kind_weights, slowing
from emergelab.instruments._early_warning_roc import area, relabelled
from emergelab.instruments._early_warning_trend import CHANGES, Plan, change, null_residuals, spend, trends
from emergelab.instruments._scenes import wrap
from emergelab.instruments._scenes.early_warning import flip, fold, hopf
from emergelab.statistics import ar1_noise

from .degenerate import assert_defined, blocks

VERDICTS = ("warned", "not warned", "cannot tell")
QUICK = {"bandwidth": 0.2, "window": 0.5, "looks": (1.0,), "draws": 199}


def single(values, steps=None, name="y"):
    """One record without a dim of seeds."""
    steps = np.arange(len(values), dtype=float) if steps is None else np.asarray(steps, dtype=float)
    return xr.DataArray(np.asarray(values, dtype=float), dims="time", coords={"time": steps}, name=name)


@pytest.fixture(scope="module")
def oracle():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("ewstools")


@pytest.fixture(scope="module")
def hearts(shared_data):
    """Beat intervals of 23 aggregates before period doubling and of 23 neutral ones, and the transitions."""
    folder = shared_data / "chick_heart"
    table = pd.read_csv(folder / "ibi.csv").set_index(["type", "tsid", "beat"])["ibi_s"]
    data = table.to_xarray().rename(type="condition", tsid="seed", beat="time").rename("interval")
    at = pd.read_csv(folder / "transitions.csv").set_index("tsid")["transition"]
    published = pd.read_csv(folder / "published_ktau.csv")
    return SimpleNamespace(data=data, transition={k: float(v) for k, v in at.items()}, published=published)


def of_hearts(hearts, **call):
    return early_warning(hearts.data, neutral="neutral", transition=hearts.transition, window=0.5, **call)


# ---------------------------------------------------------------------------------------------- real data


def test_hearts_give_the_published_areas(hearts):
    result = of_hearts(hearts, bandwidth=20, looks=np.linspace(0.64, 1, 10), refit=False, draws=99)
    roc = result.to_frame("roc").set_index(["look", "indicator", "direction"])["auc"]
    assert roc["all", "variance", "up"] == pytest.approx(0.8990642722117204, abs=1e-12)
    assert roc["all", "ac1", "down"] == pytest.approx(0.8133459357277881, abs=1e-12)
    # who only looks for a rising autocorrelation does worse than chance
    assert roc["all", "ac1", "up"] == pytest.approx(0.1866540642722117, abs=1e-12)
    assert result.verdict == "warned" and result.p <= 0.01 and "relabelled" in result.null.name
    assert result.estimate.value == pytest.approx(0.945, abs=5e-4) and result.estimate.low > 0.8
    # every aggregate looks like what it is about to do
    table = result.to_frame("records")
    assert (table.loc[~table["neutral"], "kind"] == "flip").all()
    # Kendall's tau at the last evaluation, record by record, as published
    last = hearts.published.sort_values("eval_time").groupby(["type", "tsid"]).last()
    ours = table.set_index(["condition", "seed"])[["kendall_variance", "kendall_ac1"]]
    assert np.abs(ours - last.loc[ours.index, ["variance", "ac1"]].to_numpy()).max().max() < 1e-12
    assert any("smoothed once" in w for w in result.warnings)


def test_surrogates_on_hearts_tell_their_false_alarms(hearts):
    plain = of_hearts(hearts, bandwidth=(0.1, 0.2), draws=299, looks=(1.0,))
    row = plain.to_frame().set_index("indicator").loc["variance"]
    assert row["alarms"] >= 16 and row["neutral_alarms"] >= 2  # 17 and 3 of 23 in the run of the docs
    assert "would ring falsely in neutral records" in plain.explain()
    calm = of_hearts(hearts, bandwidth=20, surrogate="volatility", indicators="variance", draws=299, looks=(1.0,))
    row = calm.to_frame().iloc[0]
    assert row["neutral_alarms"] <= 2 and row["alarms"] >= 13


def test_uncalibrated_surrogates_are_named():
    """White noise whose spread wanders is called rising by AR(1) surrogates far too often, and that is said."""
    rng = np.random.default_rng(1)
    wander = np.exp(0.12 * rng.standard_normal((2, 12, 200)).cumsum(axis=-1))
    result = early_warning(wrap(wander * rng.standard_normal((2, 12, 200))), neutral="b", transition=199.0, **QUICK)
    assert any("variance is not calibrated here" in w and "volatility" in w for w in result.warnings)
    assert result.verdict == "cannot tell"


def test_series_of_the_toolboxes(shared_data):
    folder = shared_data / "ews_series"
    grazing, overturning = pd.read_csv(folder / "foldbif.csv"), pd.read_csv(folder / "circulation.csv")
    for t, y, ac, variance in ((grazing.t, grazing.y, 0.68, 0.56), (overturning.time, overturning.x, 0.89, 0.93)):
        call = {"transition": float(t.iloc[-1]), "bandwidth": 0.1, "window": 0.5, "draws": 99}
        table = early_warning(single(y, t), **call).to_frame().set_index("indicator")["change"]
        assert (round(table["ac1"], 2), round(table["variance"], 2)) == (ac, variance)
    # over the grid of settings the variance of both passes
    assert early_warning(single(grazing.y, grazing.t), transition=199.0).to_frame()["p"].iloc[0] < 0.08
    assert early_warning(single(overturning.x, overturning.time), transition=783.0).verdict == "warned"


def test_cod_without_a_transition_is_no_alarm(shared_data):
    table = pd.read_csv(shared_data / "ews_series" / "cod_recovery.csv").set_index(["scenario", "time"])["biomass"]
    stocks = table.to_xarray().rename(scenario="seed")
    first = stocks.sel(seed="scenario1", drop=True)
    result = early_warning(first, transition=float(first.time[-1]))
    change = result.to_frame().set_index("indicator")["change"]
    assert (round(change["variance"], 2), round(change["ac1"], 2)) == (0.58, 0.56)  # and yet
    assert result.verdict == "not warned" and result.p > 0.3
    third = early_warning(stocks.sel(seed="scenario3", drop=True), transition=2078.0)
    change = third.to_frame().set_index("indicator")["change"]
    assert (round(change["variance"], 2), round(change["ac1"], 2)) == (0.91, 0.46)
    # 46 years before the transition are too few to say anything
    second = early_warning(stocks.sel(seed="scenario2", drop=True), transition=2055.0)
    assert second.verdict == "cannot tell" and "50 are needed" in second.explain()


def test_communities_pay_for_five_species(shared_data):
    table = pd.read_csv(shared_data / "ews_series" / "communities.csv")
    species = [f"spp_{i}" for i in range(1, 6)]
    for _, rows in table.groupby("community"):
        data = rows.set_index("time")[species].to_xarray().to_array("channel").rename("density")
        call = {"transition": float(rows["transition_time"].iloc[0]), "indicators": "variance", "looks": (1.0,)}
        frame = early_warning(data, **call, bandwidth=0.1, window=0.5).to_frame().set_index("channel")
        best = frame.loc["spp_4"]
        assert best["change"] > 0.95 and best["p"] <= 0.05
        alone = early_warning(data.sel(channel="spp_4", drop=True), **call, bandwidth=0.1, window=0.5)
        assert alone.p <= best["p"]  # what the other four species cost
        assert (frame.loc[["spp_3", "spp_5"], "p"] > 0.3).all()
    wide = early_warning(data, **call, draws=99).to_frame().set_index("channel")["change"]
    assert wide["spp_4"] > 0.99


def test_younger_dryas(shared_data):
    table = pd.read_csv(shared_data / "ews_series" / "younger_dryas_grayscale.csv")
    record = single(table["grayscale"], -table["age_yr_bp"].astype(float), "grayscale")  # time runs forwards
    rises, spreads = [], []
    for end in (-11_600.0, -11_650.0, -11_700.0):
        result = early_warning(record, transition=end, bandwidth=(0.05, 0.1, 0.2), window=(0.25, 0.5), draws=99)
        panel = result.to_frame("sensitivity").query("direction == 'up'")
        rises += panel.loc[panel["indicator"] == "ac1", "change"].tolist()
        spreads += panel.loc[panel["indicator"] == "variance", "change"].tolist()
    assert len(rises) == 18 and min(rises) > 0.1 and max(rises) < 0.8
    assert min(spreads) < -0.3 and max(spreads) > 0.2  # no consistent sign
    assert any("share their time" in w for w in result.warnings)


# ----------------------------------------------------------------------------------------------- the oracle


def test_indicators_equal_ewstools(oracle):
    rng = np.random.default_rng(1)
    y = 5.0 + np.linspace(0, 1, 240) ** 2 + 0.1 * ar1_noise((240,), 0.5, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        series = oracle.TimeSeries(pd.Series(y), transition=199)
        series.detrend(method="Gaussian", bandwidth=0.2)
        for kind in ("var", "std", "cv", "skew", "kurt", "dfa"):
            getattr(series, f"compute_{kind}")(rolling_window=0.5)
        for lag in (1, 2):
            series.compute_auto(rolling_window=0.5, lag=lag)
        series.compute_entropy(rolling_window=0.5, method="sample")
        series.compute_spectrum(rolling_window=0.5)
        series.compute_smax()
        series.compute_ktau()
    y = y[:200]
    residual = detrended(y[None], "gaussian", 0.2)
    assert residual[0] == pytest.approx(series.state["residuals"].to_numpy()[:200], abs=1e-12)
    rolling, ends = Rolling(residual, y[None], 1.0), windows(200, 100, None)
    pairs = {
        "variance": "variance", "sd": "std", "cv": "cv", "skewness": "skew", "kurtosis": "kurtosis", "ac1": "ac1",
        "ac2": "ac2", "dfa": "dfa", "sample_entropy": "sample-entropy-2",
    }  # fmt: skip
    for ours, theirs in pairs.items():
        expected = series.ews[theirs].to_numpy()[99:200]
        assert rolling.measure(ours, 100, ends)[0] == pytest.approx(expected, rel=1e-8, abs=1e-10), ours
    smax = series.ews_spec["smax"].to_numpy()
    assert rolling.measure("smax", 100, ends)[0, ::20] == pytest.approx(smax, rel=1e-9)
    # the return rate is the autocorrelation by another name
    ac = rolling.measure("ac1", 100, ends)
    assert rolling.measure("return_rate", 100, ends) == pytest.approx(-np.log(ac), nan_ok=True)
    result = early_warning(single(y), transition=199.0, bandwidth=0.2, window=0.5, draws=99)
    found = result.to_frame().set_index("indicator")["change"]
    assert found["variance"] == pytest.approx(series.ktau["variance"], abs=1e-12)
    assert found["ac1"] == pytest.approx(series.ktau["ac1"], abs=1e-12)


def test_lowess_equals_statsmodels():
    lowess = pytest.importorskip("statsmodels.nonparametric.smoothers_lowess").lowess
    y = np.random.default_rng(2).standard_normal(151).cumsum()
    for share in (0.1, 0.25, 0.5):
        smooth = lowess(y, np.arange(151.0), frac=share, it=0)[:, 1]
        assert y - detrended(y[None], "lowess", share)[0] == pytest.approx(smooth, abs=1e-10)


def test_channels_equal_ewstools(oracle):
    """The matrix from one record to the next (Williamson and Lenton 2015), and the covariance."""
    x = ar1_noise((3, 120), 0.7, np.random.default_rng(3))
    x[1] += 0.6 * x[0]
    frame = pd.DataFrame(x.T, columns=list("abc"))
    ours = across("dmd", x[None], x[None], 120, np.array([119]))
    theirs = np.abs(oracle.helpers.eval_recon(frame)["Eigenvalues"]).max()
    assert ours.item() == pytest.approx(theirs, rel=0.03)  # means of all records there, of both stretches here
    covariance, correlation = np.cov(x), np.corrcoef(x)
    top = np.linalg.eigvalsh(covariance)[-1]
    for name, expected in {
        "eigenvalue": top,
        "eigenvalue_share": top / np.trace(covariance),
        "mean_correlation": correlation[np.triu_indices(3, 1)].mean(),
        "spatial_variance": x.var(axis=0, ddof=1).mean(),
        "fano": ((x + 9).var(axis=0, ddof=1) / (x + 9).mean(axis=0)).mean(),
    }.items():
        raw = x + 9 if name == "fano" else x
        assert across(name, x[None], raw[None], 120, np.array([119])).item() == pytest.approx(expected), name
    ring = np.sin(np.linspace(0, np.pi, 30))[None, :, None] + np.zeros((1, 30, 60))
    assert across("moran", ring, ring, 60, np.array([59])).item() > 0.8


def test_change_metrics():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((6, 25))
    t = np.arange(25.0)
    assert change(x, "kendall") == pytest.approx([stats.kendalltau(t, row).statistic for row in x])
    assert change(x, "spearman") == pytest.approx([stats.spearmanr(t, row).statistic for row in x])
    assert change(x, "pearson") == pytest.approx([stats.pearsonr(t, row).statistic for row in x])
    assert change(x, "slope") == pytest.approx([np.polyfit(t / 24, row, 1)[0] for row in x])
    assert change(x, "difference") == pytest.approx(x[:, -8:].mean(axis=1) - x[:, :8].mean(axis=1))
    holes = x.copy()
    holes[0, :3], holes[1, 5:] = np.nan, np.nan
    assert change(holes, "kendall")[0] == pytest.approx(stats.kendalltau(t[3:], x[0, 3:]).statistic)
    assert np.isnan(change(holes, "kendall")[1])
    assert set(CHANGES) == {"kendall", "spearman", "pearson", "slope", "difference"}


def test_area_and_its_interval():
    roc_auc_score = pytest.importorskip("sklearn.metrics").roc_auc_score
    rng = np.random.default_rng(5)
    x, y = np.round(rng.normal(1, 1, (30, 1)), 1), np.round(rng.standard_normal((25, 1)), 1)  # with ties
    found = area(x, y, 0.95)
    assert found.value == pytest.approx(roc_auc_score(np.r_[np.ones(30), np.zeros(25)], np.r_[x, y].ravel()))
    assert found.low < found.value < found.high and found.method == "DeLong"
    # several looks of a record add no records: copies leave the interval as it is
    twice = area(np.repeat(x, 3, axis=1), np.repeat(y, 3, axis=1), 0.95)
    assert (twice.value, twice.low) == pytest.approx((found.value, found.low))
    # the mean of the interval's coverage over made-up records, truth known
    truth, inside = stats.norm.cdf(1 / np.sqrt(2)), 0
    for _ in range(300):
        a = area(rng.normal(1, 1, (12, 1)), rng.standard_normal((12, 1)), 0.95)
        inside += a.low <= truth <= a.high
    assert inside / 300 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 300)
    apart = area(np.full((6, 1), 2.0), np.zeros((6, 1)), 0.95)
    assert apart.value == 1.0 and 0.5 < apart.low < 0.9 and apart.high == 1.0
    assert np.isnan(area(x[:3], y[:3], 0.95).low) and np.isnan(area(x[:0], y, 0.95).value)
    assert area(np.full((6, 1), np.nan), y, 0.95).value == 0.0  # undefined is no warning
    p, smallest, count = relabelled(np.full((5, 1), 1.0), np.zeros((5, 1)), 99, rng)
    assert p[0] == pytest.approx(1 / 252) and smallest == pytest.approx(1 / 252) and count == 252


def test_alpha_is_spent_once():
    """Looks that repeat each other, and looks that have nothing to do with each other: 5% in all."""
    rng = np.random.default_rng(6)
    shares, sets = (0.6, 0.8, 1.0), 400
    for make in (lambda: rng.standard_normal((200, 3)).cumsum(axis=1), lambda: rng.standard_normal((200, 3))):
        rung = [spend(make(), shares, 0.05) for _ in range(sets)]
        rate = np.mean([look >= 0 for look, _ in rung])
        assert abs(rate - 0.05) <= 3.5 * np.sqrt(0.05 * 0.95 / sets)
        assert all((p <= 0.05) == (look >= 0) for look, p in rung)
    table = rng.standard_normal((200, 3))
    table[0] = 9.0
    assert spend(table, shares, 0.05) == (0, 1 / 200)
    table[0] = np.nan
    assert spend(table, shares, 0.05)[0] == -1


def test_models():
    rng = np.random.default_rng(7)
    kinds = {
        "noise": rng.standard_normal(400),
        "fold": ar1_noise((400,), 0.7, rng),
        "flip": ar1_noise((400,), -0.7, rng),
    }
    wave = np.zeros(400)
    for t in range(2, 400):
        wave[t] = 1.2 * wave[t - 1] - 0.8 * wave[t - 2] + rng.standard_normal()
    for name, x in {**kinds, "hopf": wave}.items():
        assert KINDS[int(np.argmax(kind_weights(x)))] == name
    t = np.cumsum(rng.uniform(0.5, 1.5, 600))  # uneven steps
    steady, slower = np.zeros(600), np.zeros(600)
    rates = 0.8 * np.sqrt(1 - 0.97 * np.linspace(0, 1, 600))
    for i in range(1, 600):
        for x, rate in ((steady, 0.8), (slower, rates[i])):
            kept = np.exp(-rate * (t[i] - t[i - 1]))
            x[i] = kept * x[i - 1] + np.sqrt((1 - kept**2) / (2 * rate)) * rng.standard_normal()
    flat, falling = slowing(t, steady), slowing(t, slower)
    assert flat.daic < 2 and flat.first == pytest.approx(0.8, rel=0.3)
    assert falling.daic > 5 and falling.last < 0.5 * falling.first


# --------------------------------------------------------------------------------------- planted transitions


@pytest.mark.parametrize(("make", "kind", "least"), [(fold, "fold", 0.7), (flip, "flip", 0.9), (hopf, "hopf", 0.75)])
def test_planted_bifurcations_are_warned_of(make, kind, least):
    """Two hundred records each; 0.86, 0.99 and 0.89 in the run of the docs."""
    rng = np.random.default_rng(0)
    data = wrap(np.stack([make(rng, 20, 200, 0.95), make(rng, 20, 200, 0.0)]))
    result = early_warning(data, neutral="b", transition=199.0, draws=99, looks=(1.0,))
    assert result.verdict == "warned" and result.estimate.value >= least
    table = result.to_frame("records")
    assert (table.loc[~table["neutral"], "kind"] == kind).mean() >= 0.8
    frame = result.to_frame().set_index("indicator")
    assert frame.loc["variance", "direction"] == "up"
    if kind != "hopf":  # there the autocorrelation goes to the cosine of the rotation
        assert frame.loc["ac1", "direction"] == ("up" if kind == "fold" else "down")
    # and without controls, by surrogates over all seeds
    alone = early_warning(data.sel(condition="a", drop=True), transition=199.0, **QUICK)
    assert alone.verdict == "warned" and "surrogates" in alone.null.name
    assert any("no neutral records" in w for w in alone.warnings)


def test_a_step_from_outside_is_not_warned_of():
    rng = np.random.default_rng(8)
    y = ar1_noise((10, 300), 0.6, rng)
    y[:, 200:] += 10.0
    result = early_warning(wrap(y), transition=199.0, draws=199)
    assert result.verdict == "not warned"
    assert "abrupt change" in result.explain()


def test_invariances():
    rng = np.random.default_rng(9)
    data = wrap(flip(rng, 5, 300, 0.95))
    call = {**QUICK, "indicators": "ac1"}
    plain = early_warning(data, transition=299.0, **call)
    assert plain.verdict == "warned"
    tau = plain.to_frame("records")["kendall_ac1"].to_numpy()
    scaled = early_warning(1e4 * data - 7.0, transition=299.0, **call)
    assert scaled.verdict == "warned" and scaled.to_frame("records")["kendall_ac1"].to_numpy() == pytest.approx(tau)
    minutes = early_warning(data.assign_coords(time=data["time"] * 60), transition=299.0 * 60, **call)
    assert minutes.verdict == "warned" and minutes.to_frame("records")["kendall_ac1"].to_numpy() == pytest.approx(tau)
    turned = early_warning(data.isel(seed=slice(None, None, -1)), transition=299.0, **call)
    assert turned.verdict == "warned" and turned.to_frame("records")["kendall_ac1"].to_numpy()[::-1] == pytest.approx(
        tau
    )
    shuffled = early_warning(data.isel(time=rng.permutation(300)), transition=299.0, **call)
    assert shuffled.to_frame("records").equals(plain.to_frame("records"))
    slow = wrap(fold(rng, 12, 400, 0.95))  # a flip read at every second record is no flip any more; a fold is one
    for part in (slow, slow.isel(time=slice(1, None, 2))):
        assert early_warning(part, transition=399.0, **QUICK).verdict == "warned"


def test_nothing_after_the_transition_leaks_in():
    y = ar1_noise((3, 200), 0.5, np.random.default_rng(10))
    y[:, 150:] = 40.0
    whole = early_warning(wrap(y), transition=149.0, draws=99)
    cut = early_warning(wrap(y[:, :150]), transition=149.0, draws=99)
    assert whole.to_frame("records").equals(cut.to_frame("records"))


def test_transitions_by_seed_and_the_seeds_that_never_make_it():
    rng = np.random.default_rng(11)
    y = np.concatenate([flip(rng, 6, 200, 0.95), flip(rng, 6, 200, 0.0)])
    when = {i: 199.0 - i for i in range(6)} | {i: float("nan") for i in range(6, 12)}
    forms = (
        when,
        xr.DataArray([when[i] for i in range(12)], dims="seed"),
        xr.DataArray([when[i] for i in reversed(range(12))], dims="seed", coords={"seed": list(reversed(range(12)))}),
    )
    data = wrap(y).assign_coords(seed=range(12))
    results = [early_warning(data, transition=form, **QUICK) for form in forms]
    both = xr.Dataset({"value": data, "at": ("seed", [when[i] for i in range(12)])})
    results.append(early_warning(both, "value", transition="at", **QUICK))
    for result in results:
        assert result.to_frame("records").equals(results[0].to_frame("records"))
        assert result.to_frame("records")["neutral"].sum() == 6 and result.verdict == "warned"
        assert any("serve as neutral controls" in w for w in result.warnings)
    beside = early_warning(data[:6], transition={i: when[i] for i in range(6)}, neutral=data[6:], **QUICK)
    assert beside.estimate.value == pytest.approx(results[0].estimate.value)
    few = early_warning(data[:8], transition={i: when[i] for i in range(6)}, **QUICK)
    assert any("too few to judge by" in w for w in few.warnings) and "surrogates" in few.null.name


def test_monitoring_rings_on_the_way_and_lead_time():
    rng = np.random.default_rng(12)
    going = wrap(flip(rng, 8, 300, 0.97))
    result = early_warning(going, draws=299, bandwidth=0.2, window=0.5)
    assert result.verdict == "warned" and "alpha spent" in result.null.name and "hears an alarm" in result.explain()
    looks = early_warning(going, transition=299.0, draws=299, bandwidth=0.2, window=0.5).to_frame("looks")
    assert looks["alarms"].is_monotonic_increasing and looks["alarms"].iloc[-1] >= 4
    assert 0 <= looks["median_lead"].iloc[-1] <= 120
    quiet = early_warning(wrap(ar1_noise((6, 200), 0.5, rng)), **QUICK | {"looks": (0.6, 0.8, 1.0)})
    assert quiet.verdict == "not warned" and "No alarm has rung" in quiet.words


def test_ensemble_detrending_takes_out_what_seeds_share():
    """A common wave far faster than any bandwidth: only the mean over seeds removes it."""
    rng = np.random.default_rng(13)
    wave = 5 * np.sin(np.arange(200) ** 1.5 / 40) * np.linspace(0.5, 3, 200)
    data = wrap(wave + ar1_noise((10, 200), 0.4, rng))
    fooled = early_warning(data, transition=199.0, indicators="variance", **QUICK)
    assert fooled.verdict == "warned"
    right = early_warning(data, transition=199.0, indicators="variance", detrend="ensemble", **QUICK)
    assert right.verdict == "not warned" and right.to_frame("sensitivity")["bandwidth"].isna().all()
    spread = right.diagnostics["residual"].values.std()
    assert spread == pytest.approx(1.0, abs=0.1)  # not shrunk by the share a seed has in the mean
    assert early_warning(data[:2], transition=199.0, detrend="ensemble", **QUICK).verdict == "cannot tell"


def test_channels_keep_their_covariance_in_the_surrogates():
    rng = np.random.default_rng(14)
    x = ar1_noise((3, 400), 0.6, rng)
    x[1] = 0.8 * x[0] + 0.6 * x[1]
    plan = Plan(("variance",), "kendall", "ar1", "none", (1.0,), (0.5,), "theory", 199, (1.0,), True)
    drawn = null_residuals(x, plan, rng)[1:]
    mean = np.mean([np.cov(d) for d in drawn], axis=0)
    assert mean == pytest.approx(np.cov(x), abs=0.12)
    data = xr.DataArray(x, dims=("channel", "time"), coords={"time": np.arange(400.0)}, name="y")
    names = ["eigenvalue", "eigenvalue_share", "mean_correlation", "dmd", "spatial_variance", "moran", "fano"]
    result = early_warning(data, transition=399.0, indicators=names, window=0.5, bandwidth=0.2, looks=(1.0,), draws=99)
    assert result.to_frame()["indicator"].tolist() == names and result.p > 0.05
    assert (result.to_frame()["channel"] == "all").all()


def test_every_indicator_metric_and_surrogate_goes_with_every_other():
    y = single(ar1_noise((120,), 0.5, np.random.default_rng(15)) + 5)
    names = [
        "variance", "sd", "cv", "ac1", "ac3", "return_rate", "skewness", "kurtosis", "low_frequency", "smax", "dfa",
        "permutation_entropy", "sample_entropy",
    ]  # fmt: skip
    table = early_warning(y, transition=119.0, indicators=names, **QUICK | {"draws": 99}).to_frame()
    assert table["indicator"].tolist() == names and table["p"].notna().all()
    for metric in CHANGES:
        assert early_warning(y, transition=119.0, change=metric, **QUICK | {"draws": 99}).verdict in VERDICTS
    for kind in ("ar1", "arma", "block", "iaaft", "phase", "shuffle", "volatility", "trend+ar1"):
        result = early_warning(y, transition=119.0, surrogate=kind, **QUICK | {"draws": 99})
        assert kind in result.null.name and np.isfinite(result.p)
    for how in ("lowess", "none"):
        assert_defined(early_warning(y, transition=119.0, detrend=how, **QUICK | {"draws": 99}))
    up, both = (early_warning(y, direction=d, **QUICK).to_frame("sensitivity") for d in ("up", "both"))
    assert (up["direction"] == "up").all() and len(both) == 2 * len(up)


def test_uneven_records_are_averaged_never_interpolated():
    rng = np.random.default_rng(16)
    t = np.sort(rng.uniform(0, 300, 900))
    y = single(rng.standard_normal(900), t)
    result = early_warning(y, every=2.0, **QUICK)
    row = result.to_frame("records").iloc[0]
    assert 140 <= row["records"] <= 150
    bins = np.floor((t - t[0]) / 2.0 + 1e-9)
    means = [y.values[bins == b].mean() for b in np.unique(bins)]
    assert result.diagnostics["value"].values[0, 0] == pytest.approx(means)
    assert any("gaps up to" in w for w in early_warning(y, **QUICK).warnings)
    denser = single(rng.standard_normal(200), np.sqrt(np.arange(200.0)))
    assert any("denser or sparser" in w for w in early_warning(denser, **QUICK).warnings)


def test_scores_of_half_the_digits_agree_with_exact_ones():
    """A small wiggle on a large trend: surrogates are measured in single precision and must not notice."""
    values = 1e3 + np.linspace(0, 500, 150)[None] + ar1_noise((1, 150), 0.5, np.random.default_rng(17))
    record = Record("all", 0, np.arange(150.0), values, np.nan, False, "")
    plan = Plan(("variance", "ac1"), "kendall", "ar1", "gaussian", (0.2,), (0.85,), "up", 99, (1.0,), True)
    found = trends(record, plan, np.random.default_rng(18))
    rest = detrended(values, "gaussian", 0.2)
    block = null_residuals(rest, plan, np.random.default_rng(18))[:, 0] + (values - rest)
    rolling = Rolling(detrended(block, "gaussian", 0.2), block, 1.0)
    for j, name in enumerate(("variance", "ac1")):
        tau = change(rolling.measure(name, 127, windows(150, 127, None)), "kendall")
        assert found.change[j] == pytest.approx(tau[0])
        assert found.score[:, j] == pytest.approx((tau - tau.mean()) / tau.std(), abs=0.05)


# --------------------------------------------------------------------------------------------- calibration


@pytest.mark.parametrize("scene", ["white", "ar1", "step", "controls"])
def test_few_false_alarms(scene):
    rate = calibrate("early_warning", scene, draws=16, seeds=(5,), steps=100).table["rate"]
    assert (rate <= 0.07 + 3 * np.sqrt(0.07 * 0.93 / 16)).all()


def test_growing_noise_is_the_exception_by_name():
    assert calibrate("early_warning", "heteroscedastic", draws=5, seeds=(5,)).table["rate"].min() >= 0.8
    result = early_warning(wrap(np.ones((1, 60))))
    assert "spread triples" in result.cannot_see


def test_power():
    assert calibrate("early_warning", "flip", effects=(0.95,), seeds=(5,), draws=10).table["rate"].min() >= 0.9


# ---------------------------------------------------------------------------------------- degenerate inputs


@settings(deadline=None, max_examples=20)
@given(blocks(steps=70), st.sampled_from([None, 60.0, 10.0, 1e9]), st.booleans())
def test_every_input_gets_a_defined_answer(data, transition, controls):
    call = {"transition": transition, "draws": 99, "looks": (0.8, 1.0)}
    if controls and data.sizes["time"] > 1:
        call["neutral"] = data.isel(seed=slice(None, None, -1))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        result = early_warning(data, **call)
    assert result.verdict in VERDICTS
    assert_defined(result)


@pytest.mark.parametrize("values", [np.ones((5, 80)), np.full((5, 80), np.nan), np.ones((5, 2)), np.zeros((1, 80))])
def test_degenerate_data_cannot_tell(values):
    result = early_warning(wrap(values))
    assert result.verdict == "cannot tell" and result.plot() is not None
    assert result.to_frame("records")["refused"].ne("").all() and np.isnan(result.p)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: early_warning(d.values), "name the dims"),
        (lambda d: early_warning(d, draws=9), "draws must"),
        (lambda d: early_warning(d, level=1.0), "level must"),
        (lambda d: early_warning(d, useful=0.4), "useful must"),
        (lambda d: early_warning(d, indicators="varience"), "did you mean 'variance'"),
        (lambda d: early_warning(d, indicators=()), "at least one"),
        (lambda d: early_warning(d, indicators="dmd"), "needs a dim of channels"),
        (lambda d: early_warning(d, surrogate="blok"), "did you mean 'block'"),
        (lambda d: early_warning(d, bandwidth=0.0), "bandwidth must"),
        (lambda d: early_warning(d, window=()), "window must"),
        (lambda d: early_warning(d, looks=(0.9, 0.5)), "looks must"),
        (lambda d: early_warning(d, every=0.0), "every must"),
        (lambda d: early_warning(d, neutral="calm"), "no condition 'calm'"),
        (lambda d: early_warning(d, neutral="all"), "only condition"),
        (lambda d: early_warning(d, transition={99: 1.0}), "not in the data: 99"),
        (lambda d: early_warning(d, transition="when"), "no variable 'when'"),
        (lambda d: early_warning(d, transition=xr.DataArray([1.0], dims="lag")), "dims lag"),
        (lambda d: early_warning(d, transition=xr.DataArray([1.0, 2.0], dims="seed")), "2 transitions for 3"),
        (lambda d: early_warning(d.rename(seed="agent")), "dims agent"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    data = wrap(np.random.default_rng(18).standard_normal((3, 60)))
    with pytest.raises(UserError, match=message) as caught:
        call(data)
    assert "\n" not in str(caught.value)


def test_figures():
    from emergelab import figures

    rng = np.random.default_rng(19)
    data = wrap(np.stack([flip(rng, 4, 120, 0.9), flip(rng, 4, 120, 0.0)]))
    for result in (
        early_warning(data, neutral="b", transition=119.0, **QUICK),
        early_warning(data[0, :1], **QUICK),
        early_warning(data[0].rename(seed="channel"), transition=119.0, **QUICK),
    ):
        assert len(figures.png(result.plot())) > 20_000
