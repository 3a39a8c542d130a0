"""Small faults in the product, each with the tests that find it."""
