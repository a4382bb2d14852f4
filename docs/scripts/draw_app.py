"""A picture of the page of holovid app:   python docs/scripts/draw_app.py MODEL --clip CLIP

A real browser opens the page, uploads a clip and waits for the labels. `draw_explanation.py --model MODEL --clip CLIP`
makes both. The browser is Debian's: apt-get install chromium chromium-driver.
"""

import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))
from browsers import browser, eventually, free_port, served, shows, upload  # noqa: E402

WIDTH, HEIGHT = 1100, 1300  # pixels of the window


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "app.png")
    args = parser.parse_args()
    models = [str(Path(model).absolute()) for model in args.models]
    command = [sys.executable, "-m", "holovid.cli", "app", *models, "--port", str(free_port())]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compiled = {"TORCHINDUCTOR_CACHE_DIR": str(folder / "compiled")}  # which torch makes wherever it is imported
        with browser(folder, WIDTH, HEIGHT) as chrome, served(command, folder, **compiled) as address:
            chrome.get(address)
            upload(chrome, args.clip.absolute())
            for number in range(len(models)):
                eventually(lambda: shows(chrome, f"#picture-{number} img"))  # noqa: B023
                eventually(lambda: shows(chrome, f"#video-{number} video"))  # noqa: B023
            chrome.save_screenshot(str(folder / "app.png"))
        # few colours are enough for a page, and make a small file
        Image.open(folder / "app.png").convert("RGB").quantize(128).save(args.output, optimize=True)


if __name__ == "__main__":
    main()
