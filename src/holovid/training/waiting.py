"""Where nothing seems to happen, a run says what it waits for."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from transformers.utils import logging

logger = logging.get_logger(__name__)

LONG = 10.0  # seconds


@contextmanager
def said_if_long(sentence: str, seconds: float | None = None) -> Iterator[None]:
    """Within the block, log `sentence` as a warning once it has taken `seconds`, by default `LONG`.

    >>> with said_if_long("the kettle is waited for"):
    ...     pass  # quick enough, so nothing is said
    """
    seconds = LONG if seconds is None else seconds
    timer = Timer(seconds, logger.warning, [f"{seconds:g} s without progress: {sentence}"])
    timer.daemon = True  # it keeps no process alive
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def waiting_for_clips(processes: int, is_first: bool) -> str:
    """What to say while a batch does not come, of which `processes` are the workers that decode clips."""
    if is_first:
        if processes:
            return f"the first clips are waited for; {processes} processes start, and then read and decode them"
        return "the first clips are read and decoded"
    readers = f"{processes} processes read and decode them" if processes else "they are read and decoded in between"
    return f"clips are waited for; {readers}. More --dataloader_num_workers, or files of fewer pixels, make it faster"


def waiting_for_the_first_step(compiles: bool) -> str:
    """What to say while the first step is computed."""
    if compiles:
        return "the first step waits for the compiler, which takes minutes; the steps after it do not"
    return "the first step is computed; the ones after it show how long all of them take"
