package climbedge.core.media

/** Pixels, upright: 0xAARRGGBB, row by row, as Android's bitmaps have them; alpha is not looked at. */
class Picture(val width: Int, val height: Int, val pixels: IntArray) {
    init {
        require(width > 0 && height > 0 && pixels.size == width * height) { "expected $width x $height pixels, found ${pixels.size}" }
    }
}

/** A picture with its number and its time in seconds, from the source's own clock. */
class Frame(val index: Int, val time: Double, val picture: Picture)
