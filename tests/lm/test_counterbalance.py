"""What the order of options does to a real small model, and that showing them in every order takes it out."""

from __future__ import annotations

import numpy as np

from emergelab.lm import Request, Turn, choose
from emergelab.lm.base import Address

QUESTION = (
    "You and Bo play a game once. If both cooperate, both get 8 points. If you defect and Bo cooperates, you get 10 "
    "and Bo gets 0. If Bo defects and you cooperate, you get 0 and Bo gets 10. If both defect, both get 5. What do you "
    "do?"
)
SEEDS = (1, 3, 5, 7)


def cooperation(model, options, rotations):
    requests = [Request((Turn("user", QUESTION),), address=Address(seed=s)) for s in SEEDS]
    found = choose(model, requests, [options] * len(SEEDS), rotations=rotations)
    return np.array([f.probabilities["cooperate"] for f in found])


def test_place_and_letter_move_the_answer_and_cancel(smollm2):
    before = [cooperation(smollm2, o, 1) for o in (["cooperate", "defect"], ["defect", "cooperate"])]
    after = [cooperation(smollm2, o, None) for o in (["cooperate", "defect"], ["defect", "cooperate"])]
    # The same question, asked in the other order: from .22 to .81, from .67 to .30, ...
    assert np.abs(before[0] - before[1]).min() > 0.3
    np.testing.assert_allclose(after[0], after[1], atol=1e-5)
    # Letters and first order differ between seeds, so what is left of them shows as spread over seeds.
    assert np.ptp(after[0]) < 0.15 < 0.4 < np.ptp(before[0])
