"""The packages as a house: modules in folders (rooms), and arrows from who imports to what is imported."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("climb_edge", "train", "convert")  # an arrow runs from right to left, never back
IMPORTERS = ("import_module", "__import__", "find_spec", "run_module")
Arrows = Mapping[str, set[str]]


@dataclass(frozen=True)
class Module:
    """A Python file: where it lies (from the root, with slashes), its lines, the dotted names that
    it imports anywhere in it (`from a.b import c` is a.b.c, `import_module("a.b")` a.b), and the
    expressions of what it imports by a name that only a run knows.
    """

    path: str
    lines: tuple[str, ...]
    imports: frozenset[str]
    by_name: frozenset[str]

    @property
    def name(self) -> str:
        """The dotted name that imports it."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def package(self) -> str:
        return self.path.split("/", 1)[0]

    @property
    def folder(self) -> str:
        """The folder in its package, or the file itself where it lies in none."""
        return "/".join(self.path.split("/")[:2])

    @property
    def room(self) -> str:
        """The folder without its package: pose, or cli for climb_edge/cli.py."""
        return self.folder.split("/")[1].removesuffix(".py")


def read_modules(root: Path, folder: str) -> list[Module]:
    """Every Python file under a folder of `root`, by path."""
    return [_read(root, path) for path in sorted((root / folder).rglob("*.py"))]


def _read(root: Path, path: Path) -> Module:
    text, where = path.read_text(encoding="utf-8"), path.relative_to(root)
    names, by_name = set(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = where.parts[: len(where.parts) - node.level] if node.level else ()
            origin = ".".join([*above, *([node.module] if node.module else [])])
            names |= {f"{origin}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and node.args and _called(node.func) in IMPORTERS:
            match node.args[0]:
                case ast.Constant(value=str(name)):
                    names.add(name)
                case expression:
                    by_name.add(ast.unparse(expression))
    lines = tuple(text.splitlines())
    return Module(where.as_posix(), lines, frozenset(names), frozenset(by_name))


def _called(function: ast.expr) -> str:
    """The last name of what is called: find_spec for importlib.util.find_spec."""
    return ast.unparse(function).rpartition(".")[2]


def arrows_between(modules: list[Module]) -> dict[str, set[str]]:
    """Path -> the paths of the modules that it imports."""
    known = {module.name: module.path for module in modules}

    def found(name: str) -> str | None:
        """The module of a dotted name, which may end in something inside it."""
        while name and name not in known:
            name = name.rpartition(".")[0]
        return known.get(name)

    return {m.path: {p for n in m.imports if (p := found(n))} - {m.path} for m in modules}


def arrows_between_folders(modules: list[Module], arrows: Arrows) -> dict[str, set[str]]:
    """Folder -> the folders that its modules import from."""
    folder = {module.path: module.folder for module in modules}
    found: dict[str, set[str]] = {name: set() for name in folder.values()}
    for start, ends in arrows.items():
        found[folder[start]] |= {folder[end] for end in ends} - {folder[start]}
    return found


def circles(arrows: Arrows) -> list[list[str]]:
    """The shortest circle through each node that is in one, [a, ..., a]; each circle once."""
    found: dict[frozenset[str], list[str]] = {}
    for start in sorted(arrows):
        ways, seen = [[start]], set()
        while ways:
            way = ways.pop(0)
            if start in arrows[way[-1]]:
                found.setdefault(frozenset(way), [*way, start])
                break
            for end in sorted(arrows[way[-1]] - seen):
                seen.add(end)
                ways.append([*way, end])
    return list(found.values())


def longest_way(arrows: Arrows) -> list[str]:
    """The longest way down, from the top floor to the ground. There must be no circle."""
    longest: dict[str, list[str]] = {}

    def down(start: str) -> list[str]:
        if start not in longest:
            below = max((down(end) for end in sorted(arrows[start])), key=len, default=[])
            longest[start] = [start, *below]
        return longest[start]

    return max(map(down, sorted(arrows)), key=len, default=[])
