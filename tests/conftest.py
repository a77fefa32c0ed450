"""Shapes and types are checked at run time in every test: the hook must stand before emergelab is imported."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from jaxtyping import install_import_hook

from . import typecheck  # noqa: F401 - the hook refers to it by name

# A test must neither use nor fill the user's own cache of compiled programs.
os.environ.setdefault("EMERGELAB_CACHE", str(Path(__file__).parent.parent / ".pytest_cache" / "emergelab"))

# Tests compile far more than they compute, so programs are compiled lightly: in half the time, and they run as fast.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=1".strip()

# How long one example takes says more about the machine than about the code.
hypothesis.settings.register_profile("emergelab", deadline=None)
hypothesis.settings.load_profile("emergelab")

_hook = install_import_hook("emergelab", "tests.typecheck.check")


# A compiled program is some four memory mappings, of which Linux allows a process 65,530; at that point XLA crashes.
_MAPPINGS = 20_000


@pytest.fixture(autouse=True, scope="module")
def few_mappings() -> Iterator[None]:
    """Compiled programs are let go after a module once there are many: a worker runs thousands of tests."""
    yield
    maps = Path("/proc/self/maps")
    if not maps.exists() or maps.read_text().count("\n") < _MAPPINGS:
        return
    import jax

    from emergelab.engine import compiled

    compiled._programs.clear()
    jax.clear_caches()
    gc.collect()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that lies beside the checkout; tests that need it are skipped where it is absent."""
    folder = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder ../shared/data with the reference data is absent")
    return folder
