"""The review loop through Label Studio: what is pushed, what comes back, and how good it was."""
