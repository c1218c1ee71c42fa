"""What each model costs as a file, as a page."""

from __future__ import annotations

from convert.model_table import RESET, SIZES, STREAM, TIMED, Row


def markdown(rows: list[Row], baselines: dict[str, dict[str, float]]) -> str:
    """The table, as it stands in docs/models.md."""
    lines = [
        "# What each model and form costs as a file",
        "",
        (
            "Seeded random weights, 1 CPU thread, ai-edge-litert; written by `make models`. MMAC,"
            f" milliseconds: of one run, which is a frame of a stream. GPU: {_backend(rows)},"
            " partitions, nodes taken of all, largest error against the CPU. Errors are shares of"
            f" the largest value. step - window: over {STREAM} frames with a reset every {RESET}."
            " naive / best: the converter's own graph of the training form against the fastest"
            " file here. best / limit: the fastest file against the float32 arithmetic limit, its"
            " MMAC at the speed of a plain matrix product on the same core (int8 can be under it)."
            " int8 / limit: the int8 file against the integer one, the same product in int8."
        ),
        "",
        (
            "| model | form | parameters | MMAC | ops | GPU float32 | GPU float16 | file - Keras |"
            " step - window | kB f32 / f16 / dyn8 | ms f32 | ms f16 | ms dyn8 | ms int8 | naive /"
            " best | best / limit | int8 / limit |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        base = baselines[row.model]
        best = min(row.ms.values())
        stream = "" if row.stream_error is None else f"{row.stream_error:.1e}"
        least, integer = (row.macs / base[limit] / 1e6 for limit in ("limit", "int8_limit"))
        slower = f"{row.ms['int8'] / integer:.1f}" if "int8" in row.ms else ""
        lines.append(
            f"| {row.model} | {row.form} | {row.parameters:,} | {row.macs / 1e6:,.0f} |"
            f" {row.ops}{' BROKEN' if row.broken else ''} | {_gpu_cell(row.gpu.get('float32'))} |"
            f" {_gpu_cell(row.gpu.get('float16'))} | {row.error:.1e} | {stream} | "
            + " / ".join(f"{row.bytes[recipe] / 1000:.0f}" for recipe in SIZES)
            + " | "
            + " | ".join(f"{row.ms[recipe]:.2f}" if recipe in row.ms else "" for recipe in TIMED)
            + f" | {base['naive'] / best:.1f} | {best / least:.1f} | {slower} |"
        )
    lines += [
        "",
        "Baselines of the same run, 1 thread:",
        "",
        (
            "| model | naive conversion, ms | window-all, ms | matrix product, GMAC/s | in int8,"
            " GMAC/s |"
        ),
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {b['naive']:.1f} | {b['all']:.1f} | {b['limit']:.0f} | {b['int8_limit']:.0f} |"
        for name, b in baselines.items()
    ]
    return "\n".join(lines)


def _backend(rows: list[Row]) -> str:
    found = {gpu["backend"] for row in rows for gpu in row.gpu.values() if gpu["status"] == "ran"}
    return ", ".join(sorted(found)) or "not run"


def _gpu_cell(found: dict | None) -> str:
    if found is None:
        return "not run"
    if found["status"] != "ran":
        return found["status"]
    return (
        f"{found['partitions']} partition, {found['nodes']}/{found['total']},"
        f" {found['max_error']:.1e}"
    )


def failures(rows: list[Row]) -> list[str]:
    """What breaks a gate: graph rules, numbers, GPU residency. Skipped GPU runs break none."""
    found = []
    for row in rows:
        label = f"{row.model} {row.form}"
        found += [f"{label}: {rule}" for rule in row.broken]
        if not (row.error <= 1e-5 and (row.stream_error or 0) <= 1e-5):
            found.append(
                f"{label}: file {row.error:.1e} from Keras, step {row.stream_error} from window,"
                " 1e-5 allowed"
            )
        for recipe, gpu in row.gpu.items():
            bar = {"float32": 1e-5, "float16": 1e-3}[recipe]
            if gpu["status"] == "skipped":
                continue
            if gpu["status"] != "ran":
                found.append(
                    f"{label} {recipe}: {gpu['status']} on {gpu['backend'] or 'GPU'}:"
                    f" {gpu['reason']}"
                )
            elif (
                gpu["partitions"] != 1
                or gpu["nodes"] != gpu["total"]
                or not gpu["max_error"] <= bar
            ):
                found.append(
                    f"{label} {recipe}: on GPU {_gpu_cell(gpu)}; 1 partition, all nodes, {bar:g}"
                    " expected"
                )
    return found
