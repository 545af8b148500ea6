"""Files that are whole or absent."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

import pytest
from equilibrax._core import files
from equilibrax._core.files import remove_abandoned, whole_file, write_whole


def test_only_abandoned_files_are_removed(tmp_path):
    abandoned = tmp_path / ".a.parquet.0123456789abcdef.tmp"
    others = [tmp_path / name for name in (".b.parquet.0123456789abcdef.tmp", ".a.parquet.tmp", "a.parquet")]
    for path in (abandoned, *others):
        path.touch()
    with whole_file(tmp_path / "a.parquet") as file:
        remove_abandoned(tmp_path, r"a\.parquet")
        assert not abandoned.exists()
        assert all(path.exists() for path in others)
        file.write(b"still here")
    assert (tmp_path / "a.parquet").read_bytes() == b"still here"
    assert len(os.listdir(tmp_path)) == 3


def test_a_file_removed_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    lock, removed = files._lock, []

    def remove_first(file):
        if not removed:
            removed.append(file.name)
            os.unlink(file.name)
        lock(file)

    monkeypatch.setattr(files, "_lock", remove_first)
    with whole_file(tmp_path / "a") as file:
        file.write(b"whole")
    assert removed
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_locked_by_another_before_it_was_locked_here_is_made_again(tmp_path, monkeypatch):
    """By `remove_abandoned` of another, which removes it a moment later."""
    lock, others = files._lock, []

    def lock_first(file):
        if not others:
            others.append(open(file.name, "rb"))  # noqa: SIM115
            lock(others[0])
        lock(file)

    monkeypatch.setattr(files, "_lock", lock_first)
    with whole_file(tmp_path / "a") as file:
        with others[0] as other, suppress(FileNotFoundError):
            os.unlink(other.name)
        file.write(b"whole")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"whole"


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    done, sync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(stat.S_ISDIR(os.fstat(fd).st_mode)), sync(fd)))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("name"), replace(*names)))
    write_whole(tmp_path / "a", "ü")
    assert (tmp_path / "a").read_bytes() == "ü".encode()
    assert done == [False, "name", True]


@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL])
def test_a_folder_that_cannot_be_synced_is_an_error_unless_its_file_system_has_no_such_thing(
    tmp_path, monkeypatch, code
):
    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    if code == errno.EINVAL:
        return write_whole(tmp_path / "a", b"")
    with pytest.raises(OSError, match=f"cannot write: {os.strerror(code)}"):
        write_whole(tmp_path / "a", b"")


def test_bytes_that_vanish_are_noticed(tmp_path):
    def lose_some():
        with whole_file(tmp_path / "a") as file:
            file.write(b"all of it")
            file.flush()
            os.truncate(file.name, 3)

    with pytest.raises(OSError, match="fewer bytes"):
        lose_some()
    assert os.listdir(tmp_path) == []
