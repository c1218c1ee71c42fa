package climbedge.core.streaming

import climbedge.core.Recent
import climbedge.core.StageClock
import climbedge.core.estimators.Observation
import climbedge.core.pose.Box
import climbedge.core.pose.Maps
import climbedge.core.pose.Warp
import climbedge.core.refiners.Refiner
import climbedge.core.refiners.RefinerState
import climbedge.core.runtime.Contract

/** What a refiner has seen of a person, and the results that still wait for later frames. */
class Phase(private val refiner: Refiner, private val clock: StageClock) {
    private val seen = Recent<Observation>(Contract.WINDOW)
    private val waiting = ArrayDeque<Result>()
    private var box: Box? = null
    private var state: RefinerState? = null
    private var ahead = listOf<FloatArray>() // what the last window says of the frames from the delayed one on

    /** Number of the oldest frame that waits. */
    val oldest get() = waiting.firstOrNull()?.frame

    /** The results that this frame's [result], still raw, makes final. */
    fun advance(observation: Observation, box: Box, result: Result): List<Result> {
        val refined = refine(observation, box)
        waiting.addLast(result)
        if (refined != null) {
            ahead = refined.map { inPixels(it, box) }
            return listOf(waiting.removeFirst().copy(refined = ahead[0]))
        }
        return if (waiting.size > refiner.delay) listOf(warmingUp(waiting.removeFirst())) else emptyList()
    }

    /** Results for the frames still waiting: from the last window where it tells of them, raw otherwise. */
    fun end(): List<Result> = waiting.mapIndexed { i, result ->
        if (i + 1 < ahead.size) result.copy(refined = ahead[i + 1]) else warmingUp(result)
    }

    /** Every frame of the window goes in again where the box has moved and the refiner cannot follow. */
    private fun refine(observation: Observation, now: Box): List<DoubleArray>? {
        seen.add(observation)
        val held = box
        box = now
        var current = state
        val follows = current != null && held != null &&
            (held == now || current.moved(now.affine().inverse().after(held.affine())))
        if (!follows) current = refiner.start().also { state = it }
        var refined: List<DoubleArray>? = null
        for (one in if (follows) listOf(observation) else seen.toList()) {
            val maps = clock.stage("warp") { Warp.into(one.native, one.affine, now.affine()).normalise() }
            refined = current!!.push(maps, inCells(one.keypoints, now))
        }
        return refined
    }

    private fun inCells(points: FloatArray, box: Box) = DoubleArray(points.size) {
        when (it % 3) {
            0 -> (points[it] - box.x0) * Maps.SIZE / box.width
            1 -> (points[it] - box.y0) * Maps.SIZE / box.height
            else -> points[it].toDouble()
        }
    }

    private fun inPixels(points: DoubleArray, box: Box) = FloatArray(points.size) {
        when (it % 3) {
            0 -> (box.x0 + points[it] * box.width / Maps.SIZE).toFloat()
            1 -> (box.y0 + points[it] * box.height / Maps.SIZE).toFloat()
            else -> points[it].toFloat()
        }
    }

    private fun warmingUp(result: Result) = result.copy(state = State.WARMING_UP)
}
