"""The study `curricula`: measures by hand, conditions that do what they say, and the study at its smallest."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy import stats

import emergelab as el
from emergelab.studies.learners.curricula import Curricula, study
from emergelab.studies.learners.curricula._measures import (
    between_bodies,
    rank_correlation,
    share_in_the_easier_half,
)
from emergelab.studies.learners.curricula._system import TEACHERS
from emergelab.teachers import Pupil

SMALL = {"cubes": 4, "block": 50, "fit": 50, "memory": 8, "gaussians": 4, "iterations": 4}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return study.run("tiny", out=tmp_path_factory.mktemp("curricula") / "run", progress=False)


def test_study_at_its_smallest(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab._effects._DRAWS_OF_STATISTICS", 100)
    monkeypatch.setattr("emergelab._effects._DRAWS", 1000)
    assert not tiny.diverged
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    absent = ("RIAC", "Covar", "boxes", "expert", "dimensions")  # teachers and conditions that this size leaves out
    judged = {v["verdict"] for v in verdicts if not any(word in v["text"] for word in absent)}
    assert judged <= {"supported", "refuted", "inconclusive"}
    drawn = [f.name for f, _ in study.draw(tiny)]
    assert drawn == [f.name for f in study.figures if f.name != "robustness"]


def test_every_task_is_counted_once(tiny: Any) -> None:
    d = tiny.data.load()
    episodes = SMALL["block"] * d.time
    assert (d["visits"].sum(("x", "y")) == episodes).all() and (d["tally"].sum("level") == episodes).all()
    hopeless = d["tally"].isel(level=-1)
    halves = [c for c in d.condition.values if str(c).endswith("-half")]
    assert (hopeless.drop_sel(condition=halves) == 0).all()
    share = (hopeless / episodes).isel(time=-1).sel(condition="random-half")
    np.testing.assert_allclose(share.mean("seed"), 0.5, atol=0.04)
    np.testing.assert_allclose(
        d["beyond"].sel(condition="random-half").isel(time=slice(1, None)).mean(), 0.5, atol=0.04
    )


def test_all_teachers_begin_at_random_and_competence_is_what_was_visited(tiny: Any) -> None:
    d = tiny.data.load()
    first = d["visits"].sel(time=1)
    for name in ("alp-gmm", "alp-gmm-shuffled", "alp-gmm-frozen"):
        assert (first.sel(condition=name) == first.sel(condition="random")).all(), name
    plain = d.sel(condition="random")
    # Only the easy corner is open at first, so its competence is the number of its visits.
    corner = {"x": 0, "y": 0}
    closed = plain["competence"].isel(corner) < 75
    assert (plain["competence"].isel(corner) == plain["visits"].isel(corner)).where(closed, True).all()
    assert (plain["mastered"] == 100 * (plain["competence"] > 75).mean(("x", "y"))).all()


def test_conditions_do_what_they_say(tiny: Any) -> None:
    d = tiny.data.load()
    for name in d.condition.values:
        has = np.isfinite(d["number"].sel(condition=name)).all()
        assert has == ("gmm" in str(name)), name
    assert (d["mirrored"].sel(condition="alp-gmm") == 0).all()
    bodies = d["mirrored"].sel(condition="alp-gmm-bodies")
    assert len(np.unique(bodies.isel(time=0).values, axis=0)) > 1 and (bodies.std("time") == 0).all()


def test_what_befalls_a_student() -> None:
    system = Curricula(cubes=4, lesion=5, swap=9)
    pupil = system.student.start(jax.random.key(0))
    able = Pupil(pupil.competence + 80.0, pupil.origin, pupil.mirrored)
    for block, lost, mirrored in ((4, 0, False), (5, 8, False), (6, 0, False), (9, 16, True)):
        after = system._changed(able, jnp.int32(block))
        assert int((after.competence == 0).sum()) == lost and bool(after.mirrored.all()) == mirrored
    easier = system._changed(able, jnp.int32(5)).competence.reshape(4, 4)
    assert (easier[:2] == 0).all() and (easier[2:] == 80).all()


@pytest.mark.parametrize("teacher", TEACHERS)
def test_every_teacher_fits_and_announces_its_sites(teacher: str) -> None:
    names = {s.name for s in el.sites(Curricula(**SMALL, pace=10, teacher=teacher, useless=1))}
    assert {"task", "outcome", "heard", "state.pupil.competence"} <= names
    assert ("progress" in names) == (teacher == "alp-gmm")


def test_wrong_parameters_are_named() -> None:
    with pytest.raises(el.UserError, match="parameter 'fit' must divide block=250, got 60"):
        Curricula(fit=60)
    with pytest.raises(el.UserError, match="parameter 'pace' must divide block=100"):
        Curricula(block=100, fit=50, pace=30)
    with pytest.raises(el.UserError, match=r"'teacher' must be one of"):
        Curricula(teacher="nobody")


# -- measures -------------------------------------------------------------------------------------------------------


def test_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        counts = rng.integers(0, 5, (6, 4))
        time, level = np.nonzero(counts)
        number = counts[time, level]
        x, y = np.repeat(time, number), np.repeat(level, number)
        assert rank_correlation(counts.astype(float)) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
    assert rank_correlation(np.array([[3.0, 0.0], [2.0, 0.0]])) == 0.0
    assert np.isnan(rank_correlation(np.zeros((2, 2))))


def test_variance_between_bodies_by_hand() -> None:
    rows = np.array([[0, 0, 0], [0.2, 0, 0], [1, 0, 1], [1.2, 0, 1]], float)
    # Middles 0.1 and 1.1: between 0.5; within (4 x 0.01) / 2.
    assert between_bodies(rows) == pytest.approx(np.log10(0.5 / 0.02))
    assert between_bodies(rows[:2]) == 0.0


def test_tasks_in_the_easier_half() -> None:
    visits = np.zeros((1, 3, 2, 2))
    easier = np.array([0, 5, 14])  # 5 of ten tasks at first, then 9
    visits[0, :, 0, 0], visits[0, :, 1, 1] = easier, 10 * np.arange(3) - easier
    d = xr.Dataset({"visits": (("seed", "time", "x", "y"), visits)}, coords={"time": [0, 20, 40], "seed": [0]})
    np.testing.assert_allclose(share_in_the_easier_half(d).values, [[0.5, 0.9]])
