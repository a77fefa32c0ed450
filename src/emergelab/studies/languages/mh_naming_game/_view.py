"""What there is to see: the lexicons of both agents."""

from __future__ import annotations

import emergelab as el
from emergelab.views import Cells, Scene, View

__all__ = ["scene", "view"]


def scene(run: el.Run, condition: str, seed: int, time: int) -> Scene:
    """Words from top to bottom; from left to right the true categories of agent a's modalities, then of agent b's."""
    at = run.data["lexicon"].sel(condition=condition, seed=seed, time=time)
    at = at.transpose("word", "agent", "modality", "kind")
    cells = at.values.reshape(at.sizes["word"], -1).astype(float)
    return Scene([Cells(cells, unit="1", name="psi phi", low=0.0, high=1.0)], title=f"round {time}")


view = View(scene, about="what each word means to agent a (left half) and to agent b (right half)", needs=("lexicon",))
