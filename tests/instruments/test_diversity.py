"""diversity: closed forms, the Vendi package, the Montezuma runs, planted behaviours, and awkward inputs."""

import time

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab import figures
from emergelab.errors import UserError
from emergelab.instruments import _diversity_measures as measures
from emergelab.instruments import calibrate, diversity

from .degenerate import assert_defined, blocks

FEW = {"draws": 199}


def labels(values):
    """Modes of rollouts, dims (seed, rollout)."""
    return xr.DataArray(np.asarray(values), dims=("seed", "rollout"), name="mode")


def mean_of(result, measure):
    table = result.to_frame("conditions").set_index("measure")
    return float(table.loc[measure, "mean"])


# ------------------------------------------------------------------------------------------------ closed forms


def test_entropy_of_modes():
    uniform = labels(np.tile(np.repeat(np.arange(24), 50), (6, 1)))
    result = diversity(uniform, modes=24, entropy="plug-in")
    assert mean_of(result, "H") == pytest.approx(1.0) and result.verdict == "diverse"
    assert [mean_of(result, d) for d in ("D0", "D1", "D2")] == pytest.approx([24, 24, 24])
    one = diversity(labels(np.zeros((6, 30), int)), modes=24)
    assert mean_of(one, "H") == 0.0 and one.verdict == "narrow"
    # half of the modes in equal shares: log 12 / log 24
    half = diversity(labels(np.tile(np.repeat(np.arange(12), 50), (6, 1))), modes=24, entropy="plug-in")
    assert mean_of(half, "H") == pytest.approx(np.log(12) / np.log(24))


def test_two_starts_with_one_mode_each():
    """Diverse because the starts differ: the pooled entropy is that of two modes, within a start it is zero."""
    modes = np.tile(np.arange(2)[:, None], (8, 1, 20))
    data = xr.DataArray(modes, dims=("seed", "context", "rollout"), name="mode")
    result = diversity(data, modes=2, entropy="plug-in", **FEW)
    assert mean_of(result, "H") == pytest.approx(1.0) and mean_of(result, "H_conditional") == 0.0
    assert mean_of(result, "information") == pytest.approx(1.0)
    assert result.verdict == "narrow" and result.to_frame("contexts")["p"].item() <= 0.01
    free = data.copy(data=np.random.default_rng(0).integers(0, 2, modes.shape))
    result = diversity(free, modes=2, **FEW)
    assert result.verdict == "diverse" and result.to_frame("contexts")["p"].item() > 0.05


def test_hill_numbers_and_rarefaction_are_exact():
    counts = np.array([24.0, 1.0, 5.0])
    p = counts / 30
    assert measures.hill(counts, 1) == pytest.approx(np.exp(-(p * np.log(p)).sum()))
    assert measures.hill(counts, 2) == pytest.approx(1 / (p**2).sum()) and measures.hill(counts, 0) == 3
    assert measures.hill(counts, 3) == pytest.approx((p**3).sum() ** -0.5)
    assert measures.hill(counts, np.inf) == pytest.approx(30 / 24)
    rng = np.random.default_rng(1)
    drawn = rng.multivariate_hypergeometric([24, 1, 5], 6, 40_000).astype(float)
    assert measures.rarefied_entropy(counts, 6) == pytest.approx(measures.entropy(drawn, "plug-in").mean(), abs=0.01)
    assert measures.rarefied_hill(counts, 0, 6) == pytest.approx((drawn > 0).sum(axis=1).mean(), abs=0.02)
    assert measures.rarefied_hill(counts, 2, 6) == pytest.approx(1 / ((drawn / 6) ** 2).sum(axis=1).mean(), abs=0.01)
    assert measures.rarefied_entropy(counts, 30) == pytest.approx(measures.entropy(counts, "plug-in"))
    assert np.isnan(measures.rarefied_entropy(counts, 31))
    assert measures.coverage(counts) == pytest.approx(1 - 1 / 30)
    assert measures.chao1(np.array([5.0, 1, 1, 1, 2])) == pytest.approx(5 + 9 / 10 * 3 * 2 / (2 * 2))


@pytest.mark.parametrize("how", ["miller-madow", "chao-shen"])
def test_corrections_take_most_of_the_bias_away(how):
    p = np.random.default_rng(2).dirichlet(np.ones(12))
    truth = float(-(p * np.log(p)).sum())
    counts = np.random.default_rng(3).multinomial(30, p, 3000).astype(float)
    plain = abs(float(measures.entropy(counts, "plug-in").mean()) - truth)
    assert abs(float(measures.entropy(counts, how).mean()) - truth) < 0.4 * plain


def test_vendi_against_the_package():
    from vendi_score import vendi

    rng = np.random.default_rng(4)
    points = rng.standard_normal((30, 5))
    k = measures.similarity(points, "cosine", None)
    for q in (1.0, 2.0, 0.5):
        assert measures.vendi(k, q) == pytest.approx(vendi.score_K(k, q=q), rel=1e-6)
    assert measures.vendi(k) == pytest.approx(vendi.score_X(points), rel=1e-9)
    k = measures.similarity(points, "rbf", 1.5)
    assert measures.vendi(k) == pytest.approx(vendi.score_K(k), rel=1e-9)
    assert measures.vendi(np.ones((5, 5))) == pytest.approx(1.0)
    assert measures.vendi(np.eye(5)) == pytest.approx(5.0)


def test_points():
    rng = np.random.default_rng(5)
    same = xr.DataArray(np.ones((6, 8, 3)), dims=("seed", "rollout", "feature"), name="x")
    table = diversity(same, **FEW).to_frame("seeds")
    assert table["VS"].to_numpy() == pytest.approx(1.0) and table["neighbour_entropy"].isna().all()
    axes = xr.DataArray(np.tile(np.eye(8), (6, 1, 1)), dims=("seed", "rollout", "feature"), name="x")
    result = diversity(axes, **FEW)
    assert mean_of(result, "VS") == pytest.approx(8.0) and mean_of(result, "evenness") == pytest.approx(1.0)
    assert result.verdict == "diverse"
    part = result.to_frame("decomposition").iloc[0]
    assert part["beta"] == pytest.approx(1.0) and part["gamma"] == pytest.approx(8.0)
    cloud = rng.standard_normal((2000, 3))
    assert measures.neighbour_entropy(cloud) == pytest.approx(1.5 * np.log(2 * np.pi * np.e), abs=0.1)
    assert measures.effective_rank(cloud) == pytest.approx(3.0, abs=0.01)
    flat = cloud.copy()
    flat[:, 1:] = 0.0
    assert measures.effective_rank(flat) == pytest.approx(1.0)


def test_archive():
    fitness = np.full((2, 6, 3, 10), np.nan)
    fitness[0, :, 1:, :2] = 1.0
    fitness[1, :, 1, :4] = 2.0
    fitness[1, :, 2, :8] = 3.0
    data = xr.DataArray(
        fitness,
        dims=("condition", "seed", "time", "cell"),
        coords={"condition": ["a", "b"], "time": [0, 10, 20]},
        name="fit",
    )
    result = diversity(data, floor=1.0, **FEW)
    rows = result.to_frame("seeds").groupby("condition").first()
    assert rows["coverage"].tolist() == pytest.approx([0.2, 0.8]) and rows["QD"].tolist() == pytest.approx([0.0, 16.0])
    assert rows["best"].tolist() == [1.0, 3.0] and rows["novelty_rate"].tolist() == pytest.approx([1.0, 4.0])
    assert result.verdict == "less diverse"
    grid = xr.DataArray(fitness[1, :, 2].reshape(6, 2, 5), dims=("seed", "x", "y"), name="fit")
    assert mean_of(diversity(grid, cell=("x", "y"), **FEW), "coverage") == pytest.approx(0.8)
    filled = xr.DataArray(np.isfinite(fitness[1, :, 2]), dims=("seed", "cell"), name="filled")
    assert mean_of(diversity(filled, **FEW), "coverage") == pytest.approx(0.8)


def test_policies():
    rng = np.random.default_rng(6)
    alike = np.broadcast_to(rng.dirichlet(np.ones(3), 7), (6, 7, 3))
    data = xr.DataArray(alike, dims=("seed", "state", "action"), name="policy")
    result = diversity(data, **FEW)
    assert result.to_frame("decomposition")["beta"].item() == pytest.approx(1.0)
    assert result.to_frame("pairs")["JS"].to_numpy() == pytest.approx(0.0, abs=1e-9)
    own = np.zeros((3, 7, 3))
    for i in range(3):
        own[i, :, i] = 1.0
    result = diversity(data[:3].copy(data=own), **FEW)
    assert result.to_frame("decomposition")["beta"].item() == pytest.approx(3.0)
    assert result.to_frame("pairs")["JS"].to_numpy() == pytest.approx(1.0)
    from scipy.spatial.distance import jensenshannon

    p = rng.dirichlet(np.ones(4), (2, 1))
    found = diversity(xr.DataArray(p, dims=("seed", "state", "action"), name="p"), **FEW).to_frame("pairs")["JS"].item()
    assert found == pytest.approx(jensenshannon(p[0, 0], p[1, 0], base=2) ** 2)


# ------------------------------------------------------------------------------------- data sets of transitions


def walk(eps, seed, steps=800, size=8):
    """Transitions in a grid of an agent that heads for the far corner and strays with probability eps."""
    rng = np.random.default_rng([seed, round(100 * eps)])
    rows, x, y, episode, at = [], 0, 0, 0, 0
    for _ in range(steps):
        a = int(rng.integers(4)) if rng.random() < eps else int(x == size - 1)
        to = (min(max(x + (a == 0) - (a == 2), 0), size - 1), min(max(y + (a == 1) - (a == 3), 0), size - 1))
        done, at = to == (size - 1, size - 1), at + 1
        rows.append((f"{eps:g}", seed, y * size + x, a, episode, 1.0 if done else -0.02))
        x, y = to
        if done or at >= 60:
            x, y, episode, at = 0, 0, episode + 1, 0
    return rows


@pytest.fixture(scope="module")
def transitions():
    rows = [row for eps in (0.0, 0.2, 0.5, 0.8, 1.0) for seed in range(6) for row in walk(eps, seed)]
    return pd.DataFrame(rows, columns=["condition", "seed", "state", "action", "episode", "reward"])


def test_straying_covers_more_and_returns_less(transitions):
    result = diversity(transitions, replay="1", random="1", best="0", **FEW)
    means = result.to_frame("seeds").groupby("condition")[["SACo", "TQ"]].mean()
    assert means["SACo"].is_monotonic_increasing and means.loc["1", "SACo"] == 1.0  # the replay data are the unit
    assert means["TQ"].is_monotonic_decreasing and means.loc["1", "TQ"] == 0.0 and means.loc["0", "TQ"] == 1.0
    both = (means["SACo"] * means["TQ"]).to_numpy()
    assert both.argmax() not in (0, 4)  # an inverted U
    assert result.verdict == "differ"
    pair = diversity(
        transitions[transitions["condition"].isin(["0", "0.5"])], replay="0.5", random=-1.2, best="0", **FEW
    )
    assert pair.verdict == "less diverse, more able"
    again = transitions.assign(condition="x", seed=transitions["seed"])[:0]
    assert diversity(again).verdict == "inconclusive"


def test_fractions_need_a_grid(transitions):
    moved = transitions.assign(state=transitions["state"] + 0.5)
    with pytest.raises(UserError, match="bins=100"):
        diversity(moved)
    result = diversity(moved, bins={"state": 64}, replay="1", **FEW)
    plain = diversity(transitions, replay="1", **FEW)
    ours, theirs = (r.to_frame("seeds")["pairs"].to_numpy() for r in (result, plain))
    assert ours.tolist() == theirs.tolist()
    with pytest.raises(UserError, match="no data set 'er'"):
        diversity(transitions, replay="er")


# -------------------------------------------------------------------------------------------------- real runs


def test_montezuma_has_two_ways_and_little_of_both(atari):
    """30 runs: 24 find nothing, one a single room, five the key: 1.80 effective outcomes, fewer within an agent."""
    last = atari("montezumarevenge").isel(time=-1)
    assert float((last < 100).sum()) == 24
    modes = xr.where(last < 100, "nothing", xr.where(last < 1000, "one room", "key")).rename("way")
    runs = modes.rename(seed="rollout", condition="seed").drop_vars("time")
    result = diversity(runs, modes=["nothing", "one room", "key"], **FEW)
    part = result.to_frame("decomposition").iloc[0]
    assert part["gamma"] == pytest.approx(1.80, abs=0.005) and part["alpha"] < part["gamma"]
    counts = result.to_frame("modes").set_index("mode")["rollouts"]
    assert counts.to_dict() == {"nothing": 24, "one room": 1, "key": 5}
    assert part["p_beta"] > 0.05  # five runs an agent cannot show that agents differ


# ------------------------------------------------------------------------------------------ planted behaviours


def planted(rng, seeds=12, share=(0.2, 0.9), win=(0.9, 0.9), rollouts=60):
    dims = ("condition", "seed", "rollout")
    shape = (seeds, rollouts)
    modes = [np.where(rng.random(shape) < s, rng.integers(0, 5, shape), 0) for s in share]
    won = [rng.random(shape) < w for w in win]
    data = {"mode": (dims, np.stack(modes)), "won": (dims, np.stack(won))}
    return xr.Dataset(data, coords={"condition": ["bc", "diffusion"], "seed": np.arange(seeds)})


def test_unimodal_against_diverse_policies():
    """The direction of the imitation benchmark: equal success, and the entropy tells the policies apart."""
    data = planted(np.random.default_rng(7))
    call = {"var": "mode", "success": "won", "modes": 5, **FEW}
    result = diversity(data, **call)
    assert result.verdict == "less diverse" and result.estimate.high < 0
    row = result.to_frame("contrasts").iloc[0]
    assert row["able_low"] < 0 < row["able_high"] and row["p"] <= 0.01
    assert len(figures.png(result.plot())) > 20_000
    at_cost = diversity(planted(np.random.default_rng(8), win=(0.9, 0.3)), **call)
    assert at_cost.verdict == "less diverse, more able" and any("without competence" in w for w in at_cost.warnings)
    equal = planted(np.random.default_rng(9), share=(0.5, 0.5))
    assert diversity(equal, margin=0.3, **call).verdict == "no difference"
    assert diversity(equal, **call).verdict == "inconclusive"
    # invariances: names of modes, order of seeds and rollouts, half of the rollouts
    named = data.assign(mode=data["mode"].astype(str))
    for other in (
        named,
        data.isel(seed=slice(None, None, -1)),
        data.isel(rollout=np.random.default_rng(0).permutation(60)),
        data.isel(rollout=slice(None, None, 2)),
    ):
        again = diversity(other, **call)
        assert again.verdict == result.verdict
        assert again.estimate.value == pytest.approx(result.estimate.value, abs=0.1)


def test_failures_are_no_behaviour():
    data = planted(np.random.default_rng(10), win=(1.0, 1.0)).isel(condition=0, drop=True)
    data["mode"] = data["mode"].where(data["rollout"] % 2 == 0, 4)
    data["won"] = data["won"].where(data["rollout"] % 2 == 0, False)
    strict = diversity(data, "mode", success="won", modes=5, **FEW)
    assert strict.to_frame("modes").set_index("mode")["share"].loc["4"] < 0.1
    assert mean_of(strict, "success") == 0.5
    loose = diversity(data.drop_vars("won"), modes=5, **FEW)
    assert mean_of(loose, "H") > mean_of(strict, "H") + 0.1 and any("failures" in w for w in loose.warnings)


def test_seeds_that_differ_and_reference():
    rng = np.random.default_rng(11)
    own = labels(np.repeat(np.arange(6)[:, None], 20, axis=1))
    part = diversity(own, modes=6, **FEW).to_frame("decomposition").iloc[0]
    assert (part["alpha"], part["gamma"], part["beta"]) == pytest.approx((1, 6, 6)) and part["p_beta"] <= 0.01
    alike = labels(rng.integers(0, 6, (6, 20)))
    part = diversity(alike, modes=6, **FEW).to_frame("decomposition").iloc[0]
    assert part["p_beta"] > 0.01 and part["beta"] == pytest.approx(part["beta_expected"], rel=0.15)
    human = {str(i): 1 / 6 for i in range(6)}
    rows = diversity(own, modes=6, reference=human, **FEW).to_frame("seeds")
    assert rows["KL"].to_numpy() == pytest.approx(np.log(6))
    odd = diversity(own, modes=6, reference={"0": 1.0}, **FEW)
    assert odd.to_frame("seeds")["KL"].isna().sum() == 5 and any("never" in w for w in odd.warnings)


# ------------------------------------------------------------------------------------- calibration, cost, errors


def test_calibration_in_short():
    for scene in ("same", "free", "alike"):
        rate = calibrate("diversity", scene, draws=10, seeds=(5,)).table["rate"]
        assert (rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 10)).all(), scene
    for scene, effect in (("more", 0.6), ("starts", 0.4), ("apart", 0.4)):
        assert calibrate("diversity", scene, effects=(effect,), draws=3, seeds=(10,)).table["rate"].min() >= 0.7, scene


def test_cost():
    rng = np.random.default_rng(12)
    many = labels(rng.integers(0, 24, (20, 1000)))
    points = xr.DataArray(rng.standard_normal((20, 100, 8)), dims=("seed", "rollout", "feature"), name="x")
    for data, call in ((many, {"modes": 24}), (points, {})):
        begun = time.process_time()
        diversity(data, draws=1000, **call)
        assert time.process_time() - begun < 6.0


awkward = st.sampled_from([0.0, 1.0, -3.0, np.nan, np.inf, -np.inf, 1e300, 1e-300, 2.5])
VERDICTS = (
    "diverse", "narrow", "inconclusive", "more diverse", "less diverse", "more diverse, less able",
    "less diverse, more able", "no difference",
)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(
    st.data(), st.sampled_from(["labels", "contexts", "embeddings", "archive", "policies"]),
    st.integers(1, 2), st.integers(1, 6), st.integers(1, 5), st.integers(1, 4),
)  # fmt: skip
def test_every_input_gets_a_defined_answer(data, kind, conditions, seeds, n, k):
    size = conditions * seeds * n * k
    values = np.array(data.draw(st.lists(awkward, min_size=size, max_size=size))).reshape(conditions, seeds, n, k)
    last = {
        "labels": ("rollout", None), "contexts": ("context", "rollout"), "embeddings": ("rollout", "feature"),
        "archive": ("time", "cell"), "policies": ("state", "action"),
    }[kind]  # fmt: skip
    dims = ["condition", "seed", *last]
    if kind == "labels":
        values, dims = values[..., 0], dims[:3]
    array = xr.DataArray(values, dims=dims, coords={"condition": list("ab")[:conditions]}, name="x")
    array = array.assign_coords(time=np.arange(n)) if kind == "archive" else array
    call = data.draw(
        st.sampled_from([{}, {"margin": 0.1}, {"paired": True}, {"kernel": "rbf", "entropy": "chao-shen"}])
    )
    result = diversity(array, draws=99, **call)
    assert_defined(result)
    assert result.verdict in VERDICTS


@settings(deadline=None, max_examples=20)
@given(blocks(12))
def test_degenerate_curves_as_labels_points_and_archives(block):
    for dims in (("seed", "rollout"), ("rollout", "feature"), ("seed", "cell")):
        assert_defined(
            diversity(block.drop_vars(["seed", "time"]).rename(dict(zip(block.dims, dims, strict=True))), draws=99)
        )


@pytest.mark.parametrize("kind", ["one seed", "nothing"])
def test_a_figure_even_of_nothing(kind):
    values = np.zeros((1, 5)) if kind == "one seed" else np.full((3, 5), np.nan)
    for dims in (("seed", "rollout"), ("seed", "cell")):
        result = diversity(xr.DataArray(values, dims=dims, name="x"), **FEW)
        assert result.verdict == "inconclusive" and result.plot() is not None
    single = diversity(xr.DataArray(np.zeros(5, int), dims=("rollout",), name="x"), modes=3, **FEW)
    assert single.n_seeds == 1 and any("within one run" in w for w in single.warnings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: diversity(d.values), "name the dims"),
        (lambda d: diversity(d.rename(rollout="episode")), "no dim 'rollout'"),
        (lambda d: diversity(d.rename(seed="agent")), "dims agent"),
        (lambda d: diversity(d, modes=2), "more than modes=2"),
        (lambda d: diversity(d, modes=["0", "1"]), "not among the modes"),
        (lambda d: diversity(d, success="won"), "no variable 'won'"),
        (lambda d: diversity(d, success=d.isel(rollout=slice(3))), "labels of success"),
        (lambda d: diversity(d, modes=9, reference={"0": -1.0}), "reference must map"),
        (lambda d: diversity(d, margin=0.0), "above 0"),
        (lambda d: diversity(d, draws=5), "at least 99"),
        (lambda d: diversity(d, bandwidth=0.0), "above 0"),
        (lambda d: diversity(d, at=1), "at least 2"),
        (lambda d: diversity(xr.Dataset({"a": d, "b": d})), "say which one"),
        (lambda d: diversity(d[:, :0]), "nothing at all"),
        (lambda d: diversity(pd.DataFrame({"state": [1], "action": [1]})), "no column 'reward'"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    data = labels(np.random.default_rng(13).integers(0, 4, (5, 20))).assign_coords(rollout=np.arange(20))
    with pytest.raises(UserError, match=message) as caught:
        call(data)
    assert "\n" not in str(caught.value)
