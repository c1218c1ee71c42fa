"""Write docs/reference.md, every option of every command: python docs/make_reference.py"""

from pathlib import Path

from climb_edge.cli import PROGRAM as EDGE
from climb_edge.command_line import Program
from climb_edge.files.atomic import write_text
from climb_edge.options import reference
from convert.cli import PROGRAM as CONVERT
from train.cli import PROGRAM as TRAIN

PAGE = Path(__file__).with_name("reference.md")
HEAD = """# Every option of every command
Made from the options' own declarations by `python docs/make_reference.py`; a test says when it is
out of date. From Python the options have the same names, with `_` in place of `-`:
`train.finetune(data="clips.npz", steps_per_epoch=20, out="runs/mine")`.
"""


def section(title: str, program: Program) -> str:
    """The commands of one program."""
    parts = [f"## {title}"]
    for config in program.commands:
        about = " ".join((config.__doc__ or "").split("\n\n")[0].split())
        parts.append(f"### {title} {config.command}\n{about}\n\n{reference(config)}")
    return "\n\n".join(parts)


def page() -> str:
    """The whole page."""
    programs = (("climb-edge", EDGE), ("python -m train", TRAIN), ("python -m convert", CONVERT))
    return "\n".join([HEAD, "\n\n".join(section(*each) for each in programs)]) + "\n"


if __name__ == "__main__":
    write_text(PAGE, page())
    print(PAGE)
