"""What was meant: the nearest name where one is near, and what there is where none is."""

from holovid.configuration.suggestions import MOST_LISTED, did_you_mean, nearest


def test_the_nearest_name():
    assert nearest("num_frame", ["num_views", "num_frames"]) == "num_frames"
    assert nearest("zebra", ["num_views", "num_frames"]) is None
    assert nearest("zebra", ["num_views", "area"], alike=0) == "area"
    assert nearest("num_frame", []) is None


def test_the_end_of_a_sentence():
    names = ("num_frames", "num_views")
    assert did_you_mean("num_frame", iter(names)) == "did you mean 'num_frames'?"
    assert did_you_mean("num_frame", names, written="--{}") == "did you mean --num_frames?"
    assert did_you_mean("zebra", iter(names)) == "there are num_frames, num_views"
    assert did_you_mean("zebra", names, "see the help") == "see the help"
    many = [f"n{number}" for number in range(MOST_LISTED + 1)]
    assert did_you_mean("zebra", many).endswith(f"n{MOST_LISTED - 1}, ...")
    assert not did_you_mean("zebra", many[:-1]).endswith("...")
