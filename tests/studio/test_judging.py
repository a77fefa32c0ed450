"""The page that judges says what the verdicts on disk say, and marks a published number only where it is one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import emergelab as el

pytest.importorskip("panel")

from emergelab.studio import judging

VERDICT: dict[str, Any] = {
    "text": "it <grows>", "verdict": "supported", "direction": ">", "margin": 0.2, "unit": "1", "test": "level of x",
    "published": "0.5", "about": "half", "value": 0.6, "low": 0.5, "high": 0.7, "level": 0.95, "seeds": 8, "p": 0.001,
    "p_raw": 0.001, "method": "BCa", "reason": "", "note": "", "more_seeds": None, "by_seed": [0.6, None],
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("judging") / "run"
    return el.find("sorting").run("tiny", seeds=6, conditions=["bubble", "insertion"], out=out, progress=False)


def claim(test: Any, published: str) -> el.Claim:
    return el.Claim("c", test, ">", 0.1, published=published)


@pytest.mark.parametrize(
    "test, published, effect",
    [
        (el.level("x", "a"), "0.24", 0.24),
        (el.level("x", "a", value=0.2), "0.24 (fig. 3)", 0.04),
        (el.level("x", "a", value=42.5), "42.5 %", 0.0),
        (el.level("x", "a"), "35 %", 0.35),
        (el.proportion("x", "a", above=1.0, of=0.5), "0.75", 0.25),
        (el.level("x", "a"), "from 1 of 25 to 8", None),
        (el.level("x", "a"), "", None),
        (el.contrast("x", "a", "b"), "0.9", None),  # of one side, or the difference?
    ],
)
def test_a_published_number_is_marked_only_if_it_can_be_read(test: Any, published: str, effect: float | None) -> None:
    found = judging.published_effect(claim(test, published))
    assert found is None if effect is None else found == pytest.approx(effect)


def test_all_claims_share_one_axis_and_say_their_numbers() -> None:
    less = VERDICT | {"text": "it falls", "direction": "<", "verdict": "refuted", "value": 0.1, "low": 0.0, "high": 0.2}
    none = VERDICT | {"text": "nobody knows", "verdict": "untested", "value": None, "low": None, "high": None}
    plot = judging._plot([VERDICT, less, none], [0.5, None, None])
    assert plot.count('role="img"') == 3 and plot.count('class="published"') == 1
    assert "it &lt;grows&gt;" in plot and "<grows>" not in plot
    assert "0.60 [0.50, 0.70]; claimed above 0.2" in plot and "no estimate" in plot
    # Colour and word.
    assert '<span class="badge supported">supported</span>' in plot and '<g class="refuted">' in plot


def test_less_is_drawn_to_the_left_when_it_grows() -> None:
    row = judging._scaled(VERDICT | {"direction": "<", "value": 0.4}, None)
    assert row["value"] == pytest.approx(-2.0)
    assert judging._x(-2.0, -3, 3) < judging._x(0.0, -3, 3) < judging._x(1.0, -3, 3)


def test_a_run_is_judged_by_a_button(run: Any) -> None:
    study = el.find("sorting")
    button, _, shown = judging.judging(run, study)
    assert "claims wait for a verdict" in shown[0].object and "conditions that this run lacks" in shown[0].object
    assert judging._on_disk(run) == ([], "")

    async def press() -> None:
        button.clicks += 1
        while button.label != "Judge again":
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(press(), 60))
    found, wrong = judging._on_disk(run)
    assert not wrong and [v["text"] for v in found] == [c.text for c in study.claims]
    assert "inconclusive" in shown[0].object and "untested" in shown[0].object
    assert judging.judging(run, study)[0].label == "Judge again"


def test_damaged_verdicts_are_one_line(run: Any) -> None:
    run.place.write("verdicts.json", b"[{]")
    found, wrong = judging._on_disk(run)
    assert found == [] and "judge the run again" in wrong
    odd = [VERDICT | {"value": "high"}, VERDICT | {"published": 3}, VERDICT | {"verdict": "maybe"}, VERDICT | {"p": []}]
    for damaged in (b'{"text": 1}', b"[" * 100_000, *(json.dumps([v]).encode() for v in odd)):
        run.place.write("verdicts.json", damaged)
        found, wrong = judging._on_disk(run)
        assert found == [] and wrong.count("\n") == 0 and wrong
    run.place.write("verdicts.json", b'{"text": 1}')
    assert judging._on_disk(run)[0] == []


def test_without_a_study_there_is_nothing_to_judge(run: Any) -> None:
    assert "without a study" in judging.judging(run, None).object
