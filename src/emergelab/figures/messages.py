"""Messages as a table that a person can read."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int
from matplotlib import colormaps

from emergelab.figures.style import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["message_table"]


def message_table(ax: Axes, words: Int[np.ndarray, "object position"], values: int, position: int) -> None:
    """Messages about objects of two attributes, a cell each, coloured by one position's symbol, which is set in bold.

    Args:
        ax: where to draw.
        words: numbers of symbols from 0, objects in the order of `games.signalling.all_objects`; shown as letters.
        values: of an attribute; there are values * values objects.
        position: whose symbols colour the cells.
    """
    colours = colormaps["tab20"](np.linspace(0, 1, max(int(words.max()) + 1, 2)))[:, :3] * 0.45 + 0.55
    ax.imshow(colours[words[:, position].reshape(values, values)], aspect="auto")
    for i, word in enumerate(words):
        row, column = divmod(i, values)
        for p, symbol in enumerate(word):
            at = column + 0.26 * (p - (len(word) - 1) / 2)
            colour, weight = (INK, "bold") if p == position else (MUTED, "normal")
            look: dict[str, Any] = {"fontsize": 8.5, "family": "monospace", "color": colour, "fontweight": weight}
            ax.text(at, row, ascii_lowercase[symbol % 26], ha="center", va="center", **look)
    ax.set_xticks(range(values), [str(i + 1) for i in range(values)])
    ax.set_yticks(range(values), [str(i + 1) for i in range(values)])
    ax.grid(False)
