"""The house stands: one direction of imports, no circles, folders and files of a size to read.

`make house` prints its figures.
"""

from collections import Counter
from itertools import pairwise

import pytest

from support.house import (
    PACKAGES,
    arrows_between,
    arrows_between_folders,
    circles,
    longest_way,
    read_modules,
)
from support.paths import ROOT

MOST_MODULES, MOST_LINES, MOST_TEST_LINES = 12, 300, 400
FRAMEWORKS = ("tensorflow", "keras")
# What climb_edge may import by a name that only a run knows: a TFLite runtime, and a program that
# stands beside it when the command line names one.
BY_NAME = {
    "climb_edge/runtime/session.py": {"_module(candidate)", "f'{_module(runtime)}.interpreter'"},
    "climb_edge/runtime/isolated_child.py": {"module"},
    "climb_edge/__main__.py": {"name", "f'{program}.__main__'"},
}

# A module imports from its own folder and from floors under it. The ground floor is first.
FLOORS = {
    "climb_edge": (
        "installation stopping",
        "errors pose",
        "files options",
        "media runtime",
        "estimators refiners",
        "streaming",
        "tracking",
        "config evaluation",
        "api",
        "__init__",
        "command_line",
        "cli",
        "__main__",
    ),
    "train": (
        "backend configs layouts synthesis",
        "config",
        "layers noise",
        "data",
        "models",
        "fitting",
        "studies",
        "inspection",
        "commands",
        "api cli",
        "__init__ __main__",
    ),
    "convert": (
        "graphs",
        "quantization",
        "checks",
        "pipeline",
        "reports",
        "check_file config model_table",
        "model_page",
        "api cli",
        "__init__ __main__",
    ),
}


def modules_in(root):
    """Every module of the three packages."""
    return [module for package in PACKAGES for module in read_modules(root, package)]


def circles_of_modules(root):
    for way in circles(arrows_between(modules_in(root))):
        yield f"{way[0]} imports {way[1]} and comes back to itself: {' -> '.join(way)}"


def circles_of_folders(root):
    modules = modules_in(root)
    arrows, folder = arrows_between(modules), {m.path: m.folder for m in modules}
    for way in circles(arrows_between_folders(modules, arrows)):
        steps = []
        for above, below in pairwise(way):
            start, end = min(
                (start, end)
                for start, ends in arrows.items()
                for end in ends
                if (folder[start], folder[end]) == (above, below)
            )
            steps.append(f"{start} imports {end}")
        yield f"{' -> '.join(way)} is a circle: {', '.join(steps)}"


def arrows_that_run_up(root):
    modules = modules_in(root)
    by_path = {m.path: m for m in modules}
    floor = {
        (package, room): number
        for package, floors in FLOORS.items()
        for number, rooms in enumerate(floors)
        for room in rooms.split()
    }
    for module in modules:
        if (module.package, module.room) not in floor:
            yield f"{module.path} stands on no floor: name {module.room} in FLOORS of tests/test_house.py"
    for start, ends in arrows_between(modules).items():
        for end in sorted(ends):
            above, below = by_path[start], by_path[end]
            if above.package != below.package:
                if PACKAGES.index(above.package) < PACKAGES.index(below.package):
                    yield f"{start} imports {end}: {above.package} stands under {below.package}"
            elif above.folder != below.folder:
                floors = (
                    floor.get((above.package, above.room)),
                    floor.get((below.package, below.room)),
                )
                if None not in floors and floors[0] <= floors[1]:
                    yield f"{start} imports {end}: {below.room} is not under {above.room} in FLOORS"


def frameworks_at_the_edge(root):
    for module in read_modules(root, "climb_edge"):
        for name in sorted(module.imports):
            if name.split(".")[0] in (*FRAMEWORKS, *PACKAGES[1:]):
                yield f"{module.path} imports {name}: climb_edge runs without it"
        for name in sorted(module.by_name - BY_NAME.get(module.path, set())):
            if not name.startswith("f'climb_edge."):
                yield f"{module.path} imports {name}: write out what climb_edge imports"


def crowded_folders(root):
    count = Counter(m.path.rpartition("/")[0] for m in modules_in(root))
    for folder, number in sorted(count.items()):
        if number > MOST_MODULES:
            yield f"{folder} holds {number} modules, more than {MOST_MODULES}: part it in two ideas"


def long_modules(root):
    for module in modules_in(root):
        if len(module.lines) > MOST_LINES:
            yield f"{module.path} has {len(module.lines)} lines, more than {MOST_LINES}: part it in two ideas"


def long_tests(root):
    for test in read_modules(root, "tests"):
        if len(test.lines) > MOST_TEST_LINES:
            yield f"{test.path} has {len(test.lines)} lines, more than {MOST_TEST_LINES}: part it"


def imports_between_tests(root):
    tests = read_modules(root, "tests")
    stems = {t.path.rpartition("/")[2][:-3]: t.path for t in tests if "/test_" in t.path}
    for test in tests:
        for name in sorted(test.imports):
            for path in sorted({stems[part] for part in name.split(".") if part in stems}):
                yield f"{test.path} imports {path}: move what both use to tests/support"


RULES = (
    circles_of_modules,
    circles_of_folders,
    arrows_that_run_up,
    frameworks_at_the_edge,
    crowded_folders,
    long_modules,
    long_tests,
    imports_between_tests,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule):
    assert not (broken := list(rule(ROOT))), "\n".join(broken)


POSE, FILES = "climb_edge/pose/skeleton.py", "climb_edge/files/clips.py"


@pytest.mark.parametrize(
    ("rule", "files", "said"),
    [
        (
            circles_of_modules,
            {
                "train/data/a.py": "import train.data.b",
                "train/data/b.py": "from train.data.c import x",
                "train/data/c.py": "def f():\n    from . import a",
            },
            "train/data/a.py -> train/data/b.py -> train/data/c.py -> train/data/a.py",
        ),
        (
            circles_of_folders,
            {
                POSE: "from climb_edge.files import clips",
                FILES: "",
                "climb_edge/files/npz.py": "from climb_edge.pose.boxes import grow",
                "climb_edge/pose/boxes.py": "",
            },
            f"climb_edge/files/npz.py imports climb_edge/pose/boxes.py, {POSE} imports {FILES}",
        ),
    ]
    + [
        (arrows_that_run_up, {start: f"from {name} import x", end: ""}, f"{start} imports {end}")
        for start, end, name in (
            (POSE, FILES, "climb_edge.files.clips"),
            (POSE, "train/backend.py", "train.backend"),
            ("train/data/store.py", "convert/cli.py", "convert.cli"),
            ("climb_edge/runtime/trim.py", "climb_edge/media/video.py", "climb_edge.media.video"),
            ("train/data/store.py", "train/__init__.py", "train"),
        )
    ]
    + [
        (
            arrows_that_run_up,
            {"climb_edge/attic/old.py": ""},
            "climb_edge/attic/old.py stands on no",
        ),
        (frameworks_at_the_edge, {POSE: "def f():\n    import keras.ops"}, f"{POSE} imports keras"),
        (
            frameworks_at_the_edge,
            {POSE: "from tensorflow import lite"},
            f"{POSE} imports tensorflow",
        ),
        (frameworks_at_the_edge, {POSE: "import convert"}, f"{POSE} imports convert"),
        (
            frameworks_at_the_edge,
            {
                "climb_edge/__main__.py": "from importlib import import_module as i\ni.import_module('train.api')"
            },
            "climb_edge/__main__.py imports train.api",
        ),
        (
            frameworks_at_the_edge,
            {POSE: "import importlib\nimportlib.import_module(f'{word}.__main__')"},
            f"{POSE} imports f'{{word}}.__main__'",
        ),
        (
            crowded_folders,
            {f"train/data/m{number}.py": "" for number in range(13)},
            "train/data holds 13 modules",
        ),
        (long_modules, {POSE: "x = 1\n" * 301}, f"{POSE} has 301 lines"),
        (long_tests, {"tests/train/test_a.py": "x = 1\n" * 401}, "tests/train/test_a.py has 401"),
        (
            imports_between_tests,
            {"tests/train/test_a.py": "from test_b import x", "tests/test_b.py": ""},
            "tests/train/test_a.py imports tests/test_b.py",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_rule_names_the_files(tmp_path, rule, files, said):
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")
    assert [line for line in rule(tmp_path) if said in line]


def figures(package: str) -> str:
    """The house in figures: size, folders with their modules, floors, arrows, circles."""
    modules = read_modules(ROOT, package)
    arrows = arrows_between(modules)
    folders = arrows_between_folders(modules, arrows)
    found, found_folders = circles(arrows), circles(folders)
    rooms = Counter(m.room if "/" in m.path.partition("/")[2] else "(top)" for m in modules)
    longest = max(modules, key=lambda m: len(m.lines))
    code = sum(bool(line.strip()) for m in modules for line in m.lines)
    return "\n".join(
        [
            f"{package}: {len(modules)} files, {code} lines of code (not blank); the longest is"
            f" {longest.path}, {len(longest.lines)} lines",
            f"  {len(rooms)} folders: {', '.join(f'{name} {n}' for name, n in sorted(rooms.items()))}",
            f"  modules: {sum(map(len, arrows.values()))} arrows, {len(found)} circles, "
            + ("no floors" if found else _floors(longest_way(arrows))),
            f"  folders: {sum(map(len, folders.values()))} arrows, {len(found_folders)} circles, "
            + ("no floors" if found_folders else _floors(longest_way(folders))),
        ]
    )


def _floors(way: list[str]) -> str:
    names = [part.partition("/")[2].removesuffix(".py") for part in way]
    return f"{len(way)} floors: {' -> '.join(names)}"


if __name__ == "__main__":
    print("\n".join(map(figures, PACKAGES)))
