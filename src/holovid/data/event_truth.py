"""Where and when rendered clips show and sound their class, as tensors. B clips, T frames."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from holovid.data.events import BOX_COLUMNS, EVENT_COLUMNS, HEARD_COLUMNS, SEEN_COLUMNS

ROUNDED = 0.001  # seconds; precision of frame times


@dataclass(frozen=True, eq=False)
class Events:
    """Where and when clips show and sound their class, all float32.

    Args:
        boxes: (B, 4), x0, y0, x1, y1 in per cent of the width (x) and the height (y) of the frame.
        seen: (B, 2), first and last second of the picture.
        heard: (B, 2), first and last second of the sound.
        files: the paths of the clips.
    """

    boxes: Tensor
    seen: Tensor
    heard: Tensor
    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, clips: int | slice | Sequence[int]) -> "Events":
        numbers = range(len(self))[clips] if isinstance(clips, int | slice) else clips
        picked = [numbers] if isinstance(numbers, int) else list(numbers)
        files = tuple(self.files[number] for number in picked)
        return Events(self.boxes[picked], self.seen[picked], self.heard[picked], files)

    def boxes_at(self, frame_times: Tensor) -> Tensor:
        """The boxes at frames shown at these seconds: (B, T) -> (B, T, 4), NaN where there is none.

        >>> boxes, seen, heard = torch.tensor([[10.0, 20, 30, 40]]), torch.tensor([[1.0, 2]]), torch.tensor([[0.0, 1]])
        >>> events = Events(boxes, seen, heard, (Path("clip.mp4"),))
        >>> events.boxes_at(torch.tensor([[0.5, 1.5, 2.5]]))[0, :, 0]
        tensor([nan, 10., nan])
        """
        seen = self.seen.to(frame_times) - ROUNDED  # the first frame's time may be rounded down
        is_seen = (frame_times >= seen[:, :1]) & (frame_times < seen[:, 1:])
        boxes = self.boxes.to(frame_times)[:, None].expand(*frame_times.shape, 4)
        return torch.where(is_seen[..., None], boxes, torch.nan)


def read_events(folder: str | os.PathLike) -> Events:
    """The events of one split, such as `clips/val`, in the order of `load_clips`.

        events = read_events(render_clips("clips", ClipSet(train=64, val=16, events=True)) / "val")
        events.boxes_at(inputs["frame_times"])

    Raises `ValueError` for a folder without such a table.
    """
    table = Path(folder) / "metadata.csv"
    if not table.is_file():
        raise ValueError(f"there is no {table}; pass the folder of one split, such as clips/val")
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or (absent := [name for name in EVENT_COLUMNS if name not in rows[0]]):
        what = f"no column {absent[0]}" if rows else "no rows"
        raise ValueError(f"{table} has {what}; render events with ClipSet(..., events=True)")

    def numbers(names: Sequence[str]) -> Tensor:
        return torch.tensor([[float(row[name]) for name in names] for row in rows])

    files = tuple(table.parent / row["file_name"] for row in rows)
    return Events(numbers(BOX_COLUMNS), numbers(SEEN_COLUMNS), numbers(HEARD_COLUMNS), files)
