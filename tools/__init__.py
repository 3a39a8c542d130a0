"""Programs for whoever works on the project: what makes its recordings and its documents."""
