"""Is the rig there, healthy, quick enough and safe? What is found, and what to do about it."""
