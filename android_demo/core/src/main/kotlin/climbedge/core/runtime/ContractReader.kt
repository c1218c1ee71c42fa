package climbedge.core.runtime

import climbedge.core.ClimbEdgeError
import climbedge.core.pose.Maps
import climbedge.core.pose.Skeleton
import climbedge.core.runtime.Contract.Companion.EMITS
import climbedge.core.runtime.Contract.Companion.FORMS
import climbedge.core.runtime.Contract.Companion.GOLDEN_STEPS
import climbedge.core.runtime.Contract.Companion.IO
import climbedge.core.runtime.Contract.Companion.MAX_STATE
import climbedge.core.runtime.Contract.Companion.MAX_TENSORS
import climbedge.core.runtime.Contract.Companion.OUTPUTS
import climbedge.core.runtime.Contract.Companion.WINDOW

/** A contract's JSON, checked key by key: what this code cannot meet is refused with the reason. */
class ContractReader(private val file: String, private val json: Map<*, *>) {
    fun read(): Contract {
        need("skeleton", json["skeleton"] == Skeleton.KEYPOINTS, "the ${Skeleton.K} keypoints of its own order")
        val form = among("form", FORMS.keys)
        val emits = among("emits", FORMS.getValue(form))
        val output = among("output", OUTPUTS)
        val heatmaps = output == "heatmaps"
        need("decode", json["decode"] == (if (heatmaps) "dark" else null), "dark for heatmaps, null for keypoints")
        val normalisation = json["normalisation"] as? Map<*, *>
        val expected = normalisation?.size == 2 && number(normalisation["sum"]) == Maps.MASS && number(normalisation["negatives"]) == 0.0
        need("normalisation", expected, "heatmaps that sum to ${Maps.MASS}")
        val state = state()
        need("state", state != null && (state.isEmpty() || form == "step"), "named 4-D tensors of the step form")
        val kept = state!!.map { it.shape }
        need("peaks", "peaks" !in json || json["peaks"] is Boolean, "true or false")
        val peaks = json["peaks"] == true
        val inputs = shapes("inputs", entering(form, peaks) + kept)
        val leaving = leaving(output, EMITS.getValue(emits))
        val outputs = shapes("outputs", listOf(leaving) + kept)
        val io = among("io", IO)
        val checks = json["checks"] as? Map<*, *>
        need("checks", checks?.get("verdict") is String, "the verdict of the checks")
        val peak = json["peak"] as? Double
        need("peak", if (heatmaps) peak != null && peak > 0 && peak <= Maps.MASS else json["peak"] == null, "a full-score peak of 0 to ${Maps.MASS} for heatmaps, null for keypoints")
        val fps = number(json["fps"])
        need("fps", json["fps"] == null || (fps != null && fps in 1.0..1000.0), "frames a second of 1 to 1000, or null")
        val golden = golden(leaving.fold(1, Int::times))
        need("golden", golden != null, "samples of a golden test to repeat")
        return Contract(
            text("model"), text("recipe"), form, emits, output, peaks, state, inputs, outputs, io, peak, fps, golden!!,
            checks!!["verdict"] as String, (checks["reasons"] as? List<*>).orEmpty().map(Any?::toString), text("runtime"), text("sha256"),
        )
    }

    private fun need(key: String, met: Boolean, expected: String) {
        if (!met) throw ClimbEdgeError(
            "$file: its contract asks for $key = ${json[key].toString().take(60)}, this app has $expected; use the release that wrote it",
        )
    }

    private fun among(key: String, known: Collection<String>): String {
        need(key, json[key] in known, "one of ${known.joinToString()}")
        return json[key] as String
    }

    private fun shapes(key: String, expected: List<List<Int>>): List<List<Int>> {
        need(key, (json[key] as? List<*>)?.map { ints(it) } == expected, "$expected")
        return expected
    }

    private fun state(): List<StateTensor>? {
        val list = json["state"] as? List<*> ?: return null
        val tensors = list.map { entry ->
            val tensor = entry as? Map<*, *> ?: return null
            val shape = ints(tensor["shape"]) ?: return null
            val name = tensor["name"] as? String ?: return null
            val size = shape.fold(1L) { product, n -> if (product > MAX_STATE) product else product * n }
            if (shape.size != 4 || shape[0] != 1 || shape.any { it < 1 } || size > MAX_STATE) return null
            StateTensor(name, shape)
        }
        return tensors.takeIf { it.size <= MAX_TENSORS }
    }

    private fun golden(size: Int): GoldenTest? {
        val golden = json["golden"] as? Map<*, *> ?: return null
        val samples = (golden["samples"] as? List<*>).orEmpty().map { row ->
            val (step, index, value) = (row as? List<*>)?.takeIf { it.size == 3 } ?: return null
            if (step !is Long || index !is Long || step !in 0 until GOLDEN_STEPS || index !in 0 until size) return null
            GoldenSample(step.toInt(), index.toInt(), number(value) ?: return null)
        }
        if (samples.isEmpty()) return null
        return GoldenTest(number(golden["tolerance"]) ?: return null, number(golden["scale"]) ?: return null, samples)
    }

    private fun text(key: String): String = json[key] as? String ?: "unknown"

    private fun number(value: Any?): Double? = (value as? Number)?.toDouble()?.takeIf { it.isFinite() }

    private fun ints(value: Any?): List<Int>? =
        (value as? List<*>)?.map { n -> (n as? Long)?.takeIf { it in 0..Int.MAX_VALUE }?.toInt() ?: return null }

    companion object {
        /** Shapes of what enters a graph before its state: maps of T frames, and their peaks where it asks for them. */
        fun entering(form: String, peaks: Boolean): List<List<Int>> {
            val frames = if (form == "window") WINDOW else 1
            val maps = listOf(1, Maps.SIZE, Maps.SIZE, frames * Skeleton.K)
            return if (peaks) listOf(maps, listOf(1, 1, frames, Skeleton.K)) else listOf(maps)
        }

        /** Shape of what a graph emits. */
        fun leaving(output: String, frames: Int): List<Int> =
            if (output == "heatmaps") listOf(1, Maps.SIZE, Maps.SIZE, frames * Skeleton.K) else listOf(1, frames, Skeleton.K, 3)
    }
}
