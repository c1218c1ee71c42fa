"""A .tflite file with its contract inside.

`contract.json` is an uncompressed ZIP entry appended to the graph, the convention of TFLite's
associated files: runtimes ignore it, `unzip -p model.tflite contract.json` prints it. Its hash
covers the graph's bytes in front of it.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

from climb_edge.errors import DAMAGED, ClimbEdgeError
from climb_edge.files.archive import read_member
from climb_edge.files.atomic import existing_file, whole_file
from climb_edge.files.json_file import parse_json
from climb_edge.runtime.contract import Contract

ENTRY = "contract.json"
# bytes; the largest refiner file is far smaller, and a hostile one is not read into memory
MAX_FILE = 256 << 20
MAX_CONTRACT = 4 << 20  # bytes; one has about 10,000


def append_contract(graph: bytes, contract: Contract) -> bytes:
    """The graph's bytes with the contract behind them, its SHA-256 filled in."""
    signed = replace(contract, sha256=hashlib.sha256(graph).hexdigest())
    stream = io.BytesIO(graph)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        # the same bytes on every day
        entry = zipfile.ZipInfo(ENTRY, date_time=(1980, 1, 1, 0, 0, 0))
        archive.writestr(entry, json.dumps(signed.to_json(), indent=1))
    return stream.getvalue()


def write_model(path: str | Path, graph: bytes, contract: Contract) -> None:
    """Write graph and contract as one file, whole or not at all, and read it back."""
    with whole_file(path) as temporary:
        temporary.write_bytes(append_contract(graph, contract))
        read_model(temporary)


def read_model(path: str | Path) -> tuple[bytes, Contract]:
    """(graph bytes, contract) of a file, checked. Raises ClimbEdgeError with the reason it must not
    be run.
    """
    path = existing_file(path, "a .tflite file with a contract")
    if path.stat().st_size > MAX_FILE:
        raise ClimbEdgeError(
            f"{path}: {path.stat().st_size} bytes is no refiner (at most {MAX_FILE}); pass what"
            " `python -m convert` wrote"
        )
    content = path.read_bytes()
    if content[4:8] != b"TFL3":
        found = "an archive of files" if content[:4] == b"PK\x03\x04" else "another kind of file"
        raise ClimbEdgeError(
            f"{path}: expected a TFLite file, found {found}; pass what `python -m convert` wrote"
        )
    again = "convert the run again, or copy the file again"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entry = archive.getinfo(ENTRY)
            loaded = parse_json(read_member(archive, entry, MAX_CONTRACT))
            graph = content[: entry.header_offset]
    except (zipfile.BadZipFile, KeyError) as error:
        raise ClimbEdgeError(
            f"{path}: holds no readable contract ({error}): it is truncated or was not made by"
            f" `python -m convert`; {again}; `python -m convert check` looks at files of others"
        ) from error
    except DAMAGED as error:
        raise ClimbEdgeError(f"{path}: its contract is damaged ({error}); {again}") from error
    contract = Contract.from_json(loaded, path)
    found = hashlib.sha256(graph).hexdigest()
    if contract.sha256 != found:
        raise ClimbEdgeError(
            f"{path}: the graph's SHA-256 is {found[:12]}..., its contract says"
            f" {str(contract.sha256)[:12]}...: the file was changed; {again}"
        )
    return graph, contract
