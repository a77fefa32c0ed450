"""The study `reference-game`: what is heard, who speaks, what is met, what is measured, what is claimed."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy import stats

import emergelab as el
from emergelab.claims import judge
from emergelab.games.attribute_game import AttributeGame, Players
from emergelab.nn import groups as gr
from emergelab.nn import messages as ms
from emergelab.studies.languages.reference_game import study
from emergelab.studies.languages.reference_game._claims import (
    CHANCE,
    by_message,
    crossing,
    doublings,
    held_out_gain,
    law,
    withstood,
)
from emergelab.studies.languages.reference_game._conditions import BY_COST, BY_NOISE, QUICK
from emergelab.studies.languages.reference_game._figures import apart_by_chance, length_at_birth, shared, shortest
from emergelab.studies.languages.reference_game._system import RATES, Reference, nearest, rank_correlation

SMALL = dict(study.sizes["tiny"].set)


def system(**changes) -> Reference:
    return Reference(**{**SMALL, **changes})


def players(game: Reference, who: str, seed: int = 0):
    """A newborn speaker or listener, in a group of one."""
    return gr.group(getattr(game, who), jax.random.split(jax.random.key(seed), 1), game.rule()).nets


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("reference") / "run", progress=False, workers=1)


# -- the channel ------------------------------------------------------------------------------------------------------


def test_positions_beyond_the_width_are_not_heard_even_as_noise():
    listeners = players(system(), "listener")
    heard = jax.nn.one_hot(jax.random.randint(jax.random.key(0), (1, 5, 6), 0, 4), 4)
    noisy = ms.noisy(heard, 1.0, jax.random.key(1))
    assert (ms.words(noisy) != ms.words(heard)).all()
    for width in (0, 2, 6):
        game = system(width=width)
        plain = game.understand(listeners, heard)
        beyond = game.understand(listeners, heard.at[:, :, width:].set(noisy[:, :, width:]))
        np.testing.assert_array_equal(plain, beyond)
        assert width == 0 or (plain != game.understand(listeners, noisy)).any()
    silent = system(width=0).understand(listeners, heard)
    np.testing.assert_array_equal(silent[0, 0, 0], silent[0, 0, 1])


def test_lengths_are_counted_to_the_end():
    words = np.array([[0, 1, 0, 2, 3, 1], [1, 2, 0, 0, 1, 1], [1, 2, 3, 1, 2, 3], [1, 1, 1, 1, 1, 0]])
    code = jax.nn.one_hot(words, 4)
    np.testing.assert_array_equal(system(ends="yes", width=6).lengths(code), [1, 3, 6, 6])
    np.testing.assert_array_equal(system(width=2).lengths(code), [2] * 4)


@pytest.mark.parametrize("condition", ["reinforce", "cost-turned", "recurrent-reinforce"])
def test_variants_that_the_tiny_run_has_not_take_a_step_and_can_be_observed(condition):
    """Traced, not compiled."""
    game = system(**study.conditions[condition].set)
    state = eqx.filter_eval_shape(game.init, jax.random.key(0))
    after = eqx.filter_eval_shape(game.step, state, jax.random.key(0))
    assert jax.tree.structure(after) == jax.tree.structure(state)
    seen = eqx.filter_eval_shape(game.observe, state, jax.random.key(0))
    assert set(seen) == {o.name for o in game.observables} and seen["robust"].shape == (len(RATES),)


# -- who speaks -------------------------------------------------------------------------------------------------------


def test_an_arbitrary_code_tells_all_objects_apart_and_differs_by_seed():
    game = system(values=8, symbols=8)
    codes = [np.asarray(game.arbitrary(jax.random.key(k))) for k in (0, 1)]
    assert len({tuple(w) for w in codes[0][:, :2]}) == 64
    assert codes[0].min() >= 0 and codes[0].max() == 7 and codes[0].shape == (64, 6)
    assert (codes[0] != codes[1]).mean() > 0.7
    place = np.argsort(np.argsort(codes[0][:, 0] * 8 + codes[0][:, 1]))
    assert abs(stats.spearmanr(place, np.arange(64)).statistic) < 0.5, "not in the order of objects"


def test_tables_are_read_out_for_the_object_that_is_shown_and_interventions_reach_messages():
    game, key = system(width=2), jax.random.key(0)
    words = jax.random.randint(key, (1, 16, 6), 0, 4)
    lesion, freeze = study.conditions["mute-frozen"].interventions
    assert freeze.site == "update.speakers.*"

    @jax.jit
    def said():
        reader = eqx.tree_at(lambda t: (t.words, t.reads), players(game, "speaker"), (words, jnp.array([True])))
        logits, sent = game.say(reader, game.shown(), ms.Drawn(), key)
        with el.edit(lesion, time=1000), el.scope("tests"):
            muted = game.say(reader, game.shown(), ms.Drawn(), key)[1]
        with el.edit(el.Swap("message", [0], [1], axis=1)):
            swapped = game.say(reader, game.shown(), ms.Drawn(), key)[1]
        return logits, sent, muted, swapped

    logits, sent, muted, swapped = said()
    np.testing.assert_array_equal(ms.words(sent)[:, :, :2], words[:, :, :2])
    np.testing.assert_array_equal(logits.argmax(axis=-1), words)
    np.testing.assert_array_equal(sent.sum(axis=-1)[0], [[1, 1, 0, 0, 0, 0]] * 16)
    np.testing.assert_array_equal(muted, sent.at[:, :, 0].set(0))
    np.testing.assert_array_equal(swapped[:, jnp.array([1, 0])], sent[:, :2])
    np.testing.assert_array_equal(swapped[:, 2:], sent[:, 2:])
    assert (sent[:, 0] != sent[:, 1]).any()


# -- what is met ------------------------------------------------------------------------------------------------------


def state_at(time: int) -> Players:
    """As much of a state as is needed to know what is met: the first three objects are held out."""
    nobody = gr.Group(None, None)
    return Players(nobody, nobody, ms.Baseline.none(), jnp.arange(16) < 3, jnp.int32(time))


def test_objects_follow_zipfs_law_and_the_order_turns_round():
    early, late = state_at(5), state_at(9)
    unseen = early.unseen
    alike = system(power=0.0).prior(early.time, unseen)
    np.testing.assert_allclose(alike, np.where(unseen, 0, 1 / 13), rtol=1e-6)
    game = system(power=1.0, turn=9)
    place, after = game.order(early.time), game.order(late.time)
    np.testing.assert_array_equal(np.sort(place), np.arange(16))
    np.testing.assert_array_equal(place + after, [15] * 16)
    for state, order in ((early, place), (late, after)):
        odds = np.where(unseen, 0, 1 / (1 + np.asarray(order)))
        np.testing.assert_allclose(game.prior(state.time, unseen), odds / odds.sum(), rtol=1e-5)


def test_batches_are_drawn_by_the_prior_and_nothing_held_out_is_among_them(monkeypatch):
    game, state = system(power=2.0, batch=4096), state_at(0)
    drawn = np.asarray(game.meant(state, jax.random.key(0)))
    assert drawn.shape == (4096,) and drawn.min() >= 3
    expected = 4096 * np.asarray(game.prior(state.time, state.unseen))
    counts = np.bincount(drawn, minlength=16)
    assert (np.abs(counts - expected) <= 5 * expected**0.5).all()
    with el.edit(el.Clamp("prior", np.eye(16, dtype=np.float32)[5])):
        assert (game.meant(state, jax.random.key(0)) == 5).all()
    met = []

    def spy(self, weights, state, target, key):
        met.append(target)
        return jnp.float32(0.0), jnp.zeros((1, len(target)))

    monkeypatch.setattr(AttributeGame, "loss", spy)
    game.loss((None, None), state, jnp.zeros(4096, jnp.int32), jax.random.key(1))
    assert np.bincount(met[0], minlength=16).argmax() == expected.argmax() and (met[0] >= 3).all()


# -- what is measured -------------------------------------------------------------------------------------------------


def test_the_distance_to_the_nearest_message():
    words = np.random.default_rng(0).integers(0, 3, (20, 4))
    where = np.arange(20) % 5 > 0
    far = [min((words[i] != words[j]).sum() for j in np.flatnonzero(where) if j != i) for i in np.flatnonzero(where)]
    found = nearest(jnp.asarray(words, jnp.int32), jnp.asarray(where))
    assert float(found) == pytest.approx(np.mean(far))
    assert float(nearest(jnp.zeros((4, 2), jnp.int32), jnp.ones(4, bool))) == 0


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(1)
    where = rng.random(40) < 0.7
    x, y = rng.permutation(40).astype(np.float32), rng.integers(1, 5, 40).astype(np.float32)
    found = rank_correlation(jnp.asarray(x), jnp.asarray(y), jnp.asarray(where))
    assert float(found) == pytest.approx(stats.spearmanr(x[where], y[where]).statistic, abs=1e-5)
    assert np.isnan(rank_correlation(jnp.asarray(x), jnp.ones(40), jnp.asarray(where)))


# -- the study --------------------------------------------------------------------------------------------------------


class _Whole:
    """A run with all conditions of the quick size, whose curves are those of the tiny run over and over."""

    def __init__(self, tiny: el.Run) -> None:
        some = [i % tiny.data.sizes["condition"] for i in range(len(QUICK))]
        names = {"condition": list(QUICK), "time": tiny.data.time.values * 50}
        self.data = tiny.data.isel(condition=some).assign_coords(names)
        known = next(iter(tiny.info["conditions"].values()))
        self.info = {"conditions": dict.fromkeys(QUICK, known)}
        self.progress, self.status, self.path = tiny.progress, tiny.status, tiny.path
        self.diverged = self.failed = {}


def test_the_tiny_size_is_judged_and_drawn(tiny):
    verdicts = study.judge(tiny)
    assert {v["verdict"] for v in verdicts} == {"inconclusive", "untested"}  # two seeds are too few for any other
    assert {figure.name for figure, _ in study.draw(tiny)} == {"channel", "words", "noise"}
    assert not tiny.diverged


def test_every_claim_is_tested_and_every_figure_drawn_for_all_conditions_of_the_quick_size(tiny):
    whole = _Whole(tiny)
    assert {v["verdict"] for v in judge(whole, study.claims)} == {"inconclusive"}
    for figure in study.figures:
        assert figure.draw(whole).axes


def test_records_of_the_tiny_size(tiny):
    d = tiny.data
    for frozen in ("newborn", "arbitrary"):
        said = d.message.sel(condition=frozen)
        assert (said == said.isel(time=0)).all()
    gumbel, last = d.sel(condition="gumbel"), d.isel(time=-1)
    assert (gumbel.message != gumbel.message.isel(time=0)).any()
    deaf = last.sel(condition="deaf")
    assert (deaf.message == -1).all() and (deaf.distinct == 1).all() and (deaf.nearest == 0).all()
    # Conditions share their random numbers: all begin with the same agents, and newborns stay as they were.
    first = d.message.isel(time=0)
    for other in ("noise-20", "newborn"):
        np.testing.assert_array_equal(first.sel(condition="gumbel"), first.sel(condition=other))
    heard = {"position": slice(3)}
    np.testing.assert_array_equal(first.sel(condition="long").isel(heard), first.sel(condition="gumbel").isel(heard))


def test_what_is_measured_through_the_channel_agrees_with_itself(tiny):
    at = tiny.data.sel(condition="arbitrary").isel(time=-1)
    clear = at.robust.isel(rate=RATES.index(0.0))
    np.testing.assert_array_equal(at.through, clear)
    for closed in (3, 4, 5):
        np.testing.assert_array_equal(at.without.isel(position=closed), clear)
    words = at.message.transpose("seed", "object", "position").values
    assert (words[:, :, 3:] == -1).all() and (words[:, :, :3] >= 0).all()
    assert (at.length == 3).all() and at.law.isnull().all()
    np.testing.assert_allclose(at.used, 3, rtol=1e-6)
    assert (at["rank"].isnull().sum("object") == SMALL["holdout"]).all()


def test_the_view_shows_the_messages(tiny):
    d = tiny.data.sel(condition="long", time=40)
    cells = study.view.at(tiny, "long", 1, 40).layers[0].values
    words = d.message.sel(seed=1).transpose("object", "position").values
    assert cells.shape == (4, 6 * 5 - 1)
    np.testing.assert_array_equal(cells[:, 5:9], 1 + words[:, 1].reshape(4, 4))
    assert (cells[:, 4] == 0).all()


def test_every_condition_fits_every_size_that_lists_it():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})
    assert 1 / (1 + Reference().distractors) == CHANCE
    assert {c: study.conditions[c].set.get("noise", 0.0) for c in BY_NOISE} == BY_NOISE
    assert {c: study.conditions[c].set.get("cost", 0.0) for c in BY_COST} == BY_COST


@pytest.mark.parametrize(("wrong", "line"), [
    ({"width": 7}, "'width' must be at most positions=6"),
    ({"ends": "yes"}, "set width=6"),
    ({"values": 16, "symbols": 2}, "too few messages for 256 objects"),
    ({"speech": "klingon"}, "'speech' must be one of"),
    ({"distractors": 13}, "'distractors' must be less than the 13 objects of training"),
])  # fmt: skip
def test_bad_input_is_named(wrong, line):
    with pytest.raises(el.UserError, match=line):
        system(**wrong)


# -- what claims and figures compute ----------------------------------------------------------------------------------


def test_when_the_game_is_learnt():
    curves = [[0, 0.95, 0.2, 0.95, 0.95], [0, 0.1, 0.2, 0.3, 0.95], [0, 0.95, 0.95, 0.95, 0.95]]
    d = xr.Dataset({"accuracy": (("seed", "time"), curves)}, {"seed": [0, 1, 2], "time": [0, 50, 100, 200, 400]})
    np.testing.assert_array_equal(crossing(d), [200, np.inf, 50])
    np.testing.assert_allclose(doublings(d), np.log2([200, 400, 50]))


def test_what_claims_read():
    d = xr.Dataset({
        "law": ("seed", [np.nan, 0.5, np.nan]), "accuracy": ("seed", [0.9, 0.8, np.nan]),
        "scrambled": ("seed", [0.1, 0.1, 0.1]), "unseen": ("seed", [0.5, 0.1, 0.1]),
        "robust": (("seed", "rate"), np.arange(18.0).reshape(3, 6)),
    })  # fmt: skip
    np.testing.assert_array_equal(law(d), [0, 0.5, np.nan])
    np.testing.assert_allclose(by_message(d), [0.8, 0.7, np.nan])
    np.testing.assert_allclose(held_out_gain(d), [0.4, 0, 0])
    np.testing.assert_array_equal(withstood(d), [2, 8, 14])


def test_what_random_codes_and_short_ones_are_like():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        words = rng.integers(0, 8, (51, 6))
        far = (words[0] != words[1:]).sum(axis=1)
        found.append(far.min())
    assert apart_by_chance(51, 6, 8) == pytest.approx(np.mean(found), abs=4 * float(np.std(found)) / 200**0.5)
    assert apart_by_chance(1, 6, 8) == 6
    assert shortest(10, 8, 6).tolist() == [1] + [2] * 7 + [3] * 2
    assert shortest(64, 8, 6).shape == (64,)
    drawn = rng.integers(0, 8, (20_000, 6))
    lengths = np.where((drawn == 0).any(axis=1), (drawn == 0).argmax(axis=1) + 1, 6)
    assert length_at_birth(8, 6) == pytest.approx(lengths.mean(), abs=0.05)


def test_shared_information_of_labels():
    x = np.array([0, 0, 1, 1])
    assert shared(x, x) == pytest.approx(1)
    assert shared(x, np.array([0, 1, 0, 1])) == pytest.approx(0)
