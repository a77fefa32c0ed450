"""Is there a direction of doubt inside a language model that plays a bandit?

## What it is

Told what two slot machines have paid so far, a language model has to pull one of them. Rahn, D'Oro and Bellemare
(2024) report that large models settle too early: the entropy of their actions collapses after a few pulls. Entropic
activation steering (EAST) weights the model's activations at many prompts by the entropy of the action there, and
adds the result to one layer; entropy rises, and so do words of uncertainty, also in tasks told in other words.

This study puts the question to a model that can be opened, SmolLM2 or any Llama in a file, with the controls that
decide what such an effect means. Beside the model it examines a script in which a direction of certainty has been
planted, so that the instrument is known to work before it is believed. `bandit-overconfidence` does the same to a
network that has learnt to play.

## How it works

A seed is six bandits, two names for their machines and two letters. Means of the arms are N(50, 10), rewards have the
standard deviation 10 and are told as whole numbers. Six rounds are played; the choice is scored as the
log-probability of one letter, with the options in both orders, and averaged, so a liking for a place or a letter
cancels. That gives the entropy of the action without sampling.

The next step is the examination.

1. Prompts of three bandits, each also with its arms exchanged, give activations (at the last token before the answer,
   after the layers at a quarter, a half and three quarters of the depth) and entropies. Out of them come EAST,
   centred, and other directions, all as long as the spread of the activations: EAST with entropies dealt out anew
   (`shuffled`), a `random` one, the `mean` activation, the coefficients of a `ridge` regression, the difference of
   the top and bottom `quarters` of entropy.
2. Prompts of the other three bandits tell what each does to the choice. The vector is added at every token of the
   prompt. Strengths -2, -1, 1, 2 after the middle layer, 1 after the others and for the others, and a temperature of
   2.
3. At strength 1: probability of naming an option (`mass`), of the arm that is behind (`explore`), of calling oneself
   unsure (`doubt`), the entropy in another wording (revising for tests), and how far the next words of a neutral text
   move (`damage`).

Overconfidence is the entropy of Thompson's choice under the exact posterior minus the player's, at the same history.

Policies: `model`; `softmax`, the script; `thompson`, `greedy` and `random`, whose choices are drawn from exact
probabilities. Claims on the *instrument* are made of these and of the script, the others of the model.

A model that only answers requests, behind an address or replayed, has no activations to add to, and the run says so.

## Things to notice

- Centred, EAST is the covariance of entropy and activation. Uncentred it is close to the mean activation, which knows
  nothing of entropy; that is why the mean is a control.
- Vectors have to be made from prompts with the arms exchanged. Otherwise a vector from a few bandits also points at
  the arm that happened to be ahead in them, and steering then favours an arm and lowers entropy.
- Entropy has a ceiling of one bit. SmolLM2 has no opinion: with order and letter averaged out it gives either arm
  between 0.45 and 0.55 whatever they paid, which is 0.99 to 1.00 bits (a dozen prompts). Nothing can raise that. So
  claims on the model are expected to be refuted, as claims on an instrument pointed at nothing.
- The script's entropy goes from 0.1 bits at strength -2 to 0.98 at 2; its `early` layer does nothing, as planted.

## Things to try

- `emergelab run steering --lm smollm2 --size tiny`: the whole of it, on two bandits.
- `emergelab run steering --lm /path/to/model.gguf --condition model`: a larger Llama.
- `emergelab run steering --condition softmax --set dose=0.5`: no model at all, steered half as hard.
- `emergelab sites smollm2`, and `el.Shift("L.15.out", by=vector)` on `open_embedded("smollm2").edited(...)`.

## Differences from the paper

- No thoughts before the choice: it is the next letter. Temperature acts on it directly.
- Entropies are exact, from log-probabilities, where the paper samples completions and counts parsed actions.
- The vector is added to the whole prompt, not only to what is generated.
- SmolLM2 has 135 million parameters, the paper's models 47 and 132 billion (Mixtral 8x7B, DBRX). A small model is
  expected to fail most claims; its verdicts say nothing about theirs.
- Six pulls for the paper's dozens, and six bandits a seed.
- Words of doubt are a question with two options, not the words of a thought.
- Margins were set before the model was seen. What its verdicts are expected to be was written down after a dozen
  prompts, before a whole run.
- Prompts are texts to be continued, not turns of a conversation, in which SmolLM2 names an option even less often.

## References

- N. Rahn, P. D'Oro, M. G. Bellemare: Controlling Large Language Model Agents with Entropic Activation Steering, arXiv
  2406.00244 (2024).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._figures import figures
from ._policies import POLICIES
from ._system import Steering

__all__ = ["Steering", "study"]

_ABOUT = {
    "model": "a language model with sites",
    "softmax": "a script in whose activations a direction of certainty is planted",
    "thompson": "each arm as often as it is believed to be the better one",
    "greedy": "the arm of the higher posterior mean",
    "random": "either arm",
}

study = el.Study(
    slug="steering",
    family="minds",
    papers=(
        el.Paper(
            "Controlling Large Language Model Agents with Entropic Activation Steering",
            authors="Nate Rahn, Pierluca D'Oro, Marc G. Bellemare",
            year=2024,
            url="https://arxiv.org/abs/2406.00244",
        ),
    ),
    system=Steering,
    conditions={name: el.Condition({"policy": name}, about=_ABOUT[name]) for name in reversed(POLICIES)},
    sizes={
        "tiny": el.Size(steps=4, every=1, seeds=3, set={"bandits": 2, "horizon": 3}, about="mechanics only"),
        "quick": el.Size(
            steps=7,
            every=1,
            seeds=8,
            about="6 bandits of 6 rounds, 8 seeds. Each seed of the model: 72 prompts of play, and 24 to make vectors "
            "from, 9 to try each of 16 variants at, all in two orders",
        ),
        "full": el.Size(
            steps=26,
            every=1,
            seeds=16,
            set={"bandits": 16, "horizon": 25},
            about="16 bandits of 25 rounds. Not run",
        ),
        "paper": el.Size(
            steps=26,
            every=1,
            seeds=65,
            set={"bandits": 2, "horizon": 25},
            about="25 rounds; for models of 7 billion parameters and more. Not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
    lm=True,
)
