package climbedge.core.pose

import kotlin.math.PI

/** Heatmaps (rows, columns, depth) in one array, the keypoint last; row = y, column = x. */
class Maps(val rows: Int, val columns: Int, val depth: Int, val values: FloatArray = FloatArray(rows * columns * depth)) {
    init {
        require(values.size == rows * columns * depth) { "expected $rows x $columns x $depth values, found ${values.size}" }
    }

    /** Negatives to 0, then every map scaled to sum to 255; an empty one stays empty. In place. */
    fun normalise(): Maps {
        val total = DoubleArray(depth)
        for (i in values.indices) {
            if (values[i] < 0) values[i] = 0f
            total[i % depth] += values[i]
        }
        val factor = FloatArray(depth) { if (total[it] > 0) (MASS / total[it]).toFloat() else 0f }
        for (i in values.indices) values[i] *= factor[i % depth]
        return this
    }

    /** The same with every map empty that holds a value that is no number; itself where none does. */
    fun emptied(): Maps {
        val bad = BooleanArray(depth)
        for (i in values.indices) if (!values[i].isFinite()) bad[i % depth] = true
        return if (bad.none { it }) this else Maps(rows, columns, depth, FloatArray(values.size) { if (bad[it % depth]) 0f else values[it] })
    }

    companion object {
        /** Cells a side of what enters a model. */
        const val SIZE = 56

        /** What every heatmap of an input sums to. */
        const val MASS = 255.0

        /** Height of a Gaussian of sigma 1 that sums to [MASS]: full score. */
        const val PEAK = MASS / (2 * PI)

        /** Where an empty map decodes to: the middle of the box. */
        const val CENTRE = SIZE / 2f
    }
}
