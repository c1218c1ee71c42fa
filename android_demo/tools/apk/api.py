"""That an APK calls only what every phone from the minimum SDK on offers in public:  api.py APK
TYPES MIN_SDK TARGET_SDK

Robolectric's android-all, which the app is compiled against, also holds hidden and newer methods.
TYPES is a description of the public framework with the level of each member:
android-platform-37.d.ts of npm's @nativescript/types-android. Calls guarded by a check of the
version would have to be named in GUARDED; there are none.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

GUARDED: set[str] = set()
SINCE = re.compile(r"@since (\d+)")
MODULE = re.compile(r"(?:declare |export )*(?:module|namespace) ([\w.]+) \{")
CLASS = re.compile(r"export (?:abstract )?(?:class|interface) (\w+)(.*)\{")
MEMBER = re.compile(
    r"(?:public |protected |static |readonly |abstract )*([\w$]+)\??\s*(?:<.*?>)?\("
)
CALL = re.compile(r"invoke-[\w/]+ \{[^}]*\}, (L[^;]+;|\[[^.]+)\.([\w$<>]+):\(([^)]*)\)")
ARGUMENT = re.compile(r"\[*(?:L[^;]+;|[ZBCSIJFD])")


@dataclass
class Known:
    """A public class: the level it came with, what it inherits from, and the level of each (name,
    number of arguments).
    """

    since: int
    above: list[str]
    members: dict[tuple[str, int], int] = field(default_factory=dict)


def read_types(path: Path) -> dict[str, Known]:
    known: dict[str, Known] = {}
    stack: list[tuple[str, Known | None]] = []
    since = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text.startswith(("/**", "*")):
            since = int(found[1]) if (found := SINCE.search(text)) else since
            continue
        if found := MODULE.match(text):
            stack.append((found[1], None))
        elif found := CLASS.match(text):
            name = ".".join([*(part for part, _ in stack), found[1]])
            entry = known.setdefault(name, Known(since, []))
            entry.above += re.findall(
                r"[\w.]*\w\.\w[\w.]*", re.sub(r"<[^<>]*>", "", re.sub(r"<[^<>]*>", "", found[2]))
            )
            stack.append((found[1], entry))
        elif text.startswith("}"):
            stack = stack[:-1]
        elif stack and stack[-1][1] and (found := MEMBER.match(text)):
            members, key = stack[-1][1].members, (found[1], _count(text[found.end() :]))
            members[key] = min(members.get(key, since), since)
        since = 0
    return known


def _count(arguments: str) -> int:
    """How many there are up to the closing parenthesis."""
    depth, commas, some = 0, 0, False
    for c in arguments:
        if c == ")" and not depth:
            break
        depth += (c in "(<{[") - (c in ")>}]")
        commas += c == "," and not depth
        some = some or not c.isspace()
    return commas + 1 if some else 0


def level(known: dict[str, Known], name: str, key: tuple[str, int]) -> int | None:
    """From which SDK on `name` has this member, itself or by inheritance; None where it never had
    in public.
    """
    entry = known.get(name)
    if entry is None:
        return None
    own = [max(entry.since, entry.members[key])] if key in entry.members else []
    return min(
        own + [found for above in entry.above if (found := level(known, above, key)) is not None],
        default=None,
    )


def calls(apk: Path) -> set[tuple[str, str, int]]:
    """(class, method, number of arguments) of every call into the framework."""
    found = set()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(apk) as archive:
        for name in (n for n in archive.namelist() if n.endswith(".dex")):
            text = subprocess.run(
                ["dexdump", "-d", archive.extract(name, folder)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for owner, method, arguments in CALL.findall(text):
                if owner.startswith("Landroid/"):
                    found.add(
                        (
                            owner[1:-1].replace("/", ".").replace("$", "."),
                            method,
                            len(ARGUMENT.findall(arguments)),
                        )
                    )
    return found


def main(apk: Path, types: Path, min_sdk: int, target_sdk: int) -> None:
    known, wrong, made = read_types(types), [], sorted(calls(apk))
    for owner, method, count in made:
        since = level(known, owner, ("constructor" if method == "<init>" else method, count))
        call = f"{owner}.{method} with {count} arguments"
        if since is None:
            wrong.append(f"{call} is not public")
        elif since > min_sdk and call not in GUARDED:
            wrong.append(
                f"{call} came with SDK {since}{', after the target' if since > target_sdk else ''}"
            )
    if wrong or not made:
        sys.exit(
            f"error: {apk}: expected calls that SDK {min_sdk} offers in public, found: "
            + "; ".join(wrong or ["no call at all"])
        )
    print(f"{apk.name}: {len(made)} framework methods called, all public from SDK {min_sdk} on")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
