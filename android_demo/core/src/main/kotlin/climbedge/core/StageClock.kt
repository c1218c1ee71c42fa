package climbedge.core

/**
 * Milliseconds per stage of a running chain. A stage that runs inside another is taken out of it, so that stages add up to
 * what passed. Belongs to one thread.
 */
class StageClock(private val now: () -> Long = System::nanoTime) {
    private val spent = LinkedHashMap<String, Long>()
    private val running = ArrayList<String>()
    private var since = 0L

    fun <T> stage(name: String, block: () -> T): T {
        pass()
        running.add(name)
        try {
            return block()
        } finally {
            pass()
            running.removeAt(running.size - 1)
        }
    }

    /** Milliseconds of the stages that ran since the last lap. */
    fun lap(): Map<String, Double> = spent.mapValues { it.value / 1e6 }.also { spent.clear() }

    /** Counts the time since the last change for the innermost stage that runs. */
    private fun pass() {
        val time = now()
        running.lastOrNull()?.let { spent[it] = (spent[it] ?: 0L) + time - since }
        since = time
    }
}
