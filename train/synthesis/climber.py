"""A kinematic climber: seeded bouldering in 3D.

Read from top to bottom: who climbs, which holds are taken when, how the body follows the contacts,
how limbs are bent to reach them. All of it happens in wall axes (x right, y up the wall, z off the
wall, metres, wall at z = 0); the last step tilts the wall, so that world y is up. The climber faces
the wall: his left is -x.

Segment lengths are fractions of stature after Drillis & Contini (1966), "Body segment parameters",
as tabulated in Winter, "Biomechanics and motor control of human movement", figure 4.1. Widths lie
between joint centres, which are nearer to each other than Winter's outer marks. Hand paths are
minimum-jerk (Flash & Hogan, 1985).
"""

from dataclasses import dataclass

import numpy as np

from climb_edge.pose.skeleton import INDEX, K
from train.synthesis.body import (
    BEARS,
    COME_BACK,
    FEET,
    HANDS,
    HOLD_DEPTH,
    KINDS,
    LET_GO,
    PAIRED,
    PITCH,
    POLE,
    REST,
    SETTINGS,
    SIDE,
    STAND,
    SWAY,
    SWIVEL,
    TURN,
    Manner,
    Person,
    X,
    Y,
    Z,
    joints_of,
    manner_of,
    person,
)
from train.synthesis.geometry import across, ease, give_way, slow_noise, smooth, two_bones, unit


@dataclass(frozen=True)
class Route:
    """M moves: every setting of a limb is its start plus the changes of the moves so far."""

    start: np.ndarray  # (4, 6) settings
    limb: np.ndarray  # (M,) 0 left hand ... 3 right foot
    begin: np.ndarray  # (M,) seconds
    end: np.ndarray  # (M,)
    arc: np.ndarray  # (M,) metres off the wall
    change: np.ndarray  # (M, 6) of the limb's settings
    loose: np.ndarray  # (L, 2) begin and end of the times when both feet are off the wall


def climb(seed: int, frames: int = 120, fps: float = 30.0) -> np.ndarray:
    """Keypoints (frames, 25, 3) float32 in metres of a seeded person on a seeded wall, y up, wall
    about z = 0.
    """
    rng = np.random.default_rng(seed)
    who, manner = person(rng), manner_of(rng)
    points = animate(rng, who, manner, plan(rng, who, manner, frames / fps), frames, fps)
    cos, sin = np.cos(manner.tilt), np.sin(manner.tilt)
    return (points @ np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])).astype(np.float32)


def plan(rng: np.random.Generator, who: Person, manner: Manner, seconds: float) -> Route:
    """Moves from over a second before to a second after a clip, each to a hold that a still body
    can reach.
    """
    size, rest = who.stature / 1.75, REST * who.stature
    start = np.zeros((4, SETTINGS))
    start[:, :2] = rest + rng.normal(0, 0.04 * size, (4, 2)) + Y[:2]
    start[:, 2] = rng.uniform(*HOLD_DEPTH, 4)
    start[:, TURN:] = rng.normal(0, STAND, (4, 3))
    now, last, clock, rows, loose = start.copy(), None, -1.0 - rng.uniform(0, 1), [], []
    while clock < seconds + 1:
        kind = KINDS[rng.choice(len(KINDS), p=[k.chance for k in KINDS])]
        step = rng.uniform(*kind.step) * size * (manner.heading + rng.normal(0, 0.25, 2))
        wanted = (now[:, :2] - rest).mean(0) + step + rest if kind.step[1] else now[:, :2]  # (4, 2)
        lack = (
            np.linalg.norm(wanted - now[:, :2], axis=1)
            * rng.uniform(0.4, 1.6, 4)
            * (np.arange(4) != last)
        )
        limbs = {"one": [int(lack.argmax())], "feet": [2, 3], "all": [0, 1, 2, 3]}[kind.limbs]
        tries = np.repeat(now[None], 16, 0)  # (16, 4, 6): the first that a body can take is taken
        tries[:, limbs, :2] = wanted[limbs] + rng.normal(
            0, kind.scatter * size, (16, len(limbs), 2)
        )
        tries[:, limbs, 2] = rng.uniform(*HOLD_DEPTH, (16, len(limbs)))
        tries[:, limbs, TURN:] = rng.normal(0, STAND, (4, 3))[limbs]
        end = clock + rng.uniform(*kind.seconds) / manner.tempo
        arc, after = rng.uniform(*kind.arc) * size, rng.uniform(*kind.after)
        fitting = np.flatnonzero(fits(tries[..., :3], who, manner))
        if not len(fitting):  # look again a little later
            clock += 0.1
            continue
        new = tries[fitting[0]]
        for limb in limbs:
            # Loose feet change their holds while neither bears on one.
            when = (
                (clock, end)
                if kind.limbs == "one" or limb < 2
                else (clock + LET_GO, end + after - COME_BACK)
            )
            rows.append((limb, *when, arc, *(new[limb] - now[limb])))
        if kind.limbs != "one":
            loose.append((clock, end + after))
        now, last = new, limbs[-1]
        clock = end + (after if kind.limbs != "one" else after / manner.tempo)
    table = np.array(rows).reshape(-1, 4 + SETTINGS)
    return Route(
        start,
        table[:, 0].astype(int),
        *table[:, 1:4].T,
        table[:, 4:],
        np.array(loose).reshape(-1, 2),
    )


def stance(holds: np.ndarray, weight: np.ndarray, loose: np.ndarray, who: Person, manner: Manner):
    """Where the hips (..., 3) are and where the trunk points (..., 3) for holds (..., 4, 3).

    weight (..., 4): how much each limb bears; loose (..., 1): 1 where the body hangs from the hands
    alone.
    """
    hands = holds[..., HANDS, :].mean(-2)
    standing = (holds * weight[..., None]).sum(-2) / weight.sum(-1, keepdims=True)
    standing = (
        standing
        + manner.hip_distance * who.stature / 1.75 * Z
        + 0.1 * max(manner.tilt, 0) * manner.down
    )
    hanging = (
        hands
        + (0.93 * (who.upper_arm + who.forearm) + who.palm + who.trunk) * manner.down
        + 0.1 * Z
    )
    hips = standing + loose * (hanging - standing)
    return hips, unit(
        0.6 * unit(hands - hips) + 0.5 * (Y - loose * (Y + manner.down)) + manner.lean * Z
    )


def fits(holds: np.ndarray, who: Person, manner: Manner) -> np.ndarray:
    """Whether a still body can take holds (N, 4, 3), sensibly: -> (N,) bool."""
    bones = np.array([who.upper_arm + who.forearm + who.palm] * 2 + [who.thigh + who.shank] * 2)
    hips, spine = stance(
        holds, np.broadcast_to(BEARS, holds.shape[:2]), np.zeros((len(holds), 1)), who, manner
    )
    joints = joints_of(hips, spine, X, X, who)
    away = np.linalg.norm(holds - joints, axis=-1) / bones
    # negative where a limb crosses to the other side
    inwards = SIDE * (holds[..., 0] - hips[:, :1])
    high = holds[..., 1] - joints[..., 1]
    return (
        (away.max(1) < 0.93)
        & (away.min(1) > 0.45)
        & (inwards.min(1) > -0.12)
        & (high[:, HANDS].min(1) > 0)
        & (high[:, FEET].max(1) < -0.2)
        & (np.abs(holds[:, 2] - holds[:, 3]).sum(-1) > 0.15)
    )


def animate(
    rng: np.random.Generator, who: Person, manner: Manner, route: Route, frames: int, fps: float
) -> np.ndarray:
    """Keypoints (frames, 25, 3) in wall axes. T below is longer: filters need a second of run-in at
    both ends.
    """
    margin = int(np.ceil(fps))
    t = (np.arange(frames + 2 * margin) - margin) / fps
    mine = (route.limb[:, None] == np.arange(4)).astype(float)  # (M, 4)
    done = ease((t - route.begin[:, None]) / (route.end - route.begin)[:, None])  # (M, T), 0 to 1
    # (T, 4, 6)
    settings = route.start + np.einsum("ml,mt,ms->tls", mine, done, route.change, optimize=True)
    settings[..., 2] += np.einsum(
        "ml,mt,m->tl", mine, 4 * done * (1 - done), route.arc, optimize=True
    )
    busy = (16 * done**2 * (1 - done) ** 2).T @ mine  # (T, 4), 1 in the middle of a move
    let_go, come_back = route.loose[:, :1], route.loose[:, 1:] - COME_BACK
    # (T, 1)
    loose = (ease((t - let_go) / LET_GO) - ease((t - come_back) / COME_BACK)).sum(0)[:, None]

    # The body follows the contacts: what it should do, then filtered, delayed and never quite
    # still.
    holds = settings[..., :3]
    weight = BEARS * (1 - 0.6 * busy) * np.where(np.arange(4) < 2, 1, 1 - loose)
    hips, spine = stance(holds, weight, loose, who, manner)
    hips = hips + loose * 0.12 * np.sin(t[:, None] * 2 * np.pi / 1.9 + rng.uniform(0, 6, 3)) * [
        1,
        0.1,
        0.8,
    ]
    reach = busy[:, 1] - busy[:, 0]  # right hand positive
    turn = manner.twist * reach - 0.3 * settings[:, FEET, TURN].mean(1)
    rise = 0.25 * np.tanh(2 * (holds[:, 1, 1] - holds[:, 0, 1])) + 0.2 * reach
    drop = 0.2 * np.tanh(2 * (holds[:, 3, 1] - holds[:, 2, 1]))
    same = np.tril(route.limb[:, None] == route.limb)
    targets = np.concatenate(
        [holds[:1, HANDS].mean(1), route.start[route.limb, :3] + same @ route.change[:, :3]]
    )
    # looks first
    gaze = targets[0] + ease((t - route.begin[:, None] + 0.5) / 0.5).T @ np.diff(targets, axis=0)
    body = smooth(
        np.column_stack([hips, spine, turn, 0.6 * turn, rise, drop, gaze]), manner.softness * fps
    )
    for share, pace in ((0.8, 0.6), (0.6, 0.25), (0.1, 0.07)):  # of SWAY, seconds
        body += share * SWAY * slow_noise(rng, len(t), len(SWAY), pace * fps)
    settings[..., TURN:] += 0.06 * slow_noise(rng, len(t), 12, 0.3 * fps).reshape(-1, 4, 3)
    clip, late = np.arange(margin, margin + frames), round(manner.lag * fps)
    hips, spine = body[clip - late, :3], unit(body[clip - late, 3:6])
    (turn, hip_turn, rise, drop), gaze = body[clip - late, 6:10].T, body[clip, 10:]
    settings, busy, loose = settings[clip], busy[clip], loose[clip]
    bones = np.array([[who.upper_arm] * 2 + [who.thigh] * 2, [who.forearm] * 2 + [who.shank] * 2])
    across_shoulders, across_hips = across(spine, turn, rise), across(spine, hip_turn, drop)
    chest = hips + who.trunk * spine

    # Hands hang from the fingers, which stay on the hold; feet pivot on the toes.
    grip = settings[:, HANDS, :3]
    arm = unit(grip - chest[:, None])
    bend = settings[:, HANDS, TURN, None]
    fingers = unit(
        np.cos(bend) * Y + np.sin(bend) * X - 0.3 * Z + (0.8 + busy[:, HANDS, None]) * arm
    )
    wrists = grip - who.palm * fingers
    air = (
        hips[:, None]
        + 0.9 * bones[:, 2].sum() * manner.down
        + np.array([[-0.12, 0, 0], [0.12, 0, 0]])
        - 0.1 * Z
    )
    toes = settings[:, FEET, :3] + loose[..., None] * (air - settings[:, FEET, :3])
    bend, pitch = (
        settings[:, FEET, TURN, None],
        settings[:, FEET, PITCH, None] - 0.7 * loose[..., None],
    )
    bend = bend + 0.35 * SIDE[FEET, None]
    sole = np.cos(pitch) * (np.sin(bend) * X - np.cos(bend) * Z) + np.sin(pitch) * Y
    sole = unit(sole + (0.25 + 0.3 * busy[:, FEET, None]) * unit(toes - hips[:, None]))
    above = unit(Y - (sole @ Y)[..., None] * sole)
    ankles = toes - who.toe * sole + who.ankle * above

    # The hips give way, softly, until every limb reaches its end; only then are elbows and knees
    # placed.
    ends = np.concatenate([wrists, ankles], 1)  # (frames, 4, 3)
    offset = joints_of(np.zeros(3), spine, across_shoulders, across_hips, who)
    hips = hips + smooth(give_way(ends - offset - hips[:, None], bones.sum(0)), 0.08 * fps)
    hips = hips + give_way(ends - offset - hips[:, None], bones.sum(0))
    joints = hips[:, None] + offset
    bent, reached = two_bones(joints, ends, bones, POLE, settings[..., SWIVEL])
    slip = reached - ends
    points = np.empty((frames, K, 3))
    pair = {name: [INDEX[f"left_{name}"], INDEX[f"right_{name}"]] for name in PAIRED}
    for arm, leg, where in (
        ("shoulder", "hip", joints),
        ("elbow", "knee", bent),
        ("wrist", "ankle", reached),
    ):
        points[:, pair[arm] + pair[leg]] = where
    inner = -SIDE[HANDS, None] * unit(np.cross(fingers, Z))  # from the little finger to the index
    knuckles = wrists + slip[:, HANDS] + who.palm * fingers
    spread = 0.5 * who.palm_width * inner + 0.1 * who.palm * fingers
    points[:, pair["index"]], points[:, pair["pinky"]] = knuckles + spread, knuckles - spread
    points[:, pair["thumb"]] = knuckles - 0.4 * who.palm * fingers + 0.9 * who.palm_width * inner
    points[:, pair["foot_index"]] = toes + slip[:, FEET]
    points[:, pair["heel"]] = toes + slip[:, FEET] - (who.toe + who.heel) * sole
    face = unit(0.9 * np.cross(spine, across_shoulders) + 0.5 * unit(gaze - chest))
    crown = unit(spine - (spine * face).sum(-1, keepdims=True) * face)
    head = hips + who.trunk * spine + who.neck * unit(0.8 * spine + 0.2 * crown + 0.15 * face)
    ears = 0.5 * who.head_width * np.cross(face, crown)
    points[:, pair["ear"]] = np.stack([head - ears, head + ears], 1)
    points[:, INDEX["nose"]] = head + who.face * face - 0.1 * who.face * crown
    return points
