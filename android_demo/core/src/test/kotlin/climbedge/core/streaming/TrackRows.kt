package climbedge.core.streaming

import climbedge.core.Vectors
import climbedge.core.files.Json
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue

/** Results beside the rows of Python's track.jsonl. */
object TrackRows {
    class Worst(val raw: Double, val refined: Double, val rows: Int, val states: Map<String, Int>)

    fun read(file: File): List<Map<*, *>> = file.readLines().drop(1).map { Json.parse(it) as Map<*, *> }

    /** Same frames, persons, states, delays; the largest distance of any keypoint, in pixels. */
    fun compare(what: String, rows: List<Map<*, *>>, results: List<Result>): Worst {
        val ordered = results.sortedWith(compareBy({ it.frame }, { it.person ?: -1 }))
        assertEquals("$what: rows", rows.size, ordered.size)
        var (raw, refined) = 0.0 to 0.0
        for ((row, result) in rows.zip(ordered)) {
            val at = "$what, frame ${row["frame"]}, person ${row["person"]}"
            assertEquals(at, row["frame"], result.frame.toLong())
            assertEquals("$at; raw $raw px away so far", row["person"], result.person?.toLong())
            assertEquals(at, row["state"], result.state.words)
            assertEquals(at, row["delay"], result.delay.toLong())
            assertEquals(at, (row["t"] as Number).toDouble(), result.time, 1e-5)
            raw = maxOf(raw, distance(at, row["raw"], result.raw))
            refined = maxOf(refined, distance(at, row["refined"], result.refined))
        }
        return Worst(raw, refined, rows.size, rows.groupingBy { it["state"] as String }.eachCount())
    }

    private fun distance(at: String, expected: Any?, found: FloatArray?): Double {
        if (expected == null) return if (found == null) 0.0 else error("$at: found keypoints, expected none")
        var worst = 0.0
        (expected as List<*>).map(Vectors::doubles).forEachIndexed { k, (x, y, score) ->
            worst = maxOf(worst, Math.hypot(x - found!![3 * k], y - found[3 * k + 1]))
            assertTrue("$at, keypoint $k: score $score, found ${found[3 * k + 2]}; so far $worst px", Math.abs(score - found[3 * k + 2]) < 0.02)
        }
        return worst
    }
}
