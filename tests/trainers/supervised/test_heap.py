"""Freed memory is kept: seen by the page faults of making the same large array again and again."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping

import pytest

SCRIPT = """
import resource
import numpy as np
from trivium.trainers.supervised.heap import keep_freed_memory

is_kept = keep_freed_memory()
for _ in range(3):
    np.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(2**23)
print(is_kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def kept_and_faults(variables: Mapping[str, str] = {}) -> tuple[str, int]:
    """Whether memory is kept, and page faults of ten arrays of 64 MB, in a process of its own."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**plain, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    is_kept, faults = done.stdout.split()
    return is_kept, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_a_large_array_is_made_again_without_page_faults() -> None:
    is_kept, faults = kept_and_faults()
    assert is_kept == "True"
    assert faults < 100  # they have 163,840 pages


def test_the_users_own_malloc_variables_win() -> None:
    assert kept_and_faults({"MALLOC_ARENA_MAX": "2"})[0] == "False"
