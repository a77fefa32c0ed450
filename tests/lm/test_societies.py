from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab.errors import RunError, UserError
from emergelab.lm import (
    LM,
    Budget,
    BudgetExceeded,
    Completion,
    Language,
    Ledger,
    ModelError,
    ModelFailure,
    Recorded,
    Replay,
    Request,
    Scripted,
    Shuffled,
)

from .societies import Pair

CONDITIONS = {"model": {"policy": "model"}}


def echo(request: Request) -> str:
    """Plays what the other played, with a seed's own first move."""
    text = str(request.prompt)
    for action in ("cooperate", "defect"):
        if f"played {action}" in text:
            return action
    return "cooperate" if request.address.rng().random() < 0.5 else "defect"


def grow(out: Path, lm: LM | None, steps: int = 6, **kwargs: Any) -> el.Run:
    return el.run(
        Pair(),
        conditions=kwargs.pop("conditions", CONDITIONS),
        seeds=kwargs.pop("seeds", 3),
        steps=steps,
        out=out,
        lm=lm,
        progress=False,
        **kwargs,
    )


def test_every_policy_plays_the_same_society(tmp_path: Path) -> None:
    conditions = {name: {"policy": name} for name in Pair.policies}
    made = grow(tmp_path / "run", Scripted(echo), conditions=conditions)
    shares = made.data["cooperation"].sel(time=slice(1, None)).mean(("seed", "time"))
    assert float(shares.sel(condition="always")) == 1.0
    assert float(shares.sel(condition="tit_for_tat")) == 1.0
    assert 0.2 < float(shares.sel(condition="random")) < 0.8
    ledger = Ledger(made)
    assert {c.condition for c in ledger} == {"model"}
    assert len(ledger) == 3 * 6 * 2
    assert {d["policy"] for d in ledger.decisions} == {"Random", "Constant", "Rule", "Language"}
    assert float(made.data["fallback_rate"].sel(condition="model").isel(time=-1).max()) == 0.0


def test_requests_of_all_seeds_go_as_one_batch(tmp_path: Path) -> None:
    sizes: list[int] = []

    class Counting(Scripted):
        def complete(self, requests: Sequence[Request]) -> list[Completion]:
            sizes.append(len(requests))
            return super().complete(requests)

    grow(tmp_path / "run", Counting(echo), seeds=8)
    assert max(sizes) == 16
    assert np.mean(sizes) > 8


def test_a_replay_needs_no_model_and_leads_to_the_same_states(tmp_path: Path) -> None:
    first = grow(tmp_path / "first", Scripted(echo))
    again = grow(tmp_path / "again", Replay(first))
    assert Ledger(first).digests == Ledger(again).digests
    assert len(Ledger(first).digests) == 3 * 6
    np.testing.assert_array_equal(first.data["cooperation"], again.data["cooperation"])


def test_a_replay_of_something_else_stops_at_the_first_difference(tmp_path: Path) -> None:
    first = grow(tmp_path / "first", Scripted(echo))
    with pytest.raises(ModelError, match=r"seed 0, step 6.*no such call"):
        grow(tmp_path / "longer", Replay(first), steps=8, seeds=1)

    class Reworded(Pair):
        async def step(self, state: Any, context: Any) -> Any:
            return await super().step({**state, "last": ["defect", "defect"]}, context)

    with pytest.raises(ModelError, match="differs from the one on record in prompt"):
        el.run(
            Reworded(), conditions=CONDITIONS, seeds=1, steps=2, out=tmp_path / "x", lm=Replay(first), progress=False
        )


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = grow(tmp_path / "whole", Scripted(echo))
    limited = Budget(Scripted(echo), calls=17)
    with pytest.raises(BudgetExceeded, match="grant more and resume"):
        grow(tmp_path / "cut", limited)
    assert el.load(tmp_path / "cut").info["status"] == "interrupted"
    with pytest.raises(RunError, match="begun with the language model 'scripted'"):
        el.resume(tmp_path / "cut", progress=False)
    resumed = el.resume(tmp_path / "cut", lm=Scripted(echo), progress=False, system=Pair)
    assert resumed.info["status"] == "finished"
    assert Ledger(resumed).digests == Ledger(whole).digests
    np.testing.assert_array_equal(resumed.data["cooperation"], whole.data["cooperation"])


def test_scored_choices_are_logged_and_replayed(tmp_path: Path) -> None:
    lm = Scripted(lambda r: "", lambda r, c: -float(len(str(r.prompt)) % 7) * (c.strip() < "L"))
    first = grow(tmp_path / "first", lm)
    calls = Ledger(first).calls
    assert {c.verb for c in calls} == {"score"}
    assert len(calls) == 3 * 6 * 2 * 2  # two orders each
    decision = Ledger(first).decisions[0]
    assert sum(decision["probabilities"].values()) == pytest.approx(1.0)
    again = grow(tmp_path / "again", Replay(first))
    assert Ledger(first).digests == Ledger(again).digests


def test_an_invalid_answer_is_sent_back_then_falls_back_and_is_counted(tmp_path: Path) -> None:
    def stubborn(request: Request) -> str:
        if "agent 0" in request.address.agent:
            return "both cooperate and defect"
        return "defect" if "cannot be used" in str(request.prompt) else "hm"

    made = grow(tmp_path / "run", Scripted(stubborn), steps=2, seeds=1)
    last = made.data.isel(time=-1, seed=0, condition=0)
    assert float(last["repair_rate"]) == 1.0
    assert float(last["fallback_rate"]) == 0.5
    by_origin = {d["agent"]: d for d in Ledger(made).decisions}
    assert by_origin["agent 0"]["origin"] == "fallback"
    assert len(by_origin["agent 0"]["answers"]) == 3
    assert by_origin["agent 1"]["origin"] == "repair"
    assert by_origin["agent 1"]["value"] == "defect"


def test_a_model_that_fails_marks_the_seed_and_keeps_its_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab.engine.host._PAUSE", 0.0)

    def broken(request: Request) -> str:
        if request.address.seed == 1 and request.address.time == 3:
            raise ModelFailure("connection reset")
        return echo(request)

    class OneByOne(Scripted):
        batches = 4

    made = grow(tmp_path / "run", OneByOne(broken), seeds=3, workers=1)
    failed = [json.loads(p) for k, p in zip(*(made.events.column(n).to_pylist() for n in ("kind", "payload")),
                                            strict=True) if k == "failed"]  # fmt: skip
    assert failed == [{"error": "ModelFailure: connection reset"}]
    assert len({d for d in Ledger(made).digests if d[1] == 1}) == 3
    assert len({d for d in Ledger(made).digests if d[1] == 2}) == 6
    assert np.isnan(made.data["cooperation"].sel(seed=1, condition="model").values[4:]).all()


def test_without_a_model_one_line_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"asks a language model and the run has none; give one with .*--lm"):
        grow(tmp_path / "run", None)


def test_recorded_and_shuffled_decisions_are_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = grow(tmp_path / "first", Scripted(echo), seeds=8, steps=10)
    ledger = Ledger(first)
    monkeypatch.setitem(Pair.policies, "model", Recorded(ledger))
    again = grow(tmp_path / "recorded", None, seeds=8, steps=10)
    assert {k: v for k, v in Ledger(again).digests.items() if k[2] == 0} == {
        k: v for k, v in ledger.digests.items() if k[2] == 0
    }
    np.testing.assert_array_equal(again.data["cooperation"], first.data["cooperation"])
    monkeypatch.setitem(Pair.policies, "model", Shuffled(ledger, "model"))
    mixed = Ledger(grow(tmp_path / "mixed", None, seeds=8, steps=10))
    share = np.mean([d["value"] == "cooperate" for d in ledger.decisions])
    dealt = [d["value"] == "cooperate" for d in mixed.decisions]
    assert abs(np.mean(dealt) - share) < 4 * np.sqrt(0.25 / len(dealt))
    follows = np.mean([d["value"] == d["observation"]["last"] for d in ledger.decisions if d["observation"]["last"]])
    lost = np.mean([d["value"] == d["observation"]["last"] for d in mixed.decisions if d["observation"]["last"]])
    assert follows == 1.0
    assert lost < 0.75


def test_a_language_policy_needs_a_prompt(tmp_path: Path) -> None:
    class Silent(Pair):
        async def step(self, state: Any, context: Any) -> Any:
            from emergelab.lm import Ask, Choice, decide

            await decide(Language(), [Ask("Bo", Choice(("a", "b")), "a")], context)
            return state

    with pytest.raises(UserError, match="no prompt"):
        el.run(Silent(), seeds=1, steps=1, out=tmp_path / "run", lm=Scripted(echo), progress=False)


def test_the_model_computes_in_a_thread_of_its_own(tmp_path: Path) -> None:
    names: set[str] = set()

    def answer(request: Request) -> str:
        names.add(threading.current_thread().name)
        return "defect"

    grow(tmp_path / "run", Scripted(answer), steps=1)
    assert threading.main_thread().name not in names
