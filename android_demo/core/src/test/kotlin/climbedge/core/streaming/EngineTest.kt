package climbedge.core.streaming

import climbedge.core.TestData
import climbedge.core.files.Library
import climbedge.core.media.Frame
import climbedge.core.runtime.Backend
import climbedge.core.runtime.Backends
import climbedge.core.runtime.Session
import climbedge.core.runtime.TfLiteSession
import climbedge.core.runtime.Wish
import java.util.Collections
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

/** The thread that owns the interpreters: what goes in, what comes out, and what happens when a backend fails. */
class EngineTest {
    private val shown = Collections.synchronizedList(ArrayList<Shown>())
    private val failed = Collections.synchronizedList(ArrayList<String>())

    private fun engine(backends: Backends = Backends(1), library: Library = ChainFrames.Assets) = Engine(library, 1, { shown.add(it) }, { failed.add(it) }, backends)

    /** Every frame, none dropped; then waits until the last one was looked at. */
    private fun play(engine: Engine, frames: List<Frame>) {
        for (frame in frames) {
            engine.look(frame, 1.0)
            engine.awaitTaken()
        }
        engine.close()
        engine.join()
    }

    @Test fun resultsMeetTheFramesTheyBelongTo() {
        val frames = ChainFrames.all().take(12).toList()
        val engine = engine().apply { use(Choice("gaussian:sigma=1.5", Wish.CPU)) }
        play(engine, frames)
        assertEquals(emptyList<String>(), failed)
        assertEquals(frames.size - 2, shown.size) // two wait for later frames
        shown.forEachIndexed { i, s ->
            assertSame(frames[i], s.frame)
            assertTrue(s.results.isNotEmpty() && s.results.all { it.frame == i })
        }
        assertEquals(setOf("capture", "detect", "crop", "landmarks", "observe", "warp", "stream"), shown.last().status.stages.map { it.stage }.toSet())
    }

    @Test fun theNewestFrameWins() {
        val frames = ChainFrames.all().take(3).toList()
        val engine = engine().apply { use(Choice(Choice.OFF, Wish.CPU)) }
        repeat(60) { i ->
            engine.look(Frame(i, i / 30.0, frames[i % 3].picture), 0.0)
            Thread.sleep(5)
        }
        val dropped = engine.dropped
        engine.close()
        engine.join()
        println("dropped $dropped of 60")
        assertTrue("$dropped", dropped in 1..59)
        assertTrue(shown.zipWithNext().all { (a, b) -> a.frame.index < b.frame.index })
    }

    @Test fun aBackendThatFailsWhileItRunsIsLeftForTheCpu() {
        var runs = 0
        val backends = Backends(1, listed = { true }) { name, graph, backend, threads ->
            val cpu = TfLiteSession.open(name, graph, Backend.CPU, threads)
            if (backend == Backend.CPU || "landmark" !in name) cpu else object : Session by cpu {
                override val backend = "GPU"

                override fun run(vararg arrays: FloatArray): List<FloatArray> {
                    if (runs++ == 4) throw IllegalStateException("the driver was reset")
                    return cpu.run(*arrays)
                }
            }
        }
        val engine = engine(backends).apply { use(Choice("refiners/default.tflite", Wish.AUTO)) }
        play(engine, ChainFrames.all().take(12).toList())
        assertEquals(listOf("the driver was reset"), failed)
        assertTrue(shown.first().status.reason, "estimator on GPU" in shown.first().status.reason)
        assertTrue(shown.last().status.reason, "estimator on CPU" in shown.last().status.reason && "driver was reset" in shown.last().status.reason)
    }

    @Test fun aDamagedModelIsSaidOnceAndAnotherOneRuns() {
        val library = object : Library by ChainFrames.Assets {
            override fun map(path: String) = if ("refiners" in path) TestData.direct(ByteArray(4000)) else ChainFrames.Assets.map(path)
        }
        val frames = ChainFrames.all().take(4).toList()
        val engine = engine(library = library).apply { use(Choice("refiners/default.tflite", Wish.CPU)) }
        for (frame in frames) { engine.look(frame, 0.0); engine.awaitTaken() }
        engine.use(Choice(Choice.OFF, Wish.CPU))
        play(engine, frames.map { Frame(it.index + 4, it.time + 1, it.picture) })
        assertEquals(failed.toString(), 1, failed.size)
        assertTrue(failed[0], "refiners/default.tflite" in failed[0] && "TFLite file" in failed[0])
        assertTrue(shown.isNotEmpty() && shown.all { it.status.model == "identity" })
    }

    @Test fun theDefaultRefinerIsTheFirstChoiceBesideThoseOfABundle() {
        val library = object : Library by ChainFrames.Assets {
            override fun refiners() = listOf("refiners/step-newest.tflite", "refiners/default.tflite", "refiners/conv3d.tflite")
        }
        assertEquals(listOf("refiners/default.tflite", "refiners/conv3d.tflite", "refiners/step-newest.tflite"), Choice.models(library).take(3))
    }

    @Test fun closingEndsTheThreadWhateverItDoes() {
        val ended = CountDownLatch(1)
        val engine = engine().apply { use(Choice(Choice.OFF, Wish.CPU)) }
        engine.look(ChainFrames.all().first(), 0.0)
        Thread { engine.close(); engine.join(); ended.countDown() }.start()
        assertTrue(ended.await(60, TimeUnit.SECONDS))
    }
}
