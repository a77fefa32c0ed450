"""Pictures in the house style: one place decides how every figure of emergelab looks.

The functions use matplotlib's object interface only (`matplotlib.figure.Figure`), so drawing neither needs a
display nor leaves anything behind in pyplot's global state.
"""

from emergelab.figures.style import (
    COLOURS,
    GREY,
    HEATMAP,
    INK,
    MUTED,
    SIGNED,
    band,
    bars,
    finish,
    label_lines,
    log_ticks,
    new,
    png,
    save,
)

__all__ = [
    "COLOURS",
    "GREY",
    "HEATMAP",
    "INK",
    "MUTED",
    "SIGNED",
    "band",
    "bars",
    "finish",
    "label_lines",
    "log_ticks",
    "new",
    "png",
    "save",
]
