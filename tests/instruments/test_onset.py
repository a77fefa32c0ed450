"""onset: the published onsets, planted ones, invariances, and inputs of every awkward kind."""

import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.instruments import onset

AGENTS = {"Adam": "DQN (Adam + MSE in JAX)", "Quantile": "Quantile (JAX)"}


def curves(values, time=None, name="y"):
    """Wrap (..., seed, time) as labelled data."""
    values = np.asarray(values, dtype=float)
    dims = ("condition", "seed", "time")[-values.ndim :]
    coords = {"time": np.arange(values.shape[-1]) * 10.0 if time is None else np.asarray(time)}
    if values.ndim == 3:
        coords["condition"] = list("abcdef")[: len(values)]
    return xr.DataArray(values, dims=dims, coords=coords, name=name)


def sigmoids(rng, seeds, steps=200, centre=800.0, spread=0.2, width=0.05, noise=0.05, never=0.0, conditions=None):
    """Logistic rises in log time with a centre of its own in every seed; returns data and the true
    centres."""
    time = np.arange(1, steps + 1) * 10.0
    shape = (seeds, 1) if conditions is None else (conditions, seeds, 1)
    u0 = np.log(centre) + spread * rng.standard_normal(shape)
    y = 1 / (1 + np.exp(-np.clip((np.log(time) - u0) / width, -60, 60)))
    y = np.where(rng.random(shape) < never, 0.0, y)
    return curves(y + noise * rng.standard_normal(y.shape), time), np.exp(u0[..., 0])


# ---------------------------------------------------------------------------------------- published onsets


def test_freeway(atari):
    result = onset(atari("freeway"), threshold=10.0, k=3)
    table = result.to_frame()
    at = {c: [None if np.isnan(t) else int(t) for t in g["onset"]] for c, g in table.groupby("condition")}
    assert at["C51"] == [7, 5, 6, 7, 5]
    assert at["DQN"] == [11, None, 12, 5, 23]
    assert at[AGENTS["Adam"]] == [75, 11, None, 139, 3]
    assert at["Rainbow"] == [2, 2, 2, 2, 1]
    assert at["IQN"] == [8, 1, 1, 3, 1]
    assert at[AGENTS["Quantile"]] == [1] * 5
    medians = result.to_frame("conditions").set_index("condition")["median_onset"]
    assert (medians["C51"], medians["DQN"], medians[AGENTS["Adam"]]) == (6, 12, 75)
    contrasts = result.to_frame("contrasts").set_index(["a", "b"])
    row = contrasts.loc[("C51", "DQN")]
    assert row["p_asymptotic"] == pytest.approx(0.027, abs=5e-4)
    assert row["p_log_rank"] == pytest.approx(14 / 252)
    # five seeds against five can reach 2/252 and fifteen contrasts use that up: the result says so
    assert any("none can be significant" in w for w in result.warnings)


def test_montezuma(atari):
    result = onset(atari("montezumarevenge"), threshold=100.0, k=3)
    table = result.to_frame().dropna(subset="onset")
    found = {c: g["onset"].astype(int).tolist() for c, g in table.groupby("condition")}
    assert found == {"C51": [57, 41, 79], "IQN": [83], AGENTS["Quantile"]: [29], "Rainbow": [20]}
    c51 = result.to_frame("conditions").set_index("condition").loc["C51"]
    assert (c51["fraction"], round(c51["fraction_low"], 3), round(c51["fraction_high"], 3)) == (
        0.6,
        0.147,
        0.947,
    )
    row = result.to_frame("contrasts").set_index(["a", "b"]).loc[("C51", "DQN")]
    assert row["p_fisher"] == pytest.approx(1 / 6)
    assert row["p_asymptotic"] == pytest.approx(0.049, abs=5e-4)
    assert row["fraction_verdict"] == "inconclusive" and row["verdict"] == "inconclusive"


def test_venture_tennis_and_the_odd_seed_of_pong(atari):
    emerged = onset(atari("venture"), threshold=200.0).to_frame().groupby("condition")["emerged"].sum()
    assert emerged.sum() == 25 and emerged["DQN"] == 0
    tennis = onset(atari("tennis"), threshold=10.0).to_frame()
    count = tennis.groupby("condition")["emerged"].sum()
    assert count["DQN"] == count["Rainbow"] == 0 and count.sum() == 20
    assert tennis["onset"].min() == 25 and tennis["onset"].max() == 145
    pong = onset(atari("pong", "DQN"), threshold=0.0)
    table = pong.to_frame().set_index("seed")
    assert table.loc[3, "onset"] == 94 and table["outlier"].tolist() == [False, False, False, True, False]
    assert table.drop(index=3)["onset"].between(7, 16).all()
    assert any("seed 3" in w and "far from" in w for w in pong.warnings)


def test_mean_curve_is_gradual_where_seeds_are_abrupt(atari):
    result = onset(atari("freeway", AGENTS["Adam"]), threshold=10.0)
    row = result.to_frame("conditions").iloc[0]
    assert row["mean_curve_W"] > 5 * row["W_decades"]
    assert any("looks gradual" in w for w in result.warnings)


@pytest.mark.parametrize("deduped", [False, True])
def test_lambada_emerges_between_512_and_1000(pythia, deduped):
    data = pythia("lambada_openai", deduped=deduped)
    for call in ({"chance": 0.0}, {}):
        result = onset(data, "acc", stderr="stderr", **call)
        table = result.to_frame()
        assert table["onset"].eq(1000).all() and table["after"].eq(512).all() and len(table) == 8
        assert result.verdict == "emerges"
    summary = result.to_frame("conditions").iloc[0]
    assert (summary["median_after"], summary["median_upto"]) == (512, 1000)
    assert (summary["median_low"], summary["median_high"]) == (512, 1000)


@pytest.mark.parametrize("deduped", [False, True])
@pytest.mark.parametrize("call", [{}, {"stderr": "stderr"}])
def test_wsc_flip_gets_no_onset(pythia, deduped, call):
    result = onset(pythia("wsc", deduped=deduped), "acc", **call)
    assert not result.to_frame()["emerged"].any()
    assert any("label base rates" in w for w in result.warnings)
    # the flip itself is downwards: a threshold of the user's own still finds it
    down = onset(pythia("wsc", deduped=deduped), "acc", threshold=0.5, direction="down")
    assert down.to_frame()["emerged"].sum() >= 6 and any("label base rates" in w for w in down.warnings)


def test_flat_task_gets_no_onset(pythia):
    for call in ({}, {"stderr": "stderr"}):
        assert not onset(pythia("logiqa"), "acc", **call).to_frame()["emerged"].any()


# ------------------------------------------------------------------------------------------ planted onsets


def test_planted_midpoint_and_width_are_recovered():
    rng = np.random.default_rng(0)
    data, centres = sigmoids(rng, 10, width=0.08, noise=0.02)
    table = onset(data, threshold=0.5).to_frame()
    assert table["midpoint"].to_numpy() == pytest.approx(centres, rel=0.02)
    assert table["W_decades"].to_numpy() == pytest.approx(np.full(10, 4.4 * 0.08 / np.log(10)), rel=0.15)
    assert table["A"].to_numpy() == pytest.approx(np.full(10, 2 * np.sinh(2.2 * 0.08)), rel=0.15)
    assert table["model_onset"].to_numpy() == pytest.approx(centres * np.exp(-2.2 * 0.08), rel=0.05)


def test_planted_median_is_covered():
    """Ten seeds, a fifth of which never emerge: the interval holds the true median in 92% to 98% of the
    sets."""
    rng = np.random.default_rng(1)
    truth = 800.0 * np.exp(0.2 * 0.31863936396437514)  # 50% of all = 62.5% of those that emerge
    sets, inside = 100, 0
    for _ in range(sets):
        data, _ = sigmoids(rng, 10, steps=200, never=0.2, width=0.03)
        e = onset(data, threshold=0.5, k=3, draws=99).estimate
        inside += e.low <= truth and (np.isnan(e.high) or truth <= e.high)
    # three standard errors of 100 sets on either side of the wanted band
    assert 0.92 - 0.08 <= inside / sets <= 1.0


def test_never_emerged_seeds_are_censored_not_dropped():
    rng = np.random.default_rng(2)
    data, _ = sigmoids(rng, 10)
    data = data.copy()
    data[:6] = 0.0
    result = onset(data, threshold=0.5)
    row = result.to_frame("conditions").iloc[0]
    assert row["emerged"] == 4 and row["seeds"] == 10 and np.isnan(row["median_onset"])
    assert result.verdict == "inconclusive"
    assert result.to_frame()["last_record"].eq(2000).all()


def test_two_conditions():
    rng = np.random.default_rng(3)
    data, _ = sigmoids(rng, 12, conditions=2, width=0.03)
    later = data.copy()
    later[1] = np.roll(data.values[1], 60, axis=-1)
    later[1, :, :60] = 0.0
    result = onset(later, threshold=0.5)
    assert result.verdict == "earlier" and result.estimate.high < 0 and result.p < 0.01
    row = result.to_frame("contrasts").iloc[0]
    assert row["difference"] == pytest.approx(-600, abs=150) and row["hazard_ratio"] > 1
    same = onset(data, threshold=0.5, margin=400.0)
    assert same.verdict == "no difference"
    paired = onset(later, threshold=0.5, paired=True)
    assert paired.verdict == "earlier" and "signs" in paired.null.name


def test_order_that_turns_with_the_threshold_gives_no_verdict():
    time = np.arange(1, 301) * 10.0
    noise = 0.01 * np.random.default_rng(4).standard_normal((2, 12, 300))
    slow = np.clip(time / 3000, 0, 1)  # early to start, late to finish
    fast = 1 / (1 + np.exp(-(time - 1200) / 30))
    result = onset(curves(np.stack([np.tile(slow, (12, 1)), np.tile(fast, (12, 1))]) + noise, time), threshold=0.3)
    assert result.to_frame("contrasts")["order_flips"].all() and result.verdict == "inconclusive"
    assert any("changes with the threshold" in w for w in result.warnings)
    panel = result.to_frame("sensitivity")
    assert set(panel["k"]) == {1, 3, 6} and panel["theta"].nunique() == 9


def test_order_of_observables_and_hidden_progress():
    rng = np.random.default_rng(5)
    data, centres = sigmoids(rng, 12, width=0.02)
    time = data["time"].values
    early = 1 / (1 + np.exp(-np.clip((np.log(time) - np.log(centres[:, None] - 200)) / 0.02, -60, 60)))
    both = xr.Dataset({"score": data, "probe": (("seed", "time"), early)})
    for companion in ("probe", ["probe"], {"probe": 0.5}, both["probe"]):
        row = onset(both, "score", threshold=0.5, companion=companion).to_frame("order").iloc[0]
        assert (row["companion_first"], row["companion_last"]) == (12, 0)
        assert row["p"] == pytest.approx(2 / 2**12) and row["lead"] == pytest.approx(200, abs=25)
        assert row["lead_low"] > 0


def test_data_driven_onset_finds_rises_and_no_noise():
    rng = np.random.default_rng(6)
    data, centres = sigmoids(rng, 8, width=0.05, noise=0.05)
    table = onset(data).to_frame()
    assert table["emerged"].all() and table["p_rise"].max() < 0.01
    assert (table["onset"] <= centres).all() and (table["onset"] > 0.6 * centres).all()
    noise = onset(curves(rng.standard_normal((8, 200)).cumsum(axis=1)))
    assert noise.to_frame()["emerged"].sum() <= 1
    # a falling curve has no rise, and the same curve upside down has
    assert not onset(-data).to_frame()["emerged"].any()
    assert onset(-data, direction="down").to_frame()["emerged"].all()


# --------------------------------------------------------------------------------------------- invariances


def test_invariances():
    rng = np.random.default_rng(7)
    data, _ = sigmoids(rng, 10, conditions=2, never=0.1)
    data[1] = np.roll(data.values[1], 80, axis=-1)
    plain = onset(data, threshold=("fraction", 0.5))
    scaled = onset(1000.0 * data - 7.0, threshold=("fraction", 0.5))
    assert scaled.verdict == plain.verdict
    assert scaled.to_frame()["onset"].equals(plain.to_frame()["onset"])
    slower = onset(data.assign_coords(time=data["time"] * 60.0), threshold=("fraction", 0.5))
    assert slower.verdict == plain.verdict and slower.p == pytest.approx(plain.p)
    assert slower.to_frame()["onset"].to_numpy() == pytest.approx(
        60 * plain.to_frame()["onset"].to_numpy(), nan_ok=True
    )
    assert slower.to_frame()["W_decades"].to_numpy() == pytest.approx(
        plain.to_frame()["W_decades"].to_numpy(), nan_ok=True, rel=1e-6
    )
    turned = onset(data.isel(seed=slice(None, None, -1)), threshold=("fraction", 0.5))
    assert turned.verdict == plain.verdict
    assert onset(data.isel(time=slice(None, None, 2)), threshold=("fraction", 0.5)).verdict == plain.verdict
    shuffled = data.isel(time=rng.permutation(data.sizes["time"]))
    assert onset(shuffled, threshold=("fraction", 0.5)).to_frame().equals(plain.to_frame())


def test_rule_works_on_records_that_exist():
    y = np.array([[0, 1, 0, 1, np.nan, 1, 1, 0, 0, 0.0]])
    table = onset(curves(y), threshold=0.5, k=3).to_frame()
    assert table["onset"].item() == 30 and table["after"].item() == 20
    ended = xr.Dataset({"y": curves(np.ones((3, 6)))})
    ended["ended"] = (("seed", "time"), np.arange(6) >= np.array([[6], [3], [0]]))
    result = onset(ended, threshold=2.0)
    assert result.to_frame()["last_record"].tolist()[:2] == [50, 20]
    assert result.to_frame("conditions")["seeds"].item() == 2


# -------------------------------------------------------------------------------------- degenerate inputs

awkward = st.sampled_from([0.0, 1.0, -3.0, np.nan, np.inf, -np.inf, 1e300, 1e-300])
rules = st.sampled_from(
    [
        {},
        {"threshold": 0.5},
        {"threshold": ("fraction", 0.3)},
        {"threshold": ("z", 2.0), "stderr": 0.1},
        {"stderr": 0.0},
        {"threshold": 0.5, "direction": "down", "k": 1, "margin": 1.0},
        {"threshold": 0.5, "paired": True},
    ]
)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 2), st.integers(1, 6), st.integers(1, 14), rules)
def test_every_input_gets_a_defined_answer(draw, conditions, seeds, steps, rule):
    cells = st.lists(st.one_of(awkward, st.floats(-2, 2)), min_size=steps, max_size=steps)
    values = np.array([[draw.draw(cells) for _ in range(seeds)] for _ in range(conditions)])
    time = draw.draw(st.lists(st.integers(-5, 50), min_size=steps, max_size=steps))
    result = onset(curves(values, np.array(time, dtype=float)), draws=99, **rule)
    assert result.verdict in (
        "emerges",
        "does not emerge",
        "inconclusive",
        "earlier",
        "later",
        "no difference",
    )
    assert "inf" not in result.to_json().replace("infinite", "") and json.loads(result.to_json())
    assert "traceback" not in result.explain().lower() and len(result.explain()) > 100
    numbers = result.to_frame().select_dtypes("number").to_numpy(dtype=float)
    assert not np.isinf(numbers).any()


@pytest.mark.parametrize(
    "values",
    [
        np.ones((5, 30)),
        np.zeros((5, 30)),
        np.full((5, 30), np.nan),
        np.ones((5, 2)),
        np.ones((1, 30)),
        np.ones((5, 1)),
    ],
    ids=["constant", "zeros", "nothing", "two points", "one seed", "one point"],
)
def test_degenerate_data_do_not_emerge(values):
    for data in (curves(values), curves(np.stack([values, values]))):
        result = onset(data)
        assert not result.to_frame()["emerged"].any()
        assert result.plot() is not None


def test_without_seeds_everything_is_within_one_run():
    result = onset(curves(np.linspace(0, 1, 50)), threshold=0.5)
    assert result.n_seeds == 1 and any("within one run" in w for w in result.warnings)
    assert not result.estimate.claimed


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: onset(d.values, threshold=1.0), "name the dims"),
        (lambda d: onset(d.drop_vars("time"), threshold=1.0), "no coordinate"),
        (lambda d: onset(d, along="step"), "no dim 'step'"),
        (lambda d: onset(d.rename(seed="agent")), "dims agent"),
        (lambda d: onset(xr.Dataset({"a": d, "b": d})), "say which one"),
        (lambda d: onset(xr.Dataset({"a": d}), "aa"), "did you mean 'a'"),
        (lambda d: onset(d, threshold=("z", 3.0)), "needs stderr"),
        (lambda d: onset(d, threshold=("fraction", 1.5)), "fraction must be"),
        (lambda d: onset(d, threshold=np.nan), "finite"),
        (lambda d: onset(d + 5, items=10), r"\[0, 1\]"),
        (lambda d: onset(d, items=10, stderr=0.1), "not both"),
        (lambda d: onset(d, k=0), "at least 1"),
        (lambda d: onset(d, margin=0.0), "above 0"),
        (lambda d: onset(d, stderr="se"), "stderr"),
        (lambda d: onset(d[:, :0]), "no record"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    data = curves(np.random.default_rng(8).random((5, 20)))
    with pytest.raises(UserError, match=message) as caught:
        call(data)
    assert "\n" not in str(caught.value)


def test_result_carries_everything(tmp_path):
    data, _ = sigmoids(np.random.default_rng(9), 6, conditions=2)
    result = onset(data, threshold=0.5)
    assert result.ci.low == result.estimate.low and result.null.draws == 924
    assert set(result.to_dataset().data_vars) >= {"value", "onset", "emerged"}
    assert result.to_dataset().attrs["verdict"] == result.verdict
    document = json.loads(result.to_json(tmp_path / "onset.json"))
    assert document == json.loads((tmp_path / "onset.json").read_text())
    assert document["provenance"]["data_sha256"] == onset(data, threshold=0.5).provenance["data_sha256"]
    assert document["params"]["k"] == 3 and "What it cannot see" in document["explain"]
    with pytest.raises(UserError, match="no table"):
        result.to_frame("seed")
    from emergelab import figures

    assert len(figures.png(result.plot())) > 20_000


def test_a_run_is_recognised_by_its_data():
    class Run:
        data = xr.Dataset({"y": curves(np.tile(np.linspace(0, 1, 40), (5, 1)))})

    assert onset(Run(), "y", threshold=0.5).to_frame()["emerged"].all()
