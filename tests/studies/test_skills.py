"""Skills: pay and constraint by hand and with a known optimum, measures on drawn cases, the study at its tiny size."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab import catalogue
from emergelab.intervention import edit
from emergelab.rl import skill_maps as geometry
from emergelab.studies.learners.skills import study
from emergelab.studies.learners.skills._conditions import CONDITIONS, QUICK
from emergelab.studies.learners.skills._distances import by_steps, by_straight_line, steps_in_maze
from emergelab.studies.learners.skills._measures import covered, noise_share, novelty, opposed, recognised
from emergelab.studies.learners.skills._system import MAZE, SKILLS, Skills
from emergelab.worlds.plane import walled

KEY = jax.random.key(0)
TEMPORAL, EUCLID, FREE, POSITION = range(4)


@pytest.fixture(scope="module")
def told():
    """Steps of 0.1 along a skill, from places at random; the map's inputs are two numbers."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 256)
    skill = np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32)
    seen = rng.uniform(-1, 1, (256, 2)).astype(np.float32)
    return geometry.Told(*(jnp.asarray(x) for x in (seen, seen + 0.1 * skill, skill)), jnp.full(256, 0.01))


@pytest.fixture(scope="module")
def phi():
    return jax.jit(lambda key: eqx.filter(geometry.new(key, 2, 2, (16, 16), 30.0), eqx.is_array))(KEY)


def by_hand(phi, x):
    x = np.asarray(x, np.float64)
    *hidden, last = phi.body.layers
    for layer in hidden:
        x = np.maximum(x @ np.asarray(layer.weight).T + np.asarray(layer.bias), 0)
    return x @ np.asarray(last.weight).T + np.asarray(last.bias)


def whole(arrays):
    """The geometry with what is no array put back."""
    rest = eqx.filter(geometry.new(KEY, 2, 2, (16, 16), 30.0), eqx.is_array, inverse=True)
    return eqx.combine(arrays, rest)


def test_what_is_paid_by_hand(told, phi):
    found = whole(phi)
    before, after = (by_hand(found.phi, x) for x in (told.seen, told.after))
    skill = np.asarray(told.skill)
    along = ((after - before) * skill).sum(-1)
    paid = jax.jit(geometry.paid)
    for method, expected in ((TEMPORAL, along), (FREE, along), (POSITION, -0.5 * ((after - skill) ** 2).sum(-1))):
        np.testing.assert_allclose(paid(found.phi, told, jnp.int32(method)), expected, rtol=1e-4, atol=1e-5)


def test_slack_by_hand():
    step, moved = jnp.array([[1.0, 1.0], [3.0, 0.0]]), jnp.array([2.0, 0.25])
    assert geometry.slack(step, moved, jnp.int32(TEMPORAL)).tolist() == [0.0, -3.5]
    assert geometry.slack(step, moved, jnp.int32(EUCLID)).tolist() == [1.0, -4.25]


@pytest.fixture(scope="module")
def learnt(told, phi):
    """What a map, its price and its slack are after some gradient steps, compiled once for all methods."""
    rest = eqx.filter(geometry.new(KEY, 2, 2, (16, 16), 30.0), eqx.is_array, inverse=True)

    @jax.jit
    def run(arrays, method, steps):
        settings = geometry.Settings(method, 3e-3, 3e-3, 1e-3)

        def one(_, carry):
            found, left = geometry.learn(eqx.combine(carry[0], rest), told, settings)
            return eqx.filter(found, eqx.is_array), left

        return jax.lax.fori_loop(0, steps, one, (arrays, jnp.float32(0)))

    def call(method, steps):
        arrays, left = run(phi, jnp.int32(method), jnp.int32(steps))
        return eqx.combine(arrays, rest), float(left)

    return call


def test_the_best_map_under_the_constraint_is_known(told, learnt):
    """The mean square of a step over two numbers is at most 1, so the best that can be paid is the square root of 2."""
    found, left = learnt(TEMPORAL, 3000)
    paid = geometry.paid(found.phi, told, jnp.int32(TEMPORAL))
    assert float(jnp.mean(paid)) == pytest.approx(np.sqrt(2), rel=0.08)
    assert left == pytest.approx(0.0, abs=0.1)


def test_the_price_moves_with_the_slack_and_only_where_there_is_a_constraint(learnt):
    # A map that has not learnt makes short steps: there is slack, and the price falls by the first step of Adam.
    assert learnt(TEMPORAL, 1)[1] == pytest.approx(1e-3)
    assert float(learnt(TEMPORAL, 1)[0].log_price) == pytest.approx(np.log(30) - 3e-3, abs=1e-5)
    for method in (FREE, POSITION):
        assert float(learnt(method, 20)[0].log_price) == pytest.approx(np.log(30), abs=1e-6)


def test_a_map_that_is_frozen_does_not_learn(told, phi):
    """The first hidden layer's update is taken away: that layer stays, the others learn."""
    rest = eqx.filter(geometry.new(KEY, 2, 2, (16, 16), 30.0), eqx.is_array, inverse=True)
    settings = geometry.Settings(jnp.int32(TEMPORAL), 3e-3, 3e-3, 1e-3)

    @jax.jit
    def once(arrays):
        with edit(el.Ablate("update.phi.body.layers.0.*")):
            found, _ = geometry.learn(eqx.combine(arrays, rest), told, settings)
        return eqx.filter(found, eqx.is_array)

    after = once(phi)
    same = [bool((a.weight == b.weight).all()) for a, b in zip(after.phi.body.layers, phi.phi.body.layers, strict=True)]
    assert same == [True, False, False]


def test_measures_on_drawn_cases():
    line = jnp.stack([jnp.linspace(0.0, 2.9, 30), jnp.zeros(30)], -1)
    assert float(covered(jnp.stack([line, -line - 0.01]), jnp.zeros(2))) == 6.0
    assert float(covered(jnp.stack([line, line]), jnp.zeros(2))) == 3.0
    assert float(covered(line[None] + 7.0, jnp.full(2, 7.0))) == 3.0
    skills = geometry.circle(8)
    np.testing.assert_allclose(recognised(skills, 3 * skills), np.cos(np.pi / 4), rtol=1e-5)
    mixed = jnp.array([0, 4, 1, 5, 2, 6, 3, 7])  # neighbours end where opposite skills do
    assert abs(float(recognised(skills, jnp.concatenate([3 * skills[mixed], skills[mixed]], -1)))) < 0.8
    np.testing.assert_allclose(opposed(5 * skills), -1.0, rtol=1e-5)
    np.testing.assert_allclose(opposed(jnp.ones((8, 2))), 1.0, rtol=1e-5)
    assert float(opposed(jnp.zeros((8, 2)))) == 0.0
    rng = np.random.default_rng(0)
    place, one, other = (jnp.asarray(rng.normal(size=(4000, 2)), jnp.float32) for _ in range(3))
    assert float(noise_share(place, place)) == 0.0
    assert float(noise_share(place + one, place + other)) == pytest.approx(0.5, abs=0.03)
    assert float(noise_share(one, other)) == pytest.approx(1.0, abs=0.05)


def test_novelty_is_the_distance_to_the_nearest():
    seen = np.random.default_rng(0).normal(size=(30, 3))
    apart = np.sort(np.linalg.norm(seen[:, None] - seen[None], axis=-1), -1)[:, 1:]
    for nearest, used in ((1, 1), (12, 12), (99, 29)):
        found = novelty(jnp.asarray(seen, jnp.float32), nearest)
        np.testing.assert_allclose(found, np.log1p(apart[:, :used].mean(-1)), rtol=1e-4, atol=1e-4)


def drawn(places, latent):
    """A run's record with one seed, one time."""
    return xr.Dataset(
        {
            "places": (("seed", "time", "skill", "moment", "axis"), places[None, None]),
            "latent": (("seed", "time", "skill", "moment", "coordinate"), latent[None, None]),
        },
        coords={"seed": [0], "time": [0]},
    )


def test_latent_distances_against_steps():
    rng = np.random.default_rng(0)
    way = np.cumsum(rng.uniform(-1, 1, (48, 5, 2)), 1)
    way -= way[:, :1]
    assert float(by_steps(drawn(way, way))[0]) > 0.95
    assert abs(float(by_steps(drawn(way, rng.normal(size=way.shape)))[0])) < 0.3
    # Two rooms: a map that unrolls the way around the wall knows steps better than one that knows places.
    start = np.asarray(MAZE.start, float)
    ends = np.array([[1.5, 1.5], [4.5, 3.5], [4.5, 9.5], [7.5, 9.5], [7.5, 3.5], [10.5, 1.5]])
    way = np.stack([np.broadcast_to(start, ends.shape), ends], 1)
    along = steps_in_maze(np.array([1.5, 1.5]), way.reshape(-1, 2)).reshape(6, 2)
    unrolled = drawn(way, np.stack([along, np.zeros_like(along)], -1))
    assert float(by_steps(unrolled)[0]) > float(by_straight_line(unrolled)[0]) + 0.1
    assert along[4, 1] > 13 and abs(ends[4, 0] - 1.5) == 6  # far around the wall, near across it


def test_bad_parameters_are_refused():
    with pytest.raises(el.UserError, match="'memory' must be at least episodes \\* length = 800, got 10"):
        Skills(memory=10)
    with pytest.raises(el.UserError, match="'moments' must divide length=100, got 7"):
        Skills(moments=7)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return study.run("tiny", out=tmp_path_factory.mktemp("skills") / "run", progress=False)


def test_tiny(run):
    d = run.data
    assert d["places"].sizes["skill"] == SKILLS and d["places"].sizes["moment"] == 11
    assert np.isfinite(d["latent"]).all()
    begun = d["places"].isel(moment=0)
    assert (begun.sel(condition="metra") == 0).all()
    np.testing.assert_allclose(begun.sel(condition="maze").values.reshape(-1, 2), np.tile(MAZE.start, (288, 1)))
    assert (np.abs(d["places"].sel(condition="metra")) <= 20 * 0.15 + 1e-5).all()
    inside = walled(MAZE, jnp.asarray(d["places"].sel(condition="maze").values.reshape(-1, 2)))
    assert not np.asarray(inside).any()
    # Conditions share the first weights, and then part.
    first = d["latent"].isel(time=0)
    assert (first.sel(condition="metra") == first.sel(condition="diayn")).all()
    last = d["latent"].isel(time=-1)
    assert (last.sel(condition="metra") != last.sel(condition="diayn")).any()
    np.testing.assert_allclose(d["price"].sel(condition="diayn"), 30.0, rtol=1e-5)
    assert (d["noise_share"] < 1e-6).all()


def test_what_there_is_to_see(run):
    maze = study.view.at(run, "maze", 0, 4)
    assert [type(x).__name__ for x in maze.layers] == ["Lines", "Lines", "Agents"]
    kinds = np.asarray(maze.layers[-1].kind)
    assert (kinds[0], kinds[12], kinds[24], kinds[36]) == (0, 2, 4, 6)  # east, north, west, south
    assert {f.name for f, _ in study.draw(run)} == {"coverage", "latent", "growth"}


def test_a_skill_that_is_clamped_is_the_one_that_is_played(run):
    system = Skills(episodes=2, length=20, moments=10, updates=2, batch=8, memory=100, width=8)
    one = np.tile(np.float32([0.6, 0.8]), (4, 1))

    @jax.jit
    def played(key):
        actor = system.init(key).agent.nets.actor
        skill = geometry.circle(4)
        free = system.play(actor, skill, key, greedy=True)[0]
        with edit(el.Clamp("skill", one)):
            return free, system.play(actor, skill, key, greedy=True)[0]

    free, held = played(KEY)
    assert (held.skill == one).all() and (held.action == held.action[:, :1]).all()
    assert (free.action[:, 0] != free.action[:, 1]).any()


TINY = {"episodes": 2, "length": 20, "moments": 10, "updates": 2, "batch": 8, "memory": 100, "width": 8}
EAST = np.float32([1, 0])


@pytest.fixture(scope="module")
def treated(tmp_path_factory):
    """All interventions in one program, of which each condition lets one act."""
    turned = np.roll(np.asarray(geometry.circle(SKILLS)), -12, 0)
    done = {
        "one": (el.Clamp, ("test.skill", np.tile(EAST, (SKILLS, 1)))), "turned": (el.Clamp, ("test.skill", turned)),
        "blind": (el.Clamp, ("play.skill", np.tile(EAST, (2, 1)))), "frozen": (el.Ablate, ("map.update.phi.*",)),
        "unpaid": (el.Scale, ("pay.paid", 0.0)), "numb": (el.Ablate, ("play.action",)),
    }  # fmt: skip
    conditions = {
        which: el.Condition(
            interventions=tuple(
                kind(*args, during=(2 if name == which else 9999, None)) for name, (kind, args) in done.items()
            )
        )
        for which in ("none", *done)
    }
    return el.run(
        Skills(**TINY), steps=4, every=1, seeds=2, conditions=conditions, keep=[0, 1, 2, 3, 4], progress=False,
        workers=1, out=tmp_path_factory.mktemp("skills") / "run",
    )  # fmt: skip


def _state(run, condition, time, under):
    """What the state holds under a name, as one mapping of arrays."""
    found = run.state(time, condition)
    return {name: found[name].values for name in found if str(name).startswith(under)}


def _alike(a, b):
    return [np.array_equal(a[name], b[name]) for name in a]


def _seen(run, condition, name):
    return run.data[name].sel(condition=condition).transpose("seed", "time", ...).values


def test_nothing_differs_before_it_is_done(treated):
    for condition in treated.data.condition.values[1:]:
        for time in (0, 1, 2):
            assert all(_alike(*(_state(treated, c, time, "") for c in (str(condition), "none"))))


def test_a_clamped_skill_is_played_by_all_and_learning_is_not_touched(treated):
    free, one, turned = (_seen(treated, c, "places") for c in ("none", "one", "turned"))
    np.testing.assert_allclose(one[:, 3:], np.broadcast_to(free[:, 3:, :1], one[:, 3:].shape), atol=1e-5)
    assert (np.abs(free[:, 3:] - free[:, 3:, :1]) > 1e-4).any()
    # A quarter of a turn further each skill leads where the one beside it led.
    np.testing.assert_allclose(turned[:, 3:], np.roll(free[:, 3:], -12, 2), atol=1e-5)
    for condition in ("one", "turned"):
        assert all(_alike(_state(treated, condition, 4, ""), _state(treated, "none", 4, "")))


def test_skills_that_are_clamped_in_play_are_what_is_remembered(treated):
    rows = [_state(treated, c, 4, "replay.kept.skill") for c in ("blind", "none")]
    (blind,), (free,) = (list(x.values()) for x in rows)
    # Two rounds of forty rows came before.
    assert (blind[:, 80:] == EAST).all() and not (free[:, 80:] == EAST).all(-1).any()


def test_a_frozen_map_stays_and_the_policy_goes_on_learning(treated):
    before, after = (_state(treated, "frozen", t, "geometry.phi") for t in (2, 4))
    assert before and all(_alike(before, after))
    assert not all(_alike(before, _state(treated, "none", 4, "geometry.phi")))
    actors = [_state(treated, "frozen", t, "agent.nets.actor") for t in (2, 4)]
    assert not all(_alike(*actors))


def test_who_is_not_paid_learns_from_its_critics_only(treated):
    """Taking the pay away changes critics, and leaves the map as it would be."""
    assert all(_alike(*(_state(treated, c, 3, "geometry.log_price") for c in ("unpaid", "none"))))
    assert not all(_alike(*(_state(treated, c, 3, "agent.nets.critics") for c in ("unpaid", "none"))))


def test_who_does_nothing_remembers_that_nothing_came_of_it(treated):
    found = _state(treated, "numb", 3, "replay.kept.")
    action, seen, after = (found[f"replay.kept.{k}"][:, 80:] for k in ("action", "seen", "after"))
    assert (action == 0).all() and (seen == after).all()


def test_learners_without_skills(tmp_path):
    """A policy that never learns stays what it was; who seeks novelty is paid alike for all skills."""
    # Whoever does not learn may be paid for anything: so both share a program.
    chosen = {"novelty": CONDITIONS["novelty"], "random": {**CONDITIONS["novelty"].set, **CONDITIONS["random"].set}}
    run = el.run(
        Skills(**TINY), steps=2, every=1, seeds=2, conditions=chosen, keep=[0, 2], progress=False, workers=1,
        out=tmp_path / "run",
    )  # fmt: skip
    first, last = (_state(run, "random", t, "agent.nets") for t in (0, 2))
    assert all(_alike(first, last))
    first, last = (_state(run, "novelty", t, "agent.nets") for t in (0, 2))
    assert not all(_alike(first, last))
    # Played with chance, no two skills lead the same way even before anything is learnt.
    ways = _seen(run, "random", "places")
    assert (np.abs(ways[:, :, 1:] - ways[:, :, :1]).max((-1, -2)) > 1e-3).all()
    assert set(QUICK).isdisjoint({"random", "novelty", "frozen"})


def test_the_study_is_in_the_catalogue():
    assert catalogue.find("skills") is study
