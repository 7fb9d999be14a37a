"""From comparisons, rankings or score lists of the same items to one list of scores; pure functions of numbers."""
