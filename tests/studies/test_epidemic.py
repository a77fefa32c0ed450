"""The epidemic study: the city, a day against a plain version, theorems of epidemics, levels of agency, measures."""

from __future__ import annotations

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emergelab as el
from emergelab.studies.societies.epidemic import Epidemic
from emergelab.studies.societies.epidemic import _against as against
from emergelab.studies.societies.epidemic import _baseline as baseline
from emergelab.studies.societies.epidemic import _disease as disease
from emergelab.studies.societies.epidemic import _measures as measures
from emergelab.studies.societies.epidemic import _policies as policies
from emergelab.studies.societies.epidemic import _population as population

from . import epidemic_oracle as oracle

ROWS, COLS, RESIDENTS, KNOWN = 2, 2, 1024, 3
SMALL = {"rows": ROWS, "cols": COLS, "residents": RESIDENTS, "acquaintances": KNOWN}


@eqx.filter_jit
def init(system: Epidemic, key: Any) -> Any:
    return system.init(key)


@eqx.filter_jit
def step(system: Epidemic, state: Any, key: Any) -> Any:
    return system.step(state, key)


@pytest.fixture(scope="module")
def system() -> Epidemic:
    changed = {"contact": 0.7, "household": 1.3, "shield": 0.8, "reach": 0.6, "fatality": [0.3] * 9, "travel": 0.25}
    return Epidemic(**SMALL, **changed)


@pytest.fixture(scope="module")
def town(system: Epidemic) -> population.Town:
    return init(system, jax.random.key(3)).town


@pytest.fixture(scope="module")
def edges(town: population.Town) -> np.ndarray:
    return population.edge_list(town, KNOWN)


# -- the city -------------------------------------------------------------------------------------------------------


def test_households_fill_the_areas(town: population.Town) -> None:
    place, size = np.asarray(town.place).astype(int), np.asarray(town.size).astype(int)
    for row, sizes in zip(place, size, strict=True):
        at = 0
        while at < RESIDENTS:
            n = sizes[at]
            assert 1 <= n <= population.LARGEST
            np.testing.assert_array_equal(row[at : at + n], np.arange(n))
            np.testing.assert_array_equal(sizes[at : at + n], n)
            at += n
        assert at == RESIDENTS
    age = np.asarray(town.age)
    assert (age[place <= 1] >= 2).all() and age.max() <= 8  # heads and partners are adults
    heads = np.asarray(town.income)[place == 0].tolist()
    assert set(heads) == {0, 1, 2}
    alone = np.asarray(town.income)[size > 1]
    assert len(alone) and all(
        len(set(np.asarray(town.income)[a, i : i + size[a, i]])) == 1
        for a, i in zip(*np.nonzero(place == 0), strict=True)
    )


def test_marginals_are_those_of_the_census_when_areas_do_not_differ(mixed: Any) -> None:
    towns = [town for _, _, town in mixed[0]]
    place, size, age, income = (
        np.concatenate([np.asarray(getattr(town, name)).ravel() for town in towns])
        for name in ("place", "size", "age", "income")
    )
    households = size[place == 0]
    shares = np.bincount(households, minlength=7)[1:] / len(households)
    np.testing.assert_allclose(shares, population.SIZES, atol=0.03)
    adults = np.bincount(age[place == 0], minlength=9)[2:] / len(households)
    np.testing.assert_allclose(adults, population.ADULTS, atol=0.03)
    incomes = np.bincount(income[place == 0]) / len(households)
    np.testing.assert_allclose(incomes, 1 / 3, atol=0.03)
    assert not any(np.asarray(town.custom).any() for town in towns)


def test_contacts_are_mutual_and_nobody_meets_themselves(town: population.Town, edges: np.ndarray) -> None:
    n = ROWS * COLS * RESIDENTS
    for kind in (0, 1):
        source, to = edges[:2, edges[2] == kind]
        np.testing.assert_array_equal(np.sort(source * n + to), np.sort(to * n + source))
        assert (source != to).all()
        if kind == 1:
            assert (np.bincount(to, minlength=n) == KNOWN).all()
        else:
            assert len(np.unique(source * n + to)) == len(to) == int((np.asarray(town.size, int) - 1).sum())
    assert (edges[0] // RESIDENTS == edges[1] // RESIDENTS).all()
    assert (np.diff(edges[1]) >= 0).all()


@pytest.mark.parametrize("residents", [2, 64, 2048])
def test_a_layer_is_a_matching_that_looks_random(residents: int) -> None:
    layers = [np.asarray(population.partners(jnp.uint32(5), layer, 8, residents)) for layer in range(3)]
    at = np.arange(residents)
    for whom in layers:
        for row in whom:
            np.testing.assert_array_equal(row[row], at)
            assert (row != at).all()
    if residents == 2048:
        # Two matchings share a pair about once, and partners are as far away as in a random matching.
        shared = [(layers[0] == layers[1]).mean(), (layers[1][:4] == layers[1][4:]).mean()]
        assert max(shared) < 0.005
        for whom in layers:
            distance = np.abs(whom - at) / residents
            assert abs(distance.mean() - 1 / 3) < 0.02 and abs((distance < 0.1).mean() - 0.19) < 0.03


def test_sums_over_contacts_agree_with_the_list(town: population.Town, edges: np.ndarray) -> None:
    x = np.random.default_rng(1).random((ROWS * COLS, RESIDENTS)).astype(np.float32)
    found = (
        population.household_sum(jnp.asarray(x), town.place, town.size),
        population.met(jnp.asarray(x), town.key, KNOWN),
    )
    for kind, sums in enumerate(found):
        source, to = edges[:2, edges[2] == kind]
        wanted = np.zeros(x.size)
        np.add.at(wanted, to, x.ravel()[source])
        np.testing.assert_allclose(np.asarray(sums).ravel(), wanted, rtol=1e-5, atol=1e-6)


def test_strangers_come_from_near_by_or_from_anywhere() -> None:
    x = jnp.zeros(12).at[5].set(1.0)  # a map of 3 x 4: the second row's second column
    near = np.asarray(population.crowds(x, 3, 4, jnp.float32(1.0), jnp.float32(0.0))).reshape(3, 4)
    row = np.exp(-np.array([1.0, 0, 1])) / np.exp(-np.abs(np.subtract.outer(range(3), range(3)))).sum(axis=1)
    col = np.exp(-np.array([1.0, 0, 1, 2])) / np.exp(-np.abs(np.subtract.outer(range(4), range(4)))).sum(axis=1)
    np.testing.assert_allclose(near, np.outer(row, col), rtol=1e-5)
    far = np.asarray(population.crowds(x, 3, 4, jnp.float32(1.0), jnp.float32(1.0)))
    np.testing.assert_allclose(far, 1 / 12, rtol=1e-6)
    np.testing.assert_allclose(population.crowds(jnp.ones(12), 3, 4, jnp.float32(0.7), jnp.float32(0.3)), 1, rtol=1e-5)


# -- one day --------------------------------------------------------------------------------------------------------


def in_the_middle(system: Epidemic, seed: int) -> Any:
    """A city with people in every stage, memories, and a mixture of isolation."""
    rng = np.random.default_rng(seed)
    state = init(system, jax.random.key(seed))
    shape = state.stage.shape
    stage = rng.choice(5, shape, p=[0.4, 0.2, 0.2, 0.15, 0.05])
    since = np.where(stage == 1, rng.integers(0, 5, shape), np.where(stage == 2, rng.integers(5, 10, shape), 0))
    since = np.where(stage == 3, rng.choice([3, 98, 99], shape), since)
    return eqx.tree_at(
        lambda s: (s.stage, s.since, s.memory, s.week.isolates, s.reports, s.running),
        state,
        (
            jnp.asarray(stage, jnp.uint8),
            jnp.asarray(since, jnp.uint8),
            jnp.asarray(rng.random(shape) * (rng.random(shape) < 0.3), jnp.float32),
            jnp.asarray(rng.random(shape) < 0.3),
            jnp.asarray(rng.random(8) * 900, jnp.float32),
            jnp.float32(400.0),
        ),
    )


def as_oracle(system: Epidemic, state: Any) -> oracle.City:
    town, n = state.town, ROWS * COLS * RESIDENTS
    area = np.repeat(np.arange(ROWS * COLS), RESIDENTS)

    def flat(x: Any) -> list[Any]:
        return np.asarray(x).ravel().tolist()

    home: list[list[int]] = [[] for _ in range(n)]
    known: list[list[int]] = [[] for _ in range(n)]
    for source, to, kind in population.edge_list(town, KNOWN).T.tolist():
        (home, known)[kind][to].append(source)
    return oracle.City(
        age=flat(town.age), income=flat(town.income), area=area.tolist(), caution=flat(town.caution),
        trust=flat(town.trust), custom=np.asarray(town.custom)[area].tolist(), stage=flat(state.stage),
        since=flat(state.since), memory=flat(state.memory), isolates=flat(state.week.isolates), home=home, known=known,
    )  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
def test_a_day_equals_the_plain_version(system: Epidemic, seed: int) -> None:
    state = eqx.tree_at(lambda s: s.day, in_the_middle(system, seed), jnp.int32(3))  # in mid-week: nobody decides
    key = jax.random.key(100 + seed)
    found = step(system, state, key)
    u = np.asarray(jax.random.uniform(jax.random.split(key)[1], state.stage.shape)).ravel()
    city = as_oracle(system, state)
    stage, since, memory = oracle.day(city, u, (ROWS, COLS), system)
    np.testing.assert_array_equal(np.asarray(found.stage).ravel(), stage)
    np.testing.assert_array_equal(np.asarray(found.since).ravel(), since)
    np.testing.assert_allclose(np.asarray(found.memory).ravel(), memory, rtol=1e-4, atol=1e-5)
    caught = sum(a == 0 and b == 1 for a, b in zip(city.stage, stage, strict=True))
    assert caught > 2 and int(found.today) == caught == int(found.infections.sum() - state.infections.sum())
    onsets = sum(a == 1 and b == 2 for a, b in zip(city.stage, stage, strict=True))
    assert float(found.running) == pytest.approx(400 + 0.5 * onsets * 1e5 / len(stage))
    assert (found.week.isolates == state.week.isolates).all() and int(found.day) == 4


def test_a_week_begins_with_news_and_decisions(system: Epidemic) -> None:
    state = eqx.tree_at(lambda s: s.day, in_the_middle(system, 2), jnp.int32(14))
    found = step(system, state, jax.random.key(7))
    reports = np.concatenate([[400.0], np.asarray(state.reports)[:7]])
    np.testing.assert_allclose(np.asarray(found.reports), reports, rtol=1e-6)
    city = as_oracle(system, state)
    chance = np.array(
        [
            oracle.chance_to_isolate(city, i, reports[1], reports[1:5].mean(), system.payment)
            for i in range(len(city.age))
        ]
    )
    weekly = jax.random.split(jax.random.key(7))[0]
    u = np.asarray(jax.random.uniform(weekly, (2, *state.stage.shape)))[0].ravel()
    alive = np.asarray(city.stage) != 4
    np.testing.assert_array_equal(np.asarray(found.week.isolates).ravel(), (u < chance) & alive)
    assert float(found.week.mean) == pytest.approx(chance[alive].mean(), rel=1e-4)
    assert float(found.week.sd) == pytest.approx(chance[alive].std(), rel=1e-3)
    assert float(found.week.calls) == alive.sum()
    # Late news are older, foreign ones another city's.
    late, foreign = system.with_(delay=2), system.with_(source="elsewhere", delay=0)
    np.testing.assert_allclose(
        late._told(jnp.asarray(reports, jnp.float32), jnp.int32(14)), [reports[2], reports[2:6].mean()], rtol=1e-5
    )
    curve = np.asarray(system.elsewhere)
    told = foreign._told(found.reports, jnp.int32(14))
    np.testing.assert_allclose(told, [curve[1], curve[:2].sum() / 4], rtol=1e-5)
    assert not np.asarray(system.with_(source="none")._told(found.reports, jnp.int32(14))).any()


def test_stages_follow_their_times() -> None:
    days = (jnp.int32(2), jnp.int32(3), jnp.int32(4))
    stage, since = jnp.zeros((1, 2), jnp.uint8), jnp.zeros((1, 2), jnp.uint8)
    infected, fatal = jnp.array([[True, True]]), jnp.array([[False, True]])
    seen = []
    for _ in range(11):
        stage, since = disease.go_on(stage, since, infected, fatal, *days)
        seen.append(np.asarray(stage)[0].tolist())
    first = [row[0] for row in seen]
    assert first == [1, 1, 2, 2, 2, 3, 3, 3, 3, 0, 1]  # two days exposed, three infectious, four immune, and again
    assert [row[1] for row in seen] == [1, 1, 2, 2, 2, *[4] * 6]
    shares = np.diff([oracle.gamma_cdf(d) for d in range(20)])
    np.testing.assert_allclose(disease.PROFILE[:19], shares, atol=1e-5)
    assert disease.PROFILE.sum() == pytest.approx(1.0, abs=1e-5)
    total = 0.33 * shares[:5].sum() + 0.72 * shares[5:10].sum()
    assert float(disease.total_load(jnp.int32(5), jnp.int32(5))) == pytest.approx(total, rel=1e-4)


# -- theorems -------------------------------------------------------------------------------------------------------

R0 = (0.8, 1.5, 2.5)


@pytest.fixture(scope="module")
def mixed(system: Epidemic) -> list[list[tuple[float, float, population.Town]]]:
    """Attack rate after 130 days, R of the first ten days, and the city, for each R0 and two seeds."""
    same = {"susceptibility": [1.0] * 9, "divisor": [1.0] * 9, "fatality": [0.0] * 9, "variety": 0.0}
    only = {"household": 0.0, "contact": 0.0, "strangers": 1.0, "travel": 1.0, "immune_days": 10_000}
    calm = {"level": "fixed", "isolate": 0.0, "initial": 0.03, "seeding": "everywhere"}
    total = float(disease.total_load(jnp.int32(5), jnp.int32(5)))

    def grown(r0: float, seed: int) -> tuple[float, float, population.Town]:
        city = system.with_(**same, **only, **calm, reproduction=r0 / total)
        state = init(city, jax.random.key(seed))
        caught = force = 0.0
        for t in range(130):
            free = float(jnp.mean(state.stage == disease.SUSCEPTIBLE)) if t < 10 else 1.0
            state = step(city, state, jax.random.fold_in(jax.random.key(seed), t))
            if t < 10:
                caught, force = caught + float(state.today) / free, force + float(state.force)
        return float(jnp.sum(state.infections)) / city.people, caught / force, state.town

    return [[grown(r0, seed) for seed in range(2)] for r0 in R0]


@pytest.mark.parametrize("i", range(len(R0)))
def test_a_well_mixed_epidemic_has_its_r0_and_its_final_size(mixed: Any, i: int) -> None:
    attack, early, _ = (np.mean(x) if n < 2 else x for n, x in enumerate(zip(*mixed[i], strict=True)))
    assert attack == pytest.approx(baseline.final_size(R0[i], 0.03), abs=0.03)
    assert early == pytest.approx(R0[i], rel=0.08)


def test_final_size_and_equations_agree() -> None:
    assert baseline.final_size(2.0) == pytest.approx(0.7968, abs=1e-4)
    assert baseline.final_size(0.9) == 0.0
    for r0 in (1.5, 2.5):
        assert 0.01 + baseline.seir(r0, 500, 0.01).sum() == pytest.approx(baseline.final_size(r0, 0.01), abs=5e-3)


@pytest.mark.parametrize("barrier", ["no contacts", "all are vaccinated", "all isolate"])
def test_nothing_spreads_where_nobody_is_met(system: Epidemic, barrier: str) -> None:
    if barrier == "no contacts":
        closed = system.with_(household=0.0, contact=0.0, strangers=0.0, initial=0.2)
    elif barrier == "all are vaccinated":
        closed = system.with_(vaccine=[0.0] * 9, vaccine_day=0, initial=0.2)
    else:
        closed = system.with_(level="fixed", isolate=1.0, shield=0.0, initial=0.1, reproduction=50.0)
    state = init(closed, jax.random.key(0))
    first = np.asarray(state.stage) == disease.EXPOSED
    assert 0 < first.sum() < first.size
    ever = first.copy()
    for t in range(25):
        state = step(closed, state, jax.random.key(t))
        ever |= np.asarray(state.stage) != disease.SUSCEPTIBLE
    if barrier != "all isolate":
        np.testing.assert_array_equal(ever, first)
        return
    # Isolation ends at the front door: only households of the first cases are reached, and they are.
    house = np.cumsum(np.asarray(state.town.place).ravel() == 0).reshape(first.shape)
    np.testing.assert_array_equal(np.isin(house, house[first]) & ever, ever)
    assert ever.sum() > first.sum()


# -- who decides ----------------------------------------------------------------------------------------------------


def someone(n: int, rng: np.random.Generator) -> policies.People:
    return policies.People(
        age=jnp.asarray(rng.integers(0, 9, n), jnp.float32), income=jnp.asarray(rng.integers(0, 3, n), jnp.float32),
        custom=jnp.asarray(rng.normal(size=n), jnp.float32), caution=jnp.asarray(rng.normal(size=n), jnp.float32),
        trust=jnp.asarray(rng.normal(size=n), jnp.float32), memory=jnp.asarray(rng.random(n) * 0.4, jnp.float32),
    )  # fmt: skip


@settings(max_examples=10)
@given(st.floats(0, 4.5), st.floats(0.01, 1), st.floats(0, 1), st.integers(0, 99))
def test_the_planted_mind_heeds_news_memory_and_payment(cases: float, more: float, payment: float, seed: int) -> None:
    people = someone(8, np.random.default_rng(seed))
    people = dataclasses.replace(people, trust=jnp.maximum(people.trust, -3.0))
    zero = jnp.float32(0.0)

    def asked(c: float, pay: float, memory: float) -> policies.Chances:
        news = policies.News(jnp.float32(c), zero, jnp.float32(pay), zero)
        return policies.person(dataclasses.replace(people, memory=people.memory + memory), news)

    now = asked(cases, payment, 0.0)
    for other in (asked(cases + more, payment, 0.0), asked(cases, payment + more, 0.0), asked(cases, payment, more)):
        assert (np.asarray(other.isolate) >= np.asarray(now.isolate)).all()
        assert (np.asarray(other.work) <= np.asarray(now.work) + 1e-6).all()
    assert ((np.asarray(now.isolate) >= 0) & (np.asarray(now.isolate) <= 1)).all()


def test_portraits_are_means_and_answers_are_shared() -> None:
    rng = np.random.default_rng(4)
    people = jax.tree.map(lambda x: x.reshape(16, 30), someone(480, rng))
    living = jnp.asarray(rng.random((16, 30)) < 0.9)
    news = policies.News(*(jnp.float32(x) for x in (2.5, 0.3, 0.4, 0.1)))
    region = population.regions(4, 4)
    by_group = jax.jit(policies.by_group)
    assert sorted(set(region.tolist())) == list(range(16))
    for detail, most in enumerate(policies.ARCHETYPES):
        group = policies.archetype_of(jnp.int32(detail), people, region)
        chances, asked = by_group(people, news, group, living)
        number, alive = np.asarray(group), np.asarray(living)
        assert number.min() >= 0 and number.max() < policies.ARCHETYPES[-1]
        assert int(asked) == len(set(number[alive].tolist())) <= most
        some = sorted(set(number[alive].tolist()))[:12]
        members = [(number == g) & alive for g in some]
        means = jax.tree.map(lambda x, m=members: jnp.asarray([np.asarray(x)[here].mean() for here in m]), people)
        answers = policies.person(means, news)
        for here, isolate, work in zip(members, answers.isolate, answers.work, strict=True):
            np.testing.assert_allclose(np.asarray(chances.isolate)[here], float(isolate), rtol=1e-4)
            np.testing.assert_allclose(np.asarray(chances.work)[here], float(work), rtol=1e-4)
    # The finest portraits tell everything apart that they name.
    told = np.stack([np.asarray(people.age), np.asarray(people.income), np.repeat(region, 30).reshape(16, 30),
                     np.asarray(people.memory) > 0.15]).reshape(4, -1)  # fmt: skip
    assert len(set(map(tuple, told.T.tolist()))) == len(np.unique(number))


# -- what is asked of a run -----------------------------------------------------------------------------------------


def test_waves_are_counted_as_one_would() -> None:
    assert measures.peaks(np.array([0, 1, 5, 2, 1, 4, 1.0])).tolist() == [2, 5]
    assert measures.peaks(np.array([0, 1, 5, 4.8, 5.1, 2, 1.0])).tolist() == [4]
    assert measures.peaks(np.array([1.0, 2, 3])).tolist() == [2]  # still rising at the end
    assert measures.peaks(np.zeros(5)).tolist() == []


def test_forecasts_and_errors_by_hand() -> None:
    truth = np.exp(np.linspace(-1, 2, 24))[None] * np.array([[1.0], [2.0]])
    kept = against.persistence(truth)
    assert (kept[:, : against.SEEN] == truth[:, : against.SEEN]).all()
    assert (kept[:, against.SEEN :] == truth[:, [against.SEEN - 1]]).all()
    np.testing.assert_allclose(against.autoregression(truth), truth, rtol=0.02)  # exponential growth is autoregressive
    assert against.error(truth, truth).tolist() == [0.0, 0.0]
    assert against.error(2 * np.ones((1, 4)), np.ones((1, 4))).tolist() == [1.0]
    models = [0.5 * truth, 0.9 * truth, 2 * truth]
    found, best = against.fitted(models, truth)
    assert best.tolist() == [1, 1] and (found == models[1]).all()


# -- the system -----------------------------------------------------------------------------------------------------


def test_news_played_back_give_the_same_city_and_no_news_another(system: Epidemic) -> None:
    def grown(city: Epidemic) -> tuple[Any, list[float]]:
        state, reports = init(city, jax.random.key(1)), []
        for t in range(29):
            state = step(city, state, jax.random.key(t))
            if t % 7 == 0 and t:
                reports.append(float(state.reports[0]))
        return state, reports

    city = system.with_(initial=0.05, seeding="everywhere", delay=0)
    heard, reports = grown(city)
    curve = np.zeros(32, np.float32)
    curve[: len(reports)] = reports
    again, _ = grown(city.with_(source="elsewhere", elsewhere=curve))
    for a, b in zip(jax.tree.leaves(heard), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    calm, _ = grown(city.with_(source="none"))
    assert int(calm.week.isolates.sum()) < int(heard.week.isolates.sum())
    other, _ = grown(city.with_(luck=1))
    assert (np.asarray(other.stage) != np.asarray(heard.stage)).any()
    np.testing.assert_array_equal(other.town.age, heard.town.age)


def test_sites_and_bounds() -> None:
    names = {s.name for s in el.sites(Epidemic(**SMALL))}
    wanted = {"news", "payment", "level", "isolate", "work", "reproduction", "susceptibility", "state.memory"}
    assert wanted | {"state.stage", "state.week.isolates"} <= names
    with pytest.raises(el.UserError, match="'residents' must be a power of two, got 100; the nearest are 64 and 128"):
        Epidemic(residents=100)
    with pytest.raises(el.UserError, match="'level' must be one of 'fixed', 'heuristic'"):
        Epidemic(level="oracle")
    with pytest.raises(el.UserError, match=r"'susceptibility' must be an array of shape \(9,\)"):
        Epidemic(susceptibility=[1.0, 2.0])
