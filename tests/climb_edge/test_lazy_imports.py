"""What the edge layer may import, and when."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import climb_edge

FOLDER = Path(climb_edge.__file__).parent
HEAVY = ("tensorflow", "keras", "cv2", "av", "numpy", "ai_edge_litert")


def loaded_after(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after `code`."""
    code += "\nimport sys; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=FOLDER.parent,
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_after("import climb_edge; dir(climb_edge)") & set(HEAVY)


def test_importing_the_command_line_loads_nothing_heavy():
    assert not loaded_after("import climb_edge.cli as m; m.PROGRAM.parser()") & set(HEAVY)


def test_every_name_is_there_and_none_needs_tensorflow():
    loaded = loaded_after(
        "import climb_edge, numpy as np\n[getattr(climb_edge, n) for n in"
        " climb_edge.__all__]\nclimb_edge.load_refiner('default', 1).start().push(np.zeros((56, 56,"
        " 25), np.float32), np.zeros((25, 3), np.float32))"
    )
    assert {"cv2", "av", "ai_edge_litert"} <= loaded
    assert not loaded & {
        "tensorflow",
        "keras",
        "torch",
        "jax",
        "train",
        "convert",
        "matplotlib",
        "scipy",
    }


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = climb_edge.nothing


# mediapipe_contender.py runs by its path in a Python of its own, and nothing here imports it.
@pytest.mark.parametrize(
    "path",
    [p for p in sorted(FOLDER.glob("**/*.py")) if p.name != "mediapipe_contender.py"],
    ids=lambda p: p.name,
)
def test_no_file_imports_upwards_or_a_training_framework(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [node.module]
        for name in names:
            assert name.split(".")[0] not in {
                "tensorflow",
                "keras",
                "train",
                "convert",
                "mediapipe",
                "torch",
            }, name
