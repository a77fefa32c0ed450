from __future__ import annotations

import json

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.lm import Amount, Ask, Choice, Invalid, Message, Ranking, Struct


class Gift(pydantic.BaseModel):
    to: str
    units: int = pydantic.Field(ge=0, le=10)


MOVE = Choice(("cooperate", "defect"))
SHARE = Amount(0, 100, step=10, unit="%")
ORDER = Ranking(("red", "red wine", "blue"))
GIFT = Struct(Gift)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (MOVE, "cooperate", "cooperate"),
        (MOVE, "  **Defect**.\n", "defect"),
        (MOVE, 'Sure! {"choice": "defect"}', "defect"),
        (MOVE, "I think I will cooperate here.", "cooperate"),
        (SHARE, "30", 30.0),
        (SHARE, "I give 30 %, yes 30", 30.0),
        (SHARE, '{"amount": 100}', 100.0),
        (Amount(0, 5000), "1,250.5 units", 1250.5),
        (Amount(-1, 1), "-0.25", -0.25),
        (ORDER, "blue, red wine, red", ["blue", "red wine", "red"]),
        (ORDER, '{"ranking": ["red", "blue", "red wine"]}', ["red", "blue", "red wine"]),
        (Message(), "  hello ", "hello"),
        (GIFT, 'Here: {"to": "Bo", "units": 3} as asked', {"to": "Bo", "units": 3}),
    ],
)
def test_what_an_answer_states(kind: object, text: str, value: object) -> None:
    assert kind.parse(text) == value  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (MOVE, "", "0 of the options"),
        (MOVE, "cooperate or defect", "2 of the options"),
        (MOVE, "uncooperative", "0 of the options"),
        (SHARE, "30 or 40", "2 different numbers"),
        (SHARE, "none", "0 different numbers"),
        (SHARE, "35", "grid"),
        (SHARE, "110", "outside 0 to 100"),
        (SHARE, '{"amount": true}', "0 different numbers"),
        (SHARE, "1e999", "not a number"),
        (ORDER, "blue, red", "exactly once"),
        (ORDER, "blue, red, red wine, blue", "exactly once"),
        (Message(), " \n", "empty"),
        (GIFT, "no object", "no JSON object"),
        (GIFT, '{"to": "Bo", "units": 30}', "units"),
        (GIFT, '{"to": "Bo"}', "units"),
    ],
)
def test_what_is_no_decision_says_why(kind: object, text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        kind.parse(text)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [MOVE, SHARE, ORDER, GIFT, Message(), Amount(0, 1)])
@given(text=st.text(max_size=200) | st.sampled_from(['{"choice":' * 500, "[" * 5000, "9" * 400, '{"amount": NaN}']))
def test_any_text_is_a_decision_or_invalid(kind: object, text: str) -> None:
    try:
        value = kind.parse(text)  # type: ignore[attr-defined]
    except Invalid as error:
        assert str(error)
    else:
        assert kind.check(value) == value  # type: ignore[attr-defined]
        json.dumps(value, allow_nan=False)


@given(
    low=st.integers(-50, 50),
    span=st.integers(1, 60),
    step=st.sampled_from([0.1, 0.25, 0.5, 1.0]),
    at=st.integers(0, 99),
)
def test_every_point_of_a_grid_is_read_back(low: int, span: int, step: float, at: int) -> None:
    kind = Amount(low, low + span, step=step)
    options = kind.options()
    if options:
        option = options[at % len(options)]
        assert kind.parse(option) == pytest.approx(float(option))


def test_schemas_accept_what_is_read() -> None:
    assert MOVE.schema()["properties"]["choice"]["enum"] == ["cooperate", "defect"]
    assert SHARE.schema()["properties"]["amount"]["enum"][-1] == 100.0
    assert GIFT.schema()["properties"]["units"]["maximum"] == 10
    assert Message().schema() is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Choice(("a",)), "two or more"),
        (lambda: Choice(("a", "A ")), "two or more different"),
        (lambda: Amount(1, 1), "low < high"),
        (lambda: Amount(0, 1, step=2), "step"),
        (lambda: Ranking(("x", "x")), "different"),
        (lambda: Ask("Bo", MOVE, fallback="nothing"), "fallback declared for Bo"),
    ],
)
def test_a_wrong_kind_is_refused_when_it_is_made(make: object, says: str) -> None:
    with pytest.raises(UserError, match=says):
        make()  # type: ignore[operator]
