package climbedge.demo

import android.os.Build
import climbedge.core.ClimbEdgeError
import climbedge.core.benchmark.Benchmark
import climbedge.core.files.Library
import climbedge.core.media.Frame
import climbedge.core.runtime.Backends
import climbedge.core.runtime.Wish
import climbedge.core.streaming.Chain
import climbedge.core.streaming.Choice
import java.io.File

/**
 * A clip through every model on every backend, one after the other, on a thread of its own; nothing is drawn meanwhile.
 * A pair that this device cannot run is left out, and [said] says why.
 */
class BenchmarkRun(
    private val library: Library,
    private val clip: Clip,
    private val folder: File,
    private val threads: Int,
    private val frames: Int,
    private val said: (String) -> Unit,
    private val done: (csv: File) -> Unit,
) : Source {
    @Volatile private var closed = false

    init {
        Thread(::run, "benchmark").apply { isDaemon = true }.start()
    }

    private fun run() {
        val rows = ArrayList<Map<String, Any?>>()
        try {
            for (wish in listOf(Wish.GPU, Wish.CPU)) for (model in Choice.models(library)) if (!closed) try {
                said("$model, $wish")
                rows += one(Choice(model, wish))
            } catch (error: ClimbEdgeError) {
                said("$model, $wish: ${error.message}")
            }
            if (!closed) save(rows)
        } catch (error: java.io.IOException) {
            said(error.message ?: error.toString())
        } catch (error: RuntimeException) {
            said(error.message ?: error.toString())
        }
    }

    private fun one(choice: Choice): List<Map<String, Any?>> = Chain.open(library, choice, threads, Backends(threads)).use { chain ->
        val found = Benchmark("${choice.model} ${choice.wish}", chain.model, chain.estimatorName, chain.backend)
        var count = 0
        clip.play { picture, time, captureMs ->
            chain.push(Frame(count, time, picture))
            val lap = chain.clock.lap() + ("capture" to captureMs)
            if (count++ >= WARM) found.add(lap)
            count < WARM + frames && !closed
        }
        val runtime = Runtime.getRuntime()
        found.rows((runtime.totalMemory() - runtime.freeMemory()) / 1048576.0)
    }

    private fun save(rows: List<Map<String, Any?>>) {
        val machine = mapOf(
            "cpu" to Build.HARDWARE, "cores" to Runtime.getRuntime().availableProcessors().toLong(),
            "system" to "Android ${Build.VERSION.RELEASE} ${Build.SUPPORTED_ABIS.firstOrNull()}, ${Build.MANUFACTURER} ${Build.MODEL}", "python" to null,
        )
        folder.mkdirs()
        File(folder, "benchmark.json").writeText(Benchmark.json(rows, machine))
        val csv = File(folder, "benchmark.csv").apply { writeText(Benchmark.csv(rows)) }
        done(csv)
    }

    /** Ends after the frame or the model that is under way; nothing is saved then. */
    override fun close() { closed = true }

    private companion object {
        const val WARM = 6 // frames that are not counted: until the window is full
    }
}
