"""What is said of files that torchcodec cannot read as we do."""

import io
import sys

import pytest
from clips import write_clip
from transformers.utils import is_torchcodec_usable

from holovid.processing.torchcodec_decoding import open_decoder

pytestmark = pytest.mark.skipif(not is_torchcodec_usable(decode="video"), reason="needs torchcodec and FFmpeg")


def test_as_many_frames_as_we_find(tmp_path):
    path = str(write_clip(tmp_path / "clip.mp4"))
    assert len(open_decoder(path, 24)) == 24
    for count in (23, 25):
        with pytest.raises(ValueError, match=f"^it finds 24 frames, not {count}$"):
            open_decoder(path, count)


def test_what_is_no_video_is_one_line():
    from torchcodec.decoders import VideoDecoder

    with pytest.raises(RuntimeError) as theirs:
        VideoDecoder(io.BytesIO(b"no video" * 99))
    first = str(theirs.value).splitlines()[0]
    with pytest.raises(ValueError) as ours:
        open_decoder(io.BytesIO(b"no video" * 99), 24)
    assert str(ours.value) == first and first


def test_without_its_decoders(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    with pytest.raises(ValueError, match=r"decoder='torchcodec' does not work here: .*torchcodec"):
        open_decoder(str(write_clip(tmp_path / "clip.mp4")), 24)
