"""Messages about what a run waits for, if nothing happens for long."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer

from transformers.utils import logging

logger = logging.get_logger(__name__)

LONG = 10.0  # seconds


@contextmanager
def said_if_long(sentence: str, seconds: float | None = None) -> Iterator[None]:
    """Log `sentence` as a warning if the block takes longer than `seconds`, default `LONG`.

    >>> with said_if_long("waiting for the kettle"):
    ...     pass  # quick enough: no message
    """
    seconds = LONG if seconds is None else seconds
    timer = Timer(seconds, logger.warning, [f"{seconds:g} s without progress: {sentence}"])
    timer.daemon = True  # does not keep the process alive
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def waiting_for_clips(processes: int, is_first: bool) -> str:
    """The message while a batch does not come; `processes` workers decode clips."""
    if is_first:
        if processes:
            return f"waiting for the first clips; {processes} processes start, and then read and decode them"
        return "reading and decoding the first clips"
    readers = f"{processes} processes decode them" if processes else "they are decoded between steps"
    return f"waiting for clips; {readers}. More --dataloader_num_workers, or smaller videos, make it faster"


def waiting_for_the_first_step(compiles: bool) -> str:
    if compiles:
        return "the compiler prepares the first step, which takes minutes; later steps do not wait for it"
    return "computing the first step; later ones take about as long"
