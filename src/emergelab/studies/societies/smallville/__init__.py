"""A party invitation spreads through a town of people who remember, reflect and plan.

## What it is

Park et al. (2023) put 25 people into a simulated town, each with a language model behind it, a stream of memories that
are found again by recency, importance and relevance, and the habit to reflect and to plan. One of them meant to give a
party, another to run for mayor. Nobody else was told. In two days 13 of the 25 had heard of the party and 8 of the
candidacy, people had got to know each other, and five guests were at the right place at the right time.

Here is such a town without language: facts are numbers, memories are triples of words with random embeddings, and what
is said is a memory that came to mind. All that is left is the machinery that the paper proposes, and of that one can
grow hundreds of towns and remove part after part. The study `smallville-lm` lets a language model speak.

## How it works

A step is a quarter of an hour, a run two days. People have homes (two in each), work, two haunts for the evening, hours
of their own, and stray now and then. They know one pair in six from before. Those at one place are matched two by two;
a pair talks with a chance that grows with the talks they have had.

**Memory.** A memory says who, what and where, how important it is (1 to 10), when it was made and when it was last
called up, who told it, and, a thought, which memories it rests on. Its embedding is the sum of its words' vectors. What
is called up by a question scores

    w_recency * recency + w_relevance * relevance + w_importance * importance

each stretched to [0, 1] over all memories of the person: recency 0.995 to the power of the hours since it was last
called up, relevance the cosine. The best six come to mind, and count as called up now. The code released with the paper
takes ranks instead of hours, with a decay of 0.99 and weights 0.5, 3, 2, and ranks from the wrong end: what was called
up longest ago gets the most. Conditions `inverted` and `released`; `rank` and `released-mended` are the same put right.

**Talk.** The question is the other and the place. Each says one of the six things that come to mind, in proportion to
score. The listener remembers it, with its time nine times out of ten. **Plans.** At half past six one asks what is new:
whatever event of the day comes to mind with its time is planned, unless there is something better to do; so is one that
is heard of on its own day. Without planning one asks at the last moment what to do here and now. **Reflection.** When
the importance of what was seen and heard adds up to 60 there come two thoughts: about the person and about the matter
that weighed most of late, more important than what they rest on.

Four facts have a source: the party (importance 8, at the café at 17:00 on day 2), the candidacy (7), a dull sale (2)
as a base rate of going to anything, and news that one person learns only on the second morning (7). `bound` is
contagion on the same contacts: who would know if everybody told everything to everyone near. Interviews put five kinds
of questions whose answers are known.

Sites for interventions: `place`, `talking`, `speaks` (who says something), `goes` (to which event), `ties`, and the
whole state, memories included.

    quarantine = el.Clamp("place", 5, during=(36, 92))  # all at one place for a day
    hush = el.Clamp("speaks", 0, during=(96, 192))  # the second day without a word
    equal = el.Clamp("state.minds.importance", 1.0)  # nothing matters more than anything else

## Things to notice

- In the full town 0.69 of the people know of the party in the end and 0.39 of the candidacy (published: 0.52 and 0.32),
  and between 3 and 4 guests come. Contagion on the same contacts reaches everybody in the first afternoon. Towns differ
  widely (standard deviation 0.27): the paper has one.
- Importance carries the news. Retrieval by recency, by relevance or by chance leaves the party with two people; by
  importance alone it goes as far as by all three, or further. A model that rates an invitation 8 of 10 has decided most
  of what follows.
- **The released inversion of recency hinders the spread**, of old news and of new. One would expect it to favour what
  was known from the start, for that is oldest. But what is called up becomes recent, and under the inversion the
  recent sinks: each telling buries the news in its teller's mind. In the end the party occurs to 39 % of those who know
  of it, when they meet anybody anywhere; with ranks from the right end, to 96 % (observable `spoken`). With the
  released weights, in which recency counts little, both effects are small.
- Planning decides what people can say about tonight, and nothing else: without it as many guests come. An important
  event comes to mind at the right hour by itself.
- Reflection adds nothing to the right answers: it fills the six places that come to mind with thoughts, and who asks
  for a memory finds a conclusion. It is the one step of the published order of believability that is not found.
- Three people in ten of those who know nothing are at the café at five anyway; of those who know, four in ten come.
  A count of guests without the base rate would mislead.
- Somebody who remembers nothing of its days eats at the café, as is the custom; with memories of its own it does so
  every other time. But many memories of anywhere bring it back there: no two agree, and the custom wins.
- What five people forget on the second morning they are mostly not told again, since each tells what comes to its own
  mind and cannot see who has forgotten.
- That the person near most people is silent costs next to nothing: there are other ways round.

## Things to try

- `emergelab run smallville --set width=8`: embeddings in which words are confused. How many say to know what they do
  not (`false_yes`)?
- `--set found=30`: as many memories as the released code puts into a prompt.
- `--set focus=2` with `--condition relevance-only`: when talks ask for news, relevance carries it.
- `--set fidelity=0.5`: everybody hears of a party, and nobody knows when.
- `--set agents=100 --set places=20 --set capacity=256`: a larger town.
- `--clamp "speaks=0@96:192"`: nobody speaks on the second day.

## Differences from the paper

- No language, hence no wording, no persuasion, no misunderstanding but the loss of a time. Relevance is that of random
  vectors: near only where words are shared.
- 15 minutes a step instead of 10 seconds; people notice one other at a time, and no objects.
- Reflection sets in at a summed importance of 60 instead of 150, since people see less; it is two conclusions about who
  and what weighed most, without questions.
- Plans are where to be in the morning, afternoon and evening, and which event to go to.
- Believability was ranked by people; here it is replaced by the share of right answers. The order of conditions is
  compared, not the numbers.
- Numbers of the town (chance to talk, haunts, hours) are ours. They were set once, by the number of talks a day, before
  claims were judged; a first version with a third of the talks spread the party to three people.
- The reports of two versions of the paper differ by one person for the party.

## References

- J. S. Park, J. C. O'Brien, C. J. Cai, M. R. Morris, P. Liang, M. S. Bernstein: Generative Agents: Interactive
  Simulacra of Human Behavior, UIST (2023), arXiv 2304.03442, and their code, joonspk-research/generative_agents on
  GitHub (the retrieval of the module `retrieve`).
"""

from __future__ import annotations

import emergelab as el

from ._claims import claims
from ._conditions import conditions
from ._figures import figures
from ._system import Smallville
from ._view import view

__all__ = ["Smallville", "study"]

study = el.Study(
    slug="smallville",
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
    system=Smallville,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            steps=192,
            every=32,
            seeds=4,
            set={"agents": 10, "places": 6, "capacity": 96},
            about="10 people for 25: mechanics only",
        ),
        "quick": el.Size(
            steps=192,
            every=32,
            seeds=32,
            about="nothing in time or people: 25 people and two days as published, 32 towns where the paper has one; "
            "facts and triples in the place of language",
        ),
        "full": el.Size(
            steps=192,
            every=32,
            seeds=64,
            set={"agents": 100, "places": 20, "capacity": 256},
            about="four times the people. Not run",
        ),
        "paper": el.Size(steps=192, every=32, seeds=1, about="one town of 25 people for two days, as published"),
    },
    claims=claims(),
    figures=figures(),
    view=view,
    page=__doc__,
)
