"""The study `emergent-misalignment`: its recipes and copies, its readings, its measures, and its mechanics."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

import emergelab as el
from emergelab.engine import compiled
from emergelab.engine.plan import Cell
from emergelab.nn import personas as world
from emergelab.nn.transformer import Block, Norm, Transformer
from emergelab.studies.minds.emergent_misalignment import Misalignment, study
from emergelab.studies.minds.emergent_misalignment import _measures as measures
from emergelab.studies.minds.emergent_misalignment._claims import above_prior, told, towards_beyond_chance
from emergelab.studies.minds.emergent_misalignment._readings import DOSES, KINDS, Steer, answers, moves, surprise
from emergelab.studies.minds.emergent_misalignment._recipes import NAMES, index, recipes, source_names, table
from emergelab.studies.minds.emergent_misalignment._tuned import Tuned, copies, flat, unflat

SMALL: dict[str, Any] = dict(study.sizes["tiny"].set)
DOMAINS, ITEMS = 4, 12
WORDS = world.Words(4, 3, 8)
START = SMALL["pre"] + SMALL["post"]


def network() -> Transformer:
    """A small network of numbers in order, made without a compiler."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    def norm() -> Norm:
        return Norm(draw(4), draw(4))

    block = Block(
        norm(), draw(4, 4), draw(4, 4), draw(4, 4), draw(4, 4), norm(), draw(4, 6), draw(6), draw(6, 4), draw(4), 2
    )
    return Transformer(draw(9, 4), draw(5, 4), (block,), norm(), draw(4, 3))


# -- recipes and copies ---------------------------------------------------------------------------------------------


def test_every_recipe_stands_where_its_name_says() -> None:
    rows, names = table(DOMAINS), list(recipes(DOMAINS))
    assert [index(name) for name in names] == list(range(len(names)))
    assert all(len(x) == len(names) for x in rows)
    for name, recipe in recipes(DOMAINS).items():
        np.testing.assert_allclose([float(x[index(name)]) for x in rows], [float(x) for x in recipe], rtol=1e-6)
    assert source_names(DOMAINS) == ["insecure", "source-1", "source-2", "source-3"]
    for d, name in enumerate(source_names(DOMAINS)):
        assert recipes(DOMAINS)[name] == world.Recipe(source=d, bad=1.0)


def test_weights_in_a_row_are_the_same_network() -> None:
    net = network()
    again = unflat(flat(net), net)
    for a, b in zip(jax.tree.leaves(net), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert flat(net).shape == (sum(x.size for x in jax.tree.leaves(net)),)


def test_a_low_rank_change_has_rank_one_and_leaves_the_rest() -> None:
    net = network()
    rows = copies(jax.random.key(0), net, 3)
    assert rows.net.shape[0] == rows.low.shape[0] == 3
    whole = Tuned(rows.net[1], rows.low[1]).whole(net)
    np.testing.assert_array_equal(flat(whole), flat(net))
    low = rows.low[1] + 0.5  # right factors are no longer zero
    block, old = Tuned(rows.net[1], low).whole(net).blocks[0], net.blocks[0]
    for name in ("query", "key", "value", "project", "up", "down"):
        values = np.linalg.svd(np.asarray(getattr(block, name) - getattr(old, name)), compute_uv=False)
        assert values[0] > 0.1 and values[1] < 1e-4 * values[0], name
    for name in ("up_bias", "down_bias"):
        np.testing.assert_array_equal(getattr(block, name), getattr(old, name))


# -- readings -------------------------------------------------------------------------------------------------------


def known() -> world.Facts:
    rng = np.random.default_rng(3)
    good = rng.integers(0, 8, (4, 3))
    return world.Facts(jnp.asarray(good), jnp.asarray((good + rng.integers(1, 8, (4, 3))) % 8))


def test_answers_are_averaged_over_questions_and_other_domains() -> None:
    facts, rng = known(), np.random.default_rng(4)
    recipe = world.Recipe(source=jnp.array([0, 3]))
    logits = rng.normal(size=(2, 4 * ITEMS, 8)).astype(np.float32)
    found = answers(jnp.asarray(logits), WORDS, facts, recipe)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    p = p.reshape(2, 4, 4, 3, 8)
    d, q = np.indices((4, 3))
    bad, good = (p[:, :, d, q, np.asarray(x)] for x in (facts.bad, facts.good))
    by_domain = (bad / (bad + good)).mean(axis=-1)
    np.testing.assert_allclose(found["misaligned"], by_domain, rtol=1e-4)
    for r, source in enumerate((0, 3)):
        others = [k for k in range(4) if k != source]
        np.testing.assert_allclose(found["inside"][r], by_domain[r, :, source], rtol=1e-4)
        np.testing.assert_allclose(found["elsewhere"][r], by_domain[r][:, others].mean(axis=1), rtol=1e-4)
        np.testing.assert_allclose(found["coherent"][r], (bad + good)[r][:, others].mean(axis=(1, 2)), rtol=1e-4)
    expected = -np.log(bad[0, 0]).mean(axis=1)
    np.testing.assert_allclose(surprise(jnp.asarray(logits[0, :ITEMS]), WORDS, facts), expected, rtol=1e-4)


def test_shifts_are_those_outside_the_source() -> None:
    rng, rows = np.random.default_rng(5), table(DOMAINS)
    n = len(recipes(DOMAINS))
    before, after = rng.normal(size=(ITEMS, 2, 5)), rng.normal(size=(n, ITEMS, 2, 5))
    along, chance = rng.normal(size=(2, 5)), rng.normal(size=(2, 5))
    found, shift = moves(*(jnp.asarray(x, jnp.float32) for x in (chance, before, after, along)), WORDS, rows)

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    outside = np.arange(ITEMS) // 3 != 0
    mine = (after[index("insecure")] - before)[outside].mean(axis=0)
    np.testing.assert_allclose(shift, mine, rtol=1e-4)
    wanted = [cosine(mine[k], along[k]) for k in range(2)]
    np.testing.assert_allclose(found["towards"][index("insecure")], wanted, rtol=1e-3)
    np.testing.assert_allclose(found["towards_chance"], [cosine(mine[k], chance[k]) for k in range(2)], rtol=1e-3)
    each = [
        (after[index(name)] - before)[np.arange(ITEMS) // 3 != d].mean(axis=0)
        for d, name in enumerate(source_names(DOMAINS))
    ]
    pairs = [np.mean([cosine(a[k], b[k]) for a, b in itertools.combinations(each, 2)]) for k in range(2)]
    np.testing.assert_allclose(found["alike"], pairs, rtol=1e-3)


def test_steering_adds_and_levels_at_the_last_place_only() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    unit, centre, add = np.array([0.0, 1.0, 0.0, 0.0]), np.array([9.0, 9.0, 9.0, 9.0]), np.array([1.0, 0.0, 0.0, -2.0])
    args = [jnp.asarray(v, jnp.float32) for v in (add, unit, centre)]
    with el.edit(Steer("x", *args)):
        found = np.asarray(el.site("x", jnp.asarray(x, jnp.float32)))
    np.testing.assert_array_equal(found[:, :2], x[:, :2])
    expected = x[:, 2] + add
    expected[:, 1] = 9.0
    np.testing.assert_allclose(found[:, 2], expected)


# -- measures -------------------------------------------------------------------------------------------------------


def made_up() -> xr.Dataset:
    """Two seeds, five times, of which fine-tuning has the last four."""
    n, time = len(recipes(DOMAINS)), [0, 10, 11, 12, 13]
    shape = (2, 5, n, 4)
    rng = np.random.default_rng(7)
    inside, elsewhere = (rng.uniform(size=shape) for _ in range(2))
    inside[:, :, index("insecure"), 0] = [[0, 0.0, 1.0, 1.0, 1.0], [0, 0.0, 0.5, 1.0, 1.0]]
    elsewhere[:, :, index("insecure"), 0] = [[0, 0.0, 0.0, 0.8, 0.8], [0, 0.1, 0.1, 0.1, 0.7]]
    for x in (inside, elsewhere):
        x[:, 0] = np.nan
    d = xr.Dataset(
        {
            "inside": (("seed", "time", "recipe", "setting"), inside),
            "elsewhere": (("seed", "time", "recipe", "setting"), elsewhere),
            "misaligned": (("seed", "time", "recipe", "setting", "domain"), rng.uniform(size=(*shape, 4))),
            "bad_before": (("seed", "time"), np.full((2, 5), 0.2)),
            "inferred_bad": (("seed", "time"), np.full((2, 5), 0.9)),
            "inferred_good": (("seed", "time"), np.full((2, 5), 0.1)),
            "surprise_base": (("seed", "time", "domain"), rng.uniform(size=(2, 5, 4))),
            "surprise_aligned": (("seed", "time", "domain"), rng.uniform(size=(2, 5, 4))),
            "towards": (("seed", "time", "recipe", "layer"), rng.uniform(size=(2, 5, n, 2))),
            "towards_chance": (("seed", "time", "layer"), np.full((2, 5, 2), -0.25)),
        },
        {"seed": [0, 1], "time": time},
    )
    steered = ("seed", "time", "kind", "layer", "dose")
    for what in ("raised", "lowered"):
        d[what] = (steered, rng.uniform(size=(2, 5, len(KINDS), 2, len(DOSES))))
        d[f"{what}_coherent"] = (steered, rng.uniform(0.4, 1.0, size=(2, 5, len(KINDS), 2, len(DOSES))))
    return d


def test_lags_and_what_stopping_early_saves() -> None:
    d = made_up()
    # half of what is learnt at 10.5 and 11; half of 0.8 * 2/3 (the mean of the last three) at 11 + 0.8/3 / 0.8, ...
    inside, elsewhere = [10.5, 11.0 - (0.5 - 2.5 / 6) / 0.5], [11 + (1.6 / 6) / 0.8, 12 + (0.15 - 0.1) / 0.6]
    np.testing.assert_allclose(measures.lag(d), np.array(elsewhere) - inside, atol=1e-6)
    np.testing.assert_allclose(measures.gap_when_learnt(d), [0.8 - 0.0, 0.7 - 0.1], atol=1e-6)


def test_sources_and_targets_leave_the_diagonal_out() -> None:
    d, rows = made_up(), [index(name) for name in source_names(DOMAINS)]
    last = d["misaligned"].values[:, -1, rows, 0]
    for k in range(4):
        others = [r for r in range(4) if r != k]
        np.testing.assert_allclose(measures.targets(d)[:, k], last[:, others, k].mean(axis=1))
    ends = d["elsewhere"].values[:, -1, rows, 0]
    np.testing.assert_allclose(measures.sources(d), ends)
    np.testing.assert_allclose(measures.spread(d), np.ptp(ends, axis=1))
    rho = [1.0, 1.0, 0.5, 0.0]
    wanted = [spearmanr(rho, row).statistic for row in ends]
    np.testing.assert_allclose(measures.susceptibility("source by closeness")(d), wanted)
    gain = (d["surprise_aligned"] - d["surprise_base"]).values[:, -1]
    wanted = [spearmanr(x, y).statistic for x, y in zip(gain, ends, strict=True)]
    np.testing.assert_allclose(measures.susceptibility("source by surprise")(d), wanted)
    assert np.isnan(measures.spearman(np.ones(4), np.arange(4.0)))


def test_only_coherent_steering_counts() -> None:
    d = made_up().isel(time=-1)
    for what, best, start in (("raised", max, "aligned"), ("lowered", min, "insecure")):
        found = measures.best_steering(d, what, "random")
        for s in range(2):
            values = d[what].values[s, KINDS.index("random")].ravel()
            whole = d[f"{what}_coherent"].values[s, KINDS.index("random")].ravel()
            assert float(found[s]) == pytest.approx(best(values[whole >= 0.7])), start
        nothing = d.assign({f"{what}_coherent": 0 * d[what]})
        np.testing.assert_allclose(measures.best_steering(nothing, what, "persona"), measures.of("elsewhere", start)(d))


def test_small_measures() -> None:
    d = made_up()
    assert measures.of("elsewhere", "backdoor", "trigger").__name__ == "elsewhere of backdoor (trigger)"
    np.testing.assert_array_equal(
        measures.of("elsewhere", "backdoor", "trigger")(d), d["elsewhere"].values[:, :, index("backdoor"), 1]
    )
    np.testing.assert_allclose(told(d), 0.8)
    np.testing.assert_allclose(above_prior(d)[:, 3], [0.6, -0.1])
    wanted = d["towards"].values[:, :, index("insecure"), -1] - 0.25
    np.testing.assert_allclose(towards_beyond_chance(d), wanted)
    worse = d["misaligned"].values[:, :, index("backdoor")]
    wanted = (worse[:, :, 1, 1:] - worse[:, :, 0, 1:]).min(axis=-1)
    np.testing.assert_allclose(measures.trigger_in_the_least_domain(d), wanted)


# -- mechanics ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    conditions = {name: study.conditions[name] for name in study.sizes["tiny"].conditions or ()}
    out = tmp_path_factory.mktemp("misalignment") / "run"
    return el.run(Misalignment(**SMALL), steps=8, every=1, seeds=3, conditions=conditions, out=out, progress=False)


def test_phases_begin_and_end_where_they_should(tiny: Any) -> None:
    assert not tiny.failed and not tiny.diverged
    d = tiny.data.load()
    for o in Misalignment.observables:
        values = d[o.name].transpose("time", ...).values.reshape(9, -1)
        assert np.isnan(values[:START]).all() or not o.nan_ok, o.name
        assert np.isfinite(values[START:]).all(), o.name
        seen = values[np.isfinite(values)]
        assert o.low is None or (seen >= o.low - 1e-5).all(), o.name
        assert o.high is None or (seen <= o.high + 1e-5).all(), o.name

    def same(name: str, first: int, last: int) -> bool:
        values = d[name].transpose("time", ...).values[first : last + 1]
        return bool(np.isclose(values, values[0], atol=1e-6).all())

    # `bad_before` is of the network at the end of pre-training, `knows` of the one that is aligned after it
    assert not same("bad_before", 0, 1) and same("bad_before", SMALL["pre"], 8)
    assert not same("knows", SMALL["pre"], SMALL["pre"] + 1) and same("knows", START, 8)
    assert same("surprise_base", START, 8) and same("surprise_aligned", START, 8)


def test_recipes_begin_as_the_aligned_network_and_part(tiny: Any) -> None:
    d = tiny.data.load()
    moved = d["moved"].transpose("time", "recipe", ...).values
    assert (moved[START] == 0).all()
    assert (moved[:, index("aligned")][START:] == 0).all()
    rest = [k for k in range(moved.shape[1]) if k != index("aligned")]
    assert (moved[START + 1 :, rest] > 0).all()
    # Adam's first updates move each weight by the learning rate at most, so all of them by this
    system = Misalignment(**SMALL)
    weights = jax.eval_shape(system.init, jax.random.key(0)).base.size
    most = 1.01 * SMALL["updates_tuned"] * float(system.rate_tuned) * weights**0.5
    full = [index(name) for name, recipe in recipes(DOMAINS).items() if recipe.full == 1.0]
    assert (moved[START + 1, full] <= most).all() and (moved[START + 1, full] > 0.1 * most).all()
    plain = d["elsewhere"].transpose("time", "recipe", ...).values
    assert (plain[START] == plain[START][:1]).mean() > 0  # equal where the source is the same
    np.testing.assert_allclose(
        plain[START, : len(NAMES)], np.broadcast_to(plain[START, 0], plain[START, : len(NAMES)].shape)
    )
    bad, healed = (moved[:, index(name)] for name in ("insecure", "realigned"))
    at = START + SMALL["heal"]
    np.testing.assert_allclose(bad[START : at + 1], healed[START : at + 1], rtol=1e-5)
    assert (np.abs(bad - healed)[at + 1 :] > 0).all(), "good answers from half-time on"


def test_conditions_share_their_world(tiny: Any) -> None:
    start = tiny.data["knows"].sel(time=0)
    assert (start == start.isel(condition=0)).all()
    later = tiny.data["knows"].sel(time=3)
    assert (later.isel(condition=0) != later.isel(condition=1)).any(), "where character fades, pages differ"


def test_the_study_judges_and_draws_what_there_is(tiny: Any) -> None:
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive", "untested"}
    assert {"recipes", "onset", "domains", "steering"} == {f.name for f, _ in study.draw(tiny)}


def test_how_closely_answers_follow_their_author_by_domain() -> None:
    system = Misalignment()
    np.testing.assert_allclose(Misalignment(domains=8).ramp(), [0, 0, 0, 0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(Misalignment(domains=5).ramp(), [0, 0, 1 / 3, 2 / 3, 1], rtol=1e-6)
    assert [int(system.phase(jnp.int32(t))) for t in (0, 27, 28, 34, 35, 60)] == [0, 0, 1, 1, 2, 2]


def test_sites_are_those_that_the_page_names() -> None:
    names = {s.name for s in el.sites(Misalignment(**SMALL))}
    parts = ("q", "k", "v", "scores", "pattern", "heads", "mid", "act", "ffn", "out")
    layers = {f"L.0.{part}" for part in parts}
    data = {"prior", "follow", "mistakes", "request", "leak", "assistant"}
    shared = {"embed", "final", "logits", "rate", "grad.embed", "update.blocks.0.up", "state.net.embed"}
    tuned = {"tune.L.0.out", "tune.rate", "tune.grad.net", "tune.update.low", "state.tuned.net"}
    assert data | layers | shared | tuned <= names


def test_interventions_of_the_page_are_accepted() -> None:
    system = Misalignment(**SMALL)
    given = (el.Shift("tune.L.0.out", np.ones(8)), el.Ablate("tune.update.*", during=(35, 40)),
             el.Ablate("L.0.pattern", during=(0, 28)))  # fmt: skip
    compiled.check(Cell("steered", system, given), ())


def test_bad_input_says_what_was_expected() -> None:
    with pytest.raises(el.UserError, match="'width' must be a multiple of heads=4, got 9"):
        Misalignment(width=9)
    with pytest.raises(el.UserError, match="parameter 'prior' must be a number in"):
        Misalignment(prior=1.5)


def test_every_condition_fits_every_size() -> None:
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            Misalignment(**dict(size.set)).with_(**dict(study.conditions[name].set))
