"""Mixup and CutMix of clips with their sound, and label smoothing: rows of a batch -> rows with soft targets.

A batch is mixed with itself in reverse order: clip i becomes `share` of itself and `1 - share` of clip B - 1 - i, and
so do its sound and its labels. `ClipDataset(..., mixing=...)` calls this on whole batches. Models take the soft
targets as labels (XViT and CA²ST with `problem_type="single_label_classification"`).
B clips, T frames, C channels, K classes.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from holovid.modeling.tasks import Kind
from holovid.recipes import Recipe

Row = dict[str, Tensor]


class ClipMixing:
    """
    Args:
        num_classes: classes of each label: {"labels": 174}, or {"verb_labels": 97, "noun_labels": 300}; for a number
            1.
        label_smoothing: share of the target that is spread evenly over all classes.
        mixup_alpha: mix whole clips, with a share drawn from Beta(alpha, alpha); 0 = never.
        mixup_probability: of mixing a batch at all.
        cutmix_alpha: replace a box of every frame instead, the same box in all frames; 0 = never. With both alphas,
            each kind is chosen half of the time.
        sound_mixing: "mixup" mixes the spectrograms by the share of the clips. "cutmix" replaces a box of that area in
            them; labels then follow the box, which the spectrogram's border may shrink, unless both clips are silent.
        kinds: of labels that are not a class: "multi_label", zeros and ones, each smoothed towards one half; "score",
            a number, not smoothed. Both are mixed by the share of the clips.

    Raises `ValueError` for other values.
    """

    def __init__(
        self,
        num_classes: dict[str, int],
        label_smoothing: float = 0.0,
        mixup_alpha: float = 0.0,
        mixup_probability: float = 1.0,
        cutmix_alpha: float = 0.0,
        sound_mixing: Literal["mixup", "cutmix"] = "mixup",
        kinds: Mapping[str, Kind] | None = None,
    ):
        if not num_classes or min(num_classes.values()) < 1:
            raise ValueError(f"num_classes must name labels and their numbers of classes, got {num_classes}")
        for name, value, limit in (
            ("label_smoothing", label_smoothing, 1.0),
            ("mixup_probability", mixup_probability, 1.0),
            ("mixup_alpha", mixup_alpha, float("inf")),
            ("cutmix_alpha", cutmix_alpha, float("inf")),
        ):
            if not 0 <= value <= limit:
                raise ValueError(f"{name} must be from 0 to {limit}, got {value}")
        if sound_mixing not in ("mixup", "cutmix"):
            raise ValueError(f"sound_mixing must be 'mixup' or 'cutmix', got {sound_mixing!r}")
        self.num_classes, self.kinds = dict(num_classes), dict(kinds or {})
        self.label_smoothing = label_smoothing
        self.mixup_alpha, self.mixup_probability = mixup_alpha, mixup_probability
        self.cutmix_alpha, self.sound_mixing = cutmix_alpha, sound_mixing

    @classmethod
    def from_recipe(
        cls, recipe: Recipe, num_classes: dict[str, int], kinds: Mapping[str, Kind] | None = None
    ) -> "ClipMixing | None":
        """The recipe's mixing; `None` if it neither mixes clips nor smooths labels."""
        if not (recipe.label_smoothing or recipe.mixup_alpha or recipe.cutmix_alpha):
            return None
        return cls(
            num_classes,
            recipe.label_smoothing,
            recipe.mixup_alpha,
            recipe.mixup_probability,
            recipe.cutmix_alpha,
            recipe.sound_mixing,
            kinds,
        )

    def __call__(self, rows: Sequence[Row], generator: torch.Generator | None = None) -> list[Row]:
        """Mix a batch.

        Args:
            rows: of single clips, with `pixel_values_videos` (T, C, H, W), for models that use audio `input_values`
                (rows, mel bins) and `audio_mask` (), and the labels, class numbers () unless `kinds` says otherwise.
            generator: source of randomness, `None` = torch's default one.

        Returns new rows; labels are probabilities (K,). A mixed clip has sound if one of its parts has. `frame_times`
        and `audio_span` stay the clip's own. The middle clip of an odd batch has no partner and stays unmixed. Raises
        `ValueError` for clips with other shapes or keys, and for labels that are not classes.
        """
        if not rows:
            raise ValueError("a batch to mix must have clips, got none")
        check_alike(rows)
        targets = [{name: self.soften(name, row) for name in self.num_classes} for row in rows]
        # NumPy's generator, because torch draws from Beta only with its global one
        draw = np.random.default_rng(int(torch.randint(2**63 - 1, (), generator=generator)))
        alphas = {"mixup": self.mixup_alpha, "cutmix": self.cutmix_alpha}
        kinds = [kind for kind, alpha in alphas.items() if alpha]
        if not kinds or draw.random() >= self.mixup_probability:
            return [row | target for row, target in zip(rows, targets, strict=True)]

        kind = kinds[int(draw.integers(len(kinds)))]
        drawn = float(draw.beta(alphas[kind], alphas[kind]))
        clip_share, frame_mask = drawn, None
        if kind == "cutmix":
            clip_share, frame_mask = cut_box(rows[0]["pixel_values_videos"], drawn, draw)
        share, sound_mask = clip_share, None  # of sound and labels
        if self.sound_mixing == "cutmix" and "input_values" in rows[0]:
            share, sound_mask = cut_box(rows[0]["input_values"], drawn, draw)

        mixed = []
        for row, partner, target, other in zip(rows, rows[::-1], targets, targets[::-1], strict=True):
            heard = "audio_mask" not in row or bool(row["audio_mask"] | partner["audio_mask"])
            label_share = share if heard else clip_share  # a box in silence does not count
            mixed.append(
                row
                | {"pixel_values_videos": blend(row, partner, "pixel_values_videos", clip_share, frame_mask)}
                | {name: torch.lerp(other[name], target[name], label_share) for name in target}
            )
            if "input_values" in row:
                mixed[-1]["input_values"] = blend(row, partner, "input_values", share, sound_mask)
            if "audio_mask" in row:
                own, others = row["audio_mask"] & (share > 0), partner["audio_mask"] & (share < 1)
                mixed[-1]["audio_mask"] = own | others
        return mixed

    def soften(self, name: str, row: Row) -> Tensor:
        """This label as probabilities (K,): (1 - e) for the class, plus e / K for every class.

        For several classes (1 - e) of each zero or one, plus e / 2; a number stays unchanged.
        """
        classes = self.num_classes[name]
        if name not in row:
            raise ValueError(f"rows to mix must have {name}; they have {', '.join(row)}")
        label = torch.as_tensor(row[name])
        kind = self.kinds.get(name, "class")
        if kind == "score":
            if label.ndim or not label.isfinite():
                raise ValueError(f"{name} to mix must be a number, got {label.tolist()}")
            return label
        if kind == "multi_label":
            if label.shape != (classes,) or not ((label == 0) | (label == 1)).all():
                raise ValueError(f"{name} to mix must be a 0 or 1 for each of {classes} classes, got {label.tolist()}")
            return torch.lerp(label, torch.full_like(label, 0.5), self.label_smoothing)
        if label.ndim or label.is_floating_point() or not 0 <= label < classes:
            raise ValueError(
                f"{name} to mix must be a class from 0 to {classes - 1}, got "
                f"{label.item() if label.numel() == 1 else f'a tensor of shape {tuple(label.shape)}'}"
            )
        target = torch.full((classes,), self.label_smoothing / classes)
        target[label] += 1 - self.label_smoothing
        return target


def check_alike(rows: Sequence[Row]) -> None:
    first = {name: tuple(torch.as_tensor(value).shape) for name, value in rows[0].items()}
    if "pixel_values_videos" not in first:
        raise ValueError(f"rows to mix must have pixel_values_videos; they have {', '.join(first)}")
    for row in rows[1:]:
        shapes = {name: tuple(torch.as_tensor(value).shape) for name, value in row.items()}
        if shapes != first:
            raise ValueError(f"clips of a batch to mix must be alike; got {first} and {shapes}")


def cut_box(picture: Tensor, share: float, draw: np.random.Generator) -> tuple[float, Tensor]:
    """A box of about `1 - share` of the last two axes, in their proportions, centred anywhere and cut at the border.

    Returns the share outside of it, and a mask (height, width), True inside.
    """
    mask = torch.zeros(picture.shape[-2:], dtype=torch.bool)
    spans = []
    for side in mask.shape:
        half, centre = side * (1 - share) ** 0.5 / 2, draw.random() * side
        spans.append(slice(round(max(centre - half, 0)), round(min(centre + half, side))))
    mask[spans[0], spans[1]] = True
    return 1 - float(mask.double().mean()), mask


def blend(row: Row, partner: Row, name: str, share: float, mask: Tensor | None) -> Tensor:
    """`share` of the row's tensor and the rest of its partner's; or the partner's inside `mask`."""
    if mask is None:
        return torch.lerp(partner[name], row[name], share)  # exact if both are equal
    return torch.where(mask, partner[name], row[name])
