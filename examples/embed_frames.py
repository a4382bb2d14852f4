"""Write the features of frames once, for training without video.

    python examples/embed_frames.py avt-ek100 EPIC_100_train.csv --root videos --output features/train

MODEL is an AVT, whose backbone sees the frames before each action of the table. Any other model with features of
frames sees the clips themselves. `holovid.data.frame_features.FrameFeatures` reads the folder.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from holovid.commands.command_line import run_script


def main(arguments: Sequence[str]) -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder or Hub id of an AVT of frames")
    parser.add_argument("data", help="folder, table or Hub id of labelled clips")
    parser.add_argument("--output", type=Path, required=True, help="folder that is made")
    parser.add_argument("--root", type=Path, help="folder that paths in tables start from")
    parser.add_argument("--split", help="default: the only one; or validation, or else test")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=0, help="processes that decode ahead")
    args = parser.parse_args(arguments)

    import torch

    from holovid.data import ClipDataset
    from holovid.data.frame_features import embed_frames
    from holovid.evaluation.tasks import load_set, task_columns
    from holovid.loading import load_classifier

    model, processor = load_classifier(args.model)
    if torch.accelerator.is_available():
        model = model.to(torch.accelerator.current_accelerator())
    rows = load_set(model, args.data, root=args.root, split=args.split).rows
    columns = list(task_columns(model).values())
    clips = ClipDataset(rows, processor, target=columns[0] if len(columns) == 1 else columns, model=model)
    embed_frames(model, clips, args.output, batch_size=args.batch_size, num_workers=args.workers)
    print(f"{len(clips):,} clips: {args.output}")


if __name__ == "__main__":
    sys.exit(run_script("embed_frames.py", lambda: main(sys.argv[1:]), "the same command begins anew"))
