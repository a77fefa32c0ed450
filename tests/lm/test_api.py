"""Inspect's provider layer, with its own stand-in for a provider: nothing here asks the network."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab.errors import UserError
from emergelab.lm import Address, Inspect, Ledger, ModelError, ModelFailure, Replay, Request, Turn, choose, open_lm

from .societies import Pair

WHY = "inspect-ai is not installed (pip install 'emergelab[lm-api]')"
KEY = "sk-not-to-be-seen-0123456789"
HELLO = Request((Turn("system", "Be brief."), Turn("user", "Hello")), Address(seed=1, time=2, agent="Ada"))


def answers(say: Callable[..., Any], **how: Any) -> tuple[Inspect, list[Any]]:
    """A provider that answers `say(turns, config)`, and the configurations that it was asked under."""
    m = pytest.importorskip("inspect_ai.model", reason=WHY)
    seen: list[Any] = []

    def play(turns: list[Any], tools: Any, choice: Any, config: Any) -> Any:
        seen.append((turns, config))
        made = say(turns, config)
        if isinstance(made, str):
            made = m.ModelOutput.from_content("mockllm", made)
        if made.usage is None:  # else its tokens are counted with a table from the network
            made.usage = m.ModelUsage(input_tokens=3, output_tokens=2, total_tokens=5)
        return made

    return Inspect("mockllm/model", custom_outputs=play, **how), seen


def test_a_request_says_all_that_decides_the_answer() -> None:
    lm, seen = answers(lambda turns, config: "hi")
    schema = {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}
    asked = Request(HELLO.prompt, HELLO.address, max_tokens=7, temperature=0.5, top_p=0.9, stop=("\n",), schema=schema)
    (found,) = lm.complete([asked])
    assert (found.text, found.tokens_in, found.tokens_out, found.ended) == ("hi", 3, 2, "stop")
    assert np.isnan(found.logprob)
    turns, config = seen[0]
    assert [(t.role, t.text) for t in turns] == [("system", "Be brief."), ("user", "Hello")]
    assert (config.max_tokens, config.temperature, config.top_p, config.stop_seqs) == (7, 0.5, 0.9, ["\n"])
    assert config.response_schema.json_schema.model_dump(exclude_none=True) == schema
    assert lm.complete([]) == []
    lm.complete([Request("bare"), HELLO.at(agent="Bo"), HELLO.at(draw=1), HELLO])
    assert [(t.role, t.text) for t in seen[1][0]] == [("user", "bare")]
    assert len({config.seed for _, config in seen}) == 4, "one seed for each address"
    lm.close()
    with pytest.raises(ModelError, match="is closed"):
        lm.complete([HELLO])


def test_identical_prompts_of_two_agents_are_two_samples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INSPECT_CACHE_DIR", str(tmp_path))
    rng = np.random.default_rng(0)
    lm, seen = answers(lambda turns, config: str(rng.random()), cache=True)
    agents = [Request("Hello", Address(agent=a, draw=d)) for a in "ab" for d in range(2)]
    first = lm.complete(agents)
    assert len({a.text for a in first}) == 4
    assert [a.text for a in lm.complete(agents)] == [a.text for a in first]
    assert len(seen) == 4, "and the same sample is asked for once"


def test_letters_by_the_alternatives_of_the_first_token() -> None:
    def say(turns: Any, config: Any) -> Any:
        from inspect_ai.model import (
            ChatCompletionChoice,
            ChatMessageAssistant,
            Logprob,
            Logprobs,
            ModelOutput,
            TopLogprob,
        )

        lines = {line[3:]: line[0] for line in turns[-1].text.splitlines() if line[1:3] == ") "}
        top = [TopLogprob(token=t, logprob=p) for t, p in ((lines["cooperate"], -0.2), ("The", -3.0))]
        held = Logprobs(content=[Logprob(token="The", logprob=-3.0, top_logprobs=top)])
        message = ChatMessageAssistant(content="The")
        return ModelOutput(model="m", choices=[ChatCompletionChoice(message=message, logprobs=held)])

    lm, seen = answers(say, letters=True)
    (found,) = choose(lm, [HELLO], [["cooperate", "defect"]])
    assert found.probabilities["cooperate"] == pytest.approx(1 / (1 + np.exp(-2.8)))
    assert (seen[0][1].top_logprobs, seen[0][1].max_tokens) == (20, 1)
    (said,) = lm.complete([Request("Which?\nJ) cooperate")])
    assert said.logprob == pytest.approx(-3.0)
    with pytest.raises(ModelError, match="gives no log-probabilities"):
        choose(answers(lambda t, c: "x")[0], [HELLO], [["cooperate", "defect"]])
    with pytest.raises(ModelError, match="reports no log-probabilities"):
        choose(answers(lambda t, c: "x", letters=True)[0], [HELLO], [["cooperate", "defect"]])


def test_no_more_at_once_than_allowed() -> None:
    now, most, lock = [0], [0], threading.Lock()

    async def slow(turns: Any, tools: Any, choice: Any, config: Any) -> Any:
        from inspect_ai.model import ModelOutput, ModelUsage

        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        await asyncio.sleep(0.01)
        now[0] -= 1
        made = ModelOutput.from_content("mockllm", "x")
        made.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return made

    pytest.importorskip("inspect_ai.model", reason=WHY)
    Inspect("mockllm/model", custom_outputs=slow, concurrency=3).complete([HELLO] * 12)
    assert most[0] == 3


def test_a_provider_that_hangs_is_left() -> None:
    pytest.importorskip("inspect_ai.model", reason=WHY)

    async def hang(*_: Any) -> None:
        await asyncio.sleep(60)

    with pytest.raises(ModelFailure, match="AttemptTimeoutError"):
        Inspect("mockllm/model", custom_outputs=hang, timeout=0.5, tries=1).complete([HELLO])


class Refused(Exception):
    """What providers' own exceptions look like."""

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


def test_failures_that_may_pass_and_errors_that_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", KEY)
    for error, kind, says in (
        (TimeoutError("too\nslow"), ModelFailure, "TimeoutError: too slow"),
        (Refused("busy", 429), ModelFailure, "busy"),
        (Refused("down", 503), ModelFailure, "down"),
        (Refused(f"the key {KEY} is wrong", 401), ModelError, r"the key \[key\] is wrong"),
        (Refused("no such model", 404), ModelError, "no such model"),
    ):

        def say(turns: Any, config: Any, error: Exception = error) -> str:
            raise error

        with pytest.raises(kind, match=says) as caught:
            answers(say, tries=1)[0].complete([HELLO])
        assert KEY not in str(caught.value) and "\n" not in str(caught.value)


def test_a_society_through_a_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab.engine.host._PAUSE", 0.0)
    monkeypatch.setenv("SOME_API_KEY", KEY)

    def say(turns: Any, config: Any) -> str:
        if "Round 1. The other played defect" in turns[-1].text:
            raise Refused(f"overloaded, {KEY}", 529)
        return "cooperate" if config.seed % 2 else "defect"

    lm, _ = answers(say, tries=1)
    made = el.run(Pair(), conditions={"model": {"policy": "model"}}, seeds=6, steps=2, out=tmp_path / "run", lm=lm,
                  progress=False, retries=0)  # fmt: skip
    assert 0 < len(made.failed["model"]) < 6, "a failure costs the seed that met it"
    ledger = Ledger(made)
    again = el.run(Pair(), conditions={"model": {"policy": "model"}}, seeds=6, steps=1, out=tmp_path / "again",
                   lm=Replay(ledger), progress=False)  # fmt: skip
    assert all(ledger.digests[k] == v for k, v in Ledger(again).digests.items() if k in ledger.digests)
    assert made.info["lm"]["backend"] == "Inspect"
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()


def test_wrong_calls_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for make, says in (
        (lambda: Inspect("mockllm/model", concurrency=0), "concurrency"),
        (lambda: Inspect("mockllm/model", api_key="sk-1"), "keys are read from the environment"),
    ):
        with pytest.raises(UserError, match=says):
            make()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "inspect_ai", None)
        without.delitem(sys.modules, "inspect_ai.model", raising=False)
        with pytest.raises(UserError, match=r"pip install 'emergelab\[lm-api\]'"):
            open_lm("inspect:mockllm/model")
    pytest.importorskip("inspect_ai.model", reason=WHY)
    assert json.dumps(open_lm("inspect:mockllm/model").about()).count("mockllm/model") == 2
    for spec, says in (
        ("inspect:nowhere/model", "nowhere"),
        ("inspect:model", "provider>?/|api_name"),
        ("inspect:openai/gpt", "pip install openai|OPENAI_API_KEY"),
    ):
        with pytest.raises(UserError, match=says) as caught:
            open_lm(spec)
        assert "\n" not in str(caught.value)
