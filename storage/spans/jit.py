"""The compiler of the kernels: numba, cached on disk, without the GIL."""

import getpass
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit

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
        folder = Path(tempfile.gettempdir()) / f"suyuan-numba-{getpass.getuser()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        numba.config.CACHE_DIR = str(folder)
        return njit(cache=True, nogil=True)(function)
