package climbedge.demo

import climbedge.core.media.Frame

/** A clip again and again at its own speed, as if a camera saw it; the clock goes on from round to round. */
class ClipSource(private val clip: Clip, private val sink: Sink) : Source {
    @Volatile private var closed = false
    private val thread = Thread(::run, "clip").apply { isDaemon = true; start() }

    private fun run() {
        var (begin, last) = 0.0 to 0.0
        var count = 0
        val started = System.nanoTime()
        try {
            while (!closed) {
                val before = count
                clip.play { picture, time, ms ->
                    val due = begin + time
                    val wait = due - (System.nanoTime() - started) / 1e9
                    if (wait > 0) Thread.sleep((1000 * wait).toLong())
                    if (!closed) sink.frame(Frame(count++, due, picture), ms)
                    last = due
                    !closed
                }
                if (count == before && !closed) return sink.failed("it holds no picture")
                begin = last + CUT
            }
        } catch (error: InterruptedException) {
            return
        } catch (error: java.io.IOException) {
            sink.failed(error.message ?: error.toString())
        } catch (error: RuntimeException) { // decoders throw IllegalStateException
            if (!closed) sink.failed(error.message ?: error.toString())
        }
    }

    override fun close() {
        closed = true
        thread.interrupt()
        thread.join()
    }

    private companion object {
        const val CUT = 1.0 // seconds between two rounds: more than a gap, so that nothing of the end counts for the beginning
    }
}
