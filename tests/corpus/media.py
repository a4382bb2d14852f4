"""Files of video: whole ones of all kinds, and all the ways to hand one over. Damaged, hostile and other: see below."""

import io
import os
import random
import socket
from fractions import Fraction
from pathlib import Path

from corpus import media_damaged, media_hostile, media_sizes, media_sounds, media_times
from corpus.cases import Case, gives, gives_or_refuses, refused
from corpus.media_answers import process, see, shows
from corpus.rendering import GREYS, RATE, SIZE, cut, grey, image, render

# codec, container, suffix, colours: what cameras, phones, browsers and archives write
COMMON = [
    ("libx264", "mp4", "mp4", "yuv420p"),
    ("libx264", "mov", "mov", "yuv420p"),
    ("libx264", "matroska", "mkv", "yuv420p"),
    ("libx264", "mpegts", "ts", "yuv420p"),
    ("libx264", "mpegts", "MTS", "yuv420p"),
    ("libx264", "mpegts", "m2ts", "yuv420p"),
    ("libx264", "avi", "avi", "yuv420p"),
    ("libx264", "flv", "flv", "yuv420p"),
    ("libx264", "f4v", "f4v", "yuv420p"),
    ("libx264", "3gp", "3gp", "yuv420p"),
    ("libx264", "3g2", "3g2", "yuv420p"),
    ("libx265", "mp4", "mp4", "yuv420p"),
    ("libsvtav1", "mp4", "mp4", "yuv420p"),
    ("libvpx", "webm", "webm", "yuv420p"),
    ("libvpx-vp9", "webm", "webm", "yuv420p"),
    ("mpeg4", "avi", "avi", "yuv420p"),
    ("mjpeg", "avi", "avi", "yuvj420p"),
    ("huffyuv", "avi", "avi", "yuv422p"),
    ("wmv2", "asf", "wmv", "yuv420p"),
    ("wmv2", "asf", "asf", "yuv420p"),
    ("gif", "gif", "gif", "rgb8"),
    ("prores_ks", "mov", "mov", "yuv422p10le"),
    ("png", "mov", "mov", "rgba"),
    ("qtrle", "mov", "mov", "rgb24"),
    ("ffv1", "matroska", "mkv", "yuv444p16le"),
    ("ffv1", "matroska", "mkv", "yuva420p"),
    ("libx264", "mp4", "mp4", "yuv444p"),
    ("libx264rgb", "mp4", "mp4", "rgb24"),
]
RARE = [
    ("libx264", "nut", "nut", "yuv420p"),
    ("libvpx", "ivf", "ivf", "yuv420p"),
    ("wrapped_avframe", "yuv4mpegpipe", "y4m", "yuv420p"),
    ("rv20", "rm", "rm", "yuv420p"),
    ("apng", "apng", "png", "rgb24"),
    ("libwebp_anim", "webp", "webp", "yuv420p"),
    ("libx264", "h264", "h264", "yuv420p"),
    ("mjpeg", "mpjpeg", "mjpg", "yuvj420p"),
    ("libx264", "ismv", "ismv", "yuv420p"),
]
MPEG = [("mpeg2video", "mpeg", "mpg"), ("mpeg2video", "vob", "vob"), ("mpeg2video", "mpeg2video", "m2v")]


def written(content, name: str):
    """A maker: a file of what `content()` gives."""

    def make(folder: Path) -> str:
        (folder / name).write_bytes(content())
        return str(folder / name)

    return make


def given(content):
    """A maker: the bytes themselves."""
    return lambda folder: content()


def whole_files() -> list[Case]:
    cases = []
    for kinds, expect in ((COMMON, gives), (RARE, gives_or_refuses)):
        for codec, container, suffix, colours in kinds:

            def content(codec=codec, container=container, colours=colours) -> bytes:
                return render(codec=codec, container=container, pixel_format=colours)

            right = expect(shows(*GREYS, size=SIZE))
            if container == "webp":
                right = gives_or_refuses(lambda seen: len(seen.greys) == len(GREYS))
            name = f"{codec} in {container}, {colours}, .{suffix}"
            cases.append(Case(f"{name}, a path", written(content, f"clip.{suffix}"), see, right))
            if len(cases) % 3 == 0:
                cases.append(Case(f"{name}, bytes", given(content), see, right))
    for codec, container, suffix in MPEG:

        def content(codec=codec, container=container) -> bytes:
            return render(codec=codec, container=container, rate=25, frames=20, colour=lambda index: 100)

        right = gives(lambda seen: len(seen.greys) == 20 and abs(seen.greys[10] - 100) < 8)
        cases.append(Case(f"{codec} in {container}, a path", written(content, f"clip.{suffix}"), see, right))
    return cases


def odd_files() -> list[Case]:
    """Whole, but of sizes, colours, rates and names that are not usual."""
    cases = []
    for height, width in [(1, 1), (3, 5), (1, 300), (300, 1), (17, 16), (2, 2), (1, 2), (7, 1000)]:

        def content(size=(height, width)) -> bytes:
            return render(codec="png", container="mov", pixel_format="rgb24", size=size)

        name = f"{width} x {height} pixels"
        cases.append(Case(name, given(content), see, gives(shows(*GREYS, size=(height, width)))))
        if max(height, width) < 100:
            cases.append(Case(f"{name}, as a model takes it", given(content), process, gives((1, 4, 3, 32, 32))))
    for suffix in ("txt", "jpg", "mp3", "mkv", "py", "", "mp4.part", "MP4"):
        make = written(render, f"clip.{suffix}" if suffix else "clip")
        cases.append(Case(f"an mp4 called clip.{suffix}", make, see, gives(shows(*GREYS))))
    for name in (
        "a clip.mp4", "clip%d.mp4", "clip%03d.mp4", "concat:clip.mp4", "file:clip.mp4", "-i.mp4", "клип.mp4", "[a].mp4",
        "pipe:0", "clip.mp4|clip.mp4", "*.mp4", "data:,x.mp4", "rtmp.mp4", "subfile,,start,0,end,9,,:clip.mp4", "a\nb.mp4",
    ):  # fmt: skip
        cases.append(Case(f"a file whose name is {name!r}", written(render, name), see, gives(shows(*GREYS))))
    for frames in (1, 2):

        def short(frames=frames) -> bytes:
            return render(frames=frames)

        cases.append(Case(f"{frames} frames", given(short), see, gives(shows(*GREYS[:frames]))))
        cases.append(Case(f"{frames} frames for a model of 4", given(short), process, gives((1, 4, 3, 32, 32))))
    for rate in ("1/7", "1", "24000/1001", "240", "1000"):

        def paced(rate=rate) -> bytes:
            return render(rate=Fraction(rate))

        right = float(Fraction(rate))
        cases.append(Case(f"{rate} frames a second", given(paced), see, gives(shows(*GREYS, rate=right))))
    return cases


def ways_to_hand_over() -> list[Case]:
    def opened(folder: Path):
        return open(written(render, "clip.mp4")(folder), "rb")

    def read_to_the_end(folder: Path):
        file = opened(folder)
        file.read()
        return file

    def closed(folder: Path):
        file = opened(folder)
        file.close()
        return file

    def closed_memory(folder: Path):
        file = io.BytesIO(render())
        file.close()
        return file

    def without_seeking(folder: Path):
        reading, writing = os.pipe()
        os.write(writing, render())
        os.close(writing)
        return open(reading, "rb")

    def url(folder: Path):
        return Path(written(render, "a clip.mp4")(folder)).as_uri()

    def link(folder: Path):
        written(render, "clip.mp4")(folder)
        (folder / "link.mp4").symlink_to("clip.mp4")
        return folder / "link.mp4"

    whole = gives(shows(*GREYS))
    path = written(render, "clip.mp4")
    return [
        Case("bytes", given(render), see, whole),
        Case("a bytearray", lambda folder: bytearray(render()), see, whole),
        Case("a memoryview", lambda folder: memoryview(render()), see, whole),
        Case("a memoryview of every second byte", lambda folder: memoryview(render())[::2], see, refused()),
        Case("a file in memory", lambda folder: io.BytesIO(render()), see, whole),
        Case("an open file", opened, see, whole),
        Case("an open file that was read", read_to_the_end, see, whole),
        Case("a pipe that cannot seek", without_seeking, process, gives((1, 4, 3, 32, 32))),
        Case("a Path", lambda folder: Path(path(folder)), see, whole),
        Case("a path of bytes is a file of few bytes", lambda folder: path(folder).encode(), see, refused()),
        Case("a file URL", url, see, whole),
        Case("a symbolic link", link, see, whole),
        Case("a relative path", lambda folder: Path(path(folder)).name, see, whole),
        Case("a dict of a path", lambda folder: {"path": path(folder), "bytes": None}, see, whole),
        Case("a dict of bytes", lambda folder: {"path": None, "bytes": render()}, see, whole),
        Case("a dict of a name and bytes", lambda folder: {"path": "x.mp4", "bytes": render()}, see, whole),
        Case("a dict of nothing", lambda folder: {"path": None, "bytes": None}, see, refused()),
        Case("a dict without bytes", lambda folder: {"path": path(folder)}, see, gives_or_refuses(shows(*GREYS))),
        Case("a dict without a path", lambda folder: {"bytes": render()}, see, gives_or_refuses(shows(*GREYS))),
        Case("a dict of a wrong type", lambda folder: {"path": 7, "bytes": None}, see, refused()),
        Case("a dict with a key too many", lambda folder: {"path": "", "bytes": None, "x": 1}, see, refused("x")),
        Case("an empty dict", lambda folder: {}, see, refused()),
        Case("a closed file", closed, see, refused("closed")),
        Case("a closed file in memory", closed_memory, see, refused("closed")),
        Case("a file open as text", lambda folder: open(path(folder)), see, refused("text")),
        Case("text in memory", lambda folder: io.StringIO("moov"), see, refused("text")),
        Case("an open file of writing", lambda folder: open(folder / "new.mp4", "wb"), see, refused()),
        Case("no bytes", given(bytes), see, refused()),
        Case("an empty file", written(bytes, "clip.mp4"), see, refused()),
        Case("one byte", given(lambda: b"\0"), see, refused()),
        Case("a path of nothing", lambda folder: str(folder / "absent.mp4"), see, refused("absent.mp4")),
        Case("an empty path", lambda folder: "", see, refused()),
        Case("a folder", str, see, refused()),
        Case("a number", lambda folder: 7, see, refused()),
        Case("None", lambda folder: None, see, refused()),
        Case("a path with a zero byte", lambda folder: "clip\0.mp4", see, refused()),
        Case("a path that is too long", lambda folder: "x" * 500 + ".mp4", see, refused()),
        Case("a path with half a character", lambda folder: "clip\udc80.mp4", see, refused()),
        Case("a named pipe that nobody writes", named_pipe, see, refused()),
        Case("a named pipe for a model", named_pipe, process, refused()),
        Case("a socket in the file system", named_socket, see, refused(), network=True),
        *[
            Case(f"the device {device}", lambda folder, device=device: device, see, refused(), seconds=8)
            for device in ("/dev/zero", "/dev/null", "/dev/urandom", "/dev/stdin", "/dev/full", "/proc/self/mem")
        ],
        *[
            Case(f"the address {address}", lambda folder, address=address: address, see, refused())
            for address in (
                "ftp://127.0.0.1/clip.mp4", "rtmp://127.0.0.1/clip", "rtsp://127.0.0.1:9/clip", "udp://127.0.0.1:9999",
                "tcp://127.0.0.1:9", "srt://127.0.0.1:9", "data:video/mp4;base64,AAAA", "lavfi:testsrc", "testsrc",
                "concat:secret.mp4", "concat:secret.mp4|secret.mp4", "subfile,,start,0,end,900,,:secret.mp4",
                "cache:secret.mp4", "async:secret.mp4", "crypto:secret.mp4", "file:secret.mp4", "pipe:0", "pipe:", "-",
                "fd:", "md5:out", "tee:out", "http:/x", "https:", "http://", "http://[::1", "http://a b/", "gopher://a",
                "file:///absent.mp4", "file://elsewhere/clip.mp4", "bluray:/tmp", "mmsh://127.0.0.1/x", "hls+http://x/y",
            )
        ],
    ]  # fmt: skip


def named_pipe(folder: Path) -> str:
    os.mkfifo(folder / "clip.mp4")
    return str(folder / "clip.mp4")


def named_socket(folder: Path) -> str:
    socket.socket(socket.AF_UNIX).bind("clip.mp4")
    return str(folder / "clip.mp4")


def pictures() -> list[Case]:
    """A picture is a video of one frame, and somebody is told."""
    cases = []
    one = shows(grey(0))
    for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"):

        def content(kind=kind) -> bytes:
            return image(kind)

        expect = gives(one, "picture") if kind in ("PNG", "JPEG") else gives_or_refuses(one)
        cases.append(Case(f"a {kind} picture, a path", written(content, f"picture.{kind.lower()}"), see, expect))
        cases.append(Case(f"a {kind} picture, bytes", given(content), see, expect))
        cases.append(
            Case(f"half a {kind} picture", given(lambda kind=kind: cut(image(kind), 0.5)), see, gives_or_refuses())
        )
    for mode in ("L", "1", "P", "RGBA", "LA", "I;16"):

        def other(mode=mode) -> bytes:
            return image("PNG", mode=mode if mode != "I;16" else "L")

        cases.append(
            Case(
                f"a PNG picture of mode {mode}", given(other), see, gives_or_refuses(lambda seen: len(seen.greys) == 1)
            )
        )
    cases += [
        Case("an animated WEBP", given(lambda: image("WEBP", 5)), see, gives_or_refuses(shows(*GREYS[:5]))),
        Case("an animated PNG", given(lambda: image("PNG", 5)), see, gives_or_refuses(shows(*GREYS[:5]))),
        Case("an animated GIF", given(lambda: image("GIF", 5, mode="L")), see, gives(shows(*GREYS[:5]))),
        Case("a GIF that never ends", given(lambda: image("GIF", 5, mode="L", loop=0)), see, gives(shows(*GREYS[:5]))),
        Case("a picture for a model", given(lambda: image("PNG")), process, gives((1, 4, 3, 32, 32))),
        Case("an SVG", given(lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>'), see, refused()),
        Case("a PDF", given(lambda: b"%PDF-1.4\n" + bytes(200)), see, refused()),
        Case("a zip", given(lambda: b"PK\3\4" + bytes(200)), see, refused()),
        Case("text", given(lambda: b"This is no video.\n" * 50), see, refused()),
        Case("HTML", given(lambda: b"<!doctype html><html><body>404</body></html>"), see, refused()),
        Case("text of a terminal", given(lambda: b"\x1b[31mred\x1b[0m\r\n" * 99), see, refused()),
        Case("text in a file of video", written(lambda: b"hello " * 99, "clip.mp4"), see, refused()),
        Case("text of a terminal by its name", written(lambda: b"\x1b[2Jx" * 99, "clip.ans"), see, refused()),
        *[
            Case(f"noise {seed}", given(lambda seed=seed: random.Random(seed).randbytes(5000)), see, refused())
            for seed in range(6)
        ],
        *[
            Case(f"noise that is called {name}", written(lambda: random.Random(9).randbytes(9000), name), see, refused())
            for name in ("clip.mp4", "clip.yuv", "clip.h264", "clip.mjpeg", "clip.xbin", "clip.ts", "clip.mpg", "clip.tga")
        ],
    ]  # fmt: skip
    return cases


CASES = [
    *whole_files(),
    *odd_files(),
    *ways_to_hand_over(),
    *pictures(),
    *media_hostile.CASES,
    *media_sizes.CASES,
    *media_damaged.CASES,
    *media_times.CASES,
    *media_sounds.CASES,
]
assert RATE == 10  # the times that cases state
