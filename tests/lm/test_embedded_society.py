"""A society of the real embedded model: cut off and resumed it is the same, and its record needs no weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import emergelab as el
from emergelab import assets
from emergelab.errors import UserError
from emergelab.lm import Budget, BudgetExceeded, Ledger, replay

from .societies import Pair


def grow(out: Path, lm: Any) -> el.Run:
    return el.run(Pair(policy="model"), steps=5, seeds=2, lm=lm, out=str(out), progress=False, chunk=1)


def test_cut_resumed_and_replayed_without_weights(smollm2, tmp_path, monkeypatch):
    whole = grow(tmp_path / "whole", smollm2)
    with pytest.raises(BudgetExceeded):
        grow(tmp_path / "cut", Budget(smollm2, calls=20))
    assert el.load(str(tmp_path / "cut")).info["status"] != "finished"
    resumed = el.resume(tmp_path / "cut", lm=smollm2, system=Pair, progress=False)
    assert resumed.info["status"] == "finished"
    assert Ledger(resumed).digests == Ledger(whole).digests and len(Ledger(whole).digests) >= 2 * 5
    np.testing.assert_array_equal(resumed.data["cooperation"], whole.data["cooperation"])

    # A machine without weights: nothing is found, and the record is enough.
    monkeypatch.setitem(assets.ASSETS, "smollm2", dataclasses.replace(assets.ASSETS["smollm2"], package="not-there"))
    monkeypatch.setenv("EMERGELAB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(UserError, match="emergelab get smollm2"):
        assets.find("smollm2")
    assert replay(resumed, system=Pair, out=str(tmp_path / "again")).same
