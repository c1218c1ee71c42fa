"""What goes wrong around a stream: pictures, clocks, people, parts, files and threads. It says so, or it
goes on.
"""

import threading

import cv2
import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.media.frame import MAX_SIDE, Frame
from climb_edge.media.video import read_video
from climb_edge.refiners.base import Identity
from climb_edge.refiners.load import load_refiner
from climb_edge.refiners.tflite import TFLiteRefiner, default_path
from climb_edge.streaming.stream import Stream
from climb_edge.tracking.track import track
from climb_edge.tracking.track_file import read_lines
from support.scene import Late, Scripted, standing, steady, walking

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def run(stream: Stream, frames) -> list:
    return [r for f in frames for r in stream.push(f)] + stream.flush()


# --- pictures ---

GOOD = np.zeros((360, 400, 3), np.uint8)


WRONG = {
    "grey": (GOOD[..., 0], "(360, 400) uint8", "GRAY2RGB"),
    "grey with an axis": (GOOD[..., :1], "(360, 400, 1) uint8", "GRAY2RGB"),
    "alpha": (np.zeros((360, 400, 4), np.uint8), "(360, 400, 4) uint8", "BGRA2RGB"),
    "floats": (GOOD.astype(np.float32), "(360, 400, 3) float32", "astype"),
    "16 bits": (GOOD.astype(np.uint16), "(360, 400, 3) uint16", "astype"),
    "channels first": (np.zeros((3, 360, 400), np.uint8), "(3, 360, 400) uint8", "channels last"),
    "a batch": (GOOD[None], "(1, 360, 400, 3) uint8", "one picture"),
    "empty": (np.zeros((0, 0, 3), np.uint8), "no pixels", "leave out"),
    "no rows": (GOOD[:0], "no pixels, shape (0, 400, 3)", "leave out"),
    "nothing": (None, "a NoneType", "NumPy"),
    "a list": ([[0]], "a list", "NumPy"),
}


@pytest.mark.parametrize("image", [w[0] for w in WRONG.values()], ids=list(WRONG))
def test_a_wrong_picture_is_one_error_and_the_stream_goes_on(image, request):
    _, found, remedy = WRONG[request.node.callspec.id]
    frames = [Frame(f.index, f.time, GOOD) for f in steady(8)]
    stream, undisturbed = (
        Stream(Scripted(walking), Identity()),
        Stream(Scripted(walking), Identity()),
    )
    results = [r for f in frames[:6] for r in stream.push(f)]
    with pytest.raises(ClimbEdgeError) as refusal:
        stream.push(Frame(6, frames[6].time, image))
    for said in ("frame 6", "expected an RGB picture (H, W, 3) uint8", found, remedy):
        assert said in str(refusal.value)
    results += run(stream, frames[6:])  # the same moment again, with a good picture
    for a, b in zip(results, run(undisturbed, frames), strict=True):
        assert (a.frame, a.time, a.state) == (b.frame, b.time, b.state)
        np.testing.assert_array_equal(a.refined, b.refined)


@pytest.mark.parametrize("size", [(1, 1), (4320, 7680), (7, 3)], ids=str)
def test_pictures_of_any_size_are_streamed_and_drawn(tmp_path, size):
    image = np.zeros((*size, 3), np.uint8)
    frames = [Frame(i, i / 30, image) for i in range(2)]
    done = track(frames, Scripted(walking), [Identity()], tmp_path / "o", "v.mp4")
    assert done.frames == 2 and len(list(read_video(done.overlay))) == 2


def test_a_picture_larger_than_a_camera_gives_is_refused():
    image = np.broadcast_to(np.zeros(3, np.uint8), (4, MAX_SIDE + 1, 3))
    with pytest.raises(ClimbEdgeError, match=f"frame 0: frames of {MAX_SIDE + 1} x 4 are larger"):
        Stream(Scripted(walking), Identity()).push(Frame(0, 0.0, image))


@pytest.fixture(scope="module")
def man(demo_frames):
    """The man of the demo clip, RGB 520 x 520."""
    return [f.image[:520, 380:900] for f in demo_frames]


@pytest.fixture(scope="module")
def blazepose(weights_folder):
    from climb_edge.estimators.blazepose import BlazePose

    return BlazePose("full", weights_folder)


@pytest.mark.network
def test_black_frames_lose_the_person_and_light_finds_him(man, blazepose):
    images = [*man[:6], *[np.zeros_like(man[0])] * 3, *man[9:16]]
    frames = [Frame(i, i / 30, image) for i, image in enumerate(images)]
    results = run(Stream(blazepose, load_refiner("default", 1)), frames)
    assert [r.frame for r in results] == list(range(16)) and [r.time for r in results] == [
        f.time for f in frames
    ]
    assert [r.person is None for r in results] == [False] * 6 + [True] * 3 + [False] * 7
    assert results[5].state in ("tracking", "re-anchored") and results[-1].state in (
        "tracking",
        "re-anchored",
    )


@pytest.mark.network
def test_the_real_estimator_takes_a_pixel_and_8k(man, blazepose):
    stream = Stream(blazepose, Identity())
    (small,) = stream.push(Frame(0, 0.0, man[0]))
    assert stream.push(Frame(1, 0.03, np.zeros((1, 1, 3), np.uint8)))[0].person is None
    large = np.zeros((4320, 7680, 3), np.uint8)
    large[:, :4320] = cv2.resize(man[0], (4320, 4320))
    (found,) = stream.push(Frame(2, 0.06, large))
    scale = 4320 / 520
    assert np.median(np.abs(found.raw[:, :2] / scale - small.raw[:, :2])) < 10


# --- clocks and people ---


def test_a_clock_that_jumps_back_names_both_times_and_a_reset_goes_on():
    stream = Stream(Scripted(walking), Identity())
    frames = [Frame(f.index, f.time + 100, f.image) for f in steady(6)]
    results = [r for f in frames for r in stream.push(f)]
    with pytest.raises(ClimbEdgeError, match=r"frame 6: time 3\.500000 s .*100\.166667 s.*reset"):
        stream.push(Frame(6, 3.5, frames[0].image))
    # the clock is right again: nothing was lost
    (after,) = stream.push(Frame(6, 100.2, frames[0].image))
    assert (results[-1].state, after.state) == ("tracking", "tracking")
    stream.reset()
    again = run(stream, [Frame(i, 3.5 + i / 30, frames[0].image) for i in range(6)])
    assert [r.state for r in again] == ["warming up"] * 4 + ["tracking"] * 2


@pytest.mark.parametrize(
    "refiner", [Identity(), Late(), TFLiteRefiner(default_path(), 1)], ids=lambda r: r.name
)
@pytest.mark.parametrize("gone", [1, 5, 50])
def test_a_person_who_is_gone_for_a_while(refiner, gone):
    def script(index: int) -> dict:
        return {} if 8 <= index < 8 + gone else walking(index)

    frames = steady(16 + gone)
    results = sorted(run(Stream(Scripted(script), refiner), frames), key=lambda r: r.frame)
    assert [(r.frame, r.time) for r in results] == [(f.index, f.time) for f in frames]
    assert [r.person is None for r in results] == [False] * 8 + [True] * gone + [False] * 8
    for result in results:
        assert (result.state == "lost") == (result.person is None)
        if result.person is not None:
            assert np.abs(result.refined[:, :2] - script(result.frame)[0]).max() < 6
    assert results[7].state == "tracking" and results[-1].state == "tracking"


class Breaking:
    """Raises in the call that is its `when`-th."""

    def __init__(self, when: int):
        self.left = when

    def call(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise ClimbEdgeError("it breaks")


@pytest.mark.parametrize("part", ["estimator", "refiner"])
@pytest.mark.parametrize("reset", [False, True])
def test_a_stream_whose_parts_fail_goes_on_and_pairs_no_result_with_another_frame(part, reset):
    breaking = Breaking(7 if part == "estimator" else 3)  # in frame 6

    class Estimator(Scripted):
        def __call__(self, frame):
            if part == "estimator":
                breaking.call()
            return super().__call__(frame)

    class Refiner(Late):
        def refine(self, window):
            if part == "refiner":
                breaking.call()
            return super().refine(window)

    stream, frames = Stream(Estimator(walking), Refiner()), steady(16)
    for frame in frames[:6]:
        stream.push(frame)
    with pytest.raises(ClimbEdgeError, match="it breaks"):
        stream.push(frames[6])
    if reset:
        stream.reset()
    after = list(stream.over(frames[7:]))
    assert [r.frame for r in after] == list(range(7, 16))
    assert [r.state for r in after] == ["warming up"] * 2 + ["tracking"] * 7
    for result in after:
        assert result.time == frames[result.frame].time
        # a frame further is 1.5 away
        assert np.abs(result.refined[:, :2] - walking(result.frame)[0]).max() < 1.2


# --- interrupts, files and threads ---


@pytest.mark.parametrize("refiner", [Identity(), Late()], ids=lambda r: r.name)
def test_ctrl_c_in_the_middle_of_a_frame_leaves_that_frame_out(tmp_path, refiner):
    def script(index: int) -> dict:
        if index == 6:
            raise KeyboardInterrupt
        return walking(index)

    frames = [Frame(f.index, f.time, GOOD) for f in steady(9)]
    with pytest.raises(KeyboardInterrupt):
        track(frames, Scripted(script), [refiner], tmp_path, "v.mp4")
    assert [r["frame"] for r in read_lines(tmp_path / "track.jsonl")[1]] == list(range(6))
    assert len(list(read_video(tmp_path / "overlay.mp4"))) == 6


def streamed(refiner, shift: float, count: int = 40) -> np.ndarray:
    script = Scripted(lambda i: {0: standing(200 + shift + 1.5 * i)})
    return np.stack([r.refined for r in run(Stream(script, refiner), steady(count))])


def test_a_model_replaced_on_disk_under_a_running_stream_changes_nothing(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(default_path().read_bytes())
    stream = Stream(Scripted(walking), load_refiner(str(path), 1))
    frames = steady(12)
    results = [r for f in frames[:6] for r in stream.push(f)]
    with open(path, "r+b") as file:  # in place: what is mapped into memory would change as well
        file.write(b"\xff" * path.stat().st_size)
        file.truncate(1000)
    results += [r for f in frames[6:9] for r in stream.push(f)]
    path.unlink()
    results += run(stream, frames[9:])
    for a, b in zip(
        results, run(Stream(Scripted(walking), load_refiner("default", 1)), frames), strict=True
    ):
        assert a.state == b.state
        np.testing.assert_array_equal(a.refined, b.refined)
    with pytest.raises(ClimbEdgeError, match=r"model\.tflite"):
        load_refiner(str(path))


@pytest.mark.parametrize("shared", [False, True])
def test_streams_in_two_threads_give_what_they_give_one_after_the_other(shared):
    """Each with a refiner of its own, or both with the same: their runs wait for each other."""
    first = load_refiner("default", 1)
    refiners = [first, first if shared else load_refiner("default", 1)]
    expected = [streamed(refiner, 60 * i) for i, refiner in enumerate(refiners)]
    together: dict[int, np.ndarray] = {}
    start = threading.Barrier(2)

    def work(i: int) -> None:
        start.wait(10)
        together[i] = streamed(refiners[i], 60 * i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for i in range(2):
        np.testing.assert_array_equal(together[i], expected[i])
