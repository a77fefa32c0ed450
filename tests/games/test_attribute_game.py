"""The game of attributes: learnt in every variant, nothing held out is shown, interventions do what they say."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.games.attribute_game import AttributeGame
from emergelab.intervention import edit
from emergelab.nn import messages as ms

SMALL = {
    "values": 4, "positions": 3, "symbols": 8, "hidden": 32, "batch": 32, "holdout": 3, "distractors": 3, "chances": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    game = AttributeGame(**SMALL, rate_speakers=3e-3, rate_listeners=3e-3, cooling=600, listeners=2, lifetime=200)
    conditions = {
        "as-it-is": {},
        "frozen": el.Condition(interventions=(el.Ablate("update.speakers.*"),)),
        "renewed": {"resets": "simultaneous"},
        "staggered": {"resets": "staggered"},
    }
    out = tmp_path_factory.mktemp("game") / "run"
    return el.run(game, steps=600, every=100, seeds=3, conditions=conditions, out=out, progress=False)


def test_agents_come_to_understand_each_other(run):
    last = run.data.sel(condition="as-it-is").isel(time=-1)
    assert float(last.accuracy.mean()) > 0.7 and float(last.distinct.mean()) > 10
    assert float(last.scrambled.mean()) < 0.1, "from another object's message nothing is understood"
    assert float((last.topsim - last.topsim_chance).mean()) > 0.1
    assert last.agreement.isnull().all(), "one speaker has nobody to agree with"


def test_speakers_whose_updates_are_ablated_keep_their_code(run):
    said = run.data.message.sel(condition="frozen")
    assert (said == said.isel(time=0)).all()
    assert (run.data.message.sel(condition="as-it-is").isel(time=-1) != said.isel(time=0)).any()


def test_where_nothing_is_heard_nothing_is_understood():
    game = AttributeGame(**SMALL)
    heard = jax.nn.one_hot(jnp.arange(6).reshape(1, 2, 3), 8)
    listeners = game.born(jax.random.key(0))[1].nets
    with edit(el.Ablate("message")):
        answers = game.understand(listeners, ms.delivered(heard))
    np.testing.assert_array_equal(answers[0, 0, 0], answers[0, 0, 1])
    assert (game.understand(listeners, heard)[0, 0, 0] != answers[0, 0, 0]).any()


def test_after_newborns_came_understanding_is_at_chance_and_conditions_agree_before(run):
    accuracy, loss = run.data.accuracy, run.data.loss
    first = accuracy.sel(time=100)
    assert (first.sel(condition="renewed") == first.sel(condition="as-it-is")).all()
    at_birth = accuracy.sel(condition="renewed", time=200)
    assert float(at_birth.max()) < 0.3 < float(accuracy.sel(condition="as-it-is", time=200).min())
    # one of two listeners was replaced after 100 steps
    assert float(loss.sel(condition="staggered", time=100).mean()) > float(
        loss.sel(condition="as-it-is", time=100).mean()
    )


def test_recurrent_agents_who_point_and_learn_from_rewards_take_a_step_with_finite_gradients():
    variant = {"task": "reference", "estimator": "reinforce", "agents": "recurrent", "ends": "yes", "cost": 0.01}
    game = AttributeGame(**SMALL, **variant, entropy=0.05, speakers=2)
    state = eqx.filter_jit(game.init)(jax.random.key(0))
    after = eqx.filter_jit(game.step)(state, jax.random.key(1))
    moved = jax.tree.map(
        lambda a, b: (jnp.abs(a - b).max(), jnp.isfinite(b).all()), state.speakers.nets, after.speakers.nets
    )
    pairs = jax.tree.leaves(moved, is_leaf=lambda x: isinstance(x, tuple))
    assert all(bool(fine) for _, fine in pairs) and max(float(step) for step, _ in pairs) > 0
    seen = eqx.filter_jit(game.observe)(after, jax.random.key(2))
    assert set(seen) == {o.name for o in game.observables}
    assert 0 <= float(seen["agreement"]) <= 1 and seen["message"].shape == (16, 3)
    assert float(after.baseline.mean) < 0, "rewards are negative losses"


def test_what_is_held_out_is_never_shown():
    game = AttributeGame(**SMALL)
    state = game.init(jax.random.key(3))
    assert int(state.unseen.sum()) == 3
    shown = set()

    class Spy(AttributeGame):
        def loss(self, weights, state, target, key):
            jax.debug.callback(lambda t: shown.update(np.asarray(t).tolist()), target)
            return super().loss(weights, state, target, key)

    spy = Spy(**SMALL)
    step = eqx.filter_jit(spy.step)
    for i in range(12):
        state = step(state, jax.random.key(i))
    jax.effects_barrier()
    assert shown == set(np.flatnonzero(~np.asarray(state.unseen)).tolist())


def test_a_code_of_parts_is_taught_faster_than_a_code_without():
    given = SMALL | {"values": 4, "positions": 2, "symbols": 4, "holdout": 0}
    game = AttributeGame(**given)

    @jax.jit
    def lessons(words, key):
        class Teacher(AttributeGame):
            def code(self, state, key):
                return jax.nn.one_hot(words, 4)[None]

        teacher = Teacher(**given, rate_listeners=3e-3)
        return teacher.taught(teacher.init(key), key, (20, 60), 4)

    objects = game.objects()
    clear = np.asarray(lessons(objects, jax.random.key(1)))
    jumbled = np.asarray(lessons(np.random.default_rng(0).permutation(objects), jax.random.key(1)))
    assert clear[1] >= clear[0] and clear[1] > 0.9
    assert clear.mean() > jumbled.mean() + 0.05


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"holdout": 9}, "parameter 'holdout' must be at most 8 of 16 objects"),
        (
            {"task": "reference", "distractors": 13},
            "parameter 'distractors' must be less than the 13 objects of training",
        ),
        ({"values": 100, "attributes": 3}, "100 values of 3 attributes are 1000000 objects"),
    ],
)
def test_wrong_sizes_are_named(wrong, line):
    with pytest.raises(el.UserError, match=line):
        AttributeGame(**SMALL | wrong)
