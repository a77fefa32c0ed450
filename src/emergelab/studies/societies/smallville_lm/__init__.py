"""A party invitation spreads, if it does, through a small town whose people a language model speaks for.

## What it is

Park et al. (2023) gave 25 people of a simulated town a language model, a stream of memories, and the habit to reflect
and plan. One of them meant to give a party; in two days half of the town had heard of it and five guests came. The
study `smallville` grows such a town without language. This one lets a language model, or what stands in for one, decide
and speak: a handful of people, three places, one day, by the hour. The model is asked at meetings, for plans, and in
the evening; all else is computed.

Beside the model decide rules (what the people of `smallville` do, put into words), chance, people with nothing to say,
and an oracle that tells everything to everybody. So what a model adds can be told from what the town does by itself.

## How it works

A memory is a sentence with a time, an importance from 1 to 10, and pointers to what it rests on. It is found again by
recency, relevance and importance, by the same formula as in `smallville`. Relevance is the cosine of embeddings: of
hashed words (`embedding=words`), or of the encoder all-MiniLM-L6-v2 (`embedding=minilm`, after
`emergelab get minilm`); which one is a parameter and not a matter of what lies on the machine, so that runs can be
repeated elsewhere. Every retrieval is in the run's events, with its query and the three parts of each score.

One step is an hour.

1. **Plans.** Every second hour each person asks itself what is on, and chooses where to be: one of three places
   (`planning=choice`), or a place and an activity under a schema (`struct`), for models that can.
2. **Meetings.** Those at the same place meet two by two. Each sees the other, calls up three memories about it and the
   place, and chooses to continue, to join the other for the next hour, or to talk. Who talks says one sentence; it is
   heard, whatever the other chose.
3. **Hearing.** Which facts a sentence states is found by rule: it must contain one of a few words (party; mayor,
   candidate, election; sale, old maps). Never is anybody asked whether it said so. The listener rates how important it
   is and remembers it. A text is rated once.
4. **Reflection.** When enough importance has come up, a person concludes something from what comes to mind, in a
   sentence that is remembered with pointers to its evidence. It counts as knowledge of a fact only if its owner knew.
5. **Evening.** After the last hour everybody calls up what is on, and goes to one of the places or home; and is asked
   whether it has heard of a party.

Ada knows of her party at the café at five, Bruno that he runs for mayor, Cleo of a sale of old maps: the last is the
base rate of going to anything at all. Awareness is verified in memory.

Claims are of two kinds. Those on the *wiring* ask whether answers are decisions, and whether facts travel as they
should where rules speak. Those on the *phenomenon* ask whether news spreads in a model's words and draws people. A
model of some hundred million parameters is expected to fail the latter: it is a negative control, and its verdicts say
nothing about the model of the paper. Ten small towns cannot settle small effects either.

Sites for interventions: `place` (where everybody is, as numbers of places), `importance` (ratings of what was just
heard). Everything that was asked and said is in the run's ledger.

## Things to notice

- `invented` counts facts that a speaker stated without having them in memory. A fact that nobody knew and somebody made
  up spreads as well as any other, and `aware_party` alone does not tell.
- Compare `came_aware` with `came_unaware`: some are at the café in the evening anyway.
- `yes_unaware` is the share of those without any memory of the party that say they have heard of it.
- Words are matched, not meanings: "I'll celebrate at the café" does not state the party.

## Things to try

- `emergelab run smallville-lm --lm smollm2`: a small model, offline.
- `emergelab run smallville-lm --lm http://HOST/v1#MODEL --lm-calls 4000 --condition model-plain`: your own.
- `emergelab run smallville-lm --condition rules --condition rules-released --set people=8 --set hours=9`: no model.
- `--set embedding=minilm`: does meaning help, where only three memories come to mind?
- `emergelab.lm.fork(run, at=3, say={"Ada": "Come to my party at the café at five!"})`: one sentence changed.

## Differences from the paper

- Five people, three places and one day of seven hours; 25 people, a map of tiles and two days there. Ticks are hours
  instead of seconds, and people perceive whom they meet.
- A talk is one sentence each way, not a conversation.
- Three memories come to mind; the released code puts thirty into a prompt.
- Reflection is one conclusion, not three questions with five insights.
- Prompts carry the paper's content in words of our own, and in three wordings. Nothing is cached between towns.
- Interviews are two typed questions; no human judges them.

## References

- J. S. Park, J. C. O'Brien, C. J. Cai, M. R. Morris, P. Liang, M. S. Bernstein: Generative Agents: Interactive
  Simulacra of Human Behavior, UIST (2023), arXiv 2304.03442, and their code, joonspk-research/generative_agents on
  GitHub.
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import RANDOM_RETRIEVAL, RULES, conditions
from ._figures import figures
from ._system import SmallvilleLM
from ._view import view

__all__ = ["SmallvilleLM", "study"]

study = el.Study(
    slug="smallville-lm",
    family="societies",
    papers=(
        el.Paper(
            "Generative Agents: Interactive Simulacra of Human Behavior",
            authors="Joon Sung Park, Joseph C. O'Brien, Carrie J. Cai, Meredith Ringel Morris, Percy Liang, "
            "Michael S. Bernstein",
            year=2023,
            url="https://arxiv.org/abs/2304.03442",
        ),
    ),
    system=SmallvilleLM,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=4,
            every=1,
            seeds=3,
            set={"hours": 3, "people": 4},
            about="4 people and 3 hours: mechanics only",
        ),
        "quick": el.Size(
            steps=7,
            every=1,
            seeds=10,
            conditions=("model-plain", RANDOM_RETRIEVAL, *RULES, "random", "constant", "oracle"),
            about="5 people and 6 hours, ten towns: about 60 decisions a town if one meeting in three leads to a talk, "
            "80 if all do; 1,200 to 1,600 for the model in one wording, with and without retrieval. The other wordings "
            "belong to `full`",
        ),
        "full": el.Size(
            steps=10,
            every=1,
            seeds=10,
            set={"people": 8, "hours": 9},
            about="8 people, 9 hours and all three wordings. Not run",
        ),
        "paper": el.Size(
            steps=10,
            every=1,
            seeds=1,
            set={"people": 8, "hours": 9, "found": 30, "planning": "struct"},
            about="as near to the paper as this town comes: thirty memories in a prompt and plans under a schema. Not "
            "run",
        ),
    },
    claims=claims(),
    figures=figures(),
    view=view,
    page=__doc__,
    lm=True,
)
