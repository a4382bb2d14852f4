"""Draw one layer of CA²ST, docs/exchange.svg.   python docs/scripts/draw_exchange.py [--output docs/exchange.svg]

The experts and their exchanges are read from a configuration, so CAST and CAVA can be drawn too: --experts space,time.
"""

import argparse
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

from holovid import CA2STConfig
from holovid.modeling.layers_ca2st import READING_AXIS

COLOURS = {"space": "#2f6fde", "time": "#d9822b", "audio": "#2a9d63"}
SEES = {"space": "CLIP: frames, one by one", "time": "VideoMAE: the whole clip", "audio": "AST: log-mel of the sound"}
AXES = {"heads_along_time": "along time", "heads_along_space": "within a frame"}
COLUMN, BOX, GAP = 300, 200, 62


class Drawing:
    def __init__(self, width: int, height: int):
        self.root = ElementTree.Element(
            "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", width=str(width)
        )
        self.add("rect", width=width, height=height, fill="white")
        definitions = ElementTree.SubElement(self.root, "defs")
        for name, colour in COLOURS.items():
            size = {"markerWidth": "7", "markerHeight": "7", "refX": "6", "refY": "3", "orient": "auto"}
            marker = ElementTree.SubElement(definitions, "marker", id=f"to-{name}", **size)
            ElementTree.SubElement(marker, "path", d="M0,0 L6,3 L0,6 z", fill=colour)

    def add(self, shape: str, text: str = "", **attributes):
        named = {name.replace("_", "-"): str(value) for name, value in attributes.items()}
        ElementTree.SubElement(self.root, shape, named).text = text

    def text(self, x: float, y: float, text: str, size: int = 13, colour: str = "#222", weight: str = "normal"):
        font = {"font_family": "Helvetica, Arial, sans-serif", "font_size": size, "font_weight": weight}
        self.add("text", text, x=x, y=y, fill=colour, text_anchor="middle", **font)

    def box(self, centre: float, y: float, width: float, height: float, label: str, colour: str, frozen: bool):
        fill, ink = ("#eef1f5", "#444") if frozen else (colour, "white")
        self.add(
            "rect",
            x=centre - width / 2,
            y=y,
            width=width,
            height=height,
            rx=8,
            fill=fill,
            stroke=colour,
            stroke_width=1.5,
        )
        self.text(centre, y + height / 2 + 5, label, colour=ink)

    def arrow(self, path: str, colour: str, to: str | None = None):
        end = {"marker_end": f"url(#to-{to})"} if to else {}
        self.add("path", d=path, fill="none", stroke=colour, stroke_width=2, **end)


def draw(config: CA2STConfig) -> Drawing:
    experts = list(config.experts)
    pairs = list(combinations(experts, 2))
    top = 108
    first_pair = top + 84
    mlp = first_pair + GAP * len(pairs) + 26
    drawing = Drawing(COLUMN * len(experts), mlp + 120)
    centre = {expert: COLUMN * (index + 0.5) for index, expert in enumerate(experts)}
    for expert in experts:
        x, colour = centre[expert], COLOURS[expert]
        drawing.text(x, 34, expert, size=20, colour=colour, weight="bold")
        drawing.text(x, 56, SEES[expert], colour="#666")
        drawing.arrow(f"M{x},70 V{mlp + 104}", colour, expert)
        drawing.box(x, top - 24, BOX, 34, "self-attention, frozen", colour, frozen=True)
        drawing.box(x, top + 14, BOX * 0.5, 22, "adapter", colour, frozen=False)
        drawing.box(x, mlp, BOX, 34, "MLP, frozen", colour, frozen=True)
        drawing.box(x, mlp + 38, BOX * 0.5, 22, "adapter", colour, frozen=False)
    for row, (first, second) in enumerate(pairs):
        y = first_pair + GAP * row
        for offset, reader, source in ((-9, first, second), (9, second, first)):
            start, end = centre[source], centre[reader]
            side = 58 if end > start else -58
            drawing.arrow(f"M{start + side},{y + offset} H{end - side - side / 29}", COLOURS[source], source)
            axis = READING_AXIS.get(f"{reader}_reads_{source}")
            label = f"{reader} reads {source}, {AXES.get(axis.__name__ if axis else '', 'all of the clip')}"
            middle = (centre[first] + centre[second]) / 2
            # a line that passes over a column in between keeps its words clear of it
            middle = middle if experts.index(second) - experts.index(first) == 1 else centre[first] + COLUMN / 2
            drawing.text(middle, y + offset + (-5 if offset < 0 else 15), label, size=10.5, colour="#555")
        for expert in (first, second):
            width = 56
            x = centre[expert]
            waist = f"{x - width},{y - 22} {x + width},{y - 22} {x + width * 0.55},{y} {x + width},{y + 22} "
            drawing.add(
                "polygon",
                points=waist + f"{x - width},{y + 22} {x - width * 0.55},{y}",
                fill=COLOURS[expert],
                opacity=0.92,
            )
            drawing.text(x, y + 4, "down · up", size=10.5, colour="white")
    return drawing


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/exchange.svg"))
    parser.add_argument("--experts", default="space,time,audio")
    arguments = parser.parse_args()
    drawing = draw(CA2STConfig(experts=arguments.experts.split(",")))
    ElementTree.indent(drawing.root)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(ElementTree.tostring(drawing.root, encoding="unicode") + "\n")
    print(arguments.output)
