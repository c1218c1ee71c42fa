"""What Python computes, written for the Kotlin tests to repeat: `python -m golden OUT`, in
android_demo/tools.
"""
