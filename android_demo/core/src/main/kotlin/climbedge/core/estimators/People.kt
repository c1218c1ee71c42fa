package climbedge.core.estimators

import climbedge.core.pose.Box
import kotlin.math.hypot
import kotlin.math.max

/**
 * Who is who from frame to frame. A body is forecast at the speed of its last frames; poses go to the nearest forecast, best
 * pair first, if both boxes overlap and the poses are near. A number is never given twice.
 */
class People {
    private class Body(var points: DoubleArray) {
        var gone = 0
        private var dx = 0.0
        private var dy = 0.0

        fun forecast() = DoubleArray(points.size) { points[it] + (if (it % 2 == 0) dx else dy) * (gone + 1) }

        fun see(now: DoubleArray) {
            dx = INERTIA * dx + (1 - INERTIA) * moved(now, 0)
            dy = INERTIA * dy + (1 - INERTIA) * moved(now, 1)
            points = now
            gone = 0
        }

        private fun moved(now: DoubleArray, axis: Int): Double =
            (axis until now.size step 2).sumOf { now[it] - points[it] } / (now.size / 2) / (gone + 1)
    }

    private val known = LinkedHashMap<Int, Body>()
    private var next = 0

    private class Pair(val distance: Double, val number: Int, val pose: Int)

    /**
     * The number of each of [poses] (25 times x, y). [held] is the number that each had by the estimator's own tracking, or
     * null; it decides where forecasts are equally near, and where none is.
     */
    fun name(poses: List<DoubleArray>, held: List<Int?>): List<Int> {
        val pairs = known.flatMap { (number, body) ->
            val forecast = body.forecast()
            poses.indices.mapNotNull { i ->
                val apart = distance(forecast, poses[i])
                if (apart <= NEAR) Pair(apart + if (number != held[i]) STAY else 0.0, number, i) else null
            }
        }.sortedWith(compareBy({ it.distance }, { it.number }, { it.pose }))
        val given = HashMap<Int, Int>()
        for (pair in pairs) if (pair.pose !in given && pair.number !in given.values) given[pair.pose] = pair.number
        for (i in poses.indices) if (i !in given) given[i] = held[i]?.takeIf { it !in given.values } ?: next++
        remember(given, poses)
        return poses.indices.map { given.getValue(it) }
    }

    private fun remember(given: Map<Int, Int>, poses: List<DoubleArray>) {
        val seen = given.entries.associate { (i, number) -> number to poses[i] }
        for ((number, body) in known) if (number !in seen) body.gone++
        for ((number, points) in seen) known[number]?.see(points) ?: known.put(number, Body(points))
        known.values.removeAll { it.gone > FORGET }
    }

    /** Mean distance of two poses in sides of the box around the first; infinite where their boxes do not overlap. */
    private fun distance(forecast: DoubleArray, points: DoubleArray): Double {
        val box = Box.around(forecast, 2)
        val other = Box.around(points, 2)
        if (box == null || other == null || box.overlap(other) == 0.0) return Double.POSITIVE_INFINITY
        val mean = (points.indices step 2).sumOf { hypot(forecast[it] - points[it], forecast[it + 1] - points[it + 1]) } / (points.size / 2)
        return mean / maxOf(box.width, box.height, 1.0)
    }

    private companion object {
        const val FORGET = 15 // frames after which who is gone is forgotten
        const val STAY = 0.15 // how much nearer another forecast must be than that of the number held
        const val NEAR = 0.5 // mean distance up to which two poses may be one person, in sides of the body's box
        const val INERTIA = 0.5 // share of the older frames in a body's speed
    }
}
