"""Features of frames, computed once: training on them decodes no video and runs no image model.

    embed_frames(model, clips, "features/train")           # clips: a `ClipDataset`, of what is seen before actions
    rows = FrameFeatures("features/train")
    head = AVTForActionAnticipation(AVTConfig(feature_size=rows.width, num_labels=len(rows.classes["labels"])))
    VideoTrainer(head, args, recipe=recipe, train_dataset=rows)

A folder is a data set of `datasets`, whose rows have `features` (T, D) and the labels. T frames, D width.
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
    """Write the features of the frames of all clips, with their labels, and return the folder.

    Args:
        model: that has features of frames, as an AVT or a video model of ours; it is put in eval mode.
        clips: with one view a clip, and nothing random: frames are seen once.
        folder: is made, or may be empty. It appears when it is complete, or not at all.
        batch_size, num_workers: of the loader; the model runs where it is.
        progress: show a bar.

    Raises `ValueError` for a model without features of frames, clips of several views or with augmentation, and a
    folder that holds anything.
    """
    if clips.augmentation is not None or clips.mixing is not None:
        raise ValueError("features are computed once, and these clips are augmented anew each time")
    first = clips.blank_row()
    if first["pixel_values_videos"].ndim != 4:
        raise ValueError("features are of one view a clip, and these clips have several")
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
    """Rows of a folder that `embed_frames` wrote: `features` (T, D) float32, `labels`, `past_labels` and so on.

    Read from the disk when they are asked for. Takes what `EpochSampler` yields, for `VideoTrainer`.

    Attributes:
        classes: the names of the classes of each label.
        width: D.

    Raises `ValueError` for a folder that holds something else, `FileNotFoundError` for none.
    """

    def __init__(self, folder: str | os.PathLike):
        rows = load_from_disk(str(folder))
        if not isinstance(rows, Dataset) or not isinstance(rows.features.get(FEATURES), Array2D):
            raise ValueError(f"{folder} holds no features of frames")
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
