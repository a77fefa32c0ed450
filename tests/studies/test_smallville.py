"""The language-free town: memory streams against plain versions, laws of diffusion, interventions, the study."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emergelab as el
from emergelab.games import memory as mind
from emergelab.lm.memory import retrieval_parts
from emergelab.studies.societies.smallville import Smallville, study
from emergelab.studies.societies.smallville import _measures as measures
from emergelab.studies.societies.smallville import _town as town
from emergelab.studies.societies.smallville._view import clock

N = 10
TESTED = (
    "full", "no-reflection", "no-planning", "none", "no-talk", "relevance-only", "random-retrieval", "knock-out-all",
    "false-party", "mute-host", "clutter-20", "reset", "assembly",
)  # fmt: skip


def stream_of(count: int, capacity: int, seed: int = 0) -> tuple[mind.Stream, Any]:
    """A buffer into which so many random memories were stored, three at a time, and the memories themselves."""
    rng = np.random.default_rng(seed)
    rounds = -(-count // 3)
    words = rng.integers(-1, 6, (3 * rounds, 3)).astype(np.int32)
    weights = rng.integers(1, 11, 3 * rounds).astype(np.float32)

    def one(carry: Any, now: Any) -> Any:
        said, weight, time, wanted = now
        new = mind.node(mind.EVENT, said[:, 0], said[:, 1], said[:, 2], time, weight)
        return mind.store(*carry, new, wanted), None

    @jax.jit
    def fill(*parts: Any) -> Any:
        return jax.lax.scan(one, (mind.empty(capacity), jnp.int32(0)), parts)[0]

    wanted = (np.arange(3 * rounds) < count).reshape(-1, 3)
    times = 3 * np.arange(rounds, dtype=np.int32)
    stream, made = fill(words.reshape(-1, 3, 3), weights.reshape(-1, 3), times, wanted)
    return jax.tree.map(np.asarray, stream), (words, weights, int(made))


def unit(seed: int) -> Any:
    raw = np.random.default_rng(seed).normal(size=(6, 5))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def test_the_buffer_keeps_the_newest_and_drops_what_is_not_wanted() -> None:
    stream, (words, weights, made) = stream_of(11, 8)
    assert made == 11
    assert sorted(stream.serial.tolist()) == list(range(3, 11))
    for place, serial in enumerate(stream.serial):
        assert serial % 8 == place
        assert [int(x[place]) for x in (stream.who, stream.what, stream.where)] == words[serial].tolist()
        assert float(stream.importance[place]) == weights[serial]
        assert stream.made[place] == 3 * (serial // 3)
    gone, left = jax.jit(lambda s: (g := mind.forgotten(s, s.serial < 5), mind.present(g)))(stream)
    assert int(left.sum()) == 6 and set(np.asarray(gone.what)[~np.asarray(left)]) == {mind.NONE}


def test_similarity_is_the_cosine_of_summed_words() -> None:
    stream, _ = stream_of(9, 12)
    table = unit(0)
    found = np.asarray(jax.jit(lambda s, v: mind.similarity(s, v, mind.cue_of(v, 2, mind.NONE, 4)))(stream, table))
    question = table[2] + table[4]
    for k in range(9):
        own = [int(x[k]) for x in (stream.who, stream.what, stream.where)]
        total = sum((table[w] for w in own if w >= 0), np.zeros(5))
        length = np.linalg.norm(total) * np.linalg.norm(question)
        assert found[k] == pytest.approx(total @ question / length if length else 0.0, abs=1e-4)
    assert (found[9:] == 0).all()


@pytest.mark.parametrize(("ranked", "oldest_first"), [(False, False), (True, True)])
def test_numbers_and_words_are_retrieved_by_one_formula(ranked: bool, oldest_first: bool) -> None:
    stream, _ = stream_of(9, 12, seed=1)
    accessed = stream.accessed.copy()
    accessed[[2, 5]] = 20
    weights = np.array([0.5, 3.0, 2.0], np.float32)

    @jax.jit
    def run(own: mind.Stream, vectors: Any) -> Any:
        rule = mind.Rule(jnp.asarray(weights), jnp.float32(0.9), jnp.float32(0.0), jnp.asarray(oldest_first), 0.25)
        cue, now = mind.cue_of(vectors, 1, 3), jnp.int32(30)
        score = mind.scores(own, mind.parts(own, vectors, cue, now, rule, ranked), jnp.float32(0.3), rule)
        index, best = mind.best(score, 12)
        touched = mind.called_up(own, index[:2], best[:2], now + 1, jnp.bool(True))
        return index, best, touched.accessed, mind.similarity(own, vectors, cue)

    index, score, touched, similar = map(np.asarray, run(stream._replace(accessed=accessed), unit(1)))
    there = stream.serial >= 0
    by_hand = retrieval_parts(
        0.25 * (30 - accessed.astype(float)), stream.serial, similar.astype(float), stream.importance.astype(float),
        there, decay=0.9, ranked=ranked, oldest_first=oldest_first,
    )  # fmt: skip
    total = np.where(there, sum(w * p for w, p in zip(weights, by_hand, strict=True)), -np.inf)
    np.testing.assert_allclose(score, np.sort(total)[::-1], atol=2e-5)
    np.testing.assert_allclose(total[index], score, atol=2e-5)
    assert set(np.flatnonzero(touched == 31)) == set(index[:2].tolist())


def test_a_thought_points_at_the_weightiest_memories() -> None:
    stream, (words, weights, _) = stream_of(9, 12, seed=2)
    of = jax.jit(mind.insight)
    found = of(stream, np.arange(12) < 5)
    best = np.argsort(-weights[:5], kind="stable")[:3]
    assert np.asarray(found.evidence).tolist() == best.tolist()
    assert float(found.importance) == pytest.approx(weights[best].mean())
    assert int(found.who) == words[best[0], 0]
    assert np.asarray(of(stream, np.arange(12) == 4).evidence).tolist() == [4, mind.NONE, mind.NONE]


def test_people_meet_two_by_two_at_one_place() -> None:
    rng = np.random.default_rng(0)
    match = jax.jit(town.pairs)
    met = np.zeros((N, N), int)
    for _ in range(60):
        place = rng.integers(0, 3, N)
        other = np.asarray(match(place.astype(np.int32), rng.random(N).astype(np.float32)))
        assert (other[other] == np.arange(N)).all()
        assert (place[other] == place).all()
        for p in range(3):  # at most one is left alone
            assert ((other == np.arange(N)) & (place == p)).sum() == (place == p).sum() % 2
        met[np.arange(N), other] += 1
    assert (met[~np.eye(N, dtype=bool)] > 0).all()


# -- the town -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    run = study.run("tiny", conditions=TESTED, out=tmp_path_factory.mktemp("smallville") / "run", progress=False)
    assert not run.diverged
    return run


def test_nobody_knows_what_could_not_reach_them(tiny: Any) -> None:
    d = tiny.data.load()
    real = [c for c in TESTED if c != "false-party"]
    assert (d["aware"].sel(condition=real) <= d["bound"].sel(condition=real) + 1e-6).all()
    assert (d["bound"].diff("time") >= 0).all()
    at, by, where = (d[x].isel(time=-1).transpose("condition", "seed", "fact", "agent").values.astype(int)
                     for x in ("heard_at", "told_by", "told_where"))  # fmt: skip
    c, s, f, a = np.nonzero(by >= 0)
    teller = at[c, s, f, by[c, s, f, a]]
    assert (teller >= 0).all() and (teller < at[c, s, f, a]).all()  # one tells what one knows: a tree
    assert ((where >= 0) == (by >= 0)).all()
    assert len(c) > 30
    hours = at[by >= 0] % town.SLOTS
    assert ((hours >= town.WAKE) & (hours < town.SLEEP)).all()


def test_the_beginning_and_the_controls(tiny: Any) -> None:
    d = tiny.data.load()
    start = d["aware"].isel(time=0)
    np.testing.assert_allclose(start.transpose(..., "fact").values[..., :], np.broadcast_to(
        np.array([1, 1, 0, 1, 0]) / N, (len(TESTED), 4, 5)), atol=1e-6)  # fmt: skip
    silent = d["aware"].sel(condition=["no-talk", "none"])
    assert (silent.max("time") <= 1 / N + 1e-6).all()
    assert float(d["aware"].sel(condition="full").isel(time=-1, fact=town.PARTY).mean()) > 0.15
    assert (d["talks"].sel(condition="no-talk").isel(time=-1) == 0).all()
    assert (d["insights"].sel(condition=["no-reflection", "none"]) == 0).all()
    assert float(d["insights"].sel(condition="full").isel(time=-1).mean()) > 0
    assert (d["told_by"].sel(condition="mute-host") != 0).all()
    heard = d["funnel"].sel(condition="none").isel(time=-1, stage=0).sum()
    stored = d["funnel"].sel(condition="none").isel(time=-1, stage=1).sum()
    assert float(heard) >= 0 and float(stored) == 0


def test_each_stage_of_the_funnel_needs_the_one_before(tiny: Any) -> None:
    last = tiny.data["funnel"].isel(time=-1)
    full = last.sel(condition=["full", "no-reflection", "false-party", "clutter-20"]).isel(event=0)
    heard, _, retrieved, planned, came = (full.isel(stage=k) for k in range(5))
    assert (heard >= retrieved).all() and (retrieved >= planned).all() and (planned >= came).all()
    spot = last.sel(condition="no-planning").isel(event=0)
    assert (spot.isel(stage=3) == 0).all() and (spot.isel(stage=4) <= spot.isel(stage=2)).all()


def test_interventions_do_what_they_say(tiny: Any) -> None:
    d = tiny.data.load()
    full, base = d.sel(condition="full"), ("aware", "ties", "memories")
    for name, until in (("knock-out-all", 96), ("reset", 96), ("false-party", 32), ("assembly", 64)):
        changed = d.sel(condition=name)
        for what in base:  # nothing is changed before
            np.testing.assert_array_equal(changed[what].sel(time=slice(0, until)), full[what].sel(time=slice(0, until)))
    known = d["aware"].isel(fact=town.PARTY)
    assert (known.sel(condition="knock-out-all", time=128) <= known.sel(condition="full", time=128)).all()
    assert (d["ties"].sel(condition="reset", time=192) <= full["ties"].sel(time=192).max()).all()
    assert float(d["ties"].sel(condition="reset", time=128).sum()) < float(full["ties"].sel(time=128).sum())
    false = d["aware"].isel(fact=town.FALSE)
    assert (false.sel(condition="false-party", time=slice(64, None)) > 0).all()
    assert (false.sel(condition="full") == 0).all()
    # memories of before come on top, as far as there is room
    more = d["memories"].sel(condition="clutter-20", time=0) - full["memories"].sel(time=0)
    np.testing.assert_allclose(more, 20.0)


def test_a_knock_out_deletes_one_memory_and_nothing_else() -> None:
    system = jax.tree.map(jnp.asarray, Smallville(agents=N, places=6, capacity=96, knockout=2, knockout_at=5))
    words = system._words
    blank = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), jax.eval_shape(system.init, jax.random.key(0)))
    minds = blank.minds._replace(serial=np.full((N, 96), mind.NONE, np.int32), what=np.zeros((N, 96), np.int32))
    minds.serial[:, :2] = [0, 1]  # two memories each, one of them of the party but for the last three people
    minds.what[:-3, 1] = words.facts + town.PARTY
    planned = np.ones_like(blank.planned)
    state = eqx.tree_at(lambda s: (s.life.lot, s.planned), blank, (np.arange(N, 0, -1, dtype=np.float32) / N, planned))
    run = jax.jit(lambda t: system._knock_out(state, jax.tree.map(jnp.asarray, minds), words, t))
    after, knocked, plans = run(jnp.int32(4))
    assert not knocked.any() and plans.all() and (np.asarray(after.serial) == minds.serial).all()
    after, knocked, plans = run(jnp.int32(5))
    assert np.flatnonzero(knocked).tolist() == [5, 6]  # by lot among those who know, the host apart
    left = np.asarray(after.serial) >= 0
    assert left[:, 0].all() and np.flatnonzero(~left[:, 1]).tolist() == [5, 6]
    assert np.argwhere(~np.asarray(plans)).tolist() == [[5, 0], [6, 0]]


def test_sites_and_bounds() -> None:
    names = {s.name for s in el.sites(Smallville(agents=N, places=6, capacity=96))}
    assert {"place", "talking", "speaks", "goes", "ties", "state.minds.importance"} <= names
    with pytest.raises(el.UserError, match="oldest_first=1 needs recency='rank'"):
        Smallville(oldest_first=1)
    with pytest.raises(el.UserError, match=r"capacity must be at least agents \+ 32 \(57\)"):
        Smallville(capacity=50)
    with pytest.raises(el.UserError, match=r"'reflect' must be .*\[0, 1\], got 2"):
        Smallville(reflect=2)


def test_study_at_its_smallest(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergelab._effects._DRAWS", 500)
    verdicts = study.judge(tiny)
    assert len(verdicts) == len(study.claims)
    assert {v["verdict"] for v in verdicts} <= {"supported", "refuted", "inconclusive", "untested"}
    drawn = {f.name for f, _ in study.draw(tiny)}
    assert {"tree", "query", "ties"} <= drawn
    curve = measures.heard_curve(tiny.data.sel(condition="full"), town.PARTY, 192)
    assert (np.diff(curve, axis=1) >= 0).all() and curve[0, 0] == pytest.approx(1 / N)


def test_the_view_tells_every_first_hearing_once(tiny: Any) -> None:
    view = study.view
    assert view is not None
    slots = view.moments(tiny, "full", 0)
    assert list(slots) == list(range(192))
    scenes = [view.at(tiny, "full", 0, t) for t in slots]
    end = tiny.data.sel(condition="full", seed=0).isel(time=-1)
    told = int((end["told_by"].values >= 0).sum())
    assert told > 0 and sum(len(s.messages) for s in scenes) == told
    heard = end["heard_at"].transpose("fact", "agent").values[town.PARTY] >= 0
    np.testing.assert_array_equal(scenes[-1].layers[3].kind, heard.astype(int))
    # two people a line, and both are told of it
    talks = sum(2 * (len(s.layers[2].x) // 3) for s in scenes)
    assert talks == end["ties"].values.sum() > 0


def test_people_stand_within_the_walls_of_their_place(tiny: Any) -> None:
    public = int(tiny.info["conditions"]["full"]["parameters"]["places"])
    for slot in (5, 45, 100, 191):
        walls, names, _, people = study.view.at(tiny, "full", 1, slot).layers
        corners = np.stack([walls.x, walls.y], axis=1)[::6]
        assert len(corners) == len(names.words) == public + 5
        record = tiny.data.sel(condition="full", seed=1, time=32 * (slot // 32 + 1))
        place = record["walked"].transpose("slot", "agent").values[slot % 32].astype(int)
        inside = np.stack([people.x, people.y], axis=1) - corners[place]
        assert (inside > 0).all() and (inside < 5).all()
        assert len(set(zip(people.x, people.y, strict=True))) == len(place), "nobody stands on another"


def test_slots_are_told_as_day_and_hour() -> None:
    assert clock(0) == "day 1, 00:00" and clock(town.SLOTS + 68) == "day 2, 17:00" and clock(41) == "day 1, 10:15"
