"""How a hung worker is told from one at work, idle or gone."""

import os
import time

import pytest

pytest.importorskip("sagemaker_inference", reason="needs the extra `serve`: sagemaker-inference")

from handler.busy import BusyNote, overdue_workers


def test_only_work_beyond_the_limit_is_overdue(tmp_path):
    note = BusyNote(tmp_path)
    assert overdue_workers(tmp_path, 0) == []
    with note.busy():
        time.sleep(0.02)
        assert overdue_workers(tmp_path, 0.01) == [os.getpid()]
        assert overdue_workers(tmp_path, 60) == []
    assert overdue_workers(tmp_path, 0) == []


def test_work_that_failed_is_over(tmp_path):
    note = BusyNote(tmp_path)
    with pytest.raises(RuntimeError), note.busy():
        raise RuntimeError
    time.sleep(0.01)
    assert overdue_workers(tmp_path, 0) == []


def test_the_note_of_a_process_that_is_gone_is_removed(tmp_path):
    gone = tmp_path / "4194305"
    gone.write_bytes(b"\x01" * 8)
    assert overdue_workers(tmp_path, 0) == []
    assert not gone.exists()
