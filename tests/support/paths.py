"""Where the checkout lies, and the files that tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
# A refiner of another kind than the package's own: heatmaps come out, nothing but heatmaps goes in.
CONV3D = ROOT / "tests/fixtures/conv3d.step-newest.float16.tflite"
