package climbedge.core.streaming

import climbedge.core.ClimbEdgeError
import climbedge.core.files.Library
import climbedge.core.media.Frame
import climbedge.core.runtime.Backends
import climbedge.core.runtime.Wish
import java.io.Closeable
import java.util.concurrent.atomic.AtomicReference

/** A finished frame: its picture, what is known of it, and how it was made. */
class Shown(val frame: Frame, val results: List<Result>, val status: Status)

/** What the app says of itself. */
class Status(
    val model: String, val backend: String, val reason: String, val fps: Double, val dropped: Int, val stages: List<Stats.Row>,
)

/**
 * One thread that owns every interpreter. Frames come in from anywhere, the newest wins; finished ones go out to [show], each
 * with its own results, and what fails goes out to [fail], in words for the screen. A backend that fails while it runs is
 * left for the CPU.
 */
class Engine(
    private val library: Library,
    private val threads: Int,
    private val show: (Shown) -> Unit,
    private val fail: (String) -> Unit,
    private val backends: Backends = Backends(threads),
) : Closeable {
    private class Look(val frame: Frame, val capture: Double)

    private val inbox = Newest<Look>()
    private val wanted = AtomicReference<Choice?>()
    @Volatile private var cut = false
    private var choice: Choice? = null
    private var note = "" // why the backend of the choice was left while it ran
    private var chain: Chain? = null
    private var stats = Stats()
    private val pending = ArrayDeque<Pair<Frame, MutableList<Result>>>()
    private val thread = Thread(::run, "inference").apply { isDaemon = true }

    val dropped get() = inbox.dropped

    init {
        thread.start()
    }

    /** Another model or backend, from the next frame on. */
    fun use(choice: Choice) = wanted.set(choice)

    /** The next frame is of another source: nothing of before counts. */
    fun cut() { cut = true }

    /** A frame, and the milliseconds that it took to come from its buffer. */
    fun look(frame: Frame, capture: Double) = inbox.put(Look(frame, capture))

    /** Waits until the last frame was taken, for a clip of which every frame counts. */
    fun awaitTaken() = inbox.awaitTaken()

    /** Ends the thread after the frame it looks at; it closes what it opened. Does not wait: a driver may be slow. */
    override fun close() = inbox.close()

    fun join() = thread.join()

    private fun run() {
        while (true) {
            val work = inbox.take() ?: break
            try {
                prepare()
                chain?.let { finish(it, work) }
            } catch (error: Throwable) {
                recover(error)
            }
        }
        closeChain()
    }

    private fun prepare() {
        wanted.getAndSet(null)?.let {
            note = ""
            reopen(it)
        }
        if (cut) {
            cut = false
            chain?.reset()
            pending.clear()
        }
    }

    private fun reopen(to: Choice) {
        closeChain()
        choice = to
        stats = Stats()
        chain = Chain.open(library, to, threads, backends)
    }

    private fun finish(chain: Chain, work: Look) {
        pending.addLast(work.frame to ArrayList())
        val results = chain.push(work.frame)
        for (result in results) pending.lastOrNull { it.first.index == result.frame }?.second?.add(result)
        stats.add(chain.clock.lap() + ("capture" to work.capture))
        while (pending.isNotEmpty() && (pending.first().first.index <= chain.settled || pending.size > MOST)) {
            val (frame, own) = pending.removeFirst()
            show(Shown(frame, own, Status(chain.model, chain.backend, note + chain.reason, stats.fps, dropped, stats.rows())))
        }
    }

    /** A GPU that fails while it runs is left for the CPU; what fails there too is told. */
    private fun recover(error: Throwable) {
        val failed = choice
        val words = error.message?.trim()?.lines()?.first() ?: error.toString()
        val running = chain != null
        closeChain()
        fail(words)
        if (running && failed != null && failed.wish != Wish.CPU && error !is ClimbEdgeError) {
            note = "$words; "
            try {
                reopen(failed.copy(wish = Wish.CPU))
            } catch (again: ClimbEdgeError) {
                fail(again.message!!)
            }
        }
    }

    private fun closeChain() {
        chain?.close()
        chain = null
        pending.clear()
    }

    private companion object {
        const val MOST = 32 // frames that may wait for a delayed result; a stream never needs as many
    }
}
