package climbedge.demo

import climbedge.core.media.Frame
import java.io.Closeable

/** Where frames come from; they begin to flow when it is made and end when it is closed. */
interface Source : Closeable

/** Takes what a source gives: frames with the milliseconds that each took to unpack, and words for the screen. */
interface Sink {
    fun frame(frame: Frame, captureMs: Double)

    /** Waits until the last frame was taken. */
    fun awaitTaken()

    fun failed(words: String)
}
