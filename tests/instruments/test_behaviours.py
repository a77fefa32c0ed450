"""behaviours: planted bouts, the language and its mistakes, novelty, order, labels, gaps, and what must stay silent."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab.errors import UserError
from emergelab.instruments import behaviours, calibrate
from emergelab.instruments._behaviours_language import (
    QUANTITIES,
    RELATIONS,
    And,
    Compare,
    Inside,
    Lasting,
    Not,
    Or,
    Point,
    Quantity,
    Then,
    Variable,
    say,
    text,
    units,
)
from emergelab.instruments._behaviours_order import shuffled_counts
from emergelab.instruments._behaviours_parser import Known, parse
from emergelab.instruments._behaviours_read import shapes
from emergelab.instruments._behaviours_truth import Meter, paint, runs_of, where
from emergelab.instruments._scenes.behaviours import states

from .degenerate import assert_defined
from .degenerate import blocks as degenerate_blocks

KNOWN = Known(
    tracks=True, agents=("a", "queen"), parts=("nose", "tail"), regions=("nest", "field"),
    variables={"state": "text", "energy": "number", "lit": "flag"},
)  # fmt: skip


def read(sentence, known=KNOWN):
    return parse({"it": sentence}, known)["it"]


def tracks(xy, gap=1.0):
    xy = np.asarray(xy, dtype=float)
    coords = {"time": gap * np.arange(xy.shape[2])}
    return xr.DataArray(xy, dims=("seed", "agent", "time", "xy"), coords=coords, name="position", attrs={"units": "mm"})


def planted(rng, seeds=5, gap=0.5, steps=400, noise=0.01):
    """Two agents: the first runs in known stretches, the second comes within 1 of it in others, at a known speed."""
    time = gap * np.arange(steps)
    xy = np.zeros((seeds, 2, steps, 2))
    fast, near = [], []
    for s in range(seeds):
        edges = np.sort(rng.choice(np.arange(5, steps - 5, 12), 12, replace=False)) * gap
        speed = np.zeros(steps)
        for a, b in edges.reshape(-1, 2):
            speed[(time >= a) & (time < b)] = 2.0
            fast.append((s, a, b))
        xy[s, 0, :, 0] = np.concatenate([[0], np.cumsum(speed[:-1] * gap)])
        off = np.full(steps, 3.0)
        edges = np.sort(rng.choice(np.arange(5, steps - 5, 12), 8, replace=False)) * gap
        for a, b in edges.reshape(-1, 2):
            off[(time >= a) & (time < b)] = 0.5
            near.append((s, a, b))
        xy[s, 1] = xy[s, 0] + np.stack([np.zeros(steps), off], axis=-1)
    xy += noise * rng.standard_normal(xy.shape)
    return tracks(xy, gap), fast, near


def test_planted_bouts_are_found_to_one_step():
    data, fast, near = planted(np.random.default_rng(1))
    asked = {"fast": "speed(self) > 1", "near": "distance(self, other) < 1"}
    result = behaviours(data, asked, draws=99)
    events = result.to_frame("events")
    for name, truth in (("fast", fast), ("near", near)):
        own = events[(events["behaviour"] == name) & (events["agent"] == "0")]
        assert len(own) == len(truth)
        for (_, row), (seed, a, b) in zip(own.sort_values(["seed", "start"]).iterrows(), truth, strict=True):
            assert row["seed"] == seed and abs(row["start"] - a) <= 0.5 and abs(row["end"] - (b - 0.5)) <= 0.5
            assert abs(row["duration"] - (b - a)) <= 1.0
    # every second record: still to within a step of the coarser grid; another unit of time: the same bouts
    coarse = behaviours(data.isel(time=slice(None, None, 2)), asked, draws=99).to_frame("events")
    assert len(coarse) == len(events)
    slow = behaviours(
        data.assign_coords(time=60 * data["time"]), {**asked, "fast": f"speed(self) > {1 / 60}"}, draws=99
    ).to_frame("events")
    assert slow["start"].to_numpy() == pytest.approx(60 * events["start"].to_numpy())
    assert slow["duration"].to_numpy() == pytest.approx(60 * events["duration"].to_numpy())


def test_hysteresis_minimum_and_merge_by_hand():
    x = np.array([0, 1, 3, 2, 2, 1, 3, 3, 0, 0, 3, 0, 0, 0.0])
    data = xr.DataArray(x[None, None], dims=("seed", "agent", "time"), coords={"time": 2.0 * np.arange(14)}, name="x")

    def spans(sentence, **call):
        events = behaviours(data, sentence, draws=99, **call).to_frame("events")
        return list(zip(events["start"], events["end"], events["duration"], strict=True))

    assert spans("x > 2.5") == [(4, 4, 2), (12, 14, 4), (20, 20, 2)]
    assert spans("x > 2.5 until 1.5") == [(4, 8, 6), (12, 14, 4), (20, 20, 2)]
    assert spans("x > 2.5", minimum=3) == [(12, 14, 4)] == spans("x > 2.5 for 3")
    assert spans("x > 2.5", merge=5) == [(4, 4, 2), (12, 20, 10)]
    assert spans("x > 2.5", merge=6) == [(4, 20, 18)]
    assert spans("x > 2.5", merge=5, minimum={"behaviour": 5}) == [(12, 20, 10)]
    assert spans("x > 2.5 & not x > 2.5") == []
    assert spans("x == 3 then x == 0 within 2") == [(12, 26, 16)]  # two that touch are one
    assert spans("x == 3 then x == 0 within 0") == []
    assert spans("x == 1 then x == 3 within 2") == [(2, 4, 4), (10, 14, 6)]


def test_measures_by_hand():
    # one agent walks to the right at speed 2, one follows its trail 3 later, one stands above the line
    t = np.arange(0, 20, 0.5)
    line = np.stack([2 * t, 0 * t], axis=-1)
    behind = np.stack([2 * (t - 3), 0 * t], axis=-1)
    still = np.stack([0 * t + 20, 0 * t + 4], axis=-1)
    positions = np.stack([line, behind, still])[None, :, None]
    meter = Meter(positions, {}, t, np.full(len(t), 0.5), ("a", "b", "c"), (), {}, None, None)
    me, you = Point("self"), Point("other")

    def of(name, *numbers, points=(me, you)):
        return meter.measure(Quantity(name, points[: QUANTITIES[name].points], numbers))[0]

    assert of("speed")[:2, 0] == pytest.approx(2) and of("speed")[2, 0] == pytest.approx(0)
    assert of("acceleration")[:, 0] == pytest.approx(0) and of("turning")[0, 0, 5:-5] == pytest.approx(0)
    assert np.isnan(of("distance")[0, 0]).all() and of("distance")[0, 1] == pytest.approx(6)
    assert of("closing")[0, 1] == pytest.approx(0, abs=1e-9)
    assert of("closing")[0, 2, 0] > 0 > of("closing")[0, 2, -1]
    assert of("heading_difference")[0, 1] == pytest.approx(0, abs=1e-4)
    assert np.isnan(of("heading_difference")[0, 2]).all()
    assert of("bearing")[1, 0] == pytest.approx(0, abs=1e-4) and of("bearing")[0, 1] == pytest.approx(180)
    assert of("bearing")[0, 2, 0] == pytest.approx(np.degrees(np.arctan2(4, 20)))
    assert of("trailing", 3.0)[1, 0, 10:] == pytest.approx(0, abs=1e-4)  # b is where a was
    assert of("trailing", 3.0)[0, 1, 10:] == pytest.approx(180)
    assert np.isnan(of("trailing", 3.0)[1, 0, :6]).all()
    assert of("nearest")[0, 0, 0] == pytest.approx(6) and of("neighbours", 7.0)[0, 0].tolist()[0] == 1
    named = meter.measure(Quantity("distance", (me, Point("c", True))))[0]
    assert np.isnan(named[2]).all() and named[0, 0, 0] == pytest.approx(np.hypot(20, 4))


def test_speed_over_a_span_of_time_does_not_hang_on_the_frame_rate():
    rng = np.random.default_rng(2)
    t = np.arange(0, 60, 0.1)
    path = np.stack([np.sin(0.3 * t), np.cos(0.3 * t)], axis=-1) * 5
    fine = tracks((path + 0.05 * rng.standard_normal((5, 1, len(t), 2))), 0.1)
    rates = {}
    for span in (None, 2.0):
        for step in (1, 5):
            found = behaviours(fine.isel(time=slice(None, None, step)), "speed(self) > 1.8", span=span, draws=99)
            rates[span, step] = found.to_frame()["share"].item()
    assert rates[None, 1] > 0.05 and rates[2.0, 1] < 0.001 and rates[2.0, 5] < 0.001
    result = behaviours(fine, "speed(self) > 1.8", draws=99)
    assert any("frame rate" in w and "span" in w for w in result.warnings)


def test_regions_parts_and_axes():
    places = shapes({"disc": (0, 0, 1), "box": (2, 2, 0, 0), "corner": [(0, 0), (4, 0), (0, 4)]}, 2)
    xy = np.array([[0.5, 0.5], [1.5, 1.5], [3.0, 0.5], [3.0, 3.0], [np.nan, np.nan]])
    meter = Meter(xy[None, None, None], {}, np.arange(5.0), np.ones(5), ("a",), (), places, None, None)
    found = {name: meter.inside(Point("self"), name)[0, 0, 0].tolist() for name in places}
    assert (
        found["disc"][:4] == [1, 0, 0, 0] and found["box"][:4] == [1, 1, 0, 0] and found["corner"][:4] == [1, 1, 1, 0]
    )
    assert all(np.isnan(v[4]) for v in found.values())
    # two animals that stand still: the first looks at the second, which looks away; noses touch tails
    first, second = [[0.0, 0], [1, 0]], [[2.0, 0], [3, 0]]
    block = np.array([first, second])[None, :, :, None].repeat(6, axis=3)
    data = xr.DataArray(
        block, dims=("seed", "agent", "keypoint", "time", "xy"),
        coords={"time": np.arange(6.0), "keypoint": ["tail", "nose"]}, name="pose",
    )  # fmt: skip
    asked = {
        "looks": "facing(self, other)", "sniffs": "distance(self.nose, other.tail) < 1.1",
        "touch": "contact(self, other, 1.1)", "far": "distance(self, other) > 1.5", "at_one": 'distance(self, "1") < 3',
    }  # fmt: skip
    events = behaviours(data, asked, axis=("tail", "nose"), draws=99).to_frame("events")
    pairs = {name: set(zip(e["agent"], e["partner"], strict=True)) for name, e in events.groupby("behaviour")}
    assert pairs["looks"] == {("0", "1")} == pairs["sniffs"]
    assert pairs["touch"] == {("0", "1"), ("1", "0")} == pairs["far"] and pairs["at_one"] == {("0", "")}


def test_absent_agents_are_unknown_not_false():
    x = np.ones((1, 2, 20, 2))
    x[0, 1, 5:10] = np.nan
    result = behaviours(tracks(x), {"with": "distance(self, other) < 1", "not_with": "not distance(self, other) < 1"})
    table = result.to_frame("seeds").set_index("behaviour")
    assert table.loc["with", "observed"] == 2 * 15 and table.loc["with", "share"] == 1.0
    assert table.loc["not_with", "bouts"] == 0 and len(result.to_frame("events")) == 4
    assert not result.to_frame("events")["complete"].any()
    joined = behaviours(tracks(x), "distance(self, other) < 1", merge=5).to_frame("events")
    assert joined["duration"].tolist() == [20, 20]
    gone = tracks(np.ones((1, 2, 20, 2))).to_dataset().assign(ended=("time", np.arange(20) >= 12))
    assert behaviours(gone, "distance(self, other) < 1").to_frame("seeds")["observed"].item() == 24


# the language


def test_sentences_are_read_as_they_are_meant():
    near = Compare(Quantity("distance", (Point("self"), Point("other"))), "<", 2.0)
    close = Compare(Quantity("closing", (Point("self"), Point("other"))), ">", 0.0)
    fast = Compare(Quantity("speed", (Point("self"),)), ">", 0.3)
    assert read("distance(self, other) < 2 & approaching(self, other)") == And(near, close)
    assert read("speed(self) > 0.3 for 5") == Lasting(fast, 5.0)
    assert read("not speed(self)>.3 for 5 | lit") == Or(
        Not(Lasting(fast, 5.0)), Compare(Variable("lit", Point("self")), "!=", 0.0)
    )
    both = {"a1": "speed(self) > 3e-1", "b1": "dwell(self, nest, 4)", "c1": "a1 then b1 within 10 then a1 within 2"}
    dwell = Lasting(Inside(Point("self"), "nest"), 4.0)
    assert parse(both, KNOWN)["c1"] == Then(Then(fast, dwell, 10.0), fast, 2.0)
    assert read('other.state == "eats"') == Compare(Variable("state", Point("other")), "==", "eats")
    assert read("freezing(self.nose, 0.1)") == Compare(Quantity("speed", (Point("self", part="nose"),)), "<", 0.1)
    assert read('"queen".energy >= -2').value == -2.0
    assert read("following(self, other, 1.5)") == Compare(
        Quantity("trailing", (Point("self"), Point("other")), (1.5,)), "<", 45.0
    )
    assert read("(speed(self) > 0.3 until 0.2)").leave == 0.2
    assert "the speed of self is above 0.3" in say(fast) and units(fast, "mm", "s") == "speed in mm/s"
    assert all(term.about for term in (*QUANTITIES.values(), *RELATIONS.values()))


POINTS = (Point("self"), Point("other"), Point("queen", True), Point("self", part="nose"))


def leaf(rng):
    """A comparison or a region, by lot."""

    def point():
        return POINTS[rng.integers(len(POINTS))]

    def value():
        return float(np.round(rng.uniform(0, 10.0 ** rng.integers(-2, 7)), 3))

    kind = rng.integers(6)
    if kind == 0:
        return Inside(point(), str(rng.choice(KNOWN.regions)))
    if kind == 1:
        return Compare(Variable("state", Point("self")), str(rng.choice(["==", "!="])), "x y")
    if kind == 2:
        return Compare(Variable("energy", Point("other")), str(rng.choice(["<", "==", ">="])), -value())
    name = str(rng.choice(sorted(QUANTITIES)))
    term, bar = QUANTITIES[name], value()
    what = Quantity(name, tuple(point() for _ in range(term.points)), tuple(value() for _ in term.numbers))
    return Compare(what, ">", bar, [None, bar / 2][rng.integers(2)])


def tree_of(rng, depth):
    """A predicate, by lot."""
    if depth == 0 or rng.random() < 0.2:
        return leaf(rng)
    kind, left = rng.integers(5), tree_of(rng, depth - 1)
    if kind == 0:
        return Not(left)
    if kind == 1:
        return Lasting(left, float(rng.integers(9)))
    right = tree_of(rng, depth - 1)
    return Then(left, right, 2.5) if kind == 2 else (And, Or)[kind - 3](left, right)


def test_what_is_written_is_read_again():
    rng = np.random.default_rng(0)
    for _ in range(200):
        tree = tree_of(rng, int(rng.integers(1, 5)))
        assert read(text(tree)) == tree and say(tree)


@pytest.mark.parametrize(
    ("sentence", "character", "message"),
    [
        ("sped(self) > 1", 1, "nothing is named 'sped'; did you mean 'speed'?"),
        ("lit & speed(slef) > 1", 13, "did you mean 'self'?"),
        ("speed(self)", 12, "expected one of <=, >="),
        ("speed(self) > ", 14, "expected a number, got the end"),
        ("speed self > 1", 7, "write speed(a)"),
        ("distance(self) < 1", 14, "write distance(a, b)"),
        ("speed(self) = 1", 13, "write == to compare"),
        ('state > "x"', 7, "== or !="),
        ("state == x", 10, "quoted word"),
        ("state == 'x", 10, "no closing quote"),
        ("inside(self, nets)", 14, "no region 'nets'; did you mean 'nest'?"),
        ("speed(self.nos) > 1", 12, "did you mean 'nose'?"),
        ('speed("quen") > 1', 7, "did you mean 'queen'?"),
        ("lit lit", 5, "'lit' is left over"),
        ("(lit", 5, "to close the bracket"),
        ("lit then lit", 13, "expected 'within'"),
        ("lit for -1", 9, "0 or more"),
        ("speed(self) > 1e999", 15, "expected a number"),
        ("energy > 1 until 2", 12, "easier threshold"),
        ("contact(self, other)", 20, "write contact(a, b, reach)"),
        ("", 1, "expected something to be measured"),
        ("lit\n& £", 7, "has no meaning"),
        ("__import__('os').system('true')", 1, "nothing is named '__import__'"),
        ("().__class__", 2, "expected something"),
        ("lambda: 0", 7, "':' has no meaning here"),
        ("it", 1, "circle"),
    ],
)
def test_a_mistake_is_shown_where_it_is(sentence, character, message):
    with pytest.raises(UserError) as caught:
        read(sentence)
    told = str(caught.value)
    assert message in told and "\n" not in told
    if message != "circle":
        assert f"'it', character {character}:" in told and ">>>" in told


def test_hostile_sentences_end_soon_in_one_line():
    bomb = {"p0": "lit | lit"} | {f"p{i}": f"p{i - 1} | p{i - 1}" for i in range(1, 40)}
    for texts in (
        {"it": "(" * 1000 + "lit" + ")" * 1000}, {"it": "not " * 450 + "lit"}, {"it": "lit & " * 5000 + "lit"},
        {"it": "lit & " * 300 + "lit"}, {"it": "lit" + " for 1" * 300}, bomb, {"a1": "b1", "b1": "a1"},
        {"speed": "lit"}, {"and": "lit"}, {"state": "lit"}, {"it": "1" * 1900 + " > 2"},
    ):  # fmt: skip
        with pytest.raises(UserError) as caught:
            parse(texts, KNOWN)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


WORDS = st.sampled_from(
    [*QUANTITIES, *RELATIONS, "self", "other", "(", ")", ",", ".", "<", ">", "==", "&", "|", "not", "for", "then",
     "within", "until", "1", "-2.5", "'x'", "state", "energy", "lit", "nest", "nose", "=", "é", "\x00", "\n"]
)  # fmt: skip


@settings(deadline=None, max_examples=120)
@given(st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=14).map(" ".join)))
def test_any_text_is_a_predicate_or_one_clear_line(sentence):
    try:
        tree = read(sentence)
    except UserError as error:
        assert "\n" not in str(error) and "\x00" not in str(error)
    else:
        assert read(text(tree)) == tree


# statistics


def test_a_behaviour_that_appears_is_new_and_one_that_was_there_is_not():
    rng = np.random.default_rng(3)
    even = (1 - np.eye(3)) / 2
    data = states(rng, 8, 4, 150, even, 0.8)
    data.values[(rng.random(data.shape) < 0.04) & (data["time"].values >= 75)] = "play"
    asked = {n: f'state == "{n}"' for n in ("rest", "feed", "groom", "play")}
    result = behaviours(data, asked, draws=99)
    table = result.to_frame("thirds").set_index("behaviour")
    assert result.verdict == "new behaviour" and table["new"].tolist() == [False, False, False, True]
    assert table.loc["play", "first"] == 0 < table.loc["play", "low"] and result.p <= 0.05
    assert "rate of play in the last third" in result.headline and result.ci.low > 0 and result.effect.value == 1.0
    early = data.copy(deep=True)
    early.values[0, 0, 3] = "play"  # once in one seed is enough
    assert not behaviours(early, asked, draws=99).to_frame("thirds")["new"].any()
    few = behaviours(data.isel(seed=slice(0, 3)), asked, draws=99)
    assert few.verdict != "new behaviour" and any("nothing can be called new" in w for w in few.warnings)
    # scale of time, order of seeds, every second record
    for other in (
        data.assign_coords(time=0.01 * data["time"]), data.isel(seed=slice(None, None, -1)),
        data.isel(time=slice(None, None, 2)),
    ):  # fmt: skip
        assert behaviours(other, asked, draws=99).verdict == "new behaviour"


def test_order_is_found_and_its_null_is_that_of_all_arrangements():
    rng = np.random.default_rng(4)
    chance = (1 - np.eye(4)) / 3
    chance[1] = [0.1, 0.0, 0.8, 0.1]
    asked = {n: f'state == "{n}"' for n in ("rest", "feed", "groom", "play")}
    result = behaviours(states(rng, 6, 4, 200, chance, 0.8), asked)
    assert result.verdict == "ordered" and result.effect.name.endswith("feed -> groom") and result.p <= 0.05
    table = result.to_frame("transitions").set_index(["from", "to"])
    assert table.loc[("feed", "groom"), "probability"] == pytest.approx(0.8, abs=0.1)
    # the shuffle against every arrangement in which nothing follows itself
    sequence = np.array([0, 1, 0, 2, 1, 2, 0])
    fair = [p for p in set(itertools.permutations(sequence.tolist())) if all(a != b for a, b in itertools.pairwise(p))]
    exact = np.zeros((3, 3))
    for p in fair:
        np.add.at(exact, (p[:-1], p[1:]), 1 / len(fair))
    drawn = shuffled_counts([sequence], 3, 4000, rng)
    assert drawn.mean(axis=0) == pytest.approx(exact, abs=0.08) and (drawn[:, range(3), range(3)] == 0).all()
    assert (drawn.sum(axis=(1, 2)) == 6).all()


def test_behaviours_that_overlap_are_shifted_and_two_that_do_not_are_not_tested():
    rng = np.random.default_rng(5)
    time = np.arange(200.0)
    a = rng.random((6, 3, 200)) < 0.08
    lag = np.roll(a, 2, axis=2)
    named = {
        n: xr.DataArray(v, dims=("seed", "agent", "time"), coords={"time": time}) for n, v in (("a", a), ("b", lag))
    }
    named["c"] = named["a"].copy(data=rng.random(a.shape) < 0.1)
    data = xr.Dataset(named)
    result = behaviours(data, {"does_a": "a", "does_b": "b", "does_c": "c"})
    assert result.params["order"] == ["shift"] and result.verdict == "ordered"
    assert result.to_frame("transitions").set_index(["from", "to"]).loc[("does_a", "does_b"), "p"] <= 0.01
    two = behaviours(states(rng, 5, 2, 100, 1 - np.eye(2), 0.7), {"r": 'state == "rest"', "f": 'state == "feed"'})
    assert two.to_frame("transitions")["p"].isna().all() and two.verdict == "occurs"
    shuffled = behaviours(data, {"does_a": "a", "does_b": "b", "does_c": "c"}, order="shuffle", draws=99)
    assert shuffled.params["order"] == ["shuffle"]


def test_agreement_with_human_labels():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(6)
    truth = (rng.random((5, 2, 40)) < 0.5).repeat(5, axis=2)
    found = truth ^ (rng.random(truth.shape) < 0.05)
    data = xr.Dataset(
        {
            "found": (("seed", "agent", "time"), found),
            "human": (("seed", "agent", "time"), np.where(truth, "runs", "-")),
        },
        coords={"time": np.arange(200.0)},
    )
    table = behaviours(data, {"runs": "found"}, merge=1, labels="human", draws=99).to_frame("agreement").iloc[0]
    raw = behaviours(data, {"runs": "found"}, labels="human", draws=99).to_frame("agreement").iloc[0]
    peer = np.mean([metrics.cohen_kappa_score(f.ravel(), t.ravel()) for f, t in zip(found, truth, strict=True)])
    assert raw["kappa"] == pytest.approx(peer) and table["F1"] >= raw["F1"] > 0.3
    events = behaviours(data, {"runs": "found"}, draws=99).to_frame("events")
    own = behaviours(data, {"runs": "found"}, labels=events, draws=99).to_frame("agreement").iloc[0]
    assert own["F1"] == 1.0 and own["kappa"] == pytest.approx(1.0) and own["matched"] == own["marked"] == len(events)
    # one bout that covers half of the union counts, one that covers less does not
    one = xr.DataArray(
        np.arange(10.0)[None, None] < 4, dims=("seed", "agent", "time"), coords={"time": np.arange(10.0)}
    )
    for end, hit in ((7, 1), (8, 0)):
        labels = pd.DataFrame({"behaviour": ["it"], "start": [0.0], "end": [float(end)]})
        got = behaviours(one.rename("x"), {"it": "x"}, labels=labels, draws=99).to_frame("agreement")
        assert got["matched"].item() == hit


def test_conditions_and_sensitivity():
    rng = np.random.default_rng(7)
    x = np.abs(rng.standard_normal((2, 8, 3, 150))) * np.array([1.0, 2.0])[:, None, None, None]
    data = xr.DataArray(
        x, dims=("condition", "seed", "agent", "time"),
        coords={"condition": ["calm", "busy"], "time": np.arange(150.0)}, name="drive",
    )  # fmt: skip
    result = behaviours(data, {"high": "drive > 2"}, draws=99)
    gap = result.to_frame("contrasts").iloc[0]
    assert gap["difference"] < 0 and gap["high"] < 0 and gap["p_holm"] < 0.05
    table = result.to_frame("sensitivity")
    calm = table[(table["condition"] == "calm") & table["setting"].isin(["thresholds", "as asked"])]
    assert (np.diff(calm.sort_values("factor")["bouts"]) < 0).all() and set(table["setting"]) >= {"records", "as asked"}
    assert any("thresholds moved by 15%" in w for w in behaviours(data, {"high": "drive > 5"}, draws=99).warnings)
    assert result.to_frame()["seeds_with"].tolist() == [8, 8]


def test_result_carries_everything():
    from emergelab import figures

    data, _, _ = planted(np.random.default_rng(8), seeds=5, steps=200)
    result = behaviours(
        data,
        {"fast": "speed(self) > 1", "near": "distance(self, other) < 1", "both": "near then fast within 5"},
        draws=99,
    )
    document = json.loads(result.to_json())
    assert document["params"]["predicates"]["fast"] == "speed(self) > 1" and "What it cannot see" in document["explain"]
    assert {"mean_speed", "displacement", "mean_distance"} <= set(result.to_frame("events").columns)
    assert result.to_frame()["units"].iloc[0] == "speed in mm/units of time"
    assert any("same measure" in w for w in result.warnings)
    assert len(figures.png(result.plot())) > 20_000 and result.to_dataset()["share"].shape == (3, 1, 5, 200)
    assert (
        behaviours(data, "speed(self) > 1", draws=99).to_json()
        == behaviours(data, "speed(self) > 1", draws=99).to_json()
    )
    never = behaviours(data, "speed(self) > 100", draws=99)
    assert never.verdict == "none seen" and never.estimate.value == 0 and never.plot() is not None
    word = xr.DataArray([[["eat", "eat", "sleep"]]], dims=("seed", "agent", "time"), coords={"time": [0.0, 1, 2]})
    assert any("never 'eats'; did you mean 'eat'?" in w for w in behaviours(word, 'state == "eats"').warnings)


SENTENCES = st.sampled_from(
    [
        "speed(self) > 0.5", "distance(self, other) < 1 & approaching(self, other)", "turning(self) > 5 for 3",
        "acceleration(self) > 0 until -1", "following(self, other, 2) | facing(self, other)", "nearest(self) < 1",
        "not neighbours(self, 2) > 0", "inside(self, spot) then speed(self) > 0 within 4",
        "heading_difference(self, other) < 45", "dwell(self, spot, 2)", 'gap(self, "0") < 1',
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=15)
@given(
    degenerate_blocks(), st.lists(SENTENCES, min_size=1, max_size=3), st.integers(1, 3), st.sampled_from([None, 2.5])
)
def test_degenerate_tracks_get_a_defined_answer(block, sentences, agents, span):
    data = xr.concat([xr.concat([block.roll(time=k), block], "xy") for k in range(agents)], "agent")
    asked = {f"b{i}": s for i, s in enumerate(sentences)}
    assert_defined(behaviours(data, asked, regions={"spot": (0, 0, 1)}, span=span, merge=1.0, draws=99))


@settings(deadline=None, max_examples=10)
@given(
    degenerate_blocks(), st.sampled_from(["value > 0", "value > 1 until 0 for 2", "value == 0 then value > 0 within 3"])
)
def test_degenerate_variables_get_a_defined_answer(block, sentence):
    assert_defined(behaviours(block, {"it": sentence, "other_way": "not value > 0"}, draws=99))


def test_runs_and_paint_are_each_others_inverse():
    yes = np.random.default_rng(9).random((20, 31)) < 0.5
    assert (paint(runs_of(yes), yes.shape) == yes).all()
    values = {"v": np.array([[[0.0, 1.0, np.nan, 1.0]]])}
    meter = Meter(None, values, np.arange(4.0), np.ones(4), ("a",), (), {}, None, None)
    one = Compare(Variable("v", Point("self")), ">", 0.5)
    either, both = where(Or(one, Not(one)), meter), where(And(one, Not(one)), meter)
    assert either.yes.tolist() == [[[[True, True, False, True]]]] and both.no.tolist() == either.yes.tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: behaviours(d.values, "speed(self) > 1"), "reads an emergelab Run"),
        (lambda d: behaviours(d.drop_vars("time"), "speed(self) > 1"), "no coordinate"),
        (lambda d: behaviours(d, "speed(self) > 1", along="tme"), "did you mean 'time'"),
        (lambda d: behaviours(d.rename(xy="place"), "speed(self) > 1"), "pass agents"),
        (lambda d: behaviours(d.rename(agent="fly"), "speed(self) > 1"), "also have the dims fly"),
        (lambda d: behaviours(d, "inside(self, nest)"), "regions="),
        (lambda d: behaviours(d, "speed(self) > 1", regions={"nest": (1, 2)}), "must be a circle"),
        (lambda d: behaviours(d, "speed(self) > 1", axis=("a", "b")), "no part 'a'"),
        (lambda d: behaviours(d, "speed(self) > 1", minimum=-1), "minimum must be"),
        (lambda d: behaviours(d, {"it": "speed(self) > 1"}, merge={"its": 1}), "did you mean 'it'"),
        (lambda d: behaviours(d, {}), "one sentence"),
        (lambda d: behaviours(d, "speed(self) > 1", span=0.0), "span must be"),
        (lambda d: behaviours(d, "speed(self) > 1", draws=10), "at least 99"),
        (lambda d: behaviours(d, "speed(self) > 1", labels="human"), "no variable of words"),
        (lambda d: behaviours(d, "speed(self) > 1", labels=pd.DataFrame({"start": [0]})), "'behaviour'"),
        (lambda d: behaviours(d[:, :, :0], "speed(self) > 1"), "no record"),
        (lambda d: behaviours(xr.Dataset({"a": d, "b": d}), "speed(self) > 1"), "which variable"),
        (lambda d: behaviours(d.isel(xy=0, drop=True).rename("x"), "speed(self) > 1"), "needs positions"),
        (lambda d: behaviours(xr.concat([d] * 1500, "agent"), "distance(self, other) > 1"), "take a part"),
    ],
)
def test_errors_of_the_user_are_one_clear_line(call, message):
    data = tracks(np.zeros((2, 2, 30, 2)))
    with pytest.raises(UserError, match=message) as caught:
        call(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scene", ["steady", "rare", "shuffled", "overlapping"])
def test_silent_where_nothing_is(scene):
    rate = calibrate("behaviours", scene, draws=8, seeds=(5,)).table["rate"].item()
    assert rate <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 8)


def test_finds_what_is_planted():
    assert calibrate("behaviours", "appears", effects=(20.0,), seeds=(8,), draws=2).table["rate"].item() == 1.0
    assert calibrate("behaviours", "follows", effects=(0.8,), seeds=(8,), draws=2).table["rate"].item() == 1.0
