"""The study `culture`: generations of a player whose fate is known, teachers that need not be run, both forms."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.rl.networks import Recurrent
from emergelab.studies.learners.culture import Culture, study
from emergelab.studies.learners.culture import _lineages as generations
from emergelab.studies.learners.culture import _weights as weights
from emergelab.studies.learners.culture._lineages import TESTS, Variant, live, teach
from emergelab.studies.learners.culture._scholar import Scholar
from emergelab.worlds.sequence import Level, MemorySequence, expected

K, LENGTH, TRIALS = 3, 10, 4
WORLD = MemorySequence(trials=jnp.int32(TRIALS), symbols=K, length=LENGTH, others=3, slots=TRIALS)
SCHOLAR = Scholar(K, LENGTH, 3)
SMALL = {"lanes": 4, "horizon": 6, "parts": 2, "units": 6, "width": 6, "length": 4, "generations": 3, "lineages": 2}


def alone(lanes: int) -> Level:
    hidden = jax.random.randint(jax.random.key(9), (lanes, LENGTH), 0, K)
    return Level(hidden, jnp.zeros((lanes, 3, LENGTH, K)), jnp.zeros((lanes, TRIALS)))


@eqx.filter_jit
def lived(net, level: Level, key):
    return live(WORLD, net, level, jax.random.split(key, level.hidden.shape[0]), TRIALS)


def perfect(trials: int) -> np.ndarray:
    """Mean score in each trial of a lone player that forgets nothing: all courses of its knowledge, by their chances.

    What it knows: how many symbols it has found, and how many of the next one are excluded.
    """
    at, means = {(0, 0): 1.0}, []
    for _ in range(trials):
        after: dict[tuple[int, int], float] = {}
        mean = 0.0
        for (found, excluded), p in at.items():
            while found < LENGTH:
                wrong = 1 - 1 / (K - excluded)
                if wrong > 0:
                    place = (found, excluded + 1)
                    after[place] = after.get(place, 0.0) + p * wrong
                    mean += p * wrong * found
                p, found, excluded = p * (1 - wrong), found + 1, 0
            after[(LENGTH, 0)] = after.get((LENGTH, 0), 0.0) + p
            mean += p * LENGTH
        at = after
        means.append(mean)
    return np.array(means)


# -- one life --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scholars():
    return lived(SCHOLAR, alone(3000), jax.random.key(1))


def test_a_player_that_forgets_nothing_finds_out_as_fast_as_can_be(scholars):
    right = np.asarray(scholars.right)
    error = right.std(0) / np.sqrt(len(right))
    np.testing.assert_array_less(np.abs(right.mean(0) - perfect(TRIALS)), 4 * error + 1e-6)
    assert not np.asarray(scholars.shown).any() and (np.diff(right, axis=1) >= 0).all()


def test_a_mind_that_is_watched_knows_what_it_would_have_done_alone(scholars):
    """The table of a mind saved before its last trial foretells the mean of that trial."""
    level = alone(3000)
    table = eqx.filter_jit(teach)(SCHOLAR, scholars.memory, scholars.seen, level.hidden, K)
    told, done = np.asarray(expected(table, level.hidden)), np.asarray(scholars.right[:, -1])
    # What it had found by the end of the trial before is certain.
    assert (told >= np.asarray(scholars.right[:, -2]) - 1e-3).all()
    error = (told - done).std() / np.sqrt(len(done))
    assert abs((told - done).mean()) < 4 * error


def test_teachers_in_a_table_say_what_teachers_that_are_run_would_say():
    """A network forced by hand, one step after the other, with a learner's guesses and rewards in place of its own."""
    net = Recurrent(jax.random.key(0), WORLD.inputs, WORLD.actions, units=5, before=(7,), widths=(7,))
    # Larger weights than at birth, so that what is said depends on what was seen.
    net = jax.tree.map(lambda w: 3 * w, net)
    memory, hidden = jax.random.normal(jax.random.key(1), (1, 5)), alone(1).hidden
    first = jnp.zeros((1, WORLD.inputs)).at[0, [1, K, K + 1]].set(jnp.asarray([1.0, 1.0, -1.0]))
    table = eqx.filter_jit(teach)(net, memory, first, hidden, K)
    seen, carried = first, memory
    one = eqx.filter_jit(lambda net, memory, seen: net(memory, seen, jnp.zeros(1, bool)))
    for position in range(LENGTH):
        carried, policy, _ = one(net, carried, seen)
        np.testing.assert_allclose(table[0, position], jax.nn.log_softmax(policy.logits[0]), atol=1e-5)
        own = jax.nn.one_hot(hidden[0, position], K)
        seen = jnp.concatenate([own, jnp.asarray([0.0, 1.0]), jnp.zeros(WORLD.inputs - K - 2)])[None]
    assert float(jnp.std(table[0, :, 0])) > 1e-3


# -- generations -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def grown():
    """Lineages of scholars in all tests, and two in which teachers are worth nothing, for ever or at first."""
    variants = [*TESTS.values(), Variant(corrupt=1.0), Variant(skip=0.0)]
    names = [*TESTS, "all wrong", "first unseen"]
    many, size = generations.stacked(variants), {"count": 64, "members": 5, "generations": 4, "trials": TRIALS}
    grow = jax.jit(lambda key: generations.grow(WORLD, SCHOLAR, many, key, **size))
    return dict(zip(names, range(len(names)), strict=True)), jax.tree.map(np.asarray, grow(jax.random.key(2)))


def test_scholars_accumulate_and_those_who_see_nobody_do_not(grown):
    at, out = grown
    level = perfect(TRIALS)[-1]
    assert (np.diff(out.alone[at["as it is"]]) > 0.3).all()
    assert out.alone[at["as it is"], -1] > 2 * out.alone[at["as it is"], 0]
    error = out.spread[at["never seen"]] / 8  # 64 lineages
    assert (np.abs(out.alone[at["never seen"]] - level) < 4 * error).all()
    # Strangers who guess at random teach nothing, and cost nothing but the choice of what to try.
    assert abs(out.alone[at["as it is"], 0] - level) < 0.5


def test_variants_do_what_they_say(grown):
    at, out = grown
    usual = out.score[at["as it is"]]
    for name in at:
        if name not in ("never seen", "always seen", "one", "five"):
            np.testing.assert_array_equal(
                out.score[at[name]][0], usual[0], err_msg="the first watches strangers anyway"
            )
    skipped = out.score[at["skipped"]]
    np.testing.assert_array_equal(skipped[: generations.SKIPPED + 1], usual[: generations.SKIPPED + 1])
    assert (skipped[generations.SKIPPED + 1] != usual[generations.SKIPPED + 1]).any()
    # Nobody sees the first: to the second generation all others are strangers, as if they knew nothing.
    np.testing.assert_array_equal(out.score[at["first unseen"]][1], out.score[at["all wrong"]][1])
    last = out.alone[:, -1]
    for name in ("half wrong", "shuffled", "one", "best wrong", "emptied", "of others", "all wrong"):
        assert last[at[name]] < last[at["as it is"]], name
    assert last[at["all wrong"]] < 0.6 * last[at["as it is"]]
    assert np.isnan(out.copied[at["never seen"]]).all() and np.isnan(out.beyond[:, 0]).all()
    assert np.isnan(out.copied[at["as it is"], :, -1]).all(), "the last trial is alone"
    assert np.isfinite(out.copied[at["always seen"], 0, -1]).all()


def test_a_scholar_believes_until_it_knows_better(grown):
    at, out = grown
    copied = out.copied[at["all wrong"], 1:]
    # In its first trial it knows nothing, and believes fools; later it knows better.
    assert (copied[:, 0] > 0.999).all() and (np.diff(copied[:, :3, 0], axis=1) < 0).all()
    right = out.copied[at["as it is"], 1:, :3, 1]
    np.testing.assert_allclose(right, 1.0, atol=1e-6)


# -- in weights ------------------------------------------------------------------------------------------------------


def test_generations_in_weights():
    common = SMALL | {"form": "in weights", "lifetime": 2}
    system = Culture(**common)

    @eqx.filter_jit
    def on(system, state, key):
        return weights.update(system, state, key)

    begun = eqx.filter_jit(weights.start)(system, jax.random.key(0))
    once = on(system, begun, jax.random.key(1))
    assert np.isnan(once.scores).all() and not np.asarray(once.advice).any()
    kept, born = (on(Culture(**common, reborn=r), once, jax.random.key(2)) for r in (0.0, 1.0))
    # Kept networks are those whose guesses are handed on, in the order of their scores.
    table = weights.table(system, kept)
    score = np.asarray(weights.scores(system, kept))
    np.testing.assert_allclose(kept.scores[0], score, rtol=1e-5)
    np.testing.assert_allclose(kept.advice, np.asarray(table)[np.argsort(score)], atol=1e-5)
    np.testing.assert_array_equal(kept.advice, born.advice)
    assert int(kept.memory[1].count[0]) > 0 and not np.asarray(born.memory[1].count).any()
    assert not np.allclose(kept.nets.cell.weight_hh, born.nets.cell.weight_hh)
    shown = [float(weights._levels(system, begun.hidden, begun.advice, jnp.int32(t)).shown[0, 0]) for t in range(4)]
    assert shown == [1.0, 0.0, 1.0, 0.0]


# -- the study -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    # Generations in weights are a program of their own, and tested above.
    names = ["culture", "one-life"]
    return study.run("tiny", out=tmp_path_factory.mktemp("culture") / "r", conditions=names, progress=False)


def test_tiny(run):
    end = run.data.isel(time=-1)
    for name in ("alone", "score", "life", "reached", "total"):
        assert np.isfinite(end[name].sel(condition=["culture", "one-life"]).values).all(), name
    before = run.data["alone"].sel(condition="culture").isel(time=slice(0, -1))
    assert np.isnan(before.values).all(), "lineages are grown at the end only"
    both = end[["reached", "alone", "life"]].isel(test=0, generation=-1)
    np.testing.assert_array_equal(both.reached.sel(condition="culture"), both.alone.sel(condition="culture"))
    life = both.life.isel(moment=slice(-TRIALS, None)).mean("moment")
    np.testing.assert_allclose(both.reached.sel(condition="one-life"), life.sel(condition="one-life"), rtol=1e-5)
    assert not run.diverged


def test_claims_are_judged_and_figures_drawn(run):
    verdicts = {v["text"]: v for v in study.judge(run)}
    assert {v["verdict"] for v in verdicts.values()} <= {"supported", "refuted", "inconclusive", "untested"}
    lacking = [v for v in verdicts.values() if v["verdict"] == "untested"]
    assert all("condition" in v["reason"] for v in lacking)
    assert {f.name for f, _ in study.draw(run)} >= {"tests", "copying"}


def test_sites():
    names = {s.name for s in el.sites(Culture(**SMALL))}
    assert {"advantage", "rate", "lineage.h", "lineage.rank", "lineage.saved", "lineage.advice", "life.h"} <= names


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"members": 2}, "'members' must be at least others=3, got 2"),
        ({"span": 33}, r"'span' must be at most generations \* trials = 32, got 33"),
        ({"parts": 5}, "'parts' must divide lanes=64, got 5"),
    ],
)
def test_wrong_settings_are_told(wrong, message):
    with pytest.raises(el.UserError, match=message):
        Culture(**wrong)


def test_the_view_shows_trials_of_generations(run):
    assert study.view is not None
    ground, _, alone = study.view.at(run, "culture", 0, int(run.data.time[-1])).layers
    known = run.data["score"].sel(condition="culture", seed=0).isel(time=-1, test=0).transpose("generation", "trial")
    np.testing.assert_array_equal(ground.values, known)
    assert len(alone.x) == known.sizes["generation"]
    with pytest.raises(el.UserError, match="no lineages at time 0"):
        study.view.at(run, "culture", 0, 0)
