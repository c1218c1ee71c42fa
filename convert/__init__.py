"""Conversion: a trained run to .tflite files that prove themselves, or a reason why not."""
