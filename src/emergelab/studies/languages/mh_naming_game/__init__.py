"""Two agents with different senses agree on words, and each comes to see more than it could alone.

## What it is

Two agents look at the same scenes. Their senses differ: what one can hardly tell apart is clear to the other. They
cannot show each other what they sense, they can only speak. In the Metropolis-Hastings naming game one of them names a
scene by what it takes it for, and the other accepts the name with a probability that depends on its own beliefs alone:
by how much better the new name fits what it sees than the one it holds. Nobody is paid and nobody is right. Yet if both
do so in turn, the names are samples of what somebody would believe who saw both minds, so the two infer together what
neither could infer alone (Taniguchi et al. 2023). Hagiwara et al. (2023) give agents several senses and let them speak
in sequences of words. Which word is about which sense is not told and has to be found out across situations. Then words
combine, and a hearer understands what nobody has met.

## How it works

A scene has a category in each of two modalities, of four each; four of the 16 combinations never occur. An agent senses
two numbers for each modality, of unit variance around the category's mean. Means lie on a circle of radius 5, but for
one agent categories 0 and 1, for the other 2 and 3, are `amb` either side of their middle: with `amb=1` even someone
who knew the means would take one for the other once in six times.

One step is a round: agent a speaks of all 200 scenes and b listens, then b speaks and a listens. An agent holds, for
each modality, the means of its categories, P(category | word) for words that are about this modality (`phi`), and
P(modality | word), who owns a word (`psi`). To speak is to draw a word for each modality in proportion to how well it
fits the category, and to say them in any order. The weight of a message is the sum over orders of the products of what
its words say of the categories; the listener accepts with the ratio of its own weights of the new message and the one
it holds, or 1. Then it learns: it draws the order that it thinks the message had, categories given its senses and the
words, and its tables and means given all of these, from their posteriors.

Ways of `listening` are `mh`; `constant` (accept with the chance `trust`); `none` (each talks to itself); `central`
(messages are drawn by somebody who sees both minds: what the game should come to); `one-mind` (one agent with the
senses of both). `memory="common"` tells the speaker of a refusal, so that both hold one message, as the theorem
supposes. `ownership="none"` leaves it open for ever which word is about what.

`ari` compares categories with the truth (adjusted Rand index, 0 by chance). `ideal_alone` is what someone reaches who
knows all means and has one agent's senses, `ideal_both` the same with both. `kappa` is the share of scenes for which
the two hold the same words, beyond that for scenes paired at random. For `novel` the speaker sees a scene of a
combination that never occurred and says the likeliest words in a random order; the hearer has the words alone. It
counts if both categories are right. `novel_scrambled` gives the hearer the words of another scene, `novel_ceiling` is a
perfect code told by someone who knows the means. `imagined` is how far off the hearer's imagined senses are.

Sites for interventions, under the listener's name: `a.heard` (words that arrive), `a.accept` (chances), `a.sight`
(log-likelihood of every category), `a.means`, `a.phi`, `a.psi`, the same for `b`, and both agents together before the
round: `state.kinds`, `state.words`, `state.means`, `state.phi`, `state.psi`.

    deaf = el.Clamp("b.accept", 0.0)                           # b never takes a word
    blind = el.Clamp("a.sight", 0.0, where=np.array([True, False])[:, None, None])  # a sees nothing of modality 0
    swapped = el.Swap("state.phi", 0, 1, during=(150, 151))    # each wakes up with the other's lexicon
    doubting = el.Scale("*.accept", 0.5)                       # every word is doubted
    open_ended = el.Clamp("*.psi", 0.5)                        # no word is ever owned

## Things to notice

- Who weighs what it hears comes to see more than its senses show. Agents who talk reach an adjusted Rand index of 0.94
  with the truth; someone with the same senses who knew all means would reach 0.82, and with both agents' senses 1.00.
  Agents who talk to themselves reach 0.75.
- To take every word is as good as silence (0.74), although then most is said and heard. Half of the words, taken by
  chance, do no better. Kappa of the words is 0.90 with the ratio and 0.03 in both others.
- Few words have to be refused for that: at first a quarter, in the end one in fourteen.
- Words come first: after ten rounds kappa is 0.51 while categories have gone from 0.75 to 0.78 only.
- Nothing is lost for want of a common mind: somebody who sees both minds and draws the words reaches 0.94 too. One
  agent with all senses reaches 1.00, for its categories are one for both, and those of two agents need not agree.
- A hearer understands 0.74 of the scenes of combinations that nobody met; a perfect code, told by someone who knew the
  means, would give 0.87. Where it falls short shows in the lexicon (`named`): in five of twelve pairs each category had
  a word of its own, and those reached 0.82 to 0.89. In the other seven two categories shared a word while another had
  two; they reached 0.62 to 0.69, and none got out of it in the last hundred rounds. It is the partial pooling of
  `lewis-signalling`.
- Without ownership agents still categorise well (0.91), but a hearer who does not know which word is about what
  understands 0.40, and kappa is 0.31.
- A fifth of the words lost on the way costs little: 0.90, kappa 0.85, and 0.74 of the new scenes.
- The gain goes with the need. Beyond what one could know alone it is 0.12, 0.12, 0.06, 0.02 and 0.00 for confusable
  means that are 1, 2, 3, 4 and 6 standard deviations apart.
- A deaf agent is no help. It keeps its first words, learns its tables from them, and so says nothing.

## Things to try

- `--set stubbornness=4`: acceptance by a power of the ratio. And 0.25?
- `--condition tables-swapped`: how long do they take to understand each other again?
- `--set words=4`: as many words as categories, so that each has to serve both modalities. Or 16, with synonyms.
- `--set noise=0.5`: how much may be lost on the way?
- `--set modalities=3 --set words=12`: six orders of three words.

## Differences from the paper

- The paper has two humanoid robots in a simulator, with categories formed from several senses of objects and actions.
  Here senses are Gaussian numbers. Its text beyond the abstract could not be read, so no number of it is compared.
- Complementary senses are ours: they make visible what each gains.
- Variances are known and equal; the authors' related code has Normal-Wishart priors. Categories are as many as there
  are.
- Messages have one word for each modality. The ownership table `psi` is updated as if each word of a message chose its
  modality alone, although a message names each modality once.
- Each agent holds its own message for a scene, as in the authors' related code. The theorem is for one message held in
  common (`mh-common`); a test compares the game with an enumeration of all messages and categories.
- Categories are judged as they are drawn, not by their modes, and averaged over the last third of the rounds.
- Two agents, no populations; images (digits seen upright and turned) and the minimal naming game are not part of it.

## References

- Y. Hagiwara, K. Furukawa, T. Horie, A. Taniguchi, T. Taniguchi (2023). Symbol emergence as interpersonal
  cross-situational learning: the emergence of lexical knowledge with combinatoriality. https://arxiv.org/abs/2306.15837
- T. Taniguchi, Y. Yoshida, Y. Matsui, N. Le Hoang, A. Taniguchi, Y. Hagiwara (2023). Emergent communication through
  Metropolis-Hastings naming game with deep generative models. https://arxiv.org/abs/2205.12392
- Y. Hagiwara, H. Kobayashi, A. Taniguchi, T. Taniguchi (2019). Symbol emergence as an interpersonal multimodal
  categorization. https://arxiv.org/abs/1905.13443
- R. Okumura, T. Taniguchi, Y. Hagiwara, A. Taniguchi (2023). Metropolis-Hastings algorithm in joint-attention naming
  game: experimental semiotics study. https://doi.org/10.3389/frai.2023.1235231
- G. Marsaglia, W. W. Tsang (2000). A simple method for generating gamma variables. ACM Transactions on Mathematical
  Software 26.
- D. Arthur, S. Vassilvitskii (2007). k-means++: the advantages of careful seeding. SODA.
"""

from __future__ import annotations

import emergelab as el

from ._claims import CLAIMS
from ._conditions import QUICK, THREE, TINY, conditions
from ._figures import draw_dose, draw_lexicon, draw_novel, draw_rounds
from ._system import NamingGame
from ._view import view

study = el.Study(
    slug="mh-naming-game",
    family="languages",
    papers=(
        el.Paper(
            "Symbol emergence as interpersonal cross-situational learning: the emergence of lexical knowledge with "
            "combinatoriality",
            authors="Y. Hagiwara, K. Furukawa, T. Horie, A. Taniguchi, T. Taniguchi",
            year=2023,
            url="https://arxiv.org/abs/2306.15837",
        ),
        el.Paper(
            "Emergent communication through Metropolis-Hastings naming game with deep generative models",
            authors="T. Taniguchi, Y. Yoshida, Y. Matsui, N. Le Hoang, A. Taniguchi, Y. Hagiwara",
            year=2023,
            url="https://arxiv.org/abs/2205.12392",
        ),
    ),
    system=NamingGame,
    conditions=conditions(),
    sizes={
        "tiny": el.Size(
            seeds=2,
            steps=20,
            every=10,
            conditions=TINY,
            set={"scenes": 40, "tests": 8},
            about="mechanics only: too few scenes and rounds",
        ),
        "quick": el.Size(
            seeds=12,
            steps=300,
            every=10,
            conditions=QUICK,
            about="Gaussian senses for two robots in a simulator, 200 scenes, two modalities of four categories",
        ),
        "full": el.Size(
            seeds=100,
            steps=1000,
            every=20,
            conditions=THREE,
            set={"categories": 6, "modalities": 3, "words": 18, "scenes": 600, "tests": 120},
            about="three modalities of six categories, so that six orders of words are possible. Not run",
        ),
        "paper": el.Size(
            seeds=1,
            steps=1000,
            every=10,
            conditions=THREE,
            set={"modalities": 3, "words": 12},
            about="one run of two agents with three modalities, as the paper shows. Its robots, their senses and the "
            "sizes of its experiments are not reproduced. Not run",
        ),
    },
    claims=CLAIMS,
    figures=(
        el.Figure(
            "rounds",
            draw_rounds,
            "Only agents who weigh what they hear end above what one pair of senses allows, and hold the same words. "
            "Thin lines are seeds, bands 95 % intervals.",
            needs=("mh", "all", "none"),
        ),
        el.Figure(
            "dose",
            draw_dose,
            "The less an agent can tell apart by itself, the more it gains by talk. Bars are 95 % intervals over "
            "seeds.",
            needs=("mh", "all", "none", "mh-3", "none-3"),
        ),
        el.Figure(
            "novel",
            draw_novel,
            "What a hearer makes of words for combinations that occurred in no scene. Dots are seeds, dotted lines the "
            "same with the words of another scene.",
            needs=("mh", "all", "none", "mh-no-ownership"),
        ),
        el.Figure(
            "lexicon",
            draw_lexicon,
            "The lexicons of one pair at the end: what words mean to each agent, and what each would say for all "
            "combinations of categories. Framed combinations occurred in no scene.",
            needs=("mh",),
        ),
    ),
    view=view,
    page=__doc__,
)
