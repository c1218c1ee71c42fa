"""Refine frame by frame in your own loop: python examples/stream_frames.py [VIDEO]

A camera works the same way: climb_edge.read_camera(0) in place of read_video.
"""

import itertools
import sys

import climb_edge
from climb_edge.files.assets import locate

video = sys.argv[1] if len(sys.argv) > 1 else locate("demo.mp4")
estimator = climb_edge.BlazePose("lite")
stream = climb_edge.Stream(estimator, climb_edge.load_refiner("default"))
for frame in itertools.islice(climb_edge.read_video(video), 30):
    for result in stream.push(frame):  # a refiner with a delay answers for an earlier frame
        print(result.frame, result.person, result.state, f"{result.delay} frames late")
for result in stream.flush():
    print(result.frame, result.person, result.state)
