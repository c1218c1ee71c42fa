"""The noise models by name, and what may be made of them: with a mean offset, or one of several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from climb_edge.errors import ClimbEdgeError, did_you_mean
from train.noise.estimator_noise import EstimatorNoise, load
from train.noise.simulators import AnyNoise, Noise, StudyNoise, WindowNoise

FOLDER = Path(__file__).parent
BIASED, OR = "+bias", ","  # after the name of a fitted noise; between several
_BLURS = (1.0, 1.5, 2.0, 2.5, 3.0)
# The study's setups: x = shifting-scalar 1 or 2; .1 blurs, .2 sigma 1, .3 as .1 at half the frame
# rate. Its text says 3 x, its code 2.95 x.
NOISES: dict[str, Noise] = {
    f"{x}.{i}": StudyNoise(f"{x}.{i}", 3.0 * x, sigmas, skip)
    for x in (1, 2)
    for i, (sigmas, skip) in enumerate(((_BLURS, 1), ((1.0,), 1), (_BLURS, 2)), start=1)
} | {"blazepose": WindowNoise(), **{p.stem: load(p) for p in sorted(FOLDER.glob("*.json"))}}
NAMES: tuple[str, ...] = tuple(NOISES)


def get(name: str | Path) -> Noise:
    """A built-in noise model by its name, or one that fit-noise wrote by its path. Raises
    ClimbEdgeError for neither.

    With BIASED after it a fitted one draws the estimator's mean offset as well. Of several, with OR
    between, every window has one; they must take frames alike.
    """
    if OR in str(name) and str(name) not in NOISES and not Path(name).is_file():
        parts = tuple(get(part) for part in str(name).split(OR))
        if len({part.skip for part in parts}) > 1:
            raise ClimbEdgeError(
                f"noise {str(name)!r}: some of them halve the frame rate, and a window has one rate"
            )
        return AnyNoise(str(name), parts)
    if str(name).endswith(BIASED):
        fitted = get(str(name).removesuffix(BIASED))
        if not isinstance(fitted, EstimatorNoise):
            raise ClimbEdgeError(
                f"noise {str(name)!r}: {fitted.name} was not fitted and has no mean offset; leave"
                f" {BIASED} away"
            )
        return replace(fitted, name=fitted.name + BIASED, biased=True)
    if str(name) in NOISES:
        return NOISES[str(name)]
    if Path(name).suffix.lower() == ".json":
        return load(name)
    raise ClimbEdgeError(
        f"noise {str(name)!r}: expected one of {', '.join(NAMES)}, or a .json that fit-noise"
        f" wrote{did_you_mean(str(name), NAMES)}"
    )
