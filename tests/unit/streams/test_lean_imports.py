"""What a worker's process does not take along. In a process of its own, where nothing is imported yet."""

import subprocess
import sys

import pytest


def answers(code):
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("name", ["sklearn", "scipy"])
def test_what_a_worker_never_uses_is_not_imported_with_transformers(name):
    """Importing a model class inside takes neither package along, and whoever asks afterwards still finds it."""
    code = (
        "import sys; from streams.lean_imports import lean_imports\n"
        "with lean_imports():\n    from transformers import AutoModel, PreTrainedModel\n"
        f"print('{name}' in sys.modules); import {name}; print('{name}' in sys.modules)"
    )
    assert answers(code) == ["False", "True"]


def test_what_is_imported_already_stays():
    """A process that uses the packages keeps them."""
    code = (
        "import sys, scipy; from streams.lean_imports import lean_imports\n"
        "with lean_imports():\n    import scipy\n"
        "print(sys.modules['scipy'] is scipy)"
    )
    assert answers(code) == ["True"]


def test_an_operator_s_own_bounds_stand():
    """Variables that are set already are left as they are."""
    code = (
        "import os; os.environ['LRU_CACHE_CAPACITY'] = '7'; from streams.lean_imports import bound_caches\n"
        "bound_caches(); print(os.environ['LRU_CACHE_CAPACITY'], os.environ['ONEDNN_PRIMITIVE_CACHE_CAPACITY'])"
    )
    assert answers(code) == ["7", "64"]
