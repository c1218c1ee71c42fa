"""The contract: what a .tflite file needs and promises, carried inside the file.

`contract.json` is an uncompressed ZIP entry appended to the graph, the convention of TFLite's
associated files: runtimes ignore it, `unzip -p model.tflite contract.json` prints it. Its hash
covers the graph's bytes in front of it.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from pathlib import Path

import numpy as np

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.files.atomic import existing_file, whole_file
from climb_edge.pose.layout import EMITS, input_shapes, output_shape
from climb_edge.pose.render import MASS
from climb_edge.pose.skeleton import KEYPOINTS, K

ENTRY = "contract.json"
VERSION = 3
# bytes; the largest refiner file is far smaller, and a hostile one is not read into memory
MAX_FILE = 256 << 20
MAX_STATE = 16 << 20  # values in one tensor of the state
FORMS = {"window": ("all", "newest", "centre"), "step": ("newest", "centre")}
OUTPUTS = ("heatmaps", "keypoints")
IO = ("float32", "int8")  # types of what goes in and comes out
GOLDEN_STEPS = 8


def append_contract(graph: bytes, contract: dict) -> bytes:
    """The graph's bytes with the contract behind them, its SHA-256 filled in."""
    contract = {"version": VERSION, **contract, "sha256": hashlib.sha256(graph).hexdigest()}
    stream = io.BytesIO(graph)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        # the same bytes on every day
        entry = zipfile.ZipInfo(ENTRY, date_time=(1980, 1, 1, 0, 0, 0))
        archive.writestr(entry, json.dumps(contract, indent=1))
    return stream.getvalue()


def write_model(path: str | Path, graph: bytes, contract: dict) -> None:
    """Write graph and contract as one file, whole or not at all, and read it back."""
    with whole_file(path) as temporary:
        temporary.write_bytes(append_contract(graph, contract))
        read_model(temporary)


def read_model(path: str | Path) -> tuple[bytes, dict]:
    """(graph bytes, contract) of a file, checked. Raises ClimbEdgeError with the reason it must not
    be run.
    """
    path = existing_file(path, "a .tflite file with a contract")
    if path.stat().st_size > MAX_FILE:
        raise ClimbEdgeError(
            f"{path}: {path.stat().st_size} bytes is no refiner (at most {MAX_FILE}); pass what"
            " `python -m convert` wrote"
        )
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        raise ClimbEdgeError(
            f"{path}: expected a TFLite file, found another kind of file; pass what `python -m"
            " convert` wrote"
        )
    again = "convert the run again, or copy the file again"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entry = archive.getinfo(ENTRY)
            if entry.file_size > len(content):
                raise ClimbEdgeError(
                    f"{path}: its contract claims {entry.file_size} bytes, more than the file"
                    f" holds; {again}"
                )
            contract = json.loads(archive.read(entry))
            graph = content[: entry.header_offset]
    except (zipfile.BadZipFile, KeyError) as error:
        raise ClimbEdgeError(
            f"{path}: holds no readable contract ({error}): it is truncated or was not made by"
            f" `python -m convert`; {again}"
        ) from error
    except DAMAGED as error:
        raise ClimbEdgeError(f"{path}: its contract is damaged ({error}); {again}") from error
    if not isinstance(contract, dict) or contract.get("version") != VERSION:
        raise ClimbEdgeError(
            f"{path}: expected a contract of version {VERSION}, found another; use the release that"
            " wrote it, or convert again"
        )
    found = hashlib.sha256(graph).hexdigest()
    if contract.get("sha256") != found:
        raise ClimbEdgeError(
            f"{path}: the graph's SHA-256 is {found[:12]}..., its contract says"
            f" {str(contract.get('sha256'))[:12]}...: the file was changed; {again}"
        )
    check_contract(path, contract)
    return graph, contract


def check_contract(path: str | Path, contract: dict) -> None:
    """Raise ClimbEdgeError for a contract that this code cannot meet."""

    def need(key: str, met: bool, expected: str) -> None:
        if not met:
            raise ClimbEdgeError(
                f"{path}: its contract asks for {key} = {str(contract.get(key))[:60]!r}, this code"
                f" has {expected}; use the release that wrote it"
            )

    need(
        "skeleton",
        contract.get("skeleton") == list(KEYPOINTS),
        f"the {K} keypoints of its own order",
    )
    need("form", contract.get("form") in FORMS, f"one of {', '.join(FORMS)}")
    emits = FORMS[contract["form"]]
    need(
        "emits",
        contract.get("emits") in emits,
        f"one of {', '.join(emits)} in the {contract['form']} form",
    )
    need("output", contract.get("output") in OUTPUTS, f"one of {', '.join(OUTPUTS)}")
    heatmaps = contract["output"] == "heatmaps"
    need(
        "decode",
        contract.get("decode") == ("dark" if heatmaps else None),
        "dark for heatmaps, null for keypoints",
    )
    need(
        "normalisation",
        contract.get("normalisation") == {"sum": MASS, "negatives": 0},
        f"heatmaps that sum to {MASS}",
    )
    state = contract.get("state")
    need(
        "state",
        _is_state(state) and bool(state) <= (contract["form"] == "step"),
        "named 4-D tensors of the step form",
    )
    kept = [tensor["shape"] for tensor in state]
    need("peaks", contract.get("peaks", False) in (True, False), "true or false")
    entering = input_shapes(contract["form"], contract.get("peaks", False))
    need("inputs", contract.get("inputs") == [*entering, *kept], f"{entering} and the state")
    leaving = output_shape(contract["output"], EMITS[contract["emits"]])
    need("outputs", contract.get("outputs") == [leaving, *kept], f"{leaving} and the state")
    need("io", contract.get("io") in IO, f"one of {', '.join(IO)}")
    checks = contract.get("checks")
    need(
        "checks",
        isinstance(checks, dict) and isinstance(checks.get("verdict"), str),
        "the verdict of the checks",
    )
    peak = contract.get("peak")
    known = isinstance(peak, float) and 0 < peak <= MASS if heatmaps else peak is None
    need("peak", known, f"a full-score peak of 0 to {MASS} for heatmaps, null for keypoints")
    fps = contract.get("fps")
    need(
        "fps",
        fps is None or (type(fps) in (int, float) and 1 <= fps <= 1000),
        "frames a second of 1 to 1000, or null",
    )
    need(
        "golden",
        _is_golden(contract.get("golden"), int(np.prod(leaving))),
        "samples of a golden test to repeat",
    )


def _is_state(state) -> bool:
    """Whether `state` lists tensors {name, shape (1, R, C, N)} of a size that a phone could hold,
    none like peaks.
    """

    def tensor(value) -> bool:
        shape = value.get("shape") if isinstance(value, dict) else None
        return (
            isinstance(shape, list)
            and len(shape) == 4
            and all(type(n) is int and n > 0 for n in shape)
            and shape[0] == 1
            and math.prod(shape) <= MAX_STATE
            and isinstance(value.get("name"), str)
        )

    return isinstance(state, list) and len(state) <= 64 and all(map(tensor, state))


def _is_golden(golden, size: int) -> bool:
    """Whether `golden` is a golden test of a graph with `size` outputs, as `golden_test`
    writes it.
    """

    def number(value, kinds=(int, float)) -> bool:
        return isinstance(value, kinds) and not isinstance(value, bool) and bool(np.isfinite(value))

    def sample(row) -> bool:
        return (
            isinstance(row, list)
            and len(row) == 3
            and number(row[0], int)
            and number(row[1], int)
            and number(row[2])
            and 0 <= row[0] < GOLDEN_STEPS
            and 0 <= row[1] < size
        )

    return (
        isinstance(golden, dict)
        and number(golden.get("tolerance"))
        and number(golden.get("scale"))
        and isinstance(golden.get("samples"), list)
        and bool(golden["samples"])
        and all(map(sample, golden["samples"]))
    )
