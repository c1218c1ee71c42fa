package climbedge.core.runtime

import climbedge.core.Vectors
import climbedge.core.near
import org.junit.Test

/** The golden test's input is the one that Python makes. */
class GoldenInputTest {
    private val parts = Vectors("parts")

    @Test fun goldenInputIsMadeOfIntegers() {
        val frames = parts.shape("golden_frames")[0]
        near("frames", parts.floats("golden_frames"), (0 until frames).flatMap { Golden.frame(it).values.toList() }.toFloatArray(), 0.0)
        near("peaks", parts.floats("golden_peaks"), (0 until frames).flatMap { Golden.peaks(it).toList() }.toFloatArray(), 0.0)
    }
}
