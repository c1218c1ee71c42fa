"""Tracks as files: every field in order, and what is no track."""

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.skeleton import KEYPOINTS
from climb_edge.refiners.base import Identity
from climb_edge.streaming.result import Result
from climb_edge.tracking.track_file import SCHEMA, header, line, read_lines, write_lines
from support.scene import (
    result,
    standing,
)


def test_lines_hold_every_field_in_order(tmp_path):
    rows = [result(2, 1), result(2, 0), Result(1, 1 / 30), result(0)]
    write_lines(tmp_path / "t.jsonl", header(Identity(), "e", "v.mp4"), rows)
    first, lines = read_lines(tmp_path / "t.jsonl")
    assert {"schema", "contract", "runtime", "backend", "reason"} <= set(first)
    assert (
        first["schema"] == SCHEMA
        and first["keypoints"] == list(KEYPOINTS)
        and first["refiner"] == "identity"
    )
    lines = list(lines)
    assert [(r["frame"], r["person"]) for r in lines] == [(0, 0), (1, None), (2, 0), (2, 1)]
    for row in lines:
        assert list(row) == ["frame", "t", "person", "state", "delay", "bbox", "raw", "refined"]
    assert (
        np.shape(lines[0]["raw"]) == np.shape(lines[0]["refined"]) == (25, 3)
        and len(lines[0]["bbox"]) == 4
    )
    np.testing.assert_allclose(np.array(lines[0]["raw"])[:, :2], standing(), atol=1e-3)
    assert (
        lines[1]["raw"] is None
        and lines[1]["state"] == "lost"
        and lines[2]["t"] == pytest.approx(2 / 30, abs=1e-6)
    )
    assert line(rows[0])["delay"] == 0


@pytest.mark.parametrize("content", [b"", b"[1]\n", b'{"schema": "x"}\n', b"\xff\xfe\n", b"{"])
def test_what_is_no_track_is_refused(tmp_path, content):
    (tmp_path / "t.jsonl").write_bytes(content)
    with pytest.raises(ClimbEdgeError, match=r"t\.jsonl"):
        read_lines(tmp_path / "t.jsonl")
