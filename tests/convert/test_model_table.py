"""Every model's step graph on a real GPU delegate, whole, with the CPU's numbers."""

import json

import pytest

from climb_edge.runtime.isolated import why_not
from convert.__main__ import main
from convert.model_page import failures
from convert.model_table import Row, examine, on_gpu, seeded, stream
from train.models import registry

BUILT = [name for name in registry.names() if registry.get(name).parameters]


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT)
def test_the_step_graph_runs_whole_on_the_gpu_and_is_right(name):
    if reason := why_not():
        pytest.skip(reason)
    definition, trained = seeded(name)
    frames = stream()
    row, graphs = examine(definition, trained, "step-newest", frames, ["float32"])
    row.gpu["float32"] = found = on_gpu(graphs["float32"], frames)
    assert failures([row]) == []
    assert (found["status"], found["partitions"], found["nodes"]) == ("ran", 1, found["total"])
    assert row.stream_error <= 1e-5


def test_the_table_has_times_beside_its_baselines(tmp_path, capsys):
    table, written = tmp_path / "table.md", tmp_path / "table.json"
    wanted = ["models", "--model", "conv3d", "--form", "step-newest", "--no-gpu"]
    assert main([*wanted, "--out", str(table), "--json", str(written)]) == 0
    found = json.loads(written.read_text())
    (row,), baselines = found["files"], found["baselines"]["conv3d"]
    assert row["parameters"] == 46_925 and row["ops"] == 5 and row["macs"] == 147_000_000
    assert list(row["ms"]) == ["float32", "float16", "dynamic_int8", "int8"]
    assert all(0 < ms < baselines["naive"] for ms in row["ms"].values())
    assert min(baselines["limit"], baselines["int8_limit"]) > 0.1  # GMAC/s: a core of 1990 had less
    assert "| conv3d | step-newest | 46,925 | 147 | 5 |" in table.read_text()


def fine(**changes) -> Row:
    gpu = {
        "status": "ran",
        "reason": "",
        "backend": "",
        "partitions": 1,
        "nodes": 3,
        "total": 3,
        "max_error": 1e-6,
    }
    return Row(
        "conv3d", "step-newest", 1, 1.0, 3, [], 1e-6, 0.0, {}, {}, {"float32": gpu | changes}
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"partitions": 2},
        {"nodes": 2},
        {"max_error": 1e-4},
        {"max_error": float("nan")},
        {"status": "crashed"},
    ],
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
