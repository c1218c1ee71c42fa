"""Single pictures as files."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.atomic import whole_file

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def pictures_in(folder: str | Path) -> list[Path]:
    """The pictures of a folder by name, 2.jpg before 10.jpg. Raises ClimbEdgeError where there is
    none.
    """
    found = [
        path
        for path in Path(folder).iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not found:
        raise ClimbEdgeError(
            f"{folder}: expected a video, found a folder without pictures"
            f" ({', '.join(SUFFIXES)}); name the file itself"
        )
    return sorted(
        found,
        key=lambda path: [
            (not part.isdigit(), int(part) if part.isdigit() else 0, part)
            for part in re.split(r"([0-9]+)", path.name)
        ],
    )


def decode_picture(source: str | Path | bytes) -> np.ndarray | None:
    """A picture as RGB (H, W, 3) uint8, turned and mirrored as its EXIF says; None where OpenCV
    cannot.
    """
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def jpeg(image: np.ndarray) -> bytes:
    """RGB (H, W, 3) as the bytes of a JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def write_picture(path: Path, image: np.ndarray) -> None:
    """RGB (H, W, 3) as a JPEG, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(jpeg(image))
