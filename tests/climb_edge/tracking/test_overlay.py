"""The overlay: raw on the left, refined on the right, and what it tells of both."""

from dataclasses import replace

import numpy as np

from climb_edge.streaming.result import Result
from climb_edge.tracking import overlay as overlay_module
from climb_edge.tracking.overlay import Overlay
from support.scene import (
    result,
    standing,
)


def test_overlay_draws_raw_on_the_left_and_refined_on_the_right():
    image = np.full((360, 400, 3), 128, np.uint8)
    drawn = Overlay("model").draw(image, [result(shift=60)])
    assert drawn.shape == (360, 800, 3) and (image == 128).all()
    left, right = drawn[:, :400], drawn[:, 400:]
    wrist = np.round(standing()[7]).astype(int)
    assert (left[wrist[1], wrist[0]] == 255).all() and (right[wrist[1], wrist[0] + 60] == 255).all()
    # the outermost on the right-hand side that nothing covers
    thumb = np.round(standing()[14]).astype(int)
    assert (left[thumb[1], thumb[0]] == 255).all() and (right[thumb[1], thumb[0]] == 128).all()
    empty = Overlay("model").draw(image, [Result(0, 0.0)])
    assert (empty[40:320] == 128).all() and (empty != 128).any()  # titles and state only


def test_overlay_scales_large_pictures_and_forgets_trails():
    overlay = Overlay("model")
    assert overlay.draw(np.zeros((2160, 3840, 3), np.uint8), [result()]).shape == (540, 1920, 3)
    for i in range(4):
        overlay.draw(np.zeros((360, 400, 3), np.uint8), [result(i)])
    assert len(overlay._trails) == 2
    overlay.draw(np.zeros((360, 400, 3), np.uint8), [])
    assert not overlay._trails


def test_overlay_tells_box_rate_delay_state_and_confidence(monkeypatch):
    said = []
    monkeypatch.setattr(overlay_module, "label", lambda canvas, text, *rest: said.append(text))
    image, overlay = np.full((360, 400, 3), 128, np.uint8), Overlay("model")
    for i in (0, 1, 2, 5):  # two frames were dropped
        late = replace(result(i), delay=2, bbox=np.array([20.0, 40, 380, 330]))
        late.refined[:, 2] = 0.7
        drawn = overlay.draw(image, [late])
    assert said[-4:] == [
        "estimator",
        "18 fps, 0: tracking 0.90",
        "model",
        "18 fps, delay 2, 0: tracking 0.70",
    ]
    for left in (20, 420):
        assert (drawn[40:330, left] == 240).all() and (drawn[40, left : left + 360] == 240).all()
    overlay.draw(image, [Result(6, 0.2)])
    assert said[-1] == "20 fps, delay 0, lost"
