"""The study `latent-properties`: what is filmed, who speaks, who is replaced, and what is measured of a code."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

import emergelab as el
from emergelab.nn.groups import RESETS, group
from emergelab.studies.languages.latent_properties import LatentProperties, study
from emergelab.studies.languages.latent_properties._claims import (
    early_call,
    largest_cost,
    selectivity,
)
from emergelab.studies.languages.latent_properties._code import (
    across_seeds,
    by_agent,
    cut,
    exchanged,
    of_property,
    padded,
    within_seeds,
)
from emergelab.studies.languages.latent_properties._conditions import ONE, QUICK
from emergelab.studies.languages.latent_properties._nets import Watcher
from emergelab.studies.languages.latent_properties._scenes import (
    FRAMES,
    HELD,
    LEVELS,
    features,
    held_out,
    meanings,
    pairs,
    pictures,
    places,
)
from emergelab.studies.languages.latent_properties._system import ROOM, State, World

SMALL = dict(study.sizes["tiny"].set)


# -- what is filmed ---------------------------------------------------------------------------------------------------


def _simulated(elasticity: float, friction: float, length: float, times: np.ndarray, dt: float = 2e-5) -> np.ndarray:
    """Slide and bounce by small steps, from the forces."""
    slope, out = np.deg2rad(70.0), {}
    along, speed, x, y, vx, vy = length, 0.0, None, None, 0.0, 0.0
    for i in range(int(times.max() / dt) + 2):
        now = i * dt
        for k, t in enumerate(times):
            if k not in out and now >= t:
                out[k] = (-along * np.cos(slope), along * np.sin(slope)) if x is None else (x, y)
        if x is None:
            speed += dt * 9.81 * (np.sin(slope) - friction * np.cos(slope))
            along -= dt * speed
            if along <= 0:
                x, y, vx, vy = 0.0, 0.0, speed * np.cos(slope), -speed * np.sin(slope)
        if x is not None:
            if y <= 0 and vy < 0:
                y, vy, vx = 0.0, -elasticity * vy, vx * (1 - 0.6 * friction)
            elif vy != 0:
                vy -= dt * 9.81
                x, y = x + dt * vx, y + dt * vy
    return np.array([out[k] for k in range(len(times))])


@pytest.mark.parametrize(("elasticity", "friction", "length"), [(0.9, 0.1, 1.1), (0.5, 0.9, 0.95)])
def test_the_ball_moves_as_forces_make_it(elasticity, friction, length):
    got = np.asarray(places(jnp.array(elasticity), jnp.array(friction), jnp.array(length)))
    times = 0.45 + 0.15 * np.arange(FRAMES)
    np.testing.assert_allclose(got, _simulated(elasticity, friction, length, times), atol=3e-3)


def test_a_picture_shows_where_the_ball_is():
    low, high = np.array([-0.6, -0.05]), np.array([1.9, 1.15])
    centre = low + (np.array([7, 3]) + 0.5) / 12 * (high - low)
    shown = np.asarray(pictures(jnp.asarray(centre[None], jnp.float32))).reshape(12, 12)
    assert np.unravel_index(shown.argmax(), shown.shape) == (3, 7) and shown.max() == pytest.approx(1, abs=1e-5)
    assert shown[3, 8] == pytest.approx(np.exp(-0.5), abs=1e-4) == shown[4, 7]


def test_held_out_levels_are_each_seen_with_all_other_partners():
    levels = meanings(3)
    out = held_out(levels)
    assert levels.shape == (75, 2) and out.sum() == 15
    assert {tuple(int(x) for x in row) for row in levels[out]} == set(HELD)
    for prop in range(2):
        assert sorted(pair[prop] for pair in HELD) == list(range(len(LEVELS)))
    asked = pairs(np.flatnonzero(out), levels, 40, seed=3)
    assert asked.shape == (40, 2) and out[asked].all()
    assert (levels[asked[:, 0]] != levels[asked[:, 1]]).all() and len({tuple(p) for p in asked}) == 40
    every = pairs(np.flatnonzero(out), levels, 10_000, seed=3)
    assert len(every) == 15 * 12, "five cells of three scenes differ in both wherever they differ"


def test_features_are_standardised_and_tell_both_properties():
    levels = meanings(12)
    film = np.asarray(jax.jit(lambda k: features(k, levels, jnp.float32(0.01), 32))(jax.random.key(1)))
    assert film.shape == (300, FRAMES, 32)
    np.testing.assert_allclose(film.mean(axis=(0, 1)), 0, atol=1e-4)
    np.testing.assert_allclose(film.std(axis=(0, 1)), 1, atol=1e-2)
    seen = ~held_out(levels)
    for frames in (slice(None), slice(0, 2)):
        x = np.concatenate([film[:, frames].reshape(300, -1), np.ones((300, 1))], axis=1)
        fit = np.linalg.solve(x[seen].T @ x[seen] + 3 * np.eye(x.shape[1]), x[seen].T @ levels[seen])
        assert (((x @ fit)[seen] - levels[seen]).var(axis=0) < 0.3 * levels[seen].var(axis=0)).all()


# -- who speaks -------------------------------------------------------------------------------------------------------


def test_a_watcher_is_two_convolutions_over_time():
    net = Watcher(jax.random.key(0), 3, 4, 2, 5)
    views = np.asarray(jax.random.normal(jax.random.key(1), (2, 6, 3)))

    def convolved(x, weights, bias):
        out = np.zeros((len(x), weights.shape[1]))
        for t in range(len(x)):
            out[t] = bias
            for tap in range(3):
                if 0 <= t + tap - 1 < len(x):
                    out[t] += x[t + tap - 1] @ weights.reshape(3, x.shape[1], -1)[tap]
        return np.maximum(out, 0)

    wanted = []
    for film in views:
        x = convolved(film, np.asarray(net.first), np.asarray(net.first_bias))
        x = convolved(x, np.asarray(net.second), np.asarray(net.second_bias)).mean(axis=0)
        wanted.append(np.maximum(np.asarray(net.layer.weight) @ x + np.asarray(net.layer.bias), 0))
    np.testing.assert_allclose(eqx.filter_jit(net.understood)(jnp.asarray(views)), wanted, atol=1e-5)


@pytest.mark.parametrize(("agents", "seen"), [(1, 8), (2, 4), (4, 2), (4, 8), (3, 2)])
def test_frames_are_shared_out_in_turn(agents, seen):
    system = LatentProperties(agents=agents, seen=seen, positions=1)
    frames = np.asarray(system.frames(jax.random.key(0)))
    assert frames.shape == (agents, seen) and frames.min() >= 0 and frames.max() < FRAMES
    if agents * seen == FRAMES:
        assert frames.ravel().tolist() == list(range(FRAMES))
    if seen == FRAMES:
        assert (frames == np.arange(FRAMES)).all()
    drawn = np.asarray(system.with_(views="random").frames(jax.random.key(0)))
    assert all(len(set(row)) == seen for row in drawn.tolist())
    if agents * seen == FRAMES:
        assert sorted(drawn.ravel().tolist()) == list(range(FRAMES)) != drawn.ravel().tolist()


def test_who_is_replaced_and_when():
    system = LatentProperties(**SMALL)
    made = group(system.listener, jax.random.split(jax.random.key(0), 3), system.rules[1])

    @jax.jit
    def born(system, time):
        state = State(made, made, World(jnp.zeros((4, 75, 2, 6)), jnp.zeros(2)), time)
        new = system.audience(state, jax.random.key(9))
        one, other = (g.nets.layers[0].weight for g in (made, new))
        return (one != other).any(axis=(1, 2))

    def who(mode, time, life=12):
        changed = np.asarray(born(system.with_(resets=mode, life=life), jnp.int32(time)))
        return np.flatnonzero(changed).tolist()

    assert set(RESETS) == {"none", "simultaneous", "staggered"}
    assert who("simultaneous", 12) == [0, 1, 2] == who("simultaneous", 24)
    assert who("simultaneous", 0) == who("simultaneous", 13) == who("none", 12) == who("simultaneous", 12, 0) == []
    assert [who("staggered", t) for t in (4, 8, 12, 16, 6)] == [[0], [1], [2], [0], []]


# -- what is measured -------------------------------------------------------------------------------------------------


def test_disentanglement_agent_by_agent_and_sets_of_positions():
    levels = jnp.asarray(meanings(3))
    e, f = levels[:, 0], levels[:, 1]
    words = jnp.stack([e, f, e, e, jnp.zeros_like(e), (e + f) % 5], axis=1)
    got = np.asarray(jax.jit(lambda w: by_agent(w, 5, levels, 3))(words))
    # Pure; the same twice, which is pure as well; silent and saying what neither property alone tells.
    np.testing.assert_allclose(got, [1, 1, 0], atol=1e-3)
    shared = jnp.array([[1.0, 0.1], [0.2, 0.3], [0.5, 0.4]])
    assert of_property(shared).tolist() == [[True, False, True], [False, True, False]]


def test_cut_and_exchange_by_hand():
    heard = jnp.arange(12.0).reshape(2, 3, 2)
    where = jnp.array([False, True, False])
    silent = np.asarray(cut(heard, where))
    assert (silent[:, 1] == 0).all() and (silent[:, [0, 2]] == np.asarray(heard)[:, [0, 2]]).all()
    assert np.asarray(cut(heard, where, heard[::-1]))[0, 1].tolist() == [8.0, 9.0]
    turned = np.asarray(exchanged(heard, heard + 100, where))
    assert turned.shape == (2, 6, 2)
    assert turned[0].tolist() == [[0, 1], [102, 103], [4, 5], [100, 101], [2, 3], [104, 105]]
    assert np.asarray(padded(jnp.ones((1, 2)), 3, -1)).tolist() == [[1, 1], [-1, -1], [-1, -1]]


def _reader(hidden: int) -> eqx.Module:
    """A listener for who says the level of elasticity, then that of friction: it takes one scene's from the other's."""
    system = LatentProperties(**{**SMALL, **ONE, "hidden": hidden})
    net = system.listener(jax.random.key(0))
    first, second, third = (np.zeros(layer.weight.shape, np.float32) for layer in net.layers)
    value = np.arange(5)
    for prop in range(2):
        for sign, unit in ((1, 2 * prop), (-1, 2 * prop + 1)):
            first[unit, 5 * prop : 5 * prop + 5] = sign * value
            first[unit, 10 + 5 * prop : 15 + 5 * prop] = -sign * value
        third[prop, 2 * prop : 2 * prop + 2] = 1, -1
    second[np.arange(4), np.arange(4)] = 1
    new = [jnp.asarray(w) for w in (first, second, third)]
    net = eqx.tree_at(lambda n: [layer.weight for layer in n.layers], net, new)
    return eqx.tree_at(lambda n: [layer.bias for layer in n.layers], net, [jnp.zeros(len(w)) for w in new])


def test_a_perfect_code_gets_perfect_marks():
    system = LatentProperties(**{**SMALL, **ONE, "hidden": 8})
    levels = jnp.asarray(meanings(3))
    net = _reader(8)
    useless = system.listener(jax.random.key(3))
    stacked = jax.tree.map(lambda a, b: jnp.stack([a, b]), useless, net)

    @jax.jit
    def shown(words):
        code = system._of_code(words, jax.random.key(1))
        heard = jax.nn.one_hot(words, 5)
        return code | system._of_answers(stacked, heard, code["shared"][:2], jax.random.key(2))

    got = {k: np.asarray(v) for k, v in shown(levels).items()}
    for name in ("accuracy", "holdout", "posdis", "posdis_best", "coverage", "information_gap", "swapped"):
        assert got[name] == pytest.approx(1, abs=2e-3), name
    table, (one, other) = meanings(3), np.triu_indices(75, 1)
    apart = np.abs(table[one] - table[other])
    wanted = spearmanr(apart.sum(axis=1), (apart > 0).sum(axis=1)).statistic
    assert got["topsim"] == pytest.approx(wanted, abs=1e-3), "symbols have no order, so that even here it is not 1"
    assert got["distinct"] == 25 and got["bosdis"] < 0.3
    assert got["posdis_chance"] < 0.2 and got["coverage_chance"] < 0.2 and abs(got["scrambled"] - 0.25) < 0.12
    # With one property silent, "no" is the answer to its question, which is right in half of the cases.
    np.testing.assert_allclose(got["cost_set"], np.eye(2) / 2, atol=0.06)
    np.testing.assert_allclose(got["cost"][:2], got["cost_set"], atol=1e-6)
    np.testing.assert_allclose(got["cost_agent"][0], [0.5, 0.5], atol=0.06)
    assert got["cost_set_other"][0, 1] == 0 and got["cost_set_other"][0, 0] > 0.2
    assert np.isnan(got["cost"][2:]).all() and (got["tokens"][:, 2:] == -1).all()
    assert (got["tokens"][:, :2] == meanings(3)).all()
    np.testing.assert_allclose(got["entropy"][:2], np.log(5), atol=1e-5)
    turned = {k: np.asarray(v) for k, v in shown(levels.at[:, 1].set(levels[:, 0])).items()}
    assert turned["posdis_best"] == pytest.approx(1, abs=1e-3), "full redundancy passes for purity"
    assert turned["coverage"] == pytest.approx(0, abs=1e-3) and turned["information_gap"] < 1e-3


def _recorded(tokens: np.ndarray) -> xr.Dataset:
    return xr.Dataset(
        {"tokens": (("seed", "time", "scene", "position"), tokens[:, None])},
        coords={"seed": np.arange(len(tokens)), "time": [5]},
    )


def test_codes_are_read_within_and_across_seeds():
    levels = meanings(3)
    alike = np.stack([levels] * 3)
    assert within_seeds(_recorded(alike)).values.tolist() == [1, 1, 1] == across_seeds(_recorded(alike)).values.tolist()
    turned = np.stack([levels, 4 - levels])
    assert within_seeds(_recorded(turned)).values.tolist() == [1, 1]
    assert across_seeds(_recorded(turned)).values.tolist() == [0, 0], "all answers are turned round"
    wide = np.concatenate([alike, np.full_like(alike, -1)], axis=2)
    assert across_seeds(_recorded(wide)).values.tolist() == [1, 1, 1], "positions that are not there say nothing"
    assert np.isnan(across_seeds(_recorded(alike[:1])).values).all()


def test_what_claims_compute():
    d = xr.Dataset(
        {
            "posdis_best": (("seed", "time"), [[0.1, 0.5, 0.6], [0.1, 0.3, 0.6], [0.9, 0.1, 0.2]]),
            "cost_set": (("seed", "told", "asked"), [[[0.4, 0.1], [0.0, 0.2]]] * 3),
            "cost": (("seed", "position", "asked"), [[[0.1, 0.3], [np.nan, np.nan]]] * 3),
        },
        coords={"time": [0, 560, 2800]},
    )
    assert early_call(d).values.tolist() == [1, 0, 1]
    assert selectivity(d).values.tolist() == pytest.approx([0.25] * 3)
    assert largest_cost(d).values.tolist() == [0.3] * 3


# -- a run ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("latent") / "run", progress=False, workers=1, keep=[12, 24])


def test_the_tiny_size_is_judged_drawn_and_seen(tiny):
    verdicts = study.judge(tiny)
    assert {v["verdict"] for v in verdicts} <= {"inconclusive", "untested"}  # two seeds are too few for any other
    assert study.draw(tiny) == [], "figures compare one sender with four, and the tiny size has four only"
    assert not tiny.diverged
    d = tiny.data
    assert d.tokens.sizes["position"] == ROOM == d.cost.sizes["position"]
    assert d.tokens.values.min() >= 0 and np.isfinite(d.cost.values).all()
    cells = study.view.at(tiny, "four", 0, 24).layers[0].values
    assert cells.shape == (5, 47) and (cells[:, 5::6] == 0).all() and cells[:, :5].min() >= 1


def test_listeners_are_young_where_they_are_replaced_and_senders_never_are(tiny):
    """A life is 8 updates: listeners born before updates 8 and 16 have learnt 4 and 8 times when 12 and 24 are over."""
    for condition, ages in (("four", (4, 8)), ("four-kept", (12, 24))):
        for time, age in zip((12, 24), ages, strict=True):
            state = tiny.state(time, condition)
            counts = {name: np.unique(v.values) for name, v in state.data_vars.items() if name.endswith("count")}
            assert {n: c.tolist() for n, c in counts.items() if "listeners" in n} == {
                n: [age] for n in counts if "listeners" in n
            }
            assert all(c.tolist() == [time] for n, c in counts.items() if "speakers" in n) and len(counts) == 2
    # Until the first birth both conditions are one.
    early, kept = (tiny.data.sel(condition=c, time=0) for c in ("four", "four-kept"))
    np.testing.assert_array_equal(early.tokens, kept.tokens)


class _Whole:
    """A run with all conditions of the quick size, whose curves are those of the tiny run over and over."""

    def __init__(self, tiny: el.Run) -> None:
        names = list(QUICK)
        self.data = tiny.data.sel(condition=["four"] * len(names)).assign_coords(condition=names)
        made = {c: study.system(**{**study.sizes["quick"].set, **study.conditions[c].set}) for c in names}
        known = ("agents", "positions", "life", "symbols")
        self.info = {"conditions": {c: {"parameters": {n: int(getattr(s, n)) for n in known}} for c, s in made.items()}}


def test_every_figure_is_drawn_for_all_conditions_of_the_quick_size(tiny):
    for figure in study.figures:
        assert figure.draw(_Whole(tiny)).axes


# -- what is done to it -----------------------------------------------------------------------------------------------


def _anything(system: LatentProperties) -> State:
    """A state of the right shapes with random numbers in it, for which nothing has to be compiled."""
    random = np.random.default_rng(0)

    def filled(x):
        real = jnp.issubdtype(x.dtype, jnp.floating)
        return jnp.asarray(0.3 * random.normal(size=x.shape) if real else np.zeros(x.shape), x.dtype)

    state = jax.tree.map(filled, jax.eval_shape(system.init, jax.random.key(0)))
    return eqx.tree_at(lambda s: s.listeners.memory[1].nu, state, jax.tree.map(jnp.abs, state.listeners.memory[1].nu))


def test_senders_can_be_frozen_and_an_agent_blinded_and_silenced():
    system = LatentProperties(**{**SMALL, "listeners": 2})
    state = _anything(system)
    lesion = study.conditions["four-lesioned"].interventions
    mute = el.Clamp("message", 0.0, where=np.arange(8)[:, None] // 2 == 3)

    def step(state):
        with el.edit(el.Ablate("update.speakers.*"), mute, *lesion):
            update = el.tap(lambda s: system.step(s, jax.random.key(5)), "views", "message.*", "grad.speakers.first")
            return update(state)

    new, seen = jax.jit(step)(state)
    for a, b in zip(jax.tree.leaves(state.speakers.nets), jax.tree.leaves(new.speakers.nets), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (np.asarray(state.listeners.nets.layers[0].weight) != np.asarray(new.listeners.nets.layers[0].weight)).any()
    assert (np.asarray(seen["views"])[0] == 0).all() and (np.asarray(seen["views"])[1] != 0).any()
    assert all((np.asarray(seen[f"message.{i}"]) == 0).all() for i in (6, 7))
    assert (np.asarray(seen["message.5"]).sum(axis=-1) == pytest.approx(1, abs=1e-5))
    down = np.asarray(seen["grad.speakers.first"])
    assert (down[0] == 0).all() and (down[3] == 0).all() and (down[1] != 0).any(), "who is not heard does not learn"
    assert int(new.time) == 1


def test_sites():
    names = {s.name for s in el.sites(LatentProperties(**SMALL))}
    assert {"views", "message", "message.0", "message.7", "temperature", "update.speakers.first"} <= names
    assert {"grad.listeners.layers.0.weight", "update.listeners.layers.2.bias"} <= names


def test_temperature_and_warm_up():
    system = LatentProperties(span=100, soft=10)
    for time, heat, hard in ((0, 3.0, False), (10, 2.8, True), (50, 2.0, True), (500, 1.0, True)):
        way = system.way(jnp.int32(time))
        assert float(way.temperature) == pytest.approx(heat, abs=1e-5) and bool(way.hard) is hard


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"agents": 8, "positions": 8}, "must be at most 32, got 64"),
        ({"seen": 9}, "'seen' must be"),
        ({"resets": "sometimes"}, "'resets' must be one of"),
        ({"views": "all"}, "'views' must be one of"),
        ({"little": 1.5}, "'little' must be"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong, word):
    with pytest.raises(el.UserError, match=word):
        LatentProperties(**wrong)


def test_every_condition_fits_every_size_that_lists_it():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})
    quick = {n: study.system(**{**study.sizes["quick"].set, **study.conditions[n].set}) for n in QUICK}
    assert quick["wide"].agents * quick["wide"].positions == quick["four"].agents * quick["four"].positions
