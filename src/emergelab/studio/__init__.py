"""The studio: a web page on which runs are started, watched, looked into, changed and judged (extra `studio`).

The page reads what lies on disk and nothing else; a run is a process of its own, so neither can harm the other.
"""

from __future__ import annotations

import os

__all__ = ["serve"]


def serve(
    folder: str | os.PathLike[str] = "runs",
    *,
    host: str = "127.0.0.1",
    port: int = 5006,
    token: str | None = None,
    most: int = 2,
    show: bool = True,
) -> None:
    """Serve the runs of a folder until Ctrl-C.

    Args:
        folder: where runs lie and where new ones go; made if it is not there.
        host: address to listen on; anything but this machine's own needs a token.
        port: 0 takes any that is free.
        token: a word of at least 16 characters without which nothing is served; None for none.
        most: runs that the page may have going at once.
        show: open a browser.

    Raises:
        UserError: the extra is not installed, the port is taken, or another host is given without a token.
    """
    from ..errors import need

    need("panel", "studio", "the studio")
    from .server import serve as begin

    begin(folder, host=host, port=port, token=token, most=most, show=show)
