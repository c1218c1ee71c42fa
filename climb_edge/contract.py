"""The contract: what a .tflite file needs and promises, carried inside the file.

`contract.json` is an uncompressed ZIP entry appended to the graph, the convention of TFLite's associated files:
runtimes ignore it, `unzip -p model.tflite contract.json` prints it. Its hash covers the graph's bytes in front of it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError, existing_file, whole_file
from climb_edge.heatmaps import MASS, SIZE
from climb_edge.runtime import Session
from climb_edge.skeleton import KEYPOINTS, K

ENTRY = "contract.json"
VERSION = 1
WINDOW = 5  # frames
MAX_FILE = 256 << 20  # bytes; the largest refiner file is far smaller, and a hostile one is not read into memory
EMITS = {"all": WINDOW, "newest": 1, "centre": 1}  # how many frames one run gives
GOLDEN_STEPS, GOLDEN_SAMPLES = 8, 64


def append_contract(graph: bytes, contract: dict) -> bytes:
    """The graph's bytes with the contract behind them, its SHA-256 filled in."""
    contract = {"version": VERSION, **contract, "sha256": hashlib.sha256(graph).hexdigest()}
    stream = io.BytesIO(graph)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        entry = zipfile.ZipInfo(ENTRY, date_time=(1980, 1, 1, 0, 0, 0))  # the same bytes on every day
        archive.writestr(entry, json.dumps(contract, indent=1))
    return stream.getvalue()


def write_model(path: str | Path, graph: bytes, contract: dict) -> None:
    """Write graph and contract as one file, whole or not at all, and read it back."""
    with whole_file(path) as temporary:
        temporary.write_bytes(append_contract(graph, contract))
        read_model(temporary)


def read_model(path: str | Path) -> tuple[bytes, dict]:
    """(graph bytes, contract) of a file, checked. Raises ClimbEdgeError with the reason it must not be run."""
    path = existing_file(path, "a .tflite file with a contract")
    if path.stat().st_size > MAX_FILE:
        raise ClimbEdgeError(
            f"{path}: {path.stat().st_size} bytes is no refiner (at most {MAX_FILE}); pass what `python -m convert` wrote"
        )
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ClimbEdgeError(
            f"{path}: expected a TFLite file, found another kind of file; pass what `python -m convert` wrote"
        )
    again = "convert the run again, or copy the file again"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entry = archive.getinfo(ENTRY)
            if entry.file_size > len(content):
                raise ClimbEdgeError(
                    f"{path}: its contract claims {entry.file_size} bytes, more than the file holds; {again}"
                )
            contract = json.loads(archive.read(entry))
            graph = content[: entry.header_offset]
    except (zipfile.BadZipFile, KeyError) as error:
        raise ClimbEdgeError(
            f"{path}: holds no readable contract ({error}): it is truncated or was not made by `python -m convert`; {again}"
        ) from error
    except DAMAGED as error:
        raise ClimbEdgeError(f"{path}: its contract is damaged ({error}); {again}") from error
    if not isinstance(contract, dict) or contract.get("version") != VERSION:
        raise ClimbEdgeError(
            f"{path}: expected a contract of version {VERSION}, found another; use the release that wrote it, or convert again"
        )
    found = hashlib.sha256(graph).hexdigest()
    if contract.get("sha256") != found:
        raise ClimbEdgeError(
            f"{path}: the graph's SHA-256 is {found[:12]}..., its contract says {str(contract.get('sha256'))[:12]}...: the file was changed; {again}"
        )
    check_contract(path, contract)
    return graph, contract


def check_contract(path: str | Path, contract: dict) -> None:
    """Raise ClimbEdgeError for a contract that this code cannot meet."""

    def need(key: str, met: bool, expected: str) -> None:
        if not met:
            raise ClimbEdgeError(
                f"{path}: its contract asks for {key} = {str(contract.get(key))[:60]!r}, this code has {expected}; use the release that wrote it"
            )

    need("skeleton", contract.get("skeleton") == list(KEYPOINTS), f"the {K} keypoints of its own order")
    need("form", contract.get("form") == "window", "the window form")
    need("emits", contract.get("emits") in tuple(EMITS), f"one of {', '.join(EMITS)}")
    need("decode", contract.get("decode") == "dark", "dark")
    need(
        "normalisation",
        contract.get("normalisation") == {"sum": MASS, "negatives": 0},
        f"heatmaps that sum to {MASS}",
    )
    need(
        "inputs",
        contract.get("inputs") == [[1, SIZE, SIZE, WINDOW * K]],
        f"one input (1, {SIZE}, {SIZE}, {WINDOW * K})",
    )
    frames = EMITS[contract["emits"]]
    need(
        "outputs",
        contract.get("outputs") == [[1, SIZE, SIZE, frames * K]],
        f"one output (1, {SIZE}, {SIZE}, {frames * K})",
    )
    peak = contract.get("peak")
    need("peak", isinstance(peak, float) and 0 < peak <= MASS, f"a full-score peak of 0 to {MASS}")
    need("golden", _is_golden(contract.get("golden"), SIZE * SIZE * frames * K), "samples of a golden test to repeat")


def _is_golden(golden, size: int) -> bool:
    """Whether `golden` is a golden test of a graph with `size` outputs, as `golden_test` writes it."""

    def number(value, kinds=(int, float)) -> bool:
        return isinstance(value, kinds) and not isinstance(value, bool) and bool(np.isfinite(value))

    def sample(row) -> bool:
        return (
            isinstance(row, list) and len(row) == 3 and number(row[0], int) and number(row[1], int) and number(row[2])
            and 0 <= row[0] < GOLDEN_STEPS and 0 <= row[1] < size
        )  # fmt: skip

    return (
        isinstance(golden, dict) and number(golden.get("tolerance")) and number(golden.get("scale"))
        and isinstance(golden.get("samples"), list) and bool(golden["samples"]) and all(map(sample, golden["samples"]))
    )  # fmt: skip


def check_graph(path: str | Path, session: Session, contract: dict) -> float:
    """Distance of this runtime from the golden test, as a share of its scale.

    Raises ClimbEdgeError when the graph has not the inputs and outputs that its contract promises.
    """
    for key, details in (("inputs", session.inputs), ("outputs", session.outputs)):
        found = [d["shape"].tolist() for d in details]
        if found != contract[key] or any(d["dtype"] is not np.float32 for d in details):
            kinds = ", ".join(np.dtype(d["dtype"]).name for d in details)
            raise ClimbEdgeError(
                f"{path}: its contract promises float32 {key} {contract[key]}, its graph has {kinds} {found}; convert the run again"
            )
    return golden_error(session, contract["golden"])


def hash32(index) -> np.ndarray:
    """A 32-bit mix of integers (Appleby's MurmurHash3 finaliser), so that any language can repeat the golden input."""
    h = np.asarray(index, np.uint64) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = ((h ^ (h >> shift)) * factor) & 0xFFFFFFFF
    return (h ^ (h >> 16)).astype(np.int64)


def golden_frames(count: int = GOLDEN_STEPS + WINDOW - 1) -> np.ndarray:
    """(count, 56, 56, 25) float32 frames of pyramids of mass 255, from integers alone.

    Keypoint k of frame f: n = 25 f + k; the pyramid max(0, 4 - |dx|) max(0, 4 - |dy|) 255 / 256 around column
    4 + hash32(2 n) % 48 and row 4 + hash32(2 n + 1) % 48.
    """
    n = np.arange(count * K).reshape(count, K)
    grid = np.arange(SIZE)[:, None]
    columns = np.maximum(4 - np.abs(grid - (4 + hash32(2 * n) % 48)[:, None, :]), 0)  # (count, 56, K)
    rows = np.maximum(4 - np.abs(grid - (4 + hash32(2 * n + 1) % 48)[:, None, :]), 0)
    return (rows[:, :, None] * columns[:, None] * (MASS / 256)).astype(np.float32)


def to_channels(window: np.ndarray) -> np.ndarray:
    """(5, 56, 56, 25) -> (1, 56, 56, 125), frame-major channels: the layout in which a window enters a graph."""
    frames, rows, columns, keypoints = window.shape
    return np.ascontiguousarray(window.transpose(1, 2, 0, 3)).reshape(1, rows, columns, frames * keypoints)


def to_frames(channels: np.ndarray) -> np.ndarray:
    """(1, 56, 56, T 25) -> (T, 56, 56, 25): the inverse of `to_channels`."""
    _, rows, columns, depth = channels.shape
    return channels.reshape(rows, columns, depth // K, K).transpose(2, 0, 1, 3)


def golden_outputs(session: Session) -> np.ndarray:
    """(8, output size) of a window graph on the golden frames: step s sees frames s .. s + 4."""
    frames = golden_frames()
    return np.stack([session.run(to_channels(frames[s : s + WINDOW]))[0].ravel() for s in range(GOLDEN_STEPS)])


def golden_test(session: Session, tolerance: float) -> dict:
    """The golden test of a graph: 64 of its larger outputs by step and index, their values, sum and maximum of all."""
    outputs = golden_outputs(session)
    if not np.isfinite(outputs).all():
        raise ClimbEdgeError("the graph's outputs are not finite on the golden input; its weights are broken")
    scale = float(np.abs(outputs).max())
    large = np.flatnonzero(np.abs(outputs).ravel() >= 0.1 * scale)
    picked = large[hash32(np.arange(GOLDEN_SAMPLES)) % len(large)]
    steps, indices = np.divmod(picked, outputs.shape[1])
    return {
        "steps": GOLDEN_STEPS, "tolerance": tolerance, "scale": scale,
        "samples": [[int(s), int(i), float(outputs[s, i])] for s, i in zip(steps, indices, strict=True)],
        "sum": float(outputs.sum(dtype=np.float64)), "max": float(outputs.max()),
    }  # fmt: skip


def golden_error(session: Session, golden: dict) -> float:
    """Largest difference of this runtime from the golden samples, as a share of their scale."""
    outputs = golden_outputs(session)
    worst = max(abs(float(outputs[s, i]) - value) for s, i, value in golden["samples"])
    return worst / max(golden["scale"], 1e-9)
