"""Videos behind a URL: how much is fetched, for how long, and from where. The servers are real, on 127.0.0.1."""

import gzip
import socket
import tempfile
import threading
import time
import zlib
from contextlib import contextmanager

import pytest
from clips import write_clip

from holovid.processing import media_source
from holovid.processing.media_source import download
from holovid.processing.video_decoding import open_video

TemporaryFile = tempfile.SpooledTemporaryFile


@contextmanager
def answering(*answers: bytes, every: float = 0.0):
    """A server that answers each request with the next of `answers`, and then a byte more `every` so many seconds."""

    def serve():
        for answer in answers:
            try:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)
                    while every and not stopped.wait(every):
                        connection.sendall(b"x")
            except OSError:  # whoever asked has gone
                continue

    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stopped.set()


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


@pytest.fixture
def files(monkeypatch):
    """The temporary files that are made, every one on the disk at once."""
    made = []

    def make(max_size):
        made.append(TemporaryFile(max_size=1))
        return made[-1]

    monkeypatch.setattr(media_source.tempfile, "SpooledTemporaryFile", make)
    yield made
    assert all(file.closed for file in made) and made


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4").read_bytes()


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("gzip", lambda content: gzip.compress(content[:1000]) + gzip.compress(content[1000:])),
        ("deflate", zlib.compress),
    ],
    ids=["plain", "gzip", "capitals", "two", "zlib"],
)
def test_what_was_sent_arrives(clip, encoding, encode):
    with answering(answer(encode(clip), f"Content-Encoding: {encoding}")) as url, download(url) as file:
        file.seek(0)
        assert file.read() == clip


def test_more_bytes_than_are_taken_are_refused(files):
    many = bytes(200_000)
    for sent in (
        answer(many),
        answer(b"", length=10**12),  # said at once
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + many,  # no length is said
        answer(gzip.compress(many), "Content-Encoding: gzip"),
    ):
        with answering(sent) as url, pytest.raises(ValueError, match=r"more than 100,000 bytes \(see most_bytes"):
            download(url, most_bytes=100_000)


def test_a_small_body_that_would_grow_without_limit(files, monkeypatch):
    """6 MB of gzip would be 6 GiB."""
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(2**24)
    body = b"".join(packer.compress(zeros) for _ in range(16)) + packer.flush()
    monkeypatch.setattr(media_source, "DOWNLOAD_BYTES", 2**22)
    sizes = []
    write = TemporaryFile.write
    monkeypatch.setattr(TemporaryFile, "write", lambda self, piece: sizes.append(len(piece)) or write(self, piece))
    with answering(answer(body, "Content-Encoding: gzip")) as url, pytest.raises(ValueError, match="4,194,304 bytes"):
        open_video(url)
    assert max(sizes) <= 2**20 and sum(sizes) <= 2**22


@pytest.mark.parametrize(
    "sent", [answer(b"", length=10**6), b"HTTP/1.1 200 OK\r\nX-Slow: ", b""], ids=["body", "headers", "start"]
)
def test_a_byte_now_and_then_does_not_go_on_for_ever(files, sent):
    start = time.monotonic()
    with answering(sent, every=0.05) as url, pytest.raises(ValueError, match=r"longer than 0.5 s"):
        download(url, most_seconds=0.5)
    assert time.monotonic() - start < 3


def test_a_server_that_says_nothing_more(files, monkeypatch):
    monkeypatch.setattr(media_source, "DOWNLOAD_SECONDS", 0.3)
    with (
        answering(answer(b"abc", length=10), every=60) as url,
        pytest.raises(ValueError, match="cannot be downloaded"),
    ):
        open_video(url)


@pytest.mark.parametrize(
    "place",
    ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "gopher://127.0.0.1/", "http://", "http://[x"],
)
def test_who_is_sent_on_stays_on_the_web(files, place):
    with (
        answering(answer(b"", f"Location: {place}", status="302 Found")) as url,
        pytest.raises(ValueError, match=f"{url} cannot be downloaded"),
    ):
        open_video(url)


def test_who_is_sent_on_arrives(clip):
    with (
        answering(answer(clip)) as there,
        answering(answer(b"", f"Location: {there}/clip.mp4", status="302 Found")) as url,
        open_video(url) as video,
    ):
        assert len(video) == 24


def test_who_is_sent_round_in_circles_gives_up(files):
    with (
        answering(*[answer(b"", "Location: /again", status="302 Found")] * 50) as url,
        pytest.raises(ValueError, match=r"cannot be downloaded: .*redirects"),
    ):
        download(url)


BAD_ANSWERS = {
    "breaks off": answer(b"abc", length=10),
    "gzip breaks off": answer(gzip.compress(bytes(1000))[:-12], "Content-Encoding: gzip"),
    "no gzip": answer(b"no gzip", "Content-Encoding: gzip"),
    "br": answer(b"abc", "Content-Encoding: br"),
    "two": answer(b"abc", "Content-Encoding: zstd, gzip"),
    "odd length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabc",
    "odd chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "no http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "not found": answer(b"", status="404 Not Found"),
    "error": answer(b"", status="500 Oh"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_answers_that_are_none(files, name):
    with answering(BAD_ANSWERS[name]) as url, pytest.raises(ValueError, match="cannot be downloaded: "):
        download(url)


@pytest.mark.parametrize(
    "url", ["http://", "http://:80/", "http://127.0.0.1:99999/", "http://\x00/", "https://" + "a" * 70]
)
def test_addresses_that_are_none(files, url):
    with pytest.raises(ValueError, match="cannot be downloaded: "):
        download(url)


def test_a_full_disk(files, monkeypatch):
    def fail(self, piece):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TemporaryFile, "write", fail)
    with answering(answer(b"abc")) as url, pytest.raises(ValueError, match="No space left on device"):
        download(url)
