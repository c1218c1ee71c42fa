package climbedge.core.streaming

import climbedge.core.StageClock
import climbedge.core.estimators.BlazePose
import climbedge.core.estimators.Estimator
import climbedge.core.files.Library
import climbedge.core.media.Frame
import climbedge.core.refiners.FilterSpec
import climbedge.core.refiners.GraphRefiner
import climbedge.core.refiners.Identity
import climbedge.core.refiners.Refiner
import climbedge.core.refiners.Smoother
import climbedge.core.runtime.Backend
import climbedge.core.runtime.Backends
import climbedge.core.runtime.ModelFile
import climbedge.core.runtime.SelfCheck
import climbedge.core.runtime.TfLiteSession
import java.io.Closeable

/** Estimator, refiner and stream of one choice, opened and checked. Belongs to the thread that opened it. */
class Chain private constructor(private val estimator: Estimator, private val refiner: Refiner, val clock: StageClock, private val why: List<String>) : Closeable {
    private val stream = Stream(estimator, refiner, clock = clock)

    /** What is shown and reported of it. */
    val model = refiner.name
    val estimatorName = estimator.name
    val backend = refiner.backend
    val reason = (why + refiner.reason).distinct().joinToString("; ")
    val settled get() = stream.settled

    fun push(frame: Frame) = stream.push(frame)

    fun flush() = stream.flush()

    fun reset() = stream.reset()

    override fun close() {
        refiner.close()
        estimator.close()
    }

    companion object {
        const val ESTIMATOR = "blazepose-lite"

        /** Throws ClimbEdgeError where a model is damaged or no backend runs it rightly; nothing stays open then. */
        fun open(library: Library, choice: Choice, threads: Int, backends: Backends = Backends(threads)): Chain {
            val clock = StageClock()
            val opened = ArrayList<Closeable>()
            try {
                val (detection, landmarks) = listOf(Library.DETECTION, Library.LANDMARKS).map { path ->
                    val graph = library.map(path)
                    backends.choose(path, graph, choice.wish) { session ->
                        SelfCheck.refusal(session) { TfLiteSession.open(path, graph, Backend.CPU, threads) }
                    }.also(opened::add)
                }
                val estimator = BlazePose(ESTIMATOR, detection.session, landmarks.session, clock = clock)
                val refiner = refiner(library, choice, backends, clock).also(opened::add)
                return Chain(estimator, refiner, clock, listOf("estimator on ${landmarks.session.backend} (${landmarks.reason})"))
            } catch (error: Throwable) {
                opened.forEach(Closeable::close)
                throw error
            }
        }

        private fun refiner(library: Library, choice: Choice, backends: Backends, clock: StageClock): Refiner = when {
            choice.model == Choice.OFF -> Identity
            choice.model.substringBefore(':') in FilterSpec.NAMES -> Smoother(choice.model)
            else -> GraphRefiner.open(ModelFile.read(choice.model, library.map(choice.model)), choice.wish, backends, clock)
        }
    }
}
