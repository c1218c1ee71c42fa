package climbedge.core.streaming

import climbedge.core.ClimbEdgeError
import climbedge.core.Recent
import climbedge.core.StageClock
import climbedge.core.estimators.Estimator
import climbedge.core.estimators.Observation
import climbedge.core.media.Frame
import climbedge.core.pose.Box
import climbedge.core.pose.BoxRule
import climbedge.core.refiners.Refiner
import kotlin.math.abs

/**
 * Frames in, one result per frame and person out.
 *
 * Time stamps increase strictly. A gap or a lost person resets. The box is sticky; when it moves, the last frames are warped
 * into the new one. A window spans the time that the refiner was trained on: a source n times as fast is taken apart into n
 * phases, every n-th frame each, that are refined apart; when n changes, the windows begin anew.
 */
class Stream(
    private val estimator: Estimator,
    private val refiner: Refiner,
    private val gap: Double = GAP,
    private val clock: StageClock = StageClock(),
) {
    private class Person {
        var box: Box? = null
        val phases = LinkedHashMap<Int, Phase>()

        fun end(): List<Result> = phases.values.flatMap { it.end() }.sortedBy { it.frame }
    }

    private val rate = refiner.rate ?: RATE
    private val people = LinkedHashMap<Int, Person>()
    private var intervals = Recent<Double>(INTERVALS)
    private var last = Double.NEGATIVE_INFINITY
    private var index = -1
    private var shape: Pair<Int, Int>? = null
    private var turn = 0

    /** How many windows the source is taken apart into. */
    var phases = 1
        private set

    /** Number of the newest frame up to which all results have been given; -1 before the first. */
    val settled: Int
        get() = (people.values.flatMap { it.phases.values }.mapNotNull { it.oldest }.minOrNull() ?: (index + 1)) - 1

    /** Forgets everything: the next frame is of another source. */
    fun reset() {
        estimator.reset()
        people.clear()
        intervals = Recent(INTERVALS)
        last = Double.NEGATIVE_INFINITY
        index = -1
        shape = null
        turn = 0
        phases = 1
    }

    /** Results that this frame makes final, at most one per frame and person. A refused frame leaves no trace. */
    fun push(frame: Frame): List<Result> = clock.stage("stream") {
        if (!(frame.time > last)) throw ClimbEdgeError(
            "frame ${frame.index}: time ${frame.time} s does not follow $last s; time stamps must increase, reset() before another source",
        )
        val results = ArrayList<Result>()
        val size = frame.picture.width to frame.picture.height
        if (size != shape) results += flush() // a camera turned, or another one: no box or map of before fits
        shape = size
        results += pace(frame.time - last)
        last = frame.time
        index = frame.index
        turn++
        val observations = estimator.observe(frame).associateBy { it.person }
        for (person in people.keys - observations.keys) results += people.remove(person)!!.end()
        for ((person, observation) in observations) results += advance(people.getOrPut(person, ::Person), frame, observation)
        if (observations.isEmpty()) results += Result(frame.index, frame.time)
        results
    }

    /** Gives the results still waiting for later frames, and forgets the windows. */
    fun flush(): List<Result> = people.values.flatMap { it.end() }.also { people.clear() }

    /** Decides from the time since the last frame whether its past still counts; what that makes final. */
    private fun pace(interval: Double): List<Result> {
        if (interval > gap) return flush()
        intervals.add(interval)
        val pace = 1 / (rate * median(intervals))
        val now = if (abs(pace - phases) > STRAY) Math.rint(pace).toInt().coerceIn(1, MOST_PHASES) else phases
        if (now == phases) return emptyList()
        phases = now
        return flush()
    }

    private fun advance(person: Person, frame: Frame, observation: Observation): List<Result> {
        val held = person.box
        val box = BoxRule.update(held, observation.keypoints)!! // an observation has keypoints, so that there is a box
        person.box = box
        val state = if (held != null && box != held) State.RE_ANCHORED else State.TRACKING
        val phase = person.phases.getOrPut(turn % phases) { Phase(refiner, clock) }
        val raw = observation.keypoints
        return phase.advance(observation, box, Result(frame.index, frame.time, observation.person, state, refiner.delay * phases, box, raw, raw))
    }

    private fun median(values: List<Double>): Double {
        val sorted = values.sorted()
        return (sorted[(sorted.size - 1) / 2] + sorted[sorted.size / 2]) / 2
    }

    companion object {
        const val GAP = 0.25 // seconds without a frame after which the past no longer counts
        const val RATE = 30.0 // frames a second, where a refiner does not say
        const val INTERVALS = 9 // their median is the source's pace, whatever a camera drops or stutters
        const val STRAY = 0.6 // how far the pace may be from the number of phases before that changes
        const val MOST_PHASES = 8 // a source of 240 frames a second
    }
}
