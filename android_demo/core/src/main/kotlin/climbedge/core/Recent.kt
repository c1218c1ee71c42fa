package climbedge.core

/** The last [most] values, oldest first. */
class Recent<T>(private val most: Int) : AbstractList<T>() {
    private val held = ArrayDeque<T>(most + 1)
    override val size get() = held.size
    val full get() = held.size == most

    override fun get(index: Int): T = held[index]

    fun add(value: T) {
        held.addLast(value)
        if (held.size > most) held.removeFirst()
    }
}
