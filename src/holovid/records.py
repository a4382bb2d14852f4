"""What lies in a model's folder beside the model, for its card: evaluations, where it comes from, how it was trained.

These files are written and read here only. `results.json`, `evaluation/*.json`, `evaluation/*/results.json`: of
`holovid evaluate`. `conversion.json`: of `holovid convert`. `training.json`: of `holovid train`,

    {"holovid_training": 1,
     "starting_point": Hub id of the model that training began with, or null for new weights,
     "recipe": "xvit-ssv2", "epochs": 35, "steps": 12000, "seed": 0, "total_batch_size": 64, "learning_rate": 0.03,
     "precision": "bf16", "tuned": "all",
     "data": {"name": "ssv2", "source": Hub id or null, "split": "train", "clips": 168913, "licence": "..."},
     "hardware": "8 x NVIDIA A100", "hours": 9.5, "co2_eq_grams": 4200, "command": "holovid train ..."}

in which everything but the first entry may be absent or null: a card says then that it is not recorded.
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
    """A kind of record: the name of its `file`, a common one, the `mark` that says it is ours, what it has to hold."""

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
        evaluations: what results.json of one set of clips holds, each once.
        means: harmonic means over several sets, names of the sets -> metrics.
        conversion: what conversion.json holds; `None` for a model that was not converted.
        training: what training.json holds; `None` if there is none.
        pictures: of evaluations, where each lies in the folder -> what it shows.
    """

    evaluations: list[dict[str, Any]] = field(default_factory=list)
    means: dict[str, dict[str, float]] = field(default_factory=dict)
    conversion: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    pictures: dict[str, str] = field(default_factory=dict)


def write_record(kind: Kind, folder: str | os.PathLike, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write a record into a folder, whole or not at all; returns what it holds.

    Raises `ValueError` for facts that lack an entry of the kind, or hold what JSON has no word for.
    """
    path = Path(folder, kind.file)
    record = {kind.mark: 1, **facts}
    check_whole(kind, record, path)
    write_json(path, record)
    return record


def write_means(folder: str | os.PathLike, sets: Mapping[str, Any], means: Mapping[str, float]) -> None:
    """Write results.json of several sets, by name, with harmonic means of their metrics."""
    write_json(Path(folder, EVALUATION.file), {"sets": dict(sets), "harmonic_mean": dict(means)})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_record(kind: Kind, folder: str | os.PathLike) -> dict[str, Any] | None:
    """A record as it was written; `None` where there is none. Raises `ValueError` for a file that is none of ours."""
    path = Path(folder, kind.file)
    if not path.is_file():
        return None
    found = read_json(path)
    if kind.mark not in found:
        raise ValueError(f"{path} is none of holovid's: it lacks {kind.mark!r}")
    check_whole(kind, found, path)
    return found


def read_records(folder: Path) -> Records:
    """All records of a model's folder, for others to read: of places on a disk only the last part.

    Raises `ValueError` for a file that cannot be read.
    """
    records = Records()
    for path in sorted({path for pattern in EVALUATIONS for path in folder.glob(pattern)}):
        found = read_json(path)
        sets = found["sets"] if isinstance(found.get("sets"), dict) else {"": found}
        measured = [each for each in sets.values() if isinstance(each, dict) and EVALUATION.mark in each]
        for each in measured:
            check_whole(EVALUATION, each, path)
        # of several sets each may also lie in a file of its own
        public = [last_parts(each) for each in measured]
        records.evaluations += [each for each in public if each not in records.evaluations]
        if measured and "harmonic_mean" in found:
            records.means[" and ".join(sets)] = found["harmonic_mean"]
    records.pictures = evaluation_pictures(folder)
    records.conversion = last_parts(read_record(CONVERSION, folder))
    records.training = last_parts(read_record(TRAINING, folder))
    return records


def evaluation_pictures(folder: Path) -> dict[str, str]:
    """The pictures that evaluations in a folder have drawn: where each lies in it -> what it shows.

    Files that hold no evaluation, or cannot be read, have none.
    """
    pictures = {}
    for path in sorted({path for pattern in EVALUATIONS for path in folder.glob(pattern)}):
        with suppress(ValueError):
            found = read_json(path)
            named = found.get("pictures") if EVALUATION.mark in found else None
            for name, about in (named if isinstance(named, dict) else {}).items():
                picture = path.parent / Path(name).name  # beside the file, whatever it says
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
        raise ValueError(f"{path} is not a whole {what}: it lacks {', '.join(missing)}")


def last_parts(value: Any) -> Any:
    """Of each absolute path in the values of a record only the last part.

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
    """A command line that names files, not where they are.

    >>> public_command(["/home/anna/bin/holovid", "evaluate", "../model", "--output=/tmp/results", "--views", "2"])
    'holovid evaluate model --output=results --views 2'
    """

    def public(word: str) -> str:
        option, equals, value = word.rpartition("=") if word.startswith("-") else ("", "", word)
        local = os.path.isabs(value) or value.startswith("..") or os.path.exists(value)
        return option + equals + (os.path.basename(os.path.abspath(value)) if local else value)

    return shlex.join(map(public, words))
