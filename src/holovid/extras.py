"""Optional packages, which the extras of pyproject.toml install."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

# package -> the smallest extra that installs it
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
    """For imports that fail in this block, raise an `ImportError` that says what needs the package and how to get it.

    Args:
        package: name of the package to install.
        what: what needs it, the subject of the sentence.
        extra: the extra to install. Default: the smallest one that has the package.

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
    """Raise what `needed` raises if a package is missing, without importing it; for use before long work.

    `package` must have the same name for installing and importing.
    """
    with needed(package, what):
        if find_spec(package) is None:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)


__all__ = ["check_there", "needed"]
