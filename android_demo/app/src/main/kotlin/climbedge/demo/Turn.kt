package climbedge.demo

/** How far a camera's picture must be turned to stand upright on the screen, in degrees clockwise. */
object Turn {
    /** [sensor] is the camera's own orientation, [display] that of the screen, counter-clockwise. */
    fun degrees(sensor: Int, display: Int, front: Boolean): Int = (sensor + if (front) display else 360 - display).mod(360)
}
