"""When a picture is shown: held pictures, gaps, clocks that jump, edit lists, and parts of a video in seconds."""

import struct
from typing import Any

from corpus.cases import Case, gives, gives_or_refuses, refused
from corpus.media_answers import see, shows
from corpus.rendering import GREYS, edited, grey, render
from holovid import CA2STConfig, HolovidProcessor

SLIDES = [0, 4000, 8000]  # milliseconds at which three slides appear; the last one stays for 4 s
HELD = [*range(0, 990, 33), 990]  # a second of motion, then a picture that stays
CONTAINERS = {"mp4": "libx264", "matroska": "libx264", "webm": "libvpx", "mov": "libx264"}
NOT_A_NUMBER, ENDLESS = float("nan"), float("inf")


def part(content, start: Any, end: Any):
    return lambda folder: {"path": None, "bytes": content(), "start": start, "end": end}


def slides(container: str = "mp4", codec: str = "libx264", **options: Any) -> bytes:
    return render(frames=3, codec=codec, container=container, milliseconds=SLIDES, last=4000, **options)


def parts_of_slides() -> list[Case]:
    cases = []
    for container, codec in CONTAINERS.items():

        def content(container=container, codec=codec) -> bytes:
            return slides(container, codec)

        for start, end, seen in (
            (0, 3, [0]), (4, 6, [1]), (5, 7, [1]), (1, 3, [0]), (9, 11, [2]), (9, None, [2]), (3, 5, [0, 1]),
            (0.5, 11.9, [0, 1, 2]), (None, 4, [0]), (8, None, [2]), (7.999, 8.001, [1, 2]), (11, 12, [2]),
        ):  # fmt: skip
            if container not in ("mp4", "webm") and start != 5:
                continue
            name = f"slides in {container} from {start} s to {end} s"
            cases.append(Case(name, part(content, start, end), see, gives(shows(*map(grey, seen)))))
        for start, end in ((12.5, None), (30, 40), (100, None)):
            right = refused("no frame")
            cases.append(
                Case(f"slides in {container} from {start} s to {end} s", part(content, start, end), see, right)
            )
        whole = gives(shows(*map(grey, range(3)), seconds=12.0, times=[0.0, 4.0, 8.0]))
        cases.append(
            Case(f"slides in {container} last until the last was shown", lambda folder, c=content: c(), see, whole)
        )
    return cases


def intervals() -> list[Case]:
    cases = []
    for start, end, indices in (
        (0, None, range(12)), (0, 1.2, range(12)), (0.2, 0.5, range(2, 5)), (0.25, 0.5, range(2, 5)), (1.1, None, [11]),
        (0, 0.1, [0]), (0, 0.05, [0]), (0.05, 0.1, [0]), (0.3, 0.3001, [3]), (0.9, 99, range(9, 12)), (0, ENDLESS, range(12)),
        ("0.2", "0.5", None), (0.2, "0.5", None), (-1, 1, None), (0.5, 0.5, None), (0.5, 0.2, None), (0, 0, None),
        (NOT_A_NUMBER, 1, None), (0, NOT_A_NUMBER, None), (ENDLESS, None, None), (None, -1, None), (True, None, None),
        ([0], 1, None), (0, {"s": 1}, None), (1.5, None, None), (-0.0, 0.1, [0]), (10**30, None, None), (0, 10**400, None),
        (b"0", 1, None), (0j, 1, None),
    ):  # fmt: skip
        right = refused() if indices is None else gives(shows(*map(grey, indices)))
        if (start, end) in ((True, None), (0, 10**400)):
            right = gives_or_refuses()
        cases.append(Case(f"12 frames from {shorter(start)} to {shorter(end)}", part(render, start, end), see, right))
    return cases


def shorter(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 30 else text[:10] + "... of many digits"


def clocks() -> list[Case]:
    cases = []
    for container, codec in CONTAINERS.items():
        for last in (33, 9010):

            def held(container=container, codec=codec, last=last) -> bytes:
                return render(
                    frames=len(HELD),
                    codec=codec,
                    container=container,
                    milliseconds=HELD,
                    last=last,
                    colour=lambda index: 100,
                )

            right = gives(
                lambda seen, last=last: len(seen.greys) == 31 and abs(seen.seconds - (0.99 + last / 1000)) < 0.05
            )
            name = f"a picture held for {last} ms at the end of {container}"
            cases.append(Case(name, lambda folder, held=held: held(), see, right))

        def late(container=container, codec=codec) -> bytes:
            return render(frames=3, codec=codec, container=container, milliseconds=[2000, 2100, 2200])

        right = gives(shows(*GREYS[:3], times=[0.0, 0.1, 0.2]))
        cases.append(Case(f"{container} that starts at 2 s", lambda folder, late=late: late(), see, right))
        cases.append(
            Case(f"{container} that starts at 2 s, from 0.1 s", part(late, 0.1, None), see, gives(shows(*GREYS[1:3])))
        )

        def uneven(container=container, codec=codec) -> bytes:
            return render(frames=5, codec=codec, container=container, milliseconds=[0, 10, 500, 510, 3000])

        right = gives(shows(*GREYS[:5], times=[0.0, 0.01, 0.5, 0.51, 3.0]))
        cases.append(Case(f"{container} of uneven steps", lambda folder, uneven=uneven: uneven(), see, right))
        cases.append(Case(f"{container} of uneven steps, in a gap", part(uneven, 1, 2), see, gives(shows(grey(3)))))
    for offset in ("-1", "-0.25", "95443", "3600"):

        def moved(offset=offset) -> bytes:
            return render(container="mpegts", container_options={"output_ts_offset": offset})

        cases.append(
            Case(
                f"MPEG-TS whose clock starts at {offset} s",
                lambda folder, moved=moved: moved(),
                see,
                gives(shows(*GREYS)),
            )
        )
        cases.append(
            Case(
                f"its part, of a clock that starts at {offset} s",
                part(moved, 0.2, 0.5),
                see,
                gives(shows(*GREYS[2:5])),
            )
        )
    return cases


def edits() -> list[Case]:
    """Edit lists: which part of a track is shown, and when."""
    cases = []
    whole = lambda: render(options={"bf": "0"})  # noqa: E731
    scale = struct.unpack(">I", whole()[whole().index(b"mvhd") + 16 :][:4])[0]
    track = struct.unpack(">I", whole()[whole().index(b"mdhd") + 16 :][:4])[0]
    for name, length, begin, right in (
        ("shows all", 1.2, 0.0, gives(shows(*GREYS))),
        ("begins at 0.5 s", 0.7, 0.5, gives(shows(*GREYS[5:]))),
        ("ends at 0.5 s", 0.5, 0.0, gives(lambda seen: 5 <= len(seen.greys) <= 12)),
        ("begins after the end", 1.0, 60.0, refused()),
        ("shows nothing", 0.0, 0.0, gives_or_refuses()),
        ("begins before the beginning", 1.2, -1.0, gives_or_refuses()),
    ):
        new = struct.pack(">IIi", 1, round(length * scale), round(begin * track))
        make = lambda folder, new=new: edited(whole(), b"elst", new, 8)  # noqa: E731
        cases.append(Case(f"an edit list that {name}", make, see, right))
    return cases


def tone_of(source: Any) -> tuple[bool, int]:
    """Whether a model that hears is given sound, and how many of the rows (10 ms each) are loud."""
    batch = HolovidProcessor.for_model(CA2STConfig.cava_base(image_size=32, audio_frames=800))(
        source, return_tensors="pt"
    )
    loud = int((batch["input_values"][0].max(-1).values > 0.6).sum())
    return bool(batch["audio_mask"].item()), loud


def sounds_of_videos() -> list[Case]:
    """The sound of the time that pictures are shown, and of that time only."""
    loud = lambda low, high: gives(lambda heard: heard[0] and low <= heard[1] <= high)  # noqa: E731
    silent = gives(lambda heard: not heard[0])
    with_sound = {"sound_codec": "aac", "sound_seconds": 9.0}
    cases = [
        Case("sound under motion", lambda folder: render(frames=90, **with_sound), tone_of, loud(780, 800)),
        Case("sound that ends early", lambda folder: render(frames=90, sound_codec="aac", sound_seconds=3.0), tone_of, loud(280, 320)),
        Case("sound that goes on", lambda folder: render(frames=30, **with_sound), tone_of, loud(280, 310)),
        Case("no sound", lambda folder: render(), tone_of, silent),
        Case("two tracks of sound", lambda folder: render(frames=90, tracks=2, **with_sound), tone_of, loud(780, 800)),
        Case("a first track that cannot be decoded", lambda folder: first_unknown(), tone_of, loud(780, 800)),
        Case("sound at 8000 Hz", lambda folder: render(frames=90, sound_rate=8000, **with_sound), tone_of, loud(780, 800)),
        Case("sound at 48000 Hz in stereo", lambda folder: render(frames=90, sound_rate=48_000, layout="stereo", **with_sound), tone_of, loud(780, 800)),
        Case("sound in 5.1", lambda folder: render(frames=90, sound_rate=48_000, layout="5.1", **with_sound), tone_of, loud(780, 800)),
        Case("sound of opus in webm", lambda folder: render(codec="libvpx", container="webm", frames=90, sound_codec="libopus", sound_rate=48_000, sound_seconds=9.0), tone_of, loud(780, 800)),
        Case("sound of mp3 in avi", lambda folder: render(codec="mpeg4", container="avi", frames=90, sound_codec="libmp3lame", sound_seconds=9.0), tone_of, loud(780, 800)),
        Case("sound of flac in mkv", lambda folder: render(container="matroska", frames=90, sound_codec="flac", sound_seconds=9.0), tone_of, loud(780, 800)),
        Case("sound of mp2 in MPEG-TS", lambda folder: render(container="mpegts", frames=90, sound_codec="mp2", sound_seconds=9.0), tone_of, loud(770, 800)),
        Case("sound of two recordings joined with cat", lambda folder: render(container="mpegts", frames=45, sound_codec="mp2", sound_seconds=4.5) * 2, tone_of, loud(750, 800)),
        Case("sound of a later recording joined to it", lambda folder: render(container="mpegts", frames=45, sound_codec="mp2", sound_seconds=4.5) + render(container="mpegts", frames=45, sound_codec="mp2", sound_seconds=4.5, container_options={"output_ts_offset": "600"}), tone_of, loud(750, 800)),
        Case("sound of a part", lambda folder: {"path": None, "bytes": render(frames=90, **with_sound), "start": 2, "end": 4}, tone_of, loud(190, 205)),
        Case("sound of a video whose pictures are damaged", lambda folder: damaged_pictures(with_sound), tone_of, gives_or_refuses(lambda heard: heard[0])),
    ]  # fmt: skip
    for container, codec, sound, rate in (
        ("mp4", "libx264", "aac", 48_000), ("webm", "libvpx", "libopus", 48_000), ("matroska", "libx264", "aac", 48_000),
        ("mov", "libx264", "aac", 48_000),
    ):  # fmt: skip
        for name, times, last in (
            ("one slide", [0], 9000),
            ("two slides", [0, 1000], 8000),
            ("a held picture", HELD, 8010),
        ):
            make = lambda folder, c=container, v=codec, s=sound, r=rate, t=times, last=last: render(  # noqa: E731
                frames=len(t), codec=v, container=c, milliseconds=t, last=last, sound_codec=s, sound_rate=r,
                sound_seconds=9.0, colour=lambda index: 100,
            )  # fmt: skip
            cases.append(Case(f"sound under {name} in {container}", make, tone_of, loud(780, 800)))
    return cases


def first_unknown() -> bytes:
    """Two tracks, the first of a codec that nobody knows."""
    content = render(frames=90, tracks=2, sound_codec="aac", sound_seconds=9.0)
    return content.replace(b"mp4a", b"apac", 1)


def damaged_pictures(options: dict) -> bytes:
    content = render(frames=90, container="matroska", **options)
    return edited(content, len(content) // 2, bytes(30))


CASES = [*parts_of_slides(), *intervals(), *clocks(), *edits(), *sounds_of_videos()]
