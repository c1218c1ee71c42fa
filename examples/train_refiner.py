"""Train a refiner from nothing but generated climbing: python examples/train_refiner.py

With videos of your own: train.annotate(videos=[...], out="clips.npz"), then
train.finetune(data="clips.npz", videos=FOLDER, out="runs/mine").
"""

import train

metrics = train.pretrain(
    model="joint_mixer",
    init="shipped",
    data="generated",
    clips=24,
    epochs=1,
    steps_per_epoch=10,
    split="by-video",
    out="out/examples/run",
)
for name, row in metrics["parts"]["test"].items():
    value, low, high = row["ours"]["pooled"]["0.1"]
    print(f"{name:9} PCK@0.1 {value:.1%} ({low:.1%} to {high:.1%}), {metrics['truth']} truth")
