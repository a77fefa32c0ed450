"""TensorBoard, as far as the studio is compared with it. Needs `pip install 'tensorboard>=2.20'`."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


def write_events(folder: Path, values: np.ndarray) -> None:
    """Curves (observable, seed, record) as event files, a run a seed and a tag an observable."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for seed in range(values.shape[1]):
        writer = EventFileWriter(str(folder / f"seed{seed:02d}"))
        for step in range(values.shape[2]):
            points = [Summary.Value(tag=f"x{i}", simple_value=float(v)) for i, v in enumerate(values[:, seed, step])]
            writer.add_event(Event(step=step, wall_time=1.7e9 + step, summary=Summary(value=points)))
        writer.close()


@contextlib.contextmanager
def serve_tensorboard(folder: Path) -> Iterator[str]:
    """A TensorBoard that has read all of a folder; yields the address of its time series."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["tensorboard.main", "--logdir", str(folder), "--port", str(port), "--host", "127.0.0.1"]
    server = subprocess.Popen(
        [sys.executable, "-m", *words, "--samples_per_plugin", "scalars=1000", "--load_fast", "false"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(600):
            with contextlib.suppress(urllib.error.URLError):
                tags = urllib.request.urlopen(f"{address}data/plugin/scalars/tags").read()
                if tags.count(b"x5") >= 64:
                    break
            time.sleep(0.2)
        yield f"{address}?darkMode=false#timeseries"
    finally:
        server.terminate()
        server.wait(30)


def shown_by_tensorboard(page: Any) -> None:
    """Wait until the first chart holds its lines; TensorBoard draws those in sight, of all runs, by itself."""
    page.wait_for_function(
        """() => {
          const card = document.querySelector('scalar-card');
          return card && card.querySelector('line-chart canvas, line-chart svg') && !card.querySelector('mat-spinner')
            && card.textContent.includes('seed00');
        }""",
        timeout=120_000,
    )
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
