"""`convert models`: every model and form as a file: what it holds, whether it is right, where it
runs, what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from climb_edge.pose.layout import WINDOW, to_channels
from climb_edge.pose.skeleton import K
from climb_edge.runtime.isolated import GpuResult, run_on_gpu
from climb_edge.runtime.session import Session
from convert.checks.speed import in_turns, naive
from convert.checks.testset import FRAMES
from convert.graphs.build import Graph, build, convert_function
from convert.graphs.lint import read_ops
from convert.quantization.quantizers import Quantization, static_int8
from convert.quantization.recipes import EDGE, RECIPES, support
from train.backend import keras
from train.data.rendered import RenderedWindows
from train.data.windows import Frames
from train.models import registry
from train.models.cost import count_macs
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips

TIMED = ("float32", "float16", "dynamic_int8", "int8")
SIZES = TIMED[:3]
ON_GPU = ("float32", "float16")
# frames of the comparison of step and window, and after how many the state starts anew
STREAM, RESET = 200, 50
# rows and columns of the matrix product that shows what one core can do: of 128 to 2048 the fastest
LIMIT = 512


@dataclass
class Row:
    """What is known of one form. Errors are shares of the reference's largest value."""

    model: str
    form: str
    parameters: int
    macs: float  # of one run
    ops: int
    broken: list[str]  # graph rules
    error: float  # file against training form
    stream_error: float | None  # step against window over a stream with resets
    bytes: dict[str, int] = field(default_factory=dict)  # by recipe
    ms: dict[str, float] = field(default_factory=dict)  # of one run, median, 1 thread, by recipe
    gpu: dict[str, dict] = field(default_factory=dict)  # by recipe


def measure(
    names: list[str], forms: list[str], gpu: bool, step: Callable[[str], object] = lambda what: None
) -> tuple[list[Row], dict[str, dict[str, float]]]:
    """(rows, baselines by model: milliseconds of `naive` and `all`, GMAC/s of `limit` and
    `int8_limit`).
    """
    rows, baselines = [], {}
    for name in names:
        definition, trained = seeded(name)
        frames = stream()
        timed: dict[tuple[str, str], tuple[Session, list[np.ndarray]]] = {}
        for form in forms:
            step(f"{name} {form}")
            row, graphs = examine(definition, trained, form, frames)
            rows.append(row)
            for recipe, graph in graphs.items():
                session = Session(graph.content, 1)
                timed[form, recipe] = session, graph.runs(session, frames[:WINDOW])[-1][0]
            for recipe in ON_GPU if gpu else ():
                step(f"{name} {form} {recipe} on GPU")
                row.gpu[recipe] = on_gpu(graphs[recipe], frames)
        step(f"{name} baselines and times")
        whole = build(definition, trained, "window", "all", definition.switches).content
        product = _product()
        for label, content in (
            ("naive", naive(trained)),
            ("all", whole),
            ("limit", product),
            ("int8_limit", _integer(product)),
        ):
            session = Session(content, 1)
            timed[label, ""] = session, [_input(d["shape"], frames) for d in session.inputs]
        taken = {key: ms.median for key, ms in in_turns(timed).items()}
        for row in rows[-len(forms) :]:
            row.ms = {recipe: taken[row.form, recipe] for recipe in row.bytes}
        baselines[name] = {label: taken[label, ""] for label in ("naive", "all")}
        baselines[name] |= {
            limit: LIMIT**3 / taken[limit, ""] / 1e6 for limit in ("limit", "int8_limit")
        }
    return rows, baselines


def seeded(name: str) -> tuple:
    """(model, its training form) with seeded random weights."""
    keras.utils.set_random_seed(0)
    definition = registry.get(name)
    trained = definition.build(**definition.switches)
    rng = np.random.default_rng(0)
    trained.set_weights([w + 0.02 * rng.standard_normal(w.shape) for w in trained.get_weights()])
    definition.teach(trained, np.ones(K, bool))
    return definition, trained


def stream() -> Frames:
    """200 frames of generated climbing under the simulated estimator."""
    source = RenderedWindows(generated_clips(1, 0, frames=STREAM + WINDOW), NOISES["blazepose"])
    return Frames.joined([source.window(i).frames[:1] for i in range(STREAM)])


def examine(
    definition, trained, form: str, frames: Frames, recipes: Sequence[str] = TIMED
) -> tuple[Row, dict[str, Graph]]:
    """What one form holds and whether it is right; and its graph by those `recipes` that suit
    it.
    """
    kind, emits = form.split("-")
    graph = build(definition, trained, kind, emits, definition.switches)
    ops, broken = read_ops(graph.content)
    session, error = Session(graph.content), 0.0
    for start in (0, 60, 120):
        window = frames[start : start + WINDOW]
        maps, peaks = window.maps[None], window.peaks[None]
        expected = np.asarray(trained(maps if len(trained.inputs) == 1 else [maps, peaks]))[0][
            FRAMES[emits]
        ]
        emitted = graph.emitted(session, window)[..., : expected.shape[-1]]
        error = max(error, _apart(emitted, expected))
    drift = None
    if kind == "step":
        whole = build(definition, trained, "window", emits, definition.switches)
        drift = max(_apart(a, b) for a, b in _both(graph, whole, frames))
    macs = count_macs(definition.form(trained, kind, emits))
    row = Row(definition.name, form, graph.parameters, macs, len(ops), broken, error, drift)
    quantized = Quantization(graph, [frames[:WINDOW]])
    supported = [r for r in recipes if support(definition.name, form, r)[0] == "supported"]
    graphs = {
        r: replace(graph, content=quantized.under(RECIPES[r], "none" if r == "float32" else EDGE))
        for r in supported
    }
    row.bytes = {recipe: len(made.content) for recipe, made in graphs.items()}
    return row, graphs


def _both(step: Graph, whole: Graph, frames: Frames) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What the step and the window form emit for every frame of a stream that starts anew now and
    then.
    """
    stepping, seeing = Session(step.content), Session(whole.content)
    for start in range(0, len(frames), RESET):
        state = [np.zeros(shape, np.float32) for _, shape in step.state]
        for t in range(start, min(start + RESET, len(frames))):
            emitted, *state = stepping.run(*step.entering(frames[t : t + 1])[0], *state)
            if t - start >= WINDOW - 1:
                yield emitted, seeing.run(*whole.entering(frames[t - WINDOW + 1 : t + 1])[0])[0]


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-9))


def on_gpu(graph: Graph, frames: Frames) -> dict:
    """One partition with every node, and the CPU's numbers? A step graph runs five frames, its
    state handed on.
    """
    session = Session(graph.content)
    runs = graph.runs(session, frames[:WINDOW])
    fed = [
        inputs[: len(inputs) - len(graph.state) if i else None]
        for i, (inputs, _) in enumerate(runs)
    ]
    found: GpuResult = run_on_gpu(graph.content, fed, chained=graph.form == "step")
    error = None
    if found.status == "ran":
        error = max(
            _apart(a, b)
            for got, (_, cpu) in zip(found.outputs, runs, strict=True)
            for a, b in zip(got, cpu, strict=True)
        )
    return {
        "status": found.status,
        "reason": found.reason,
        "backend": found.backend,
        "partitions": found.partitions,
        "nodes": found.nodes,
        "total": found.total,
        "max_error": error,
    }


def _product() -> bytes:
    """A plain matrix product of square matrices that fit in a cache: the arithmetic limit of a
    core.
    """
    layer = keras.layers.Dense(LIMIT, use_bias=False)
    layer.build((LIMIT, LIMIT))
    return convert_function(layer, lambda x: layer(x), [((LIMIT, LIMIT), "x")])


def _integer(product: bytes) -> bytes:
    """The same in int8, of inputs and outputs in int8: the integer arithmetic limit of a core."""
    made = static_int8(product)
    (entry,) = Session(product).inputs
    some = np.random.default_rng(0).normal(size=tuple(entry["shape"])).astype(np.float32)
    return bytes(made.quantize(made.calibrate({"serving_default": [{"x": some}]})).quantized_model)


def _input(shape, frames: Frames) -> np.ndarray:
    """Something to time with: a window where it fits, noise where not."""
    if tuple(shape) == (1, WINDOW, *frames.maps.shape[1:]):
        return frames.maps[None, :WINDOW]
    if shape[-1] == WINDOW * K:
        return to_channels(frames.maps[:WINDOW])
    return np.random.default_rng(0).random(shape, np.float32)
