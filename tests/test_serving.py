"""docs/serving.md: its file serves a model on loopback, and says of a bad upload in one sentence what is wrong."""

import re
import socket
import subprocess
import sys
import time

import httpx
import pytest
from places import ROOT
from sounding_clips import write_sounding_clip
from toy_models import toy

from holovid import HolovidProcessor, VideoClassificationPipeline
from holovid.families import variants


def answering(address: str, server: subprocess.Popen) -> None:
    for _ in range(600):
        assert server.poll() is None, server.stderr.read()
        try:
            httpx.get(address)
            return
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError(address)


@pytest.mark.slow
def test_the_page_serves(tmp_path):
    page = (ROOT / "docs" / "serving.md").read_text()
    (tmp_path / "serve.py").write_text(re.search(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[1])
    model, _ = toy(variants()["cava"])
    processor = HolovidProcessor.for_model(model)
    model.save_pretrained(tmp_path / "run")
    processor.save_pretrained(tmp_path / "run")
    clip = write_sounding_clip(tmp_path / "clip.mp4", size=(64, 64))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = re.search(r"^uvicorn (.*)$", page, re.MULTILINE)[1].replace("8000", str(port)).split()
    with subprocess.Popen(
        [sys.executable, "-m", "uvicorn", *command], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            answering(address, server)

            def ask(content: bytes, **options) -> httpx.Response:
                return httpx.post(
                    f"{address}/labels", files={"clip": ("clip.mp4", content)}, params=options, timeout=60
                )

            label = VideoClassificationPipeline(model=model, video_processor=processor.video_processor)
            answer = ask(clip.read_bytes(), top_k=2)
            assert answer.status_code == 200, answer.text
            assert [(each["label"], pytest.approx(each["score"], abs=1e-5)) for each in label(str(clip), top_k=2)] == [
                (each["label"], each["score"]) for each in answer.json()
            ]
            for content, options, words in (
                (b"no video", {}, "cannot be read as a video"), (b"", {}, "cannot be read as a video"),
                (clip.read_bytes()[:300], {}, ""), (clip.read_bytes(), {"top_k": 0}, "top_k must be at least"),
            ):  # fmt: skip
                refusal = ask(content, **options)
                assert refusal.status_code == 422
                assert words in refusal.json()["detail"] and "\n" not in refusal.json()["detail"], refusal.text
            assert httpx.post(f"{address}/labels").status_code == 422  # without a clip
        finally:
            server.terminate()
