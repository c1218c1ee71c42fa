"""Every model a second time, in NumPy and double precision, written from the definitions alone.

Nothing of `train.models` or `train.layers.float` is used or imitated: gates are eight convolutions,
attention is a loop over heads, a decode is a loop over maps. So what both compute alike is what the
definitions say, and not a habit of one hand.
"""

from __future__ import annotations

import math

import numpy as np

FRAMES, ROWS, COLUMNS, KEYPOINTS = 5, 56, 56, 25
FULL_SCORE = 255 / (2 * math.pi)  # the peak of a Gaussian of sigma 1 and mass 255


def identity(window: np.ndarray) -> np.ndarray:
    return np.array(window, np.float64)


# Convolutions
# -----------------------------------------------------------------------------------------------------


def convolve(maps: np.ndarray, kernel: np.ndarray, bias=0.0) -> np.ndarray:
    """(R, C, N) with a kernel (h, w, N, M), zeros outside, h and w odd: every tap is a shift and a
    matrix.

    Seven cells at a time: products so small are not spread over threads, which wait for each other
    on busy cores.
    """
    rows, columns, channels = maps.shape
    high, wide = kernel.shape[:2]
    around = np.pad(np.asarray(maps, np.float64), ((high // 2,) * 2, (wide // 2,) * 2, (0, 0)))
    result = np.zeros((rows * columns // 7, 7, kernel.shape[-1]))
    for down in range(high):
        for right in range(wide):
            shifted = around[down : down + rows, right : right + columns].reshape(-1, 7, channels)
            result += shifted @ kernel[down, right].astype(np.float64)
    return result.reshape(rows, columns, -1) + bias


def relu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.0)


def conv3d(window: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """(5, 56, 56, 25) with one kernel (5, 5, 5, 25, 25): the frames outside are zeros too; ReLU."""
    frames, half = len(window), len(kernel) // 2
    result = np.zeros((*window.shape[:3], kernel.shape[-1]))
    for t in range(frames):
        for apart in range(-half, half + 1):
            if 0 <= t + apart < frames:
                result[t] += convolve(window[t + apart], kernel[half + apart])
    return relu(result + bias)


# bi-ConvLSTM
# ------------------------------------------------------------------------------------------------------


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def cell_step(
    w: dict, x: np.ndarray, h: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One step of the ConvLSTM cell: (h', c'). `w`: kernels Wxi ... Who, their biases bxi ... bho,
    peepholes Wci, Wcf and Wco, and position-wise biases bi, bf, bc, bo.
    """

    def both(gate: str) -> np.ndarray:
        return convolve(x, w[f"Wx{gate}"], w[f"bx{gate}"]) + convolve(
            h, w[f"Wh{gate}"], w[f"bh{gate}"]
        )

    i = sigmoid(both("i") + w["Wci"] * c + w["bi"])
    f = sigmoid(both("f") + w["Wcf"] * c + w["bf"])
    cell = f * c + i * np.tanh(both("c") + w["bc"])
    o = sigmoid(both("o") + w["Wco"] * cell + w["bo"])
    return o * np.tanh(cell), cell


def convlstm(w: dict, frames) -> list[np.ndarray]:
    """Hidden states after each of `frames`, in their order; the states start at zero."""
    h = c = np.zeros((ROWS, COLUMNS, KEYPOINTS))
    states = []
    for x in frames:
        h, c = cell_step(w, np.asarray(x, np.float64), h, c)
        states.append(h)
    return states


def bi_convlstm(
    weights: dict, window: np.ndarray, merge: str, last_relu: bool, back: int = -1
) -> np.ndarray:
    """(5, 56, 56, 25) -> the same shape. `weights`: a branch's cell under its name, and (kernel,
    bias) of each layer.

    The backward branch meets the newest frame first; `back` = 1 turns it round, for a test that
    must then fail.
    """
    states = {
        "forward": convlstm(weights["forward"], window),
        "backward": convlstm(weights["backward"], window[::back])[::back],
    }
    return np.stack(
        [
            _heatmaps(weights, {b: states[b][t] for b in states}, merge, last_relu)
            for t in range(FRAMES)
        ]
    )


def _heatmaps(weights: dict, hidden: dict, merge: str, last_relu: bool) -> np.ndarray:
    """A frame's heatmaps from the hidden states of both branches."""
    features = {}
    for branch, x in hidden.items():
        for n in range(3):
            x = relu(convolve(x, *weights[f"{branch}_conv{n}"]))
        features[branch] = x
    if merge == "sum":
        return sum(
            relu(
                convolve(
                    relu(convolve(x, *weights[f"{branch}_combine"])), *weights[f"{branch}_out"]
                )
            )
            for branch, x in features.items()
        )
    last = relu if last_relu else identity
    both = np.concatenate([features["forward"], features["backward"]], axis=-1)
    return last(convolve(last(convolve(both, *weights["combine"])), *weights["out"]))


# DeciWatch
# --------------------------------------------------------------------------------------------------------

WIDTH, HEADS, LEAK = 128, 4, 0.01


def places(window: np.ndarray, subpixel: bool) -> tuple[np.ndarray, np.ndarray]:
    """(column, row) (5, 25, 2) and height (5, 25) of each map's maximum; with `subpixel` the summit
    of a second-order Taylor expansion of the map's logarithm there. An empty map: the middle of the
    grid, and height 0.
    """
    found, heights = np.zeros((FRAMES, KEYPOINTS, 2)), np.zeros((FRAMES, KEYPOINTS))
    for t in range(FRAMES):
        for k in range(KEYPOINTS):
            found[t, k], heights[t, k] = _summit(
                np.asarray(window[t, :, :, k], np.float64), subpixel
            )
    return found, heights


def _summit(heatmap: np.ndarray, subpixel: bool) -> tuple[np.ndarray, float]:
    row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
    if heatmap[row, column] <= 0:
        return np.array([COLUMNS / 2, ROWS / 2]), 0.0
    place = np.array([column, row], np.float64)
    if subpixel and 0 < row < ROWS - 1 and 0 < column < COLUMNS - 1:
        log = np.log(np.maximum(heatmap[row - 1 : row + 2, column - 1 : column + 2], 1e-10))
        gradient = np.array([log[1, 2] - log[1, 0], log[2, 1] - log[0, 1]]) / 2
        mixed = (log[2, 2] - log[2, 0] - log[0, 2] + log[0, 0]) / 4
        hessian = np.array(
            [
                [log[1, 2] + log[1, 0] - 2 * log[1, 1], mixed],
                [mixed, log[2, 1] + log[0, 1] - 2 * log[1, 1]],
            ]
        )
        if (np.linalg.eigvalsh(hessian) < 0).all():
            place += np.clip(-np.linalg.solve(hessian, gradient), -1, 1)
    return place, float(heatmap[row, column])


def rows_and_columns(cells: np.ndarray) -> np.ndarray:
    """(5, 25, 2) = (column, row) -> (5, 50): row and column of keypoint 0, of keypoint 1
    and so on.
    """
    coordinates = np.zeros((len(cells), 2 * KEYPOINTS))
    for k in range(KEYPOINTS):
        coordinates[:, 2 * k], coordinates[:, 2 * k + 1] = cells[:, k, 1], cells[:, k, 0]
    return coordinates


def columns_and_rows(coordinates: np.ndarray) -> np.ndarray:
    """The inverse of `rows_and_columns`."""
    return np.stack([[row[1::2], row[0::2]] for row in coordinates]).transpose(0, 2, 1)


def sine_positions(count: int) -> np.ndarray:
    table = np.zeros((count, WIDTH))
    for t in range(count):
        p = 2 * math.pi * t / (count - 1 + 1e-6)
        for j in range(WIDTH // 2):
            table[t, 2 * j] = math.sin(p / 10000 ** (2 * j / 64))
            table[t, 2 * j + 1] = math.cos(p / 10000 ** (2 * j / 64))
    return table


def attention(
    w: dict, name: str, x: np.ndarray, memory: np.ndarray, not_itself: bool = False
) -> np.ndarray:
    """Each of 4 heads of 32 features: softmax(q k' / sqrt(32)) v; side by side they pass the last
    linear layer.
    """
    query, key, value = (
        linear(w, f"{name}/{part}", source)
        for part, source in (("query", x), ("key", memory), ("value", memory))
    )
    size = WIDTH // HEADS
    heads = []
    for n in range(HEADS):
        own = slice(n * size, (n + 1) * size)
        scores = query[:, own] @ key[:, own].T / math.sqrt(size)
        if not_itself:
            scores[np.arange(len(x)), np.arange(len(x))] = -np.inf
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        heads.append(shares / shares.sum(axis=1, keepdims=True) @ value[:, own])
    return linear(w, f"{name}/out", np.hstack(heads))


def linear(w: dict, name: str, x: np.ndarray) -> np.ndarray:
    return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]


def layer_norm(w: dict, name: str, x: np.ndarray) -> np.ndarray:
    mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * w[f"{name}/gamma"] + w[f"{name}/beta"]


def feed_forward(w: dict, name: str, x: np.ndarray) -> np.ndarray:
    wide = linear(w, f"{name}/widen", x)
    return linear(w, f"{name}/narrow", np.where(wide > 0, wide, LEAK * wide))


def deciwatch(
    weights: dict,
    coordinates: np.ndarray,
    identity_mask: bool = True,
    every_frame: bool = False,
    norm=layer_norm,
) -> np.ndarray:
    """(5, 50) rows and columns -> the same, refined. `weights` by name, as
    "encoder0/attention/query/kernel".
    """
    w = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    sampled = [0, 1, 2, 3, 4] if every_frame else [0, 4]
    noisy = coordinates[sampled]

    x = linear(w, "embed", noisy) + sine_positions(len(sampled))
    for n in range(5):
        x = norm(
            w, f"encoder{n}/norm0", x + attention(w, f"encoder{n}/attention", x, x, identity_mask)
        )
        x = norm(w, f"encoder{n}/norm1", x + feed_forward(w, f"encoder{n}", x))
    features = norm(w, "encoder_norm", x)
    clean = linear(w, "denoise", features) + noisy

    filled = np.stack(
        [np.interp(range(FRAMES), sampled, clean[:, n]) for n in range(clean.shape[1])], axis=1
    )
    kernel = w["recover/kernel"]  # (5, 50, 128): a convolution in time
    around = np.pad(filled, ((2, 2), (0, 0)))
    y = (
        np.stack([sum(around[t + tap] @ kernel[tap] for tap in range(5)) for t in range(FRAMES)])
        + w["recover/bias"]
    )
    y = y + sine_positions(FRAMES)
    memory = features + sine_positions(len(sampled))
    for n in range(5):
        y = norm(w, f"decoder{n}/norm0", y + attention(w, f"decoder{n}/attention", y, y))
        y = norm(w, f"decoder{n}/norm1", y + attention(w, f"decoder{n}/across", y, memory))
        y = norm(w, f"decoder{n}/norm2", y + feed_forward(w, f"decoder{n}", y))
    return linear(w, "refine", norm(w, "decoder_norm", y)) + filled


# Joint mixer
# ------------------------------------------------------------------------------------------------------


def standard(x: np.ndarray) -> np.ndarray:
    """Each row to mean 0 and variance 1."""
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)


def joint_mixer(
    weights: dict,
    cells: np.ndarray,
    peaks: np.ndarray,
    standard=standard,
    mirrored=False,
    time=True,
    **parts: bool,
) -> np.ndarray:
    """Decoded places (5, 25, 2) in cells and native peaks (5, 25), 0 where a frame shows nothing ->
    (5, 25, 3).

    `weights` by name, as "widen0/kernel"; kernels are 1 x 1 convolutions'. `mirrored`: the mean
    with the mirror image of what the mirror image gives. Without `time` every frame stands alone.
    `parts`: see `mixed`.
    """
    if mirrored:
        taught = np.asarray(
            next(v for n, v in weights.items() if n.endswith("taught/value"))
        ).reshape(1, -1, 1)
        plain, other = joint_mixer(weights, cells, peaks, standard, time=time, **parts), [0]
        other += [k + 1 if k % 2 else k - 1 for k in range(1, KEYPOINTS)]
        image = (cells * [-1, 1] + [COLUMNS, 0])[:, other]
        again = joint_mixer(weights, image, peaks[:, other], standard, time=time, **parts)[:, other]
        again = again * [-1, 1, 1] + [COLUMNS, 0, 0]
        return plain + taught * (again - plain) / 2
    if time:
        return mixed(weights, cells, peaks, standard, **parts)
    alone = [
        np.repeat(v[None], FRAMES, axis=0) for t in range(FRAMES) for v in (cells[t], peaks[t])
    ]
    return np.stack(
        [mixed(weights, *alone[2 * t : 2 * t + 2], standard, **parts)[-1] for t in range(FRAMES)]
    )


def mixed(
    weights: dict, cells: np.ndarray, peaks: np.ndarray, standard, gate=True, told_peaks=True
) -> np.ndarray:
    """One pass over a window. Without `gate` its logits are those it starts with; without
    `told_peaks` all are 1.
    """
    w = {
        name.removeprefix("mixer/"): np.asarray(value, np.float64)
        for name, value in weights.items()
    }
    taught, places_in_box = w["taught/value"].ravel(), (cells - COLUMNS / 2) / COLUMNS
    seen = (peaks > 0) * taught

    def product(name: str, x: np.ndarray) -> np.ndarray:
        return x @ w[f"{name}/kernel"][0, 0] + w.get(f"{name}/bias", 0.0)

    means, tokens = np.zeros((KEYPOINTS, 2)), np.zeros((KEYPOINTS, 18))
    for k in range(KEYPOINTS):
        share = seen[:, k].sum()
        means[k] = (seen[:, k, None] * places_in_box[:, k]).sum(0) / max(share, 1)
        apart = 6 * (places_in_box[:, k] - means[k]) * seen[:, k, None]
        tokens[k] = [
            *apart[:, 0],
            *apart[:, 1],
            *((peaks[:, k] if told_peaks else 1) * seen[:, k]),
            *(3 * means[k]),
            share / FRAMES,
        ]
    x = product("embed", tokens) + w["joint/value"][0, 0]
    for n in range(3):
        x = x + product(f"joints_out{n}", relu(product(f"joints{n}", standard(x).T))).T
        x = x + product(f"narrow{n}", relu(product(f"widen{n}", standard(x))))
    told = (product("emit", standard(x)) + w["start/value"][0, 0]).reshape(KEYPOINTS, FRAMES, 11)

    up = np.zeros(2)  # torso of the mean pose; shoulders are 3 and 4, hips 15 and 16
    if seen[:, [3, 4, 15, 16]].any(0).all():
        up = (means[3] + means[4]) / 2 - (means[15] + means[16]) / 2
    right = np.array([-up[1], up[0]])
    refined = np.zeros((FRAMES, KEYPOINTS, 3))
    for t in range(FRAMES):
        for k in range(KEYPOINTS):
            logits = told[k, t, :6] * gate
            logits[t] += 4
            logits[:5] -= 9 * (1 - seen[:, k])
            logits[5] -= 1
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            points = [
                means[k] + seen[s, k] * (places_in_box[s, k] - means[k]) for s in range(FRAMES)
            ]
            points.append(means[k] + 0.3 * told[k, t, 6:8])
            along, across = 0.1 * told[k, t, 8:10]
            place = (
                sum(share * point for share, point in zip(shares, points, strict=True))
                + along * up
                + across * right
            )
            found = np.array([*(COLUMNS / 2 + COLUMNS * place), sigmoid(told[k, t, 10])])
            kept = min(seen[:, k].sum(), 1)
            refined[t, k] = kept * found + (1 - kept) * np.array([*cells[t, k], peaks[t, k]])
    return refined
