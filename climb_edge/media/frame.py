"""A frame of a video or a camera, and what counts as a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from climb_edge.errors import ClimbEdgeError

MAX_SIDE = 8192  # pixels; a larger frame is refused before it is unpacked into memory
# this very array, for estimators that look at a frame's number alone
NO_PICTURE = np.zeros((0, 0, 3), np.uint8)


@dataclass(frozen=True)
class Frame:
    """One picture: its number from 0, its time in seconds from the container, and RGB pixels (H, W,
    3) uint8.
    """

    index: int
    time: float
    image: np.ndarray


def check_picture(frame: Frame) -> None:
    """Raise ClimbEdgeError unless the frame's image is RGB (H, W, 3) uint8, sides of 1 to MAX_SIDE,
    or NO_PICTURE.
    """
    image, name = frame.image, f"frame {frame.index}"
    if image is NO_PICTURE:
        return
    shape: tuple[int, ...] = getattr(image, "shape", ())
    kind = getattr(image, "dtype", None)
    if len(shape) == 3 and shape[2] == 3 and kind == np.uint8 and 0 not in shape:
        check_size(name, shape[1], shape[0])
        return
    if not isinstance(image, np.ndarray):
        found, remedy = f"a {type(image).__name__}", "give NumPy pixels"
    elif image.size == 0:
        found, remedy = f"no pixels, shape {shape}", "leave out frames that the camera did not give"
    elif image.ndim == 2 or shape[2:] == (1,):
        found, remedy = f"grey, shape {shape} {kind}", "use cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)"
    elif shape[2:] == (4,):
        found, remedy = (
            f"four channels, shape {shape} {kind}",
            "use cv2.cvtColor(image, cv2.COLOR_BGRA2RGB)",
        )
    elif len(shape) == 3 and shape[2] == 3:
        found, remedy = (
            f"shape {shape} {kind}",
            "scale the values to 0..255 and use .astype(np.uint8)",
        )
    else:
        found, remedy = f"shape {shape} {kind}", "give one picture, rows first, channels last"
    raise ClimbEdgeError(
        f"{name}: expected an RGB picture (H, W, 3) uint8, found {found}; {remedy}"
    )


def check_size(name: str, width: int, height: int) -> None:
    if max(width, height) > MAX_SIDE:
        raise ClimbEdgeError(
            f"{name}: frames of {width} x {height} are larger than {MAX_SIDE} pixels a side; scale"
            " it down"
        )
