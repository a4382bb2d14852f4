"""What is opened as a video or a sound: containers that we name, and nothing that a file names."""

import io
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from clips import write_clip

from holovid.data.tables import load_clips
from holovid.inference.watching import LiveSource
from holovid.processing import audio_decoding, media_containers, media_source
from holovid.processing.audio_decoding import SoundFile, mono
from holovid.processing.media_containers import (
    CONTAINERS,
    REPEATED_FREELY,
    UnreadableError,
    check_picture_size,
    check_repeated,
)
from holovid.processing.video_decoding import open_video

# suffix -> codec, and FFmpeg's name of the container where the suffix does not tell
VIDEOS = {
    "mp4": ("libx264", None),
    "mov": ("libx264", None),
    "m4v": ("libx264", "mp4"),
    "f4v": ("libx264", "mp4"),
    "mkv": ("libx264", None),
    "webm": ("libvpx", None),
    "avi": ("mpeg4", None),
    "mpg": ("mpeg1video", None),
    "vob": ("mpeg2video", None),
    "m2v": ("mpeg2video", None),
    "ts": ("libx264", None),
    "mts": ("libx264", "mpegts"),
    "m2ts": ("libx264", "mpegts"),
    "flv": ("flv1", None),
    "gif": ("gif", None),
    "wmv": ("wmv2", "asf"),
    "asf": ("msmpeg4", None),
    "3gp": ("mpeg4", None),
    "3g2": ("mpeg4", None),
    "ogv": ("libvpx", "ogg"),
    "mxf": ("mpeg2video", None),
    "h264": ("libx264", None),
    "mjpeg": ("mjpeg", None),
}
SOUNDS = {
    "wav": ("pcm_s16le", None),
    "mp3": ("libmp3lame", None),
    "flac": ("flac", None),
    "ogg": ("flac", None),
    "opus": ("libopus", None),
    "m4a": ("aac", "mp4"),
    "aac": ("aac", "adts"),
    "aiff": ("pcm_s16be", None),
    "caf": ("pcm_s16le", None),
    "wma": ("wmav2", "asf"),
    "mka": ("libopus", "matroska"),
    "au": ("pcm_s16be", None),
    "ac3": ("ac3", None),
}
PIXELS = {"gif": "rgb8", "mjpeg": "yuvj420p"}

# Demuxers that open what a file names, or that make pictures and sound out of text. None may be on the list.
FOLLOWERS = {
    *("hls", "dash", "concat", "image2", "image2pipe", "sdp", "rtsp", "rtp", "sap", "imf", "webm_dash_manifest"),
    *("lavfi", "vapoursynth", "avisynth", "sbg", "libgme", "libmodplug", "libopenmpt", "msnwctcp", "mpjpeg"),
    *("tty", "bin", "idf", "xbin", "adf", "ffmetadata", "tedcaptions", "srt", "ass", "webvtt", "vobsub", "svg_pipe"),
    *("x11grab", "fbdev", "kmsgrab", "alsa", "oss", "video4linux2", "v4l2", "data", "rawvideo"),
}


def write_media(path: Path, codec: str, container: str | None) -> Path:
    with av.open(str(path), "w", format=container) as file:
        if path.suffix[1:] in VIDEOS:
            stream = file.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 176, 144, PIXELS.get(codec, "yuv420p")
            for index in range(10):
                pixels = np.full((144, 176, 3), 20 * index, dtype=np.uint8)
                file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        else:
            stream = file.add_stream(codec, rate=48000, layout="mono")
            stream.bit_rate = 128_000
            samples = np.random.default_rng(0).normal(scale=0.1, size=(1, 48000)).astype(np.float32)
            for start in range(0, 48000, 480):
                frame = av.AudioFrame.from_ndarray(samples[:, start : start + 480].copy(), "fltp", "mono")
                frame.sample_rate, frame.pts = 48000, start
                file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def ways_to_name(path: Path):
    """The same content as a path, as bytes and as files of several names."""
    yield path
    yield path.read_bytes()
    with open(path, "rb") as file:
        yield file
    misleading = io.BytesIO(path.read_bytes())
    misleading.name = "pictures%d.png"
    yield misleading


@pytest.mark.parametrize("suffix", VIDEOS)
def test_videos_that_are_documented_open(tmp_path, suffix):
    path = write_media(tmp_path / f"clip.{suffix}", *VIDEOS[suffix])
    for source in ways_to_name(path):
        with open_video(source) as video:
            assert len(video) == 10
            assert video.frames([0, 9])[0].float().mean((1, 2, 3)).tolist() == pytest.approx([0, 180], abs=6)


@pytest.mark.parametrize("suffix", SOUNDS)
def test_sounds_that_are_documented_open(tmp_path, suffix):
    path = write_media(tmp_path / f"clip.{suffix}", *SOUNDS[suffix])
    for source in ways_to_name(path):
        with SoundFile(source) as file:
            assert 0.9 < file.sound.seconds < 1.2
            assert 0.05 < file.sound.read(4000, 8000, 16000).std() < 0.15


def test_nothing_on_the_list_follows_names():
    assert not CONTAINERS & FOLLOWERS
    for name in CONTAINERS & av.formats_available:
        container = av.ContainerFormat(name)
        assert container.is_input and not container.no_file, name


@pytest.fixture
def server(tmp_path):
    """Serves the folder and remembers what it was asked for."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    asked: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def hls(target: str) -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n"


def texts_that_name(target: str, folder: Path) -> dict[str, str]:
    """name of a file -> text with which FFmpeg, left alone, opens `target` or something else."""
    return {
        "list.m3u8": hls(target),
        "list.mp4": hls(target),
        "list.m3u": f"#EXTM3U\n{target}\n",
        "nested.m3u8": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n",
        "key.m3u8": hls(target).replace("#EXTINF", f'#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF'),
        "subfile.m3u8": hls(f"subfile,,start,0,end,0,,:{target}"),
        "concat.m3u8": hls(f"concat:{target}|{target}"),
        "crypto.m3u8": hls(f"crypto:{target}"),
        "concat.mp4": f"ffconcat version 1.0\nfile {target}\n",
        "concat.txt": f"ffconcat version 1.0\nfile '{target}'\nduration 1\n",
        "manifest.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        f'<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>",
        "list.xspf": '<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track>'
        f"<location>{target}</location></track></trackList></playlist>",
        "list.pls": f"[playlist]\nFile1={target}\n",
        "list.asx": f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
        "list.ram": f"{target}\n",
        "script.avs": f'DirectShowSource("{target}")\n',
        "script.vpy": f'import vapoursynth\nvapoursynth.core.ffms2.Source("{target}").set_output()\n',
        "graph.txt": f"movie={target}",
        "session.sdp": SESSION,
        "session.mp4": SESSION,
        "words.srt": "1\n00:00:00,000 --> 00:00:02,000\nwords\n",
        "words.txt": "words to be drawn\n" * 20,
        "captions.json": '{"captions":[{"duration":1000,"content":"words","startOfParagraph":true,"startTime":0}]}',
        "waves.sbg": "t: 150+8/10\nNOW t\n",
        "waves.mp4": "t: 150+8/10\nNOW t\n",
        "metadata.txt": ";FFMETADATA1\ntitle=words\n",
        "drawing.svg": f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="{target}"/></svg>',
    }


PORT = 45678
SESSION = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    f"m=video {PORT} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)


def ports_that_are_bound() -> set[int]:
    lines = [line for table in ("udp", "udp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {int(line.split()[1].rpartition(":")[2], 16) for line in lines}


@pytest.mark.linux
def test_texts_open_nothing(tmp_path, server, monkeypatch):
    url, asked = server
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "secret.mp4")
    targets = ["secret.mp4", str(tmp_path / "secret.mp4"), f"file://{tmp_path}/secret.mp4", f"{url}/secret.mp4"]
    for target in targets:
        for name, text in texts_that_name(target, tmp_path).items():
            path = tmp_path / name
            path.write_text(text)
            for source in ways_to_name(path):
                with pytest.raises(ValueError, match="cannot be read as a video"):
                    open_video(source)
                with pytest.raises(ValueError, match="cannot be read as sound"):
                    SoundFile(source)
                assert PORT not in ports_that_are_bound()
            with pytest.raises(ValueError, match="cannot be read as a video"):
                LiveSource(str(path))
            path.unlink()
    assert not asked


def test_a_playlist_behind_an_address_is_not_followed(tmp_path, server):
    url, asked = server
    write_clip(tmp_path / "secret.mp4")
    (tmp_path / "list.m3u8").write_text(hls("secret.mp4"))
    for read in (open_video, SoundFile, LiveSource):
        with pytest.raises(ValueError, match="cannot be read as"):
            read(f"{url}/list.m3u8")
    assert set(asked) == {"/list.m3u8"}


@pytest.mark.parametrize(
    "name",
    [
        "concat:{clip}|{clip}",
        "subfile,,start,0,end,9999,,:{clip}",
        "crypto:{clip}",
        "cache:{clip}",
        "async:{clip}",
        "data:video/mp4;base64,AAAA",
        "pipe:0",
        "movie={clip}",
        "testsrc",
        "udp://127.0.0.1:45678",
        "rtsp://127.0.0.1:9/x",
        "subfile,,start,0,end,9999,,://{clip}",
    ],
)
@pytest.mark.linux
def test_names_with_a_meaning_to_ffmpeg_are_names_of_files(tmp_path, name):
    name = name.format(clip=write_clip(tmp_path / "clip.mp4"))
    with pytest.raises(FileNotFoundError):
        open_video(name)
    if not name.startswith(("udp", "rtsp")):
        with pytest.raises((FileNotFoundError, ValueError)):
            LiveSource(name)
    assert PORT not in ports_that_are_bound()


def test_watching_follows_a_playlist_when_it_is_told_to(tmp_path, server):
    url, asked = server
    write_clip(tmp_path / "part.mp4")
    (tmp_path / "list.m3u8").write_text(hls("part.mp4"))
    with pytest.raises(ValueError, match="cannot be read as a video"):
        LiveSource(str(tmp_path / "list.m3u8"))
    for source in (str(tmp_path / "list.m3u8"), f"{url}/list.m3u8"):
        with LiveSource(source, allow_playlists=True) as live:
            assert len(list(live.frames())) == 24
    assert {"/list.m3u8", "/part.mp4"} == set(asked)
    # from an address to a file there is no way
    (tmp_path / "list.m3u8").write_text(hls(f"file://{tmp_path}/part.mp4"))
    with pytest.raises(ValueError, match="cannot be read as a video"):
        LiveSource(f"{url}/list.m3u8", allow_playlists=True)
    with pytest.raises(ValueError, match="pass --allow-playlists to follow it"):
        LiveSource(f"{url}/list.m3u8", "hls")


def test_watching_takes_no_other_addresses():
    with pytest.raises(ValueError, match="a URL starts with one of file, http"):
        LiveSource("gopher://127.0.0.1/x")


def test_a_playlist_in_a_table_is_not_read(tmp_path):
    write_clip(tmp_path / "secret.mp4")
    (tmp_path / "list.mp4").write_text(hls("secret.mp4"))
    (tmp_path / "clips.csv").write_text("path,label\nlist.mp4,a\nsecret.mp4,b\n")
    row = load_clips(tmp_path / "clips.csv")["train"][0]
    with pytest.raises(ValueError, match="cannot be read as a video"):
        open_video(row["video"])


def wav(rate: int, channels: int, samples: bytes = bytes(4000)) -> bytes:
    align = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * align & 0xFFFFFFFF, align & 0xFFFF, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(("rate", "channels"), [(999_999_937, 1), (2**20 + 1, 1), (16_000, 65), (48_000, 200)])
def test_rates_and_channels_that_no_sound_has(rate, channels):
    with pytest.raises(ValueError, match=r"at most 64 channels and 1,048,576 Hz are read"):
        SoundFile(wav(rate, channels))


@pytest.mark.parametrize("rate", [1, 7, 999_983, 2**20])
def test_odd_rates_take_no_more_than_was_asked_for(rate):
    with SoundFile(wav(rate, 1, np.ones(2000, dtype=np.int16).tobytes())) as file:
        assert file.sound.rate == rate and file.sound.num_samples == 2000
        assert file.sound.read(100, 80_000, 16_000).shape == (80_000,)


def atom(content: bytearray, name: bytes) -> int:
    return content.index(name) + 8  # after version and flags


def test_an_index_of_more_frames_than_there_are_bytes(tmp_path):
    """FFmpeg would look for a key frame among them for hours."""
    content = bytearray(write_clip(tmp_path / "clip.mp4").read_bytes())
    count = 10_000_000
    struct.pack_into(">II", content, atom(content, b"stsz"), 1000, count)
    struct.pack_into(">III", content, atom(content, b"stts"), 1, count, 512)
    struct.pack_into(">IIII", content, atom(content, b"stsc"), 1, 1, count, 1)
    with pytest.raises(ValueError, match=r"claims to hold 10,000,000 samples in \d,\d+ bytes"):
        open_video(bytes(content))


def test_the_largest_pictures_that_are_read():
    check_picture_size("it", 2**13, 2**13)
    check_picture_size("it", 2**15, 2**11)
    for width, height in ((2**13 + 1, 2**13), (2**15 + 1, 1), (1, 2**15 + 1)):
        with pytest.raises(UnreadableError, match=f"it has pictures of {width} x {height}; at most 67,108,864 pixels"):
            check_picture_size("it", width, height)


def test_how_often_an_index_may_name_the_same_bytes():
    check_repeated(16 * 5000 + REPEATED_FREELY, size=5000)
    check_repeated(10**12, size=0)  # of what has no size it is not known
    with pytest.raises(UnreadableError, match=r"a file of 5,000 bytes cannot be read: .* more than 16 times"):
        check_repeated(16 * 5000 + REPEATED_FREELY + 1, size=5000)


def test_bytes_that_come_again_and_again(tmp_path, monkeypatch):
    """An index may name the same bytes any number of times; here once is too often."""
    path = write_clip(tmp_path / "clip.mp4")
    monkeypatch.setattr(media_containers, "REPEATED_FREELY", 0)
    with open_video(path) as video:
        assert len(video) == 24
    monkeypatch.setattr(media_containers, "MOST_REPEATED", 0.25)
    with pytest.raises(ValueError, match=r"a file of \d,\d+ bytes cannot be read: its index repeats them"):
        open_video(path)


def test_sound_of_packets_that_decode_to_more_than_they_say(tmp_path, monkeypatch):
    """All packets claim to be heard at once; only as much is decoded as was asked for."""
    path = write_media(tmp_path / "clip.flac", *SOUNDS["flac"])
    with SoundFile(path) as file:
        expected = file.sound.read(0, 8000, 48000)
        file.sound._starts[:] = 0
        file.sound._ends[:] = 1
        decoded = []
        monkeypatch.setattr(audio_decoding, "mono", lambda samples: decoded.append(1) or mono(samples))
        assert file.sound.read(0, 8000, 48000).equal(expected)
        assert len(decoded) < len(file.sound._packets)


def test_a_pipe_that_does_not_end(monkeypatch):
    class Endless(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            buffer[:] = bytes(len(buffer))
            return len(buffer)

    monkeypatch.setattr(media_source, "DOWNLOAD_BYTES", 2**22)
    for read in (open_video, SoundFile):
        with pytest.raises(ValueError, match=r"cannot be read: it has more than 4,194,304 bytes"):
            read(Endless())


@pytest.mark.parametrize("name", ["stts", "stts ", "stsz", "stco", "trun"])
def test_claims_of_an_mp4_take_no_memory(tmp_path, name):
    """FFmpeg makes room for as many samples as are claimed: 32 GB."""
    options = {"movflags": "frag_keyframe+empty_moov"} if name == "trun" else {}
    with av.open(str(tmp_path / "clip.mp4"), "w", options=options) as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8))))
        file.mux(stream.encode())
    content = bytearray((tmp_path / "clip.mp4").read_bytes())
    with open_video(bytes(content)) as video:
        assert len(video) == 1
    places = {"stts": 4, "stts ": 0, "stsz": 4, "trun": 0, "stco": 0}
    struct.pack_into(">I", content, atom(content, name.strip().encode()) + places[name], 2**31 - 1)
    for source in ways_to_name_content(tmp_path / "bomb.mp4", bytes(content)):
        for read in (open_video, SoundFile):
            with pytest.raises(ValueError, match=r"claims to hold 2,147,483,647 samples in [\d,]+ bytes"):
                read(source)


def ways_to_name_content(path: Path, content: bytes):
    path.write_bytes(content)
    yield from ways_to_name(path)


def test_numbers_that_no_microphone_gives_are_silent(tmp_path):
    samples = np.full(4000, 0.25, dtype=np.float32)
    samples[[100, 200, 300, 400]] = [np.nan, np.inf, -np.inf, 1e38]
    content = bytearray(wav(16_000, 1, samples.tobytes()))
    struct.pack_into("<H", content, 20, 3)  # floats
    struct.pack_into("<IHH", content, 28, 64_000, 4, 32)
    with SoundFile(bytes(content)) as file:
        heard = file.sound.read(0, 4000, 16_000)
    assert heard[[100, 200, 300, 400]].tolist() == [0, 0, 0, 0] and (heard == 0.25).sum() == 3996


@pytest.mark.linux
def test_files_that_cannot_be_read(tmp_path):
    path = write_clip(tmp_path / "clip.mp4")
    with open(path, "rb") as closed:
        pass
    for read in (open_video, SoundFile):
        with pytest.raises(ValueError, match=r"file '.*clip.mp4' cannot be read: .*closed"):
            read(closed)
        with open(tmp_path / "new.mp4", "wb") as written, pytest.raises(ValueError, match=r"new.mp4' cannot be read"):
            read(written)
        with open("/proc/self/mem", "rb") as memory, pytest.raises(ValueError, match="cannot be read"):
            read(memory)
        with pytest.raises(ValueError, match="cannot be read"):
            read("/proc/self/mem")
    with open_video(memoryview(path.read_bytes())) as video:
        assert len(video) == 24
    doubled = np.repeat(np.frombuffer(path.read_bytes(), dtype=np.uint8), 2)
    with open_video(memoryview(doubled)[::2]) as video:
        assert len(video) == 24


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "needs 'path' or 'bytes'"),
        ({"path": "clip.mp4", "bytes": None, "start": "1"}, "must be numbers of seconds, got '1'"),
        ({"path": "clip.mp4", "bytes": None, "start": float("nan")}, "must start at 0 s or later"),
        ({"path": "clip.mp4", "bytes": None, "end": 10**400}, r"must be numbers of seconds, got 1000"),
        ({"path": None, "bytes": None}, "got neither"),
        ({"path": "clip.mp4", "bytes": None, "begin": 1}, "got also"),
    ],
)
def test_dicts_that_name_nothing(source, message):
    with pytest.raises(ValueError, match=message):
        open_video(source)
