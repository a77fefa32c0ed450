"""A ledger as a log of Inspect: read back by our importer, and by Inspect itself where it is installed."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab import cli
from emergelab.errors import UserError
from emergelab.lm import Ledger, Scripted, to_inspect
from emergelab.runs.importers import open_data

from .societies import Pair


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    lm = Scripted(lambda r: "well..." if r.address.draw == 0 and r.address.seed == 1 else "cooperate", name="mixed")
    return el.run(
        Pair(), conditions={"always": {"policy": "always"}, "model/a": {"policy": "model"}}, seeds=[3, 1], steps=2,
        out=tmp_path_factory.mktemp("runs") / "written", lm=lm, progress=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Any:
    lm = Scripted({}, lambda r, c: -1.0 - ord(c[-1]) / 100, name="scored")
    return el.run(
        Pair(), conditions={"model": {"policy": "model"}}, seeds=2, steps=1,
        out=tmp_path_factory.mktemp("runs") / "scored", lm=lm, progress=False,
    )  # fmt: skip


@pytest.mark.parametrize("ending", [".eval", ".json"])
def test_our_importer_counts_what_the_ledger_counts(run: Any, tmp_path: Path, ending: str) -> None:
    ledger = Ledger(run)
    data = open_data(to_inspect(run, tmp_path / f"log{ending}")).data
    for what, held in (("calls", ledger.calls), ("decisions", ledger.decisions)):
        assert data[what].sum() == len(held)
    assert list(data["calls"].sel(item="model/a").values) == [4, 8], "seed 1 was asked twice each time"
    np.testing.assert_array_equal(data["repair_rate"].sel(item="model/a"), [0, 1])
    np.testing.assert_array_equal(data["cooperation"], run.data["cooperation"].isel(time=-1))


def test_events_hold_what_was_asked_and_answered(run: Any, scored: Any, tmp_path: Path) -> None:
    log = json.loads(to_inspect(run, tmp_path / "a.json").read_text())
    assert (log["status"], log["eval"]["task"], log["eval"]["model"]) == ("success", "Pair", "emergelab/mixed")
    (sample,) = [s for s in log["samples"] if s["metadata"] == {"condition": "model/a", "seed": 1}]
    assert (sample["id"], sample["epoch"]) == ("model/a", 2)
    calls = [e for e in sample["events"] if e["event"] == "model"]
    wanted = [c for c in Ledger(run) if c.seed == 1]
    assert [e["metadata"]["agent"] for e in calls] == [c.agent for c in wanted]
    assert [e["output"]["completion"] for e in calls] == [c.answer["text"] for c in wanted]
    assert calls[0]["input"] == [{"role": "user", "content": wanted[0].request["prompt"]}]
    assert calls[0]["config"]["max_tokens"] == 16 and "json_schema" in calls[0]["config"]["response_schema"]
    assert [e["data"]["value"] for e in sample["events"] if e["event"] == "info"] == ["cooperate"] * 4
    log = json.loads(to_inspect(scored, tmp_path / "b.json").read_text())
    first, call = log["samples"][0]["events"][0], Ledger(scored).calls[0]
    (held,) = first["output"]["choices"][0]["logprobs"]["content"]
    told = {t["token"]: t["logprob"] for t in held["top_logprobs"]}
    assert told == dict(zip(call.continuations, call.answer, strict=True))
    assert held["token"] == max(told, key=told.__getitem__) == first["output"]["completion"]


@pytest.mark.parametrize("ending", [".eval", ".json"])
def test_inspect_reads_it(run: Any, scored: Any, tmp_path: Path, ending: str) -> None:
    log = pytest.importorskip("inspect_ai.log", reason="inspect-ai is not installed (pip install 'emergelab[lm-api]')")
    for made in (run, scored):
        read = log.read_eval_log(str(to_inspect(made, tmp_path / f"{made.info['seeds'][0]}{ending}")))
        assert read.status == "success"
        events = [e for s in read.samples for e in s.events]
        assert sum(e.event == "model" for e in events) == len(Ledger(made))
        assert sum(e.event == "info" for e in events) == len(Ledger(made).decisions)
    assert len(log.read_eval_log_sample_summaries(str(tmp_path / f"3{ending}"))) == 4
    assert log.read_eval_log_sample(str(tmp_path / f"3{ending}"), "model/a", 2).metadata["seed"] == 1


def test_the_command(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def call(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["emergelab", "export", *words])
        with pytest.raises(SystemExit) as done:
            cli.main()
        return int(done.value.code or 0)

    assert call(run.path, str(tmp_path / "a.eval"), "--to", "inspect") == 0
    assert capsys.readouterr().out == f"log: {tmp_path / 'a.eval'}\n"
    assert "header.json" in zipfile.ZipFile(tmp_path / "a.eval").namelist()
    for words, says in (
        ((run.path, str(tmp_path / "a.eval")), "is there already"),
        ((run.path, str(tmp_path / "a.txt")), "ends in .eval or .json"),
        ((run.path, str(tmp_path / "b.eval"), "--to", "inspct"), "did you mean 'inspect'?"),
        ((str(tmp_path), str(tmp_path / "b.eval")), "emergelab: "),
    ):
        assert call(*words) == 2
        assert says in capsys.readouterr().err


def test_a_run_without_agents_has_nothing_to_export(tmp_path: Path) -> None:
    class Counter(el.HostSystem):
        observables = (el.Observable("n"),)

        async def init(self, seed: int) -> Any:
            return 0

        async def step(self, state: Any, context: Any) -> Any:
            return state + 1

        async def observe(self, state: Any, context: Any) -> Any:
            return {"n": state}

    made = el.run(Counter(), seeds=1, steps=1, out=tmp_path / "run", progress=False)
    with pytest.raises(UserError, match="nothing to export"):
        to_inspect(made, tmp_path / "a.json")
