"""Hostile input for every reader, with little memory: python -m tests.fuzz --examples 2000 --seed 0."""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from .harness import READERS, Finding, Hostile

MEMORY = 3 << 30
"""Bytes that may be allocated beyond those that the process has when it begins."""


def main() -> int:
    """Spread examples over the readers, print a table; exit code 1 if there is a finding."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("--examples", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--target", action="append", choices=list(READERS))
    asked = options.parse_args()
    # a report draws figures and a run is compiled, which takes as long as twenty of the others
    slow = ("report", "resume", "upload")
    targets = asked.target or [t for t in READERS for _ in range(1 if t in slow else 6)]
    outcomes: dict[str, Counter[str]] = {t: Counter() for t in dict.fromkeys(targets)}
    begun, findings = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as name:
        hostile = Hostile(Path(name))
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, resource.RLIM_INFINITY))
        resting = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for i in range(asked.examples):
            target = targets[i % len(targets)]
            try:
                # a seed of its own for each, so that one can be looked at alone
                outcomes[target][hostile.attempt(target, random.Random(f"{asked.seed}-{i}"))] += 1
            except Finding as finding:
                outcomes[target]["finding"] += 1
                findings += 1
                print(f"example {i}: {finding}", file=sys.stderr, flush=True)
        hostile.close()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resting
    print("| reader | examples | read | refused in one line | findings |\n| --- | ---: | ---: | ---: | ---: |")
    for target, found in [*outcomes.items(), ("all", sum(outcomes.values(), Counter()))]:
        print(f"| {target} | {found.total()} | {found['data']} | {found['refused']} | {found['finding']} |")
    print(f"\nmemory: at most {grown / 1024:.0f} MiB more than before the first example")
    print(f"seconds: {time.monotonic() - begun:.0f}")
    return bool(findings)


if __name__ == "__main__":
    raise SystemExit(main())
