"""Where a graph is entered: its signatures, and values to feed each with, of any type of input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from ai_edge_litert.tools.flatbuffer_utils import type_to_name

from climb_edge.errors import ClimbEdgeError
from convert.graphs.flatbuffer import label, parse, places

MAX_ENTRIES = 16  # signatures of one graph that are run
MAX_VALUES = 16 << 20  # of all inputs together
WORD = b"climb"  # for inputs that take text
_KINDS = {
    **{name.upper(): np.dtype(name) for name in ("float16", "float32", "float64", "bool")},
    **{f"{u}INT{n}": np.dtype(f"{u.lower()}int{n}") for u in ("", "U") for n in (8, 16, 32, 64)},
}


@dataclass(frozen=True)
class Entry:
    """A signature of a graph, or its first subgraph where it has none.

    `guessed` says of each input whose meaning the file does not tell what it is fed; `cannot` why
    nothing can be made for an input, empty where all is there.
    """

    key: str | None  # the signature's name
    subgraph: int
    names: list[str] = field(default_factory=list)  # of its inputs
    tensors: list[int] = field(default_factory=list)  # their numbers in the subgraph
    values: list[np.ndarray] = field(default_factory=list, repr=False)
    guessed: list[str] = field(default_factory=list)
    cannot: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "the graph" if self.key is None else f"signature {self.key}"


def read_entries(graph: bytes) -> tuple[list[Entry], list[str]]:
    """(entries, sentences on what is not entered). Raises ClimbEdgeError for what is no
    graph.
    """
    try:
        return _read_entries(parse(graph))
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise ClimbEdgeError(
            "graph: expected signatures whose inputs are tensors of the graph, found"
            f" {type(error).__name__} ({error}); convert it again"
        ) from error


def _read_entries(model) -> tuple[list[Entry], list[str]]:
    signatures = model.signatureDefs or []
    entries = []
    for signature in signatures[:MAX_ENTRIES]:
        inputs = signature.inputs or []
        key, names = label(signature.signatureKey), [label(i.name) for i in inputs]
        entries.append(
            Entry(key, int(signature.subgraphIndex), names, [int(i.tensorIndex) for i in inputs])
        )
    if not entries:
        inputs = places(model.subgraphs[0].inputs)
        entries = [
            Entry(None, 0, [label(model.subgraphs[0].tensors[i].name) for i in inputs], inputs)
        ]
    said = [
        f"signature {label(s.signatureKey)}: {MAX_ENTRIES} of {len(signatures)} are run"
        for s in signatures[MAX_ENTRIES:][:1]
    ]
    if not signatures and len(model.subgraphs) > 1:
        said.append(f"{len(model.subgraphs) - 1} subgraphs that no signature names")
    rng, left = np.random.default_rng(0), MAX_VALUES
    for entry in entries:
        tensors = model.subgraphs[entry.subgraph].tensors
        for name, number in zip(entry.names, entry.tensors, strict=True):
            _feed(entry, name, tensors[number], rng, left)
        left -= sum(values.size for values in entry.values)
    return entries, said


def _feed(entry: Entry, name: str, tensor, rng: np.random.Generator, most: int) -> None:
    """Add values for one input, and what there is to say of them."""
    kind, shape = type_to_name(tensor.type), places(tensor.shape)
    open_ends = places(tensor.shapeSignature)
    if any(size < 0 for size in open_ends):
        entry.guessed.append(f"{name}: its open sizes {open_ends} are taken as {shape}")
    if min(shape, default=1) < 1 or math.prod(shape) > most - sum(v.size for v in entry.values):
        entry.cannot.append(
            f"{name}: no input of shape {shape} is made, at most {MAX_VALUES} values"
        )
        return
    quantized = tensor.quantization
    scale = None if quantized is None or quantized.scale is None else quantized.scale
    if kind == "STRING":
        entry.guessed.append(f"{name}: takes text, is fed the word {WORD.decode()!r}")
        entry.values.append(np.full(shape, WORD))
    elif kind not in _KINDS:
        entry.cannot.append(f"{name}: no values of type {kind} can be made")
    elif (dtype := _KINDS[kind]).kind == "f":
        entry.values.append(rng.random(shape).astype(dtype))
    elif scale is not None and len(scale) and np.isfinite(scale[0]) and scale[0] > 0:
        zero = 0 if quantized.zeroPoint is None else int(quantized.zeroPoint[0])
        limits = np.iinfo(dtype)
        values = np.rint(rng.random(shape) / scale[0]) + zero
        entry.values.append(np.clip(values, limits.min, limits.max).astype(dtype))
    else:
        entry.guessed.append(f"{name}: {kind} without a scale, is fed zeros and ones")
        entry.values.append(rng.integers(0, 2, shape).astype(dtype))
