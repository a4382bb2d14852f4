"""What a log says while a test runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers.utils import logging as transformers_logging


@contextmanager
def messages_of(logger: Any) -> Iterator[list[str]]:
    """A list that fills with what is said from warnings on; each of transformers' `warning_once` once anew."""
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger.warning_once.cache_clear()
    logger.addHandler(handler)
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_warning()
    try:
        yield records
    finally:
        logger.removeHandler(handler)
        transformers_logging.set_verbosity(before)
