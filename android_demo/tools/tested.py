"""That every test ran:  tested.py BUILD. Reads the reports, prints what they said, and ends with an
error for a skipped one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

MODULES = ("core", "app")
# Figures that the tests print, worth a line in a log.
SHOWN = re.compile(r"scale|px|refused|grew by|median ms")


def main(build: Path) -> None:
    for module in MODULES:
        suites = [
            ElementTree.parse(path).getroot()
            for path in sorted((build / module).glob("surefire-reports/TEST-*.xml"))
        ]
        counts = {
            name: sum(int(suite.get(name)) for suite in suites)
            for name in ("tests", "failures", "errors", "skipped")
        }
        print(f"{module}: " + ", ".join(f"{value} {name}" for name, value in counts.items()))
        if not counts["tests"] or counts["failures"] or counts["errors"] or counts["skipped"]:
            sys.exit(
                f"error: {build / module}: expected every test to run and pass; read"
                " surefire-reports there"
            )
        for path in sorted((build / module).glob("surefire-reports/*-output.txt")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if SHOWN.search(line) and not line.startswith(("VERBOSE", "INFO")):
                    print(f"  {line[:220]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
