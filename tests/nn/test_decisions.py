"""The tasks: what is shown when, and that the right answer follows from it."""

from __future__ import annotations

from functools import cache

import jax
import numpy as np
import pytest
from scipy.stats import norm

from emergelab.nn.decisions import INPUTS, NOISE, OUTPUTS, STEPS, STRENGTHS, TASKS, Trials

TRIALS = 2000


@cache
def _drawn(task: str, noise: float = 0.0) -> Trials:
    return jax.tree.map(np.asarray, jax.jit(lambda key: TASKS[task](key, TRIALS, noise))(jax.random.key(3)))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_waits_for_seven_steps_and_then_asks_for_a_choice(task):
    shown = _drawn(task)
    assert shown.inputs.shape == (STEPS, TRIALS, INPUTS[task])
    np.testing.assert_array_equal(shown.inputs[:-1, :, 0], 1)
    np.testing.assert_array_equal(shown.inputs[-1, :, 0], 0)
    np.testing.assert_array_equal(shown.targets[:-1], 0)
    np.testing.assert_array_equal(shown.targets[-1], shown.choice + 1)
    assert shown.targets.max() < OUTPUTS
    assert shown.choice.mean() == pytest.approx(0.5, abs=0.05)
    right = shown.evidence != 0
    np.testing.assert_array_equal(shown.choice[right], (shown.evidence < 0)[right])


def test_perceptual_evidence_is_the_difference_of_the_two_signals():
    shown = _drawn("perceptual")
    np.testing.assert_allclose(shown.inputs[:-1, :, 1] - shown.inputs[:-1, :, 2], [shown.evidence] * 7, atol=1e-6)
    np.testing.assert_allclose(shown.inputs[:-1, :, 1:].sum(axis=-1), 1, atol=1e-6)
    np.testing.assert_array_equal(shown.inputs[-1], 0)
    for strength in STRENGTHS:
        share = np.isclose(abs(shown.evidence), strength / 100).mean()
        assert share == pytest.approx(0.2, abs=0.04), strength


def test_the_best_that_anybody_can_do_is_known():
    """Summing the evidence over seven steps is optimal; Gauss's integral says how often that is right."""
    shown = _drawn("perceptual", NOISE)
    summed = (shown.inputs[:-1, :, 1] - shown.inputs[:-1, :, 2]).sum(axis=0)
    right = ((summed < 0) == (shown.choice == 1)).mean()
    spread = NOISE * np.sqrt(2 * 7)
    best = np.mean([norm.cdf(7 * s / 100 / spread) for s in STRENGTHS])
    assert right == pytest.approx(best, abs=0.03)
    assert best == pytest.approx(0.885, abs=0.01)


def test_a_match_is_a_match():
    shown = _drawn("match")
    sample, test = shown.inputs[0, :, 1:], shown.inputs[6, :, 1:]
    np.testing.assert_array_equal((sample == test).all(axis=1), shown.choice == 0)
    np.testing.assert_array_equal(sample.sum(axis=1), 1)
    np.testing.assert_array_equal(shown.inputs[[1, 2, 3, 4, 5, 7], :, 1:], 0)
    # neither sample nor test alone tells anything
    for seen in (sample, test):
        assert np.corrcoef(seen[:, 0], shown.choice)[0, 1] == pytest.approx(0, abs=0.07)


def test_the_cue_names_the_modality_that_counts():
    shown = _drawn("context")
    cue = shown.inputs[:, :, 5:]
    np.testing.assert_array_equal(cue, np.broadcast_to(cue[0], cue.shape))
    np.testing.assert_array_equal(cue[0].sum(axis=1), 1)
    signals = shown.inputs[0, :, 1:5].reshape(TRIALS, 2, 2)
    evidence = signals[..., 0] - signals[..., 1]
    np.testing.assert_allclose(evidence[np.arange(TRIALS), cue[0].argmax(axis=1)], shown.evidence, atol=1e-6)
    np.testing.assert_array_equal(shown.inputs[2:, :, 1:5], 0)
    ignored = evidence[np.arange(TRIALS), 1 - cue[0].argmax(axis=1)]
    assert np.corrcoef(ignored, shown.evidence)[0, 1] == pytest.approx(0, abs=0.07)


@pytest.mark.parametrize("task", TASKS)
def test_noise_is_in_the_stimuli_while_they_are_shown_and_nowhere_else(task):
    plain, noisy = _drawn(task), _drawn(task, NOISE)
    moved = noisy.inputs - plain.inputs
    there = (moved != 0).mean(axis=1)
    shown = {"perceptual": range(7), "match": (0, 6), "context": (0, 1)}[task]
    stimuli = slice(1, 5 if task == "context" else 3)
    for t in range(STEPS):
        assert (there[t, stimuli] > 0.9).all() if t in shown else (there[t] == 0).all()
    assert not there[:, 0].any()
    assert not there[:, 5:].any()
    assert moved[0, :, stimuli].std() == pytest.approx(NOISE, rel=0.1)
