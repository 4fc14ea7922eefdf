"""`hil bench`: what the testbed itself costs and how well it keeps time, as ratios."""
