"""What can be known of a finished APK without a phone. Raises SystemExit with what is wrong."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pack import ABIS, PAGE, WORD

PERMISSIONS = {"android.permission.CAMERA"}  # and no other: nothing leaves the phone


def check(apk: Path, aapt2: Path, min_sdk: str) -> list[str]:
    """What was found, in words."""
    _signature(apk, min_sdk)
    _badging(apk, aapt2, min_sdk)
    _alignment(apk)
    subprocess.run(["zipalign", "-c", "4", apk], check=True)
    return [*_dex(apk), *_sizes(apk)]


def _sizes(apk: Path) -> list[str]:
    """Why it is as large as it is: bytes inside, by kind."""
    kinds: dict[str, int] = {}
    with zipfile.ZipFile(apk) as archive:
        for entry in archive.infolist():
            kind = Path(entry.filename).suffix or entry.filename
            kinds[kind] = kinds.get(kind, 0) + entry.compress_size
    largest = sorted(kinds.items(), key=lambda item: -item[1])[:6]
    return ["inside: " + ", ".join(f"{kind} {size}" for kind, size in largest)]


def _signature(apk: Path, min_sdk: str) -> None:
    text = _said("apksigner", "verify", "--verbose", "--min-sdk-version", min_sdk, apk)
    for scheme in ("v2 scheme (APK Signature Scheme v2)", "v3 scheme (APK Signature Scheme v3)"):
        if f"{scheme}: true" not in text:
            sys.exit(f"error: {apk}: expected a signature by the {scheme}, found\n{text}")


def _badging(apk: Path, aapt2: Path, min_sdk: str) -> None:
    text = _said(aapt2, "dump", "badging", apk)
    asked = set(re.findall(r"uses-permission: name='([^']+)'", text))
    if asked != PERMISSIONS:
        sys.exit(
            f"error: {apk}: expected the permissions {PERMISSIONS}, found {asked}; look at the"
            " manifest"
        )
    for expected in (
        f"minSdkVersion:'{min_sdk}'",
        "launchable-activity:",
        "uses-feature-not-required: name='android.hardware.camera'",
    ):
        if expected not in text:
            sys.exit(f"error: {apk}: expected {expected}, found\n{text}")
    found = set(re.findall(r"'([^']+)'", re.search(r"native-code: (.*)", text)[1]))
    if found != set(ABIS):
        sys.exit(f"error: {apk}: expected libraries for {ABIS}, found {found}")


def _alignment(apk: Path) -> None:
    """Libraries stored at 16 KB, models and the resource table stored at 4 bytes."""
    content, models = apk.read_bytes(), 0
    with zipfile.ZipFile(apk) as archive:
        for entry in archive.infolist():
            names, extra = struct.unpack_from("<HH", content, entry.header_offset + 26)
            at = entry.header_offset + 30 + names + extra
            step = (
                PAGE
                if entry.filename.endswith(".so")
                else WORD
                if entry.filename.endswith((".tflite", ".arsc", ".mp4"))
                else 1
            )
            if step > 1 and (entry.compress_type or at % step):
                sys.exit(
                    f"error: {apk}: {entry.filename} is compressed or not at a multiple of {step};"
                    " it could not be mapped"
                )
            models += entry.filename.endswith(".tflite")
    if models < 3:
        sys.exit(
            f"error: {apk}: expected detector, landmarks and a refiner, found {models} models; run"
            " assets.py"
        )


def _dex(apk: Path) -> list[str]:
    said = []
    with zipfile.ZipFile(apk) as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".dex")):
            path = apk.with_suffix(f".{name}")
            path.write_bytes(archive.read(name))
            text = _said("dexdump", "-d", path)
            path.unlink()
            said.append(
                f"{name}: {archive.getinfo(name).file_size} bytes, {text.count('Class descriptor')}"
                " classes"
            )
            if name == "classes.dex" and "Lclimbedge/demo/MainActivity;" not in text:
                sys.exit(f"error: {apk}: {name} lacks the Activity; look at tools/apk/rules.pro")
    return said


def _said(*command) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(
            f"error: {Path(command[0]).name} ended with {done.returncode}:"
            f" {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout
