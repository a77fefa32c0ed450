from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import emergelab as el
from emergelab.errors import UserError
from emergelab.lm import Budget, Cached, Endpoint, Human, Ledger, ModelError, Replay, Request, Scripted, Turn, open_lm
from emergelab.runs.provenance import changed, provenance

from .societies import Pair


def test_a_person_answers_line_by_line(tmp_path: Path) -> None:
    said, shown = io.StringIO("cooperate\nwell...\ndefect\n"), io.StringIO()
    made = el.run(Pair(), conditions={"me": {"policy": "model"}}, seeds=1, steps=1, out=tmp_path / "run",
                  lm=Human(said, shown), progress=False)  # fmt: skip
    assert [d["value"] for d in Ledger(made).decisions] == ["cooperate", "defect"]
    assert [d["origin"] for d in Ledger(made).decisions] == ["model", "repair"]
    assert "[me · seed 0 · step 0 · agent 0]" in shown.getvalue()
    with pytest.raises(ModelError, match="nobody answers"):
        Human(io.StringIO(""), shown).complete([Request((Turn("user", "Hello"),))])


def test_models_by_one_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("httpx2")
    monkeypatch.setenv("EMERGELAB_LM_KEY", "sk-secret")
    lm = open_lm("http://127.0.0.1:9/v1#tiny")
    assert isinstance(lm, Endpoint)
    assert "sk-secret" not in json.dumps(lm.about())
    assert lm.about()["spec"] == "http://127.0.0.1:9/v1#tiny"
    assert isinstance(open_lm("human"), Human)
    wrapped = open_lm("human", cache=tmp_path / "a.sqlite", calls=3)
    assert isinstance(wrapped, Budget) and isinstance(wrapped.lm, Cached)
    assert wrapped.about() == open_lm("human").about()
    el.run(Pair(), seeds=1, steps=1, out=tmp_path / "run", lm=Scripted({}), progress=False)
    assert isinstance(open_lm(f"replay:{tmp_path / 'run'}"), Replay)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("smollm3", "no model 'smollm3'; it may be smollm2"),
        ("served:nowhere.gguf", "no file 'nowhere.gguf'"),
        ("http://127.0.0.1:9/v1", "name the model after a #"),
        ("http://me:pw@127.0.0.1/v1#m", "would end up in the run's record"),
        ("replay:nowhere", "nowhere"),
    ],
)
def test_a_word_that_is_no_model(spec: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        open_lm(spec)
    assert "\n" not in str(caught.value)


def test_what_changed_since_a_run_is_named() -> None:
    then = provenance()
    assert changed(then) == []
    then["versions"] = {**then["versions"], "numpy": "1.0", "gone": "2.0"}
    assert [line.partition(":")[0] for line in changed(then)] == ["gone", "numpy"]
