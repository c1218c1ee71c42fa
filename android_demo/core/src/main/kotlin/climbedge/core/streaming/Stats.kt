package climbedge.core.streaming

import climbedge.core.Recent

/** Median and 95th percentile of each stage over the last frames, and frames a second. Belongs to one thread. */
class Stats(private val most: Int = 90) {
    private val stages = LinkedHashMap<String, Recent<Double>>()
    private val ends = Recent<Long>(most)

    fun add(lap: Map<String, Double>, now: Long = System.nanoTime()) {
        for ((stage, ms) in lap) stages.getOrPut(stage) { Recent(most) }.add(ms)
        ends.add(now)
    }

    val fps: Double get() = if (ends.size < 2) 0.0 else (ends.size - 1) * 1e9 / (ends.last() - ends.first()).coerceAtLeast(1)

    /** (stage, median, 95th percentile) in milliseconds, in the chain's order. */
    fun rows(): List<Row> = stages.entries.sortedBy { (name, _) -> STAGES.indexOf(name).let { if (it < 0) STAGES.size else it } }
        .map { (name, values) -> Row(name, percentile(values, 50.0), percentile(values, 95.0)) }

    class Row(val stage: String, val median: Double, val p95: Double)

    companion object {
        /** The stages' names and order, here, in Python and in the browser. */
        val STAGES = listOf("capture", "detect", "crop", "landmarks", "observe", "warp", "refine", "decode", "stream", "draw")

        /** Between the two nearest values, as NumPy does. */
        fun percentile(values: List<Double>, percent: Double): Double {
            val sorted = values.sorted()
            val at = (sorted.size - 1) * percent / 100
            val low = at.toInt()
            return sorted[low] + (at - low) * (sorted[minOf(low + 1, sorted.size - 1)] - sorted[low])
        }
    }
}
