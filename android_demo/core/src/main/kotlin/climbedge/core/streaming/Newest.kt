package climbedge.core.streaming

/**
 * A place for one value between two threads: a new one takes the place of an older one that nobody took, so that a slow taker
 * always gets the newest and the giver never waits.
 */
class Newest<T : Any> {
    private val lock = Object()
    private var held: T? = null
    private var closed = false

    /** Values that nobody took in time. */
    var dropped = 0
        private set

    fun put(value: T) = synchronized(lock) {
        if (held != null) dropped++
        held = value
        lock.notifyAll()
    }

    /** Waits for a value; null once [close] was called. */
    fun take(): T? = synchronized(lock) {
        while (held == null && !closed) lock.wait()
        if (closed) null else held.also { held = null }
    }

    /** Waits until the last value was taken: for a source that must not lose any. */
    fun awaitTaken(): Unit = synchronized(lock) { while (held != null && !closed) lock.wait(WAKE) }

    fun close() = synchronized(lock) {
        closed = true
        lock.notifyAll()
    }

    private companion object {
        const val WAKE = 20L // milliseconds: the taker does not say that it took
    }
}
