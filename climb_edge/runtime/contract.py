"""The contract of a .tflite file: what the file needs, what it promises, where it comes from.

`Contract.from_json` refuses what this code cannot meet. A file may lack the keys whose fields have
a default, and `to_json` leaves out those that are None. Keys that this code does not know are kept
at the top level (`additional`) and passed over inside the sections.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.plain import from_plain, to_plain
from climb_edge.pose.layout import EMITS, WINDOW, input_shapes, output_shape
from climb_edge.pose.render import MASS
from climb_edge.pose.skeleton import KEYPOINTS, K
from climb_edge.runtime.contract_sections import (
    MAX_STATE,
    Box,
    Calibration,
    Checks,
    GoldenTest,
    StateTensor,
    TrainingData,
)

VERSION = 3
FORMS = {"window": ("all", "newest", "centre"), "step": ("newest", "centre")}
OUTPUTS = ("heatmaps", "keypoints")
IO = ("float32", "int8")  # types of what goes in and comes out
MAX_TENSORS = 64  # of the state
NORMALISATION = {"sum": MASS, "negatives": 0}
# Keys that follow from others or never change.
DERIVED = ("version", "window", "skeleton", "inputs", "outputs", "normalisation", "decode")
# Keys whose null says something: keypoints need no decode, no rate is known, data is simulated.
NULLABLE = ("decode", "peak", "fps", "calibration", "estimator")


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a .tflite needs and promises. What follows from other fields is a property.

    `peak` is the height of a map whose score is 1, `fps` the rate of the frames trained on. `peaks`
    None is of a file from before graphs could ask for them: it does not. `sha256` is that of the
    graph's bytes, None until the contract is appended to them.
    """

    form: str
    emits: str
    output: str
    io: str
    golden: GoldenTest
    checks: Checks
    state: tuple[StateTensor, ...] = ()
    peaks: bool | None = False
    peak: float | None = None
    fps: float | None = None
    model: str | None = None
    switches: dict[str, Any] | None = None
    layout: str | None = None
    box: Box | None = None
    recipe: str | None = None
    quantizer: str | None = None
    left_in_float: tuple[str, ...] | None = None
    calibration: Calibration | None = None
    runtime: str | None = None
    training_data: TrainingData | None = None
    estimator: str | None = None
    tools: dict[str, str] | None = None
    additional: dict[str, Any] = field(default_factory=dict)
    sha256: str | None = None

    @property
    def stepping(self) -> bool:
        return self.form == "step"

    @property
    def heatmaps(self) -> bool:
        return self.output == "heatmaps"

    @property
    def decode(self) -> str | None:
        return "dark" if self.heatmaps else None

    @property
    def delay(self) -> int:
        """Frames between the newest one and the one whose keypoints come out."""
        return 0 if self.emits == "newest" else WINDOW // 2

    @property
    def inputs(self) -> list[list[int]]:
        """Shapes of what enters the graph."""
        return [*input_shapes(self.form, bool(self.peaks)), *_shapes(self.state)]

    @property
    def outputs(self) -> list[list[int]]:
        """Shapes of what leaves the graph."""
        return [output_shape(self.output, EMITS[self.emits]), *_shapes(self.state)]

    @classmethod
    def from_json(cls, json: Any, path: str | Path) -> Contract:
        """The contract that stands in `path`. Raises ClimbEdgeError where it cannot be met."""
        if not isinstance(json, dict) or json.get("version") != VERSION:
            raise ClimbEdgeError(
                f"{path}: expected a contract of version {VERSION}, found another; use the release"
                " that wrote it, or convert again"
            )
        return _Reader(path, json).read()

    def to_json(self) -> dict[str, Any]:
        """The JSON object of `contract.json`, its keys in the order in which they are written."""
        found = {
            "version": VERSION,
            "model": self.model,
            "switches": self.switches,
            "form": self.form,
            "emits": self.emits,
            "output": self.output,
            "window": WINDOW,
            "skeleton": list(KEYPOINTS),
            "state": self.state,
            "peaks": self.peaks,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "io": self.io,
            "layout": self.layout,
            "normalisation": NORMALISATION,
            "decode": self.decode,
            "peak": self.peak,
            "box": self.box,
            "fps": self.fps,
            "recipe": self.recipe,
            "quantizer": self.quantizer,
            "left_in_float": self.left_in_float,
            "calibration": self.calibration,
            "runtime": self.runtime,
            "golden": self.golden,
            "training_data": self.training_data,
            "estimator": self.estimator,
            "tools": self.tools,
            "checks": self.checks,
            **self.additional,
            "sha256": self.sha256,
        }
        kept = {k: v for k, v in found.items() if v is not None or k in NULLABLE}
        return {key: to_plain(value) for key, value in kept.items()}


class _Reader:
    """A contract's JSON, checked key by key; the first that cannot be met is refused by name."""

    def __init__(self, path: str | Path, json: dict):
        self.path, self.json, self.kinds = path, json, get_type_hints(Contract)

    def read(self) -> Contract:
        json, need, typed = self.json, self._need, self._typed
        order = json.get("skeleton") == list(KEYPOINTS)
        need("skeleton", order, f"the {K} keypoints of its own order")
        form, emits, output = (json.get(key, "") for key in ("form", "emits", "output"))
        need("form", form in list(FORMS), f"one of {', '.join(FORMS)}")
        need("emits", emits in FORMS[form], f"one of {', '.join(FORMS[form])} in the {form} form")
        need("output", output in OUTPUTS, f"one of {', '.join(OUTPUTS)}")
        maps = output == "heatmaps"
        decode = "dark" if maps else None
        need("decode", json.get("decode") == decode, "dark for heatmaps, null for keypoints")
        normalised = json.get("normalisation") == NORMALISATION
        need("normalisation", normalised, f"heatmaps that sum to {MASS}")
        state = typed(
            "state",
            "named 4-D tensors of the step form",
            lambda found: (
                found is not None
                and len(found) <= MAX_TENSORS
                and all(tensor.fits for tensor in found)
                and sum(math.prod(tensor.shape) for tensor in found) <= MAX_STATE
                and bool(found) <= (form == "step")
            ),
        )
        need("peaks", type(json.get("peaks", False)) is bool, "true or false")
        entering = input_shapes(form, json.get("peaks", False))
        inputs = [*entering, *_shapes(state)]
        need("inputs", json.get("inputs") == inputs, f"{entering} and the state")
        leaving = output_shape(output, EMITS[emits])
        outputs = [leaving, *_shapes(state)]
        need("outputs", json.get("outputs") == outputs, f"{leaving} and the state")
        need("io", json.get("io") in IO, f"one of {', '.join(IO)}")
        verdict = "the verdict of the checks"
        checks = typed("checks", verdict, lambda found: found is not None)
        peak = json.get("peak")
        known = isinstance(peak, float) and 0 < peak <= MASS if maps else peak is None
        need("peak", known, f"a full-score peak of 0 to {MASS} for heatmaps, null for keypoints")
        rate = "frames a second of 1 to 1000, or null"
        fps = typed("fps", rate, lambda found: found is None or 1 <= found <= 1000)
        golden = typed(
            "golden",
            "samples of a golden test to repeat",
            lambda found: found is not None and found.fits(math.prod(leaving)),
        )
        need("window", json.get("window", WINDOW) == WINDOW, f"windows of {WINDOW} frames")
        held = {
            "form": form,
            "emits": emits,
            "output": output,
            "io": json["io"],
            "state": state,
            "peaks": json.get("peaks"),
            "peak": peak,
            "fps": fps,
            "golden": golden,
            "checks": checks,
            "additional": {
                k: v for k, v in json.items() if k not in self.kinds and k not in DERIVED
            },
        }
        return Contract(**held, **{key: typed(key) for key in self.kinds if key not in held})

    def _need(self, key: str, met: bool, expected: str) -> None:
        if not met:
            raise ClimbEdgeError(
                f"{self.path}: its contract asks for {key} = {str(self.json.get(key))[:60]!r}, this"
                f" code has {expected}; use the release that wrote it"
            )

    def _typed(self, key: str, expected: str = "", met: Callable = lambda found: True) -> Any:
        """The value of a key by the type of its field, None where it is absent or null."""
        try:
            found = from_plain(self.kinds[key] | None, self.json.get(key))
        except ValueError as error:
            return self._need(key, False, expected or str(error))
        self._need(key, met(found), expected)
        return found


def _shapes(state: tuple[StateTensor, ...]) -> list[list[int]]:
    return [list(tensor.shape) for tensor in state]
