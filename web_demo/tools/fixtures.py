"""What the browser tests need beside the vectors: clips, and what Python makes of every model of
the page.

    python web_demo/tools/fixtures.py OUT WEB

OUT: short.mp4 (12 frames), turned.webm (8 frames across, then 8 upright), camera.y4m (what the fake
camera shows), models.json (golden outputs of every refiner in WEB, sampled, with their scale),
estimator.json (detector and landmark model on a picture of integers).
"""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from climb_edge.files.assets import locate
from climb_edge.media.video import VideoWriter, read_video
from climb_edge.runtime.golden import golden_outputs, hash32
from climb_edge.runtime.model_file import read_model
from climb_edge.runtime.session import Session

SIZE = (640, 360)
FIRST, CAMERA, SHORT = 100, 45, 12  # frames of the demo clip
RATE = 5  # frames a second of the fake camera: slow enough for a busy machine to leave out none
SAMPLES = 6000  # values of a model's output that are compared


def clips(out: Path) -> None:
    """short.mp4 and camera.y4m, of the part of the demo clip in which the climber is well seen."""
    frames = [
        cv2.resize(f.image, SIZE, interpolation=cv2.INTER_AREA)
        for f in islice(read_video(locate("demo.mp4")), FIRST, FIRST + CAMERA)
    ]
    with VideoWriter(out / "short.mp4") as video:
        for index, image in enumerate(frames[:SHORT]):
            video.write(image, index / 30)
    turned(
        out / "turned.webm",
        [frames[:8], [np.ascontiguousarray(f[:, 220:420]) for f in frames[8:16]]],
    )
    with open(out / "camera.y4m", "wb") as stream:
        stream.write(f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F{RATE}:1 Ip A1:1 C420\n".encode())
        for image in frames:
            planes = (
                av.VideoFrame.from_ndarray(image, format="rgb24")
                .reformat(format="yuv420p")
                .to_ndarray()
            )
            stream.write(b"FRAME\n" + planes.tobytes())


def turned(path: Path, parts: list[list[np.ndarray]]) -> None:
    """A video whose frames change their size midway: VP8 says it anew with every key frame."""
    with av.open(str(path), "w") as video:
        entry, at = None, 0
        for images in parts:
            encoder = av.CodecContext.create("libvpx", "w")
            encoder.height, encoder.width = images[0].shape[:2]
            encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 1000)
            encoder.bit_rate, encoder.options = (
                4_000_000,
                {"deadline": "realtime", "lag-in-frames": "0"},
            )
            entry = entry or video.add_stream(
                "libvpx", width=encoder.width, height=encoder.height, pix_fmt="yuv420p"
            )
            for image in [*images, None]:
                frame = None
                if image is not None:
                    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(
                        format="yuv420p"
                    )
                    frame.pts, frame.time_base, at = (
                        round(at * 1000 / 30),
                        encoder.time_base,
                        at + 1,
                    )
                for packet in encoder.encode(frame):
                    packet.stream, packet.time_base = entry, encoder.time_base
                    video.mux(packet)


def sampled(values: np.ndarray) -> dict:
    """Some of `values`, evenly spread, and the largest of all."""
    flat = np.asarray(values, np.float64).ravel()
    step = max(len(flat) // SAMPLES, 1)
    return {
        "size": len(flat),
        "step": step,
        "scale": float(np.abs(flat).max()),
        "values": flat[::step].tolist(),
    }


def models(out: Path, web: Path) -> None:
    catalogue = json.loads((web / "models.json").read_text())
    found = {}
    for refiner in catalogue["refiners"]:
        graph, _ = read_model(web / refiner["path"])
        found[refiner["path"]] = sampled(golden_outputs(Session(graph)))
    (out / "models.json").write_text(json.dumps(found))
    estimators = {}
    for files in (
        files
        for estimator in catalogue["estimators"]
        for files in (estimator["detector"], estimator["landmarks"])
    ):
        session = Session(web / files["path"])
        shape = session.inputs[0]["shape"].tolist()
        picture = (
            (hash32(np.arange(int(np.prod(shape)))) % 256 / 255).astype(np.float32).reshape(shape)
        )
        estimators[files["path"]] = [sampled(output) for output in session.run(picture)]
    (out / "estimator.json").write_text(json.dumps(estimators))


if __name__ == "__main__":
    clips(Path(sys.argv[1]))
    models(Path(sys.argv[1]), Path(sys.argv[2]))
