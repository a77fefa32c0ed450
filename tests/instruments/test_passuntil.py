"""passuntil: an unbiased rate, censoring, planted laws and bends, a sampler, and awkward inputs."""

import time
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from emergelab.errors import UserError
from emergelab.instruments import calibrate, passuntil
from emergelab.instruments._passuntil_fits import by_items
from emergelab.instruments._passuntil_rates import Records, item_interval, item_rate, item_variance
from emergelab.instruments._scenes.passuntil import SCENES, SIZES, records

from .degenerate import assert_defined

PLANTED = np.exp(-8e4 * (SIZES * 1e9) ** -0.53)


def made(rate, x=SIZES, seed=0, target=5, items=164):
    rate = np.broadcast_to(rate, (items, len(x)))
    return records(np.array(rate), np.asarray(x, dtype=float), np.random.default_rng(seed), target)


def one(tries, passes, target, cap_hit=False):
    return Records("all", np.array([[float(tries)]]), np.array([[float(passes)]]), target, (0,), np.array([1.0]))


# ------------------------------------------------------------------------------------------------------ the rate


def test_planted_rates_are_those_of_the_law():
    expected = pytest.approx([1.6e-4, 0.0100, 0.0589, 0.1406, 0.2570, 0.4256], rel=0.03)
    assert expected == PLANTED


@pytest.mark.parametrize("p", [0.1, 0.01, 0.001])
def test_passes_over_tries_is_biased_and_the_rule_of_haldane_is_not(p):
    """Mean of the maximum-likelihood rate over the true one: 2.6, 4.5, 6.9 for one pass, 1.21 to 1.25 for five."""
    rng = np.random.default_rng(1)
    for target, expected in ((1, {0.1: 2.6, 0.01: 4.6, 0.001: 6.9}[p]), (5, 1.23)):
        tries = target + rng.negative_binomial(target, p, (20_000, 1)).astype(float)
        r = Records("all", tries, np.full(tries.shape, float(target)), target, tuple(range(len(tries))), np.ones(1))
        biased = item_rate(r, "ml").mean() / p
        assert biased == pytest.approx(expected, rel=0.06)
        if target >= 2:
            unbiased = item_rate(r)
            error = unbiased.std() / np.sqrt(len(tries)) / p
            assert abs(unbiased.mean() / p - 1) < 4 * error
            # relative error of an item: 1 / sqrt(r - 2) for small p
            assert unbiased.std() / p < 1.1 / np.sqrt(target - 2)


@pytest.mark.parametrize(("p", "cap"), [(0.02, 50), (0.05, 100), (0.2, 20)])
def test_rate_and_its_variance_are_unbiased_with_a_cap_too(p, cap):
    """Exact expectation over all outcomes of the capped rule."""
    target = 5
    stop = np.arange(target, cap + 1)
    weight_stop = stats.nbinom.pmf(stop - target, target, p)
    left = np.arange(target)
    weight_cap = stats.binom.pmf(left, cap, p)
    assert weight_stop.sum() + weight_cap.sum() == pytest.approx(1.0)
    tries = np.r_[stop, np.full(target, cap)].astype(float)[:, None]
    passes = np.r_[np.full(len(stop), target), left].astype(float)[:, None]
    # stopping on the very last try is a stop, not a cap
    r = Records("all", tries, passes, target, tuple(range(len(tries))), np.ones(1))
    weight = np.r_[weight_stop, weight_cap]
    rate = item_rate(r)[:, 0]
    assert weight @ rate == pytest.approx(p, rel=1e-9)
    true = weight @ rate**2 - p**2
    assert weight @ item_variance(r)[:, 0] == pytest.approx(true, rel=0.3)


def test_interval_of_an_item():
    low, high = item_interval(one(5000, 5, 5), 0.95)
    # the chi-square form holds for small rates
    assert low.item() == pytest.approx(stats.chi2.ppf(0.025, 10) / 10_000, rel=2e-3)
    assert high.item() == pytest.approx(stats.chi2.ppf(0.975, 10) / 10_000, rel=2e-3)
    low, high = item_interval(one(1000, 0, 5), 0.95)
    assert low.item() == 0 and high.item() == pytest.approx(1 - 0.025 ** (1 / 1000))
    low, high = item_interval(one(1000, np.nan, 5), 0.95)
    assert low.item() == 0 and stats.binom.cdf(4, 1000, high.item()) == pytest.approx(0.025)
    hits = 0
    rng = np.random.default_rng(2)
    tries = 5 + rng.negative_binomial(5, 0.01, (2000, 1)).astype(float)
    r = Records("all", tries, np.full(tries.shape, 5.0), 5, tuple(range(2000)), np.ones(1))
    low, high = item_interval(r, 0.95)
    hits = np.mean((low <= 0.01) & (high >= 0.01))
    assert 0.93 < hits < 0.97


# --------------------------------------------------------------------------------------------------- planted laws


def test_line_through_five_sizes_predicts_the_sixth():
    inside = covered = 0
    for i in range(15):
        result = passuntil(made(PLANTED, seed=i), draws=99, fit="least squares")
        row = result.to_frame("fits").set_index("model").loc["linear"]
        inside += row["held_out_low"] <= row["seen"] <= row["held_out_high"]
        rates = result.to_frame()
        covered += ((rates["low"] <= PLANTED) & (rates["high"] >= PLANTED)).mean()
    assert inside >= 11  # 95% wanted; fewer than 11 of 15 then has a chance of 0.06%
    assert covered / 15 > 0.85


def test_planted_line():
    result = passuntil(made(PLANTED), forecast_to=6.0, margin=0.3)
    assert result.verdict == "linear" and abs(result.effect.value) < 0.15
    row = result.to_frame("curvature").iloc[0]
    assert row["alpha_low"] < 0.53 < row["alpha_high"]
    assert result.estimate.low < np.exp(-8e4 * 6e9**-0.53) < result.estimate.high
    assert result.to_frame()["items"].eq(164).all()


def test_two_circuits_are_concave_and_a_product_of_steps_is_not():
    rng = np.random.default_rng(3)
    data, call = SCENES["two circuits"].make(rng, 1, 6, 0.6)
    switched = passuntil(data, **call)
    assert switched.verdict == "concave" and switched.p < 1e-6
    fits = switched.to_frame("fits").set_index("model")
    assert fits.loc["quadratic", "bic"] < fits.loc["linear", "bic"]
    row = fits.loc["linear"]
    assert not row["held_out_low"] <= row["seen"] <= row["held_out_high"]
    data, call = SCENES["five steps"].make(rng, 1, 6, 0.0)
    steps = passuntil(data, **call)
    assert steps.verdict in ("convex", "no bend shown") and steps.effect.value > -0.05


def test_maximum_likelihood_is_there_for_comparison_only():
    data = made(PLANTED)
    result, paper = passuntil(data, draws=99), passuntil(data, draws=99, estimator="ml")
    assert (result.to_frame()["pu_ml"] / PLANTED).iloc[:2].between(1.1, 1.4).all()
    assert (paper.to_frame()["pu"] == result.to_frame()["pu_ml"]).all()
    assert any("biased upwards" in w for w in paper.warnings)


def test_items_that_differ():
    """The mean of exponentials is not the exponential of the mean: the fit item by item follows it."""
    rng = np.random.default_rng(4)
    spread = np.exp(1.0 * rng.standard_normal((164, 1)))
    rate = np.exp(np.log(PLANTED) * spread)
    result = passuntil(made(rate, seed=5), forecast_to=6.0)
    fits = result.to_frame("fits").set_index("model")
    truth = np.exp(-8e4 * 6e9**-0.53 * spread).mean()
    assert abs(fits.loc["items", "forecast"] - truth) < abs(fits.loc["linear", "forecast"] - truth)
    assert fits.loc["items", "forecast"] == pytest.approx(truth, rel=0.08)


def test_items_on_lines_of_their_own_bend_their_mean_and_not_the_law():
    """Least squares on F of the mean calls most of these bent; the likelihood, in which items differ, few."""
    by_counts = by_mean = 0
    for i in range(6):
        data, call = SCENES["line, items differ"].make(np.random.default_rng([5, i]), 1, 6, 0.0)
        result = passuntil(data, **call)
        row = result.to_frame("curvature").iloc[0]
        assert row["fit"] == "likelihood" and 0.2 < row["sd_of_heights"] < 0.4
        assert row["alpha_low"] < 0.53 < row["alpha_high"]
        by_counts += row["p"] <= 0.05
        by_mean += row["p_of_mean"] <= 0.05
    assert by_counts <= 2 and by_mean > by_counts  # at 5%, three or more of six have a chance of 0.2%
    squares = passuntil(data, fit="least squares", **call).to_frame("curvature").iloc[0]
    assert squares["fit"] == "least squares" and squares["p"] == pytest.approx(row["p_of_mean"])


def test_likelihood_of_items_alike_is_that_of_the_law():
    """Without differences between items: the maximum over c and alpha is found again by a general optimiser."""
    data = made(PLANTED, items=4, seed=12)
    result = passuntil(data, draws=99)
    row = result.to_frame("curvature").iloc[0]
    k, n, u = data["passes"].values, data["tries"].values, np.log(SIZES)

    def loss(t):
        h = np.exp(t[0] + t[1] * (u - u.mean()))
        return -(k * -h + (n - k) * np.log(-np.expm1(-h))).sum()

    best = optimize.minimize(loss, (0.5, -0.5), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}).x
    assert row["alpha"] == pytest.approx(-best[1], abs=1e-4)
    assert row["ln_c"] == pytest.approx(best[0] - best[1] * u.mean(), abs=1e-3)


def test_passes_that_were_not_counted_are_a_tail_of_the_binomial():
    data = made(PLANTED, seed=13, items=40)
    cut = data.copy(deep=True)
    over = (cut["tries"] > 1000).values
    cut["passes"], cut["tries"] = cut["passes"].where(~over), cut["tries"].where(~over, 1000)
    row = passuntil(cut, target=5, draws=99).to_frame("curvature").iloc[0]
    assert row["alpha"] == pytest.approx(0.53, abs=0.08)


def test_the_seed_is_the_unit_where_there_are_seeds():
    """Models trained anew differ more than their items do: intervals must be those of so many seeds."""
    rng = np.random.default_rng(14)
    factor = np.exp(0.25 * rng.standard_normal(6))
    seeds = [made(np.exp(np.log(PLANTED) * f), seed=20 + i, items=40) for i, f in enumerate(factor)]
    data = xr.concat(seeds, "seed").assign_coords(seed=list("uvwxyz"))
    result = passuntil(data, draws=99, forecast_to=6.0)
    row = result.to_frame("curvature").iloc[0]
    assert result.n_seeds == 6 and row["fit"] == "seeds" and "over seeds" in result.null.name
    assert result.to_frame()["method"].str.contains("over seeds").all()
    pooled = passuntil(data.stack(all=("seed", "item")).reset_index("all", drop=True).rename(all="item"), draws=99)
    width = [(r.to_frame()["high"] - r.to_frame()["low"]).iloc[-1] for r in (result, pooled)]
    assert width[0] > 2 * width[1]
    assert sorted(result.to_frame("items")["seed"].unique()) == list("uvwxyz")
    two = passuntil(data.isel(seed=slice(0, 2)), draws=99)
    assert two.to_frame("curvature")["fit"].item() != "seeds" and any("2 seeds" in w for w in two.warnings)


def test_fit_item_by_item_agrees_with_a_long_record():
    x = np.geomspace(0.1, 3.0, 6)
    rng = np.random.default_rng(6)
    c, a = np.exp(0.4 * rng.standard_normal(30)), 0.5 + 0.1 * rng.standard_normal(30)
    p = np.exp(-c[:, None] * x[None] ** -a[:, None])
    n = np.full(p.shape, 1e6)
    mean, theta = by_items(n, rng.binomial(1_000_000, p).astype(float), np.log(x), np.log(np.array([6.0])))
    assert mean.item() == pytest.approx(np.exp(-c * 6.0**-a).mean(), rel=2e-3)
    assert theta[:, 1] == pytest.approx(a, abs=0.03)


def test_censored_items_are_kept():
    data = made(np.array([1e-5, 1e-3, 1e-2, 0.05, 0.1, 0.2]), seed=7)
    short = data.copy(deep=True)
    over = (short["tries"] > 2000).values
    rng = np.random.default_rng(8)
    few = np.minimum(rng.binomial(2000, 1e-5, over.shape), 4)
    short["passes"] = short["passes"].where(~over, few)
    short["tries"] = short["tries"].where(~over, 2000)
    result = passuntil(short, target=5)
    rates = result.to_frame()
    assert rates["items"].eq(164).all() and rates["censored"].iloc[0] >= 160
    assert rates["pu"].iloc[0] < 5e-5 and rates["high"].iloc[0] < 1e-4
    assert any("met the cap" in w for w in result.warnings)
    # nothing at all at the smallest size: a bound, no F, and no dropped item
    none = short.copy(deep=True)
    none["passes"][:, 0], none["tries"][:, 0] = 0, 2000
    empty = passuntil(none, target=5)
    row = empty.to_frame().iloc[0]
    assert row["pu"] == 0 and np.isnan(row["F"]) and row["high"] == pytest.approx(1 - 0.025 ** (1 / 328_000))
    assert empty.to_frame("curvature")["sizes"].item() == 5


def test_guesses_are_taken_out():
    low = made(0.25 + 0.75 * PLANTED, seed=9, target=20)
    result = passuntil(low, guess=0.25)
    pu = result.to_frame().set_index("x")["pu"]
    assert pu.iloc[3:].to_numpy() == pytest.approx(PLANTED[3:], rel=0.2)


def test_fixed_items_have_narrower_intervals():
    rate = np.exp(np.log(PLANTED) * np.exp(0.8 * np.random.default_rng(10).standard_normal((40, 1))))
    data = made(rate, seed=11, items=40, target=20)
    these, others = passuntil(data, population=False), passuntil(data)
    width = [(r.to_frame()["high"] - r.to_frame()["low"]).iloc[-1] for r in (these, others)]
    assert width[0] < 0.8 * width[1]
    assert "tries alone" in these.to_frame()["method"].iloc[-1]


# ------------------------------------------------------------------------------------------------------- sampling


def test_sampler_stops_at_the_last_pass():
    asked = []

    def sampler(model, item, n, rng):
        asked.append(n)
        return rng.random(n) < model * item

    models = {0.1: 0.02, 1.0: 0.1, 10.0: 0.3, 100.0: 0.9}
    result = passuntil(sampler=sampler, models=models, items=[0.5, 0.8, 1.0] * 10, target=6, cap=20_000, draws=99)
    table = result.to_frame("items")
    assert table["passes"].eq(6).all() and not table["censored"].any()
    truth = np.array([m * np.mean([0.5, 0.8, 1.0]) for m in models.values()])
    assert result.to_frame()["pu"].to_numpy() == pytest.approx(truth, rel=0.3)
    assert result.to_frame()["drawn"].sum() == sum(asked) >= table["tries"].sum()
    capped = passuntil(sampler=sampler, models={1.0: 1e-6}, items=[1.0] * 3, target=2, cap=100, draws=99)
    assert capped.to_frame("items")["tries"].eq(100).all() and capped.verdict == "undecided"
    again = passuntil(sampler=sampler, models=models, items=[0.5] * 4, target=2, draws=99, rng=1)
    same = passuntil(sampler=sampler, models=models, items=[0.5] * 4, target=2, draws=99, rng=1)
    assert again.to_json() == same.to_json()


def test_a_policy_that_returns_no_booleans_is_named():
    with pytest.raises(UserError, match="must return 16 Booleans"):
        passuntil(sampler=lambda m, i, n, g: np.ones(3), models={1.0: 0}, items=[0], target=2)


# -------------------------------------------------------------------------------------------- invariance and input


def test_invariances():
    data = made(PLANTED)
    plain = passuntil(data, draws=99)
    larger = passuntil(data.assign_coords(size=data["size"] * 1e9), draws=99)
    assert larger.verdict == plain.verdict and larger.p == pytest.approx(plain.p)
    turned = passuntil(data.isel(item=slice(None, None, -1), size=slice(None, None, -1)), draws=99)
    assert turned.verdict == plain.verdict and turned.p == pytest.approx(plain.p)
    x = np.geomspace(0.03, 2.4, 12)
    bent = made(np.exp(-np.exp(np.log(-np.log(0.05)) - 0.3 * np.log(x) - 0.15 * np.log(x / 0.3) ** 2)), x)
    assert passuntil(bent).verdict == passuntil(bent.isel(size=slice(None, None, 2))).verdict == "concave"


def test_several_conditions():
    line = made(PLANTED)
    bend, _ = SCENES["two circuits"].make(np.random.default_rng(12), 1, 6, 0.6)
    both = xr.concat([line, bend.assign_coords(size=SIZES)], "condition").assign_coords(condition=["line", "switch"])
    result = passuntil(both, target=5, fit="least squares")
    assert result.verdict == "differ"
    assert result.to_frame("curvature").set_index("condition").loc["switch", "class"] == "concave"
    from emergelab import figures

    assert len(figures.png(result.plot())) > 20_000


counts = st.sampled_from([0.0, 1.0, 2.0, 5.0, 17.0, np.nan, np.inf, -3.0, 1e6])


@settings(deadline=None, max_examples=15)
@given(st.data(), st.integers(1, 5), st.integers(1, 6))
def test_every_input_gets_a_defined_answer(draw, items, sizes):
    cells = st.lists(counts, min_size=items * sizes, max_size=items * sizes)
    tries, passes = (np.array(draw.draw(cells)).reshape(items, sizes) for _ in range(2))
    data = xr.Dataset(
        {"tries": (("item", "size"), tries), "passes": (("item", "size"), passes)},
        coords={"size": np.arange(1.0, sizes + 1)},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = passuntil(data, draws=99, forecast_to=10.0)
        assert result.plot() is not None
    assert_defined(result)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_all_or_nothing(p):
    tries = np.full((5, 4), 100.0 if p == 0 else 5.0)
    data = xr.Dataset(
        {"tries": (("item", "size"), tries), "passes": (("item", "size"), np.full((5, 4), 5.0 * p))},
        coords={"size": [1.0, 2.0, 4.0, 8.0]},
    )
    result = passuntil(data, target=5, draws=99)
    assert result.verdict == "undecided" and result.to_frame()["pu"].eq(p).all()
    assert_defined(result)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: passuntil(), "recorded data, or a sampler"),
        (lambda d: passuntil(sampler=lambda *a: None), "needs models"),
        (lambda d: passuntil(d, target=1), "2 or more"),
        (lambda d: passuntil(d, target=3), "5 passes were recorded"),
        (lambda d: passuntil(d, guess=1.0), r"\[0, 1\)"),
        (lambda d: passuntil(d, estimator="mle"), "unbiased"),
        (lambda d: passuntil(d, margin=0.0), "margin"),
        (lambda d: passuntil(d, draws=3), "at least 99"),
        (lambda d: passuntil(d, along="step"), "no dim 'step'"),
        (lambda d: passuntil(d, tries="tris"), "did you mean 'tries'"),
        (lambda d: passuntil(d.drop_vars("size")), "no coordinate"),
        (lambda d: passuntil(d.expand_dims("run")), "dims run"),
        (lambda d: passuntil(d, fit="ols"), "fit must be"),
        (lambda d: passuntil(d["tries"]), "Dataset"),
        (lambda d: passuntil(d.assign_coords(size=-SIZES)), "above 0"),
        (lambda d: passuntil(d.assign_coords(size=[1.0, 1, 2, 3, 4, 5])), "twice"),
        (lambda d: passuntil(d, forecast_to=0.0), "forecast_to"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    with pytest.raises(UserError, match=message) as caught:
        call(made(PLANTED, items=12))
    assert "\n" not in str(caught.value)


# ----------------------------------------------------------------------------------------------------- calibration


def test_size_and_power():
    size = calibrate("passuntil", "line", draws=6).table["rate"].item()
    assert size <= 3 / 6  # at a true rate of 7%, four or more have a chance of 0.03%
    assert calibrate("passuntil", "five steps", draws=3).table["rate"].item() == 0
    assert calibrate("passuntil", "bend", effects=(-0.8,), draws=3).table["rate"].item() == 1


def test_cost():
    data = made(np.exp(-np.geomspace(8, 0.5, 20)), np.geomspace(1, 100, 20), items=1000)
    start = time.process_time()
    passuntil(data, draws=1000)
    assert time.process_time() - start < 15.0
