"""The compiler of the kernels: numba, cached on disk, without the GIL."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit

from storage.errors import MissingError

Int = Any
"""An integer inside a kernel: numba infers which one, and reads no annotation."""

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a function on its first call; later processes load the machine code.

    The code lies beside the source or below the user's cache folder. Where neither can be written
    (an installed tree, a user without a home) it lies in a folder of this user in the temporary one.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:
        numba.config.CACHE_DIR = str(own_folder())
        return njit(cache=True, nogil=True)(function)


def own_folder() -> Path:
    """Give a folder that only this user can write: who can write it can run code."""
    folder = Path(tempfile.gettempdir()) / f"suyuan-numba-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.stat()
    if state.st_uid != os.getuid() or state.st_mode & 0o022:
        raise MissingError(
            "others can write the cache of compiled kernels",
            item=str(folder),
            way_out="Set NUMBA_CACHE_DIR to a folder of your own",
        )
    return folder
