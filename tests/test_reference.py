"""docs/reference.md says what the programs take."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_reference_is_what_the_options_say():
    made = runpy.run_path(str(DOCS / "make_reference.py"))["page"]()
    assert made == (DOCS / "reference.md").read_text(encoding="utf-8"), (
        "docs/reference.md is out of date: python docs/make_reference.py"
    )
