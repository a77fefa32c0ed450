"""The epidemic study as a run at its tiny size: what conditions do, how it is judged, drawn and seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from emergelab.studies.societies.epidemic import _disease as disease
from emergelab.studies.societies.epidemic import _policies as policies
from emergelab.studies.societies.epidemic import study
from emergelab.studies.societies.epidemic._conditions import BASE, GROUPS, SCALES, archetypes


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return study.run("tiny", out=tmp_path_factory.mktemp("epidemic") / "run", progress=False)


def test_people_are_conserved_and_counts_agree(tiny: Any) -> None:
    d = tiny.data.load()
    assert (d["people"].sum("stage") == 512).all()
    assert (d["people"].isel(stage=disease.DEAD).diff("time") >= 0).all()
    assert (d["infections"].diff("time") >= 0).all()
    np.testing.assert_allclose(d["infections"].sum(("row", "col")) / 512, d["attack"], atol=1e-6)
    np.testing.assert_allclose(d["people"].isel(stage=disease.DEAD) / 512, d["deaths"], atol=1e-6)
    assert (d["isolating"] >= 0).all() and (d["isolating"] <= 1).all()
    start = d.sel(time=0)
    assert (start["infections"].isel(row=slice(1, None)) == 0).all() and (start["attack"].max("seed") > 0).all()
    assert not tiny.diverged


def test_levels_and_conditions_do_what_they_say(tiny: Any) -> None:
    d = tiny.data.load()
    end, weeks = d.isel(time=-1), 24
    assert (end["calls"].sel(condition=["fixed", "heuristic"]) == 0).all()
    assert (end["calls"].sel(condition=archetypes(1)) == weeks).all()
    for k, name in zip(policies.ARCHETYPES, GROUPS, strict=True):
        assert (end["calls"].sel(condition=name) <= weeks * k).all()
    deaths = end["deaths"].sel(condition=BASE) * 512
    asked = end["calls"].sel(condition=BASE)
    assert (asked <= weeks * 512).all() and (asked >= weeks * (512 - deaths)).all()
    later = d.sel(time=slice(7, None))
    np.testing.assert_allclose(later["chance_mean"].sel(condition="fixed"), 0.3, atol=1e-6)
    assert (later["chance_sd"].sel(condition=["fixed", archetypes(1)]) < 1e-4).all()
    assert (later["chance_sd"].sel(condition=BASE).mean("time") > 0.02).all()
    other = d.sel(condition="truth") != d.sel(condition=BASE)
    assert not other["attack"].sel(time=0).any() and other["attack"].isel(time=-1).any()
    # Until something happens that differs, cities do not.
    until = d.sel(time=slice(None, 84))
    for name in ("vaccinate-old", "vaccinate-workers", "switched"):
        np.testing.assert_array_equal(until["attack"].sel(condition=name), until["attack"].sel(condition=BASE))
    np.testing.assert_allclose(d["chance_mean"].sel(condition="switched", time=slice(91, None)), 0.3, atol=1e-6)
    majority = d["isolating_by_age"].sel(condition=f"{archetypes(9)}-majority").values
    assert np.isin(majority[np.isfinite(majority)], [0.0, 1.0]).all()
    paid = d["unemployment"].sel(condition=f"{BASE}-paid") - d["unemployment"].sel(condition=BASE)
    assert float(paid.sel(time=14).mean()) > 0.02


def test_study_at_its_smallest(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab._effects._DRAWS_OF_STATISTICS", 50)
    monkeypatch.setattr("emergelab._effects._DRAWS", 300)
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    untested = [v["text"] for v in verdicts if v["verdict"] == "untested"]
    assert len(untested) == 1 and "square root" in untested[0]  # cities of other sizes are left out here
    have = [f.name for f, _ in study.draw(tiny)]
    assert have == [f.name for f in study.figures if not set(f.needs) & set(SCALES)]


def test_the_view_shows_who_is_infectious_where(tiny: Any) -> None:
    condition = str(tiny.data.condition[0].item())
    assert study.view is not None
    (map_,) = study.view.at(tiny, condition, 0, int(tiny.data.time[-1])).layers
    ill = tiny.data["ill"].sel(condition=condition, seed=0)
    np.testing.assert_allclose(map_.values, ill.isel(time=-1).transpose("row", "col"))
    assert map_.low == 0 and map_.high >= ill.max()
