"""The sentence encoder against transformers, and the laws of an embedding."""

import numpy as np
import pytest

from emergelab.lm.base import ModelError, Request

from .texts import SENTENCES


def test_it_equals_transformers(minilm, reference):
    found, told = minilm.embed(SENTENCES), np.array(reference["embeddings"])
    assert found.shape == (len(SENTENCES), 384) and np.abs(found - told).max() < 1e-5
    assert found[0] @ found[1] == pytest.approx(0.689, abs=1e-3), "two sentences that say the same"
    assert abs(found[0] @ found[2]) < 0.1, "two that do not"


def test_a_vector_depends_on_its_text_alone(minilm):
    together = minilm.embed(SENTENCES)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(minilm.embed(SENTENCES[::-1])[::-1], together, atol=1e-6)
    np.testing.assert_allclose(minilm.embed(SENTENCES[:1]), together[:1], atol=1e-6)
    assert minilm.embed([]).shape == (0, 384)


def test_it_has_no_other_verb(minilm):
    with pytest.raises(ModelError, match="minilm does not complete text"):
        minilm.complete([Request("x")])
    with pytest.raises(ModelError, match="gives no log-probabilities"):
        minilm.score([Request("x")], [["y"]])
    assert not minilm.scores and minilm.about()["revision"] == minilm.revision
