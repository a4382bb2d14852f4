"""Resumable work on many clips that ends in one file."""

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
    def __init__(self, clips: Sequence[NamedClip]):
        self.clips = clips

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, place: int) -> str | dict[str, Any]:
        return self.clips[place].video


def unfinished_answers(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def go_through(
    target: Path,
    clips: Sequence[NamedClip],
    lines_of: Callable[[list[NamedClip]], Iterable[Line]],
    facts: Mapping[str, Any],
    write: Callable[[list[Line]], None],
    advance: Callable[[int], Any] = lambda done: None,
) -> list[Line]:
    """Compute a JSON line for each clip, write `target` from all, and return them in the order of the clips.

    Unfinished lines are in `target`.partial; the same call resumes from them. Clips that could not be read are tried
    again.

    Args:
        lines_of: lines for some clips, in order; {"broken": why} for one that could not be read.
        facts: what lines depend on, such as the model; a run with other facts does not resume.
        write: writes `target` from all lines.
        advance: called with the number of finished clips.

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
    """Facts about a model, whatever its folder's name: after more training it is another model."""
    return {"model": fingerprint_model(model), "processor": fingerprint_processor(video_processor, {})}


def fingerprint(clips: Sequence[NamedClip]) -> str:
    return hashlib.sha256(json.dumps([list(asdict(clip).values()) for clip in clips]).encode()).hexdigest()[:16]


__all__ = ["Videos", "go_through", "made_by", "unfinished_answers"]
