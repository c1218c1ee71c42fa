package climbedge.core.streaming

import climbedge.core.ClimbEdgeError
import climbedge.core.TestData
import climbedge.core.Vectors
import climbedge.core.estimators.Estimator
import climbedge.core.estimators.Observation
import climbedge.core.media.Frame
import climbedge.core.media.Picture
import climbedge.core.refiners.GraphRefiner
import climbedge.core.refiners.Identity
import climbedge.core.refiners.Refiner
import climbedge.core.refiners.Smoother
import climbedge.core.runtime.Backends
import climbedge.core.runtime.Wish
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The rules of a stream, on a scenario that meets every one of them, as Python's stream keeps them. */
class StreamTest {
    private val vectors = Vectors("scenario")
    private val script = vectors.list("frames")

    private class Told(private val told: List<List<Observation>>) : Estimator {
        override val name = "told"

        override fun observe(frame: Frame) = told[frame.index]

        override fun reset() = Unit

        override fun close() = Unit
    }

    private val told = script.mapIndexed { i, row ->
        (row["people"] as List<*>).map { it as Map<*, *> }.map {
            val person = (it["person"] as Long).toInt()
            Observation.of(vectors.maps("native $i $person"), Vectors.affine(it["affine"]))!!.of(person)
        }
    }
    private val frames = script.mapIndexed { i, row ->
        val (width, height) = Vectors.doubles(row["size"]).map { it.toInt() }
        Frame(i, (row["t"] as Number).toDouble(), Picture(width, height, IntArray(width * height)))
    }

    private fun refiner(spec: String): Refiner {
        val made = File(TestData.golden, "models/$spec")
        return when {
            spec == "identity" -> Identity
            spec == "default" -> GraphRefiner.open(TestData.model(File(TestData.assets, "refiners/default.tflite")), Wish.CPU, Backends(1))
            made.exists() -> GraphRefiner.open(TestData.model(made), Wish.CPU, Backends(1))
            else -> Smoother(spec)
        }
    }

    @Test fun everyRuleAndEveryRefiner() {
        for ((spec, expected) in vectors.index["expected"] as Map<*, *>) {
            val (rows, given) = (expected as Map<*, *>).let { it["rows"] as List<*> to it["given"] as List<*> }
            refiner(spec as String).use { refiner ->
                val stream = Stream(Told(told), refiner)
                val found = ArrayList<Pair<Int, Result>>()
                val settled = frames.map { frame ->
                    stream.push(frame).forEach { found.add(frame.index to it) }
                    stream.settled.toLong()
                }
                stream.flush().forEach { found.add(frames.size to it) }
                val worst = TrackRows.compare(spec, rows.map { it as Map<*, *> }, found.map { it.second })
                println("$spec: raw ${worst.raw} px, refined ${worst.refined} px, ${worst.states}")
                assertEquals("$spec: settled", expected["settled"], settled)
                val at = found.map { (at, r) -> listOf(r.frame.toLong(), (r.person ?: -1).toLong(), at.toLong()) }
                assertEquals("$spec: given", given, at.sortedWith(compareBy({ it[0] }, { it[1] }, { it[2] })))
                assertTrue("$spec: raw ${worst.raw} px", worst.raw < 0.05)
                val most = if ("int8" in spec) 0.5 else 0.1
                assertTrue("$spec: refined ${worst.refined} px", worst.refined < most)
            }
        }
    }

    @Test fun aClockThatStandsIsRefusedAndLeavesNoTrace() {
        val stream = Stream(Told(told), Identity)
        frames.take(6).forEach(stream::push)
        val again = Frame(6, frames[5].time, frames[5].picture)
        assertThrows(ClimbEdgeError::class.java) { stream.push(again) }
        assertTrue(stream.push(frames[6])[0].state in listOf(State.TRACKING, State.RE_ANCHORED)) // its window is still there
        stream.reset()
        assertEquals(State.WARMING_UP, stream.push(frames[0])[0].state)
    }
}
