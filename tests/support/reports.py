"""Reports for tests: one of made-up figures, every figure another, one that is really measured; and
what a page holds.
"""

import json
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np

from climb_edge.evaluation.pck import ALPHAS
from climb_edge.pose.skeleton import KEYPOINTS
from climb_edge.runtime.model_file import read_model
from climb_edge.runtime.session import Session
from convert.checks.verdict import worst_of
from convert.reports.build import build, skipped
from convert.reports.schema import SCHEMA

THRESHOLDS = [str(a) for a in ALPHAS]
NAMES = ("lint", "types", "load", "cpu", "gpu", "parity", "stream", "second", "speed", "contract")
EDGES = [0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]


def example(*recipes: str, form: str = "step", emits: str = "newest") -> dict:
    """A report as `build` makes it, every figure another."""
    dice = np.random.default_rng(7)
    files = [_file(dice, form, emits, recipe) for recipe in recipes or ("float16", "int8")]
    claim = {
        "name": f"{form}-{emits}, {files[0]['file']}",
        "delay": 0,
        "space": "image pixels",
        "clips": 12,
        "frames": 900,
        "interval": "clips",
        "raw": _pck(dice),
        "refined": _pck(dice),
        "change": _drop(dice),
        "wins": dict.fromkeys(THRESHOLDS, True),
    }
    return {
        "schema": SCHEMA,
        "verdict": worst_of(f["verdict"] for f in files),
        "skipped": skipped(files),
        "run": {
            "path": "runs/mine",
            "model": "conv3d",
            "init": "identity",
            "data": ["mine.npz"],
            "noise": "blazepose",
            "seed": 0,
            "data_sha256": "0" * 64,
        },
        "test": {
            "windows": 300,
            "clips": 12,
            "truth": "pseudo",
            "inputs": "recorded by blazepose-lite",
            "source": "mine.npz",
        },
        "generated": {"windows": 360, "clips": 60},
        "said": [],
        "claims": [claim],
        "histogram_edges": EDGES,
        "files": files,
    }


def _file(dice, form: str, emits: str, recipe: str) -> dict:
    body = dice.uniform(5, 50, (25, 2)).round(2)
    points = {
        key: (body + dice.normal(0, s, body.shape)).round(2).tolist()
        for key, s in (("input", 1), ("float", 0.5), ("file", 0.5), ("truth", 1))
    }
    ms = float(dice.uniform(1, 5))
    made = [
        {"quantizer": q, "reason": None, "bytes": 50_000, "cells": c}
        for q, c in (("ai-edge-quantizer", 0.06), ("tensorflow", 0.07))
    ]
    return {
        "file": f"conv3d.{form}-{emits}.{recipe}.tflite",
        "written": True,
        "model": "conv3d",
        "form": form,
        "emits": emits,
        "recipe": recipe,
        "quantizer": "ai-edge-quantizer",
        "candidates": [made[0] | {"kept": True}, made[1]],
        "bytes": int(dice.integers(30_000, 200_000)),
        "sha256": "0" * 64,
        "verdict": "pass",
        "reasons": [],
        "checks": [{"name": name, "verdict": "pass", "reasons": []} for name in NAMES],
        "rows": [
            _row(dice, tests, *how, emits)
            for tests in ("test", "generated")
            for how in (("pooled", "dark"), ("study", "argmax"))
        ],
        "keypoints": {
            t: {k: dice.normal(0, 1, 3).tolist() for k in KEYPOINTS} for t in ("test", "generated")
        },
        "worst_keypoint": {
            t: {a: {"keypoint": "left_hip", "drop": -1.0, "high": 0.1} for a in THRESHOLDS}
            for t in ("test", "generated")
        },
        "histogram": {t: dice.integers(0, 999, len(EDGES)).tolist() for t in ("test", "generated")},
        "worst_windows": [
            {
                "set": "test",
                "window": 3,
                "clip": "mine/1",
                "frame": 74,
                "keypoint": "left_pinky",
                "cells": 1.25,
                **points,
            }
        ],
        "cpu": {t: {"max": 1e-4, "rms": 1e-6, "gain": 1.001} for t in ("test", "generated")},
        "saturation": [{"tensor": "conv2d;squeeze", "share": 0.011}],
        "weight_ratio": 0.25,
        "quantized_ops": [
            {
                "op": "CONV_2D",
                "index": 3,
                "tensor": "conv2d;squeeze",
                "weights": "INT8",
                "activations": "INT8",
                "left_in_float": False,
            }
        ],
        "left_in_float": [],
        "sensitivity": [],
        "load": {"runtime": "litert 2.3.0", "load_ms": 7.1, "memory_mb": 11.7},
        "gpu": [
            {
                "backend": "WebGPU",
                "status": "ran",
                "partitions": 1,
                "nodes": 6,
                "total": 6,
                "max_error": 6e-8,
                "seconds": 2.2,
            }
        ],
        "stream": {
            "clip": "mine/1",
            "frames": 80,
            "starts": 4,
            "against": "window form",
            "max_error": 6e-5,
        },
        "second": {"runtime": "tflite-runtime 2.14.0", "max_error": 0.0, "memory_mb": 11.0},
        "speed": [
            {
                "runtime": "litert 2.3.0",
                "delegate": "XNNPACK",
                "threads": n,
                "median_ms": ms / n,
                "p95_ms": 1.1 * ms / n,
                "float_ms": 5.2 / n,
                "naive_ms": 102.0 / n,
            }
            for n in (1, 2)
        ],
    }


def _row(dice, tests: str, averaging: str, decode: str, emits: str) -> dict:
    return {
        "set": tests,
        "truth": "pseudo" if tests == "test" else "generated",
        "averaging": averaging,
        "decode": decode,
        "emits": emits,
        "box": "sticky",
        "space": "heatmap cells",
        "clips": 60,
        "windows": 360,
        "interval": "60 clips",
        "pck": _pck(dice),
        "float": _pck(dice),
        "drop": _drop(dice),
    }


def _pck(dice) -> dict:
    return {
        a: [v, v - 0.01, v + 0.01]
        for a, v in zip(THRESHOLDS, dice.uniform(0.5, 0.9, 3).tolist(), strict=True)
    }


def _drop(dice) -> dict:
    return {
        a: [v, v - 0.2, v + 0.3]
        for a, v in zip(THRESHOLDS, dice.uniform(-1, 1, 3).tolist(), strict=True)
    }


def refused(file: dict, reason: str = "the runtime aborts") -> dict:
    """The same file, refused before it ran."""
    empty = {
        key: type(file[key])()
        for key in (
            "rows",
            "keypoints",
            "worst_keypoint",
            "histogram",
            "worst_windows",
            "cpu",
            "speed",
            "gpu",
            "stream",
            "second",
            "saturation",
            "load",
        )
    }
    checks = [{"name": "load", "verdict": "fail", "reasons": [reason]}]
    return (
        file
        | empty
        | {
            "written": False,
            "bytes": 0,
            "weight_ratio": None,
            "verdict": "fail",
            "reasons": [reason],
            "checks": checks,
        }
    )


def measured_report() -> dict:
    """A report on a refiner, run on generated clips; its input stands for the Keras model."""
    from climb_edge.pose.decode import both_decodes
    from convert.checks import graph_checks, verdict
    from convert.checks.parity import compare, numbers, parity
    from convert.checks.speed import times
    from convert.checks.testset import TestSet
    from convert.graphs.build import Graph, convert_function
    from convert.graphs.lint import read_ops
    from convert.pipeline.conversion import ConvertedFile
    from convert.quantization.recipes import RECIPES
    from support.paths import CONV3D
    from train.data.rendered import RenderedWindows
    from train.noise.library import get
    from train.synthesis.motion import generated_clips

    content, contract = read_model(CONV3D)
    state = tuple((tensor.name, tensor.shape) for tensor in contract.state)
    graph, recipe = (
        Graph("conv3d", "step", "newest", "heatmaps", 0, state, content),
        RECIPES["float16"],
    )
    source = RenderedWindows(generated_clips(10, 3, 6), get("blazepose"), 3)
    sets = []
    for name in ("test", "generated"):
        tests = TestSet(name, source, np.flatnonzero(source.position == 0), "generated")
        for i in tests.indices:
            window = source.window(int(i))
            tests.inputs.append(window.frames)
            tests.outputs.append(window.inputs)
            tests.reference.append(both_decodes(window.inputs))
            tests.cells.append(np.where(window.weight[..., None] > 0, window.cells, np.nan))
        sets.append(tests)
    session = Session(content, 1)
    compared = [compare(session, graph, tests) for tests in sets]
    made = ConvertedFile(
        recipe,
        graph,
        candidates=[
            {"quantizer": "tensorflow", "reason": None, "bytes": 9, "cells": 0.0, "kept": True}
        ],
    )
    ops, broken = read_ops(content)
    made.checks += [
        graph_checks.lint(broken),
        graph_checks.types(ops, ops, recipe),
        graph_checks.load(graph, sets[0].inputs),
    ]
    cpu = numbers(recipe, compared)[1] | {
        "saturation": graph_checks.saturation(graph, sets[0].inputs[:1])
    }
    made.checks += [
        verdict.Check("cpu", figures=cpu),
        graph_checks.on_gpu(graph, recipe, sets[0].inputs[0]),
    ]
    made.checks.append(verdict.Check("parity", *parity(graph, recipe, compared)))
    naive = convert_function(
        SimpleNamespace(variables=[]), lambda window: 2 * window, [((1, 5, 56, 56, 25), "window")]
    )
    rows = times({"a": graph}, graph, naive, sets[0].inputs[0])["a"]
    made.checks.append(verdict.Check("speed", figures={"rows": rows}))
    config = example()["run"] | {"data": ["generated"]}
    run = SimpleNamespace(
        path="runs/mine", config=config, sets=sets, made=[made], claims=[], said=[]
    )
    return json.loads(json.dumps(build(run), default=float))


def keys(value):
    """What a value is made of: keys all the way down, of several alike those of the first."""
    if isinstance(value, list):
        return [keys(v) for v in value[:1] if isinstance(v, dict)]
    if not isinstance(value, dict):
        return None
    # names of data, not keys
    if set(value) & {"0.05", "nose"} or set(value) == {"test", "generated"}:
        return [keys(v) for v in list(value.values())[:1]]
    return {k: keys(v) for k, v in value.items()}


class Rows(HTMLParser):
    """Every table row of a page as the texts of its cells, with the tags and the addresses
    on it.
    """

    def __init__(self, page: str):
        super().__init__()
        self.rows, self.tags, self.addresses, self.inside = [], set(), [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.addresses += [
            value
            for name, value in attributes
            if name in ("src", "href", "action", "data", "srcset")
        ]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        self.inside = tag in ("td", "th") or (self.inside and tag not in ("p", "h2", "h3"))

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside and self.rows and self.rows[-1]:
            self.rows[-1][-1] += f" {data}"
