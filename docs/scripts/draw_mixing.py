"""Draw XViT's mixing of keys and values:   python docs/scripts/draw_mixing.py [--output docs/mixing.svg]

The drawing shows what the module does to numbers. Every channel of the keys holds the number of its frame, so after
mixing it tells which frame it came from.
"""

import argparse
from pathlib import Path
from xml.etree import ElementTree

import torch

from holovid import XViTConfig
from holovid.modeling.modeling_xvit import build_context

FRAMES, CHANNELS, CELL = 8, 24, 15
COLOURS = ("#1b4965", "#2f6fde", "#5fa8d3", "#2a9d63", "#8ab17d", "#e9c46a", "#d9822b", "#c8553d")
PANELS = {
    "keys and values of a place": {"mix_layers": []},
    "mixed with the frames before and after": {"mix_window": 1},
    "window 2: two frames to each side": {"mix_window": 2, "mix_divisor": 6},
}
FONT = {"font-family": "Helvetica, Arial, sans-serif", "text-anchor": "middle", "fill": "#222"}


def sources(settings: dict) -> list[list[int]]:
    """The frame (from 1) that each channel comes from, (T, D); 0 where there is none."""
    config = XViTConfig(
        image_size=16, hidden_size=CHANNELS, num_attention_heads=1, num_hidden_layers=1, num_frames=FRAMES, **settings
    )
    numbers = torch.arange(1.0, FRAMES + 1).view(1, FRAMES, 1, 1).expand(-1, -1, -1, CHANNELS)
    return build_context(config, layer=0)(numbers)[0, :, 0].int().tolist()


def draw() -> ElementTree.Element:
    width = CHANNELS * CELL + 40
    picture = ElementTree.Element(
        "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width * len(PANELS) + 60} {FRAMES * CELL + 110}"
    )
    ElementTree.SubElement(picture, "rect", {"width": "100%", "height": "100%", "fill": "white"})

    def text(x: float, y: float, words: str, size: int = 13, **attributes: str) -> None:
        place = {"x": str(x), "y": str(y), "font-size": str(size)}
        ElementTree.SubElement(picture, "text", FONT | place | attributes).text = words

    for row in range(FRAMES):
        text(44, 60 + row * CELL + 12, f"frame {row + 1}", size=11, **{"text-anchor": "end"})
    for panel, (title, settings) in enumerate(PANELS.items()):
        left = 54 + panel * width
        text(left + CHANNELS * CELL / 2, 38, title, size=15)
        for row, frame in enumerate(sources(settings)):
            for column, source in enumerate(frame):
                place = {"x": left + column * CELL, "y": 60 + row * CELL, "width": CELL - 1, "height": CELL - 1}
                fill = COLOURS[source - 1] if source else "#eef1f5"
                ElementTree.SubElement(picture, "rect", {key: str(value) for key, value in place.items()}, fill=fill)
        text(left + CHANNELS * CELL / 2, 60 + FRAMES * CELL + 24, "channels, coloured by the frame they come from", 12)
    return picture


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/mixing.svg"))
    arguments = parser.parse_args()
    picture = draw()
    ElementTree.indent(picture)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(ElementTree.tostring(picture, encoding="unicode") + "\n")
    print(arguments.output)
