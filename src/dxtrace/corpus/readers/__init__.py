"""One reader for each form in which annotated cases come."""
