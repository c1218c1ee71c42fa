"""The grammar of `climb-edge`."""

from __future__ import annotations

from climb_edge.command_line import Program
from climb_edge.config import Benchmark, Evaluate, Fetch, Inspect, Plot, Track

_EXAMPLES = """examples:
  climb-edge track climb.mp4                                  overlay.mp4 and track.jsonl with the refiner inside
  climb-edge track 0 --refiner model.tflite --seconds 20      the first camera
  climb-edge track 0 --page                                   watch it in a browser, also through ssh -L 8321:127.0.0.1:8321
  climb-edge track climb.mp4 --live --page                    play a file as if it were a camera
  climb-edge track climb.mp4 --export csv --export climbing       a table, and moves and path of the hips
  climb-edge track climb.mp4 --compare default,one_euro,gaussian:sigma=2   side by side, a track each
  climb-edge plot track-climb/track.jsonl --joint left_wrist --out wrist.png
  climb-edge evaluate clips.npz --videos videos.zip --estimator lite --refiner default --refiner one_euro
  climb-edge benchmark climb.mp4 --out B.json                 milliseconds of every stage, B.csv beside it
  climb-edge benchmark --refiner default --refiner mine.tflite --threads 1
  climb-edge benchmark --mediapipe .venv-mediapipe/bin/python
  climb-edge benchmark --soak 100000 --recorded               exit code 1 where memory, open files or threads grow
  climb-edge inspect model.tflite                             what a file needs and promises
  climb-edge fetch                                            estimator weights, from package registries
  climb-edge train --help                                     training: as `python -m train`, in any folder
  climb-edge convert --help                                   conversion: as `python -m convert`, in any folder

exit codes: 0 done, 1 a gate failed, 2 usage or input, 130 Ctrl-C, 143 SIGTERM"""

PROGRAM = Program(
    "climb-edge",
    "Temporal refining of 2D poses at the edge.",
    _EXAMPLES,
    (Track, Plot, Evaluate, Benchmark, Inspect, Fetch),
    others=(
        ("train", "Train temporal refiners; needs the extra [train]."),
        ("convert", "Turn a training run into .tflite files; needs the extra [train]."),
    ),
)
