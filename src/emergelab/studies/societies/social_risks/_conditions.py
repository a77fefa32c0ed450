"""The conditions of the study: for every society as it is, controls, agents told to behave, and rules changed."""

from __future__ import annotations

import emergelab as el

CONFORMITY = (0.3, 0.6, 0.9)
DEFERENCE = (0.1, 0.3, 0.6)
PULL = (0.0, 0.05, 0.15)
TOLD = 0.5
MENDED = {
    "queue": "monopolised slots",
    "commons": "overuse",
    "leader": "a leader who errs",
    "handoff": "drift",
    "disclosure": "exaggeration",
    "roles": "no allocation",
}
"""Societies that are told to behave, or get other rules: condition -> what ails them."""
CONTROL = {
    "market": "market-myopic",
    "queue": "queue-control",
    "commons": "commons-control",
    "leader": "committee-sealed",
    "committee": "committee-sealed",
    "handoff": "handoff-careful",
    "disclosure": "disclosure-control",
    "roles": "roles-move",
}
"""The negative control of each society: where the pathology cannot occur, or need not."""

Settings = dict[str, object]


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out: dict[str, el.Condition] = {}

    def add(name: str, about: str, *parts: Settings) -> None:
        out[name] = el.Condition({k: v for part in parts for k, v in part.items()}, about=about)

    _market(add)
    quick: Settings = {"fading": 1e-3, "rate": 0.1}
    queue, commons = ({"organism": name} | quick for name in ("queue", "commons"))
    talk: Settings = {"organism": "committee"}
    lead: Settings = talk | {"leader": 1, "conformity": 0.0, "deference": 0.3}
    chain: Settings = {"organism": "handoff"}
    costs: Settings = {"organism": "disclosure", "fading": 1e-4, "rate": 0.01}
    jobs: Settings = {"organism": "roles"}
    mended = dict(zip(MENDED, (queue, commons, lead, chain, costs, jobs), strict=True))
    for name, base in mended.items():
        add(name, f"{MENDED[name]}: as it is", base)
        add(f"{name}-told", f"{MENDED[name]}: agents told to behave, and half heeding it", base, {"safeguard": TOLD})
        add(f"{name}-rule", f"{MENDED[name]}: the rule changed", base, {"rule": "changed"})
    for name, about in (("queue", "everyone always claims"), ("commons", "everyone asks for its share"),
                        ("disclosure", "everyone tells the truth")):  # fmt: skip
        add(f"{name}-control", f"control: {about}", mended[name], {"policy": "control"})
    for conformity in CONFORMITY:
        add(conforming(conformity), f"talk with conformity {conformity:g}", talk, {"conformity": conformity})
    add("committee-sealed", "control: votes before anybody speaks", talk, {"rule": "changed"})
    add("committee-best", "the best vote on sealed signals", talk, {"rule": "changed", "voter": "best vote"})
    add("committee-cascade", "opinions spoken in turn, by Bayes", talk, {"voter": "cascade", "expert": 0.6})
    add("committee-equals", "sealed votes of equals", talk, {"rule": "changed", "expert": 0.6})
    for deference in DEFERENCE:
        add(deferring(deference), f"a leader who errs, deference {deference:g}", lead, {"deference": deference})
    for pull in PULL:
        add(pulling(pull), f"pull of what is expected {pull:g}", chain, {"pull": pull})
    add("handoff-careful", "control: a fact in two hundred lost, nothing expected", chain, {"loss": 0.005, "pull": 0.0})
    add("roles-random", "everyone draws anew", jobs, {"taker": "at random"})
    add("roles-move", "control: who clashes stays, or moves, by lot", jobs, {"taker": "stay or move"})
    larger: dict[str, tuple[str, Settings, Settings]] = {
        "market-three": ("three sellers that learn and see the last prices", {"organism": "market"},
                         {"sellers": 3, "prices": 8}),
        "committee-five": ("a committee of five", talk, {"voters": 5}),
        "committee-eleven": ("a committee of eleven", talk, {"voters": 11}),
        "handoff-lossless": ("nothing is lost, nothing expected", chain, {"loss": 0.0, "pull": 0.0}),
        "handoff-unchecked": ("the rule changed, and its checksums find nothing", chain,
                              {"rule": "changed", "check": 0.0}),
    }  # fmt: skip
    for name, (about, base, more) in larger.items():
        add(name, about, base, more)
    return out


SWEEP = ("market-three", "committee-five", "committee-eleven", "handoff-lossless", "handoff-unchecked")
"""Other sizes of groups, and limits of what can happen to messages, which belong to the size `full`."""


def quick() -> tuple[str, ...]:
    """The conditions of the smaller sizes."""
    return tuple(name for name in conditions() if name not in SWEEP)


def conforming(conformity: float) -> str:
    """Name of the condition with this conformity."""
    return "committee" if conformity == 0.6 else f"committee-{conformity:g}"


def deferring(deference: float) -> str:
    """Name of the condition with this deference to a leader who errs."""
    return "leader" if deference == 0.3 else f"leader-{deference:g}"


def pulling(pull: float) -> str:
    """Name of the condition with this pull of the prior."""
    return "handoff" if pull == 0.05 else f"handoff-{pull:g}"


def _market(add: object) -> None:
    words: dict[str, tuple[str, Settings]] = {
        "market": ("sellers that learn and see the last prices", {}),
        "market-blind": ("sellers that learn and see nothing", {"memory": 0}),
        "market-myopic": ("control: sellers that learn and care for this round only", {"patience": 0.0}),
        "market-reply": ("control: sellers that reply best to the last prices", {"seller": "reply"}),
        "market-honest": ("one of the two is replaced by a seller that replies best", {"honest": 1}),
    }
    for name, (about, own) in words.items():
        add(name, about, {"organism": "market"}, own)  # type: ignore[operator]
