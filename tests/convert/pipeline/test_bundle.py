"""The bundle: whole, hashed, the same on every day; and the calls that its page shows."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.media.video import VideoWriter
from climb_edge.pose.render import to_pixels
from climb_edge.pose.skeleton import KEYPOINTS
from climb_edge.refiners.base import to_keypoints
from climb_edge.refiners.tflite import TFLiteRefiner
from climb_edge.runtime.contract_sections import Checks
from climb_edge.runtime.golden import golden_frames
from climb_edge.runtime.model_file import append_contract, read_model
from convert.pipeline import bundle, notices
from support.paths import CONV3D

NAME = "conv3d.step-newest.float16"
REPORT = {
    "schema": "climb-edge/report/1",
    "verdict": "pass",
    "files": [{"max_error": float("nan")}],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return Path(shutil.copy(CONV3D, tmp_path_factory.mktemp("models") / f"{NAME}.tflite"))


@pytest.fixture(scope="module")
def write(model, weights_folder):
    """A bundle in a folder; the full variant is the one that the fixture fetches."""
    return lambda to, models=(model,): bundle.bundle(
        list(models), REPORT, to, "full", weights_folder
    )


@pytest.fixture
def folder(tmp_path, write) -> Path:
    return write(tmp_path / "out" / "bundle")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def variant(folder: Path, name: str, **changes) -> Path:
    """A refiner under another contract."""
    graph, contract = read_model(CONV3D)
    path = folder / f"{name}.tflite"
    path.write_bytes(append_contract(graph, replace(contract, **changes)))
    return path


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def block(folder: Path, language: str) -> str:
    return (folder / "README.md").read_text().split(f"```{language}\n")[1].split("```")[0]


def test_everything_is_there_with_its_hash(folder, model, weights_folder):
    held, manifest = contents(folder), manifest_of(folder)
    assert list(folder.parent.iterdir()) == [folder], "nothing temporary is left"
    roles = {
        f"refiners/{NAME}.tflite": "refiner",
        f"refiners/{NAME}.json": "contract",
        "report.json": "report",
        "estimator/pose_detection.tflite": "estimator",
        "estimator/pose_landmark_full.tflite": "estimator",
        "labels.json": "labels",
        "LICENSE": "licence",
        "APACHE-2.0.txt": "licence",
        "THIRD_PARTY_NOTICES.md": "licence",
        "README.md": "readme",
    }
    assert {f["path"]: f["role"] for f in manifest["files"]} == roles
    assert held.keys() == {*roles, "manifest.json"}
    for file in manifest["files"]:
        content = held[file["path"]]
        assert (file["bytes"], file["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
    assert held[f"refiners/{NAME}.tflite"] == model.read_bytes()
    assert (
        held["estimator/pose_landmark_full.tflite"]
        == (weights_folder / "pose_landmark_full.tflite").read_bytes()
    )
    graph, contract = read_model(model)
    assert json.loads(held[f"refiners/{NAME}.json"]) == contract.to_json()
    assert json.loads(held["report.json"]) == REPORT | {"files": [{"max_error": None}]}
    assert (manifest["schema"], manifest["estimator"]) == ("climb-edge/bundle/1", "blazepose-full")
    assert manifest["minimum_runtime"]["python"] == contract.runtime
    for chosen in manifest["recommended"].values():
        assert (chosen["path"], chosen["verdict"]) == (f"refiners/{NAME}.tflite", "pass")
        assert chosen["graph_bytes"] == len(graph)
    labels = json.loads(held["labels.json"])
    assert (labels["map_size"], labels["mass"], labels["window"]) == (56, 255, 5)
    assert labels["keypoints"] == list(KEYPOINTS)
    assert len(labels["pairs"]) == 12 and len(labels["edges"]) == 26
    assert all(
        KEYPOINTS[i] == KEYPOINTS[j].replace("right", "left") != KEYPOINTS[j]
        for i, j in labels["pairs"]
    )
    bundle.verify(folder)


def test_the_same_input_gives_the_same_bytes(tmp_path, write, model):
    models = [model, variant(tmp_path, "conv3d.step-newest.dynamic_int8", recipe="dynamic_int8")]
    assert contents(write(tmp_path / "one", models)) == contents(
        write(tmp_path / "other", models[::-1])
    )


def test_what_passed_is_recommended(tmp_path, write, model):
    failed = Checks("fail", ("PCK@0.05 fell by 3 points",))
    for checks, cpu in ((Checks("pass"), "int8"), (failed, NAME)):
        models = [model, variant(tmp_path, "int8", recipe="dynamic_int8", checks=checks)]
        folder = write(tmp_path / "bundle", models)
        chosen, page = manifest_of(folder)["recommended"], (folder / "README.md").read_text()
        assert {p: r["path"] for p, r in chosen.items()} == {
            "gpu": f"refiners/{NAME}.tflite",
            "cpu": f"refiners/{cpu}.tflite",
        }
        assert ("**fail**" in page) == ("fell by 3 points" in page) == (cpu == NAME)
        assert f"{{BUNDLE}}/refiners/{cpu}.tflite" in block(folder, "python")


def test_without_a_step_that_does_not_wait_nothing_is_recommended(tmp_path, write):
    folder = write(tmp_path / "bundle", [variant(tmp_path, "centre", emits="centre")])
    assert manifest_of(folder)["recommended"] == {"gpu": None, "cpu": None}
    page = (folder / "README.md").read_text()
    assert (
        "--form step-newest" in page
        and "refiners/centre.tflite" in page
        and "```kotlin" not in page
    )


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "name", "word"),
    [
        (flip, f"refiners/{NAME}.tflite", "changed"),
        (flip, "labels.json", "changed"),
        (Path.unlink, "estimator/pose_detection.tflite", "missing"),
        (lambda path: path.write_text("x"), "refiners/extra.json", "extra"),
        (lambda path: path.symlink_to("refiners"), "link", "extra"),
        (Path.unlink, "manifest.json", "no such file"),
        (lambda path: path.write_text("{"), "manifest.json", "damaged"),
        (
            lambda path: path.write_text('{"schema": "climb-edge/bundle/1", "files": [3]}'),
            "manifest.json",
            "damaged",
        ),
        (lambda path: path.write_text("[]"), "manifest.json", "damaged"),
    ],
)
def test_verify_names_what_is_wrong(folder, spoil, name, word):
    spoil(folder / name)
    with pytest.raises(ClimbEdgeError, match=f"{name}.*{word}"):
        bundle.verify(folder)


@pytest.mark.parametrize("swap", [True, False], ids=["exchanged", "renamed twice"])
def test_an_older_bundle_is_replaced_whole(folder, tmp_path, write, monkeypatch, swap):
    if not swap:
        monkeypatch.setattr(bundle, "_exchange", lambda one, other: False)
    write(folder, [variant(tmp_path, "newer")])
    bundle.verify(folder)
    assert sorted(p.name for p in (folder / "refiners").iterdir()) == ["newer.json", "newer.tflite"]
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize(
    "error", [OSError("disk full"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"]
)
@pytest.mark.parametrize("where", ["write", "rename"])
def test_a_failure_leaves_the_old_bundle(folder, tmp_path, write, monkeypatch, where, error):
    before, rename = contents(folder), Path.rename

    def fail(*arguments):
        raise error

    if where == "write":
        monkeypatch.setattr(bundle, "_readme", fail)
    else:
        monkeypatch.setattr(bundle, "_exchange", lambda one, other: False)
        monkeypatch.setattr(
            Path, "rename", lambda p, to: fail() if p.name == "new" else rename(p, to)
        )
    with pytest.raises(
        ClimbEdgeError if isinstance(error, OSError) else KeyboardInterrupt, match=r"unchanged|^$"
    ):
        write(folder, [variant(tmp_path, "newer")])
    assert contents(folder) == before
    assert list(folder.parent.iterdir()) == [folder]


def test_a_killed_run_leaves_the_old_bundle(folder, model, weights_folder):
    before = contents(folder)
    code = (
        "import os, sys; from pathlib import Path; from convert.pipeline import bundle as made\n"
        "made._readme = lambda *a: os._exit(9)\n"
        "made.bundle([Path(sys.argv[1])], {}, sys.argv[2], 'full', sys.argv[3])"
    )
    done = subprocess.run([sys.executable, "-c", code, model, folder, weights_folder], check=False)
    assert done.returncode == 9
    assert contents(folder) == before


@pytest.mark.parametrize("held", ["file", "folder", "manifest"])
def test_what_is_no_bundle_is_left_alone(tmp_path, write, held):
    place = tmp_path / "mine"
    path = (
        place
        if held == "file"
        else place / ("manifest.json" if held == "manifest" else "notes.txt")
    )
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"schema": "mine"}')
    with pytest.raises(ClimbEdgeError, match="left alone"):
        write(place)
    assert path.read_text() == '{"schema": "mine"}'


def test_an_empty_folder_and_a_link_are_filled(tmp_path, write):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    bundle.verify(write(tmp_path / "link"))
    bundle.verify(tmp_path / "empty")
    assert (tmp_path / "link").is_symlink()


def test_what_cannot_be_bundled_is_refused(tmp_path, write, model, weights_folder):
    to = tmp_path / "bundle"
    with pytest.raises(ClimbEdgeError, match=r"no file passed its gates.*--force"):
        write(to, [])
    with pytest.raises(ClimbEdgeError, match="lite, full, heavy"):
        bundle.bundle([model], REPORT, to, "huge", weights_folder)
    with pytest.raises(ClimbEdgeError, match="contract"):
        write(to, [weights_folder / "pose_detection.tflite"])
    with pytest.raises(ClimbEdgeError, match="two files of this name"):
        write(to, [model, variant(tmp_path, NAME)])
    wrong = tmp_path / "weights"
    shutil.copytree(weights_folder, wrong)
    flip(wrong / "pose_landmark_full.tflite")
    with pytest.raises(ClimbEdgeError, match=r"pose_landmark_full.tflite.*SHA-256"):
        bundle.bundle([model], REPORT, to, "full", wrong)
    assert not to.exists()


def test_notices_come_from_the_checkout_or_from_what_was_installed(tmp_path, monkeypatch):
    root = Path(bundle.__file__).parents[2]
    assert notices.notices() == [root / "LICENSE", root / "THIRD_PARTY_NOTICES.md"]
    monkeypatch.setattr(notices, "__file__", str(tmp_path / "convert" / "pipeline" / "notices.py"))
    (tmp_path / "LICENSE").write_text("somebody else's, as in site-packages")
    installed = notices.notices()
    assert [p.name for p in installed] == ["LICENSE", "THIRD_PARTY_NOTICES.md"]
    assert all(".dist-info" in str(p) for p in installed)

    monkeypatch.setattr(notices, "distributions", lambda name: [])
    with pytest.raises(ClimbEdgeError, match=r"LICENSE.*install"):
        notices.notices()


@pytest.mark.slow
def test_the_pages_python_runs(folder, demo_frames):
    with VideoWriter(folder.parent / "climb.mp4") as video:
        for frame in demo_frames[:7]:
            video.write(frame.image, frame.time - demo_frames[0].time)
    done = subprocess.run(
        [sys.executable, "-c", block(folder, "python")],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == [str(i) for i in range(7)]
    assert lines[0][1:3] == ["warming", "up"] and lines[-1][1] in ("tracking", "re-anchored")


# Stands in for @litertjs/core: it knows what enters each run of the graph and what comes out, and
# checks the one.
RUNTIME = """
import fs from 'fs';
const recorded = new Float32Array(fs.readFileSync('recorded.f32').buffer), sizes = SIZES;
let at = 0;
const next = size => recorded.subarray(at, at += size);
export const loadLiteRt = async () => {};
export class Tensor { constructor(values) { this.values = values; } async data() { return this.values; } delete() {} }
const run = async ({frame, past}) => {
  for (const [values, size] of [[frame.values, sizes[0]], [past.values, sizes[1]]]) {
    const wanted = next(size);
    if (values.length !== size || values.some((v, i) => Math.abs(v - wanted[i]) > 1e-6)) throw Error('wrong input');
  }
  const [emitted, state] = sizes.map(size => new Tensor(next(size)));
  return {output_1: state, output_0: emitted};
};
export const loadAndCompile = async () => ({run});
"""
APP = """
import fs from 'fs';
let spoil = content => content;
globalThis.fetch = async path => new Response(spoil(fs.readFileSync(path)));
const {keypoints, load, track} = await import('./block.mjs');
const maps = new Float32Array(fs.readFileSync('maps.f32').buffer), size = 56 * 56 * 25, rows = [], refused = [];
for (const other of [c => String(c).replace(/"tolerance": [^,]*/, '"tolerance": -1'), c => String(c).replace('"version"', '"old"'), c => c.map((byte, i) => byte ^ (i === 99))]) {
  spoil = content => (content[0] === 123) === (refused.length < 2) ? other(content) : content;
  await load('bundle', 'gpu').catch(error => refused.push(error.message));
}
spoil = content => content;
const refiner = await load('bundle', 'gpu'), push = track(refiner), {peak} = refiner.contract, box = [10, 20, 310, 420];
for (let i = 0; i < maps.length; i += size) {
  const frame = maps.slice(i, i + size), emitted = await push(frame);
  rows.push([emitted && keypoints(emitted, peak, box), keypoints(frame, peak, box)]);
}
console.log(JSON.stringify({refused, rows}));
"""


def old_node() -> bool:
    node = shutil.which("node")
    return (
        not node
        or int(subprocess.check_output([node, "--version"], text=True)[1:].split(".")[0]) < 20
    )


@pytest.mark.skipif(old_node(), reason="needs node 20 or later")
def test_the_pages_javascript_gives_what_python_gives(folder):
    here, refiner = folder.parent, TFLiteRefiner(CONV3D)
    maps = golden_frames(16)[8:] + golden_frames(24)[16:] / 3
    maps[:, :, :, 3:5] = 0  # an empty map, and one with two equal maxima
    maps[:, [10, 30], [20, 50], 4] = 1
    recorded = []
    for frames in (golden_frames(8), golden_frames(8), maps):
        state = [np.zeros(refiner.contract.state[0].shape, np.float32)]
        for frame in frames:
            entered = [frame, *state]
            emitted, state = refiner.run(frame, state)
            recorded += [a.ravel() for a in (*entered, emitted, *state)]
    np.concatenate(recorded).tofile(here / "recorded.f32")
    maps.tofile(here / "maps.f32")
    runtime = here / "node_modules/@litertjs/core"
    runtime.mkdir(parents=True)
    sizes = [int(np.prod(shape)) for shape in refiner.contract.inputs]
    (runtime / "index.mjs").write_text(RUNTIME.replace("SIZES", json.dumps(sizes)))
    (runtime / "package.json").write_text('{"name": "@litertjs/core", "main": "index.mjs"}')
    (here / "block.mjs").write_text(block(folder, "js"))
    (here / "app.mjs").write_text(APP)
    done = subprocess.run(
        ["node", "app.mjs"], cwd=here, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for message, word in zip(
        found["refused"], ("of the scale away", "another contract", "was changed"), strict=True
    ):
        assert word in message
    state = refiner.start()
    for frame, (row, raw) in zip(maps, found["rows"], strict=True):
        wanted = state.push(frame)
        assert (row is None) == (wanted is None)
        for here, there in (
            (row, wanted),
            (raw, to_keypoints(frame, refiner.contract.peak)[None]),
        ):
            if here is not None:
                pixels = to_pixels(there[0, :, :2], np.array([10, 20, 310, 420]))
                np.testing.assert_allclose(
                    here, np.concatenate([pixels, there[0, :, 2:]], 1), atol=1e-3
                )
