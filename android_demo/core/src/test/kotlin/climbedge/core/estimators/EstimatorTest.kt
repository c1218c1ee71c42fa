package climbedge.core.estimators

import climbedge.core.Vectors
import climbedge.core.near
import climbedge.core.pose.Affine
import climbedge.core.pose.Maps
import climbedge.core.pose.Skeleton
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

/** What goes into the estimator and what is kept of it. */
class EstimatorTest {
    private val parts = Vectors("parts")

    @Test fun regionsAreCutAsOpenCvDoes() {
        val picture = parts.picture("picture")
        parts.list("crop").forEachIndexed { i, case ->
            val (x, y, side, angle) = Vectors.doubles(case["region"])
            val found = Region(x, y, side, angle).crop(picture, 64, case["replicate"] == true, 1f, 0f)
            val expected = parts.bytes("crop$i")
            near("crop $i", FloatArray(expected.size) { (expected[it].toInt() and 255).toFloat() }, found, 0.0)
        }
    }

    @Test fun aMapOfNoNumbersShowsNothing() {
        val native = Maps(64, 64, Skeleton.K).apply { for (k in 0 until depth) values[(20 * columns + 10 + k) * depth + k] = 0.9f }
        val good = Observation.of(native, Affine(4.0, 0.0, 0.0, 0.0, 4.0, 0.0))!!
        for (bad in listOf(Float.NaN, Float.POSITIVE_INFINITY)) {
            val broken = Maps(64, 64, Skeleton.K, native.values.copyOf().also { it[3] = bad })
            val seen = Observation.of(broken, Affine(4.0, 0.0, 0.0, 0.0, 4.0, 0.0))!!
            assertTrue(seen.native.values.all { it.isFinite() } && seen.keypoints.all { it.isFinite() })
            assertEquals("$bad", 0f, seen.keypoints[3 * 3 + 2])
            for (i in seen.keypoints.indices) if (i / 3 != 3) assertEquals(good.keypoints[i], seen.keypoints[i])
            assertSame(native, good.native)
        }
    }
}
