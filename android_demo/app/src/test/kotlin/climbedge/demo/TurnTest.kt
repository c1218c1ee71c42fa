package climbedge.demo

import org.junit.Assert.assertEquals
import org.junit.Test

/** Upright on the screen, however phone and camera are turned. */
class TurnTest {
    @Test fun aPhoneHeldUprightAndOnItsSides() {
        assertEquals(listOf(90, 0, 270, 180), listOf(0, 90, 180, 270).map { Turn.degrees(sensor = 90, display = it, front = false) })
        assertEquals(listOf(270, 0, 90, 180), listOf(0, 90, 180, 270).map { Turn.degrees(sensor = 270, display = it, front = true) })
    }
}
