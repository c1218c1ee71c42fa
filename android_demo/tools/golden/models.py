"""Small converted models of every kind that an app may meet, each with a contract, and all they
give on the golden input.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from climb_edge.pose.boxes import STICKY
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import PEAK
from climb_edge.runtime.contract import Contract
from climb_edge.runtime.contract_sections import Box, Checks, StateTensor
from climb_edge.runtime.golden import golden_outputs, golden_test
from climb_edge.runtime.model_file import write_model
from climb_edge.runtime.session import Session
from convert.graphs.build import Graph, build
from convert.model_table import stream
from convert.quantization.quantizers import Quantization
from convert.quantization.recipes import RECIPES, Recipe
from golden.vectors import Vectors
from train.fitting import initial_weights
from train.models import registry

# model, form, recipe: each output, form, emission, type and way in at least once; those that need
# it come with peaks.
MADE = (
    ("conv3d", "step-newest", "float32"),
    ("conv3d", "step-newest", "dynamic_int8"),
    ("conv3d", "step-centre", "float16"),
    ("conv3d", "window-all", "float16"),
    ("conv3d", "window-centre", "int8"),
    ("conv3d", "step-newest", "int8_io"),
    ("deciwatch", "step-newest", "float16"),
    ("deciwatch", "window-all", "float32"),
    ("joint_mixer", "step-newest", "float16"),
    ("joint_mixer", "window-all", "float32"),
)
CALIBRATION = 6  # windows


def write(out: Path, also: list[Path]) -> None:
    """OUT/models/*.tflite, and OUT/models.bin with what each of them and each of `also` gives on
    the golden input.
    """
    (out / "models").mkdir(parents=True, exist_ok=True)
    frames, trained, made = stream(), {}, []
    windows = [frames[i : i + WINDOW] for i in range(0, CALIBRATION * WINDOW, WINDOW)]
    for name, form, recipe in MADE:
        if name not in registry.names():
            continue
        described = registry.get(name)
        if name not in trained:
            shipped = initial_weights.shipped_weights(name).is_file()
            trained[name] = initial_weights.initial(described, "shipped" if shipped else "none")
        plain = build(described, trained[name], *form.split("-"), described.switches)
        chosen = RECIPES[recipe]
        graph = replace(
            plain, content=Quantization(plain, windows).under(chosen, chosen.quantizers[0])
        )
        path = out / "models" / f"{name}.{form}.{recipe}.tflite"
        write_model(path, graph.content, _contract(graph, chosen))
        made.append(path)
    vectors = Vectors(out, "models")
    for path in [*also, *made]:
        vectors.add(path.name, golden_outputs(Session(path.read_bytes(), 1)))
    vectors.close(models=[path.name for path in [*also, *made]])


def _contract(graph: Graph, recipe: Recipe) -> Contract:
    return Contract(
        model=graph.model,
        form=graph.form,
        emits=graph.emits,
        output=graph.output,
        state=tuple(StateTensor(name, tuple(shape)) for name, shape in graph.state),
        peaks=graph.peaks,
        io=recipe.io,
        peak=PEAK if graph.output == "heatmaps" else None,
        box=Box.of(STICKY),
        fps=30.0,
        recipe=recipe.name,
        runtime=Session.version(),
        golden=golden_test(Session(graph.content, 1), recipe.golden_tolerance),
        checks=Checks("skipped", ("made for tests",)),
    )
