"""Fuzz every reader, or those named, for some seconds each: python tests/fuzz/run.py [NAME ...] --seconds 10

Prints a table, and leaves the inputs that got through in --out; exit code 1 where there are any.
Coverage guides the changes where atheris is installed (Linux on x86-64).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
PACKAGES = ("climb_edge", "train", "convert")
MOST_MEMORY = 2048  # MB
LONGEST = 30  # seconds for one input


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="readers (else all)")
    parser.add_argument("--seconds", type=int, default=10, help="for each reader")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), metavar="DIR")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)  # in a child: its folder
    options = parser.parse_args()
    if options.one:
        fuzz(options.names[0], options.seconds, options.one)
    from fuzz.targets import TARGETS

    print(
        f"{'reader':10}{'inputs':>9}{'refused':>9}{'exceptions':>12}{'crashes':>9}{'peak, MB':>10}"
    )
    found = 0
    for name in options.names or TARGETS:
        with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as folder:
            told = one(name, options.seconds, Path(folder))
            for number, (said, content) in enumerate(told["findings"].items()):
                options.out.mkdir(parents=True, exist_ok=True)
                path = options.out / f"{name}-{number}"
                path.write_bytes(bytes.fromhex(content))
                told["told"].append(f"  {path}: {said}")
        count = len(told["findings"])
        found += count + told["crashes"] + (told["peak"] > MOST_MEMORY)
        print(
            f"{name:10}{told['inputs']:9}{told['refused']:9}{count:12}{told['crashes']:9}{told['peak']:10}"
        )
        print(*told["told"], sep="\n", end="\n" if told["told"] else "", flush=True)
    return int(found > 0)


def one(name: str, seconds: int, folder: Path) -> dict:
    """Fuzz one reader in a child process, whatever becomes of it."""
    command = [sys.executable, __file__, name, "--seconds", str(seconds), "--one", str(folder)]
    with open(folder / "log", "wb") as log:
        code = subprocess.run(
            command,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        ).returncode
    result = folder / "result.json"
    told = (
        json.loads(result.read_text())
        if result.is_file()
        else {"inputs": 0, "refused": 0, "findings": {}, "peak": 0}
    )
    told |= {"crashes": int(code != 0), "told": []}
    if code:
        last = (folder / "log").read_text(errors="replace").splitlines()[-12:]
        for path in folder.glob("crash-*"):
            told["findings"][f"crash or time limit ({path.name[:14]})"] = path.read_bytes().hex()
        told["told"] = [f"  ended with {code}:", *(f"    {line}" for line in last)]
    return told


def fuzz(name: str, seconds: int, folder: Path) -> None:
    """In a child: try inputs until the time is up; result.json holds what was found so far."""
    import atheris

    with atheris.instrument_imports(include=list(PACKAGES)):
        from climb_edge.errors import ClimbEdgeError
        from fuzz.targets import TARGETS, without_crc
    target, place, corpus = TARGETS[name], folder / "place", folder / "corpus"
    place.mkdir()
    corpus.mkdir()
    seeds = target.seeds(place) + [path.read_bytes() for path in target.corpus]
    for number, content in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(content)
    told: dict = {"inputs": 0, "refused": 0, "findings": {}, "peak": 0}
    last = time.monotonic()

    def tell() -> None:
        told["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        (folder / "news.json").write_text(json.dumps(told))
        (folder / "news.json").replace(folder / "result.json")

    def attempt(content: bytes) -> None:
        nonlocal last
        told["inputs"] += 1
        try:
            target.try_bytes(place, content)
        except ClimbEdgeError:
            told["refused"] += 1
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [f for f in frames if Path(f.filename).is_relative_to(ROOT)] or frames
            where = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
            if told["findings"].setdefault(
                f"{type(error).__name__} in {where}: {str(error)[:80]}"[:90], content.hex()
            ):
                tell()
        if time.monotonic() - last > 1:
            last = time.monotonic()
            tell()

    longest = max(4096, 2 * max(map(len, seeds)))
    flags = [
        f"-max_total_time={seconds}",
        f"-timeout={LONGEST}",
        f"-rss_limit_mb={2 * MOST_MEMORY}",
        f"-max_len={longest}",
        "-verbosity=0",
        f"-artifact_prefix={folder}/",
    ]
    with without_crc():
        atheris.Setup([sys.argv[0], str(corpus), *flags], attempt)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
