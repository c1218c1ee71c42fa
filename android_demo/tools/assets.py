"""What goes into the app beside its code:  assets.py OUT [BUNDLE]

Refiners: those of a bundle (`python -m convert RUN --out DIR --bundle BUNDLE`), and always the one
that the package carries. Estimator: the lite weights, from the cache or fetched into it. Clip: the
demo clip. Prints the hash of every graph, as its contract states it, for whoever reads the build.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from climb_edge.errors import run_command
from climb_edge.files.assets import locate, sha256_of
from climb_edge.refiners.tflite import default_path
from climb_edge.runtime.model_file import read_model
from convert.pipeline.bundle import verify
from convert.pipeline.notices import notices

ESTIMATOR = ("pose_detection.tflite", "pose_landmark_lite.tflite")


def main() -> None:
    out, bundle = Path(sys.argv[1]), [Path(folder) for folder in sys.argv[2:3] if folder]
    refiners = {"default.tflite": default_path()}
    for folder in bundle:
        verify(folder)
        refiners |= {path.name: path for path in sorted((folder / "refiners").glob("*.tflite"))}
    wanted = {f"refiners/{name}": path for name, path in refiners.items()}
    wanted |= {f"estimator/{name}": locate(name) for name in ESTIMATOR}
    wanted |= {"demo.mp4": locate("demo.mp4")} | {path.name: path for path in notices()}
    shutil.rmtree(out, ignore_errors=True)
    for name, path in wanted.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, out / name)
    for name in refiners:
        _, contract = read_model(out / "refiners" / name)
        print(
            f"asset refiners/{name}: {contract.model}, {contract.recipe}, contract"
            f" {contract.sha256}"
        )
    for name in ESTIMATOR:
        print(f"asset estimator/{name}: sha256 {sha256_of(out / 'estimator' / name)}")


if __name__ == "__main__":
    sys.exit(run_command(main))
