package climbedge.core.files

/**
 * JSON as plain values: Map, List, String, Long, Double, Boolean, null. A number with a point or an exponent is a Double, any
 * other a Long, so that a contract's 1 and 1.0 can be told apart. Depth is bounded: a hostile text must not end the stack.
 */
object Json {
    private const val DEPTH = 64

    fun parse(text: String): Any? = Reader(text).whole()

    fun write(value: Any?): String = StringBuilder().also { append(it, value) }.toString()

    private fun append(to: StringBuilder, value: Any?) {
        when (value) {
            null -> to.append("null")
            is Map<*, *> -> list(to, '{', '}', value.entries) { quote(to, it.key.toString()); to.append(':'); append(to, it.value) }
            is Iterable<*> -> list(to, '[', ']', value) { append(to, it) }
            is Double, is Float -> to.append(if ((value as Number).toDouble().isFinite()) value.toString() else "null")
            is Number, is Boolean -> to.append(value.toString())
            else -> quote(to, value.toString())
        }
    }

    private fun <T> list(to: StringBuilder, open: Char, close: Char, values: Iterable<T>, each: (T) -> Unit) {
        to.append(open)
        values.forEachIndexed { i, value -> if (i > 0) to.append(','); each(value) }
        to.append(close)
    }

    private fun quote(to: StringBuilder, text: String) {
        to.append('"')
        for (c in text) when {
            c == '"' || c == '\\' -> to.append('\\').append(c)
            c < ' ' -> to.append("\\u%04x".format(c.code))
            else -> to.append(c)
        }
        to.append('"')
    }

    private class Reader(private val text: String) {
        private var at = 0

        fun whole(): Any? {
            val value = value(0)
            space()
            if (at < text.length) fail("more text after the value")
            return value
        }

        private fun value(depth: Int): Any? {
            if (depth > DEPTH) fail("nested deeper than $DEPTH")
            space()
            return when (peek()) {
                '{' -> members(depth)
                '[' -> elements(depth)
                '"' -> string()
                't' -> word("true", true)
                'f' -> word("false", false)
                'n' -> word("null", null)
                else -> number()
            }
        }

        private fun members(depth: Int): Map<String, Any?> {
            val map = LinkedHashMap<String, Any?>()
            sequence('}') {
                space()
                val key = string()
                space()
                expect(':')
                map[key] = value(depth + 1)
            }
            return map
        }

        private fun elements(depth: Int): List<Any?> {
            val list = ArrayList<Any?>()
            sequence(']') { list.add(value(depth + 1)) }
            return list
        }

        private fun sequence(close: Char, one: () -> Unit) {
            at++
            space()
            if (peek() == close) { at++; return }
            while (true) {
                one()
                space()
                if (peek() == close) { at++; return }
                expect(',')
            }
        }

        private fun string(): String {
            expect('"')
            val out = StringBuilder()
            while (true) {
                val c = next()
                when {
                    c == '"' -> return out.toString()
                    c < ' ' -> fail("a control character in a string")
                    c != '\\' -> out.append(c)
                    else -> out.append(escaped(next()))
                }
            }
        }

        private fun escaped(c: Char): Char = when (c) {
            'n' -> '\n'
            't' -> '\t'
            'r' -> '\r'
            'b' -> '\b'
            'f' -> '\u000c'
            '"', '\\', '/' -> c
            'u' -> String(CharArray(4) { next() }).toIntOrNull(16)?.toChar() ?: fail("a wrong \\u escape")
            else -> fail("a wrong escape")
        }

        private fun number(): Number {
            val start = at
            while (at < text.length && text[at] in "+-0123456789.eE") at++
            val found = text.substring(start, at)
            return found.toLongOrNull() ?: found.toDoubleOrNull()?.takeIf { it.isFinite() } ?: fail("no value")
        }

        private fun word(word: String, value: Any?): Any? {
            if (!text.startsWith(word, at)) fail("no value")
            at += word.length
            return value
        }

        private fun space() { while (at < text.length && text[at] in " \t\r\n") at++ }

        private fun peek(): Char = if (at < text.length) text[at] else fail("the end")

        private fun next(): Char = peek().also { at++ }

        private fun expect(c: Char) { if (next() != c) fail("something else than '$c'") }

        private fun fail(found: String): Nothing = throw IllegalArgumentException("JSON: $found at character $at")
    }
}
