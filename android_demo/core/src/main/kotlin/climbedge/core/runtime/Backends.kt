package climbedge.core.runtime

import climbedge.core.ClimbEdgeError
import java.io.Closeable

/** What the user asked for. */
enum class Wish { AUTO, GPU, CPU }

/** A session that passed its self-check, and why the candidates before it were left. */
class Opened(val session: Session, val backend: Backend, val reason: String) : Closeable by session

/**
 * Chooses the backend of a graph: every candidate is loaded, runs its self-check, and is left for the next one when it fails,
 * whatever it throws: a missing driver is a LinkageError, and a driver's bug may be anything.
 */
class Backends(
    private val threads: Int,
    private val listed: () -> Boolean = GpuList::knows,
    private val open: (String, java.nio.ByteBuffer, Backend, Int) -> Session = TfLiteSession::open,
) {
    /** [refusal] says why a session's numbers are wrong, or null. Throws ClimbEdgeError where not even the CPU passes. */
    fun choose(name: String, graph: java.nio.ByteBuffer, wish: Wish, refusal: (Session) -> String?): Opened {
        val left = ArrayList<String>()
        for (backend in candidates(wish, left)) {
            val why = try {
                val session = open(name, graph, backend, threads)
                val wrong = try {
                    refusal(session)
                } catch (error: Throwable) {
                    session.close()
                    throw error
                }
                if (wrong == null) return Opened(session, backend, left.joinToString("; ").ifEmpty { "first choice" })
                session.close()
                wrong
            } catch (error: VirtualMachineError) {
                throw error // out of memory is no driver's fault
            } catch (error: Throwable) {
                error.message?.trim()?.lines()?.first() ?: error.toString()
            }
            left.add("${backend.label}: $why")
        }
        throw ClimbEdgeError("$name: no backend runs it rightly (${left.joinToString("; ")}); convert it again, or choose another model")
    }

    private fun candidates(wish: Wish, left: MutableList<String>): List<Backend> = when (wish) {
        Wish.CPU -> listOf(Backend.CPU)
        Wish.GPU -> Backend.entries
        Wish.AUTO -> if (listed()) Backend.entries else listOf(Backend.CPU).also { left.add("GPU: not on the runtime's list of supported devices") }
    }
}
