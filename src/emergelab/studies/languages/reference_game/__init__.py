"""Two networks that are only told who pointed right agree on words, and the channel decides what these are like.

## What it is

A speaker sees an object and sends a message; a listener hears the message alone and points at one of some candidates.
Neither is told what to say. Lazaridou et al. (2017) showed that two networks come to a language in this way, and the
game has been the field's standard ever since (Kharitonov et al. 2019). Symbols are discrete, so no gradient passes
through them. Either the speaker learns from rewards (REINFORCE), or the listener's gradient flows back through a
softened draw of symbols (Gumbel-softmax, straight through), which Havrylov and Titov (2017) found far faster. What
kind of language comes out depends on the channel. Noise should make it redundant, and a cost of symbols should give
frequent things short names, as human languages do; left alone, networks give them long ones (Chaabouni et al. 2019).

## How it works

An object has two attributes of eight values each. The speaker, a perceptron with one hidden layer, says up to six
symbols of eight, of which the listener, another one, hears the first `width`; it points at one of ten candidates.
Success by chance is 0.1. 13 of the 64 objects are never shown in training. One step is a batch of plays, 32 at the
size `quick`.

`estimator` says how speakers learn. `noise` is the share of symbols that become another one on the way. With
`ends="yes"` symbol 0 ends a message, and every symbol up to the end costs `cost`. Objects are met with probabilities
by Zipf's law with exponent `power`, in a random order; from step `turn` on that order is reversed. With
`speech="newborn"` the speaker says for ever what it said at birth, with `"arbitrary"` it has a message at random for
every object, no two alike: codes that do not adapt to the listener.

`accuracy` and `unseen` are the shares of objects understood, met and never met; `scrambled` is that with the message
of another object. `through` is understanding through the condition's own noise, `robust` through noise of 0 to 0.5 for
every language, `without` with a position silent. `nearest` is the number of symbols in which a message differs from
the most similar other one: if it is 3, one garbled symbol can be mended. `used` is the mean length in plays, `law` the
rank correlation of length and rarity, above 0 where the frequent is short. `topsim`, `posdis` and `bosdis` are as in
other games, with their levels when objects swap messages.

Sites for interventions: those of the game (`message`, `message.I`, `answer`, `temperature`, `rate.speakers`,
`rate.listeners`, `grad.*`, `update.*`) and `prior`, how probable each object is. Messages with which `robust` and
`without` are measured are called `tests.message`.

    lesion = el.Ablate("*message.0", during=(1000, None))             # a position is no longer heard
    frozen = el.Ablate("update.speakers.*", during=(1000, None))      # a language that no longer changes
    lie = el.Swap("message", range(0, 16), range(16, 32), axis=1)     # half of a batch swaps messages with the other
    alike = el.Clamp("prior", 1 / 64, during=(1000, None))            # all are met equally often, held-out ones too

## Things to notice

- After 2000 steps 98 % of the objects met are understood, by chance 10 % would be, and with another object's message 9
  % are. Of objects never met 48 % are understood.
- Learning from rewards takes twice as long to nine objects of ten (700 steps for 325) and comes close in the end (94
  %), with fewer messages (38 for 51). Without the bonus for being undecided it stays at 89 %.
- It is harder to agree on a code than to learn one. A code at random, no two messages alike, is learnt within 100
  steps; what it lacks is order: of objects never met its listener understands 10 %, which is chance. What newborns say
  is 19 messages for 64 objects, and 60 % are understood, but it has some order (31 % of objects never met).
- Noise does not make codes redundant. With a fifth of six symbols garbled in training the most similar message differs
  in 1.6 symbols, without noise in 2.0; random messages would differ in 3.1, and the best code in 5. Tested in noise,
  both withstand it alike (93 and 92 %): six symbols are redundant enough, noise or no noise, and any one of them can be
  silenced at a loss of about 1 %.
- With three symbols noise costs messages (29 for 51), but objects never met are understood better: 63 % for 48 %. This
  was not among the claims; topographic similarity is the same.
- If symbols are free, messages grow from 4.4 symbols to 6.0 of six: nobody wants to be brief. As nearly all are as long
  as they may be, the frequent are no longer than the rare.
- A cost shortens messages: 5.8 symbols at 0.005, 3.9 at 0.02, 2.0 at 0.05. But it works from the first step, before
  there is anything to say, and understanding goes with it: 99 %, 85 % and 62 %, and 24 % with objects that are all
  alike. The law of abbreviation does not come back for sure (a rank correlation of 0.06 at the highest cost, 0.2 to 0.3
  in half of the seeds).
- When the first of three positions falls silent, 82 % are still understood. Speaker and listener together mend more of
  it (90 %) than the listener alone (84 %).

## Things to try

- `--set entropy=0.3` with rewards: when does the bonus for being undecided do harm?
- `--condition cost-turned`: frequencies turn round half-way. Do lengths follow?
- `--set distractors=1`: the game of Lazaridou et al., two candidates. How few messages are enough?
- `--set width=2 noise=0.2`: exactly as many messages as objects, and nothing to spare.
- Run `recurrent-reinforce`: agents that speak and listen symbol by symbol, as in the paper on length.
- Swap the messages of half of each batch (`lie` above) after step 1000, for 200 steps: does the language come back?

## Differences from the paper

- There is no single paper. Lazaridou et al. and Havrylov and Titov have images for objects, two and 128 candidates;
  ours are two one-hot attributes and ten candidates, as in EGG's game of objects. The listener's answer is compared
  with the attributes of candidates.
- Speakers say all symbols at once, from a perceptron. Theirs (but for Lazaridou et al., whose message is one symbol)
  are recurrent; recurrent agents are conditions of the size `full`, which has not been run.
- Temperature falls from 2 to 0.7 over the first half of training. The baseline of rewards is the mean of all rewards
  so far and the bonus for being undecided 0.1 per nat, as in EGG.
- Chaabouni et al. have 1000 inputs, up to 30 symbols, recurrent agents who learn from rewards, and listeners who name
  the input. They explain long messages by recurrent listeners, which ours are not. Distractors are drawn from all
  objects alike, whatever the frequency of what is meant.
- The order of frequencies is one permutation for all seeds; which objects are held out differs by seed.
- None of the papers could be read here. What is said of them is as we recall it, and no margin rests on their numbers.

## References

- A. Lazaridou, A. Peysakhovich, M. Baroni (2017). Multi-agent cooperation and the emergence of (natural) language.
  https://arxiv.org/abs/1612.07182
- S. Havrylov, I. Titov (2017). Emergence of language with multi-agent games: learning to communicate with sequences of
  symbols. https://arxiv.org/abs/1705.11192
- E. Kharitonov, R. Chaabouni, D. Bouchacourt, M. Baroni (2019). EGG: a toolkit for research on emergence of language
  in games. https://arxiv.org/abs/1907.00852
- R. Chaabouni, E. Kharitonov, E. Dupoux, M. Baroni (2019). Anti-efficient encoding in emergent communication.
  https://arxiv.org/abs/1905.12561
- F. Li, M. Bowling (2019). Ease-of-teaching and language structure from emergent communication.
  https://arxiv.org/abs/1906.02403
- L. Kucinski, T. Korbak, P. Kolodziej, P. Milos (2021). Catalytic role of noise and necessity of inductive biases in
  the emergence of compositional communication. https://arxiv.org/abs/2111.06464
- C. E. Shannon (1948). A mathematical theory of communication. Bell System Technical Journal 27.
- R. C. Singleton (1964). Maximum distance q-nary codes. IEEE Transactions on Information Theory 10.
"""

from __future__ import annotations

import emergelab as el

from ._claims import CLAIMS
from ._conditions import QUICK, TINY, conditions
from ._figures import draw_channel, draw_learning, draw_length, draw_lesion, draw_noise, draw_words
from ._system import Reference
from ._view import view

study = el.Study(
    slug="reference-game",
    family="languages",
    papers=(
        el.Paper(
            "Multi-agent cooperation and the emergence of (natural) language",
            authors="A. Lazaridou, A. Peysakhovich, M. Baroni",
            year=2017,
            url="https://arxiv.org/abs/1612.07182",
        ),
        el.Paper(
            "Emergence of language with multi-agent games",
            authors="S. Havrylov, I. Titov",
            year=2017,
            url="https://arxiv.org/abs/1705.11192",
        ),
        el.Paper(
            "Anti-efficient encoding in emergent communication",
            authors="R. Chaabouni, E. Kharitonov, E. Dupoux, M. Baroni",
            year=2019,
            url="https://arxiv.org/abs/1905.12561",
        ),
        el.Paper(
            "EGG: a toolkit for research on emergence of language in games",
            authors="E. Kharitonov, R. Chaabouni, D. Bouchacourt, M. Baroni",
            year=2019,
            url="https://arxiv.org/abs/1907.00852",
        ),
    ),
    system=Reference,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            seeds=2,
            steps=40,
            every=10,
            conditions=TINY,
            set={"values": 4, "symbols": 4, "hidden": 8, "batch": 8, "holdout": 3, "chances": 1, "cooling": 20},
            about="mechanics only: far too short to agree on anything",
        ),
        "quick": el.Size(
            seeds=12,
            steps=2000,
            every=50,
            conditions=QUICK,
            set={"rate_speakers": 3e-3, "rate_listeners": 3e-3, "cooling": 1000, "batch": 32, "chances": 2},
            about="64 objects of one-hot attributes for images, perceptrons for recurrent networks, 2000 batches of 32",
        ),
        "full": el.Size(
            seeds=20,
            steps=20_000,
            every=500,
            set={"cooling": 10_000},
            about="all conditions, ten times as long at a third of the learning rate. Not run",
        ),
        "paper": el.Size(
            seeds=20,
            steps=500_000,
            every=10_000,
            set={
                "hidden": 100,
                "batch": 512,
                "cooling": 250_000,
                "values": 32,
                "holdout": 200,
                "distractors": 127,
                "rate_speakers": 1e-3,
                "rate_listeners": 1e-3,
            },
            conditions=("recurrent", "recurrent-ends", "recurrent-reinforce"),
            about="1024 objects, 127 distractors and recurrent agents; nearest to the papers, none of them exactly. "
            "Not run",
        ),
    },
    claims=CLAIMS,
    figures=(
        el.Figure(
            "learning",
            draw_learning,
            "Success over training by how the speaker learns: medians over seeds, quartiles and range, and dotted the "
            "mean of what is understood from another object's message. Right: the share of seeds in which nine objects "
            "of ten are understood, also for codes that do not adapt.",
            needs=("gumbel", "reinforce"),
        ),
        el.Figure(
            "channel",
            draw_channel,
            "Objects understood in the last quarter of the steps with their own message, met in training or never, and "
            "with another one's. Dots are seeds, bars 95 % intervals, the dashed line is chance.",
            needs=("gumbel",),
        ),
        el.Figure(
            "words",
            draw_words,
            "A language of middling topographic similarity, twice: cells are coloured by the symbol in the position "
            "that tells most of the row (left) or of the column (right). Stripes are names of parts.",
            needs=("gumbel",),
        ),
        el.Figure(
            "noise",
            draw_noise,
            "Left: languages of six symbols that grew with some share of them garbled, tested at other shares. Middle: "
            "how many symbols protect a message, beside what random messages and the best code have. Right: three "
            "symbols and six.",
            needs=("long", "long-noise-20"),
        ),
        el.Figure(
            "length",
            draw_length,
            "Messages that may end, for objects of unlike frequency. Left: mean length in plays. Middle: length by "
            "frequency at the end, for 1, 2, 4 ... objects. Right: above 0 the frequent is short; at chance 0.",
            needs=("ends", "cost-high"),
        ),
        el.Figure(
            "lesion",
            draw_lesion,
            "Left: listeners whose speaker does not adapt to them. Right: the first of three positions falls silent "
            "half-way. Bands are 95 % intervals, thin lines seeds.",
            needs=("gumbel", "mute"),
        ),
    ),
    view=view,
    page=__doc__,
)
