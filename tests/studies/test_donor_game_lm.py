"""The donor game with agents that are asked: same rules as the numeric study, valid decisions, resume and replay."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import emergelab as el
from emergelab.games import donor as rules
from emergelab.lm import Budget, BudgetExceeded, Ledger, Request, Scripted, replay
from emergelab.lm.scripted import as_text
from emergelab.runs.store import Store
from emergelab.studies.societies.donor_game import DonorGame
from emergelab.studies.societies.donor_game_lm import DonorGameLM, study
from emergelab.studies.societies.donor_game_lm._policies import POLICIES, fit
from emergelab.studies.societies.donor_game_lm._prompts import WORDINGS
from emergelab.views import Agents

WORDS = tuple(f"model-{w}" for w in WORDINGS)


def reciprocator(request: Request) -> str:
    """Gives what the recipient gave last, 70 to strangers; a bad answer now and then, which it corrects."""
    text = as_text(request)
    if "begins with: My" in " ".join(text.split()):
        return f"My strategy will be to return gifts, says {request.address.agent}."
    if "cannot be used" not in text and request.address.rng().random() < 0.05:
        return "between 20 and 40"
    heard = re.findall(r"(\d+) %", text.rpartition("user:")[2])
    return f"I give {10 * round(int(heard[0]) / 10) if heard else 70}."


def grow(out: Path, lm: Any = None, **kwargs: Any) -> el.Run:
    settings: dict[str, Any] = {"seeds": 2, "progress": False} | kwargs
    return study.run("tiny", out=out, lm=lm, **settings)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return grow(tmp_path_factory.mktemp("donor-lm") / "run", Scripted(reciprocator))


def test_a_table_of_strategies_gives_the_same_states_in_both_faces(tmp_path: Path) -> None:
    base: dict[str, Any] = {"agents": 6, "sigma": 0.1, "tolerance": 0.3}
    options: dict[str, Any] = {
        "steps": 3,
        "seeds": 2,
        "progress": False,
        "conditions": {m: {"mechanism": m} for m in ("none", "costly punishment", "partner choice")},
    }
    numeric = el.run(DonorGame(grid=0.1, **base), out=tmp_path / "numeric", **options).data.load()
    asked = el.run(DonorGameLM(policy="theta", **base), out=tmp_path / "asked", **options)
    for name in (
        "giving", "g1", "resources", "gini", "punish_rate", "slope", "second_slope", "selection", "transmission"
    ):  # fmt: skip
        # The same functions, but compiled together in one face and one by one in the other: equal up to rounding.
        np.testing.assert_allclose(asked.data[name].values, numeric[name].values, rtol=2e-4, atol=2e-6, err_msg=name)
    assert (numeric["punish_rate"].sel(condition=["costly punishment", "partner choice"], time=1) > 0).any()
    for block, state in enumerate(_states(asked)):
        there = numeric.isel(condition=block // 2, seed=block % 2, time=-1)
        theta = np.mean([a["theta"] for a in state["agents"]], axis=0)
        np.testing.assert_allclose(theta, there["strategy"].values, atol=1e-6)
        assert np.mean(state["gave"]) == pytest.approx(float(there["giving"]), abs=1e-6)


def _states(run: el.Run) -> list[Any]:
    """The last states of all seeds of all conditions, out of the checkpoints."""
    store, blocks = Store(run.place), len(run.info["conditions"]) * len(run.info["seeds"])
    return [json.loads(store.read_checkpoint(i)[0][0].tobytes().decode()) for i in range(blocks)]


def test_rules_do_what_their_names_say(tiny: Any) -> None:
    end = tiny.data.isel(time=-1)
    assert (end["giving"].sel(condition="all-C") == 1).all()
    assert (end["giving"].sel(condition="all-D") == 0).all()
    assert (end["resources"].sel(condition="all-D") == 10).all()
    np.testing.assert_allclose(end["read_first"].sel(condition="copy-gossip"), 1.0, atol=1e-6)
    np.testing.assert_allclose(end["read_first"].sel(condition=list(WORDS)), 1.0, atol=0.35)  # some were repaired
    np.testing.assert_allclose(tiny.data["slope"].sel(condition="copy-gossip", time=1), 1.0, atol=1e-4)
    assert 0.2 < float(end["giving"].sel(condition="random").mean()) < 0.8
    assert not tiny.failed and not tiny.diverged


def test_the_model_is_told_what_it_needs(tiny: Any) -> None:
    ledger = Ledger(tiny)
    assert {c.condition for c in ledger} == set(WORDS)
    for wording, name in zip(WORDINGS, WORDS, strict=True):
        own = [d for d in ledger.decisions if d["condition"] == name and d["seed"] == 0]
        kinds = [d["template"].rpartition("/")[2] for d in own]
        assert {k: kinds.count(k) for k in set(kinds)} == {"strategy": 9, "probe": 54, "donation": 72}
        assert {d["template"].partition("/")[0] for d in own} == {"strategy", wording}
        later = [c for c in ledger.calls if c.condition == name and c.time == 1]
        told = [str(c.request["prompt"]) for c in later if c.agent.startswith("2_")]
        assert any("return gifts, says 1_" in t for t in told), "survivors' strategies are passed on as advice"
        assert not any(re.search(r"\{\w*\}", t) for t in told), "a template was left unfilled"
    donations = [d for d in ledger.decisions if d["template"].endswith("/donation")]
    assert {len(d["observation"]["gossip"]) for d in donations} == {0, 1, 2, 3}
    assert all(d["value"] % 10 == 0 and 0 <= d["value"] <= 100 for d in donations)


def test_gossip_is_what_was_given(tiny: Any) -> None:
    decisions = [d for d in Ledger(tiny).decisions if d["condition"] == "random" and d["seed"] == 1 and d["time"] == 0]
    given = [d["value"] for d in decisions if d["template"].endswith("/donation")]
    heard = {
        d["observation"]["gossip"][0] for d in decisions if d["observation"]["gossip"] and "probe" not in d["template"]
    }
    assert heard <= set(given)


def test_repairs_are_counted_and_nothing_falls_back(tiny: Any) -> None:
    end = tiny.data.isel(time=-1).sel(condition=list(WORDS))
    assert 0 < float(end["repair_rate"].mean()) < 0.2
    assert (end["fallback_rate"] == 0).all()


def test_punishing_and_refusing_are_asked_for_first(tmp_path: Path) -> None:
    def strict(request: Request) -> str:
        text = as_text(request).rpartition("user:")[2]
        if "exactly one of" in text:
            return "donate" if "0 %" not in text else text.rstrip(". ").split()[-1]
        return "My strategy will be to be strict." if "My strategy will be" in text[-30:] else "0"

    for mechanism in ("costly punishment", "partner choice"):
        made = grow(
            tmp_path / mechanism[:4], Scripted(strict), conditions=["model-plain", "image-scoring"], seeds=1,
            set={"mechanism": mechanism},
        )  # fmt: skip
        assert float(made.data["punish_rate"].sel(condition="model-plain").isel(time=-1)[0]) > 0.3
        values = {d["value"] for d in Ledger(made).decisions if d["template"].endswith("/choice")}
        assert values <= {"donate", "punish" if mechanism[0] == "c" else "refuse"} and len(values) == 2


def test_killed_resumed_and_replayed_equal_the_whole(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"conditions": ["model-brief"], "seeds": 1}
    whole = grow(tmp_path / "whole", Scripted(reciprocator), **chosen)
    with pytest.raises(BudgetExceeded):
        grow(tmp_path / "cut", Budget(Scripted(reciprocator), calls=120), **chosen)
    assert el.load(tmp_path / "cut").info["status"] == "interrupted"
    resumed = el.resume(tmp_path / "cut", lm=Scripted(reciprocator), progress=False)
    assert Ledger(resumed).digests == Ledger(whole).digests
    assert len(Ledger(whole).digests) == 2
    for name in whole.data:
        np.testing.assert_array_equal(resumed.data[name], whole.data[name])
    assert replay(resumed, out=tmp_path / "again").same


def test_fractions_can_be_clamped(tmp_path: Path) -> None:
    made = grow(
        tmp_path / "run", conditions=["random"], seeds=2, interventions=[el.Clamp("fraction", 0.3, during=(0, 1))]
    )
    np.testing.assert_allclose(made.data["giving"].sel(time=1), 0.3, atol=1e-6)
    assert (abs(made.data["giving"].sel(time=2) - 0.3) > 1e-3).all()


def test_probes_give_back_a_linear_strategy() -> None:
    theta = np.array([0.3, 0.5, 0.6, 0.2, 0.0, 0.5, 0.0, 0.0], np.float32)
    trace, known = rules.PROBES
    act = jax.jit(lambda theta, trace, known: rules.act(theta, trace, known, 3, 0))
    given = [float(act(theta[None], t[None], k[None])[1][0]) for t, k in zip(trace, known, strict=True)]
    np.testing.assert_allclose(fit(np.array(given)), [0.3, 0.5, 0.6, 0.2], atol=1e-6)


def test_a_run_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(el.UserError, match="asks a language model and the run has none"):
        grow(tmp_path / "run", conditions=["model-plain"], seeds=1)
    with pytest.raises(el.UserError, match="'agents' must be even"):
        DonorGameLM(agents=5)
    assert set(POLICIES) - {"model"} <= set(study.conditions)


def test_study_at_its_smallest(tiny: Any) -> None:
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive"}
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]


def test_the_view_shows_who_gave_what_and_what_newborns_wrote(tiny: Any) -> None:
    view = study.view
    assert view is not None
    assert list(view.moments(tiny, WORDS[0], 1)) == [1, 2]
    first, second = (view.at(tiny, WORDS[0], 1, t) for t in (1, 2))
    for scene, time in ((first, 1), (second, 2)):
        agents = next(layer for layer in scene.layers if isinstance(layer, Agents))
        giving = float(tiny.data.giving.sel(condition=WORDS[0], seed=1, time=time))
        assert np.mean(agents.x) == pytest.approx(giving, abs=1e-3)
        assert np.sum(agents.kind) == len(agents.x) // 2  # half of them stay
        assert all(words.startswith("My strategy will be") for words in agents.state["strategy"])
    # All of the first generation are new, and half of the second.
    assert [len(s.messages) for s in (first, second)] == [6, 3]
    assert {who for who, _ in second.messages} <= {f"agent 2_{i}" for i in range(1, 7)}
    assert not view.at(tiny, "random", 1, 1).messages
