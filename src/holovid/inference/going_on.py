"""Work on many clips that ends in one file, so that a run that was stopped goes on where it was."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset
from transformers import PreTrainedModel

from holovid.data.named_clips import NamedClip
from holovid.evaluation.fingerprints import fingerprint_model, fingerprint_processor
from holovid.evaluation.prediction_log import Line, PredictionLog


class Videos(Dataset):
    """What a pipeline reads of clips, one after the other, in workers if it has some."""

    def __init__(self, clips: Sequence[NamedClip]):
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, place: int) -> str | dict[str, Any]:
        return self.clips[place].video


def unfinished_answers(target: Path) -> Path:
    """The folder beside `target` in which answers stand until all are there."""
    return target.with_name(f"{target.name}.partial")


def go_through(
    target: Path,
    clips: Sequence[NamedClip],
    lines_of: Callable[[list[NamedClip]], Iterable[Line]],
    facts: Mapping[str, Any],
    write: Callable[[list[Line]], None],
    advance: Callable[[int], Any] = lambda done: None,
) -> list[Line]:
    """Ask for a line of each clip, write `target` of all of them, and return them in the order of the clips.

    Until all are there, they stand in `target`.partial; the same call then goes on. Clips that could not be read are
    tried again.

    Args:
        lines_of: what is known of so many clips, in their order, as JSON has it: {"broken": why} of one that could not
            be read.
        facts: what lines depend on, such as the model: another run does not go on with these lines.
        write: makes `target` of all lines.
        advance: told how many clips are done.

    Raises `ValueError` when there are unfinished lines of another run, or another process is writing them.
    """
    folder = unfinished_answers(target)
    log = PredictionLog(folder, what="run", cure=f"remove that folder, or write to another file than {target.name}")
    log.claim({**facts, "clips": len(clips), "list": fingerprint(clips)})
    try:
        done = {number: line for number, line in log.read().items() if "broken" not in line}
        left = [number for number in range(len(clips)) if number not in done]
        advance(len(done))
        for number, line in zip(left, lines_of([clips[number] for number in left]), strict=True):
            log.add([{"clip": number, **line}])
            advance(1)
        known = log.read()
        lines = [known[number] for number in range(len(clips))]
        target.parent.mkdir(parents=True, exist_ok=True)
        write(lines)
    finally:
        log.release()
    shutil.rmtree(log.folder)
    return lines


def made_by(model: PreTrainedModel, video_processor: Any) -> dict[str, str]:
    """The facts of a model, whatever its folder is called: one that was trained on in between is another."""
    return {"model": fingerprint_model(model), "processor": fingerprint_processor(video_processor, {})}


def fingerprint(clips: Sequence[NamedClip]) -> str:
    return hashlib.sha256(json.dumps([list(asdict(clip).values()) for clip in clips]).encode()).hexdigest()[:16]


__all__ = ["Videos", "go_through", "made_by", "unfinished_answers"]
