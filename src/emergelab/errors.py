"""Errors that are the user's to mend: each is one line that names the thing, what was expected and what to do.

The command line prints the line and exits with 2; Python users see an ordinary `ValueError`.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from typing import Any


class UserError(ValueError):
    """A call that cannot be carried out as asked. The message is one clear line."""


class ParameterError(UserError):
    """A parameter with a value outside what it may be."""


class SiteError(UserError):
    """A site that does not exist, that was announced twice, or whose value cannot be read where it is."""


class RunError(UserError):
    """A folder that is not a run, is damaged, or cannot be written."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as `; did you mean 'sorting'?`, or the list of what is known if nothing is near."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    if not known:
        return ""
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"; known: {shown}"


def need(module: str, extra: str, purpose: str) -> Any:
    """An optional package, imported; or one line that says which extra brings it.

    Args:
        module: name of the module to import.
        extra: the extra of emergelab that installs it.
        purpose: what it is needed for, as the subject of the sentence: "change points".
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{purpose}: the package {module.partition('.')[0]!r} is needed and cannot be imported ({error}); "
            f"pip install 'emergelab[{extra}]'"
        ) from None
