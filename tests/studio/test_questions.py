"""Instruments answer on any observable, and files that are dropped are read within limits."""

from __future__ import annotations

import asyncio
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jaxtyping import Array, Float, PRNGKeyArray

import emergelab as el

pytest.importorskip("panel")
import panel as pn

from emergelab.report.questions import QUESTIONS
from emergelab.studio import pieces, questions


class Noise(el.System):
    """Noise around zero, and the same three times as large."""

    observables = (
        el.Observable("level", (), "1", "how high"),
        el.Observable("parts", ("part",), "1", "two of them"),
    )

    def init(self, key: PRNGKeyArray) -> Float[Array, ""]:
        return jax.random.normal(key, ()) * 0.01

    def step(self, state: Float[Array, ""], key: PRNGKeyArray) -> Float[Array, ""]:
        return 0.5 * state + 0.02 * jax.random.normal(key, ())

    def observe(self, state: Float[Array, ""], key: PRNGKeyArray) -> dict[str, Array]:
        return {"level": state, "parts": jnp.stack([state, 3.0 * state])}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("noise") / "run"
    return el.run(Noise(), steps=40, every=2, seeds=8, conditions={"a": {}, "b": {}}, out=out, progress=False)


def table() -> bytes:
    rng = np.random.default_rng(0)
    step = np.arange(0, 600, 10)
    rows = [(s, t, float(t > 300) + 0.05 * rng.normal()) for s in range(8) for t in step]
    return pd.DataFrame(rows, columns=["seed", "step", "score"]).to_csv(index=False).encode()


def test_further_dims_are_averaged_or_chosen(run: Any) -> None:
    mean = questions.curves_of(run.data, "parts")
    second = questions.curves_of(run.data, "parts", {"part": "1"})
    assert mean.dims == second.dims == ("condition", "seed", "time")
    level = run.data["level"].values
    np.testing.assert_allclose(mean.values, 2 * level, rtol=1e-5)
    np.testing.assert_allclose(second.values, 3 * level, rtol=1e-5)
    with pytest.raises(el.UserError, match="no place '7'"):
        questions.curves_of(run.data, "parts", {"part": "7"})


def test_an_instrument_answers_on_an_observable(run: Any) -> None:
    found = questions.answer(run, QUESTIONS["onset"], "level", conditions=["a"], draws=99)
    assert found.instrument == "onset" and found.n_seeds == 8
    shown = questions._shown(found, "level")[0].object
    assert found.verdict in shown and "data:image/png;base64," in shown and "It cannot see" in shown


def test_what_the_data_cannot_answer_is_said(run: Any) -> None:
    with pytest.raises(el.UserError, match="early_warning cannot be asked: it needs 50 records"):
        questions.answer(run, QUESTIONS["early_warning"], "level")


def test_the_page_has_a_picker_and_a_button_for_every_question(run: Any) -> None:
    page = questions.questions(run)
    buttons = [w.label for w in page.select(pn.widgets.Button)]
    assert buttons == [name.replace("_", " ") for name in QUESTIONS]
    observable = page.select(pn.widgets.Select)[0]
    assert set(observable.options) == {"level", "parts"}
    observable.value = "parts"
    assert "part" in [w.label for w in page.select(pn.widgets.Select)]


def test_a_dropped_table_is_measured() -> None:
    measured, page = questions.measure_upload("mine.csv", table(), {"time": None, "value": None}, draws=99)
    onset = next(r for r in measured.results if r.instrument == "onset")
    assert onset.verdict == "emerges" and page.lower().startswith(b"<!doctype html>")
    assert "mine.csv" in measured.title


@pytest.mark.parametrize(
    "name, held, said",
    [
        ("x.csv", b"0" * (questions.MOST_BYTES + 1), "at most 20 MB"),
        ("x.pkl", b"cos\nsystem\n", "expected one of"),
        ("../../etc/passwd", b"a", "expected one of"),
        ("x.csv", b"\x00\xff\x00", "x.csv"),
        ("x.csv", b"a,b\n1,2\n", "name it with --time"),
    ],
)
def test_a_file_that_cannot_be_taken_is_one_clear_line(name: str, held: bytes, said: str) -> None:
    with pytest.raises(el.UserError) as caught:
        questions.measure_upload(name, held, {})
    assert said in str(caught.value) and "/tmp" not in str(caught.value)


def test_a_path_in_a_name_is_not_followed() -> None:
    measured, _ = questions.measure_upload("C:\\data\\..\\mine.csv", table(), {}, draws=99)
    assert measured.title.endswith("in mine.csv")


def test_waiting_ends_in_a_result_or_in_one_line() -> None:
    place = pn.Column()
    assert asyncio.run(pieces.worked(lambda: 3, place, "adding")) == 3 and len(place) == 0

    def wrong() -> None:
        raise el.UserError("no <such> thing")

    assert asyncio.run(pieces.worked(wrong, place, "failing")) is None
    assert "no &lt;such&gt; thing" in place[0].object
    assert "ZeroDivisionError" in pieces.raised(ZeroDivisionError("division by zero"))
