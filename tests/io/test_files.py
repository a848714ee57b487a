import os
import signal
import subprocess
import sys
import threading

import pytest

from kerasviz.errors import KerasvizError
from kerasviz.io import files
from kerasviz.io.files import digest, make_folder, remove_leftovers, write_atomically

#: Writes a file and stops where the file is whole under its temporary name.
STOPPED = """
import os, sys, time
from pathlib import Path
from kerasviz.io.files import write_atomically

def stop(*_):
    print("written", flush=True)
    time.sleep(60)

os.replace = stop
write_atomically(Path(sys.argv[1]), b"x" * 1000)
"""


def test_a_file_appears_whole_and_alone(tmp_path):
    write_atomically(tmp_path / "a", b"one")
    write_atomically(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_failed_write_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(KerasvizError, match="cannot write"):
        write_atomically(tmp_path / "folder", b"x")  # a folder cannot be replaced by a file
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    program = [sys.executable, "-c", STOPPED, str(tmp_path / "a")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "written\n"
        (name,) = os.listdir(tmp_path)
        (tmp_path / ".other.part").write_bytes(b"of another program")
        make_folder(tmp_path)
        assert sorted(os.listdir(tmp_path)) == sorted([name, ".other.part"])
        writer.send_signal(signal.SIGKILL)
    make_folder(tmp_path)
    assert os.listdir(tmp_path) == [".other.part"]


def test_writing_beside_a_process_that_cleans_up(tmp_path):
    """A file that is taken for a leftover before it is locked is begun again."""
    ended = threading.Event()

    def clean():
        while not ended.is_set():
            remove_leftovers(tmp_path)

    cleaner = threading.Thread(target=clean)
    cleaner.start()
    try:
        for i in range(300):
            write_atomically(tmp_path / "a", b"%d" % i)
            assert (tmp_path / "a").read_bytes() == b"%d" % i
    finally:
        ended.set()
        cleaner.join()
    assert os.listdir(tmp_path) == ["a"]


def test_without_locks_nothing_is_taken_for_a_leftover(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "HAS_LOCKS", False)
    write_atomically(tmp_path / "a", b"one")
    (tmp_path / ".kerasviz-1.part").write_bytes(b"perhaps of a living process")
    make_folder(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"one"
    assert sorted(os.listdir(tmp_path)) == [".kerasviz-1.part", "a"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KerasvizError, match="cannot write into the folder"):
        make_folder(tmp_path / "file" / "below")


def test_digest_ignores_the_order_of_keys_only():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])
