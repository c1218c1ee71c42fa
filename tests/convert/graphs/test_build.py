"""Deploy graphs: the same numbers as the training form, all weights inside, rules kept."""

from functools import cache

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.layout import input_shapes
from climb_edge.runtime.session import Session
from convert.checks.testset import FRAMES
from convert.graphs.build import build, to_tflite
from convert.graphs.lint import read_ops
from train.data.rendered import RenderedWindows
from train.models import registry
from train.noise.library import NOISES
from train.synthesis.motion import generated_clips


@pytest.fixture(scope="module")
def windows():
    source = RenderedWindows(generated_clips(4, 3, frames=30), NOISES["blazepose"])
    return [source.window(i).frames for i in range(0, 40, 4)]


@cache
def trained(name: str):
    """(model, its training form) with random weights: a wrong tap or a flipped axis cannot hide
    behind symmetry.
    """
    definition = registry.get(name)
    form = definition.build(**definition.switches)
    rng = np.random.default_rng(3)
    form.set_weights([w + 0.02 * rng.standard_normal(w.shape) for w in form.get_weights()])
    definition.teach(form, np.ones(25, bool))
    return definition, form


def graph_of(name: str, form: str):
    definition, model = trained(name)
    return model, build(definition, model, *form.split("-"), definition.switches)


BUILT = [name for name in registry.names() if registry.get(name).parameters]


@pytest.mark.parametrize("form", registry.FORMS)
@pytest.mark.parametrize("name", BUILT)
def test_every_file_equals_its_training_form_and_keeps_the_rules(name, form, windows):
    model, graph = graph_of(name, form)
    session = Session(graph.content)
    entering = input_shapes(graph.form, graph.peaks)
    assert [d["shape"].tolist() for d in session.inputs] == [
        *entering,
        *(list(shape) for _, shape in graph.state),
    ]
    assert [d["shape"].tolist() for d in session.outputs[1:]] == [
        list(shape) for _, shape in graph.state
    ]
    for window in windows[:2]:
        given = [window.maps[None], window.peaks[None]]
        expected = np.asarray(model(given if graph.peaks else given[0]))[0][FRAMES[graph.emits]]
        emitted = graph.emitted(session, window)[..., : expected.shape[-1]]
        assert np.abs(emitted - expected).max() <= 1e-5 * np.abs(expected).max()
    assert read_ops(graph.content)[1] == []
    # weights are all inside, and shared, not copied
    assert 0 <= len(graph.content) - 4 * graph.parameters < 300_000


def test_conv3d_holds_the_frames_that_its_kernel_reaches():
    definition = registry.get("conv3d")
    held = [definition.form_parameters(*form.split("-")) for form in registry.FORMS]
    assert dict(zip(registry.FORMS, held, strict=True)) == {
        "window-all": 390_875,
        "window-newest": 46_925,
        "window-centre": 78_175,
        "step-newest": 46_925,
        "step-centre": 78_175,
    }


def test_a_form_that_lost_weights_is_refused():
    definition, model = trained("conv3d")
    with pytest.raises(ClimbEdgeError, match="46925 parameters"):
        to_tflite(definition.form(model, "window", "newest"), 50_000)
