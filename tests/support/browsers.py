"""A real browser without a window, and pages that it looks at: `holovid app` and Spaces."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

BROWSERS, DRIVER = ("chromium", "chromium-browser", "google-chrome"), "chromedriver"
START = 120  # seconds that a page may take to come up on a busy machine


@contextmanager
def browser(folder: Path, width: int = 1200, height: int = 1500) -> Iterator[Any]:
    """Chromium with its profile in a folder. Names of hosts are not resolved, and what is asked for is logged."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which(DRIVER)
    if program is None or driver is None:
        pytest.skip("not run: no browser; Debian's packages chromium and chromium-driver have one")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={width},{height}",
        f"--user-data-dir={folder / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--no-proxy-server",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def asked_hosts(chrome) -> set[str]:
    """The hosts that pages have asked for something since this was called last."""
    events = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    asked = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    # the browser's own start page is asked for by no page
    addresses = [each["request"]["url"] for each in asked if each["documentURL"].startswith("http")]
    return {urlsplit(address).hostname or "" for address in addresses if address.startswith(("http", "ws"))}


def eventually(found: Callable[[], Any], seconds: float = 60) -> Any:
    """What `found` returns as soon as that is something. Fails after so many seconds."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"nothing came within {seconds} s"
        time.sleep(0.1)
    return value


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def served(command, folder, **variables):
    """The address of a page that a process serves; asked to end, it ends well and leaves nothing behind."""
    temporary, here = folder / "temporary", folder / "here"
    temporary.mkdir()
    here.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "HF_HUB_OFFLINE": "1", **variables}
    with open(folder / "said", "w+") as said:
        process = subprocess.Popen(command, cwd=here, env=environment, stdout=said, stderr=subprocess.STDOUT)
        try:
            lines = eventually(
                lambda: (
                    [line for line in (folder / "said").read_text().splitlines() if line.startswith("Page: ")]
                    or process.poll() is not None
                ),
                START,
            )
            assert isinstance(lines, list), (folder / "said").read_text()
            yield lines[0].split()[1]
            assert list(temporary.iterdir())
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(START)
    assert status == 0, (folder / "said").read_text()
    assert "Traceback" not in (folder / "said").read_text()
    left = [*temporary.rglob("*"), *here.rglob("*")]
    assert not left, left


def upload(chrome, clip) -> None:
    eventually(lambda: chrome.find_elements("css selector", "#clip input[type=file]"))[0].send_keys(str(clip))


def text_of(chrome, selector: str) -> str:
    """What is written there; what stands there before, gradio's clock for instance, is waited through."""
    return eventually(lambda: "".join(each.text.strip() for each in chrome.find_elements("css selector", selector)))


def shows(chrome, selector: str) -> bool:
    """Whether a picture or video was decoded by the browser."""
    return chrome.execute_script(
        "const it = document.querySelector(arguments[0]); return !!it && (it.naturalWidth || it.videoWidth || 0) > 0",
        selector,
    )
