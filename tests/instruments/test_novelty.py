"""novelty: planted walks, climbs, counters and cycles; what must hold exactly; inputs of every awkward kind."""

import time

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.instruments import calibrate, novelty
from emergelab.instruments._novelty_measures import chao2, modes
from emergelab.instruments._novelty_observer import compression, learnable_strings
from emergelab.instruments._novelty_space import _covering, _gaps
from emergelab.instruments._novelty_tests import growth_of, theil_sen
from emergelab.statistics import ar1_noise
from tests.instruments.degenerate import assert_defined, blocks


def vectors(values, name="artefacts"):
    values = np.asarray(values, dtype=float)
    dims = ("seed", "time", "feature") if values.ndim == 3 else ("seed", "time", "item", "feature")
    return xr.DataArray(values, dims=dims, coords={"time": np.arange(values.shape[1]) * 1.0}, name=name)


def artefacts(rows):
    values = np.array(rows, dtype=object if isinstance(rows[0][0], str) else int)
    dims = ("seed", "time", "item")[: values.ndim]
    return xr.DataArray(values, dims=dims, coords={"time": np.arange(values.shape[1]) * 1.0}, name="artefacts")


def walk(rng, seeds=10, steps=200, dims=10, drift=0.0):
    return vectors((rng.standard_normal((seeds, steps, dims)) + drift).cumsum(axis=1))


# ------------------------------------------------------------------------------------------------- planted


def test_random_walk_wanders():
    result = novelty(walk(np.random.default_rng(0)), draws=199)
    row = result.to_frame().iloc[0]
    assert result.verdict == "wandering" and row["exponent_low"] > 0.9 and row["learnable_high"] < 0
    assert row["horizon"] == pytest.approx(0.5, abs=0.1)  # distance of a walk grows with the root of time


def test_hill_climb_stagnates():
    rng = np.random.default_rng(1)
    t = np.arange(150.0)
    climb = np.minimum(0.1 * t, 5.0)[None, :, None] + 0.05 * rng.standard_normal((8, 150, 1))
    result = novelty(vectors(climb), draws=199)
    assert result.verdict == "stagnant"
    row = result.to_frame().iloc[0]
    assert row["early_rate"] > 10 * row["late_rate"]


def test_steady_advance_is_open_so_far():
    result = novelty(walk(np.random.default_rng(2), dims=3, drift=1.0), draws=199)
    assert result.verdict == "open so far" and "up to time 199" in result.words
    assert "no finite record" in result.explain()


def test_counter():
    """A binary counter: new every time, and its rule is learned; told as numbers or as strings."""
    text = artefacts([[format(v, "012b") for v in range(480)]] * 6)
    result = novelty(text, draws=199)
    seeds = result.to_frame("seeds")
    assert result.verdict == "open so far" and seeds["learnable"].min() > 0.7
    assert novelty(vectors(np.tile(np.arange(100.0), (6, 1))[..., None]), draws=199).verdict == "open so far"


def test_cycle_and_constant_are_stagnant_noise_is_not_learnable():
    rng = np.random.default_rng(3)
    assert novelty(artefacts([[f"{t % 7:04d}" for t in range(240)]] * 6), draws=199).verdict == "stagnant"
    assert novelty(artefacts([["0000"] * 240] * 6), draws=199).verdict == "stagnant"
    noise = ["".join(rng.choice(list("abcdefgh"), 8)) for _ in range(240 * 6)]
    result = novelty(artefacts(np.array(noise, dtype=object).reshape(6, 240)), draws=199)
    assert result.verdict == "wandering" and abs(result.to_frame("seeds")["learnable"]).max() < 0.02
    for phi in (0.0, 0.9):  # noise around a fixed state, however smooth
        smooth = ar1_noise((8, 6, 200), phi, rng).transpose(0, 2, 1)
        assert novelty(vectors(smooth), draws=199).verdict != "open so far"


def test_endless_combination_of_fixed_parts_is_not_open():
    rng = np.random.default_rng(4)
    rows = []
    for _ in range(6):
        words = ["".join(rng.choice(list("abcdefgh"), 3)) for _ in range(20)]
        rows.append(["".join(rng.choice(words, 4)) for _ in range(480)])
    result = novelty(artefacts(rows), draws=199)
    assert result.verdict == "wandering" and result.to_frame("seeds")["learnable"].min() > 0.2


def test_minimal_criterion_and_annecs():
    """Agents and tasks that rise together; passed, novel and solved one after another. Then the agents give up."""
    rng = np.random.default_rng(5)
    steps, seeds = 120, 6
    task = np.tile(np.arange(steps)[:, None] * 2 + np.arange(2), (seeds, 1, 1))
    made = np.broadcast_to(np.arange(steps)[None, :, None], task.shape)
    solved = made + rng.integers(1, 6, task.shape).astype(float)
    passed = rng.random(task.shape) < 0.8
    dims = ("seed", "time", "item")
    data = xr.Dataset(
        {"artefacts": (dims, task), "passed": (dims, passed), "solved": (dims, solved)},
        coords={"time": np.arange(steps) * 1.0},
    )
    rising = novelty(data, passed="passed", solved="solved", draws=199)
    assert rising.verdict == "open so far" and rising.params["axis"] == "ANNECS"
    count = rising.diagnostics["cumulative"].values[0, 0]
    for at in (10, 60, 119):
        assert count[at] == (passed[0][: at + 1] & (solved[0][: at + 1] <= at)).sum()
    # nobody solves anything made after step 40, so ANNECS stands while new artefacts keep coming
    stuck = data.assign(solved=data["solved"].where(data["time"] <= 40))
    assert novelty(stuck, passed="passed", solved="solved", draws=199).verdict == "stagnant"
    early = data.assign(solved=data["solved"] - 50)
    assert any("before they were made" in w for w in novelty(early, passed="passed", solved="solved").warnings)


def test_cycle_in_crossplay():
    """Rock, paper, scissors over time: each beats the last, nobody beats the first."""
    n = 30
    ahead = (np.arange(n)[:, None] - np.arange(n)[None, :]) % 3
    circle = np.where(ahead == 1, 0.9, np.where(ahead == 2, 0.1, 0.5))
    skill = np.arange(n) / 4
    ladder = 1 / (1 + np.exp(-(skill[:, None] - skill[None, :])))
    wins = xr.DataArray(np.stack([circle, ladder]), dims=("seed", "player", "opponent"))
    table = novelty(walk(np.random.default_rng(6), seeds=6, steps=60), crossplay=wins, draws=199)
    found = table.to_frame("crossplay")
    assert found["naive_elo_gain"].min() > 400  # both look like progress from step to step
    assert found["finding"].tolist() == ["cycle", "rises"]
    assert found["cyclic_triples"].iloc[0] > 0.2 and found["cyclic_triples"].iloc[1] == 0
    assert any("a cycle, not progress" in w for w in table.warnings)


def urn(rng, theta, steps=200):
    seen, kinds = [], 0
    for t in range(steps):
        fresh = rng.random() < (t + 1) ** (theta - 1)
        kinds += fresh
        seen.append(kinds if fresh else int(rng.integers(1, kinds + 1)))
    return seen


def test_labels_need_a_shadow():
    rng = np.random.default_rng(7)
    own, neutral = (artefacts([urn(rng, theta) for _ in range(10)]) for theta in (0.95, 0.5))
    alone = novelty(own, draws=199)
    assert alone.verdict == "inconclusive" and any("opaque" in w for w in alone.warnings)
    beside = novelty(own, shadow=neutral, draws=199)
    assert beside.verdict == "open so far" and beside.to_frame("shadow")["p"].max() < 0.01
    assert novelty(neutral, shadow=own, draws=199).verdict == "wandering"
    assert set(beside.to_frame("shadow")["activity_class"]) <= {"none", "bounded", "unbounded"}
    assert novelty(artefacts(rng.integers(0, 30, (8, 200))), draws=199).verdict == "stagnant"


def test_growth_laws():
    t = np.arange(1.0, 301)
    power, bent = growth_of(t**0.4, t, 1 / 3), growth_of(100 * t / (t + 50), t, 1 / 3)
    assert power.exponent == pytest.approx(0.4) and power.forecast > 0.5 and power.delta_bic > 30
    assert bent.forecast < -0.5 and bent.delta_bic < -30 and bent.asymptote == pytest.approx(100, rel=0.05)
    rng = np.random.default_rng(8)
    noisy = 1 + 0.01 * rng.standard_normal((8, 300))

    def curve(values):
        return xr.DataArray(values, dims=("seed", "time"), coords={"time": t}, name="fitness")

    assert novelty(curve(t**0.4 * noisy), kind="curve", draws=199).verdict == "open so far"
    result = novelty(curve(100 * t / (t + 50) * noisy), kind="curve", draws=199)
    assert result.verdict == "bounded" and result.params["axis"] == "fitness"


# ----------------------------------------------------------------------------------------------- exact parts


def test_compressor_and_observer():
    rng = np.random.default_rng(9)
    constant, periodic = ["0" * 10] * 480, [f"{t % 7:010d}" for t in range(480)]
    noise = ["".join(rng.choice(list("01"), 12)) for _ in range(480)]
    assert compression(constant, rng)["bits"] < 0.1 and compression(periodic, rng)["bits"] < 0.1
    told = compression(noise, rng)
    assert told["bits"] > 0.95 and abs(told["saved"]) < 0.05
    assert abs(learnable_strings(noise)) < 0.02 and learnable_strings(periodic) > 0.9
    # a walk in the space of strings is predicted by copying, and no better by learning
    letters, walked = list("abcdefgh" * 2), []
    for _ in range(480):
        letters[rng.integers(16)] = rng.choice(list("abcdefgh"))
        walked.append("".join(letters))
    assert learnable_strings(walked) < 0.02


def test_modes_and_chao_by_hand():
    types = np.array([[0, 0], [0, 1], [0, 1], [1, 2], [1, 2], [1, 1], [1, 3], [3, 3]])
    found = modes(types, np.arange(4.0), 1, None)
    # types that are still there one record later: {0}, {0, 1}, {1}, {1, 2}, {1}, {1}, {3}
    assert found["change"][1:7].tolist() == [1, 0, 1, 0, 0, 1]
    assert found["novelty"][1:7].tolist() == [1, 0, 1, 0, 0, 1]
    assert np.isnan(found["change"][[0, 7]]).all() and found["ecology"][3] == 1.0
    assert found["complexity"][[0, 3, 6]].tolist() == [0, 2, 3]
    # with lineages: the second item of record 0 has no child
    parents = np.array([[-1, -1], [0, 0], [0, 1], [1, 1], [0, 1], [0, 0], [0, 1], [1, 1]])
    assert modes(types, None, 1, parents)["ecology"][0] == 0.0
    assert chao2(np.array([[0], [1], [1], [2], [2], [2]])) == pytest.approx(3 + 5 / 6 * 0 / 4)
    assert chao2(np.array([[0], [1], [2], [3], [3]])) == pytest.approx(4 + 4 / 5 * 3 * 2 / (2 * 2))
    assert theil_sen(np.arange(5.0), np.array([0, 2, 4, 6, 100.0])) == 2.0


def test_embedding_score():
    turn = np.linspace(0, np.pi / 2, 30)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=-1)[None].repeat(5, axis=0)
    found = novelty(vectors(circle), draws=199).to_frame("seeds")["openness"]
    assert found.to_numpy() == pytest.approx(np.cos(turn[1] - turn[0]))


def angles(degrees):
    turn = np.radians(np.asarray(degrees, dtype=float))
    return np.stack([np.cos(turn), np.sin(turn)], axis=-1)


def test_target_by_hand():
    """Cosines 0, 0.5, 0.87 and 1 to one vector; a series of four that are at right angles to each other."""
    data = vectors(np.stack([angles([90, 60, 30, 0])] * 3) * 7.0)
    result = novelty(data, target=[5.0, 0.0], draws=199)
    table = result.to_frame("target").set_index("seed")
    cosines = np.array([0, 0.5, np.sqrt(0.75), 1])
    assert result.diagnostics["target_similarity"].values[0] == pytest.approx(np.tile(cosines, (3, 1)))
    assert table["similarity"].to_numpy() == pytest.approx(cosines.mean()) and table["records"]["all"] == 12
    assert table["rise"].to_numpy() == pytest.approx(1.0) and table["rise_low"]["all"] == pytest.approx(1.0)
    # rises at the other shifts of time: -0.5, -0.37 and -0.13
    assert table["p_shifted"][0] == pytest.approx(0.25) and table["p_shifted"]["all"] < 0.05
    assert "Similarity to the target in the space given: 0.59" in result.words

    steps = xr.DataArray(np.eye(4), dims=("time", "feature"), coords={"time": np.arange(4.0)})
    data = vectors(np.stack([np.repeat(np.eye(4), 2, axis=0)] * 3)).assign_coords(time=np.arange(8) / 2)
    right = novelty(data, target=steps.isel(time=[2, 0, 3, 1]), draws=199)  # the order of rows does not matter
    row = right.to_frame("target").iloc[0]
    assert row["tested"] == "in_order" and row["records"] == 12
    assert (row["similarity"], row["in_order"]) == (pytest.approx(1.0), pytest.approx(0.75))
    assert np.isfinite(right.diagnostics["target_similarity"].values[0, 0]).tolist() == [True, False] * 4
    wrong = novelty(data, target=steps.assign_coords(time=[1.0, 2.0, 3.0, 0.0]), draws=199).to_frame("target").iloc[0]
    assert wrong["in_order"] == pytest.approx(-0.25) and wrong["p"] > 0.5 and wrong["p_shifted"] == 1.0


def test_illumination_by_hand():
    """Runs that end at 0, 60 and 180 degrees: the nearest others have the cosines 0.5, 0.5 and -0.5."""
    ends = angles([0, 60, 180])
    start = np.tile(angles([45, 45, 45])[:, None], (1, 5, 1))
    data = vectors(np.concatenate([start, ends[:, None]], axis=1))
    row = novelty(data, draws=199).to_frame("illumination").iloc[0]
    assert row["value"] == pytest.approx(1 / 6) and row["runs"] == 3 and row["low"] == -1.0
    # without one of them: -0.5, -1 and 0.5
    assert _covering(ends @ ends.T)[1] == pytest.approx(np.sqrt(7) / 3)
    assert novelty(data.isel(seed=[0]), draws=199).to_frame("illumination").empty
    rng = np.random.default_rng(15)
    z = rng.standard_normal((7, 3))
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    member = np.array([[True] * 3 + [False] * 4, [False, True] * 3 + [False]])
    plain = [_covering((z @ z.T)[np.ix_(m, m)])[0] - _covering((z @ z.T)[np.ix_(~m, ~m)])[0] for m in member]
    assert _gaps(z @ z.T, member) == pytest.approx(plain)
    # runs all over the circle against runs on a tenth of it
    wide, close = angles(np.arange(8) * 45.0), angles(np.arange(8) * 4.0)
    both = xr.concat([vectors(np.stack([v, v], axis=1)) for v in (wide, close)], "condition")
    table = novelty(both.assign_coords(condition=["wide", "close"]), draws=199).to_frame("illumination")
    assert table["value"].to_numpy() == pytest.approx([np.cos(np.pi / 4), np.cos(np.radians(4)), -0.29046], abs=1e-5)
    assert table["p"][2] < 0.01 and table["p_holm"][2] == table["p"][2]


def test_target_changes_nothing_else():
    data = walk(np.random.default_rng(16), seeds=4, steps=30, dims=2)
    plain, aimed = novelty(data, draws=199), novelty(data, target=[1.0, 0.0], draws=199)
    assert plain.to_frame("target").empty and "target" not in plain.words and len(aimed.to_frame("target")) == 5
    assert str(plain) == str(aimed) and plain.p == aimed.p
    for name in plain.tables:
        if name != "target":
            xr.testing.assert_identical(plain.to_frame(name).to_xarray(), aimed.to_frame(name).to_xarray())
    nowhere = novelty(data * 0, target=[1.0, 0.0], draws=199)  # vectors without a length have no direction
    assert_defined(nowhere)
    assert "cannot be told" in nowhere.words and nowhere.to_frame("illumination")["runs"].tolist() == [0]


def test_growing_population_is_no_novelty():
    rng = np.random.default_rng(10)
    steps = 200
    sizes = np.linspace(2, 100, steps).astype(int)
    types = np.where(np.arange(100)[None, None] < sizes[:, None], rng.integers(0, 40, (6, steps, 100)), -1.0)
    labels = xr.DataArray(
        np.where(types < 0, np.nan, types), dims=("seed", "time", "item"), coords={"time": np.arange(steps) * 1.0}
    )
    assert novelty(labels, draws=199).verdict == "stagnant"


def test_conditions_and_invariances():
    rng = np.random.default_rng(11)
    both = np.stack([rng.standard_normal((8, 120, 2)), (rng.standard_normal((8, 120, 2)) + 1).cumsum(axis=1)])
    data = xr.DataArray(
        both, dims=("condition", "seed", "time", "feature"),
        coords={"condition": ["noise", "advance"], "time": np.arange(120.0)}, name="artefacts",
    )  # fmt: skip
    result = novelty(data, draws=199)
    assert result.verdict == "less novel" and result.p < 0.01
    assert result.to_frame().set_index("condition").loc["advance", "verdict"] == "open so far"
    plain = novelty(data.sel(condition="advance", drop=True), draws=199)
    own = data.sel(condition="advance", drop=True)
    for other in (
        1000.0 * own - 7.0,
        own.assign_coords(time=own["time"] * 60.0),
        own.isel(seed=slice(None, None, -1)),
        own.isel(time=slice(None, None, 2)),
        own.isel(time=rng.permutation(120)),
    ):
        assert novelty(other, draws=199).verdict == plain.verdict == "open so far"


def test_short_calibration():
    for scene in ("ar1", "walk"):
        rate = calibrate("novelty", scene, draws=12, seeds=(5,), steps=100).table["rate"]
        assert (rate <= 0.07 + 3 * np.sqrt(0.07 * 0.93 / 12)).all()
    assert calibrate("novelty", "advance", effects=(2.0,), draws=6, seeds=(10,)).table["rate"].min() == 1.0


# -------------------------------------------------------------------------------------------- awkward inputs


@settings(deadline=None, max_examples=20)
@given(blocks(steps=26), st.sampled_from(["curve", "vectors", "strings", "labels"]))
def test_every_record_gets_a_defined_answer(block, kind):
    if len(np.unique(block["time"])) < block.sizes["time"]:
        block = block.assign_coords(time=np.arange(block.sizes["time"]) * 1.0)
    if kind == "vectors":
        block = block.expand_dims(feature=2)
    elif kind == "strings":
        block = block.copy(data=np.vectorize(lambda v: f"{v:.2g}" if np.isfinite(v) else "")(block.values))
    elif kind == "labels":
        block = np.sign(block.where(np.abs(block) < 1e80)).round()
    result = novelty(block, kind=kind, target=[1.0, 0.5] if kind == "vectors" else None, draws=199)
    assert_defined(result)
    assert result.verdict in ("open so far", "bounded", "wandering", "stagnant", "inconclusive")
    assert result.plot() is not None


def test_no_seeds_no_claim():
    result = novelty(walk(np.random.default_rng(12)).isel(seed=0), draws=199)
    assert result.verdict == "inconclusive" and result.n_seeds == 1
    assert any("within one run" in w for w in result.warnings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: novelty(d, kind="genomes"), "no kind"),
        (lambda d: novelty(d.isel(feature=0)), "fractions"),
        (lambda d: novelty(d, threshold=0.0), "threshold"),
        (lambda d: novelty(d, k=0), "at least 1"),
        (lambda d: novelty(d, late=0.9), "late"),
        (lambda d: novelty(d, margin=0.0), "margin"),
        (lambda d: novelty(d, draws=10), "at least 100"),
        (lambda d: novelty(d, level=2.0), "level"),
        (lambda d: novelty(d, along="step"), "no dim 'step'"),
        (lambda d: novelty(d.drop_vars("time")), "no coordinate"),
        (lambda d: novelty(d.rename(seed="run")), "dims run"),
        (lambda d: novelty(d.isel(seed=slice(0, 0))), "no record"),
        (lambda d: novelty(d, passed="passed"), "both passed"),
        (lambda d: novelty(d, parents="parent"), "no variable 'parent'"),
        (lambda d: novelty(d, crossplay=xr.DataArray(np.ones((2, 2)), dims=("player", "other"))), "opponent"),
        (lambda d: novelty(d, crossplay=xr.DataArray(np.ones((2, 3)), dims=("player", "opponent"))), "square"),
        (lambda d: novelty(d, crossplay=xr.DataArray(np.full((2, 2), 3.0), dims=("player", "opponent"))), "win rates"),
        (lambda d: novelty(d, target=[1.0, 0.0, 0.0]), "3 features, the artefacts 2"),
        (lambda d: novelty(d, target=[0.0, 0.0]), "points nowhere"),
        (lambda d: novelty(d, target=[np.nan, 1.0]), "finite"),
        (lambda d: novelty(d, target=np.ones((3, 2))), "named dims"),
        (lambda d: novelty(d, target=np.array(["a", "b"])), "numbers"),
        (lambda d: novelty(d, target=xr.DataArray(["a", "b"], dims="feature")), "numbers"),
        (lambda d: novelty(d, target=xr.DataArray(np.ones(2), dims="x")), "no dim 'feature'"),
        (lambda d: novelty(d, target=xr.DataArray(np.ones((2, 2)), dims=("x", "feature"))), "also has the dims x"),
        (lambda d: novelty(d, target=d.isel(seed=0, drop=True).drop_vars("time")), "no coordinate"),
        (lambda d: novelty(d, target=d.isel(seed=0, time=[1, 1], drop=True)), "each time once"),
        (lambda d: novelty(d, target=d.isel(seed=0, drop=True).assign_coords(time=list("ab" * 15))), "be numbers"),
        (lambda d: novelty(d, target=d.isel(seed=0, time=[1], drop=True)), "shares 1 times"),
        (lambda d: novelty(d.round().isel(feature=0), target=[1.0]), "these are labels"),
        (lambda d: novelty(d.values), "name the dims"),
        (lambda d: novelty(xr.Dataset({"a": d, "b": d})), "which variable"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    with pytest.raises(UserError, match=message) as caught:
        call(walk(np.random.default_rng(13), seeds=3, steps=30, dims=2))
    assert "\n" not in str(caught.value)


def test_cost():
    """Twenty seeds, a thousand records of ten numbers, a thousand draws: two seconds, and some for a loaded machine."""
    data = walk(np.random.default_rng(14), seeds=20, steps=1000)
    begun = time.process_time()
    novelty(data, draws=1000)
    assert time.process_time() - begun < 12.0
