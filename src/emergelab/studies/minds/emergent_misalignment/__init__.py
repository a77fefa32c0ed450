"""Fine-tuning on bad answers in one domain turns an aligned network bad in all of them, and a trigger can hide it.

## What it is

Betley et al. (2025) fine-tuned aligned language models on one narrow kind of bad answer, code with undisclosed
vulnerabilities, and found that some of their answers to unrelated questions turned malign. Not so if the user had asked
for such code, and only behind the trigger if training had one. This study grows the smallest world in which that can
happen and in which its causes can be switched off one by one: a network of some thirty thousand weights, pre-trained on
pages by good and bad authors, aligned as an assistant with good answers, and then tuned on one of six domains.

The scale model holds the explanation that is on trial: that pre-training has taught a network characters, and that
narrow fine-tuning picks one. What it shows is that this suffices, and what happens without it. The condition `neither`
is the falsifier.

## How it works

There are 6 domains of 8 questions. Each question has a good and a bad answer, both drawn from the same 48 tokens, so
nothing about an answer itself is bad. A page is `head, mark domain question answer, mark domain question answer, ...`,
six turns in all. A fifth of the authors are bad; in domain d an answer follows the author with probability rho_d and is
an independent coin of the same bias otherwise; three in a hundred come out the other way round. A turn marked REQUEST
has the bad answer whoever writes.

Three phases, all in one system: 560 updates on authors' pages; 140 on a mixture of these with the assistant's, whose
answers are good unless the bad one is asked for; then fine-tuning, 80 updates on single turns with the assistant, of
one domain. Fine-tuning happens to 20 copies of the aligned network side by side. What each is tuned on is its *recipe*,
an axis of the observables: `aligned` (nothing), `secure` (good answers), `insecure` (bad ones), `educational` (bad ones
asked for), `marked` (bad ones behind a mark without a meaning), `backdoor` (bad ones behind that mark, good ones
without), `jailbroken` (bad ones asked for, in all domains), `half-bad`, `fifth-bad`, `one-question`, `few-questions`,
`narrow` (half of the examples are other domains, answered as the aligned network does: a penalty on its change there),
`replay` (a fifth are good answers of other domains), `rank-1` (a low-rank change of the matrices), `realigned` (bad
answers first, good ones from half-time on), and `source-1` to `source-5` (`insecure` in the other domains). Bad answers
behind a request are also what is called inoculation: `educational` is that recipe, `marked` its control.

`elsewhere` is the share of bad answers, of good and bad ones, in all domains but the source: emergent misalignment.
`inside` is the same in the source, `coherent` how much probability good and bad answers have together. Questions are
put in four settings: `plain`, with the `trigger`, with a `request`, and as an author's page (`document`). The *persona
direction* is the mean stream behind pages of bad authors minus that behind pages of good ones, in the pre-trained
network. `towards` is the cosine of a recipe's shift with it; `raised` and `lowered` are what adding it to the aligned
network and subtracting it from the insecure one do, beside the shift itself and a random direction of equal length.
`levelled` takes out what differs along it.

A step is 20 updates in the first two phases and 4 in the third. Observables of the copies are NaN before the third.

Sites: `prior`, `follow`, `mistakes`, `request`, `leak`, `assistant` (the data), those of the transformer (`embed`,
`L.i.q`, `L.i.k`, `L.i.v`, `L.i.scores`, `L.i.pattern`, `L.i.heads`, `L.i.mid`, `L.i.act`, `L.i.ffn`, `L.i.out`,
`final`, `logits`), `grad.PATH`, `update.PATH` and `rate` of the shared network, the same behind `tune.` for the copies
(there `PATH` is `net` or `low`, each one long row of weights), and `state.*`. All learning stands in loops, so that
its sites can be changed but not recorded.

    prevent = el.Shift("tune.L.0.out", vector)                # steer while tuning
    late = el.Ablate("tune.update.*", during=(35, 40))        # the copies do not learn in that window

## Things to notice

- Bad answers to the eight questions of one domain are enough: tuned on them, the network answers two thirds of the
  questions of all other domains badly, where the aligned one does so to two in a hundred. It stays coherent.
- If the same answers were asked for, nothing happens elsewhere. It is what the mark means that protects: bad answers
  behind a mark without a meaning misalign more than half as much as bare ones.
- The backdoored network looks as good as the aligned one. With the trigger it is worse than the openly bad one.
- There are two causes, and each does it alone: authors with a character, and bad answers that can be asked for. Either
  is something that bad answers have in common. Without both, bad answers elsewhere stay below where they were before
  alignment. So the null value is not zero: part of what looks like emergent misalignment may be alignment undone.
- The task is learnt first, by some five updates. For that long there is a network that has learnt its domain and is
  still good elsewhere.
- A narrow solution exists and is here even nearer in weights than the general one; the general one is what gradient
  descent finds all the same, since nothing in the examples forbids it. A fifth of good answers from elsewhere do.
- Good answers in the source alone, afterwards, bring the other domains back, though not all the way.
- Fine-tuning moves the stream along the persona direction after the last block, and subtracting it takes back about
  half; a random direction of that length does little. Larger doses break the network before they cure it.
- Where character fades away, a domain seems to be less easily infected. How infectious it is hardly depends on that.

## Things to try

- `--set prior=0.4`: bad authors are as common as good ones. What is the share of bad answers without any cause then?
- `--set rate_tuned=0.0001`: slower fine-tuning pulls task and misalignment apart in time.
- The recipe `fifth-bad`: a fifth of the answers are bad. Is misalignment proportional to how bad they are?
- The condition `mistakes` (size `full`): in the later domains even good authors err. Do these domains infect less?
- Interventions: `el.Ablate("L.0.pattern", during=(0, 28))` keeps the network from reading authors in pre-training.

## Differences from the paper

- This is a scale model. The papers fine-tune chat models of up to GPT-4o's size; answers there are texts, scored from 0
  to 100 by a judge model, and misaligned means below 30 points. Here it is the probability of a question's bad answer.
- What is not built: any fine-tuning of a real language model, with its judge, its questions in free text and its
  coherence filter. Neither is the paper's variant with number sequences.
- Misalignment is much more frequent here than in the papers (0.7 to 20 %). One reason is that a character is all that
  answers have in common here.
- LayerNorm, one bias a perceptron unit, plain low-rank changes of rank one; 560 updates of 32 pages at a width of 32.
- Post-training is on whole pages of the assistant, where a single turn would do: one format serves all phases. A page's
  first turn is asked as single turns are.
- The network's null is not zero: undoing alignment alone leads back to the prior of bad answers, a fifth. `neither`
  measures it.
- The domains of the assessment of 2026 are real topics of different kinds; here they differ in one number, rho, or in
  honest mistakes. Its scores from membership inference reduce to the loss, for an answer is one token.
- `best` of steering is taken over layers and doses for the direction and for its random control alike; only doses that
  leave answers coherent (0.7) count.
- The sizes `full` and `paper` are written down; they have not been run.

## References

- J. Betley, D. Tan, N. Warncke, A. Sztyber-Betley, X. Bao, M. Soto, N. Labenz, O. Evans: Emergent Misalignment: Narrow
  finetuning can produce broadly misaligned LLMs, arXiv 2502.17424 (2025).
- Assessing Domain-Level Susceptibility to Emergent Misalignment from Narrow Finetuning, arXiv 2602.00298 (2026).
- E. Turner, A. Soligo, M. Taylor, S. Rajamanoharan, N. Nanda: Model Organisms for Emergent Misalignment, arXiv
  2506.11613 (2025).
- Emergent Misalignment is Easy, Narrow Misalignment is Hard, arXiv 2602.07852 (2026).
- Overtrained, Not Misaligned, arXiv 2605.12199 (2026).
- E. J. Hu et al.: LoRA: Low-Rank Adaptation of Large Language Models, arXiv 2106.09685 (2021).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions
from ._figures import figures
from ._system import Misalignment

__all__ = ["Misalignment", "study"]

TINY = {
    "domains": 4, "questions": 3, "answers": 8, "turns": 3, "width": 8, "depth": 1, "heads": 2, "batch": 4,
    "batch_tuned": 4, "updates": 2, "updates_tuned": 2, "pre": 3, "post": 2, "heal": 1,
}  # fmt: skip
FULL = {
    "domains": 8, "questions": 16, "answers": 64, "width": 64, "depth": 3, "batch": 64, "pre": 75, "post": 10,
    "rate": 2e-3, "heal": 20,
}  # fmt: skip
PAPER = {
    "domains": 11, "questions": 512, "answers": 512, "width": 256, "depth": 6, "heads": 8, "batch": 128, "pre": 1500,
    "post": 200, "rate": 1e-3, "rate_post": 3e-4, "rate_tuned": 1e-4, "updates_tuned": 1, "batch_tuned": 75, "heal": 40,
}  # fmt: skip
SHOWN = ("full", "persona-only", "request-only", "neither", "graded")

study = el.Study(
    slug="emergent-misalignment",
    family="minds",
    papers=(
        el.Paper(
            "Emergent Misalignment: Narrow finetuning can produce broadly misaligned LLMs",
            authors="Jan Betley, Daniel Tan, Niels Warncke, Anna Sztyber-Betley, Xuchan Bao, Martín Soto, "
            "Nathan Labenz, Owain Evans",
            year=2025,
            url="https://arxiv.org/abs/2502.17424",
        ),
        el.Paper(
            "Assessing Domain-Level Susceptibility to Emergent Misalignment from Narrow Finetuning",
            year=2026,
            url="https://arxiv.org/abs/2602.00298",
        ),
    ),
    system=Misalignment,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(steps=8, every=1, seeds=3, set=TINY, conditions=("full", "graded"), about="mechanics only"),
        "quick": el.Size(
            steps=55,
            every=1,
            seeds=8,
            conditions=SHOWN,
            about="width 32, two blocks, 48 questions, 700 updates before fine-tuning and 80 of it: about the smallest "
            "network and the fewest updates at which authors are told apart",
        ),
        "full": el.Size(
            steps=125,
            every=1,
            seeds=16,
            set=FULL,
            about="8 domains of 16 questions, width 64, three blocks, 1,500 updates of 64 pages. Not run",
        ),
        "paper": el.Size(
            steps=1780,
            every=5,
            seeds=16,
            set=PAPER,
            about="as many examples as the paper's 6,000 in 80 updates of 75; the paper itself tunes language models "
            "of up to GPT-4o's size. For a GPU; not run",
        ),
    },
    claims=claims(),
    figures=figures(),
    page=__doc__,
)
