"""Labelled examples that streams are made of: built in, fetched as assets, or the user's own arrays.

`digits` needs nothing: 1,797 handwritten digits of 8 x 8 pixels, made at Bogazici University by E. Alpaydin and
C. Kaynak ("Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49, CC BY 4.0; the test part, as scikit-learn ships it). It lies in this package, one
digit a row: 64 pixels from 0 to 16, then the label.
"""

from __future__ import annotations

import gzip
import json
import math
import tarfile
import zlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Num, Shaped, UInt8

from emergelab import assets
from emergelab.errors import UserError, nearest

__all__ = ["SOURCES", "Labelled", "load", "of_arrays", "read_idx"]

SOURCES = ("digits", "mnist", "mnist-14", "fashion-mnist", "fashion-mnist-14", "cifar10", "quickdraw", "quickdraw-14")


@dataclass(frozen=True)
class Labelled:
    """Examples with labels, sorted by label; a part to learn from and a part to be examined with.

    Attributes:
        x, y: to learn from: features, and labels 0 .. classes - 1.
        x_test, y_test: to be examined with.
        classes: how many labels there are.
    """

    x: Float[np.ndarray, "item feature"]
    y: Int[np.ndarray, "item"]
    x_test: Float[np.ndarray, "probe feature"]
    y_test: Int[np.ndarray, "probe"]
    classes: int

    @property
    def features(self) -> int:
        """Number of features."""
        return self.x.shape[1]


@cache
def load(name: str) -> Labelled:
    """A data set by name, pixels from 0 to 1, the same split every time.

    Args:
        name: one of `SOURCES`.

    Raises:
        UserError: no such data set, or one that has to be fetched first.
    """
    if name not in SOURCES:
        raise UserError(f"data: no data set {name!r}{nearest(name, SOURCES)}; there are {', '.join(SOURCES)}")
    asset, half = name.removesuffix("-14"), name.endswith("-14")
    if asset == "cifar10":
        return _cifar()
    if asset == "quickdraw":
        return _quickdraw(half)
    if asset != "digits":
        return _mnist(asset, half)
    with gzip.open(resources.files("emergelab.continual").joinpath("digits.csv.gz").open("rb"), "rt") as table:
        rows = np.loadtxt(table, delimiter=",")
    return of_arrays(rows[:, :-1] / 16.0, rows[:, -1].astype(int), share=0.25)


def _mnist(asset: str, half: bool) -> Labelled:
    ending = ".gz" if asset == "fashion-mnist" else ""

    def part(which: str) -> tuple[Float[np.ndarray, "item feature"], Int[np.ndarray, "item"]]:
        pixels = read_idx(assets.find(asset, f"{which}-images-idx3-ubyte{ending}")).astype(np.float32) / 255.0
        return _by_label(
            _halved(pixels) if half else pixels, read_idx(assets.find(asset, f"{which}-labels-idx1-ubyte{ending}"))
        )

    return Labelled(*part("train"), *part("t10k"), 10)


def _cifar() -> Labelled:
    """Pixels row by row with their colours together, as 32 x 32 x 3."""
    from matplotlib.image import imread

    def part(pictures: list[str], labels: str) -> tuple[Float[np.ndarray, "item feature"], Int[np.ndarray, "item"]]:
        # every picture of the package holds 10,000 photographs, a row of 1,024 pixels each
        pixels = np.concatenate([imread(assets.find("cifar10", f"{p}.png"))[..., :3] for p in pictures])
        return _by_label(pixels, np.array(json.loads(assets.find("cifar10", f"{labels}.json").read_text())))

    learn = part([f"data_batch_{i}" for i in range(1, 6)], "train_lables")
    return Labelled(*learn, *part(["test_batch"], "test_lables"), 10)


def _quickdraw(half: bool) -> Labelled:
    """Things in alphabetical order of their names; 25 of each 100 drawings are for examination."""
    inside, ending = "package/src/drawings/", ".ndjson.gz"
    drawings: dict[str, Float[np.ndarray, "item row column"]] = {}
    with tarfile.open(assets.find("quickdraw")) as package:
        for member in package:
            if member.name.startswith(inside) and (packed := package.extractfile(member)):
                lines = gzip.decompress(packed.read()).decode().splitlines()
                pixels = np.array([json.loads(line) for line in lines], np.float32).reshape(-1, 28, 28)
                drawings[member.name.removeprefix(inside).removesuffix(ending)] = pixels
    every = np.concatenate([drawings[name] for name in sorted(drawings)])
    labels = np.repeat(np.arange(len(drawings)), [len(drawings[name]) for name in sorted(drawings)])
    return of_arrays(_halved(every) if half else every, labels, share=0.25)


def _halved(pixels: Float[np.ndarray, "item row column"]) -> Float[np.ndarray, "item half half"]:
    """Means of two by two pixels."""
    return pixels.reshape(len(pixels), 14, 2, 14, 2).mean(axis=(2, 4))


def _by_label(
    pixels: Float[np.ndarray, "item *shape"], labels: Num[np.ndarray, "item"]
) -> tuple[Float[np.ndarray, "item feature"], Int[np.ndarray, "item"]]:
    order = np.argsort(labels, kind="stable")
    return pixels.reshape(len(pixels), -1)[order], labels[order].astype(np.int32)


def read_idx(path: Path) -> UInt8[np.ndarray, "..."]:
    """An array of bytes in the format of MNIST, gzipped or not: two zeros, type 8, number of axes, lengths, bytes.

    Raises:
        UserError: the file is something else.
    """
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error):
            raise UserError(f"{path}: this gzip file is damaged") from None
    axes = raw[3] if len(raw) > 3 else 0
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes))
    if raw[:3] != b"\0\0\x08" or len(raw) != 4 + 4 * axes + math.prod(shape):
        raise UserError(f"{path}: this is no IDX file of bytes")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * axes).reshape(shape)


def of_arrays(
    x: Num[np.ndarray, "item *shape"], y: Shaped[np.ndarray, "label"], share: float = 0.25, rng: int = 0
) -> Labelled:
    """Your own examples, split by class: of every class the same share is kept for examination.

    Args:
        x: features of any shape, which are laid out in a row.
        y: labels of any kind; they are numbered in their order.
        share: of each class, rounded, and at least one example.
        rng: seed of the split.

    Raises:
        UserError: lengths differ, fewer than two classes, a class with fewer than two examples, or features that are
            not finite.
    """
    if len(x) != len(y):
        raise UserError(f"x and y need one row an example each; they have {len(x)} and {len(y)}")
    flat = np.asarray(x, dtype=np.float32).reshape(len(x), -1)
    if not np.isfinite(flat).all():
        raise UserError("x: every feature must be a finite number")
    names, labels, counts = np.unique(y, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise UserError(f"y: two classes or more are needed, there is {len(names)}")
    if counts.min() < 2:
        raise UserError(f"y: class {names[counts.argmin()]} has one example; two are needed, to learn and to examine")
    draw, test = np.random.default_rng(rng), np.zeros(len(y), bool)
    for label in range(len(names)):
        mine = draw.permutation(np.flatnonzero(labels == label))
        test[mine[: min(max(round(share * len(mine)), 1), len(mine) - 1)]] = True
    labels = labels.astype(np.int32)
    by_label = np.argsort(labels, kind="stable")
    learn, probe = by_label[~test[by_label]], by_label[test[by_label]]
    return Labelled(flat[learn], labels[learn], flat[probe], labels[probe], len(names))
