"""Language models as agents and as specimens: one protocol, typed decisions, a ledger that replays without a model.

Nothing here needs a model or a heavy package until one is opened.
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "LM": "base",
    "Address": "base",
    "Completion": "base",
    "ModelError": "base",
    "ModelFailure": "base",
    "Request": "base",
    "Turn": "base",
    "Chosen": "choice",
    "choose": "choice",
    "Amount": "decisions",
    "Ask": "decisions",
    "Choice": "decisions",
    "Decision": "decisions",
    "Invalid": "decisions",
    "Message": "decisions",
    "Ranking": "decisions",
    "Struct": "decisions",
    "Endpoint": "endpoint",
    "Expected": "planning",
    "expect": "planning",
    "Human": "human",
    "Inspect": "api",
    "open_lm": "opening",
    "Ledger": "ledger",
    "Replay": "ledger",
    "RATES": "policies",
    "WEIGHTS": "policies",
    "weigh": "policies",
    "weights": "policies",
    "Constant": "policies",
    "Language": "policies",
    "Policy": "policies",
    "Random": "policies",
    "Recorded": "policies",
    "Rule": "policies",
    "Shuffled": "policies",
    "Dealer": "shuffled",
    "count": "policies",
    "decide": "policies",
    "rates": "policies",
    "fork": "_replay",
    "reask": "_replay",
    "replay": "_replay",
    "to_inspect": "_export",
    "Scripted": "scripted",
    "Served": "served",
    "Budget": "wrappers",
    "BudgetExceeded": "wrappers",
    "Cached": "wrappers",
    "Limited": "wrappers",
    "Retried": "wrappers",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
