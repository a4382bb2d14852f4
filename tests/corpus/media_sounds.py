"""Files of sound: whole, damaged and hostile ones, given to the feature extractor."""

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from corpus.cases import Case, gives, gives_or_refuses, refused
from corpus.media_answers import hear
from corpus.rendering import cut, edited, flipped, render, wav, write_tone, zeroed

HEARD = gives(lambda heard: heard[0])
KINDS = [
    ("flac", "flac", 16_000), ("libmp3lame", "mp3", 16_000), ("aac", "adts", 16_000), ("libopus", "ogg", 48_000),
    ("pcm_s16le", "wav", 16_000), ("pcm_s24le", "wav", 44_100), ("pcm_f32le", "wav", 96_000),
    ("pcm_u8", "wav", 8_000), ("pcm_s16be", "aiff", 22_050), ("pcm_s16be", "au", 16_000), ("aac", "mp4", 44_100),
    ("aac", "mov", 44_100), ("flac", "matroska", 16_000), ("libopus", "webm", 48_000), ("ac3", "ac3", 48_000),
    ("mp2", "mpegts", 48_000), ("pcm_alaw", "wav", 8_000), ("adpcm_ima_wav", "wav", 16_000),
    ("alac", "ipod", 44_100), ("pcm_s16le", "caf", 16_000), ("pcm_s16le", "w64", 16_000),
]  # fmt: skip


def sound(codec: str, container: str, rate: int = 16_000, layout: str = "mono", seconds: float = 1.0) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        stream.time_base = Fraction(1, rate)
        write_tone(output, stream, seconds, rate, layout)
    return file.getvalue()


def whole_files() -> list[Case]:
    cases = []
    for codec, container, rate in KINDS:
        content = lambda folder, kind=(codec, container, rate): sound(*kind)  # noqa: E731
        name = f"sound of {codec} in {container}"
        cases.append(Case(name, content, hear, HEARD))

        def path(folder: Path, kind=(codec, container, rate)) -> str:
            (folder / f"sound.{kind[1]}").write_bytes(sound(*kind))
            return str(folder / f"sound.{kind[1]}")

        if len(cases) % 3 == 0:
            cases.append(Case(f"{name}, a path", path, hear, HEARD))
        for fraction in (0.7,):
            part = lambda folder, kind=(codec, container, rate), fraction=fraction: cut(sound(*kind), fraction)  # noqa: E731
            cases.append(Case(f"the first {fraction:.0%} of {name}", part, hear, gives_or_refuses()))
        for seed in range(1):
            mutant = lambda folder, kind=(codec, container, rate), seed=seed: flipped(sound(*kind), 5, seed)  # noqa: E731
            cases.append(Case(f"{name}, 5 bits turned over, {seed}", mutant, hear, gives_or_refuses(), memory=300))
    return cases


def headers() -> list[Case]:
    """A WAV that says what is not so. Its header: 22 channels, 24 rate, 28 bytes a second, 32 block, 34 bits, 40 length."""
    cases = []
    for rate in (0, 1, 7, 999, 999_999_937, 2**31 - 1, 2**32 - 1):
        right = gives_or_refuses() if 0 < rate < 1000 else refused("" if rate in (0, 2**32 - 1) else "Hz")
        content = lambda folder, rate=rate: edited(wav(), 24, struct.pack("<I", rate))  # noqa: E731
        cases.append(Case(f"a WAV of {rate} Hz", content, hear, right, memory=200))
    for rate in (4000, 11_025, 48_000, 192_000, 384_000):
        content = lambda folder, rate=rate: wav(rate=rate)  # noqa: E731
        cases.append(Case(f"a WAV of {rate} Hz", content, hear, HEARD if rate < 192_001 else gives_or_refuses()))
    for channels in (0, 3, 100, 1000, 65_535):
        content = lambda folder, channels=channels: edited(wav(), 22, struct.pack("<HI", channels, 16_000))  # noqa: E731
        cases.append(Case(f"a WAV that says {channels} channels", content, hear, gives_or_refuses(), memory=200))
    for channels in (2, 6, 8, 16, 64):
        content = lambda folder, channels=channels: wav(channels=channels)  # noqa: E731
        cases.append(
            Case(f"a WAV of {channels} channels", content, hear, HEARD if channels < 9 else gives_or_refuses())
        )
    for bits in (0, 1, 7, 12, 33, 64, 65_535):
        content = lambda folder, bits=bits: edited(wav(), 34, struct.pack("<H", bits))  # noqa: E731
        cases.append(Case(f"a WAV of {bits} bits", content, hear, gives_or_refuses(), memory=200))
    for length in (0, 1, 10, 2**31, 2**32 - 1):
        content = lambda folder, length=length: edited(wav(), 40, struct.pack("<I", length))  # noqa: E731
        cases.append(Case(f"a WAV that says {length} bytes", content, hear, gives_or_refuses(), memory=200))
    for kind in (0, 2, 17, 85, 255, 0xFFFE):
        content = lambda folder, kind=kind: edited(wav(), 20, struct.pack("<H", kind))  # noqa: E731
        cases.append(Case(f"a WAV of codec {kind}", content, hear, gives_or_refuses(), memory=200))
    au = lambda folder: b".snd" + struct.pack(">5I", 24, 2**32 - 1, 3, 999_999_937, 1) + bytes(4000)  # noqa: E731
    cases.append(Case("an AU of 999999937 Hz", au, hear, refused(), memory=200))
    many = lambda folder: b".snd" + struct.pack(">5I", 24, 2**32 - 1, 3, 16_000, 60_000) + bytes(400_000)  # noqa: E731
    cases.append(Case("an AU of 60000 channels", many, hear, gives_or_refuses(), memory=200))
    return cases


def other_files() -> list[Case]:
    silence = np.zeros((16_000, 1))
    click = silence.copy()
    click[12_000] = 0.9
    long_beep = "t: {}+8/10\nNOW t\n"  # a program of SBaGen: FFmpeg synthesises what it says
    return [
        Case("a click at 0.75 s", lambda folder: wav(click), hear, gives(lambda heard: heard[0] and 0.7 <= heard[1] <= 0.8)),
        Case("silence", lambda folder: wav(silence), hear, gives(lambda heard: not heard[0])),
        Case("no samples", lambda folder: wav(silence[:0]), hear, gives_or_refuses(lambda heard: not heard[0])),
        Case("one sample", lambda folder: wav(silence[:1] + 0.5), hear, gives_or_refuses(lambda heard: not heard[0])),
        Case("ten minutes of sound", lambda folder: sound("libmp3lame", "mp3", 8000, seconds=600.0), hear, HEARD, memory=200),
        Case("a video with sound", lambda folder: render(sound_codec="aac"), hear, HEARD),
        Case("a video without sound", lambda folder: render(), hear, refused("sound")),
        Case("no bytes as sound", lambda folder: b"", hear, refused()),
        Case("text as sound", lambda folder: b"This is no sound.\n" * 40, hear, refused()),
        Case("a picture as sound", lambda folder: b"\x89PNG\r\n\x1a\n" + bytes(100), hear, refused()),
        Case("half a WAV of zeros", lambda folder: zeroed(wav(), 0.0, 0.5), hear, refused()),
        *[Case(f"a program of SBaGen, {tone} Hz", lambda folder, tone=tone: long_beep.format(tone).encode(), hear, refused(), seconds=8, memory=200) for tone in (150, 1, 20_000)],
        Case("a program of SBaGen with times", lambda folder: b"t: 150+8/10\n00:00:00 t\n23:00:00 t\n", hear, refused(), seconds=8, memory=200),
        Case("a program of SBaGen as a path", lambda folder: named(folder, "x.sbg", b"t: 150+8/10\nNOW t\n"), hear, refused(), seconds=8, memory=200),
        Case("a program of SBaGen called wav", lambda folder: named(folder, "x.wav", b"t: 150+8/10\nNOW t\n"), hear, refused(), seconds=8, memory=200),
        Case("a module of a tracker", lambda folder: b"x" * 1080 + b"M.K." + bytes(4000), hear, refused()),
        Case("raw samples", lambda folder: named(folder, "x.pcm", bytes(4000)), hear, refused()),
        Case("raw samples called sw", lambda folder: named(folder, "x.sw", bytes(range(256)) * 30), hear, gives_or_refuses()),
        Case("a file of subtitles", lambda folder: b"1\n00:00:00,000 --> 00:00:01,000\nhello\n", hear, refused()),
        Case("a path of no sound", lambda folder: str(folder / "absent.wav"), hear, refused("absent.wav")),
        Case("a folder as sound", lambda folder: str(folder), hear, refused()),
        Case("a device as sound", lambda folder: "/dev/zero", hear, refused(), seconds=8),
        *[
            Case(f"an address as sound, {address}", lambda folder, address=address: address, hear, refused())
            for address in ("ftp://127.0.0.1/x.wav", "rtp://127.0.0.1:9999", "concat:x.wav", "lavfi:sine", "pipe:0", "icecast://x/y", "alsa:default", "anullsrc")
        ],
    ]  # fmt: skip


def named(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


CASES = [*whole_files(), *headers(), *other_files()]
