"""Assemble out/web: the page as it is, the runtime's files from the npm package, models, weights,
demo clip.

    python web_demo/tools/build.py --out out/web [--refiners FOLDER] [--estimator lite]...

Nothing is compiled. One line of the runtime is rewritten: its import of a package by name, which
workers cannot resolve.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

from climb_edge import __version__
from climb_edge.errors import ClimbEdgeError, run_command
from climb_edge.estimators.blazepose import VARIANTS
from climb_edge.files.assets import ASSETS, locate
from climb_edge.refiners.tflite import default_path
from climb_edge.runtime.contract import IO
from climb_edge.runtime.model_file import read_model

HERE = Path(__file__).resolve().parent.parent
PAGE = (
    "index.html",
    "style.css",
    "manifest.webmanifest",
    "icon.svg",
    "icon.png",
    "service-worker.js",
)
PACKAGES = HERE / "node_modules" / "@litertjs"
WASM = ("litert_wasm_internal", "litert_wasm_compat_internal", "litert_wasm_threaded_internal")
# three builds of 9 MB, of which a browser takes one: cached when it was taken
ON_DEMAND = "vendor/litert/wasm/"


def build(out: Path, refiners: Path | None, variants: list[str]) -> None:
    """Write the folder `out`, whole: an older one there is replaced. Raises ClimbEdgeError for what
    is missing.
    """
    if out.exists() and any(out.iterdir()) and not (out / "models.json").is_file():
        raise ClimbEdgeError(
            f"{out}: expected an older page or nothing, found something else; name another folder"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{out.name}-", dir=out.parent, ignore_cleanup_errors=True
    ) as folder:
        new = Path(folder, "new")
        _page(new)
        _runtime(new / "vendor" / "litert")
        catalogue = {
            "climb_edge": __version__,
            "refiners": _refiners(new, refiners),
            "estimators": [_estimator(new, variant) for variant in variants],
            "clip": {
                "path": _copied(locate("demo.mp4"), new / "demo.mp4", new),
                "licence": ASSETS["demo.mp4"].licence,
            },
        }
        (new / "models.json").write_text(json.dumps(catalogue, indent=1))
        _precache(new)
        if out.exists():
            out.rename(Path(folder, "old"))
        new.rename(out)
    size = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    print(
        f"{out}: {len(catalogue['refiners'])} refiners, {', '.join(variants)}, {size / 1e6:.1f} MB;"
        " serve it: make web-serve"
    )


def _page(new: Path) -> None:
    shutil.copytree(HERE / "src", new / "src")
    for name in PAGE:
        shutil.copyfile(HERE / name, new / name)
    for name in ("LICENSE", "THIRD_PARTY_NOTICES.md"):
        shutil.copyfile(HERE.parent / name, new / name)


def _runtime(vendor: Path) -> None:
    if not (PACKAGES / "core" / "dist" / "index.js").is_file():
        raise ClimbEdgeError(
            f"{PACKAGES}: expected the npm packages, found none; run `npm ci` in {HERE}"
        )
    (vendor / "wasm").mkdir(parents=True)
    script = (PACKAGES / "core" / "dist" / "index.js").read_text(encoding="utf-8")
    name = '"@litertjs/wasm-utils"'
    if script.count(name) != 1:
        raise ClimbEdgeError(
            f"@litertjs/core: expected one import of {name}, found {script.count(name)}; pin 2.5.3"
        )
    (vendor / "index.js").write_text(
        _without_map(script.replace(name, '"./wasm-utils.js"')), encoding="utf-8"
    )
    utils = (PACKAGES / "wasm-utils" / "dist" / "index.js").read_text(encoding="utf-8")
    (vendor / "wasm-utils.js").write_text(_without_map(utils), encoding="utf-8")
    for stem in WASM:
        for ending in (".js", ".wasm"):
            shutil.copyfile(
                PACKAGES / "core" / "wasm" / f"{stem}{ending}", vendor / "wasm" / f"{stem}{ending}"
            )


def _without_map(script: str) -> str:
    return "\n".join(
        line for line in script.split("\n") if not line.startswith("//# sourceMappingURL=")
    )


def _refiners(new: Path, folder: Path | None) -> list[dict]:
    (new / "models").mkdir()
    found = []
    for path in [
        default_path(),
        *(sorted(folder.glob("*.tflite")) if folder and folder.is_dir() else []),
    ]:
        _, contract = read_model(path)
        if contract.io != IO[0]:
            print(
                f"{path}: left out: {contract.io} tensors, which a browser's runtime does not take",
                file=sys.stderr,
            )
            continue
        found.append(
            {
                "name": path.name,
                "path": _copied(path, new / "models" / path.name, new),
                "model": contract.model,
                "form": contract.form,
                "emits": contract.emits,
                "recipe": contract.recipe,
            }
        )
    return found


def _estimator(new: Path, variant: str) -> dict:
    files = {"detector": "pose_detection.tflite", "landmarks": f"pose_landmark_{variant}.tflite"}
    return {"name": f"blazepose-{variant}"} | {
        role: {
            "path": _copied(locate(name), new / "models" / name, new),
            "sha256": ASSETS[name].sha256,
        }
        for role, name in files.items()
    }


def _copied(source: Path, target: Path, root: Path) -> str:
    shutil.copyfile(source, target)
    return target.relative_to(root).as_posix()


def _precache(new: Path) -> None:
    """List what the service worker keeps for offline use, under a version that changes with any
    byte of it.
    """
    paths = sorted(p for p in new.rglob("*") if p.is_file())
    everything = hashlib.sha256()
    for path in paths:
        everything.update(path.relative_to(new).as_posix().encode() + path.read_bytes())
    names = [p.relative_to(new).as_posix() for p in paths]
    kept = ["./", *(n for n in names if not n.startswith(ON_DEMAND) and n != "service-worker.js")]
    listed = {"version": everything.hexdigest()[:16], "files": kept}
    (new / "precache.js").write_text(f"self.PRECACHE = {json.dumps(listed, indent=1)};\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out/web"))
    parser.add_argument(
        "--refiners", type=Path, help="folder with converted .tflite files beside the default one"
    )
    parser.add_argument(
        "--estimator",
        choices=VARIANTS,
        action="append",
        help="may be given again; lite unless given",
    )
    options = parser.parse_args()
    build(options.out, options.refiners, options.estimator or ["lite"])


if __name__ == "__main__":
    sys.exit(run_command(main))
