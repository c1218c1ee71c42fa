package climbedge.core.files

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

/** JSON is read and written, and what is none is refused. */
class JsonTest {
    @Test fun jsonIsReadAndWritten() {
        val text = """{"a":[1,2.5,true,null,"\u0041\n\"\\"],"b":{}}"""
        val value = Json.parse(text) as Map<*, *>
        assertEquals(listOf(1L, 2.5, true, null, "A\n\"\\"), value["a"])
        assertEquals(value, Json.parse(Json.write(value)))
        for (bad in listOf("", "{", "[1,]", "{\"a\"}", "tru", "1 2", "\"\\x\"", "NaN", "[1e999]", "\"\u0001\"")) {
            assertThrows(bad, IllegalArgumentException::class.java) { Json.parse(bad) }
        }
    }
}
