"""Files with several tracks of a kind: the first that can be decoded is seen and heard."""

import av
import numpy as np
import pytest

from holovid.inference.watching import LiveSource
from holovid.processing.audio_decoding import SoundFile
from holovid.processing.video_decoding import open_video

UNKNOWN = {"V_MPEG4/ISO/AVC": "V_MPEG4/ISO/XYZ", "A_PCM/INT/LIT": "A_PCM/INT/XYZ"}  # codecs that nobody has


def write_tracks(path, codec: str, levels: tuple[int, ...]) -> None:
    """Matroska with a track of grey pictures for each level, all mpeg4 but the first, and one of as loud a sound."""
    with av.open(str(path), "w") as file:
        videos = [file.add_stream(codec if not number else "mpeg4", rate=10) for number in range(len(levels))]
        sounds = [file.add_stream("pcm_s16le" if not number else "flac", rate=8000) for number in range(len(levels))]
        for stream in videos:
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for stream in sounds:
            stream.layout = "mono"
        for stream, level in zip(videos, levels, strict=True):
            for _ in range(5):
                file.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8))))
            file.mux(stream.encode())
        for stream, level in zip(sounds, levels, strict=True):
            wave = av.AudioFrame.from_ndarray(np.full((1, 4000), level << 7, np.int16), format="s16", layout="mono")
            wave.sample_rate, wave.pts = 8000, 0
            file.mux([*stream.encode(wave), *stream.encode()])


@pytest.fixture
def tracks(tmp_path):
    """Of two tracks each, grey 60 and 200, the first is of a codec that nobody knows."""
    write_tracks(tmp_path / "known.mkv", "libx264", (60, 200))
    content = (tmp_path / "known.mkv").read_bytes()
    for known, unknown in UNKNOWN.items():
        assert content.count(known.encode()) == 1
        content = content.replace(known.encode(), unknown.encode())
    (tmp_path / "unknown.mkv").write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(("name", "level"), [("known.mkv", 60), ("unknown.mkv", 200)])
def test_the_first_track_that_can_be_decoded_is_seen_and_heard(tracks, name, level):
    with open_video(tracks / name, with_sound=True) as video:
        assert video.frames([3])[0].float().mean().item() == pytest.approx(level, abs=3)
        assert video.sound.read(1000, 100, 8000).numpy() == pytest.approx(level / 256, abs=1e-3)
    with SoundFile(tracks / name) as file:
        assert file.sound.read(1000, 100, 8000).numpy() == pytest.approx(level / 256, abs=1e-3)
    with LiveSource(str(tracks / name)) as source:
        seen = [source.pixels(picture).float().mean().item() for _, picture in source.frames()]
    assert seen == pytest.approx([level] * 5, abs=3)


def test_a_file_whose_tracks_nobody_can_decode_is_named(tracks):
    content = (tracks / "unknown.mkv").read_bytes().replace(b"V_MPEG4/ISO/ASP", b"V_MPEG4/ISO/XYZ")
    with pytest.raises(ValueError, match="has no video stream that can be decoded"):
        open_video(content)
