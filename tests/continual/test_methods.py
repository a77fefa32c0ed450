"""Methods against forgetting: each against its formula, and on a short stream what each is good for."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.continual import methods as mt
from emergelab.continual import streams as sm
from emergelab.continual.data import load
from emergelab.continual.learning import ContinualLearning, Perceptron

METHODS = {
    "naive": mt.Naive(),
    "ewc": mt.EWC(50.0),
    "ewc-0": mt.EWC(0.0),
    "online": mt.OnlineEWC(50.0, 0.9),
    "si": mt.SI(1.0),
    "lwf": mt.LwF(1.0),
    "er": mt.Replay(slots=100),
    "der++": mt.Replay(logits=0.2, slots=100),
    "er-ace": mt.Replay(apart=True, slots=100),
    "agem": mt.AGEM(slots=100),
}


class Stream(ContinualLearning):
    """Digits, two classes a phase."""

    against: str = el.choice("naive", options=tuple(METHODS), static=True, about="method")

    def data(self):
        return load("digits")

    def tasks(self, key):
        return sm.split(key, self.phases, self.data())

    def method(self):
        return METHODS[self.against]


SHORT = {"phases": 5, "per_phase": 60, "batch": 20, "hidden": 32, "sample": 20}
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def small():
    """A network with three classes, a batch and its score."""
    net = Perceptron(jax.random.key(1), (4, 6, 3))
    batch = sm.Batch(jax.random.normal(KEY, (5, 4)), jnp.array([0, 1, 2, 1, 0]), jnp.zeros(5, jnp.int32))
    return net, batch, lambda net, batch: net(batch.x)


def _weights(net):
    return eqx.filter(net, eqx.is_inexact_array)


def _moved(net, by):
    return jax.tree.map(lambda a: a + by, net)


# -- formulas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", ["all", "drawn", "given"])
def test_ewc_weighs_by_the_labels_it_is_told(small, labels):
    net, batch, score = small
    wanted = mt.fisher(net, batch, score, KEY, labels)
    for method in (mt.EWC(1.0, labels=labels), mt.OnlineEWC(1.0, 0.5, labels=labels)):
        got = method.end(net, method.begin(net, 4, 3), batch, score, KEY).weight
        jax.tree.map(np.testing.assert_allclose, got, wanted)


def test_the_fisher_information_is_the_mean_of_squares_over_the_networks_own_labels(small):
    net, batch, score = small
    got = jax.jit(lambda: mt.fisher(net, batch, score, KEY))()

    def slope(i, label):
        def log_p(net):
            return jax.nn.log_softmax(net(batch.x[i : i + 1])[0])[label]

        return jax.jit(jax.grad(log_p))(net), float(jnp.exp(log_p(net)))

    want = jax.tree.map(jnp.zeros_like, _weights(net))
    for i in range(5):
        for label in range(3):
            g, p = slope(i, label)
            want = jax.tree.map(lambda w, g, p=p: w + p * g**2 / 5, want, g)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)
    given = jax.jit(lambda: mt.fisher(net, batch, score, KEY, "given"))()
    assert not np.allclose(given.layers[0].weight, got.layers[0].weight, rtol=0.05)


def test_drawn_labels_estimate_the_same_information(small):
    net, batch, score = small
    exact = mt.fisher(net, batch, score, KEY)
    many = jax.jit(jax.vmap(lambda k: mt.fisher(net, batch, score, k, "drawn")))(jax.random.split(KEY, 4000))
    np.testing.assert_allclose(many.layers[1].bias.mean(axis=0), exact.layers[1].bias, rtol=0.1)


def test_penalties_of_several_phases_add_up_as_one_quadratic(small):
    net, _, _ = small
    rng = np.random.default_rng(0)
    anchors = [_moved(net, d) for d in (0.1, -0.3)]
    weights = [jax.tree.map(lambda a: jnp.asarray(rng.random(a.shape), jnp.float32), _weights(net)) for _ in anchors]
    anchored = mt.Anchored.none(net)
    for w, a in zip(weights, anchors, strict=True):
        anchored = anchored.plus(w, a)

    def written_out(net):
        total = 0.0
        for w, a in zip(weights, anchors, strict=True):
            total += sum(jax.tree.leaves(jax.tree.map(lambda f, x, y: (f * (x - y) ** 2).sum(), w, net, a)))
        return 0.5 * total

    got, want = jax.grad(anchored.value)(net), jax.grad(written_out)(net)
    for a, b, c in zip(*map(jax.tree.leaves, (got, want, anchored.slope(net))), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(c, b, rtol=1e-4, atol=1e-6)
    difference = float(anchored.value(net) - anchored.value(anchors[0]))
    assert difference == pytest.approx(float(written_out(net) - written_out(anchors[0])), rel=1e-3)


def test_the_path_of_synaptic_intelligence_is_what_the_loss_fell_by(small):
    net, batch, score = small
    method = mt.SI(1.0)
    state = method.begin(net, 4, 3)

    def loss(net):
        return method.loss(net, state, batch, score, KEY)

    begun = loss(net)

    @jax.jit
    def go(net, state):
        gradient = jax.grad(loss)(net)
        new = jax.tree.map(lambda w, g: w - 0.01 * g, net, gradient)
        return new, method.after(net, new, gradient, state, batch, score, KEY)

    for _ in range(50):
        net, state = go(net, state)
    fell = sum(float(p.sum()) for p in jax.tree.leaves(state.path))
    assert fell == pytest.approx(float(begun - loss(net)), rel=0.05)
    ended = method.end(net, state, batch, score, KEY)
    assert all((w >= 0).all() for w in jax.tree.leaves(ended.anchored.weight))
    assert float(ended.anchored.value(net)) == pytest.approx(0.0, abs=1e-6), "no penalty where the phase ended"


def test_stored_logits_and_labels_enter_the_loss_as_written(small):
    net, batch, score = small
    der = mt.Replay(labels=0.5, logits=0.3, slots=5, count=64)
    empty = der.begin(net, 4, 3)
    assert float(der.loss(net, empty, batch, score, KEY)) == pytest.approx(float(mt.cross_entropy(net(batch.x), batch)))
    full = der.after(net, net, None, empty, batch, score, KEY)
    other = _moved(net, 0.2)
    of_labels, of_logits = jax.random.split(KEY)
    again, apart = full.drawn(of_labels, 64)[0], full.drawn(of_logits, 64)
    want = (
        mt.cross_entropy(other(batch.x), batch)
        + 0.5 * mt.cross_entropy(other(again.x), again)
        + 0.3 * jnp.square(other(apart[0].x) - net(apart[0].x)).mean()
    )
    assert float(der.loss(other, full, batch, score, KEY)) == pytest.approx(float(want), rel=1e-5)


def test_a_batch_apart_does_not_touch_logits_of_classes_that_are_not_in_it(small):
    net, batch, score = small
    few = sm.Batch(batch.x[:2], jnp.array([0, 1]), batch.task[:2])
    method = mt.Replay(apart=True, slots=5)
    slope = jax.grad(lambda n: method.loss(n, method.begin(net, 4, 3), few, score, KEY))(net)
    assert float(jnp.abs(slope.layers[1].bias[2])) == 0.0 < float(jnp.abs(slope.layers[1].bias[0]))


def test_a_gradient_against_the_memory_loses_that_component_and_another_stays(small):
    net, batch, score = small
    agem = mt.AGEM(slots=5, count=200)
    full = agem.after(net, net, None, agem.begin(net, 4, 3), batch, score, KEY)
    again = full.drawn(KEY, 200)[0]
    guide = jax.grad(lambda n: mt.cross_entropy(n(again.x), again))(net)
    against = jax.tree.map(lambda g: -g, guide)
    turned = agem.direct(against, net, full, score, KEY)
    assert float(mt._dot(turned, guide)) == pytest.approx(0.0, abs=1e-6)
    kept = agem.direct(guide, net, full, score, KEY)
    np.testing.assert_allclose(kept.layers[0].weight, guide.layers[0].weight)
    untouched = agem.direct(against, net, agem.begin(net, 4, 3), score, KEY)
    np.testing.assert_allclose(untouched.layers[0].weight, against.layers[0].weight)


def test_without_an_earlier_phase_nobody_teaches_and_then_agreement_is_the_least(small):
    net, batch, score = small
    lwf = mt.LwF(2.0)
    state = lwf.begin(net, 4, 3)
    assert float(lwf.loss(net, state, batch, score, KEY)) == pytest.approx(float(mt.cross_entropy(net(batch.x), batch)))
    taught = lwf.end(net, state, batch, score, KEY)
    slope = jax.grad(lambda n: lwf.loss(n, taught, batch, score, KEY) - mt.cross_entropy(n(batch.x), batch))(net)
    assert max(float(jnp.abs(s).max()) for s in jax.tree.leaves(slope)) < 1e-6


# -- on a stream -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """Accuracy [time, task] of every method, mean over seeds, at the end of each phase."""
    folder = tmp_path_factory.mktemp("streams")

    def grow(against: str):
        system = Stream(**SHORT, against=against)
        run = el.run(system, steps=300, every=60, seeds=4, out=folder / against, progress=False)
        return run.data.isel(condition=0).load()

    return {name: grow(name) for name in ("naive", "ewc-0", "er", "der++")}


def test_what_a_phase_brings_is_learnt_and_without_a_method_lost(ends):
    last = ends["naive"].isel(time=-1)
    assert float(last.current.mean()) > 0.9, "the last phase is known"
    assert 0.1 < float(last.average.mean()) < 0.35, "and hardly anything else: one fifth is the last phase alone"


def test_a_penalty_of_strength_0_changes_nothing(ends):
    np.testing.assert_allclose(ends["ewc-0"].accuracy, ends["naive"].accuracy, atol=1e-6)


def test_a_memory_keeps_what_was_learnt(ends):
    naive, er, der = (float(ends[m].average.isel(time=-1).mean()) for m in ("naive", "er", "der++"))
    assert er > naive + 0.3 and der > naive + 0.3


def test_the_record_is_the_accuracy_matrix_of_the_field(ends):
    from emergelab.instruments import lifelong

    matrix = ends["er"].accuracy.isel(time=slice(1, None))
    assert matrix.sizes["time"] == matrix.sizes["task"] == 5
    assert float(matrix.isel(time=0, task=slice(1, None)).max()) < 0.5, "what is to come is not known yet"
    table = lifelong(matrix.rename(time="stage").assign_coords(stage=range(5), task=range(5))).tables["lifetimes"]
    np.testing.assert_allclose(table["ACC"], matrix.isel(time=-1).mean("task"), atol=1e-6)


@pytest.mark.parametrize("against", ["online", "si", "lwf", "er-ace", "agem"])
def test_every_method_takes_the_last_step_of_a_phase(against):
    system = Stream(**SHORT | {"per_phase": 1, "phases": 5}, against=against)
    state = eqx.filter_jit(system.init)(KEY)
    step = eqx.filter_jit(system.step)
    for i in range(2):
        state = step(state, jax.random.key(i))
    assert all(bool(jnp.isfinite(a).all()) for a in jax.tree.leaves(eqx.filter(state, eqx.is_inexact_array)))


def test_what_a_task_may_not_answer_is_never_answered():
    told = Stream(**SHORT, head="task")
    state = told.init(KEY)
    accuracy, _ = told.examined(state)
    assert float(accuracy.mean()) > 0.3, "of two classes one is right half the time"
    seen = Stream(**SHORT, head="seen")
    accuracy, _ = seen.examined(state)
    assert not accuracy[1:].any() and float(accuracy[0]) > 0.3


def test_interventions_reach_schedule_weights_and_inputs():
    system = Stream(**SHORT)
    assert {"schedule", "batch.x", "h.0", "logits", "rate"} <= {s.name for s in el.sites(system)}
