package climbedge.core

/** Category of the tests that need an OpenGL ES 3.1 implementation; they run in a process of their own. */
interface SoftwareGl
