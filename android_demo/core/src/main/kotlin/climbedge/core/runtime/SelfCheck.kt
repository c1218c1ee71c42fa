package climbedge.core.runtime

import kotlin.math.abs
import kotlin.math.max

/** For graphs without a contract: a backend must give, on input made of integers, what the CPU gives. */
object SelfCheck {
    private const val TOLERANCE = 0.02 // of each output's scale: 16-bit arithmetic of a whole network stays below

    /** Why [session] must not be trusted, or null. [cpu] opens the graph on the CPU. */
    fun refusal(session: Session, cpu: () -> Session): String? {
        val input = FloatArray(session.inputs[0].fold(1, Int::times)) { Golden.hash32(it / 64) % 256 / 255f }
        val expected = cpu().use { it.run(input) }
        session.run(input).forEachIndexed { i, values ->
            val scale = max(expected[i].maxOf { abs(it) }, 1e-3f)
            val apart = values.indices.maxOf { abs(values[it] - expected[i][it]) } / scale
            if (!(apart <= TOLERANCE)) return "output $i is %.2g of its scale away from the CPU's, at most %.2g is allowed".format(apart, TOLERANCE)
        }
        return null
    }
}
