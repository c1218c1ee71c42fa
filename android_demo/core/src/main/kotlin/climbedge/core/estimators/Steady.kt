package climbedge.core.estimators

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.hypot
import kotlin.math.max

/** One euro filter (Casiez et al., CHI 2012) of the two points that a region follows; speeds in region sides a second. */
class Steady {
    private var time = Double.NaN
    private lateinit var raw: DoubleArray
    private lateinit var smooth: DoubleArray
    private val speed = DoubleArray(4)

    /** Centre and rim (x, y each) in image pixels at [time], in seconds and increasing -> the same, steadied. */
    fun follow(points: DoubleArray, time: Double): DoubleArray {
        if (this.time.isNaN()) {
            smooth = points
        } else {
            val rate = 1 / max(time - this.time, 1e-3)
            val side = max(2 * hypot(points[2] - points[0], points[3] - points[1]), 1.0)
            smooth = DoubleArray(4) {
                val now = (points[it] - raw[it]) * rate / side
                speed[it] += (now - speed[it]) * share(SPEED_CUTOFF, rate)
                smooth[it] + (points[it] - smooth[it]) * share(MIN_CUTOFF + SPEED_GAIN * abs(speed[it]), rate)
            }
        }
        this.time = time
        raw = points
        return smooth
    }

    /** Weight of the new value in a low-pass filter of [cutoff] Hz at [rate] values a second. */
    private fun share(cutoff: Double, rate: Double) = 1 / (1 + rate / (2 * PI * cutoff))

    private companion object {
        const val MIN_CUTOFF = 0.01
        const val SPEED_GAIN = 10.0
        const val SPEED_CUTOFF = 1.0
    }
}
