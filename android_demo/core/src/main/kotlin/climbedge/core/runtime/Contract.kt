package climbedge.core.runtime

/** A tensor that a step graph hands to its next run. */
data class StateTensor(val name: String, val shape: List<Int>) {
    val size get() = shape.fold(1, Int::times)
}

/** One value that a graph must give on the golden input. */
data class GoldenSample(val step: Int, val index: Int, val value: Double)

data class GoldenTest(val tolerance: Double, val scale: Double, val samples: List<GoldenSample>)

/** What a .tflite needs and promises, checked: this code can meet it. */
data class Contract(
    val model: String,
    val recipe: String,
    val form: String,
    val emits: String,
    val output: String,
    val peaks: Boolean,
    val state: List<StateTensor>,
    val inputs: List<List<Int>>,
    val outputs: List<List<Int>>,
    val io: String,
    val peak: Double?,
    val fps: Double?,
    val golden: GoldenTest,
    val verdict: String,
    val reasons: List<String>,
    val runtime: String,
    val sha256: String,
) {
    val stepping get() = form == "step"
    val heatmaps get() = output == "heatmaps"

    /** Frames that a run gives. */
    val emitted get() = EMITS.getValue(emits)

    /** Frames between the newest one and the one that comes out. */
    val delay get() = if (emits == "newest") 0 else WINDOW / 2

    companion object {
        const val VERSION = 3L
        const val WINDOW = 5
        const val GOLDEN_STEPS = 8
        const val MAX_STATE = 16 shl 20 // values of one tensor of the state
        const val MAX_TENSORS = 64 // of the state
        val EMITS = mapOf("all" to WINDOW, "newest" to 1, "centre" to 1)
        val FORMS = mapOf("window" to listOf("all", "newest", "centre"), "step" to listOf("newest", "centre"))
        val OUTPUTS = listOf("heatmaps", "keypoints")
        val IO = listOf("float32", "int8")
    }
}
