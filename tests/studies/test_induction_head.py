"""The study `induction-head`: what is given is given and nothing else, what is given leaves nothing to learn, and the
measures of plateaus, onsets and heads."""

from __future__ import annotations

from types import SimpleNamespace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab._evidence import Sample
from emergelab.nn.relabelled import relabelled
from emergelab.nn.rotary_heads import rotary
from emergelab.studies.networks.induction_head import InductionHead, study
from emergelab.studies.networks.induction_head._measures import (
    PLATEAU,
    LeastAlone,
    StrengthAndOnset,
    crossing,
    late,
    onset,
    onset_doublings,
    plateau_share,
    shortcut_lead,
    strength_tells,
    strong_heads,
    waiting,
)
from emergelab.studies.networks.induction_head._system import _strength
from emergelab.studies.networks.induction_head._tensor import Factors, mismatch

SMALL = {k: v for k, v in study.sizes["tiny"].set.items() if k != "rate"}
HEAD = 2
GIVEN = {
    "nothing": {},
    "only": {"only": HEAD},
    "match": {"only": HEAD, "match": "given"},
    "attention": {"only": HEAD, "previous": "attention"},
    "blocked": {"only": HEAD, "previous": "blocked"},
    "perfect": {"only": HEAD, "previous": "perfect"},
    "copy": {"only": HEAD, "copy": "given"},
    "previous-copy": {"only": HEAD, "previous": "perfect", "copy": "given"},
}
BEFORE = ["embedding"] + [f"L.0.{s}" for s in ("reads.qk", "reads.v", "q", "k", "v", "scores", "pattern", "heads")]


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly():
    """Programs here are small and run once or twice, so what their optimisation takes is never won back."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module")
def worlds():
    """Sites and gradient of one network on one batch under everything that may be given: one program for all."""
    plain, root = InductionHead(**SMALL), jax.random.key(3)

    @jax.jit
    def begin():
        kept = plain.given(root)
        data = relabelled(jax.random.key(4), kept.pairs, 12, 6)
        return plain.network(root), data, kept.vectors[data.classes]

    net, data, items = begin()

    @jax.jit
    def everything(system, net):
        _, seen = el.tap(system.logits)(net, items, data)
        weights, rest = eqx.partition(net, eqx.is_inexact_array)
        down = jax.grad(lambda w: system.loss(eqx.combine(w, rest), (items, data), root))(weights)
        return seen, down, net.heads(net.embed(items, data.labels))

    made = {name: everything(plain.with_(**set), net) for name, set in GIVEN.items()}
    assert everything._cache_size() == 1
    return SimpleNamespace(net=net, data=data, items=items, made=made)


def _unchanged(worlds, name, sites, than="only"):
    for site in sites:
        np.testing.assert_array_equal(worlds.made[name][0][site], worlds.made[than][0][site], err_msg=site)


# -- what is given ---------------------------------------------------------------------------------------------


def test_if_nothing_is_given_the_network_is_left_alone(worlds):
    seen, _, plain = worlds.made["nothing"]
    np.testing.assert_allclose(seen["logits"], plain, rtol=1e-5, atol=1e-6)


def test_one_head_alone_is_the_others_without_values(worlds):
    before = [*BEFORE, "L.0.out", *(f"L.1.{s}" for s in ("q", "k", "scores", "pattern"))]
    _unchanged(worlds, "only", before, than="nothing")
    v = np.asarray(worlds.made["only"][0]["L.1.v"])
    np.testing.assert_array_equal(v[:, :, HEAD], worlds.made["nothing"][0]["L.1.v"][:, :, HEAD])
    assert not np.delete(v, HEAD, axis=2).any()
    # The same network whose output matrix does not read the other heads.
    size = 16 // 4
    rows = np.repeat(np.arange(4) == HEAD, size)[:, None]
    cut = eqx.tree_at(lambda n: n.heads.layers[1].project, worlds.net, worlds.net.heads.layers[1].project * rows)
    whole = jax.jit(lambda n: n.heads(n.embed(worlds.items, worlds.data.labels)))
    logits = whole(cut)
    np.testing.assert_allclose(worlds.made["only"][0]["logits"], logits, rtol=1e-5, atol=1e-6)


def test_given_the_match_the_head_looks_at_the_right_label(worlds):
    _unchanged(worlds, "match", [*BEFORE, "L.0.out", *(f"L.1.{s}" for s in ("q", "k", "v", "scores"))])
    pattern = np.asarray(worlds.made["match"][0]["L.1.pattern"])
    target = np.asarray(worlds.data.target)
    for row, labels, right in zip(pattern[:, HEAD, 0], np.asarray(worlds.data.labels), target, strict=True):
        np.testing.assert_array_equal(row[1::2], labels == right)
        assert not row[::2].any()
    others = np.delete(pattern, HEAD, axis=1)
    np.testing.assert_array_equal(others, np.delete(worlds.made["only"][0]["L.1.pattern"], HEAD, axis=1))


def test_given_attention_one_head_of_the_first_layer_looks_at_the_token_before(worlds):
    _unchanged(worlds, "attention", BEFORE[:-2])
    pattern = np.asarray(worlds.made["attention"][0]["L.0.pattern"])
    wanted = [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]]
    np.testing.assert_array_equal(pattern[:, 0], np.broadcast_to(wanted, (6, 5, 5)))
    np.testing.assert_array_equal(pattern[:, 1:], worlds.made["only"][0]["L.0.pattern"][:, 1:])


def test_a_blocked_look_is_shared_among_the_others(worlds):
    _unchanged(worlds, "blocked", BEFORE[:-3])
    free = np.asarray(worlds.made["only"][0]["L.0.pattern"])
    blocked = np.asarray(worlds.made["blocked"][0]["L.0.pattern"])
    open_ = 1.0 - np.eye(5, k=-1)
    np.testing.assert_allclose(blocked, free * open_ / (free * open_).sum(-1, keepdims=True), rtol=1e-4, atol=1e-6)


def test_a_perfect_first_layer_makes_keys_of_labels_from_their_items(worlds):
    seen = worlds.made["perfect"][0]
    _unchanged(worlds, "perfect", BEFORE)
    e = np.asarray(seen["embedding"])
    np.testing.assert_array_equal(seen["L.0.out"], e)
    np.testing.assert_array_equal(seen["L.1.reads.v"], e)
    shifted = np.stack([e[:, 0], e[:, 0], e[:, 1], e[:, 2], e[:, 4]], axis=1)
    np.testing.assert_array_equal(seen["L.1.reads.qk"], shifted)
    layer = worlds.net.heads.layers[1]
    h = np.asarray(jax.jit(lambda x: layer.norm(x))(shifted)) @ np.asarray(layer.key)
    keys = jax.jit(rotary)(h.reshape(6, 5, 4, 4))
    np.testing.assert_allclose(seen["L.1.k"], keys, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "base"), [("copy", "only"), ("previous-copy", "perfect")])
def test_given_the_copy_scores_of_the_head_are_the_answer(worlds, name, base):
    _unchanged(worlds, name, [*BEFORE, "L.0.out", "L.1.scores", "L.1.pattern", "L.1.out", "final"], than=base)
    seen = worlds.made[name][0]
    scores = np.asarray(seen["L.1.scores"])[:, HEAD, 0]
    for logits, row, labels in zip(np.asarray(seen["logits"]), scores, np.asarray(worlds.data.labels), strict=True):
        np.testing.assert_array_equal(logits[labels], row[[1, 3]])
        assert (np.delete(logits, labels) == -1e9).all()


# -- what is left to learn -------------------------------------------------------------------------------------

WEIGHTS = {
    "first": lambda n: [n.heads.layers[0]],
    "look": lambda n: [n.heads.layers[1].query, n.heads.layers[1].key],
    "tell": lambda n: [n.heads.layers[1].value, n.heads.layers[1].project],
    "answer": lambda n: [n.heads.norm, n.heads.readout, n.heads.bias],
    "items": lambda n: [n.embed.items],
    "labels": lambda n: [n.embed.labels],
}
LEARN = {
    "nothing": set(WEIGHTS),
    "only": set(WEIGHTS),
    "attention": set(WEIGHTS),
    "blocked": set(WEIGHTS),
    "match": set(WEIGHTS) - {"look"},
    "perfect": set(WEIGHTS) - {"first"},
    "copy": set(WEIGHTS) - {"tell", "answer"},
    # Keys of the second item are made from the label before it, but only scores of labels become answers.
    "previous-copy": {"look", "items"},
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_given_leaves_nothing_to_learn(worlds, name):
    """Gradients are exactly zero for weights whose work is given, and are not for the others."""
    down = worlds.made[name][1]
    for part, pick in WEIGHTS.items():
        leaves = [x for x in jax.tree.leaves(pick(down)) if eqx.is_array(x)]
        if part in LEARN[name]:
            assert all(np.asarray(x).any() for x in leaves), part
        else:
            assert not any(np.asarray(x).any() for x in leaves), part


def test_the_attention_that_is_given_has_no_queries_and_keys_to_learn(worlds):
    layer = worlds.made["attention"][1].heads.layers[0]
    for weights in (layer.query, layer.key):
        by_head = np.asarray(weights).reshape(16, 4, 4)
        assert not by_head[:, 0].any() and by_head[:, 1:].any()
    assert np.asarray(layer.value).reshape(16, 4, 4)[:, 0].any()


# -- the toy ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", [0, 1, 2])
def test_the_toy_is_half_the_mean_squared_error_and_given_vectors_do_not_learn(held):
    def differentiated(held):
        made, true = (Factors.make(jax.random.key(k), 4) for k in (0, 1))
        return made, true, *jax.value_and_grad(lambda m: mismatch(m, true, held))(made)

    made, true, value, down = jax.jit(differentiated)(held)
    a, b, c = (np.asarray(x, float) for x in (made.a, made.b, made.c))
    u, v, w = (np.asarray(x, float) for x in (true.a, true.b, true.c))
    b, c = (v if held > 1 else b), (w if held > 0 else c)
    error = a[:, None, None] * b[:, None] * c - u[:, None, None] * v[:, None] * w
    assert float(value) == pytest.approx((error**2).mean() / 2, rel=1e-5)
    np.testing.assert_allclose(down.a, np.einsum("ijk,j,k->i", error, b, c) / error.size, rtol=1e-4, atol=1e-6)
    assert np.asarray(down.b).any() == (held < 2) and np.asarray(down.c).any() == (held < 1)
    assert np.mean(u**2) == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("held", [0, 2])
def test_the_toy_runs_down_its_gradient(held):
    """Plain gradient descent in NumPy from the same start; given vectors stay given."""
    name = ("toy", "toy-c", "toy-bc")[held]
    system = study.system(**{**SMALL, **study.conditions[name].set})
    key = jax.random.key(0)

    @jax.jit
    def run():
        def tick(state, _):
            return system.step(state, key), system.observe(state, key)["loss"]

        first = system.init(key)
        return first, jax.lax.scan(tick, first, None, 30)[1]

    first, seen = run()
    x, true = ([np.asarray(v, float) for v in (f.a, f.b, f.c)] for f in (first.net, first.given))
    rate, size = float(system.rate), len(x[0])
    given = [2, 1][:held]
    losses = []
    for _ in range(30):
        for i in given:
            x[i] = true[i]
        square, inner = [v @ v / size for v in x], [v @ t / size for v, t in zip(x, true, strict=True)]
        losses.append((np.prod(square) - 2 * np.prod(inner) + 1) / 2)
        new = list(x)
        for i in {0, 1, 2} - set(given):
            j, k = {0, 1, 2} - {i}
            new[i] = x[i] - rate / size * (x[i] * square[j] * square[k] - true[i] * inner[j] * inner[k])
        x = new
    np.testing.assert_allclose(seen, losses, rtol=1e-3)
    assert losses[-1] < 0.6


# -- the study at its tiny size --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("ih") / "run", progress=False, workers=1)


def test_scores_begin_at_chance_and_are_what_they_say(tiny):
    d = tiny.data
    start = d.sel(condition="full").isel(time=0).mean("seed")
    assert float(start.loss) == pytest.approx(np.log(5), abs=0.8)
    assert float(start.acc) < 0.5 and abs(start.strength.values).max() < 0.4
    assert not tiny.diverged
    alone = d.sel(condition="head-0")
    np.testing.assert_array_equal(alone.acc_only.isel(head=0), alone.acc)
    for head in (1, 2, 3):
        np.testing.assert_array_equal(alone.acc_without.isel(head=head), alone.acc)
    copied = d.sel(condition="previous-copy")
    assert (copied.shown == 1).all()
    np.testing.assert_array_equal(copied.acc_indirect, copied.acc)
    given = d.sel(condition="match").strength.isel(head=0)
    np.testing.assert_array_equal(given, np.ones_like(given))


def test_what_is_quick_to_learn_is_learnt_in_twenty_steps(tiny):
    for name in ("match", "previous-copy"):
        loss = tiny.data.loss.sel(condition=name).transpose("seed", "time").values
        assert (loss[:, -1] < 0.75 * loss[:, 0]).all(), name


def test_the_tiny_size_is_judged_and_drawn(tiny):
    verdicts = study.judge(tiny)
    # Three seeds are too few for any verdict, and many conditions are not there.
    assert {v["verdict"] for v in verdicts} == {"inconclusive", "untested"}
    assert [figure.name for figure, _ in study.draw(tiny)] == ["clamps", "heads", "change"]


def test_every_condition_fits_every_size_that_lists_it():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})


def test_sites_have_the_names_of_the_page():
    names = {s.name for s in el.sites(InductionHead(**SMALL))}
    parts = ("reads.qk", "reads.v", "q", "k", "v", "scores", "pattern", "heads", "out")
    assert {"embedding", "final", "logits", "rate", *(f"L.{i}.{p}" for i in (0, 1) for p in parts)} <= names
    assert {"grad.heads.layers.1.query", "update.embed.items", "state.net.heads.readout"} <= names


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"used": 13}, "'used' must be at most classes=12"),
        ({"only": 4}, "'only' must be below heads=4"),
        ({"width": 20}, "'width' must be a multiple of 2 x heads = 8"),
        ({"match": "given", "copy": "given"}, "'copy' must be 'learnt' where match='given'"),
        ({"depth": 1, "previous": "perfect"}, "'previous' must be 'learnt' where depth=1"),
        ({"previous": "right"}, "'previous' must be one of"),
        ({"labels": 2}, "'labels' must be"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong, words):
    with pytest.raises(el.UserError, match=words):
        InductionHead(**{**SMALL, **wrong})


# -- measures --------------------------------------------------------------------------------------------------

TIME = np.arange(0.0, 1001.0, 10.0)


def _run_of(*losses: np.ndarray, **more: np.ndarray) -> xr.Dataset:
    held = {name: (("seed", "time", "head")[: np.ndim(value)], value) for name, value in more.items()}
    return xr.Dataset({"loss": (("seed", "time"), np.stack(losses)), **held}, {"time": TIME})


STEP = np.where(TIME < 500, PLATEAU, 0.0)
STEADY = PLATEAU * (1 - TIME / 1000)
DECAY = PLATEAU * np.exp(-TIME / 200)
STUCK = np.full_like(TIME, 0.7)


def test_onset_is_where_half_of_log_2_is_crossed():
    d = _run_of(STEP, STEADY, DECAY, STUCK)
    np.testing.assert_allclose(onset(d), [495.0, 500.0, 200 * np.log(2), 1000.0], atol=0.5)
    np.testing.assert_allclose(crossing(d, 0.1)[:3], [498.6, 855.7, 387.2], atol=0.5)
    assert np.isinf(crossing(d, 0.1)[3]) and crossing(d, 1.0)[0] == 0
    np.testing.assert_allclose(onset_doublings(d)[1], np.log2(500), rtol=1e-6)


def test_waiting_tells_a_step_from_a_descent():
    d = _run_of(STEP, STEADY, DECAY, STUCK)
    # Exponential decay to one half: (1/2 / log 2 - 1/2) / (1/2) of the way is left on average.
    np.testing.assert_allclose(waiting(d), [0.99, 0.5, 1 / np.log(2) - 1, 1.0], atol=0.01)
    # What lies above the plateau does not count: the clock starts at the plateau.
    late = np.where(TIME < 300, 5.0, np.interp(TIME, [300, 1000], [PLATEAU, 0.0]))
    assert float(waiting(_run_of(late))[0]) == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(plateau_share(d)[[0, 1, 3]], [0.99, 0.15 / PLATEAU * 2, 1.0], atol=0.02)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.2, 5.0), st.floats(0.5, 3.0))
def test_shapes_do_not_depend_on_the_unit_of_time(stretch, power):
    loss = PLATEAU * np.clip(1 - (TIME / 900) ** power, 0, None)
    d, slow = _run_of(loss), _run_of(loss).assign_coords(time=TIME * stretch)
    np.testing.assert_allclose(waiting(slow), waiting(d), rtol=1e-6)
    np.testing.assert_allclose(onset_doublings(slow) - onset_doublings(d), np.log2(stretch), atol=1e-9)


def test_late_is_the_last_fifth():
    d = _run_of(STEP, acc=np.where(TIME >= 800, 0.9, 0.1)[None])
    assert float(late("acc")(d)[0]) == pytest.approx(0.9) and late("acc").__name__ == "late_acc"


def test_lead_of_the_shortcut():
    shown = np.where(TIME >= 60, 1.0, 0.4)[None]
    assert float(shortcut_lead(_run_of(STEADY, shown=shown))[0]) == pytest.approx(np.log2(500 / 60), abs=0.01)


def test_strength_is_the_right_label_minus_the_wrong_one():
    pattern = jnp.zeros((2, 2, 1, 5)).at[0, 0, 0, 1].set(1.0).at[1, 0, 0, 3].set(1.0)
    pattern = pattern.at[:, 1, 0, 1].set(0.6).at[:, 1, 0, 3].set(0.2)
    np.testing.assert_allclose(_strength(pattern, jnp.array([0, 1])), [1.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(_strength(pattern, jnp.array([0, 0])), [0.0, 0.4], atol=1e-6)


def _heads(strength: list[float], alone: list[float]) -> dict[str, np.ndarray]:
    shape = (1, len(TIME), len(strength))
    return {"strength": np.broadcast_to(strength, shape), "acc_only": np.broadcast_to(alone, shape)}


def test_heads_are_counted_and_ranked():
    d = _run_of(STEP, **_heads([0.9, 0.31, 0.29, -0.5], [0.8, 0.6, 0.7, 0.2]))
    assert float(strong_heads(d).isel(time=-1)[0]) == 2
    assert float(strength_tells(d)[0]) == pytest.approx(0.8)


def test_heads_are_compared_across_conditions():
    """Two seeds: in one the strong heads are early, in the other late."""
    steps = [np.where(t > TIME, PLATEAU, 0.0) for t in (200, 300, 400)]
    strength = np.broadcast_to(np.array([[0.9, 0.5, 0.1], [0.1, 0.5, 0.9]])[:, None], (2, len(TIME), 3))
    whole = _run_of(STEP, STEP, strength=strength, acc=np.ones((2, len(TIME))))
    acc = np.stack([np.full(len(TIME), 0.8), np.full(len(TIME), 0.99)])
    alone = [_run_of(s, s, strength=strength, acc=acc - h / 100) for h, s in enumerate(steps)]
    names = ["full", "h0", "h1", "h2"]
    data = xr.concat([whole, *alone], dim=xr.DataArray(names, dims="condition", name="condition"))
    data = data.assign_coords(seed=[0, 1])
    run = SimpleNamespace(
        data=data, progress=[{"records": len(TIME), "failed": False}], status="finished", diverged={}, failed={}
    )
    heads = tuple((name, h) for h, name in enumerate(names[1:]))
    np.testing.assert_allclose(StrengthAndOnset("full", heads).evidence(Sample(run)).seeds, [-1.0, 1.0])
    np.testing.assert_allclose(LeastAlone(heads, value=0.5).evidence(Sample(run)).seeds, [0.28, 0.47])
