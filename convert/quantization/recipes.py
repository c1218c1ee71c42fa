"""Quantization recipes: what each promises, how far it may fall behind float, whom it suits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from climb_edge.errors import ClimbEdgeError, did_you_mean

EDGE, TENSORFLOW = "ai-edge-quantizer", "tensorflow"


@dataclass(frozen=True)
class Recipe:
    """`weights` and `activations`: the types that every weighted op of the file must have."""

    name: str
    weights: str
    activations: str
    # PCK threshold -> points that the bad end of the drop's interval may reach
    bars: dict[str, float]
    worst_keypoint: float | None  # points that a single keypoint may surely fall
    # of the scale: what any value may differ from the Keras model by; None: PCK and gain decide
    error: float | None
    gpu: float  # of the scale: what the GPU may differ from the CPU by
    golden_tolerance: float  # of the golden outputs' scale, between runtimes
    # else a file that the GPU refuses or computes wrongly is for the CPU alone
    gpu_needed: bool = False
    calibrated: bool = False
    aware: str = ""  # of a run of `train finetune --qat` with this: its weights and its ranges
    io: str = "float32"  # type of what goes in and comes out
    quantizers: tuple[str, ...] = (EDGE, TENSORFLOW)

    @property
    def shrinks(self) -> bool:
        """Whether the weights must be much smaller than float ones."""
        return self.weights in ("INT8", "INT4")


_FLOAT, _INT8 = ({"0.05": a, "0.1": b, "0.2": c} for a, b, c in ((0.2, 0.1, 0.1), (1.0, 0.5, 0.2)))
_STEPS = 2 / 127  # two steps of an int8 range
_float32 = Recipe("float32", "FLOAT32", "FLOAT32", _FLOAT, None, 1e-5, 1e-5, 1e-4, gpu_needed=True)
_dynamic = Recipe("dynamic_int8", "INT8", "FLOAT32", _INT8, 2.0, None, 1e-2, 5e-2)
_int8 = Recipe("int8", "INT8", "INT8", _INT8, 2.0, None, _STEPS, 5e-2, calibrated=True)
_trained = replace(_int8, calibrated=False, quantizers=(TENSORFLOW,))
RECIPES = {
    r.name: r
    for r in (
        replace(_float32, quantizers=("none",)),
        Recipe("float16", "FLOAT16", "FLOAT32", _FLOAT, None, 5e-3, 1e-3, 2e-3, gpu_needed=True),
        _dynamic,
        _int8,
        replace(_int8, name="int8_io", io="int8"),
        replace(_int8, name="int8_mixed", quantizers=(EDGE,)),
        replace(_trained, name="qat_int8", aware="int8"),
        replace(_trained, name="tfmot_int8", aware="tfmot"),
        replace(_dynamic, name="int4_weights", weights="INT4", quantizers=(EDGE,)),
    )
}
DEFAULT = ("float32", "float16", "dynamic_int8", "int8")
MAX_WEIGHT_RATIO = 0.30  # quantized against float weights, bytes
# share of a quantization-aware file's values that lie within a step of what training saw
KEPT = 0.999
MAX_GAIN = 0.05  # how far the slope of a file's values over the Keras model's may lie from 1


@dataclass(frozen=True)
class Support:
    """What is known of a recipe for some models and forms beforehand; an empty tuple means all."""

    models: tuple[str, ...]
    recipes: tuple[str, ...]
    reason: str
    status: str = "refused"  # not made without --force; warned: made, and the reason said
    forms: tuple[str, ...] = ()

    def covers(self, model: str, form: str, recipe: str) -> bool:
        cases = ((model, self.models), (form, self.forms), (recipe, self.recipes))
        return all(x in xs or not xs for x, xs in cases)


_CONVLSTMS = ("convlstm_sum", "convlstm_concat")
# The first that covers a case decides; what none covers is supported.
SUPPORT = (
    Support(("identity",), (), "has no graph: it is a refiner of the runtime"),
    Support(
        ("deciwatch",),
        ("int8", "int8_io"),
        "the runtime aborts while it prepares the graph, of either quantizer; of an older"
        " quantizer's the GPU gave zeros",
    ),
    Support(
        ("deciwatch",),
        ("int8_mixed",),
        "with every kind of op in float but its products it is 0.26 cells from float, at the size"
        " of dynamic_int8",
    ),
    Support(("deciwatch",), ("int4_weights",), "PCK@0.05 falls by 29 points"),
    Support(_CONVLSTMS, ("int4_weights",), "24 % of the maxima move"),
    Support(
        ("joint_mixer",),
        ("int8", "int8_io"),
        "the runtime refuses its quantized division; 8 bits of a box are steps of 0.2 cells",
    ),
    Support(("joint_mixer",), ("qat_int8",), "has no graph of int8 arithmetic to train for"),
    Support(
        ("joint_mixer",),
        ("int4_weights",),
        "not shown: of 60 clips the interval reaches -0.5 points at @0.1 and at @0.2; 99 kB where"
        " dynamic_int8 has 116",
        "warned",
    ),
    Support(
        ("deciwatch", "joint_mixer", *_CONVLSTMS),
        ("tfmot_int8",),
        "tensorflow-model-optimization takes plain layers of tf_keras alone: --qat int8 trains it,"
        " except the joint mixer",
    ),
    Support(
        ("conv3d",),
        ("tfmot_int8",),
        "tensorflow-model-optimization trains the newest frame of conv3d, as step-newest",
        forms=("window-all", "window-newest", "window-centre", "step-centre"),
    ),
    Support(
        ("conv3d",),
        ("int4_weights",),
        "single keypoints fall by 3 points at @0.1; slower than float on x86",
        "warned",
    ),
)


def support(model: str, form: str, recipe: str) -> tuple[str, str]:
    """(status, reason) of a recipe: supported, warned or refused."""
    return next(
        ((s.status, s.reason) for s in SUPPORT if s.covers(model, form, recipe)), ("supported", "")
    )


def suited(recipe: Recipe, model: str) -> Recipe:
    """A recipe as a model can have it: where int8 activations abort the runtime, a trained file has
    int8 weights alone.
    """
    if recipe.aware and support(model, "", "int8")[0] == "refused":
        return replace(
            recipe, activations="FLOAT32", gpu=RECIPES["dynamic_int8"].gpu, quantizers=(EDGE,)
        )
    return recipe


def choose(
    names: Iterable[str] | None,
    model: str,
    forms: Iterable[str],
    force: bool = False,
    aware: Iterable[str] = (),
) -> tuple[list[Recipe], list[str]]:
    """(recipes by name, "all" or the default ones; sentences on those left out and on those made
    with a warning).

    What is named and refused raises ClimbEdgeError, unless `force`, as does an unknown name; what
    is refused and comes by default or by "all" is left out. `aware`: what `--qat` said of the runs
    at hand that were trained for integer arithmetic, which some recipes need.
    """
    names, forms, at_hand = list(names or ()), list(forms), ("", *aware)
    possible = [r.name for r in RECIPES.values() if r.aware in at_hand]
    usual = [n for n in possible if n in DEFAULT or RECIPES[n].aware]
    wanted = possible if "all" in names else names or usual
    for name in wanted:
        if name not in RECIPES:
            raise ClimbEdgeError(
                f"recipe {name!r}: expected one of {', '.join(RECIPES)} or"
                f" all{did_you_mean(name, RECIPES)}"
            )
    if unseen := [n for n in wanted if n not in possible]:
        raise ClimbEdgeError(
            f"recipe {unseen[0]!r}: expected a run of `python -m train finetune --qat"
            f" {RECIPES[unseen[0]].aware}`, found none; train on from the float one with --init and"
            " name it, or add it as --qat-run; or choose int8, quantized after training"
        )
    known = {n: [(f, *support(model, f, n)) for f in forms] for n in wanted}
    partly = {n: {f: why for f, s, why in of if s == "refused"} for n, of in known.items()}
    refused = {n: why for n, of in partly.items() if len(of) == len(forms) for why in of.values()}
    for name, reason in refused.items():
        if name in names and not force:
            raise ClimbEdgeError(
                f"recipe {name!r}: refused for {model}: {reason}; choose another, or --force it"
            )
    chosen = [
        suited(RECIPES[n], model) for n in wanted if n not in refused or (force and n in names)
    ]
    left = {n: why for n, why in refused.items() if n not in [r.name for r in chosen]}
    said = [f"{model} {n}: left out: {why}" for n, why in left.items()]
    kept = {n: of for n, of in known.items() if n not in refused}
    for n in kept:
        said += [f"{model} {n} as {f}: left out: {why}" for f, why in partly[n].items()]
    warned = {n: why for n, of in kept.items() for _, s, why in of if s == "warned"}
    return chosen, said + [f"{model} {n}: warning: {why}" for n, why in warned.items()]
