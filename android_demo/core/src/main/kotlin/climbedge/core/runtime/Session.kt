package climbedge.core.runtime

import climbedge.core.ClimbEdgeError
import java.io.Closeable

/** A loaded graph: float arrays in, one per input in order, float arrays out. Belongs to the thread that opened it. */
interface Session : Closeable {
    val inputs: List<List<Int>>
    val outputs: List<List<Int>>

    /** Element type of what goes in and comes out of the graph itself, as the contract names it. */
    val io: String

    /** What computes, in words for the screen. */
    val backend: String

    fun run(vararg arrays: FloatArray): List<FloatArray>

    /** Number of the output with this shape: converters rename and reorder outputs, shapes stay. */
    fun output(vararg shape: Int): Int = outputs.indexOf(shape.toList()).also {
        if (it < 0) throw ClimbEdgeError("expected an output of shape ${shape.toList()}, found $outputs; use the weights that the app was built with")
    }
}
