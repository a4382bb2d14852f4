"""How much of recognising an mp4 is reading it?   python examples/benchmark/decoding.py

A clip of 10 seconds, 340x256 pixels at 30 frames a second with AAC sound, as Kinetics is kept: from the file to the
model's input (pictures, and for a model that hears also sound), and from the file to the label, with the pipeline that
users call. One clip at a time, in float32.
"""

import statistics
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from limit import NO_CUDA, devices, spread, stopwatch
from reporting import parse, progress, report
from subjects import SUBJECTS, make_model

from holovid import HolovidProcessor, VideoClassificationPipeline
from holovid.allocator import keep_memory
from holovid.processing.video_decoding import open_video

MODELS = ("xvit-8", "ca2st")
SECONDS, FRAME_RATE, HEIGHT, WIDTH, SAMPLING_RATE = 10, 30, 256, 340, 44_100


def render(path: Path, seconds: int = SECONDS, size: tuple[int, int] = (HEIGHT, WIDTH), seed: int = 0) -> Path:
    """Write an mp4 with what coding and decoding have to work on: two layers of blobs that drift, grain, and noise."""
    random = np.random.default_rng(seed)
    height, width = size
    cells = max(40, -(-max(size) // 16))
    layers = [np.kron(random.integers(0, 200, (cells, cells, 3)), np.ones((16, 16, 1))) for _ in range(2)]
    hidden = np.kron(random.random((cells, cells, 1)) < 0.5, np.ones((16, 16, 1), dtype=bool))
    with av.open(str(path), "w") as file:
        # the encoder's own settings: a key frame every 250, and frames that lean on later ones
        video = file.add_stream("libx264", rate=FRAME_RATE)
        video.height, video.width, video.pix_fmt = height, width, "yuv420p"
        audio = file.add_stream("aac", rate=SAMPLING_RATE, layout="mono")
        for step in range(seconds * FRAME_RATE):
            back, front, mask = (
                np.roll(layer, distance * step, axis)[:height, :width]
                for layer, distance, axis in ((layers[0], 1, 1), (layers[1], 2, 0), (hidden, 2, 0))
            )
            picture = np.where(mask, back, front) + random.normal(20, 4, (height, width, 1))
            frame = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="rgb24")
            file.mux(video.encode(frame))
        file.mux(video.encode())
        sound = random.normal(0, 0.1, (1, seconds * SAMPLING_RATE)).astype(np.float32)
        for start in range(0, sound.shape[1], 1024):
            block = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound[:, start : start + 1024]), format="fltp", layout="mono"
            )
            block.sample_rate, block.pts, block.time_base = SAMPLING_RATE, start, Fraction(1, SAMPLING_RATE)
            file.mux(audio.encode(block))
        file.mux(audio.encode())
    return path


def measure(name: str, clip: Path, device: str = "cpu", quick: bool = False, repeat: int = 3) -> dict[str, Any]:
    """A row: seconds of decoding the pictures, of the way to the model's input, and to the label, taking turns."""
    subject = SUBJECTS[name]
    config = subject.make_config(quick)
    with torch.device(device):
        model = make_model(subject, config)
    processor = HolovidProcessor.for_model(config).video_processor
    classify = VideoClassificationPipeline(model=model, video_processor=processor, device=device)

    def decode() -> None:
        with open_video(str(clip)) as video:
            video.frames(processor.sample_frames(video.metadata))

    stages = {
        "pictures": decode,
        "input": lambda: processor(str(clip), return_tensors="pt"),
        "label": lambda: classify(str(clip)),
    }
    seconds: dict[str, list[float]] = {stage: [] for stage in stages}
    for index in progress(range(repeat + 1), subject.name):
        for stage, call in stages.items():
            taken = stopwatch(call, device)
            if index:  # the first round warms up
                seconds[stage].append(taken)
    pairs = list(zip(*seconds.values(), strict=True))
    return {
        "model": subject.name, "hears": processor.feature_extractor is not None, "device": device, "seconds": seconds,
        "clips_a_second": {stage: 1 / statistics.median(taken) for stage, taken in seconds.items()},
        "pictures_of_input": [pictures / tensor for pictures, tensor, _ in pairs],
        "input_of_label": [tensor / label for _, tensor, label in pairs],
    }  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    with tempfile.TemporaryDirectory() as folder:
        clip = render(Path(folder, "clip.mp4"), 1 if args.quick else SECONDS)
        found = [
            measure(name, clip, device, args.quick, args.repeat + 2)  # reading takes milliseconds, and varies
            for device in devices()
            for name in MODELS
        ]
    cells = [
        [
            f"{row['model']}, {row['device']}",
            "pictures and sound" if row["hears"] else "pictures",
            spread(row["input_of_label"], 3),
            spread(row["pictures_of_input"]),
            f"{row['clips_a_second']['input'] / row['clips_a_second']['label']:.1f}",
        ]
        for row in found
    ]
    cells += [] if torch.cuda.is_available() else [["all, cuda", "", NO_CUDA, "", ""]]
    headings = [
        "model", "reads", "file to input, of file to label", "decoding pictures, of file to input",
        "clips read while one is recognised",
    ]  # fmt: skip
    report("decoding", __doc__, args, found, headings, cells)


if __name__ == "__main__":
    keep_memory()
    main()
