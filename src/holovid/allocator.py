"""What a process asks of the memory allocator of its C library.

Every layer takes tensors of tens of megabytes and gives them back. By default glibc returns such memory to the system
at once, which then maps and clears every page of it anew: of a forward pass of XViT-B/16 on a CPU that is a twentieth
of the time, and more of a batch. The benchmark sets it for all models, `holovid` on the command line for itself; a
library that is imported into somebody's process has no business to.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
NEVER = 2**31 - 1


def keep_memory() -> bool:
    """Let this process keep the memory that it has freed, for its next tensors: a CPU then computes faster.

    The process stays as large as it has ever been. Returns whether the allocator could be told: glibc's can, those of
    macOS, Windows and musl cannot and need not.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, NEVER))
    return mallopt is not None and all(mallopt(name, value) == 1 for name, value in settings)
