"""MediaPipe's own pose solution as it comes (`full`, smoothing on), timed as ours is.

`benchmark` starts this file by its path in a Python that has mediapipe: nothing of the project is
imported. Arguments: the video, the number of counted frames in a round.
"""

import json
import os
import sys
import time

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what MediaPipe prints is no answer
import cv2  # noqa: E402
import mediapipe  # noqa: E402


def frames(path):
    """RGB pictures of a video, again and again."""
    while True:
        video, count = cv2.VideoCapture(path), 0
        while (read := video.read())[0]:
            count += 1
            yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
        if not count:
            sys.exit("OpenCV reads no frame of this video")


def timed(function, *args):
    """What a call gives, and its milliseconds."""
    since = time.perf_counter()
    result = function(*args)
    return result, 1e3 * (time.perf_counter() - since)


def memory_mb():
    """Peak of this process's memory in MiB."""
    with open("/proc/self/status") as status:
        return int(status.read().split("VmHWM:")[1].split()[0]) / 1024


def serve(path, counted):
    """A line comes in, a round of frames is run, its milliseconds go out."""
    source = frames(path)
    with mediapipe.solutions.pose.Pose(model_complexity=1) as pose:
        about = {"model": "mediapipe", "estimator": "blazepose-full", "backend": "cpu"}
        about["runtime"] = f"mediapipe {mediapipe.__version__}"
        print(json.dumps(about), file=answers)
        for _ in sys.stdin:
            captured, laps, cpu = [timed(next, source) for _ in range(1 + counted)], [], 0.0
            for number, (image, capture) in enumerate(captured):
                before = time.process_time()
                laps.append({"capture": capture, "observe": timed(pose.process, image)[1]})
                cpu += time.process_time() - before if number else 0
            found = {"first": {}, "frames": laps[1:], "cpu_ms": 1e3 * cpu / counted}
            print(json.dumps({**found, "memory_mb": memory_mb()}), file=answers)


serve(sys.argv[1], int(sys.argv[2]))
