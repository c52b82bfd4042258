"""The scheduler: gives every pod a node, or says why none fits."""
