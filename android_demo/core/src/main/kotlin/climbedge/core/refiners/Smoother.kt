package climbedge.core.refiners

import climbedge.core.Recent
import climbedge.core.pose.Affine
import climbedge.core.pose.Maps
import climbedge.core.pose.Skeleton
import climbedge.core.runtime.Contract

/** A classical filter of the decoded points under the refiner's interface, so that it can stand where a graph stands. */
class Smoother(spec: String) : Refiner {
    private val parsed = FilterSpec.parse(spec)
    private val filter = parsed.filter()
    override val name = parsed.text
    override val delay = if (parsed.emits == "newest") 0 else Contract.WINDOW / 2
    override val rate = 30.0
    override val backend = "cpu"
    override val reason = "a filter needs no graph"

    override fun start(): RefinerState = when (filter) {
        is Filter.Window -> FilterState(filter)
        is OneEuro -> OneEuroState(filter)
    }

    /** The points of the last 5 frames, in the box of the newest. */
    private inner class FilterState(private val filter: Filter.Window) : RefinerState {
        private val window = Recent<DoubleArray>(Contract.WINDOW)

        override fun push(maps: Maps, seen: DoubleArray): List<DoubleArray>? {
            window.add(seen.copyOf())
            if (!window.full) return null
            val out = window.map { it.copyOf() }
            for (k in 0 until Skeleton.K) for (axis in 0..1) {
                val filtered = filter.apply(DoubleArray(window.size) { if (known(window[it], k)) window[it][3 * k + axis] else Double.NaN })
                filtered.forEachIndexed { t, value -> if (!value.isNaN()) out[t][3 * k + axis] = value }
            }
            return out.drop(Contract.WINDOW - 1 - delay)
        }

        override fun moved(oldToNew: Affine): Boolean {
            for (points in window) for (k in 0 until Skeleton.K) move(oldToNew, points, 3 * k)
            return true
        }
    }

    /** One-Euro's memory, in shares of the box's side. */
    private inner class OneEuroState(private val filter: OneEuro) : RefinerState {
        private val states = List(Skeleton.K) { OneEuro.State() }
        private var count = 0

        override fun push(maps: Maps, seen: DoubleArray): List<DoubleArray>? {
            val out = seen.copyOf()
            for (k in 0 until Skeleton.K) {
                val (x, y) = if (known(seen, k)) seen[3 * k] / Maps.SIZE to seen[3 * k + 1] / Maps.SIZE else Double.NaN to Double.NaN
                filter.step(states[k], x, y, rate)?.let { (fx, fy) ->
                    out[3 * k] = fx * Maps.SIZE
                    out[3 * k + 1] = fy * Maps.SIZE
                }
            }
            return if (++count >= Contract.WINDOW) listOf(out) else null
        }

        override fun moved(oldToNew: Affine): Boolean {
            for (s in states) {
                val place = doubleArrayOf(s.x * Maps.SIZE, s.y * Maps.SIZE)
                move(oldToNew, place, 0)
                s.x = place[0] / Maps.SIZE
                s.y = place[1] / Maps.SIZE
                val (dx, dy) = s.dx to s.dy
                s.dx = oldToNew.a * dx + oldToNew.b * dy
                s.dy = oldToNew.d * dx + oldToNew.e * dy
            }
            return true
        }
    }

    /** An empty map decodes to the middle of the box for want of anything else: no place that is known. */
    private fun known(points: DoubleArray, k: Int) = points[3 * k + 2] > 0

    private fun move(by: Affine, points: DoubleArray, at: Int) {
        val (x, y) = points[at] to points[at + 1]
        points[at] = by.x(x, y)
        points[at + 1] = by.y(x, y)
    }
}
