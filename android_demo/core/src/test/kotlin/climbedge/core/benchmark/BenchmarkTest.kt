package climbedge.core.benchmark

import climbedge.core.files.Json
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** A benchmark's rows can be read as those of Python. */
class BenchmarkTest {
    @Test fun benchmarkRowsHaveTheFieldsOfPython() {
        val bench = Benchmark("a,b", "m", "e", "b")
        bench.add(mapOf("crop" to 2.0, "observe" to 3.0, "draw" to 1.0))
        bench.add(mapOf("crop" to 4.0, "observe" to 3.0, "draw" to 1.0))
        val rows = bench.rows(null)
        assertEquals(listOf("crop", "observe", "draw", "estimator", "chain", "total"), rows.map { it["stage"] })
        assertEquals(3.0, rows[0]["median_ms"])
        assertEquals(7.0, rows.last()["median_ms"])
        assertEquals(Benchmark.FIELDS.joinToString(","), Benchmark.csv(rows).lines()[0])
        assertTrue(Benchmark.csv(rows).lines()[1].startsWith("\"a,b\",m,e,tensorflow-lite"))
        val json = Json.parse(Benchmark.json(rows, emptyMap())) as Map<*, *>
        assertEquals(Benchmark.SCHEMA, json["schema"])
    }
}
