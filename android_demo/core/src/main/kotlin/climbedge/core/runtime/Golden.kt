package climbedge.core.runtime

import climbedge.core.pose.GraphInput
import climbedge.core.pose.Maps
import climbedge.core.pose.Skeleton
import kotlin.math.abs
import kotlin.math.max

/** The golden test: input that any language can make from integers, and the distance of what a session makes of it. */
object Golden {
    private const val REACH = 4 // of the pyramids, in cells
    private const val PLACES = 48

    /** A 32-bit mix of integers: Appleby's MurmurHash3 finaliser. */
    fun hash32(index: Int): Long {
        var h = index
        h = (h xor (h ushr 16)) * -0x7a143595
        h = (h xor (h ushr 13)) * -0x3d4d51cb
        return (h xor (h ushr 16)).toLong() and 0xffffffffL
    }

    /** Frame [f]: a pyramid of mass 255 for every keypoint. */
    fun frame(f: Int): Maps {
        val maps = Maps(Maps.SIZE, Maps.SIZE, Skeleton.K)
        for (k in 0 until Skeleton.K) {
            val n = f * Skeleton.K + k
            val (x, y) = REACH + (hash32(2 * n) % PLACES).toInt() to REACH + (hash32(2 * n + 1) % PLACES).toInt()
            for (dy in 1 - REACH until REACH) for (dx in 1 - REACH until REACH) {
                val height = (REACH - abs(dx)) * (REACH - abs(dy)) * (Maps.MASS / (REACH * REACH * REACH * REACH))
                maps.values[((y + dy) * Maps.SIZE + x + dx) * Skeleton.K + k] = height.toFloat()
            }
        }
        return maps
    }

    /** Heights that go with frame [f], for graphs that ask for them. */
    fun peaks(f: Int) = FloatArray(Skeleton.K) { (1 + hash32(f * Skeleton.K + it) % 255) / 256f }

    /** What a graph of this contract emits at each of the eight steps. */
    fun outputs(session: Session, contract: Contract): List<FloatArray> {
        var state = contract.state.map { FloatArray(it.size) }
        return List(Contract.GOLDEN_STEPS) { step ->
            val seen = if (contract.stepping) step..step else step until step + Contract.WINDOW
            val entering = GraphInput.of(seen.map(::frame), if (contract.peaks) seen.map(::peaks) else null)
            val leaving = session.run(*(entering + state).toTypedArray())
            state = leaving.drop(1)
            leaving[0]
        }
    }

    /** Largest difference from the golden samples, as a share of their scale; NaN where one is. */
    fun error(session: Session, contract: Contract): Double {
        val outputs = outputs(session, contract)
        var worst = 0.0
        for (sample in contract.golden.samples) {
            val apart = abs(outputs[sample.step][sample.index] - sample.value)
            if (!(apart <= worst)) worst = apart
            if (worst.isNaN()) break
        }
        return worst / max(contract.golden.scale, 1e-9)
    }

    /** Why a session must not run this model, or null when it gave the promised numbers. */
    fun refusal(session: Session, contract: Contract): String? {
        if (session.inputs != contract.inputs || session.outputs != contract.outputs || session.io != contract.io) {
            return "its contract promises ${contract.io} ${contract.inputs} -> ${contract.outputs}, its graph has ${session.io} ${session.inputs} -> ${session.outputs}"
        }
        val error = error(session, contract)
        val tolerance = contract.golden.tolerance
        return if (error <= tolerance) null else "%.2g of the scale away on the golden input, at most %.2g is allowed".format(error, tolerance)
    }
}
