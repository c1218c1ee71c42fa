"""Do labels fit their videos? Pictures of one size, and no label beyond a video's end."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.clips import ClipSet

CUT = 1  # pixels that a side may differ by: encoders cut sides to even numbers
SAME_SHAPE = 0.02  # how far two pictures' width to height may differ


@dataclass(frozen=True)
class Seen:
    """What was found of a clip's video, or of its pictures."""

    size: tuple[int, int]  # width, height
    frames: int | None = None  # None of single pictures


def fitted(clips: ClipSet, seen: Mapping[str, Seen], fit: str = "no") -> tuple[ClipSet, list[str]]:
    """Clips whose labels fit what was `seen` of them, by name, and a line for each change.

    `fit` "scale" brings labels of another picture size to the video's, "stretch" also where the
    pictures have another shape, each side by itself; both leave out frames beyond the video's end.
    Raises ClimbEdgeError with both numbers for what "no" does not allow, and for a clip without a
    label left.
    """
    said: list[str] = []
    parts = []
    for i, name in enumerate(map(str, clips.clip)):
        rows, size = clips.rows(i), tuple(clips.frame_size[i].tolist())
        keypoints, length = clips.keypoints[rows], rows.stop - rows.start
        if found := seen.get(name):
            scale = _scale(name, size, found.size, fit)
            if scale is not None:
                said.append(
                    f"clip {name}: labels of {_by(size)} pictures are scaled to {_by(found.size)}"
                )
                # pixel centres are whole numbers
                keypoints = ((keypoints + 0.5) * scale - 0.5).astype(np.float32)
                size = found.size
            length, beyond = _length(name, keypoints, found.frames, fit)
            said += beyond
        parts.append((rows, keypoints[:length], size))
    if not said:
        return clips, []
    kept = np.concatenate([np.arange(rows.start, rows.start + len(k)) for rows, k, _ in parts])
    changed = replace(
        clips,
        keypoints=np.concatenate([k for _, k, _ in parts]),
        visible=clips.visible[kept],
        offsets=np.cumsum([0, *(len(k) for _, k, _ in parts)]).astype(np.int64),
        frame_size=np.array([size for _, _, size in parts], np.int32),
        weight=None if clips.weight is None else clips.weight[kept],
    )
    return changed, said


def _by(size: tuple[int, ...]) -> str:
    return f"{size[0]} x {size[1]}"


def _scale(
    name: str, size: tuple[int, ...], wanted: tuple[int, int], fit: str
) -> np.ndarray | None:
    """By what to multiply x and y, None where nothing is to be done."""
    if max(abs(a - b) for a, b in zip(size, wanted, strict=True)) <= CUT:
        return None
    there, here = size[0] / size[1], wanted[0] / wanted[1]
    told = f"clip {name}: its labels are of pictures of {_by(size)}, its video's are {_by(wanted)}"
    if fit == "no":
        raise ClimbEdgeError(
            f"{told}; label the video itself, or say --fit-labels scale (of pictures squeezed to"
            " another shape: stretch)"
        )
    if fit == "scale" and abs(there / here - 1) > SAME_SHAPE:
        raise ClimbEdgeError(
            f"{told}, another shape ({there:.2f} to 1, {here:.2f} to 1): cut, padded or turned?"
            " Label the video itself, or, where they were squeezed, say --fit-labels stretch"
        )
    return np.array(wanted) / size


def _length(
    name: str, keypoints: np.ndarray, frames: int | None, fit: str
) -> tuple[int, list[str]]:
    """How many frames of a clip to keep, and what to say of it."""
    length = len(keypoints)
    if frames is None or length <= frames:
        return length, []
    labelled = np.flatnonzero(np.isfinite(keypoints).all(-1).any(-1))
    beyond = labelled[labelled >= frames]
    told = f"clip {name}: the labels list {length} frames, the video has {frames}"
    if not len(beyond):
        return length, [f"{told}; none of the further ones is labelled, but do the numbers fit?"]
    if fit == "no":
        raise ClimbEdgeError(
            f"{told}: {len(beyond)} labelled frames lie beyond its end (frame {beyond[0]} to"
            f" {beyond[-1]}); were pictures taken at another rate? Number them as the video's"
            " frames, or leave those out with --fit-labels scale"
        )
    if len(beyond) == len(labelled):
        raise ClimbEdgeError(f"{told}: every label lies beyond its end; is it the right video?")
    return frames, [f"{told}: {len(beyond)} labelled frames beyond its end are left out"]


def tell(lines: Iterable[str]) -> None:
    """Say what was changed, a line each, on standard error."""
    for line in lines:
        print(f"note: {line}", file=sys.stderr)
