"""Headers that promise more than there is, or than anybody can hold: refused in a sentence, before memory is taken."""

import struct
import zlib
from pathlib import Path

from corpus.cases import Case, gives, gives_or_refuses, refused
from corpus.media_answers import process, see
from corpus.rendering import edited, image, render

HUGE = [(16_000, 16_000), (65_535, 65_535), (30_000, 30_000), (65_535, 9_000)]  # width, height


def gif(width: int, height: int, frames: int = 1) -> bytes:
    content = image("GIF", frames, mode="L")
    return edited(content, 6, struct.pack("<HH", width, height))


def png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    data = zlib.compress(bytes(1000))
    body = b"IDAT" + data
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body)) + b"\0\0\0\0IEND\xaeB`\x82"
    )  # fmt: skip


def bmp(width: int, height: int) -> bytes:
    return edited(image("BMP"), 18, struct.pack("<ii", width, height))


def y4m(width: int, height: int) -> bytes:
    return f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\nFRAME\n".encode() + bytes(5000)


def jpeg(width: int, height: int) -> bytes:
    return edited(image("JPEG"), b"\xff\xc0", struct.pack(">HH", height, width), offset=5)


def avi(width: int, height: int) -> bytes:
    return edited(render(codec="mjpeg", container="avi", pixel_format="yuvj420p"), b"strf", struct.pack("<ii", width, height), offset=12)  # fmt: skip


def raw_avi(width: int, height: int) -> bytes:
    content = render(codec="huffyuv", container="avi", pixel_format="yuv422p")
    return edited(content, b"strf", struct.pack("<ii", width, height), offset=12)


def mp4(width: int, height: int) -> bytes:
    content = render(codec="png", container="mov", pixel_format="rgb24")
    return edited(content, b"png ", struct.pack(">HH", width, height), offset=28)


def ivf(width: int, height: int) -> bytes:
    return edited(render(codec="libvpx", container="ivf"), 12, struct.pack("<HH", width, height))


def qoi(width: int, height: int) -> bytes:
    return b"qoif" + struct.pack(">II", width, height) + b"\3\0" + bytes(100)


def tga(width: int, height: int) -> bytes:
    return bytes([0, 0, 10]) + bytes(9) + struct.pack("<HHBB", width, height, 24, 0) + b"\xff\1\2\3" * 200


def sheet(kind: str, width: int, height: int) -> bytes:
    """A real picture of one grey, which is small as a file."""
    return image(kind, size=(height, width), mode="L")


def claims() -> list[Case]:
    cases = []
    for make in (gif, png, bmp, y4m, jpeg, qoi, tga):
        for width, height in HUGE:
            if make is tga and max(width, height) > 65_535:
                continue
            content = lambda folder, make=make, size=(width, height): make(*size)  # noqa: E731
            name = f"{make.__name__} that says {width} x {height}"
            cases.append(Case(name, content, see, refused(), memory=300))
            if width == HUGE[0][0]:
                cases.append(Case(f"{name}, for a model", content, process, refused(), memory=300))
    for make in (avi, raw_avi, mp4, ivf):
        for width, height in HUGE[:2]:
            content = lambda folder, make=make, size=(width, height): make(*size)  # noqa: E731
            # where the pictures say how large they are, what the container says does not count
            cases.append(
                Case(f"{make.__name__} that says {width} x {height}", content, see, gives_or_refuses(), memory=300)
            )
    for width, height in ((0, 0), (0, 48), (-1, 48), (64, -48), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1)):
        for make in (bmp, y4m, png):
            if make is png and min(width, height) < 0:
                continue
            content = lambda folder, make=make, size=(width, height): make(*size)  # noqa: E731
            right = gives_or_refuses() if (make, height) == (bmp, -48) else refused()  # its rows go from top to bottom
            cases.append(Case(f"{make.__name__} that says {width} x {height}", content, see, right, memory=300))
    return cases


def long_and_thin() -> list[Case]:
    """Frames that resizing would make endless: their short side becomes 32, and their long one with it."""
    cases = []
    for width, height in ((100_000, 1), (1, 60_000), (20_000, 2), (16_384, 1)):
        if max(width, height) > 65_535:
            continue
        for kind in ("PNG", "TIFF"):
            content = lambda folder, kind=kind, size=(width, height): sheet(kind, *size)  # noqa: E731
            cases.append(
                Case(f"a {kind} of {width} x {height} pixels for a model", content, process, refused(), memory=300)
            )
    thin = lambda folder: render(codec="ffv1", container="matroska", pixel_format="bgr0", size=(1, 3000), frames=2)  # noqa: E731
    cases.append(
        Case(
            "frames of 3000 x 1 for a model",
            thin,
            process,
            gives_or_refuses(lambda shape: shape == (1, 4, 3, 32, 32)),
            memory=300,
        )
    )
    large = lambda folder: render(size=(1080, 1920), frames=12)  # noqa: E731
    cases.append(Case("frames of 1920 x 1080, four of them", large, process, gives((1, 4, 3, 32, 32)), memory=250))
    many = {"num_frames": 64, "num_views": 2}
    cases.append(Case(
        "frames of 1920 x 1080, 128 of them", lambda folder: render(size=(1080, 1920), frames=40, options={"preset": "ultrafast"}),
        lambda source: process(source, **many), gives((1, 2, 64, 3, 32, 32)), memory=300,
    ))  # fmt: skip
    return cases


def counts() -> list[Case]:
    """Numbers of frames, times and lengths that are lies."""
    cases = []
    whole = render
    for name, place, new in (
        ("a duration of 2**32", b"mdhd", b"\xff\xff\xff\xff"),
        ("a time scale of 0", b"mdhd", None),
        ("a duration of 0", b"mdhd", b"\0\0\0\0"),
    ):
        offset = 20 if new is not None else 16
        content = lambda folder, place=place, new=new, offset=offset: edited(whole(), place, new or bytes(4), offset)  # noqa: E731
        cases.append(Case(f"an mp4 with {name}", content, see, gives_or_refuses()))
    for table in (b"stts", b"stsz", b"stsc", b"stco", b"stss", b"ctts", b"elst"):
        for count in (0, 10**6, 10**7, 2**32 - 1):
            if (table, count) == (b"stts", 2**32 - 1):  # FFmpeg asks for 32 GiB, and never uses them
                continue
            content = lambda folder, table=table, count=count: edited(whole(), table, struct.pack(">I", count), 8)  # noqa: E731
            cases.append(
                Case(f"an mp4 whose {table.decode()} counts {count}", content, see, gives_or_refuses(), memory=300)
            )
    for box in (b"moov", b"trak", b"stbl", b"mdat", b"ftyp"):
        for size in (0, 1, 7, 2**31):
            content = lambda folder, box=box, size=size: edited(whole(), box, struct.pack(">I", size), -4)  # noqa: E731
            cases.append(
                Case(f"an mp4 whose {box.decode()} has {size} bytes", content, see, gives_or_refuses(), memory=300)
            )
    return cases


def packed(folder: Path) -> bytes:
    """A picture of 400 million pixels in half a megabyte."""
    width, height = 20_000, 20_000
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 1) * height))
    parts = [head, b"IDAT" + rows, b"IEND"]
    chunks = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


CASES = [
    *claims(),
    *long_and_thin(),
    *counts(),
    Case("a picture that unpacks to 400 million pixels", packed, see, refused(), memory=300),
    Case("a picture that unpacks to 400 million pixels, for a model", packed, process, refused(), memory=300),
    Case(
        "a GIF that says 16000 x 16000, of 40 frames",
        lambda folder: gif(16_000, 16_000, 40),
        see,
        refused(),
        memory=300,
    ),
]
