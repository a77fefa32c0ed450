"""A contract with llama.cpp's package: the same numbers as ours, valid JSON, one answer to one request."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab import assets
from emergelab.errors import UserError
from emergelab.lm import Address, Ledger, ModelError, Request, Served, Turn, choose, open_lm, replay
from emergelab.lm._gguf import Gguf
from emergelab.lm._tokenizer import Tokenizer

from .conftest import fetched
from .societies import Pair
from .texts import PROMPTS

GAME = (Turn("system", "You play a game."), Turn("user", "Bo cooperated. Do you cooperate or defect?"))


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    pytest.importorskip("tokenizers")
    pytest.importorskip("xllamacpp")
    fetched("smollm2")
    with Served("smollm2", slots=4, context=512) as model:
        yield model


def test_the_numbers_of_the_embedded_model(served: Served, reference: Any) -> None:
    """Those that the embedded model is held to, too: what transformers makes of the same weights."""
    assert served.scores and served.revision == assets.ASSETS["smollm2"].files[0].sha256[:16]
    file = assets.find("smollm2")
    pieces = Tokenizer.of_gguf(Gguf(file).fields, file)
    for name in ("france", "game"):
        top = [(pieces.piece(i), p) for i, p in reference["prompts"][name]["top"]]
        top = [(text, p) for text, p in top if "\ufffd" not in text and not text.startswith("<|")]
        (found,) = served.score([Request(PROMPTS[name])], [[text for text, _ in top]])
        # near, not equal: llama.cpp rounds to 8 bits what it multiplies by
        wanted = np.array([p for _, p in top])
        np.testing.assert_allclose(found, wanted, atol=0.6)
        np.testing.assert_allclose(np.exp(found), np.exp(wanted), atol=0.06)
    told = served.score([Request(PROMPTS["france"])], [[" Paris", " the", " London"]])
    np.testing.assert_allclose(told[0], [-0.2589, -2.7646, -4.2949], atol=1e-3)


def test_a_score_is_the_probability_of_an_answer(served: Served) -> None:
    for prompt in (GAME, PROMPTS["france"]):
        (answer,) = served.complete([Request(prompt, Address(agent="Ada"), max_tokens=2)])
        (told,) = served.score([Request(prompt)], [[answer.text]])
        assert told[0] == pytest.approx(answer.logprob, abs=1e-2)
        assert (answer.tokens_out, answer.ended) == (2, "length") and answer.tokens_in > 2
    (ended,) = served.complete([Request((Turn("user", "Say just one word: yes or no?"),), temperature=0)])
    assert (ended.text, ended.ended) == ("Yes.", "stop")
    assert ended.logprob == pytest.approx(-1.190 - 0.410, abs=1e-2)


def test_sampling_is_from_the_models_own_distribution(served: Served) -> None:
    def said(n: int, **how: Any) -> list[str]:
        requests = [Request(PROMPTS["france"], Address(draw=i), 1, **how) for i in range(n)]
        return [a.text for a in served.complete(requests)]

    p, usual = np.exp(-0.2589), said(32)
    assert abs(usual.count(" Paris") / 32 - p) < 4 * np.sqrt(p * (1 - p) / 32)
    assert set(said(8, top_p=0.5)) == set(said(4, temperature=0.0)) == {" Paris"}
    assert len(set(said(8, temperature=100.0))) == 8, "no rule of llama.cpp's own keeps unlikely tokens out"


def test_an_answer_depends_on_its_request_alone(served: Served) -> None:
    requests = [Request(GAME, Address(seed=1, agent=str(i % 4)), max_tokens=6) for i in range(8)]
    together = served.complete(requests)
    assert together[:4] == together[4:]
    assert len({a.text for a in together}) >= 3, "agents differ"
    assert served.complete(requests[3:4]) == together[3:4]
    assert served.complete(requests[3::-1]) == together[3::-1]
    assert served.complete([]) == served.score([], []) == []


def test_a_schema_is_kept_to(served: Served) -> None:
    schema = {
        "type": "object",
        "properties": {"choice": {"type": "string", "enum": ["cooperate", "defect"]}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    for prompt in (GAME, "Bo cooperated. I "):
        (answer,) = served.complete([Request(prompt, max_tokens=48, schema=schema)])
        assert json.loads(answer.text)["choice"] in ("cooperate", "defect"), answer


def test_stop_texts_end_an_answer(served: Served) -> None:
    count = Request("1, 2, 3, 4, 5, 6, 7,", max_tokens=12, temperature=0, stop=(" 9", "zzz"))
    (stopped,) = served.complete([count])
    assert (stopped.text, stopped.ended) == (" 8,", "stop")
    (halved,) = served.complete([Request("\ud800 1, 2, 3,", max_tokens=1)])
    assert halved.tokens_out == 1


def test_choices_and_numbers(served: Served) -> None:
    (chosen,) = choose(served, [Request(GAME)], [["cooperate", "defect"]])
    assert sum(chosen.probabilities.values()) == pytest.approx(1.0)
    assert 0 < chosen.mass <= 1 and chosen.bias > 0
    (amount,) = choose(served, [Request("I give a number from 0 to 20. I give")], [["0", "10", "20"]], labels=False)
    assert sum(amount.probabilities.values()) == pytest.approx(1.0)


def test_what_it_cannot_do_is_one_line(served: Served) -> None:
    for request, says in ((Request("word " * 600), "exceeds the available context"), (Request(""), "empty prompt")):
        for ask in (served.complete, lambda r: served.score(r, [[" x"]])):
            with pytest.raises(ModelError, match=says) as caught:
                ask([request])
            assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="continuation is empty"):
        served.score([Request("a")], [["b", ""]])


def test_the_port_is_of_this_machine_and_locked(served: Served) -> None:
    httpx2 = pytest.importorskip("httpx2")
    url = f"http://127.0.0.1:{served._port}/v1/completions"
    with httpx2.Client(trust_env=False) as client:
        assert client.post(url, json={"prompt": "a"}, headers={"authorization": "Bearer no"}).status_code == 401
    assert served._key not in json.dumps(served.about())
    with socket.socket() as elsewhere:  # bound to no address but this one
        elsewhere.bind(("127.0.0.2", served._port))


def test_a_society_asks_it_and_replays_without_it(served: Served, tmp_path: Path) -> None:
    made = el.run(Pair(), conditions={"model": {"policy": "model"}}, seeds=1, steps=1, out=tmp_path / "run",
                  lm=served, progress=False)  # fmt: skip
    assert {d["origin"] for d in Ledger(made).decisions} == {"model"}
    assert made.info["lm"]["engine"].startswith("xllamacpp ")
    assert replay(made, out=tmp_path / "again", system=Pair).same


def test_it_closes_and_a_program_ends() -> None:
    pytest.importorskip("xllamacpp")
    fetched("smollm2")
    model = open_lm(f"served:{assets.find('smollm2')}")
    assert model.about()["spec"].startswith("served:")
    assert isinstance(model, Served)
    port = model._port
    model.close()
    model.close()
    with pytest.raises(ModelError, match="is closed"):
        model.complete([Request("a")])
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", port)) != 0
    code = (
        "from emergelab.lm import Request, Served\n"
        "model = Served('smollm2', slots=1, context=64)\n"
        "print(model.complete([Request('The capital of France is', max_tokens=1, temperature=0)])[0].text)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, " Paris\n", "")


def test_wrong_files_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.gguf").write_text("hello")
    (tmp_path / "half.gguf").write_bytes(b"GGUF" + bytes(40))
    for make, says in (
        (lambda: Served(tmp_path / "nowhere.gguf"), "no file"),
        (lambda: Served("minilm"), "is no language model"),
        (lambda: Served("smollm2", slots=0), "slots must be 1 or more"),
        (lambda: open_lm(f"served:{tmp_path}"), "no file"),
    ):
        with pytest.raises(UserError, match=says) as caught:
            make()
        assert "\n" not in str(caught.value)
    pytest.importorskip("xllamacpp")
    with pytest.raises(ModelError, match="is no GGUF file"):
        Served(tmp_path / "notes.gguf")
    with pytest.raises(ModelError, match="cannot load it"):
        Served(tmp_path / "half.gguf")


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(UserError, match=r"pip install 'emergelab\[lm-served\]'"):
        Served(tmp_path / "a.gguf")
