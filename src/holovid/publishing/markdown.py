"""Parts of a page in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Any


def section(title: str, *paragraphs: str) -> str:
    return "\n\n".join([f"## {title}", *(text for text in paragraphs if text)])


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines)


def cell(value: Any) -> str:
    return str(value).replace("|", r"\|").replace("\n", " ")


def code(text: str, language: str = "python") -> str:
    return f"```{language}\n{text.strip()}\n```"
