"""What a run will ask of its model is what it then asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab import cli
from emergelab.errors import UserError
from emergelab.lm import Address, Amount, Choice, Ledger, Ranking, Replay, Request, Scripted
from emergelab.lm.planning import _anything, expect, told

from .societies import Pair

WRITES = Scripted(lambda r: "cooperate")
SCORES = Scripted({}, lambda r, c: -1.0)


def study(steps: int = 5) -> el.Study:
    sizes = {n: el.Size(steps=steps, every=steps, seeds=3) for n in ("tiny", "quick")}
    conditions = {"random": {"policy": "random"}, "model": {"policy": "model"}}
    return el.Study(slug="pairs", family="societies", system=Pair, conditions=conditions, sizes=sizes,
                    page="Pairs", lm=True)  # fmt: skip


@pytest.mark.parametrize("lm", [WRITES, SCORES])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_expected_is_what_is_asked(lm: Scripted, steps: int, tmp_path: Path) -> None:
    found = expect(study(steps), lm, "tiny")
    made = study(steps).run("tiny", out=tmp_path / "run", lm=lm, progress=False)
    assert found.total == len(Ledger(made)) == found.calls["model"]
    assert found.calls["random"] == 0
    assert expect(study(steps), lm, "tiny", seeds=[7, 9]).total * 3 == found.total * 2


def test_in_words_and_against_what_is_granted() -> None:
    found = expect(study(), WRITES, "quick", conditions=["model"], set={"policy": "model"})
    assert found.explain() == "about 30 calls of the model for 3 seeds, 5 steps"
    found.within(30)
    with pytest.raises(UserError, match="more than the 29 that --lm-calls grants"):
        found.within(29)
    both = expect(study(), WRITES, "quick", set={"policy": "model"})
    assert both.explain().endswith("(random 30, model 30)")


def test_where_there_is_nothing_to_say(tmp_path: Path) -> None:
    made = study(1).run("tiny", out=tmp_path / "run", lm=WRITES, progress=False)
    assert told(study(), Replay(made), "tiny", 1, False) == told(study(), None, "tiny", None, False) == ""
    assert told(study(), WRITES, "tiny", None, False) == "", "a model on this machine, and no limit"
    remote = Scripted(lambda r: "cooperate")
    remote.batches = 8
    assert told(study(), remote, "tiny", None, False).startswith("about 30 calls")

    class Broken(Pair):
        async def step(self, state: Any, context: Any) -> Any:
            raise RuntimeError("no")

    broken = study()
    broken.system = Broken
    assert "cannot be told beforehand: the rehearsal failed (RuntimeError: no)" in told(
        broken, WRITES, "tiny", 1, False
    )


def test_the_command_line_says_it_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("emergelab.catalogue.find", lambda slug: study())
    monkeypatch.setattr("emergelab.lm.opening._open", lambda spec: Scripted(lambda r: "cooperate"))

    def call(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["emergelab", *words, "--lm", "scripted"])
        with pytest.raises(SystemExit) as done:
            cli.main()
        return int(done.value.code or 0)

    assert call("run", "pairs", "--out", str(tmp_path / "a"), "--lm-calls", "30") == 0
    assert "pairs: about 30 calls of the model for 3 seeds, 5 steps\n" in capsys.readouterr().err
    for verb in ("run", "verify"):
        assert call(verb, "pairs", "--out", str(tmp_path / "b"), "--lm-calls", "20") == 2
        assert "more than the 20 that --lm-calls grants" in capsys.readouterr().err
        assert not (tmp_path / "b").exists()
    assert call("run", "pairs", "--out", str(tmp_path / "c"), "--lm-calls", "20", "--lm-anyway") == 2
    assert "of 20 calls are used" in capsys.readouterr().err
    assert el.load(tmp_path / "c").status == "interrupted"
    assert call("verify", "pairs", "--out", str(tmp_path / "d"), "--quiet") == 0
    assert "calls" not in capsys.readouterr().err


def test_answers_of_a_rehearsal_are_valid() -> None:
    for kind in (Choice(("a", "b")), Amount(2, 5), Amount(0, 10, 2), Ranking(("x", "y", "z"))):
        said = [_anything(Request("?", Address(draw=i), schema=kind.schema())) for i in range(20)]
        assert len({json.dumps(kind.parse(text)) for text in said}) > 1
    nested = {
        "$defs": {"Part": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 3}}}},
        "type": "object",
        "properties": {
            "part": {"$ref": "#/$defs/Part"}, "some": {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
            "one": {"anyOf": [{"const": 1}, {"type": "null"}]}, "text": {"type": "string"}, "none": {"type": "null"},
        },
    }  # fmt: skip
    wanted = {"part": {"n": 3}, "some": [True, True], "one": 1, "text": "Hm.", "none": None}
    assert json.loads(_anything(Request("?", schema=nested))) == wanted
    assert _anything(Request("?")) == "Hm."
    assert np.isfinite(json.loads(_anything(Request("?", schema={"type": "number"}))))
