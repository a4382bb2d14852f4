"""load_clips: every kind of source that it takes, against the rows that were meant; and what is said of bad ones."""

import csv
import gc
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from clips import write_clip
from datasets import ClassLabel, Dataset, DatasetDict, Features, Video, load_dataset
from hub_server import HubRequestHandler, HubServer, Repository

from holovid.data.clip_folders import first_of
from holovid.data.synthetic import ClipSet, render_clips
from holovid.data.tables import load_clips

TINY = ClipSet(train=8, val=4, size=32, seconds=0.5, frame_rate=8)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return render_clips(tmp_path_factory.mktemp("data") / "clips", TINY, progress=False)


@pytest.fixture
def folder(tmp_path):
    """Files that are called like clips, which is all that this is about."""
    for name in ("a/1.mp4", "a/2.MKV", "b/in/side/3.avi", "b/.hidden.mp4", "b/notes.txt", "c/x y.mp4"):
        for split in ("train", "val"):
            path = tmp_path / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return tmp_path


def shown(rows: Dataset, *columns: str) -> list:
    """The rows as tuples: the file, and the names of classes and values in these columns."""
    table = []
    for row in rows:
        values = [row["video"]["path"]]
        for column in columns:
            feature = rows.features[column]
            values.append(feature.names[row[column]] if isinstance(feature, ClassLabel) else row[column])
        table.append(tuple(values))
    return table


def test_rendered_clips(rendered):
    clips = load_clips(rendered, target="motion")
    assert {name: len(split) for name, split in clips.items()} == {"train": 8, "validation": 4}
    names = clips["train"].features["motion"].names
    assert names == clips["validation"].features["motion"].names == ["left", "right"]
    assert clips["train"].column_names == ["video", "motion", "file_name", "label", "shape", "sound", "match"]
    with open(rendered / "train" / "metadata.csv", newline="") as file:
        truth = {row["file_name"]: row for row in csv.DictReader(file)}
    for row in clips["train"]:
        assert row["video"] == {"path": str(rendered / "train" / row["file_name"]), "bytes": None}
        assert names[row["motion"]] == truth[row["file_name"]]["motion"]
        assert row["shape"] == truth[row["file_name"]]["shape"]


# pandas' reader, as datasets uses it, leaves the table open until it is collected
@pytest.mark.filterwarnings("ignore:unclosed file.*metadata.csv:ResourceWarning")
def test_the_folder_is_a_videofolder(rendered, tmp_path):
    clips = load_dataset("videofolder", data_dir=str(rendered), cache_dir=str(tmp_path))
    assert {name: len(split) for name, split in clips.items()} == {"train": 8, "validation": 4}
    ours, theirs = load_clips(rendered), load_clips(clips)
    for name in clips:
        assert sorted(shown(ours[name], "label", "match")) == sorted(shown(theirs[name], "label", "match"))
    del clips, theirs
    gc.collect()


def test_folders_of_classes(folder):
    expected = [("a/1.mp4", "a"), ("a/2.MKV", "a"), ("b/in/side/3.avi", "b"), ("c/x y.mp4", "c")]
    clips = load_clips(folder)
    for split, place in (("train", "train"), ("validation", "val")):
        assert shown(clips[split], "label") == [(str(folder / place / path), label) for path, label in expected]
    assert clips["train"][0]["video"]["bytes"] is None
    assert clips["train"].features["video"] == Video(decode=False)
    one = load_clips(folder / "train")
    assert list(one) == ["train"] and shown(one["train"], "label") == shown(clips["train"], "label")
    (folder / "val").rename(folder / "Test")
    assert list(load_clips(folder)) == ["train", "test"]


def test_tables(folder):
    (folder / "clips.csv").write_text(
        "path,start,end,verb,noun,note\n"
        'train/a/1.mp4,0.5,2,007,"knife, big",1\n'
        "train/c/x y.mp4,,,cut,pan,2\n"
        f"{folder}/val/a/1.mp4,3,,cut,pan,3\n"
    )
    clips = load_clips(folder / "clips.csv", target=("verb", "noun"))
    assert list(clips) == ["train"]
    rows = clips["train"]
    assert shown(rows, "start", "end", "verb", "noun", "note") == [
        (str(folder / "train/a/1.mp4"), 0.5, 2.0, "007", "knife, big", 1),
        (str(folder / "train/c/x y.mp4"), None, None, "cut", "pan", 2),
        (str(folder / "val/a/1.mp4"), 3.0, None, "cut", "pan", 3),
    ]
    assert rows.features["verb"].names == ["007", "cut"]
    assert rows.column_names[:5] == ["video", "start", "end", "verb", "noun"]

    table = pyarrow.table({"path": ["a/1.mp4", "a/2.MKV"], "label": [1, 0], "start": [0, 1], "end": [2, 3]})
    (folder / "tables").mkdir()
    pyarrow.parquet.write_table(table, folder / "tables" / "val.parquet")
    rows = load_clips({"mine": folder / "tables" / "val.parquet"}, root=folder / "val")["mine"]
    assert shown(rows, "label", "end") == [
        (str(folder / "val/a/1.mp4"), "1", 2),
        (str(folder / "val/a/2.MKV"), "0", 3),
    ]


def test_lists_of_papers(folder):
    """A folder with train.csv, val.csv and test.csv as the papers' code reads them: no header, a blank, a number."""
    (folder / "lists").mkdir()
    (folder / "lists" / "train.csv").write_text("a/1.mp4 2\na/2.MKV 10\r\n\nc/x y.mp4 0\n")
    (folder / "lists" / "val.csv").write_text(f"{folder}/val/a/1.mp4\t2\n")
    clips = load_clips(folder / "lists", root=folder / "train")
    assert list(clips) == ["train", "validation"]
    names = clips["train"].features["label"].names
    assert names == clips["validation"].features["label"].names == [str(number) for number in range(11)]
    assert clips["train"]["label"][:] == [2, 10, 0]  # what stands in the list, not what sorting strings makes of it
    assert clips["train"][2]["video"]["path"] == str(folder / "train" / "c/x y.mp4")
    assert clips["validation"][0]["video"]["path"] == str(folder / "val/a/1.mp4")
    named = load_clips(folder / "lists", root=folder / "train", names={"label": [f"class {i}" for i in range(11)]})
    assert shown(named["validation"], "label") == [(str(folder / "val/a/1.mp4"), "class 2")]


def test_classes_in_the_order_of_a_model(folder):
    clips = load_clips(folder, names={"label": ["c", "unseen", "a", "b"]})
    assert clips["train"]["label"][:] == [2, 2, 3, 0]
    with pytest.raises(ValueError, match=r"train has 2 classes \(a, c\) of 'label' that the model does not have"):
        load_clips(folder, names={"label": ["b", "d"]})
    numbers = Dataset.from_dict({"path": [str(folder / "train/a/1.mp4")] * 2, "label": [1, 0]})
    assert load_clips(numbers, names={"label": ["x", "y"]})["train"]["label"][:] == [1, 0]
    with pytest.raises(ValueError, match=r"train has 1 class \(1\) of 'label' that the model"):
        load_clips(numbers, names={"label": ["x"]})
    ordered = load_clips(numbers, names={"label": ["1", "10", "0"]})  # names that are numbers are names
    assert ordered["train"]["label"][:] == [0, 2]
    with pytest.raises(ValueError, match="got twice: x"):
        load_clips(numbers, names={"label": ["x", "x"]})
    with pytest.raises(ValueError, match=r"names must be those of targets \['label'\], got some for \['verb'\]"):
        load_clips(numbers, names={"verb": ["x"]})


def test_tables_with_videos_inside(folder):
    """Such as data sets of the Hub: a column of videos, maybe under another name, and classes that have names."""
    features = Features({"clip": Video(decode=False), "label": ClassLabel(names=["walk", "run"])})
    train = Dataset.from_dict({"clip": [{"path": None, "bytes": b"1"}, {"path": "x", "bytes": b"2"}], "label": [1, 0]})
    clips = load_clips(DatasetDict({"train": train.cast(features), "val": train.cast(features)}))
    assert list(clips) == ["train", "validation"]
    assert clips["train"].features["label"].names == ["walk", "run"]
    assert clips["train"][0] == {"video": {"path": None, "bytes": b"1"}, "label": 1}
    with pytest.raises(ValueError, match=r"column 'video' of the table holds .*, not videos"):
        load_clips(Dataset.from_dict({"video": [1, 2], "label": [0, 1]}))
    unlabelled = Dataset.from_dict({"clip": [{"path": None, "bytes": b"1"}], "label": [-1]}).cast(features)
    with pytest.raises(ValueError, match=r"validation has 1 row \(row 0\) without a 'label'"):
        load_clips({"train": train.cast(features), "validation": unlabelled})


def test_missing_files(folder, caplog):
    for name in ("a/1.mp4", "a/2.MKV", "c/x y.mp4"):
        (folder / "train" / name).unlink()
    lines = ["path,label"] + [f"{split}/{name},x" for split in ("train", "val") for name in ("a/1.mp4", "a/2.MKV")]
    (folder / "clips.csv").write_text("\n".join([*lines, "train/c/x y.mp4,y", "nowhere.mp4,x", "nowhere.mp4,x", ""]))
    gone = f"{folder}/nowhere.mp4, {folder}/train/a/1.mp4, {folder}/train/a/2.MKV, ..."
    with pytest.raises(ValueError) as raised:
        load_clips(folder / "clips.csv")
    assert f"missing: 4 clips ({gone}) of 6; relative paths start at the folder of their table" in str(raised.value)
    assert "root=..." in str(raised.value) and "missing='skip'" in str(raised.value)
    clips = load_clips(folder / "clips.csv", missing="skip")
    assert [Path(path).parent.parent.name for path, _ in shown(clips["train"], "label")] == ["val", "val"]
    assert clips["train"].features["label"].names == ["x", "y"], "classes do not depend on which files are there"
    assert f"missing: 4 clips ({gone}) of 6; their rows are left out" in caplog.text
    assert len(load_clips(folder / "clips.csv", missing="ignore")["train"]) == 7
    (folder / "gone.csv").write_text("path,label\nnowhere.mp4,x\n")
    with pytest.raises(ValueError, match="no clip of validation is left"):
        load_clips({"train": folder / "clips.csv", "val": folder / "gone.csv"}, missing="skip")
    (folder / "web.csv").write_text("path,label\nhttp://127.0.0.1:9/clip.mp4,x\n")
    assert shown(load_clips(folder / "web.csv")["train"]) == [("http://127.0.0.1:9/clip.mp4",)]


def test_paths_of_windows(folder):
    (folder / "clips.csv").write_text("path,label\ntrain\\a\\1.mp4,x\n")
    hint = "paths must be written with /; "
    with nullcontext() if os.sep == "\\" else pytest.raises(ValueError, match=hint):
        load_clips(folder / "clips.csv")
    (folder / "clips.csv").write_text("path,label\nnowhere.mp4,x\n")
    with pytest.raises(ValueError, match=r"of 1; relative paths start"):
        load_clips(folder / "clips.csv")


def test_folders_that_cannot_be(folder):
    (folder / "train" / "d").mkdir()
    with pytest.raises(ValueError, match=r"train has 1 class folder \(d\) without a clip"):
        load_clips(folder)
    (folder / "train" / "loose.mp4").touch()
    with pytest.raises(ValueError, match=r"holds 1 clip \(loose.mp4\) outside of class folders"):
        load_clips(folder)
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match=r"there are no clips in .*empty: expected <label>/\*.mp4"):
        load_clips(folder / "empty")
    (folder / "empty" / "train").mkdir()
    with pytest.raises(ValueError, match=r"there are no clips in .*train"):
        load_clips(folder / "empty")
    (folder / "validation").mkdir()
    with pytest.raises(ValueError, match="has the split 'validation' twice: val and validation"):
        load_clips(folder)


def test_a_label_that_training_does_not_have(folder):
    (folder / "val" / "d").mkdir()
    (folder / "val" / "d" / "4.mp4").touch()
    with pytest.raises(ValueError) as raised:
        load_clips(folder)
    assert str(raised.value) == (
        "validation has 1 class (d) of 'label' that training does not have; it has 3 classes (a, b, c)"
    )
    mixed = {name: Dataset.from_dict({"path": ["x.mp4"] * 2, "label": ["1", name]}) for name in ("train", "1")}
    assert load_clips(mixed, missing="ignore")["1"]["label"][:] == [0, 0]
    (folder / "train.csv").write_text("val/a/1.mp4 0\nval/a/1.mp4 2\n")
    (folder / "val.csv").write_text("val/a/1.mp4 1\nval/a/1.mp4 3\n")
    with pytest.raises(ValueError, match=r"validation has 2 classes \(1, 3\) of 'label' that training does not have"):
        load_clips({"train": folder / "train.csv", "validation": folder / "val.csv"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,lable\nx.mp4,y\n", "the clips have no column 'label'; there are lable, path, video"),
        (
            "clip,label\nx.mp4,y\n",
            "has no column of clips ('path', 'file_name', 'video', 'name'); there are clip, label",
        ),
        ("path,label\n", "has no clips in the split 'train'"),
        ("path,label\nx.mp4\n", "cannot be read as a table of clips: CSV parse error: Expected 2 columns, got 1"),
        ("", "cannot be read as a table of clips: Empty CSV file"),
        ("path,label\nx.mp4,\nx.mp4,y\n", "train has 1 row (row 0) without a 'label'"),
        ("path,label\n,y\n", "has 1 row (row 0) without a 'path'"),
        ("path,start,end,label\nx.mp4,0:01,3,y\n", "conversion error to double: invalid value '0:01'"),
        ("path,start,end,label\nx.mp4,3,3,y\nx.mp4,0,1,y\n", "1 interval (row 0: 3.0 s to 3.0 s)"),
        ("path,start,end,label\nx.mp4,-1,,y\n", "1 interval (row 0: -1.0 s to None s)"),
        ("path,end,label\nx.mp4,0,y\n", "1 interval (row 0: None s to 0.0 s)"),
        ("x.mp4 3\ny.mp4 z\n", "line 2 is not `clip label` with a number as the label: 'y.mp4 z'"),
        ("x.mp4 3\ny.mp4 -1\n", "numbers in 'label' must be class numbers from 0, got 1 label (-1)"),
        ("x.mp4 3000000000\n", "must be class numbers from 0, got 1 label (3000000000)"),
    ],
    ids=range(14),
)
def test_tables_that_cannot_be(tmp_path, text, message):
    (tmp_path / "clips.csv").write_text(text)
    with pytest.raises(ValueError) as raised:
        load_clips(tmp_path / "clips.csv", missing="ignore")
    assert message in str(raised.value)


def test_sources_that_cannot_be(folder):
    with pytest.raises(ValueError, match=r"there is no 'clips\.csv'; clips must be a folder, a table"):
        load_clips("clips.csv")
    with pytest.raises(ValueError, match="there is no 'nowhere'; clips must be"):
        load_clips("nowhere")
    with pytest.raises(ValueError, match="no folder or table 'some/where', and it cannot be loaded"):
        load_clips("some/where")
    with pytest.raises(ValueError, match="name the split 'validation' twice"):
        load_clips({"val": folder / "val", "valid": folder / "val"})
    with pytest.raises(ValueError, match="given as 'train', has splits itself: train, validation"):
        load_clips({"train": folder})
    with pytest.raises(ValueError, match="mapping of splits to tables is empty"):
        load_clips({})
    with pytest.raises(ValueError, match="missing must be 'raise', 'skip' or 'ignore', got 'drop'"):
        load_clips(folder, missing="drop")
    (folder / "clips.json").write_text(json.dumps([]))
    with pytest.raises(ValueError, match=r"a table ends in \.csv, \.parquet, \.txt"):
        load_clips(folder / "clips.json")
    with pytest.raises(ValueError, match="must be names or whole numbers, got float"):
        load_clips(Dataset.from_dict({"path": ["x.mp4"], "label": [0.5]}))
    with pytest.raises(ValueError, match="column 'start' of train must be seconds, got string"):
        load_clips(Dataset.from_dict({"path": ["x.mp4"], "label": ["a"], "start": ["0:01"]}))


class HubOfDatasets(HubRequestHandler):
    """The small Hub, asked for a data set: the same answers at the addresses of those, and a tree with its folders."""

    ROUTES = (
        ("GET", r"/api/datasets/(?P<repo_id>[^/]+/[^/]+)(?:/revision/(?P<revision>[^/]+))?", "info"),
        ("GET", r"/api/datasets/(?P<repo_id>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)(?:/(?P<folder>.+))?", "tree"),
        ("GET", r"/datasets/(?P<repo_id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)", "download"),
    )

    def tree(self, repo_id: str, revision: str, folder: str = ""):
        files = self.hub.files(repo_id)
        folders = {str(parent) for path in files for parent in Path(path).parents} - {"."}
        entries = [{"type": "directory", "path": path, "oid": "0", "size": 0} for path in sorted(folders)]
        entries += [{"type": "file", "path": path, "oid": path, "size": len(files[path])} for path in files]
        if "recursive=true" not in self.path:
            entries = [entry for entry in entries if str(Path(entry["path"]).parent) == (folder or ".")]
        if entries:
            return self.send_json(entries)
        return self.send_error_code(404, "EntryNotFound", f"no folder {folder}", {"X-Repo-Commit": revision})


@pytest.mark.slow
def test_a_data_set_of_the_hub(tmp_path):
    files = {".gitattributes": b""}
    for split, label in (("train", "a"), ("train", "b"), ("validation", "a")):
        clip = write_clip(tmp_path / "clip.mp4", 2 + len(files))
        files[f"{split}/{label}/1.mp4"] = clip.read_bytes()
    script = """
import json, pathlib
from holovid.data.dataset import load_clips
clips = load_clips("me/clips")
names = clips["train"].features["label"].names
print(json.dumps({
    split: [(names[row["label"]], pathlib.Path(row["video"]["path"]).stat().st_size) for row in rows]
    for split, rows in clips.items()
}))
try:
    load_clips("me/nothing")
except ValueError as error:
    print(error)
"""
    with HubServer() as hub:
        hub._server.RequestHandlerClass = type("Handler", (HubOfDatasets,), {"hub": hub})
        hub.repositories["me/clips"] = Repository()
        hub.repositories["me/clips"].commit(files)
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found, said = done.stdout.splitlines()
    sizes = {path: len(content) for path, content in files.items()}
    assert json.loads(found) == {
        "train": [["a", sizes["train/a/1.mp4"]], ["b", sizes["train/b/1.mp4"]]],
        "validation": [["a", sizes["validation/a/1.mp4"]]],
    }
    assert "there is no folder or table 'me/nothing'" in said and "doesn't exist on the Hub" in said


def test_messages_by_hand():
    assert first_of(["a.mp4", "b.mp4", "c.mp4", "d.mp4"], "clip") == "4 clips (a.mp4, b.mp4, c.mp4, ...)"
    assert first_of(["a.mp4"], "clip") == "1 clip (a.mp4)"


def parquet(**columns):
    def write(path):
        pyarrow.parquet.write_table(pyarrow.table(columns), path)

    return "clips.parquet", write


def text(content, encoding="utf-8"):
    return "clips.csv", lambda path: path.write_bytes(content.encode(encoding))


def two_of_one_name(path):
    columns = [pyarrow.array([value]) for value in ("x.mp4", "a", "b")]
    table = pyarrow.Table.from_arrays(columns, names=["path", "label", "label"])
    pyarrow.parquet.write_table(table, path)


def with_metadata(metadata, label=0):
    def write(path):
        table = pyarrow.table({"path": ["x.mp4"], "label": [label]})
        pyarrow.parquet.write_table(table.replace_schema_metadata({"huggingface": metadata}), path)

    return "clips.parquet", write


CLASS_LABEL = json.dumps({"info": {"features": {
    "path": {"_type": "Value", "dtype": "string"}, "label": {"_type": "ClassLabel", "names": ["a", "b"]},
}}})  # fmt: skip


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (text("path,label\nx.mp4,a\npath,label\ny.mp4,b\n"), "row 1 repeats the header"),
        (text("path,label,label\nx.mp4,a,b\n"), r"1 column \('label'\) more than once"),
        (text("path,label,start,start\nx.mp4,a,1,2\n"), r"1 column \('start'\) more than once"),
        (text("path,label\nx.mp4,caf\u00e9\n", "latin-1"), "not text in UTF-8"),
        (text("x\u00e9.mp4 1\n", "latin-1"), "not text in UTF-8"),
        (text("path,label\nx.mp4,a\n", "utf-16"), "not text in UTF-8"),
        (text("path;label\nx.mp4;a\n"), "columns must be separated by commas, not by semicolons"),
        (text("path\tlabel\nx.mp4\ta\n"), "columns must be separated by commas, not by tabs"),
        (text("Path,Label\nx.mp4,a\n"), "names are case-sensitive, see 'Path'"),
        (text("path,Label\nx.mp4,a\n"), "no column 'label'.*names are case-sensitive, see 'Label'"),
        (text('path,label\n"x.mp4,a\ny.mp4,b\n'), 'Expected 2 columns, got 1: "x.mp4,a y.mp4,b'),
        (text("path,label\nx\0.mp4,a\n"), r"1 row \(row 0\) without a 'path'"),
        (text("path,end,label\nx.mp4,inf,y\n"), "1 interval .row 0: None s to inf s"),
        (text("x.mp4 12345678901234567890123\n"), r"class numbers from 0, got 1 label \(12345678901234567890123\)"),
        (text("x.mp4 " + "1" * 5000), r"got 1 label \(1{200}\.\.\.\)$"),
        (text(",".join(f"c{number}" for number in range(1000)) + "\n"), "and more$"),
        (parquet(path=[1], label=["a"]), r"holds Value\('int64'\), not videos; paths must be text"),
        (parquet(path=[["x.mp4"]], label=["a"]), "not videos"),
        (parquet(path=[b"x.mp4"], label=["a"]), "not videos"),
        (parquet(path=pyarrow.nulls(1), label=["a"]), "not videos"),
        (parquet(video=[{"a": 1}], label=["a"]), r"1 row \(row 0\) without a 'video'"),
        (parquet(video=[{"path": 1, "bytes": 2}], label=["a"]), "not videos"),
        (parquet(video=[{"path": None, "bytes": None}], label=["a"]), "without a 'video'"),
        (parquet(path=["x.mp4"], label=[[1.5]]), "names or whole numbers, in a list"),
        (parquet(path=["x.mp4"], label=["a"], start=[[1]]), "must be seconds, got List"),
        (parquet(path=["x.mp4"], label=["a"], start=[True]), "must be seconds, got bool"),
        (parquet(path=["x"], label=["a"], odd=pyarrow.array([[]], pyarrow.map_("string", "int32"))), "Arrow type map"),
        (("clips.parquet", two_of_one_name), r"1 column \('label'\) more than once"),
        (("clips.parquet", lambda path: path.write_bytes(b"PAR1 but not more")), "cannot be read as a table of clips"),
        (with_metadata("{"), "cannot be read as a table of clips: Expecting property name"),
        (with_metadata(CLASS_LABEL, label=7), "train has 'label' 7, but there are 2 classes"),
    ],
    ids=range(31),
)  # fmt: skip
def test_files_that_people_write(tmp_path, written, message):
    name, write = written
    write(tmp_path / name)
    with pytest.raises(ValueError, match=message) as raised:
        load_clips(tmp_path / name, missing="ignore")
    assert type(raised.value) is ValueError and "\n" not in str(raised.value) and len(str(raised.value)) < 1000


def test_files_that_other_programs_write(tmp_path):
    """Blanks behind commas, a byte order mark, old line ends, other integers and kinds of text."""
    for content in ("path, label\nx.mp4 , a\n", "\ufeffpath,label\nx.mp4,a\n", "path,label\rx.mp4,a\r"):
        (tmp_path / "clips.csv").write_text(content, encoding="utf-8")
        rows = load_clips(tmp_path / "clips.csv", missing="ignore")["train"]
        assert shown(rows, "label") == [(str(tmp_path / "x.mp4"), "a")]
    name, write = parquet(
        path=pyarrow.array(["x.mp4"], pyarrow.string_view()), label=pyarrow.array(["a"]).dictionary_encode(),
        start=pyarrow.array([1], pyarrow.uint8()),
    )  # fmt: skip
    write(tmp_path / name)
    assert shown(load_clips(tmp_path / name, missing="ignore")["train"], "label") == [(str(tmp_path / "x.mp4"), "a")]
    name, write = with_metadata(CLASS_LABEL)
    write(tmp_path / name)
    assert load_clips(tmp_path / name, missing="ignore")["train"].features["label"].names == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": {"label": "ab"}}, "names of 'label' must be a list, got the text 'ab'"),
        ({"names": ["a", "b"]}, "names must map targets to class names"),
        ({"names": {"label": {1: "a", 2: "b"}}}, "names must number its classes from 0"),
        ({"target": []}, "one column of classes or more"),
    ],
)
def test_options_that_cannot_be(folder, options, message):
    with pytest.raises(ValueError, match=message):
        load_clips(folder, **options)


def test_names_as_a_configuration_has_them(folder):
    rows = load_clips(folder, names={"label": {"1": "a", "0": "c", "2": "b"}})["train"]
    assert rows.features["label"].names == ["c", "a", "b"]


@pytest.mark.parametrize("source", [None, 5, ["a.mp4"], b"clips"])
def test_what_is_no_source(source):
    with pytest.raises(ValueError, match="clips must be a folder, a table, a mapping"):
        load_clips(source)
