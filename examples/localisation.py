"""Does WhereWhen know where and when?   python examples/localisation.py

Clips are noise. One random cell of a few frames has the texture of a class, and the audio of the same time has a tone
in its band. A tiny WhereWhen learns to tell four classes; its training labels do not tell where to look. The script
measures on new clips: the accuracy with both audio and frames, and with either alone; how often the highest cell is
the right one in frames with a texture, and the highest moment is one of those frames; and how the accuracy falls when
the highest cell of each frame is replaced by noise, compared with a random cell.
"""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import set_seed

from holovid import WhereWhenConfig, WhereWhenForVideoClassification

CLASSES, FRAMES, SIDE, CELL, BINS, STEPS = 4, 8, 32, 8, 16, 16
GRID = SIDE // CELL
NOISE, TEXTURE, TONE = 0.5, 1.5, 1.5
ROWS_A_STEP = BAND = 4  # rows of the spectrogram in a step of sound; bins of a class
LAYERS = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 128}
GOALS = {"accuracy": 0.98, "where": 0.95, "when_visual": 0.9, "when_audio": 0.9}


@dataclass
class World:
    """Clips whose truth is known: `cell` (B,) and `moments` (B, T), bool, of the texture and of the tone."""

    inputs: dict[str, Tensor]
    labels: Tensor
    cell: Tensor
    moments: Tensor


def draw_world(clips: int, textures: Tensor, generator: torch.Generator) -> World:
    """Noise with the textures (classes, 3, CELL, CELL) of random classes in it, and their tones."""

    def integers(low: int, high: Tensor | int) -> Tensor:
        return (low + torch.rand(clips, generator=generator) * (high - low)).long()

    labels, cell, length = integers(0, CLASSES), integers(0, GRID**2), integers(2, 4)
    start = integers(0, FRAMES - length + 1)
    frame = torch.arange(FRAMES)
    moments = (frame >= start[:, None]) & (frame < (start + length)[:, None])
    pixels = NOISE * torch.randn(clips, FRAMES, 3, SIDE, SIDE, generator=generator)
    sound = NOISE * torch.randn(clips, STEPS * ROWS_A_STEP, BINS, generator=generator)
    for clip in range(clips):
        row, column = (CELL * place for place in divmod(int(cell[clip]), GRID))
        pixels[clip, moments[clip], :, row : row + CELL, column : column + CELL] += textures[labels[clip]]
        band = BAND * int(labels[clip])
        sound[clip, moments[clip].repeat_interleave(STEPS * ROWS_A_STEP // FRAMES), band : band + BAND] += TONE
    return World({"pixel_values_videos": pixels, "input_values": sound}, labels, cell, moments)


def build() -> WhereWhenForVideoClassification:
    """A model whose patches start as themselves: with ViT's own small weights they read little of one another."""
    encoder = LAYERS | {"initializer_range": 0.1}
    visual = {"model_type": "vit", "image_size": SIDE, "patch_size": CELL, **LAYERS}
    audio = {
        "model_type": "audio-spectrogram-transformer", "max_length": STEPS * ROWS_A_STEP, "num_mel_bins": BINS,
        "patch_size": ROWS_A_STEP, "time_stride": ROWS_A_STEP, "frequency_stride": BAND, **encoder,
    }  # fmt: skip
    config = WhereWhenConfig(
        visual_config=visual, audio_config=audio, num_frames=FRAMES, num_labels=CLASSES, initializer_range=0.1,
        **LAYERS,
    )  # fmt: skip
    return with_drawn_positions(WhereWhenForVideoClassification(config))


def with_drawn_positions(model: WhereWhenForVideoClassification) -> WhereWhenForVideoClassification:
    """The same: a new AST starts with positions of zero, and which band a patch is of, it then finds out slowly."""
    embeddings = model.get_submodule("where_when.audio_encoder.model.embeddings")
    torch.nn.init.normal_(embeddings.get_parameter("position_embeddings"), std=0.5)
    return model


def hits(peaks: Tensor, truth: Tensor) -> float:
    return truth.gather(1, peaks[:, None]).float().mean().item()


@torch.no_grad()
def measure(model: WhereWhenForVideoClassification, world: World, generator: torch.Generator) -> dict[str, float]:
    model.eval()
    outputs = model(**world.inputs, output_maps=True)

    def right(**given: Tensor) -> float:
        return (model(**world.inputs | given).logits.argmax(dim=1) == world.labels).float().mean().item()

    clips = len(world.labels)
    found = {
        "accuracy": right(),
        "seen alone": right(audio_mask=torch.zeros(clips, dtype=torch.bool)),
        "heard alone": right(visual_mask=torch.zeros(clips, dtype=torch.bool)),
    }
    cells = outputs.where.flatten(2).argmax(dim=2)
    found["where"] = (cells == world.cell[:, None])[world.moments].float().mean().item()
    found["when_visual"] = hits(outputs.when_visual.argmax(dim=1), world.moments)
    found["when_audio"] = hits(outputs.when_audio.argmax(dim=1), world.moments.repeat_interleave(2, dim=1))
    silent = torch.zeros(clips, dtype=torch.bool)
    at_random = torch.randint(GRID**2, cells.shape, generator=generator)
    for name, deleted in (("without the highest cell", cells), ("without a random cell", at_random)):
        mask = torch.nn.functional.one_hot(deleted, GRID**2).bool().view(clips, FRAMES, 1, GRID, GRID)
        mask = mask.repeat_interleave(CELL, dim=3).repeat_interleave(CELL, dim=4)
        pixels = world.inputs["pixel_values_videos"]
        noise = NOISE * torch.randn(pixels.shape, generator=generator)
        found[name] = right(pixel_values_videos=torch.where(mask, noise, pixels), audio_mask=silent)
    return found


def localise(seed: int, steps: int = 200, clips: int = 400) -> dict[str, float]:
    """Train one model for so many batches of 32 new clips, and measure it on `clips` others."""
    set_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    textures = TEXTURE * torch.randn(CLASSES, 3, CELL, CELL, generator=generator)
    model = build().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(steps):
        world = draw_world(32, textures, generator)
        optimizer.zero_grad()
        model(**world.inputs, labels=world.labels).loss.backward()
        optimizer.step()
    return measure(model, draw_world(clips, textures, generator), generator)


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args(arguments)
    started = time.perf_counter()
    rows = [localise(seed, args.steps) for seed in range(args.seeds)]
    print("| | " + " | ".join(f"seed {seed}" for seed in range(args.seeds)) + " | wanted |")
    print("|---|" + "---:|" * (args.seeds + 1))
    for name in rows[0]:
        wanted = f">= {GOALS[name]}" if name in GOALS else ""
        print(f"| {name} | " + " | ".join(f"{row[name]:.3f}" for row in rows) + f" | {wanted} |")
    print(f"{time.perf_counter() - started:.0f} s")
    reached = all(row[name] >= goal for row in rows for name, goal in GOALS.items())
    deletes = all(row["without the highest cell"] < row["without a random cell"] - 0.1 for row in rows)
    print("All goals are reached." if reached and deletes else "NOT all goals are reached.")
    return 0 if reached and deletes else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
