"""Claims: the interval over seeds decides against a margin that was fixed beforehand."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.claims import judge
from emergelab.cli.judge import unexpected
from emergelab.statistics import ratio_of_means


class FakeRun:
    """What `judge` needs of a run, made from arrays: {condition: {observable: (seed, time)}}."""

    def __init__(self, conditions, *, times=None, diverged=None, status="finished", records=None):
        names = list(conditions)
        observables = list(next(iter(conditions.values())))
        arrays = {o: np.stack([np.asarray(conditions[c][o], float) for c in names]) for o in observables}
        n, t = next(iter(arrays.values())).shape[1:3]
        times = np.arange(t) * 10 if times is None else np.asarray(times)
        self.data = xr.Dataset(
            {o: (("condition", "seed", "time"), a) for o, a in arrays.items()},
            coords={"condition": names, "seed": np.arange(n), "time": times},
        )
        self.status, self.path = status, "runs/fake"
        self.progress = [{"records": t if records is None else records, "failed": {}}]
        self.diverged, self.failed = diverged or {}, {}


def flat(values, t=5):
    """Constant curves, one a seed."""
    return np.repeat(np.asarray(values, float)[:, None], t, axis=1)


def noisy(mean, n, sd=1.0, seed=0):
    return flat(mean + sd * np.random.default_rng(seed).standard_normal(n))


def one(run, test, direction=">", margin=0.5):
    return judge(run, [el.Claim("it is so", test, direction, margin)])[0]


@pytest.fixture(scope="module")
def run():
    return FakeRun(
        {"high": {"x": noisy(3, 20)}, "low": {"x": noisy(1, 20, seed=1)}, "zero": {"x": noisy(0, 20, sd=0.01, seed=2)}}
    )


def test_supported_refuted_and_inconclusive(run):
    assert one(run, el.contrast("x", "high", "low"))["verdict"] == "supported"
    assert one(run, el.contrast("x", "low", "high"))["verdict"] == "refuted"
    assert one(run, el.contrast("x", "low", "high"), "<")["verdict"] == "supported"
    assert one(run, el.contrast("x", "high", "low"), margin=2.0)["verdict"] == "inconclusive"
    assert one(run, el.contrast("x", "high", "low"), margin=9.0)["verdict"] == "refuted", (
        "smaller than what is interesting"
    )
    assert one(run, el.level("x", "zero"), "=", 0.1)["verdict"] == "supported"
    assert one(run, el.level("x", "high"), "=", 0.1)["verdict"] == "refuted"
    assert one(run, el.level("x", "low", value=1.0), "=", 0.2)["verdict"] == "inconclusive"


def test_an_inconclusive_claim_says_how_many_more_seeds_would_settle_it():
    small = FakeRun({"a": {"x": noisy(1.0, 8, seed=3)}, "b": {"x": noisy(0.0, 8, seed=5)}})
    row = one(small, el.contrast("x", "a", "b"))
    assert row["verdict"] == "inconclusive" and row["more_seeds"] > 0
    assert f"about {row['more_seeds']} more seeds" in row["reason"]
    large = FakeRun(
        {"a": {"x": noisy(1.0, 8 + 2 * row["more_seeds"])}, "b": {"x": noisy(0.0, 8 + 2 * row["more_seeds"], seed=5)}}
    )
    assert one(large, el.contrast("x", "a", "b"))["verdict"] == "supported"


def test_few_seeds_decide_nothing():
    for n in (1, 2, 3, 4):
        row = one(FakeRun({"a": {"x": noisy(100, n)}}), el.level("x", "a"))
        assert row["verdict"] == "inconclusive" and row["low"] is None
        assert len(row["by_seed"]) == n, "all points are there to be shown"


def test_the_seed_is_the_unit_not_the_record():
    """A thousand records of three seeds are three seeds."""
    row = one(FakeRun({"a": {"x": flat([1.0, 1.1, 0.9], t=1000)}}), el.level("x", "a", at="mean"))
    assert row["seeds"] == 3 and row["verdict"] == "inconclusive"


def test_paired_contrasts_use_the_shared_seeds():
    base = noisy(0, 10, sd=10)
    run = FakeRun({"a": {"x": base + 1 + 0.01 * noisy(0, 10, seed=4)}, "b": {"x": base}})
    assert one(run, el.contrast("x", "a", "b"))["verdict"] == "supported"
    assert one(run, el.contrast("x", "a", "b", paired=False))["verdict"] == "inconclusive"


def test_a_ratio_is_taken_seed_by_seed_and_says_how_much_more():
    base = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    run = FakeRun(
        {"a": {"x": flat(1.25 * base)}, "b": {"x": flat(base)}, "none": {"x": flat(base * [0, 1, 1, 1, 1, 1])}}
    )
    row = one(run, el.ratio("x", "a", "b"), margin=0.2)
    assert row["verdict"] == "supported" and row["value"] == pytest.approx(0.25)
    assert "x at the end, a over b, minus 1" in row["test"]
    row = one(run, el.ratio("x", "a", "none"), margin=0.2)
    assert row["value"] == pytest.approx(0.25) and row["seeds"] == 5, "nothing can be divided by nothing"


def test_a_pooled_number_is_one_of_all_seeds():
    """The ratio of means is not the mean of ratios; a seed that one condition lost is left out of all."""
    rng = np.random.default_rng(3)
    a, b = rng.exponential(3.0, 40), rng.exponential(1.0, 40)
    run = FakeRun({"a": {"x": flat(a)}, "b": {"x": flat(b)}, "c": {"x": flat(2 * b)}}, diverged={"b": {7: 1}})
    kept = np.arange(40) != 7
    row = one(run, el.pooled(ratio_of_means, "x", "a", "b"))
    assert row["value"] == pytest.approx(a[kept].mean() / b[kept].mean()) and row["seeds"] == 39
    assert row["value"] < np.mean(a[kept] / b[kept]) and row["low"] < row["value"] < row["high"]
    assert one(run, el.pooled(ratio_of_means, "x", "a", "b", value=1.0))["value"] == pytest.approx(row["value"] - 1)
    assert one(run, el.pooled(ratio_of_means, "x", "c", "b", "a", "b"))["value"] == pytest.approx(2 - row["value"])
    assert "ratio of means of all seeds, of x at the end in a, b" in row["test"]
    assert one(run, el.pooled(ratio_of_means, "x", "a", "z"))["verdict"] == "untested"


def test_where_in_time():
    curve = np.tile([0.0, 5.0, 1.0, 2.0, 3.0], (6, 1)) + 1e-3 * np.arange(6)[:, None]
    run = FakeRun({"a": {"x": curve}})
    places = {"start": 0, "end": 3, "max": 5, "min": 0, "mean": 2.2, 10: 5, (20, 40): 2, (0.5, 1.0): 2}
    for at, expected in places.items():
        assert one(run, el.level("x", "a", at=at))["value"] == pytest.approx(expected, abs=0.01)
    assert one(run, el.level("x", "a", at=15))["verdict"] == "untested"


def test_statistics_of_all_seeds_resample_whole_curves():
    """The maximum of the mean curve is not the mean of the maxima."""
    rng = np.random.default_rng(0)
    curves = rng.standard_normal((30, 50)) + np.sin(np.linspace(0, 3, 50))
    run = FakeRun({"a": {"x": curves}, "b": {"x": rng.standard_normal((30, 50))}})

    def peak_of_mean(values):
        return float(values.mean(axis=0).max())

    row = one(run, el.level("x", "a", statistic=peak_of_mean))
    assert row["value"] == pytest.approx(curves.mean(0).max())
    assert row["value"] < one(run, el.level("x", "a", at="max"))["value"] - 0.5
    assert one(run, el.contrast("x", "a", "b", statistic=peak_of_mean))["verdict"] == "supported"


def test_a_statistic_that_one_seed_does_not_have_leaves_nobody_out():
    """A spread over seeds, which a single one lacks: the note speaks of seeds without values alone."""
    values = np.random.default_rng(0).normal(0, 2, (20, 3))
    values[4] = np.nan

    def spread(rows):
        return float(rows[:, -1].std(ddof=1)) if len(rows) > 1 else np.nan

    for test in (el.level("x", "a", statistic=spread), el.contrast("x", "a", "b", statistic=spread)):
        row = one(FakeRun({"a": {"x": values}, "b": {"x": values / 20}}), test)
        assert row["seeds"] == 19 and row["note"].startswith("1 of 20 seeds left out"), row["note"]
        assert row["value"] > 1


def test_functions_of_observables():
    def doubled_end(d):
        return 2 * d["x"].isel(time=-1)

    row = one(FakeRun({"a": {"x": noisy(3, 12)}}), el.level(doubled_end, "a"))
    assert row["value"] == pytest.approx(6, abs=1.5) and row["test"].startswith("doubled end")

    def wrong(d):
        return d["x"].mean("seed")

    with pytest.raises(el.UserError, match="must have dims"):
        one(FakeRun({"a": {"x": noisy(3, 12)}}), el.level(wrong, "a"))


def test_proportions_are_exact():
    run = FakeRun({"a": {"x": flat([1] * 19 + [0])}, "b": {"x": flat([1] * 5 + [0] * 15)}})
    row = one(run, el.proportion("x", "a", above=0.5, of=0.5), margin=0.1)
    assert row["verdict"] == "supported" and row["note"] == "19 of 20 seeds" and "Clopper" in row["method"]
    assert row["low"] == pytest.approx(0.7513 - 0.5, abs=1e-3)  # exact interval of 19/20
    assert one(run, el.proportion("x", "b", above=0.5, of=0.5), margin=0.1)["verdict"] == "refuted"
    assert one(run, el.proportion("x", "b", below=0.5, of=0.5), margin=0.1)["verdict"] == "inconclusive"


def test_trends():
    conditions = {f"k{k}": {"x": flat(0.5 * k + 0.1 * np.random.default_rng(k).standard_normal(12))} for k in range(4)}
    run = FakeRun(conditions)
    row = one(run, el.trend("x", {f"k{k}": k for k in range(4)}), margin=0.3)
    assert row["verdict"] == "supported" and row["value"] == pytest.approx(0.5, abs=0.05)
    ramp = FakeRun({"a": {"x": np.outer(np.ones(12), np.arange(5)) + noisy(0, 12)}})
    assert one(ramp, el.trend("x", condition="a", along="time"), margin=0.05)["value"] == pytest.approx(0.1, abs=1e-9)


def test_order_of_events():
    rise = np.arange(10.0)
    run = FakeRun(
        {
            "a": {
                "x": np.tile(rise, (12, 1)),
                "y": np.tile(np.maximum(0, rise - 3), (12, 1)),
                "never": np.zeros((12, 10)),
            }
        }
    )
    assert one(run, el.order(el.event("x", above=2), el.event("y", above=2), "a"), margin=0.1)["verdict"] == "supported"
    assert one(run, el.order(el.event("y", above=2), el.event("x", above=2), "a"), margin=0.1)["verdict"] == "refuted"
    assert (
        one(run, el.order(el.event("y", above=2), el.event("never", above=2), "a"), margin=0.1)["verdict"]
        == "supported"
    )
    tie = one(run, el.order(el.event("x", above=2), el.event("x", above=2.5), "a"), margin=0.1)
    assert tie["verdict"] == "inconclusive" and "12 seeds with both in the same record" in tie["note"]
    neither = one(run, el.order(el.event("never", above=1), el.event("never", above=2), "a"), margin=0.1)
    assert neither["verdict"] == "inconclusive" and "12 seeds with neither" in neither["note"]


def test_an_event_needs_k_records_in_a_row():
    blip = np.tile([0, 9, 0, 0, 9, 9, 9.0], (2, 1))
    time = np.arange(7) * 10
    assert el.event("x", above=5).times(blip, time).tolist() == [10, 10]
    assert el.event("x", above=5, k=3).times(blip, time).tolist() == [40, 40]
    assert el.event("x", above=5, k=4).times(blip, time).tolist() == [np.inf, np.inf]


def test_diverged_seeds_are_left_out_and_counted():
    curves = noisy(3, 20)
    curves[4] = np.nan
    run = FakeRun({"a": {"x": curves}}, diverged={"a": {4: 20, 7: 30}})
    row = one(run, el.level("x", "a"))
    assert row["seeds"] == 18 and "2 of 20 seeds left out" in row["note"]
    assert row["by_seed"][4] is None and row["by_seed"][7] is None


def test_a_growing_run_is_judged_where_all_blocks_are():
    curve = np.tile(np.arange(5.0), (6, 1)) + noisy(0, 6, sd=0.01)
    curve[:, 3:] = np.nan
    row = one(FakeRun({"a": {"x": curve}}, status="interrupted", records=3), el.level("x", "a"))
    assert row["value"] == pytest.approx(2, abs=0.02) and "judged at step 20" in row["note"]
    with pytest.raises(el.UserError, match="nothing is recorded"):
        one(FakeRun({"a": {"x": curve}}, status="running", records=0), el.level("x", "a"))


def test_what_is_not_there_is_untested(run):
    assert "no condition 'absent'" in one(run, el.level("x", "absent"))["reason"]
    row = one(run, el.level("y", "high"))
    assert row["verdict"] == "untested" and "no observable 'y'" in row["reason"]

    def needs_more(d):
        return d["z"]

    assert one(run, el.level(needs_more, "high"))["verdict"] == "untested"


def test_many_claims_share_one_error_rate():
    """Twenty claims about nothing: Holm holds the chance of any false decision near 5 %, not 64 %."""
    false_alarms = 0
    for trial in range(30):
        rng = np.random.default_rng(trial)
        run = FakeRun({"a": {f"x{i}": flat(0.5 + rng.standard_normal(12)) for i in range(20)}})
        claims = [el.Claim(f"claim {i}", el.level(f"x{i}", "a"), ">", 0.5) for i in range(20)]
        rows = judge(run, claims)
        false_alarms += any(r["verdict"] != "inconclusive" for r in rows)
        assert all(r["p"] >= r["p_raw"] for r in rows)
    assert false_alarms <= 5  # of 30; with a rate of 5 % more would come once in 300 tries


@given(
    mean=st.floats(-3, 3),
    sd=st.floats(0.01, 3),
    n=st.integers(5, 40),
    direction=st.sampled_from("<>="),
    margin=st.floats(0.01, 2),
)
@settings(max_examples=60, deadline=None)
def test_verdicts_follow_from_the_interval(mean, sd, n, direction, margin):
    row = one(FakeRun({"a": {"x": noisy(mean, n, sd)}}), el.level("x", "a"), direction, margin)
    low, high = row["low"], row["high"]
    lies = {">": low > margin, "<": high < -margin, "=": -margin < low and high < margin}[direction]
    lies_not = {">": high < margin, "<": low > -margin, "=": low > margin or high < -margin}[direction]
    if row["verdict"] == "supported":
        assert lies
    elif row["verdict"] == "refuted":
        assert lies_not
    else:
        assert row["reason"]
    json.dumps(row, allow_nan=False)


def test_two_verdicts_may_be_on_record(run):
    def found(*expect):
        claim = el.Claim("c", el.contrast("x", "high", "low"), ">", 0.5, expect=expect)
        return unexpected(SimpleNamespace(claims=(claim,)), judge(run, [claim]))

    assert found("refuted", "supported") == found("supported") == []
    assert found("refuted", "inconclusive") == ["supported, expected refuted or inconclusive: c"]


def test_mirrored_claims_agree(run):
    up = one(run, el.contrast("x", "high", "low"), ">", 1.0)
    down = one(run, el.contrast("x", "low", "high"), "<", 1.0)
    assert up["verdict"] == down["verdict"] and up["p"] == pytest.approx(down["p"], rel=0.5)
    assert up["low"] == pytest.approx(-down["high"], abs=0.05)


@pytest.mark.parametrize("make, message", [
    (lambda: el.Claim("c", el.level("x", "a"), ">", 0.0), "margin must be a number > 0"),
    (lambda: el.Claim("c", el.level("x", "a"), "!", 1.0), "direction must be"),
    (lambda: el.Claim("c", el.level("x", "a"), ">", 1.0, expect="maybe"), "expect must be one or several of supported"),
    (lambda: el.Claim("c", el.level("x", "a"), ">", 1.0, expect=()), "expect must be one or several of supported"),
    (lambda: el.level("x", "a", at="last"), "at must be one of"),
    (lambda: el.level("x", "a", at=(0.5, 20.0)), "two shares of the run"),
    (lambda: el.pooled(np.mean, "x"), "name the conditions"),
    (lambda: el.proportion("x", "a"), "either above= or below="),
    (lambda: el.proportion("x", "a", above=1, of=2), r"of must be in \[0, 1\]"),
    (lambda: el.trend("x"), "either conditions="),
    (lambda: el.trend("x", condition="a", along="seed"), "along must be 'time'"),
    (lambda: el.event("x"), "either above= or below="),
    (lambda: el.event("x", above=1, k=0), "k must be >= 1"),
])  # fmt: skip
def test_a_wrong_claim_is_one_clear_line(make, message):
    with pytest.raises(el.UserError, match=message):
        make()
