"""Features of frames, computed once, so that training decodes no video and runs no image model.

    embed_frames(model, clips, "features/train")           # clips: a `ClipDataset` of `before_actions`
    rows = FrameFeatures("features/train")
    head = AVTForActionAnticipation(AVTConfig(feature_size=rows.width, num_labels=len(rows.classes["labels"])))
    VideoTrainer(head, args, recipe=recipe, train_dataset=rows)

The folder is a data set of `datasets` with columns `features` (T, D) and the labels. T frames, D width.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from datasets import Array2D, ClassLabel, Dataset, Features, List, Value, load_from_disk
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader

from holovid.data.dataset import ClipDataset, Key, Row
from holovid.files import new_folder
from holovid.modeling.modeling_common import HolovidPreTrainedModel

FEATURES = "features"


@torch.no_grad()
def embed_frames(
    model: HolovidPreTrainedModel,
    clips: ClipDataset,
    folder: str | os.PathLike,
    *,
    batch_size: int = 8,
    num_workers: int = 0,
    progress: bool = True,
) -> Path:
    """Write the frame features of all clips, with their labels, and return the folder.

    Args:
        model: with frame features, such as an AVT or a video model of ours; it is put in eval mode.
        clips: one view a clip, without augmentation.
        folder: new or empty. It appears complete or not at all.
        batch_size, num_workers: of the loader; the model runs where it is.
        progress: show a bar.

    Raises `ValueError` for a model without frame features, clips of several views or with augmentation, and a folder
    that is not empty.
    """
    if clips.augmentation is not None or clips.mixing is not None:
        raise ValueError(
            "features are computed once, but these clips are augmented at random: leave out the augmentation"
        )
    first = clips.blank_row()
    if first["pixel_values_videos"].ndim != 4:
        raise ValueError("features need one view a clip, but these clips have several")
    model.eval()

    def see(pixel_values_videos: Tensor) -> Tensor:
        return model.frame_features(pixel_values_videos.to(model.device)).float().cpu()

    frames, width = see(first["pixel_values_videos"][None]).shape[1:]
    labels = {key: clips.rows.features[column] for key, column in clips.label_keys.items()}
    past = dict.fromkeys(clips.past_keys, List(Value("int64"), length=frames))
    schema = Features({FEATURES: Array2D((frames, width), "float32"), **labels, **past})

    def rows() -> Iterator[dict[str, Any]]:
        loader = DataLoader(clips, batch_size=batch_size, num_workers=num_workers)
        for batch in track(loader, "Embedding frames", disable=not progress):
            for row, features in enumerate(see(batch["pixel_values_videos"]).numpy()):
                yield {FEATURES: features} | {key: batch[key][row].tolist() for key in (*labels, *past)}

    with new_folder(Path(folder)) as unfinished:
        cache = unfinished / "_cache"
        embedded = Dataset.from_generator(rows, features=schema, cache_dir=str(cache))
        embedded.save_to_disk(str(unfinished))
        shutil.rmtree(cache)
    return Path(folder)


class FrameFeatures(torch.utils.data.Dataset):
    """Rows of a folder from `embed_frames`: `features` (T, D) float32, `labels`, `past_labels` and so on.

    They are read from the disk on request. Takes indices from `EpochSampler`, for `VideoTrainer`.

    Attributes:
        classes: class names of each label.
        width: D.

    Raises `ValueError` for another folder, `FileNotFoundError` if there is none.
    """

    takes_epochs = True

    def __init__(self, folder: str | os.PathLike):
        rows = load_from_disk(str(folder))
        if not isinstance(rows, Dataset) or not isinstance(rows.features.get(FEATURES), Array2D):
            raise ValueError(f"{folder} holds no frame features; embed_frames writes them")
        self.rows = rows.with_format("torch")
        self.classes = {
            name: list(feature.names) for name, feature in rows.features.items() if isinstance(feature, ClassLabel)
        }
        self.width = rows.features[FEATURES].shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Key) -> Row:
        return self.rows[int(key[1] if isinstance(key, tuple) else key)]


__all__ = ["FrameFeatures", "embed_frames"]
