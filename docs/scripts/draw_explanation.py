"""The picture of an explanation in README and docs/explanations.md:   python docs/scripts/draw_explanation.py

Trains the WhereWhen of examples/explanations.py, which takes some minutes, and explains the first validation clip that
it labels correctly with a high score. --model and --clip keep both, for `holovid explain` or draw_app.py.
"""

import shutil
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))
import explanations  # noqa: E402

from holovid import HolovidProcessor  # noqa: E402
from holovid.data.synthetic import ClipSet, render_clips  # noqa: E402
from holovid.inference.explained_clip import explain_clip  # noqa: E402
from holovid.inference.explanation_files import write_explanation  # noqa: E402

SURE = 0.9  # the probability of the answer in the picture


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "explanation.png")
    parser.add_argument("--clips", type=int, default=1200, help="to train on")
    parser.add_argument("--model", type=Path, help="a folder to save the model and its processor in")
    parser.add_argument("--clip", type=Path, help="a file to save the clip in that was explained")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rendered = ClipSet(
            train=args.clips, val=12, shapes=explanations.CLASSES, size=explanations.SIZE,
            seconds=explanations.SECONDS, frame_rate=8, sounds=explanations.SOUNDS, events=True,
            pictures=explanations.draw_pictures(Path(folder, "pictures")),
        )  # fmt: skip
        clips = render_clips(Path(folder, "clips"), rendered)
        model = explanations.trained(explanations.STUDENTS[0], explanations.decoded(clips)["train"], seed=0)
        processor = HolovidProcessor.for_model(model)
        if args.model is not None:
            model.save_pretrained(args.model)
            processor.save_pretrained(args.model)
        for clip in sorted((clips / "val").rglob("*.mp4")):
            explained = explain_clip(model, processor.video_processor, clip)
            if explained.label == clip.parent.name and explained.score > SURE:
                write_explanation(explained, args.output)
                if args.clip is not None:
                    shutil.copyfile(clip, args.clip)
                print(f"{args.output}: {explained.label}, {explained.reason.sentence}")
                return
        raise SystemExit(f"the model is right and sure ({SURE}) of no clip; train it on more of them")


if __name__ == "__main__":
    main()
