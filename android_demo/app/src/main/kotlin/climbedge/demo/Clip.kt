package climbedge.demo

import climbedge.core.media.Picture

/** A recorded film: plays once, from its beginning. */
fun interface Clip {
    /**
     * Calls [each] with every picture, its time in seconds and the milliseconds that it took to decode and unpack, until that
     * says false. Throws IOException or a RuntimeException for what cannot be played.
     */
    fun play(each: (Picture, Double, Double) -> Boolean)
}
