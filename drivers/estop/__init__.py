"""Emergency stops that a rig looks at between ticks."""
