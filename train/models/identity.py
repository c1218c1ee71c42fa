"""Identity: the output is the input; the baseline of every table, and a refiner of the runtime."""

from __future__ import annotations

from climb_edge.pose.boxes import SIZE
from climb_edge.pose.layout import WINDOW
from climb_edge.pose.skeleton import K
from train.backend import keras
from train.layers.float import EMITTED, frames_of, step_inputs, window_input
from train.models.base import Model


class Identity(Model):
    """A model without weights."""

    name, reads, output, parameters = "identity", "heatmaps", "heatmaps", 0
    loss = "cross_entropy"
    unaware = "it has no weights and no recipes"

    def build(self) -> keras.Model:
        window = keras.Input((WINDOW, SIZE, SIZE, K), name="window")
        return keras.Model(window, keras.layers.Identity()(window), name=self.name)

    def pass_through(self, model: keras.Model) -> bool:
        return True

    def form(self, model: keras.Model, form: str, emits: str) -> keras.Model:
        name = f"{self.name}_{form}_{emits}"
        if form == "window":
            window, emitted = window_input(), EMITTED[emits]
            kept = keras.layers.Identity()(frames_of(window, emitted[0], emitted[-1] + 1))
            return keras.Model([window], kept, name=name)
        if emits == "newest":
            (frame,) = step_inputs({})
            return keras.Model([frame], [keras.layers.Identity()(frame)], name=name)
        frame, last, before = step_inputs({"frame_1": (SIZE, SIZE, K), "frame_2": (SIZE, SIZE, K)})
        return keras.Model([frame, last, before], [before, frame, last], name=name)

    def form_parameters(self, form: str, emits: str) -> int:
        return 0


REFINERS = (Identity(),)
