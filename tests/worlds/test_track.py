"""The track: jumps are as high as energy allows, bodies stay out of stumps, and what is too high is never passed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.worlds.track import BEND, BRAKE, RUN, Track, TrackLevel

KEY = jax.random.key(0)
STEPS = 120


@pytest.fixture(scope="module")
def play():
    """A compiled run: speed of take-off, height, spacing and actions -> states and rewards, before and after."""

    def run(jump, height, spacing, actions):
        track = Track(jump=jump)
        state = track.reset(TrackLevel(height, spacing), KEY)

        def one(state, action):
            after, reward, done, cut = track.step(state, action, KEY)
            return after, (after, reward, done | cut, track.ground(after.level, after.place[0]), track.see(after))

        return jax.lax.scan(one, state, actions)[1]

    return jax.jit(run)


def always(action, steps=STEPS):
    return jnp.full(steps, action, jnp.int32)


def climbing(steps=STEPS):
    """Legs are bent all the way and stretched, over and over: run on in the air, jump as high as can be."""
    return jnp.where(jnp.arange(steps) % 24 < 6, BEND, RUN).astype(jnp.int32)


def test_flat_ground_is_passed_by_running(play):
    states, reward, done, _, _ = play(6.0, 0.0, 3.0, always(RUN))
    assert float(states.place[-1, 0]) == 30.0 and int(states.bumped[-1]) == 0
    end = int(np.argmax(np.asarray(done)))
    assert float(reward[: end + 1].sum()) == pytest.approx(1.0, abs=1e-5)
    # Speed grows by 1.2 m/s a step up to 4 m/s: 0.12, 0.24, 0.36 m, then 0.4 m a step.
    assert end + 1 == 3 + int(np.ceil((30 - 0.72) / 0.4))
    assert (states.place[:, 1] == 0).all()


@pytest.mark.parametrize("jump", [2.0, 15**0.5, 6.0, 60**0.5])
def test_a_jump_is_as_high_as_its_energy(play, jump):
    actions = jnp.concatenate([always(BEND, 6), always(RUN, 30)])
    states, *_ = play(jump, 0.0, 3.0, actions)
    highest = float(states.place[:, 1].max())
    reach = jump**2 / 20
    # Seen every tenth of a second, the top may be missed by half a step: g (0.05 s)^2 / 2.
    assert reach - 0.0125 - 1e-4 <= highest <= reach + 1e-5
    assert float(Track(jump=jump).reach) == pytest.approx(reach)
    flying = np.asarray(states.place[:, 1]) > 0
    energy = np.asarray(states.speed[:, 1]) ** 2 / 2 + 10 * np.asarray(states.place[:, 1])
    np.testing.assert_allclose(energy[flying], jump**2 / 2, rtol=1e-4)
    assert np.asarray(states.place)[-1, 1] == 0, "what goes up comes down"


def test_legs_bent_for_less_time_jump_less_high(play):
    top = []
    for bent in (1, 3, 5):
        states, *_ = play(6.0, 0.0, 3.0, jnp.concatenate([always(BEND, bent), always(BRAKE, 30)]))
        top.append(float(states.place[:, 1].max()))
    np.testing.assert_allclose(top, [1.8 * (b / 5) ** 2 for b in (1, 3, 5)], atol=0.0126)


def test_stumps_can_be_climbed_up_to_the_reach_and_no_higher(play):
    low, *_ = play(6.0, 1.7, 3.0, climbing())
    high, *_ = play(6.0, 1.85, 3.0, climbing())
    assert float(low.place[-1, 0]) > 5.0 and float(low.place[:, 1].max()) >= 1.7
    assert float(high.place[-1, 0]) < 4.0 and int(high.bumped[-1]) > 0
    assert float(low.place[-1, 0]) > float(high.place[-1, 0])


def test_who_runs_into_a_stump_stops_there(play):
    states, reward, *_ = play(6.0, 0.5, 3.0, always(RUN))
    assert float(states.place[-1, 0]) == pytest.approx(3.999)
    assert float(reward.sum()) == pytest.approx(float(states.place[-1, 0]) / 30, abs=1e-5)
    assert int(states.bumped[-1]) > 50 and float(states.place[:, 1].max()) == 0.0


@settings(max_examples=60, deadline=None)
@given(
    jump=st.floats(1.0, 8.0), height=st.floats(0.0, 9.0), spacing=st.floats(0.0, 6.0), seed=st.integers(0, 2**31 - 1)
)
def test_laws_that_hold_whatever_is_done(play, jump, height, spacing, seed):
    actions = jax.random.randint(jax.random.key(seed), (STEPS,), 0, 3)
    states, reward, done, ground, seen = map(np.asarray, _flat(play(jump, height, spacing, actions)))
    x, y = states[:, 0], states[:, 1]
    assert (y >= ground).all(), "nobody is within a stump"
    assert (np.diff(x, prepend=0.0) >= 0).all() and (np.diff(x, prepend=0.0) <= 0.4 + 1e-5).all()
    assert y.max() <= height + jump**2 / 20 + 1e-4, "a jump off a stump adds no more than the reach"
    if height > jump**2 / 20 + 1e-4:
        assert x.max() < 4.0 + 1e-5 and y.max() <= jump**2 / 20 + 1e-4, "what is too high is never passed"
    np.testing.assert_allclose(reward.sum(), x[-1] / 30, atol=1e-5)
    assert done[-1] and np.isfinite(seen).all() and (np.abs(seen) <= 6).all()


def _flat(played):
    states, reward, done, ground, seen = played
    return states.place, reward, done, ground, seen


def test_what_it_sees():
    track = Track()
    state = track.reset(TrackLevel(1.5, 2.0), KEY)
    start = np.asarray(track.see(state))
    # At rest 4 m before the first stump, whose top is 1.5 m above the feet; all of the way and the time are left.
    np.testing.assert_allclose(start, [0, 0, 0, 0, 1, 4 / 3, 0, 1, 1, 1], atol=1e-6)
    assert start.shape == (track.numbers,)
    above = state._replace(place=jnp.array([4.25, 2.0]), time=jnp.int32(60))
    # Over the first stump: 0.75 m to its end, 3.75 m to the face of the next, 0.5 m above it.
    np.testing.assert_allclose(
        np.asarray(track.see(above)), [0, 0, 0.25, 0, 0, 3.75 / 3, 0.75, -0.5 / 1.5, 25.75 / 15 - 1, 0], atol=1e-5
    )


def test_levels_are_drawn_from_the_whole_range():
    levels = jax.vmap(Track().level)(jax.random.split(KEY, 500))
    assert float(levels.height.min()) < 0.1 and 2.9 < float(levels.height.max()) <= 3.0
    assert float(levels.spacing.min()) < 0.2 and 5.8 < float(levels.spacing.max()) <= 6.0


def test_wrong_numbers_are_named():
    with pytest.raises(UserError, match="limit must be a whole number >= 1, got 0"):
        Track(limit=0)
    with pytest.raises(UserError, match="tick must be a number > 0"):
        Track(tick=0.0)
