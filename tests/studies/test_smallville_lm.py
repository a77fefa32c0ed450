"""The small town with agents that are asked: facts by rule, awareness in memory, interventions, resume and replay."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab.lm import Budget, BudgetExceeded, Ledger, Request, Scripted, replay
from emergelab.lm.memory import Memory, facts_in, hashed
from emergelab.lm.scripted import as_text
from emergelab.runs.store import Store
from emergelab.studies.societies.smallville_lm import SmallvilleLM, study
from emergelab.studies.societies.smallville_lm._conditions import RANDOM_RETRIEVAL, by_model
from emergelab.studies.societies.smallville_lm._policies import says_when
from emergelab.studies.societies.smallville_lm._prompts import WORDINGS
from emergelab.studies.societies.smallville_lm._town import ALIASES, FACTS, NAMES, PLACES, TEXTS
from emergelab.views import Agents

MODELS = (*by_model().values(), RANDOM_RETRIEVAL)
RULES = ("rules", "rules-no-talk", "rules-knock-out", "rules-mute-host", "rules-false-party", "constant", "oracle",
         "random")  # fmt: skip


def gossip(request: Request) -> str:
    """Talks always, tells what it can of the party and the candidacy; now and then an answer that is no decision."""
    text = as_text(request)
    last = text.rpartition("user:")[2]
    if "cannot be used" not in text and request.address.rng().random() < 0.03:
        return "{}" if "JSON" in last else ""
    if "one JSON object" in last:
        return '{"place": "market", "activity": "shopping"}'
    if "exactly one of: continue" in last:
        return "talk"
    if "one number" in last:
        return "8" if "party" in last or "mayor" in last else "2"
    if "exactly one of: yes" in last:
        return "yes" if "party at the" in last else "no"
    if "exactly one of" in last:
        return "café" if "party" in last or "Next place" in last or "Where will you be" in last else "market"
    told = [line[2:] for line in last.splitlines() if line.startswith("- ") and facts_in(line, ALIASES)]
    return told[0] if told else "Nice weather."


def grow(out: Path, lm: Any = None, **kwargs: Any) -> el.Run:
    settings: dict[str, Any] = {"seeds": 2, "progress": False} | kwargs
    return study.run("tiny", out=out, lm=lm, **settings)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return grow(tmp_path_factory.mktemp("smallville-lm") / "run", Scripted(gossip), conditions=(*MODELS, *RULES))


def _states(run: el.Run) -> dict[tuple[str, int], Any]:
    """Last states by condition and seed, out of the checkpoints."""
    store, seeds = Store(run.place), run.info["seeds"]
    names = list(run.info["conditions"])
    return {
        (c, s): json.loads(store.read_checkpoint(i * len(seeds) + j)[0][0].tobytes().decode())
        for i, c in enumerate(names)
        for j, s in enumerate(seeds)
    }


def _events(run: el.Run, kind: str) -> list[tuple[str, int, int, Any]]:
    table = run.events
    columns = [table.column(n).to_pylist() for n in ("condition", "seed", "time", "kind", "payload")]
    return [(c, s, t, json.loads(p)) for c, s, t, k, p in zip(*columns, strict=True) if k == kind]


def test_awareness_is_what_memories_say(tiny: Any) -> None:
    end = tiny.data.isel(time=-1)
    for (condition, seed), state in _states(tiny).items():
        for fact in FACTS:
            aware = np.mean([any(fact in n["facts"] for n in p["memory"]) for p in state["people"]])
            assert float(end[f"aware_{fact}"].sel(condition=condition, seed=seed)) == pytest.approx(aware)
        for person in state["people"]:
            ids = {n["id"] for n in person["memory"]}
            for node in person["memory"]:
                assert set(node["evidence"]) <= ids or condition == "rules-knock-out"
                if node["kind"] == "chat":  # facts are found by rule in what was said
                    assert tuple(node["facts"]) == facts_in(node["text"].partition(": ")[2], ALIASES)
                    assert node["text"].startswith(f"{node['source']} told me: ")
    assert not tiny.failed and not tiny.diverged


def test_what_is_said_is_heard(tiny: Any) -> None:
    said = _events(tiny, "said")
    states = _states(tiny)
    assert len(said) > 30
    for condition, seed, time, talk in said:
        listener = states[condition, seed]["people"][NAMES.index(talk["listener"])]
        kept = [n for n in listener["memory"] if n["kind"] == "chat" and n["time"] == time]
        gone = condition == "rules-knock-out" and "party" in talk["facts"]
        assert gone or any(n["text"] == f"{talk['speaker']} told me: {talk['text']}" for n in kept)


def test_policies_do_what_their_names_say(tiny: Any) -> None:
    end = tiny.data.isel(time=-1)
    assert (end["aware_party"].sel(condition=["constant", "rules-no-talk", "rules-mute-host"]) == 0.25).all()
    assert (end["talks"].sel(condition="rules-no-talk") == 0).all()
    assert (end["aware_party"].sel(condition="oracle") >= end["aware_party"].sel(condition="rules")).all()
    assert float(end["aware_party"].sel(condition="oracle").mean()) > 0.25
    assert (end["came_aware"].sel(condition="oracle").dropna("seed") == 1).all()
    assert (end["invented"].sel(condition=["rules", "random", "oracle"]).fillna(0) == 0).all()
    assert not [t for c, _, _, t in _events(tiny, "said") if c == "rules-mute-host" and t["speaker"] == "Ada"]
    np.testing.assert_allclose(tiny.data["aware_party"].sel(condition="rules-false-party", time=0), 0.5)
    assert {t["kind"] for (c, _), s in _states(tiny).items() for p in s["people"] for t in p["memory"]} <= {
        "event", "chat", "thought", "plan"
    }  # fmt: skip


def test_the_party_is_forgotten_by_others_than_the_host(tiny: Any) -> None:
    out = _events(tiny, "knockout")
    assert all(t["agent"] != "Ada" and t["memories"] > 0 and time == 1 for _, _, time, t in out)
    state = Memory.from_json(_states(tiny)["rules-knock-out", 0]["people"][0]["memory"], hashed)
    assert state.knows("party")


def test_the_model_is_told_what_comes_to_mind(tiny: Any) -> None:
    ledger = Ledger(tiny)
    assert {c.condition for c in ledger} == set(MODELS)
    for wording in WORDINGS:
        own = [d for d in ledger.decisions if d["condition"] == by_model()[wording]]
        assert {d["template"] for d in own} >= {f"{wording}/{q}" for q in ("plan", "meets", "says", "evening", "knows")}
        for decision in own:
            if decision["template"].endswith("/evening"):
                assert decision["value"] in (*PLACES, "home")
    prompts = [str(c.request["prompt"]) for c in ledger.calls]
    assert any(TEXTS["party"] in p for p in prompts)
    assert not any(re.search(r"\{\w*\}", p.replace("{}", "")) for p in prompts), "a template was left unfilled"
    for _, _, _, found in _events(tiny, "retrieval"):
        parts = np.array(found["parts"])
        assert len(found["ids"]) == len(parts) <= 3 and ((parts >= 0) & (parts <= 1)).all()


def test_repairs_are_counted_and_texts_rated_once(tiny: Any) -> None:
    end = tiny.data.isel(time=-1).sel(condition=list(MODELS))
    assert 0 < float(end["repair_rate"].mean()) < 0.2
    assert (end["fallback_rate"] < 0.05).all()
    asked = [(d["condition"], d["seed"], d["observation"]["text"]) for d in Ledger(tiny).decisions
             if d["template"].endswith("/rates")]  # fmt: skip
    assert len(asked) == len(set(asked)) > 0


def test_killed_resumed_and_replayed_equal_the_whole(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"conditions": ["model-brief"], "seeds": 1}
    whole = grow(tmp_path / "whole", Scripted(gossip), **chosen)
    with pytest.raises(BudgetExceeded):
        grow(tmp_path / "cut", Budget(Scripted(gossip), calls=15), **chosen)
    resumed = el.resume(tmp_path / "cut", lm=Scripted(gossip), progress=False)
    assert Ledger(resumed).digests == Ledger(whole).digests
    assert len(Ledger(whole).digests) == 4
    assert replay(resumed, out=tmp_path / "again").same


def test_places_and_importance_can_be_clamped(tmp_path: Path) -> None:
    run = grow(tmp_path / "run", conditions=["oracle"], seeds=2,
               interventions=[el.Clamp("place", 0), el.Clamp("importance", 4.0)])  # fmt: skip
    assert (run.data["meetings"].isel(time=-1) == 2 * 3).all()  # all four at the café in each of three hours
    for state in _states(run).values():
        heard = [n["importance"] for p in state["people"] for n in p["memory"] if n["kind"] == "chat"]
        assert heard and set(heard) == {4.0}
        assert all(n["text"].endswith("café.") for p in state["people"] for n in p["memory"] if "saw" in n["text"])


def test_plans_can_be_made_under_a_schema(tmp_path: Path) -> None:
    run = grow(tmp_path / "run", Scripted(gossip), conditions=["model-plain"], seeds=1, set={"planning": "struct"})
    plans = [d["value"] for d in Ledger(run).decisions if d["template"].endswith("/plan")]
    assert plans and {p["place"] for p in plans} <= {"market"}
    texts = [n["text"] for s in _states(run).values() for p in s["people"] for n in p["memory"] if n["kind"] == "plan"]
    assert texts and all("I plan to be at the market" in t for t in texts)


def test_times_are_found_in_words() -> None:
    assert says_when(TEXTS["party"]) and says_when("at 5 o'clock") and not says_when("a party at the café")


def test_bad_calls_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(el.UserError, match="asks a language model and the run has none"):
        grow(tmp_path / "run", conditions=["model-plain"], seeds=1)
    with pytest.raises(el.UserError, match=r"knockout must be below the number of people \(4\).*got 5"):
        SmallvilleLM(people=4, knockout=5)
    with pytest.raises(el.UserError, match="'wording' must be one of 'plain', 'brief', 'stage', got 'odd'"):
        SmallvilleLM(wording="odd")


def test_study_at_its_smallest(tiny: Any) -> None:
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive", "untested"}
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]


def test_the_view_tells_who_is_where_and_what_is_said(tiny: Any) -> None:
    view, name = study.view, MODELS[0]
    assert view is not None
    assert list(view.moments(tiny, name, 0)) == [int(t) for t in tiny.data.time.values[1:]]
    said = 0
    for time in view.moments(tiny, name, 0):
        scene = view.at(tiny, name, 0, time)
        people = next(layer for layer in scene.layers if isinstance(layer, Agents))
        assert set(people.state["is at"]) <= {*PLACES, "home"}
        share = float(tiny.data.aware_party.sel(condition=name, seed=0, time=time))
        assert np.mean(people.kind) == pytest.approx(share)
        said += len(scene.messages)
        assert all(who in NAMES and words.startswith("to ") for who, words in scene.messages)
    assert said > 0
    assert scene.title.startswith("17:00")
    silent = [view.at(tiny, "rules-no-talk", 0, t) for t in view.moments(tiny, "rules-no-talk", 0)]
    assert not any(s.messages for s in silent)
