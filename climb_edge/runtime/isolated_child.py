"""Do a job of `isolated.py` in this process, whichever Python it is: run a graph on CPU or GPU.

It is started by its path and imports nothing of the project: the second runtime's environment
holds NumPy and that runtime alone. `backend.py` uses `Gpu` too, for a graph that has passed here.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np

MOST_OUTPUT = 1 << 30  # bytes of a run: who started this process reads them all


def run(folder: Path) -> None:
    """Do the job in `folder`, and keep result.json there at what is true so far: the next line may
    be the last.
    """
    job, found = json.loads((folder / "job.json").read_text()), {}

    def tell(**news) -> None:
        found.update(news)
        (folder / "news.json").write_text(json.dumps(found))
        os.replace(folder / "news.json", folder / "result.json")

    try:
        load = _on_gpu if job["device"] == "gpu" else _on_cpu
        graph, before = load(folder / "graph.tflite", job, tell)
        seconds: list[float] = []
        given: list[np.ndarray] = []
        for number, count in enumerate(job["runs"]):
            tell(stage=f"run {number}")
            arrays = [np.load(folder / f"in{number}.{i}.npy") for i in range(count)]
            arrays += given[1:] if job["chained"] else []
            got = [(a.shape, a.dtype.name) for a in arrays]
            if graph.expected is not None and got != graph.expected:
                tell(unfit=True)
                raise ValueError(f"expected inputs {graph.expected}, found {got}")
            start = time.perf_counter()
            given = graph.run(arrays)
            seconds.append(time.perf_counter() - start)
            if (size := sum(array.nbytes for array in given)) > MOST_OUTPUT:
                raise ValueError(f"{size} bytes of output, at most {MOST_OUTPUT} are taken")
            for i, array in enumerate(given):
                np.save(folder / f"out{number}.{i}.npy", array)
        memory = (peak_memory() - before) / 1e6
        tell(stage="ending", outputs=len(given), seconds=seconds, memory_mb=memory)
    except (RuntimeError, ValueError) as error:
        tell(refused=" ".join(str(error).split()))


def _on_cpu(path: Path, job: dict, tell: Callable) -> tuple["Cpu | Foreign", int]:
    """(the loaded graph, peak memory before it was loaded)."""
    module = job["runtime"].replace("-", "_") + ".interpreter"
    interpreter = importlib.import_module(module).Interpreter
    tell(stage="loading", runtime=f"{job['runtime']} {version(job['runtime'])}")
    _limit_memory(job["memory"])
    before, start = peak_memory(), time.perf_counter()
    loaded = interpreter(model_content=path.read_bytes(), num_threads=job["threads"])
    graph = Foreign(loaded, *job["entry"]) if job["entry"] else Cpu(loaded)
    tell(load_ms=1e3 * (time.perf_counter() - start))
    return graph, before


def _on_gpu(path: Path, job: dict, tell: Callable) -> tuple["Gpu", int]:
    """(the compiled graph, peak memory before it was compiled)."""
    try:
        from ai_edge_litert import compiled_model, options  # noqa: F401 (used by Gpu)
        from ai_edge_litert import schema_py_generated as schema
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        tell(skipped=f"this LiteRT has no GPU accelerator ({error}); update it")
        sys.exit()
    tell(stage="reading the graph")
    before, content = peak_memory(), path.read_bytes()
    order = Interpreter(model_content=content)  # runs nothing
    model = schema.Model.GetRootAs(content)
    parts = [model.Subgraphs(i).OperatorsLength() for i in range(model.SubgraphsLength())]
    tell(stage="compiling for the GPU", total=sum(parts))
    graph = Gpu(content, order.get_input_details(), order.get_output_details())
    tell(fully=graph.fully)
    return graph, before


class Cpu:
    """A graph in a runtime's `interpreter`: float32 in and out, whatever its tensors hold."""

    def __init__(self, interpreter):
        interpreter.allocate_tensors()
        self._interpreter = interpreter
        self._inputs = interpreter.get_input_details()
        self._outputs = interpreter.get_output_details()
        self.expected = [(tuple(d["shape"].tolist()), "float32") for d in self._inputs]

    def run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """One array per output, of one per input. Raises ValueError for a tensor of no known
        meaning.
        """
        for detail, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(detail["index"], stored(array, detail))
        self._interpreter.invoke()
        return [real(self._interpreter.get_tensor(d["index"]), d) for d in self._outputs]


class Foreign:
    """A graph of which only the file tells what it takes: signature `key` of it, or where that is
    None its first subgraph, with arrays of the tensors' own types, one for each of `names`.
    """

    expected = None

    def __init__(self, interpreter, key: str | None, names: list[str]):
        self._interpreter, self._key, self._names = interpreter, key, names
        interpreter.allocate_tensors()

    def run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """One array per output, text as bytes."""
        if self._key is not None:
            runner = self._interpreter.get_signature_runner(self._key)
            given = runner(**dict(zip(self._names, arrays, strict=True))).values()
        else:
            for detail, array in zip(self._interpreter.get_input_details(), arrays, strict=True):
                self._interpreter.set_tensor(detail["index"], array)
            self._interpreter.invoke()
            leaving = self._interpreter.get_output_details()
            given = [self._interpreter.get_tensor(detail["index"]) for detail in leaving]
        return [a.astype(bytes) if a.dtype.kind == "O" else a for a in map(np.asarray, given)]


class Gpu:
    """A graph compiled for the GPU alone, in float32, by LiteRT's WebGPU accelerator, which refuses
    it if any node were left to the CPU.

    `inputs` and `outputs` are the Interpreter's details, whose order is kept; `fully` is LiteRT's
    own word on whether nothing is left to the CPU. Raises RuntimeError or ValueError where LiteRT
    refuses the graph.
    """

    def __init__(self, graph: bytes, inputs: list[dict], outputs: list[dict]):
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.options import GpuOptions, HardwareAccelerator, Options

        self._graph = graph  # the model reads its weights here
        options = Options(HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
        self._model = model = CompiledModel.from_buffer(graph, options=options)
        self.fully = model.is_fully_accelerated()
        self.expected = [(tuple(d["shape"].tolist()), np.dtype(d["dtype"]).name) for d in inputs]
        key, names = next(iter(model.get_signature_list().items()))
        self._entries, self._exits = model.create_input_buffers(0), model.create_output_buffers(0)
        entering, leaving = (
            model.get_input_tensor_details(key),
            model.get_output_tensor_details(key),
        )
        self._writes = _in_order(inputs, self._entries, names["inputs"], entering)
        self._reads = _in_order(outputs, self._exits, names["outputs"], leaving)
        self._outputs = outputs

    def run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """One array per output, of one per input. Raises RuntimeError where the GPU fails,
        ValueError on shapes.
        """
        for buffer, array, (shape, kind) in zip(self._writes, arrays, self.expected, strict=True):
            if (array.shape, array.dtype.name) != (shape, kind):  # LiteRT would not notice
                raise ValueError(f"expected {kind} {shape}, found {array.dtype} {array.shape}")
            buffer.write(np.ascontiguousarray(array))
        self._model.run_by_index(0, self._entries, self._exits)
        return [
            buffer.read(d["shape"].prod(), d["dtype"]).reshape(d["shape"])
            for buffer, d in zip(self._reads, self._outputs, strict=True)
        ]


def _in_order(details: list[dict], buffers: list, names: list[str], compiled: dict) -> list:
    """The buffer of each of the Interpreter's `details`; `buffers` follow the signature's `names`,
    an order of its own.
    """
    tensors = [compiled[name]["index"] for name in names]
    return [buffers[tensors.index(detail["index"])] for detail in details]


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


def _limit_memory(most: int) -> None:
    """Let this process take `most` bytes of addresses: a graph that asks for more fails alone."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


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
