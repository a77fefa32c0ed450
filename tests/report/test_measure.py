"""`measure`: asks what the data can answer, says what they cannot, compares files, reads logs of other tools."""

import html
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emergelab.errors import UserError
from emergelab.report.measure import measure
from emergelab.report.questions import QUESTIONS, chosen

LOGS = Path(__file__).parents[1] / "runs" / "importers" / "files"


def _table(path, jump, seeds=8, steps=60, **more):
    rng, step = np.random.default_rng(0), np.arange(1, steps + 1) * 10
    parts = []
    for seed in range(seeds):
        p = 1 / (1 + np.exp(-(step - jump - 20 * seed) / 8.0))
        score = np.clip(p + 0.03 * rng.standard_normal(steps), 0, 1)
        parts.append(pd.DataFrame({"step": step, "seed": seed, "acc": score, "nll": 3 * (1 - p) + 0.1, **more}))
    pd.concat(parts).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    path = _table(tmp_path_factory.mktemp("measure") / "a.csv", 200)
    return measure([path], value="acc", companion="nll", draws=199)


def test_every_question_that_the_data_can_answer_is_asked(asked):
    names = [r.instrument for r in asked.results]
    assert names == ["onset", "mirage", "change_points", "learning_curves", "early_warning", "order_parameters"]
    assert asked.results[0].verdict == "emerges"
    # what was not named was found, and said
    assert asked.read == ("a.csv: time is 'step', replicates are 'seed'",)
    assert any("another condition" in line for line in asked.unanswered)


def test_the_table_of_questions_names_tables_and_columns_that_exist(asked):
    for result in asked.results:
        for table, (heading, columns) in QUESTIONS[result.instrument].tables.items():
            assert heading and set(columns) <= set(result.to_frame(table).columns), (result.instrument, table)
    assert all(q.asks.endswith("?") and q.null and q.caption for q in QUESTIONS.values())


def test_instruments_are_held_against_each_other(asked):
    assert any(line.startswith("onset and change point: agree in") for line in asked.checks.words)
    assert any(line.startswith("mean and seeds") for line in asked.checks.words)
    told = asked.to_json()
    assert told["cross_checks"] == list(asked.checks.words) and len(told["results"]) == len(asked.results)


def test_the_report_is_one_page_with_every_figure(asked, tmp_path):
    text = Path(asked.write(tmp_path / "r.html")).read_text()
    assert text.count("data:image/png") >= len(asked.results) and "Do the instruments tell one story?" in text
    assert "http-equiv" in text and "<script" not in text
    first = html.unescape(text[: text.index("Figures")])
    for result in asked.results:
        question = QUESTIONS[result.instrument]
        assert question.asks in first and question.means[result.verdict] in first, "the answer before the figures"
    assert first.index('class="answers"') < text.index("In words")


def test_ask_narrows_and_says_what_it_does_not_know(tmp_path):
    path = _table(tmp_path / "a.csv", 200)
    only = measure([path], value="acc", ask=["change_points"], draws=99)
    assert [r.instrument for r in only.results] == ["change_points"] and only.checks.words == ()
    with pytest.raises(UserError, match="no question 'onsett'; did you mean 'onset'"):
        chosen(["onsett"])
    with pytest.raises(UserError, match="does not read curves but messages with their meanings"):
        chosen(["language_metrics"])
    with pytest.raises(UserError, match="nothing of what --ask names can be answered: mirage"):
        measure([path], value="acc", ask=["mirage"], draws=99)


def test_few_records_answer_few_questions(tmp_path):
    path = _table(tmp_path / "a.csv", 20, seeds=2, steps=5)
    said = measure([path], value="acc", draws=99)
    assert [r.instrument for r in said.results] == ["onset"]
    lines = " ".join(said.unanswered)
    assert "it needs 12 records a curve, there are 5" in lines and "name eight or more with --seed" in lines


def test_several_files_are_conditions_of_one_comparison(tmp_path):
    early, late = _table(tmp_path / "early.csv", 100), _table(tmp_path / "late.csv", 400)
    both = measure([early, late], value="acc", threshold=0.5, ask=["onset"], draws=499)
    assert both.results[0].verdict == "earlier"
    assert list(both.results[0].to_frame("conditions")["condition"]) == ["early", "late"]
    renamed = tmp_path / "other.csv"
    pd.read_csv(late).rename(columns={"acc": "score"}).drop(columns="nll").to_csv(renamed, index=False)
    with pytest.raises(UserError, match="which column is the score"):
        measure([early, renamed], ask=["onset"], draws=99)


def test_columns_are_found_only_where_one_fits(tmp_path):
    path = tmp_path / "t.csv"
    pd.DataFrame({"when": [1, 2, 3], "a": [0.1, 0.2, 0.3]}).to_csv(path, index=False)
    with pytest.raises(UserError, match="which column is the time"):
        measure([path])
    pd.DataFrame({"epoch": range(20), "a": np.arange(20.0), "b": np.arange(20.0)}).to_csv(path, index=False)
    with pytest.raises(UserError, match=r"which column is the score.*columns of numbers: a, b"):
        measure([path])


@pytest.mark.parametrize(
    ("log", "value"),
    [
        ("tensorboard", "eval/acc"), ("wandb.csv", None), ("mlruns", "val_acc"), ("lm_eval", "toy_sums/acc"),
        ("labelled.nc", None), ("labelled.zarr", "acc"), ("arviz.nc", "mu"),
    ],
)  # fmt: skip
def test_logs_of_other_tools_are_read(log, value):
    said = measure([LOGS / log], value=value, ask=["onset"], draws=99)
    assert said.results[0].instrument == "onset" and said.results[0].n_seeds >= 1


def test_a_log_without_time_has_no_curves():
    with pytest.raises(UserError, match="nothing in it lies along time"):
        measure([LOGS / "inspect"], ask=["onset"])
