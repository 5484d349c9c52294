"""Files written whole: what they leave behind, and who may read them."""

import os

import pytest

from fluksometer.whole_file import replace_file


def test_a_new_file_is_its_owners_unless_it_is_for_all(tmp_path):
    replace_file(tmp_path / "secret", "1")
    replace_file(tmp_path / "table", "2", private=False)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "table").stat().st_mode & 0o777 == 0o644


def test_a_replaced_file_keeps_its_mode(tmp_path):
    path = tmp_path / "book"
    path.write_text("old")
    path.chmod(0o640)
    replace_file(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_makes_belongs_to_whoever_owns_the_directory(tmp_path):
    os.chown(tmp_path, 12345, 12345)
    for text in ("new", "replaced"):
        replace_file(tmp_path / "keys", text)
        made = (tmp_path / "keys").stat()
        assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (12345, 12345, 0o600)


def test_nothing_is_left_behind_where_it_can_not_be_written(tmp_path):
    (tmp_path / "book").mkdir()
    with pytest.raises(OSError):
        replace_file(tmp_path / "book", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["book"]
