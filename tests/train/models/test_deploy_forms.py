"""Deploy forms: a window or a step at a time, they give what the training form gives."""

import functools

import numpy as np
import pytest

from climb_edge.pose.decode import decode
from climb_edge.pose.layout import to_channels, to_frames
from support import reference
from support.models import (
    answer,
    asked,
    built,
    error,
    every_model,
    every_variant,
    fed,
    few_variants,
    frames,
    peaks,
    windows,
)
from train.backend import keras
from train.layers.float import decoded
from train.models import registry

EMITTED = {"all": slice(0, 5), "newest": slice(4, 5), "centre": slice(2, 3)}


@functools.cache
def deployed(name: str, form: str, **switches: bool):
    return registry.get(name).form(built(name, **switches), *form.split("-"))


def as_emitted(name: str, answers: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """A training form's answers for some frames (..., 56, 56, 25) as a deploy form emits them:
    keypoints have a score.
    """
    if registry.get(name).output == "heatmaps" or answers.shape[-1] == 3:
        return answers
    score = np.minimum(seen.max((-3, -2)) / reference.FULL_SCORE, 1)
    return np.concatenate([answers, score[..., None]], axis=-1)


def emission(name: str, output) -> np.ndarray:
    """What a deploy form emits, without its batch axis: frames first."""
    output = np.asarray(output)
    return to_frames(output) if registry.get(name).output == "heatmaps" else output[0]


def check_promises(form, name: str, switches: dict, kind: str, emits: str) -> None:
    """The parameters promised, and tensors that TFLite's delegates take: four axes, a batch
    of one.
    """
    assert form.count_params() == registry.get(name).form_parameters(kind, emits, **switches)
    for tensor in (*form.inputs, *form.outputs):
        assert len(tensor.shape) == 4
        assert tensor.shape[0] == 1


@every_variant
def test_a_window_form_gives_what_the_model_gives(name, switches):
    check_window_form(name, switches, "all")


@few_variants
@pytest.mark.parametrize("emits", ["newest", "centre"])
def test_a_window_form_of_one_frame_gives_what_the_model_gives_for_it(name, switches, emits):
    check_window_form(name, switches, emits)


def check_window_form(name: str, switches: dict, emits: str) -> None:
    form, window = deployed(name, f"window-{emits}", **switches), windows()[1]
    check_promises(form, name, switches, "window", emits)
    expected = as_emitted(name, answer(name, **switches)[1], window)[EMITTED[emits]]
    assert (
        error(
            emission(name, form(fed(name, to_channels(window), peaks(10)[None, None, 5:]))),
            expected,
        )
        < 1e-5
    )


def test_the_decode_of_deploy_graphs_is_the_runtimes():
    """Also of maps that no stream should bring: equal maxima, level, empty, negative, and with a
    summit at the border.
    """
    maps = frames(2)[0].copy()
    maps[..., :8] = 0
    maps[10, 20, 0] = maps[14, 22, 0] = maps[14, 24, 0] = 1
    maps[..., 1], maps[..., 2] = 0.25, -1
    maps[0, 30, 3] = maps[30, 55, 4] = maps[55, 0, 5] = 2
    maps[20:22, 20, 6] = 3
    cells, peaks = decode(maps)
    x, y, peak = (
        np.asarray(part)[0, 0, 0] for part in decoded(keras.ops.convert_to_tensor(maps[None]))
    )
    np.testing.assert_allclose(np.stack([x, y], axis=-1), cells, atol=1e-3)
    np.testing.assert_allclose(peak, peaks)


def test_one_emitted_frame_of_conv3d_needs_three_frames_of_its_kernel():
    assert registry.get("conv3d").form_parameters("window", "newest") == 46_925
    assert deployed("conv3d", "window-newest").count_params() == 46_925
    assert deployed("conv3d", "step-newest").count_params() == 46_925


def streamed(
    name: str, form, stream: np.ndarray, resets: tuple[int, ...] = (), first: int = 0
) -> list[np.ndarray]:
    """What a step form emits for each frame, from the zero state on, and again so at every frame of
    `resets`.

    `first`: the frame to which peaks belong that enter with the stream's first.
    """
    zero = [
        np.zeros(tensor.shape, np.float32)
        for tensor in form.inputs[len(form.inputs) + 1 - len(form.outputs) :]
    ]
    state, emitted = zero, []
    for t, frame in enumerate(stream):
        entering = fed(name, frame[None], peaks(11)[None, None, None, t + first])
        outputs = form.predict_on_batch([*entering, *(zero if t in resets else state)])
        # Keras takes a list of one apart
        output, *state = outputs if isinstance(outputs, list) else [outputs]
        emitted.append(output)
    return emitted


@few_variants
@pytest.mark.parametrize("emits", ["newest", "centre"])
def test_a_step_form_gives_what_the_model_gives_from_the_fifth_frame_on(name, switches, emits):
    form, reset = deployed(name, f"step-{emits}", **switches), 6
    check_promises(form, name, switches, "step", emits)
    kept = [tensor.shape for tensor in form.outputs[1:]]
    assert kept == [tensor.shape for tensor in form.inputs[len(form.inputs) - len(kept) :]]
    emitted = streamed(name, form, frames(11), (reset,))
    for t, expected in stream_answers(name, (4, 5, reset + 4), **switches).items():
        assert error(emission(name, emitted[t]), expected[EMITTED[emits]]) < 1e-5, f"frame {t}"


@functools.cache
def stream_answers(name: str, ends: tuple[int, ...], **switches: bool) -> dict[int, np.ndarray]:
    """The training form's answers for the windows of `frames(11)` that end with these frames."""
    seen, heights = (
        np.stack([whole[t - 4 : t + 1] for t in ends]) for whole in (frames(11), peaks(11))
    )
    answers = as_emitted(name, asked(name, built(name, **switches), seen, heights), seen)
    return dict(zip(ends, answers, strict=True))


@every_model
@pytest.mark.parametrize("emits", ["newest", "centre"])
def test_a_frame_of_nan_is_gone_after_a_reset_and_after_five_frames(name, emits):
    form = deployed(name, f"step-{emits}", **registry.get(name).switches)
    clean, broken = frames(11)[:5], np.full((1, 56, 56, 25), np.nan, np.float32)
    expected = streamed(name, form, clean, first=3)
    assert all(np.isfinite(output).all() for output in expected)
    after_a_reset = streamed(name, form, np.concatenate([clean[:2], broken, clean]), resets=(3,))
    for left, right in zip(after_a_reset[3:], expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-6)
    last = streamed(name, form, np.concatenate([broken, clean]), first=2)[-1]
    np.testing.assert_allclose(last, expected[-1], rtol=1e-6, atol=1e-6)
