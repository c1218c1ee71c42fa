"""Fetching SwiftShader: the three files only, and nothing where it fails."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from climb_edge.__main__ import main
from climb_edge.errors import ClimbEdgeError
from climb_edge.runtime import isolated
from climb_edge.runtime.vulkan import fetch_software_vulkan, software_vulkan, vulkan_folder
from support.processes import hears_ctrl_c, until


@pytest.fixture
def apt(tmp_path, monkeypatch, no_driver):
    """Put a shell script in the place of apt-get, on a machine of the right kind without
    SwiftShader.
    """
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)

    def put(script: str) -> None:
        (tmp_path / "bin" / "apt-get").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / "apt-get").chmod(0o755)

    return put


FILES = ("libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json")


def package(folder: Path, *files: str) -> Path:
    """A Debian package with `files` where Chromium has them, and one more."""
    inside = folder / "package/usr/lib/chromium"
    (folder / "package/DEBIAN").mkdir(parents=True)
    inside.mkdir(parents=True)
    fields = (
        "Package: chromium-common\nVersion: 1\nArchitecture: amd64\nMaintainer: nobody"
        " <nobody>\nDescription: test\n"
    )
    (folder / "package/DEBIAN/control").write_text(fields)
    for name in (*files, "resources.pak"):
        (inside / name).write_bytes(np.random.default_rng(0).bytes(50_000))
    made = folder / "made.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", folder / "package", made],
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )
    return made


def test_a_fetch_keeps_the_three_files_only(apt, tmp_path, no_driver, capsys):
    apt(f"cp {package(tmp_path, *FILES)} .")
    assert software_vulkan() is None
    assert main(["fetch", "--only", "vulkan"]) == 0
    assert Path(capsys.readouterr().out.strip()) == software_vulkan() == vulkan_folder()
    assert sorted(
        f.relative_to(no_driver).as_posix() for f in no_driver.rglob("*") if f.is_file()
    ) == [f"vulkan/{name}" for name in FILES]
    assert list(no_driver.iterdir()) == [vulkan_folder()]
    assert isolated._environment()["VK_ICD_FILENAMES"] == str(vulkan_folder() / FILES[2])
    assert isolated._environment()["LD_LIBRARY_PATH"].split(os.pathsep)[0] == str(vulkan_folder())
    apt("exit 1")
    assert fetch_software_vulkan() == vulkan_folder()  # what is there is not fetched again
    (vulkan_folder() / FILES[0]).unlink()
    with pytest.raises(ClimbEdgeError):
        fetch_software_vulkan()
    apt(f"cp {tmp_path / 'made.deb'} .")
    assert fetch_software_vulkan() == software_vulkan()  # a folder that is not whole is replaced


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'E: No packages found' >&2; exit 100", r"No packages found.*apt-get update"),
        ("exit 0", "no package came"),
        ("echo junk > junk.deb", "damaged"),
        ("head -c 30000 MADE > cut.deb", "damaged"),
        ("cp LACKING .", r"holds no libvulkan\.so\.1"),
    ],
)
def test_a_fetch_that_fails_leaves_nothing(apt, tmp_path, no_driver, capsys, script, said):
    if "MADE" in script:
        script = script.replace("MADE", str(package(tmp_path, *FILES)))
    if "LACKING" in script:
        script = script.replace("LACKING", str(package(tmp_path, FILES[0], FILES[2])))
    apt(script)
    assert main(["fetch", "--only", "vulkan"]) == 2
    error = capsys.readouterr().err
    assert error.count("error: ") == 1
    with pytest.raises(ClimbEdgeError, match=said):
        fetch_software_vulkan()
    assert list(no_driver.iterdir()) == []


def test_an_interrupted_fetch_leaves_nothing(apt, tmp_path, no_driver):
    apt(f"echo half > half.deb; touch {tmp_path / 'started'}; exec sleep 60")
    code = (
        "import platform, sys\nfrom climb_edge.__main__ import main\n"
        "platform.system, platform.machine = lambda: 'Linux', lambda: 'x86_64'\n"
        "sys.exit(main(['fetch', '--only', 'vulkan']))"
    )
    fetch = subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(isolated.__file__).parents[2],
        preexec_fn=hears_ctrl_c,
    )
    until((tmp_path / "started").is_file)
    assert list(no_driver.iterdir()) != []
    fetch.send_signal(signal.SIGINT)
    assert "interrupted" in fetch.communicate(timeout=20)[1]
    assert fetch.returncode == 130 and list(no_driver.iterdir()) == []


def test_a_fetch_without_apt_says_what_to_do(no_driver, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["fetch", "--only", "vulkan"]) == 2
    error = capsys.readouterr().err
    assert "without apt-get without dpkg-deb" in error and "VK_DRIVER_FILES" in error
    assert not no_driver.exists()


@pytest.mark.parametrize(
    ("system", "machine"), [("Darwin", "arm64"), ("Linux", "aarch64"), ("Windows", "AMD64")]
)
def test_a_fetch_on_another_machine_says_what_to_do(apt, no_driver, monkeypatch, system, machine):
    apt("exit 1")
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(
        ClimbEdgeError, match=rf"found {system} {machine}; name the JSON of a Vulkan driver"
    ):
        fetch_software_vulkan()


def test_a_plain_fetch_does_not_fetch_it(apt, no_driver, monkeypatch, capsys):
    apt("exit 1")
    monkeypatch.setattr("climb_edge.files.assets.locate", lambda name: name)
    assert main(["fetch"]) == 0
    assert "vulkan" not in capsys.readouterr().out and not no_driver.exists()
    assert main(["fetch", "--only", "nothing"]) == 2
    assert "vulkan" in capsys.readouterr().err
