"""The study `ease-of-teaching`: who is replaced and when, what newborns keep and learn, what is claimed."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab.games import language as lg
from emergelab.nn import messages as ms
from emergelab.studies.languages.ease_of_teaching import study
from emergelab.studies.languages.ease_of_teaching._claims import above_chance, handed_down
from emergelab.studies.languages.ease_of_teaching._conditions import QUICK
from emergelab.studies.languages.ease_of_teaching._figures import WORDS, shared
from emergelab.studies.languages.ease_of_teaching._system import Generations

SMALL = {"values": 4, "positions": 2, "symbols": 4, "hidden": 8, "batch": 8, "holdout": 3, "chances": 2}


def same(a, b) -> bool:
    """Whether all arrays of two trees are equal."""
    pairs = zip(jax.tree.leaves(eqx.filter(a, eqx.is_array)), jax.tree.leaves(eqx.filter(b, eqx.is_array)), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


# -- generations ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def begin():
    made = jax.jit(lambda system, key: system.init(key))
    return lambda seed=0, **changes: made(Generations(**{**SMALL, **changes}), jax.random.key(seed))


@pytest.fixture(scope="module")
def stepped():
    """One step, from one program for all that is traced."""
    made = jax.jit(lambda system, state, key: system.step(state, key))
    return lambda state, seed=1, **changes: made(Generations(**{**SMALL, **changes}), state, jax.random.key(seed))


def at(state, time: int):
    return eqx.tree_at(lambda s: s.game.time, state, jnp.int32(time))


def gone(steps: int = 4000, **changes) -> tuple[np.ndarray, np.ndarray]:
    """Who is replaced before each step, [step, agent] of speakers and of listeners."""
    system = Generations(**{**SMALL, **changes})
    times = jnp.arange(steps, dtype=jnp.int32)
    key = jax.random.key(3)
    return jax.tree.map(np.asarray, jax.vmap(lambda t: system.gone(t, jax.random.fold_in(key, t)))(times))


def test_listeners_leave_after_their_lifetime_and_nobody_from_some_time_on():
    speakers, listeners = gone(100, resets="simultaneous", lifetime=20, until=61, listeners=3)
    assert not speakers.any()
    assert np.flatnonzero(listeners.all(axis=1)).tolist() == [20, 40, 60]
    assert listeners.any(axis=1).sum() == 3
    speakers, listeners = gone(50, resets="simultaneous", renews="both", lifetime=20)
    assert np.flatnonzero(speakers[:, 0]).tolist() == np.flatnonzero(listeners[:, 0]).tolist() == [20, 40]
    speakers, listeners = gone(50, resets="simultaneous", renews="speakers", lifetime=20)
    assert speakers.any() and not listeners.any()
    assert not np.any(gone(50)[1])


def test_one_after_another_they_live_as_long_as_all_at_once():
    _, listeners = gone(200, resets="staggered", lifetime=40, listeners=4)
    assert listeners.sum(axis=1).max() == 1
    for agent in listeners.T:
        assert set(np.diff(np.flatnonzero(agent))) == {40}


def test_at_random_times_they_are_replaced_as_often_on_average():
    _, listeners = gone(20_000, resets="simultaneous", timing="random", lifetime=50, listeners=2)
    times = np.flatnonzero(listeners[:, 0])
    assert (listeners[:, 0] == listeners[:, 1]).all(), "all of a generation at once"
    assert abs(len(times) - 400) < 5 * 400**0.5
    assert len(set(np.diff(times))) > 20
    assert not np.any(gone(500, timing="random", lifetime=5)[1]), "nobody without resets"


def test_what_newborns_keep(begin, stepped):
    """Nobody learns (rates of 0), so what a network is afterwards is who it is."""
    old = stepped(begin(), rate_speakers=0.0, rate_listeners=0.0)
    still = {"rate_speakers": 0.0, "rate_listeners": 0.0, "resets": "simultaneous", "lifetime": 20}
    before = at(old, 19)
    assert same(stepped(before, **still).game.listeners.nets, old.game.listeners.nets)
    now = at(old, 20)
    count = lambda group: int(group.memory[1].count[0])  # noqa: E731
    assert count(old.game.listeners) == 1
    new = stepped(now, **still)
    assert not same(new.game.listeners.nets, old.game.listeners.nets)
    assert same(new.game.speakers.nets, old.game.speakers.nets)
    assert (count(new.game.listeners), count(new.game.speakers)) == (1, 2)
    kept = stepped(now, **still, keeps="network")
    assert same(kept.game.listeners.nets, old.game.listeners.nets)
    assert count(kept.game.listeners) == 1
    kept = stepped(now, **still, keeps="memory")
    assert same(kept.game.listeners.nets, new.game.listeners.nets)
    assert count(kept.game.listeners) == 2
    other = stepped(now, **still, renews="speakers")
    assert same(other.game.listeners.nets, old.game.listeners.nets)
    assert not same(other.game.speakers.nets, old.game.speakers.nets)
    assert int(new.generation) == 1 and int(old.generation) == 0


def test_a_lineage_remembers_what_the_parents_said(begin, stepped, observed):
    old = at(begin(), 20)
    assert (np.asarray(old.parent) == -1).all()
    assert np.isnan(observed(old)["kept"])
    new = stepped(old, rate_speakers=0.0, rate_listeners=0.0, resets="simultaneous", lifetime=20)
    shown = observed(new)
    np.testing.assert_array_equal(new.parent, np.asarray(shown["message"], int))
    assert float(shown["kept"]) == 1.0
    lost = eqx.tree_at(lambda s: s.parent, new, new.parent.at[:, 0].add(1))
    assert float(observed(lost)["kept"]) == 0.5


@pytest.fixture(scope="module")
def observed():
    made = jax.jit(lambda system, state: system.observe(state, jax.random.key(7)))
    return lambda state, **changes: made(Generations(**{**SMALL, "exams": 1000, **changes}), state)


def test_exams_are_held_when_they_are_due(begin, observed):
    state = begin()
    taught = np.asarray(observed(at(state, 2000))["taught"])
    assert ((taught >= 0) & (taught <= 1)).all()
    shown = observed(at(state, 2001))
    assert np.isnan(shown["taught"]).all() and np.isnan(shown["teachable"])
    assert float(observed(at(state, 0))["teachable"]) == pytest.approx(taught.mean(), abs=0.25)


# -- heirs ------------------------------------------------------------------------------------------------------------


def test_a_share_of_what_is_seen_is_passed_on():
    system = Generations(**SMALL)
    seen = jnp.arange(16) >= 3
    for passed, count in ((1.0, 13), (0.5, 6), (0.0, 1)):
        some = np.asarray(system.with_(passed=passed).share(jax.random.key(0), seen))
        assert some.sum() == count and not some[:3].any()
    a, b = (np.asarray(system.with_(passed=0.5).share(jax.random.key(k), seen)) for k in (1, 2))
    assert (a != b).any()


def test_heirs_say_what_they_heard_and_guess_the_rest():
    """With a code without any regularity, what was not passed on cannot be known."""
    changes = {"hidden": 32, "rate_speakers": 0.01, "lessons": 300, "heirs": "yes", "renews": "both", "batch": 32}
    system = Generations(**{**SMALL, **changes})
    words = jax.random.randint(jax.random.key(0), (1, 16, 2), 0, 4)
    some = jnp.arange(16) % 2 == 0

    @jax.jit
    def heir(key):
        speakers, _ = system.born(key)
        speakers = system.imitated(speakers, jax.nn.one_hot(words, 4), some, key)
        return ms.words(system.say(speakers.nets, system.shown(), ms.Likeliest(), key)[1])

    said = np.concatenate([heir(jax.random.key(k)) for k in range(6)])
    right = (said == np.asarray(words)).mean(axis=(0, 2))
    assert right[::2].mean() > 0.97
    assert right[1::2].mean() < 0.7


def test_speakers_are_replaced_with_their_listeners_if_they_have_heirs():
    with pytest.raises(el.UserError, match="set renews='both'"):
        Generations(heirs="yes")
    assert Generations(heirs="yes", renews="both").heirs == "yes"


# -- the study --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("teaching") / "run", progress=False, workers=1)


def test_the_tiny_size_is_judged_and_drawn(tiny):
    verdicts = study.judge(tiny)
    assert {v["verdict"] for v in verdicts} <= {"inconclusive", "untested"}  # two seeds are too few for any other
    assert [figure.name for figure, _ in study.draw(tiny)] == [figure.name for figure in study.figures]
    assert not tiny.diverged


def test_records_of_the_tiny_size(tiny):
    d = tiny.data
    assert (d.generation.sel(condition="none") == 0).all()
    assert d.generation.sel(condition="reset").isel(time=-1).values.tolist() == [2, 2]
    assert np.isfinite(d.teachable.isel(time=0)).all() and np.isnan(d.teachable.isel(time=1)).all()
    np.testing.assert_array_equal(d.loss.isel(time=0).sel(condition="none"), d.loss.isel(time=0).sel(condition="reset"))
    # The numbers on record are those of the messages on record.
    words = d.message.isel(condition=0, seed=0, time=-1).transpose("object", "position").values.astype(int)
    assert float(d.distinct.isel(condition=0, seed=0, time=-1)) == len({tuple(w) for w in words})
    meanings = np.stack(np.unravel_index(np.arange(16), (4, 4)), axis=1)
    found = float(lg.topsim(jnp.asarray(words, jnp.int32), jnp.asarray(meanings, jnp.int32)))
    np.testing.assert_allclose(d.topsim.isel(condition=0, seed=0, time=-1), found, atol=1e-5)


class _Whole:
    """A run with all conditions of the quick size, whose curves are those of the tiny run over and over."""

    def __init__(self, tiny: el.Run) -> None:
        some = [i % tiny.data.sizes["condition"] for i in range(len(QUICK))]
        self.data = tiny.data.isel(condition=some).assign_coords(condition=list(QUICK))


def test_every_figure_is_drawn_for_all_conditions_of_the_quick_size(tiny):
    assert set(QUICK) <= set(WORDS)
    for figure in study.figures:
        assert figure.draw(_Whole(tiny)).axes


def test_speakers_can_be_frozen(begin):
    system = Generations(**SMALL)
    state = begin()
    with el.edit(*study.conditions["frozen"].interventions, time=2500):
        new = jax.jit(lambda state: system.step(state, jax.random.key(0)))(state)
    assert same(new.game.speakers.nets, state.game.speakers.nets)
    assert not same(new.game.listeners.nets, state.game.listeners.nets)


def test_every_condition_fits_every_size_that_lists_it():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})


# -- what claims and figures compute ----------------------------------------------------------------------------------


def test_what_is_handed_down_is_read_at_the_ends_of_generations():
    """Generations of two records each; in the middle of one `kept` is not looked at."""
    generation = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 6]
    kept = [np.nan, np.nan, 0, 0.1, 0, 0.2, 0, 0.3, 0, 0.4, 0, 0.6, 0, 0, 0]
    d = xr.Dataset({"generation": (("seed", "time"), [generation]), "kept": (("seed", "time"), [kept])})
    assert handed_down(d).dims == ("seed",)
    # Generations 1, 2 and 3 end at 0.1, 0.2, 0.3; 4 and 5 at 0.4 and 0.6; the sixth has not ended.
    assert float(handed_down(d)[0]) == pytest.approx(0.5 - 0.2)


def test_similarity_above_chance():
    d = xr.Dataset({"topsim": ("seed", [0.5]), "topsim_chance": ("seed", [0.1])})
    assert float(above_chance(d)[0]) == pytest.approx(0.4)


def test_shared_information_of_labels():
    x = np.array([0, 0, 1, 1])
    assert shared(x, x) == pytest.approx(1)
    assert shared(x, np.array([0, 1, 0, 1])) == pytest.approx(0)
    assert shared(x, np.zeros(4, int)) == pytest.approx(0)
