"""The published lists of data sets of kitchens: the rows that are meant, and what is refused."""

import re
from pathlib import Path

import pytest
from datasets import ClassLabel

from holovid.cheap_checks import check_clips
from holovid.data import load_clips
from holovid.data.anticipation import before_actions

HEADER_100 = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    "narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes"
)
ROWS_100 = (
    "P01_01_0,P01,P01_01,00:00:01.089,00:00:00.14,00:00:03.37,8,202,open door,open,3,door,3,['door'],[3]",
    "P01_01_1,P01,P01_01,00:00:02.629,00:00:04.37,00:00:06.17,262,370,"
    '"turn on light,\nthen ""look""",turn-on,6,light,12,"[\'light\', \'door\']","[12, 3]"',
    "P02_03_0,P02,P02_03,00:00:05.349,00:01:02,01:00:03.5,3720,9999,open light,open,3,light,12,['light'],[12]",
    "P02_03_1,P02,P02_03,00:00:05.349,00:01:02,01:00:04.5,3720,9999,open door,open,3,door,3,['door'],[3]",
)
HEADER_55 = (
    "uid,participant_id,video_id,narration,start_timestamp,stop_timestamp,start_frame,stop_frame,verb,verb_class,noun,"
    "noun_class,all_nouns,all_noun_classes"
)
ROWS_55 = ("7,P01,P01_01,open door,00:00:00.14,00:00:03.37,8,202,open,2,door,8,['door'],[8]",)
EGTEA = (
    "OP01-R01-PastaSalad-66680-68130-F001988-F002031 12 3 45 ",
    "P10-R05-Cheese-Burger-1000-2500-F000024-F000060 1 1 2 9",
)


def write(path: Path, *lines: str, end: str = "\n", encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def named(rows, column: str) -> list[str]:
    return [rows.features[column].names[number] for number in rows[column]]


def places(rows, root: Path) -> list[str]:
    return [str(Path(video["path"]).relative_to(root)) for video in rows["video"]]


@pytest.fixture
def videos(tmp_path):
    return touch(tmp_path / "videos", "P01/videos/P01_01.MP4", "train/P02/P02_03.mkv", "P03_01.mp4")


@pytest.fixture
def epic(tmp_path):
    return write(tmp_path / "EPIC_100_train.csv", HEADER_100, *ROWS_100)


def test_epic_kitchens_100(epic, videos):
    rows = load_clips(epic, target=["verb", "noun"], root=videos)["train"]
    assert places(rows, videos) == ["P01/videos/P01_01.MP4"] * 2 + ["train/P02/P02_03.mkv"] * 2
    assert rows["start"] == [0.14, 4.37, 62.0, 62.0] and rows["end"] == [3.37, 6.17, 3603.5, 3604.5]
    assert rows["verb"] == [3, 6, 3, 3] and rows["noun"] == [3, 12, 12, 3]
    assert rows.features["verb"].names == list("0123456") and len(rows.features["noun"].names) == 13
    assert rows["narration"][1] == 'turn on light,\nthen "look"' and rows["all_noun_classes"][1] == "[12, 3]"
    assert rows["narration_id"][2] == "P02_03_0" and rows["start_frame"][1] == 262


@pytest.mark.parametrize("target", ["action", "label"])
def test_pairs_are_in_the_order_of_their_numbers(epic, videos, target):
    rows = load_clips(epic, target=target, root=videos)["train"]
    assert rows.features[target] == ClassLabel(names=["3,3", "3,12", "6,12"])
    assert rows[target] == [0, 2, 1, 0]
    assert rows["verb"][1] == "turn-on" and rows["verb_class"][1] == "6"


def test_names_lie_beside_the_table(epic, videos):
    write(
        epic.parent / "EPIC_100_verb_classes.csv", "id,key,instances,category", *(f"{n},do-{n},[],x" for n in range(9))
    )
    write(
        epic.parent / "EPIC_100_noun_classes.csv",
        "id,key,instances,category",
        *(f"{n},thing:{n},[],x" for n in range(13)),
    )
    rows = load_clips(epic, target=["verb", "noun", "action"], root=videos)["train"]
    assert rows.features["verb"].names == [f"do-{n}" for n in range(9)]
    assert rows["verb"] == [3, 6, 3, 3] and rows["noun"] == [3, 12, 12, 3]
    assert rows.features["action"].names == ["do-3 thing:3", "do-3 thing:12", "do-6 thing:12"]
    assert named(rows, "action")[1] == "do-6 thing:12"

    write(epic.parent / "EPIC_100_noun_classes.csv", "id,key", *(f"{n},thing:{n}" for n in range(12)))
    with pytest.raises(ValueError, match=r"EPIC_100_train.csv, line 3: 'noun_class' is 12, but EPIC_100_noun_classes"):
        load_clips(epic, target="noun", root=videos)
    write(epic.parent / "EPIC_100_noun_classes.csv", "id,key", "0,tap", "2,plate")
    with pytest.raises(ValueError, match=r"noun_classes\.csv must number its 2 classes 0 to 1, each once"):
        load_clips(epic, target="noun", root=videos)


def test_all_splits_say_which_pairs_there_are(epic, videos, tmp_path):
    validation = write(tmp_path / "EPIC_100_validation.csv", HEADER_100, ROWS_100[2])
    clips = load_clips({"train": epic, "validation": validation}, target="action", root=videos)
    assert clips["validation"]["action"] == [1] and named(clips["validation"], "action") == ["3,12"]
    validation = write(validation, HEADER_100, ROWS_100[2].replace("open,3,", "cut,1,"))
    clips = load_clips({"train": epic, "validation": validation}, target="action", root=videos)
    assert clips["train"].features["action"].names == ["3,3", "3,12", "6,12", "1,12"]  # training's come first
    assert clips["validation"]["action"] == [3]
    more = {"action": ["1,12", "3,3", "3,12", "6,12"]}
    clips = load_clips({"train": epic, "validation": validation}, target="action", root=videos, names=more)
    assert clips["validation"]["action"] == [0] and clips["train"]["action"] == [1, 3, 2, 1]
    without_train = load_clips({"validation": validation, "test": epic}, target="action", root=videos)
    assert set(without_train["test"].features["action"].names) == set(more["action"])


def test_epic_kitchens_55(tmp_path, videos):
    path = write(tmp_path / "EPIC_train_action_labels.csv", HEADER_55, *ROWS_55)
    rows = load_clips(path, target=["verb", "noun", "action"], root=videos)["train"]
    assert (rows["verb"], rows["noun"], named(rows, "action")) == ([2], [8], ["2,8"])
    write(tmp_path / "EPIC_verb_classes.csv", "verb_id,class_key,verbs", "0,take,[]", "1,put,[]", "2,open,[]")
    assert named(load_clips(path, target="verb", root=videos)["train"], "verb") == ["open"]


def test_files_of_other_programs(tmp_path, videos, epic):
    plain = load_clips(epic, target="action", root=videos)["train"]
    for end, encoding in (("\r\n", "utf-8-sig"), ("\n", "utf-8-sig"), ("\r\n", "utf-8")):
        write(epic, HEADER_100, *(row.replace("\n", end) for row in ROWS_100), end=end, encoding=encoding)
        rows = load_clips(epic, target="action", root=videos)["train"]
        assert rows["start"] == plain["start"] and rows["action"] == plain["action"]
        assert rows.features["action"] == plain.features["action"]
        assert rows["video"] == plain["video"]


def test_videos_that_are_not_there(epic, videos, caplog):
    (videos / "train/P02/P02_03.mkv").unlink()
    with pytest.raises(ValueError, match=r"missing: 1 clip \(.*P02_03.MP4\) of 2; relative paths start at .*root="):
        load_clips(epic, target="action", root=videos)
    rows = load_clips(epic, target="action", root=videos, missing="skip")["train"]
    assert len(rows) == 2 and "P02_03" in caplog.text
    assert len(load_clips(epic, target="action", root=videos / "nowhere", missing="ignore")["train"]) == 4


def test_videos_of_one_name(epic, videos):
    (videos / "linked").mkdir()
    (videos / "linked" / "P01_01.mp4").symlink_to(videos / "P01/videos/P01_01.MP4")  # the same one
    assert len(load_clips(epic, target="action", root=videos)["train"]) == 4
    touch(videos, "small/P01_01.mp4")
    with pytest.raises(ValueError, match=r"several videos 'P01_01': .*P01/videos/P01_01.MP4 and .*small/P01_01.mp4"):
        load_clips(epic, target="action", root=videos)


def test_a_link_under_the_name_of_the_list(epic, videos):
    (videos / "P01/videos/P01_01.MP4").rename(videos / "GOPR0001.MP4")
    (videos / "P01/videos/P01_01.MP4").symlink_to(videos / "GOPR0001.MP4")
    assert len(load_clips(epic, target="action", root=videos)["train"]) == 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("00:00:04.37", "4.37", "line 3: 'start_timestamp' is '4.37'; times must be written as 00:01:02.345"),
        ("00:00:06.17", "00:00:61.17", "line 3: 'stop_timestamp' is '00:00:61.17'; times must be written as"),
        ("01:00:03.5", "00:01:02", "line 5: the action goes from 62 s to 62 s; it must end later"),
        (
            "door,3,['door'],[3]",
            "door,,['door'],[3]",
            "line 2: 'noun_class' is ''; classes must be whole numbers from 0",
        ),
        ("open,3,light", "open,-1,light", "line 5: 'verb_class' is '-1'; classes must be whole numbers from 0"),
        ("open,3,light", "open,3,,light", "line 5: 16 cells, but the first line names 15 columns"),
        ("P02,P02_03,", "P02, ,", "line 5: there is no 'video_id'"),
        (
            "verb_class",
            "verb_number",
            "has no column 'verb_class', which tables of EPIC-KITCHENS must have; there are",
        ),
        ("video_id", "film", "has no column 'video_id', which tables of EPIC-KITCHENS must have; there are"),
        (
            "stop_timestamp",
            "stop",
            "has no column 'stop_timestamp', which tables of EPIC-KITCHENS must have; there are",
        ),
    ],
)
def test_what_is_wrong_with_a_table_of_epic_kitchens(epic, videos, old, new, said):
    text = epic.read_text()
    assert old in text
    epic.write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=f"EPIC_100_train.csv.*{re.escape(said)}"):
        load_clips(epic, target="action", root=videos)


def test_empty_tables_of_epic_kitchens(tmp_path, videos):
    with pytest.raises(ValueError, match=r"empty\.csv has no rows"):
        load_clips(write(tmp_path / "empty.csv", HEADER_100), root=videos)


def test_a_table_with_paths_stays_one(tmp_path, videos):
    path = write(tmp_path / "mine.csv", "path,label," + HEADER_100, "P03_01.mp4,7," + ROWS_100[0])
    rows = load_clips(path, root=videos)["train"]
    assert places(rows, videos) == ["P03_01.mp4"] and rows["label"] == [7] and "start" not in rows.column_names


def test_the_command_line_knows_the_answers(epic):
    check_clips(str(epic), ["action"])
    check_clips(str(epic), ["verb", "noun"])
    with pytest.raises(ValueError, match="no column 'adverb'"):
        check_clips(str(epic), ["adverb"])


def test_before_the_actions_of_epic_kitchens(epic, videos):
    clips = load_clips(epic, target=["verb", "noun"], root=videos)
    seen = before_actions(clips, target=["verb", "noun"], observation_seconds=3.0, num_frames=3)["train"]
    assert seen["action_start"] == [4.37, 62.0, 62.0]
    assert seen["start"] == pytest.approx([0.37, 58.0, 58.0]) and seen["end"] == pytest.approx(
        [3.37, 61.0, 61.0], abs=1e-4
    )
    assert seen["past_verb"][0] == [3, 3, 3] and seen["past_noun"][0] == [3, 3, 3]  # 1.37, 2.37, 3.37 s


def test_egtea(tmp_path):
    root = touch(tmp_path / "videos", "OP01-R01-PastaSalad.mp4", "more/P10-R05-Cheese-Burger.MP4")
    for end, encoding in (("\n", "utf-8"), ("\r\n", "utf-8-sig")):
        path = write(tmp_path / "train_split1.txt", *EGTEA, end=end, encoding=encoding)
        rows = load_clips(path, root=root)["train"]
        assert places(rows, root) == ["OP01-R01-PastaSalad.mp4", "more/P10-R05-Cheese-Burger.MP4"]
        assert rows["start"] == [66.68, 1.0] and rows["end"] == [68.13, 2.5]
        assert rows["label"] == rows["action"] == [11, 0]
        assert (rows["start_frame"], rows["end_frame"]) == ([1988, 24], [2031, 60])
        assert rows["segment"][1] == "P10-R05-Cheese-Burger-1000-2500-F000024-F000060"
    rows = load_clips(path, target=["verb", "noun"], root=root)["train"]
    assert rows["verb"] == [2, 0] and rows["noun"] == [44, 1]
    assert rows.features["verb"].names == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("OP01-R01-PastaSalad-666x-68130-F001988-F002031 12 3 45", "does not fit; a line must be session-start-end-"),
        ("OP01-R01-PastaSalad-66680-68130-F001988-F002031 12 3", "does not fit; a line must be session-start-end-"),
        ("OP01-R01-PastaSalad-66680-68130-F001988-F002031 12 0 45", "does not fit; a line must be session-start-end-"),
        ("OP01-R01-PastaSalad-66680-66680-F001988-F002031 12 3 45", "goes from 66680 ms to 66680 ms; it must end"),
        ("OP01-R01-PastaSalad 12 3 45", "does not fit; a line must be session-start-end-"),
    ],
)
@pytest.mark.parametrize("place", [1, 2])
def test_what_is_wrong_with_a_list_of_egtea(tmp_path, line, said, place):
    path = write(tmp_path / "train_split1.txt", *(line if place == number else EGTEA[0] for number in (1, 2)))
    with pytest.raises(ValueError, match=f"train_split1.txt, line {place}: .*{said}"):
        load_clips(path, root=tmp_path)


@pytest.fixture
def salads(tmp_path):
    write(tmp_path / "mapping.txt", "1 cut_tomato", "0 peel_cucumber", "2 action_end")
    write(tmp_path / "splits" / "train.split1.bundle", "rgb-01-1.txt", "rgb-02-1.txt")
    frames = ["cut_tomato"] * 45 + ["peel_cucumber"] * 30 + ["cut_tomato"]
    write(tmp_path / "groundTruth" / "rgb-01-1.txt", *frames)
    write(tmp_path / "groundTruth" / "rgb-02-1.txt", *["action_end"] * 3, end="\r\n")
    return touch(tmp_path, "rgb/rgb-01-1.avi", "rgb/rgb-02-1.MP4")


def test_fifty_salads(salads):
    bundle = salads / "splits" / "train.split1.bundle"
    rows = load_clips(bundle)["train"]
    assert places(rows, salads) == ["rgb/rgb-01-1.avi"] * 3 + ["rgb/rgb-02-1.MP4"]
    assert rows["start"] == pytest.approx([0, 1.5, 2.5, 0]) and rows["end"] == pytest.approx([1.5, 2.5, 76 / 30, 0.1])
    assert rows.features["label"].names == ["peel_cucumber", "cut_tomato", "action_end"]
    assert rows["label"] == rows["action"] == [1, 0, 1, 2]
    seen = before_actions(load_clips(bundle, target="action"), target="action", num_frames=2)["train"]
    assert seen["past_action"] == [[1, 1], [1, 0]]  # 0.5 s, and 0.5 and 1.5 s
    assert load_clips(salads / "splits")["train"]["label"] == rows["label"]


@pytest.mark.parametrize(
    ("file", "lines", "said"),
    [
        ("splits/train.split1.bundle", ["rgb-01-1.txt", "rgb-09-1.txt"], "bundle, line 2: there is no .*rgb-09-1.txt"),
        (
            "splits/train.split1.bundle",
            ["rgb-01-1.txt", "rgb-01-1.txt"],
            "bundle, line 2: 'rgb-01-1.txt' is there twice",
        ),
        ("splits/train.split1.bundle", ["../rgb-01-1.txt"], "bundle, line 1: .* is not a file of groundTruth"),
        ("splits/train.split1.bundle", [""], "bundle is empty"),
        (
            "groundTruth/rgb-02-1.txt",
            ["action_end", "", "action_end"],
            "rgb-02-1.txt, line 2: '' is not a class of mapping",
        ),
        (
            "groundTruth/rgb-02-1.txt",
            ["cut"],
            "rgb-02-1.txt, line 1: 'cut' is not a class of mapping.txt, which has peel",
        ),
        ("groundTruth/rgb-02-1.txt", [""], "rgb-02-1.txt is empty"),
        (
            "mapping.txt",
            ["0 peel_cucumber", "cut_tomato"],
            "mapping.txt, line 2: 'cut_tomato' is not a number and a class",
        ),
        (
            "mapping.txt",
            ["0 cut_tomato", "1 cut_tomato"],
            "mapping.txt, line 2: the class 'cut_tomato' is there twice",
        ),
        (
            "mapping.txt",
            ["0 cut_tomato", "2 peel_cucumber"],
            "mapping.txt must number its 2 classes 0 to 1, each once",
        ),
    ],
)
def test_what_is_wrong_with_fifty_salads(salads, file, lines, said):
    write(salads / file, *lines)
    with pytest.raises(ValueError, match=said):
        load_clips(salads / "splits" / "train.split1.bundle")


def test_files_that_are_no_text(salads, epic, videos):
    for path in (salads / "mapping.txt", epic):
        path.write_bytes(path.read_bytes().replace(b"cut", b"\xff").replace(b"look", b"\xff"))
    with pytest.raises(ValueError, match=r"mapping.txt cannot be read: it is not text in UTF-8"):
        load_clips(salads / "splits" / "train.split1.bundle")
    with pytest.raises(ValueError, match=r"EPIC_100_train.csv cannot be read as a table of clips: .*UTF"):
        load_clips(epic, target="action", root=videos)
