package climbedge.core.refiners

import climbedge.core.ClimbEdgeError
import climbedge.core.Vectors
import climbedge.core.near
import climbedge.core.pose.Skeleton
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Filters are named by text and give Python's numbers. */
class FilterTest {
    private val parts = Vectors("parts")

    @Test fun filtersFilter() {
        val windows = parts.floats("windows")
        for (spec in parts.index["filters"] as List<*>) {
            val filter = FilterSpec.parse(spec as String).filter()
            val found = FloatArray(windows.size)
            val frame = 2 * Skeleton.K
            for (w in 0 until windows.size / (5 * frame)) for (k in 0 until Skeleton.K) {
                fun at(t: Int, axis: Int) = (w * 5 + t) * frame + 2 * k + axis
                if (filter is OneEuro) {
                    val state = OneEuro.State()
                    for (t in 0 until 5) {
                        val point = filter.step(state, windows[at(t, 0)] / 56.0, windows[at(t, 1)] / 56.0, 30.0)
                        found[at(t, 0)] = ((point?.first ?: Double.NaN) * 56).toFloat()
                        found[at(t, 1)] = ((point?.second ?: Double.NaN) * 56).toFloat()
                    }
                } else for (axis in 0..1) {
                    val values = (filter as Filter.Window).apply(DoubleArray(5) { windows[at(it, axis)].toDouble() })
                    for (t in 0 until 5) found[at(t, axis)] = values[t].toFloat()
                }
            }
            near(spec, parts.floats("filtered $spec"), found, 1e-4)
        }
    }

    @Test fun filtersAreNamedByText() {
        assertEquals("gaussian:reach=3,sigma=2.0,emits=centre", FilterSpec.parse("gaussian:sigma=2").text)
        assertEquals(0, Smoother("median:emits=newest").delay)
        for (bad in listOf("butter", "mean:reach=0", "mean:reach=1.5", "mean:reach", "mean:sigma=1", "mean:reach=1,reach=2", "one_euro:emits=centre", "savitzky_golay:order=5")) {
            val error = assertThrows(bad, ClimbEdgeError::class.java) { FilterSpec.parse(bad) }
            assertTrue(error.message, "expected" in error.message!!)
        }
    }
}
