"""How fast is a video read, beside other readers?   python examples/benchmark/decoders.py --clips clips/*.mp4

From a file to 8 frames spread over all of it, a uint8 tensor (T, C, H, W): by holovid's reader, which is the default
of all processors here, by torchcodec (which counts frames by going over the file, as holovid does, or believes the
header) and by decord2. Readers take turns, each with one thread, as in a worker of a `DataLoader`. Each round opens
the file anew. Without `--clips`, ten clips are rendered. torchcodec needs FFmpeg on the machine, decord2 `pip install
decord2`; what is not there is not run, and the table says so.
"""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from decoding import render
from limit import spread, stopwatch
from reporting import parse, progress, report
from torch import Tensor

from holovid.processing.torchcodec_decoding import check_torchcodec
from holovid.processing.video_decoding import open_video

FRAMES = 8
OURS = "holovid"
RENDERED = {  # seconds, (height, width) -> how many
    (10, (256, 340)): 3, (8, (480, 640)): 2, (5, (720, 1280)): 1, (2, (112, 112)): 2, (20, (270, 480)): 2,
}  # fmt: skip
Reader = Callable[[str], Tensor]


def spread_over(count: int) -> list[int]:
    """Numbers of `FRAMES` frames, from the first to the last of `count`."""
    return np.linspace(0, count - 1, FRAMES).round().astype(int).tolist()


def by_holovid(path: str) -> Tensor:
    with open_video(path) as video:
        return video.frames(spread_over(len(video)))[0]


def torchcodec_reader(seek_mode: str) -> Reader:
    """Raises `ImportError` or `ValueError` where it does not work."""
    from torchcodec.decoders import VideoDecoder

    check_torchcodec()

    def read(path: str) -> Tensor:
        decoder = VideoDecoder(path, num_ffmpeg_threads=1, seek_mode=seek_mode)
        return decoder.get_frames_at(spread_over(len(decoder))).data

    return read


def decord_reader() -> Reader:
    """Raises `ImportError` where decord2 is not installed."""
    from decord import VideoReader, cpu

    def read(path: str) -> Tensor:
        video = VideoReader(path, ctx=cpu(0), num_threads=1)
        return torch.from_numpy(video.get_batch(spread_over(len(video))).asnumpy()).permute(0, 3, 1, 2)

    return read


OTHERS: dict[str, Callable[[], Reader]] = {
    "torchcodec, exact": lambda: torchcodec_reader("exact"),
    "torchcodec, approximate": lambda: torchcodec_reader("approximate"),
    "decord2": decord_reader,
}


def readers() -> tuple[dict[str, Reader], dict[str, str]]:
    """Those that work here, ours first, and why the others do not."""
    found: dict[str, Reader] = {OURS: by_holovid}
    missing: dict[str, str] = {}
    for name, make in OTHERS.items():
        try:
            found[name] = make()
        except (ImportError, ValueError, RuntimeError) as error:
            missing[name] = str(error).splitlines()[0]
    return found, missing


def measure(path: Path, found: dict[str, Reader], repeat: int) -> dict[str, Any]:
    """A row: `seconds` of each reader in turns; `equal`, whose frames are ours; `failed`, why one reads nothing."""
    frames: dict[str, Tensor] = {}
    failed: dict[str, str] = {}
    for name, read in found.items():
        try:
            frames[name] = read(str(path))
        except Exception as error:  # each reader raises what it likes
            failed[name] = str(error).splitlines()[0]
    seconds: dict[str, list[float]] = {name: [] for name in frames}
    for _ in range(repeat):
        for name in frames:
            seconds[name].append(stopwatch(lambda name=name: found[name](str(path))))
    height, width = frames[OURS].shape[-2:]
    fastest = [min(taken[index] for taken in seconds.values()) for index in range(repeat)]
    return {
        "clip": path.name, "height": height, "width": width, "seconds": seconds, "failed": failed,
        "equal": [name for name in frames if frames[name].shape == frames[OURS].shape
                  and torch.equal(frames[name], frames[OURS])],
        "of_the_fastest": [best / own for best, own in zip(fastest, seconds[OURS], strict=True)],
    }  # fmt: skip


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row of all clips: of each clip the median of its rounds."""
    return {"clip": "all", "of_the_fastest": [statistics.median(row["of_the_fastest"]) for row in rows]}


def told(row: dict[str, Any], name: str) -> str:
    """A reader's time over ours, and whether its frames are others."""
    if name in row["failed"]:
        return "cannot read it"
    ratios = [theirs / own for theirs, own in zip(row["seconds"][name], row["seconds"][OURS], strict=True)]
    return spread(ratios) + ("" if name in row["equal"] else ", other frames")


def main(argv: list[str] | None = None) -> None:
    args = parse(__doc__, argv, clips={"type": Path, "nargs": "*", "default": [], "help": "video files"})
    torch.set_num_threads(1)
    found, missing = readers()
    with tempfile.TemporaryDirectory() as folder:
        paths: list[Path] = args.clips
        if not paths:
            kinds = [(kind, number) for kind, count in RENDERED.items() for number in range(count)]
            paths = [
                render(Path(folder, f"{width}x{height}, {seconds} s, {number}.mp4"), seconds, (height, width), number)
                for (seconds, (height, width)), number in progress(kinds[-3:-2] if args.quick else kinds, "Rendering")
            ]
        rows = [measure(path, found, max(args.repeat, 2)) for path in progress(paths, "Reading")]
    cells = [
        [row["clip"], f"{row['width']} x {row['height']}", *(told(row, name) for name in list(found)[1:]),
         *("" for _ in missing), spread(row["of_the_fastest"])]
        for row in rows
    ]  # fmt: skip
    rows.append(summary(rows))
    blank = ["" for _ in found][1:]
    cells.append(
        ["all", "", *blank, *(f"not run: {why}" for why in missing.values()), spread(rows[-1]["of_the_fastest"])]
    )
    args.clips = [path.name for path in args.clips]
    headings = ["clip", "pixels", *(f"time of {name}, over ours" for name in (*list(found)[1:], *missing)),
                "our rate over the fastest"]  # fmt: skip
    report("decoders", __doc__, args, rows, headings, cells)


if __name__ == "__main__":
    main()
