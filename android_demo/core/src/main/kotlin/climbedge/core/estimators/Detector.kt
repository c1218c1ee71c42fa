package climbedge.core.estimators

import climbedge.core.media.Picture
import climbedge.core.runtime.Session
import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min

/** BlazePose's detector: finds bodies in a whole frame. */
class Detector(private val session: Session) {
    private val anchors = anchors()
    private val boxes = session.output(1, anchors.size / 2, 12)
    private val logits = session.output(1, anchors.size / 2, 1)

    /** Regions of the bodies, best first. */
    fun find(picture: Picture): List<Region> {
        val whole = Region(picture.width / 2.0, picture.height / 2.0, max(picture.width, picture.height).toDouble())
        val outputs = session.run(whole.crop(picture, SIDE, replicate = false, divisor = 127.5f, offset = -1f))
        val affine = whole.affine(SIDE)
        return merged(bodies(outputs[boxes], outputs[logits])).mapNotNull { body ->
            val p = body.places
            Region.around(
                affine.x(p[4] * SIDE, p[5] * SIDE), affine.y(p[4] * SIDE, p[5] * SIDE),
                affine.x(p[6] * SIDE, p[7] * SIDE), affine.y(p[6] * SIDE, p[7] * SIDE),
            )
        }
    }

    /** Centre, size and four keypoints (x, y each) in shares of the crop. */
    private class Body(val places: DoubleArray, val score: Float) {
        private fun low(axis: Int) = places[axis] - places[2 + axis] / 2
        private fun high(axis: Int) = places[axis] + places[2 + axis] / 2

        val area = max(places[2], 0.0) * max(places[3], 0.0)

        fun same(other: Body): Boolean {
            val (w, h) = List(2) { max(min(high(it), other.high(it)) - max(low(it), other.low(it)), 0.0) }
            return w * h > OVERLAP * (area + other.area - w * h)
        }
    }

    private fun bodies(raw: FloatArray, logits: FloatArray): List<Body> {
        val scores = FloatArray(logits.size) { 1 / (1 + exp(-logits[it].coerceIn(-60f, 60f))) }
        return scores.indices.filter { scores[it] >= LEAST }.sortedByDescending { scores[it] }.map { i ->
            Body(DoubleArray(12) { j -> raw[12 * i + j] / SIDE.toDouble() + if (j in 2..3) 0.0 else anchors[2 * i + j % 2] }, scores[i])
        }
    }

    /** Overlapping bodies, best first, as their mean weighted by score. */
    private fun merged(bodies: List<Body>): List<Body> {
        val found = ArrayList<Body>()
        var left = bodies
        while (left.isNotEmpty()) {
            val best = left[0]
            val (same, other) = left.partition { it === best || it.same(best) }
            val total = same.sumOf { it.score.toDouble() }
            found.add(Body(DoubleArray(12) { j -> same.sumOf { it.places[j] * it.score } / total }, best.score))
            left = other
        }
        return found
    }

    companion object {
        const val SIDE = 224
        private const val LEAST = 0.5f
        private const val OVERLAP = 0.3

        /** Centres (x, y) of the SSD anchors in 0..1; the three layers of stride 32 share their cells. */
        private fun anchors(): DoubleArray {
            val centres = ArrayList<Double>()
            for ((stride, perCell) in listOf(8 to 2, 16 to 2, 32 to 6)) {
                val n = SIDE / stride
                for (y in 0 until n) for (x in 0 until n) repeat(perCell) {
                    centres.add((x + 0.5) / n)
                    centres.add((y + 0.5) / n)
                }
            }
            return centres.toDoubleArray()
        }
    }
}
