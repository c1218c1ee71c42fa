"""Software Vulkan (SwiftShader, Chromium's), for GPU checks on machines without a GPU; fetched by
apt, never installed.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from climb_edge.errors import ClimbEdgeError
from climb_edge.files.assets import cache_folder
from climb_edge.files.temporaries import scratch_folder

MAX_MEMBER = 256 << 20  # bytes of a file of the package
_VULKAN_PACKAGE = "chromium-common"
# Chromium's own JSON names the library beside it, so that the folder can stand anywhere.
VULKAN_ICD = "vk_swiftshader_icd.json"
_VULKAN_FILES = ("libvk_swiftshader.so", "libvulkan.so.1", VULKAN_ICD)
_NO_VULKAN = "name the JSON of a Vulkan driver in VK_DRIVER_FILES, or do without the GPU check"


def vulkan_folder() -> Path:
    """Where `fetch_software_vulkan` puts SwiftShader, Chromium's software Vulkan, and the Vulkan
    loader.
    """
    return cache_folder() / "vulkan"


def software_vulkan() -> Path | None:
    """`vulkan_folder` when it is whole, None where nothing was fetched."""
    folder = vulkan_folder()
    return folder if all((folder / name).is_file() for name in _VULKAN_FILES) else None


def fetch_software_vulkan() -> Path:
    """`vulkan_folder`, filled by apt-get where it is missing; nothing is installed, no root is
    needed.

    Raises ClimbEdgeError where this is no Linux on x86-64 with apt-get, or its package index has no
    Chromium.
    """
    if folder := software_vulkan():
        return folder
    missing = [f"without {tool}" for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]
    system = f"{platform.system()} {platform.machine()}"
    if missing or system != "Linux x86_64":
        found = " ".join([system, *missing])
        raise ClimbEdgeError(
            f"software Vulkan: expected Linux x86_64 with apt-get and dpkg-deb, found {found};"
            f" {_NO_VULKAN}"
        )
    print(f"fetching {_VULKAN_PACKAGE} (apt-get, about 30 MB)", file=sys.stderr)
    target = vulkan_folder()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder("vulkan", target.parent) as temporary:
            whole = _unpack(_apt_download(temporary), temporary / "vulkan")
            if not software_vulkan():  # another process may have been faster
                shutil.rmtree(target, ignore_errors=True)
                whole.rename(target)
    except OSError as error:
        raise ClimbEdgeError(
            f"{target}: could not be written ({error}); free some space, or name another"
            " CLIMB_EDGE_CACHE"
        ) from error
    return target


def _apt_download(folder: Path) -> Path:
    # No hash: apt-get checks the package against the machine's signed index, and its version
    # differs between machines.
    command = ["apt-get", "download", "--quiet", _VULKAN_PACKAGE]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
    except subprocess.TimeoutExpired as error:
        raise ClimbEdgeError(
            f"software Vulkan: apt-get did not answer in 10 minutes; {_NO_VULKAN}"
        ) from error
    packages = list(folder.glob("*.deb"))
    if done.returncode or not packages:
        reason = (done.stderr.strip().splitlines() or ["no package came"])[-1]
        raise ClimbEdgeError(
            f"software Vulkan: apt-get could not download {_VULKAN_PACKAGE} ({reason}); run"
            f" `apt-get update`, or {_NO_VULKAN}"
        )
    return packages[0]


def _unpack(package: Path, folder: Path) -> Path:
    folder.mkdir()
    left = set(_VULKAN_FILES)
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as pipe:
        try:
            with tarfile.open(fileobj=pipe.stdout, mode="r|") as archive:
                for member in archive:
                    name = Path(member.name).name
                    content = archive.extractfile(member) if member.isfile() else None
                    if name in left and content is not None:
                        if member.size > MAX_MEMBER:
                            raise tarfile.TarError(f"{name} claims {member.size} bytes")
                        with open(folder / name, "wb") as file:
                            shutil.copyfileobj(content, file)
                        left.remove(name)
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise ClimbEdgeError(
                f"software Vulkan: {package.name} is damaged ({error}); {_NO_VULKAN}"
            ) from error
        finally:
            pipe.kill()
    if left:
        raise ClimbEdgeError(
            f"software Vulkan: {package.name} holds no {', '.join(sorted(left))}; {_NO_VULKAN}"
        )
    return folder
