"""Labelled clips for training and evaluation: tables of clips, decoded when a row is asked for.

    clips = load_clips("my_clips")  # my_clips/train/<label>/*.mp4, my_clips/val/<label>/*.mp4
    dataset = ClipDataset(clips["train"], processor)
    loader = ContinuousDataLoader(dataset, batch_size=8, num_workers=4, sampler=EpochSampler(len(dataset)))

V views and crops, T frames, C channels, H, W pixels.
"""

import json
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from torch.utils.data import Sampler
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging
from transformers.video_utils import VideoMetadata

from holovid.data.answers import answer_kind, answer_tensor, classes_of, no_answer
from holovid.data.anticipation import NOTHING
from holovid.data.clip_folders import with_path
from holovid.data.open_videos import WorkersVideos, reader_of
from holovid.data.tables import load_clips
from holovid.evaluation.tasks import check_class_names, check_kind
from holovid.modeling.tasks import Kind

logger = logging.get_logger(__name__)

Row = dict[str, Tensor]
Key = int | tuple[int, int]  # a clip, or an epoch and a clip

# processor options for an augmentation: it replaces these steps, and each epoch sees other frames
LEFT_TO_AUGMENTATION = {
    "do_resize": False,
    "do_center_crop": False,
    "do_rescale": False,
    "do_normalize": False,
    "do_random_sampling": True,
}


class BrokenClip(NamedTuple):
    path: str
    reason: str


class BrokenClipError(ValueError):
    """The clip at `path` could not be read, because of `reason`; a loader's workers pass on only the message."""

    def __init__(self, message: str, path: str | None = None, reason: str | None = None):
        super().__init__(message, path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return self.args[0]


class ClipDataset(torch.utils.data.Dataset):
    """Clips as a model takes them, one row each, for the stock collator to stack.

    A row is the processor's output for one clip, without the batch axis: `pixel_values_videos` (T, C, H, W), or (V, T,
    C, H, W) with several views or crops; for models that use audio also `input_values`, `audio_mask`, `frame_times`
    and `audio_span`. `labels`: a class int64 (); several classes float32 (K,) of zeros and ones; a number float32 ().
    Several targets give one each, such as `verb_labels` and `noun_labels`. If the rows have the action in each frame
    (`before_actions`), also `past_labels` (T,), or `past_verb_labels` and so on.

    `dataset[5]` draws random numbers from torch's generator. `dataset[epoch, 5]`, as `EpochSampler` requests it,
    depends only on (seed, epoch, 5), not on other clips, workers or processes, so a run can be resumed and
    distributed.

    Args:
        rows: of `load_clips`: `video` {"path", "bytes"}, optionally `start` and `end` in seconds, and the targets.
        processor: a `HolovidProcessor` or `HolovidVideoProcessor`, or a callable with the same arguments.
        target: the column that becomes `labels`, or several columns, each of which becomes `<column>_labels`.
        augmentation: maps frames uint8 (T, C, H, W) of any size to float (T, C, height, width) as the model takes
            them; the processor then only decodes and samples frames at random. Its `spectrogram`, if it has one, is
            called with `input_values` of clips that have sound. Both may draw from torch's generator.
        mixing: called with the rows of a batch and a `torch.Generator`; returns rows, such as those of mixup.
        seed: see above.
        on_broken: for a clip that cannot be read. "raise": `BrokenClipError`. "skip": leave it out of its batch.
            "mask": zeros, with labels -100 (NaN for a number), which losses and metrics leave out; batches keep their
            shape. "skip" and "mask" warn once for each clip, and `broken()` lists them.
        model: the model that trains on or classifies these clips, or its configuration: its classes must be those of
            the rows in the same order. Stock Trainer does not pass it; `VideoTrainer` checks by itself.
        report: file to which broken clips are appended as lines of JSON; default: a temporary file. Several processes
            may share one.
        processor_options: passed to each call of `processor`.

    Raises `ValueError` for targets that are not columns of classes, classes that are not the model's, and options that
    do not fit together; later, if all clips of a batch are broken.
    """

    takes_epochs = True  # as keys (epoch, index)

    def __init__(
        self,
        rows: Dataset,
        processor: Callable[..., Any],
        *,
        target: str | Sequence[str] = "label",
        augmentation: Callable[[Tensor], Tensor] | None = None,
        mixing: Callable[[list[Row], torch.Generator], list[Row]] | None = None,
        seed: int = 0,
        on_broken: str = "raise",
        model: PreTrainedModel | PreTrainedConfig | None = None,
        report: str | os.PathLike | None = None,
        **processor_options: Any,
    ):
        if on_broken not in ("raise", "skip", "mask"):
            raise ValueError(f"on_broken must be 'raise', 'skip' or 'mask', got {on_broken!r}")
        if on_broken == "mask" and mixing is not None:
            raise ValueError("on_broken='mask' gives clips without labels, which cannot be mixed; use 'skip'")
        columns = [target] if isinstance(target, str) else list(target)
        for column in ["video", *columns]:
            if column not in rows.features:
                raise ValueError(f"the clips have no column {column!r}; there are {', '.join(sorted(rows.features))}")
        self.kinds: dict[str, Kind] = {}
        for column in columns:
            if (kind := answer_kind(rows.features[column])) is None:
                raise ValueError(
                    f"column {column!r} does not hold classes; load_clips(..., target={column!r}) converts it"
                )
            self.kinds[column] = kind
        self.names = {column: classes_of(rows.features[column]) for column in columns}
        if model is not None:
            self.check_model(getattr(model, "config", model))
        self.label_keys = (
            {"labels": target} if isinstance(target, str) else {f"{name}_labels": name for name in target}
        )
        self.past_keys = {
            f"past_{key}": f"past_{column}"
            for key, column in self.label_keys.items()
            if f"past_{column}" in rows.features
        }
        self.rows = rows.with_format(None)
        self._features = rows.features  # which the table copies each time it is asked
        self.processor = processor
        self.augmentation = augmentation
        self.mixing = mixing
        self.seed = seed
        self.on_broken = on_broken
        self.processor_options = (LEFT_TO_AUGMENTATION if augmentation else {}) | processor_options
        self._reader = reader_of(processor, **self.processor_options)
        self._videos = WorkersVideos(processor, self.processor_options.get("decoder"))
        self._report = Path(report) if report is not None else self._temporary_report()

    def check_model(self, config: PreTrainedConfig) -> None:
        check_kind(config, self.kinds)
        check_class_names(config, {column: names for column, names in self.names.items() if names})

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Key) -> Row:
        epoch, index = epoch_and_index(key)
        row = self._read_or_replace(self.rows[index], index, epoch)
        return self.read(index, epoch) if row is None else row  # a single clip cannot be skipped

    def __getitems__(self, keys: list[Key]) -> list[Row]:
        """The rows of a batch, mixed; a `DataLoader` calls this."""
        places = [epoch_and_index(key) for key in keys]
        clips = self.rows.__getitems__([index for _, index in places])  # at once, which takes a quarter of the time
        found = (self._read_or_replace(clip, index, epoch) for clip, (epoch, index) in zip(clips, places, strict=True))
        rows = [row for row in found if row is not None]
        if not rows:
            raise ValueError(
                f"none of the {len(keys)} clips of a batch can be read: {'; '.join(map(describe, self.broken()[-3:]))}"
            )
        if self.mixing is None:
            return rows
        numbers = [number for key in keys for number in (key if isinstance(key, tuple) else ())]
        seed = seed_of(self.seed, *numbers) if numbers else int(torch.randint(2**63 - 1, ()))
        return self.mixing(rows, torch.Generator().manual_seed(seed))

    def read(self, index: int, epoch: int | None = None) -> Row:
        """One row; `epoch` as in the class. Raises `BrokenClipError` whatever `on_broken` says."""
        return self._read(self.rows[int(index)], int(index), epoch)

    def _read(self, clip: dict[str, Any], index: int, epoch: int | None) -> Row:
        video = clip["video"] | {name: clip[name] for name in ("start", "end") if name in clip}
        with nullcontext() if epoch is None else seeded(self.seed, int(epoch), index):
            try:
                inputs = self._reader(self._videos.part(video))
            except (ValueError, OSError) as error:
                self._videos.drop(video)
                broken = BrokenClip(self.path(index), str(error))
                raise BrokenClipError(describe(broken), *broken) from error
            row = self._augmented({name: value[0] for name, value in inputs.items()})
        row |= {key: answer_tensor(clip[column], self._features[column]) for key, column in self.label_keys.items()}
        return row | {key: torch.tensor(clip[column]) for key, column in self.past_keys.items()}

    def path(self, index: int) -> str:
        """Path of a clip, with its interval if it has one; for unnamed bytes, its row."""
        clip = self.rows[int(index)]
        path = clip["video"]["path"] or f"in row {index}"
        start, end = clip.get("start"), clip.get("end")
        if start is None and end is None:
            return path
        return f"{path} ({start or 0:g} s to {'its end' if end is None else f'{end:g} s'})"

    def broken(self) -> list[BrokenClip]:
        if not self._report.exists():
            return []
        return [BrokenClip(**json.loads(line)) for line in self._report.read_text(encoding="utf-8").splitlines()]

    def _augmented(self, row: Row) -> Row:
        if self.augmentation is None:
            return row
        row["pixel_values_videos"] = self.augmentation(row["pixel_values_videos"])
        spectrogram = getattr(self.augmentation, "spectrogram", None)
        if spectrogram is not None and "input_values" in row and row["audio_mask"].all():
            row["input_values"] = spectrogram(row["input_values"])
        return row

    def _read_or_replace(self, clip: dict[str, Any], index: int, epoch: int | None) -> Row | None:
        try:
            return self._read(clip, index, epoch)
        except BrokenClipError as error:
            if self.on_broken == "raise":
                raise
            self._note(BrokenClip(*error.args[1:]))
            return self.blank_row() if self.on_broken == "mask" else None

    def _note(self, clip: BrokenClip) -> None:
        if any(known.path == clip.path for known in self.broken()):
            return
        logger.warning(f"a clip is left out: {describe(clip)}")
        # one short write, so that lines of several workers do not mix
        with open(self._report, "a", encoding="utf-8") as file:
            file.write(json.dumps(clip._asdict()) + "\n")

    def blank_row(self) -> Row:
        """Zeros in the shapes of the processor's output, with labels that do not count."""
        processor: Any = getattr(self.processor, "video_processor", self.processor)
        options = self.processor_options
        sizes = (options.get(name, getattr(processor, name)) or 1 for name in ("num_frames", "frame_stride"))
        frames = np.zeros((int(np.prod([*sizes])), 32, 32, 3), dtype=np.uint8)
        hears = "input_values" in processor.model_input_names
        sound = {"audio": [np.zeros(0)], "sampling_rate": 16_000} if hears else {}
        facts = [VideoMetadata(len(frames), fps=25.0, width=32, height=32)]
        if hasattr(processor, "short_video"):  # however many frames of which rate are asked for
            options = options | {"short_video": "repeat"}
        inputs = self.processor([frames], video_metadata=facts, return_tensors="pt", **sound, **options)
        row = self._augmented({name: value[0] for name, value in inputs.items()})
        row = {name: torch.zeros_like(value) for name, value in row.items()}
        row |= {key: no_answer(self._features[column]) for key, column in self.label_keys.items()}
        return row | {key: torch.full((len(self.rows[0][name]),), NOTHING) for key, name in self.past_keys.items()}

    def _temporary_report(self) -> Path:
        handle, name = tempfile.mkstemp(prefix="broken_clips_", suffix=".jsonl")
        os.close(handle)
        weakref.finalize(self, remove_if_ours, name, os.getpid())
        return Path(name)


class EpochSampler(Sampler):
    """Yields (epoch, index) of `num_clips` clips, ordered by (seed, epoch) alone, or as they are without `shuffle`."""

    def __init__(self, num_clips: int, seed: int = 0, shuffle: bool = True):
        self.num_clips = num_clips
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def __len__(self) -> int:
        return self.num_clips

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = torch.arange(self.num_clips)
        if self.shuffle:
            generator = torch.Generator().manual_seed(seed_of(self.seed, self.epoch))
            order = torch.randperm(self.num_clips, generator=generator)
        epoch = self.epoch
        return ((epoch, index) for index in order.tolist())

    def set_epoch(self, epoch: int) -> None:
        self.epoch = int(epoch)


def epoch_and_index(key: Key) -> tuple[int | None, int]:
    """The epoch, if there is one, and the clip."""
    epoch, index = key if isinstance(key, tuple) else (None, key)
    return epoch, int(index)


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Seed torch's CPU generator with `numbers` inside the block; restore its state afterwards."""
    with torch.random.fork_rng(devices=[], device_type="cpu"):
        # not torch.manual_seed, which would also reseed the GPU, from which a model draws its dropout
        torch.random.default_generator.manual_seed(seed_of(*numbers))
        yield


def describe(broken: BrokenClip) -> str:
    """The reason, with the clip's path unless it is in there."""
    return with_path(broken.path, broken.reason)


def seed_of(*numbers: int) -> int:
    """A seed from several numbers; neighbouring numbers give unrelated seeds."""
    return int(np.random.SeedSequence((len(numbers), *numbers)).generate_state(1, np.uint64)[0])


def remove_if_ours(path: str, process: int) -> None:
    if os.getpid() == process:
        Path(path).unlink(missing_ok=True)


__all__ = ["BrokenClip", "BrokenClipError", "ClipDataset", "EpochSampler", "load_clips"]
