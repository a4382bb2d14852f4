"""Predictions on disk while they are made, so that a killed evaluation can be resumed.

A folder holds `evaluation.json`, the settings, and a file of predictions for each process, with a line of JSON for
each clip, by the number of its row. A resumed run may use another number of processes.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import filelock

from holovid.files import is_unfinished, write_whole

HEADER = "evaluation.json"
FORMAT = {"holovid_predictions": 1}
Line = dict[str, Any]


class PredictionLog:
    """The predictions in a folder; call `claim` first, then `read`, and `add` as often as needed.

    Args:
        folder: of the predictions.
        process: number of this process; only 0 claims.
        what: name of the activity in errors.
        cure: advice in errors if the folder holds those of another.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        process: int = 0,
        what: str = "evaluation",
        cure: str = "name a new folder",
    ):
        self.what, self.cure = what, cure
        self.folder = Path(folder)
        self.path = self.folder / f"predictions.{process}.jsonl"
        self._lock = filelock.FileLock(self.folder / ".lock")

    def claim(self, facts: Mapping[str, Any]) -> None:
        """Reserve the folder for this evaluation, after checking that it holds no other, and lock out others.

        An incomplete last line of a killed run is removed. Raises `ValueError` when the folder holds anything else, or
        another process writes to it.
        """
        header = json.loads(json.dumps(FORMAT | dict(facts)))
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise ValueError(f"another {self.what} is writing to {self.folder}") from error
        try:
            self._check(header)
        except BaseException:
            self.release()
            raise
        for path in self._files():
            cut_torn_line(path)

    def _check(self, header: dict[str, Any]) -> None:
        path = self.folder / HEADER
        if not path.exists():
            names = sorted(entry.name for entry in self.folder.iterdir())
            if others := [name for name in names if name != ".lock" and not is_unfinished(name)]:
                raise ValueError(
                    f"{self.folder} holds something else ({', '.join(others[:3])}); name a new or an empty folder"
                )
            write_whole(path, json.dumps(header, indent=2) + "\n")
            return
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is damaged; {self.cure}") from error
        if there != header:
            raise ValueError(
                f"{self.folder} holds another {self.what}: {'; '.join(differences(there, header))}; {self.cure}"
            )

    def release(self) -> None:
        self._lock.release()

    def add(self, lines: Iterable[Line]) -> None:
        text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
        with open(self.path, "ab", buffering=0) as file:
            file.write(text.encode())

    def read(self) -> dict[int, Line]:
        """Clip number -> its line, of all processes. A prediction replaces an earlier failure to read the clip.

        Raises `ValueError` for damaged lines, and for clips predicted twice.
        """
        lines: dict[int, Line] = {}
        for path in self._files():
            for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                try:
                    line = json.loads(text)
                    clip = line["clip"]
                except (ValueError, KeyError, TypeError) as error:
                    raise ValueError(f"{path} is damaged in line {number}; remove that line to continue") from error
                known = lines.get(clip)
                if known is None or "broken" in known:
                    lines[clip] = line
                elif "broken" not in line:
                    raise ValueError(f"clip {clip} was predicted twice, the second time in line {number} of {path}")
        return lines

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("predictions.*.jsonl"))


def cut_torn_line(path: Path) -> None:
    with open(path, "rb+") as file:
        text = file.read()
        file.truncate(text.rfind(b"\n") + 1)


def differences(there: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """
    >>> differences({"views": 1, "model": {"name": "a"}}, {"views": 2, "model": {"name": "a"}})
    ['views was 1, now 2']
    """
    found = []
    for name in dict.fromkeys([*there, *now]):
        before, after = there.get(name), now.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{prefix}{name} ")
        elif before != after:
            found.append(f"{prefix}{name} was {before}, now {after}")
    return found
