"""change_points: the annotated series, planted changes, invariances, and inputs of every awkward kind."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab import figures
from emergelab.errors import UserError
from emergelab.instruments import calibrate, change_points
from emergelab.instruments._change_points_bayes import _evidence, change_probability, most_likely_changes, run_lengths
from emergelab.instruments._change_points_map import Records, fit_map, paths, restarts
from emergelab.instruments._change_points_pieces import clipped
from emergelab.instruments._change_points_scan import Search, any_change, features, scan
from emergelab.instruments._change_points_seeds import aligned, hills, odd_seeds
from emergelab.statistics import ar1_noise

from .degenerate import assert_defined, blocks


def curves(values, times=None, name="y"):
    """Wrap (seed, time) as labelled data."""
    values = np.asarray(values, dtype=float)
    clock = np.arange(values.shape[-1]) * 10.0 if times is None else times
    return xr.DataArray(values, dims=("seed", "time"), coords={"time": clock}, name=name)


def steps(rng, seeds=6, n=120, height=8.0, phi=0.5, place=None):
    """A step in AR(1) noise in every seed, by default at a place of its own."""
    at = rng.integers(40, 80, (seeds, 1)) if place is None else np.full((seeds, 1), place)
    return height * (np.arange(n) >= at) + ar1_noise((seeds, n), phi, rng), at[:, 0]


# ---------------------------------------------------------------------------------------- annotated series


@pytest.fixture(scope="module")
def annotated(shared_data: Path) -> Callable[[str], tuple[xr.Dataset, list[set[int]]]]:
    folder = shared_data / "tcpd_permissive"
    values, marks = pd.read_csv(folder / "series.csv"), pd.read_csv(folder / "annotations.csv")

    def one(name: str) -> tuple[xr.Dataset, list[set[int]]]:
        rows = values[values["dataset"] == name].pivot(index="index", columns="series", values="value")
        data = xr.Dataset({c: ("time", rows[c].to_numpy(dtype=float)) for c in rows}, {"time": rows.index.to_numpy()})
        own = marks[marks["dataset"] == name].groupby("annotator")["cp"]
        return data, [{0} | set(g.dropna().astype(int)) for _, g in own]

    return one


def hits(truth: set[int], found: set[int]) -> int:
    """Annotated changes within five records of a found one, each found one used once."""
    left, count = set(found), 0
    for t in sorted(truth):
        near = [x for x in left if abs(x - t) <= 5]
        if near:
            left.discard(min(near, key=lambda x: (abs(x - t), x)))
            count += 1
    return count


def f1(annotators: list[set[int]], found: list[int]) -> float:
    """The benchmark's F1: record 0 is a change for everyone, recall is averaged over annotators."""
    x = {0} | set(found)
    precision = hits(set().union(*annotators), x) / len(x)
    recall = float(np.mean([hits(t, x) / len(t) for t in annotators]))
    return 2 * precision * recall / (precision + recall)


def test_annotated_series(annotated, shared_data):
    base = pd.read_csv(shared_data / "tcpd_permissive" / "ruptures_baseline_f1.csv").set_index("dataset")
    score, found = {}, {}
    for name in base.index:
        data, marks = annotated(name)
        table = change_points(data, list(data.data_vars), draws=999).to_frame()
        found[name] = table["upto"].astype(int).tolist()
        score[name] = f1(marks, found[name])
        assert f1(marks, []) == pytest.approx(base.loc[name, "none"], abs=6e-4)
    mean = float(np.mean(list(score.values())))
    assert mean > 0.75 > base["pelt_rbf"].mean() > base["none"].mean()
    assert found["bank"] == found["quality_control_5"] == []
    assert len(found["quality_control_1"]) == 1 and abs(found["quality_control_1"][0] - 146) <= 5
    assert score["run_log"] >= 0.95 and score["well_log"] >= 0.95
    for t in (179, 255, 281, 311, 343, 402, 413, 422, 432):
        assert min(abs(t - x) for x in found["well_log"]) <= 5


def test_training_maps_of_ten_seeds(shared_data):
    table = pd.read_csv(shared_data / "polypythias_maps" / "training_maps.csv")
    data = table.set_index(["seed", "step"])["score"].to_xarray().rename(step="time")
    result = change_points(data, draws=299)
    rise = result.to_frame().query("upto == 3000")
    assert rise["after"].eq(1000).all() and len(rise) == 10 and rise["size"].gt(5).all()
    assert result.verdict == "aligned" and result.p <= 0.01
    assert (result.estimate.low, result.estimate.high) == (1000, 3000)
    fall = result.to_frame().query("size < 0")
    assert fall[["seed", "after", "upto"]].to_numpy().tolist() == [[4, 113000, 123000]]
    z = result.to_frame("seeds").set_index("seed")["distance_z"]
    assert z[3] == pytest.approx(12.0, abs=0.05) and z[4] == pytest.approx(32.7, abs=0.05)
    assert z.drop(index=[3, 4]).abs().max() < 1
    assert result.to_frame("seeds").query("odd")["seed"].tolist() == [3, 4]
    assert any("3 (z = 12.0), 4 (z = 32.7)" in w for w in result.warnings)
    assert len(figures.png(result.plot())) > 20_000
    # the map: every seed takes the same path, but for the two that the source calls outliers
    for how, states in (("bic", 4), ("held-out", 6)):
        drawn = change_points(data, draws=99, states=how)
        assert drawn.to_frame("map_states")["state"].nunique() == states
        assert drawn.to_frame("map_seeds").query("odd")["seed"].tolist() == [3, 4]
    rise = drawn.to_frame("map_steps").query("before == 1 and later == 2").iloc[0]
    assert rise[["seeds", "after", "upto"]].tolist() == [10, 1000, 3000]


def test_lambada_leaves_chance_in_one_gap_and_loss_has_no_step(pythia):
    data = pythia("lambada_openai")
    table = change_points(data, "acc", transform="logit", draws=199).to_frame()
    assert table["after"].eq(512).all() and table["upto"].eq(1000).all() and len(table) == 8
    # on the scale of the accuracy itself the larger change is one record later
    assert change_points(data, "acc", draws=199).to_frame()["upto"].eq(3000).all()
    loss = change_points(data.assign(nll=np.log(data["ppl"])), "nll", draws=199).to_frame()
    assert loss["shape"].eq("logistic").all() and loss["step_bic"].lt(0).all() and len(loss) == 8


def test_hearts_change_their_spread_where_the_period_doubles(shared_data):
    folder = shared_data / "chick_heart"
    table, truth = pd.read_csv(folder / "ibi.csv"), pd.read_csv(folder / "transitions.csv")

    def hearts(kind):
        rows = table[table["type"] == kind].set_index(["tsid", "beat"])["ibi_s"]
        return rows.to_xarray().rename(tsid="seed", beat="time")

    one = change_points(hearts("pd"), cost="variance", count=1, draws=99).to_frame().set_index("seed")["upto"]
    near = (one - truth.set_index("tsid")["transition"]).abs() <= 40
    assert near.sum() >= 18
    neutral = change_points(hearts("neutral"), cost="variance", draws=299)
    assert neutral.verdict == "no change"


# ------------------------------------------------------------------------------------------ planted changes


def test_planted_steps_are_located():
    values, at = steps(np.random.default_rng(0))
    result = change_points(curves(values), draws=299)
    table = result.to_frame()
    first = table.loc[table.groupby("seed")["size"].apply(lambda s: s.abs().idxmax())]
    assert len(first) == 6 and (np.abs(first["upto"].to_numpy() - 10.0 * at) <= 20).all()
    assert ((first["after_low"] <= 10.0 * at) & (first["upto_high"] >= 10.0 * at)).sum() >= 5
    assert first["size"].between(4, 14).all() and first["shape"].isin(["step", "logistic"]).all()
    assert result.verdict in ("scattered", "aligned") and result.effect.value > 4


def test_shared_steps_line_up_and_apart_they_do_not():
    rng = np.random.default_rng(1)
    together = change_points(curves(steps(rng, 8, place=60)[0]), draws=299)
    assert together.verdict == "aligned" and together.null.name == "circular shifts of the seeds"
    assert together.estimate.low <= 600 <= together.estimate.high
    row = together.to_frame("consensus").iloc[0]
    assert row["seeds"] == 8 and row["share_low"] == pytest.approx(0.05 ** (1 / 8) * 0.917, abs=0.01)
    spread = np.linspace(15, 105, 8).astype(int)[:, None]
    apart = 8.0 * (np.arange(120) >= spread) + ar1_noise((8, 120), 0.5, rng)
    assert change_points(curves(apart), draws=299).verdict == "scattered"


@pytest.mark.parametrize(
    ("cost", "sign"), [("slope", 1), ("variance", 1), ("normal", 1), ("distribution", 1), ("autocorrelation", -1)]
)
def test_other_kinds_of_change_are_found(cost, sign):
    rng = np.random.default_rng(2)
    x, n = np.arange(200), 200
    noise = ar1_noise((4, n), 0.3, rng)
    if cost == "slope":
        values = noise + 0.25 * np.maximum(x - 100, 0)
    elif cost == "autocorrelation":
        values = np.where(x < 100, ar1_noise((4, n), 0.7, rng), ar1_noise((4, n), -0.7, rng))
    else:
        values = noise * np.where(x < 100, 1.0, 5.0)
    table = change_points(curves(values, x.astype(float)), cost=cost, draws=199).to_frame()
    best = table.loc[table.groupby("seed")["p"].idxmin()]
    assert len(best) >= 3 and best["upto"].sub(100).abs().le(25).sum() >= 3
    assert (sign * best["size"]).gt(0).sum() >= 3  # a distribution's size has no sign and counts as positive


def test_joint_changes_of_two_observables_and_their_order():
    rng = np.random.default_rng(3)
    early, late = (8.0 * (np.arange(120) >= p) + ar1_noise((6, 120), 0.4, rng) for p in (40, 80))
    data = xr.Dataset({"early": curves(early), "late": curves(late)})
    joint = change_points(data, ["early", "late"], draws=199)
    shared = joint.to_frame("consensus")
    assert (shared["seeds"] == 6).sum() == 2 and set(joint.to_frame()["channel"]) == {"early", "late"}
    order = change_points(data, "late", companion="early", draws=199).to_frame("order").iloc[0]
    assert (order["companion_first"], order["companion_last"]) == (6, 0)
    assert order["p"] == pytest.approx(2 / 2**6) and order["median_lead"] == pytest.approx(400, abs=20)
    assert joint.plot() is not None


def test_known_numbers_of_changes():
    values = steps(np.random.default_rng(4), 3, place=60)[0]
    for count in (1, "penalty", "bayes"):
        result = change_points(curves(values), count=count, draws=99)
        assert result.to_frame().groupby("seed").size().ge(1).all()
        assert any("not tested" in w for w in result.warnings)
        assert result.to_frame()["upto"].sub(600).abs().min() <= 10
    assert change_points(curves(values), count="bayes", draws=99).diagnostics["posterior"].max() > 0.5


def test_known_noise_and_transforms():
    rng = np.random.default_rng(5)
    values, _ = steps(rng, 4, place=60)
    assert (change_points(curves(values), stderr=1.0, draws=199).to_frame("seeds")["changes"] > 0).all()
    for transform in ("rank", "log"):
        table = change_points(curves(np.exp(values / 4)), transform=transform, draws=199).to_frame()
        assert table["upto"].sub(600).abs().le(20).sum() >= 4
    assert change_points(curves(values), min_size=100.0, draws=99).params["records_a_piece"] == 10


def test_ranks_are_deaf_to_wild_values():
    rng = np.random.default_rng(20)
    values = 3.0 * (np.arange(120) >= 60) + rng.standard_t(1.2, (4, 120))
    table = change_points(curves(values), cost="rank", clip=None, draws=299).to_frame()
    assert len(table) >= 3 and table["upto"].sub(600).abs().le(30).all() and table["size"].gt(1).all()
    assert len(change_points(curves(values), clip=None, draws=299).to_frame()) <= 1


def test_a_changed_coefficient_is_found_and_its_sum_told():
    rng = np.random.default_rng(21)
    values = np.concatenate([ar1_noise((4, 200), 0.0, rng), ar1_noise((4, 200), 0.9, rng)], axis=1)
    table = change_points(curves(values), cost="ar", lags=2, draws=199).to_frame()
    assert table["seed"].nunique() == 4 and (table.groupby("seed")["upto"].first() - 2000).abs().median() <= 200
    assert (table["later"] > table["before"]).mean() > 0.7
    # a spread that changes is none of its business
    louder = rng.standard_normal((4, 400)) * np.where(np.arange(400) < 200, 1.0, 3.0)
    assert len(change_points(curves(louder), cost="ar", draws=199).to_frame()) <= 1


def test_known_noise_of_single_records():
    """Records that are known to be bad make no change, whatever they say."""
    rng = np.random.default_rng(22)
    values = rng.standard_normal((5, 100))
    values[:, 60:75] += 6.0
    bad = np.where((np.arange(100) >= 60) & (np.arange(100) < 75), 8.0, 0.0)
    error = xr.DataArray(bad, dims="time", coords={"time": np.arange(100) * 10.0})
    found = change_points(curves(values), draws=199).to_frame("seeds")["p"]
    told = change_points(curves(values), stderr=error, draws=199).to_frame("seeds")["p"]
    assert found.median() < told.median()
    by_name = change_points(curves(values), stderr={"y": error}, draws=199).to_frame("seeds")["p"]
    assert by_name.equals(told)


# ---------------------------------------------------------------------------------------------- training maps


def regimes(rng, seeds=6, n=90, phi=0.3, height=5.0):
    """Three regimes of three observables; every seed changes at its own times."""
    cut = rng.uniform((0.2, 0.55), (0.45, 0.8), (seeds, 2)) * n
    state = (np.arange(n)[None, :, None] >= cut[:, None]).sum(axis=-1)
    level = height * np.array([[0.0, 0.0, 0.0], [0.3, 1.0, 0.0], [1.5, 1.0, 0.2]])
    values = level[state] + ar1_noise((seeds, 3, n), phi, rng).transpose(0, 2, 1)
    names = ("loss", "norm", "rank")
    variables = {name: (("seed", "time"), values[..., i]) for i, name in enumerate(names)}
    return xr.Dataset(variables, coords={"time": np.arange(n) * 10.0}), state


def test_a_planted_map_is_drawn_with_what_drives_it():
    data, state = regimes(np.random.default_rng(23))
    for how in ("bic", 3):
        result = change_points(data, ["loss", "norm", "rank"], states=how, draws=99)
        assert (result.diagnostics["state"].values[0] == state).mean() > 0.97
        steps = result.to_frame("map_steps")
        assert steps[["before", "later", "seeds", "of"]].to_numpy().tolist() == [[0, 1, 6, 6], [1, 2, 6, 6]]
        assert steps["driver"].tolist() == ["norm", "loss"] and steps["shift"].gt(3).all()
        assert result.to_frame("map_seeds")["path"].eq("0 > 1 > 2").all()
        assert not result.to_frame("map_seeds")["odd"].any()
    parts = result.to_frame("map_drivers").groupby(["before", "later"])["part"].sum()
    assert parts.to_numpy() == pytest.approx(1.0)
    mean = result.to_frame("map_states").query("observable == 'loss'")["mean"].to_numpy()
    assert mean == pytest.approx([0.0, 1.5, 7.5], abs=0.4)
    assert "training map of 3 states" in result.words and len(figures.png(result.plot())) > 20_000


def test_held_out_seeds_choose_too_and_an_odd_path_is_named():
    rng = np.random.default_rng(24)
    data, state = regimes(rng, seeds=7, phi=0.0)
    loss = data["loss"].values
    # one seed falls back at the end
    for name in ("loss", "norm", "rank"):
        data[name][6, 78:] = data[name].values[6, :12]
    result = change_points(data, ["loss", "norm", "rank"], states="held-out", draws=99)
    sizes = result.to_frame("map_sizes").set_index("states")
    assert sizes["held_out"].idxmax() >= 3 and sizes["held_out"].notna().all()
    seeds = result.to_frame("map_seeds").set_index("seed")
    assert seeds.loc[6, "odd"] and seeds.loc[6, "rare_steps"] == 1 and not seeds.drop(index=6)["odd"].any()
    assert "unlike the others': 6" in result.words and loss.shape == state.shape


def test_where_no_seed_changes_there_is_no_map():
    noise = ar1_noise((6, 80), 0.9, np.random.default_rng(25))
    result = change_points(curves(noise), states="bic", draws=199)
    assert result.verdict == "no change" and len(result.to_frame("map_steps")) == 0
    assert "No training map" in result.words and np.isnan(result.diagnostics["state"].values).all()
    # in a seed that is not shown to change the map claims nothing either
    mixed = np.concatenate([steps(np.random.default_rng(0), 3, n=80, place=40)[0], noise[:3]])
    one = change_points(curves(mixed), states=2, draws=199)
    told = one.to_frame("map_seeds")["path"].tolist()
    assert told[:3] == ["0 > 1"] * 3 and set(told[3:]) == {"not tested to change"}


def test_map_agrees_with_hmmlearn():
    hmm = pytest.importorskip("hmmlearn.hmm")
    rng = np.random.default_rng(26)
    data, _ = regimes(rng, seeds=4, n=60)
    y = np.stack([data[v].values for v in data], axis=-1)
    y = (y - y.mean(axis=(0, 1))) / y.std(axis=(0, 1))
    records = Records(y, np.ones(y.shape, dtype=bool), np.zeros(y.shape))
    ours = fit_map(records, restarts(records, 3, 4, rng), np.ones((4, 4)))
    ours = ours.some(np.array([ours.ll.sum(axis=1).argmax()]))
    peer = hmm.GaussianHMM(3, covariance_type="diag")
    peer.startprob_, peer.transmat_, peer.means_ = ours.start[0], ours.step[0], ours.mean[0]
    peer.n_features, peer.covars_ = 3, ours.var[0]
    flat, lengths = y.reshape(-1, 3), [60] * 4
    assert ours.ll.sum() == pytest.approx(peer.score(flat, lengths), rel=1e-9)
    assert paths(records, ours).ravel().tolist() == peer.predict(flat, lengths).tolist()
    free = hmm.GaussianHMM(3, covariance_type="diag", n_iter=100, random_state=0).fit(flat, lengths)
    assert ours.ll.sum() >= free.score(flat, lengths) - 0.5  # as good an optimum as theirs


def test_known_noise_is_taken_out_of_the_spread_of_a_state():
    rng = np.random.default_rng(27)
    noise = np.where(rng.random((10, 200, 1)) < 0.5, 1.0, 0.01)
    y = 0.5 * rng.standard_normal((10, 200, 1)) + np.sqrt(noise) * rng.standard_normal((10, 200, 1))
    seen = rng.random(y.shape) < 0.9
    records = Records(np.where(seen, y, 0.0), seen, noise)
    one = fit_map(records, restarts(records, 1, 1, rng), np.ones((1, 10)), rounds=200)
    assert one.var.item() == pytest.approx(0.25, abs=0.04) and one.mean.item() == pytest.approx(0.0, abs=0.06)


# ---------------------------------------------------------------------------------------- the parts, checked


def test_best_segmentation_is_that_of_dynamic_programming():
    ruptures = pytest.importorskip("ruptures")
    values = steps(np.random.default_rng(6), 1, n=80, place=30)[0]
    values[:, 55:] -= 5.0
    found = change_points(curves(values, np.arange(80.0)), count=2, clip=None, draws=99).to_frame()["upto"].tolist()
    peer = ruptures.Dynp(model="l2", jump=1, min_size=5).fit(values[0]).predict(n_bkps=2)[:-1]
    assert found == peer


def test_scan_is_the_naive_one():
    rng = np.random.default_rng(7)
    f = rng.standard_normal((2, 1, 41)).cumsum(axis=2)
    value, place = scan(f, 5, np.array([0.7]))

    def naive(row, t, a, b):
        left, right = row[a:t], row[t:b]
        within = ((left - left.mean()) ** 2).sum() + ((right - right.mean()) ** 2).sum()
        k = len(left) * len(right) / (b - a)
        return (left.mean() - right.mean()) ** 2 * k / ((within + 4 * 0.49) / (b - a - 2 + 4))

    for r, row in enumerate(f[:, 0]):
        for s, h in enumerate((5, 10, 20)):
            grid = range(h, 41 - h + 1, max(1, h // 4))
            best = max(grid, key=lambda t, row=row, h=h: naive(row, t, t - h, t + h))
            assert place[r, s] == best and value[r, s] == pytest.approx(np.log(naive(row, best, best - h, best + h)))
        best = max(range(5, 37), key=lambda t, row=row: naive(row, t, 0, 41))
        assert place[r, 3] == best and value[r, 3] == pytest.approx(np.log(naive(row, best, 0, 41)))


def test_features():
    u, y = np.linspace(0, 3, 50), np.linspace(1, 7, 50)[None, None]
    assert features(y, u, "slope", 4) == pytest.approx(2.0)
    assert features(y, u, "mean", 4) is y and features(y, u, "normal", 4).shape == (1, 2, 50)
    assert np.abs(features(y, u, "variance", 4)[..., 5:-5]).max() < 1e-12
    assert features(y, u, "distribution", 4).shape == (1, 6, 50)


def test_p_is_no_smaller_than_it_should_be():
    """White noise: p at or below 0.1 in at most a tenth of the records, and three standard errors."""
    rng = np.random.default_rng(8)
    search, u = Search("mean", 5, "trend+ar1", 99), np.arange(80.0)
    p = [any_change(rng.standard_normal((1, 80)), u, search, rng).p for _ in range(60)]
    assert np.mean(np.array(p) <= 0.1) <= 0.1 + 3 * np.sqrt(0.09 / 60)


def test_bayesian_places_add_up():
    """The exact recursion against every segmentation of a short record, one by one."""
    rng = np.random.default_rng(9)
    y = np.concatenate([rng.standard_normal(4), 4 + rng.standard_normal(5)])[None]
    evidence, h = _evidence(y, 1), 0.1
    weight, marginal = [], np.zeros(9)
    for cut in itertools.product([False, True], repeat=8):
        ends = [0, *[t + 1 for t in range(8) if cut[t]], 9]
        log = sum(evidence[a, b] for a, b in itertools.pairwise(ends))
        w = np.exp(log) * h ** sum(cut) * (1 - h) ** (8 - sum(cut))
        weight.append((w, ends[1:-1]))
        marginal[1:][list(cut)] += w
    total = sum(w for w, _ in weight)
    assert change_probability(y, h) == pytest.approx(marginal / total, abs=1e-9)
    assert most_likely_changes(y, h, 1) == max(weight)[1]
    runs = run_lengths(y[0], h)
    assert runs.sum(axis=1) == pytest.approx(1.0) and np.all(np.triu(runs, 1) == 0)


def test_small_parts():
    y = np.zeros(60) + 0.1 * np.sin(np.arange(60) * 1.7)
    y[30] = 50.0
    cut, number = clipped(y, 5, 5.0)
    assert number == 1 and cut[30] < 2 and np.delete(cut, 30) == pytest.approx(np.delete(y, 30))
    assert hills(np.array([1.0, 1.1, 9.0]), np.full(3, 0.2), 10.0).tolist() == [0, 0, 1]
    assert len(hills(np.empty(0), np.empty(0), 1.0)) == 0
    assert np.isnan(odd_seeds(np.ones((3, 5)))).all() and np.isnan(odd_seeds(np.ones((8, 5)))).all()
    assert np.isnan(aligned([], [], 50, 3, 99, np.random.default_rng(0))[0])


# ----------------------------------------------------------------------------------------------- invariances


def test_invariances():
    data = curves(steps(np.random.default_rng(10), 8, n=120, place=60, height=9.0)[0])
    plain = change_points(data, draws=99)
    assert plain.verdict == "aligned"
    scaled = change_points(1000.0 * data - 7.0, draws=99)
    assert scaled.verdict == plain.verdict and scaled.to_frame()["upto"].equals(plain.to_frame()["upto"])
    slower = change_points(data.assign_coords(time=data["time"] * 60.0), draws=99)
    assert slower.to_frame()["upto"].to_numpy() == pytest.approx(60 * plain.to_frame()["upto"].to_numpy())
    assert change_points(data.isel(seed=slice(None, None, -1)), draws=99).verdict == plain.verdict
    thin = change_points(data.isel(time=slice(None, None, 2)), draws=99)
    assert thin.verdict == plain.verdict and thin.estimate.value == pytest.approx(plain.estimate.value, abs=20)
    shuffled = data.isel(time=np.random.default_rng(0).permutation(120))
    assert change_points(shuffled, draws=99).to_frame().equals(plain.to_frame())


# ---------------------------------------------------------------------------------------- awkward inputs

calls = st.sampled_from(
    [
        {},
        {"count": 2},
        {"count": "bayes"},
        {"count": "penalty", "cost": "slope"},
        {"cost": "normal", "clip": None},
        {"cost": "distribution", "count": 1},
        {"cost": "autocorrelation", "axis": "log", "count": 1},
        {"transform": "rank", "null": "iaaft"},
        {"min_size": 3.0, "stderr": 0.1, "cost": "rank"},
        {"cost": "ar", "count": 1, "lags": 3},
        {"states": 2, "count": 1},
        {"states": "held-out"},
    ]
)


@settings(deadline=None, max_examples=20)
@given(blocks(), calls)
def test_every_input_gets_a_defined_answer(data, call):
    result = change_points(data, draws=99, **call)
    assert_defined(result)
    assert result.verdict in ("no change", "aligned", "scattered", "in some seeds", "changes", "untested")


@pytest.mark.parametrize("values", [np.ones((5, 40)), np.zeros((5, 40)), np.full((5, 40), np.nan), np.ones((5, 2))])
def test_nothing_changes_where_nothing_can(values):
    result = change_points(curves(values), draws=99)
    assert result.verdict in ("no change", "untested") and len(result.to_frame()) == 0
    assert np.isnan(result.estimate.value) and result.plot() is not None


def test_one_run_and_two_conditions():
    values = steps(np.random.default_rng(11), 5, place=60)[0]
    one = change_points(curves(values)[0], draws=199)
    assert one.verdict == "changes" and one.n_seeds == 1 and "within one run" in one.estimate.method
    assert one.estimate.low <= one.estimate.value <= one.estimate.high and one.plot() is not None
    flat = np.random.default_rng(0).standard_normal((5, 120))
    both = xr.concat([curves(values), curves(flat)], "condition").assign_coords(condition=["a", "b"])
    two = change_points(both, draws=199)
    assert two.verdict == "differs by condition" and "not tested here" in two.words and two.plot() is not None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: change_points(d.values), "name the dims"),
        (lambda d: change_points(d, cost="means"), "did you mean 'mean'"),
        (lambda d: change_points(d, null="trend+ar2"), "no null"),
        (lambda d: change_points(d, transform="sqrt"), "no transform"),
        (lambda d: change_points(d, transform="log"), "negative"),
        (lambda d: change_points(d, transform="logit"), r"\[0, 1\]"),
        (lambda d: change_points(d, transform="rank", stderr=1.0), "stderr"),
        (lambda d: change_points(d, axis="step"), "axis must be"),
        (lambda d: change_points(d, count=0), "at least 1"),
        (lambda d: change_points(d, count="all"), "count must be"),
        (lambda d: change_points(d, clip=1.0), "clip"),
        (lambda d: change_points(d, hazard=0.0), "hazard"),
        (lambda d: change_points(d, draws=10), "at least 99"),
        (lambda d: change_points(d, min_size=0.0), "above 0"),
        (lambda d: change_points(d, []), "empty list"),
        (lambda d: change_points(d, states="aic"), "states must be"),
        (lambda d: change_points(d, states=0), "states must be"),
        (lambda d: change_points(d, lags=0), "lags"),
        (lambda d: change_points(d, stderr={"x": 1.0}), "not in var"),
        (lambda d: change_points(d, along="step"), "no dim 'step'"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    with pytest.raises(UserError, match=message) as caught:
        call(curves(np.random.default_rng(12).standard_normal((4, 30))))
    assert "\n" not in str(caught.value)


# -------------------------------------------------------------------------------------- calibration and cost


@pytest.mark.parametrize("scene", ["white", "ar1", "trend", "heteroscedastic"])
def test_silent_on_noise(scene):
    rate = calibrate("change_points", scene, draws=12, seeds=(5,), steps=60).table["rate"]
    assert (rate <= 0.08 + 3 * np.sqrt(0.08 * 0.92 / 12)).all()


def test_cost():
    """Two seconds are wanted for twenty seeds of a thousand steps; a tenth of that here, and much slack."""
    values = steps(np.random.default_rng(13), 4, n=500, height=3.0)[0]
    start = time.process_time()
    change_points(curves(values), draws=999)
    assert time.process_time() - start < 15.0
