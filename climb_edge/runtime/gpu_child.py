"""What runs in the child process of `isolated.run_on_gpu`: load a graph on the GPU, run it, write
what it gave.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from climb_edge.files.atomic import write_json

# What is read in the child's log: its own stages, what is routine in LiteRT's, a delegate's start
# and its refusal.
_STAGE = "climb-edge stage: "


def _child(folder: Path) -> dict:
    """Load and run the job in `folder`, write the outputs there and return the rest. May die at any
    line.
    """
    found = {
        "status": "refused",
        "reason": "",
        "fully": False,
        "total": None,
        "outputs": 0,
        "seconds": [],
    }
    try:
        from ai_edge_litert import schema_py_generated as schema
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.interpreter import Interpreter
        from ai_edge_litert.options import GpuOptions, HardwareAccelerator, Options
    except ImportError as error:
        return found | {
            "status": "skipped",
            "reason": f"this LiteRT has no GPU accelerator ({error}); update it",
        }
    path, job = folder / "graph.tflite", json.loads((folder / "job.json").read_text())
    try:
        print(f"{_STAGE}reading the graph", file=sys.stderr)
        order = Interpreter(str(path))  # runs nothing
        ins, outs = order.get_input_details(), order.get_output_details()
        model = schema.Model.GetRootAs(path.read_bytes())
        found |= {
            "total": sum(
                model.Subgraphs(i).OperatorsLength() for i in range(model.SubgraphsLength())
            )
        }
        print(f"{_STAGE}compiling for the GPU", file=sys.stderr)
        # GPU alone: LiteRT then refuses a graph of which any node would be left to the CPU.
        options = Options(HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True))
        gpu = CompiledModel.from_file(str(path), options=options)
        found |= {"fully": gpu.is_fully_accelerated(), "outputs": len(outs)}
        key, names = next(iter(gpu.get_signature_list().items()))
        entries, exits = gpu.create_input_buffers(0), gpu.create_output_buffers(0)
        writes = in_order(ins, entries, names["inputs"], gpu.get_input_tensor_details(key))
        reads = in_order(outs, exits, names["outputs"], gpu.get_output_tensor_details(key))
        expected = [(tuple(d["shape"].tolist()), np.dtype(d["dtype"]).name) for d in ins]
        given = []
        for run, count in enumerate(job["runs"]):
            print(f"{_STAGE}in run {run}", file=sys.stderr)
            arrays = [np.load(folder / f"in{run}.{i}.npy") for i in range(count)]
            arrays += given[1:] if job["chained"] else []
            if (got := [(a.shape, a.dtype.name) for a in arrays]) != expected:
                return found | {
                    "status": "unfit",
                    "reason": f"run {run}: expected inputs {expected}, found {got}",
                }
            start = time.perf_counter()
            for (buffer, _), array in zip(writes, arrays, strict=True):
                buffer.write(array)
            gpu.run_by_index(0, entries, exits)
            given = [
                buffer.read(d["shape"].prod(), d["dtype"]).reshape(d["shape"])
                for buffer, d in reads
            ]
            found["seconds"].append(time.perf_counter() - start)
            for i, array in enumerate(given):
                np.save(folder / f"out{run}.{i}.npy", array)
    except (RuntimeError, ValueError) as error:
        return found | {"reason": " ".join(str(error).split())}
    return found | {"status": "ran"}


def in_order(details: list[dict], buffers: list, names: list[str], compiled: dict) -> list[tuple]:
    """The buffer of each of the Interpreter's `details`; `buffers` follow the signature's `names`,
    an order of its own.
    """
    tensors = [compiled[name]["index"] for name in names]
    return [(buffers[tensors.index(detail["index"])], detail) for detail in details]


if __name__ == "__main__":
    write_json(Path(sys.argv[1], "result.json"), _child(Path(sys.argv[1])))
