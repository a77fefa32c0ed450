from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.lm import Address, ModelError, Request, Scripted, Turn, choose
from emergelab.lm.choice import LETTERS


def biased(taste: dict[str, float], place: list[float], letter: dict[str, float]) -> Scripted:
    """A model that likes options by taste, and places and letters for no reason."""

    def score(request: Request, continuation: str) -> float:
        text = request.prompt if isinstance(request.prompt, str) else request.prompt[-1].text
        lines = [line for line in text.splitlines() if line[1:3] == ") "]
        values = [taste[line[3:]] + place[i] + letter.get(line[0], 0.0) for i, line in enumerate(lines)]
        at = [line[0] for line in lines].index(continuation.strip())
        return values[at] - math.log(sum(math.exp(v) for v in values)) - 2.0  # most of the mass goes elsewhere

    return Scripted(lambda r: "", score)


@given(
    tastes=st.lists(st.floats(-3, 3), min_size=2, max_size=5),
    seed=st.integers(0, 100),
    first=st.floats(-5, 5),
    turns=st.booleans(),
)
def test_rotations_take_place_and_letter_out(tastes: list[float], seed: int, first: float, turns: bool) -> None:
    options = [f"option {i}" for i in range(len(tastes))]
    taste = dict(zip(options, tastes, strict=True))
    lm = biased(taste, [first, *([0.0] * len(tastes))], {letter: i / 3 for i, letter in enumerate(LETTERS)})
    prompt = (Turn("user", "Which?"),) if turns else "Which?"
    (found,) = choose(lm, [Request(prompt, Address(seed=seed))], [options])
    wanted = np.exp(tastes) / np.exp(tastes).sum()
    np.testing.assert_allclose(list(found.probabilities.values()), wanted, rtol=1e-6)
    assert found.mass == pytest.approx(math.exp(-2.0))


def test_one_order_leaves_the_bias_in() -> None:
    lm = biased({"yes": 0.0, "no": 0.0}, [3.0, 0.0], {})
    requests = [Request("Which?", Address(seed=s)) for s in range(40)]
    one = choose(lm, requests, [["yes", "no"]] * 40, rotations=1)
    both = choose(lm, requests, [["yes", "no"]] * 40)
    assert all(max(c.probabilities.values()) > 0.9 for c in one)
    assert {max(c.probabilities, key=c.probabilities.__getitem__) for c in one} == {"yes", "no"}  # as seeds show them
    assert all(c.probabilities["yes"] == pytest.approx(0.5) and c.bias == pytest.approx(1.5) for c in both)


def test_options_scored_by_their_own_text() -> None:
    lm = Scripted(lambda r: "", lambda r, c: -abs(float(c) - 30) / 10)
    (found,) = choose(lm, [Request("How much?")], [["10", "30", "50"]], labels=False)
    assert max(found.probabilities, key=found.probabilities.__getitem__) == "30"
    assert found.rotations.shape == (1, 3)
    assert found.bias == 0.0


def test_draws_follow_the_probabilities() -> None:
    (found,) = choose(Scripted(lambda r: "", lambda r, c: math.log(0.75 if c.strip() == "a" else 0.25)),
                      [Request("?")], [["a", "b"]], labels=False)  # fmt: skip
    rng = np.random.default_rng(0)
    share = np.mean([found.draw(rng) == "a" for _ in range(4000)])
    assert abs(share - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 4000)
    assert found.draw(rng, temperature=0) == "a"
    assert np.mean([found.draw(rng, temperature=0.25) == "a" for _ in range(400)]) > 0.95


@pytest.mark.parametrize(
    ("options", "kwargs", "says"),
    [
        (["a"], {}, "two or more"),
        (["a", "a"], {}, "different"),
        ([str(i) for i in range(13)], {}, "at most 12"),
        (["a", "b"], {"rotations": 0}, "rotations"),
    ],
)
def test_a_wrong_choice_is_refused(options: list[str], kwargs: dict[str, int], says: str) -> None:
    with pytest.raises(UserError, match=says):
        choose(Scripted(lambda r: "", lambda r, c: 0.0), [Request("?")], [options], **kwargs)  # type: ignore[arg-type]


def test_a_model_without_log_probabilities_says_so() -> None:
    with pytest.raises(ModelError, match="no log-probabilities"):
        choose(Scripted(lambda r: ""), [Request("?")], [["a", "b"]])
