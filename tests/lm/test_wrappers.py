from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from emergelab.errors import UserError
from emergelab.lm import (
    Address,
    Budget,
    BudgetExceeded,
    Cached,
    Completion,
    Limited,
    ModelError,
    ModelFailure,
    Request,
    Retried,
    Scripted,
    Turn,
)


def counted() -> tuple[Scripted, list[Request]]:
    seen: list[Request] = []

    def answer(request: Request) -> str:
        seen.append(request)
        return f"{request.address.rng().integers(1_000_000)}"

    return Scripted(answer, lambda r, c: -float(len(c))), seen


def test_a_cache_keeps_the_diversity_of_samples(tmp_path: Path) -> None:
    lm, seen = counted()
    cached = Cached(lm, tmp_path / "cache.sqlite")
    agents = [Request("Hello", Address(agent=f"agent {i}", draw=d)) for i in range(4) for d in range(2)]
    first = cached.complete(agents)
    assert len({c.text for c in first}) == 8
    assert [c.text for c in cached.complete(agents)] == [c.text for c in first]
    assert len(seen) == 8
    reopened = Cached(lm, tmp_path / "cache.sqlite")
    assert [c.text for c in reopened.complete(agents)] == [c.text for c in first]
    assert (len(seen), reopened.hits) == (8, 8)


def test_what_is_not_random_is_asked_once(tmp_path: Path) -> None:
    lm, seen = counted()
    cached = Cached(lm, tmp_path / "cache.sqlite")
    greedy = [Request("Hello", Address(agent=str(i)), temperature=0.0) for i in range(5)]
    assert len({c.text for c in cached.complete(greedy)}) == 1
    assert len(seen) == 1
    rows = cached.score([Request("x"), Request("x", Address(seed=3))], [["a", "bb"], ["a", "bb"]])
    np.testing.assert_array_equal(rows, [[-1, -2], [-1, -2]])
    assert cached.hits == 5
    other = Cached(Scripted(lambda r: "other", revision="2"), tmp_path / "cache.sqlite")
    assert other.complete(greedy)[0].text == "other"


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("a" * 200)
    with pytest.raises(UserError, match="is not a cache"):
        Cached(counted()[0], tmp_path / "notes.txt")


def test_a_budget_refuses_before_the_call() -> None:
    lm, seen = counted()
    budget = Budget(lm, calls=5)
    budget.complete([Request("a")] * 3)
    with pytest.raises(BudgetExceeded, match=r"3 of 5 calls are used and 3 more"):
        budget.complete([Request("a")] * 3)
    assert len(seen) == 3
    budget.score([Request("a")] * 2, [["x"], ["y"]])
    with pytest.raises(BudgetExceeded):
        budget.score([Request("a")], [["x"]])

    class Long(Scripted):
        def complete(self, requests: Sequence[Request]) -> list[Completion]:
            return [Completion("x", tokens_in=30, tokens_out=10) for _ in requests]

    limited = Budget(Long({}), tokens=100)
    limited.complete([Request("a", max_tokens=20)] * 2)
    with pytest.raises(BudgetExceeded, match="80 of 100 tokens"):
        limited.complete([Request("a", max_tokens=21)])


def test_no_more_at_once_than_allowed() -> None:
    batches: list[int] = []
    under_way = threading.Lock()

    class Busy(Scripted):
        batches = 8

        def complete(self, requests: Sequence[Request]) -> list[Completion]:
            assert under_way.acquire(blocking=False), "two at once"
            batches.append(len(requests))
            time.sleep(0.001)
            under_way.release()
            return super().complete(requests)

        def score(self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]) -> list[np.ndarray]:
            return [np.arange(len(c), dtype=float) for c in continuations]

    limited = Limited(Busy(lambda r: str(r.prompt)), requests=3)
    asked = [[Request(f"{i} {k}") for k in range(7)] for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for own, found in zip(asked, pool.map(limited.complete, asked), strict=True):
            assert [a.text for a in found] == [r.prompt for r in own]
    assert sorted(batches) == [1] * 4 + [3] * 8
    told = limited.score(asked[0], [["a"] * k for k in range(7)])
    assert [len(row) for row in told] == list(range(7))
    assert limited.batches == 8, "and a failure of one seed stays its own"


def test_failures_that_pass_are_tried_again() -> None:
    left = [3]

    def flaky(request: Request) -> str:
        if left[0]:
            left[0] -= 1
            raise ModelFailure("busy", after=0.0)
        return "done"

    retried = Retried(Scripted(flaky), tries=4, pause=0.0)
    assert retried.complete([Request("a")])[0].text == "done"
    assert retried.failures == 3
    left[0] = 10
    with pytest.raises(ModelFailure, match="busy"):
        retried.complete([Request("a")])
    assert left[0] == 6

    def wrong(request: Request) -> str:
        left[0] -= 1
        raise ModelError("never")

    with pytest.raises(ModelError, match="never"):
        Retried(Scripted(wrong), pause=0.0).complete([Request("a")])
    assert left[0] == 5


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Request(""[:0] or (), Address()), "prompt"),
        (lambda: Request("a", max_tokens=0), "max_tokens"),
        (lambda: Request("a", temperature=-1), "temperature"),
        (lambda: Request("a", temperature=math.inf), "temperature"),
        (lambda: Request("a", top_p=0), "top_p"),
        (lambda: Turn("robot", "hi"), "role"),
        (lambda: Budget(counted()[0], calls=0), "calls"),
        (lambda: Retried(counted()[0], tries=0), "tries"),
        (lambda: Limited(counted()[0], requests=0), "requests must be 1"),
        (lambda: Scripted({"a": "b"}).complete([Request("c")]), "no answer to 'c'"),
        (lambda: Scripted({}).score([Request("c")], [["d"]]), "no log-probabilities"),
    ],
)
def test_wrong_calls_are_one_line(make: object, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        make()  # type: ignore[operator]
    assert "\n" not in str(caught.value)


def test_addresses_make_their_own_randomness() -> None:
    texts = {Address(seed=s, time=t, agent=a, draw=d).entropy() for s in range(3) for t in range(3) for a in "ab"
             for d in range(2)}  # fmt: skip
    assert len(texts) == 36
    assert Address(seed=1, condition="x").entropy() == Address(seed=1, condition="y").entropy()
    assert Scripted({}).embed(["house", "houses", "tree"]) @ Scripted({}).embed(["house"]).T == pytest.approx(
        np.array([[1.0], [0.8], [0.0]]), abs=0.2
    )
