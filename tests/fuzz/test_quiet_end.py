"""A process that stops at a full disk says one line, whatever Zarr's own thread is doing at that moment."""

from __future__ import annotations

import subprocess
import sys

import pytest

_BEGIN = """
import asyncio, errno, sys, tempfile, time
import numpy as np, zarr
from zarr.core import sync
from zarr.storage import _local
from emergelab.runs.place import Place
root = zarr.open_group(Place(tempfile.mkdtemp()).zarr("data.zarr"), mode="w")
array = root.create_array("x", shape=(40,), chunks=(1,), dtype="f4")
"""
_BUSY = "sync.loop[0].call_soon_threadsafe(time.sleep, 0.6)"
_FULL = """
put, calls = _local._put, []
def full(*arguments, **options):
    calls.append(1)
    if len(calls) == 1:
        raise OSError(errno.ENOSPC, "No space left on device")
    time.sleep(0.3)
    return put(*arguments, **options)
_local._put = full
try:
    array[:] = np.arange(40)
except OSError as error:
    print(error, file=sys.stderr)
"""


@pytest.mark.parametrize("what, lines", [(_BUSY, 0), (_FULL, 1)], ids=["a busy thread", "writes that are under way"])
def test_nothing_is_added_to_the_line(what: str, lines: int) -> None:
    done = subprocess.run([sys.executable, "-c", _BEGIN + what], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and len(done.stderr.splitlines()) == lines, done.stderr
