package climbedge.core.runtime

import climbedge.core.ClimbEdgeError
import climbedge.core.files.Json
import climbedge.core.files.TrailingZip
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest

/** A refiner's file: the graph's bytes, still in the buffer they were mapped into, and the contract behind them. */
class ModelFile private constructor(val name: String, val graph: ByteBuffer, val contract: Contract) {
    companion object {
        private const val ENTRY = "contract.json"
        private const val AGAIN = "convert the run again, or copy the file again"

        /** [content] is a direct buffer. Throws ClimbEdgeError with the reason why the file must not be run. */
        fun read(name: String, content: ByteBuffer): ModelFile {
            checkTflite(name, content)
            val zip = try {
                TrailingZip(content).entry(ENTRY)
            } catch (error: RuntimeException) { // damaged offsets may also lead past the buffer's end
                throw ClimbEdgeError("$name: holds no readable contract (${error.message}): it is truncated or was not made by `python -m convert`; $AGAIN", error)
            }
            val json = try {
                Json.parse(String(zip.bytes, Charsets.UTF_8)) as? Map<*, *>
            } catch (error: IllegalArgumentException) {
                throw ClimbEdgeError("$name: its contract is damaged (${error.message}); $AGAIN", error)
            }
            if (json?.get("version") != Contract.VERSION) {
                throw ClimbEdgeError("$name: expected a contract of version ${Contract.VERSION}, found ${json?.get("version")}; use the release that wrote it, or convert again")
            }
            val graph = content.duplicate().apply { position(0); limit(zip.start) }.slice().order(ByteOrder.nativeOrder())
            val found = sha256(graph)
            if (json["sha256"] != found) {
                throw ClimbEdgeError("$name: the graph's SHA-256 is ${found.take(12)}..., its contract says ${json["sha256"].toString().take(12)}...: the file was changed; $AGAIN")
            }
            return ModelFile(name, graph, ContractReader(name, json).read())
        }

        /** Throws ClimbEdgeError unless the buffer begins as a TFLite file does: the runtime itself looks no closer. */
        fun checkTflite(name: String, content: ByteBuffer) {
            val mark = ByteArray(4)
            if (content.limit() >= 8) content.duplicate().apply { position(4) }.get(mark)
            if (!mark.contentEquals("TFL3".toByteArray())) {
                throw ClimbEdgeError("$name: expected a TFLite file, found another kind of file; pass what `python -m convert` wrote")
            }
        }

        fun sha256(bytes: ByteBuffer): String =
            MessageDigest.getInstance("SHA-256").apply { update(bytes.duplicate()) }.digest().joinToString("") { "%02x".format(it) }
    }
}
