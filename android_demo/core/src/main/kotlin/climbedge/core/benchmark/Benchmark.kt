package climbedge.core.benchmark

import climbedge.core.files.Json
import climbedge.core.runtime.TfLiteSession
import climbedge.core.streaming.Stats

/** Frames of a chain, timed, as rows with the fields of `python -m climb_edge benchmark`. */
class Benchmark(private val chain: String, private val model: String, private val estimator: String, private val backend: String) {
    private val laps = ArrayList<Map<String, Double>>()

    /** Milliseconds by stage of one frame. */
    fun add(lap: Map<String, Double>) { laps.add(lap) }

    /** A row for every stage and sum that ran; [memoryMb] is what the process holds at its end. */
    fun rows(memoryMb: Double?): List<Map<String, Any?>> = (Stats.STAGES + SUMS.keys).mapNotNull { stage ->
        val parts = SUMS[stage] ?: listOf(stage)
        val values = laps.filter { lap -> parts.any { it in lap } }.map { lap -> parts.sumOf { lap[it] ?: 0.0 } }
        if (values.isEmpty()) null else FIELDS.zip(
            listOf(
                chain, model, estimator, TfLiteSession.RUNTIME, backend, stage, rounded(Stats.percentile(values, 50.0)),
                rounded(Stats.percentile(values, 95.0)), rounded(1000 / values.average()), values.size.toLong(), null, memoryMb?.let(::rounded),
            ),
        ).toMap()
    }

    companion object {
        const val SCHEMA = "climb-edge/benchmark/1"
        val FIELDS = listOf("chain", "model", "estimator", "runtime", "backend", "stage", "median_ms", "p95_ms", "fps", "frames", "cpu_ms", "memory_mb")
        private val ESTIMATOR = listOf("detect", "crop", "landmarks", "observe")
        private val AROUND = listOf("warp", "decode", "stream")
        private val CHAIN = ESTIMATOR + AROUND + "refine"
        val SUMS = mapOf("estimator" to ESTIMATOR, "around" to AROUND, "chain" to CHAIN, "total" to CHAIN + "capture" + "draw")

        fun csv(rows: List<Map<String, Any?>>): String =
            (listOf(FIELDS.joinToString(",")) + rows.map { row -> FIELDS.joinToString(",") { cell(row[it]) } }).joinToString("\n", postfix = "\n")

        /** [machine] says what ran it, without a name that tells whose it is. */
        fun json(rows: List<Map<String, Any?>>, machine: Map<String, Any?>): String =
            Json.write(mapOf("schema" to SCHEMA, "machine" to machine, "rows" to rows, "ratios" to emptyList<Any>()))

        private fun cell(value: Any?): String {
            val text = value?.toString() ?: ""
            return if (text.any { it in ",\"\n" }) '"' + text.replace("\"", "\"\"") + '"' else text
        }

        private fun rounded(value: Double) = Math.round(value * 1000) / 1000.0
    }
}
