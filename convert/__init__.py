"""Turn training runs into .tflite files that prove themselves.

import convert
convert.convert(run="runs/mine", out="out/mine")
"""

from convert.api import check, convert
from convert.config import Check, Convert

__all__ = ["Check", "Convert", "check", "convert"]
