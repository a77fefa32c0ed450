"""Views: what is seen is data that fits together, can be written down, drawn and played."""

import json

import numpy as np
import pytest
from PIL import Image

import emergelab as el
from emergelab.figures.film import animate, draw, strip
from emergelab.views import Agents, Cells, Lines, Names, Network, Scene, View


def scene(time=0):
    return Scene(
        [
            Cells(np.array([[0, 1], [1, 0]]), kinds=("free", "wall")),
            Lines(np.array([0.0, 1.0, np.nan, 2.0]), np.array([0.0, 1.0, np.nan, 2.0]), "path"),
            Network(np.array([[0, 1]]), np.array([0.5, 1.5]), np.array([0.5, 0.5]), state={"wealth": [1.0, np.nan]}),
            Agents(np.array([0.5 + time / 10]), np.array([1.5]), labels=["Ada"], state={"mood": ["calm"]}),
        ],
        title=f"step {time}",
        messages=[("Ada", "Good day.")],
    )


def test_a_scene_is_plain_data():
    told = json.loads(json.dumps(scene().to_json(), allow_nan=False))
    assert [layer["layer"] for layer in told["layers"]] == ["cells", "lines", "network", "agents"]
    assert told["layers"][0]["values"] == [[0, 1], [1, 0]] and told["layers"][0]["kinds"] == ["free", "wall"]
    assert told["layers"][1]["x"] == [0, 1, None, 2] and told["layers"][2]["state"]["wealth"] == [1, None]
    assert told["layers"][3]["labels"] == ["Ada"] and told["messages"] == [["Ada", "Good day."]]


@pytest.mark.parametrize(
    ("make", "trouble"),
    [
        (lambda: Cells(np.zeros(3)), "rows and columns"),
        (lambda: Cells(np.array([[2]]), kinds=("a", "b")), "0 to 1"),
        (lambda: Cells(np.array([[0.5]]), kinds=("a", "b")), "whole numbers"),
        (lambda: Agents(np.zeros(2), np.zeros(3)), "x 2, y 3"),
        (lambda: Agents(np.zeros(2), np.zeros(2), state={"wealth": [1]}), "wealth 1"),
        (lambda: Agents(np.zeros(1), np.zeros(1), kind=np.array([3]), kinds=("a",)), "agents: kind"),
        (lambda: Network(np.array([[0, 2]]), np.zeros(2), np.zeros(2)), "0 to 1"),
        (lambda: Network(np.array([[0, 1]]), np.zeros(2)), "both x and y"),
        (lambda: Names(np.zeros(1), np.zeros(1), ["a", "b"]), "names: .*words 2"),
        (lambda: Network(np.array([[0, 1]]), weights=np.zeros(2)), "1 edges and 2 weights"),
    ],
)
def test_what_does_not_fit_together_is_refused(make, trouble):
    with pytest.raises(el.UserError, match=trouble):
        make()


class Walk(el.System):
    """A walk to the right.

    It goes one cell a step.
    """

    observables = (el.Observable("x", about="where it is"),)

    def init(self, key):
        return np.float32(0)

    def step(self, state, key):
        return state + 1

    def observe(self, state, key):
        return {"x": state}


def seen(run, condition, seed, time):
    x = float(run.data["x"].sel(condition=condition, seed=seed, time=time))
    return Scene([Cells(np.zeros((1, 5), int), kinds=("free",)), Agents(np.array([x]), np.array([0.5]))], f"{time}")


def test_a_view_reads_what_a_run_recorded(tmp_path):
    run = el.run(Walk(), steps=4, every=2, seeds=2, out=tmp_path / "r", progress=False)
    view = View(seen, "where it walks", needs=("x",))
    assert view.at(run, "base", 1, 2).layers[1].x.tolist() == [2.0]
    assert view.at(run, "base", 1, 3).title in ("2", "4") and view.at(run, "base", 0, 99).title == "4"
    with pytest.raises(el.UserError, match="no seed 7"):
        view.at(run, "base", 7, 0)
    with pytest.raises(el.UserError, match="no condition 'other'"):
        view.at(run, "other", 0, 0)
    with pytest.raises(el.UserError, match="no observable 'y'"):
        View(seen, needs=("y",)).at(run, "base", 0, 0)
    with pytest.raises(el.UserError, match="nothing to see; fast"):
        View(seen, conditions=("fast",)).at(run, "base", 0, 0)


def test_strips_and_animations(tmp_path):
    scenes = [scene(t) for t in range(4)]
    fig = strip(scenes, columns=2)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["step 0", "step 1", "step 2", "step 3"]
    with Image.open(animate(scenes, tmp_path / "a" / "film.gif", size=1.5, dpi=50)) as film:
        assert film.n_frames == 4
    with pytest.raises(el.UserError, match=r"must end with \.gif"):
        animate(scenes, tmp_path / "film.mp4")
    with pytest.raises(el.UserError, match="no scenes"):
        strip([])


def test_numbers_have_the_same_colours_in_all_pictures():
    fig = strip([Scene([Cells(np.full((2, 2), v))]) for v in (0.0, 5.0, 10.0)])
    assert {im.get_clim() for ax in fig.axes for im in ax.images} == {(0.0, 10.0)}


def test_nodes_without_places_lie_on_a_circle():
    fig, ax = el.figures.new()
    draw(ax, Scene([Network(np.array([[0, 1], [1, 2]]), weights=np.array([1.0, 2.0]))]))
    places = np.concatenate([c.get_offsets() for c in ax.collections if len(c.get_offsets()) == 3])
    np.testing.assert_allclose(np.hypot(*places.T), 1)
    assert fig


def test_kinds_of_lines_have_a_colour_each_in_all_pictures_and_a_legend():
    x = np.array([0.0, 1.0])
    way, wall = Lines(x, x, "way"), Lines(x, 1 - x, "wall")
    fig = strip([Scene([way]), Scene([wall, way])])
    (first,), (second, third) = (ax.lines for ax in fig.axes)
    assert first.get_color() == third.get_color() != second.get_color()
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["way", "wall"]
    assert not strip([Scene([way])]).legends  # what is the only kind needs no name


def test_a_legend_of_many_kinds_stays_within_the_picture():
    kinds = tuple(f"a kind of thing, number {k}" for k in range(8))
    fig = strip([Scene([Agents(np.arange(8.0), np.zeros(8), np.arange(8), kinds)])], size=4.0)
    fig.canvas.draw()
    box = fig.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= fig.bbox.x1 and box.y0 >= 0


def test_names_are_written_where_they_stand():
    _, ax = el.figures.new()
    draw(ax, Scene([Names(np.array([0.5, 2.0]), np.array([1.0, 3.0]), ["café", "hall"])]))
    assert [(t.get_text(), t.get_position()) for t in ax.texts] == [("café", (0.5, 1.0)), ("hall", (2.0, 3.0))]
