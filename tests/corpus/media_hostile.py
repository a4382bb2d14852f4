"""Text and files that name other files, devices and addresses: FFmpeg would follow them, and holovid must not."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus.cases import Case, gives_or_refuses, refused
from corpus.media_answers import hear, process, see, shows
from corpus.rendering import GREYS, image, render, stranger, wav

EXTM3U = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-VERSION:3\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S" minBufferTime="PT1S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4">
<Representation id="1" bandwidth="9" codecs="avc1.64001e" width="64" height="48"><BaseURL>{}</BaseURL></Representation>
</AdaptationSet></Period></MPD>
"""
SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=x
c=IN IP4 127.0.0.1
t=0 0
m=video {} RTP/AVP 96
a=rtpmap:96 H264/90000
"""
XSPF = '<?xml version="1.0"?><playlist><trackList><track><location>{}</location></track></trackList></playlist>'
SMIL = '<smil><body><video src="{}"/></body></smil>'
ASX = '<asx version="3.0"><entry><ref href="{}"/></entry></asx>'
CPL = """<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">
<Id>urn:uuid:{}</Id></CompositionPlaylist>"""

# text -> what it is called when it is a file, and its suffix
TEXTS = {
    "a playlist of HLS": (EXTM3U, "m3u8"),
    "a list of concat": ("ffconcat version 1.0\nfile {}\n", "ffconcat"),
    "a list of concat, quoted": ("ffconcat version 1.0\nfile '{}'\nduration 1\n", "txt"),
    "a list of concat without a version": ("file {}\n", "txt"),
    "a manifest of DASH": (MPD, "mpd"),
    "a playlist of XSPF": (XSPF, "xspf"),
    "a playlist of SMIL": (SMIL, "smil"),
    "a playlist of ASX": (ASX, "asx"),
    "a playlist of PLS": ("[playlist]\nFile1={}\nNumberOfEntries=1\nVersion=2\n", "pls"),
    "a playlist of M3U": ("{}\n", "m3u"),
    "a reference of QuickTime": ("RTSPtext\n{}\n", "mov"),
    "an index of subtitles": ("# VobSub index file, v7 (do not modify this line!)\n# {}\n", "idx"),
    "a script of AviSynth": ('FFVideoSource("{}")\n', "avs"),
    "a script of VapourSynth": ("import vapoursynth; open('{}')\n", "vpy"),
    "a composition of IMF": (CPL, "xml"),
    "a description of tee": ("[f=mp4]{}\n", "mp4"),
}
FOLLOWED = (EXTM3U, MPD, TEXTS["a list of concat"][0])  # by FFmpeg, if it may
TARGETS = {
    "the file beside it": lambda folder: "secret.mp4",
    "a path": lambda folder: str(folder / "secret.mp4"),
    "a file URL": lambda folder: (folder / "secret.mp4").as_uri(),
    "a protocol of FFmpeg": lambda folder: f"subfile,,start,0,end,99999,,:{folder / 'secret.mp4'}",
    "an address": lambda folder: "http://127.0.0.1:9/secret.mp4",
    "the folder above": lambda folder: f"../{folder.name}/secret.mp4",
}


def planted(make: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """A maker that leaves files beside the input which it must not read."""

    def make_beside(folder: Path) -> Any:
        (folder / "secret.mp4").write_bytes(stranger())
        (folder / "secret.wav").write_bytes(wav())
        for number in range(4):
            (folder / f"secret{number}.png").write_bytes(image("PNG"))
        return make(folder)

    return make_beside


def text_cases() -> list[Case]:
    cases = []
    for kind, (text, suffix) in TEXTS.items():
        for place, target in TARGETS.items():
            if place != "the file beside it" and text not in FOLLOWED:
                continue

            def content(folder: Path, text=text, target=target) -> bytes:
                return text.format(target(folder)).encode()

            def by_its_name(folder: Path, content=content, suffix=suffix) -> str:
                (folder / f"clip.{suffix}").write_bytes(content(folder))
                return str(folder / f"clip.{suffix}")

            def as_a_video(folder: Path, content=content) -> str:
                (folder / "clip.mp4").write_bytes(content(folder))
                return str(folder / "clip.mp4")

            cases.append(Case(f"{kind} that names {place}, called .{suffix}", planted(by_its_name), see, refused()))
            if text in FOLLOWED:
                cases.append(Case(f"{kind} that names {place}, called mp4", planted(as_a_video), see, refused()))
            if place in ("the file beside it", "a path"):
                cases.append(Case(f"{kind} that names {place}, bytes", planted(content), see, refused()))
    return cases


def session_cases() -> list[Case]:
    """Descriptions of sessions: FFmpeg opens ports and waits for what comes."""
    cases = []
    for port in (0, 40001, 40002):
        content = SDP.format(port).encode()

        def file(folder: Path, content=content) -> str:
            (folder / "clip.sdp").write_bytes(content)
            return str(folder / "clip.sdp")

        cases.append(Case(f"a session at port {port}, a path", file, see, refused(), seconds=8))
        cases.append(Case(f"a session at port {port}, bytes", lambda folder, c=content: c, see, refused(), seconds=8))
    cases.append(Case("a session, as sound", lambda folder: SDP.format(40003).encode(), hear, refused(), seconds=8))
    rtsp = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
    cases.append(Case("an answer of RTSP", lambda folder: rtsp, see, refused()))
    return cases


def pattern_cases() -> list[Case]:
    """Names that FFmpeg takes for patterns of the names of pictures."""
    cases = []
    for name in ("secret%d.png", "secret%01d.png", "secret*.png", "secret[0-3].png", "secret%d.jpg", "./secret%d.png"):
        make = planted(lambda folder, name=name: str(folder / name))
        cases.append(Case(f"the pattern {name}, of which there is no file", make, see, refused()))

        def there(folder: Path, name=name) -> str:
            path = folder / os.path.basename(name)
            path.write_bytes(image("PNG"))
            return str(path)

        cases.append(Case(f"a picture called {name}", planted(there), see, gives_or_refuses(shows(GREYS[0]))))
    return cases


def file_cases() -> list[Case]:
    """Real containers that point outside of themselves."""
    cases = []
    for target in ("secret.mp4", "/etc/hostname"):
        cases.append(Case(
            f"an mp4 whose pictures are in {target}", planted(lambda folder, target=target: referring(target)), see,
            gives_or_refuses(lambda seen: len(seen.greys) > 0),
        ))  # fmt: skip
    for kind in ("hear", "process"):
        for text, suffix in (TEXTS["a playlist of HLS"], TEXTS["a list of concat"]):
            do = hear if kind == "hear" else process
            make = planted(lambda folder, text=text: text.format("secret.mp4").encode())
            cases.append(Case(f"{kind} a {suffix} of bytes", make, do, refused()))

            def path(folder: Path, text=text, suffix=suffix) -> str:
                (folder / f"sound.{suffix}").write_text(text.format("secret.wav"))
                return str(folder / f"sound.{suffix}")

            cases.append(Case(f"{kind} a {suffix} at a path", planted(path), do, refused()))
    behind = lambda folder: render() + EXTM3U.format("secret.mp4").encode()  # noqa: E731
    cases.append(Case("a playlist after a clip", planted(behind), see, gives_or_refuses(shows(*GREYS))))
    before = lambda folder: EXTM3U.format("secret.mp4").encode() + render()  # noqa: E731
    cases.append(Case("a playlist before a clip", planted(before), see, refused()))
    spaces = lambda folder: b"\n\n  " + EXTM3U.format("secret.mp4").encode()  # noqa: E731
    cases.append(Case("a playlist after blanks", planted(spaces), see, refused()))
    marked = lambda folder: b"\xef\xbb\xbf" + EXTM3U.format("secret.mp4").encode()  # noqa: E731
    cases.append(Case("a playlist after a mark of Unicode", planted(marked), see, refused()))
    link = planted(linked)
    cases.append(Case("a link to a playlist", link, see, refused()))
    key = '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="secret.mp4"\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n'
    cases.append(Case("a playlist with a key", planted(lambda folder: key.encode()), see, refused()))
    part = '#EXTM3U\n#EXT-X-MAP:URI="secret.mp4"\n#EXTINF:1,\nsecret.mp4\n#EXT-X-ENDLIST\n'
    cases.append(Case("a playlist with a map", planted(lambda folder: part.encode()), see, refused()))
    master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nsecret.mp4\n"
    cases.append(Case("a playlist of playlists", planted(lambda folder: master.encode()), see, refused()))
    return cases


def linked(folder: Path) -> str:
    (folder / "list.m3u8").write_text(EXTM3U.format("secret.mp4"))
    (folder / "clip.mp4").symlink_to("list.m3u8")
    return str(folder / "clip.mp4")


def referring(target: str) -> bytes:
    """An mp4 whose table of data references (dref) names another file."""
    content = bytearray(render())
    at = content.index(b"dref") - 4
    url = target.encode() + b"\0"
    entry = struct.pack(">I4sI", 12 + len(url), b"url ", 0) + url
    new = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    old = struct.unpack(">I", content[at : at + 4])[0]
    grown = len(new) - old
    content[at : at + old] = new
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        place = content.index(box) - 4
        size = struct.unpack(">I", content[place : place + 4])[0]
        content[place : place + 4] = struct.pack(">I", size + grown)
    return bytes(content)


CASES = [*text_cases(), *session_cases(), *pattern_cases(), *file_cases()]
