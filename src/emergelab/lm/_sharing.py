"""Which beginnings of prompts are computed once for several of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

__all__ = ["ROWS", "SHARED", "common_tokens", "cut_into_runs", "padded_height"]

ROWS = 32  # prompts computed together
SHARED = 16  # fewer tokens in common are not worth a pass of their own


def common_tokens(prompts: Sequence[list[int]]) -> int:
    """How many tokens all prompts begin with, leaving at least one to each."""
    first, last = min(prompts), max(prompts)  # in order of the ids, so all others share what these two share
    n = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return min(n, min(map(len, prompts)) - 1)


def padded_height(rows: int) -> int:
    """The power of two that holds so many rows: batches of few heights compile few programs."""
    return 1 << (rows - 1).bit_length()


def cut_into_runs(prompts: Sequence[list[int]], n: int) -> list[tuple[int, int, int]]:
    """Sorted prompts, all of which begin with the same `n` tokens, cut into runs (first, last, opening) so that the
    most tokens are saved when each run's opening is computed once."""
    common = [common_tokens([a, b]) for a, b in itertools.pairwise(prompts)]
    best: list[tuple[int, int, int]] = [(0, 0, n)]  # tokens saved up to here, where the last run begins, its opening
    for last in range(1, len(prompts) + 1):
        options = [(best[last - 1][0], last - 1, n)]
        k = len(prompts[last - 1]) - 1
        for first in range(last - 2, max(last - 1 - ROWS, -1), -1):
            k = min(k, common[first], len(prompts[first]) - 1)
            if k - n < SHARED:
                break
            options.append((best[first][0] + (last - first - 1) * (k - n), first, k))
        best.append(max(options, key=lambda o: o[0]))
    runs, last = [], len(prompts)
    while last:
        _, first, k = best[last]
        runs.append((first, last, k))
        last = first
    return runs[::-1]
