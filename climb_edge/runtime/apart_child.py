"""Run a graph in this interpreter, whichever environment it belongs to; `runtime/apart.py` starts
this file by its path.

Nothing of the project is imported: the second runtime's environment holds NumPy and that runtime
alone.
"""

import importlib
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np


def run(folder: Path) -> None:
    """Do the job in `folder`, and keep result.json there at what is true so far: the next line may
    be the last.
    """
    job = json.loads((folder / "job.json").read_text())
    interpreter = importlib.import_module(
        job["runtime"].replace("-", "_") + ".interpreter"
    ).Interpreter
    found = {"runtime": f"{job['runtime']} {version(job['runtime'])}"}

    def tell(**news) -> None:
        found.update(news)
        (folder / "news.json").write_text(json.dumps(found))
        os.replace(folder / "news.json", folder / "result.json")

    tell(stage="loading")
    try:
        before, start = peak_memory(), time.perf_counter()
        graph = interpreter(
            model_content=(folder / "graph.tflite").read_bytes(), num_threads=job["threads"]
        )
        graph.allocate_tensors()
        ins, outs = graph.get_input_details(), graph.get_output_details()
        tell(load_ms=1e3 * (time.perf_counter() - start), outputs=len(outs))
        expected, given = [(tuple(d["shape"].tolist()), "float32") for d in ins], []
        for number, count in enumerate(job["runs"]):
            tell(stage=f"run {number}")
            arrays = [np.load(folder / f"in{number}.{i}.npy") for i in range(count)]
            arrays += given[1:] if job["chained"] else []
            if (got := [(a.shape, a.dtype.name) for a in arrays]) != expected:
                raise ValueError(f"expected inputs {expected}, found {got}")
            for detail, array in zip(ins, arrays, strict=True):
                graph.set_tensor(detail["index"], stored(array, detail))
            graph.invoke()
            given = [real(graph.get_tensor(d["index"]), d) for d in outs]
            for i, array in enumerate(given):
                np.save(folder / f"out{number}.{i}.npy", array)
        tell(stage="ending", memory_mb=(peak_memory() - before) / 1e6)
    except (RuntimeError, ValueError) as error:
        tell(refused=" ".join(str(error).split()))


def stored(array: np.ndarray, detail: dict) -> np.ndarray:
    """Float32 values as the tensor holds them: an integer tensor's by its scale and zero point,
    half to even.
    """
    dtype, (scale, zero) = np.dtype(detail["dtype"]), detail["quantization"]
    if dtype == np.float32:
        return array
    if dtype.kind not in "iu" or not scale:
        raise ValueError(
            f"{detail['name']}: expected float32 or integers with a scale, found {dtype.name}"
        )
    limits = np.iinfo(dtype)
    return np.clip(np.rint(array / np.float32(scale)) + zero, limits.min, limits.max).astype(dtype)


def real(array: np.ndarray, detail: dict) -> np.ndarray:
    """What a tensor holds as float32 values; integers without a scale, such as places, stay what
    they count.
    """
    scale, zero = detail["quantization"]
    return (
        np.float32(scale) * (array.astype(np.float32) - zero) if scale else array.astype(np.float32)
    )


def peak_memory() -> int:
    """Peak resident memory of this process in bytes.

    On Linux getrusage would not do: it begins with the peak of the process that started this one.
    """
    try:
        return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    except (OSError, IndexError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
            1 if sys.platform == "darwin" else 1024
        )


if __name__ == "__main__":
    run(Path(sys.argv[1]))
