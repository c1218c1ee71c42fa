"""Classes, libraries and resources -> one signed, checked APK.

R8 shrinks and makes dex. The key: CLIMB_EDGE_KEYSTORE, CLIMB_EDGE_KEYSTORE_PASSWORD and
CLIMB_EDGE_KEY_ALIAS from the environment, else a debug key, made once beside the build. A phone
refuses an update that another key signed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from check import check
from pack import pack
from resources import aapt2

HERE = Path(__file__).parent
DEBUG = ("android", "debug")  # password and alias of the debug key


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("out", "jni", "apk"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--classes", required=True, help="folders and jars, separated by colons")
    parser.add_argument("--min-sdk", required=True)
    parser.add_argument("--tests", help="true: write the shrunk classes beside the dex, too")
    options = parser.parse_args()
    out = options.out
    jars = [
        _jar(Path(part), out / "jars" / f"{i}.jar")
        for i, part in enumerate(options.classes.split(":"))
    ]
    shrink(jars, out, out / "dex", "--dex", "--min-api", options.min_sdk)
    if (
        options.tests == "true"
    ):  # the same, as classes that the tests can run; Kotlin's own stay whole, the tests need them
        ours = [jar for jar in jars if not jar.name.startswith("kotlin")]
        kotlin = [part for jar in jars if jar not in ours for part in ("--lib", jar)]
        shrink(ours, out, out / "shrunk", "--classfile", *kotlin)
    unsigned = out / "unsigned.apk"
    pack(unsigned, out / "resources.apk", sorted((out / "dex").glob("*.dex")), options.jni)
    sign(unsigned, options.apk, options.min_sdk, out)
    said = check(options.apk, aapt2(out), options.min_sdk)
    said.append(
        f"unsigned: {unsigned.stat().st_size} bytes, sha256"
        f" {hashlib.sha256(unsigned.read_bytes()).hexdigest()}"
    )
    said.append(f"{options.apk}: {options.apk.stat().st_size} bytes, {key(out)[3]}")
    (out / "apk.txt").write_text("\n".join(said) + "\n", encoding="utf-8")


def shrink(jars: list[Path], out: Path, to: Path, *more) -> None:
    """R8 over `jars`, into the folder `to`. android-all has no java.*; the JDK stands in."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    java = subprocess.run(
        ["java", "-XshowSettings:properties", "-version"],
        capture_output=True,
        text=True,
        check=True,
    )
    home = next(
        line.split("=")[1].strip()
        for line in java.stderr.splitlines()
        if line.strip().startswith("java.home =")
    )
    command = [
        "java",
        "-Xmx2g",
        "-cp",
        out / "kits" / "r8.jar",
        "com.android.tools.r8.R8",
        "--release",
        "--output",
        to,
    ]
    for library in (out / "kits" / "android-all.jar", home):
        command += ["--lib", library]
    for rules in (HERE / "rules.pro", HERE / "tested.pro", out / "keep.pro"):
        command += ["--pg-conf", rules]
    subprocess.run([*command, *more, *jars], check=True)


def key(out: Path) -> tuple[Path, str, str, str]:
    """(keystore, password, alias, what it is called)."""
    if named := os.environ.get("CLIMB_EDGE_KEYSTORE"):
        try:
            return (
                Path(named),
                os.environ["CLIMB_EDGE_KEYSTORE_PASSWORD"],
                os.environ["CLIMB_EDGE_KEY_ALIAS"],
                "release key",
            )
        except KeyError as error:
            sys.exit(
                f"error: CLIMB_EDGE_KEYSTORE is set, {error} is not; set it, or unset all for a"
                " debug key"
            )
    store, (password, alias) = out.parent / "debug.keystore", DEBUG
    if not store.exists():
        subprocess.run(
            [
                "keytool",
                "-genkeypair",
                "-keystore",
                store,
                "-storepass",
                password,
                "-keypass",
                password,
                "-alias",
                alias,
                "-keyalg",
                "RSA",
                "-keysize",
                "2048",
                "-validity",
                "10000",
                "-dname",
                "CN=Android Debug,O=Android,C=US",
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    return store, password, alias, "debug key"


def sign(unsigned: Path, apk: Path, min_sdk: str, out: Path) -> None:
    """Schemes v2 and v3, which cover the whole file; v1 is for systems older than the minimum."""
    store, password, alias, _ = key(out)
    subprocess.run(
        [
            "apksigner",
            "sign",
            "--ks",
            store,
            "--ks-pass",
            "env:CLIMB_EDGE_SIGNING",
            "--ks-key-alias",
            alias,
            "--min-sdk-version",
            min_sdk,
            "--v1-signing-enabled",
            "false",
            "--v2-signing-enabled",
            "true",
            "--v3-signing-enabled",
            "true",
            "--out",
            apk,
            unsigned,
        ],
        check=True,
        env={**os.environ, "CLIMB_EDGE_SIGNING": password},
    )


def _jar(source: Path, jar: Path) -> Path:
    """A folder of classes as a jar in a fixed order; a jar stays itself."""
    if source.is_file():
        return source
    jar.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(jar, "w") as archive:
        for path in sorted(source.rglob("*.class")):
            archive.writestr(
                zipfile.ZipInfo(path.relative_to(source).as_posix()), path.read_bytes()
            )
    return jar


if __name__ == "__main__":
    main()
