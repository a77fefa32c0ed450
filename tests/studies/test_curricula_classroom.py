"""The study `curricula-classroom`: generations, matching and arms at their smallest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab.studies.learners.curricula_classroom import Classroom, study
from emergelab.studies.learners.curricula_classroom._system import ARMS


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    where = tmp_path_factory.mktemp("classroom") / "run"
    return study.run("tiny", conditions=["corners"], out=where, progress=False)


def test_study_at_its_smallest(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab._effects._DRAWS", 1000)
    assert not tiny.diverged
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    judged = {v["verdict"] for v in verdicts if "hundred" not in v["text"]}
    assert judged <= {"supported", "refuted", "inconclusive"}
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]


def test_generations_follow_each_other(tiny: Any) -> None:
    d = tiny.data.load()
    assert (d["mastered"].sel(time=slice(0, 6)) == 0).all(), "students wait for their elders"
    assert (d["elders"].sel(time=slice(6, None)).std("time") == 0).all(), "and elders have learnt when students come"
    # Arms are the same until the test, at the end of the second of their blocks.
    until = d["mastered"].sel(time=slice(0, 8))
    assert (until == until.isel(arm=0)).all()
    scratch, other = ARMS.index("scratch"), [a for a in range(len(ARMS)) if ARMS[a] != "scratch"]
    assert np.isnan(d["gap"].sel(time=slice(0, 8))).all() and np.isnan(d["same"].isel(arm=scratch)).all()
    assert np.isfinite(d["gap"].sel(time=9).isel(arm=other)).all()
    assert (d["stage"].isel(arm=scratch) == 0).all() and (d["over"].isel(arm=scratch) == 0).all()


def test_elders_are_found_as_the_arm_says(tiny: Any) -> None:
    d = tiny.data.load().isel(time=-1)
    # Every corner has an elder, so there is one with one's own body; a hundred bodies have not.
    assert (d["same"].sel(condition="corners").isel(arm=ARMS.index("R-body")) == 1).all()
    assert (d["match"].sum(("quarter", "elder_quarter")) == 2).all()
    own = np.trace(d["match"].transpose("condition", "seed", "quarter", "elder_quarter").values, axis1=2, axis2=3)
    np.testing.assert_allclose(own / 2, d["same"].isel(arm=ARMS.index("R")).transpose("condition", "seed"), atol=1e-6)
    near, far = (d["gap"].isel(arm=ARMS.index(arm)) for arm in ("R", "R-random"))
    assert float(near.mean()) <= float(far.mean())


@pytest.mark.parametrize("growth", ["corner", "around"])
def test_sites(growth: str) -> None:
    names = {s.name for s in el.sites(Classroom(**study.sizes["tiny"].set, growth=growth))}
    assert {"state.students.elder", "state.elders.knowledge", "state.students.live.utility"} <= names


def test_wrong_parameters_are_named() -> None:
    with pytest.raises(el.UserError, match="parameter 'pace' must divide block=250, got 60"):
        Classroom(pace=60)
    with pytest.raises(el.UserError, match=r"'pretest' must be a whole number in .1, 4000., got 0"):
        Classroom(pretest=0)
