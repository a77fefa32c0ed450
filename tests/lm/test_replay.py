from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab.errors import UserError
from emergelab.lm import Ledger, Request, Scripted, fork, reask, replay

from .societies import Pair


def mirror(request: Request) -> str:
    for action in ("cooperate", "defect"):
        if f"played {action}" in str(request.prompt):
            return action
    return "cooperate"


def grow(out: Path, lm: Any, **kwargs: Any) -> el.Run:
    settings = {"conditions": {"model": {"policy": "model"}}, "seeds": 2, "steps": 6} | kwargs
    return el.run(Pair(), out=out, lm=lm, progress=False, **settings)


def states(run: el.Run, until: int) -> dict[Any, str]:
    return {k: v for k, v in Ledger(run).digests.items() if k[2] < until}


def test_replay_compares_every_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(tmp_path / "run", Scripted(mirror))
    found = replay(tmp_path / "run", out=tmp_path / "again")
    assert found.same
    assert found.states == 2 * 6
    assert found.run.info["parent"] == str(tmp_path / "run")

    before = Pair.step

    async def other(self: Pair, state: Any, context: Any) -> Any:
        new = await before(self, state, context)
        return {**new, "extra": 1} if context.time == 3 and context.seed == 1 else new

    monkeypatch.setattr(Pair, "step", other)
    changed = replay(tmp_path / "run", out=tmp_path / "changed")
    assert changed.first == ("model", 1, 3)


def test_a_run_without_a_model_is_replayed_as_well(tmp_path: Path) -> None:
    grow(tmp_path / "run", None, conditions={"random": {"policy": "random"}})
    assert replay(tmp_path / "run", out=tmp_path / "again").same


def test_reask_says_how_often_the_answer_is_the_same(tmp_path: Path) -> None:
    run = grow(tmp_path / "run", Scripted(mirror))
    assert reask(run, Scripted(mirror)).agreement == 1.0
    grim = reask(run, Scripted(lambda r: "defect" if r.address.time >= 3 else mirror(r)))
    assert grim.agreement == 0.5
    assert "50% of 24 answers" in grim.explain()
    assert len(reask(run, Scripted(mirror), most=5).table) == 5
    scored = grow(tmp_path / "scored", Scripted(lambda r: "", lambda r, c: 0.0))
    tilted = reask(scored, Scripted(lambda r: "", lambda r, c: float(c.strip() in "JFQ")))
    assert tilted.table["distance"].between(0, 0.25).all()
    assert tilted.table["distance"].max() > 0.2


def test_a_fork_keeps_the_past_and_changes_one_thing(tmp_path: Path) -> None:
    run = grow(tmp_path / "run", Scripted(mirror))
    assert (run.data["cooperation"].isel(time=slice(1, None)) == 1).all()

    other = fork(run, 3, parameters={"policy": "random"}, out=tmp_path / "policy")
    assert states(other, 3) == states(run, 3)
    assert other.info["switch"]["at"] == 3
    np.testing.assert_array_equal(other.data["cooperation"].values[..., :4], run.data["cooperation"].values[..., :4])
    assert Ledger(other).digests != Ledger(run).digests

    told = fork(run, 3, lm=Scripted(mirror), say={"agent 0": "defect"}, out=tmp_path / "message")
    assert states(told, 3) == states(run, 3)
    np.testing.assert_array_equal(told.data["cooperation"].values[0, 0, 1:], [1, 1, 1, 0.5, 0.5, 0.5])

    belief = fork(run, 3, lm=Scripted(mirror), state={"last/0": "defect"}, out=tmp_path / "belief")
    np.testing.assert_array_equal(belief.data["cooperation"].values[0, 1, 1:], [1, 1, 1, 0.5, 0.5, 0.5])

    same = fork(run, 3, lm=Scripted(mirror), out=tmp_path / "same")
    assert Ledger(same).digests == Ledger(run).digests


def test_a_fork_is_resumed_and_replayed_like_any_run(tmp_path: Path) -> None:
    run = grow(tmp_path / "run", Scripted(mirror))
    told = fork(run, 2, lm=Scripted(mirror), say={"agent 1": "defect"}, out=tmp_path / "fork")
    assert replay(told, out=tmp_path / "again").same


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"at": 6}, "at must be below the number of steps"),
        ({"at": -1}, "at must be a step"),
        ({"at": 2, "parameters": {"polcy": "random"}}, "did you mean 'policy'"),
        ({"at": 2, "parameters": {"policy": "greedy"}}, "policy"),
        ({"at": 2, "state": {"last/7": "defect"}}, "no 'last/7' in the state; last has 2 entries"),
        ({"at": 2, "state": {"first": 1}}, "the state has last, tally"),
        ({"at": 2, "state": {"last/0/x": 1}}, "last/0 has no parts"),
        ({"at": 2, "state": {"last/0": {1, 2}}}, "must be JSON"),
        ({"at": 2}, "asks a language model and there is none; give lm"),
        ({"at": 2, "conditions": ["modle"]}, "did you mean 'model'"),
    ],
)
def test_a_fork_that_cannot_be_made_is_one_line(tmp_path: Path, kwargs: dict[str, Any], says: str) -> None:
    run = grow(tmp_path / "run", Scripted(mirror), seeds=1)
    with pytest.raises(UserError, match=says) as caught:
        fork(run, out=tmp_path / "fork", **kwargs)
    assert "\n" not in str(caught.value)


def test_a_pure_system_has_neither_model_nor_switch(tmp_path: Path) -> None:
    from ..engine.systems import Drift

    with pytest.raises(UserError, match="for a HostSystem"):
        el.run(Drift(), steps=2, seeds=1, out=tmp_path / "run", lm=Scripted(mirror), progress=False)
    made = el.run(Drift(), steps=4, seeds=2, out=tmp_path / "run", progress=False)
    again = el.rerun(tmp_path / "run", out=tmp_path / "again", progress=False)
    for name in made.data:
        np.testing.assert_array_equal(made.data[name], again.data[name])
    with pytest.raises(UserError, match="no states on record"):
        replay(made)
