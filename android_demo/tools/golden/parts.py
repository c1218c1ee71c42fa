"""Single steps of the chain on made-up input: warp, decode, crop, filters, and colours of a
camera's buffers.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from climb_edge.estimators.region import Region
from climb_edge.pose.boxes import box_affine
from climb_edge.pose.decode import decode
from climb_edge.pose.render import normalise, warp
from climb_edge.refiners.filters import get
from climb_edge.runtime.golden import golden_frames, golden_peaks
from golden.vectors import Vectors

FILTERS = (
    "mean:reach=1",
    "mean:reach=3",
    "median:reach=1",
    "median:reach=2",
    "gaussian:reach=3,sigma=1.0",
    "gaussian:reach=1,sigma=2.0",
    "savitzky_golay:reach=2,order=2",
    "savitzky_golay:reach=1,order=1",
    "savitzky_golay:reach=4,order=3",
    "one_euro",
    "one_euro:min_cutoff=1.0,beta=0.0",
)
YUV = ((64, 48), (33, 27), (1, 1), (2, 3))  # width, height; odd ones too
TURNS = {
    0: None,
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def write(out: Path) -> None:
    rng, vectors = np.random.default_rng(7), Vectors(out, "parts")
    vectors.add("golden_frames", golden_frames())
    vectors.add("golden_peaks", golden_peaks())
    also = {"warp": _warps(rng, vectors), "crop": _crops(rng, vectors), "filters": list(FILTERS)}
    _decodes(rng, vectors)
    _filters(rng, vectors)
    also["yuv"] = _colours(rng, vectors)
    vectors.close(**also)


def _warps(rng, vectors: Vectors) -> list[dict]:
    native = cv2.GaussianBlur(rng.random((64, 64, 25)).astype(np.float32), (5, 5), 0)
    vectors.add("native", native)
    cases = []
    for i in range(6):
        angle, scale = rng.uniform(-3, 3), rng.uniform(2, 9)
        c, s = np.cos(angle) * scale, np.sin(angle) * scale
        affine = np.array([[c, -s, rng.uniform(-50, 500)], [s, c, rng.uniform(-50, 500)]])
        x, y = affine[:, :2] @ [32, 32] + affine[:, 2]
        side = rng.uniform(20, 90) * scale
        box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
        vectors.add(f"warp{i}", warp(native, affine, box_affine(box)))
        vectors.add(f"normalised{i}", normalise(warp(native, affine, box_affine(box))))
        cases.append({"affine": affine.ravel().tolist(), "box": box.tolist()})
    return cases


def _crops(rng, vectors: Vectors) -> list[dict]:
    image = rng.integers(0, 256, (61, 97, 3), np.uint8)
    vectors.add("picture", image)
    cases = []
    for i in range(6):
        x, y, side, angle = (
            rng.uniform(0, 97),
            rng.uniform(0, 61),
            rng.uniform(10, 140),
            rng.uniform(-3, 3),
        )
        border = cv2.BORDER_REPLICATE if i % 2 else cv2.BORDER_CONSTANT
        vectors.add(f"crop{i}", Region(x, y, side, angle).crop(image, 64, border))
        cases.append({"region": [x, y, side, angle], "replicate": bool(i % 2)})
    return cases


def _decodes(rng, vectors: Vectors) -> None:
    smooth = cv2.GaussianBlur(rng.random((56, 56, 25)).astype(np.float32), (9, 9), 0)
    odd = smooth.copy()
    odd[..., 0] = 0  # empty
    odd[..., 1] = -1
    odd[..., 2] = 0.5  # all tie
    odd[..., 3] = 0
    odd[0, 0, 3] = 1  # in a corner
    odd[..., 4] = 0
    odd[10, 20, 4] = odd[30, 41, 4] = 1  # two tie
    odd[..., 5] = 0
    odd[55, 30, 5] = 1  # at a border
    odd[..., 6] = 0
    odd[20, 20, 6] = 3  # a single cell
    odd[..., 7] = np.round(odd[..., 7] * 8) / 8  # plateaus
    for name, maps in (("smooth", smooth), ("odd", odd), ("golden", golden_frames(1)[0])):
        cells, peaks = decode(maps)
        vectors.add(f"{name}_maps", maps)
        vectors.add(f"{name}_places", np.concatenate([cells, peaks[:, None]], axis=1))


def _filters(rng, vectors: Vectors) -> None:
    windows = rng.normal(0, 4, (8, 5, 25, 2)).cumsum(1) + 28
    windows[2:, :, :, :][rng.random((6, 5, 25)) < 0.25] = np.nan
    windows[4, :, 3] = np.nan
    vectors.add("windows", windows.astype(np.float32))
    for spec in FILTERS:
        vectors.add(f"filtered {spec}", get(spec)(windows.astype(np.float32)))


def _colours(rng, vectors: Vectors) -> list[dict]:
    """Planes as a camera gives them, and the picture that OpenCV makes of them: full range, chroma
    of the nearest sample.
    """
    cases = []
    for width, height in YUV:
        rows, columns = (height + 1) // 2, (width + 1) // 2
        y = rng.integers(0, 256, (height, width), np.uint8)
        u, v = rng.integers(0, 256, (2, rows, columns), np.uint8)
        full = [np.repeat(np.repeat(plane, 2, 0), 2, 1)[:height, :width] for plane in (v, u)]
        rgb = cv2.cvtColor(np.stack([y, *full], axis=-1), cv2.COLOR_YCrCb2RGB)
        name = f"yuv {width}x{height}"
        for plane, array in (("y", y), ("u", u), ("v", v)):
            vectors.add(f"{name} {plane}", array)
        for degrees, code in TURNS.items():
            turned = rgb if code is None else cv2.rotate(rgb, code)
            vectors.add(f"{name} {degrees}", turned)
            vectors.add(f"{name} {degrees} mirrored", cv2.flip(turned, 1))
        cases.append({"name": name, "width": width, "height": height})
    return cases
