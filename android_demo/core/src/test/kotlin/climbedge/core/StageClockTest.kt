package climbedge.core

import org.junit.Assert.assertEquals
import org.junit.Test

/** A stage inside another is taken out of it. */
class StageClockTest {
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
}
