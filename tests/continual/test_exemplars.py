"""Balanced memories, herding and projections: each against a slow and obvious oracle."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import emergelab as el
from emergelab.continual import exemplars as ex
from emergelab.continual import methods as mt
from emergelab.continual import streams as sm
from emergelab.continual.data import load
from emergelab.continual.learning import Perceptron

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def small():
    """A network with three classes, a batch and its score."""
    net = Perceptron(jax.random.key(1), (4, 6, 3))
    batch = sm.Batch(jax.random.normal(KEY, (6, 4)), jnp.array([0, 1, 2, 1, 0, 2]), jnp.array([0, 0, 1, 0, 0, 1]))
    return net, batch, lambda net, batch: net(batch.x)


def _dot(a, b):
    return sum(float((x * y).sum()) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


# -- a balanced memory -------------------------------------------------------------------------------------------------


def _slow(labels, slots):
    """Classes kept, by the paper's algorithm; which example leaves is a matter of chance, its class is not."""
    counts = np.zeros(labels.max() + 1, int)
    seen = set()
    for y in labels:
        if y not in seen or counts[y] < slots / len(seen):
            if counts.sum() >= slots:
                counts[counts.argmax()] -= 1
            counts[y] += 1
        seen.add(y)
    return counts


@jax.jit
def _filled(labels, key):
    n = labels.shape[0]
    batch = sm.Batch(jnp.arange(n, dtype=jnp.float32)[:, None], labels, jnp.zeros(n, jnp.int32))
    return ex.Balanced.empty(12, 1, 4).after(batch, key)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 3), min_size=40, max_size=40))
def test_a_balanced_memory_keeps_what_the_papers_algorithm_keeps(labels):
    y = np.array(labels, np.int32)
    memory = _filled(jnp.asarray(y), KEY)
    np.testing.assert_array_equal(memory.counts, _padded(y))
    kept = np.asarray(memory.kept.x[:, 0])[np.asarray(memory.filled)].astype(int)
    assert len(set(kept)) == len(kept), "no example twice"
    np.testing.assert_array_equal(y[kept], np.asarray(memory.kept.y)[np.asarray(memory.filled)])


def _padded(y):
    counts = _slow(y, 12)
    return np.pad(counts, (0, 4 - len(counts)))


def test_whoever_comes_late_gets_the_same_share():
    memory = _filled(jnp.array([0] * 20 + [1] * 10 + [2] * 6 + [3] * 4), KEY)
    np.testing.assert_array_equal(memory.counts, [3, 3, 3, 3])


def test_a_new_network_knows_the_memory_and_nothing_else(small):
    net, batch, score = small
    dumb = ex.GDumb(rate=0.5, slots=6, count=6, updates=200)
    state = dumb.begin(net, 4, 3)
    assert max(map(_largest, _apart(dumb.speaker(net, state, score), net))) == 0.0, "from nothing nothing is learnt"
    slope = jax.grad(lambda n: dumb.loss(n, state, batch, score, KEY))(net)
    assert _dot(slope, slope) == 0.0, "on the stream nothing is learnt"
    state = dumb.after(net, net, None, state, batch, score, KEY)
    other = jax.tree.map(lambda a: a + 1.0, net)
    taught = jax.jit(lambda n: dumb.speaker(n, state, score))
    kept = state.memory.kept
    np.testing.assert_array_equal(taught(net)(kept.x).argmax(axis=1), kept.y)
    assert max(map(_largest, _apart(taught(net), taught(other)))) == 0.0, "whatever the network has become"


def _apart(a, b):
    return [x - y for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)]


def _largest(x):
    return float(jnp.abs(x).max())


# -- herding and the nearest mean --------------------------------------------------------------------------------------


def test_herding_takes_at_every_turn_the_item_that_brings_the_mean_nearest():
    features = np.asarray(jax.random.normal(KEY, (9, 3)))
    wanted = np.array([1, 1, 0, 1, 1, 1, 0, 1, 1], bool)
    order, there = jax.jit(ex.herded, static_argnums=2)(jnp.asarray(features), jnp.asarray(wanted), 5)
    mean, taken = features[wanted].mean(axis=0), []
    for _ in range(5):
        free = [i for i in np.flatnonzero(wanted) if i not in taken]
        off = [np.linalg.norm(mean - features[[*taken, i]].mean(axis=0)) for i in free]
        taken.append(free[int(np.argmin(off))])
    assert order.tolist() == taken and bool(there.all())
    few = jax.jit(ex.herded, static_argnums=2)(jnp.asarray(features), jnp.arange(9) < 2, 5)
    assert few[1].tolist() == [True, True, False, False, False]


def test_the_nearest_mean_answers_for_classes_with_exemplars_only(small):
    net, batch, score = small
    method = ex.ICaRL(each=2, count=4)
    state = jax.jit(lambda n, s, b: method.end(n, s, b, score, KEY))(net, method.begin(net, 4, 3), batch)
    assert state.count.tolist() == [2, 2, 2]
    features = np.asarray(ex.last_hidden(net, batch.x))
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-5)
    means = np.stack([features[np.asarray(batch.y) == c].mean(axis=0) for c in range(3)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    off = ((features[:, None] - means) ** 2).sum(axis=-1)
    np.testing.assert_allclose(method.speaker(net, state, score)(batch.x), -off, atol=1e-5)
    fewer = eqx.tree_at(lambda s: s.count, state, jnp.array([2, 0, 2]))
    assert not (method.speaker(net, fewer, score)(batch.x).argmax(axis=1) == 1).any()
    again = sm.Batch(batch.x[:2], jnp.array([0, 0]), batch.task[:2])
    later = method.end(net, state, again, score, KEY)
    np.testing.assert_array_equal(later.x[1:], state.x[1:], "classes that do not come again keep theirs")


def test_earlier_classes_are_taught_by_the_last_network_and_new_ones_by_labels(small):
    net, batch, score = small
    method = ex.ICaRL(strength=0.5, each=2, count=4)
    none = method.begin(net, 4, 3)
    logits = np.asarray(score(net, batch), float)

    def binary(wanted, z):
        return np.logaddexp(0, z) - wanted * z

    plain = binary(np.eye(3)[np.asarray(batch.y)], logits).sum(axis=1).mean()
    assert float(method.loss(net, none, batch, score, KEY)) == pytest.approx(plain, rel=1e-5)
    two = sm.Batch(batch.x[:2], batch.y[:2], batch.task[:2])
    state = method.end(net, none, two, score, KEY)
    other = jax.tree.map(lambda a: a + 0.1, net)
    again, _ = state.drawn(KEY, 4)
    x, y = np.concatenate([batch.x, again.x]), np.concatenate([batch.y, again.y])
    assert set(np.asarray(again.y)) <= {0, 1}
    wanted = np.eye(3)[y]
    wanted[:, :2] = 1 / (1 + np.exp(-np.asarray(net(jnp.asarray(x)))[:, :2]))
    each = binary(wanted, np.asarray(other(jnp.asarray(x)), float)) * [0.5, 0.5, 1.0]
    assert float(method.loss(other, state, batch, score, KEY)) == pytest.approx(each.sum(axis=1).mean(), rel=1e-4)


# -- projections -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_the_dual_problem_is_solved_as_a_general_solver_does(seed):
    rng = np.random.default_rng(seed)
    guides, gradient = rng.normal(size=(4, 12)), rng.normal(size=12)
    gradient -= guides.T @ np.abs(rng.normal(size=4))
    counts = np.array([True, True, seed % 2 == 0, True])
    margin = 0.3 if seed > 3 else 0.0
    v = np.asarray(ex.dual(*map(jnp.asarray, (guides @ guides.T, guides @ gradient, counts)), margin, 300))
    own = guides[counts]
    want = optimize.minimize(
        lambda u: 0.5 * u @ own @ own.T @ u + u @ own @ gradient, np.ones(len(own)), method="SLSQP",
        bounds=[(margin, None)] * len(own), options={"ftol": 1e-12, "maxiter": 500},
    ).x  # fmt: skip
    np.testing.assert_allclose(v[counts], want, atol=2e-4)
    assert not v[~counts].any()
    if not margin:
        nearest = optimize.minimize(
            lambda z: ((z - gradient) ** 2).sum(), gradient, method="SLSQP",
            constraints={"type": "ineq", "fun": lambda z: own @ z}, options={"ftol": 1e-12, "maxiter": 500},
        ).x  # fmt: skip
        np.testing.assert_allclose(gradient + v @ guides, nearest, atol=2e-3)
        assert (own @ (gradient + v @ guides) > -1e-3).all()


class Whole(mt.Reservoir):
    """A memory that always shows all it has."""

    def drawn(self, key, count):
        return self.kept, self.logits, jnp.float32(1.0)


def test_with_one_task_it_is_the_projection_of_averaged_memory(small):
    net, batch, score = small
    first = sm.Batch(batch.x, batch.y, jnp.zeros(6, jnp.int32))
    gem, agem = ex.GEM(tasks=1, each=6, sweeps=1), mt.AGEM(slots=6, count=6)

    @jax.jit
    def all_of_it(net):
        state = gem.after(net, net, None, gem.begin(net, 4, 3), first, score, KEY)
        guide = jax.tree.map(lambda g: g[0], gem.guides(net, state, score))
        gradient = jax.tree.map(lambda g: jnp.roll(g, 1) - 0.5 * g, guide)
        ended = gem.end(net, state, first, score, KEY)
        whole = Whole(first, jnp.zeros((6, 3)), jnp.int32(6))
        return {
            "guide": guide,
            "slope": jax.grad(lambda n: mt.cross_entropy(n(batch.x), batch))(net),
            "gradient": gradient,
            "open": gem.direct(gradient, net, state, score, KEY),
            "turned": gem.direct(gradient, net, ended, score, KEY),
            "averaged": agem.direct(gradient, net, whole, score, KEY),
        }

    got = all_of_it(net)
    assert max(map(_largest, _apart(got["guide"], got["slope"]))) < 1e-5
    assert max(map(_largest, _apart(got["open"], got["gradient"]))) == 0.0, "the task has not ended yet"
    assert _dot(got["gradient"], got["guide"]) < 0 and abs(_dot(got["turned"], got["guide"])) < 1e-5
    assert max(map(_largest, _apart(got["turned"], got["averaged"]))) < 1e-5


def test_a_memory_by_task_has_the_last_examples_of_each():
    gem = ex.GEM(tasks=2, each=3)
    state = gem.begin(Perceptron(KEY, (1, 2, 2)), 1, 2)
    tasks = [0, 1, 0, 0, 0, 1, 0]
    for start in (0, 7):
        x = jnp.arange(start, start + 7, dtype=jnp.float32)[:, None]
        batch = sm.Batch(x, jnp.zeros(7, jnp.int32), jnp.array(tasks))
        state = gem.after(None, None, None, state, batch, lambda net, batch: net(batch.x), KEY)
    assert state.met.tolist() == [10, 4]
    assert sorted(state.kept.x[0, :, 0].tolist()) == [10, 11, 13] and sorted(state.kept.x[1, :, 0].tolist()) == [
        5,
        8,
        12,
    ]


# -- on a stream -------------------------------------------------------------------------------------------------------

METHODS = {
    "gdumb": ex.GDumb(0.3, slots=50, count=16, updates=150),
    "icarl": ex.ICaRL(each=5, count=16),
    "gem": ex.GEM(tasks=5, each=10, sweeps=5),
}


class Stream(ex.Spoken):
    """Digits, two classes a phase."""

    against: str = el.choice("gdumb", options=tuple(METHODS), static=True, about="method")

    def data(self):
        return load("digits")

    def tasks(self, key):
        return sm.split(key, self.phases, self.data())

    def method(self):
        return METHODS[self.against]


@pytest.mark.parametrize(("against", "least"), [("gdumb", 0.4), ("icarl", 0.4), ("gem", 0.22)])
def test_each_keeps_more_than_the_last_phase(against, least):
    system = Stream(phases=5, per_phase=40, batch=10, hidden=32, sample=60, rate=0.1, against=against)
    arrays, rest = eqx.partition(system.init(KEY), eqx.is_array)

    @jax.jit
    def grown(arrays):
        def one(time, arrays):
            new = system.step(eqx.combine(arrays, rest), jax.random.fold_in(KEY, time))
            return eqx.filter(new, eqx.is_array)

        return system.examined(eqx.combine(jax.lax.fori_loop(0, 200, one, arrays), rest))[0]

    assert float(grown(arrays).mean()) > least, "a fifth is the last phase alone"
