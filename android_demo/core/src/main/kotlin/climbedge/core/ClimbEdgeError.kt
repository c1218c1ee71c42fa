package climbedge.core

/** What a user can act on: names the file or the thing, what was expected, what was found, and what to do. */
class ClimbEdgeError(message: String, cause: Throwable? = null) : RuntimeException(message, cause)
