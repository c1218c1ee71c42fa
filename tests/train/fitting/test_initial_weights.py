"""Weights to begin with: shipped, none, identity, or another run's."""

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from support.models import built, every_model, windows
from train.config import Finetune
from train.fitting import initial_weights
from train.fitting.run_folder import Run
from train.models import registry


def test_conv3d_has_its_parameters_and_passes_its_input_through_when_told():
    model = registry.get("conv3d").build()
    assert model.count_params() == registry.get("conv3d").parameters == 78_150
    identity = initial_weights.initial(registry.get("conv3d"), "identity")
    window = np.random.default_rng(0).random((1, 5, 56, 56, 25)).astype(np.float32)
    np.testing.assert_allclose(identity(window), window, atol=1e-5)


PASS_THROUGH = ("identity", "conv3d")  # some weights of theirs give the input back


@every_model
def test_shipped_weights_are_loaded_or_refused(name):
    entry = registry.get(name)
    if initial_weights.shipped_weights(name).is_file():
        assert all(
            np.isfinite(w).all() for w in initial_weights.initial(entry, "shipped").get_weights()
        )
    else:
        with pytest.raises(ClimbEdgeError, match=f"ships no weights of {name}"):
            initial_weights.initial(entry, "shipped")


@every_model
def test_init_identity_gives_the_input_back_or_is_refused(name):
    entry = registry.get(name)
    if name in PASS_THROUGH:
        np.testing.assert_allclose(
            initial_weights.initial(entry, "identity")(windows()), windows(), atol=1e-5
        )
    else:
        with pytest.raises(ClimbEdgeError, match=f"--init identity: {name} has no weights"):
            initial_weights.initial(entry, "identity")


@every_model
def test_init_none_follows_the_seed_and_gives_no_two_kernels_alike(name):
    first, same, other = (
        initial_weights.initial(registry.get(name), "none", seed).get_weights()
        for seed in (3, 3, 4)
    )
    for left, right in zip(first, same, strict=True):
        np.testing.assert_array_equal(left, right)
    drawn = [
        (a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1 and len(np.unique(a)) > 2
    ]
    assert all((a != b).any() for a, b in drawn)
    assert len({a.tobytes() for a, _ in drawn}) == len(drawn)


@pytest.fixture
def run_of(tmp_path):
    """A function that makes a run folder with a model's random weights."""

    def make(name: str, **switches: bool) -> str:
        run = Run.start(
            tmp_path / "run", {"model": name, "switches": registry.get(name).switches | switches}
        )
        run.save_weights(built(name, **registry.get(name).switches | switches))
        return str(run.path)

    return make


def test_init_from_a_run_takes_its_weights(run_of):
    loaded = initial_weights.initial(registry.get("conv3d"), run_of("conv3d")).get_weights()
    for left, right in zip(loaded, built("conv3d").get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_run_of_another_model_is_refused(run_of):
    with pytest.raises(ClimbEdgeError, match="holds conv3d, asked for identity"):
        initial_weights.initial(registry.get("identity"), run_of("conv3d"))


def test_init_from_a_run_takes_its_model_and_says_so(run_of, capsys):
    path = run_of("convlstm_concat", last_relu=True)

    def asked(**options):
        return initial_weights.chosen(Finetune(data="generated", out="o", **options))

    model, switches = asked(init=path)
    assert (model.name, switches["last_relu"]) == ("convlstm_concat", True)
    assert f"last_relu=on, as in {path}" in capsys.readouterr().out
    for contradiction in ({"model": "conv3d"}, {"switch": "last_relu=off"}):
        with pytest.raises(ClimbEdgeError, match="choose the same --model and --switch"):
            asked(init=path, **contradiction)
    assert asked(init="shipped")[0].name == "conv3d"
    with pytest.raises(ClimbEdgeError, match="did you mean shipped"):
        asked(init="shiped")


def test_a_run_with_other_switches_is_refused(run_of):
    entry, path = registry.get("convlstm_concat"), run_of("convlstm_concat", last_relu=True)
    with pytest.raises(ClimbEdgeError, match=r"last_relu=on.*asked for.*last_relu=off"):
        initial_weights.initial(entry, path)
    initial_weights.initial(entry, path, switches={"last_relu": True})


def test_a_mirrored_model_takes_weights_of_a_plain_one(run_of):
    entry, path = registry.get("joint_mixer"), run_of("joint_mixer")
    plain, mirrored = (
        initial_weights.initial(entry, path, switches={"mirrored": on}).get_weights()
        for on in (False, True)
    )
    for left, right in zip(plain, mirrored, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_run_from_before_a_switch_was_there_counts_as_it_comes(tmp_path):
    run = Run.start(tmp_path / "run", {"model": "joint_mixer"})
    run.save_weights(built("joint_mixer", **registry.get("joint_mixer").switches))
    initial_weights.initial(registry.get("joint_mixer"), str(run.path))
    with pytest.raises(ClimbEdgeError, match=r"gate=on.*asked for.*gate=off"):
        initial_weights.initial(
            registry.get("joint_mixer"), str(run.path), switches={"gate": False}
        )


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_a_run_whose_weights_are_another_models_is_refused(tmp_path):
    run = Run.start(tmp_path / "run", {"model": "conv3d", "switches": {}})
    run.save_weights(built("convlstm_sum"))
    with pytest.raises(ClimbEdgeError, match=r"best\.weights\.h5: expected weights of conv3d"):
        initial_weights.initial(registry.get("conv3d"), str(run.path))
