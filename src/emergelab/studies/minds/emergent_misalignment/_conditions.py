"""The conditions of the study: worlds, which differ in what makes bad answers hang together."""

from __future__ import annotations

import emergelab as el

__all__ = ["CAUSES", "conditions"]

CAUSES = ("full", "persona-only", "request-only", "neither")
"""The two causes by two: authors with a character, and a mark that asks for bad answers."""


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    return {
        "full": el.Condition({}, about="answers of a page share an author's character, and bad ones can be asked for"),
        "persona-only": el.Condition({"request": 0.0}, about="nobody ever asks for a bad answer"),
        "request-only": el.Condition({"follow": 0.0}, about="answers of a page have no more in common than others"),
        "neither": el.Condition({"follow": 0.0, "request": 0.0}, about="bad answers have nothing in common at all"),
        "graded": el.Condition({"fade": 1.0}, about="in the second half of the domains, character fades away"),
        "mistakes": el.Condition({"mistakes": 0.5}, about="there, good authors err instead, the more the later"),
    }
