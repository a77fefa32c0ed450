"""The study `emergent-modularity`: its routed network, its tuning, what it observes, and its claims on made-up runs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab.nn import bricks
from emergelab.nn.language import CLASSES
from emergelab.studies.networks.emergent_modularity import _claims as claims
from emergelab.studies.networks.emergent_modularity import study
from emergelab.studies.networks.emergent_modularity._conditions import TUNE_AT
from emergelab.studies.networks.emergent_modularity._system import (
    FUNCTIONS,
    GATES,
    KEPT,
    KIND_OF_CLASS,
    KINDS,
    PARTITIONS,
    Modular,
    answer,
)

SMALL = {
    "width": 8, "depth": 2, "tokens": 8, "contexts": 12, "tried": 6, "batch_size": 4, "bricks": 4, "kept": 1,
    "tune_at": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("modularity") / "run", progress=False, workers=1)


@pytest.fixture(scope="module")
def system():
    return Modular(**SMALL)


@pytest.fixture(scope="module")
def start(system):
    return jax.jit(lambda key: system.init(key))(jax.random.key(0))


@pytest.fixture(scope="module")
def observed(system, start):
    seen = jax.jit(lambda state: system.observe(state, jax.random.key(5)))(start)
    return jax.tree.map(np.asarray, seen)


def by_hand(net, tokens, opened) -> np.ndarray:
    """Logits in numpy, every hidden unit of layer i multiplied by opened[i]."""

    def norm(n, x):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * np.asarray(n.gain) + np.asarray(n.offset)

    x = np.asarray(net.embed, np.float64)[tokens] + np.asarray(net.position)[: tokens.shape[1]]
    seen = np.tril(np.ones((tokens.shape[1],) * 2, bool))
    for block, mask in zip(net.blocks, opened, strict=True):
        h = norm(block.before, x)
        q, k, v = (
            (h @ np.asarray(w)).reshape(*h.shape[:2], 2, 4).transpose(0, 2, 1, 3)
            for w in (block.query, block.key, block.value)
        )
        score = np.where(seen, q @ k.transpose(0, 1, 3, 2) / 2, -np.inf)
        weight = np.exp(score - score.max(-1, keepdims=True))
        mixed = (weight / weight.sum(-1, keepdims=True) @ v).transpose(0, 2, 1, 3).reshape(h.shape)
        x = x + mixed @ np.asarray(block.project)
        act = np.maximum(norm(block.between, x) @ np.asarray(block.up) + np.asarray(block.up_bias), 0)
        x = x + (act * mask) @ np.asarray(block.down) + np.asarray(block.down_bias)
    return norm(net.norm, x) @ np.asarray(net.readout)


def surprise(logits, words) -> np.ndarray:
    """Surprise at each next word."""
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(log_p, words[:, 1:, None], -1)[..., 0]


# -- the routed network --------------------------------------------------------------------------------------------


def test_kinds_are_classes_without_number():
    assert len(KINDS) == 10
    for name, kind in zip(CLASSES, KIND_OF_CLASS, strict=True):
        assert name.startswith(KINDS[kind])


def test_all_open_is_the_network_itself_and_masks_multiply_units(start):
    net, tokens = start.net, np.asarray(start.given.words[:3, :-1])
    routed = jax.jit(lambda net, mask: answer(net, jnp.asarray(tokens), lambda i, before, act: mask[i]))
    np.testing.assert_allclose(
        routed(net, jnp.ones((2, 32))), jax.jit(lambda n: n(jnp.asarray(tokens)))(net), atol=1e-5
    )
    mask = jax.random.bernoulli(jax.random.key(1), 0.3, (2, 32)).astype(jnp.float32)
    np.testing.assert_allclose(routed(net, mask), by_hand(net, tokens, np.asarray(mask)), atol=1e-4)


def test_a_gate_sees_what_its_layer_will_compute(start):
    net, tokens, seen = start.net, start.given.words[:3, :-1], {}

    def gate(layer, before, act):
        seen[layer] = act
        return jnp.ones_like(act)

    answer(net, tokens, gate)
    _, truth = el.tap(net, "L.*.act")(tokens)
    for layer in range(2):
        np.testing.assert_allclose(seen[layer], truth[f"L.{layer}.act"], atol=1e-5)


# -- tuning --------------------------------------------------------------------------------------------------------


def test_bricks_are_made_when_tuning_begins_and_differ_by_route_only(system, start):
    stepped = jax.jit(lambda system, state, key: system.step(state, key))
    routes = {name: system.with_(route=name, tune_at=1) for name in ("dense", "bricks", "random")}
    states = dict.fromkeys(routes, start)
    for t in range(3):
        states = {name: stepped(routes[name], s, jax.random.key(t)) for name, s in states.items()}
        if t == 0:
            keys = jnp.asarray(states["dense"].net.blocks[1].up.T)
            for state in states.values():
                assert not np.any(state.given.labels) and state.given.tuning == 0
                np.testing.assert_array_equal(state.net.readout, states["dense"].net.readout)
    assert stepped._cache_size() == 1
    np.testing.assert_array_equal(states["bricks"].given.labels[1], bricks.balanced(keys, 4))
    np.testing.assert_array_equal(states["bricks"].given.labels, states["dense"].given.labels)
    assert np.any(states["random"].given.labels != states["bricks"].given.labels)
    for name in ("bricks", "random"):
        assert states[name].given.tuning == 1
        assert np.any(states[name].net.readout != states["dense"].net.readout)
        for row in np.asarray(states[name].given.labels):
            np.testing.assert_array_equal(np.bincount(row), [8] * 4)


def test_tuning_is_on_half_of_the_topics_and_slower(system, start):
    tuned = start.given._replace(tuning=jnp.float32(1))
    assert float(system.with_(route="dense").batch(jax.random.key(0), tuned).routed) == 0
    assert float(system.with_(route="bricks").batch(jax.random.key(0), tuned).routed) == 1
    np.testing.assert_array_equal(system._mixture(True), [1, 1, 0, 0])
    np.testing.assert_array_equal(system._mixture(False), [0, 0, 1, 1])
    pace = [float(system.pace(jnp.int32(t))) for t in (0, 1)]
    assert pace[1] == pytest.approx(0.3 * pace[0])


# -- what is observed ----------------------------------------------------------------------------------------------


def test_losses_and_drops_are_those_of_networks_routed_by_hand(system, start, observed):
    net, words = start.net, np.asarray(start.given.words[:6])
    whole = surprise(by_hand(net, words[:, :-1], [1, 1]), words)
    assert observed["loss"] == pytest.approx(whole.mean(), abs=1e-4)
    labels = np.asarray(bricks.balanced(net.blocks[0].up.T, 4))
    shut = surprise(by_hand(net, words[:, :-1], [labels != 2, 1]), words)
    kinds = KIND_OF_CLASS[system.language.class_of_word][words[:, 1:]]
    for kind in range(len(KINDS)):
        if (kinds == kind).any():
            rise = (shut - whole)[kinds == kind].mean()
            assert observed["drop"][2, kind] == pytest.approx(rise, abs=2e-4)
    assert observed["routing"].shape == (len(PARTITIONS), len(GATES), len(KEPT))
    assert (observed["active"] > 0.2).all() and (observed["active"] < 0.8).all()
    assert float(observed["home"] + start.given.floor[1]) == pytest.approx(
        surprise(by_hand(net, np.asarray(start.given.home)[:, :-1], [1, 1]), np.asarray(start.given.home)).mean(),
        abs=1e-4,
    )


def test_special_units_are_counted_as_by_hand(system, start, observed):
    net, words = start.net, start.given.words
    _, seen = el.tap(net, "L.*.act")(words[:, :-1])
    fired = np.stack([np.asarray(seen[f"L.{i}.act"]).reshape(-1, 32) > 0 for i in range(2)])
    for name, truth in (
        ("topic", np.asarray(start.given.topics)[:, :-1].ravel()),
        ("next", KIND_OF_CLASS[system.language.class_of_word][np.asarray(words)[:, 1:]].ravel()),
    ):
        strength = np.array(
            [
                [max(abs(f[truth == c, u].mean() - f[:, u].mean()) for c in np.unique(truth)) for u in range(32)]
                for f in fired
            ]
        )
        assert observed["score"][FUNCTIONS.index(name)] == pytest.approx(strength.mean(), abs=1e-4)
        assert observed["special"][FUNCTIONS.index(name)] == pytest.approx((strength > 0.3).mean(), abs=1e-4)


def test_tiny_runs_are_judged_and_drawn(tiny):
    assert not tiny.diverged
    d = tiny.data
    assert (d.loss.isel(time=-1) < d.loss.isel(time=0)).all()
    first = d.isel(time=slice(0, 2))  # up to the tuning the conditions are the same
    np.testing.assert_array_equal(first.loss.sel(condition="dense"), first.loss.sel(condition="random"))
    last = d.isel(time=-1)
    np.testing.assert_array_equal(last.away.sel(condition="dense"), last.away_whole.sel(condition="dense"))
    assert (last.away.sel(condition="bricks") != last.away_whole.sel(condition="bricks")).any()
    assert len(study.judge(tiny)) == len(study.claims)
    assert [figure.name for figure, _ in study.draw(tiny)] == ["routing", "units", "functions", "tuning"]


def test_sites_of_the_network_and_of_the_look_ahead():
    names = {s.name for s in el.sites(Modular(**SMALL))}
    assert {"L.0.act", "L.1.act", "gate.1.mid", "rate", "embed", "logits", "grad.blocks.0.up"} <= names


# -- claims --------------------------------------------------------------------------------------------------------


def test_claims_on_made_up_numbers():
    time = [0, claims.EARLY, TUNE_AT]
    routing = np.zeros((2, 3, len(PARTITIONS), len(GATES), len(KEPT)))
    routing[:, 0, 0], routing[:, 0, 1] = 0.1, 0.2
    routing[:, 2, 0, 0], routing[:, 2, 0, 1], routing[:, 2, 1] = 0.02, 0.05, 0.08
    special = np.zeros((2, 3, 3))
    special[:, 1, 0], special[:, 2, 0] = 0.9, 0.8
    d = xr.Dataset(
        {
            "routing": (("seed", "time", "partition", "gate", "share"), routing),
            "special": (("seed", "time", "function"), special),
            "loss": (("seed", "time"), np.full((2, 3), 2.0)),
            "active": (("seed", "time", "layer"), np.broadcast_to(np.array([0.5, 0.4, 0.3])[:, None], (2, 3, 2))),
        },
        {"time": time},
    )
    for claim, wanted in (
        (claims.growth_of_log_ratio, 1.0),
        (claims.growth_of_log_ratio_of_an_eighth, 1.0), (claims.advantage_of_bricks, 0.06),
        (claims.relative_cost_of_half, 0.01),
        (claims.relative_cost_by_keys, 0.025), (claims.excess_of_keys, 0.01), (claims.fall_of_active, 0.2),
        (claims.growth_of_special, 0.9), (claims.late_growth_of_special, -0.1),
    ):  # fmt: skip
        found = claim(d)
        assert found.dims == ("seed",)
        np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"bricks": 5}, "'bricks' must divide the 4\\*width=32 hidden units, got 5"),
        ({"tried": 13}, "'tried' must be at most contexts=12, got 13"),
        ({"heads": 3}, "'width' must be a multiple of heads=3, got 8"),
        ({"route": "all"}, "'route' must be one of"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong, word):
    with pytest.raises(el.UserError, match=word):
        Modular(**{**SMALL, **wrong})


def test_every_condition_fits_every_size_that_lists_it():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})
