"""Skills under several critics: pushes, rewards and measures by hand, soft actor-critic as a special case, units."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab import catalogue
from emergelab.intervention import edit
from emergelab.rl import multi_critic, sac, skill_maps
from emergelab.studies.learners.skills_critics import study
from emergelab.studies.learners.skills_critics._measures import entered, recognised, settled
from emergelab.studies.learners.skills_critics._rewards import closeness, danger, unsafe
from emergelab.studies.learners.skills_critics._system import LEGS, SKILLS, SkillsCritics, Transition
from emergelab.worlds.plane import Table, TableLevel

KEY = jax.random.key(0)
ADVANTAGE, VALUE, NONE = range(3)


# -- the table ---------------------------------------------------------------------------------------------------------


def test_pushes_by_hand():
    """A disc of which the tip comes nearer than 0.05 is put 0.05 away, straight on: (x, y) of tip, discs, action."""
    table = Table()
    cases = (
        # The tip comes to 0.03; a disc 0.04 ahead is put 0.05 ahead. The other is far.
        ([0.0, 0.0], [[0.07, 0.0], [-0.3, 0.2]], [1.0, 0.0], [[0.08, 0.0], [-0.3, 0.2]]),
        # Off its middle: the disc lies (0.024, 0.032) from the tip, 0.04 away, and is put at (0.03, 0.04) from it.
        ([0.0, 0.0], [[0.024, 0.062], [-0.3, 0.2]], [0.0, 1.0], [[0.03, 0.07], [-0.3, 0.2]]),
        # Just out of touch: nothing moves.
        ([0.0, 0.0], [[0.081, 0.0], [-0.3, 0.2]], [1.0, 0.0], [[0.081, 0.0], [-0.3, 0.2]]),
        # Both at once, to either side.
        ([0.0, -0.03], [[0.02, 0.0], [-0.02, 0.0]], [0.0, 1.0], [[0.05, 0.0], [-0.05, 0.0]]),
        # Against the edge: the disc stops there.
        ([0.44, 0.0], [[0.49, 0.0], [-0.3, 0.2]], [1.0, 0.0], [[0.5, 0.0], [-0.3, 0.2]]),
    )
    tips, discs, actions, expected = (jnp.asarray(x) for x in zip(*cases, strict=True))

    @jax.jit
    @jax.vmap
    def pushed(tip, discs, action):
        return table.step(table.reset(TableLevel(tip, discs), KEY), action, KEY).state.discs

    np.testing.assert_allclose(pushed(tips, discs, actions), expected, atol=1e-6)


def test_rewards_by_hand():
    """A gap of 0.1; contact; tip 0.05 deep in a border of 0.1, a disc at the very edge, the other just outside."""
    tip = np.float32([[0.1, 0.0], [0.0, 0.0], [0.0, -0.45]])
    discs = np.float32([[[0.25, 0.0], [-0.2, 0.3]], [[0.03, 0.04], [0.0, 0.3]], [[0.5, 0.45], [0.4, 0.39]]])
    found = jax.jit(lambda t, d: (closeness(t, d, 0.05), danger(t, d, 0.4), unsafe(t, d, 0.4)))
    near, deep, wrong = found(jnp.asarray(tip), jnp.asarray(discs))
    np.testing.assert_allclose(near[:2], [np.exp(-1.0), 1.0], atol=1e-5)
    np.testing.assert_allclose(deep, [0.0, 0.0, 0.5 + 1.0], atol=1e-5)
    assert np.asarray(wrong).tolist() == [False, False, True]


def test_measures_on_drawn_cases():
    skills = skill_maps.circle(8)
    mixed = jnp.array([0, 4, 1, 5, 2, 6, 3, 7])
    ends = jnp.stack([
        jnp.pad(skills, ((0, 0), (0, 2))),  # far apart: guessed are the two nearest, an eighth of a turn to either side
        jnp.zeros((8, 4)),  # all alike: the mean of the seven others, which points the other way by a seventh
        jnp.repeat(jnp.eye(4), 2, 0)[jnp.argsort(mixed)],  # opposite skills end together: each is taken for the other
    ])  # fmt: skip
    told = jax.jit(jax.vmap(recognised, (None, 0)))(skills, ends)
    np.testing.assert_allclose(told, [np.cos(np.pi / 4), -1 / 7, -1.0], atol=1e-4)
    start = np.float32([[-0.2, 0.0], [0.2, 0.0]])
    still, pushed = np.tile(start, (3, 5, 1, 1)), np.tile(start, (3, 5, 1, 1))
    pushed[0, :, 0, 1] = [0.05, 0.15, 0.25, 0.25, 0.15]
    count = jax.jit(entered)
    # The first disc's own cell and two above it, and the second disc's.
    assert (float(count(jnp.asarray(still))), float(count(jnp.asarray(pushed)))) == (2.0, 4.0)
    ends = np.tile(start, (3, 1, 1))
    ends[0, 0], ends[1, 1] = [-0.2, 0.25], [0.45, 0.0]
    safely = jax.jit(settled)
    for safe, cells in (([True, True, True], 2.0), ([True, False, True], 1.0)):
        assert float(safely(jnp.asarray(ends), jnp.asarray(start), jnp.asarray(safe))) == cells


# -- several critics ---------------------------------------------------------------------------------------------------


def test_what_critics_say_is_normalised():
    rng = np.random.default_rng(0)
    value, other = (np.float32(rng.normal(size=(3, 200)) * [[1], [40], [0.01]] + [[0], [9], [-3]]) for _ in range(2))
    each = jax.jit(multi_critic.normalised)
    for how, said in ((ADVANTAGE, value - other), (VALUE, value)):
        gain, scale = each(jnp.asarray(value), jnp.asarray(other), jnp.int32(how))
        np.testing.assert_allclose(np.mean(gain, -1), 0.0, atol=1e-3)
        np.testing.assert_allclose(np.std(gain, -1), 1.0, rtol=1e-3)
        np.testing.assert_allclose(scale, said.std(-1), rtol=1e-3)
    gain, scale = each(jnp.asarray(value), jnp.asarray(other), jnp.int32(NONE))
    assert (np.asarray(gain) == value).all() and (np.asarray(scale) == 1).all()
    # A critic to whom all actions are alike has nothing to say, and does not divide by nothing.
    assert (np.asarray(each(jnp.ones((1, 9)), jnp.ones((1, 9)), jnp.int32(ADVANTAGE))[0]) == 0).all()


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(1)
    rows = [jnp.asarray(rng.normal(size=(16, n)), jnp.float32) for n in (4, 2, 4, 3)]
    over = jnp.asarray(rng.integers(0, 2, 16), jnp.float32)
    return multi_critic.Batch(rows[0], jnp.tanh(rows[1]), rows[3].T, rows[2], over)


LEARNING = sac.Settings(rate=0.01, discount=0.9, follow=0.1, entropy=-1.0)


@pytest.fixture(scope="module")
def before():
    """An agent with three critics; its weights are NumPy's, which spares compiling how they begin."""
    rng = np.random.default_rng(2)
    shapes = jax.eval_shape(lambda: multi_critic.agent(KEY, 4, 2, 3, widths=(8,), alpha=0.5))
    weights = jax.tree.map(lambda x: np.float32(0.5 * rng.normal(size=x.shape)), shapes.nets)
    memory = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes.memory)
    agent = sac.Agent(weights, weights.critics, memory)
    return jax.tree.map(jnp.asarray, agent)


@pytest.fixture(scope="module")
def climbed(batch, before):
    """A step under three critics, compiled once; `loud` multiplies all that the second critic says."""

    @jax.jit
    def run(agent, weights, normaliser, loud, backup):
        last = lambda a: (a.nets.critics.body.layers[-1].weight, a.nets.critics.body.layers[-1].bias)  # noqa: E731
        agent = eqx.tree_at(last, agent, tuple(x.at[1].multiply(loud) for x in last(agent)))
        settings = multi_critic.Settings(LEARNING, weights, normaliser, backup, 1 + 6 * (1 - backup))
        improve = el.tap(multi_critic.improve, "grad.actor.*", "target")
        (after, report), sites = improve(agent, batch, settings, KEY)
        target = sites.pop("target")
        return jnp.concatenate([v.ravel() for _, v in sorted(sites.items())]), report.scale, target, after

    def call(weights, normaliser, loud=1.0, backup=0.0):
        given = jnp.asarray(weights, jnp.float32), jnp.int32(normaliser), jnp.float32(loud), jnp.float32(backup)
        return run(before, *given)

    return call


def test_a_critic_alone_is_soft_actor_critic(climbed, before, batch):
    """Where one critic is listened to, with weight 1 and as it is, it and the policy learn as in `sac`."""

    def alone(agent):
        where = lambda a: (a.nets.critics, a.slow, a.memory.mu.critics, a.memory.nu.critics)  # noqa: E731
        return eqx.tree_at(where, agent, jax.tree.map(lambda x: x[0], where(agent)))

    rows = sac.Batch(batch.seen, batch.action, batch.rewards[0], batch.after, batch.over)
    plain, _ = jax.jit(lambda agent: sac.improve(agent, rows, LEARNING, KEY))(alone(before))
    several = alone(climbed([1, 0, 0], NONE, backup=1.0)[-1])
    for a, b in zip(jax.tree.leaves(several), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_the_policy_climbs_the_weighted_sum(climbed, before, batch):
    chance, _, target, after = climbed([0, 0, 0], NONE)
    each = [climbed(w, NONE)[0] - chance for w in np.eye(3)]
    assert all(np.abs(e).max() > 1e-3 for e in each)
    np.testing.assert_allclose(climbed([1, 2, 0.5], NONE)[0] - chance, each[0] + 2 * each[1] + 0.5 * each[2], atol=1e-5)
    # What ends is worth its reward; without entropy in the targets, the temperature learns seven times as fast here.
    over = np.asarray(batch.over) == 1
    np.testing.assert_allclose(np.asarray(target)[:, over], np.asarray(batch.rewards)[:, over], rtol=1e-6)
    assert abs(float(after.nets.log_alpha - before.nets.log_alpha)) == pytest.approx(7 * 0.01, rel=1e-3)


def test_normalised_critics_know_no_units(climbed):
    """A reward counted in another unit leaves the policy's gradient as it is; without normalisation it does not."""
    for how in (ADVANTAGE, VALUE):
        (plain, scale, *_), (loud, other, *_) = climbed([1, 1, 1], how), climbed([1, 1, 1], how, loud=50.0)
        np.testing.assert_allclose(loud, plain, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(other, scale * np.array([1, 50, 1]), rtol=1e-3)
    assert np.abs(climbed([1, 1, 1], NONE, loud=50.0)[0] - climbed([1, 1, 1], NONE)[0]).max() > 0.01


# -- the system --------------------------------------------------------------------------------------------------------


def test_who_learns_what():
    """Rows of the grouping are critics, columns rewards."""
    apart = SkillsCritics(reach=2.0, merging="yes", merge=5)
    grouping, weights, normaliser = apart.grouping(jnp.int32(4))
    assert (np.asarray(grouping) == np.eye(3)).all() and np.asarray(weights).tolist() == [1, 2, 1]
    assert int(normaliser) == ADVANTAGE
    grouping, weights, normaliser = apart.grouping(jnp.int32(5))
    assert np.asarray(grouping).tolist() == [[1, 2, 1], [0, 0, 0], [0, 0, 0]]
    assert np.asarray(weights).tolist() == [1, 0, 0] and int(normaliser) == NONE
    grouping, weights, _ = SkillsCritics(critics=1, reach=0.0, safety=0.5).grouping(jnp.int32(0))
    assert np.asarray(grouping).tolist() == [[1, 0, 0.5]] and np.asarray(weights).tolist() == [1]


def test_what_is_paid():
    """Networks see places twice as large; the map that sees discs only is not paid for the tip's ways."""
    seen = jnp.array([[0.0, -0.6, -0.4, 0.0, 0.4, 0.0]])
    after = jnp.array([[0.9, 0.0, -0.4, 0.0, 0.7, 0.0]])
    t = Transition(seen, jnp.zeros((1, 2)), after, jnp.array([[1.0, 0.0]]))
    sights = ("all", "discs")

    @jax.jit
    def paid(key):
        phi = skill_maps.Phi(key, 6, 2, ())  # linear
        each = [SkillsCritics(unit=3.0, sees=sees, contact=0.05).rewards(phi, t)[:, 0] for sees in sights]
        return phi.body.layers[0].weight[0], each

    weight, each = paid(KEY)
    for found, along in zip(each, ([0.9, 0.6, 0, 0, 0.3, 0], [0, 0, 0, 0, 0.3, 0]), strict=True):
        np.testing.assert_allclose(found, [np.asarray(weight) @ along, 3 * np.exp(-0.5), -0.5], rtol=1e-4)


def test_bad_parameters_are_refused():
    for wrong, message in (
        ({"critics": 2}, "'critics' must be 1 or 3, got 2"),
        ({"memory": 10}, "'memory' must be at least episodes \\* length = 320, got 10"),
        ({"length": 41, "moments": 1}, "'length' must be even, for sequences of two skills, got 41"),
        ({"moments": 7}, "'moments' must divide length=40, got 7"),
    ):
        with pytest.raises(el.UserError, match=message):
            SkillsCritics(**wrong)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two of the tiny size's three conditions, which are one program."""
    out = tmp_path_factory.mktemp("skills_critics") / "run"
    return study.run("tiny", out=out, conditions=["critics-tenth", "merged-tenth"], progress=False)


def test_tiny(run):
    d = run.data
    assert d["tips"].sizes["skill"] == SKILLS == LEGS**2 and d["tips"].sizes["moment"] == 4
    begun = d.isel(moment=0)
    assert (begun["tips"].isel(axis=0) == 0).all() and np.allclose(begun["tips"].isel(axis=1), -0.3)
    assert (np.abs(d["tips"]) <= 0.5).all() and (np.abs(d["discs"]) <= 0.5).all()
    least = np.minimum(np.clip(d["told"], 0, 1), np.minimum(d["near"], d["safe"]))
    np.testing.assert_allclose(d["worst"], least, atol=1e-6)
    assert (d["handled"] <= d["touched"]).all()
    # Until they are merged, merged critics are critics; then they part.
    apart, merged = d.sel(condition="critics-tenth"), d.sel(condition="merged-tenth")
    same = (apart["tips"] == merged["tips"]).all(("seed", "skill", "moment", "axis"))
    assert same.sel(time=[0, 2]).all() and not bool(same.sel(time=4))
    assert (merged["scales"].sel(time=4) == 1).all() and (apart["scales"].sel(time=4) != 1).all()


def test_what_there_is_to_see(run):
    scene = study.view.at(run, "critics-tenth", 0, 4)
    assert [type(x).__name__ for x in scene.layers] == ["Lines", "Lines", "Lines", "Agents"]
    kinds = np.asarray(scene.layers[-1].kind).reshape(SKILLS, 2)
    assert (kinds[:, 0] == kinds[:, 1]).all()
    assert kinds[[0, 16, 32, 48], 0].tolist() == [0, 2, 4, 6]  # east, north, west, south
    assert {f.name for f, _ in study.draw(run)} == {"curves"}


def test_sequences_and_clamped_skills():
    system = SkillsCritics(length=12, moments=3)
    legs = skill_maps.circle(2)
    one = np.tile(np.float32([0.6, 0.8]), (2, 1))

    @jax.jit
    def played(key):
        actor = sac.Actor(key, 8, 2, (4,))
        free = system.play(actor, legs, legs[::-1], key, greedy=True)[0]
        with edit(el.Clamp("skill", one)):
            return free, system.play(actor, legs, legs, key, greedy=True)[0]

    free, held = played(KEY)
    assert (free.skill[:6] == legs).all() and (free.skill[6:] == legs[::-1]).all()
    assert (held.skill == one).all() and (held.action[:, 0] == held.action[:, 1]).all()


def test_the_study_is_in_the_catalogue():
    assert catalogue.find("skills-critics") is study
