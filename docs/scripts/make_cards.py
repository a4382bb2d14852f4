"""Three tiny models and their model cards, as they stand in examples/cards.   python docs/scripts/make_cards.py

    xvit-order       the demo's XViT as it is drawn, before any training
    ca2st-hearing    the demo's CA²ST, which a few seconds of training teach a rising tone from a falling one;
                     measured, and shown with a clip
    cast-converted   a CAST in the layout of the released files, with random weights (tests/golden), converted

The command makes the same cards each time: they hold no dates and nothing about the machine. Each lies in a folder of
its name, with the pictures that it shows.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here needs the network

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "examples"))  # the models and the training of the demo

import torch  # noqa: E402
import transformers  # noqa: E402
from playground import CLIP, decode, fine_tune, tiny_ca2st, tiny_xvit  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from holovid import CA2STForVideoClassification, HolovidProcessor, XViTForVideoClassification  # noqa: E402
from holovid.cards import build_card, draw_card_picture, write_card  # noqa: E402
from holovid.convert import convert  # noqa: E402
from holovid.data import load_clips  # noqa: E402
from holovid.evaluation import Protocol, evaluate_clips  # noqa: E402
from holovid.loading import load_classifier  # noqa: E402
from holovid.publishing.card_picture import PICTURE  # noqa: E402
from holovid.records import TRAINING, read_records, write_record  # noqa: E402
from holovid.saving import CARD  # noqa: E402
from holovid.synthetic import ClipSet, render_clips  # noqa: E402

SEED, EPOCHS, BATCH = 0, 8, 16
CLIPS = ClipSet(train=96, val=24, shapes=("disc",), motions=("right", "left"), seed=SEED, **CLIP)
LICENCES = {"xvit-order": "apache-2.0", "ca2st-hearing": "apache-2.0", "cast-converted": "cc-by-nc-4.0"}


def make_order(folder: Path) -> None:
    transformers.set_seed(SEED)
    model = XViTForVideoClassification(tiny_xvit(["grow", "left", "right", "shrink"]))
    model.save_pretrained(folder)
    HolovidProcessor.for_model(model.config).save_pretrained(folder)
    note_training(folder, steps=0)


def make_hearing(folder: Path) -> None:
    """Trained and measured on clips rendered for it."""
    with tempfile.TemporaryDirectory() as place:
        tones = render_clips(Path(place, "tones"), CLIPS, progress=False)
        rows = load_clips(tones, target="sound")
        names = rows["train"].features["sound"].names
        transformers.set_seed(SEED)
        config = tiny_ca2st(["space", "time", "audio"], names)
        processor = HolovidProcessor.for_model(config)
        clips = decode(rows["train"], processor, ["sound"])
        trainer = fine_tune(
            CA2STForVideoClassification(config), clips, None, folder,
            epochs=EPOCHS, batch_size=BATCH, seed=SEED, processor=processor,
        )  # fmt: skip
        trainer.save_model()
        note_training(
            folder,
            recipe="small",
            epochs=EPOCHS,
            steps=trainer.state.global_step,
            total_batch_size=BATCH,
            learning_rate=2e-3,
            data={"name": "tones (synthetic)", "split": "train", "clips": len(clips), "licence": "apache-2.0"},
            hardware="one CPU core",
        )
        evaluate_clips(
            *load_classifier(folder), rows["validation"], target="sound", protocol=Protocol(views=2, crops=3),
            progress=False, output=folder / "evaluation",
            about={"model": folder.name, "dataset": "tones (synthetic)", "split": "validation"},
        )  # fmt: skip
        draw_card_picture(folder, min((tones / "val").rglob("*-rise/*.mp4")), progress=False)


def make_converted(folder: Path) -> None:
    case = json.loads((ROOT / "tests" / "golden" / "ca2st" / "cast_tiny_sharp.json").read_text(encoding="utf-8"))
    tensors = {}
    for name, shape in case["state_dict"].items():  # as the file says in words
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) & 0x7FFFFFFF)
        tensors[name] = torch.randn(shape, generator=generator) * case["fill_scale"]
        tensors[name] += 1.0 if len(shape) == 1 and name.endswith(".weight") else 0.0
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "cast_tiny_sharp.safetensors")
        save_file(tensors, file)
        convert(file, "cast", folder, num_attention_heads=case["config"]["num_heads"])


def note_training(folder: Path, **facts) -> None:
    write_record(TRAINING, folder, {"seed": SEED, **facts})


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "examples" / "cards", help="folder of the cards")
    args = parser.parse_args(argv)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    makers = {"xvit-order": make_order, "ca2st-hearing": make_hearing, "cast-converted": make_converted}
    with tempfile.TemporaryDirectory() as place:
        for name, make in makers.items():
            make(Path(place, name))
            folder, card = Path(place, name), args.output / name / CARD
            write_card(build_card(folder, licence=LICENCES[name]), card)
            for picture in (*read_records(folder).pictures, PICTURE):
                if (folder / picture).is_file():
                    (card.parent / picture).parent.mkdir(exist_ok=True)
                    shutil.copyfile(folder / picture, card.parent / picture)
            print(card)


if __name__ == "__main__":
    main()
