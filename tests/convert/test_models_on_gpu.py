"""Every model's step graph on a real GPU delegate, whole, with the CPU's numbers."""

import pytest

from climb_edge.gpu import why_not
from convert.__main__ import main
from convert.table import Row, failures, measure
from train import models

BUILT = [name for name in models.names() if models.get(name).parameters]


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT)
def test_the_step_graph_runs_whole_on_the_gpu_and_is_right(name):
    if reason := why_not():
        pytest.skip(reason)
    (row,), baselines = measure([name], ["step-newest"], gpu=True)
    assert failures([row]) == []
    found = row.gpu["float32"]
    assert (found["status"], found["partitions"], found["nodes"]) == ("ran", 1, found["total"])
    assert row.stream_error <= 1e-5
    assert 0 < row.ms["float32"] < baselines[name]["naive"] * 2


def fine(**changes) -> Row:
    gpu = {"status": "ran", "reason": "", "backend": "", "partitions": 1, "nodes": 3, "total": 3, "max_error": 1e-6}
    return Row("conv3d", "step-newest", 1, 1.0, 3, [], 1e-6, 0.0, {}, {}, {"float32": gpu | changes})


@pytest.mark.parametrize(
    "changes",
    [{"partitions": 2}, {"nodes": 2}, {"max_error": 1e-4}, {"max_error": float("nan")}, {"status": "crashed"}],
)
def test_what_is_not_whole_or_not_right_fails(changes):
    assert failures([fine()]) == []
    assert failures([fine(status="skipped")]) == []
    assert len(failures([fine(**changes)])) == 1


def test_models_refuses_what_has_no_file(capsys):
    assert main(["models", "--model", "identity", "--no-gpu"]) == 2
    assert "has no file" in capsys.readouterr().err
    assert main(["models", "--model", "conv2d", "--no-gpu"]) == 2
    assert "did you mean conv3d" in capsys.readouterr().err
