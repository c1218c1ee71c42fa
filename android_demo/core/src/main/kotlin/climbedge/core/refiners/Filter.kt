package climbedge.core.refiners

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min

/**
 * Classical filters of one coordinate over time. What is not known is NaN: it comes out as NaN and takes no part in its
 * neighbours' values. `reach` is the number of frames looked at on either side.
 */
sealed interface Filter {
    /** Looks both ways: values of a window -> the same, filtered. */
    fun interface Window : Filter {
        fun apply(values: DoubleArray): DoubleArray
    }

    companion object {
        fun mean(reach: Int) = weighted(reach) { 1.0 }

        fun gaussian(reach: Int, sigma: Double) = weighted(reach) { exp(-0.5 * (it / sigma) * (it / sigma)) }

        fun median(reach: Int) = Window { values ->
            each(values) { t ->
                val near = (t - reach..t + reach).mapNotNull { values.getOrNull(it)?.takeIf(Double::isFinite) }.sorted()
                (near[(near.size - 1) / 2] + near[near.size / 2]) / 2
            }
        }

        /** The polynomial fitted to the nearest full window, at each frame; a frame with too few neighbours stays itself. */
        fun savitzkyGolay(reach: Int, order: Int) = Window { values ->
            val size = min(2 * reach + 1, values.size)
            each(values) { t ->
                val first = (t - reach).coerceIn(0, values.size - size)
                val near = (first until first + size).filter { values[it].isFinite() }
                if (near.size <= order + 1) values[t] else fitted(near.map { (it - t) / size.toDouble() }, near.map { values[it] }, order)
            }
        }

        private fun weighted(reach: Int, weight: (Int) -> Double) = Window { values ->
            each(values) { t ->
                val near = (max(t - reach, 0)..min(t + reach, values.size - 1)).filter { values[it].isFinite() }
                near.sumOf { values[it] * weight(it - t) } / near.sumOf { weight(it - t) }
            }
        }

        private fun each(values: DoubleArray, filtered: (Int) -> Double) =
            DoubleArray(values.size) { if (values[it].isFinite()) filtered(it) else Double.NaN }

        /** Value at 0 of the least-squares polynomial through more points than it has coefficients. */
        private fun fitted(x: List<Double>, y: List<Double>, order: Int): Double {
            val n = order + 1
            val powers = x.map { p -> DoubleArray(n) { i -> (0 until i).fold(1.0) { product, _ -> product * p } } }
            val rows = Array(n) { i -> DoubleArray(n + 1) { j -> powers.indices.sumOf { powers[it][i] * if (j < n) powers[it][j] else y[it] } } }
            for (i in 0 until n) {
                val pivot = (i until n).maxByOrNull { abs(rows[it][i]) }!!
                rows[i] = rows[pivot].also { rows[pivot] = rows[i] }
                for (r in 0 until n) if (r != i) {
                    val factor = rows[r][i] / rows[i][i]
                    for (j in i..n) rows[r][j] -= factor * rows[i][j]
                }
            }
            return rows[0][n] / rows[0][0]
        }
    }
}

/** One-Euro (Casiez, Roussel and Vogel, CHI 2012): looks back only, and remembers everything since it began. */
class OneEuro(private val minCutoff: Double, private val beta: Double, private val speedCutoff: Double) : Filter {
    /** What is remembered of one keypoint: filtered place and speed, NaN before the first known one, and frames since. */
    class State(var x: Double = Double.NaN, var y: Double = Double.NaN, var dx: Double = 0.0, var dy: Double = 0.0, var since: Int = 0)

    /** The filtered place, in the unit of the points, or null for an unknown one; the state moves on. */
    fun step(state: State, x: Double, y: Double, fps: Double): Pair<Double, Double>? {
        if (!x.isFinite() || !y.isFinite()) {
            state.since++
            return null
        }
        val period = (state.since + 1) / fps
        val (newX, newDx) = low(x, if (state.x.isNaN()) x else state.x, state.dx, period)
        val (newY, newDy) = low(y, if (state.y.isNaN()) y else state.y, state.dy, period)
        state.x = newX; state.y = newY; state.dx = newDx; state.dy = newDy; state.since = 0
        return newX to newY
    }

    private fun low(value: Double, before: Double, speedBefore: Double, period: Double): Pair<Double, Double> {
        val s = 2 * PI * speedCutoff * period
        val speed = (s * (value - before) / period + speedBefore) / (s + 1)
        val w = 2 * PI * (minCutoff + beta * abs(speed)) * period
        return (w * value + before) / (w + 1) to speed
    }
}
