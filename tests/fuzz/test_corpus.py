"""What fuzzing once found stays mended, and every reader takes its seeds, and refuses damaged ones
in one way. `python tests/fuzz/run.py` looks further.
"""

import random
import tracemalloc
from contextlib import suppress

import pytest

from climb_edge.errors import ClimbEdgeError
from fuzz.targets import TARGETS, Target, without_crc

DAMAGED = 40  # inputs of each reader
MOST_MEMORY = 100 << 20  # bytes, for a file of the corpus: all are of a few kilobytes

targets = pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)


@targets
def test_its_seeds_are_read(target: Target, tmp_path):
    for seed in target.seeds(tmp_path):
        target.try_bytes(tmp_path, seed)


@targets
def test_what_is_damaged_is_read_or_refused(target: Target, tmp_path):
    dice, seeds = random.Random(target.name), target.seeds(tmp_path)
    with without_crc():
        for _ in range(DAMAGED):
            _expect_harmless(target, tmp_path, damaged(dice, dice.choice(seeds)))


@pytest.mark.parametrize(
    ("target", "path"),
    [
        pytest.param(t, path, id=f"{t.name}-{path.name}")
        for t in TARGETS.values()
        for path in t.corpus
    ],
)
def test_what_once_got_through_is_read_or_refused(target: Target, path, tmp_path):
    target.seeds(tmp_path)
    tracemalloc.start()
    try:
        with without_crc():
            _expect_harmless(target, tmp_path, path.read_bytes())
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


def _expect_harmless(target: Target, folder, content: bytes) -> None:
    with suppress(ClimbEdgeError):
        target.try_bytes(folder, content)


def damaged(dice: random.Random, content: bytes) -> bytes:
    """Some bytes changed, a part cut out or said twice, or a number made long."""
    made = bytearray(content)
    start, length = dice.randrange(len(made)), dice.randrange(1, 60)
    match dice.randrange(5):
        case 0:
            made[start] ^= 1 << dice.randrange(8)
        case 1:
            made[start : start + 4] = dice.choice(
                [b"\xff\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f"]
            )
        case 2:
            del made[start : start + length]
        case 3:
            made[start:start] = made[start : start + length]
        case 4:
            digits = [i for i, byte in enumerate(made) if byte in b"0123456789"] or [start]
            made[dice.choice(digits) : dice.choice(digits) + 1] = dice.choice(
                [b"9" * 400, b"-1", b"NaN", b"1e999", b"null"]
            )
    return bytes(made)
