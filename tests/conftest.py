"""Fixtures that every layer's tests share: the data folder, and what is fetched from package
registries.
"""

import os
import signal
import threading
from pathlib import Path

import pytest

# so that a failed assert of a helper shows its values, as in a test
pytest.register_assert_rewrite("support")

# as a shell starts what runs in its background, and nohup anything
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _threads() -> list[str]:
    """Names of the threads that run, but for the one that tqdm keeps."""
    return sorted(t.name for t in threading.enumerate() if type(t).__name__ != "TMonitor")


def pytest_collection_modifyitems(items):
    """What one process runs: a file, which shares its fixtures; of train/models, whose tests share
    the models that they build, the folder.
    """
    for item in items:
        together = item.path.parent if item.path.parent.name == "models" else item.path
        item.add_marker(pytest.mark.xdist_group(str(together)))


@pytest.fixture
def no_thread_is_left():
    """The test ends with the threads that it began with."""
    before = _threads()
    yield
    assert _threads() == before


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with real clip sets (CLIMB_EDGE_DATA); the test is skipped where there is none."""
    named = os.environ.get("CLIMB_EDGE_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip(f"needs real clip sets: CLIMB_EDGE_DATA is {named!r}, which is no folder")
    return Path(named)


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    """The folder with BlazePose's detector and full landmark model; fetched by pip where the cache
    has them not.
    """
    from climb_edge.files.assets import locate

    locate("pose_detection.tflite")
    return locate("pose_landmark_full.tflite").parent


@pytest.fixture(scope="session")
def demo_clip() -> Path:
    """The demo clip: a man jumps on a roof (frame 0 on), a woman walks in from the right (frame 50
    on).
    """
    from climb_edge.files.assets import locate

    return locate("demo.mp4")


@pytest.fixture(scope="session")
def demo_frames(demo_clip) -> list:
    """Frames 60 to 77 of the demo clip, 1768 x 994: both persons are in full view."""
    from itertools import islice

    from climb_edge.media.video import read_video

    return list(islice(read_video(demo_clip), 60, 78))


@pytest.fixture(scope="session")
def vulkan() -> None:
    """A driver to run on: the environment's, or SwiftShader, fetched where the cache has it not."""
    from climb_edge.errors import ClimbEdgeError
    from climb_edge.runtime import isolated
    from climb_edge.runtime.vulkan import fetch_software_vulkan

    if isolated.why_not():
        try:
            fetch_software_vulkan()
        except ClimbEdgeError as error:
            pytest.skip(str(error))
