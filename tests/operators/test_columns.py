"""Kernels compile where nothing can be cached."""

from pathlib import Path

import pytest
from numba import njit
from numba.core import caching

from operators import columns


def test_a_kernel_compiles_where_no_folder_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only file system")

    monkeypatch.setattr(caching._CacheLocator, "ensure_cache_path", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)

    def double(number: int) -> int:
        return 2 * number

    with pytest.raises(RuntimeError, match="cannot cache"):
        njit(cache=True)(double)
    assert columns.kernel(double)(21) == 42
