"""Joint mixer: a gate over five decoded positions of every joint, a regressed point and a small
correction.

It sees the decoded positions of five frames and the height of the estimator's own map in each:
nothing else was found to help for what it costs. Three blocks mix over joints, then over features
(the MLP-Mixer of Tolstikhin et al., NeurIPS 2021). Per joint and frame it gives six logits, whose
softmax weighs the five positions and a regressed point, a correction added to that mean, and a
score: the chance that the keypoint lies within 0.2 torso diameters of the truth. The gate starts at
the joint's own frame, so that an untrained model hardly changes its input. The correction is along
and across the torso, in its lengths: so a mean offset of the estimator is one number whichever way
a person lies, how far away he stands.

What each part is worth is measured by switching it (docs/results.md): `gate` off, it stays where it
starts; `peaks` off, a frame shows a joint or does not, however well; `time` off, every frame is
refined alone; `wide` on, features are twice as many; `mirrored` on, the mean of a window's
refinement and its mirror image's, at twice the cost.

A joint is passed through as it was decoded, its score the height of its map, where training had no
truth for it, or where none of the five frames shows it: nothing is invented.
"""

from __future__ import annotations

import numpy as np

from climb_edge.pose.boxes import SIZE
from climb_edge.pose.decode import decode
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import CENTRE
from climb_edge.pose.skeleton import LEFT_HIP, LEFT_SHOULDER, RIGHT_HIP, RIGHT_SHOULDER, K
from train.backend import keras
from train.data.inputs import Points
from train.layers.float import EMITTED, Constant, decoded, standardised, step_inputs, window_input
from train.models.base import Model

WIDTH, HIDDEN, BLOCKS = 48, 96, 3
SWITCHES = {"gate": True, "peaks": True, "time": True, "wide": False, "mirrored": False}
# of a box's side: how offsets enter, how regressed points leave, how the mean enters
FAR, NEAR, MEAN = 6.0, 0.3, 3.0
SMALL = 0.1  # of the torso: how corrections leave
# outputs of a joint in a frame: logits, regressed point, correction, score
FRAME = WINDOW + 1 + 2 + 2 + 1
# logits that are added: the gate's start, and of a frame without a map
OWN, REGRESSED, HIDDEN_FRAME = 4.0, -1.0, -9.0
_UP = np.zeros((1, 1, 1, K), np.float32)  # from the middle of the hips to that of the shoulders
_UP[..., [LEFT_SHOULDER, RIGHT_SHOULDER]], _UP[..., [LEFT_HIP, RIGHT_HIP]] = 0.5, -0.5
_ops = keras.ops
_register = keras.saving.register_keras_serializable("climb_edge")


@_register
class Decode(keras.layers.Layer):
    """Heatmaps (B, 5, 56, 56, 25) and peaks (B, 5, 25) -> x, y in cells and peak, each (B, 1, 5,
    25); empty: peak 0.
    """

    def __init__(self, **kwargs):
        # in half precision the place of a maximum is up to 0.4 cells off
        super().__init__(**kwargs, autocast=False)

    def call(self, window, peaks):
        cells, heights = decode(_ops.cast(window, "float32"), ops=_ops)
        return split(cells, _ops.where(heights > 0, _ops.cast(peaks, "float32"), 0.0))


def split(cells, peaks):
    """Cells (B, 5, 25, 2) and peaks (B, 5, 25) as x, y and peak, each (B, 1, 5, 25)."""
    return [part[:, None] for part in (cells[..., 0], cells[..., 1], peaks)]


@_register
class Mixer(keras.layers.Layer):
    """The model itself: x, y in cells and peak, each (B, 1, 5, 25) -> (B, T, 25, 3) = x, y, score
    of `frames`.

    Tokens are (B, 1, 25, N) throughout and every product is a 1 x 1 convolution, so that training
    and deploy forms are one code. Always single precision: half would save nothing and cost places.
    """

    def __init__(self, switches: dict[str, bool] | None = None, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.switches = SWITCHES | (switches or {})
        self.width = WIDTH * (1 + self.switches["wide"])
        hidden = HIDDEN * (1 + self.switches["wide"])

        def linear(size: int, name: str, **more):
            return keras.layers.Conv2D(size, 1, dtype="float32", name=name, **more)

        self.embed = linear(self.width, "embed", use_bias=False)
        self.joint = Constant((1, 1, K, self.width), dtype="float32", name="joint")
        self.blocks = [
            [
                linear(K, f"joints{n}", activation="relu"),
                linear(K, f"joints_out{n}"),
                linear(hidden, f"widen{n}", activation="relu"),
                linear(self.width, f"narrow{n}"),
            ]
            for n in range(BLOCKS)
        ]
        self.emit = linear(WINDOW * FRAME, "emit", use_bias=False, kernel_initializer="zeros")
        self.start = Constant((1, 1, K, WINDOW * FRAME), dtype="float32", name="start")
        self.taught = Constant(
            (1, 1, 1, K), multiply=True, trainable=False, dtype="float32", name="taught"
        )

    def build(self, x_shape, y_shape=None, peak_shape=None):
        self.embed.build((None, 1, K, 3 * WINDOW + 3))
        for joints, joints_out, widen, narrow in self.blocks:
            joints.build((None, 1, self.width, K))
            joints_out.build((None, 1, self.width, K))
            widen.build((None, 1, K, self.width))
            narrow.build((None, 1, K, widen.filters))
        self.emit.build((None, 1, K, self.width))

    def call(self, x, y, peak, frames=EMITTED["all"]):
        plain = self._timed(x, y, peak, frames)
        if not self.switches["mirrored"]:
            return plain
        mirrored = self._timed(2 * CENTRE - _exchanged(x), _exchanged(y), _exchanged(peak), frames)
        mirrored = _turned(_exchanged(_turned(mirrored)))
        mirrored = _ops.concatenate([2 * CENTRE - mirrored[..., :1], mirrored[..., 1:]], axis=-1)
        # 0 of what is not taught, be its other side so or not
        other = _turned(self.taught(_turned(mirrored - plain)))
        return plain + other / 2

    def _timed(self, x, y, peak, frames):
        if self.switches["time"]:
            return self._refined(x, y, peak, frames)
        found = []
        for t in frames:
            alone = [_ops.repeat(v[:, :, t : t + 1], WINDOW, axis=2) for v in (x, y, peak)]
            found.append(self._refined(*alone, frames=EMITTED["newest"]))
        return _ops.concatenate(found, axis=1)

    def _refined(self, x, y, peak, frames):
        # a joint without truth in training tells nothing either
        seen = self.taught(_ops.cast(peak > 0, "float32"))
        count = _ops.sum(seen, axis=2, keepdims=True)
        kept = _ops.minimum(count, 1.0)  # (B, 1, 1, 25): 0 where the joint passes through

        # (B, 1, 5, 25): from the middle of the box, in its sides; mean over the frames that show it
        def normal(place):
            place = (place - CENTRE) / SIZE
            mean = _ops.sum(place * seen, axis=2, keepdims=True) / _ops.maximum(count, 1.0)
            return (place - mean) * seen, mean

        (x_off, x_mean), (y_off, y_mean) = normal(x), normal(y)
        height = peak if self.switches["peaks"] else 1.0
        features = [FAR * x_off, FAR * y_off, height * seen]
        features += [MEAN * x_mean, MEAN * y_mean, count / WINDOW]
        mixed = self._mixed(_turned(_ops.concatenate(features, axis=2)))
        hidden = HIDDEN_FRAME * (1 - _turned(seen))  # (B, 1, 25, 5)
        ends = _ops.sum(kept * (_UP != 0).astype(np.float32), axis=-1, keepdims=True)
        whole = _ops.relu(ends - 3)  # without all four ends, no torso
        up_x, up_y = (
            whole * _ops.sum(mean * _UP, axis=-1, keepdims=True) for mean in (x_mean, y_mean)
        )
        axes = [(x_off, x_mean, up_x, -up_y), (y_off, y_mean, up_y, up_x)]
        axes = [(_turned(offset), _turned(mean), up, right) for offset, mean, up, right in axes]
        emitted = []
        for t in frames:
            own = mixed[..., t * FRAME : (t + 1) * FRAME]
            start = np.where(np.arange(WINDOW) == t, OWN, 0.0).astype(np.float32)
            gates = [own[..., :WINDOW], own[..., WINDOW : WINDOW + 1]]
            if not self.switches["gate"]:
                gates = [0.0 * gate for gate in gates]
            logits = [gates[0] + start + hidden, gates[1] + REGRESSED]
            weights = _ops.softmax(_ops.concatenate(logits, axis=-1))
            along, across = (SMALL * own[..., n : n + 1] for n in (WINDOW + 3, WINDOW + 4))
            parts = []
            for n, (offset, mean, up, right) in enumerate(axes, start=WINDOW + 1):
                points = _ops.concatenate([offset, NEAR * own[..., n : n + 1]], axis=-1)
                moved = _ops.sum(weights * points, axis=-1, keepdims=True)
                moved = moved + along * up + across * right
                parts.append((mean + moved) * SIZE + CENTRE)
            parts.append(_ops.sigmoid(own[..., FRAME - 1 :]))
            given = _turned(_ops.concatenate([v[:, :, t : t + 1] for v in (x, y, peak)], axis=2))
            refined = _ops.concatenate(parts, axis=-1)
            emitted.append(given + _turned(kept) * (refined - given))
        return emitted[0] if len(emitted) == 1 else _ops.concatenate(emitted, axis=1)

    def _mixed(self, features):
        """Features (B, 1, 25, 18) -> what is emitted of every joint (B, 1, 25, 55)."""
        tokens = self.joint(self.embed(features))
        for joints, joints_out, widen, narrow in self.blocks:
            tokens = tokens + _turned(joints_out(joints(_turned(standardised(tokens)))))
            tokens = tokens + narrow(widen(standardised(tokens)))
        return self.start(self.emit(standardised(tokens)))


def _turned(tensor):
    """(B, 1, R, C) -> (B, 1, C, R)."""
    return _ops.transpose(tensor, (0, 1, 3, 2))


def _exchanged(tensor):
    """(B, T, N, 25) with left and right keypoints exchanged: all but the nose stand in pairs."""
    frames, rows = tensor.shape[1:3]
    pairs = _ops.reshape(tensor[..., 1:], (-1, frames * rows, K // 2, 2))
    pairs = _ops.concatenate([pairs[..., 1:], pairs[..., :1]], axis=-1)
    pairs = _ops.reshape(pairs, (-1, frames, rows, K - 1))
    return _ops.concatenate([tensor[..., :1], pairs], axis=-1)


class JointMixer(Model):
    """Refines each joint with its neighbours in time and in the body."""

    name, reads, output, parameters = "joint_mixer", "keypoints", "keypoints", 38_084
    loss, switches, any_weights, peaks = "soft_pck", SWITCHES, ("mirrored",), True
    unaware = "its recipes are float32, float16, dynamic_int8 and int8_mixed"

    def build(self, **switches: bool) -> keras.Model:
        """Training form: maps (B, 5, 56, 56, 25), peaks (B, 5, 25) -> (B, 5, 25, 3) = x and y in
        cells, score 0..1.

        Its layer `mixer` is the model itself.
        """
        window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
        peaks = keras.Input((WINDOW, K), name="peaks")
        refined = Mixer(switches, name="mixer")(*Decode(name="decode")(window, peaks))
        return keras.Model([window, peaks], refined, name=self.name)

    def outputs(self, model: keras.Model, given: dict):
        """From keypoints as they are decoded, without maps."""
        height = given["points"][..., 2]
        known = _ops.all(_ops.isfinite(given["points"]), axis=-1)
        return model.get_layer("mixer")(*split(Points()(given), _ops.where(known, height, 0.0)))

    def teach(self, model: keras.Model, known: np.ndarray) -> None:
        """Refine the keypoints `known` (25,) as well from now on: there is truth for them."""
        (taught,) = model.get_layer("mixer").taught.weights
        taught.assign(np.maximum(np.asarray(taught), known.astype(np.float32)))

    def form(self, model: keras.Model, form: str, emits: str) -> keras.Model:
        mixer, frames = model.get_layer("mixer"), EMITTED[emits]
        name = f"{self.name}_{form}_{emits}"
        if form == "window":
            window = window_input()
            peaks = keras.Input(batch_shape=(1, 1, WINDOW, K), name="peaks")
            x, y, height = (_ops.reshape(part, (1, 1, WINDOW, K)) for part in decoded(window))
            refined = mixer(x, y, _shown(peaks, height), frames=frames)
            return keras.Model([window, peaks], refined, name=name)
        frame, peaks, past = step_inputs({"peaks": (1, 1, K), "past": (1, WINDOW - 1, 3 * K)})
        x, y, height = decoded(frame)
        newest = _ops.concatenate([x, y, _shown(peaks, height)], axis=-1)
        kept = _ops.concatenate([past, newest], axis=2)
        place = [kept[..., n * K : (n + 1) * K] for n in range(3)]
        outputs = [mixer(*place, frames=frames), kept[:, :, 1:]]
        return keras.Model([frame, peaks, past], outputs, name=name)

    def form_parameters(self, form: str, emits: str, **switches: bool) -> int:
        return self.parameters + 88_080 * switches.get("wide", False)


def _shown(peaks, height):
    """Peaks where the map in the box is not empty, 0 elsewhere."""
    return peaks * _ops.cast(_ops.greater(height, 0.0), "float32")


REFINERS = (JointMixer(),)
