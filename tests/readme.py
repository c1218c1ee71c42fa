"""Run every command of README.md: the lines of its ```bash blocks, in order, with the project's
environment in front.

`make demo` and `make test` are left to whoever calls this (`.ci/run`). A block whose commands need
data from CLIMB_EDGE_DATA is skipped, saying so, where that is not set.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ELSEWHERE = ("make demo", "make test")


def main() -> int:
    environment = {**os.environ, "PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"}
    blocks = re.findall(
        r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S
    )
    commands = 0
    for block in blocks:
        if "CLIMB_EDGE_DATA" in block and not os.environ.get("CLIMB_EDGE_DATA"):
            print(f"skipped, CLIMB_EDGE_DATA is not set:\n{block}", flush=True)
            continue
        kept = "\n".join(line for line in block.splitlines() if not line.startswith(ELSEWHERE))
        commands += len([line for line in kept.splitlines() if line and not line.startswith("#")])
        print(f"$ {kept}", flush=True)
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", kept], cwd=ROOT, env=environment)
        if done.returncode:
            print(f"README.md: this block exited {done.returncode}", file=sys.stderr)
            return 1
    print(f"{commands} commands of README.md ran")
    return 0 if commands else 1


if __name__ == "__main__":
    sys.exit(main())
