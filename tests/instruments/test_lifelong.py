"""lifelong: the published report, the reference implementation, identities of R, planted lifetimes, awkward inputs."""

import json
import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab import figures
from emergelab.errors import UserError
from emergelab.instruments import calibrate, lifelong
from emergelab.instruments._lifelong_metrics import _saturation

from .degenerate import assert_defined

REPORT = {
    "PR": "perf_recovery",
    "train": "avg_train_perf",
    "test": "avg_eval_perf",
    "PM": "perf_maintenance_mrlep",
    "FT": "forward_transfer_ratio",
    "BT": "backward_transfer_ratio",
    "RP": "ste_rel_perf",
    "SE": "sample_efficiency",
}
FEW = {"draws": 999}


def log_of(rng, lifetimes=12, tasks="abc", rounds=3, learn=30, loss=0.0, gain=0.0, noise=3.0, orders=None):
    """Lifetimes and their own experts: tasks rise from 20 to 80 by learning, old ones lose ``loss`` points at every
    other learning, tasks not yet learned win ``gain``."""
    log, experts = [], []
    for seed in range(lifetimes):
        order = list(orders[seed % len(orders)]) if orders else list(rng.permutation(list(tasks)))
        level = dict.fromkeys(tasks, 20.0)
        met = set()

        def add(block, kind, task, values, seed=seed):
            noisy = np.asarray(values) + noise * rng.standard_normal(len(values))
            log.extend((seed, block, kind, task, i, v) for i, v in enumerate(noisy))

        for t in tasks:
            add(0, "test", t, np.full(6, level[t]))
        for k, task in enumerate(order * rounds):
            rise = 1 - np.exp(-np.arange(learn) / 5)
            add(2 * k + 1, "train", task, level[task] + (80 - level[task]) * rise)
            met.add(task)
            for t in tasks:
                level[t] = 80.0 if t == task else level[t] - loss if t in met else level[t] + gain
                add(2 * k + 2, "test", t, np.full(6, level[t]))
        for t in tasks:
            n = learn * rounds
            curve = np.where(np.arange(n) < learn, 20 + 60 * (1 - np.exp(-np.arange(n) / 5)), 80.0)
            experts.extend((seed, t, i, v) for i, v in enumerate(curve + noise * rng.standard_normal(n)))
    names = ["seed", "block", "block_type", "task", "experience", "performance"]
    return pd.DataFrame(log, columns=names), pd.DataFrame(
        experts, columns=["seed", "task", "experience", "performance"]
    )


def matrix(values, **coords):
    """R as labelled data, dims ([condition,] seed, stage, task)."""
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, dims=("condition", "seed", "stage", "task")[-values.ndim :], coords=coords, name="acc")


# ---------------------------------------------------------------------------------------- the published report


@pytest.fixture(scope="module")
def published(shared_data):
    folder = shared_data / "l2metrics_multitask"
    tables = [pd.read_csv(folder / name) for name in ("lifetime_log.csv", "single_task_experts.csv")]
    return (*tables, json.loads((folder / "expected_metrics.json").read_text()), folder)


def test_published_report(published):
    log, experts, report, folder = published
    result = lifelong(log, experts=experts)
    row = result.to_frame("lifetimes").iloc[0]
    for ours, theirs in REPORT.items():
        assert row[ours] == pytest.approx(report[theirs], abs=1e-8), ours
    assert row["order"] == "task1_1 > task2_1 > task3_1 (4 times)"
    tasks = result.to_frame("tasks").set_index("task")
    for name, found in report["task_metrics"].items():
        for ours, theirs in REPORT.items():
            if ours not in ("FT", "BT"):
                assert tasks.loc[name, ours] == pytest.approx(found[theirs], abs=1e-8), (name, ours)
        assert tasks.loc[name, "saturation"] == pytest.approx(found["se_task_saturation"], abs=1e-8)
        assert tasks.loc[name, "experiences_to_saturation"] == found["se_task_exp_to_sat"]
        assert tasks.loc[name, "recovery_times"] == ", ".join(f"{v:g}" for v in found["recovery_times"])
    pairs = result.to_frame("pairs").set_index(["direction", "from", "to"])["ratio"]
    for direction in ("forward", "backward"):
        for source, targets in ((t, m[f"{direction}_transfer_ratio"]) for t, m in report["task_metrics"].items()):
            for target, ratios in targets.items():
                found = np.atleast_1d(pairs.loc[(direction, source, target)])
                assert found == pytest.approx(ratios, abs=1e-8)
    regimes = pd.read_csv(folder / "expected_regimes.tsv", sep="\t")
    after = regimes[(regimes["block_type"] == "test") & (regimes["block_num"] > 0)]
    expected = after.pivot(index="block_num", columns="task_name", values="term_perf").to_numpy()
    assert result.diagnostics["R"].values[0, 0, :11] == pytest.approx(expected, abs=1e-8)
    # one lifetime decides nothing, and exploding ratios are named
    assert result.verdict == "inconclusive" and not result.estimate.claimed
    assert any("within one run" in w for w in result.warnings) and any("explode" in w for w in result.warnings)


def test_invariances(published):
    log, experts, *_ = published
    plain = lifelong(log, experts=experts).to_frame("lifetimes")
    moved = log.assign(performance=7 - 3.0 * -log["performance"], exp_num=log["exp_num"] * 1000)
    held = experts.assign(performance=7 - 3.0 * -experts["performance"])
    for other, with_ in ((moved, held), (log.sample(frac=1, random_state=0), experts.sample(frac=1, random_state=1))):
        again = lifelong(other, experts=with_).to_frame("lifetimes")
        pd.testing.assert_frame_equal(again, plain, rtol=1e-9)
    for scale in ("lifetime", "task"):  # one lifetime: the same by definition
        pd.testing.assert_frame_equal(lifelong(log, experts=experts, scale=scale).to_frame("lifetimes"), plain)
    # the known range of 0 to 100 as in the generator
    known = lifelong(log, experts=experts, ranges=dict.fromkeys(log["task_name"].unique(), (0.0, 100.0)))
    assert known.to_frame("lifetimes")["PR"].item() == plain["PR"].item()


@pytest.mark.parametrize(
    "options", [{}, {"aggregation_method": "median", "clamp_outliers": True}], ids=["plain", "clamp"]
)
def test_reference_implementation(options, tmp_path, monkeypatch):
    """The package of the authors, on lifetimes that forget, with two experts a task."""
    monkeypatch.setenv("L2DATA", str(tmp_path))
    monkeypatch.setattr(np, "NaN", np.nan, raising=False)  # it was written for numpy 1
    pytest.importorskip("l2metrics", reason="l2metrics, which brings a notebook with it, is not installed")
    from l2metrics.report import MetricsReport

    rng = np.random.default_rng(3)
    log, experts = log_of(rng, lifetimes=2, loss=8.0, gain=5.0)
    rename = {"block": "block_num", "task": "task_name", "experience": "exp_num"}
    log["task"], experts["task"] = log["task"] + "_1", experts["task"] + "_1"
    one = log[log["seed"] == 0].rename(columns=rename)
    one["exp_num"] = np.arange(len(one))
    one = one.assign(block_subtype="wake", worker_id="w", task_params="{}", exp_status="complete")
    one["timestamp"] = "20200101T000000.0"
    folder = tmp_path / "logs" / "life"
    (folder / "worker").mkdir(parents=True)
    one.drop(columns="seed").to_csv(folder / "worker" / "data-log.tsv", sep="\t", index=False)
    (folder / "logger_info.json").write_text(json.dumps({"metrics_columns": ["performance"]}))
    kind = {"complexity": "1-low", "difficulty": "1-easy", "scenario_type": "custom"}
    (folder / "scenario_info.json").write_text(json.dumps(kind))
    (tmp_path / "taskinfo").mkdir()
    for name, rows in experts.groupby("task"):
        runs = []
        for _, run in rows.groupby("seed"):
            run = run.rename(columns=rename).assign(block_type="train", block_subtype="wake", block_num=0)
            runs.append(run.assign(regime_num=0).reset_index(drop=True))
        pd.to_pickle(runs, tmp_path / "taskinfo" / f"{name}.pickle")
    theirs = MetricsReport(log_dir=folder, perf_measure="performance", **options)
    theirs.calculate()
    expected = theirs.lifetime_metrics_df.iloc[0]
    ours = {"aggregate": options.get("aggregation_method", "mean"), "clamp": options.get("clamp_outliers", False)}
    for data in (one.drop(columns="seed"), folder):
        row = lifelong(data, experts=experts, **ours).to_frame("lifetimes").iloc[0]
        for mine, name in REPORT.items():
            assert row[mine] == pytest.approx(float(expected[name]), abs=1e-8), mine


# --------------------------------------------------------------------------------------------- identities of R


def test_independent_tasks_neither_help_nor_hurt():
    stage, task = np.arange(6)[:, None], np.arange(6)
    r = np.broadcast_to(np.where(stage >= task, 0.9, 0.1), (12, 6, 6))
    result = lifelong(matrix(r), baseline=0.1, reference=0.9)
    row = result.to_frame("lifetimes").iloc[0]
    assert (row["BWT"], row["FWT"], row["forgetting"], row["intransigence"]) == pytest.approx((0, 0, 0, 0))
    assert row["ACC"] == row["LA"] == pytest.approx(0.9) and row["plasticity"] == pytest.approx(0.8)
    assert row["anytime"] == pytest.approx(0.9)
    assert lifelong(matrix(r), baseline=0.1, margin=0.05).verdict == "keeps"
    assert lifelong(matrix(r), baseline=0.1).verdict == "inconclusive"


def test_overwritten_head_and_rehearsal():
    """One head: BWT is minus what was above chance. All data rehearsed: nothing is forgotten."""
    rng = np.random.default_rng(0)
    own = rng.uniform(0.6, 0.9, (15, 5))
    overwritten = np.where(np.eye(5, dtype=bool), own[:, None, :], 0.2)
    result = lifelong(matrix(overwritten), baseline=0.2)
    rows = result.to_frame("lifetimes")
    assert rows["BWT"].to_numpy() == pytest.approx(-(own[:, :-1] - 0.2).mean(axis=1))
    assert rows["forgetting"].to_numpy() == pytest.approx(-rows["BWT"].to_numpy())
    assert result.verdict == "forgets" and result.estimate.high < 0
    rehearsed = np.where(np.tri(5, dtype=bool), own[:, None, :], 0.2)
    assert lifelong(matrix(rehearsed)).to_frame("lifetimes")["forgetting"].abs().max() < 1e-12
    both = matrix(np.stack([overwritten, rehearsed]), condition=["naive", "rehearsal"])
    assert lifelong(both, baseline=0.2, **FEW).verdict == "worse"
    assert lifelong(both, baseline=0.2, paired=True, **FEW).verdict == "worse"
    assert lifelong(both[::-1], baseline=0.2, **FEW).verdict == "better"
    assert lifelong(matrix(np.stack([rehearsed] * 3), condition=list("abc")), **FEW).verdict == "inconclusive"


def test_order_and_records_inside_stages():
    order = ["c", "a", "b"]
    r = matrix([[[0, 0, 9], [8, 1, 7], [5, 6, 4]]], task=list("abc"))
    row = lifelong(r, trained=order).to_frame("lifetimes").iloc[0]
    assert row["BWT"] == pytest.approx(((4 - 9) + (5 - 8)) / 2) and row["ACC"] == pytest.approx(5)
    assert row["LA"] == pytest.approx((9 + 8 + 6) / 3) and row["order"] == "c > a > b"
    by_label = r.assign_coords(stage=order)
    assert lifelong(by_label).to_frame("lifetimes")["BWT"].item() == row["BWT"]
    # a record before the first learning is the baseline
    before = matrix([[[1, 2, 3], [0, 0, 9], [8, 1, 7], [5, 6, 4]]], task=list("abc"), stage=["start", *order])
    found = lifelong(before).to_frame("lifetimes").iloc[0]
    assert found["FWT"] == pytest.approx(((0 - 1) + (1 - 2)) / 2) and found["BWT"] == row["BWT"]
    # several records a stage: ends count for R, the fall inside for the stability gap
    fine = matrix([[[0, 0, 5], [0, 0, 9], [2, 0, 3], [8, 1, 7]]], task=list("abc"))
    found = lifelong(fine, trained=["c", "c", "a", "a"]).to_frame("lifetimes").iloc[0]
    assert found["BWT"] == pytest.approx(7 - 9) and found["gap"] == pytest.approx(9 - 3)
    # a task that returns is judged at its last stage
    again = matrix([[[9, 0], [4, 9], [8, 5], [6, 9]]], task=["a", "b"])
    found = lifelong(again, trained=["a", "b", "a", "b"]).to_frame("lifetimes").iloc[0]
    assert found["BWT"] == pytest.approx(6 - 8) and found["forgetting"] == pytest.approx(9 - 6)


# ------------------------------------------------------------------------------------------- planted lifetimes


def test_planted_log():
    rng = np.random.default_rng(1)
    still, experts = log_of(rng)
    calm = lifelong(still, experts=experts, margin=5.0, **FEW)
    assert calm.verdict == "keeps" and calm.n_seeds == 12
    table = calm.to_frame("metrics").set_index("metric")
    assert (table.loc[["PM", "FT", "BT", "RP", "PR"], "p_holm"] > 0.05).all()
    losing, others = log_of(rng, loss=6.0, gain=6.0)
    result = lifelong(losing, experts=others, **FEW)
    table = result.to_frame("metrics").set_index("metric")
    assert result.verdict == "forgets" and result.p < 0.05
    assert table.loc["FT", "verdict"] == "helps" and table.loc["BT", "verdict"] == "hinders"
    assert lifelong(losing, experts=others, metric="FT", **FEW).verdict == "helps"
    names = {"quiet": still, "loud": losing}
    log = pd.concat([d.assign(condition=n) for n, d in names.items()])
    held = pd.concat([d.assign(condition=n) for n, d in (("quiet", experts), ("loud", others))])
    compared = lifelong(log, experts=held, **FEW)
    assert compared.verdict == "better" and compared.estimate.low > 0
    assert len(figures.png(compared.plot())) > 20_000
    fewer = lifelong(losing[losing["seed"] < 9], experts=others, **FEW)
    assert fewer.verdict == "inconclusive" and any("10 lifetimes" in w for w in fewer.warnings)


def test_verdict_is_invariant():
    rng = np.random.default_rng(2)
    log, experts = log_of(rng, loss=6.0)
    plain = lifelong(log, experts=experts, **FEW)
    turned = log.assign(seed=11 - log["seed"]).sort_values("seed", kind="stable")
    thinned = log[(log["experience"] % 2 == 0) | (log["block_type"] == "test")]
    for other, held in (
        (
            log.assign(performance=1e4 * log["performance"] - 3),
            experts.assign(performance=1e4 * experts["performance"] - 3),
        ),
        (turned, experts.assign(seed=11 - experts["seed"])),
        (thinned, experts[experts["experience"] % 2 == 0]),
    ):
        again = lifelong(other, experts=held, **FEW)
        assert again.verdict == plain.verdict == "forgets"
        assert again.estimate.value == pytest.approx(plain.estimate.value, abs=0.5)


def test_control_that_does_not_learn_takes_the_drift_of_evaluations_away():
    rng = np.random.default_rng(4)
    log, _ = log_of(rng)
    still, _ = log_of(rng)
    drift = {"active": log, "idle": still}
    for frame in drift.values():  # the tests themselves become harder over the lifetime
        frame["performance"] -= 1.5 * frame["block"] * (frame["block_type"] == "test")
    data = pd.concat([d.assign(condition=n) for n, d in drift.items()])
    assert lifelong(data[data["condition"] == "active"], **FEW).verdict == "forgets"
    result = lifelong(data, control="idle", margin=3.0, **FEW)
    assert result.verdict == "keeps" and abs(result.estimate.value) < 3
    assert len(result.to_frame("contrasts")) == 0 and "which does not learn" in result.words


def test_change_point_saturation_does_not_grow_with_the_record():
    rng = np.random.default_rng(5)
    reached = {}
    for how in ("maximum", "change point"):
        for n in (200, 800):
            curves = 80 * (1 - np.exp(-np.arange(n) / 20)) + 4 * rng.standard_normal((40, n))
            reached[how, n] = np.mean([_saturation(c, how)[1] for c in curves])
    assert reached["maximum", 800] > 2 * reached["maximum", 200]
    assert reached["change point", 800] < 1.3 * reached["change point", 200]
    flat = np.full(50, 3.0)
    assert np.isnan(_saturation(flat, "change point")[1])


def test_shared_experts_widen_the_error():
    log, experts = log_of(np.random.default_rng(6))
    few = experts[experts["seed"] < 2].assign(seed=lambda t: "expert " + t["seed"].astype(str))
    table = lifelong(log, experts=few, **FEW).to_frame("metrics").set_index("metric")
    assert table.loc[["RP", "SE"], "p"].isna().all() and table.loc["PM", "p"] > 0
    many = experts.assign(seed="expert " + experts["seed"].astype(str))
    shared = lifelong(log, experts=many, **FEW)
    own = lifelong(log, experts=experts, **FEW)
    wide, narrow = (r.to_frame("metrics").set_index("metric").loc["RP"] for r in (shared, own))
    assert np.isfinite(wide["p"]) and any("same experts" in w for w in shared.warnings)
    assert wide["typical"] == pytest.approx(narrow["typical"], rel=0.02)


def test_orders_as_the_unit():
    rng = np.random.default_rng(7)
    orders = ["abcd", "bcda", "cdab", "dabc", "acbd", "bdac"]
    log, _ = log_of(rng, lifetimes=12, tasks="abcd", rounds=2, orders=orders, loss=5.0)
    table = lifelong(log, **FEW).to_frame("metrics").set_index("metric")
    assert table.loc["PM", "units"] == 6 and table.loc["PM", "lifetimes"] == 12
    fixed = lifelong(log, orders="fixed", **FEW)
    assert fixed.to_frame("metrics").set_index("metric").loc["PM", "units"] == 12
    of_orders = fixed.to_frame("orders").iloc[0]
    assert of_orders["orders"] == 6 and 0 <= of_orders["share_between"] <= 1
    single, _ = log_of(rng, orders=["abc"])
    assert any("same order" in w for w in lifelong(single, **FEW).warnings)


def test_rehearsal_trades_learning_for_memory():
    """Linear learners on two tasks of one head: the more is rehearsed, the less is forgotten and the slower the new
    task is learned."""
    rng = np.random.default_rng(8)
    rows, experts = [], []
    for seed, share in enumerate(np.linspace(0.0, 0.6, 15)):
        goals = rng.standard_normal((2, 4))
        for held in (False, True):
            w = np.zeros(4)
            for k, task in enumerate([1] if held else [0, 1]):
                for i in range(60):
                    if held:
                        experts.append((seed, "t1", i, -float(((w - goals[1]) ** 2).sum())))
                    else:
                        rows.append((seed, 2 * k + 1, "train", f"t{task}", i, -float(((w - goals[task]) ** 2).sum())))
                    old = rng.random() < share and not held and k == 1
                    w = w - 0.1 * (w - goals[0 if old else task]) + 0.01 * rng.standard_normal(4)
                if not held:
                    for t in (0, 1):
                        for e in range(2):
                            rows.append(
                                (seed, 2 * k + 2 + 0.1 * e, "test", f"t{t}", e, -float(((w - goals[t]) ** 2).sum()))
                            )
    log = pd.DataFrame(rows, columns=["seed", "block", "block_type", "task", "experience", "performance"])
    log["block"] = np.floor(log["block"])
    held = pd.DataFrame(experts, columns=["seed", "task", "experience", "performance"])
    trades = lifelong(log, experts=held, scale="lifetime", **FEW).to_frame("trade_offs")
    row = trades[(trades["x"] == "PM") & (trades["y"] == "RP")].iloc[0]
    assert row["lifetimes"] == 15 and row["rho"] < -0.5 and row["p"] < 0.05


# ------------------------------------------------------------------------------------- calibration, cost, errors


def test_calibration_in_short():
    slack = 3 * np.sqrt(0.05 * 0.95 / 30)
    for scene, draws in (("log", 4), ("matrix", 20), ("shared experts", 4)):
        rate = calibrate("lifelong", scene, draws=draws, seeds=(12,)).table["rate"]
        assert (rate <= 0.05 + slack * np.sqrt(30 / draws)).all(), scene
    power = calibrate("lifelong", "overwritten", effects=(2.0,), draws=8, seeds=(12,)).table["rate"]
    assert power.min() >= 0.8


def test_cost():
    rng = np.random.default_rng(9)
    log, experts = log_of(rng, lifetimes=20, rounds=3, learn=100)
    begun = time.process_time()
    lifelong(log, experts=experts, draws=1000)
    assert time.process_time() - begun < 6.0


awkward = st.sampled_from([0.0, 1.0, -3.0, np.nan, np.inf, -np.inf, 1e300, 1e-300, 80.0, 20.0])


@settings(deadline=None, max_examples=30)
@given(st.data(), st.integers(1, 2), st.integers(1, 12), st.integers(1, 4), st.integers(1, 4))
def test_every_matrix_gets_a_defined_answer(data, conditions, seeds, stages, tasks):
    n = conditions * seeds * stages * tasks
    values = np.array(data.draw(st.lists(st.one_of(awkward, st.floats(-2, 2)), min_size=n, max_size=n)))
    r = matrix(values.reshape(conditions, seeds, stages, tasks), condition=list("ab")[:conditions])
    trained = data.draw(st.lists(st.integers(0, tasks - 1), min_size=stages, max_size=stages))
    call = data.draw(st.sampled_from([{}, {"baseline": 0.0}, {"reference": 1.0, "margin": 0.1}, {"paired": True}]))
    result = lifelong(r, trained=trained, draws=99, **call)
    assert_defined(result)
    assert not (seeds < 10 and result.verdict not in ("inconclusive",))


@settings(deadline=None, max_examples=15)
@given(st.data(), st.sampled_from(["values", "rows", "few", "none", "constant", "one kind"]), st.integers(0, 2**16))
def test_every_log_gets_a_defined_answer(data, kind, seed):
    rng = np.random.default_rng(seed)
    log, experts = log_of(rng, lifetimes=int(rng.integers(1, 4)), tasks="ab", rounds=2, learn=5)
    if kind == "values":
        log.loc[rng.random(len(log)) < 0.5, "performance"] = data.draw(awkward)
        experts.loc[rng.random(len(experts)) < 0.3, "performance"] = data.draw(awkward)
    elif kind == "rows":
        log = log[rng.random(len(log)) < 0.3]
    elif kind == "few":
        log = log.head(int(rng.integers(1, 6)))
    elif kind == "none":
        log, experts = log.head(0), experts.head(0)
    elif kind == "constant":
        log["performance"] = 5.0
        experts["performance"] = 5.0
    else:
        log = log[log["block_type"] == data.draw(st.sampled_from(["train", "test"]))]
    scale = data.draw(st.sampled_from(["task", "lifetime", "together", None]))
    saturation = data.draw(st.sampled_from(["maximum", "change point"]))
    clamp = data.draw(st.booleans())
    result = lifelong(log, experts=experts, scale=scale, clamp=clamp, saturation=saturation, draws=99)
    assert_defined(result)
    assert result.verdict == "inconclusive"


@pytest.mark.parametrize("rows", [0, 3, 40])
def test_a_figure_even_of_nothing(rows):
    log, _ = log_of(np.random.default_rng(13), lifetimes=1, learn=4)
    assert lifelong(log.head(rows), draws=99).plot() is not None
    assert lifelong(matrix(np.full((2, 3, 3), np.nan)), draws=99).plot() is not None


def test_a_record_with_labelled_steps_is_a_log():
    log, _ = log_of(np.random.default_rng(10), lifetimes=3, orders=["abc"])
    table = lifelong(log).to_frame("lifetimes")
    one = log[log["seed"] == 0]
    values = log["performance"].to_numpy().reshape(3, -1)
    record = xr.DataArray(values, dims=("seed", "step"), name="performance").assign_coords(
        {c: ("step", one[c].to_numpy()) for c in ("block", "block_type", "task", "experience")}
    )
    pd.testing.assert_frame_equal(lifelong(record).to_frame("lifetimes"), table)
    agnostic = lifelong(log.assign(task=log["task"] + "_7"), variants="agnostic").to_frame("lifetimes")
    pd.testing.assert_frame_equal(agnostic, table)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda log, r: lifelong(log.drop(columns="task")), "no column 'task'"),
        (lambda log, r: lifelong(log.rename(columns={"block_type": "kind"})), "no column 'block_type'"),
        (lambda log, r: lifelong(log, "performanse"), "did you mean 'performance'"),
        (lambda log, r: lifelong(log.assign(extra=1).rename(columns={"performance": "x"})), "which column"),
        (lambda log, r: lifelong(log, metric="BWT"), "cannot be about metric"),
        (lambda log, r: lifelong(log, baseline=0.0), "belong to a matrix"),
        (lambda log, r: lifelong(log, control="idle"), "to be the control"),
        (lambda log, r: lifelong(log, margin=0.0), "above 0"),
        (lambda log, r: lifelong(log, draws=9), "at least 99"),
        (lambda log, r: lifelong("no/such/folder"), "l2logger"),
        (lambda log, r: lifelong(3), "an instrument reads"),
        (lambda log, r: lifelong(r, experts=log), "belong to a log"),
        (lambda log, r: lifelong(r, along="time"), "no dim 'time'"),
        (lambda log, r: lifelong(r.rename(seed="agent")), "dims agent"),
        (lambda log, r: lifelong(r[:, :2]), "trained="),
        (lambda log, r: lifelong(r, trained=["x", "y", "z"]), "none of the tasks"),
        (lambda log, r: lifelong(r, trained="order"), "no variable 'order'"),
        (lambda log, r: lifelong(r, baseline={"q": 1.0}), "no task 'q'"),
        (lambda log, r: lifelong(r, baseline=xr.DataArray(np.zeros(2), dims="task")), "labels of baseline"),
        (lambda log, r: lifelong(r[:0]), "no record"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    log, _ = log_of(np.random.default_rng(11), lifetimes=1, rounds=1, learn=3)
    with pytest.raises(UserError, match=message) as caught:
        call(log, matrix(np.random.default_rng(12).random((5, 3, 3)), task=list("abc")))
    assert "\n" not in str(caught.value)
