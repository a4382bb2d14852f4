"""The records in a model's folder, which its card is made from: evaluations, conversion and training.

Only this module reads and writes them. `holovid evaluate` makes `results.json`, `evaluation/*.json` and
`evaluation/*/results.json`; `holovid convert` makes `conversion.json`; `holovid train` makes `training.json`:

    {"holovid_training": 1,
     "starting_point": Hub id of the model that training started from, or null for random weights,
     "recipe": "xvit-ssv2", "epochs": 35, "steps": 12000, "seed": 0, "total_batch_size": 64, "learning_rate": 0.03,
     "precision": "bf16", "tuned": "all",
     "data": {"name": "ssv2", "source": Hub id or null, "split": "train", "clips": 168913, "licence": "..."},
     "hardware": "8 x NVIDIA A100", "hours": 9.5, "co2_eq_grams": 4200, "command": "holovid train ..."}

Everything but the first entry may be absent or null; the card then says "not recorded".
"""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from holovid.files import write_whole


@dataclass(frozen=True)
class Kind:
    """A kind of record: the name of its `file`, the key `mark` that identifies it, and the `needed` keys."""

    file: str
    mark: str
    needed: frozenset[str] = frozenset()


EVALUATION = Kind(
    "results.json", "holovid_evaluation", frozenset(["protocol", "dataset", "metrics", "counts", "fingerprints"])
)
CONVERSION = Kind("conversion.json", "holovid_conversion", frozenset(["source", "sha256"]))
TRAINING = Kind("training.json", "holovid_training")
EVALUATIONS = (EVALUATION.file, "evaluation/*.json", f"evaluation/*/{EVALUATION.file}")


@dataclass
class Records:
    """
    Args:
        evaluations: content of results.json for each data set, without duplicates.
        means: harmonic means over several data sets: names of the sets -> metrics.
        conversion: content of conversion.json, or `None`.
        training: content of training.json, or `None`.
        pictures: pictures of evaluations: path in the folder -> what it shows.
    """

    evaluations: list[dict[str, Any]] = field(default_factory=list)
    means: dict[str, dict[str, float]] = field(default_factory=dict)
    conversion: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    pictures: dict[str, str] = field(default_factory=dict)


def write_record(kind: Kind, folder: str | os.PathLike, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write a record into a folder and return its content.

    Raises `ValueError` if facts lack a needed key, or cannot be written as JSON.
    """
    path = Path(folder, kind.file)
    record = {kind.mark: 1, **facts}
    check_whole(kind, record, path)
    write_json(path, record)
    return record


def write_means(folder: str | os.PathLike, sets: Mapping[str, Any], means: Mapping[str, float]) -> None:
    write_json(Path(folder, EVALUATION.file), {"sets": dict(sets), "harmonic_mean": dict(means)})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_record(kind: Kind, folder: str | os.PathLike) -> dict[str, Any] | None:
    """The content of a record, or `None` if there is none. Raises `ValueError` for a file that is not a record."""
    path = Path(folder, kind.file)
    if not path.is_file():
        return None
    found = read_json(path)
    if kind.mark not in found:
        raise ValueError(f"{path} is not a file of holovid: it has no key {kind.mark!r}")
    check_whole(kind, found, path)
    return found


def read_records(folder: Path) -> Records:
    """All records of a model's folder, for publication: absolute paths are cut to their last part.

    Raises `ValueError` for a file that cannot be read.
    """
    records = Records()
    for path in sorted({path for pattern in EVALUATIONS for path in folder.glob(pattern)}):
        found = read_json(path)
        sets = found["sets"] if isinstance(found.get("sets"), dict) else {"": found}
        measured = [each for each in sets.values() if isinstance(each, dict) and EVALUATION.mark in each]
        for each in measured:
            check_whole(EVALUATION, each, path)
        # the evaluation of a set may also be in a file of its own
        public = [last_parts(each) for each in measured]
        records.evaluations += [each for each in public if each not in records.evaluations]
        if measured and "harmonic_mean" in found:
            records.means[" and ".join(sets)] = found["harmonic_mean"]
    records.pictures = evaluation_pictures(folder)
    records.conversion = last_parts(read_record(CONVERSION, folder))
    records.training = last_parts(read_record(TRAINING, folder))
    return records


def evaluation_pictures(folder: Path) -> dict[str, str]:
    """Pictures of the evaluations in a folder: path in the folder -> what it shows. Unreadable files are skipped."""
    pictures = {}
    for path in sorted({path for pattern in EVALUATIONS for path in folder.glob(pattern)}):
        with suppress(ValueError):
            found = read_json(path)
            named = found.get("pictures") if EVALUATION.mark in found else None
            for name, about in (named if isinstance(named, dict) else {}).items():
                picture = path.parent / Path(name).name  # only files beside it
                if picture.is_file():
                    pictures[picture.relative_to(folder).as_posix()] = str(about)
    return pictures


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def check_whole(kind: Kind, record: Mapping[str, Any], path: Path) -> None:
    if missing := sorted(kind.needed - record.keys()):
        what = kind.mark.removeprefix("holovid_")
        raise ValueError(f"{path} is not a complete {what} record: it lacks {', '.join(missing)}")


def last_parts(value: Any) -> Any:
    """A record whose absolute paths are cut to their last part.

    >>> last_parts({"data": {"name": "/home/anna/clips", "licence": "mit"}, "to": ["C:\\\\clips"]})
    {'data': {'name': 'clips', 'licence': 'mit'}, 'to': ['C:\\\\clips']}
    """
    if isinstance(value, dict):
        return {name: last_part(each) if isinstance(each, str) else last_parts(each) for name, each in value.items()}
    if isinstance(value, list):
        return [last_parts(each) for each in value]
    return value


def last_part(text: str) -> str:
    path = PureWindowsPath(text)
    return path.name if os.path.isabs(text) or path.is_absolute() else text


def public_command(words: Sequence[str]) -> str:
    """A command line whose paths are cut to their last part, for publication.

    >>> public_command(["/home/anna/bin/holovid", "evaluate", "../model", "--output=/tmp/results", "--views", "2"])
    'holovid evaluate model --output=results --views 2'
    """

    def public(word: str) -> str:
        option, equals, value = word.rpartition("=") if word.startswith("-") else ("", "", word)
        local = os.path.isabs(value) or value.startswith("..") or os.path.exists(value)
        return option + equals + (os.path.basename(os.path.abspath(value)) if local else value)

    return shlex.join(map(public, words))
