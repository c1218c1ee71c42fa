package climbedge.core.runtime

import climbedge.core.ClimbEdgeError
import climbedge.core.SoftwareGl
import climbedge.core.TestData
import climbedge.core.refiners.GraphRefiner
import java.io.File
import java.nio.ByteBuffer
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.experimental.categories.Category

/** A backend that fails in any way is left for the next, and everything that was opened is closed. */
class BackendsTest {
    private val model = TestData.model(TestData.heatmapRefiner)
    private var open = 0

    private inner class Counted(private val inner: Session, private val broken: (List<FloatArray>) -> List<FloatArray>) : Session by inner {
        init { open++ }

        override fun run(vararg arrays: FloatArray) = broken(inner.run(*arrays))

        override fun close() {
            open--
            inner.close()
        }
    }

    private fun choose(wish: Wish, gpu: (Session) -> Session): Opened {
        val backends = Backends(1, listed = { true }) { name: String, graph: ByteBuffer, backend: Backend, threads: Int ->
            val session = TfLiteSession.open(name, graph, Backend.CPU, threads)
            if (backend == Backend.CPU) Counted(session) { it } else try { gpu(session) } catch (error: Throwable) { session.close(); throw error }
        }
        return backends.choose("m", model.graph, wish) { Golden.refusal(it, model.contract) }
    }

    @Test fun failuresAtLoadAtTheFirstRunAndInTheNumbersLeadToTheCpu() {
        val failures = mapOf<String, (Session) -> Session>(
            "no driver" to { throw UnsatisfiedLinkError("no driver") },
            "failed to apply delegate" to { throw IllegalArgumentException("failed to apply delegate") },
            "lost device" to { s -> Counted(s) { throw IllegalStateException("lost device") } },
            "of the scale" to { s -> Counted(s) { out -> out.map { a -> FloatArray(a.size) } } },
            "NaN" to { s -> Counted(s) { out -> out.map { a -> FloatArray(a.size) { Float.NaN } } } },
        )
        for ((reason, gpu) in failures) choose(Wish.AUTO, gpu).use {
            assertEquals(Backend.CPU, it.backend)
            assertTrue("$reason: ${it.reason}", reason in it.reason && "GPU" in it.reason && "16-bit" in it.reason)
        }
        assertEquals(0, open)
    }

    @Test fun aGoodGpuIsTakenAndTheCpuOnRequest() {
        choose(Wish.AUTO) { s -> Counted(s) { it } }.use { assertEquals(Backend.GPU, it.backend) }
        choose(Wish.CPU) { error("not asked for") }.use { assertEquals(Backend.CPU, it.backend) }
        assertEquals(0, open)
    }

    @Test fun whereNothingPassesTheMessageSaysAll() {
        val backends = Backends(1, listed = { false }) { _, _, backend, _ -> throw IllegalStateException("no ${backend.label}") }
        val error = assertThrows(ClimbEdgeError::class.java) { backends.choose("m.tflite", model.graph, Wish.GPU) { null } }
        for (words in listOf("m.tflite", "no GPU", "no CPU")) assertTrue(error.message, words in error.message!!)
    }

    @Test fun withoutADriverTheAppGoesOnOnTheCpu() { // this process has no display to draw on
        for (wish in listOf(Wish.AUTO, Wish.GPU)) GraphRefiner.open(model, wish, Backends(1)).use {
            println("$wish: ${it.backend}; ${it.reason}")
            assertTrue(it.backend, "XNNPACK" in it.backend)
            assertTrue(it.reason, "GPU" in it.reason)
        }
    }

    @Test fun nothingLeaksOverAThousandRounds() {
        fun rounds(count: Int) = repeat(count) {
            TfLiteSession.open("m", model.graph, Backend.CPU, 1).close()
            if (it % 50 == 0) System.gc() // direct buffers wait for it, and would hide what the runtime keeps
        }
        rounds(300) // until the allocator has what it needs
        val before = resident()
        rounds(1000)
        val grown = resident() - before
        println("resident memory grew by $grown MiB over 1000 rounds")
        assertTrue("$grown MiB", grown < 200) // a round that kept its tensors would cost 2 MiB each
    }

    /** MiB in use, once the buffers that nobody holds any more are given back: their cleaner runs beside us. */
    private fun resident(): Long {
        repeat(5) {
            System.gc()
            Thread.sleep(100)
        }
        return File("/proc/self/status").readLines().first { it.startsWith("VmRSS") }.filter(Char::isDigit).toLong() / 1024
    }

    @Category(SoftwareGl::class)
    @Test fun theRealDelegateIsTaken() {
        val opened = Backends(1, listed = { true }).choose("m", model.graph, Wish.GPU) { Golden.refusal(it, model.contract) }
        opened.use { assertEquals(Backend.GPU, it.backend) }
    }
}
