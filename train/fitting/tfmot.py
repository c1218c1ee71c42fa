"""`--qat tfmot`: tensorflow-model-optimization, on the one graph of ours that it can take.

It knows layers of tf_keras alone, and of those the plain ones. Conv3D's newest frame is made of
such: a convolution over three stacked frames, a depthwise one for what a cell gives to itself,
their sum and a ReLU. A window of five frames passes it as a stream does: each frame with the two
before it, zeros before the first. Weights come from Keras 3 by name, and both graphs are asked
whether they give the same.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from climb_edge.errors import ClimbEdgeError
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.render import SIZE
from climb_edge.pose.skeleton import K
from train.backend import keras
from train.config import Hyperparameters
from train.fitting.loop import Trained
from train.fitting.tfmot_toolkit import FORM, shrinking, toolkit
from train.layers.float import step_inputs

REACHED = 3  # frames that the newest one is made of
# Of the quantized graph's layers, what their range is called.
HELD = {"conv2d": "post_activation", "own": "post_activation", "refined": "output"}
# of Keras 3 -> of tf_keras
NAMES = {"kernel": "conv2d/kernel", "bias": "conv2d/bias", "value": "own/depthwise_kernel"}
CLOSE = 1e-5  # of the scale: what the two may differ by in float


class Streamed(keras.layers.Layer):
    """Windows (B, 5, 56, 56, 25) -> the same as a graph of tf_keras gives it frame by frame."""

    def __init__(self, graph):
        super().__init__(name="tfmot")
        self.graph = graph

    def build(self, shape):
        self.built = True  # it was, by tf_keras

    def call(self, window, training=False):
        refined = self.graph(list(_folded(window)), training=bool(training))
        return keras.ops.reshape(refined, (-1, WINDOW, SIZE, SIZE, K))


class Stacked(Streamed):
    """Conv3D's step form in 8 bits; `before` and `plain` are it in float, `plain` with the kernel
    that is trained on.
    """

    def __init__(self, form: keras.Model, shrink: tuple[str, float]):
        weights = {variable.name: np.asarray(variable) for variable in form.variables}
        before = plain = _plain(weights)
        _compare(before, form)
        if shrink[0]:
            plain = _plain(weights | {"kernel": _shrunk(weights["kernel"], *shrink)})
        super().__init__(_quantized(plain, shrink[0]))
        self.before, self.plain = before, plain

    def save_own_variables(self, store):
        for number, variable in enumerate(self.graph.variables):
            store[f"{number}"] = variable.numpy()

    def load_own_variables(self, store):
        for number, variable in enumerate(self.graph.variables):
            if not np.isfinite(value := np.asarray(store[f"{number}"])).all():
                raise ValueError(f"{variable.name} holds NaN or infinite values")
            variable.assign(value)

    def calibrate(self, batches) -> None:
        """Take the ranges of activations from windows (B, 5, 56, 56, 25):
        tensorflow-model-optimization begins at -6 to 6, and follows the data by a thousandth a
        step. Ranges of weights are those of the weights.
        """
        _, tf_keras = toolkit()
        layers = {layer.name: layer.output for layer in self.plain.layers}
        outputs = {n: layers[n] for n in ("reached", "kept", *HELD)}
        watched, reach = tf_keras.Model(self.plain.inputs, outputs), {}
        for window in batches:
            frames = _folded(window)
            for name, value in watched.predict_on_batch(list(frames)).items():
                low, high = reach.get(name, (0.0, 0.0))
                reach[name] = min(low, float(value.min())), max(high, float(value.max()))
        for layer in self.graph.layers:
            name = layer.name.removeprefix("quant_")
            held = HELD.get(name)
            if type(layer).__name__ == "QuantizeLayer":  # of an input
                name, held = layer.input.name, layer.name
            for variable in layer.variables if held else ():
                for end, value in zip(("min", "max"), reach[name], strict=True):
                    if variable.name.endswith(f"/{held}_{end}:0"):
                        variable.assign(value)
        self.graph(frames, training=True)

    def weights_by_name(self) -> dict[str, np.ndarray]:
        """Float weights by the names of Keras 3, as they are before they are rounded."""
        found = {name: variable.numpy() for name, variable in _by_name(self.graph).items()}
        weights = {name: found[theirs] for name, theirs in NAMES.items()}
        chosen = found.get("quant_conv2d/pulling_indices_tf")
        if chosen is not None:  # few values, of all channels or of each
            centroids = found["quant_conv2d/cluster_centroids_tf"]
            values = np.broadcast_to(centroids, (K, int(chosen.max()) + 1))
            weights["kernel"] = np.stack([values[n][chosen[..., n]] for n in range(K)], axis=-1)
        return weights | {"value": weights["value"].reshape(1, 1, 1, -1)}


def quantization_aware(definition, plain: keras.Model, shrink: str | None) -> keras.Model:
    """The training form of `plain`'s weights for tensorflow-model-optimization to train."""
    return _model(Stacked(definition.form(plain, *FORM), shrinking(shrink)), plain.name)


def float_windows(model: keras.Model) -> keras.Model:
    """What such a training form began from, in float; it too reads no frame before it comes."""
    return _model(Streamed(stacked_of(model).before), model.name)


def _model(layer: Streamed, name: str) -> keras.Model:
    window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
    return keras.Model(window, layer(window), name=name)


def stacked_of(model: keras.Model) -> Stacked | None:
    """The layer of such a training form; None of any other."""
    return next((layer for layer in model.layers if isinstance(layer, Stacked)), None)


def step_forms(model: keras.Model) -> tuple[StepForm, StepForm]:
    """Of what was trained: (in 8 bits, in float with the same weights)."""
    layer = stacked_of(model)
    return StepForm(layer.graph), StepForm(_plain(layer.weights_by_name()))


class StepForm:
    """A graph of tf_keras for TensorFlow's converter, called with [frame, past] as of Keras 3."""

    def __init__(self, graph):
        self.name, self.graph = graph.name, graph
        self.inputs = step_inputs({"past": (SIZE, SIZE, (REACHED - 1) * K)})
        self.variables = [SimpleNamespace(value=v, shape=v.shape) for v in graph.variables]

    def __call__(self, tensors: list):
        frame, past = tensors
        reached = keras.ops.concatenate([past, frame], axis=-1)
        return [self.graph([reached, frame], training=False), reached[..., K:]]


class TrainedStacked(Trained):
    """A model under training whose variables are tf_keras's, which its own optimizer moves."""

    def begin(self, plain: keras.Model, hyper: Hyperparameters, steps: int) -> None:
        _, tf_keras = toolkit()
        self.graph = stacked_of(plain).graph
        self.stepper = tf_keras.optimizers.Adam(hyper.learning_rate)
        self.stepper.build(self.graph.trainable_variables)
        # for its own loop; the optimizer that it takes by default has nothing to move
        self.compile()

    @property
    def state(self) -> list:
        return [*self.graph.variables, *self.stepper.variables]

    def train_step(self, data):
        import tensorflow as tf

        given, cells, weight = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(given, cells, self(given, training=True), weight)
        moved = self.graph.trainable_variables
        self.stepper.apply_gradients(zip(tape.gradient(loss, moved), moved, strict=True))
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}


def _plain(weights: dict[str, np.ndarray]):
    """The float step form: [reached (B, 56, 56, 75), kept (B, 56, 56, 25)] -> as kept."""
    _, tf_keras = toolkit()
    layers = tf_keras.layers
    reached, kept = (
        layers.Input((SIZE, SIZE, n * K), name=name)
        for n, name in ((REACHED, "reached"), (1, "kept"))
    )
    size = weights["kernel"].shape[:2]
    convolved = layers.Conv2D(K, size, padding="same", name="conv2d")(reached)
    own = layers.DepthwiseConv2D(1, use_bias=False, name="own")(kept)
    refined = layers.ReLU(name="refined")(layers.Add(name="sum")([convolved, own]))
    plain = tf_keras.Model([reached, kept], refined)
    found = _by_name(plain)
    for name, theirs in NAMES.items():
        found[theirs].assign(weights[name].reshape(found[theirs].shape))
    return plain


def _compare(plain, form: keras.Model) -> None:
    """Raises ClimbEdgeError where `plain` does not give what the step form does."""
    frame, past = (
        np.random.default_rng(0).random(tensor.shape, np.float32) for tensor in form.inputs
    )
    expected = np.asarray(form([frame, past])[0])
    found = plain.predict_on_batch([np.concatenate([past, frame], -1), frame])
    error, scale = np.abs(found - expected).max(), np.abs(expected).max()
    if not error <= CLOSE * scale:
        raise ClimbEdgeError(
            f"--qat tfmot: the weights of {form.name} give other values in tf_keras, {error:.2g}"
            f" apart of {scale:.2g}, {CLOSE} of that allowed; the two versions of Keras do not fit:"
            " run `make tfmot` again"
        )


def _shrunk(kernel: np.ndarray, way: str, number: float) -> np.ndarray:
    """A kernel (5, 5, 75, 25) with many zeros or few values."""
    tfmot, tf_keras = toolkit()
    shape = {"kernel_size": kernel.shape[:2], "input_shape": kernel.shape[:3]}
    layer = tf_keras.layers.Conv2D(kernel.shape[-1], use_bias=False, **shape)
    plain = tf_keras.Sequential([layer])
    plain.set_weights([kernel])
    if way == "prune":
        sparsity = tfmot.sparsity.keras
        schedule = sparsity.ConstantSparsity(number, 0, frequency=1)
        model = sparsity.prune_low_magnitude(plain, schedule)
        step = sparsity.UpdatePruningStep()  # the first step of training cuts all there is to cut
        step.set_model(model)
        step.on_train_begin()
        step.on_train_batch_begin(0)
        model(np.zeros((1, *kernel.shape[:3]), np.float32), training=True)
        step.on_epoch_end(0)
        return sparsity.strip_pruning(model).get_weights()[0]
    clustering = tfmot.clustering.keras
    start = clustering.CentroidInitialization.KMEANS_PLUS_PLUS
    model = clustering.cluster_weights(plain, int(number), cluster_centroids_init=start)
    return clustering.strip_clustering(model).get_weights()[0]


def _quantized(plain, way: str):
    """`plain` with tensorflow-model-optimization around its layers, to compute in 8 bits."""
    tfmot, _ = toolkit()
    schemes, quantization = tfmot.experimental.combine, tfmot.quantization.keras
    if not way:
        return quantization.quantize_model(plain)
    if way == "prune":
        scheme = schemes.Default8BitPrunePreserveQuantizeScheme()
    else:
        scheme = schemes.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=False)
    return quantization.quantize_apply(quantization.quantize_annotate_model(plain), scheme)


def _by_name(model) -> dict[str, object]:
    return {variable.name.removesuffix(":0"): variable for variable in model.variables}


def _folded(window):
    """(B, 5, 56, 56, 25) -> (B 5, 56, 56, 75) and (B 5, 56, 56, 25): every frame with the two
    before it, and alone.
    """
    ops = keras.ops
    past = ops.pad(window, ((0, 0), (REACHED - 1, 0), (0, 0), (0, 0), (0, 0)))
    reached = ops.concatenate([past[:, n : n + WINDOW] for n in range(REACHED)], axis=-1)
    folded = ops.reshape(reached, (-1, SIZE, SIZE, REACHED * K))
    return folded, ops.reshape(window, (-1, SIZE, SIZE, K))
