"""The study `lewis-signalling`: its measures by hand and by enumeration, its rules against means and an ODE."""

from __future__ import annotations

from itertools import product

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import emergelab as el
from emergelab.studies.languages.lewis_signalling import _measures as ms
from emergelab.studies.languages.lewis_signalling import _rules as rl
from emergelab.studies.languages.lewis_signalling import study
from emergelab.studies.languages.lewis_signalling._claims import by_signals, lost_to_signals
from emergelab.studies.languages.lewis_signalling._conditions import PAIRS
from emergelab.studies.languages.lewis_signalling._system import Signalling

# -- measures ---------------------------------------------------------------------------------------------------------


def _codes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a speaker and a listener who always do the same."""
    every = list(product(range(n), repeat=n))
    both = np.array([[s, a] for s in every for a in every])
    return both[:, 0], both[:, 1]


@pytest.mark.parametrize("n", [2, 3])
def test_success_of_every_code_by_counting(n):
    signal, act = _codes(n)
    prior = np.arange(1, n + 1) / (n * (n + 1) / 2)
    wanted = np.array([sum(prior[i] for i in range(n) if a[s[i]] == i) for s, a in zip(signal, act, strict=True)])
    says, does = (np.eye(n, dtype=np.float32)[x] for x in (signal, act))
    args = jnp.asarray(prior, jnp.float32), jnp.asarray(says), jnp.asarray(does)
    np.testing.assert_allclose(ms.success(*args), wanted, atol=1e-6)
    # A code drawn at random is right in a state once in n times, and is a signalling system n! / n^2n times.
    right = np.asarray(ms.right(jnp.asarray(signal, jnp.int32), jnp.asarray(act, jnp.int32)))
    assert right.mean() == pytest.approx(1 / n)
    assert right.all(axis=1).sum() == {2: 2, 3: 6}[n]
    for s, d, x in zip(says, does, np.asarray(ms.scrambled(*args)), strict=True):
        each = [(prior @ s)[j] * prior[i] * d[j, i] for i in range(n) for j in range(n)]
        assert x == pytest.approx(sum(each), abs=1e-6)


def test_information_by_hand():
    prior = jnp.array([0.5, 0.25, 0.25])
    clear, mute = jnp.eye(3)[None], jnp.full((1, 3, 3), 1 / 3)
    merged = jnp.asarray([[[1.0, 0, 0], [0, 1, 0], [0, 1, 0]]])
    found = [float(ms.information(prior, t)[0]) for t in (clear, mute, merged)]
    assert found == pytest.approx([1.5, 0.0, 1.0], abs=1e-5)


# -- rules ------------------------------------------------------------------------------------------------------------

ONE = jnp.float32(1.0)


def test_rows_after_one_play_by_hand():
    rows, did = jnp.asarray([[2.0, 1.0], [2.0, 1.0]]), jnp.asarray([[0.0, 1.0], [0.0, 1.0]])
    won = jnp.array([1.0, 0.0])
    plain = rl.roth_erev(rows, did, won, jnp.float32(0.0), jnp.float32(0.0), jnp.float32(0.01))
    np.testing.assert_allclose(plain, [[2, 2], [2, 1]])
    strict = rl.roth_erev(rows, did, won, jnp.float32(0.1), jnp.float32(2.0), jnp.float32(0.01))
    np.testing.assert_allclose(strict, [[1.8, 1.9], [1.8, 0.01]], rtol=1e-6)
    share = jnp.asarray([[0.6, 0.4], [0.6, 0.4]])
    half = jnp.float32(0.5)
    np.testing.assert_allclose(rl.bush_mosteller(share, did, won, half), [[0.3, 0.7], [0.6, 0.4]], rtol=1e-5)
    np.testing.assert_allclose(rl.q_learning(share, did, won, half), [[0.6, 0.7], [0.6, 0.2]], rtol=1e-5)
    habit = jnp.asarray([[0.0, 1.0, 0.0]] * 3)
    chance = jnp.asarray([0.6, 0.9, 0.1])
    moved = rl.win_stay(habit, habit, jnp.zeros(3), jnp.float32(0.5), chance)
    np.testing.assert_array_equal(moved.argmax(axis=1), [0, 2, 1])
    np.testing.assert_array_equal(rl.win_stay(habit, habit, jnp.ones(3), jnp.float32(0.0), chance), habit)


def test_values_become_chances_by_a_softmax():
    table = jnp.asarray([[1.0, 3.0]])
    np.testing.assert_allclose(rl.chances(table, jnp.bool(False), ONE), [[0.25, 0.75]])
    np.testing.assert_allclose(rl.chances(table, jnp.bool(True), ONE), jax.nn.softmax(table), rtol=1e-6)


def test_replicator_dynamics_against_a_solver():
    random = np.random.default_rng(2)
    says, does = random.dirichlet(np.ones(3), size=(2, 3))
    prior, dt, end = np.array([0.5, 0.3, 0.2]), 0.02, 12.0

    def slope(_, flat):
        s, r = flat.reshape(2, 3, 3)
        earns, hears = prior[:, None] * r.T, (prior[:, None] * s).T
        return np.stack([x * (y - (x * y).sum(axis=1, keepdims=True)) for x, y in ((s, earns), (r, hears))]).ravel()

    wanted = solve_ivp(slope, (0, end), np.stack([says, does]).ravel(), rtol=1e-9, atol=1e-11).y[:, -1].reshape(2, 3, 3)
    start = tuple(jnp.asarray(x[None], jnp.float32) for x in (says, does))
    step = lambda _, x: rl.replicated(*x, jnp.asarray(prior, jnp.float32), jnp.float32(dt))  # noqa: E731
    found = jax.jit(lambda x: jax.lax.fori_loop(0, round(end / dt), step, x))(start)
    np.testing.assert_allclose(np.stack([x[0] for x in found]), wanted, atol=0.01)


# -- the game ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run():
    """Start, and the state after some plays, from one program for each number of states."""
    made = jax.jit(lambda system, key, plays: jax.lax.fori_loop(
        0, plays, lambda t, s: system.step(s, jax.random.fold_in(key, t)), system.init(key)))  # fmt: skip
    return lambda plays, seed=0, **changes: made(Signalling(**changes), jax.random.key(seed), plays)


def test_urns_grow_as_expected(run):
    """One play from urns that are not alike: balls come in with p_i S[i, j] R[j, i], the replicator's field."""
    pairs = 40_000
    system = Signalling(states=2, pairs=pairs, majority=0.7)
    balls = np.array([[[3.0, 1.0], [1.0, 1.0]], [[2.0, 1.0], [1.0, 4.0]]], np.float32)
    first = run(0, states=2, pairs=pairs)
    first = eqx.tree_at(lambda s: (s.speaker, s.listener), first,
                        tuple(jnp.tile(b[None], (pairs, 1, 1)) for b in balls))  # fmt: skip
    last = jax.jit(lambda s: system.step(s, jax.random.key(3)))(first)
    s, r = (b / b.sum(axis=1, keepdims=True) for b in balls)
    inflow = np.array([0.7, 0.3])[:, None] * s * r.T
    np.testing.assert_allclose((np.asarray(last.speaker) - balls[0]).mean(axis=0), inflow, atol=0.01)
    np.testing.assert_allclose((np.asarray(last.listener) - balls[1]).mean(axis=0), inflow.T, atol=0.01)
    assert np.asarray(last.speaker).sum() - np.asarray(first.speaker).sum() == pytest.approx(
        np.asarray(last.listener).sum() - np.asarray(first.listener).sum()
    )


def test_balls_are_successes(run):
    last = run(300, states=2, pairs=16)
    balls = np.asarray(last.speaker).sum(axis=(1, 2)) - 4
    np.testing.assert_array_equal(balls, np.asarray(last.listener).sum(axis=(1, 2)) - 4)
    assert (balls > 150 / 2).all() and (balls <= 300).all() and int(last.played) == 300


def test_rules_keep_their_kind_of_table(run):
    for rule in ("bush-mosteller", "replicator"):
        last = run(300, states=2, pairs=16, rule=rule)
        np.testing.assert_allclose(np.asarray(last.speaker).sum(axis=-1), 1, atol=1e-4)
    last = run(300, states=2, pairs=16, rule="win-stay")
    assert set(np.unique(np.asarray(last.speaker))) == {0.0, 1.0}
    # With habits, two states are settled soon, and a signalling system is never left.
    says, does = np.asarray(last.speaker).argmax(axis=-1), np.asarray(last.listener).argmax(axis=-1)
    assert (np.take_along_axis(does, says, axis=1) == [0, 1]).all()
    values = np.asarray(run(300, states=2, pairs=16, rule="q-learning").speaker)
    assert (values >= 0).all() and (values <= 1).all() and values.max() > 0.9


def test_replicator_dynamics_never_lowers_success(run):
    means = []
    for plays in (0, 40, 300):
        last = run(plays, states=2, pairs=16, rule="replicator", majority=0.7)
        prior = jnp.array([0.7, 0.3])
        means.append(np.asarray(ms.success(prior, last.speaker, last.listener)))
    assert (means[1] >= means[0] - 1e-5).all() and (means[2] >= means[1] - 1e-5).all()


def test_what_is_shown_of_a_known_code():
    system = Signalling(states=3, pairs=2)
    code = jnp.stack([jnp.eye(3)[jnp.array([1, 2, 0])], jnp.eye(3)[jnp.array([0, 0, 1])]])
    acts = jnp.stack([jnp.eye(3)[jnp.array([2, 0, 1])], jnp.eye(3)[jnp.array([0, 2, 1])]])
    state = eqx.tree_at(lambda s: (s.speaker, s.listener), system.init(jax.random.key(0)), (code, acts))
    shown = {k: np.asarray(v) for k, v in jax.jit(lambda s: system.observe(s, jax.random.key(0)))(state).items()}
    # The first code is perfect; the second says the same in two states and is wrong in one of them.
    assert shown["success"] == pytest.approx((1 + 2 / 3) / 2)
    assert shown["pooling"] == 0.5 and shown["reached"] == 0.5
    assert shown["levels"].tolist() == [0, 0, 0.5, 0.5, 0, 0, 0, 0, 0]
    assert shown["says"].tolist() == [1, 2, 0, -1, -1, -1, -1, -1]
    assert shown["does"].tolist() == [2, 0, 1, -1, -1, -1, -1, -1]
    assert shown["information"] == pytest.approx((np.log2(3) + np.log2(3) - 2 / 3) / 2, abs=1e-5)
    assert shown["used"] == 2.5 and np.isnan(shown["stability"])
    assert shown["scrambled"] == pytest.approx(1 / 3) and shown["blind"] == pytest.approx(1 / 3)


def test_exchanged_listeners_and_a_fixed_speaker():
    system = Signalling(states=4, pairs=PAIRS)
    state = system.init(jax.random.key(0))
    own = jax.random.uniform(jax.random.key(1), state.listener.shape)
    state = eqx.tree_at(lambda s: s.listener, state, own)
    read = jax.jit(lambda s: el.tap(lambda s: system.step(s, jax.random.key(0)), "listener")(s)[1]["listener"])
    with el.edit(*study.conditions["n4-exchanged"].interventions, time=5000):
        seen = np.asarray(read(state))
    half = PAIRS // 2
    np.testing.assert_array_equal(seen, np.concatenate([own[half:], own[:half]]))
    with el.edit(*study.conditions["n4-first-teaches"].interventions, time=5000):
        last = jax.jit(lambda s: system.step(s, jax.random.key(0)))(state)
    np.testing.assert_array_equal(last.speaker, state.speaker)
    balls = np.asarray(last.listener)
    assert set(np.unique(balls)) == {1.0, 2.0}  # anew, and what was learnt in this play


def test_sites():
    names = {s.name for s in el.sites(Signalling(states=2, pairs=4))}
    assert {"speaker", "listener", "prior", "state", "signal", "act", "reward", "speaker.change"} <= names


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"states": 9}, "'states' must be"),
        ({"majority": 1.0}, "'majority' must be"),
        ({"rule": "copy"}, "'rule' must be one of"),
        ({"forgetting": -0.1}, "'forgetting' must be"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong, word):
    with pytest.raises(el.UserError, match=word):
        Signalling(**wrong)


# -- the study --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("lewis") / "run", progress=False, workers=1)


def test_the_tiny_size_is_judged(tiny):
    assert {v["verdict"] for v in study.judge(tiny)} <= {"inconclusive", "untested"}  # two seeds are too few
    assert not tiny.diverged
    start = tiny.data.isel(time=0)
    np.testing.assert_allclose(start.success.sel(condition="n3"), 1 / 3, atol=1e-6)
    np.testing.assert_allclose(start.information.sel(condition=["n2", "n3"]), 0, atol=1e-6)
    np.testing.assert_allclose(tiny.data.blind.sel(condition="n2-0.9"), 0.9, atol=1e-6)
    np.testing.assert_allclose(lost_to_signals(tiny.data.sel(condition="n3")), 0, atol=1e-6)
    assert float(by_signals(tiny.data.sel(condition="n2")).isel(time=-1).min()) > 0


class _Whole:
    """A run with all conditions of the quick size, whose curves are those of the tiny run over and over."""

    def __init__(self, tiny: el.Run) -> None:
        names = list(study.sizes["quick"].conditions)
        some = [i % 2 for i in range(len(names))]  # of the tiny run those with two and three states
        self.data = tiny.data.isel(condition=some).assign_coords(condition=names)
        states = {c: 2 + i % 2 for i, c in enumerate(names)}
        self.info = {"conditions": {c: {"parameters": {"states": n}} for c, n in states.items()}}


def test_the_view_shows_the_code_of_the_first_pair(tiny):
    cells, names = study.view.at(tiny, "n3", 1, 40).layers
    d = tiny.data.sel(condition="n3", seed=1, time=40)
    says, does = (d[name].values.astype(int)[:3] for name in ("says", "does"))
    for state, signal in product(range(3), range(3)):
        said, meant = says[state] == signal, does[signal] == state
        assert cells.values[state, signal] == (1 if said and meant else 2 if said else 3 if meant else 0)
    assert names.words == ["1", "2", "3", "a", "b", "c"]


def test_every_figure_is_drawn_for_all_conditions_of_the_quick_size(tiny):
    for figure in study.figures:
        assert figure.draw(_Whole(tiny)).axes


def test_conditions_fit_their_sizes():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            system = study.system(**{**size.set, **study.conditions[name].set})
            assert name.startswith(f"n{system.states}")
            assert float(system.prior().sum()) == pytest.approx(1)
