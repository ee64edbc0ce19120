"""Which findings a clause of a note states: words, measurements, and what is said about them."""
