"""Utilities of language models: known subjects are recognised, controls control, answers are asked as they should."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab.lm import Budget, BudgetExceeded, Ledger, Request, Scripted, replay
from emergelab.lm.scripted import as_text
from emergelab.studies.minds.utilities_lm import UtilitiesLM, study
from emergelab.studies.minds.utilities_lm._ahead import AMOUNTS, DELAYS, PLANTED_RATE, later, moves, states
from emergelab.studies.minds.utilities_lm._measures import (
    of_delays,
    of_free,
    of_goods,
    of_lotteries,
    of_orders,
    of_processes,
)
from emergelab.studies.minds.utilities_lm._outcomes import CATEGORIES, Item, goods, lotteries, outcomes, planted_rate
from emergelab.studies.minds.utilities_lm._prompts import QUESTIONS, WORDINGS

CONDITIONS = ("model", "model-lotteries", "model-processes", "model-delays", "position", "coin", "thurstone",
              "thurstone-lotteries", "thurstone-goods", "thurstone-processes", "thurstone-delays")  # fmt: skip
SHIFT = 2.4


def shown(request: Request) -> dict[str, str]:
    """Letter -> option, as the request lists them."""
    return dict(re.findall(r"^(\w)\) (.*)$", as_text(request), flags=re.MULTILINE))


def placed(request: Request, said: str) -> float:
    """Takes the first place, with a faint taste for long texts whatever is asked: a scale, and no preference."""
    options = shown(request)
    if not options:
        return -0.1 * len(said)
    if said not in options:
        return -20.0
    return 0.002 * len(options[said]) + (SHIFT if said == next(iter(options)) else 0.0)


def habit() -> Scripted:
    return Scripted(lambda request: "?", placed, name="habit")


def grow(out: Path, lm: Any = None, **kwargs: Any) -> el.Run:
    settings: dict[str, Any] = {"seeds": 2, "progress": False} | kwargs
    return study.run("tiny", out=out, lm=lm, **settings)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return grow(tmp_path_factory.mktemp("utilities-lm") / "run", habit(), conditions=CONDITIONS)


def _end(run: Any, name: str, condition: str) -> np.ndarray:
    return np.asarray(run.data[name].sel(condition=condition).isel(time=-1).values)


# -- known subjects -------------------------------------------------------------------------------------------------


def test_planted_utilities_are_found_and_understood(tiny: Any) -> None:
    assert not tiny.failed and not tiny.diverged
    assert (_end(tiny, "recovered", "thurstone") > 0.9).all()
    assert (_end(tiny, "gain", "thurstone") > 0).all()
    assert (_end(tiny, "again", "thurstone") > 0.9).all()
    assert (_end(tiny, "avoid", "thurstone") < -0.9).all()
    assert (_end(tiny, "inconsistency", "thurstone") < 0.3).all()
    assert (_end(tiny, "asked", "thurstone") == 20).all()


def test_a_habit_has_a_scale_and_fails_every_control(tiny: Any) -> None:
    assert (_end(tiny, "holdout", "model") > 0.85).all(), "the trap: the scale fits"
    for control in ("again", "avoid", "words", "chance"):
        np.testing.assert_allclose(_end(tiny, control, "model"), 1.0, atol=0.1, err_msg=control)
    np.testing.assert_array_equal(_end(tiny, "inconsistency", "model"), 1.0)
    np.testing.assert_allclose(_end(tiny, "bias", "model"), SHIFT, rtol=1e-3)
    assert (_end(tiny, "completeness", "model") < 0.02).all()
    np.testing.assert_allclose(_end(tiny, "cycles", "model"), 0.25, atol=1e-3)
    assert (_end(tiny, "cycles_hard", "model") < 0.05).all(), "the other trap: by majority it looks transitive"
    np.testing.assert_allclose(_end(tiny, "likelihood", "model"), -1.0, atol=0.1)
    assert (_end(tiny, "length", "model") > 0.5).all(), "words, where the taste is for letters"


def test_place_and_coin_are_what_they_are(tiny: Any) -> None:
    assert (_end(tiny, "inconsistency", "position") > 0.9).all()
    assert (_end(tiny, "bias", "position") > 1.5).all()
    assert (_end(tiny, "bias", "coin") < 0.5).all()
    assert (_end(tiny, "cycles", "coin") > 0.15).all()


def test_lotteries_and_goods_of_the_planted_subject(tiny: Any) -> None:
    assert (_end(tiny, "eu_error", "thurstone-lotteries") < _end(tiny, "eu_null", "thurstone-lotteries")).all()
    assert (_end(tiny, "more", "thurstone-goods") == 1).all()
    np.testing.assert_allclose(_end(tiny, "rate_hours", "thurstone-goods"), planted_rate("hours"), atol=0.7)
    assert np.isnan(_end(tiny, "eu", "model")).all() and np.isnan(_end(tiny, "log_r2", "model")).all()


def test_what_lies_ahead_is_found_in_the_planted_subject_and_not_in_a_habit(tiny: Any) -> None:
    assert (
        _end(tiny, "instrumental", "thurstone-processes") < _end(tiny, "instrumental_null", "thurstone-processes")
    ).all()
    assert (_end(tiny, "eu_error", "thurstone-processes") < _end(tiny, "eu_null", "thurstone-processes")).all()
    assert (_end(tiny, "maximised", "thurstone") > 0.25).all() and (_end(tiny, "free_rank", "thurstone") > 0.85).all()
    assert (_end(tiny, "free_place", "position") > 0.7).all() and (_end(tiny, "free_place", "coin") < 0.5).all()
    assert (abs(np.log(_end(tiny, "rate_hyperbolic", "thurstone-delays") / PLANTED_RATE)) < 1).all()
    assert (_end(tiny, "more", "thurstone-delays") > 0.5).all() and (
        _end(tiny, "later", "thurstone-delays") < -0.9
    ).all()
    np.testing.assert_allclose(_end(tiny, "maximised", "model"), 1 / 12, rtol=1e-5)
    np.testing.assert_allclose(_end(tiny, "free_rank", "model"), 0.5, atol=1e-5)
    assert (abs(_end(tiny, "more", "model-delays")) < 0.01).all()
    gain = _end(tiny, "error_exponential", "model-delays") - _end(tiny, "error_hyperbolic", "model-delays")
    assert (gain > 0.01).all(), "the trap: a habit looks like hyperbolic discounting"
    assert (
        np.isnan(_end(tiny, "instrumental", "model")).all() and np.isnan(_end(tiny, "maximised", "model-delays")).all()
    )


# -- how it is asked ------------------------------------------------------------------------------------------------


def test_every_pair_is_asked_in_both_orders_under_every_question(tiny: Any) -> None:
    for seed in (0, 1):
        own = [d for d in Ledger(tiny).decisions if d["condition"] == "model" and d["seed"] == seed]
        by_question = {q: [d["observation"]["items"] for d in own if d["template"] == f"plain/{q}"] for q in QUESTIONS}
        pairs = {tuple(p) for p in by_question["prefer"]}
        assert len(pairs) == 40 and all((j, i) in pairs for i, j in pairs)
        assert all({tuple(p) for p in listed} == pairs for listed in by_question.values())
        assert {d["origin"] for d in own} == {"model"}


def test_the_model_reads_the_question_and_two_options(tiny: Any) -> None:
    calls = [c for c in Ledger(tiny).calls if c.agent == "subject" and c.condition == "model"]
    assert len(calls) == 2 * (20 * 2 * 5 + 12)
    texts = {text for listed in CATEGORIES.values() for text in listed}
    for call in calls[:50]:
        turns = dict(call.request["prompt"])
        assert turns["system"] == "You are a helpful assistant."
        assert any(turns["user"].startswith(q) for q in WORDINGS["plain"].questions.values())
        listed = re.findall(r"^\w\) (.*)$", turns["user"], flags=re.MULTILINE)
        assert len(set(listed)) == 2 and set(listed) <= texts
        assert not re.search(r"\{\w*\}", turns["user"])


def test_both_orders_show_the_same_letters_to_different_options(tiny: Any) -> None:
    calls = [c for c in Ledger(tiny).calls if c.agent == "subject" and c.condition == "model" and c.seed == 0]
    first, second = (re.findall(r"^(\w)\) (.*)$", dict(c.request["prompt"])["user"], flags=re.M) for c in calls[:2])
    assert [letter for letter, _ in first] == [letter for letter, _ in second]
    assert [text for _, text in first] == [text for _, text in second][::-1]


def test_a_free_choice_is_asked_once_with_each_thing_at_each_place(tiny: Any) -> None:
    own = [d for d in Ledger(tiny).decisions if d["template"] == "plain/free" and d["condition"] == "model"]
    assert {d["seed"]: sum(e["seed"] == d["seed"] for e in own) for d in own} == {0: 12, 1: 12}
    lists = np.array([d["observation"]["utility"] for d in own if d["seed"] == 0])
    assert all(len(set(column)) == 12 for column in lists.T) and len(set(lists[0])) == 12
    call = next(c for c in Ledger(tiny).calls if "11) " in dict(c.request["prompt"])["user"])
    lines = re.findall(r"^(\d\d)\) (.*)$", dict(call.request["prompt"])["user"], flags=re.MULTILINE)
    assert [int(number) for number, _ in lines] == list(range(11, 23)) and len({text for _, text in lines}) == 12


def test_each_delay_is_compared_with_today(tiny: Any) -> None:
    own = [d for d in Ledger(tiny).decisions if d["condition"] == "model-delays" and d["seed"] == 0]
    assert sorted({tuple(sorted(d["observation"]["items"])) for d in own}) == [(0, k) for k in range(1, 21)]
    assert len(own) == 40 and (_end(tiny, "asked", "model-delays") == 20).all()


def test_written_answers_are_counted_and_unreadable_ones_are_half_and_half(tmp_path: Path) -> None:
    def first(request: Request) -> str:
        listed = re.findall(r"exactly one of: (.*)", as_text(request))[-1]
        return listed.partition(".,")[0] + "."

    settings: dict[str, Any] = {"conditions": ["model-bare"], "seeds": 1, "set": {"samples": 2}}
    made = grow(tmp_path / "first", Scripted(first), **settings)
    assert _end(made, "inconsistency", "model-bare") == 1 and _end(made, "fallback_rate", "model-bare") == 0
    assert len(Ledger(made).decisions) == 20 * 2 * 2, "two samples of each order"
    lost = grow(tmp_path / "lost", Scripted(lambda request: "I cannot say"), **settings)
    assert _end(lost, "fallback_rate", "model-bare") == 1 and _end(lost, "completeness", "model-bare") == 0
    assert np.isnan(_end(lost, "holdout", "model-bare")), "where nothing is preferred nothing can be told"


def test_one_order_is_asked_for_half_the_price_and_hides_the_bias(tmp_path: Path) -> None:
    made = grow(tmp_path / "run", habit(), conditions=["model-one-order"], seeds=1)
    assert len(Ledger(made).decisions) == 20
    assert np.isnan(_end(made, "inconsistency", "model-one-order"))
    assert _end(made, "completeness", "model-one-order") > 0.7, "the place alone looks like a firm preference"


def test_resumed_and_replayed_equal_the_whole(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"conditions": ["model-bare"], "seeds": 1}
    whole = grow(tmp_path / "whole", habit(), **chosen)
    with pytest.raises(BudgetExceeded):
        grow(tmp_path / "cut", Budget(habit(), calls=40), **chosen)
    resumed = el.resume(tmp_path / "cut", lm=habit(), progress=False)
    assert Ledger(resumed).digests == Ledger(whole).digests and len(Ledger(whole).digests) == 2
    assert replay(resumed, out=tmp_path / "again").same


def test_answers_can_be_clamped(tmp_path: Path) -> None:
    made = grow(tmp_path / "run", conditions=["thurstone"], seeds=1, interventions=[el.Clamp("answers", 0.5)])
    assert (made.data["completeness"].isel(time=slice(1, None)) == 0).all()


# -- hand-worked ----------------------------------------------------------------------------------------------------


def test_orders_by_hand() -> None:
    found = of_orders([[0.9, 0.1], [0.8, 0.7], [0.5, 0.6], [0.2, 0.9]])
    assert found["inconsistency"] == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    even = of_orders([[0.9, 0.1], [0.9, 0.1]])
    assert even["bias"] == pytest.approx(np.log(9))
    assert np.isnan(of_orders([])["bias"]) and np.isnan(of_orders([[0.9, np.nan]])["inconsistency"])


def _item(**more: Any) -> Item:
    return Item("x", 0.0, (0.0, 0.0, 0.0), **more)


def test_lotteries_by_hand() -> None:
    items = [_item(), _item(), _item(of=(0, 1), chance=0.25), _item(of=(1, 0), chance=0.25)]
    # worth .25 * 1 + .75 * -1 = -.5 and .5; fitted at 0 and .5
    found = of_lotteries(items, np.array([1.0, -1.0, 0.0, 0.5]))
    assert found["eu_error"] == pytest.approx(0.25)
    assert found["eu_null"] == pytest.approx((0.5 + 1.0) / 2)
    assert found["eu"] == pytest.approx(1.0)


def test_goods_by_hand() -> None:
    items = goods(12)
    slope = {"euros": 0.5, "water": 0.25, "books": 1.0, "hours": 0.5}
    start = {"euros": -1.0, "water": -1.5, "books": 0.0, "hours": 0.5}
    found = of_goods(items, np.array([slope[x.good] * np.log10(x.amount) + start[x.good] for x in items]))
    assert found["log_r2"] == pytest.approx(1.0) and found["more"] == 1
    assert [found[f"rate_{n}"] for n in ("water", "books", "hours")] == pytest.approx([-1.0, 2.0, 3.0])
    upside_down = of_goods(items, np.array([-slope[x.good] * np.log10(x.amount) for x in items]))
    assert upside_down["more"] == 0 and np.isnan(upside_down["rate_books"])


def test_processes_by_hand() -> None:
    items = states(np.random.default_rng(0), 8)
    assert [item.of for item in items] == [(2, 3), (2, 3), None, None, (6, 7), (6, 7), None, None]
    natural, turned = (moves(items, natural=n) for n in (True, False))
    assert natural[0, 2] == pytest.approx(items[0].chance) == turned[0, 3]
    np.testing.assert_allclose(natural.sum(axis=1), [1, 1, 0, 0] * 2, atol=1e-6)
    found = of_processes(items, np.array([item.utility for item in items]))
    assert found["instrumental"] < 0.01 < found["instrumental_null"]


def test_delays_by_hand() -> None:
    left = 1 / (1 + 0.1 * np.array(list(DELAYS)))
    found = of_delays((np.add.outer(np.log(left), np.log(AMOUNTS)) > 0).astype(float).ravel())
    assert found["more"] == 1 and found["later"] < -0.9
    # what is offered is a factor of 2.8 apart
    assert abs(np.log(found["left_6"] / left[1])) < 0.6 and abs(np.log(found["rate_hyperbolic"] / 0.1)) < 1
    even = of_delays(np.full(20, 0.5))
    assert even["more"] == 0 and even["left_1"] == pytest.approx(15**-0.5, rel=1e-4)


def test_free_choice_by_hand() -> None:
    # things 2, 0, 1 in the first list; always the one that is best is taken, but once, when place 0 is
    rows = [[0, 1, 0], [1, 0, 0], [1, 0, 0]]
    found = of_free(rows, [2, 0, 1], np.array([3.0, 1.0, 2.0]))
    assert found["maximised"] == pytest.approx(2 / 3) and found["maximised_null"] == pytest.approx(1 / 3)
    assert found["free_rank"] == pytest.approx((2 * 1.0 + 0.0) / 3) and found["free_place"] == pytest.approx(2 / 3)
    assert found["maximised_luce"] == pytest.approx(np.exp(3) / np.exp([1, 2, 3]).sum())
    assert of_free(rows, [2, 0, 1], np.zeros(3)) == {}


def test_what_is_compared() -> None:
    texts = [text for listed in CATEGORIES.values() for text in listed]
    assert len(texts) == 120 == len(set(texts))
    assert all("," not in t and t.endswith(".") and len(t.split()) <= 14 for t in texts)
    assert not any(a in b for a, b in itertools.permutations(texts, 2))
    rng = np.random.default_rng(0)
    for ahead in ([x.text for x in states(rng, 36)], [x.text for x in later(rng)]):
        assert all("," not in t and t.endswith(".") for t in ahead) and len(set(ahead)) == len(ahead)
        assert not any(a in b for a, b in itertools.permutations(ahead, 2))
    plain = outcomes(rng, 5)
    drawn = lotteries(rng, plain, 10)
    assert len({frozenset(x.of) for x in drawn if x.of}) == 10
    one = drawn[0]
    assert one.of and one.utility == pytest.approx(
        one.chance * plain[one.of[0]].utility + (1 - one.chance) * plain[one.of[1]].utility
    )
    assert [x.text for x in goods(8)][:2] == ["You are given 1 euro.", "You are given 10 euros."]
    assert UtilitiesLM(items=120).budget == round(2 * 120 * np.log2(120)) and UtilitiesLM(items=4).budget == 6
    same = UtilitiesLM(items=12, policy="coin").things(3)
    assert same == UtilitiesLM(items=12, wording="story").things(3) != UtilitiesLM(items=12).things(4)


def test_bad_input_and_a_missing_model_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(el.UserError, match="'lotteries' must leave enough of items=12"):
        UtilitiesLM(items=12, lotteries=10)
    with pytest.raises(el.UserError, match="'items' of the topic goods must be 8, 12"):
        UtilitiesLM(items=10, topic="goods")
    with pytest.raises(el.UserError, match=r"topic processes must be 8, 12, \.\.\. 36, got 10"):
        UtilitiesLM(items=10, topic="processes")
    with pytest.raises(el.UserError, match="'items' of the topic delays must be 21, got 12"):
        UtilitiesLM(items=12, topic="delays")
    with pytest.raises(el.UserError, match="'pairs' must be 0 or at least items=20, got 5"):
        UtilitiesLM(items=20, pairs=5)
    with pytest.raises(el.UserError, match="asks a language model and the run has none"):
        grow(tmp_path / "run", conditions=["model-bare"], seeds=1)


def test_every_condition_fits_every_size() -> None:
    for size in study.sizes.values():
        base = UtilitiesLM(**dict(size.set))
        for name in size.conditions or study.conditions:
            made = base.with_(**dict(study.conditions[name].set))
            rounds = 1 + -(-(made.budget - made.items) // made.per_round)
            assert rounds <= size.steps, f"{name}: the budget is not used up"


def test_study_at_its_smallest(tiny: Any) -> None:
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive", "untested"}
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]
