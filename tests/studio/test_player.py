"""What the player shows is what the run recorded, and going through time changes data only."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float, PRNGKeyArray

import emergelab as el
from emergelab.views import Agents, Cells, Lines, Names, Network, Scene, View

pytest.importorskip("panel")

from emergelab.runs.run import load
from emergelab.studio import player, scenes
from emergelab.studio.talk import Talk

from ..lm.societies import Pair
from .test_runs import grow, laid

N = 6


class Field(el.System):
    """Noise on a small field."""

    observables = (
        el.Observable("ground", ("row", "column"), "1", "what lies there"),
        el.Observable("line", ("place",), "m", "heights"),
        el.Observable("total", (), "1", "the sum"),
    )

    def init(self, key: PRNGKeyArray) -> Float[Array, "row column"]:
        return jax.random.normal(key, (3, 4))

    def step(self, state: Float[Array, "row column"], key: PRNGKeyArray) -> Float[Array, "row column"]:
        return state + 0.1 * jax.random.normal(key, state.shape)

    def observe(self, state: Float[Array, "row column"], key: PRNGKeyArray) -> dict[str, Array]:
        return {"ground": state, "line": state[0], "total": jnp.sum(state)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("field") / "run"
    return el.run(Field(), steps=20, every=5, seeds=2, conditions={"a": {}, "b": {}}, out=out, progress=False)


class Seen:
    """Stands for a study with a view."""

    def __init__(self, view: View | None) -> None:
        self.view = view


def crowd(count: int, at: float = 0.0) -> Scene:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, count)) + at
    kind = np.arange(count) % 2
    return Scene([Agents(x, y, kind, ("calm", "loud"), labels=[f"a{i}" for i in range(count)], state={"w": x})])


# -- scenes ---------------------------------------------------------------------------------------------------------


def test_a_further_scene_changes_data_and_keeps_the_figure() -> None:
    ground = np.arange(6.0).reshape(2, 3)
    lines = Lines(np.array([0.0, 3.0]), np.array([0.0, 2.0]), "border")
    first = Scene([Cells(ground, name="food"), lines, *crowd(4).layers])
    stage = scenes.Stage(first)
    figure = stage.figure
    then = Scene([Cells(ground + 1, name="food"), lines, *crowd(5, 0.5).layers])
    assert stage.fits(then)
    stage.show(then)
    assert stage.figure is figure
    shown = stage._sources[0]["cells"].data["image"][0]
    # The lowest row of a picture comes first.
    np.testing.assert_array_equal(shown, (ground + 1)[::-1])
    assert len(stage._sources[2]["points"].data["x"]) == 5
    assert not stage.fits(Scene([lines]))


def test_ranges_hold_every_scene_that_was_shown() -> None:
    stage = scenes.Stage(crowd(10))
    stage.show(crowd(10, 100.0))
    x = stage.figure.x_range
    assert x.start < 0 and x.end > 98
    stage.show(crowd(10))
    assert x.end > 98


def test_a_pointer_reads_kind_name_and_state() -> None:
    stage = scenes.Stage(crowd(4))
    data = stage._sources[0]["points"].data
    assert list(data["label"]) == ["a0", "a1", "a2", "a3"] and list(data["kind"]) == ["calm", "loud", "calm", "loud"]
    tips = [tip for tool in stage.figure.tools for tip in getattr(tool, "tooltips", None) or []]
    assert {"", "kind", "w"} <= {name for name, _ in tips}


def test_many_agents_are_counted_into_pixels_and_none_is_lost() -> None:
    x, y = np.array([0.5, 0.5, 1.5, 9.0]), np.array([0.5, 0.5, 1.5, 9.0])
    image = scenes.raster(x, y, np.array([0, 0, 1, 1]), (0.0, 2.0, 0.0, 2.0), (2, 2))
    assert (image[..., 3] > 0).tolist() == [[True, False], [False, True]]
    assert image[0, 0, 3] > image[1, 1, 3]  # two are denser than one
    assert image[0, 0, :3].tolist() != image[1, 1, :3].tolist()  # and of another kind


def test_zooming_in_brings_single_agents_back() -> None:
    scene = crowd(scenes.MOST_SINGLE + 1000)
    stage = scenes.Stage(scene)
    assert stage.crowded and not len(stage._sources[0]["points"].data["x"])
    stage.figure.x_range.update(start=0.0, end=0.5)
    stage.figure.y_range.update(start=0.0, end=0.5)
    stage._looked()
    shown = stage._sources[0]["points"].data
    assert not stage.crowded and 0 < len(shown["x"]) < scenes.MOST_SINGLE
    assert float(np.min(shown["x"])) >= 0.0


def test_nodes_without_places_get_the_same_ones_each_time() -> None:
    network = Network(np.array([[0, 1], [1, 2], [2, 3]]), labels=["a", "b", "c", "d"])
    first, second = scenes.places_of(network), scenes.places_of(network)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (4, 2) and np.isfinite(first).all()
    large = Network(np.array([[0, 1]]), state={"x": np.zeros(5000)})
    assert scenes.places_of(large).shape == (5000, 2)


def test_a_legend_names_kinds_and_limits_and_escapes_them() -> None:
    cells = Cells(np.array([[0, 1]]), kinds=("<free>", "wall"))
    legend = scenes.legend_of(Scene([cells, Cells(np.array([[0.0, 2.5]]), name="food", low=0.0, high=5.0)]))
    assert "&lt;free&gt;" in legend and "wall" in legend and "food 0" in legend and "5</span>" in legend


# -- runs -----------------------------------------------------------------------------------------------------------


def test_edges_that_are_not_drawn_are_counted() -> None:
    few, many = (Network(np.zeros((n, 2), int), labels=["a"]) for n in (3, scenes.MOST_SINGLE + 7))
    assert "are not" not in scenes.legend_of(Scene([few]))
    assert f"{scenes.MOST_SINGLE:,} heaviest edges are drawn, 7 are not" in scenes.legend_of(Scene([many]))


def test_observables_are_cells_bars_or_bars_over_seeds(run: Any) -> None:
    ground = player.observed(run, "ground", "a", 1, 10)
    assert isinstance(ground, Scene) and isinstance(ground.layers[0], Cells)
    expected = run.data["ground"].sel(condition="a", seed=1, time=10).values
    np.testing.assert_allclose(ground.layers[0].values, expected)
    line = player.observed(run, "line", "a", 1, 10)
    assert isinstance(line, scenes.Bars) and line.name == "line [m]" and len(line.labels) == 4
    total = player.observed(run, "total", "a", 1, 10)
    assert isinstance(total, scenes.Bars) and list(total.labels) == ["seed 0", "seed 1"]
    assert total.low <= total.values.min() and total.values.max() <= total.high


def test_the_scrubber_goes_through_what_is_recorded(run: Any) -> None:
    page = player._Player(run, None, ["total", "ground"])
    assert page.what.value == "ground"  # what has most to show comes first
    assert page.slider.options == [0, 5, 10, 15, 20] and player.recorded(run, "b", 1) == 5
    figure = page.stage.figure
    assert page._step(1) and page.slider.value == 5
    page.condition.value, page.seed.value = "b", 1
    assert page.slider.value == 5 and page.stage.figure is figure
    shown = page.stage._sources[0]["cells"].data["image"][0]
    expected = run.data["ground"].sel(condition="b", seed=1, time=5).values[::-1]
    np.testing.assert_allclose(shown, expected)
    page.slider.value = 20
    assert not page._step(1)


def test_a_view_is_shown_with_its_words_and_what_was_said(run: Any) -> None:
    def scene(run: Any, condition: str, seed: int, time: int) -> Scene:
        said = [("one", f"<b>hello</b> at {time}")] if time else []
        return Scene([Cells(run.data["ground"].sel(condition=condition, seed=seed, time=time).values)], "<t>", said)

    page = player._Player(run, View(scene, about="the field"), ["total"])
    assert "The field." in page.about.object and not page.talk.visible
    page.slider.value = 10
    assert page.talk.visible and page.talk.object.count("hello") == 2  # of steps 5 and 10
    assert '<li class="new"><b>one</b> &lt;b&gt;hello&lt;/b&gt; at 10' in page.talk.object
    assert "<t>" not in page.title.object


def test_a_view_that_shows_nothing_gives_way_to_observables(run: Any) -> None:
    def nothing(run: Any, condition: str, seed: int, time: int) -> Scene:
        raise el.UserError("view: nothing was kept")

    page = player._Player(run, View(nothing, about="nothing"), ["total"])
    assert page.what.value == "total" and page.picture.visible
    page.what.value = page.what.options[0]
    assert "nothing was kept" in page.wrong[0].object and not page.picture.visible


def test_a_run_is_a_page_with_and_without_a_study(run: Any) -> None:
    import panel as pn

    assert isinstance(player.player(run, None), pn.viewable.Viewable)
    assert isinstance(player.player(run, Seen(None)), pn.viewable.Viewable)  # type: ignore[arg-type]


# -- runs that grow -------------------------------------------------------------------------------------------------


@pytest.fixture
def growing(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A page on a run of which 3 of 8 records are written, the run's folder, and whether somebody writes it."""
    laid(tmp_path / "run", records=8, done=3, status="running")
    writes = {"now": True}
    monkeypatch.setattr(player, "grows", lambda run: writes["now"])
    return player._Player(load(tmp_path / "run"), None, ["x"]), tmp_path / "run", writes


def test_who_follows_stays_at_the_newest_record(growing: Any) -> None:
    page, folder, _ = growing
    assert page.follow.visible and page.follow.value and page.slider.value == 20
    page.look()
    assert page.slider.options == [0, 10, 20]
    grow(folder, 3, 5)
    page.look()
    assert page.slider.options == [0, 10, 20, 30, 40] and page.slider.value == 40
    assert page.stage.source.data["top"].tolist() == [4.0, 8.0] and "5 of 8" in page.written.object


def test_who_looks_back_is_left_there_and_may_follow_again(growing: Any) -> None:
    page, folder, _ = growing
    page.slider.value = 10
    assert not page.follow.value
    grow(folder, 3, 5)
    page.look()
    assert page.slider.value == 10 and page.slider.options[-1] == 40
    page._follow(True)
    assert page.slider.value == 40


def test_play_comes_to_the_end_and_then_follows(growing: Any) -> None:
    page, folder, _ = growing
    page.slider.value = 0
    page._toggle()
    for _ in range(3):
        page._tick()
    assert page.ticking is None and page.slider.value == 20 and page.follow.value
    grow(folder, 3, 4)
    page.look()
    assert page.slider.value == 30


def test_once_nobody_writes_the_last_records_are_found_and_the_disk_is_left_alone(growing: Any) -> None:
    page, folder, writes = growing
    page.page()
    assert page.looking is not None
    grow(folder, 3, 8)
    writes["now"] = False
    page.look()
    assert page.slider.options[-1] == 70 and page.slider.value == 70
    assert page.looking is None and not page.follow.visible and not page.written.visible


def test_a_run_that_is_finished_is_not_followed(run: Any) -> None:
    page = player._Player(run, None, ["total"])
    page.page()
    assert page.looking is None and not page.follow.visible and page.slider.value == 0


def test_a_view_may_show_more_times_than_there_are_records(run: Any) -> None:
    view = View(lambda r, c, s, t: Scene([Cells(np.full((1, 1), t))], f"{t}"), times=lambda r, c, s: range(13))
    page = player._Player(run, Seen(view).view, ["total"])
    assert page.slider.options == list(range(13)) and view.at(run, "a", 0, 7).title == "7"
    page.slider.value = 7
    assert "7" in page.title.object
    page.what.value = "total"
    assert page.slider.options == [0, 5, 10, 15, 20] and page.slider.value == 5


def test_names_stand_where_they_are_put() -> None:
    stage = scenes.Stage(Scene([Cells(np.zeros((2, 2))), Names(np.array([0.5]), np.array([1.5]), ["<café>"])]))
    assert stage._sources[1]["names"].data["words"] == ["<café>"]
    assert stage.fits(Scene([Cells(np.zeros((2, 2))), Names(np.zeros(2), np.zeros(2), ["a", "b"])]))


def test_what_a_society_decides_stands_beside_its_observables(tmp_path: Any) -> None:
    conditions = {"kind": {"policy": "always"}, "pair": {"policy": "tit_for_tat"}}
    run = el.run(Pair(), conditions=conditions, seeds=2, steps=4, every=2, out=tmp_path / "run", progress=False)
    talk = Talk(run)
    assert talk.between("pair", 1, 2, 4) == [(f"agent {i}", "move: cooperate") for i in (0, 1, 0, 1)]
    assert talk.between("pair", 1, 4, 6) == [] and talk.between("nobody", 1, 0, 4) == []
    page = player._Player(run, None, ["cooperation"])
    assert not page.talk.visible, "nothing was decided before the first record"
    page.slider.value = 4
    assert page.talk.visible and page.talk.object.count("move: cooperate") == 8
    assert page.talk.object.count('class="new"') == 4 and "step 2" in page.talk.object


def test_a_long_talk_is_cut_and_words_are_escaped(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = el.run(Pair(policy="always"), seeds=1, steps=3, every=3, out=tmp_path / "run", progress=False)
    monkeypatch.setattr("emergelab.studio.talk._MOST", 2)
    assert Talk(run).between("base", 0, 0, 3)[-1] == ("and", "4 more")
    monkeypatch.setattr("emergelab.studio.talk._words", lambda value: "<b>")
    page = player._Player(run, None, ["cooperation"])
    page.slider.value = 3
    assert "&lt;b&gt;" in page.talk.object
