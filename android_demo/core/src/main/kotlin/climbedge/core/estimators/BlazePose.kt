package climbedge.core.estimators

import climbedge.core.StageClock
import climbedge.core.media.Frame
import climbedge.core.pose.Affine
import climbedge.core.pose.Skeleton
import climbedge.core.runtime.Session
import kotlin.math.hypot

/** The estimator: detects bodies once, then follows each from frame to frame; a lost one is searched for again. */
class BlazePose(
    override val name: String,
    private val detection: Session,
    private val landmark: Session,
    private val people: Int = 1,
    private val clock: StageClock = StageClock(),
) : Estimator {
    private val detector = Detector(detection)
    private val model = LandmarkModel(landmark, clock)
    private var tracks = listOf<Followed>()
    private var who = People()

    private class Followed(var region: Region) {
        var person: Int? = null // null when just detected
        val steady = Steady()
    }

    private class Seen(val track: Followed, val observation: Observation)

    /** Where everybody followed is looked for next; tests set it, to compare a single step. */
    internal var regions: List<Region>
        get() = tracks.map { it.region }
        set(value) = tracks.zip(value).forEach { (track, region) -> track.region = region }

    override fun reset() {
        tracks = listOf()
        who = People()
    }

    override fun observe(frame: Frame): List<Observation> = clock.stage("observe") {
        val seen = ArrayList<Seen>()
        for (track in tracks) look(frame, track, seen)
        if (seen.size < people) {
            for (region in clock.stage("detect") { detector.find(frame.picture) }) if (seen.size < people) look(frame, Followed(region), seen)
        }
        tracks = seen.map { it.track }
        val poses = seen.map { s -> DoubleArray(2 * Skeleton.K) { s.observation.keypoints[it / 2 * 3 + it % 2].toDouble() } }
        who.name(poses, tracks.map { it.person }).forEachIndexed { i, number -> tracks[i].person = number }
        seen.map { it.observation.of(it.track.person!!) }
    }

    /** Adds what is seen of one track, and moves its region; nothing when it is lost or seen already. */
    private fun look(frame: Frame, track: Followed, seen: MutableList<Seen>) {
        val found = model.look(frame.picture, track.region)
        if (!(found.score >= LEAST)) return
        val affine = track.region.affine(LandmarkModel.SIDE)
        val cells = affine.after(Affine.scale(LandmarkModel.SIDE / LandmarkModel.GRID.toDouble()))
        val observation = Observation.of(found.maps, cells) ?: return
        if (seen.any { same(track, observation, it.observation) }) return
        val rim = DoubleArray(4) {
            val (x, y) = found.rim[it / 2 * 2] to found.rim[it / 2 * 2 + 1]
            if (it % 2 == 0) affine.x(x, y) else affine.y(x, y)
        }
        val (x, y, rimX, rimY) = track.steady.follow(rim, frame.time)
        track.region = Region.around(x, y, rimX, rimY) ?: return
        seen.add(Seen(track, observation))
    }

    /** Whether [a], seen by [track], is the person of [b]. */
    private fun same(track: Followed, a: Observation, b: Observation): Boolean {
        if (track.person == null && a.extent.overlap(b.extent) > OVERLAP) return true
        val (p, q) = a.keypoints to b.keypoints
        val mean = (0 until Skeleton.K).sumOf { hypot((p[3 * it] - q[3 * it]).toDouble(), (p[3 * it + 1] - q[3 * it + 1]).toDouble()) } / Skeleton.K
        return mean < SAME * track.region.side
    }

    override fun close() {
        detection.close()
        landmark.close()
    }

    private companion object {
        const val LEAST = 0.5f // score of a person who is there
        const val SAME = 0.1 // tracks closer than this share of their region are one person
        const val OVERLAP = 0.4 // so is a body just detected whose box shares more than this with one that is followed
    }
}
