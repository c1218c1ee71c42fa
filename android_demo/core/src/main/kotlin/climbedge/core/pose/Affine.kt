package climbedge.core.pose

/** x' = a x + b y + c, y' = d x + e y + f: between the cells of a grid and the pixels of an image. */
class Affine(val a: Double, val b: Double, val c: Double, val d: Double, val e: Double, val f: Double) {
    fun x(x: Double, y: Double) = a * x + b * y + c

    fun y(x: Double, y: Double) = d * x + e * y + f

    /** Applies [inner] first, then this. */
    fun after(inner: Affine) = Affine(
        a * inner.a + b * inner.d, a * inner.b + b * inner.e, a * inner.c + b * inner.f + c,
        d * inner.a + e * inner.d, d * inner.b + e * inner.e, d * inner.c + e * inner.f + f,
    )

    fun inverse(): Affine {
        val n = a * e - b * d
        val (p, q, r, s) = doubleArrayOf(e / n, -b / n, -d / n, a / n)
        return Affine(p, q, -(p * c + q * f), r, s, -(r * c + s * f))
    }

    companion object {
        fun scale(by: Double) = Affine(by, 0.0, 0.0, 0.0, by, 0.0)
    }
}
