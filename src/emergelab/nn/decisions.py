"""Tasks of systems neuroscience as sequences: see, keep in mind, decide.

Each function makes a batch of trials of `STEPS` steps, as arrays that a recurrent network reads one step at a time. The
first input says "wait" (1 until the decision, then 0); the network has to answer 0 while it waits, and 1 or 2 at the
last step. Stimuli have a noise of their own in every step in which they are shown.

`perceptual`  which of two noisy signals is stronger (random dots of Britten et al. 1992)
`match`       whether a test equals a sample shown before a delay (delayed match to sample, Miller et al. 1996)
`context`     which signal is stronger in the one of two modalities that a cue names (Mante et al. 2013)

The timings are those of Liu et al. (2024) in steps of 100 ms: a stimulus of 7; a sample, a delay of 5, a test; a
stimulus of 2, a delay of 5; and one step for the decision.
"""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

__all__ = ["INPUTS", "OUTPUTS", "STEPS", "TASKS", "Trials", "context", "match", "perceptual"]

STEPS = 8
"""Steps of a trial; the last one is the decision."""
OUTPUTS = 3
"""Answers: wait, first choice, second choice."""
STRENGTHS = (0.0, 6.4, 12.8, 25.6, 51.2)
"""Coherences of `perceptual`, in per cent: the difference of the two signals."""
STRENGTHS_OF_TWO = (5.0, 15.0, 50.0)
"""Coherences of either modality in `context`, in per cent."""
NOISE = 0.1
"""Standard deviation of every stimulus input, in every step: 1 over the root of 100 ms."""


class Trials(eqx.Module):
    """A batch of trials.

    Attributes:
        inputs: what is shown, step by step.
        targets: the right answer at each step: 0 is to wait.
        choice: which choice is right, 0 or 1.
        evidence: the signed difference of the two relevant signals, in [-1, 1]; positive for choice 0.
    """

    inputs: Float[Array, "time trial input"]
    targets: Int[Array, "time trial"]
    choice: Int[Array, "trial"]
    evidence: Float[Array, "trial"]


def _trials(
    stimuli: Float[Array, "time trial stimulus"],
    choice: Int[Array, "trial"],
    evidence: Float[Array, "trial"],
    cues: Float[Array, "trial cue"] | None = None,
) -> Trials:
    """Stimuli with the signal to wait before them and lasting cues behind them."""
    wait = jnp.broadcast_to(
        (jnp.arange(STEPS) < STEPS - 1).astype(stimuli.dtype)[:, None, None], (*stimuli.shape[:2], 1)
    )
    parts = [wait, stimuli]
    if cues is not None:
        parts.append(jnp.broadcast_to(cues, (STEPS, *cues.shape)))
    targets = jnp.zeros(stimuli.shape[:2], jnp.int32).at[-1].set(choice + 1)
    return Trials(jnp.concatenate(parts, axis=-1), targets, choice, evidence)


def _pair(evidence: Float[Array, "trial"]) -> Float[Array, "trial 2"]:
    """Two signals around 1/2 that differ by the evidence."""
    return 0.5 + 0.5 * evidence[:, None] * jnp.array([1.0, -1.0])


def _shown(
    key: PRNGKeyArray, signal: Float[Array, "trial stimulus"], first: int, last: int, noise: float | Float[Array, ""]
) -> Float[Array, "time trial stimulus"]:
    """A signal with fresh noise in the steps first..last, and nothing in all others."""
    noisy = signal + noise * jax.random.normal(key, (STEPS, *signal.shape))
    when = np.arange(STEPS)
    return jnp.where(((when >= first) & (when <= last))[:, None, None], noisy, 0.0)


def _drawn(key: PRNGKeyArray, strengths: tuple[float, ...], trials: int) -> Float[Array, "trial"]:
    """Coherences as fractions, each as likely as the others."""
    return jax.random.choice(key, jnp.asarray(strengths) / 100.0, (trials,))


def perceptual(key: PRNGKeyArray, trials: int, noise: float | Float[Array, ""] = NOISE) -> Trials:
    """Which of two signals is stronger on average, over 7 steps? Inputs: wait, two signals.

    A fifth of the trials has no evidence at all; there nobody is right in more than half.

    Args:
        key: of everything random.
        trials: how many.
        noise: standard deviation of a signal in one step.
    """
    of_choice, of_strength, of_noise = jax.random.split(key, 3)
    choice = jax.random.randint(of_choice, (trials,), 0, 2)
    evidence = _drawn(of_strength, STRENGTHS, trials) * (1 - 2 * choice)
    return _trials(_shown(of_noise, _pair(evidence), 0, STEPS - 2, noise), choice, evidence)


def match(key: PRNGKeyArray, trials: int, noise: float | Float[Array, ""] = NOISE) -> Trials:
    """Is the test the same as the sample, 6 steps before? Choice 0: it is. Inputs: wait, two signals.

    Arguments as in `perceptual`. The evidence is 1 or -1.
    """
    of_choice, of_sample, of_first, of_second = jax.random.split(key, 4)
    choice = jax.random.randint(of_choice, (trials,), 0, 2)
    sample = jax.random.randint(of_sample, (trials,), 0, 2)
    test = jnp.where(choice == 0, sample, 1 - sample)
    stimuli = _shown(of_first, jax.nn.one_hot(sample, 2), 0, 0, noise) + _shown(
        of_second, jax.nn.one_hot(test, 2), STEPS - 2, STEPS - 2, noise
    )
    return _trials(stimuli, choice, 1.0 - 2.0 * choice)


def context(key: PRNGKeyArray, trials: int, noise: float | Float[Array, ""] = NOISE) -> Trials:
    """Which signal is stronger in the modality that the cue names? Inputs: wait, two pairs of signals, two cues.

    Both modalities are shown in the first two steps, the cue lasts all trial. Arguments as in `perceptual`.
    """
    of_choice, of_cue, of_strength, of_noise = jax.random.split(key, 4)
    sides = jax.random.randint(of_choice, (2, trials), 0, 2)
    strengths = _drawn(of_strength, STRENGTHS_OF_TWO, 2 * trials).reshape(2, trials)
    evidence = strengths * (1 - 2 * sides)
    cue = jax.random.randint(of_cue, (trials,), 0, 2)
    stimuli = jnp.concatenate([_pair(evidence[0]), _pair(evidence[1])], axis=1)
    relevant = jnp.where(cue == 0, evidence[0], evidence[1])
    choice = jnp.where(cue == 0, sides[0], sides[1])
    return _trials(_shown(of_noise, stimuli, 0, 1, noise), choice, relevant, jax.nn.one_hot(cue, 2))


TASKS: dict[str, Callable[..., Trials]] = {"perceptual": perceptual, "match": match, "context": context}
"""The tasks by name."""
INPUTS = {"perceptual": 3, "match": 3, "context": 7}
"""Inputs of each task in one step."""
