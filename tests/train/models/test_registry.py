"""The registry: what every model has, keeps and refuses, and how it is found by name."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from support.models import (
    answer,
    answered,
    asked,
    built,
    error,
    every_model,
    every_variant,
    few_variants,
)
from train.backend import keras
from train.models import registry

PARAMETERS = {
    "identity": 0,
    "joint_mixer": 38_084,
    "conv3d": 78_150,
    "deciwatch": 1_708_388,
    "convlstm_sum": 1_875_666,
    "convlstm_concat": 1_872_313,
}


# Training forms
# ---------------------------------------------------------------------------------------------------


def test_the_registry_holds_these_models_the_smallest_first():
    assert set(registry.names()) == set(PARAMETERS)
    assert list(registry.names()) == sorted(PARAMETERS, key=PARAMETERS.get)


@every_variant
def test_a_model_has_its_parameters_and_gives_what_it_says(name, switches):
    entry = registry.get(name)
    assert entry.parameters == PARAMETERS[name]
    assert built(name, **switches).count_params() == PARAMETERS[name] + (
        88_080 if switches.get("wide") else 0
    )
    shapes = {"heatmaps": [(2, 5, 56, 56, 25)], "keypoints": [(2, 5, 25, 2), (2, 5, 25, 3)]}[
        entry.output
    ]
    assert answer(name, **switches).shape in shapes


@few_variants
def test_a_model_comes_back_from_its_configuration(name, switches):
    model = built(name, **switches)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert error(answered(name, again), answer(name, **switches)) < 1e-6


@every_model
def test_weights_come_back_from_their_file(name, tmp_path):
    switches = registry.get(name).switches
    model, again = built(name, **switches), registry.get(name).build(**switches)
    model.save_weights(tmp_path / "model.weights.h5")
    again.load_weights(tmp_path / "model.weights.h5")
    assert len(again.get_weights()) == len(model.get_weights())
    for left, right in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.fixture
def half_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(policy)


@every_model
def test_a_model_runs_in_half_precision(name, half_precision):
    switches = registry.get(name).switches
    model = registry.get(name).build(**switches)
    model.set_weights(built(name, **switches).get_weights())
    assert all(variable.dtype == "float32" for variable in model.weights)
    assert error(answered(name, model), answer(name, **switches)) < 0.03


@every_model
@pytest.mark.parametrize(
    "shape", [(5, 56, 56, 25), (1, 5, 56, 56, 24), (1, 4, 56, 56, 25), (1, 5, 48, 56, 25)]
)
def test_a_window_of_another_shape_is_refused(name, shape):
    with pytest.raises(ValueError, match="shape"):
        asked(
            name,
            built(name, **registry.get(name).switches),
            np.zeros(shape, np.float32),
            np.zeros((1, 5, 25), np.float32),
        )


STEP = """
import json, sys
import numpy as np
from train.backend import keras
from train.models import registry

assert keras.backend.backend() == "jax"
model = registry.get(sys.argv[1]).build()
rng = np.random.default_rng(0)
model.set_weights([w + 0.05 * rng.standard_normal(w.shape) for w in model.get_weights()])  # no layer begins with zeros
before = [np.array(v) for v in model.trainable_variables]
given = [rng.uniform(0, 3, (1, *tensor.shape[1:])).astype("float32") for tensor in model.inputs]
model.compile(optimizer="sgd", loss="mse")
loss = model.train_on_batch(given, rng.uniform(0, 50, (1, *model.output_shape[1:])).astype("float32"))
after = [np.asarray(v) for v in model.trainable_variables]
moved = sum(a.size for a, b in zip(after, before) if (a != b).any()) / sum(a.size for a in after)
finite = all(np.isfinite(a).all() for a in after)
print(json.dumps({"loss": float(loss), "moved": moved, "finite": bool(finite), "tensorflow": "tensorflow" in sys.modules}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in registry.names() if registry.get(name).parameters]
)
def test_a_model_trains_on_keras_with_jax(name):
    """One step. No model may ask for TensorFlow by itself."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs JAX, which no part of the project installs: pip install jax")
    # a step of a second is not worth ten of compiling
    unoptimised = "--xla_backend_optimization_level=0"
    child = subprocess.run(
        [sys.executable, "-c", STEP, name],
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": unoptimised,
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert child.returncode == 0, child.stderr[-2000:]
    found = json.loads(child.stdout.splitlines()[-1])
    assert np.isfinite(found["loss"]) and found["finite"]
    assert found["moved"] > 0.8, "most weights are not trained"
    assert not found["tensorflow"]


# The registry
# -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [("conv3", "conv3d"), ("convlstm_som", "convlstm_sum"), ("DeciWatch", "deciwatch")],
)
def test_an_unknown_model_names_the_nearest(asked, nearest):
    with pytest.raises(ClimbEdgeError, match=f"did you mean {nearest}") as caught:
        registry.get(asked)
    assert all(name in str(caught.value) for name in registry.names())


@every_model
def test_switches_are_turned_by_name_and_nothing_else_is_taken(name):
    entry = registry.get(name)
    assert registry.switched(entry, []) == entry.switches
    for switch, on in entry.switches.items():
        turned = registry.switched(entry, [f"{switch}={'off' if on else 'on'}"])
        assert turned == entry.switches | {switch: not on}
        for wrong in (f"{switch}=maybe", f"{switch}=", switch):
            with pytest.raises(
                ClimbEdgeError, match=f"NAME=on or NAME=off; switches of {name}: .*{switch}"
            ):
                registry.switched(entry, [wrong])
    with pytest.raises(ClimbEdgeError, match=f"--switch unknown=on.*{name}"):
        registry.switched(entry, ["unknown=on"])
    assert registry.switched(entry, []) == entry.switches, "turning a switch changed the default"
