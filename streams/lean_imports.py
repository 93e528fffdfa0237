"""A worker's memory: what torch and transformers take along where they find it, and a worker never uses."""

import ctypes
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from core.threads import let_waiting_threads_sleep

UNUSED = ("sklearn", "scipy")
"""transformers imports them for assisted generation and for object detection; 80 MB."""
COMPILER = "triton"
"""Without a GPU torch imports it only to see whether it is there; 70 MB."""
KERNEL_CACHES = {"LRU_CACHE_CAPACITY": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64"}
"""oneDNN compiles a kernel for each shape. By default torch keeps 1,024 of them for each thread, and oneDNN as many
more. Texts come in any length, so both grow for hours. The pass over one batch takes some 30."""
MALLOC_ARENAS = 2
"""glibc gives each thread an arena of its own, up to eight a core, and each keeps the largest batch it has seen."""
_M_ARENA_MAX = -8  # mallopt(3)


@contextmanager
def lean_imports() -> Iterator[None]:
    """Imports within do not find the packages above, unless they are imported already; later ones do."""
    let_waiting_threads_sleep()
    import torch

    names = UNUSED if torch.cuda.is_available() else (*UNUSED, COMPILER)
    hidden = [name for name in names if name not in sys.modules]
    modules = cast("dict[str, Any]", sys.modules)
    modules.update(dict.fromkeys(hidden))  # Python takes None for "there is no such module"
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)  # it warns that triton is missing
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]


def bound_caches() -> None:
    """Let neither oneDNN nor malloc keep what is hardly used again. Call it before the first forward pass."""
    for name, capacity in KERNEL_CACHES.items():
        os.environ.setdefault(name, capacity)
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):  # musl has none
        libc.mallopt(_M_ARENA_MAX, MALLOC_ARENAS)
