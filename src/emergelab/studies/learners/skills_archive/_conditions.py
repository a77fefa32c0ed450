"""The conditions: STAX, what becomes of it without one of its parts, and what it is measured against."""

from __future__ import annotations

import emergelab as el

__all__ = ["CONDITIONS"]

_HALF = {"surprise": 0.5}

CONDITIONS = {
    "stax": el.Condition(
        {"sees": "code", "emitting": 1, **_HALF}, about="descriptions are learnt from pictures; emitters climb: STAX"
    ),
    "taxons": el.Condition({"sees": "code", **_HALF}, about="descriptions are learnt, nobody climbs: TAXONS"),
    "serene": el.Condition({"emitting": 1}, about="described by x and y; emitters climb: SERENE"),
    "ns": el.Condition({}, about="described by x and y, nobody climbs: novelty search"),
    "stax-cma": el.Condition(
        {"sees": "code", "emitting": 1, "kind": "cma", **_HALF}, about="STAX whose emitters are separable CMA-ES"
    ),
    "stax-untrained": el.Condition(
        {"sees": "code", "emitting": 1, "train": 0}, about="STAX with an encoder that stays as it was drawn"
    ),
    "ns-picture": el.Condition({"sees": "picture"}, about="novelty search on pictures as they are"),
    "map-elites": el.Condition({"search": "elites"}, about="the best of each cell of x and y is bred: MAP-Elites"),
    "cma-es": el.Condition({"search": "reward"}, about="separable CMA-ES on reward alone"),
    "random": el.Condition({"search": "random"}, about="genomes drawn anew each time"),
}
