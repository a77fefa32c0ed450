"""Languages that newborns must learn over and over become more regular.

## What it is

Two networks that have to tell each other about objects agree on a code that works for the two of them, and as a rule
it is a haphazard one. Languages of people are not like that, and one explanation is that a language lives only if
children can learn it (Kirby 2001). Li and Bowling (2019) brought the idea to networks: every so often the listener is
replaced by a newborn, and the speaker has to teach it what the old one knew. A language that is easy to teach then
has an advantage, and the languages that come out of it are more regular. Ren et al. (2020) add heirs: a newborn
speaker first imitates its predecessor, from only a part of what could be said.

## How it works

An object has two attributes of eight values each. The speaker, a perceptron with one hidden layer, sees it and says
three symbols of ten, all at once; the listener, another one, has to name both attributes (`reconstruction`), or to
point at the object among five (`reference`, the conditions `pointing*`). 13 of the 64 objects are never shown. Both
learn by Adam, the speaker by the listener's gradient through a softened draw of symbols (Gumbel-softmax, straight
through). One step is one batch.

Every `lifetime / often` steps somebody is replaced, network and optimiser, before a step is made, so that records at
multiples of a lifetime show grown-up listeners. In the last quarter nobody is: languages are compared when all have
had time to be learnt. `renews` says who is replaced (listeners, speakers, both), `resets` whether of several
listeners all are at once or one after another, `timing="random"` draws the times, `keeps` lets a newborn keep the
network or the optimiser's memory of whom it replaces. With `heirs="yes"` both are replaced; the new speaker imitates
the old one for `lessons` batches, from a share `passed` of the objects, and the new listener hears the heir for
`hearing` batches before they play.

`topsim` is topographic similarity (do like objects have like messages: Spearman's correlation of how many attributes
and how many symbols differ), `posdis` positional disentanglement (does each position speak of one attribute). Beside
each stands its level when objects swap their messages. `taught` is an exam: newborn listeners, who play no part in
the game, are given lessons, and asked after 5, 10, 20 and 40; `teachable` is the mean. `kept` is the share of symbols
that are those of the parents' language.

Sites for interventions: those of the game (`message`, `message.I`, `answer`, `temperature`, `rate.speakers`,
`rate.listeners`, `grad.*`, `update.*`) and the state under `state.game`. Heirs' and exams' messages are sites too
(`heirs.message`, `exam.message`).

    frozen = el.Ablate("update.speakers.*", during=(2000, None))      # the language no longer changes
    mute = el.Ablate("message.2")                                     # two positions instead of three
    slow = el.Scale("rate.listeners", 0.3)                            # slow learners
    garbled = el.Swap("exam.message", [0, 1], [1, 0], axis=1)         # two objects swap messages in exams

## Things to notice

- New listeners do what they are said to do: topographic similarity is 0.67 where it is 0.59 with one listener for
  ever, positional disentanglement 0.60 for 0.40, twice as many new combinations are understood (0.47 for 0.22), and
  strangers learn the language faster, by a little. As much is understood of what is shown, with as many messages.
- It is over soon. The gain of new listeners is there after four generations of fifteen; from the tenth on, at least
  99 % of all symbols are those of the parents.
- Measured by regularity alone new speakers do better than new listeners: 0.82, and still rising at the end. A newborn
  speaker has to find its way to what the old listener understands, and begins with a smooth map from objects to
  symbols.
- There is an optimum. Twice as often costs understanding (0.91), four times as often much more (0.70):
  newborns are replaced before they have learnt the language, and a third of the objects is lost. Positional
  disentanglement still rises meanwhile (0.72, 0.73), for there are fewer messages. Look at all of them.
- An optimiser that forgets does nothing (0.60), and neither does a bonus for undecided speakers (0.62).
- In a crowd of three it matters little whether all are replaced at once (0.67) or one after another (0.64).
- Heirs who imitate all that their predecessors say make the language more regular already (0.67). With half of it,
  positions speak even more of one attribute each (0.83 for 0.55), but a tenth of the objects is no longer understood.

## Things to try

- `--set lifetime=20`: newborns that are replaced before they have learnt anything.
- `--set positions=2`: no room to spare, so a good language must be regular. Is it found?
- Run `frozen`: once speakers no longer learn, do resets still do anything to the language?
- `--set passed=0.1` for the heirs: how narrow can a bottleneck be?
- Run `rewarded` and `rewarded-reset`: recurrent agents, and a speaker that learns from rewards alone, as in the
  paper.

## Differences from the paper

- Li and Bowling's agents are recurrent, learn from rewards (REINFORCE), have messages of two symbols of eight for 32
  objects of 8 colours and 4 shapes, and point at the object among five. Ours are perceptrons that learn by gradients
  and, but for two conditions, name attributes; there is room to spare in their messages. Recurrent agents with
  rewards are among the conditions of the size `full`, which has not been run.
- Their listeners live 6000 batches, for 50 generations; ours live 150, for fifteen, at three times Adam's usual
  learning rate. A newborn of ours has learnt the language after some forty batches.
- Temperature falls over the first half of training, so that later generations meet a more decided speaker.
- Nobody is replaced in the last quarter, where they measure languages at the ends of generations.
- Heirs follow Ren et al. (2020) in their three phases, but imitate the likeliest messages where theirs are drawn, and
  interact by gradients where theirs have rewards.

## References

- F. Li, M. Bowling (2019). Ease-of-Teaching and Language Structure from Emergent Communication.
  https://arxiv.org/abs/1906.02403
- Y. Ren, S. Guo, M. Labeau, S. B. Cohen, S. Kirby (2020). Compositional languages emerge in a neural iterated
  learning model. https://arxiv.org/abs/2002.01365
- S. Kirby (2001). Spontaneous evolution of linguistic structure: an iterated learning model of the emergence of
  regularity and irregularity. IEEE Transactions on Evolutionary Computation 5, 102-110.
- H. Brighton, S. Kirby (2006). Understanding linguistic evolution by visualizing the emergence of topographic
  mappings. Artificial Life 12, 229-242.
- R. Chaabouni, E. Kharitonov, D. Bouchacourt, E. Dupoux, M. Baroni (2020). Compositionality and Generalization in
  Emergent Languages. https://arxiv.org/abs/2004.09124
"""

from __future__ import annotations

import emergelab as el

from ._claims import CLAIMS
from ._conditions import QUICK, TINY, conditions
from ._figures import draw_controls, draw_generations, draw_plane, draw_taught, draw_words
from ._system import Generations

study = el.Study(
    slug="ease-of-teaching",
    family="languages",
    papers=(
        el.Paper(
            "Ease-of-Teaching and Language Structure from Emergent Communication",
            authors="F. Li, M. Bowling",
            year=2019,
            url="https://arxiv.org/abs/1906.02403",
        ),
        el.Paper(
            "Compositional languages emerge in a neural iterated learning model",
            authors="Y. Ren, S. Guo, M. Labeau, S. B. Cohen, S. Kirby",
            year=2020,
            url="https://arxiv.org/abs/2002.01365",
        ),
    ),
    system=Generations,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            seeds=2,
            steps=40,
            every=5,
            conditions=TINY,
            set={"values": 4, "positions": 2, "symbols": 4, "hidden": 8, "batch": 8, "holdout": 3, "exams": 40,
                 "until": 30, "chances": 2,
                 "lifetime": 10},
            about="mechanics only: far too short to agree on anything",
        ),
        "quick": el.Size(
            seeds=12,
            steps=3000,
            every=75,
            conditions=QUICK,
            set={"rate_speakers": 3e-3, "rate_listeners": 3e-3, "cooling": 1500, "lifetime": 150, "until": 2251,
                 "exams": 750, "chances": 4},
            about="fifteen generations of 150 batches for 50 of 6000, perceptrons for recurrent networks",
        ),
        "full": el.Size(
            seeds=20,
            steps=20_000,
            every=500,
            set={"cooling": 10_000, "lifetime": 300, "until": 15_001, "exams": 5000},
            about="all conditions, fifty generations, at a third of the learning rate. Not run",
        ),
        "paper": el.Size(
            seeds=100,
            steps=300_000,
            every=6000,
            set={"hidden": 100, "cooling": 150_000, "lifetime": 6000, "until": 300_000, "exams": 30_000},
            conditions=("pointing", "pointing-reset", "rewarded", "rewarded-reset"),
            about="fifty generations of 6000 batches with recurrent agents and rewards, of 64 objects. Not run",
        ),
    },
    claims=CLAIMS,
    figures=(
        el.Figure(
            "generations",
            draw_generations,
            "With new listeners the language becomes regular within a few generations, and keeps its messages; "
            "with listeners that are replaced too often it does not. With new speakers, shown at the ends of their "
            "lives, it becomes more regular still. Bands are 95 % intervals, thin lines seeds.",
            needs=("none", "reset"),
        ),
        el.Figure(
            "words",
            draw_words,
            "What two speakers say of each object, in the seeds of middling topographic similarity. Cells are "
            "coloured by the symbol in the position that tells most of the row (left) or of the column (right): "
            "stripes are names of parts.",
            needs=("none", "reset"),
        ),
        el.Figure(
            "taught",
            draw_taught,
            "Strangers learn languages that were taught before: newborn listeners after lessons at the end of "
            "training, and the mean over lessons at exams along the way.",
            needs=("none", "reset"),
        ),
        el.Figure(
            "plane",
            draw_plane,
            "Regularity beside what could fake it. Large marks are means, small ones seeds: a language of which "
            "less is understood, or that has fewer messages, can look regular.",
            needs=("none", "reset"),
        ),
        el.Figure(
            "controls",
            draw_controls,
            "Topographic similarity at the end by who is replaced. Dots are seeds, bars 95 % intervals, grey "
            "lines the level when objects swap messages.",
            needs=("none", "reset"),
        ),
    ),
    page=__doc__,
)
