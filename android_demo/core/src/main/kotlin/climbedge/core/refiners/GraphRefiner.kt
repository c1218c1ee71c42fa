package climbedge.core.refiners

import climbedge.core.Recent
import climbedge.core.StageClock
import climbedge.core.pose.Decode
import climbedge.core.pose.GraphInput
import climbedge.core.pose.Maps
import climbedge.core.pose.Skeleton
import climbedge.core.runtime.Backends
import climbedge.core.runtime.Contract
import climbedge.core.runtime.Golden
import climbedge.core.runtime.ModelFile
import climbedge.core.runtime.Opened
import climbedge.core.runtime.Wish

/** A graph with its contract, on a session that passed its golden test. */
class GraphRefiner private constructor(private val model: ModelFile, private val opened: Opened, private val clock: StageClock) : Refiner {
    private val contract = model.contract
    override val name = model.name
    override val delay = contract.delay
    override val rate = contract.fps
    override val backend = opened.session.backend
    override val reason = opened.reason

    override fun start(): RefinerState = if (contract.stepping) StepState() else WindowState()

    override fun close() = opened.close()

    private fun run(frames: List<Maps>, peaks: List<FloatArray>, state: List<FloatArray>): List<FloatArray> = clock.stage("refine") {
        opened.session.run(*(GraphInput.of(frames, if (contract.peaks) peaks else null) + state).toTypedArray())
    }

    /** What a run emits -> keypoints of the delayed frame and, where there are any, of later ones. */
    private fun keypoints(emitted: FloatArray): List<DoubleArray> = clock.stage("decode") {
        val first = if (contract.emitted == Contract.WINDOW) Contract.WINDOW / 2 else 0
        if (contract.heatmaps) {
            GraphInput.frames(emitted, contract.emitted).drop(first).map { Decode.keypoints(it, contract.peak!!) }
        } else {
            val size = 3 * Skeleton.K
            (first until contract.emitted).map { t -> DoubleArray(size) { emitted[t * size + it].toDouble() } }
        }
    }

    /** The past is the state that the graph gave last. */
    private inner class StepState : RefinerState {
        private var state = contract.state.map { FloatArray(it.size) }
        private var count = 0

        override fun push(maps: Maps, seen: DoubleArray): List<DoubleArray>? {
            val leaving = run(listOf(maps), listOf(heights(seen)), state)
            state = leaving.drop(1)
            return if (++count >= Contract.WINDOW) keypoints(leaving[0]) else null
        }
    }

    /** The past is kept here: the last five frames. */
    private inner class WindowState : RefinerState {
        private val frames = Recent<Maps>(Contract.WINDOW)
        private val peaks = Recent<FloatArray>(Contract.WINDOW)

        override fun push(maps: Maps, seen: DoubleArray): List<DoubleArray>? {
            frames.add(maps)
            peaks.add(heights(seen))
            return if (frames.full) keypoints(run(frames, peaks, emptyList())[0]) else null
        }
    }

    private fun heights(seen: DoubleArray) = FloatArray(Skeleton.K) { seen[3 * it + 2].toFloat().let { h -> if (h.isNaN()) 0f else h } }

    companion object {
        /** Throws ClimbEdgeError where no backend that was wished for passes the contract's golden test. */
        fun open(model: ModelFile, wish: Wish, backends: Backends, clock: StageClock = StageClock()): GraphRefiner =
            GraphRefiner(model, backends.choose(model.name, model.graph, wish) { Golden.refusal(it, model.contract) }, clock)
    }
}
