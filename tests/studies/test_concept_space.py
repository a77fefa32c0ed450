"""The study `concept-space`: its data, its ways of asking, what it counts, and that it learns."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from jaxtyping import Array

import emergelab as el
from emergelab.nn.discs import Reading, read
from emergelab.studies.networks.concept_space import study
from emergelab.studies.networks.concept_space._measures import (
    bow,
    colour_before_size,
    lag,
    late,
    leaning,
    learnt,
    of_way,
    without,
)
from emergelab.studies.networks.concept_space._system import CLASSES, SHOWN, WAYS, Batch, ConceptSpace

SMALL = {"width": 16, "depth": 1, "batch_size": 16, "samples": 5, "euler": 3}
drawn = jax.jit(lambda system, chance, kind: system.draw(chance, kind))
asked = jax.jit(lambda system, net: system.ways(net, jax.random.key(1)))
reader = jax.jit(read)


@pytest.fixture(scope="module")
def system() -> ConceptSpace:
    return ConceptSpace(**SMALL)


@pytest.fixture(scope="module")
def net(system):
    """Any weights will do where networks only have to be asked, and these need no program."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(system.network, jax.random.key(0))
    return jax.tree.map(lambda s: jnp.asarray(0.4 * rng.normal(size=s.shape), jnp.float32), shapes)


@pytest.fixture(scope="module")
def ways(system, net) -> dict[str, Array]:
    return asked(system, net)


def some(system: ConceptSpace, kind: int, n: int = 200) -> Batch:
    chance = np.random.default_rng(kind).uniform(size=(7, n)).astype(np.float32)
    return drawn(system, jnp.asarray(chance), jnp.full(n, kind))


# -- data ----------------------------------------------------------------------------------------------------


def test_training_shows_three_classes_equally_often(system):
    system = ConceptSpace(**{**SMALL, "batch_size": 3000})
    batch = jax.jit(lambda key: system.batch(key, None))(jax.random.key(0))
    colour, size = np.asarray(batch.prompt["col"]), np.asarray(batch.prompt["size"])[:, 0]
    kind = 2 * (colour[:, 2] > colour[:, 0]) + (size < 0)
    share = np.bincount(kind, minlength=4) / 3000
    np.testing.assert_allclose(share, [1 / 3, 1 / 3, 1 / 3, 0], atol=0.04)
    assert share[3] == 0


@pytest.mark.parametrize("kind", range(4))
def test_pictures_and_prompts_say_the_same(system, kind):
    batch = some(system, kind)
    blue, small = divmod(kind, 2)
    colour = np.asarray(batch.prompt["col"]) / 2 + 0.5
    size = np.asarray(batch.prompt["size"])[:, 0] / 4 + 0.5
    middle = np.array([0.3, 0.3, 0.7]) if blue else np.array([0.7, 0.3, 0.3])
    assert np.abs(colour - middle).max() <= 0.4 / 8 + 1e-6
    assert np.abs(size - (0.4 if small else 0.6)).max() <= 3 * 0.2 / 8 + 1e-6
    assert np.ptp(size) > 0.12
    pictures = (np.asarray(batch.pictures) + 1) / 2
    seen = reader(jnp.asarray(pictures.reshape(-1, 8, 8, 3)))
    assert ((np.asarray(seen.colour) > 0) == bool(blue)).all()
    assert ((np.asarray(seen.size) < 0.5) == bool(small)).mean() > 0.99
    assert np.abs(np.asarray(seen.size) - size).max() < 0.1
    at = system.coordinates(seen)
    assert float(at.colour.mean()) == pytest.approx(2 * blue - 1, abs=0.05)
    assert float(at.size.mean()) == pytest.approx(2 * small - 1, abs=0.1)


def test_only_prompts_for_small_red_discs_leave_the_colour_out(system):
    for masked in (0.0, 0.5, 1.0):
        for kind in range(4):
            shown = np.asarray(some(system.with_(masked=masked), kind).shown["col"])
            want = 1 - masked if kind == 1 else 1.0
            assert shown.mean() == pytest.approx(want, abs=0.1 if masked == 0.5 and kind == 1 else 0)


def test_coordinates_are_one_at_the_means_of_the_classes(system):
    seen = system.coordinates(Reading(jnp.array([-0.4, 0.4]), jnp.array([0.6, 0.4]), jnp.ones(2)))
    np.testing.assert_allclose(seen.colour, [-1, 1], atol=1e-6)
    np.testing.assert_allclose(seen.size, [-1, 1], atol=1e-6)


# -- ways of asking ------------------------------------------------------------------------------------------


def test_interventions_are_the_formula_written_out(net, ways):
    """e(0) + a (e(1) - e(0)), with strengths read off the names, against prompts written by hand."""
    red, blue, large, small = (0.7, 0.3, 0.3), (0.3, 0.3, 0.7), 0.6, 0.4

    def prompt(colour, size):
        return {"col": 2 * (jnp.array([colour]) - 0.5), "size": jnp.array([[4 * (size - 0.5)]])}

    zero, one = (net.embed(prompt(*p)) for p in ((red, large), (blue, small)))
    strength = {
        "00": (0, 0), "01": (0, 1), "10": (1, 0), "11": (1, 1), "latent": (2, 2), "latent_15": (1.5, 1.5),
        "latent_3": (3, 3), "latent_colour": (2, 1), "latent_size": (1, 2),
    }  # fmt: skip
    for way, (a, b) in strength.items():
        for name, alpha in (("col", a), ("size", b)):
            want = np.asarray(zero[name] + alpha * (one[name] - zero[name]))
            np.testing.assert_allclose(ways[name][WAYS.index(way)], np.repeat(want, 5, axis=0), atol=1e-5)
    over = net.embed(prompt((-0.1, 0.3, 1.1), 0.2))
    for name, value in over.items():
        np.testing.assert_allclose(ways[name][WAYS.index("over")], np.repeat(value, 5, axis=0), atol=1e-5)


def test_a_random_push_is_as_long_as_the_intervention(ways):
    for e in ways.values():
        plain, pushed, away = (np.asarray(e[WAYS.index(way)]) for way in ("11", "latent", "random"))
        length = np.linalg.norm(pushed - plain, axis=1)
        np.testing.assert_allclose(np.linalg.norm(away - plain, axis=1), length, rtol=1e-4)
        assert len(np.unique(away[:, 0])) == len(away)


def test_with_alpha_one_every_way_is_the_plain_prompt(system, net):
    for e in asked(system.with_(alpha=1.0), net).values():
        for way in ("latent", "latent_colour", "latent_size", "over", "random"):
            np.testing.assert_allclose(e[WAYS.index(way)], e[WAYS.index("11")], atol=1e-5)


# -- the system ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> el.Run:
    return study.run("tiny", out=tmp_path_factory.mktemp("concept") / "run", progress=False, workers=1)


def test_the_tiny_size_is_judged_and_drawn(tiny):
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    # Three seeds are too few for any verdict, and the sweeps are not there.
    assert {v["verdict"] for v in verdicts} <= {"inconclusive", "untested"}
    assert [figure.name for figure, _ in study.draw(tiny)] == ["abilities", "trajectories", "pictures"]
    assert not tiny.diverged


def test_observables_agree_with_one_another(tiny):
    d = tiny.data
    assert dict(d.sizes) | {"way": 11, "class": 4, "shown": len(SHOWN)} == dict(d.sizes)
    start = d.isel(time=0)
    # an untrained network makes the same grey picture whatever it is asked
    for name in ("plain", "latent", "over", "random", "right_colour"):
        assert float(np.abs(start[name]).max()) == 0.0
    np.testing.assert_array_equal(start.pictures, 128)
    np.testing.assert_allclose(d.nearest.sel({"class": 3}), d.plain, atol=1e-6)
    assert (d.plain <= np.minimum(d.right_colour, d.right_size) + 1e-6).all()
    assert (d.nearest.sum("class") <= 1 + 1e-6).all()


def test_training_lowers_the_loss_and_teaches_the_colour(tiny):
    d = tiny.data.mean("seed")
    for condition in ("base", "colour-first"):
        here = d.sel(condition=condition)
        assert float(here.loss[-1]) < 0.2 * float(here.loss[0])
        red, blue = (float(here.colour[-1, WAYS.index(way)]) for way in ("00", "10"))
        assert red < -0.3 < 0.3 < blue


def test_sites_of_the_data_and_of_the_concepts(system):
    names = {s.name for s in el.sites(system)}
    assert {"sep_colour", "sep_size", "masked", "cond.col", "cond.size", "L.0.act", "picture", "rate"} <= names
    assert {"state.net.concepts.col.up.weight", "update.concepts.size.down.weight"} <= names
    plain = some(system.with_(sep_colour=0.8), 2)
    with el.edit(el.Clamp("sep_colour", 0.8)):
        clamped = some(system, 2)
    np.testing.assert_array_equal(clamped.pictures, plain.pictures)
    assert (some(system, 2).pictures != plain.pictures).any()


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"masked": 1.5}, "'masked' must be"),
        ({"sep_colour": 0.0}, "'sep_colour' must be"),
        ({"sep_size": 2.0}, "'sep_size' must be"),
        ({"pixels": 2}, "'pixels' must be"),
        ({"alpha": -1.0}, "'alpha' must be"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(wrong, word):
    with pytest.raises(el.UserError, match=word):
        ConceptSpace(**wrong)


# -- measures ------------------------------------------------------------------------------------------------


def curves(**named: list[list[float]]) -> xr.Dataset:
    found = {name: (("seed", "time"), np.array(rows, float)) for name, rows in named.items()}
    return xr.Dataset(found, {"time": np.arange(len(next(iter(named.values()))[0])) * 10.0})


def test_steps_without_count_crossings_relapses_and_never():
    rows = [[0, 0, 0.5, 0.8, 0.9], [0, 0.9, 0.2, 0.9, 0.9], [0, 0, 0, 0, 0], [0, 0.75, 1, 1, 1]]
    d = curves(plain=rows, latent=[[0, 1, 1, 1, 1]] * 4)
    np.testing.assert_allclose(without("plain")(d), [20, 10, 40, 0])
    np.testing.assert_allclose(lag("plain", "latent")(d), [20, 10, 40, 0])
    assert lag("plain", "latent").__name__ == "lag_of_plain_behind_latent"


def test_concepts_are_timed_one_by_one():
    d = curves(right_colour=[[0, 1, 1, 1, 1]], right_size=[[0, 0, 0.5, 0.79, 0.8]])
    np.testing.assert_allclose(learnt("size")(d), [30])
    np.testing.assert_allclose(colour_before_size(d), [30])


def test_bow_is_one_at_10_and_zero_on_the_straight_way():
    time = np.arange(11) * 10.0
    straight = np.linspace(-1, 1, 11)
    colour = np.stack([straight, np.ones(11), np.full(11, -1.0)])
    size = np.stack([straight, np.full(11, -9.0), np.full(11, 5.0)])
    dims = ("seed", "time", "way")
    where = np.zeros(len(WAYS)) + (np.arange(len(WAYS)) == WAYS.index("11"))
    d = xr.Dataset(
        {"colour": (dims, colour[..., None] * where), "size": (dims, size[..., None] * where)}, {"time": time}
    )
    np.testing.assert_allclose(bow(d), [0, 1, -1], atol=1e-9)
    np.testing.assert_allclose(of_way("size", "11")(d), size)
    np.testing.assert_allclose(late("colour", "11")(d), [1, 1, -1])


def test_leaning_is_the_share_of_10_less_that_of_01():
    share = np.zeros((1, 11, 4))
    share[0, :, CLASSES.index("10")] = 0.6
    share[0, :6, CLASSES.index("01")] = 0.4
    d = xr.Dataset({"nearest": (("seed", "time", "class"), share)}, {"time": np.arange(11) * 10.0})
    # the first tenth, two records, is left out: 01 in four records of nine
    np.testing.assert_allclose(leaning(d), [0.6 - 0.4 * 4 / 9])


def test_every_condition_fits_every_size_that_lists_it():
    for size in study.sizes.values():
        for name in size.conditions or study.conditions:
            study.system(**{**size.set, **study.conditions[name].set})
