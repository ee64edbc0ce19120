"""What is measured of an answer, and how sure a figure is."""
