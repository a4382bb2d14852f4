"""What does a stream cost XViT and AVT, a frame?   python examples/benchmark/streaming.py

Seconds of `XViTStream` for a frame, times T, over those of the model for a clip of T frames: 1.00 where a frame of a
stream costs what one of a clip does, T where the whole clip is computed anew after each frame. Both of one batch row,
in turns, so that each ratio is of neighbours in time. A model that mixes from the past is fed single frames; one with
groups a group at a time, as it computes nothing before that is complete, and the seconds are shared out. On the CPU
also with weights packed once (`pack_weights`), in the stream and in the model for a clip. The rows `linear layers
alone` say what of it the machine's products make: those of a frame have few rows, and read all weights anew.

The same of `AVTStream`, for one stream and for several at once: while a window of T frames fills, each takes one step
of the decoder with a cache; once it is full, the decoder reads all T features anew. A step of one stream reads all
weights of the decoder from memory, as a whole clip does once. The row `the least` says what that alone makes of the
ratio, from the seconds in which this machine reads so many numbers: 1 + (T - 1) * reading / clip.
"""

import statistics
from collections.abc import Iterator
from typing import Any

import torch
from limit import NO_CUDA, devices, spread, stopwatch
from reporting import parse, progress, report
from subjects import SUBJECTS, make_inputs, make_model, xvit

from holovid import AVTForActionAnticipation, XViTConfig, XViTForVideoClassification, XViTStream
from holovid.allocator import keep_memory
from holovid.modeling.linear import pack_weights
from holovid.modeling.streaming_avt import AVTStream

# name, T, fields of the configuration
STREAMS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("from the past, frame by frame", 8, {"mix_direction": "past"}),
    ("from the past, frame by frame", 16, {"mix_direction": "past"}),
    ("both ways, groups of 8", 16, {"mix_group": 8}),
)
AVT_FILLING, AVT_FULL, AVT_LEAST = "while its window fills", "its window full", "the least while it fills"
AVT_STREAMS = (1, 4)  # at once
PACKED, PRODUCTS = "weights packed", "linear layers alone"
Seconds = dict[str, list[float]]
AT_ONCE = 4  # frames, or groups, whose median is compared with a clip


def rows(device: str, quick: bool = False, repeat: int = 3) -> Iterator[dict[str, Any]]:
    """A row for each kind of stream: seconds of a `clip` and of a `frame`, and `ratios` of T frames to a clip."""
    for name, frames, mixing in progress(STREAMS, "Streams"):
        subject = xvit(frames)
        config = XViTConfig(**subject.settings | mixing | (subject.tiny if quick else {}))
        with torch.device(device):
            model = XViTForVideoClassification(config).eval()
            clip = make_inputs(subject.model_class, config)["pixel_values_videos"]
        yield {"device": device, "mixing": name, "frames": frames, **measure(model, clip, device, repeat)}
        if XViTStream(model).step == 1:
            row = {"device": device, "mixing": f"{name}, {PRODUCTS}", "frames": frames}
            yield row | measure_products(model, frames, device, repeat)
        if device == "cpu":
            pack_weights(model)
            row = {"device": device, "mixing": f"{name}, {PACKED}", "frames": frames}
            yield row | measure(model, clip, device, repeat)
    subject = SUBJECTS["avt"]
    config = subject.make_config(quick)
    with torch.device(device):
        model = make_model(subject, config)
        clip = make_inputs(subject.model_class, config)["pixel_values_videos"]
    for streams in progress(AVT_STREAMS, "Streams of AVT"):
        clips = clip.expand(streams, -1, -1, -1, -1)
        for name, seconds in measure_anticipation(model, clips, device, repeat).items():
            name = f"AVT-b, {streams} at once, {name}"
            yield {"device": device, "mixing": name, "frames": clip.shape[1], **seconds}


def measure(model: XViTForVideoClassification, clip: torch.Tensor, device: str = "cpu", repeat: int = 3) -> Seconds:
    """Seconds of the model for a clip (1, T, C, H, W), of a stream for one of its frames, and T times their ratio."""
    stream = XViTStream(model)
    piece = clip[:, : stream.step]
    seconds: Seconds = {"clip": [], "frame": []}
    with torch.inference_mode():
        for _ in range(max(2, clip.shape[1] // stream.step)):  # until the window is full
            stream(piece)
        model(clip)
        for _ in range(repeat):
            seconds["clip"].append(stopwatch(lambda: model(clip), device))
            pieces = [stopwatch(lambda: stream(piece), device) for _ in range(AT_ONCE)]
            seconds["frame"].append(statistics.median(pieces) / stream.step)
    return with_ratios(seconds, clip.shape[1])


def measure_products(model: XViTForVideoClassification, frames: int, device: str, repeat: int) -> Seconds:
    """The same of the linear layers of all frames, one after another on numbers of their own."""
    layers = [layer for layer in model.xvit.layers.modules() if isinstance(layer, torch.nn.Linear)]
    tokens = model.xvit.embeddings.position_embeddings.shape[1]
    inputs = {
        (rows, width): torch.randn(rows, width, device=device)
        for rows in (tokens, frames * tokens)
        for width in {layer.in_features for layer in layers}
    }

    def run(rows: int) -> None:
        for layer in layers:
            layer(inputs[rows, layer.in_features])

    seconds: Seconds = {"clip": [], "frame": []}
    with torch.inference_mode():
        run(frames * tokens)
        run(tokens)
        for _ in range(repeat):
            seconds["clip"].append(stopwatch(lambda: run(frames * tokens), device))
            seconds["frame"].append(statistics.median(stopwatch(lambda: run(tokens), device) for _ in range(AT_ONCE)))
    return with_ratios(seconds, frames)


def measure_anticipation(
    model: AVTForActionAnticipation, clip: torch.Tensor, device: str = "cpu", repeat: int = 3
) -> dict[str, Seconds]:
    """The same of an AVT, while the window fills, after its first frame, and when it is full; and the least."""
    stream, frames = AVTStream(model), clip.shape[1]
    parts = {AVT_FILLING: range(1, frames), AVT_FULL: range(AT_ONCE)}
    seconds: dict[str, Seconds] = {name: {"clip": [], "frame": []} for name in (*parts, AVT_LEAST)}
    weights = torch.cat([parameter.detach().flatten() for parameter in model.avt.decoder.parameters()])
    with torch.inference_mode():
        model(clip)
        for _ in range(repeat):
            stream.reset()
            stream(clip[:, :1])
            whole = stopwatch(lambda: model(clip), device)
            for name, part in parts.items():
                pieces = [stopwatch(lambda at=at: stream(clip[:, at : at + 1]), device) for at in part]
                seconds[name]["clip"].append(whole)
                seconds[name]["frame"].append(statistics.median(pieces))
            reading = min(stopwatch(weights.sum, device) for _ in range(AT_ONCE))
            seconds[AVT_LEAST]["clip"].append(whole)
            seconds[AVT_LEAST]["frame"].append((whole + (frames - 1) * reading) / frames)
    return {name: with_ratios(each, frames) for name, each in seconds.items()}


def with_ratios(seconds: Seconds, frames: int) -> Seconds:
    """Seconds of a `clip` and of a `frame`, and `ratios` of so many frames to the clip."""
    pairs = zip(seconds["clip"], seconds["frame"], strict=True)
    return seconds | {"ratios": [frames * own / whole for whole, own in pairs]}


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv)
    found = [row for device in devices() for row in rows(device, quick=args.quick, repeat=args.repeat)]
    cells = [[row["device"], row["mixing"], str(row["frames"]), spread(row["ratios"])] for row in found]
    cells += [] if torch.cuda.is_available() else [["cuda", "all of these", "", NO_CUDA]]
    headings = ["device", "mixing, or model", "T", "T frames of the stream over a clip"]
    report("streaming", __doc__, args, found, headings, cells)


if __name__ == "__main__":
    keep_memory()
    main()
