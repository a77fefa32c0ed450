"""skill_efficiency: real multipliers, learners with a known order, facts the score must obey, awkward inputs."""

import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from emergelab.errors import UserError
from emergelab.instruments import calibrate, skill_efficiency
from emergelab.instruments._skill_efficiency_code import code_bits
from emergelab.instruments._skill_efficiency_tests import hodges_lehmann
from tests.instruments.degenerate import assert_defined, blocks


def learning(values, experience, systems=None, dims=None):
    values = np.asarray(values, dtype=float)
    dims = dims or ("condition", "seed", "task", "time")[-values.ndim :]
    coords = {"time": np.asarray(experience, dtype=float)}
    if systems:
        coords["condition"] = list(systems)
    return xr.DataArray(values, dims=dims, coords=coords, name="skill")


def sigmoids(rng, halves, seeds=6, tasks=1, spread=0.15, noise=0.02, top=1.0):
    """Systems that reach half their skill at the given experience; tasks differ in difficulty."""
    x = np.geomspace(1, 2000, 60)
    hard = 0.5 * rng.standard_normal((1, 1, tasks, 1)) if tasks > 1 else 0.0
    centre = (
        np.log(np.asarray(halves))[:, None, None, None]
        + hard
        + spread * rng.standard_normal((len(halves), seeds, tasks, 1))
    )
    y = top / (1 + np.exp(-(np.log(x) - centre) / 0.3))
    return learning(y + noise * rng.standard_normal(y.shape), x, "abcdefgh"[: len(halves)])


# ------------------------------------------------------------------------------------------------ real data


def test_rainbow_needs_less_of_pong_than_dqn(atari):
    result = skill_efficiency(atari("pong", "Rainbow", "DQN"), theta=0.0, draws=199)
    row = result.to_frame().iloc[0]
    systems = result.to_frame("systems").set_index("system")
    assert systems["median_experience"].to_dict() == {"Rainbow": 6, "DQN": 11}
    assert row["median_ratio"] == pytest.approx(11 / 6) and row["multiplier"] == pytest.approx(1.83, abs=0.01)
    assert (row["low"], row["high"]) == (pytest.approx(7 / 6), pytest.approx(94 / 6))
    assert result.verdict == "less experience" and result.p == pytest.approx(4 / 252)
    runs = result.to_frame("tasks").set_index(["system", "seed"])["experience"]
    assert runs["DQN"].tolist() == [16, 7, 9, 94, 11]


def test_pythia_order_depends_on_the_axis(pythia):
    data = pythia("lambada_openai")["acc"].rename(seed="condition")
    flops = {str(p): 6.0 * float(p) * 2_097_152 for p in data["condition"].values}
    result = skill_efficiency(data, theta=0.5, k=1, chance=0.0, ceiling=1.0, costs={"flops": flops}, draws=199)
    at = result.to_frame("systems")["median_experience"].tolist()
    assert np.isnan(at[:2]).all() and at[2:] == [83_000, 43_000, 23_000, 13_000, 13_000, 13_000]
    score = data.sel(time=13_000).values
    assert (round(score[4], 3), round(score[5], 3)) == (0.470, 0.519)
    axes = result.to_frame("axes").set_index(["axis", "system"])["mean_rank"]
    sizes = [str(v) for v in data["condition"].values]
    assert axes["time"][sizes[7]] < axes["time"][sizes[2]] and axes["flops"][sizes[7]] > axes["flops"][sizes[2]]
    assert any("show both axes" in w for w in result.warnings)
    assert result.verdict == "inconclusive"  # one run a size


# ------------------------------------------------------------------------------------------------- planted


def learner_curves(rng, tasks=8, seeds=3, width=20):
    """Linear tasks y = sign(w x); w lies in the first two directions, which the matched learner knows."""
    sizes = np.unique(np.geomspace(4, 600, 22).astype(int))
    out = np.full((3, seeds, tasks, len(sizes)), np.nan)
    memory = np.full((seeds, tasks), np.nan)
    for s in range(seeds):
        for t in range(tasks):
            w = np.zeros(width)
            w[:2] = rng.standard_normal(2)
            x, held = rng.standard_normal((sizes[-1], width)), rng.standard_normal((250, width))
            y, truth = np.sign(x @ w), np.sign(held @ w)
            for i, n in enumerate(sizes):
                for k, columns in enumerate((2, width)):
                    a = x[:n, :columns]
                    fit = np.linalg.solve(a.T @ a + np.eye(columns), a.T @ y[:n])
                    out[k, s, t, i] = np.mean(np.sign(held[:, :columns] @ fit) == truth)
                near = np.argmin((x[:n] ** 2).sum(axis=1)[None] - 2 * held @ x[:n].T, axis=1)
                out[2, s, t, i] = np.mean(y[near] == truth)
            memory[s, t] = 0.5  # a look-up table has never seen a held-out point
    return learning(out, sizes, ["matched", "linear", "nearest"]), xr.DataArray(memory, dims=("seed", "task"))


def test_matched_beats_linear_beats_nearest_neighbour():
    data, memory = learner_curves(np.random.default_rng(0))
    result = skill_efficiency(data, theta=0.75, k=2, chance=0.5, ceiling=1.0, memoriser=memory, draws=199)
    ranks = result.to_frame("ranks").set_index("system")
    for name in ("threshold", "area", "surplus", "score"):
        assert ranks[name]["matched"] < ranks[name]["linear"] < ranks[name]["nearest"]
    assert result.verdict == "differ" and any("too few for a ranking" in w for w in result.warnings)
    pairs = result.to_frame().set_index(["a", "b"])
    assert (pairs["multiplier"] > 1).all() and pairs["replicates"].eq("tasks").all()


def test_many_tasks_make_a_ranking():
    data = sigmoids(np.random.default_rng(1), (20.0, 40.0, 90.0), seeds=3, tasks=20)
    result = skill_efficiency(data, theta=0.6, chance=0.0, ceiling=1.0, draws=199)
    assert result.verdict == "ranked"
    pairs = result.to_frame().set_index(["a", "b"])
    assert pairs.loc[("a", "b"), "multiplier"] == pytest.approx(2.0, rel=0.15)
    assert pairs.loc[("a", "c"), "low"] < 4.5 < pairs.loc[("a", "c"), "high"]


def test_facts_the_score_must_obey():
    x = np.geomspace(10, 1000, 30)
    rise = 1 / (1 + np.exp(-(np.log(x) - np.log(60)) / 0.3))
    learner, hard_coded, lookup = rise, np.full(30, 0.95), np.full(30, 0.02)
    with_zero = np.concatenate([[0.0], x])

    def curve(y, before):
        return np.tile(np.concatenate([[before], y]), (5, 1))

    data = learning(
        np.stack([curve(learner, 0.0), curve(hard_coded, 0.95), curve(lookup, 0.0), curve(learner, 0.0)])[:, :, None],
        with_zero, ["learner", "hard coded", "table", "memoriser"],
    )  # fmt: skip
    memory = xr.DataArray([0.0, 0.0, 0.0, 1.0], dims="condition")
    result = skill_efficiency(data, theta=0.8, chance=0.0, ceiling=1.0, memoriser=memory, draws=199)
    score = result.to_frame("ingredients").set_index("system")
    assert score["score"]["learner"] > 1
    assert score["score"]["hard coded"] == pytest.approx(0, abs=0.01) and score["P"]["hard coded"] == 1
    assert score["score"]["table"] == 0 and score["GD"]["memoriser"] == 0 and score["score"]["memoriser"] == 0

    # twice the data, half of it useless: the same skill for twice the experience, and the score falls
    wasted = skill_efficiency(
        data.assign_coords(time=2 * with_zero), theta=0.8, chance=0.0, ceiling=1.0, memoriser=memory, draws=199,
        prior={"learner": 0, "hard coded": 800, "table": 0, "memoriser": 0},
    )  # fmt: skip
    same_budget = skill_efficiency(
        data.sel(time=slice(0, 1000)), theta=0.8, chance=0.0, ceiling=1.0, memoriser=memory, draws=199,
        prior={"learner": 0, "hard coded": 400, "table": 0, "memoriser": 0},
    )  # fmt: skip
    both = [r.to_frame("tasks").groupby("system")["experience"].first()["learner"] for r in (wasted, same_budget)]
    assert both[0] == 2 * both[1]
    slow = learning(
        np.stack([np.tile(rise, (5, 1)), np.tile(np.interp(x / 2, x, rise, left=0.0), (5, 1))])[:, :, None], x,
        ["plain", "wasteful"],
    )  # fmt: skip
    pair = skill_efficiency(slow, theta=0.8, chance=0.0, ceiling=1.0, draws=199).to_frame("ingredients")
    assert pair["score"][1] < 0.7 * pair["score"][0]


def test_random_labels_are_not_generalisation():
    """A memoriser is right on what it has seen of random labels, and so is a large network; neither generalises."""
    rng = np.random.default_rng(2)
    x = np.geomspace(10, 1000, 20)
    fit = np.linspace(0.5, 1.0, 20)[None, None] + 0.01 * rng.standard_normal((5, 1, 20))
    memory = xr.DataArray(np.full((5, 1), 1.0), dims=("seed", "task"))
    result = skill_efficiency(learning(fit, x), theta=0.9, chance=0.5, ceiling=1.0, memoriser=memory, draws=199)
    row = result.to_frame("ingredients").iloc[0]
    assert row["GD"] == 0 and row["score"] == 0


def test_prequential_code_of_a_coin():
    """Krichevsky and Trofimov: n H + 0.5 log n and a constant, exactly the ratio of gamma functions."""
    rng = np.random.default_rng(3)
    n = 2000
    coins = rng.random((6, n)) < 0.2
    ones = np.cumsum(coins, axis=1) - coins
    before = np.arange(n)
    p_one = (ones + 0.5) / (before + 1)
    given = np.where(coins, p_one, 1 - p_one)
    uniform = np.full_like(given, 0.5)
    data = learning(np.stack([given, uniform])[:, :, None], np.arange(1, n + 1), ["kt", "uniform"])
    result = skill_efficiency(data, theta=0.6, probability=data, draws=199)
    table = result.to_frame("codelength").set_index("system")
    k = coins.sum(axis=1)
    exact = -(special.betaln(k + 0.5, n - k + 0.5) - special.betaln(0.5, 0.5)) / np.log(2)
    assert table.loc["kt", "bits"] == pytest.approx(exact.mean())
    entropy = n * stats.entropy([k.mean() / n, 1 - k.mean() / n], base=2)
    assert table.loc["kt", "bits"] == pytest.approx(entropy + 0.5 * np.log2(n), rel=0.01)
    assert table.loc["uniform", "bits"] == n and table.loc["kt", "gain_over_uniform"] > 500
    assert table.loc["uniform", "gain_over_uniform"] == 0


def test_code_is_an_upper_bound_beside_the_score(tmp_path):
    """Deflate of one letter: 3 bits of header, 8 of the letter, 7 of the end, 18 in all, so 3 bytes."""
    noise = np.random.default_rng(11).bytes(4096)
    file = tmp_path / "weights"
    file.write_bytes(noise)
    text = "".join(f"{i * i}," for i in range(100))
    found = code_bits({"a": "a", "b": b"", "c": noise, "d": file, "e": b"0" * 10**6, "f": text}, tuple("abcdef"))
    assert found[0] == 24 and found[1] == 8 and 8 * 4096 <= found[2] <= 1.01 * 8 * 4096 and found[3] == found[2]
    assert found[4] < 8 * 300 and found[5] <= 8 * len(zlib.compress(text.encode(), 9))

    data = sigmoids(np.random.default_rng(12), (20.0, 40.0), seeds=3)
    plain = skill_efficiency(data, theta=0.5, draws=99)
    shown = skill_efficiency(data, theta=0.5, draws=99, code={"a": "a", "b": file})
    column = shown.tables["ingredients"]["code_bits_upper_bound"]
    assert column.tolist() == [24, found[2]] and "no score or verdict uses: a 24," in shown.words
    assert str(plain) == str(shown) and plain.p == shown.p
    for name, table in plain.tables.items():
        other = shown.to_frame(name).drop(columns="code_bits_upper_bound", errors="ignore")
        xr.testing.assert_identical(table.to_xarray(), other.to_xarray())
    for code, message in (
        ({"a": "x"}, "no value for 'b'"), ("x", "a mapping"), ({"a": 1, "b": "x"}, "got int"),
        ({"a": tmp_path, "b": "x"}, "cannot be read"), ({"a": Path("no such file"), "b": "x"}, "cannot be read"),
        ({"a": "x", "b": str(file)}, "names a file"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message) as caught:
            code_bits(code, ("a", "b"))
        assert "\n" not in str(caught.value)


def test_three_attempts_all_cells_right():
    rng = np.random.default_rng(4)
    cells = rng.random((4, 3, 5, 3, 6)) < np.linspace(0.2, 1.0, 5)[None, None, :, None, None]
    data = xr.DataArray(
        cells.astype(float), dims=("seed", "task", "time", "attempt", "cell"), coords={"time": np.arange(1.0, 6.0)}
    )
    three = skill_efficiency(data, theta=0.5, k=1, draws=199).diagnostics["skill"].values[0]
    assert (three == cells.all(axis=-1).any(axis=-1)).all()
    one = skill_efficiency(data, theta=0.5, k=1, attempts=1, draws=199).diagnostics["skill"].values[0]
    assert (one == cells.all(axis=-1)[..., 0]).all() and one.sum() < three.sum()


def test_losses_ceilings_and_bounds():
    data = sigmoids(np.random.default_rng(5), (20.0, 60.0))
    up = skill_efficiency(data, theta=0.5, draws=199)
    down = skill_efficiency(1 - data, theta=0.5, direction="down", draws=199)
    assert up.to_frame()["multiplier"].item() == pytest.approx(down.to_frame()["multiplier"].item())
    never = data.copy()
    never[1] = 0.1
    bound = skill_efficiency(never, theta=0.5, draws=199)
    assert bound.verdict == "less experience" and bound.to_frame()["bounds"].item() == 6
    assert any("multipliers are bounds" in w for w in bound.warnings)
    equal = skill_efficiency(
        sigmoids(np.random.default_rng(6), (30.0, 30.0), seeds=20), theta=0.5, margin=1.5, draws=199
    )
    assert equal.verdict == "no difference"
    alone = skill_efficiency(data.sel(condition="a"), theta=0.5, draws=199)
    assert alone.verdict == "reached" and alone.to_frame().empty


def test_rank_interval_is_the_rank_test():
    rng = np.random.default_rng(7)
    for n in (5, 8, 20):
        a, b = rng.standard_normal(n), rng.standard_normal(n) + 0.4
        e = hodges_lehmann(a, b, 0.95)
        inside = [m for m in np.linspace(-2.5, 1.5, 161) if stats.mannwhitneyu(a - m, b, method="exact").pvalue > 0.05]
        assert e.low == pytest.approx(min(inside), abs=0.03) and e.high == pytest.approx(max(inside), abs=0.03)
        assert e.value == pytest.approx(np.median(np.subtract.outer(a, b)))


def test_invariances():
    rng = np.random.default_rng(8)
    data = sigmoids(rng, (20.0, 60.0), seeds=8, tasks=2)
    plain = skill_efficiency(data, theta=0.5, draws=199)
    assert plain.verdict == "less experience"
    for other, theta in (
        (100 * data - 7, 43.0),
        (data.assign_coords(time=data["time"] * 1000), 0.5),
        (data.isel(seed=slice(None, None, -1)), 0.5),
        (data.isel(time=rng.permutation(60)), 0.5),
    ):
        again = skill_efficiency(other, theta=theta, draws=199)
        assert again.verdict == plain.verdict and again.estimate.value == pytest.approx(plain.estimate.value)
    assert skill_efficiency(data.isel(time=slice(None, None, 2)), theta=0.5, k=2, draws=199).verdict == plain.verdict


def test_short_calibration():
    for scene in ("one_task", "never"):
        rate = calibrate("skill_efficiency", scene, draws=20, seeds=(5,)).table["rate"]
        assert (rate <= 0.07 + 3 * np.sqrt(0.07 * 0.93 / 20)).all()
    assert calibrate("skill_efficiency", "multiplier", effects=(4.0,), draws=5, seeds=(10,)).table["rate"].min() == 1.0


# -------------------------------------------------------------------------------------------- awkward inputs


@settings(deadline=None, max_examples=25)
@given(blocks(steps=20), st.integers(1, 3), st.integers(1, 3), st.sampled_from(["up", "down"]))
def test_every_input_gets_a_defined_answer(block, systems, tasks, direction):
    block = block.assign_coords(time=np.abs(block["time"]))
    block = block.expand_dims(condition=list("abc")[:systems], task=[f"t{i}" for i in range(tasks)]).copy()
    if not np.any(block["time"].values > 0):
        block = block.assign_coords(time=block["time"] + 1)
    result = skill_efficiency(
        block, theta=0.5, direction=direction, draws=99, costs={"joule": dict.fromkeys("abc", 2.0)}
    )
    assert_defined(result)
    assert result.verdict in (
        "less experience", "more experience", "no difference", "inconclusive", "ranked", "differ", "reached",
        "not reached",
    )  # fmt: skip
    assert result.plot() is not None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: skill_efficiency(d, theta=0.5, direction="left"), "direction"),
        (lambda d: skill_efficiency(d, theta=0.5, k=0), "at least 1"),
        (lambda d: skill_efficiency(d, theta=0.5, margin=0.9), "ratio"),
        (lambda d: skill_efficiency(d, theta=0.5, outcomes=1), "outcomes"),
        (lambda d: skill_efficiency(d, theta=0.5, draws=10), "at least 99"),
        (lambda d: skill_efficiency(d, theta=0.5, level=0.0), "level"),
        (lambda d: skill_efficiency(d, theta=np.nan), "theta must be finite"),
        (lambda d: skill_efficiency(d, theta={"x": 0.5}), "no value for task '0'"),
        (lambda d: skill_efficiency(d, theta=0.5, along="step"), "no dim 'step'"),
        (lambda d: skill_efficiency(d.drop_vars("time"), theta=0.5), "no coordinate"),
        (lambda d: skill_efficiency(d.assign_coords(time=d["time"] - 50), theta=0.5), "below 0"),
        (lambda d: skill_efficiency(d.assign_coords(time=d["time"] * 0), theta=0.5), "never leaves 0"),
        (lambda d: skill_efficiency(d, theta=0.5, memoriser="table"), "no variable 'table'"),
        (lambda d: skill_efficiency(d, theta=0.5, prior={"a": 1.0}), "no value for 'b'"),
        (lambda d: skill_efficiency(d, theta=0.5, prior={"a": 1.0, "b": -1.0}), "0 or more"),
        (lambda d: skill_efficiency(d, theta=0.5, costs={"flops": {"a": 1.0}}), "no value for 'b'"),
        (lambda d: skill_efficiency(d, theta=0.5, costs={"flops": {"a": 1.0, "b": 0.0}}), "above 0"),
        (lambda d: skill_efficiency(d, theta=0.5, probability=d + 5), r"\[0, 1\]"),
        (lambda d: skill_efficiency(d.rename(seed="run"), theta=0.5), "dims run"),
        (lambda d: skill_efficiency(d.values, theta=0.5), "name the dims"),
        (lambda d: skill_efficiency(xr.Dataset({"a": d, "b": d}), theta=0.5), "which variable"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    with pytest.raises(UserError, match=message) as caught:
        call(sigmoids(np.random.default_rng(9), (20.0, 40.0), seeds=3))
    assert "\n" not in str(caught.value)


def test_cost():
    """Two systems of twenty seeds, a thousand records, a thousand draws: two seconds, and some for a loaded machine."""
    rng = np.random.default_rng(10)
    x = np.arange(1, 1001.0)
    y = 1 / (1 + np.exp(-(np.log(x) - np.log(100) - 0.2 * rng.standard_normal((2, 20, 1))) / 0.3))
    data = learning(y, x, ["a", "b"], ("condition", "seed", "time"))
    begun = time.process_time()
    skill_efficiency(data, theta=0.5, draws=1000)
    assert time.process_time() - begun < 6.0
