"""The conditions of the study: a model in three wordings and with parts removed, and those that need none."""

from __future__ import annotations

import emergelab as el

from ._prompts import WORDINGS

RULES: dict[str, tuple[str, dict[str, object]]] = {
    "rules": ("the people of the study smallville, in words", {}),
    "rules-no-talk": ("nobody talks", {"talk": 0}),
    "rules-no-reflection": ("nobody reflects", {"reflect": 0}),
    "rules-no-planning": ("everybody does as usual", {"planning": "none"}),
    "rules-recency": ("retrieval by recency alone", {"retrieval": "recency"}),
    "rules-relevance": ("retrieval by relevance alone", {"retrieval": "relevance"}),
    "rules-importance": ("retrieval by importance alone", {"retrieval": "importance"}),
    "rules-random-retrieval": ("any memory may come to mind", {"retrieval": "random"}),
    "rules-released": ("the released code: weights 0.5, 3, 2, and the oldest ranks first", {"retrieval": "released"}),
    "rules-knock-out": ("at midday three people forget the party, but not the host", {"knockout": 3}),
    "rules-mute-host": ("the host does not speak", {"silence": "host"}),
    "rules-false-party": ("the last one believes that the party is at the market", {"planted": 1}),
}
_OTHERS = {
    "random": "every option alike, and any memory that comes to mind is said",
    "constant": "everybody talks and has nothing to say",
    "oracle": "everybody tells all that it knows and goes to the party: the most that this town can do",
}

RANDOM_RETRIEVAL = "model-random-retrieval"


def by_model() -> dict[str, str]:
    """Wording -> name of the condition in which a model decides under it."""
    return {wording: f"model-{wording}" for wording in WORDINGS}


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {
        name: el.Condition({"policy": "model", "wording": wording}, about=f"a language model, told {wording!r}")
        for wording, name in by_model().items()
    }
    out[RANDOM_RETRIEVAL] = el.Condition(
        {"policy": "model", "retrieval": "random"}, about="a language model to whom any memory may come to mind"
    )
    for name, (about, own) in RULES.items():
        out[name] = el.Condition({"policy": "rules", **own}, about=about)
    for policy, about in _OTHERS.items():
        out[policy] = el.Condition({"policy": policy}, about=about)
    return out
