"""A short real clip with a person in it, cut from the demo's."""

from itertools import islice

import cv2
import pytest

import train.backend  # noqa: F401  before any test imports Keras: it says how TensorFlow computes, as the commands do


@pytest.fixture(scope="session")
def person_video(tmp_path_factory):
    """40 frames of the demo clip at half size, in a folder of its own."""
    from climb_edge.files.assets import locate
    from climb_edge.media.video import VideoWriter, read_video

    path = tmp_path_factory.mktemp("videos") / "person.mp4"
    with VideoWriter(path) as writer:
        for frame in islice(read_video(locate("demo.mp4")), 40):
            writer.write(
                cv2.resize(frame.image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
                frame.time,
            )
    return path
