"""Fetched by package name, checked, cached, never committed: the estimator's weights, the demo
clip, software Vulkan.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.files.archive import read_member
from climb_edge.files.atomic import whole_file
from climb_edge.files.temporaries import scratch_folder

_MEDIAPIPE = ("pip", "mediapipe==0.10.21")
_POSE = ("npm", "@mediapipe/pose@0.5.1675469404")


MAX_PACKAGE = 256 << 20  # bytes of a package, decompressed


@dataclass(frozen=True)
class Asset:
    """A file inside a registry package."""

    name: str
    package: tuple[str, str]  # client, requirement
    member: str
    sha256: str
    size: int  # bytes
    licence: str


ASSETS = {
    a.name: a
    for a in (
        Asset(
            "pose_detection.tflite",
            _MEDIAPIPE,
            "mediapipe/modules/pose_detection/pose_detection.tflite",
            "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
            2959046,
            "Apache-2.0",
        ),
        Asset(
            "pose_landmark_full.tflite",
            _MEDIAPIPE,
            "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
            "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
            6440512,
            "Apache-2.0",
        ),
        Asset(
            "pose_landmark_lite.tflite",
            _POSE,
            "package/pose_landmark_lite.tflite",
            "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
            2819824,
            "Apache-2.0",
        ),
        Asset(
            "pose_landmark_heavy.tflite",
            _POSE,
            "package/pose_landmark_heavy.tflite",
            "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
            27709200,
            "Apache-2.0",
        ),
        Asset(
            "demo.mp4",
            ("pip", "sports2d==0.8.34"),
            "Sports2D/Demo/demo.mp4",
            "d9a66417185647b112304b57093f0c180f37a768e6a14daca75ca541f3b78039",
            3968304,
            "BSD-3-Clause",
        ),
    )
}


def cache_folder() -> Path:
    """Where fetched and computed files are kept: CLIMB_EDGE_CACHE, else climb-edge in the user's
    cache folder.
    """
    if named := os.environ.get("CLIMB_EDGE_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "climb-edge"


def sha256_of(path: str | Path) -> str:
    """Hex SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def locate(name: str, folder: str | Path | None = None) -> Path:
    """The checked file of asset `name`: from `folder` where one is given, else from the cache, else
    fetched into it.

    Raises ClimbEdgeError for a wrong hash, no client, or a registry that cannot be reached.
    """
    asset = ASSETS[name]
    if folder is not None:
        path = Path(folder) / name
        if not path.is_file():
            raise ClimbEdgeError(
                f"{path}: expected the weights here (--weights {folder}), found no such file; copy"
                " it there"
            )
        _check(path, asset)
        return path
    path = cache_folder() / "weights" / name
    if path.is_file() and sha256_of(path) == asset.sha256:
        return path
    _fetch(asset, path)
    return path


def available(name: str, folder: str | Path | None = None) -> bool:
    """Whether `locate` can succeed without installing anything else: the file is there, or its
    client is.
    """
    if folder is not None:
        return (Path(folder) / name).is_file()
    return (
        (cache_folder() / "weights" / name).is_file()
        or ASSETS[name].package[0] == "pip"
        or shutil.which("npm") is not None
    )


def _check(path: Path, asset: Asset) -> None:
    found = sha256_of(path)
    if found != asset.sha256:
        raise _other(asset, path, found)


def _other(asset: Asset, where: str | Path, found: str) -> ClimbEdgeError:
    return ClimbEdgeError(
        f"{where}: expected SHA-256 {asset.sha256[:12]}..., found {found[:12]}...; it is not the"
        f" {asset.name} of {asset.package[1]} that this project was measured with; delete it"
        " and run `climb-edge fetch`"
    )


def _fetch(asset: Asset, path: Path) -> None:
    print(f"fetching {asset.name} from {asset.package[1]} ({asset.package[0]})", file=sys.stderr)
    with scratch_folder("fetch") as folder:
        package = _download(asset, folder)
        content = _member(package, asset)
        found = hashlib.sha256(content).hexdigest()
        if found != asset.sha256:
            raise _other(asset, f"{asset.package[1]}, {asset.member}", found)
        with whole_file(path) as temporary:
            temporary.write_bytes(content)


def _download(asset: Asset, folder: Path) -> Path:
    client, requirement = asset.package
    if client == "pip":
        # Named platform and Python: the files inside do not depend on this machine's.
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--platform",
            "manylinux_2_28_x86_64",
            "--platform",
            "any",
            "--python-version",
            "3.11",
            "--implementation",
            "cp",
            "--dest",
            ".",
            requirement,
        ]
    else:
        command = ["npm", "pack", "--silent", requirement]
    remedy = (
        f"connect to the registry, or copy {asset.name} into a folder and name it with --weights"
    )
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    except FileNotFoundError as error:
        raise ClimbEdgeError(
            f"{asset.name}: {client} is needed to fetch {requirement} and is not installed; install"
            f" it, or {remedy}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ClimbEdgeError(
            f"{asset.name}: {client} did not answer in 10 minutes for {requirement}; {remedy}"
        ) from error
    packages = [p for p in folder.iterdir() if p.suffix in (".whl", ".tgz")]
    if done.returncode or not packages:
        reason = (done.stderr.strip().splitlines() or ["no package came"])[-1]
        raise ClimbEdgeError(
            f"{asset.name}: {client} could not fetch {requirement} ({reason}); {remedy}"
        )
    return packages[0]


def _member(package: Path, asset: Asset) -> bytes:
    """The asset's bytes, of which no more are unpacked than it has."""
    try:
        if package.suffix == ".whl":
            with zipfile.ZipFile(package) as archive:
                return read_member(archive, asset.member, asset.size)
        with tarfile.open(_decompressed(package)) as archive:
            member = archive.getmember(asset.member)
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or member.size > asset.size:
                raise ValueError(f"a file of {asset.size} bytes expected")
            return content.read()
    except (*DAMAGED, tarfile.TarError) as error:
        raise ClimbEdgeError(
            f"{asset.name}: {asset.package[1]} holds no {asset.member} that can be read ({error});"
            " clear the client's cache and fetch again"
        ) from error


def _decompressed(package: Path) -> Path:
    """A .tgz as the .tar beside it, of bounded size."""
    path, left = package.with_suffix(".tar"), MAX_PACKAGE
    with gzip.open(package) as source, open(path, "wb") as target:
        while part := source.read(1 << 20):
            if (left := left - len(part)) < 0:
                raise ValueError(f"it decompresses to more than {MAX_PACKAGE} bytes")
            target.write(part)
    return path
