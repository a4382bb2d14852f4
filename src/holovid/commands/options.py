"""Options that several commands share, and parsers of options that hold several values."""

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
    typer.Option(help="Which embedding to use: vector (of the whole model), or the name of an expert, such as time."),
]
Root = Annotated[Path | None, typer.Option(help="Folder that relative paths in tables start from.")]
TopK = Annotated[int, typer.Option(min=1, help="Number of labels to show, best first.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Allow code from the model's Hub repository to run.")
]

OnBroken = Literal["raise", "skip"]
SKIPPED = 1  # exit status if some clips could not be read


@dataclass
class Work:
    device: Annotated[str, typer.Option(help="Device for the model: cpu, cuda, cuda:1, mps or xpu.")] = "cpu"
    batch_size: Annotated[int, typer.Option(min=1, help="Clips per batch.")] = 1
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that decode clips in advance; 0 decodes in the main process.")
    ] = 0
    on_broken: Annotated[
        OnBroken,
        typer.Option(
            help="If a clip cannot be read: raise stops with an error; skip reports it and goes on (exit status 1)."
        ),
    ] = "raise"


def check_sources(clips: list[str], work: Work) -> None:
    """Raise `ValueError` or `FileNotFoundError` for a device or clips that cannot exist."""
    check_device(work.device)
    for clip in clips:
        if Path(clip).is_dir():
            check_clips(clip)
        elif work.on_broken == "raise":
            check_clip(clip)


@dataclass
class LicenceOptions:
    licence: Annotated[
        str, typer.Option("--licence", "--license", help="The Hub's id of the licence, such as apache-2.0; or other.")
    ]
    licence_name: Annotated[str | None, typer.Option(help="Name of the licence, with --licence other.")] = None
    licence_link: Annotated[
        str | None, typer.Option(help="URL or file name of the licence, with --licence other.")
    ] = None

    def read(self) -> "Licence":
        """Raises `ValueError` for a licence that the Hub does not know."""
        from holovid.publishing.licences import Licence

        return Licence(self.licence, self.licence_name, self.licence_link)


def named_values(option: str, entries: list[str]) -> dict[str, str]:
    """["space=FOLDER"] -> {"space": "FOLDER"}."""
    values = dict(entry.partition("=")[::2] for entry in entries)
    if not all(values) or not all(values.values()) or len(values) < len(entries):
        raise ValueError(f"{option} takes name=value, each name at most once; got {' '.join(entries)}")
    return values


def read_shard(text: str) -> tuple[int, int]:
    """
    >>> read_shard("2/8")
    (2, 8)
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ValueError(f"--shard must be i/n, from 1/n to n/n, got {text!r}")
    return int(number), int(count)


def sort_words(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Split words of a command line into plain ones and `--name value` options.

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
    """The class names in a UTF-8 text file, one per line. Raises `ValueError` for empty lines and other encodings."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").rstrip().splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}") from error
    if not lines or not all(lines):
        where = f"line {lines.index('') + 1} is empty" if lines else "it is empty"
        raise ValueError(f"{path} must have the name of a class in each line, but {where}")
    return lines
