"""`python -m golden OUT ASSETS`: every vector that the Kotlin tests compare with; ASSETS holds the
app's own models.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

STAMP = ".made-from"
ROOT = Path(__file__).resolve().parents[3]
# What decides the vectors: when none of it has changed, they are kept.
SOURCES = (
    "climb_edge/**/*.py",
    "climb_edge/refiners/*",
    "convert/*.py",
    "train/models/*.py",
    "train/weights/*",
    "android_demo/tools/golden/*.py",
)


def made_from(assets: Path) -> str:
    """Hash of all that decides the vectors."""
    files = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)) + sorted(
        assets.rglob("*.tflite")
    )
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def main(out: Path, assets: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    stamp, now = out / STAMP, made_from(assets)
    if stamp.is_file() and stamp.read_text() == now:
        print(f"golden vectors: {out} is up to date")
        return
    from golden import chain, models, parts, scenario

    bundled = sorted((assets / "refiners").glob("*.tflite"))
    for number, (what, write) in enumerate(
        (
            ("single steps", lambda: parts.write(out)),
            ("models", lambda: models.write(out, bundled)),
            (
                "stream",
                lambda: scenario.write(out, sorted((out / "models").glob("*.float*.tflite"))),
            ),  # int8 crawls there
            ("whole chain", lambda: chain.write(out)),
        ),
        1,
    ):
        print(f"golden vectors [{number}/4]: {what}", flush=True)
        write()
    stamp.write_text(now)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
