"""The city: news, decisions, contacts and disease, one day a step."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, UInt8

import emergelab as el
from emergelab.errors import ParameterError

from . import _baseline as baseline
from . import _disease as disease
from . import _policies as policies
from . import _population as city
from ._policies import Chances, News, People

__all__ = ["WEEK", "Epidemic", "Society"]

WEEK = 7
_HELD = 8  # weeks of reports that are remembered
_WORKING = (2, 6)  # decades of working age
_HOME_WORK = (0.1, 0.3, 0.6)  # chance that a tercile's work can be done at home
_NEVER = 1_000_000


class Week(eqx.Module):
    """What people do this week, and what it rests on.

    Attributes:
        isolates: who stays at home.
        works: who works.
        calls: answers asked for so far.
        mean, sd: of the chances to isolate, over people.
    """

    isolates: Bool[Array, "area resident"]
    works: Bool[Array, "area resident"]
    calls: Float[Array, ""]
    mean: Float[Array, ""]
    sd: Float[Array, ""]


class Society(eqx.Module):
    """A city at the beginning of a day.

    Attributes:
        town: who lives there.
        stage, since: stage of the disease, and days since infection or since the end of the illness.
        memory: illness seen, fading.
        week: what people do.
        reports: cases per 100,000 of past weeks, the latest first.
        running: cases of the week that runs.
        unemployment: share of people of working age who did not work last week.
        infections: infections so far, by area, those at the start included.
        today: infections of the last day.
        force: infectiousness on the last day, in whole infections.
        day: days that have passed.
    """

    town: city.Town
    stage: UInt8[Array, "area resident"]
    since: UInt8[Array, "area resident"]
    memory: Float[Array, "area resident"]
    week: Week
    reports: Float[Array, "held"]
    running: Float[Array, ""]
    unemployment: Float[Array, ""]
    infections: Int[Array, "area"]
    today: Int[Array, ""]
    force: Float[Array, ""]
    day: Int[Array, ""]


class Epidemic(el.System):
    """One step is one day; decisions and news come once a week."""

    rows: int = el.static(8, low=1, high=256, about="rows of areas on the map")
    cols: int = el.static(8, low=1, high=256, about="columns of areas on the map")
    residents: int = el.static(256, low=2, high=65_536, about="people of an area, a power of two")
    acquaintances: int = el.static(4, low=0, high=64, about="acquaintances of everyone, in the own area")

    variety: float = el.param(1.0, low=0.0, high=2.0, about="how much areas differ in households, ages, income, custom")
    reproduction: float = el.param(5.0, low=0.0, high=50.0, about="R, which scales all transmission")
    household: float = el.param(1.0, low=0.0, high=100.0, about="weight of a contact at home")
    contact: float = el.param(0.4, low=0.0, high=100.0, about="weight of a contact among acquaintances")
    strangers: float = el.param(1.2, low=0.0, high=100.0, about="weight of all contacts with strangers together")
    reach: float = el.param(1.0, low=0.0, high=1e6, unit="areas", about="distance at which strangers come 1/e as often")
    travel: float = el.param(0.1, low=0.0, high=1.0, about="share of strangers who come from anywhere")
    susceptibility: Any = el.param(disease.SUSCEPTIBILITY, low=0.0, high=100.0, about="by decade of age")
    divisor: Any = el.param(disease.CONTACTS, low=0.1, high=100.0, about="contacts one is divided by")
    fatality: Any = el.param(disease.FATALITY, low=0.0, high=1.0, about="chance to die, by decade of age")
    exposed_days: int = el.param(5, low=1, high=30, unit="day", about="from infection to the onset of symptoms")
    infectious_days: int = el.param(5, low=1, high=30, unit="day", about="from onset to recovery")
    immune_days: int = el.param(100, low=1, high=10_000, unit="day", about="until immunity is lost; above 255 never")
    initial: float = el.param(0.008, low=0.0, high=1.0, about="share of people infected at the start")
    seeding: str = el.choice("corner", options=("corner", "everywhere"), about="where they live")
    shield: float = el.param(1.0, low=0.0, high=1.0, about="how far isolation of the ill protects others outside")

    level: str = el.choice("individuals", options=policies.LEVELS, about="who decides for a person")
    detail: str = el.choice("age", options=policies.DETAILS, about="what tells archetypes apart")
    draw: str = el.choice("each", options=("each", "one", "majority"), about="how a chance becomes an act in a group")
    isolate: float = el.param(0.3, low=0.0, high=1.0, about="chance to isolate at the level 'fixed'")
    work: float = el.param(0.9, low=0.0, high=1.0, about="chance to be willing to work at the level 'fixed'")
    remembering: float = el.param(1.0, low=0.0, high=10.0, about="how much of the illness one has seen one recalls")
    fading: float = el.param(0.9, low=0.0, high=1.0, about="what is left of a memory after a day")
    payment: float = el.param(0.3, low=0.0, high=2.0, unit="wage", about="support for those who do not work")
    reporting: float = el.param(0.5, low=0.0, high=1.0, about="share of cases that are reported")
    delay: int = el.param(1, low=0, high=4, unit="week", about="age of the news")
    source: str = el.choice("own", options=("own", "none", "elsewhere"), about="what the news are about")
    elsewhere: Any = el.param(
        baseline.weekly_reports(2.5, 32), low=0.0, about="weekly cases per 100,000 of another city, then the last one's"
    )
    vaccine: Any = el.param(
        np.ones(9, np.float32), low=0.0, high=1.0, about="what a vaccination leaves of susceptibility, by decade of age"
    )
    vaccine_day: int = el.param(_NEVER, low=0, high=_NEVER, unit="day", about="when it is given")
    next_level: str = el.choice("individuals", options=policies.LEVELS, about="who decides from `switch_day` on")
    switch_day: int = el.param(_NEVER, low=0, high=_NEVER, unit="day", about="when another level takes over")
    luck: int = el.param(0, low=0, high=65_535, about="random numbers are dealt to the areas this many further on")

    observables = (
        el.Observable("infections", dims=("row", "col"), about="infections so far, by area", low=0),
        el.Observable("people", dims=("stage",), about="people by stage", low=0),
        el.Observable("ill", dims=("row", "col"), unit="1", about="share of residents infectious", low=0, high=1),
        el.Observable("attack", unit="1", about="infections so far per person", low=0),
        el.Observable("deaths", unit="1", about="deaths so far per person", low=0, high=1),
        el.Observable("isolating", unit="1", about="share of the living who isolate", low=0, high=1),
        el.Observable("isolating_by_age", dims=("decade",), unit="1", about="the same by decade", low=0, nan_ok=True),
        el.Observable("unemployment", unit="1", about="share of people of working age who do not work", low=0, high=1),
        el.Observable("news", about="cases per 100,000 reported for the last week", low=0),
        el.Observable("chance_mean", unit="1", about="mean over people of the chance to isolate", low=0, high=1),
        el.Observable("chance_sd", unit="1", about="standard deviation over people of the chance to isolate", low=0),
        el.Observable("rt", about="infections of the day over the infectiousness of the day", low=0, nan_ok=True),
        el.Observable("calls", about="answers asked for so far", low=0),
        el.Observable("edges", about="directed contacts of a person, mean", low=0),
    )  # fmt: skip
    population = (
        "town.age", "town.income", "town.place", "town.size", "town.caution", "town.trust", "town.custom", "stage",
        "since", "memory", "week.isolates", "week.works", "infections",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.residents, int) and self.residents & (self.residents - 1):
            lower = 1 << (self.residents.bit_length() - 1)
            raise ParameterError(
                f"Epidemic: parameter 'residents' must be a power of two, got {self.residents}; "
                f"the nearest are {lower} and {2 * lower}"
            )

    @property
    def people(self) -> int:
        """How many live in the city."""
        return int(self.rows * self.cols * self.residents)

    def init(self, key: PRNGKeyArray) -> Society:
        """A city in which a few have just been infected and nobody knows."""
        make, seed = jax.random.split(key)
        town = city.make(make, self.rows, self.cols, self.residents, jnp.asarray(self.variety))
        shape = town.age.shape
        row, col = jnp.divmod(jnp.arange(shape[0]), self.cols)
        corner = (row < -(-self.rows // 4)) & (col < -(-self.cols // 4))
        there = jnp.where(jnp.asarray(self.seeding) == 0, corner, True)
        share = self.initial * shape[0] / jnp.sum(there)
        first = (jax.random.uniform(seed, shape) < share) & there[:, None]
        nobody = jnp.zeros(shape, bool)
        zero = jnp.float32(0.0)
        return Society(
            town=town,
            stage=jnp.where(first, disease.EXPOSED, disease.SUSCEPTIBLE).astype(jnp.uint8),
            since=jnp.zeros(shape, jnp.uint8),
            memory=jnp.zeros(shape),
            week=Week(nobody, nobody, zero, zero, zero),
            reports=jnp.zeros(_HELD),
            running=zero,
            unemployment=zero,
            infections=jnp.sum(first, axis=1, dtype=jnp.int32),
            today=jnp.int32(0),
            force=zero,
            day=jnp.int32(0),
        )

    def step(self, state: Society, key: PRNGKeyArray) -> Society:
        """Hear the news and decide, on the first day of a week; meet; fall ill and recover."""
        weekly, daily = jax.random.split(key)
        state = self._decided(state, weekly)
        town, week, stage = state.town, state.week, state.stage
        days = (self.exposed_days, self.infectious_days)

        # Both are needed many times over; the barrier keeps the compiler from working them out each time.
        load = disease.load(stage, state.since, *days)
        load, shed = jax.lax.optimization_barrier((load, load * (1.0 - self.shield * week.isolates)))
        home = city.household_sum(load, town.place, town.size)
        met = city.met(shed, town.key, self.acquaintances)
        crowd = city.crowds(el.whole(jnp.mean(shed, axis=1)), self.rows, self.cols, self.reach, self.travel)

        # What a unit of exposure does to a person of each age, and the exposure.
        scale = el.site("reproduction", jnp.asarray(self.reproduction)) / self.divisor
        guard = jnp.where(state.day >= self.vaccine_day, self.vaccine, 1.0)
        tender = scale * el.site("susceptibility", self.susceptibility * guard)
        abroad = self.contact * met + self.strangers * crowd[:, None]
        exposure = self.household * home + jnp.where(week.isolates, 0.0, abroad)
        escape = jnp.exp(-_by_age(tender, town) * exposure)

        # One number a person and day: nobody is infected and at the end of an illness on the same day.
        u = self._dealt(jax.random.uniform(daily, stage.shape))
        fatal = u < _by_age(jnp.asarray(self.fatality), town)
        new, since = disease.go_on(stage, state.since, u >= escape, fatal, *days, self.immune_days)
        caught = jnp.sum((stage == disease.SUSCEPTIBLE) & (new == disease.EXPOSED), axis=1, dtype=jnp.int32)
        onsets = jnp.sum((stage == disease.EXPOSED) & (new == disease.INFECTIOUS), dtype=jnp.int32)
        return Society(
            town=town,
            stage=new,
            since=since,
            memory=self.fading * state.memory + home + met,
            week=week,
            reports=state.reports,
            running=state.running + self.reporting * onsets * (1e5 / self.people),
            unemployment=state.unemployment,
            infections=state.infections + caught,
            today=jnp.sum(caught),
            force=jnp.sum(el.whole(jnp.mean(load, axis=1))) * self.residents / disease.total_load(*days),
            day=state.day + 1,
        )

    def observe(self, state: Society, key: PRNGKeyArray) -> dict[str, Array]:
        """Sums over people, by area, stage and age."""
        stage, isolates, town = state.stage, state.week.isolates, state.town
        grid = (self.rows, self.cols)
        alive = stage != disease.DEAD
        counts = jnp.stack([jnp.sum(stage == s, dtype=jnp.int32) for s in range(len(disease.STAGES))])
        decades = [alive & (town.age == a) for a in range(len(disease.CONTACTS))]
        stays = jnp.stack([jnp.sum(d & isolates) / jnp.sum(d) for d in decades])
        dead = counts[disease.DEAD]
        at_home = jnp.mean(town.size.astype(jnp.float32)) - 1.0
        return {
            "infections": state.infections.reshape(grid),
            "people": counts,
            "ill": jnp.mean(stage == disease.INFECTIOUS, axis=1).reshape(grid),
            "attack": jnp.sum(state.infections) / self.people,
            "deaths": dead / self.people,
            "isolating": jnp.sum(isolates & alive) / jnp.maximum(self.people - dead, 1),
            "isolating_by_age": stays,
            "unemployment": state.unemployment,
            "news": state.reports[0],
            "chance_mean": state.week.mean,
            "chance_sd": state.week.sd,
            "rt": jnp.where(state.force > 0, state.today / state.force, jnp.nan),
            "calls": state.week.calls,
            "edges": at_home + self.acquaintances,
        }

    # -- news and decisions -----------------------------------------------------------------------------------------

    def _decided(self, state: Society, key: PRNGKeyArray) -> Society:
        """On the first day of a week: the week's report is published and everybody decides."""
        first = state.day % WEEK == 0
        published = jnp.concatenate([state.running[None], state.reports[:-1]])
        reports = jnp.where(first & (state.day > 0), published, state.reports)
        told = el.site("news", self._told(reports, state.day))
        news = News(
            cases=jnp.log10(1.0 + told[0]),
            trend=jnp.clip(jnp.log2((told[0] + 1.0) / (told[1] + 1.0)), -2.0, 2.0),
            payment=el.site("payment", jnp.asarray(self.payment)),
            unemployment=state.unemployment,
        )
        level = el.site("level", jnp.where(state.day >= self.switch_day, self.next_level, self.level))
        args = (state.town, state.memory, state.stage, news, level, key, state.week.calls)
        week, unemployment = el.when(first, self._plan, args, (state.week, state.unemployment))
        return eqx.tree_at(
            lambda s: (s.week, s.reports, s.running, s.unemployment),
            state,
            (week, reports, jnp.where(first, 0.0, state.running), unemployment),
        )

    def _told(self, reports: Float[Array, "held"], day: Int[Array, ""]) -> Float[Array, "2"]:
        """The week's cases and the mean of four weeks that everybody hears of."""
        recent = jax.lax.dynamic_slice(reports, (self.delay,), (4,))
        back = day // WEEK - 1 - self.delay - jnp.arange(4)
        curve = jnp.asarray(self.elsewhere)
        foreign = jnp.where(back >= 0, curve[jnp.clip(back, 0, curve.shape[0] - 1)], 0.0)
        heard = jnp.where(self.source == 0, recent, jnp.where(self.source == 2, foreign, 0.0))
        return jnp.stack([heard[0], jnp.mean(heard)])

    def _dealt(self, numbers: Float[Array, "area resident"]) -> Float[Array, "area resident"]:
        """Random numbers as the areas get them: all conditions share one array, and still may have other luck."""
        areas = numbers.shape[0]
        return numbers[(jnp.arange(areas) + self.luck) % areas]

    def _plan(
        self,
        town: city.Town,
        memory: Float[Array, "area resident"],
        stage: UInt8[Array, "area resident"],
        news: News,
        level: Int[Array, ""],
        key: PRNGKeyArray,
        calls: Float[Array, ""],
    ) -> tuple[Week, Float[Array, ""]]:
        """What everybody does this week."""
        alive = stage != disease.DEAD
        people = People(
            age=town.age.astype(jnp.float32),
            income=town.income.astype(jnp.float32),
            custom=jnp.broadcast_to(town.custom[:, None], town.age.shape),
            caution=town.caution,
            trust=town.trust,
            memory=self.remembering * memory,
        )
        group = policies.archetype_of(self.detail, people, city.regions(self.rows, self.cols))
        ruled = policies.fixed(people, self.isolate, self.work)
        ruled = _where(level == 1, policies.heuristic(people, news), ruled)
        ruled = _where(level == 3, policies.person(people, news), ruled)
        chances, asked = el.when(level == 2, policies.by_group, (people, news, group, alive), (ruled, jnp.int32(0)))
        asked = jnp.where(level == 3, jnp.sum(alive, dtype=jnp.int32), asked)
        isolate, work = el.site("isolate", chances.isolate), el.site("work", chances.work)

        u, v = map(self._dealt, jax.random.uniform(key, (2, *stage.shape)))
        common = jax.random.uniform(jax.random.fold_in(key, 1), (policies.ARCHETYPES[-1],))
        own = jnp.where(self.draw == 1, common.at[group].get(mode="promise_in_bounds"), u)
        isolates = (jnp.where(self.draw == 2, 0.5, own) < isolate) & alive
        from_home = jnp.asarray(_HOME_WORK).at[town.income.astype(jnp.int32)].get(mode="promise_in_bounds")
        of_age = (town.age >= _WORKING[0]) & (town.age <= _WORKING[1]) & alive
        works = of_age & (v < jnp.where(isolates, from_home, 1.0) * work)

        living = jnp.maximum(jnp.sum(alive), 1)
        mean = _total(jnp.where(alive, isolate, 0.0)) / living
        spread = jnp.sqrt(_total(jnp.where(alive, (isolate - mean) ** 2, 0.0)) / living)
        unemployment = 1.0 - jnp.sum(works) / jnp.maximum(jnp.sum(of_age), 1)
        return Week(isolates, works, calls + asked, mean, spread), unemployment


def _total(x: Float[Array, "area resident"]) -> Float[Array, ""]:
    """The sum over all people, area by area, so that it is the same on any number of devices."""
    return jnp.sum(el.whole(jnp.sum(x, axis=1)))


def _by_age(table: Float[Array, "decade"], town: city.Town) -> Float[Array, "area resident"]:
    return table.at[town.age.astype(jnp.int32)].get(mode="promise_in_bounds")


def _where(which: Bool[Array, ""], a: Chances, b: Chances) -> Chances:
    return jax.tree.map(lambda x, y: jnp.where(which, x, y), a, b)
