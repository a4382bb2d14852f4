"""Draw a clip as training sees it, after augmentation:

    python docs/scripts/draw_augmentations.py VIDEO [--recipes cast-ek100] [--draws 3]

One row is one draw of a recipe's augmentation: its crop, colours and box are the same in all frames. A row may be
black; AutoAugment does that, see augmentation.py.
"""

import argparse
import dataclasses
from pathlib import Path

import torch
from PIL import Image

from holovid import HolovidVideoProcessor
from holovid.augmentation import build_augmentation
from holovid.recipes import get_recipe
from holovid.visualize import draw_sheet, stack

RECIPES = ("xvit-k400", "xvit-ssv2", "cast-ek100")


def draw(video: Path, names: list[str], draws: int, num_frames: int, seed: int) -> Image.Image:
    """Rows of frames: the centre of the clip as in evaluation, then `draws` draws of every recipe."""
    processor = HolovidVideoProcessor(num_frames=num_frames, sampling="segments")
    raw = {name: False for name in ("do_resize", "do_center_crop", "do_rescale", "do_normalize")}
    frames = processor(video, return_tensors="pt", **raw)["pixel_values_videos"][0]
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (processor.image_mean, processor.image_std))
    plain = dataclasses.replace(get_recipe("small"), name="in evaluation")
    torch.manual_seed(seed)
    rows = []
    for recipe, count in [(plain, 1), *((get_recipe(name), draws) for name in names)]:
        augmentation = build_augmentation(recipe, processor)
        rows += [draw_sheet(augmentation(frames) * std + mean, None, [], recipe.name) for _ in range(count)]
    return stack(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--draws", type=int, default=2, help="rows of each recipe")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("augmentations.png"))
    args = parser.parse_args()
    draw(args.video, args.recipes, args.draws, args.frames, args.seed).save(args.output)
    print(args.output)
