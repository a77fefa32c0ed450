"""The study `steering`: a planted direction is found, in a script and through the interface of a model with sites."""

from __future__ import annotations

import copy
import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab.lm import LM, Budget, Ledger, Request, Scripted
from emergelab.lm.scripted import as_text
from emergelab.studies.minds.steering import study
from emergelab.studies.minds.steering._policies import chances, confidence, thompson
from emergelab.studies.minds.steering._prompts import NEUTRAL, WORDINGS
from emergelab.studies.minds.steering._specimens import Model, Planted, Steer, Telling, model_of
from emergelab.studies.minds.steering._system import Steering, name_of

NAMES = ("Amber", "Birch")
TELLING = Telling("machines", NAMES, 5)
HISTORIES = [((0, 62), (1, 41)), ((1, 55),), ((0, 40), (0, 48), (1, 70), (1, 66))]


class Opened(LM):
    """A model whose stream is that of the planted script, read off the prompt; it likes the first place."""

    name = "opened"

    def __init__(self, seed: int = 0) -> None:
        self.script = Planted(seed)
        self.llama = SimpleNamespace(config=SimpleNamespace(layers=8))
        self.shift = np.zeros(Planted.width)
        self.site = ""

    def edited(self, shift: Any) -> Opened:
        made = copy.copy(self)
        made.site, made.shift = shift.site, np.asarray(shift.by, float)
        return made

    def _stream(self, request: Request | str) -> tuple[np.ndarray, list[str]]:
        text = as_text(request if isinstance(request, Request) else Request(request))
        names = re.search(r"(?:machines|methods), (\w+) and (\w+)\.", text).groups()
        pulls = re.findall(r"^(\w+)(?: paid |: )(\d+)", text, re.MULTILINE)
        history = tuple((names.index(n), int(points)) for n, points in pulls if n in names)
        return self.script._stream([history])[0], list(names)

    def read(self, request: Request | str, *sites: str) -> dict[str, np.ndarray]:
        if request == NEUTRAL:
            return {"logits": np.outer(np.arange(5.0), np.ones(7)) + self.shift[:7]}
        z, _ = self._stream(request)
        return {site: np.stack([0 * z, z + (self.shift if site == self.site else 0)]) for site in sites}

    def score(self, requests: Any, continuations: Any) -> list[np.ndarray]:
        out = []
        for request, letters in zip(requests, continuations, strict=True):
            z, names = self._stream(request)
            z = z + {"L.4.out": 1.0, "L.6.out": 0.5}.get(self.site, 0.0) * self.shift
            odds = (z @ self.script.odds) * np.exp(z @ self.script.certainty)
            doubt = -(z @ self.script.certainty)
            value = {names[0]: 0.0, names[1]: odds, "unsure": doubt, "certain": 0.0}
            shown = dict(re.findall(r"^(\w)\) (\w+)$", as_text(request), re.MULTILINE))
            first = next(iter(shown))
            said = [a.strip() for a in letters]
            rows = np.array([value[shown[a]] + 1.5 * (a == first) + 0.7 * (a == min(shown)) for a in said])
            out.append(rows - np.logaddexp.reduce(rows) + np.log(0.8))
        return out


# -- what is asked --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wording", WORDINGS)
def test_a_prompt_tells_every_pull_in_order_and_nothing_else(wording):
    w = WORDINGS[wording]
    text = as_text(Request(w.prompt(HISTORIES[2], NAMES)))
    assert re.findall(r"\b(40|48|70|66)\b", text) == ["40", "48", "70", "66"]
    assert [n for n in re.findall("Amber|Birch", text)][:2] == list(NAMES) and "{" not in text
    assert w.question in text and w.doubt not in text
    assert w.doubt in as_text(Request(w.prompt((), NAMES, doubt=True)))
    assert len(set(w.names)) == 8 and not set(w.names) & {n for v in WORDINGS.values() if v is not w for n in v.names}


def test_players_of_the_literature_by_hand():
    """Posterior means are sums over one plus the number of pulls; both arms of the first history were pulled once."""
    p = thompson(HISTORIES)
    z = (1.2 / 2 + 0.9 / 2) / np.sqrt(0.5 + 0.5)
    assert confidence(HISTORIES)[0] == pytest.approx(z, abs=1e-5)
    assert p[0, 0] == pytest.approx(0.5 * (1 + math.erf(z / math.sqrt(2))), abs=1e-5)
    np.testing.assert_array_equal(chances("greedy", HISTORIES), [[1, 0], [0, 1], [0, 1]])
    np.testing.assert_allclose(chances("random", HISTORIES), 0.5)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)


# -- specimens ------------------------------------------------------------------------------------------------------


def test_the_script_is_steered_along_certainty_only_where_it_listens():
    script = Planted(3)
    base = script.choose(HISTORIES, TELLING).p
    np.testing.assert_array_equal(script.choose(HISTORIES, TELLING, Steer("middle", 0 * script.odds)).p, base)
    np.testing.assert_array_equal(script.choose(HISTORIES, TELLING, Steer("early", 9 * script.odds)).p, base)
    doubtful = script.choose(HISTORIES, TELLING, Steer("middle", -2 * script.certainty)).p
    halfway = script.choose(HISTORIES, TELLING, Steer("late", -4 * script.certainty)).p
    np.testing.assert_allclose(doubtful, halfway, atol=1e-12)
    assert (np.abs(doubtful - 0.5) < np.abs(base - 0.5)).all()
    odds = np.log(base[:, 1] / base[:, 0]) * np.exp(-2)
    np.testing.assert_allclose(np.log(doubtful[:, 1] / doubtful[:, 0]), odds, atol=1e-9)


def test_through_a_models_interface_the_same_numbers_come_out_place_and_letter_cancelled():
    model, script = Model(Opened(3)), Planted(3)
    assert model.sites == {"early": "L.2.out", "middle": "L.4.out", "late": "L.6.out"}
    found = model.choose(HISTORIES, TELLING)
    np.testing.assert_allclose(found.p, script.choose(HISTORIES, TELLING).p, atol=1e-9)
    np.testing.assert_allclose(found.mass, 0.8, atol=1e-9)
    assert (found.bias > 0.3).all()
    np.testing.assert_allclose(model.activations(HISTORIES, TELLING), script.activations(HISTORIES, TELLING), atol=1e-9)
    by = -1.5 * script.certainty
    for layer in ("early", "middle", "late"):
        moved = model.choose(HISTORIES, TELLING, Steer(layer, by)).p
        np.testing.assert_allclose(moved, script.choose(HISTORIES, TELLING, Steer(layer, by)).p, atol=1e-6)
    assert model.doubt(HISTORIES, TELLING, Steer("middle", by)) > model.doubt(HISTORIES, TELLING)
    other = Telling("methods", ("Index", "Puzzle"), 5)
    np.testing.assert_allclose(model.choose(HISTORIES, other).p, found.p, atol=1e-9)


def test_damage_is_the_divergence_of_next_words():
    model = Model(Opened())
    assert model.damage(Steer("middle", np.zeros(24))) == pytest.approx(0, abs=1e-12)
    by = np.zeros(24)
    by[0] = 2.0
    p, q = np.full(7, 1 / 7), np.exp([2, 0, 0, 0, 0, 0, 0]) / (np.exp(2) + 6)
    assert model.damage(Steer("middle", by)) == pytest.approx((p * np.log(p / q)).sum(), abs=1e-5)


def test_a_model_that_cannot_be_opened_is_one_clear_line(tmp_path: Path):
    assert isinstance(model_of(Budget(Opened(), calls=5), "model"), Model)
    for lm in (Scripted(lambda r: "Amber", lambda r, c: 0.0), Budget(Scripted(lambda r: "Amber"), calls=5)):
        with pytest.raises(el.UserError, match="reads and changes activations, which scripted does not give; take"):
            study.run("tiny", out=tmp_path / str(id(lm)), conditions=["model"], lm=lm, progress=False)
    with pytest.raises(el.UserError, match="asks a language model and the run has none"):
        study.run("tiny", out=tmp_path / "none", conditions=["model"], progress=False)
    with pytest.raises(el.UserError, match="'bandits' must be even"):
        Steering(bandits=3)


# -- runs -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return study.run("tiny", out=tmp_path_factory.mktemp("steering") / "run", lm=Opened(), progress=False)


def test_players_are_measured_as_they_are(tiny: Any):
    d = tiny.data
    np.testing.assert_allclose(d["gap"].sel(condition="thompson").isel(time=slice(1, None)), 0, atol=1e-6)
    np.testing.assert_allclose(d["h"].sel(condition="random").isel(time=slice(1, None)), 1, atol=1e-6)
    assert (d["h"].sel(condition="greedy").isel(time=2) <= d["h_thompson"].sel(condition="greedy").isel(time=2)).all()
    assert np.isnan(d["h_base"].sel(condition="thompson")).all(), "what cannot be opened is not examined"
    assert (d["fallback_rate"].isel(time=-1) == 0).all() and not tiny.failed and not tiny.diverged


def test_regret_and_switches_are_those_of_the_recorded_pulls(tiny: Any):
    for name in ("greedy", "model"):
        own = [e for e in Ledger(tiny).decisions if e["condition"] == name and e["seed"] == 1]
        told = [e["observation"]["history"] for e in own if e["time"] == 2]
        assert len(told) == 2 and all(len(h) == 2 for h in told)
        switched = np.mean([h[0][0] != h[1][0] for h in told])
        assert float(tiny.data["switches"].sel(condition=name, seed=1, time=2)) == switched
    assert (tiny.data["regret"].isel(time=slice(1, None)).diff("time") >= -1e-9).all()


def test_the_planted_direction_is_found_in_the_script_and_through_the_interface(tiny: Any):
    end = tiny.data.isel(time=-1)
    for name in ("softmax", "model"):
        d = end.sel(condition=name)
        rising = [d[name_of("middle", x)] if x else d["h_base"] for x in (-2.0, -1.0, 0, 1.0, 2.0)]
        means = [float(r.mean()) for r in rising]
        assert means[0] < means[1] < means[2] < means[3], (name, means)
        assert means[4] - means[0] > 0.2, (name, means)
        np.testing.assert_allclose(d[name_of("early", 1.0)], d["h_base"], atol=1e-6)
        assert float(d["doubt_east"].mean()) > float(d["doubt_base"].mean())
        assert (d["h_hot"] >= d["h_base"]).all()
    np.testing.assert_allclose(end["mass_base"].sel(condition="model"), 0.8, atol=1e-6)
    assert np.isnan(end["damage"].sel(condition="softmax")).all() and (end["damage"].sel(condition="model") > 0).all()


def test_without_strength_nothing_changes(tmp_path: Path):
    run = study.run("tiny", out=tmp_path / "run", conditions=["softmax"], seeds=1, set={"dose": 0.0}, progress=False)
    end = run.data.isel(time=-1, seed=0, condition=0)
    for name in end.data_vars:
        if name.startswith(("h_middle", "h_early", "h_late")) or name in ("h_random", "h_mean", "h_ridge"):
            assert float(end[name]) == float(end["h_base"]), name
    assert float(end["h_other_east"]) == float(end["h_other_base"])
    assert float(end["explore_east"]) == float(end["explore_base"])


def test_study_at_its_smallest(tiny: Any):
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive"}
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]
