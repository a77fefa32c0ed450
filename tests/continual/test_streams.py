"""Data, tasks, schedules and the memory of examples."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emergelab import assets
from emergelab.continual import data as dt
from emergelab.continual import streams as sm
from emergelab.continual.memory import Reservoir
from emergelab.errors import UserError

T = 5
NEEDS = {
    "uniform": sm.uniform(T), "power": sm.power(T), "exponential": sm.exponential(T), "by_index": sm.by_index(T),
    "most_recent": sm.most_recent(T), "oldest_most": sm.oldest_most(T),
}  # fmt: skip


def test_the_digits_are_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.datasets")
    ours, theirs = dt.load("digits"), sklearn.load_digits()
    assert len(ours.x) + len(ours.x_test) == 1797 and ours.classes == 10 and ours.features == 64
    both = np.concatenate([ours.x, ours.x_test]) * 16
    assert sorted(map(tuple, both.astype(int))) == sorted(map(tuple, theirs.data.astype(int)))
    counts = np.bincount(ours.y) + np.bincount(ours.y_test)
    assert (counts == np.bincount(theirs.target)).all() and (np.diff(ours.y) >= 0).all()


def test_your_own_arrays_are_split_by_class_and_labels_numbered():
    x = np.arange(40).reshape(10, 2, 2)
    y = np.array([7, 7, 7, 7, 3, 3, 3, 3, 3, 3])
    got = dt.of_arrays(x, y, share=0.25)
    assert got.features == 4 and got.classes == 2
    assert np.bincount(got.y_test).tolist() == [2, 1] and np.bincount(got.y).tolist() == [4, 3]
    assert set(map(tuple, np.concatenate([got.x, got.x_test]))) == set(map(tuple, x.reshape(10, 4).astype(float)))


@pytest.mark.parametrize(
    ("x", "y", "line"),
    [
        (np.zeros((3, 2)), np.zeros(2), "one row an example each; they have 3 and 2"),
        (np.zeros((3, 2)), np.zeros(3), "two classes or more are needed, there is 1"),
        (np.zeros((3, 2)), np.array([0, 0, 1]), "class 1.0 has one example"),
        (np.full((4, 2), np.nan), np.array([0, 0, 1, 1]), "every feature must be a finite number"),
    ],
)
def test_examples_that_make_no_stream_are_refused(x, y, line):
    with pytest.raises(UserError, match=line):
        dt.of_arrays(x, np.asarray(y, float))


def test_a_data_set_that_is_not_there_is_named():
    with pytest.raises(UserError, match=r"no data set 'digit'.*digits"):
        dt.load("digit")


def test_mnist_is_read_from_its_asset_and_without_it_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    def idx(name, array):
        head = bytes([0, 0, 8, array.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in array.shape)
        (tmp_path / name).write_bytes(head + array.astype(np.uint8).tobytes())

    pixels = np.arange(3 * 784).reshape(3, 28, 28) % 256
    for part in ("train", "t10k"):
        idx(f"{part}-images-idx3-ubyte", pixels)
        idx(f"{part}-labels-idx1-ubyte", np.array([2, 0, 1]))
    with monkeypatch.context() as patched:
        patched.setattr(dt.assets, "find", lambda name, file: tmp_path / file)
        got = dt._mnist("mnist", half=False)
        assert got.y.tolist() == [0, 1, 2] and got.features == 784
        np.testing.assert_allclose(got.x[0], pixels[1].ravel() / 255, rtol=1e-6)
        np.testing.assert_allclose(dt._mnist("mnist", half=True).x[2, 0], pixels[0, :2, :2].mean() / 255, rtol=1e-6)
    (tmp_path / "other").write_bytes(b"PK")
    with pytest.raises(UserError, match="this is no IDX file"):
        dt.read_idx(tmp_path / "other")
    monkeypatch.setenv("EMERGELAB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(UserError, match="`emergelab get mnist` fetches it"):
        dt._mnist("mnist", half=False)


def test_drawings_are_read_out_of_their_package(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 2, (2, 4, 784)).astype(float)
    package = tmp_path / "drawings.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name, drawn in zip(("zebra", "light bulb"), pixels, strict=True):
            lines = gzip.compress("\n".join(json.dumps(row.tolist()) for row in drawn).encode())
            member = tarfile.TarInfo(f"package/src/drawings/{name}.ndjson.gz")
            member.size = len(lines)
            archive.addfile(member, io.BytesIO(lines))
    monkeypatch.setattr(dt.assets, "find", lambda name, file="": package)
    got = dt._quickdraw(half=False)
    assert (got.classes, got.x.shape, got.x_test.shape) == (2, (6, 784), (2, 784))
    bulbs = {tuple(row) for row in pixels[1]}  # in the order of names, the light bulb is the first thing
    assert {tuple(row) for row in np.concatenate([got.x[got.y == 0], got.x_test[got.y_test == 0]])} == bulbs
    assert dt._quickdraw(half=True).features == 196


def test_photographs_are_read_out_of_pictures(tmp_path, monkeypatch):
    from matplotlib.image import imsave

    draw = np.random.default_rng(1)
    pictures = {f"data_batch_{i}": draw.integers(0, 256, (3, 1024, 3)) for i in range(1, 6)}
    pictures["test_batch"] = draw.integers(0, 256, (3, 1024, 3))
    for name, array in pictures.items():
        imsave(tmp_path / f"{name}.png", array.astype(np.uint8))
    labels = [*range(10), 0, 1, 2, 3, 4]
    (tmp_path / "train_lables.json").write_text(json.dumps(labels))
    (tmp_path / "test_lables.json").write_text("[2, 0, 1]")
    monkeypatch.setattr(dt.assets, "find", lambda name, file="": tmp_path / file)
    got = dt._cifar()
    assert got.y.tolist() == sorted(labels) and got.y_test.tolist() == [0, 1, 2] and got.features == 3072
    np.testing.assert_allclose(got.x_test[0], pictures["test_batch"][1].ravel() / 255, atol=1e-6)


def test_a_gzipped_file_of_bytes_is_read_and_a_damaged_one_is_named(tmp_path):
    raw = bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 6, 7])
    (tmp_path / "whole.gz").write_bytes(gzip.compress(raw))
    assert dt.read_idx(tmp_path / "whole.gz").tolist() == [5, 6, 7]
    (tmp_path / "cut.gz").write_bytes(gzip.compress(raw)[:-9])
    with pytest.raises(UserError, match=r"cut.gz: this gzip file is damaged"):
        dt.read_idx(tmp_path / "cut.gz")


@pytest.mark.parametrize(
    ("name", "features", "learnt", "probes", "classes"),
    [
        ("mnist-14", 196, 60_000, 10_000, 10),
        ("fashion-mnist", 784, 60_000, 10_000, 10),
        ("cifar10", 3072, 50_000, 10_000, 10),
        ("quickdraw-14", 196, 345 * 75, 345 * 25, 345),
    ],
)
def test_a_real_data_set_has_the_published_sizes(name, features, learnt, probes, classes, monkeypatch):
    monkeypatch.delenv("EMERGELAB_CACHE", raising=False)  # where the user's own `emergelab get` has put it
    asset = name.removesuffix("-14")
    if assets.where(asset) is None:  # nothing else is a reason to skip: a damaged set has to fail
        pytest.skip(f"{asset} is not on this machine; `emergelab get {asset}` fetches it")
    got = dt.load(name)
    assert (got.features, len(got.x), len(got.x_test), got.classes) == (features, learnt, probes, classes)
    assert 0.0 <= got.x.min() < got.x.max() <= 1.0
    if name != "mnist-14":  # of digits there are not equally many
        assert set(np.bincount(got.y)) == {learnt // classes} and set(np.bincount(got.y_test)) == {probes // classes}


# -- tasks -------------------------------------------------------------------------------------------------------------


def test_permuted_tasks_keep_labels_and_the_first_is_as_it_is():
    digits = dt.load("digits")
    tasks = sm.permuted(jax.random.key(0), 3, digits)
    assert tasks.count == 3 and tasks.member.all()
    assert (np.sort(tasks.order, axis=1) == np.arange(64)).all()
    x = jnp.asarray(digits.x[:2])
    np.testing.assert_array_equal(sm.shown(tasks, jnp.int32(0), x), x)
    np.testing.assert_array_equal(sm.shown(tasks, jnp.array([1, 2]), x)[1], x[1][tasks.order[2]])


def test_split_tasks_share_the_classes_out():
    digits = dt.load("digits")
    tasks = sm.split(jax.random.key(0), 5, digits)
    assert (tasks.member.sum(axis=0) == 1).all() and (tasks.member.sum(axis=1) == 2).all()
    with pytest.raises(UserError, match="10 classes cannot be shared out evenly among 3 tasks"):
        sm.split(jax.random.key(0), 3, digits)


def test_examples_come_from_their_task_each_as_likely_as_the_next():
    digits = dt.load("digits")
    tasks = sm.split(jax.random.key(0), 5, digits)
    weights = jnp.array([0.0, 0.7, 0.0, 0.3, 0.0])
    met = jax.jit(lambda k: sm.drawn(k, tasks, weights, digits, 20_000))(jax.random.key(1))
    task, y = np.asarray(met.task), np.asarray(met.y)
    assert set(task) == {1, 3} and (task == 1).mean() == pytest.approx(0.7, abs=0.02)
    assert np.asarray(tasks.member)[task, y].all()
    rows = {tuple(r): label for r, label in zip(digits.x, digits.y, strict=True)}
    assert all(rows[tuple(x)] == label for x, label in zip(np.asarray(met.x)[:200], y[:200], strict=True))
    of_one = np.asarray(met.x)[task == 1]
    counts = np.unique(of_one, axis=0, return_counts=True)[1]
    wanted = np.asarray(tasks.member)[1][digits.y].sum()
    assert len(counts) == wanted, "every example of the task is met"
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.35), "as often as chance has it"


# -- schedules ---------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(NEEDS)), st.floats(0.0, 1.0))
def test_rehearsal_takes_its_share_of_every_phase_but_the_first_and_knows_no_future(need, share):
    matrix = np.asarray(sm.mixed(NEEDS[need], share))
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-6)
    assert (np.triu(matrix, 1) == 0).all() and matrix[0, 0] == 1
    np.testing.assert_allclose(np.diag(matrix)[1:], 1 - share, atol=1e-6)


def test_laws_of_need_by_hand():
    power = np.asarray(sm.mixed(sm.power(4), 1.0))[3, :3]
    np.testing.assert_allclose(power, np.array([1 / 3, 1 / 2, 1]) / (11 / 6), rtol=1e-5)
    falling = np.asarray(sm.mixed(sm.exponential(4), 1.0))[3]
    np.testing.assert_allclose(falling[1] / falling[2], np.exp(-1), rtol=1e-5)
    assert np.asarray(sm.mixed(sm.most_recent(4), 0.5))[3].tolist() == [0, 0, 0.5, 0.5]
    # the first and last of ten by the code of Gandhi et al., as shares of what is rehearsed in phase ten
    rising = np.asarray(sm.mixed(sm.by_index(10), 1.0))[9, :9]
    np.testing.assert_allclose(rising[8] / rising[0], (19 / 11) ** 4, rtol=1e-5)
    own = jnp.array([0.0, 3.0, 1.0])
    np.testing.assert_allclose(sm.mixed(sm.by_age(4, own), 1.0)[3, :3], [0.25, 0.75, 0.0], atol=1e-6)


def test_blocks_joint_and_blurred():
    np.testing.assert_array_equal(sm.blocked(3), np.eye(3))
    np.testing.assert_allclose(sm.joint(3), [[1, 0, 0], [1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3]])
    blurred = np.asarray(sm.blurred(5, 1.0))
    np.testing.assert_allclose(blurred.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(blurred[2, 3] / blurred[2, 2], np.exp(-0.5), rtol=1e-5)
    np.testing.assert_allclose(sm.blurred(5, 1e-3), np.eye(5), atol=1e-6)


# -- memory ------------------------------------------------------------------------------------------------------------


def _batch(first: int, count: int) -> sm.Batch:
    number = jnp.arange(first, first + count, dtype=jnp.int32)
    return sm.Batch(number[:, None].astype(jnp.float32), number, number % 2)


def test_a_memory_fills_up_and_then_keeps_each_example_with_equal_chance():
    slots, met, size = 8, 40, 5

    def fill(key):
        memory = Reservoir.empty(slots, 1, 2)
        for i in range(met // size):
            memory = memory.after(_batch(i * size, size), jnp.zeros((size, 2)), jax.random.fold_in(key, i))
        return memory

    runs = jax.jit(jax.vmap(fill))(jax.random.split(jax.random.key(0), 4000))
    kept = np.asarray(runs.kept.y)
    assert all(len(set(row)) == slots for row in kept[:200]), "nothing is kept twice"
    np.testing.assert_allclose(np.bincount(kept.ravel(), minlength=met) / 4000, slots / met, atol=0.03)
    np.testing.assert_array_equal(runs.kept.x[..., 0], kept, "rows stay together")


def test_a_memory_begins_empty_and_says_so():
    memory = Reservoir.empty(4, 1, 2)
    assert float(memory.drawn(jax.random.key(0), 3)[2]) == 0.0
    memory = memory.after(_batch(10, 2), jnp.ones((2, 2)), jax.random.key(1))
    batch, logits, there = memory.drawn(jax.random.key(2), 50)
    assert float(there) == 1.0 and set(np.asarray(batch.y)) == {10, 11} and logits.shape == (50, 2)
