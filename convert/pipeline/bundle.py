"""`convert --bundle`: one folder with all that an app needs, and the hash of every file in it.

The folder is written beside its place and put there in one step: a run that is killed leaves the
old bundle or the new one. The same input gives the same bytes on every day.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
from pathlib import Path

from climb_edge import __version__
from climb_edge.errors import NOT_WRITTEN, ClimbEdgeError, OutputError
from climb_edge.estimators.blazepose import VARIANTS
from climb_edge.files.assets import locate, sha256_of
from climb_edge.files.atomic import write_json, write_text
from climb_edge.files.json_file import read_json
from climb_edge.files.temporaries import scratch_folder
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import MASS, SIZE
from climb_edge.pose.skeleton import BONES, KEYPOINTS, MIRROR
from climb_edge.runtime.contract import Contract
from climb_edge.runtime.model_file import read_model
from convert.pipeline.notices import apache_licence, notices

SCHEMA = "climb-edge/bundle/1"
MANIFEST = "manifest.json"
# Recipes for a processor, best first. A graph that passed its gates goes before one that did not.
RECIPES = {"gpu": ("float16", "float32"), "cpu": ("dynamic_int8", "float16", "float32")}
# What the README's Kotlin and JavaScript were seen to run on; Python's runtime stands in the
# contracts.
ANDROID = (
    "org.tensorflow:tensorflow-lite and tensorflow-lite-gpu 2.16.1, tensorflow-lite-gpu-api 2.14.0"
)
WEB = "@litertjs/core 2.5.3"


def bundle(
    models: list[Path], report: dict, to: Path, estimator: str = "lite", weights: str | None = None
) -> Path:
    """Write into the folder `to` the finished files `models` of one run, its `report` and all else
    that an app needs.

    `estimator` is BlazePose's variant (lite, full, heavy), `weights` a folder that holds it, None:
    cached or fetched. Returns `to`. An older bundle there is replaced whole. Raises ClimbEdgeError
    for no models, a file without a valid contract, weights of another hash, a folder that holds
    something else, or a disk that cannot be written; what was in `to` is then unchanged.
    """
    if not models:
        raise ClimbEdgeError(
            f"{to}: no file passed its gates; read the report for the reasons, or write what"
            " failed, marked: --force"
        )
    if estimator not in VARIANTS:
        raise ClimbEdgeError(f"estimator {estimator!r}: expected one of {', '.join(VARIANTS)}")
    place = Path(to).resolve()  # a link stays a link: what it names is replaced
    refuse_foreign(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(place.name, place.parent) as folder:
            new = folder / "new"
            _fill(new, [Path(m) for m in models], report, estimator, weights)
            _put(new, place)
    except OSError as error:
        raise OutputError(
            f"{to}: {NOT_WRITTEN} ({error}); what was there before is unchanged; free some"
            " space or choose another folder"
        ) from error
    return Path(to)


def verify(folder: str | Path) -> None:
    """Hash every file of a bundle again. Raises ClimbEdgeError naming the first one missing,
    changed or extra.
    """
    folder, again = Path(folder), "copy or make the bundle again"
    try:
        listed = {str(file["path"]): file["sha256"] for file in _manifest(folder)["files"]}
    except (KeyError, TypeError) as error:
        raise ClimbEdgeError(
            f"{folder / MANIFEST}: damaged, its list of files cannot be read; {again}"
        ) from error
    found = {
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_symlink() or not p.is_dir()
    }
    for name in sorted(listed.keys() | found - {MANIFEST}):
        path = folder / name
        if name not in found:
            raise ClimbEdgeError(f"{path}: missing, {MANIFEST} lists it; {again}")
        if name not in listed:
            raise ClimbEdgeError(f"{path}: extra, {MANIFEST} does not list it; remove it")
        if not path.is_file() or sha256_of(path) != listed[name]:
            raise ClimbEdgeError(
                f"{path}: changed, its SHA-256 is not the one in {MANIFEST}; {again}"
            )


def _manifest(folder: Path) -> dict:
    path = folder / MANIFEST
    manifest = read_json(path, "the manifest of a bundle", "copy or make the bundle again")
    if manifest.get("schema") != SCHEMA:
        raise ClimbEdgeError(f"{path}: expected a bundle of schema {SCHEMA}; make it again")
    return manifest


def refuse_foreign(place: Path) -> None:
    """Raise ClimbEdgeError where a bundle at `place` would replace something else."""
    if not place.exists():
        return
    if place.is_dir():
        if not any(place.iterdir()):
            return
        try:
            _manifest(place)
            return
        except ClimbEdgeError:
            pass
    raise ClimbEdgeError(
        f"{place}: expected an older bundle, an empty folder or nothing, found something else,"
        " which is left alone; name another folder, or remove it yourself"
    )


def _fill(new: Path, models: list[Path], report: dict, estimator: str, weights: str | None) -> None:
    roles = {}  # path in the bundle -> what it is

    def add(name: str, role: str) -> Path:
        if name in roles:
            raise ClimbEdgeError(f"{name}: two files of this name; bundle the files of one run")
        roles[name] = role
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        return new / name

    refiners, runtimes = [], set()
    for model in sorted(models, key=lambda m: m.name):
        graph, contract = read_model(model)
        refiner = _refiner(f"refiners/{model.stem}", len(graph), contract)
        shutil.copyfile(model, add(refiner["path"], "refiner"))
        write_json(add(refiner["contract"], "contract"), contract.to_json())
        refiners.append(refiner)
        runtimes.add(str(contract.runtime))
    for name in ("pose_detection.tflite", f"pose_landmark_{estimator}.tflite"):
        shutil.copyfile(locate(name, weights), add(f"estimator/{name}", "estimator"))
    for path in notices():
        shutil.copyfile(path, add(path.name, "licence"))
    # of the estimator's weights: it travels with them
    shutil.copyfile(apache_licence(), add("APACHE-2.0.txt", "licence"))
    write_json(add("labels.json", "labels"), labels())
    write_json(add("report.json", "report"), report)
    manifest = {
        "schema": SCHEMA,
        "climb_edge": __version__,
        "estimator": f"blazepose-{estimator}",
        "minimum_runtime": {"python": ", ".join(sorted(runtimes)), "android": ANDROID, "web": WEB},
        "recommended": {
            processor: _recommended(refiners, recipes) for processor, recipes in RECIPES.items()
        },
        "refiners": refiners,
    }
    write_text(add("README.md", "readme"), _readme(new, manifest, roles, estimator))
    manifest["files"] = [
        {
            "path": name,
            "bytes": (new / name).stat().st_size,
            "sha256": sha256_of(new / name),
            "role": roles[name],
        }
        for name in sorted(roles)
    ]
    write_json(new / MANIFEST, manifest)


def _refiner(stem: str, graph_bytes: int, contract: Contract) -> dict:
    return {
        "path": f"{stem}.tflite",
        "contract": f"{stem}.json",
        "graph_bytes": graph_bytes,
        "model": contract.model,
        "form": contract.form,
        "emits": contract.emits,
        "output": contract.output,
        "io": contract.io,
        "recipe": contract.recipe,
        "verdict": contract.checks.verdict,
        "reasons": list(contract.checks.reasons or ()),
    }


def _recommended(refiners: list[dict], recipes: tuple[str, ...]) -> dict | None:
    """The step form without delay in the best of `recipes`, or None where none was made."""
    suited = [
        r
        for r in refiners
        if (r["form"], r["emits"]) == ("step", "newest") and r["recipe"] in recipes
    ]
    return min(
        suited, key=lambda r: (r["verdict"] != "pass", recipes.index(r["recipe"])), default=None
    )


def _readme(new: Path, manifest: dict, roles: dict[str, str], estimator: str) -> str:
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("convert"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    example = manifest["recommended"]["cpu"] or manifest["refiners"][0]
    contract = json.loads((new / example["contract"]).read_text(encoding="utf-8"))
    return environment.get_template("bundle.md").render(
        manifest=manifest, roles=roles, variant=estimator, example=example, contract=contract
    )


def labels() -> dict:
    """The 25 keypoints by name in their order, left-right pairs and bones as indices, the size of
    maps and windows.
    """
    pairs = [[i, int(j)] for i, j in enumerate(MIRROR) if i < j]
    return {
        "keypoints": list(KEYPOINTS),
        "pairs": pairs,
        "edges": [list(bone) for bone in BONES],
        "map_size": SIZE,
        "mass": MASS,
        "window": WINDOW,
    }


def _put(new: Path, place: Path) -> None:
    """Put the folder `new` in `place`; what stood there goes where `new` was, and with that
    folder.
    """
    if not place.exists():
        new.rename(place)
    elif not _exchange(new, place):
        # a kill just between the two renames leaves the old bundle there, whole
        old = new.with_name("old")
        try:
            place.rename(old)
            new.rename(place)
        except BaseException:
            if old.exists() and not place.exists():
                old.rename(place)
            raise


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, as Linux can; False where this system or file system cannot."""
    at_cwd, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    return (
        rename is not None
        and rename(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0
    )
