"""What the agents of a society decided and said, read from the log of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..runs.run import Run

__all__ = ["Talk"]

_MOST = 200  # of one record: nobody reads more, and a page has to draw it


class Talk:
    """Decisions in the order in which they were made: moves, and messages in full.

    Args:
        run: of a host system, whose log holds decisions; of others there is nothing to be said.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._of: dict[tuple[str, int], list[tuple[int, str, str]]] | None = None

    def between(self, condition: str, seed: int, start: int, stop: int) -> Sequence[tuple[str, str]]:
        """Who decided what in the steps from `start` up to `stop`, which is the record that they led to.

        Raises:
            RunError: the log cannot be read.
        """
        own = [(who, words) for time, who, words in self._read().get((condition, seed), ()) if start <= time < stop]
        if len(own) > _MOST:
            own = [*own[:_MOST], ("and", f"{len(own) - _MOST:,} more")]
        return own

    def _read(self) -> dict[tuple[str, int], list[tuple[int, str, str]]]:
        if self._of is None:
            from ..lm.ledger import Ledger

            self._of = {}
            for made in Ledger(self._run).decisions:
                words, template = _words(made.get("value")), made.get("template")
                own = self._of.setdefault((made["condition"], made["seed"]), [])
                own.append((made["time"], str(made.get("agent", "")), f"{template}: {words}" if template else words))
        return self._of


def _words(value: Any) -> str:
    """A decision as one reads it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_words(x)}" for name, x in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)
