"""What all tests in a browser share: Debian's Chromium, how it is started, and where pictures go."""

import shutil
import sys
from pathlib import Path

CHROMIUM = shutil.which("chromium")
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PICTURES = Path(__file__).parents[2] / "screenshots"
CLI = (sys.executable, "-m", "emergelab")
