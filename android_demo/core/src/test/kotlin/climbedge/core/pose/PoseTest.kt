package climbedge.core.pose

import climbedge.core.Vectors
import climbedge.core.near
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** Warped maps and decoded maxima have Python's numbers; a box holds still. */
class PoseTest {
    private val parts = Vectors("parts")

    @Test fun mapsAreWarpedAsOpenCvDoes() {
        val native = parts.maps("native")
        parts.list("warp").forEachIndexed { i, case ->
            val (x0, y0, x1, y1) = Vectors.doubles(case["box"])
            val warped = Warp.into(native, Vectors.affine(case["affine"]), Box(x0, y0, x1, y1).affine())
            near("warp $i", parts.floats("warp$i"), warped.values, 1e-6)
            near("normalised $i", parts.floats("normalised$i"), warped.normalise().values, 1e-4)
        }
    }

    @Test fun maximaAreDecoded() {
        for (name in listOf("smooth", "odd", "golden")) {
            near(name, parts.floats("${name}_places"), Decode.places(parts.maps("${name}_maps")), 2e-4)
        }
    }

    @Test fun boxesHoldUntilThePoseComesNearTheirEdge() {
        val pose = FloatArray(75) { if (it % 3 == 2) 1f else if (it / 3 % 2 == 0) 100f else 200f }
        val box = BoxRule.update(null, pose)!!
        assertEquals(Box(87.5, 87.5, 212.5, 212.5), box)
        assertEquals(box, BoxRule.update(box, FloatArray(75) { pose[it] + if (it % 3 == 2) 0f else 2f }))
        assertTrue(box != BoxRule.update(box, FloatArray(75) { pose[it] + if (it % 3 == 2) 0f else 5f }))
        assertNull(BoxRule.update(null, FloatArray(75) { Float.NaN }))
    }
}
