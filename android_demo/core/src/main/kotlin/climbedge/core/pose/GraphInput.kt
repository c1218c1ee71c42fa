package climbedge.core.pose

/** Frames as a graph wants them: a window's maps stand behind each other in the channels, the oldest frame first. */
object GraphInput {
    /** What enters before the state: the maps of one frame or five, and their peaks where the graph asks for them. */
    fun of(frames: List<Maps>, peaks: List<FloatArray>?): List<FloatArray> {
        val maps = if (frames.size == 1) frames[0].values else stacked(frames)
        return if (peaks == null) listOf(maps) else listOf(maps, FloatArray(peaks.size * Skeleton.K) { peaks[it / Skeleton.K][it % Skeleton.K] })
    }

    private fun stacked(frames: List<Maps>): FloatArray {
        val depth = frames[0].depth
        val cells = frames[0].rows * frames[0].columns
        val out = FloatArray(frames.size * depth * cells)
        for (cell in 0 until cells) for (t in frames.indices) {
            System.arraycopy(frames[t].values, cell * depth, out, (cell * frames.size + t) * depth, depth)
        }
        return out
    }

    /** The inverse for what a graph emits: (56, 56, T 25) -> T maps. */
    fun frames(emitted: FloatArray, count: Int): List<Maps> {
        val cells = Maps.SIZE * Maps.SIZE
        return List(count) { t ->
            val maps = Maps(Maps.SIZE, Maps.SIZE, Skeleton.K)
            for (cell in 0 until cells) {
                System.arraycopy(emitted, (cell * count + t) * Skeleton.K, maps.values, cell * Skeleton.K, Skeleton.K)
            }
            maps
        }
    }
}
