"""The stage clock, the benchmark of real chains, and the soak."""

import csv
import json
import sys
import time

import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.config import Benchmark
from climb_edge.errors import ClimbEdgeError, GateFailed
from climb_edge.evaluation import benchmark as bench
from climb_edge.evaluation import soak as soaking
from climb_edge.evaluation.benchmark import ALONE, RIVAL, ROW, Contender, benchmark, contenders
from climb_edge.evaluation.contender_child import ROUND, Chain, looped
from climb_edge.evaluation.soak import Part, soak, verdict
from climb_edge.evaluation.stage_clock import Clock
from climb_edge.media.video import read_video
from climb_edge.refiners.base import Identity
from support.paths import CONV3D
from support.scene import standing, write_heatmaps, write_shapes

COUNT = 6  # frames of the small video: a round goes through it about twice


@pytest.fixture
def video(tmp_path):
    return str(write_shapes(tmp_path / "v.mp4", COUNT))


@pytest.fixture
def heatmaps(tmp_path):
    return str(write_heatmaps(tmp_path / "h.npz", [standing(200 + 2 * i) for i in range(COUNT)]))


def answers(command: str) -> Contender:
    """A chain that answers every line with what `command` prints."""
    about = {"model": "none", "estimator": "e", "runtime": "r", "backend": "cpu"}
    code = (
        f"import sys, json; print(json.dumps({about}), flush=True)\nfor _ in sys.stdin: {command}"
    )
    return Contender("stub", [sys.executable, "-c", code])


def chain_of(name: str, laps: list[dict], cpu: float = 1.0) -> Contender:
    """A chain that answered already: a round per lap, all its frames alike."""
    about = {"model": "m", "estimator": "e", "runtime": "r", "backend": "cpu"}
    rounds = [
        {"first": {"detect": 50.0}, "frames": [lap] * 3, "cpu_ms": cpu, "memory_mb": 100.0 + i}
        for i, lap in enumerate(laps)
    ]
    return Contender(name, [], about, rounds)


def test_a_stage_inside_another_is_taken_out_of_it(monkeypatch):
    now = [0.0]

    def work(milliseconds):
        now[0] += milliseconds / 1e3

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    clock = Clock()
    inner = clock.clocked("inner", lambda: work(20))
    clock.clocked("outer", lambda: (work(10), inner(), work(1), inner(), work(100)))()
    work(1000)  # in no stage
    assert clock.lap() == pytest.approx({"inner": 40, "outer": 111})
    inner()
    assert clock.lap() == pytest.approx({"inner": 20})
    assert clock.lap() == {}


def test_a_watched_function_is_put_back_even_after_an_error():
    class Base:
        def work(self):
            raise ValueError("no")

    class Derived(Base):
        pass

    clock, plain = Clock(), Base.work
    with (
        pytest.raises(ValueError, match="no"),
        clock.watch([(Base, "work", "a"), (Derived, "work", "b")]),
    ):
        Derived().work()
    assert Base.work is plain and "work" not in vars(Derived)
    assert set(clock.lap()) == {"a", "b"}
    with (
        pytest.raises(AttributeError, match="missing"),
        clock.watch([(Base, "work", "a"), (Base, "missing", "b")]),
    ):
        pass
    assert Base.work is plain


def test_a_chain_is_clocked_where_it_runs(video, heatmaps):
    chain = Chain(video, str(CONV3D), heatmaps, threads=1)
    assert chain.about["model"] == CONV3D.name and chain.about["estimator"] == "h.npz"
    # warming up
    assert set(chain.round()["frames"][0]) == {
        "capture",
        "observe",
        "warp",
        "refine",
        "stream",
        "draw",
    }
    given = chain.round()
    assert len(given["frames"]) == ROUND and given["cpu_ms"] > 0
    for lap in given["frames"]:
        assert set(lap) == {"capture", "observe", "warp", "refine", "decode", "stream", "draw"}
        assert all(ms > 0 for ms in lap.values())
    median = {
        stage: np.median([lap[stage] for lap in given["frames"]]) for stage in given["frames"][0]
    }
    assert median["refine"] > median["decode"] and median["refine"] > median["stream"]


def test_blazepose_is_clocked_inside(demo_clip, weights_folder):
    chain = Chain(str(demo_clip), None, "full", str(weights_folder), 1)
    chain.round()
    given = chain.round()
    # every round searches anew
    assert {"detect", "crop", "landmarks", "observe"} <= set(given["first"])
    last = given["frames"][-1]
    # no refiner: no stream
    assert set(last) - {"detect"} == {"capture", "crop", "landmarks", "observe"}
    assert last["landmarks"] > last["crop"] and last["landmarks"] > last["observe"]


def test_a_looped_video_goes_on_in_time(video):
    frames = looped(lambda: read_video(video))
    taken = [next(frames) for _ in range(2 * COUNT + 1)]
    assert [f.index for f in taken] == [*range(COUNT), *range(COUNT), 0]
    assert (np.diff([f.time for f in taken]) > 0.03).all()


def test_the_command_writes_rows_that_add_up(video, heatmaps, tmp_path, capsys):
    out = tmp_path / "o" / "b.json"
    options = ["--estimator", heatmaps, "--threads", "1", "--frames", "12", "--out", str(out)]
    assert main(["benchmark", video, *options]) == 0
    found = json.loads(out.read_text())
    assert found["schema"] == bench.SCHEMA and found["machine"]["cores"] >= 1
    with open(out.with_suffix(".csv"), newline="") as stream:
        table = list(csv.DictReader(stream))
    assert tuple(table[0]) == ROW and len(table) == len(found["rows"])
    rows = {(r["chain"], r["stage"]): r for r in found["rows"]}
    assert {chain for chain, _ in rows} == {"default", "identity", ALONE}
    for name in ("default", "identity"):
        assert rows[name, "chain"]["frames"] == 2 * ROUND and rows[name, "chain"]["memory_mb"] > 30
        assert (
            rows[name, "total"]["median_ms"]
            > rows[name, "chain"]["median_ms"]
            > rows[name, "around"]["median_ms"]
        )
    assert (ALONE, "refine") not in rows and rows["default", "refine"]["model"] == "default.tflite"
    (ours,) = [r for r in found["ratios"] if r["chain"] == "default"]
    assert ours["chain_to_estimator_alone"] > 1
    assert "around_to_estimator" in capsys.readouterr().out


def test_figures_are_those_of_the_laps():
    ours = chain_of(
        "mine", [{"landmarks": 18.0, "observe": 2.0, "warp": 1.0, "refine": 4.0}] * 3, 30.0
    )
    alone = chain_of(ALONE, [{"landmarks": 18.0, "observe": 2.0}] * 3, 20.0)
    rival = chain_of(
        RIVAL, [{"capture": 5.0, "observe": 20.0}, {"observe": 25.0}, {"observe": 50.0}], 60.0
    )
    found = bench.report([ours, alone, rival])
    rows = {(r["chain"], r["stage"]): r for r in found["rows"]}
    assert rows["mine", "chain"] == {
        "chain": "mine",
        "model": "m",
        "estimator": "e",
        "runtime": "r",
        "backend": "cpu",
        "stage": "chain",
        "median_ms": 25.0,
        "p95_ms": 25.0,
        "fps": 40.0,
        "frames": 9,
        "cpu_ms": 30.0,
        "memory_mb": 102.0,
    }
    assert rows["mine", "detect"]["frames"] == 3 and rows["mine", "estimator"]["median_ms"] == 20
    assert (RIVAL, "observe") not in rows and rows[RIVAL, "capture"]["frames"] == 3
    (ratios,) = found["ratios"]
    assert ratios == {
        "chain": "mine",
        "around_to_estimator": 0.05,
        "refine_to_estimator": 0.2,
        "chain_to_estimator_alone": 1.25,
        "cpu_to_estimator_alone": 1.5,
        "chain_to_mediapipe": 1.0,
        "cpu_to_mediapipe": 0.5,
    }


@pytest.mark.parametrize(("around", "shown"), [(1.0, "met"), (9.0, "not met")])
def test_the_table_says_whether_a_goal_is_met(around, shown):
    text = bench.table(bench.report([chain_of("mine", [{"observe": 20.0, "warp": around}])]))
    (line,) = [line for line in text.splitlines() if line.startswith("around_to_estimator")]
    assert line.endswith(f"goal 0.1: {shown}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--refiner", "absent.tflite"], "absent.tflite"),
        (["--estimator", "absent.npz"], "absent.npz"),
        (["--mediapipe", "/no/such/python"], "/no/such/python: expected a Python"),
        (["--mediapipe", "/bin/false"], "mediapipe: its process ended with code 1"),
    ],
)
def test_what_cannot_run_is_named_and_nothing_is_left(
    video, heatmaps, options, message, tmp_path, capsys, monkeypatch
):
    started, start = [], Contender.start
    monkeypatch.setattr(Contender, "start", lambda self: (start(self), started.append(self)))
    given = [
        "--estimator",
        heatmaps,
        "--threads",
        "1",
        "--frames",
        "1",
        "--out",
        str(tmp_path / "b.json"),
        *options,
    ]
    assert main(["benchmark", video, *given]) == 2
    assert message in capsys.readouterr().err
    assert started and all(chain._process.poll() is not None for chain in started)
    assert not (tmp_path / "b.json").exists()


def test_no_video_is_a_usage_error(capsys):
    assert main(["benchmark", "absent.mp4"]) == 2
    assert "absent.mp4: expected a video" in capsys.readouterr().err


def test_a_chain_that_dies_is_reported():
    with pytest.raises(ClimbEdgeError, match=r"stub: its process ended with code 3 \(oh no\)"):
        benchmark([answers("print('oh no', file=sys.stderr); sys.exit(3)")], 1)


def test_every_refiner_stands_beside_the_baselines(video):
    names = [c.name for c in contenders(video, ["default", "default", "mine.tflite"], "python")]
    assert names == ["default", "mine.tflite", "identity", ALONE, RIVAL]


@pytest.mark.parametrize("recorded", [False, True])
def test_a_soak_streams_every_frame(video, heatmaps, recorded, tmp_path, monkeypatch):
    from climb_edge.estimators.load import load_estimator

    monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
    parts = soak(video, load_estimator(heatmaps), Identity(), 25, recorded)
    assert [p.frames for p in parts] == [2, 5, 7, 10, 12, 15, 17, 20, 22, 25]
    assert [p.results for p in parts] == [p.frames for p in parts]
    assert all(
        p.memory > 30 and p.files > 2 and p.threads > 0 and p.milliseconds > 0 for p in parts
    )
    assert len(soaking.table(parts).splitlines()) == 11


def test_a_leak_fails_the_soak(video, heatmaps, monkeypatch, capsys):
    leaked = []

    class Leaky(Identity):
        def start(self):
            state = super().start()
            # 8 MiB
            push, state.push = (
                state.push,
                lambda *args: (leaked.append(np.ones(1 << 20)), push(*args))[1],
            )
            return state

    monkeypatch.setattr(soaking, "load_refiner", lambda *_: Leaky())
    assert main(["benchmark", video, "--estimator", heatmaps, "--soak", "40"]) == 1
    assert "memory in MiB by" in capsys.readouterr().err and len(leaked) >= 40


def test_the_verdict_of_a_soak():
    def part(**changes) -> Part:
        return Part(
            **{
                "frames": 1,
                "milliseconds": 1.0,
                "memory": 100.0,
                "files": 5,
                "threads": 3,
                "results": 1,
            }
            | changes
        )

    verdict(
        [
            part(memory=90.0),
            part(memory=400.0, threads=8),
            part(),
            part(memory=105.9, milliseconds=9.0, threads=8),
        ]
    )
    for name, changes in (
        ("memory", {"memory": 117.0}),
        ("open files", {"files": 6}),
        ("threads", {"threads": 4}),
    ):
        with pytest.raises(GateFailed, match=name):
            verdict([part(), part(**changes)])


def test_a_soak_is_of_one_refiner():
    with pytest.raises(ClimbEdgeError, match="expected one --refiner, found 2"):
        Benchmark(soak=10, refiner=("default", "identity"))
