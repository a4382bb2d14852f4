"""Tables and folders of labelled clips: what people have, and what is wrong with it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet

from corpus import shared
from corpus.cases import Case, Fault, described, gives, gives_or_refuses, refused
from holovid.data.dataset import load_clips

CLASSES = ("left", "right")


def clips(folder: Path, *names: str) -> Path:
    """The folder, with a clip under each of these names."""
    for name in names or ("left/a.mp4", "left/b.mp4", "right/c.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shared.HERE / "clip.mp4", folder / name)
    return folder


def load(source: Any) -> dict[str, list[tuple[str, str]]]:
    """split -> (name of the clip, label, or labels as in "run|jump") of each row."""
    source, options = source if isinstance(source, tuple) else (source, {})
    tables = load_clips(source, **options)
    answer = {}
    for split, rows in tables.items():
        feature = rows.features["label"]
        several = isinstance(feature, datasets.List)
        names = (feature.feature if several else feature).names
        answer[split] = [
            (
                os.path.basename(row["video"]["path"] or ""),
                "|".join(names[number] for number in (row["label"] if several else [row["label"]])),
            )
            for row in rows
        ]
        if any(row["video"]["path"] and "secret" in row["video"]["path"] for row in rows):
            raise Fault("names a file from outside")
    return answer


def table(text: str | bytes, name: str = "clips.csv") -> Callable[[Path], Path]:
    """A maker: a table beside the clips a.mp4 and b.mp4."""

    def make(folder: Path) -> Path:
        clips(folder, "a.mp4", "b.mp4")
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
        return folder / name

    return make


def rows(*pairs: tuple[str, str]) -> Any:
    """A check: these rows of "train", in any order."""
    return described(lambda answer: sorted(answer.get("train", [])) == sorted(pairs), f"train: {sorted(pairs)}")


TWO = rows(("a.mp4", "left"), ("b.mp4", "right"))
BOMB = "a" * 100_000
CSV: dict[str, tuple[str | bytes, Any]] = {
    "plain": ("path,label\na.mp4,left\nb.mp4,right\n", gives(TWO)),
    "with lines of Windows": ("path,label\r\na.mp4,left\r\nb.mp4,right\r\n", gives(TWO)),
    "with a mark of Unicode": ("\ufeffpath,label\na.mp4,left\nb.mp4,right\n", gives(TWO)),
    "with quotes": ('"path","label"\n"a.mp4","left"\n"b.mp4","right"\n', gives(TWO)),
    "with columns in another order": ("label,path\nleft,a.mp4\nright,b.mp4\n", gives(TWO)),
    "with a column more": ("path,label,note\na.mp4,left,x\nb.mp4,right,y\n", gives(TWO)),
    "called file_name": ("file_name,label\na.mp4,left\nb.mp4,right\n", gives(TWO)),
    "called video": ("video,label\na.mp4,left\nb.mp4,right\n", gives(TWO)),
    "without an end of the last line": ("path,label\na.mp4,left\nb.mp4,right", gives(TWO)),
    "with empty lines": ("path,label\n\na.mp4,left\n\nb.mp4,right\n\n", gives_or_refuses(TWO)),
    "with intervals": ("path,start,end,label\na.mp4,0,0.5,left\nb.mp4,0.5,,right\n", gives(TWO)),
    "with the header twice": ("path,label\npath,label\na.mp4,left\n", refused()),
    "with a column twice": ("path,label,label\na.mp4,left,left\n", refused("label")),
    "with the column of paths twice": ("path,path,label\na.mp4,b.mp4,left\n", refused("path")),
    "without a header": ("a.mp4,left\nb.mp4,right\n", refused()),
    "without rows": ("path,label\n", refused()),
    "that is empty": ("", refused()),
    "of blanks": ("  \n \n", refused()),
    "without labels": ("path\na.mp4\n", refused("label")),
    "without paths": ("label\nleft\n", refused()),
    "with an empty label": ("path,label\na.mp4,\nb.mp4,right\n", refused("label")),
    "with a blank label": ("path,label\na.mp4,   \nb.mp4,right\n", refused("label")),
    "with an empty path": ("path,label\n,left\nb.mp4,right\n", refused("path")),
    "with too few fields": ("path,label\na.mp4\nb.mp4,right\n", refused()),
    "with too many fields": ("path,label\na.mp4,left,x\nb.mp4,right\n", refused()),
    "with semicolons": ("path;label\na.mp4;left\nb.mp4;right\n", refused()),
    "with tabulators": ("path\tlabel\na.mp4\tleft\nb.mp4\tright\n", refused()),
    "with a quote that does not end": ('path,label\n"a.mp4,left\nb.mp4,right\n', refused()),
    "with labels that differ by a blank": ("path,label\na.mp4,run\nb.mp4,run \n", gives_or_refuses(rows(("a.mp4", "run"), ("b.mp4", "run")))),
    "with labels that differ by a blank in front": ("path,label\na.mp4,run\nb.mp4, run\n", gives_or_refuses(rows(("a.mp4", "run"), ("b.mp4", "run")))),
    "with labels that look like numbers": ("path,label\na.mp4,007\nb.mp4,008\n", gives(rows(("a.mp4", "007"), ("b.mp4", "008")))),
    "with labels called true": ("path,label\na.mp4,true\nb.mp4,false\n", gives(rows(("a.mp4", "true"), ("b.mp4", "false")))),
    "with labels called null": ("path,label\na.mp4,null\nb.mp4,nan\n", gives_or_refuses(rows(("a.mp4", "null"), ("b.mp4", "nan")))),
    "with dates as labels": ("path,label\na.mp4,2024-01-01\nb.mp4,x\n", gives(rows(("a.mp4", "2024-01-01"), ("b.mp4", "x")))),
    "with numbers as labels": ("path,label\na.mp4,0\nb.mp4,1\n", gives(rows(("a.mp4", "0"), ("b.mp4", "1")))),
    "with fractions as labels": ("path,label\na.mp4,0.5\nb.mp4,1.5\n", gives_or_refuses(rows(("a.mp4", "0.5"), ("b.mp4", "1.5")))),
    "with a negative label": ("path,label\na.mp4,-1\nb.mp4,1\n", refused("-1")),
    "with a label of 23 digits": ("path,label\na.mp4,12345678901234567890123\nb.mp4,1\n", refused()),
    "with a label of 5000 digits": (f"path,label\na.mp4,{'9' * 5000}\nb.mp4,1\n", refused()),
    "with a label of a hundred thousand letters": (f"path,label\na.mp4,{BOMB}\nb.mp4,right\n", gives_or_refuses()),
    "with a zero byte": (b"path,label\na.mp4,le\0ft\nb.mp4,right\n", gives_or_refuses()),
    "with a zero byte in a path": (b"path,label\na\0.mp4,left\nb.mp4,right\n", refused()),
    "in Latin 1": ("path,label\na.mp4,h\u00e4nde\nb.mp4,right\n".encode("latin-1"), refused()),
    "in UTF-16": ("path,label\na.mp4,left\nb.mp4,right\n".encode("utf-16"), refused()),
    "that is a clip": (b"\0\0\0\x20ftypisom" + bytes(500), refused()),
    "that is noise": (bytes(range(256)) * 20, refused()),
    "with a path of a folder": ("path,label\n.,left\nb.mp4,right\n", refused()),
    "with a path of nothing": ("path,label\nabsent.mp4,left\nb.mp4,right\n", refused("absent.mp4")),
    "with starts that are words": ("path,start,label\na.mp4,soon,left\nb.mp4,1,right\n", refused()),
    "with times of a clock": ("path,start,end,label\na.mp4,00:00:01,00:00:02,left\n", refused()),
    "with an end before the start": ("path,start,end,label\na.mp4,3,1,left\n", refused()),
    "with an end at the start": ("path,start,end,label\na.mp4,1,1,left\n", refused()),
    "with a negative start": ("path,start,label\na.mp4,-1,left\n", refused()),
    "with a start that is no number": ("path,start,label\na.mp4,nan,left\n", gives_or_refuses()),
    "with an end that is no number": ("path,start,end,label\na.mp4,0,nan,left\n", gives_or_refuses()),
    "with a start that is infinite": ("path,start,label\na.mp4,inf,left\n", refused()),
    "with a column called bytes": ("path,bytes,label\na.mp4,x,left\nb.mp4,y,right\n", gives(TWO)),
    "with a column without a name": ("path,label,\na.mp4,left,\nb.mp4,right,\n", gives_or_refuses(TWO)),
    "with blanks in its header": ("path , label\na.mp4,left\nb.mp4,right\n", gives_or_refuses(TWO)),
    "with capitals in its header": ("Path,Label\na.mp4,left\nb.mp4,right\n", gives_or_refuses(TWO)),
}  # fmt: skip
LISTS: dict[str, tuple[str | bytes, Any]] = {
    "plain": ("a.mp4 0\nb.mp4 1\n", gives(rows(("a.mp4", "0"), ("b.mp4", "1")))),
    "with tabulators": ("a.mp4\t0\nb.mp4\t1\n", gives(rows(("a.mp4", "0"), ("b.mp4", "1")))),
    "with empty lines": ("\na.mp4 0\n\nb.mp4 1\n", gives(rows(("a.mp4", "0"), ("b.mp4", "1")))),
    "with a negative label": ("a.mp4 0\nb.mp4 -1\n", refused()),
    "with a label of 23 digits": ("a.mp4 12345678901234567890123\nb.mp4 1\n", refused()),
    "with a label of 5000 digits": (f"a.mp4 {'9' * 5000}\nb.mp4 1\n", refused()),
    "with a label of digits of another script": ("a.mp4 \u0663\nb.mp4 1\n", gives_or_refuses()),
    "with a label that is a word": ("a.mp4 0\nb.mp4 right\n", refused("line 2")),
    "with a label that is missing": ("a.mp4 0\nb.mp4\n", refused("line 2")),
    "with a label that is too large": ("a.mp4 0\nb.mp4 1000000000\n", refused()),
    "with a fraction": ("a.mp4 0\nb.mp4 1.5\n", refused()),
    "with three fields": ("a.mp4 10 0\nb.mp4 10 1\n", refused()),
    "in Latin 1": ("h\u00e4nde.mp4 0\n".encode("latin-1"), refused()),
    "with labels that have zeros in front": ("a.mp4 00\nb.mp4 01\n", gives_or_refuses()),
}


def parquet(columns: dict[str, Any]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        clips(folder, "a.mp4", "b.mp4")
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / "clips.parquet")
        return folder / "clips.parquet"

    return make


BOTH = ["a.mp4", "b.mp4"]
PARQUET: dict[str, tuple[dict[str, Any], Any]] = {
    "plain": ({"path": BOTH, "label": ["left", "right"]}, gives(TWO)),
    "of numbers": ({"path": BOTH, "label": [0, 1]}, gives(rows(("a.mp4", "0"), ("b.mp4", "1")))),
    "of labels that are fractions": ({"path": BOTH, "label": [0.5, 1.5]}, refused()),
    "of labels that are whole as fractions": ({"path": BOTH, "label": [0.0, 1.0]}, gives_or_refuses()),
    "of labels that are booleans": ({"path": BOTH, "label": [True, False]}, gives_or_refuses()),
    "of labels that are lists": ({"path": BOTH, "label": [["left"], ["right"]]}, gives(TWO)),
    "of several labels": ({"path": BOTH, "label": [["left", "right"], []]}, gives_or_refuses(rows(("a.mp4", "left|right"), ("b.mp4", "")))),
    "of labels that are lists of lists": ({"path": BOTH, "label": [[["left"]], [["right"]]]}, refused()),
    "of labels that are lists with one missing": ({"path": BOTH, "label": [["left", None], ["right"]]}, refused()),
    "of labels that are lists of fractions": ({"path": BOTH, "label": [[0.5], [1.5]]}, gives_or_refuses()),
    "of labels that are lists of records": ({"path": BOTH, "label": [[{"a": 1}], [{"a": 2}]]}, refused()),
    "of labels that are lists twice the same": ({"path": BOTH, "label": [["left", "left"], ["right"]]}, gives_or_refuses(TWO)),
    "of labels that are records": ({"path": BOTH, "label": [{"a": 1}, {"a": 2}]}, refused()),
    "of labels that are bytes": ({"path": BOTH, "label": [b"left", b"right"]}, gives_or_refuses()),
    "of labels that are dates": ({"path": BOTH, "label": pyarrow.array([1, 2], pyarrow.date32())}, gives_or_refuses()),
    "of labels that are nothing": ({"path": BOTH, "label": pyarrow.nulls(2)}, refused()),
    "of labels of unsigned numbers": ({"path": BOTH, "label": pyarrow.array([0, 2**63], pyarrow.uint64())}, refused()),
    "of labels of decimals": ({"path": BOTH, "label": pyarrow.array([0, 1], pyarrow.decimal128(5))}, gives_or_refuses()),
    "of labels in a dictionary": ({"path": BOTH, "label": pyarrow.array(["left", "right"]).dictionary_encode()}, gives_or_refuses(TWO)),
    "of large texts": ({"path": pyarrow.array(BOTH, pyarrow.large_string()), "label": pyarrow.array(["left", "right"], pyarrow.large_string())}, gives(TWO)),
    "of short texts": ({"path": pyarrow.array(BOTH, pyarrow.string_view()), "label": ["left", "right"]}, gives_or_refuses(TWO)),
    "of paths that are numbers": ({"path": [1, 2], "label": ["left", "right"]}, refused()),
    "of paths that are lists": ({"path": [["a.mp4"], ["b.mp4"]], "label": ["left", "right"]}, refused()),
    "of paths that are records": ({"path": [{"x": 1}, {"x": 2}], "label": ["left", "right"]}, refused()),
    "of paths that are bytes": ({"path": [b"a.mp4", b"b.mp4"], "label": ["left", "right"]}, gives_or_refuses()),
    "of paths in a dictionary": ({"path": pyarrow.array(BOTH).dictionary_encode(), "label": ["left", "right"]}, gives_or_refuses(TWO)),
    "of paths with one missing": ({"path": ["a.mp4", None], "label": ["left", "right"]}, refused()),
    "of labels with one missing": ({"path": BOTH, "label": ["left", None]}, refused()),
    "of starts that are texts": ({"path": BOTH, "label": ["left", "right"], "start": ["0", "1"]}, refused()),
    "of starts that are booleans": ({"path": BOTH, "label": ["left", "right"], "start": [True, False]}, refused()),
    "of starts that are times": ({"path": BOTH, "label": ["left", "right"], "start": pyarrow.array([1, 2], pyarrow.duration("s"))}, refused()),
    "of starts that are lists": ({"path": BOTH, "label": ["left", "right"], "start": [[0.0], [1.0]]}, refused()),
    "of starts of 16 bits": ({"path": BOTH, "label": ["left", "right"], "start": pyarrow.array([0, 0], pyarrow.int16())}, gives_or_refuses(TWO)),
    "of starts of half floats": ({"path": BOTH, "label": ["left", "right"], "start": pyarrow.array([0.0, 0.5], pyarrow.float16())}, gives_or_refuses(TWO)),
    "of no columns": ({}, refused()),
    "of no rows": ({"path": [], "label": []}, refused()),
    "of videos as bytes": ({"video": [{"path": None, "bytes": b"x"}] * 2, "label": ["left", "right"]}, gives(rows(("", "left"), ("", "right")))),
    "of videos as other records": ({"video": [{"name": "a.mp4"}] * 2, "label": ["left", "right"]}, refused()),
}  # fmt: skip


def folders() -> list[Case]:
    three = rows(("a.mp4", "left"), ("b.mp4", "left"), ("c.mp4", "right"))
    suffixes = ["3g2", "3gp", "asf", "avi", "f4v", "flv", "gif", "m2ts", "m2v", "m4v", "mkv", "mov", "MP4", "mpeg", "mpg", "mts", "MTS", "mxf", "ogv", "ts", "vob", "webm", "wmv"]  # fmt: skip

    def with_notes(folder: Path) -> Path:
        clips(folder)
        (folder / "left" / "notes.txt").write_text("x")
        (folder / "left" / "sound.wav").write_bytes(b"x")
        return folder

    def linked_to_itself(folder: Path) -> Path:
        clips(folder)
        (folder / "left" / "again").symlink_to("..")
        return folder

    def linked_twice(folder: Path) -> Path:
        clips(folder)
        (folder / "left" / "d.mp4").symlink_to("a.mp4")
        return folder

    def linked_nowhere(folder: Path) -> Path:
        clips(folder)
        (folder / "left" / "gone.mp4").symlink_to("absent.mp4")
        return folder

    def linked_class(folder: Path) -> Path:
        clips(folder, "store/a.mp4", "store/b.mp4", "set/right/c.mp4")
        (folder / "set" / "left").symlink_to("../store")
        return folder / "set"

    def in_a_circle(folder: Path) -> Path:
        (folder / "left").mkdir()
        (folder / "left" / "x.mp4").symlink_to("y.mp4")
        (folder / "left" / "y.mp4").symlink_to("x.mp4")
        return folder

    def piped(folder: Path) -> Path:
        clips(folder)
        os.mkfifo(folder / "left" / "pipe.mp4")
        return folder

    def clip_that_is_a_folder(folder: Path) -> Path:
        clips(folder)
        (folder / "left" / "d.mp4").mkdir()
        return folder

    def playlist(folder: Path) -> Path:
        clips(folder)
        (folder / "left" / "list.m3u8").write_text("#EXTM3U\nsecret.mp4\n")
        return folder

    def deep(folder: Path) -> Path:
        return clips(folder, "left/" + "x/" * 60 + "a.mp4", "right/b.mp4")

    cases = [
        Case("a folder of classes", clips, load, gives(three)),
        Case("a folder as text", lambda folder: str(clips(folder)), load, gives(three)),
        Case("a folder of splits", lambda folder: clips(folder, "train/left/a.mp4", "train/right/b.mp4", "val/left/c.mp4"), load, gives(lambda answer: set(answer) == {"train", "validation"})),
        Case("a folder with notes", with_notes, load, gives(three, "notes.txt")),
        Case("a folder with a playlist", playlist, load, gives(three)),
        Case("a folder that links to itself", linked_to_itself, load, gives_or_refuses(three)),
        Case("a folder with a clip that is linked", linked_twice, load, gives_or_refuses(lambda answer: len(answer["train"]) <= 4)),
        Case("a folder with a link to nothing", linked_nowhere, load, gives_or_refuses(three)),
        Case("a class that is a link", linked_class, load, gives(three)),
        Case("a folder of links in a circle", in_a_circle, load, refused()),
        Case("a folder with a named pipe", piped, load, gives_or_refuses(three), seconds=8),
        Case("a clip that is a folder", clip_that_is_a_folder, load, gives_or_refuses(three)),
        Case("a folder that is deep", deep, load, gives(TWO)),
        Case("an empty folder", lambda folder: folder, load, refused()),
        Case("a folder with an empty class", lambda folder: [clips(folder), (folder / "up").mkdir()][0], load, refused("up")),
        Case("a folder of loose clips", lambda folder: clips(folder, "a.mp4"), load, refused()),
        Case("a folder of one class", lambda folder: clips(folder, "left/a.mp4"), load, gives_or_refuses(rows(("a.mp4", "left")))),
        Case("classes that differ by a blank", lambda folder: clips(folder, "run/a.mp4", "run /b.mp4"), load, gives_or_refuses(rows(("a.mp4", "run"), ("b.mp4", "run")))),
        Case("a class of strange letters", lambda folder: clips(folder, "l\u00e9ft \u4f60/a.mp4", "right/b.mp4"), load, gives(rows(("a.mp4", "l\u00e9ft \u4f60"), ("b.mp4", "right")))),
        Case("a class of half a letter", lambda folder: clips(folder, "l\udce9ft/a.mp4", "right/b.mp4"), load, gives_or_refuses()),
        Case("a clip of half a letter", lambda folder: clips(folder, "left/\udce9.mp4", "right/b.mp4"), load, gives_or_refuses()),
        Case("a split twice", lambda folder: clips(folder, "val/left/a.mp4", "valid/left/a.mp4", "train/left/b.mp4"), load, refused("twice")),
        Case("a class that training lacks", lambda folder: clips(folder, "train/left/a.mp4", "val/up/b.mp4"), load, refused("up")),
        Case("a path of nothing", lambda folder: folder / "absent", load, refused("absent")),
        Case("None", lambda folder: None, load, refused()),
        Case("a number", lambda folder: 3, load, refused()),
        Case("a list", lambda folder: ["a.mp4"], load, refused()),
        Case("an empty text", lambda folder: "", load, refused()),
        Case("a mapping of nothing", lambda folder: {}, load, refused()),
        Case("a mapping to nothing", lambda folder: {"train": folder / "absent"}, load, refused("absent")),
        Case("a mapping to None", lambda folder: {"train": None}, load, refused()),
        Case("a clip in place of a table", lambda folder: clips(folder, "a.mp4") / "a.mp4", load, refused()),
        Case("a named pipe in place of a table", lambda folder: [os.mkfifo(folder / "x.csv"), folder / "x.csv"][1], load, refused(), seconds=8),
        Case("a device in place of a table", lambda folder: "/dev/zero", load, refused(), seconds=8),
        Case("a table that is a link to a device", lambda folder: [(folder / "x.csv").symlink_to("/dev/zero"), folder / "x.csv"][1], load, refused(), seconds=8),
        Case("a damaged Parquet", table(b"PAR1" + bytes(100) + b"PAR1", "clips.parquet"), load, refused()),
        Case("a Parquet that is text", table("path,label\na.mp4,left\n", "clips.parquet"), load, refused()),
        Case("an empty Parquet", table("", "clips.parquet"), load, refused()),
        Case("a table of another suffix", table("path,label\na.mp4,left\n", "clips.xlsx"), load, refused()),
        Case("a target that is not there", lambda folder: (clips(folder), {"target": "verb"}), load, refused("verb")),
        Case("a target of another type", lambda folder: (clips(folder), {"target": 3}), load, refused()),
        Case("no targets", lambda folder: (clips(folder), {"target": []}), load, refused()),
        Case("names of classes twice", lambda folder: (clips(folder), {"names": {"label": ["left", "left", "right"]}}), load, refused("left")),
        Case("names of fewer classes", lambda folder: (clips(folder), {"names": {"label": ["left"]}}), load, refused("right")),
        Case("an unknown way with missing files", lambda folder: (clips(folder), {"missing": "x"}), load, refused("missing")),
    ]  # fmt: skip
    for suffix in suffixes:
        make = lambda folder, suffix=suffix: clips(folder, f"left/a.{suffix}", "right/b.mp4")  # noqa: E731
        right = described(lambda answer: len(answer["train"]) == 2, "two rows")
        cases.append(Case(f"a clip called .{suffix}", make, load, gives(right)))
    return cases


CASES = [
    *[Case(f"a CSV {name}", table(text), load, right) for name, (text, right) in CSV.items()],
    *[Case(f"a list {name}", table(text, "clips.txt"), load, right) for name, (text, right) in LISTS.items()],
    *[Case(f"a Parquet {name}", parquet(columns), load, right) for name, (columns, right) in PARQUET.items()],
    *folders(),
]
