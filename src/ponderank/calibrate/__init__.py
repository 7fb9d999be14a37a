"""Fit calibrations on judged pairs; ``ponderank.calibration`` applies them."""
