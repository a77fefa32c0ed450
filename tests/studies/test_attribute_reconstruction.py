"""The study `attribute-reconstruction`: worlds within a world, given languages, exams, measures over some objects."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import emergelab as el
from emergelab.games import language as lg
from emergelab.nn import messages as ms
from emergelab.studies.languages.attribute_reconstruction import _measures as measures
from emergelab.studies.languages.attribute_reconstruction import study
from emergelab.studies.languages.attribute_reconstruction._claims import (
    above_chance,
    correlation,
    recurrent_lessons,
    unseen_and_topsim,
)
from emergelab.studies.languages.attribute_reconstruction._conditions import BY_WORLD, QUICK
from emergelab.studies.languages.attribute_reconstruction._figures import shared
from emergelab.studies.languages.attribute_reconstruction._system import LANGUAGES, Codebook, Limited, Reconstruction

SMALL = {"values": 5, "world": 5, "symbols": 10, "positions": 3, "hidden": 8, "batch": 8, "small": 4, "units": 4,
         "pupils": 1}  # fmt: skip


def system(**changes) -> Reconstruction:
    return Reconstruction(**{**SMALL, **changes})


# -- worlds -----------------------------------------------------------------------------------------------------------


def test_a_small_world_is_a_corner_of_the_large_one():
    small = system(world=3)
    exists = np.asarray(small.exists())
    assert exists.sum() == 9 and (small.objects()[exists] < 3).all()
    for seed in range(20):
        unseen = np.asarray(small.split(jax.random.key(seed)))
        assert unseen[~exists].all(), "what does not exist is not shown"
        assert (unseen & exists).sum() == 2, "a fifth of nine"
        shown = small.objects()[~unseen]
        assert all(set(column) == {0, 1, 2} for column in shown.T)


@pytest.fixture(scope="module")
def after():
    """A game after some steps, from one program for all that is traced."""

    @jax.jit
    def play(system, key, steps):
        state = system.init(key)
        return jax.lax.fori_loop(0, steps, lambda t, s: system.step(s, jax.random.fold_in(key, t)), state)

    return lambda steps=1, seed=0, **changes: play(system(**changes), jax.random.key(seed), steps)


@pytest.fixture(scope="module")
def observed():
    made = jax.jit(lambda system, state: system.observe(state, jax.random.key(7)))
    return lambda state, **changes: made(system(**changes), state)


def test_what_is_observed_in_a_small_world_is_of_its_objects(after, observed):
    shown = observed(after(world=3), world=3)
    words = np.asarray(shown["message"], int)
    exists = np.asarray(system(world=3).exists())
    assert (words[~exists] == -1).all() and (words[exists] >= 0).all()
    inside, meanings = jnp.asarray(words[exists], jnp.int32), jnp.asarray(system().objects()[exists], jnp.int32)
    oracles = {"topsim": lg.topsim(inside, meanings), "posdis": lg.posdis(inside, 10, meanings, 3),
               "bosdis": lg.bosdis(inside, 10, meanings, 3)}  # fmt: skip
    for name, wanted in oracles.items():
        np.testing.assert_allclose(shown[name], wanted, atol=1e-5)
    assert float(shown["distinct"]) * 9 == pytest.approx(len({tuple(w) for w in words[exists]}))
    assert np.isnan(shown["taught_small"]).all()


def test_nothing_is_learnt_of_what_does_not_exist(after):
    """The listener's output weights for absent values fall: they are never right. The speaker's inputs never move."""
    first, last = after(0, world=3), after(30, world=3)
    into = [np.asarray(s.speakers.nets.layers[0].weight[0]).reshape(8, 2, 5) for s in (first, last)]
    np.testing.assert_array_equal(into[0][:, :, 3:], into[1][:, :, 3:])
    assert (into[0][:, :, :3] != into[1][:, :, :3]).any()


def test_symbols_beyond_the_vocabulary_are_not_said(after, observed):
    shown = observed(after(vocabulary=2), vocabulary=2)
    assert set(np.unique(np.asarray(shown["message"]))) <= {0, 1}
    logits = jnp.zeros((200, 3, 10))
    for way in (ms.Likeliest(), ms.Drawn(), ms.Relaxed(1.0)):
        said = ms.words(Limited(way, 4)(logits, jax.random.key(0)))
        assert int(said.max()) <= 3
    assert len(np.unique(ms.words(Limited(ms.Drawn(), 4)(logits, jax.random.key(0))))) == 4


# -- given languages --------------------------------------------------------------------------------------------------


def written(language: str, world: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Words and meanings of a given language."""
    made = system(speech="given", language=language, world=world)
    exists = np.asarray(made.exists())
    return np.asarray(made.written(jax.random.key(seed)))[exists], made.objects()[exists]


def measured(language: str, world: int = 5) -> dict[str, float]:
    words, meanings = (jnp.asarray(x, jnp.int32) for x in written(language, world))
    return {"topsim": float(lg.topsim(words, meanings)), "posdis": float(lg.posdis(words, 10, meanings, world)),
            "bosdis": float(lg.bosdis(words, 10, meanings, world))}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_given_language_has_a_message_for_every_object(language):
    for world in (3, 5):
        words, _ = written(language, world)
        assert len({tuple(w) for w in words}) == world**2
        assert (words[:, 2] == 0).all()


def test_given_languages_are_what_they_are_called():
    parts = measured("parts")
    assert parts["topsim"] == pytest.approx(1, abs=1e-4) and parts["posdis"] == pytest.approx(1, abs=1e-4)
    entangled = measured("entangled")
    assert entangled["posdis"] == pytest.approx(0, abs=1e-4), "no position tells an attribute"
    bag = measured("bag")
    assert bag["posdis"] < 0.35 and bag["bosdis"] > 0.95
    assert abs(measured("holistic")["topsim"]) < 0.3
    same, _ = written("parts")
    other, _ = written("holistic")
    assert sorted(map(tuple, same)) == sorted(map(tuple, other)), "the same messages for other objects"


def test_a_codebook_says_what_is_written():
    words = jax.random.randint(jax.random.key(0), (25, 3), 0, 10)
    book = Codebook(words, jnp.float32(30.0), 10, 5)
    made = system(speech="given")
    _, said = book(made.shown(), ms.Likeliest(), jax.random.key(1))
    np.testing.assert_array_equal(ms.words(said), words)
    surer = Codebook(words, jnp.float32(90.0), 10, 5)(made.shown(), ms.Likeliest(), jax.random.key(1))[1]
    np.testing.assert_array_equal(surer, said)


def test_a_listener_learns_parts_and_understands_what_it_never_met(after, observed):
    quick = {"speech": "given", "rate_listeners": 0.02, "hidden": 32, "batch": 32}
    seen = observed(after(300, **quick), **quick)
    assert float(seen["accuracy"]) == 1 and float(seen["unseen"]) > 0.7
    np.testing.assert_array_equal(seen["message"], written("parts")[0])
    silent = np.asarray(seen["without"])
    assert (silent[:2] < 0.6).all(), "each of the first two positions tells an attribute"
    lost = observed(after(300, **quick, language="holistic"), **quick, language="holistic")
    assert float(lost["unseen"]) < 0.4


def test_exams_begin_with_newborns_and_end_with_pupils_who_know(after, observed):
    quick = {"speech": "given", "rate_listeners": 0.02, "hidden": 32, "batch": 32, "small": 16, "units": 16}
    state = after(1, **quick)
    shown = observed(state, **quick, exams=1)
    for name in ("taught_small", "taught_recurrent"):
        taught = np.asarray(shown[name])
        assert taught[-1] > 0.9 and taught[0] <= taught[-1]


# -- measures ---------------------------------------------------------------------------------------------------------


def test_measures_over_all_objects_are_those_of_the_games():
    words = jax.random.randint(jax.random.key(3), (25, 3), 0, 4)
    meanings = system().objects()
    every = jnp.ones(25, bool)
    as_jax = jnp.asarray(meanings, jnp.int32)
    np.testing.assert_allclose(measures.topsim(words, meanings, every), lg.topsim(words, as_jax), atol=1e-5)
    np.testing.assert_allclose(measures.posdis(words, 4, meanings, every), lg.posdis(words, 4, as_jax, 5), atol=1e-5)
    np.testing.assert_allclose(measures.bosdis(words, 4, meanings, every), lg.bosdis(words, 4, as_jax, 5), atol=1e-5)
    assert int(measures.distinct(words, every)) == int(lg.distinct(words))


def test_codes_that_say_one_thing_have_no_structure():
    one = jnp.zeros((25, 3), jnp.int32)
    every = jnp.ones(25, bool)
    assert np.isnan(measures.topsim(one, system().objects(), every))
    assert np.isnan(measures.posdis(one, 4, system().objects(), every))


def test_swapping_keeps_messages_and_what_does_not_exist():
    words = jnp.arange(75, dtype=jnp.int32).reshape(25, 3)
    exists = jnp.arange(25) % 3 > 0
    new = np.asarray(measures.swapped(words, exists, jax.random.key(0)))
    np.testing.assert_array_equal(new[~np.asarray(exists)], words[~np.asarray(exists)])
    assert sorted(new[:, 0]) == sorted(np.asarray(words[:, 0]))
    assert (new != np.asarray(words)).any()


# -- the study --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("reconstruction") / "run", progress=False, workers=1)


def test_the_tiny_size_is_judged_and_drawn(tiny):
    verdicts = study.judge(tiny)
    assert {v["verdict"] for v in verdicts} <= {"inconclusive", "untested"}  # two seeds are too few for any other
    assert [figure.name for figure, _ in study.draw(tiny)] == [figure.name for figure in study.figures]
    assert not tiny.diverged
    given = tiny.data.message.sel(condition="given-parts")
    assert (given.isel(time=0) == given.isel(time=-1)).all()


class _Whole:
    """A run with all conditions of the quick size, whose curves are those of the tiny run over and over."""

    def __init__(self, tiny: el.Run) -> None:
        some = [i % tiny.data.sizes["condition"] for i in range(len(QUICK))]
        data = tiny.data.isel(condition=some).assign_coords(condition=list(QUICK))
        self.data = data.assign(message=data.message.where(data.message >= 0, 0))


def test_every_figure_is_drawn_for_all_conditions_of_the_quick_size(tiny):
    for figure in study.figures:
        assert figure.draw(_Whole(tiny)).axes


def test_every_condition_fits_every_size_that_lists_it():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})
    assert {c: study.conditions[c].set["world"] for c in BY_WORLD} == BY_WORLD


@pytest.mark.parametrize(("wrong", "word"), [
    ({"world": 6}, "'world' must be at most values=5"),
    ({"task": "reference"}, "'task' must be 'reconstruction'"),
    ({"speech": "given", "language": "bag", "symbols": 9}, "language='bag' needs two symbols a value, 10"),
    ({"speech": "given", "positions": 1}, "two positions or more"),
    ({"language": "klingon"}, "'language' must be one of"),
    ({"holdout": 3}, "'holdout' must be"),
])  # fmt: skip
def test_parameters_that_do_not_fit_are_refused(wrong, word):
    with pytest.raises(el.UserError, match=word):
        system(**wrong)


# -- what claims and figures compute ----------------------------------------------------------------------------------


def test_correlations_are_over_seeds_that_have_learnt():
    d = xr.Dataset(
        {
            "accuracy": (("seed", "time"), [[0, 1.0], [0, 1.0], [0, 0.995], [0, 0.5]]),
            "unseen": (("seed", "time"), [[0, 0.1], [0, 0.2], [0, 0.3], [0, 9.0]]),
            "topsim": (("seed", "time"), [[0, 0.5], [0, 0.4], [0, 0.3], [0, 9.0]]),
        },
        coords={"time": [0, 10]},
    )
    pairs = unseen_and_topsim(d)
    assert pairs.dims == ("seed", "time")
    assert np.isnan(pairs.values[3]).all()
    assert correlation(pairs.values) == pytest.approx(-1)
    assert correlation(pairs.values[:2]) == 0.0
    assert correlation(np.ones((5, 2))) == 0.0


def test_lessons_and_chance():
    d = xr.Dataset({"taught_recurrent": (("seed", "lesson"), [[0.0, 0.5, 1.0]]), "topsim": ("seed", [0.5]),
                    "topsim_chance": ("seed", [0.2])})  # fmt: skip
    assert float(recurrent_lessons(d)[0]) == pytest.approx(0.5)
    assert float(above_chance(d)[0]) == pytest.approx(0.3)


def test_shared_information_of_labels():
    x = np.array([0, 0, 1, 1])
    assert shared(x, x) == pytest.approx(1)
    assert shared(x, np.array([0, 1, 0, 1])) == pytest.approx(0)
