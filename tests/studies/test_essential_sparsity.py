"""The study `essential-sparsity`: its tasks, its cuts, what it observes, and its claims on made-up runs."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab.nn.language import language, write
from emergelab.studies.networks.essential_sparsity import _claims as claims
from emergelab.studies.networks.essential_sparsity import study
from emergelab.studies.networks.essential_sparsity._system import BINS, KINDS, MASKED, OBJECTIVES, SHARES, Sparse

SMALL = {"width": 8, "depth": 1, "tokens": 8, "texts": 4, "text_tokens": 64, "contexts": 6, "batch_size": 4}
CUT = 6


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("sparsity") / "run", progress=False, workers=1)


@pytest.fixture(scope="module")
def system():
    return Sparse(**SMALL)


@pytest.fixture(scope="module")
def start(system):
    return jax.jit(lambda key: system.init(key))(jax.random.key(0))


@pytest.fixture(scope="module")
def stepped():
    """A step whose system is an operand: one program for all values of traced parameters."""
    return jax.jit(lambda system, state, key: system.step(state, key))


def matrices(net) -> np.ndarray:
    """All weights of the blocks' matrices in one row."""
    return np.concatenate([np.asarray(w).ravel() for b in net.blocks for w in jax.tree.leaves(b) if w.ndim == 2])


# -- tasks ---------------------------------------------------------------------------------------------------------


def test_the_constant_answer_knows_the_frequencies_of_words():
    words = np.asarray(write(language(), jax.random.key(0), 400, 100).words).ravel()
    share = np.bincount(words, minlength=184) / words.size
    entropy = -(share[share > 0] * np.log(share[share > 0])).sum()
    assert Sparse().ignorant == pytest.approx(entropy, abs=0.02)
    assert Sparse(objective="topic").ignorant == pytest.approx(np.log(4))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_what_is_asked(objective):
    system = Sparse(**SMALL, objective=objective)
    text = write(language(), jax.random.key(1), 50, 9)
    packed = (text.words + 184 * text.topics).astype(jnp.int16)
    task = jax.tree.map(np.asarray, system._task(packed, jax.random.key(2)))
    words = np.asarray(text.words)
    if objective == "next":
        np.testing.assert_array_equal(task.inputs, words[:, :-1])
        np.testing.assert_array_equal(task.targets, words[:, 1:])
    elif objective == "topic":
        np.testing.assert_array_equal(task.inputs, words[:, :-1])
        np.testing.assert_array_equal(task.targets, text.topics[:, :-1])
    else:
        hidden = task.counted > 0
        np.testing.assert_array_equal(task.targets, words[:, :-1])
        np.testing.assert_array_equal(task.inputs, np.where(hidden, 184, words[:, :-1]))
        assert abs(hidden.mean() - MASKED) < 0.08
    if objective != "masked":
        assert task.counted.all()


def test_less_data_is_the_first_part_of_every_text(system, start):
    few = system.with_(share=0.25)
    rows = np.asarray(start.given.corpus)
    for key in range(5):
        for inputs in np.asarray(few.batch(jax.random.key(key), start.given).inputs):
            assert any(
                np.array_equal(rows[r, i : i + 8] % 184, inputs) for r in range(len(rows)) for i in range(16 - 8)
            )


def test_decay_is_of_matrices_only(system, start):
    still = jax.tree.map(jnp.zeros_like, start.net)
    direction, _ = system.with_(decay=0.5).rule().update(still, start.memory, start.net)
    for w, d in zip(jax.tree.leaves(start.net), jax.tree.leaves(direction), strict=True):
        np.testing.assert_allclose(d, 0.5 * w if w.ndim == 2 else 0 * w, atol=1e-7)


def test_magnitudes_in_the_blocks_have_a_price(system, start):
    batch = system.batch(jax.random.key(0), start.given)
    free, priced = (float(s.loss(start.net, batch, jax.random.key(0))) for s in (system, system.with_(l1=0.01)))
    assert priced - free == pytest.approx(0.01 * np.abs(matrices(start.net)).sum(), rel=1e-3)


# -- cuts ----------------------------------------------------------------------------------------------------------


def test_a_cut_removes_the_smallest_half_once_or_for_good(system, start, stepped):
    runs = {"whole": system.with_(rate=1e-3), "cut": system.with_(cut=0.5, cut_at=1, rate=1e-3)}
    runs["held"] = runs["cut"].with_(held=1.0)
    states = dict.fromkeys(runs, start)
    before = None
    for t in range(4):
        states = {name: stepped(runs[name], s, jax.random.key(t)) for name, s in states.items()}
        if t == 0:
            before = matrices(states["whole"].net)
            for name in ("cut", "held"):
                np.testing.assert_array_equal(matrices(states[name].net), before)
    assert stepped._cache_size() == 1
    small = np.argsort(np.argsort(np.abs(before))) < before.size / 2
    np.testing.assert_array_equal(matrices(states["held"].net) == 0, small)
    grown = np.abs(matrices(states["cut"].net)[small])
    assert (grown > 0).mean() > 0.9 and grown.max() < 0.02
    np.testing.assert_array_equal(matrices(states["cut"].given.kept), ~small)
    assert matrices(states["whole"].given.kept).all()
    for state in states.values():
        assert (np.asarray(state.net.embed) != 0).all() and (np.asarray(state.net.readout) != 0).all()


# -- what is observed ----------------------------------------------------------------------------------------------


def surprise(system, net, task) -> float:
    """The test's loss, in numpy from the logits on."""
    logits = np.asarray(net(task.inputs), np.float64)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    each = -np.take_along_axis(log_p, np.asarray(task.targets)[..., None], -1)[..., 0]
    return float((each * task.counted).sum() / task.counted.sum())


def test_curves_are_losses_of_networks_pruned_by_hand(system, start):
    seen = jax.tree.map(np.asarray, jax.jit(lambda state: system.observe(state, jax.random.key(5)))(start))
    net, test = start.net, start.given.test
    assert seen["loss"] == pytest.approx(surprise(system, net, test), abs=1e-4)
    np.testing.assert_allclose(seen["curve"][:, 0], seen["loss"], atol=1e-5)
    all_weights = np.sort(np.abs(matrices(net)))
    bound = all_weights[int(np.ceil(0.7 * all_weights.size))]

    def by_hand(keep):
        return jax.tree.map(lambda w: jnp.where(keep(np.abs(w)), w, 0) if w.ndim == 2 else w, net.blocks)

    pruned = eqx.tree_at(lambda n: n.blocks, net, by_hand(lambda w: w >= bound))
    assert seen["curve"][KINDS.index("size"), 7] == pytest.approx(surprise(system, pruned, test), abs=2e-4)
    half = eqx.tree_at(lambda n: n.blocks, net, by_hand(lambda w: w >= np.median(w)))
    assert seen["curve"][KINDS.index("within"), 5] == pytest.approx(surprise(system, half, test), abs=2e-4)
    # One block only: to prune the first is to prune the last, and all.
    for kind in ("first", "last"):
        np.testing.assert_allclose(seen["curve"][KINDS.index(kind)], seen["curve"][0], atol=1e-5)
    weights = np.abs(matrices(net))
    assert seen["near_zero"][0] == pytest.approx((weights < 1e-3).mean())
    np.testing.assert_allclose(
        seen["magnitudes"],
        np.histogram(np.clip(np.log10(weights), BINS[0], BINS[-1]), BINS)[0] / weights.size,
        atol=2e-3,
    )
    assert seen["zeros"] == 0 and np.isnan(seen["regrown"])
    assert seen["excess"] == pytest.approx(seen["loss"] - float(start.given.floor), abs=1e-5)


def test_tiny_runs_are_judged_and_drawn(tiny):
    assert not tiny.diverged
    d = tiny.data
    last = d.isel(time=-1)
    assert (last.loss < d.isel(time=0).loss).all()  # forty steps teach the frequencies
    assert (d.excess > 0).all()
    np.testing.assert_allclose(d.magnitudes.sum("bin"), 1, atol=1e-5)
    np.testing.assert_allclose(d.curve.isel(sparsity=0), d.loss.expand_dims(kind=len(KINDS), axis=-1), atol=1e-4)
    whole, held = (d.sel(condition=c) for c in ("next", "held"))
    assert (whole.zeros == 0).all() and np.isnan(whole.regrown).all()
    assert not (held.zeros.sel(time=slice(0, CUT)) > 0).any()
    np.testing.assert_allclose(held.zeros.isel(time=-1), 0.5, atol=1e-3)
    np.testing.assert_allclose(held.regrown.isel(time=-1), 0)
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"inconclusive", "untested"}
    assert [figure.name for figure, _ in study.draw(tiny)] == ["curves", "kinds"]


def test_sites_of_training_and_of_the_network():
    names = {s.name for s in el.sites(Sparse(**SMALL))}
    assert {"rate", "L.0.act", "L.0.pattern", "embed", "grad.blocks.0.up", "state.net.blocks.0.up"} <= names


# -- claims --------------------------------------------------------------------------------------------------------


def made_up(curve, **more) -> xr.Dataset:
    """Two seeds, three times, the same curve for all kinds."""
    curve = np.broadcast_to(np.asarray(curve, float), (2, 3, len(KINDS), len(SHARES)))
    values = {"curve": (("seed", "time", "kind", "sparsity"), curve), "loss": (("seed", "time"), curve[..., 0, 0])}
    values["learnt"] = (("seed", "time"), np.array([[0.05, 1.0, 2.0]] * 2))
    return xr.Dataset(values | more, {"time": [0, 100, 400]})


def test_knees_and_their_growth_on_a_made_up_curve():
    d = made_up(2.0 + np.maximum(SHARES - 0.5, 0))
    found = claims.knee(d)
    assert found.dims == ("seed", "time") and np.isnan(found[:, 0]).all()
    np.testing.assert_allclose(found[:, 1:], [[0.51, 0.52]] * 2)
    np.testing.assert_allclose(claims.knee_growth(d), 0.01, atol=1e-9)
    np.testing.assert_allclose(claims.gap_of_definitions(d)[:, 1:], [[-0.01, -0.02]] * 2, atol=0.01)
    np.testing.assert_allclose(claims.sharpness(d), 1.0)
    np.testing.assert_allclose(claims.advantage_over_random(d), 0, atol=1e-12)
    np.testing.assert_allclose(claims.untrained_cost(d), 0, atol=1e-12)


def test_patterns_jumps_and_falls_on_made_up_numbers():
    pattern = np.broadcast_to([2.0, 2.5, 4.0], (2, 3, 3))
    near = np.broadcast_to(np.array([0.0, 0.1, 0.4])[:, None], (2, 3, 2))
    active = np.broadcast_to(np.array([0.5, 0.3, 0.2])[:, None], (2, 3, 2))
    d = made_up(
        2.0 + 0.4 * (SHARES > 0.45),
        pattern=(("seed", "time", "removed"), pattern),
        near_zero=(("seed", "time", "block"), near),
        active=(("seed", "time", "block"), active),
    )
    np.testing.assert_allclose(claims.excess_of_two_of_four(d), 0.5 - 0.48)
    np.testing.assert_allclose(claims.largest_jump(d), 0.3)
    np.testing.assert_allclose(claims.near_zero_at_end(d), 0.4)
    np.testing.assert_allclose(claims.fall_of_active(d), 0.3)
    np.testing.assert_allclose(claims.share_of_fall_in_one_record(d), 2 / 3)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"text_tokens": 8}, "'text_tokens' must be greater than tokens=8, got 8"),
        ({"heads": 3}, "'width' must be a multiple of heads=3, got 8"),
        ({"share": 0.0}, "'share' must be"),
        ({"objective": "previous"}, "'objective' must be one of"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong, word):
    with pytest.raises(el.UserError, match=word):
        Sparse(**{**SMALL, **wrong})


def test_every_condition_fits_every_size_that_lists_it():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})
