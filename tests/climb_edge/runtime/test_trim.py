"""A graph without the outputs that nobody reads: fewer operations, the same numbers."""

import sys

import cv2
import numpy as np
import pytest

from climb_edge.estimators.region import CROP_SIDE, Region
from climb_edge.runtime.session import Session
from climb_edge.runtime.trim import trimmed

WANTED = (1, 195), (1, 1), (1, 64, 64, 39)


def operations(session: Session) -> int:
    return len([o for o in session._interpreter._get_ops_details() if o["op_name"] != "DELEGATE"])


@pytest.mark.network
def test_the_landmark_model_says_the_same_bits_with_fewer_operations(demo_frames, weights_folder):
    content = (weights_folder / "pose_landmark_full.tflite").read_bytes()
    whole, part = Session(content, 1), Session(trimmed(content, WANTED), 1)
    assert len(whole.outputs) == 5 and [tuple(o["shape"]) for o in part.outputs] == list(WANTED)
    assert operations(part) == operations(whole) - 50
    for image in (demo_frames[0].image, np.zeros((9, 9, 3), np.uint8)):
        crop = Region(640, 260, 520, 0.1).crop(image, CROP_SIDE, cv2.BORDER_REPLICATE)
        entering = crop[None].astype(np.float32) / 255
        said, given = whole.run(entering), part.run(entering)
        for shape, array in zip(WANTED, given, strict=True):
            np.testing.assert_array_equal(array, said[whole.output(shape)])


@pytest.mark.network
def test_a_graph_is_left_whole_where_nothing_can_read_it(weights_folder, monkeypatch):
    content = (weights_folder / "pose_detection.tflite").read_bytes()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.tools", None)
    assert trimmed(content, [(1, 2254, 1)]) is content
