"""The society of the donor game as a host system: agents decide through `emergelab.lm.decide`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

import emergelab as el
from emergelab.errors import ParameterError
from emergelab.games import donor as rules
from emergelab.games.inequality import gini
from emergelab.lm import RATES, Amount, Ask, Choice, Message, Turn, count, decide, rates

from ._policies import POLICIES, PUNISHING, fit
from ._prompts import WORDINGS, Entry

__all__ = ["READ", "DonorGameLM"]

READ = ("stranger", "base", "first", "second")
_SHARE = Amount(0, 100, step=10, unit="%")
_FALLBACK = "My strategy will be to decide anew each time."
_draws = jax.jit(rules.draws_of, static_argnums=1)
_prior = jax.jit(rules.prior, static_argnums=1)
_settle, _seat, _slopes, _price, _gini = map(jax.jit, (rules.settle, rules.seat, rules.slopes, rules.price, gini))
_parents, _offspring, _by_agent = map(jax.jit, (rules.parents_of, rules.offspring, rules.by_agent))


class DonorGameLM(el.HostSystem):
    """One step is one generation: newborns write a strategy, six probes are put to them, both games, selection."""

    agents: int = el.static(12, low=4, high=100, about="agents of a generation, an even number")
    policy: str = el.choice("model", options=tuple(POLICIES), static=True, about="who decides")
    wording: str = el.choice("plain", options=tuple(WORDINGS), static=True, about="how the game is told")
    length: int = el.static(3, low=0, high=3, about="steps of gossip that are passed on")
    gain: float = el.param(2.0, low=0.0, high=10.0, about="units received for one donated")
    loss: float = el.param(2.0, low=0.0, high=10.0, about="units lost for one spent on punishing")
    endowment: float = el.param(10.0, low=0.0, high=1e3, about="resources at the start of a game")
    selection: str = el.choice("top", options=("top", "random"), static=True, about="who survives")
    scoring: str = el.choice("both", options=("both", "game 2"), static=True, about="which games count for survival")
    mechanism: str = el.choice(
        "none", options=("none", "costly punishment", "partner choice"), static=True, about="other moves"
    )
    generosity: float = el.param(0.5, low=0.0, high=1.0, about="policy theta: mean fraction given at first")
    discrimination: float = el.param(2.0, low=-4.0, high=8.0, about="policy theta: mean weight of the newest gossip")
    tolerance: float = el.param(0.1, low=-1.0, high=1.0, about="policy theta: mean giving below which one is punished")
    variety: float = el.param(0.25, low=0.0, high=2.0, about="policy theta: spread of first strategies")
    sigma: float = el.param(0.05, low=0.0, high=2.0, about="policy theta: error of copying")

    observables = (
        el.Observable("giving", unit="1", about="mean fraction given", low=0, high=1, nan_ok=True),
        el.Observable("g1", unit="1", about="mean fraction given in generation 1", low=0, high=1, nan_ok=True),
        el.Observable("resources", about="mean final resources, both games", low=0, nan_ok=True),
        el.Observable("gini", unit="1", about="inequality of final resources", low=0, high=1, nan_ok=True),
        el.Observable("punish_rate", unit="1", about="share of moves that punish or refuse", nan_ok=True),
        el.Observable("slope", unit="1", about="slope of the fraction on what the recipient gave last", nan_ok=True),
        el.Observable("second_slope", unit="1", about="slope on the entry before it, beside it", nan_ok=True),
        el.Observable("selection", unit="1", about="Price: change of giving by who has successors", nan_ok=True),
        el.Observable("transmission", unit="1", about="Price: change from parent to successor", nan_ok=True),
        el.Observable("success", unit="1", about="whether more than half was given", nan_ok=True),
        *(
            el.Observable(
                f"read_{name}", unit="1", about=f"mean of {name}, from the answers to the probes", nan_ok=True
            )
            for name in READ
        ),
        *RATES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.agents % 2:
            raise ParameterError(f"DonorGameLM: parameter 'agents' must be even, got {self.agents}")

    async def init(self, seed: int) -> Any:
        """A first generation that has no strategy yet."""
        prior = (self.generosity, self.discrimination, self.tolerance, self.variety)
        theta = np.asarray(_prior(rules.key_of(seed), self.agents, *map(float, prior)))
        agents = [_born(f"1_{i + 1}", theta[i]) for i in range(self.agents)]
        return {"generation": 0, "agents": agents, "parents": list(range(self.agents)), "gave": None, "seen": {},
                "tally": {}}  # fmt: skip

    async def step(self, state: Any, context: Any) -> Any:
        """One generation."""
        agents, tally, n = state["agents"], state["tally"], self.agents
        draws = _draws(rules.key_of(context.seed, context.time), n)
        await self._prepare(agents, tally, context)
        final, gave, moves = await self._play(agents, state["generation"] + 1, draws, tally, context)
        scores = final.sum(axis=0) if self.scoring == "both" else 2 * final[1]
        parents = np.asarray(_parents(draws.lot, draws.choice, scores, self.selection == "top"))
        seen = self._seen(state, final, gave, moves, agents)
        context.emit(
            "generation", names=[a["name"] for a in agents], strategies=[a["strategy"] or "" for a in agents],
            read=[[round(x, 3) for x in a["read"]] for a in agents], gave=np.round(gave, 4).tolist(),
            resources=np.round(final, 3).tolist(), survivors=parents[: self.agents // 2].tolist(),
        )  # fmt: skip
        return {
            "generation": state["generation"] + 1,
            "agents": self._next(agents, parents, np.asarray(draws.mutation), state["generation"] + 2),
            "parents": parents.tolist(),
            "gave": gave.tolist(),
            "seen": seen,
            "tally": tally,
        }

    async def observe(self, state: Any, context: Any) -> Mapping[str, Any]:
        """What the last generation did, and how many answers had to be repaired or replaced."""
        nothing = {o.name: float("nan") for o in self.observables}
        giving = state["seen"].get("giving", float("nan"))
        success = {"success": float(giving > 0.5)} if giving == giving else {}
        return nothing | state["seen"] | success | rates(state["tally"])

    # -- strategies -------------------------------------------------------------------------------------------------

    async def _prepare(self, agents: list[dict[str, Any]], tally: dict[str, int], context: Any) -> None:
        """Those who are new write down a strategy, with the survivors' as advice, and answer the probes."""
        new = [a for a in agents if a["read"] is None]
        wording, system = WORDINGS[self.wording], self._rules()
        if self.policy == "model":
            advice = [a["strategy"] for a in agents if a["read"] is not None]
            asks = [
                Ask(a["name"], Message(60), _FALLBACK, wording.strategy(system, a["name"], advice), template="strategy")
                for a in new
            ]
            said = await decide(POLICIES["model"], asks, context)
            count(tally, said)
            for agent, decision in zip(new, said, strict=True):
                agent["strategy"] = decision.value
        trace, known = (x.tolist() for x in rules.PROBES)
        situations = [[("A", 100.0 * x, "B") for x in t[:k]] for t, k in zip(trace, known, strict=True)]
        held = float(self.endowment)
        probes = [self._ask("probe", a, "A", held, held, s, 1, 1) for a in new for s in situations]
        found = await decide(POLICIES[self.policy], probes, context)
        count(tally, found)
        given = np.array([d.value for d in found]).reshape(len(new), len(situations)) / 100
        for agent, row in zip(new, given, strict=True):
            agent["read"] = fit(row).tolist()

    def _next(
        self, agents: Sequence[dict[str, Any]], parents: np.ndarray, errors: np.ndarray, generation: int
    ) -> list[dict[str, Any]]:
        """Survivors as they are, and newborns, who have a numeric strategy but no words and no probes yet."""
        half, born = len(agents) // 2, np.asarray([a["theta"] for a in agents], np.float32)
        theta = np.asarray(_offspring(born, parents, np.float32(self.sigma) * errors))
        return [agents[p] for p in parents[:half]] + [
            _born(f"{generation}_{i + 1}", theta[half + i]) for i in range(len(agents) - half)
        ]

    # -- the games --------------------------------------------------------------------------------------------------

    async def _play(
        self, agents: list[dict[str, Any]], generation: int, draws: rules.Draws, tally: dict[str, int], context: Any
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Both games: final resources [game, agent], mean fraction given by each agent, and all moves."""
        n, final, given = self.agents, [], []
        moves: dict[str, list[np.ndarray]] = {"kind": [], "given": [], "trace": [], "heard": []}
        for game in range(2):
            table = _seat(draws.order, self.endowment)
            chains: list[list[Entry]] = [[] for _ in agents]
            for turn in range(n):
                side = int(rules.side_of(turn, game, n))
                donors, others = np.asarray(table.who)[[side, 1 - side]]
                held = _by_agent(table, table.resources).tolist()
                meetings = [
                    (agents[d], agents[o]["name"], held[d], held[o], chains[o][: self.length], generation, turn + 1)
                    for d, o in zip(donors, others, strict=True)
                ]
                kind, fraction = await self._moves(meetings, tally, context)
                moves["kind"].append(kind)
                moves["given"].append(np.where(kind == rules.DONATE, fraction, 0.0))
                moves["trace"].append(np.asarray(table.trace[1 - side]))
                moves["heard"].append(np.minimum(np.asarray(table.known[1 - side]), self.length))
                before = [list(chain) for chain in chains]
                for d, o, gift in zip(donors, others, moves["given"][-1], strict=True):
                    newest = (agents[d]["name"], round(100 * float(gift), 3), agents[o]["name"])
                    chains[d] = [newest, *before[o]][: rules.ENTRIES]
                table = _settle(table, side, kind, fraction, self.gain, self.loss)
            final.append(np.asarray(_by_agent(table, table.resources)))
            given.append(np.asarray(_by_agent(table, table.given)))
        return np.stack(final), np.sum(given, axis=0) / n, {k: np.stack(v) for k, v in moves.items()}

    async def _moves(
        self, meetings: Sequence[tuple[Any, ...]], tally: dict[str, int], context: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Kinds and fractions of the moves of one round; all donors are asked at once."""
        policy, kinds = POLICIES[self.policy], ["donate"] * len(meetings)
        if self.mechanism != "none":
            chosen = await decide(policy, [self._ask("choice", *m) for m in meetings], context)
            count(tally, chosen)
            kinds = [d.value for d in chosen]
        playing = [i for i, kind in enumerate(kinds) if kind != "refuse"]
        asks = [self._ask("fine" if kinds[i] == "punish" else "donation", *meetings[i]) for i in playing]
        found = await decide(policy, asks, context)
        count(tally, found)
        fraction = np.zeros(len(meetings), np.float32)
        fraction[playing] = [d.value / 100 for d in found]
        order = {"donate": rules.DONATE, "punish": rules.PUNISH, "refuse": rules.REFUSE}
        return np.array([order[k] for k in kinds], np.int32), context.site("fraction", fraction)

    def _ask(
        self,
        template: str,
        agent: Mapping[str, Any],
        partner: str,
        own: float,
        theirs: float,
        gossip: Sequence[Entry],
        generation: int,
        turn: int,
    ) -> Ask:
        """One decision: how much to give ("donation", "probe"), whether to ("choice"), how much to spend ("fine")."""
        wording = WORDINGS[self.wording]
        question = {"choice": wording.choice, "fine": wording.fine}.get(template, wording.share)
        met = wording.meeting.format(
            name=agent["name"], strategy=agent["strategy"] or "", generation=generation, round=turn,
            rounds=self.agents, partner=partner, own=f"{own:.2f}", theirs=f"{theirs:.2f}",
            gossip=wording.gossip(partner, gossip),
        )  # fmt: skip
        observation = {
            "gossip": [share for _, share, _ in gossip],
            "own": own,
            "theirs": theirs,
            "round": turn,
            "move": "punish" if template == "fine" else "donate",
        }
        if self.policy == "theta":
            observation["theta"] = agent["theta"]
        kind = Choice(("donate", PUNISHING[self.mechanism])) if template == "choice" else _SHARE
        fallback: Any = "donate" if template == "choice" else 0.0
        prompt = (self._rules(), Turn("user", f"{met} {question}"))
        return Ask(agent["name"], kind, fallback, prompt, observation, f"{self.wording}/{template}")

    def _rules(self) -> Any:
        return WORDINGS[self.wording].system(self.mechanism, float(self.endowment), float(self.gain), float(self.loss))

    def _seen(
        self,
        state: Mapping[str, Any],
        final: np.ndarray,
        gave: np.ndarray,
        moves: Mapping[str, np.ndarray],
        agents: Sequence[Mapping[str, Any]],
    ) -> dict[str, float]:
        slope, second = _slopes(moves["given"], moves["trace"], moves["heard"])
        both, giving = final.mean(axis=0), float(gave.mean())
        seen = {
            "giving": giving,
            "g1": state["seen"].get("g1", giving),
            "resources": float(both.mean()),
            "gini": float(_gini(both)),
            "punish_rate": float(np.mean(moves["kind"] != rules.DONATE)),
            "slope": float(slope),
            "second_slope": float(second),
        }
        if state["gave"] is not None:
            changed = _price(np.asarray(state["gave"], np.float32), np.asarray(state["parents"]), gave)
            seen |= dict(zip(("selection", "transmission"), map(float, changed), strict=True))
        means = np.mean([a["read"] for a in agents], axis=0)
        return seen | {f"read_{name}": float(value) for name, value in zip(READ, means, strict=True)}


def _born(name: str, theta: np.ndarray) -> dict[str, Any]:
    return {"name": name, "strategy": None, "read": None, "theta": [float(x) for x in theta]}
