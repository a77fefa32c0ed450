"""Repeated games with a player that is asked: same rules as the numeric study, linked questions, resume and replay."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab.games import matrix
from emergelab.lm import Budget, BudgetExceeded, Ledger, Request, Scripted, replay
from emergelab.lm.scripted import as_text
from emergelab.studies.societies.repeated_games_lm import RepeatedGamesLM, study
from emergelab.studies.societies.repeated_games_lm._policies import POLICIES, RULES
from emergelab.studies.societies.repeated_games_lm._prompts import TOLD, WORDINGS
from emergelab.studies.societies.repeated_games_lm._system import LETTERS, PARTNERS, RIVALS

from . import matrix_oracle as oracle

MODEL = tuple(name for name in study.sizes["tiny"].conditions or () if name.startswith("model"))
TOLD_THAT = re.compile(r"(?:other player to choose|other will choose|other baker will bring) ([A-Z])")


def obedient(request: Request) -> str:
    """Does what it says that it expects of the other; else takes the option named first. Errs at first, at times."""
    text = as_text(request)
    options = re.findall(r"exactly one of: ([A-Z]), ([A-Z])", text)[-1]
    if "cannot be used" not in text and request.address.rng().random() < 0.1:
        return f"{options[0]} or {options[1]}"
    told = TOLD_THAT.findall(text)
    return f"I choose {told[-1] if told else options[0]}."


def grow(out: Path, lm: Any = None, **kwargs: Any) -> el.Run:
    return study.run("tiny", out=out, lm=lm, **({"seeds": 2, "progress": False} | kwargs))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return grow(tmp_path_factory.mktemp("repeated-lm") / "run", Scripted(obedient))


@pytest.mark.parametrize("policy", RULES)
def test_rules_play_as_in_the_numeric_study(tmp_path: Path, policy: str) -> None:
    """Against the plain version that the numeric study is held against, where nothing is left to chance."""
    system = RepeatedGamesLM(policy=policy, dilemmas=9, battles=6, ordinals=0, rounds=5)
    made = el.run(system, steps=5, every=5, seeds=1, out=tmp_path / "run", progress=False)
    known = {d["agent"]: d["observation"] for d in Ledger(made).decisions}  # the last of each
    assert len(known) == 15
    scores = []
    for agent, last in known.items():
        opponent = agent.partition(" with ")[2]
        if opponent == "win-stay":  # begins at random
            continue
        game = np.stack([np.array(last["own"]), np.array(last["other"])], axis=-1)
        mine, theirs = oracle.play(game, policy, opponent, 5)
        assert (last["mine"], last["theirs"]) == (mine[:4], theirs[:4]), agent
        if agent.startswith("dilemma"):
            scores.append(game[mine, theirs, 0].mean() / 10)
    end = made.data.isel(time=-1, seed=0, condition=0)
    assert float(end["dilemma_score"]) == pytest.approx(np.mean(scores))


def test_options_have_no_letter_or_place_of_their_own() -> None:
    system = RepeatedGamesLM(ordinals=1)
    states = [asyncio.run(system.init(seed)) for seed in range(60)]
    matches = [m for s in states for m in s["matches"]]
    assert all(len(set(m["names"])) == 2 and set(m["names"]) <= set(LETTERS) for m in matches)
    first = np.mean([m["first"] for m in matches])
    assert 0.4 < first < 0.6  # the seeds are fixed
    assert len({m["names"][0] for m in matches}) == len(LETTERS)
    assert len({m["game"] for m in matches}) > 40


@pytest.mark.parametrize("wording", WORDINGS)
@pytest.mark.parametrize("told", TOLD)
def test_prompts_say_what_is_known_and_nothing_is_left_unfilled(wording: str, told: str) -> None:
    own, other = matrix.DILEMMA[..., 0].tolist(), matrix.DILEMMA[..., 1].tolist()
    say = WORDINGS[wording].prompt
    plain = say(["G", "X"], 1, own, other, [0, 1], [1, 0], 10, told, 0.4, "move", None)
    text = "\n".join(turn.text for turn in plain)
    assert not re.search(r"[{}]", text)
    assert text.index("X") < text.index("G")  # move 1 is named first
    assert ("10" in plain[0].text) == (told != "may end") and ("40 %" in text) == (told == "may end")
    rules = [line for line in plain[1].text.splitlines() if not re.search(r"\d:|[Dd]ay \d|[Rr]ound \d", line)][:4]
    assert [sorted(map(int, re.findall(r"\b\d+\b", line))) for line in rules] == [[5, 5], [0, 10], [0, 10], [8, 8]]
    past = [line for line in plain[1].text.splitlines() if re.search(r"(?:Round|day) [12]", line)]
    assert len(past) == 2 and re.findall(r"\b[GX]\b", past[0]) == ["G", "X"]
    predicts = say(["G", "X"], 1, own, other, [], [], 10, told, 0.4, "prediction", None)[1].text
    thinks = say(["G", "X"], 1, own, other, [], [], 10, told, 0.4, "move", 0)[1].text
    assert TOLD_THAT.findall(thinks) == ["G"] and not TOLD_THAT.findall(predicts)
    assert len({predicts, thinks, say(["G", "X"], 1, own, other, [], [], 10, told, 0.4, "move", None)[1].text}) == 3


def test_a_prediction_is_asked_for_first_and_told_then(tiny: Any) -> None:
    decisions = Ledger(tiny).decisions
    own = [d for d in decisions if d["condition"] == "model-predict" and d["seed"] == 0]
    kinds = [d["template"].rpartition("/")[2] for d in own]
    assert {k: kinds.count(k) for k in set(kinds)} == {"prediction": 12, "move": 12}
    said = {(d["time"], d["agent"]): d["value"] for d in own if d["template"].endswith("/prediction")}
    for d in own:
        if d["template"].endswith("/move"):
            names = d["observation"]["names"]
            assert names[d["observation"]["predicted"]] == said[d["time"], d["agent"]]
            assert d["value"] == said[d["time"], d["agent"]]  # this model does what it expects of the other
    noise = [d for d in decisions if d["condition"] == "model-noise"]
    assert {d["template"].rpartition("/")[2] for d in noise} == {"move"}
    assert {d["observation"]["predicted"] for d in noise} == {0, 1}
    assert all(d["observation"]["predicted"] is None for d in decisions if d["condition"] == "model")


def test_what_is_on_record_is_what_was_known(tiny: Any) -> None:
    for d in Ledger(tiny).decisions:
        assert len(d["observation"]["mine"]) == len(d["observation"]["theirs"]) == d["time"]


def test_the_truth_lets_the_obedient_model_coordinate_always(tmp_path: Path) -> None:
    made = grow(tmp_path / "run", Scripted(obedient), conditions=["model-truth", "model-predict", "model-rescaled"])
    end = made.data.isel(time=-1)
    assert (end["coordination"].sel(condition="model-truth") == 1).all()
    assert (end["defection"].sel(condition="model-truth") == 0.25).all()  # as its rival, who defects once
    assert np.isnan(end["accuracy"].sel(condition="model-truth")).all()
    rescaled = [d["observation"] for d in Ledger(made).decisions if d["condition"] == "model-rescaled"]
    seen = {tuple(map(tuple, o["own"])) for o in rescaled if o["own"][1][0] == 34}
    assert seen == {((28.0, 4.0), (34.0, 19.0))}  # 3 u + 4
    assert (end["score"] <= 1).all()  # scores stay in the true unit


def test_rules_do_what_their_names_say(tiny: Any) -> None:
    end = tiny.data.isel(time=-1)
    assert (end["provoked"].sel(condition="grim") == 1).all() and (end["clean"].sel(condition="grim") == 0).all()
    assert (end["provoked"].sel(condition="tit-for-tat") == 0).all()
    assert (end["heeded"].sel(condition="predict") == 1).all()
    assert (end["first_named"].sel(condition="constant") == 1).all()
    assert (end["first_named"].sel(condition="model") == 1).all()
    assert (end["coordination"].sel(condition="maximax") == 0.5).all()
    np.testing.assert_array_equal(end["score"].sel(condition="model"), end["score"].sel(condition="constant"))
    assert 0 < float(end["repair_rate"].sel(condition=list(MODEL)).mean()) < 0.3
    assert (end["fallback_rate"].sel(condition=list(MODEL)) == 0).all()
    assert not tiny.failed and not tiny.diverged


def test_moves_and_predictions_can_be_clamped(tmp_path: Path) -> None:
    force = [el.Clamp("theirs", 1, during=(2, 3)), el.Clamp("prediction", 0)]
    made = grow(tmp_path / "run", conditions=["predict"], interventions=force)
    for d in Ledger(made).decisions:
        if d["template"].endswith("/move"):
            assert d["observation"]["predicted"] == 0
            assert d["time"] != 3 or d["observation"]["theirs"][2] == 1
    cut = grow(tmp_path / "mine", conditions=["random"], interventions=[el.Clamp("mine", 0)])
    assert (cut.data["defection"].isel(time=-1) == 0).all()


@pytest.mark.parametrize(("stakes", "favourite"), [("10-7", 0), ("9-8", 0), ("8-9", 1), ("7-10", 1)])
def test_who_insists_insists_on_what_pays_more(tmp_path: Path, stakes: str, favourite: int) -> None:
    """So does GPT-4 in the released games."""
    made = grow(tmp_path / "run", conditions=["maximax"], seeds=1, set={"stakes": stakes})
    moves = [d["observation"] for d in Ledger(made).decisions if d["agent"].startswith("battle")]
    assert moves[-1]["mine"] == [favourite] * 3
    assert max(map(max, moves[-1]["own"])) == max(matrix.STAKES[stakes])


def test_a_match_ends_after_its_rounds(tmp_path: Path) -> None:
    made = el.run(
        RepeatedGamesLM(policy="random", rounds=3, dilemmas=2, battles=1, ordinals=0),
        steps=5, seeds=2, out=tmp_path / "run", progress=False,
    )  # fmt: skip
    for name in ("score", "defection", "coordination"):
        after = made.data[name].sel(time=[3, 4, 5]).values
        assert (after == after[..., :1]).all()
    assert np.isnan(made.data["ordinal_score"]).all()
    assert len(Ledger(made).decisions) == 2 * 3 * 3


def test_killed_resumed_and_replayed_equal_the_whole(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"conditions": ["model-predict"], "seeds": 1}
    whole = grow(tmp_path / "whole", Scripted(obedient), **chosen)
    with pytest.raises(BudgetExceeded):
        grow(tmp_path / "cut", Budget(Scripted(obedient), calls=13), **chosen)
    resumed = el.resume(tmp_path / "cut", lm=Scripted(obedient), progress=False)
    assert Ledger(resumed).digests == Ledger(whole).digests and len(Ledger(whole).digests) == 4
    for name in whole.data:
        np.testing.assert_array_equal(resumed.data[name], whole.data[name])
    assert replay(resumed, out=tmp_path / "again").same


def test_bad_input_and_missing_models(tmp_path: Path) -> None:
    with pytest.raises(el.UserError, match="asks a language model and the run has none"):
        grow(tmp_path / "run", conditions=["model"], seeds=1)
    with pytest.raises(el.UserError, match=rf"'dilemmas' must be .*\[1, {len(RIVALS)}\], got 11"):
        RepeatedGamesLM(dilemmas=11)
    with pytest.raises(el.UserError, match="'think' must be one of 'no', 'predict', 'noise', 'truth', got 'twice'"):
        RepeatedGamesLM(think="twice")
    assert set(POLICIES) - {"model"} <= set(study.conditions) and len(PARTNERS) == 6


def test_study_at_its_smallest(tiny: Any) -> None:
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    untested = [c.text for c, v in zip(study.claims, verdicts, strict=True) if v["verdict"] == "untested"]
    assert untested == [c.text for c in study.claims if c.expect == "untested"]
    assert [f.name for f, _ in study.draw(tiny)] == [f.name for f in study.figures]
