"""A new folder appears whole or not at all."""

import stat

import pytest

from holovid.files import new_folder


def test_appears_at_the_end_only(tmp_path):
    target = tmp_path / "deep" / "target"
    with new_folder(target) as folder:
        (folder / "file").write_text("content")
        assert not target.exists()
    assert (target / "file").read_text() == "content"
    assert [path.name for path in target.parent.iterdir()] == ["target"]
    (tmp_path / "plain").mkdir()
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_vanishes_on_failure(tmp_path, error):
    with pytest.raises(error), new_folder(tmp_path / "target") as folder:
        (folder / "file").write_text("half")
        raise error
    assert not list(tmp_path.iterdir())


def test_never_overwrites(tmp_path):
    (tmp_path / "empty").mkdir()
    with new_folder(tmp_path / "empty") as folder:
        (folder / "file").touch()
    for taken in (tmp_path / "empty", tmp_path / "empty" / "file"):
        with pytest.raises(ValueError, match="exists already; give a new or an empty folder"), new_folder(taken):
            raise AssertionError("must not get here")
