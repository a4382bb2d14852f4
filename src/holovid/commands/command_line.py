"""How every command ends: what cannot be done is one sentence on stderr and exit status 2, never a traceback.

Errors that a user's input makes are `ValueError`, `OSError` and `ImportError` with a sentence, raised where it is
known what they mean. What else comes is a fault of ours; it is said in one sentence too. `HOLOVID_TRACEBACK=1` in the
environment makes every error show where it came from.
"""

import gc
import os
import re
import sys
import traceback
from collections.abc import Callable

from huggingface_hub.errors import StrictDataclassError

PROGRAM = "holovid"
REFUSED, STOPPED = 2, 130  # exit status of what cannot be done, and of Ctrl-C
SHOW_WHERE = "HOLOVID_TRACEBACK"
FROM_A_WORKER = re.compile(r"Caught \w+ in DataLoader worker process")
LOST_WORKER = re.compile(r"DataLoader worker \(pid\(?s?\)? [\d, ]+\) (is killed|exited unexpectedly)")
OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)


def sentence(error: BaseException) -> str:
    """What to tell a user of an error, in one line."""
    said = str(error).strip()
    if isinstance(error, StrictDataclassError):  # a configuration's refusal, wrapped
        return sentence(error.__cause__) if error.__cause__ is not None else " ".join(said.split())
    if FROM_A_WORKER.match(said):  # torch sends its traceback, whose last line is what was raised
        kind, _, message = said.splitlines()[-1].partition(": ")
        return message or kind
    if LOST_WORKER.search(said):
        return "a process that reads clips was killed, often for want of memory: take fewer workers, or 0"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and OUT_OF_MEMORY.search(said)):
        return "there is not enough memory for this: take fewer or smaller clips at once, or a smaller model"
    if isinstance(error, RecursionError):
        return "something in what was given is nested too deeply to be read"
    if isinstance(error, OverflowError):
        return "a number that was given is larger than a computer counts"
    first = said.splitlines()[0] if said else type(error).__name__  # libraries append lines of advice
    if isinstance(error, ValueError | OSError | ImportError):
        return first
    return (
        f"{type(error).__name__}: {first}; this is a fault of holovid, or input that it should refuse: please report "
        f"what {SHOW_WHERE}=1 shows"
    )


def refuse(program: str, error: BaseException) -> int:
    """Say what was wrong; returns the exit status."""
    if os.environ.get(SHOW_WHERE, "") not in ("", "0"):
        traceback.print_exception(error)
    print(f"{program}: {sentence(error)}", file=sys.stderr)
    return REFUSED


def stop(program: str, remark: str = "") -> int:
    """Say that Ctrl-C was pressed; returns the exit status."""
    print(f"\n{program}: stopped{remark and ': '}{remark}", file=sys.stderr)
    return STOPPED


def run_script(program: str, main: Callable[[], None], if_stopped: str = "") -> int:
    """Run a script and return its exit status.

    Args:
        program: what it is called.
        main: raises what cannot be done.
        if_stopped: what to say after Ctrl-C.
    """
    try:
        main()
        return 0
    except KeyboardInterrupt:
        pass
    except Exception as error:
        return refuse(program, error)
    gc.collect()  # progress bars draw themselves once more when they go, and the sentence comes last
    return stop(program, if_stopped)
