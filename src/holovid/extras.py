"""What only some of holovid needs, and is not installed with all of it."""

from collections.abc import Iterator
from contextlib import contextmanager

CURES = {"scikit-learn": 'pip install "holovid[quality]"', "faiss": 'pip install "holovid[faiss]"'}


@contextmanager
def needed(package: str, what: str) -> Iterator[None]:
    """Raise, for an import in this block that fails, an `ImportError` that says what for and how to get it.

    >>> with needed("faiss", "searching a million vectors"):
    ...     import a_package_that_is_not_there
    Traceback (most recent call last):
    ImportError: searching a million vectors needs faiss: pip install "holovid[faiss]"
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{what} needs {package}: {CURES[package]}") from error


__all__ = ["needed"]
