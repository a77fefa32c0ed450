"""The conditions of the study: how strong the two concepts' signals are, and prompts that leave something out."""

from __future__ import annotations

import emergelab as el

BASE, COLOUR_FIRST, SIZE_FIRST, HALF, MASKED = "base", "colour-first", "size-first", "masked-half", "masked"
COLOURS = {"colour-20": 0.2, BASE: 0.4, "colour-80": 0.8}
"""Conditions by how far the colours are apart, with sizes 0.2 apart."""
SIZES = {"size-15": 0.15, BASE: 0.2, "size-30": 0.3, "size-40": 0.4}
"""Conditions by how far the sizes are apart, with colours 0.4 apart."""


def conditions() -> dict[str, el.Condition]:
    """All conditions of the study by name."""
    out = {BASE: el.Condition({}, about="colours 0.4 apart, sizes 0.2")}
    for name, sep in COLOURS.items():
        out.setdefault(name, el.Condition({"sep_colour": sep}, about=f"colours {sep:g} apart, sizes 0.2"))
    for name, sep in SIZES.items():
        out.setdefault(name, el.Condition({"sep_size": sep}, about=f"colours 0.4 apart, sizes {sep:g}"))
    more = {
        COLOUR_FIRST: ({"sep_colour": 0.8, "sep_size": 0.15}, "colours far apart, sizes close together"),
        SIZE_FIRST: ({"sep_colour": 0.1, "sep_size": 0.4}, "colours close together, sizes far apart"),
        HALF: ({"masked": 0.5}, "half of the prompts for small red discs do not name the colour"),
        MASKED: ({"masked": 1.0}, "no prompt for small red discs names the colour"),
    }
    return out | {name: el.Condition(settings, about=about) for name, (settings, about) in more.items()}
