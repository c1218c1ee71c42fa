"""TFLite's x86_64 libraries of the APK, made loadable for a JVM on Linux:  build.py FOLDER_OF_SO
OUT

Needs gcc. Where the host has OpenGL ES (Debian: libegl1 libgles2 libegl-mesa0 libgl1-mesa-dri), the
GPU library finds it. Ends with an error when a library still asks for something that neither the
stand-in nor the host offers.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from elf import rewrite

STAND_IN = "liblog.so"
# What Android calls the libraries of OpenGL ES, and what the host does.
GRAPHICS = {"libEGL.so": "libEGL.so.1", "libGLESv3.so": "libGLESv2.so.2"}


def main(source: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    stand_in = out / STAND_IN
    subprocess.run(
        [
            "gcc",
            "-shared",
            "-fPIC",
            "-O1",
            "-w",
            f"-Wl,-soname,{STAND_IN}",
            "-o",
            stand_in,
            Path(__file__).with_name("bionic.c"),
            "-Wl,--no-as-needed",
            "-lm",
            "-ldl",
            "-lpthread",
        ],
        check=True,
    )
    held = [ctypes.CDLL(str(stand_in)), ctypes.CDLL("libm.so.6"), ctypes.CDLL(None)]
    for android, host in GRAPHICS.items():
        if (found := _library(host)) is not None:
            (out / android).unlink(missing_ok=True)
            (out / android).symlink_to(found)
            held.append(ctypes.CDLL(str(found)))
    for path in sorted(source.glob("*.so")):
        try:
            made = rewrite(path.read_bytes())
        except ValueError as error:
            sys.exit(f"error: {path}: {error}; use the artifact version that pom.xml pins")
        missing = [
            name for name in made.strong if not any(hasattr(library, name) for library in held)
        ]
        # without OpenGL ES: its tests will say so
        graphics = all(name.startswith(("egl", "gl")) for name in missing)
        if missing and not graphics:
            sys.exit(
                f"error: {path}: asks for {', '.join(missing)}, which nothing here offers; add it"
                " to bionic.c"
            )
        (out / path.name).write_bytes(made.content)
        print(
            f"{path.name}: needs {', '.join(made.needed)}; {len(made.strong)} imports,"
            f" {len(missing)} of OpenGL ES missing"
        )


def _library(name: str) -> Path | None:
    """Where the host's loader finds a library."""
    listed = subprocess.run(
        ["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True
    ).stdout
    return next(
        (
            Path(line.split("=> ")[1])
            for line in listed.splitlines()
            if line.split()[:1] == [name] and "x86-64" in line
        ),
        None,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
