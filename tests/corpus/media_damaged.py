"""Files that were cut, overwritten, joined or changed at random.

Right is a refusal, or frames of which each is the same however it is read, which `see` looks at for all of them.
"""

import base64
import gzip

from corpus.cases import Case, gives, gives_or_refuses, refused
from corpus.media_answers import begins, see, shows
from corpus.rendering import GREYS, cut, edited, flipped, grey, render, zeroed

KINDS = {
    "mp4": {"codec": "libx264", "container": "mp4"},
    "fragmented mp4": {"codec": "libx264", "container": "mp4", "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "mkv": {"codec": "libx264", "container": "matroska"},
    "webm": {"codec": "libvpx", "container": "webm"},
    "ts": {"codec": "libx264", "container": "mpegts"},
    "avi": {"codec": "mpeg4", "container": "avi"},
    "flv": {"codec": "libx264", "container": "flv"},
    "gif": {"codec": "gif", "container": "gif", "pixel_format": "rgb8"},
    "wmv": {"codec": "wmv2", "container": "asf"},
    "lossless mkv": {"codec": "ffv1", "container": "matroska", "pixel_format": "yuv444p"},
}  # fmt: skip
IN_ORDER = {"fragmented mp4", "mkv", "webm", "ts", "avi", "flv", "gif", "lossless mkv"}  # a part of them is a clip
WITH_B_FRAMES = {"codec": "libx264", "container": "matroska", "options": {"bf": "2", "g": "12"}, "frames": 30}


def cases_of_kinds() -> list[Case]:
    cases = []
    for kind, options in KINDS.items():

        def whole(options=options) -> bytes:
            return render(**options)

        for fraction in (0.4, 0.95):
            right = gives_or_refuses(begins(GREYS) if kind in IN_ORDER else lambda seen: True)
            make = lambda folder, whole=whole, fraction=fraction: cut(whole(), fraction)  # noqa: E731
            cases.append(Case(f"the first {fraction:.0%} of {kind}", make, see, right))
        for begin, end in ((0.0, 0.05), (0.3, 0.4), (0.5, 0.9)):
            make = lambda folder, whole=whole, part=(begin, end): zeroed(whole(), *part)  # noqa: E731
            cases.append(Case(f"zeros from {begin:.0%} to {end:.0%} of {kind}", make, see, gives_or_refuses()))
        for seed, count in ((0, 1), (1, 5), (2, 40)):
            make = lambda folder, whole=whole, seed=seed, count=count: flipped(whole(), count, seed)  # noqa: E731
            cases.append(Case(f"{count} bits of {kind} turned over", make, see, gives_or_refuses()))
        make = lambda folder, whole=whole: whole()[100:]  # noqa: E731
        cases.append(Case(f"{kind} without its first 100 bytes", make, see, gives_or_refuses()))
        make = lambda folder, whole=whole: whole() + bytes(5000)  # noqa: E731
        cases.append(Case(f"{kind} with zeros after it", make, see, gives(shows(*GREYS))))
    return cases


def mutants() -> list[Case]:
    """Streams with pictures that lean on one another, changed where the pictures are."""
    cases = []
    for seed in range(12):
        for kind, options in {
            "mkv": WITH_B_FRAMES,
            "mp4": WITH_B_FRAMES | {"container": "mp4"},
            "ts": WITH_B_FRAMES | {"container": "mpegts"},
        }.items():

            def mutant(folder, options=options, seed=seed) -> bytes:
                content = render(
                    size=(64, 96), colour=lambda index: (grey(index), 255 - grey(index), seed * 9), **options
                )
                return flipped(content, 1 + seed % 4, seed, start=len(content) // 4)

            cases.append(Case(f"mutant {seed} of {kind} with B-frames", mutant, see, gives_or_refuses()))
    return cases


def joined() -> list[Case]:
    light = {"colour": lambda index: 200}
    return [
        Case(
            "two recordings of MPEG-TS joined with cat",
            lambda folder: render(container="mpegts") + render(container="mpegts", **light),
            see, gives(shows(*GREYS, *[200] * 12)),
        ),
        Case(
            "a recording of MPEG-TS joined to a later one",
            lambda folder: render(container="mpegts") + render(container="mpegts", container_options={"output_ts_offset": "60"}, **light),
            see, gives(shows(*GREYS, *[200] * 12)),
        ),
        Case(
            "a recording of MPEG-TS joined to an earlier one",
            lambda folder: render(container="mpegts", container_options={"output_ts_offset": "60"}) + render(container="mpegts", **light),
            see, gives(shows(*GREYS, *[200] * 12)),
        ),
        Case("three recordings of MPEG-TS joined", lambda folder: render(container="mpegts") * 3, see, gives(shows(*GREYS * 3))),
        Case("two mp4 joined with cat", lambda folder: render() + render(**light), see, gives(shows(*GREYS))),
        Case("two mkv joined with cat", lambda folder: render(container="matroska") + render(container="matroska", **light), see, gives_or_refuses(lambda seen: len(seen.greys) >= 12)),
        Case("two gif joined with cat", lambda folder: render(**KINDS["gif"]) * 2, see, gives_or_refuses(lambda seen: len(seen.greys) >= 12)),
        Case("an mp4 after a page of HTML", lambda folder: b"<html>" * 99 + render(), see, gives_or_refuses(shows(*GREYS))),
        Case("an mp4 after a mark of Unicode", lambda folder: b"\xef\xbb\xbf" + render(), see, gives_or_refuses(shows(*GREYS))),
        Case("an mp4 without its index", lambda folder: edited(render(), b"moov", b"xxxx"), see, refused()),
        Case("an mp4 without its pictures", lambda folder: edited(render(), b"mdat", b"xxxx"), see, gives_or_refuses()),
        Case("an mp4 of an unknown codec", lambda folder: render().replace(b"avc1", b"zzzz"), see, refused()),
        Case("an mp4 of another codec", lambda folder: render().replace(b"avc1", b"mp4v"), see, gives_or_refuses()),
        Case("an mp4 whose codec is text", lambda folder: render().replace(b"avc1", b"tx3g"), see, gives_or_refuses()),
        Case("an mp4 whose track is of sound", lambda folder: render().replace(b"vide", b"soun"), see, refused()),
        Case("an mp4 with its lines ends changed", lambda folder: render().replace(b"\n", b"\r\n"), see, gives_or_refuses()),
        Case("an mp4 read as text", lambda folder: render().decode("utf-8", "replace").encode(), see, gives_or_refuses()),
        Case("an mp4 twice as base64", lambda folder: base64.b64encode(render()), see, refused()),
        Case("a gzip of an mp4", lambda folder: gzip.compress(render()), see, refused()),
        Case("a pointer of Git LFS", lambda folder: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", see, refused()),
        Case("only sound", lambda folder: render(frames=0, sound_codec="aac", sound_seconds=1.0), see, refused()),
        Case("no frames", lambda folder: render(frames=0), see, refused()),
        Case("no frames, mkv", lambda folder: render(frames=0, container="matroska"), see, refused()),
    ]  # fmt: skip


CASES = [*cases_of_kinds(), *mutants(), *joined()]
