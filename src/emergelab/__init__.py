"""emergelab: a laboratory for emergence. Grow a system, watch it, intervene in it, judge what was claimed about it.

    import emergelab as el

Names are imported when they are first used, so that `import emergelab` costs nothing and does not import JAX.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "System": "system", "HostSystem": "system", "param": "system", "static": "system", "choice": "system",
    "Observable": "observable",
    "site": "_site", "scope": "_site", "site_scan": "_site", "site_grad": "_site", "site_vmap": "_site", "tap": "_site",
    "when": "_when", "key": "_keys", "whole": "_devices", "Training": "training", "TrainState": "training",
    "Clamp": "intervention", "Ablate": "intervention", "Shift": "intervention", "Scale": "intervention",
    "Noise": "intervention", "Swap": "intervention", "Replay": "intervention", "Intervention": "intervention",
    "Window": "intervention", "Pulses": "intervention", "Ramp": "intervention", "edit": "intervention",
    "clamps": "intervention",
    "Condition": "condition:Condition", "grid": "condition",
    "run": "engine.driver", "resume": "engine.driver", "Interrupted": "engine.driver",
    "rerun": "engine.driver", "fork": "engine.forking", "Switch": "engine.switch",
    "sites": "engine.compiled",
    "Run": "runs.run", "load": "runs.run",
    "Claim": "claims", "contrast": "claims", "level": "claims", "proportion": "claims", "trend": "claims",
    "order": "claims", "event": "claims", "ratio": "claims", "pooled": "claims", "judge": "claims",
    "Test": "_evidence", "Evidence": "_evidence", "Sample": "_evidence",
    "View": "views", "Scene": "views",
    "Study": "study:Study", "Size": "study", "Paper": "study", "Figure": "study",
    "find": "catalogue",
    "UserError": "errors",
    "calibrate": "instruments", "seeds_to_detect": "instruments", "cross_check": "instruments",
    "seeds_needed": "statistics",
    "instruments": "instruments:", "figures": "figures:", "views": "views:", "lm": "lm:",
}  # fmt: skip

__all__ = ["__version__", *sorted(_WHERE)]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'emergelab' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    found = importlib.import_module(f".{module}", __name__)
    value = found if _WHERE[name].endswith(":") else getattr(found, attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
