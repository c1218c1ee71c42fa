package climbedge.demo

import climbedge.core.Recent
import climbedge.core.pose.Skeleton
import climbedge.core.streaming.Result

/** Where hands and feet of everybody seen were in the last frames. */
class Trails {
    private val places = HashMap<Pair<Int, Int>, Recent<Pair<Float, Float>>>()

    fun add(results: List<Result>) {
        val seen = results.associateBy { it.person!! }
        places.keys.removeAll { (person, _) -> person !in seen }
        for ((person, result) in seen) for (k in ENDS) {
            val keypoints = result.refined!!
            places.getOrPut(person to k) { Recent(FRAMES) }.add(keypoints[3 * k] to keypoints[3 * k + 1])
        }
    }

    /** Each as x, y, x, y... in image pixels. */
    fun paths(): List<FloatArray> = places.values.map { path -> FloatArray(2 * path.size) { if (it % 2 == 0) path[it / 2].first else path[it / 2].second } }

    fun clear() = places.clear()

    private companion object {
        const val FRAMES = 15
        val ENDS = listOf("wrist", "ankle").flatMap { part -> listOf("left_$part", "right_$part") }.map(Skeleton.KEYPOINTS::indexOf)
    }
}
