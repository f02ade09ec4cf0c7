"""The commands of `flashsale`, one module each: what may be said to them, and what they say. The
work is elsewhere, and imported when a command runs."""
