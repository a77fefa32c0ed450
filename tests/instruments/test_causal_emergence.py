"""causal_emergence: known matrices, parity, the atoms against hoi, and what must stay silent."""

import itertools
import json
import time

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import xlogy

from emergelab.errors import UserError
from emergelab.instruments import calibrate, causal_emergence
from emergelab.instruments._causal_emergence_atoms import ATOMS, atoms_of, hoi_mutual
from emergelab.instruments._causal_emergence_ei import (
    effective_information,
    macro_matrix,
    partitions,
    parts_of,
    search,
    stationary,
)
from emergelab.instruments._causal_emergence_info import Pairs, ksg, mutual, shifts_of
from emergelab.instruments._scenes.causal_emergence import parity
from emergelab.statistics import ar1_noise

from .degenerate import assert_defined, blocks

NOW = np.zeros(1, dtype=int)


def matrix(rows, *lead):
    return xr.DataArray(np.asarray(rows, dtype=float), dims=(*lead, "state", "next"))


def odd(x):
    return x.sum(axis=-1) % 2


def mean(x):
    return x.mean(axis=-1)


def autoregressions(rng, seeds, steps, parts, phi=0.8):
    x = np.swapaxes(ar1_noise((seeds, parts, steps), phi, rng), 1, 2)
    return xr.DataArray(x, dims=("seed", "time", "part"), coords={"time": np.arange(float(steps))}, name="x")


HOEL = np.zeros((8, 8))
HOEL[:7, :7] = 1 / 7
HOEL[7, 7] = 1.0


# --------------------------------------------------------------------------------------------- known matrices


def test_karate_club():
    nx = pytest.importorskip("networkx")
    graph = nx.karate_club_graph()
    result = causal_emergence(graph, draws=99)
    row = result.to_frame().iloc[0]
    assert row["ei_micro"] == pytest.approx(2.3500950888734686, abs=1e-13)
    weighted = nx.to_numpy_array(graph, weight="weight")
    rows = weighted / weighted.sum(axis=1, keepdims=True)
    assert float(effective_information(rows)) == pytest.approx(2.3766, abs=5e-5)
    assert result.params["kind"] == "network" and result.n_seeds == 1
    assert set(result.to_frame("groups")["state"]) == {str(v) for v in graph.nodes}


def test_eight_states_of_hoel():
    result = causal_emergence(matrix(HOEL), draws=199)
    row = result.to_frame().iloc[0]
    assert row["ei_micro"] == pytest.approx(1 - 7 / 8 * np.log2(7) + (np.log2(8) - 1), abs=1e-12)
    assert row["ei_micro"] == pytest.approx(0.5436, abs=5e-5)
    assert row["determinism"] == pytest.approx(0.1812, abs=5e-5) and row["degeneracy"] == pytest.approx(0, abs=1e-12)
    assert row["ei_macro"] == pytest.approx(1.0, abs=1e-12) and row["macro_states"] == 2
    assert result.estimate.value == pytest.approx(0.4564, abs=5e-5)
    assert result.to_frame("groups")["group"].tolist() == [0] * 7 + [1]
    assert row["inconsistency"] == pytest.approx(0, abs=1e-12)
    assert result.verdict == "emergent" and result.p == pytest.approx(1 / 200)
    given = causal_emergence(matrix(HOEL), macro=["a"] * 7 + ["b"], draws=99)
    assert given.estimate.value == pytest.approx(result.estimate.value) and given.params["grouping"] == "given"


def test_four_gates_of_pyphi():
    """The macro example of pyphi: two pairs of gates; a gate is on for certain if both of the other pair are, else
    with probability 0.3. The pairs are the macro elements."""
    states = np.array(list(itertools.product([0, 1], repeat=4)))
    on = np.stack(
        [np.where(states[:, a] & states[:, b], 1.0, 0.3) for a, b in ((2, 3), (2, 3), (0, 1), (0, 1))], axis=1
    )
    rows = np.prod(np.where(states[None] == 1, on[:, None], 1 - on[:, None]), axis=2)
    assert parts_of(rows).ei == pytest.approx(1.1486, abs=5e-5)
    found = search(rows)
    assert found.method == "thorough" and found.size[found.best] == 4
    h = lambda p: float(-(xlogy(p, p) + xlogy(1 - p, 1 - p)) / np.log(2))  # noqa: E731
    assert found.ei[found.best] == pytest.approx(2 * (h(0.5 * (1 + 0.09)) - 0.5 * h(0.09)), abs=1e-12)


def test_step_function_and_counts():
    def step(state):
        a, _ = state
        return {(a, 0): 0.5, (a, 1): 0.5}

    states = list(itertools.product([0, 1], repeat=2))
    result = causal_emergence(step, states=states, draws=99)
    assert result.to_frame().iloc[0]["ei_micro"] == pytest.approx(1.0)
    assert causal_emergence(lambda s: (s + 1) % 5, states=range(5), draws=99).to_frame()["ei_micro"][
        0
    ] == pytest.approx(np.log2(5))
    rng = np.random.default_rng(0)
    counts = matrix(rng.multinomial(400, HOEL))
    found = causal_emergence(counts, kind="counts", draws=99)
    assert found.ci.method == "Bayesian bootstrap of the counts" and found.verdict == "emergent"
    assert found.ci.low < 0.4564 < found.ci.high


def test_partitions_and_searches_agree():
    assert [len(partitions(n)) for n in range(1, 9)] == [1, 2, 5, 15, 52, 203, 877, 4140]
    rng = np.random.default_rng(1)
    for _ in range(5):
        rows = rng.dirichlet(np.ones(6), 6)
        full = search(rows)
        for k, ei, labels in zip(full.size, full.ei, full.labels, strict=True):
            assert float(effective_information(macro_matrix(rows, labels))) == pytest.approx(ei, abs=1e-12)
            assert labels.max() + 1 == k
        greedy = search(rows, "greedy")
        assert (greedy.ei <= full.ei + 1e-12).all() and greedy.ei[0] == pytest.approx(full.ei[0], abs=1e-12)
        for ei, labels in zip(greedy.ei, greedy.labels, strict=True):
            assert float(effective_information(macro_matrix(rows, labels))) == pytest.approx(ei, abs=1e-12)
        pi = stationary(rows)
        assert pi @ rows == pytest.approx(pi, abs=1e-9) and pi.sum() == pytest.approx(1)
    group = np.arange(40) // 10
    block = (group[:, None] == (group[None, :] + 1) % 4) / 10.0
    assert search(block).ei.max() == pytest.approx(2.0) and search(block, "hierarchy").ei.max() == pytest.approx(2.0)


def test_order_of_states_and_seeds_do_not_matter():
    rng = np.random.default_rng(2)
    block = (np.arange(6)[:, None] < 5) == (np.arange(6)[None, :] < 5)
    block = block / block.sum(axis=1, keepdims=True)
    rows = 0.9 * block + 0.1 * rng.dirichlet(np.ones(6), (5, 6))
    plain = causal_emergence(matrix(rows, "seed"), draws=99)
    turn = rng.permutation(6)
    other = causal_emergence(matrix(rows[:, turn][:, :, turn][::-1], "seed"), draws=99)
    assert plain.verdict == other.verdict == "emergent"
    assert plain.estimate.value == pytest.approx(other.estimate.value, abs=1e-9)
    scaled = causal_emergence(matrix(30 * rows, "seed"), kind="network", draws=99)
    assert scaled.estimate.value == pytest.approx(plain.estimate.value, abs=1e-9)


# --------------------------------------------------------------------------------------------- series


@pytest.mark.parametrize("bits", [2, 4, 6])
def test_parity_is_decoupled(bits):
    result = causal_emergence(parity(np.random.default_rng(bits), 20, 1000, 0.9, bits), macro=odd, draws=199)
    told = result.to_frame("criteria").set_index("quantity")["bits"]
    assert result.verdict == "decoupled" and result.params["estimator"] == "discrete"
    error = 4 * np.std(result.to_frame()["psi"]) / np.sqrt(20)
    assert told["psi"] == pytest.approx(0.531, abs=error) and error < 0.04
    assert told["sum of the parts' information on it"] == pytest.approx(0, abs=0.003)
    assert told["gamma"] == pytest.approx(0, abs=0.003)


def test_parity_that_never_changes_needs_seeds_as_samples():
    data = parity(np.random.default_rng(0), 60, 3, 1.0, 2)
    result = causal_emergence(data, macro=odd, over="seeds")
    assert result.estimate.value == pytest.approx(1.0, abs=0.08) and result.verdict in ("emergent", "decoupled")
    along = causal_emergence(parity(np.random.default_rng(0), 6, 200, 1.0, 2), macro=odd, draws=99)
    assert along.estimate.value == pytest.approx(0.0, abs=1e-9) and along.verdict == "not shown"


def test_gaussian_on_parity_fails_loudly():
    data = parity(np.random.default_rng(3), 10, 300, 0.9, 2)
    for estimator in ("gaussian", "copula"):
        result = causal_emergence(data, macro=odd, estimator=estimator, draws=99)
        assert result.verdict == "not shown" and "parity" in result.warnings[0]


def test_mean_of_independent_parts_is_no_emergence():
    """psi itself is positive there, -1/2 log2(1 - f2) + d/2 log2(1 - f2/d); beyond non-interacting parts nothing is."""
    d, phi = 5, 0.8
    data = autoregressions(np.random.default_rng(4), 20, 1000, d, phi)
    result = causal_emergence(data, macro=mean, estimator="gaussian", draws=199)
    exact = -0.5 * np.log2(1 - phi**2) + d / 2 * np.log2(1 - phi**2 / d)
    told = result.to_frame("criteria").set_index("quantity")
    error = 4 * np.std(result.to_frame()["psi"]) / np.sqrt(20)
    assert exact == pytest.approx(0.243, abs=1e-3) and result.estimate.value == pytest.approx(exact, abs=error)
    assert told.loc["psi of the same parts without interaction", "bits"] == pytest.approx(exact, abs=error)
    assert told.loc["psi above that", "low"] < 0 < told.loc["psi above that", "high"]
    assert result.verdict == "not shown" and told.loc["delta", "bits"] < 0
    # given as an array, the mean is recognised
    array = causal_emergence(data, macro=data.mean("part").rename("v"), estimator="gaussian", draws=199)
    assert array.verdict == "not shown" and not any("not recognised" in w for w in array.warnings)


def test_copy_of_a_part_has_no_psi():
    data = autoregressions(np.random.default_rng(5), 12, 400, 3)
    result = causal_emergence(data, macro=lambda x: x[..., 0], draws=199)
    assert result.verdict == "not shown" and abs(result.estimate.value) < 0.02
    assert result.to_frame("criteria").set_index("quantity").loc["transfer entropy, parts to macro", "bits"] == (
        pytest.approx(0, abs=0.003)
    )


def test_downward_causation_is_found():
    """Three bits whose parity is drawn at random decides the next value of the first bit."""
    rng = np.random.default_rng(6)
    x = rng.integers(0, 2, (8, 400, 3)).astype(float)
    x[:, 1:, 0] = 0
    for t in range(1, 400):
        x[:, t, 0] = x[:, t - 1].sum(axis=1) % 2
    data = xr.DataArray(x, dims=("seed", "time", "part"), coords={"time": np.arange(400.0)}, name="bits")
    result = causal_emergence(data, macro=odd, draws=199)
    told = result.to_frame("criteria").set_index("quantity")
    assert result.verdict == "emergent" and told.loc["delta", "p_holm"] < 0.05
    assert told.loc["delta", "bits"] == pytest.approx(1.0, abs=0.03)
    assert told.loc["gamma", "bits"] == pytest.approx(1.0, abs=0.03)


def test_information_of_gaussians_is_exact_and_ksg_agrees():
    rng = np.random.default_rng(7)
    a = rng.standard_normal((2000, 1))
    b = 0.6 * a + 0.8 * rng.standard_normal((2000, 1))
    r = float(np.corrcoef(a[:, 0], b[:, 0])[0, 1])
    pairs = Pairs((a,), (b,))
    assert mutual(pairs, "gaussian", NOW)[0, 0, 0] == pytest.approx(-0.5 * np.log2(1 - r**2), abs=1e-12)
    assert ksg(a, b) == pytest.approx(-0.5 * np.log2(1 - 0.36), abs=0.06)
    # a shift by hand is the same as one out of the Fourier transform
    shifts = shifts_of(2000, 50, rng)
    at = int(shifts[7])
    for estimator, codes in (("copula", pairs), ("discrete", Pairs((np.round(a),), (np.round(b),)))):
        moved = Pairs(codes.now, (np.roll(codes.later[0], -at, axis=0),))
        assert mutual(codes, estimator, shifts)[0, 0, 7] == pytest.approx(
            mutual(moved, estimator, NOW)[0, 0, 0], abs=1e-9
        )
    symbols = rng.integers(0, 3, (500, 1)).astype(float)
    entropy = -np.sum([p * np.log2(p) for p in np.bincount(symbols[:, 0].astype(int)) / 500])
    assert mutual(Pairs((symbols,), (symbols,)), "discrete", NOW)[0, 0, 0] == pytest.approx(
        entropy + 2 / (1000 * np.log(2)), abs=1e-9
    )


def test_atoms_add_up_and_agree_with_hoi():
    """hoi 0.0.7 gives fifteen of the sixteen: it returns u2tu1 where u2ts is asked for."""
    hoi = pytest.importorskip("hoi.metrics")
    rng = np.random.default_rng(8)
    x = np.zeros((1001, 2))
    for t in range(1000):
        x[t + 1] = x[t] @ np.array([[0.5, 0.2], [0.3, 0.4]]) + rng.standard_normal(2)
    three = Pairs((x[:-1, :1], x[:-1, 1:], x[:-1]), (x[1:, :1], x[1:, 1:], x[1:]))
    info = mutual(three, "gaussian", NOW)
    atoms = dict(zip(ATOMS, atoms_of(info)[:, 0], strict=True))
    assert sum(atoms.values()) == pytest.approx(info[2, 2, 0])
    assert sum(v for k, v in atoms.items() if k in ("rtr", "rtu1", "u1tr", "u1tu1")) == pytest.approx(info[0, 0, 0])
    theirs = atoms_of(hoi_mutual(three, "gauss")[:, :, None])[:, 0]
    assert theirs == pytest.approx(list(atoms.values()), abs=2e-3)
    peer = hoi.AtomsPhiID(x, verbose=False).fit(method="gauss", atoms=["sts"])
    assert float(np.ravel(peer)[0]) == pytest.approx(atoms["sts"], abs=2e-3)


def test_atoms_of_parity_are_all_synergy():
    result = causal_emergence(parity(np.random.default_rng(9), 12, 500, 0.9, 2), macro=odd, draws=99)
    atoms = result.to_frame("atoms").set_index("atom")
    assert atoms.loc["sts", "bits"] == pytest.approx(0.531, abs=0.06) and atoms.loc["sts", "p_holm"] <= 0.05
    assert atoms.drop(["sts", "decoupling", "capacity"])["bits"].abs().max() < 0.02
    groups = causal_emergence(
        parity(np.random.default_rng(9), 6, 300, 0.9, 3), macro=odd, phiid=(["0"], ["1", "2"]), draws=99
    )
    assert groups.to_frame("atoms").set_index("atom").loc["sts", "bits"] > 0.4


def test_invariances_of_series():
    data = parity(np.random.default_rng(10), 8, 400, 0.9, 3)
    plain = causal_emergence(data, macro=odd, draws=99)
    slower = causal_emergence(data.assign_coords(time=60.0 * data["time"]), macro=odd, draws=99)
    turned = causal_emergence(data.isel(seed=slice(None, None, -1)), macro=odd, draws=99)
    thinned = causal_emergence(data.isel(time=slice(None, None, 2)), macro=odd, draws=99)
    assert plain.verdict == slower.verdict == turned.verdict == "decoupled" and thinned.verdict in (
        "decoupled",
        "emergent",
    )
    assert slower.estimate.value == pytest.approx(plain.estimate.value)
    assert slower.to_frame("lags")["lag"].tolist() == [60.0]
    scaled = causal_emergence(1e6 * data - 3, macro=lambda x: odd(np.round((x + 3) / 1e6)), draws=99)
    assert scaled.estimate.value == pytest.approx(plain.estimate.value)
    shuffled = data.isel(time=np.random.default_rng(0).permutation(data.sizes["time"]))
    assert causal_emergence(shuffled, macro=odd, draws=99).estimate.value == pytest.approx(plain.estimate.value)


def test_windows_lags_learned_order_and_conditions():
    rng = np.random.default_rng(11)
    data = parity(rng, 6, 400, 0.9, 3)
    result = causal_emergence(data, macro=odd, windows=4, lag=[1, 2], draws=99)
    assert len(result.to_frame("windows")) == 4 and result.verdict != "not shown"
    lags = result.to_frame("lags").set_index("lag")
    assert lags.loc[1.0, "chosen"] and lags.loc[1.0, "psi"] > lags.loc[2.0, "psi"] > 0
    # pairs of bits do not hold the parity of three either
    assert causal_emergence(data, macro=odd, order=2, draws=99).estimate.value == pytest.approx(0.531, abs=0.12)

    def learn(others):
        assert others.shape[1] == 5
        return odd

    assert causal_emergence(data, macro=learn, learned=True, draws=99).verdict != "not shown"
    fair = xr.DataArray(rng.integers(0, 2, data.shape).astype(float), dims=data.dims, coords=data.coords)
    both = xr.concat([data, fair], "condition").assign_coords(condition=["kept", "fair"])
    told = causal_emergence(both, macro=odd, draws=99)
    assert told.to_frame("conditions")["verdict"].tolist()[1] == "not shown" and told.verdict != "not shown"
    assert told.to_frame("contrasts")["low"].item() > 0.3


def test_fewer_than_five_seeds_claim_nothing():
    result = causal_emergence(parity(np.random.default_rng(12), 3, 500, 0.9, 2), macro=odd, draws=99)
    assert result.verdict == "not shown" and any("five are needed" in w for w in result.warnings)
    one = causal_emergence(parity(np.random.default_rng(12), 1, 500, 0.9, 2).isel(seed=0), macro=odd, draws=99)
    assert one.n_seeds == 1 and "within one run" in one.warnings[0]


def test_channels_and_other_estimators():
    rng = np.random.default_rng(13)
    x = np.swapaxes(ar1_noise((5, 3, 2, 200), 0.7, rng), 1, 3)  # seed, time, channel, part
    data = xr.DataArray(x, dims=("seed", "time", "channel", "part"), coords={"time": np.arange(200.0)}, name="position")
    result = causal_emergence(data, macro=lambda p: p.mean(axis=-2), draws=99)
    assert result.verdict == "not shown" and np.isfinite(result.estimate.value)
    assert causal_emergence(data, macro=lambda p: p.mean(axis=-2), bins=2, draws=99).verdict == "not shown"
    small = data.isel(channel=0, time=slice(0, 120))
    for call in ({"estimator": "ksg"}, {"jitter": 0.1}, {"estimator": "discrete", "bins": 3}):
        assert causal_emergence(small, macro=mean, draws=99, **call).verdict == "not shown"


# --------------------------------------------------------------------------------------------- poor input


@settings(deadline=None, max_examples=25)
@given(blocks(), st.sampled_from(["copula", "gaussian", "discrete", None]), st.integers(1, 3))
def test_degenerate_series_get_a_defined_answer(block, estimator, parts):
    data = xr.concat([block.roll(time=k) for k in range(parts)], "part")
    result = causal_emergence(data, macro=mean, estimator=estimator, draws=99)
    assert_defined(result)


CELLS = st.sampled_from([0.0, 1.0, 0.5, -1.0, np.nan, np.inf, 1e300, 1e-300, 3.0])


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 4), st.integers(1, 3), st.data(), st.sampled_from(["tpm", "network", "counts", None]))
def test_degenerate_matrices_get_a_defined_answer(n, seeds, draw, kind):
    cells = draw.draw(st.lists(CELLS, min_size=seeds * n * n, max_size=seeds * n * n))
    result = causal_emergence(matrix(np.array(cells).reshape(seeds, n, n), "seed"), kind=kind, draws=99)
    assert_defined(result)


@pytest.mark.parametrize(
    "rows", [np.eye(4), np.full((4, 4), 0.25), np.zeros((4, 4)), np.ones((1, 1)), np.full((3, 3), np.nan)]
)
def test_matrices_without_a_macro_level(rows):
    result = causal_emergence(matrix(rows), draws=99)
    assert result.verdict == "not shown" and result.plot() is not None
    assert_defined(result)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: causal_emergence(d), "named beforehand"),
        (lambda d: causal_emergence(d.values, macro=mean), "reads an emergelab Run"),
        (lambda d: causal_emergence(d.rename(part="bit"), macro=mean), "no dim 'part'"),
        (lambda d: causal_emergence(d.drop_vars("time"), macro=mean), "no coordinate"),
        (lambda d: causal_emergence(d.to_dataset(), macro="v"), "no macro variable"),
        (lambda d: causal_emergence(d, macro=lambda x: x.mean()), "one value"),
        (lambda d: causal_emergence(d, macro=mean, phiid_estimator="kde"), "is not known"),
        (lambda d: causal_emergence(d, macro=mean, order=4), "more than the 3 parts"),
        (lambda d: causal_emergence(d, macro=mean, lag=-1), "above 0"),
        (lambda d: causal_emergence(d, macro=mean, phiid=True), "two parts"),
        (lambda d: causal_emergence(d, macro=mean, phiid=(["0"], ["0"])), "share none"),
        (lambda d: causal_emergence(d, macro=mean, draws=5), "at least 99"),
        (lambda d: causal_emergence(d, macro=mean, bins=2, estimator="ksg"), "discrete"),
        (lambda d: causal_emergence(d[:, :0], macro=mean), "no record"),
        (lambda d: causal_emergence(d, macro=d.isel(part=0, time=slice(5))), "other conditions, seeds or times"),
        (lambda d: causal_emergence(matrix(np.ones((2, 3)))), "square"),
        (lambda d: causal_emergence(matrix(np.eye(3)), macro=[0, 1]), "2 entries for 3"),
        (lambda d: causal_emergence(matrix(np.eye(2)), macro={"0": 1}), "no group for state '1'"),
        (lambda d: causal_emergence(lambda s: s + 1, states=[0, 1]), "not one of the states"),
        (lambda d: causal_emergence(lambda s: s), "states="),
        (lambda d: causal_emergence({"a": 1}), "got a mapping"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    data = parity(np.random.default_rng(0), 5, 60, 0.9)
    with pytest.raises(UserError, match=message) as caught:
        call(data)
    assert "\n" not in str(caught.value)


def test_result_carries_everything():
    from emergelab import figures

    result = causal_emergence(parity(np.random.default_rng(14), 6, 200, 0.9, 2), macro=odd, draws=99)
    document = json.loads(result.to_json())
    assert document["params"]["lag"] == [1.0] and "What it cannot see" in document["explain"]
    assert result.to_dataset()["psi"].dims == ("condition", "seed")
    again = causal_emergence(parity(np.random.default_rng(14), 6, 200, 0.9, 2), macro=odd, draws=99)
    assert again.to_json() == result.to_json()
    assert len(figures.png(result.plot())) > 20_000
    assert len(figures.png(causal_emergence(matrix(HOEL), draws=99).plot())) > 20_000


# --------------------------------------------------------------------------------------------- calibration and cost


@pytest.mark.parametrize("scene", ["ar1", "copy", "rows"])
def test_silent_where_nothing_is(scene):
    rate = calibrate("causal_emergence", scene, draws=12, seeds=(5,)).table["rate"].item()
    assert rate <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 12)


def test_finds_what_is_planted():
    assert calibrate("causal_emergence", "parity", effects=(0.9,), seeds=(5,), draws=4).table["rate"].item() == 1.0
    assert calibrate("causal_emergence", "blocks", effects=(1.0,), seeds=(5,), draws=4).table["rate"].item() == 1.0


def test_cost():
    data = autoregressions(np.random.default_rng(15), 20, 1000, 5)
    start = time.process_time()
    causal_emergence(data, macro=mean, draws=1000)
    assert time.process_time() - start < 6.0
