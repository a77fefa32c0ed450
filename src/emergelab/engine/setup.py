"""Settings of JAX that the engine relies on, made once and only where the user has not decided."""

from __future__ import annotations

import jax

from ..assets import cache_folder


def persistent_compilation_cache() -> None:
    """Keep compiled programs between processes, unless the user has chosen a folder or switched the cache off."""
    if jax.config.jax_compilation_cache_dir or not jax.config.jax_enable_compilation_cache:
        return
    folder = cache_folder() / "xla"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a read-only home costs compile time, not the run
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
