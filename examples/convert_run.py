"""Convert a run and read the report: python examples/convert_run.py [RUN]

Without a run, the one of train_refiner.py is taken.
"""

import sys

import convert

run = sys.argv[1] if len(sys.argv) > 1 else "out/examples/run"
report = convert.convert(
    run=run,
    form=["step-newest"],
    recipe=["float16"],
    skip=["gpu", "second", "speed"],
    out="out/examples/converted",
)
for file in report["files"]:
    print(f"{file['file']}: {file['verdict']}, {file['bytes'] / 1000:.0f} kB")
    print("\n".join(f"  {reason}" for reason in file["reasons"]))
print("open out/examples/converted/report.html")
