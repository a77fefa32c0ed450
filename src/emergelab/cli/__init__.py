"""The command line. Every verb is a thin call of the Python interface; heavy imports happen inside the verbs.

Exit codes: 0 success; 1 a judgement that failed (a verdict that is not the expected one, a check of `doctor`);
2 a wrong call; 130 interrupted.
"""

from __future__ import annotations

import sys

from ..errors import UserError
from . import grow, judge, keep, look
from ._app import app
from .export import export
from .studio import studio

__all__ = ["app", "export", "grow", "judge", "keep", "look", "main", "studio"]

app.command()(export)
app.command()(studio)


def main() -> None:
    """Entry point: a user's mistake is one line and exit code 2, never a traceback."""
    try:
        app()
    except UserError as error:
        print(f"emergelab: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt as error:
        # The engine's own Interrupted says how to resume; a bare Ctrl-C has nothing to say.
        print(f"\n{error}" if str(error) else "\ninterrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
