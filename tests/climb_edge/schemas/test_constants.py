"""The constants that Python, Kotlin and JavaScript share: climb_edge/schemas/constants.json is what
the code has. The tests of the other two languages read the same file.
"""

import json

import pytest

from climb_edge.pose import boxes, decode, layout, render, skeleton
from climb_edge.refiners import filters
from climb_edge.runtime import contract, contract_sections, golden, model_file
from climb_edge.streaming import stream
from support.schemas import FOLDER

SHARED = json.loads((FOLDER / "constants.json").read_text(encoding="utf-8"))
OWN = {
    "heatmaps": {
        "window": layout.WINDOW,
        "size": boxes.SIZE,
        "mass": render.MASS,
        "peak": pytest.approx(render.PEAK, rel=1e-12),
        "centre": render.CENTRE,
    },
    "decode": {
        "floor": decode.FLOOR,
        "least_determinant": decode.LEAST_DETERMINANT,
        "clamp": decode.CLAMP,
    },
    "box": {
        "grow": boxes.STICKY.grow,
        "outer": boxes.STICKY.outer,
        "shrunk": boxes.STICKY.shrunk,
        "least": boxes.LEAST,
    },
    "stream": {
        "gap": stream.GAP,
        "rate": stream.RATE,
        "intervals": stream.INTERVALS,
        "stray": stream.STRAY,
        "most_phases": stream.MOST_PHASES,
    },
    "golden": {"steps": contract_sections.GOLDEN_STEPS, "samples": golden.GOLDEN_SAMPLES},
    "contract": {
        "version": contract.VERSION,
        "forms": {form: list(emits) for form, emits in contract.FORMS.items()},
        "emits": layout.EMITS,
        "outputs": list(contract.OUTPUTS),
        "max_file": model_file.MAX_FILE,
        "max_state": contract_sections.MAX_STATE,
        "max_tensors": contract.MAX_TENSORS,
    },
    "filters": filters.DEFAULTS,
    "skeleton": {
        "keypoints": list(skeleton.KEYPOINTS),
        "bones": [list(bone) for bone in skeleton.BONES],
        "mirror": skeleton.MIRROR.tolist(),
        "from_blazepose33": skeleton.FROM_BLAZEPOSE33.tolist(),
        "shown": skeleton.SHOWN,
    },
}


@pytest.mark.parametrize("group", OWN)
def test_the_constants_of_the_code_are_those_of_the_file(group):
    assert SHARED[group] == OWN[group]


def test_the_file_holds_nothing_else():
    assert set(SHARED) == {"description", *OWN}
