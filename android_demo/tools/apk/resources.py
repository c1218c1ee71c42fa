"""Manifest, resources and assets -> OUT/resources.apk, OUT/gen/**/R.java and OUT/keep.pro, by
aapt2.

aapt2 comes out of apktool's jar in OUT/kits, where Maven has put it. The manifest in the sources
has no package and no SDK versions, as Gradle's plugin wants it; they are added here.
"""

from __future__ import annotations

import argparse
import subprocess
import zipfile
from pathlib import Path

PACKAGE = "climbedge.demo"
STORED = ("tflite", "mp4")  # mapped into memory, or read by a player: not compressed


def aapt2(out: Path) -> Path:
    """The tool itself, unpacked once."""
    tool = out / "kits" / "aapt2"
    if not tool.exists():
        with zipfile.ZipFile(out / "kits" / "apktool-lib.jar") as jar:
            tool.write_bytes(jar.read("prebuilt/linux/aapt2"))
        tool.chmod(0o755)
    return tool


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("app", "out", "assets"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("min-sdk", "target-sdk"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    out, tool = options.out, aapt2(options.out)
    source = (options.app / "src/main/AndroidManifest.xml").read_text(encoding="utf-8")
    sdk = (
        f'<uses-sdk android:minSdkVersion="{options.min_sdk}"'
        f' android:targetSdkVersion="{options.target_sdk}"/>'
    )
    head, rest = source.split("<manifest ", 1)
    opening, body = rest.split(">", 1)
    manifest = out / "AndroidManifest.xml"
    manifest.write_text(
        f'{head}<manifest package="{PACKAGE}" {opening}>\n    {sdk}{body}', encoding="utf-8"
    )
    subprocess.run(
        [tool, "compile", "--dir", options.app / "src/main/res", "-o", out / "resources.zip"],
        check=True,
    )
    command = [
        tool,
        "link",
        "-o",
        out / "resources.apk",
        "-I",
        out / "kits" / "android-all.jar",
        "--manifest",
        manifest,
        "-A",
        options.assets,
        "--java",
        out / "gen",
        "--proguard",
        out / "keep.pro",
        "--auto-add-overlay",
        "--version-code",
        "1",
        "--version-name",
        "1.0",
    ]
    for suffix in STORED:
        command += ["-0", suffix]
    subprocess.run([*command, out / "resources.zip"], check=True)


if __name__ == "__main__":
    main()
