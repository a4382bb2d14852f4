"""A setting of glibc's memory allocator that makes models faster on a CPU.

Every layer allocates and frees tensors of tens of megabytes. By default glibc returns such memory to the system at
once, and the system clears every page before it is used again. This takes a twentieth of a forward pass of XViT-B/16
on a CPU, and more with batches. The `holovid` command and the benchmark use the setting; importing holovid does not
change the process.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
NEVER = 2**31 - 1


def keep_memory() -> bool:
    """Let this process keep freed memory for its next tensors, so that models run faster on a CPU.

    The process then never shrinks. Returns whether the setting was made: only glibc has it; macOS, Windows and musl do
    not need it.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, NEVER))
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in settings)
