"""Single pictures as files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from climb_edge.files.atomic import whole_file


def jpeg(image: np.ndarray) -> bytes:
    """RGB (H, W, 3) as the bytes of a JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def write_picture(path: Path, image: np.ndarray) -> None:
    """RGB (H, W, 3) as a JPEG, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(jpeg(image))
