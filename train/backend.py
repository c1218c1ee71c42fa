"""Keras, imported quietly: `from train.backend import keras` is how every part of training
gets it.
"""

from __future__ import annotations

import os

from climb_edge.runtime.native_log import only_errors

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what goes wrong is raised
# TensorFlow takes oneDNN by itself only where a CPU has AVX-512; with AVX2 alone it makes Conv3D's
# steps half as long too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

with only_errors():  # what comes before TensorFlow has read the switch
    import keras

__all__ = ["keras"]
