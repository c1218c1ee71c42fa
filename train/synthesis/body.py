"""Whom a generated clip shows: the lengths of a body and the manner in which it climbs."""

from dataclasses import dataclass, make_dataclass

import numpy as np

# Four limbs: left hand, right hand, left foot, right foot. What is per limb has a 4 in its shape.
HANDS, FEET = slice(0, 2), slice(2, 4)
SIDE = np.array([-1.0, 1.0, -1.0, 1.0])  # sign of x
# x, y from the hips, in statures
REST = np.array([[-0.14, 0.55], [0.14, 0.55], [-0.15, -0.42], [0.15, -0.42]])
BEARS = np.array([0.2, 0.2, 0.3, 0.3])  # share of the weight in each limb at rest
# Elbows and knees bend towards these (x is outwards): chosen so that no common reach lies along
# them.
POLE = np.array([[-0.8, -0.5, 0.35], [0.8, -0.5, 0.35], [-0.7, 0.3, 0.6], [0.7, 0.3, 0.6]])
LET_GO, COME_BACK = 0.25, 0.5  # seconds in which loose feet leave the wall and find it again
HOLD_DEPTH = (0.01, 0.07)  # metres off the wall
STAND = (0.35, 0.25, 0.3)  # deviation of TURN, PITCH, SWIVEL over holds
# of hips, trunk, turns, gaze
SWAY = np.array([0.02] * 3 + [0.03] * 3 + [0.06, 0.05, 0.03, 0.03] + [0.08] * 3)
PAIRED = (
    "ear",
    "shoulder",
    "elbow",
    "wrist",
    "pinky",
    "index",
    "thumb",
    "hip",
    "knee",
    "ankle",
    "heel",
    "foot_index",
)
X, Y, Z = np.eye(3)

# What a move of a limb sets: where its hold is, and how the limb stands on it (radians). TURN:
# fingers or toes towards +x; PITCH: toes up; SWIVEL: elbow or knee about the line from joint to
# end.
TURN, PITCH, SWIVEL, SETTINGS = 3, 4, 5, 6


@dataclass(frozen=True)
class Kind:
    """A kind of move. Seconds are at tempo 1, metres for a person of 1.75 m."""

    name: str
    chance: float
    # "one"; "feet": both cut loose and come back; "all": both hands jump and the feet cut loose
    limbs: str
    seconds: tuple[float, float]
    after: tuple[float, float]  # seconds of rest, or of hanging where the feet are loose
    step: tuple[float, float]  # metres the body travels; (0, 0): the limb stays about where it is
    scatter: float  # metres by which holds miss the ideal place
    arc: tuple[float, float]  # metres off the wall that the limb swings


KINDS = (
    Kind("careful", 0.24, "one", (0.8, 1.4), (0.0, 0.6), (0.05, 0.30), 0.10, (0.03, 0.10)),
    Kind("steady", 0.34, "one", (0.45, 0.8), (0.0, 0.3), (0.10, 0.40), 0.10, (0.05, 0.15)),
    Kind("quick", 0.26, "one", (0.3, 0.45), (0.0, 0.3), (0.15, 0.45), 0.10, (0.06, 0.20)),
    Kind("regrip", 0.07, "one", (0.2, 0.4), (0.1, 0.5), (0.0, 0.0), 0.03, (0.01, 0.04)),
    Kind("cut", 0.045, "feet", (0.4, 0.7), (0.8, 1.8), (0.0, 0.20), 0.10, (0.0, 0.05)),
    Kind("leap", 0.045, "all", (0.4, 0.6), (0.8, 1.5), (0.25, 0.45), 0.08, (0.03, 0.10)),
)

# In statures. Palm: wrist to knuckles; toe and heel: from the ankle along the sole, ankle: above
# it; trunk, neck: between the midpoints of hips, shoulders, ears; face: nose in front of the ears.
SEGMENTS = {
    "upper_arm": 0.186,
    "forearm": 0.146,
    "palm": 0.065,
    "palm_width": 0.040,
    "thigh": 0.245,
    "shank": 0.246,
    "toe": 0.115,
    "heel": 0.030,
    "ankle": 0.039,
    "trunk": 0.288,
    "shoulders": 0.215,
    "hips": 0.105,
    "neck": 0.112,
    "head_width": 0.086,
    "face": 0.060,
    "stature": 1.0,
}
# each length in metres
Person = make_dataclass("Person", [(name, float) for name in SEGMENTS], frozen=True)


@dataclass(frozen=True)
class Manner:
    """What stays the same in a clip beside the person."""

    tilt: float  # of the wall, radians; above zero it overhangs
    tempo: float
    heading: np.ndarray  # (2,) x, y: where the route goes
    hip_distance: float  # from the wall, metres
    lean: float  # of the trunk, off the wall
    twist: float  # radians towards a reaching hand
    down: np.ndarray  # (3,) where gravity points, in wall axes
    lag: float  # seconds by which the body follows (below zero: leads) the limbs
    softness: float  # seconds over which it does


def person(rng: np.random.Generator) -> Person:
    """A person of 1.45 to 2 m whose every segment differs from the average by about 4 %."""
    stature = np.clip(rng.normal(1.71, 0.1), 1.45, 2.0)
    spread = np.clip(rng.normal(1, 0.04, len(SEGMENTS)), 0.88, 1.12)
    spread[-1] = 1.0
    return Person(*(stature * spread * np.array(list(SEGMENTS.values()))))


def manner_of(rng: np.random.Generator) -> Manner:
    angle = np.clip(rng.normal(0, 0.6), -1.7, 1.7)  # mostly up, at most a falling traverse
    tilt = rng.uniform(-0.2, 0.6)
    return Manner(
        tilt=tilt,
        down=np.array([0, -np.cos(tilt), np.sin(tilt)]),
        tempo=np.exp(rng.normal(0.3, 0.3)),
        heading=np.array([np.sin(angle), np.cos(angle)]),
        hip_distance=rng.uniform(0.2, 0.36),
        lean=rng.uniform(-0.05, 0.25),
        twist=rng.uniform(0.1, 0.6),
        lag=rng.uniform(-0.12, 0.1),
        softness=rng.uniform(0.1, 0.2),
    )


def joints_of(hips, spine, across_shoulders, across_hips, who: Person) -> np.ndarray:
    """Shoulders and hip joints (..., 4, 3) from arrays (..., 3): hip centre and three unit
    directions.
    """
    chest = hips + who.trunk * spine
    shoulders, sides = 0.5 * who.shoulders * across_shoulders, 0.5 * who.hips * across_hips
    return np.stack(
        [chest - shoulders, chest + shoulders, hips - sides + 0 * spine, hips + sides + 0 * spine],
        -2,
    )
