package climbedge.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The small parts that nothing in Python mirrors. */
class SmallTest {
    @Test fun jsonIsReadAndWritten() {
        val text = """{"a":[1,2.5,true,null,"\u0041\n\"\\"],"b":{}}"""
        val value = Json.parse(text) as Map<*, *>
        assertEquals(listOf(1L, 2.5, true, null, "A\n\"\\"), value["a"])
        assertEquals(value, Json.parse(Json.write(value)))
        for (bad in listOf("", "{", "[1,]", "{\"a\"}", "tru", "1 2", "\"\\x\"", "NaN", "[1e999]", "\"\u0001\"")) {
            assertThrows(bad, IllegalArgumentException::class.java) { Json.parse(bad) }
        }
    }

    @Test fun stagesAddUpToWhatPassed() {
        var now = 0L
        val clock = StageClock { now }
        clock.stage("outer") {
            now += 3_000_000
            clock.stage("inner") { now += 5_000_000 }
            now += 2_000_000
        }
        assertEquals(mapOf("outer" to 5.0, "inner" to 5.0), clock.lap())
        assertEquals(emptyMap<String, Double>(), clock.lap())
    }

    @Test fun filtersAreNamedByText() {
        assertEquals("gaussian:reach=3,sigma=2.0,emits=centre", FilterSpec.parse("gaussian:sigma=2").text)
        assertEquals(0, Smoother("median:emits=newest").delay)
        for (bad in listOf("butter", "mean:reach=0", "mean:reach=1.5", "mean:reach", "mean:sigma=1", "mean:reach=1,reach=2", "one_euro:emits=centre", "savitzky_golay:order=5")) {
            val error = assertThrows(bad, ClimbEdgeError::class.java) { FilterSpec.parse(bad) }
            assertTrue(error.message, "expected" in error.message!!)
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

    @Test fun boxesHoldUntilThePoseComesNearTheirEdge() {
        val pose = FloatArray(75) { if (it % 3 == 2) 1f else if (it / 3 % 2 == 0) 100f else 200f }
        val box = BoxRule.update(null, pose)!!
        assertEquals(Box(87.5, 87.5, 212.5, 212.5), box)
        assertEquals(box, BoxRule.update(box, FloatArray(75) { pose[it] + if (it % 3 == 2) 0f else 2f }))
        assertTrue(box != BoxRule.update(box, FloatArray(75) { pose[it] + if (it % 3 == 2) 0f else 5f }))
        assertNull(BoxRule.update(null, FloatArray(75) { Float.NaN }))
    }
}
