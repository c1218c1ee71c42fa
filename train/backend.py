"""Keras, imported quietly: `from train.backend import keras` is how every part of training
gets it.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow takes oneDNN by itself only where a CPU has AVX-512; with AVX2 alone it makes Conv3D's
# steps half as long too.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def _import():
    """Import Keras with standard error closed: its backend writes notes on its build before any
    switch of its works.

    An import that fails raises as ever.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import keras

        return keras
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


keras = _import()
