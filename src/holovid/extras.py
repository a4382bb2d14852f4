"""What only some of holovid needs, and is not installed with all of it: pyproject.toml has it in extras."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

# of packages, the smallest extra that has them
EXTRAS = {
    "accelerate": "train",
    "faiss": "faiss",
    "gradio": "app",
    "matplotlib": "pictures",
    "scikit-learn": "quality",
    "timm": "train",
}


@contextmanager
def needed(package: str, what: str, extra: str | None = None) -> Iterator[None]:
    """Raise, for an import in this block that fails, an `ImportError` that says what for and how to get it.

    Args:
        package: as it is installed.
        what: needs it; the beginning of a sentence.
        extra: another one than the smallest that has it, where more of that one will be needed.

    >>> with needed("faiss", "searching a million vectors"):
    ...     import a_package_that_is_not_there
    Traceback (most recent call last):
    ImportError: searching a million vectors needs faiss: pip install "holovid[faiss]"
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f'{what} needs {package}: pip install "holovid[{extra or EXTRAS[package]}]"') from error


def check_there(package: str, what: str) -> None:
    """Raise what `needed` raises, before long work whose end would need the package; it is not imported.

    `package` is called in imports as it is installed.
    """
    with needed(package, what):
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)


__all__ = ["check_there", "needed"]
