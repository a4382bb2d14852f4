"""How every command ends: an error is one sentence on stderr and exit status 2, never a traceback.

Errors in a user's input are raised as `ValueError`, `OSError` or `ImportError` with a sentence for the user. Any other
error is a bug of holovid, and is reported in one sentence too. `HOLOVID_TRACEBACK=1` in the environment adds the
traceback.
"""

import gc
import os
import re
import sys
import traceback
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool

from huggingface_hub.errors import StrictDataclassError

PROGRAM = "holovid"
REFUSED, STOPPED = 2, 130  # exit status after an error, and after Ctrl-C
SHOW_WHERE = "HOLOVID_TRACEBACK"
FROM_A_WORKER = re.compile(r"Caught \w+ in DataLoader worker process")
LOST_WORKER = re.compile(r"DataLoader worker \(pid\(?s?\)? [\d, ]+\) (is killed|exited unexpectedly)")
OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)


def sentence(error: BaseException) -> str:
    """The message of an error for the user, in one line."""
    said = str(error).strip()
    if isinstance(error, StrictDataclassError):  # wraps the error of a configuration's check
        return sentence(error.__cause__) if error.__cause__ is not None else " ".join(said.split())
    if FROM_A_WORKER.match(said):  # the traceback of a worker, whose last line is the error
        kind, _, message = said.splitlines()[-1].partition(": ")
        return message or kind
    if LOST_WORKER.search(said):
        return "a worker process that reads clips was killed, often for lack of memory: use fewer workers, or 0"
    if isinstance(error, BrokenProcessPool):
        return "a worker process was killed, often for lack of memory: use fewer --workers; the same command continues"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(said)):
        return "there is not enough memory for this: use a smaller batch, smaller clips or a smaller model"
    if isinstance(error, RecursionError):
        return "the input is nested too deeply to be read"
    if isinstance(error, OverflowError):
        return "a number in the input is too large"
    first = said.splitlines()[0] if said else type(error).__name__  # libraries append more lines of advice
    if isinstance(error, ValueError | OSError | ImportError):
        return first
    return (
        f"{type(error).__name__}: {first}; this is a bug of holovid: please report it with the traceback that "
        f"{SHOW_WHERE}=1 shows"
    )


def refuse(program: str, error: BaseException) -> int:
    """Print an error on stderr; returns the exit status."""
    if os.environ.get(SHOW_WHERE, "") not in ("", "0"):
        traceback.print_exception(error)
    print(f"{program}: {sentence(error)}", file=sys.stderr)
    return REFUSED


def stop(program: str, remark: str = "") -> int:
    """Report on stderr that Ctrl-C was pressed; returns the exit status."""
    print(f"\n{program}: stopped{remark and ': '}{remark}", file=sys.stderr)
    return STOPPED


def run_script(program: str, main: Callable[[], None], if_stopped: str = "") -> int:
    """Run a script and return its exit status.

    Args:
        program: name of the script for messages.
        main: raises errors for the user as exceptions.
        if_stopped: remark to print after Ctrl-C.
    """
    try:
        main()
        return 0
    except KeyboardInterrupt:
        pass
    except Exception as error:
        return refuse(program, error)
    gc.collect()  # progress bars print once more when they are deleted; the message shall come last
    return stop(program, if_stopped)
