"""Options that several commands have, and how those are read that hold several values in one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from holovid.cheap_checks import check_clip, check_clips, check_device

if TYPE_CHECKING:
    from holovid.publishing.licences import Licence

AnyModel = Annotated[str, typer.Argument(help="Folder or Hub id of a model of holovid.")]
Classifier = Annotated[str, typer.Argument(help="Folder or Hub id of a video classifier.")]
SavedModel = Annotated[Path, typer.Argument(help="Folder of a model with its processor.")]
VectorsFile = Annotated[
    Path, typer.Argument(help="File (.parquet) that holovid embed wrote, or a folder of such files.")
]
Column = Annotated[
    str,
    typer.Option(help="Which vectors: all of it (vector), or of a model of experts the name of one, such as time."),
]
TopK = Annotated[int, typer.Option(min=1, help="Labels to show, best first.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
TrustRemoteCode = Annotated[bool, typer.Option("--trust-remote-code", help="Run model code that comes from the Hub.")]

OnBroken = Literal["raise", "skip"]
SKIPPED = 1  # exit status when some clips could not be read


@dataclass
class Work:
    """How clips are gone through."""

    device: Annotated[str, typer.Option(help="Where the model runs, such as cuda.")] = "cpu"
    batch_size: Annotated[int, typer.Option(min=1, help="Clips that go through the model at once.")] = 1
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode ahead.")] = 0
    on_broken: Annotated[
        OnBroken, typer.Option(help="At a clip that cannot be read: end (raise), or say why and go on, with status 1.")
    ] = "raise"


def check_sources(clips: list[str], work: Work) -> None:
    """Raise `ValueError` or `FileNotFoundError` for a device or clips that cannot be there."""
    check_device(work.device)
    for clip in clips:
        if Path(clip).is_dir():
            check_clips(clip)
        elif work.on_broken == "raise":
            check_clip(clip)


@dataclass
class LicenceOptions:
    """A licence as the command line has it."""

    licence: Annotated[str, typer.Option("--licence", "--license", help="As the Hub calls it, such as apache-2.0.")]
    licence_name: Annotated[str | None, typer.Option(help="With --licence other.")] = None
    licence_link: Annotated[str | None, typer.Option(help="With --licence other.")] = None

    def read(self) -> "Licence":
        """Raises `ValueError` for a licence that the Hub does not know."""
        from holovid.publishing.licences import Licence

        return Licence(self.licence, self.licence_name, self.licence_link)


def named_values(option: str, entries: list[str]) -> dict[str, str]:
    """["space=FOLDER"] -> {"space": "FOLDER"}."""
    values = dict(entry.partition("=")[::2] for entry in entries)
    if not all(values) or not all(values.values()) or len(values) < len(entries):
        raise ValueError(f"{option} takes name=value, each name once; got {' '.join(entries)}")
    return values


def read_shard(text: str) -> tuple[int, int]:
    """
    >>> read_shard("2/8")
    (2, 8)
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ValueError(f"--shard is i/n, from 1/n to n/n, got {text!r}")
    return int(number), int(count)


def sort_words(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """What the command line has beside its own options: checkpoints, and options of the family by name.

    >>> sort_words(["--mix-group", "8", "checkpoint.pyth", "--mix-layers=0,2"])
    (['checkpoint.pyth'], {'mix_group': '8', 'mix_layers': '0,2'})
    """
    plain, own, left = [], {}, list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            plain.append(word)
            continue
        name, equals, value = word.partition("=")
        if not equals and not left:
            raise ValueError(f"{name} needs a value")
        own[name.lstrip("-").replace("-", "_")] = value if equals else left.pop(0)
    return plain, own


def split_names(names: str) -> tuple[str, ...]:
    """ "right, left" -> ("right", "left")."""
    return tuple(name.strip() for name in names.split(",") if name.strip())


def names_of_lines(path: Path) -> list[str]:
    """The names of classes that stand in a file, one a line, without blanks around them."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}") from error
    if not lines or not all(lines):
        where = f"line {lines.index('') + 1} is empty" if lines else "it is empty"
        raise ValueError(f"{path} must name a class in each line, and {where}")
    return lines
